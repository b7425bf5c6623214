//! One step of meta-testing on a9a: loss gradient, value gradient, search, update, and a fifth of an observation.

use anyhow::{Context, Result};
use metricopt_host::engine::collect::collect;
use metricopt_host::engine::config::{EngineConfig, EsConfig, FinetuneConfig};
use metricopt_host::engine::finetune::{Candidate, Method, Setting, finetune};
use metricopt_host::engine::interpolation::interpolate_observations;
use metricopt_host::engine::observe::Observer;
use metricopt_host::engine::past::Past;
use metricopt_host::engine::trajectory::diversify;
use metricopt_host::engine::value_function::{TrainingSet, ValueFunction, train};
use metricopt_host::metric_spec::MetricSpec;
use metricopt_host::registry::Registry;
use metricopt_sdk::tch::Device;
use metricopt_sdk::{Call, Direction, DynMetric, DynTask};
use std::cell::{Cell, RefCell};
use std::hint::black_box;
use std::rc::Rc;

use crate::row::Row;
use crate::tabular;

/// Steps of one run, as in `steps.py`: four observations of the whole validation split are among them.
pub(crate) const STEPS: usize = 20;

/// A task with a value function, ready to be fine-tuned for a metric.
pub(crate) struct Prepared {
    task: Box<dyn DynTask>,
    metric: Box<dyn DynMetric>,
    direction: Direction,
    pool: rayon::ThreadPool,
    threads: usize,
    learned: Option<(ValueFunction, TrainingSet)>,
}

impl Prepared {
    pub(crate) fn new(metric: &str, threads: usize, task: Box<dyn DynTask>) -> Result<Self> {
        let registry = Registry::built_in()?;
        let (entry, metric) = MetricSpec::parse(metric)?.create(&registry)?;
        let mut prepared = Self {
            task,
            metric,
            direction: entry.direction,
            pool: rayon::ThreadPoolBuilder::new()
                .num_threads(threads)
                .build()?,
            threads,
            learned: None,
        };
        prepared.learned = prepared.learn()?;
        Ok(prepared)
    }

    /// Collects trajectories and trains a value function on them.
    fn learn(&self) -> Result<Option<(ValueFunction, TrainingSet)>> {
        let (observer, config) = (self.observer(), EngineConfig::default());
        let settings = diversify(&config.trajectories, 1.0, Some(2), 0);
        let folds = config.observation.folds;
        let trajectories = collect(
            &observer,
            &config.trajectories,
            settings,
            folds,
            0,
            &|_, _, _| (),
            &mut (),
        )?;
        let interpolation = interpolate_observations(&trajectories, self.direction.sign());
        let everything: Vec<usize> = (0..trajectories.count()).collect();
        let (value, meta) = (&config.value_function, &config.meta_training);
        Ok(train(
            value,
            meta,
            &trajectories,
            &interpolation,
            &everything,
            0,
            |_| Ok(()),
        )?)
    }

    fn observer(&self) -> Observer<'_> {
        Observer {
            task: self.task.as_ref(),
            metric: self.metric.as_ref(),
            metric_label: "the metric".into(),
            direction: self.direction,
            device: Device::Cpu,
            call: Call {
                threads: self.threads,
                cancelled: &|| false,
            },
            pool: &self.pool,
            queries: Cell::new(0),
            most_queries: None,
            evaluations: Cell::new(0),
            loss_gradients: Cell::new(0),
            keeper: RefCell::default(),
            past: Past::Nothing,
            memory: &(),
        }
    }

    /// Fine-tunes for [`STEPS`] steps from the pre-trained network, with or without the search.
    pub(crate) fn run(&self, search: Option<&EsConfig>) -> Result<()> {
        let observer = self.observer();
        let phi = vec![0.0; self.task.describe().dimensions()];
        let start = Candidate {
            validation: observer.validation(&phi)?,
            phi,
        };
        let (function, set) = self
            .learned
            .as_ref()
            .context("the metric varies along the trajectories")?;
        let mut method = Method {
            value: Some((function.clone(), set, 1.0)),
            search,
            ..Method::loss_only("peers")
        };
        let setting = Setting {
            start: &start,
            candidates: std::slice::from_ref(&start),
            width: 1.0,
            radius: f64::INFINITY,
            seed: 0,
            acceptance: None,
        };
        let config = FinetuneConfig {
            steps: STEPS,
            ..FinetuneConfig::default()
        };
        black_box(finetune(
            &observer,
            &config,
            &mut method,
            &setting,
            &|_, _, _| (),
            &mut (),
        )?);
        Ok(())
    }
}

pub(crate) fn rows<'a>(threads: usize) -> Result<Vec<Row<'a>>> {
    let mut rows = Vec::new();
    for metric in ["f1", "aucpr"] {
        let prepared = Rc::new(Prepared::new(metric, threads, tabular::open(threads)?)?);
        for (name, search) in [
            ("without search", None),
            ("with search", Some(EsConfig::default())),
        ] {
            let prepared = prepared.clone();
            rows.push(Row {
                what: format!("{STEPS} steps, {metric} {name}"),
                peer: "PyTorch",
                target: Some(2.0),
                tolerance: 0.0,
                ours: Box::new(move || prepared.run(search.as_ref()).map(|()| None)),
            });
        }
    }
    Ok(rows)
}
