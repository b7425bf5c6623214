//! What a run costs, before it begins: queries of the metric and passes through the network, counted from the
//! configuration, phase by phase.
//!
//! The counts are those of the run itself. Where they depend on what the run will find, such as the calibrated width or an
//! acceptance test that is decided early, they are the most that can come, and say so.

use metricopt_sdk::{Description, Kind, Split};
use serde::Serialize;

use super::amounts::{Count, Passes, Work};
use super::budget;
use super::calibrate::WIDTHS;
use super::config::{EngineConfig, EsConfig, FinetuneConfig, OptimizerKind};
use super::contender::Contender;
use super::landscape;
use super::loss_grid;
use super::past::Past;

/// A part of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Phase {
    /// What it is called.
    pub name: &'static str,
    /// Whose row of the table pays its queries.
    pub method: Option<&'static str>,
    /// Queries of the metric.
    pub queries: Count,
    /// Passes through the network, at most.
    pub passes: Passes,
}

/// What decides how much a run costs.
pub struct Costing<'a> {
    /// The configuration.
    pub config: &'a EngineConfig,
    /// What the task yields.
    pub kind: Kind,
    /// The opened task; without one, queries are those of the task with the most, and passes are of no unit.
    pub description: Option<&'a Description>,
    /// What is taken from an earlier run.
    pub past: Past<'a>,
}

/// Queries and passes of something without a name yet.
type Part = (Count, Passes);

impl Costing<'_> {
    /// The phases of `host run`, in the order in which they come.
    pub fn of_run(&self) -> Vec<Phase> {
        let own = |name, (queries, passes)| phase(name, Some("metricopt"), (queries, passes));
        let row = |name, part| phase(name, Some(name), part);
        let mut phases = vec![
            phase("pre-trained network", Some("pretrained"), self.pretrained()),
            own("its folds for the acceptance test", self.folds()),
            phase("calibration", None, self.calibration()),
        ];
        if !matches!(self.past, Past::ValueFunction(_)) {
            phases.push(own("trajectories", self.trajectories()));
            phases.push(own("their best point", self.best_point()));
        }
        let finetune = &self.config.finetune;
        if let Some(part) = self.practice(finetune.optimizer) {
            phases.push(own("learned optimizer", part));
        }
        let search = (finetune.es.pairs > 0).then_some(&finetune.es);
        let mut along = self.fine_tuning(search, true);
        along.0.exact &= !finetune.stop_when_decided;
        phases.push(own("fine-tuning", along));
        phases.push(own("acceptance test", self.acceptance()));
        phases.push(row("loss-only", self.along_loss(self.widths())));
        phases.push(row("threshold", self.threshold()));
        phases.push(row("class-weighted", self.class_weighted()));
        if self.config.baselines.es {
            phases.push(row("es", self.plain_search()));
        }
        phases.retain(|phase| phase.queries.most > 0 || phase.passes != Passes::default());
        let alternative =
            |phase: &&Phase| phase.method == Some(phase.name) && phase.queries.most > 0;
        let alternatives = phases.iter().filter(alternative).count() as u64;
        // Beside them: the pre-trained network and MetricOpt, and the best and the last point of fine-tuning.
        phases.push(phase("table", None, self.on_test(alternatives + 4)));
        let side = match self.config.report.landscape as u64 {
            side if side > 1 => side,
            _ => 0,
        };
        let shown = Passes {
            forward_together: Work::of(side * side, self.sampled(landscape::ROWS)),
            ..Passes::default()
        };
        phases.push(phase("landscape", None, (Count::exactly(0), shown)));
        if let Some(most) = self.config.observation.max_queries {
            within(&mut phases, most);
        }
        phases
    }

    /// The phases of one seed of `host compare`: first what methods share, then each method.
    pub fn of_contest(&self, methods: &[Contender]) -> Vec<Phase> {
        let any = |needs: fn(Contender) -> bool| methods.iter().any(|&method| needs(method));
        let mut phases = vec![phase("pre-trained network", None, self.pretrained())];
        if any(Contender::is_accepted) {
            let name = "its folds for the acceptance test";
            phases.push(phase(name, None, self.folds()));
        }
        phases.push(phase("calibration", None, self.calibration()));
        if any(Contender::needs_trajectories) {
            phases.push(phase("trajectories", None, self.trajectories()));
            phases.push(phase("their best point", None, self.best_point()));
        }
        for &method in methods {
            let (queries, mut passes) = self.of_method(method);
            // A tuned adapter that fails the acceptance test is measured beside the one that is kept.
            let tested = 1 + u64::from(method.is_accepted());
            passes += self.on_test(tested).1;
            phases.push(phase(method.name(), Some(method.name()), (queries, passes)));
        }
        phases
    }

    /// Queries that a method of a comparison would take alone, which is what its table says.
    pub fn alone(&self, method: Contender) -> Count {
        let mut queries = self.of_method(method).0;
        if method == Contender::Pretrained {
            queries = queries + self.pretrained().0;
        }
        if method.is_accepted() {
            queries = queries + self.folds().0;
        }
        if method.needs_trajectories() {
            queries = queries + self.trajectories().0 + self.best_point().0;
        }
        queries
    }

    /// What a method of a comparison does beside what is shared.
    fn of_method(&self, method: Contender) -> Part {
        let config = &self.config.finetune;
        match method {
            Contender::Pretrained | Contender::BestTrajectory => {
                (Count::exactly(0), Passes::default())
            }
            Contender::Threshold => self.threshold(),
            Contender::LossOnly | Contender::LossOnValidation => {
                // The configured rate times the width may be one of the others.
                let points = |width| loss_grid::grid(config, width).len() as u64;
                let points = match self.width() {
                    Some(width) => Count::exactly(points(width)),
                    // No number is equal to this one.
                    None => Count::at_most(points(f64::NAN)),
                };
                // A rate that is too large for the network ends early.
                let (queries, passes) = self.along_loss(points);
                (Count::at_most(queries.most), passes)
            }
            Contender::ClassWeighted => self.class_weighted(),
            Contender::Es => self.plain_search(),
            Contender::GuidedEs => {
                let es = super::baselines::usual_search(config);
                sum(self.fine_tuning(Some(&es), false), self.test_of_one())
            }
            Contender::ValueFunction
            | Contender::MetricoptSgd
            | Contender::MetricoptAdam
            | Contender::MetricoptLearned => {
                let searches = method != Contender::ValueFunction && config.es.pairs > 0;
                let mut along = self.fine_tuning(searches.then_some(&config.es), true);
                along.0.exact &= !config.stop_when_decided;
                let optimizer = method.metricopt_optimizer().unwrap_or(config.optimizer);
                let practice = self.practice(optimizer);
                let nothing = (Count::exactly(0), Passes::default());
                sum(sum(along, self.acceptance()), practice.unwrap_or(nothing))
            }
        }
    }

    fn units(&self) -> usize {
        self.units_of(Split::Validation)
    }

    fn units_of(&self, split: Split) -> usize {
        self.description.map_or(0, |task| task.units(split))
    }

    /// Units of a sample of the validation split.
    fn sampled(&self, size: usize) -> usize {
        size.min(self.units())
    }

    /// The width, if it is known already.
    fn width(&self) -> Option<f64> {
        match self.past.calibration() {
            Some((width, _)) => Some(width),
            None => self.config.calibration.width,
        }
    }

    /// Factors on the learning rate that the loss is followed with: plain and calibrated.
    fn widths(&self) -> Count {
        match self.width() {
            Some(width) => Count::exactly(super::baselines::widths(width).len() as u64),
            None => Count::at_most(2),
        }
    }

    fn pretrained(&self) -> Part {
        let whole = metricopt_sdk::Part::All;
        match self.past {
            Past::Trajectories(stored) if stored.value(&stored.pretrained(), whole).is_some() => {
                (Count::exactly(0), Passes::default())
            }
            // Predictions of an earlier run spare the network.
            Past::Trajectories(_) => (Count::exactly(1), Passes::default()),
            _ => (Count::exactly(1), self.whole(1)),
        }
    }

    fn folds(&self) -> Part {
        let folds = self.config.finetune.accept_folds;
        match self.past {
            Past::Trajectories(stored)
                if stored.observation(&stored.pretrained(), folds).is_some() =>
            {
                (Count::exactly(0), Passes::default())
            }
            Past::Trajectories(_) => (Count::exactly(1), Passes::default()),
            _ => self.test_of_one(),
        }
    }

    fn calibration(&self) -> Part {
        let config = &self.config.calibration;
        let probes = match self.width() {
            Some(_) => 0,
            None => u64::from(WIDTHS.unsigned_abs()) * config.probes as u64,
        };
        let passes = Passes {
            gradient_alone: Work::of(1, self.sampled(config.rows)),
            gradient_together: Work::of(probes, self.sampled(config.rows)),
            ..Passes::default()
        };
        (Count::exactly(0), passes)
    }

    fn trajectories(&self) -> Part {
        let config = &self.config.trajectories;
        let folds = self.config.observation.folds;
        if let Past::Trajectories(stored) = self.past {
            let queries = stored.along(folds);
            return (Count::exactly(queries), Passes::default());
        }
        let queries = budget::trajectories(config);
        let gradients = (config.count as u64).saturating_mul(config.steps as u64);
        let passes = Passes {
            forward_together: Work::on_folds(queries, folds, self.units()),
            gradient_together: Work::of(gradients, config.batch_size),
            ..Passes::default()
        };
        (Count::exactly(queries), passes)
    }

    fn best_point(&self) -> Part {
        match self.past {
            Past::Trajectories(stored) => {
                let along = stored.along(self.config.observation.folds);
                // With the same observations it is the same point, whose value is there.
                (Count::exactly(u64::from(along > 0)), Passes::default())
            }
            _ => (Count::exactly(1), self.whole(1)),
        }
    }

    /// Practice of a learned optimizer, if there is any.
    fn practice(&self, optimizer: OptimizerKind) -> Option<Part> {
        let config = &self.config.finetune;
        let learned = &config.learned;
        if optimizer != OptimizerKind::Learned || learned.given.is_some() {
            return None;
        }
        let slopes = learned.iterations as u64 * (learned.unroll as u64 + 1) + 1;
        let gradients = slopes.saturating_mul(learned.population as u64);
        let passes = Passes {
            gradient_together: Work::of(gradients, config.batch_size),
            ..Passes::default()
        };
        Some((Count::exactly(0), passes))
    }

    /// A whole fine-tuning; `has_function` says whether there is a value function to search on.
    fn fine_tuning(&self, search: Option<&EsConfig>, has_function: bool) -> Part {
        let config = &self.config.finetune;
        let searched = (config.steps as u64).saturating_mul(budget::step(search, has_function));
        let observed = budget::fine_tuning(config, 0);
        let rows = search.map_or(0, |es| self.sampled(es.rows));
        let mut passes = self.whole(observed);
        passes.forward_together = Work::of(searched, rows);
        passes.gradient_alone = Work::of(config.steps as u64, config.batch_size);
        (Count::exactly(searched.saturating_add(observed)), passes)
    }

    /// The acceptance test, with the looks at it on the way where fine-tuning may end early.
    fn acceptance(&self) -> Part {
        let config = &self.config.finetune;
        if !config.stop_when_decided {
            return self.test_of_one();
        }
        let (one, passes) = self.test_of_one();
        let times = looks(config) + 1;
        (Count::at_most(one.most * times), passes * times)
    }

    /// One adapter on the folds of the acceptance test.
    fn test_of_one(&self) -> Part {
        let folds = self.config.finetune.accept_folds;
        let passes = Passes {
            forward_alone: Work::on_folds(1, folds, self.units()),
            ..Passes::default()
        };
        (Count::exactly(1), passes)
    }

    /// Fine-tuning on the loss so many times.
    fn along_loss(&self, times: Count) -> Part {
        let (queries, passes) = self.fine_tuning(None, false);
        (queries * times, passes * times.most)
    }

    fn threshold(&self) -> Part {
        let thresholds = self.config.baselines.thresholds as u64;
        let classes = self.description.and_then(|task| task.classes);
        let binary = classes.is_none_or(|classes| classes == 2);
        if self.kind != Kind::Classification || thresholds == 0 {
            return (Count::exactly(0), Passes::default());
        }
        // Equal scores give equal thresholds, which are tried once.
        let queries = if binary { thresholds + 1 } else { 0 };
        (Count::at_most(queries), self.whole(1))
    }

    fn class_weighted(&self) -> Part {
        let factors = self.config.baselines.class_weights.len() as u64;
        let (weightings, look) = match self.description.map(|task| task.classes) {
            _ if factors == 0 => (Count::exactly(0), 0),
            None => (Count::at_most(factors + 1), 0),
            Some(Some(2)) => (Count::exactly(factors), 0),
            // By the error rates, if any, and by the sizes, where they differ: one look at the predictions says so.
            Some(Some(_)) if self.kind == Kind::Classification => (Count::at_most(factors + 1), 1),
            _ => (Count::exactly(0), 0),
        };
        let (queries, mut passes) = self.along_loss(weightings * self.widths());
        passes += self.whole(look);
        (queries, passes)
    }

    fn plain_search(&self) -> Part {
        let es = super::baselines::usual_search(&self.config.finetune);
        self.fine_tuning(Some(&es), false)
    }

    /// One adapter after the other on the whole validation split.
    fn whole(&self, times: u64) -> Passes {
        Passes {
            forward_alone: Work::of(times, self.units()),
            ..Passes::default()
        }
    }

    /// One adapter after the other on the test split: no query.
    fn on_test(&self, times: u64) -> Part {
        let passes = Passes {
            forward_alone: Work::of(times, self.units_of(Split::Test)),
            ..Passes::default()
        };
        (Count::exactly(0), passes)
    }
}

/// Looks at the acceptance test on the way, at most: `patience` observations before each, and a better point between two.
fn looks(config: &FinetuneConfig) -> u64 {
    let observations = budget::fine_tuning(config, 0);
    let patience = config.patience as u64;
    // The observation after the last step is no occasion to stop.
    match observations.saturating_sub(1).checked_sub(patience) {
        Some(more) => 1 + more / (patience + 1),
        None => 0,
    }
}

fn phase(name: &'static str, method: Option<&'static str>, (queries, passes): Part) -> Phase {
    Phase {
        name,
        method,
        queries,
        passes,
    }
}

fn sum((queries, mut passes): Part, (more_queries, more_passes): Part) -> Part {
    passes += more_passes;
    (queries + more_queries, passes)
}

/// Queries of all phases, within the bound on them.
pub fn queries(phases: &[Phase], bound: Option<u64>) -> Count {
    let all: Count = phases.iter().map(|phase| phase.queries).sum();
    match bound {
        Some(bound) if all.most > bound => Count::at_most(bound),
        _ => all,
    }
}

/// Passes of all phases, at most.
pub fn passes(phases: &[Phase]) -> Passes {
    phases.iter().map(|phase| phase.passes).sum()
}

/// From the phase on that does not fit in a bound on all queries, no number is certain: MetricOpt stops early, and
/// alternatives are left out.
fn within(phases: &mut [Phase], bound: u64) {
    let mut asked = 0_u64;
    for phase in phases {
        asked = asked.saturating_add(phase.queries.most);
        if asked > bound {
            phase.queries = Count::at_most(phase.queries.most);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use metricopt_sdk::Site;

    /// A table of two classes: 1000 rows to train on, 200 to validate, 300 to test.
    fn table() -> Description {
        let site = |name: &str, channels| Site {
            name: name.to_owned(),
            channels,
        };
        Description {
            sites: vec![site("hidden", 4)],
            units: [1000, 200, 300],
            classes: Some(2),
            facts: Vec::new(),
        }
    }

    fn phases(config: &EngineConfig, description: &Description) -> Vec<Phase> {
        Costing {
            config,
            kind: Kind::Classification,
            description: Some(description),
            past: Past::Nothing,
        }
        .of_run()
    }

    fn find<'a>(phases: &'a [Phase], name: &str) -> &'a Phase {
        phases.iter().find(|phase| phase.name == name).unwrap()
    }

    #[test]
    fn the_default_run_by_hand() {
        let mut config = EngineConfig::default();
        config.calibration.width = Some(0.5);
        let phases = phases(&config, &table());
        let exact = |name: &str| {
            let queries = find(&phases, name).queries;
            assert!(queries.exact, "{name}");
            queries.most
        };
        assert_eq!(exact("trajectories"), 13 + 240);
        // 100 steps of 8 candidates, observed every 5 steps.
        assert_eq!(exact("fine-tuning"), 820);
        assert_eq!(exact("loss-only"), 2 * 20);
        assert_eq!(exact("class-weighted"), 2 * 2 * 20);
        assert_eq!(exact("es"), 820);
        let threshold = find(&phases, "threshold").queries;
        assert_eq!(threshold, Count::at_most(201));
        let all = queries(&phases, None);
        assert_eq!(
            all,
            Count::at_most(1 + 1 + 253 + 1 + 820 + 1 + 40 + 201 + 80 + 820)
        );
        let trajectories = find(&phases, "trajectories").passes;
        assert_eq!(trajectories.forward(), 253 * 200);
        assert_eq!(trajectories.gradient(), 24 * 100 * 256);
        assert_eq!(trajectories.evaluations(), 253 * 5 + 2400);
        // A sample of 2048 rows is the whole split of 200.
        let tuning = find(&phases, "fine-tuning").passes;
        assert_eq!(tuning.forward(), 820 * 200);
        assert_eq!(tuning.gradient(), 100 * 256);
    }

    #[test]
    fn what_the_run_finds_out_is_at_most() {
        let mut config = EngineConfig::default();
        config.finetune.stop_when_decided = true;
        let several = Description {
            classes: Some(3),
            ..table()
        };
        let phases = phases(&config, &several);
        // The width is measured: at 1 the calibrated rate is the plain one.
        assert_eq!(find(&phases, "loss-only").queries, Count::at_most(40));
        // Two factors, and perhaps the sizes of the classes.
        assert_eq!(find(&phases, "class-weighted").queries, Count::at_most(120));
        assert_eq!(find(&phases, "fine-tuning").queries, Count::at_most(820));
        // 19 observations with steps to come: looks after 4, 9, 14 and 19, each after a better point but the first.
        assert_eq!(
            find(&phases, "acceptance test").queries,
            Count::at_most(4 + 1)
        );
        assert_eq!(find(&phases, "threshold").queries, Count::exactly(0));
    }

    #[test]
    fn a_bound_is_kept_and_leaves_the_beginning_certain() {
        let mut config = EngineConfig::default();
        config.calibration.width = Some(0.5);
        config.observation.max_queries = Some(500);
        let phases = phases(&config, &table());
        assert_eq!(find(&phases, "trajectories").queries, Count::exactly(253));
        assert!(!find(&phases, "fine-tuning").queries.exact);
        assert_eq!(queries(&phases, Some(500)), Count::at_most(500));
        assert_eq!(queries(&phases[..3], Some(500)), Count::exactly(2));
    }

    #[test]
    fn methods_of_a_comparison_pay_for_what_they_share() {
        let mut config = EngineConfig::default();
        config.calibration.width = Some(1.0);
        let description = table();
        let costing = Costing {
            config: &config,
            kind: Kind::Classification,
            description: Some(&description),
            past: Past::Nothing,
        };
        for (method, expected) in [
            (Contender::Pretrained, Count::exactly(1)),
            (Contender::LossOnly, Count::at_most(7 * 20)),
            (Contender::BestTrajectory, Count::exactly(254)),
            (Contender::GuidedEs, Count::exactly(820 + 2)),
            (Contender::ValueFunction, Count::exactly(254 + 20 + 2)),
            (Contender::MetricoptLearned, Count::exactly(254 + 820 + 2)),
        ] {
            assert_eq!(costing.alone(method), expected, "{method}");
        }
        let phases = costing.of_contest(&[Contender::MetricoptSgd, Contender::MetricoptAdam]);
        // Trajectories once, fine-tuning twice.
        assert_eq!(
            queries(&phases, None),
            Count::exactly(1 + 1 + 254 + 2 * 821)
        );
    }
}
