//! The engine on a small synthetic task, through its public interface.

use metricopt_host::engine::calibrate::calibrate;
use metricopt_host::engine::config::{
    EngineConfig, EsObjective, MetaTrainingMode, OptimizerKind, Start, ValueInput,
};
use metricopt_host::engine::observe::Observer;
use metricopt_host::engine::past::Past;
use metricopt_host::engine::tune::{Tuned, tune};
use metricopt_host::foreign::GuardedTask;
use metricopt_sdk::tch::{Device, Kind as Dtype, Reduction, Tensor};
use metricopt_sdk::{
    Batch, Call, Context, Data, Description, Direction, DynMetric, DynTask, Emit, Error, Kind,
    NamedTensor, Part, Result, Rows, Site, Split, Task, View, Views, boxed,
};
use std::cell::{Cell, RefCell};
use std::sync::atomic::{AtomicUsize, Ordering};

/// A logistic model of two features whose pre-trained threshold is far off: the loss weighs rows as they come, the
/// metric counts balanced errors.
struct Toy {
    /// Multiplies the effect of the adapter.
    gain: f64,
    x: Vec<[f32; 2]>,
    labels: Vec<i64>,
}

const ROWS: usize = 1600;

impl Toy {
    fn new(gain: f64) -> Self {
        // A low-discrepancy sequence: two overlapping clouds, one in five rows positive.
        let point = |i: usize| {
            let (u, v) = (
                (i as f64 * 0.618_034).fract(),
                (i as f64 * 0.754_878).fract(),
            );
            let positive = i.is_multiple_of(5);
            let centre = if positive { 0.9 } else { 0.0 };
            (
                [
                    (centre + 2.0 * u - 1.0) as f32,
                    (centre + 2.0 * v - 1.0) as f32,
                ],
                i64::from(positive),
            )
        };
        let (x, labels) = (0..ROWS).map(point).unzip();
        Self { gain, x, labels }
    }

    fn logits(&self, phi: &Tensor) -> Tensor {
        let x = Tensor::from_slice(self.x.as_flattened()).view([ROWS as i64, 2]);
        let scale = phi.narrow(0, 0, 2) * self.gain + 1.0;
        let shift = phi.narrow(0, 2, 2) * self.gain;
        (x * scale + shift).sum_dim_intlist(1, false, Dtype::Float) * 3.0 - 4.5
    }
}

#[derive(Default, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
struct NoConfig {}

impl Task for Toy {
    const NAME: &'static str = "toy";
    const KIND: Kind = Kind::Classification;
    const METRIC: &'static str = "balanced-error";
    type Config = NoConfig;

    fn open(_: NoConfig, _: &Context<'_>) -> Result<Self> {
        Ok(Self::new(1.0))
    }

    fn describe(&self) -> Description {
        Description {
            sites: vec![Site {
                name: "input".to_owned(),
                channels: 2,
            }],
            units: [ROWS; 3],
            classes: Some(2),
            facts: Vec::new(),
        }
    }

    fn loss(&self, phi: &Tensor, batch: &Batch<'_>) -> Result<Tensor> {
        let rows: Vec<i64> = batch.rows(ROWS).into_iter().map(i64::from).collect();
        let rows = Tensor::from_slice(&rows);
        let labels = Tensor::from_slice(&self.labels)
            .to_kind(Dtype::Float)
            .index_select(0, &rows);
        let weights = match batch.class_weights {
            &[negative, positive] => {
                Some(&labels * f64::from(positive - negative) + f64::from(negative))
            }
            _ => None,
        };
        let none: Option<Tensor> = None;
        let logits = self.logits(phi).index_select(0, &rows);
        Ok(logits.f_binary_cross_entropy_with_logits(&labels, weights, none, Reduction::Mean)?)
    }

    fn predict(&self, phis: &Tensor, rows: &Rows, _: &Call<'_>, emit: &mut Emit<'_>) -> Result<()> {
        let chosen = rows.part.indices(ROWS);
        let labels: Vec<i64> = chosen
            .iter()
            .map(|&row| self.labels[row as usize])
            .collect();
        for candidate in 0..phis.size()[0] {
            let all = Vec::<f32>::try_from(self.logits(&phis.get(candidate)).sigmoid())?;
            let scores: Vec<f32> = chosen.iter().map(|&row| all[row as usize]).collect();
            let shape = [chosen.len()];
            let tensors = [
                View::new("scores", &shape, Data::F32(&scores))?,
                View::new("labels", &shape, Data::I64(&labels))?,
            ];
            emit(candidate as usize, &[Views::new(&tensors)])?;
        }
        Ok(())
    }
}

/// Counts evaluations, and gives what the closure says.
struct Counting<F> {
    calls: AtomicUsize,
    metric: F,
}

impl<F: Fn(&[f32], &[i64]) -> Result<f64> + Send + Sync> DynMetric for Counting<F> {
    fn evaluate(&self, views: &Views<'_>, _: &Call<'_>) -> Result<f64> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        (self.metric)(views.get("scores")?.f32()?, views.get("labels")?.i64()?)
    }

    fn config(&self) -> serde_json::Value {
        serde_json::json!({})
    }
}

fn balanced_error(scores: &[f32], labels: &[i64]) -> Result<f64> {
    let rate = |class: i64| {
        let of_class = || scores.iter().zip(labels).filter(move |row| *row.1 == class);
        let wrong = of_class()
            .filter(|row| i64::from(*row.0 >= 0.5) != class)
            .count();
        wrong as f64 / of_class().count() as f64
    };
    Ok(0.5 * (rate(0) + rate(1)))
}

fn small() -> EngineConfig {
    let mut config = EngineConfig::default();
    config.trajectories.count = 8;
    config.trajectories.steps = 20;
    config.trajectories.observe_every = 5;
    config.trajectories.batch_size = 64;
    config.meta_training.iterations = 100;
    config.finetune.steps = 40;
    config.finetune.batch_size = 64;
    config.finetune.learning_rate = Some(0.03);
    config.finetune.es.rows = 200;
    config.calibration.width = Some(1.0);
    config.calibration.rows = 400;
    config.value_function.folds = 4;
    config.report.bootstrap = 200;
    config
}

fn with_observer<T>(
    task: &dyn DynTask,
    metric: &dyn DynMetric,
    direction: Direction,
    cancelled: &(dyn Fn() -> bool + Sync),
    run: impl FnOnce(&Observer<'_>) -> T,
) -> T {
    metricopt_sdk::tch::set_num_threads(1);
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(2)
        .build()
        .expect("two threads can be started");
    run(&Observer {
        task,
        metric,
        metric_label: "metric `test metric`".into(),
        direction,
        device: Device::Cpu,
        call: Call {
            threads: 2,
            cancelled,
        },
        pool: &pool,
        queries: Cell::new(0),
        most_queries: None,
        evaluations: Cell::new(0),
        loss_gradients: Cell::new(0),
        keeper: RefCell::default(),
        past: Past::Nothing,
        memory: &(),
    })
}

fn run(config: &EngineConfig, metric: &dyn DynMetric, direction: Direction) -> Result<Tuned> {
    let toy = boxed(Toy::new(1.0));
    with_observer(toy.as_ref(), metric, direction, &|| false, |observer| {
        tune(
            observer,
            Kind::Classification,
            config,
            1,
            &|| 0.0,
            &|_, _, _| (),
            &mut (),
        )
    })
}

fn counting<F: Fn(&[f32], &[i64]) -> Result<f64> + Send + Sync>(metric: F) -> Counting<F> {
    Counting {
        calls: AtomicUsize::new(0),
        metric,
    }
}

#[test]
fn tunes_where_loss_and_metric_disagree() {
    let tuned = run(&small(), &counting(balanced_error), Direction::Minimise).unwrap();
    let test = |name: &str| {
        tuned
            .methods
            .iter()
            .find(|method| method.name == name)
            .unwrap()
            .test
    };
    assert!(tuned.decision.accepted, "{tuned:?}");
    assert!(test("metricopt") < test("pretrained") - 0.04, "{tuned:?}");
    assert!(test("metricopt") < test("loss-only"), "{tuned:?}");
    let names: Vec<&str> = tuned.methods.iter().map(|method| method.name).collect();
    assert_eq!(
        names,
        [
            "pretrained",
            "loss-only",
            "threshold",
            "class-weighted",
            "es",
            "metricopt"
        ]
    );
}

/// `1 - x` to maximise must be tuned exactly like `x` to minimise.
#[test]
fn direction_is_only_a_sign() {
    let down = run(&small(), &counting(balanced_error), Direction::Minimise).unwrap();
    let up = counting(|scores: &[f32], labels: &[i64]| Ok(1.0 - balanced_error(scores, labels)?));
    let up = run(&small(), &up, Direction::Maximise).unwrap();
    for (down, up) in down.methods.iter().zip(&up.methods) {
        assert!(
            (down.test - (1.0 - up.test)).abs() < 0.02,
            "{down:?} {up:?}"
        );
    }
    assert_eq!(down.decision.accepted, up.decision.accepted);
}

/// A change to the configuration.
type Change = fn(&mut EngineConfig);

#[test]
fn every_variant_runs() {
    let variants: [(&str, Change); 7] = [
        ("no search", |config| config.finetune.es.pairs = 0),
        ("search on the value function", |config| {
            config.finetune.es.objective = EsObjective::ValueFunction
        }),
        ("SGD", |config| {
            config.finetune.optimizer = OptimizerKind::Sgd
        }),
        ("best trajectory", |config| {
            config.finetune.start = Start::BestTrajectory
        }),
        ("Reptile", |config| {
            config.meta_training.mode = MetaTrainingMode::Reptile
        }),
        ("raw input", |config| {
            config.value_function.input = ValueInput::Raw
        }),
        ("nothing measured", |config| {
            config.value_function.folds = 0;
            config.report.bootstrap = 0;
            config.baselines.thresholds = 0;
            config.baselines.class_weights.clear();
            config.baselines.es = false;
            config.finetune.adapt_steps = 0;
            config.finetune.trust_region = 0.0;
        }),
    ];
    for (name, change) in variants {
        let mut config = small();
        change(&mut config);
        assert!(config.problems().is_empty(), "{name}");
        let tuned = run(&config, &counting(balanced_error), Direction::Minimise).unwrap();
        let pretrained = tuned.methods[0].validation;
        assert!(tuned.best.validation <= pretrained, "{name}: {tuned:?}");
    }
}

#[test]
fn a_metric_that_never_moves_keeps_the_pretrained_network() {
    let tuned = run(
        &small(),
        &counting(|_: &[f32], _: &[i64]| Ok(0.25)),
        Direction::Minimise,
    )
    .unwrap();
    assert!(!tuned.decision.accepted);
    assert_eq!(tuned.value_weight, 0.0);
    assert!(tuned.agreement.is_none());
    assert!(tuned.adapter.iter().all(|&x| x == 0.0));
}

#[test]
fn the_trust_region_holds() {
    let mut config = small();
    config.trajectories.learning_rates = [1e-4, 1e-4];
    config.trajectories.start_sd = 0.01;
    config.finetune.accept_t = -1e6;
    let tuned = run(&config, &counting(balanced_error), Direction::Minimise).unwrap();
    // Half of the trajectories start within a few hundredths of the identity and hardly move from there.
    let length: f32 = tuned.adapter.iter().map(|x| x * x).sum::<f32>().sqrt();
    assert!(length < 0.06, "{length}");
}

/// Observations count once for all folds, candidates of the search once each; nothing on the test split counts.
#[test]
fn queries_are_counted() {
    let mut config = small();
    config.trajectories.start_sd = 0.0;
    let tuned = run(&config, &counting(balanced_error), Direction::Minimise).unwrap();
    let queries = |name: &str| {
        tuned
            .methods
            .iter()
            .find(|method| method.name == name)
            .unwrap()
            .queries
    };
    assert_eq!(queries("pretrained"), 1);
    assert_eq!(queries("loss-only"), 8);
    assert_eq!(queries("class-weighted"), 16);
    assert_eq!(queries("es"), 40 * 8 + 8);
    // All eight start at the same point, observed once; then four observations each; the best of them on the whole
    // split; the run; and two for acceptance.
    assert_eq!(queries("metricopt"), (1 + 4 * 8) + 1 + (40 * 8 + 8) + 2);
}

#[test]
fn a_failing_metric_ends_the_run_with_its_name() {
    let failing = counting(|_: &[f32], _: &[i64]| Err(Error::failed("out of luck")));
    let error = run(&small(), &failing, Direction::Minimise).unwrap_err();
    assert_eq!(
        error.to_string(),
        "metric `test metric` on the validation split: out of luck"
    );
}

#[test]
fn a_wish_to_stop_is_heard() {
    let toy = boxed(Toy::new(1.0));
    let asked = AtomicUsize::new(0);
    let cancelled = || asked.fetch_add(1, Ordering::Relaxed) > 30;
    let metric = counting(balanced_error);
    let result = with_observer(
        toy.as_ref(),
        &metric,
        Direction::Minimise,
        &cancelled,
        |observer| {
            tune(
                observer,
                Kind::Classification,
                &small(),
                1,
                &|| 0.0,
                &|_, _, _| (),
                &mut (),
            )
        },
    );
    assert_eq!(
        result.unwrap_err().kind(),
        metricopt_sdk::ErrorKind::Cancelled
    );
}

#[test]
fn a_more_sensitive_network_gets_a_narrower_search() {
    let mut config = small();
    config.calibration.width = None;
    let width = |gain: f64| {
        let toy = boxed(Toy::new(gain));
        with_observer(
            toy.as_ref(),
            &counting(balanced_error),
            Direction::Minimise,
            &|| false,
            |observer| {
                calibrate(observer, &config.calibration, &config.trajectories, 1)
                    .unwrap()
                    .width
            },
        )
    };
    // Ten times the effect of every adapter: the same loss at a tenth of the width, to the step of the grid.
    let (plain, sensitive) = (width(1.0), width(10.0));
    assert!(
        sensitive < plain && sensitive >= 0.05 * plain,
        "{plain} {sensitive}"
    );
}

/// More rows than there are would be the same ones again, at the price of new ones.
#[test]
fn calibration_takes_no_more_rows_than_there_are() {
    let calibrated = |rows: usize| {
        let mut config = small();
        config.calibration.width = None;
        config.calibration.rows = rows;
        let toy = boxed(Toy::new(1.0));
        with_observer(
            toy.as_ref(),
            &counting(balanced_error),
            Direction::Minimise,
            &|| false,
            |observer| calibrate(observer, &config.calibration, &config.trajectories, 1).unwrap(),
        )
    };
    assert_eq!(calibrated(20 * ROWS), calibrated(ROWS));
    assert_ne!(calibrated(ROWS / 2), calibrated(ROWS));
}

/// A task that breaks the rules: of emitting every candidate exactly once, and of whole weights with names of their own.
struct Careless {
    toy: Toy,
    emissions: usize,
    folded: Vec<(&'static str, f32)>,
}

impl DynTask for Careless {
    fn describe(&self) -> Description {
        Task::describe(&self.toy)
    }

    fn gradients(
        &self,
        phis: &Tensor,
        batches: &[Batch<'_>],
        call: &Call<'_>,
    ) -> Result<metricopt_sdk::Gradients> {
        Task::gradients(&self.toy, phis, batches, call)
    }

    fn predict(
        &self,
        phis: &Tensor,
        rows: &Rows,
        call: &Call<'_>,
        emit: &mut Emit<'_>,
    ) -> Result<()> {
        for _ in 0..self.emissions {
            Task::predict(&self.toy, phis, rows, call, emit)?;
        }
        Ok(())
    }

    fn fold(&self, _: &Tensor) -> Result<Vec<NamedTensor>> {
        let tensor = |&(name, value): &(&str, f32)| NamedTensor::new(name, Tensor::from(value));
        Ok(self.folded.iter().map(tensor).collect())
    }
}

#[test]
fn folded_weights_are_whole_and_have_names_of_their_own() {
    let fold = |folded: &[(&'static str, f32)]| {
        let careless = Careless {
            toy: Toy::new(1.0),
            emissions: 1,
            folded: folded.to_vec(),
        };
        let open = || -> Result<Box<dyn DynTask>> { Ok(Box::new(careless)) };
        let guarded = GuardedTask::open("task `careless`", Kind::Classification, open);
        guarded.unwrap().fold(&Tensor::from_slice(&[0.0_f32; 4]))
    };
    assert_eq!(fold(&[("a", 1.0), ("b", 2.0)]).unwrap().len(), 2);
    for (folded, expected) in [
        (&[][..], "folded into no tensor at all"),
        (&[("", 1.0)], "named a folded tensor ``"),
        (&[("a", 1.0), ("a", 2.0)], "named a folded tensor `a`"),
        (
            &[("__metadata__", 1.0)],
            "named a folded tensor `__metadata__`",
        ),
        (
            &[("a", f32::NAN)],
            "folded into values of `a` that are not finite",
        ),
    ] {
        let error = fold(folded).unwrap_err().to_string();
        assert!(error.starts_with("task `careless`: "), "{error}");
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn every_candidate_is_emitted_exactly_once() {
    for (emissions, expected) in [
        (0, "no prediction for candidate 0"),
        (2, "out of range or twice"),
    ] {
        let careless = Careless {
            toy: Toy::new(1.0),
            emissions,
            folded: Vec::new(),
        };
        let careless = GuardedTask::open("task `careless`", Kind::Classification, || {
            Ok(Box::new(careless))
        });
        with_observer(
            &careless.unwrap(),
            &counting(balanced_error),
            Direction::Minimise,
            &|| false,
            |observer| {
                let error = observer.query(&[[0.0_f32; 4]], Part::All).unwrap_err();
                assert!(error.to_string().contains(expected), "{error}");
            },
        );
    }
    let rows = Rows::all(Split::Validation);
    assert_eq!(rows.part, Part::All);
}
