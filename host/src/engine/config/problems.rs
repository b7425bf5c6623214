//! What may be out of range, all of it at once.

use super::EngineConfig;

/// Collects every complaint about a configuration, so that the user mends them in one go.
#[derive(Default)]
struct Problems(Vec<String>);

impl Problems {
    fn check(&mut self, key: &str, value: impl std::fmt::Display, fits: bool, expected: &str) {
        if !fits {
            self.0
                .push(format!("`{key}` is {value}, expected {expected}"));
        }
    }

    fn count(&mut self, key: &str, value: usize, low: usize, high: usize) {
        let fits = (low..=high).contains(&value);
        self.check(key, value, fits, &format!("{low} to {high}"));
    }

    /// A number of steps between observations; a run of no steps is complained about elsewhere.
    fn interval(&mut self, key: &str, value: usize, steps: usize) {
        self.count(key, value, 1, if steps == 0 { usize::MAX } else { steps });
    }

    /// A number in `[low, high]`.
    fn within(&mut self, key: &str, value: f64, low: f64, high: f64) {
        self.check(
            key,
            value,
            (low..=high).contains(&value),
            &format!("{low} to {high}"),
        );
    }

    /// A number in `(0, high]`.
    fn positive(&mut self, key: &str, value: f64, high: f64) {
        self.check(
            key,
            value,
            value > 0.0 && value <= high,
            &format!("above 0, at most {high}"),
        );
    }

    fn range(&mut self, key: &str, [low, high]: [f64; 2], limit: f64) {
        self.check(
            key,
            format!("[{low}, {high}]"),
            low > 0.0 && low <= high && high <= limit,
            &format!("two numbers above 0 and at most {limit}, the smaller first"),
        );
    }
}

impl EngineConfig {
    /// All that is out of range, one sentence each; empty if the configuration can be run.
    ///
    /// ```
    /// use metricopt_host::engine::config::EngineConfig;
    ///
    /// let mut config = EngineConfig::default();
    /// assert!(config.problems().is_empty());
    /// config.finetune.steps = 0;
    /// config.finetune.lambda = -1.0;
    /// assert_eq!(config.problems().len(), 2);
    /// ```
    pub fn problems(&self) -> Vec<String> {
        let mut p = Problems::default();
        p.count("observation.folds", self.observation.folds, 2, 100);
        let mebibytes = self.observation.keep_predictions_mib;
        p.count("observation.keep_predictions_mib", mebibytes, 0, 1 << 20);
        if self.observation.max_queries == Some(0) {
            p.count("observation.max_queries", 0, 1, usize::MAX);
        }

        let calibration = &self.calibration;
        if let Some(width) = calibration.width {
            p.within("calibration.width", width, 1e-4, 10.0);
        }
        p.positive("calibration.tolerance", calibration.tolerance, 10.0);
        p.count("calibration.probes", calibration.probes, 1, 1000);
        p.count("calibration.rows", calibration.rows, 1, 10_000_000);

        let trajectories = &self.trajectories;
        p.count("trajectories.count", trajectories.count, 2, 10_000);
        p.count("trajectories.steps", trajectories.steps, 1, 100_000);
        p.interval(
            "trajectories.observe_every",
            trajectories.observe_every,
            trajectories.steps,
        );
        p.count(
            "trajectories.batch_size",
            trajectories.batch_size,
            1,
            1_000_000,
        );
        p.positive("trajectories.fraction", trajectories.fraction, 1.0);
        p.range(
            "trajectories.learning_rates",
            trajectories.learning_rates,
            100.0,
        );
        p.range(
            "trajectories.class_weights",
            trajectories.class_weights,
            1e6,
        );
        p.within("trajectories.momentum", trajectories.momentum, 0.0, 0.9999);
        p.within("trajectories.start_sd", trajectories.start_sd, 0.0, 10.0);

        let value = &self.value_function;
        p.count("value_function.components", value.components, 1, 1000);
        p.count(
            "value_function.hidden (number of layers)",
            value.hidden.len(),
            1,
            8,
        );
        for &width in &value.hidden {
            p.count("value_function.hidden", width, 1, 4096);
        }
        p.within("value_function.gamma", value.gamma, 0.0, 1000.0);
        p.within(
            "value_function.fisher_positive",
            value.fisher_positive,
            0.0,
            1e6,
        );
        p.within(
            "value_function.fisher_negative",
            value.fisher_negative,
            value.fisher_positive,
            1e6,
        );
        p.count("value_function.folds", value.folds, 0, 1000);
        p.within(
            "value_function.min_correlation",
            value.min_correlation,
            0.0,
            1.0,
        );

        let meta = &self.meta_training;
        p.count("meta_training.iterations", meta.iterations, 1, 1_000_000);
        p.count("meta_training.inner_steps", meta.inner_steps, 1, 10_000);
        p.positive(
            "meta_training.inner_learning_rate",
            meta.inner_learning_rate,
            10.0,
        );
        p.positive("meta_training.epsilon", meta.epsilon, 1.0);
        p.positive(
            "meta_training.joint_learning_rate",
            meta.joint_learning_rate,
            10.0,
        );
        p.within(
            "meta_training.joint_weight_decay",
            meta.joint_weight_decay,
            0.0,
            10.0,
        );
        p.count("meta_training.batch_size", meta.batch_size, 2, 100_000);

        let finetune = &self.finetune;
        p.count("finetune.steps", finetune.steps, 1, 1_000_000);
        p.count("finetune.batch_size", finetune.batch_size, 1, 1_000_000);
        p.positive(
            "finetune.learning_rate",
            finetune.peak_learning_rate(),
            100.0,
        );
        p.within("finetune.momentum", finetune.momentum, 0.0, 0.9999);
        p.within("finetune.lambda", finetune.lambda, 0.0, 1000.0);
        p.interval(
            "finetune.observe_every",
            finetune.observe_every,
            finetune.steps,
        );
        p.count("finetune.adapt_steps", finetune.adapt_steps, 0, 10_000);
        p.positive(
            "finetune.adapt_learning_rate",
            finetune.adapt_learning_rate,
            10.0,
        );
        p.count("finetune.replay", finetune.replay, 0, 100_000);
        p.within("finetune.trust_region", finetune.trust_region, 0.0, 1e6);
        p.within("finetune.accept_t", finetune.accept_t, -1e6, 1e6);
        p.count("finetune.accept_folds", finetune.accept_folds, 2, 100);
        p.count("finetune.patience", finetune.patience, 1, 1_000_000);

        let es = &finetune.es;
        p.count("finetune.es.pairs", es.pairs, 0, 10_000);
        p.count("finetune.es.rows", es.rows, 1, 100_000_000);
        p.positive("finetune.es.sigma", es.sigma, 100.0);
        p.within("finetune.es.alpha", es.alpha, 0.0, 1.0);
        p.count("finetune.es.subspace", es.subspace, 1, 1000);

        let learned = &finetune.learned;
        p.count(
            "finetune.learned.iterations",
            learned.iterations,
            1,
            1_000_000,
        );
        p.count("finetune.learned.population", learned.population, 1, 1000);
        p.count("finetune.learned.unroll", learned.unroll, 1, 1000);
        p.positive("finetune.learned.learning_rate", learned.learning_rate, 1.0);

        p.count(
            "baselines.thresholds",
            self.baselines.thresholds,
            0,
            100_000,
        );
        for &weight in &self.baselines.class_weights {
            p.positive("baselines.class_weights", weight, 1e6);
        }
        p.count("report.bootstrap", self.report.bootstrap, 0, 1_000_000);
        p.count("report.landscape", self.report.landscape, 0, 101);
        p.0
    }
}
