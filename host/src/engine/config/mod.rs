//! Hyper-parameters: plain structs with the measured defaults; `problems.rs` checks them all.

mod problems;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

use super::update_rule::UpdateRule;

/// Everything the engine can be told.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct EngineConfig {
    /// How the metric is observed on the validation split.
    pub observation: ObservationConfig,
    /// How wide trajectories and steps are, relative to the network.
    pub calibration: CalibrationConfig,
    /// The loss-only runs that the value function learns from.
    pub trajectories: TrajectoryConfig,
    /// The value function, a small network from adapter to metric.
    pub value_function: ValueFunctionConfig,
    /// How the value function is trained.
    pub meta_training: MetaTrainingConfig,
    /// Meta-testing: fine-tuning the adapter for the metric.
    pub finetune: FinetuneConfig,
    /// The simple alternatives in the table.
    pub baselines: BaselineConfig,
    /// The statistics of the table.
    pub report: ReportConfig,
}

/// How the metric is observed on the validation split.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ObservationConfig {
    /// Number of fixed disjoint validation folds behind the mean and deviation of an observation, 2 to 100.
    pub folds: usize,
    /// Most that the predictions along the trajectories may take in the run directory, in MiB, 0 to 1048576: with them
    /// `host run --trajectories` can tune for another metric. Where they take more, none are kept; 0 keeps none.
    pub keep_predictions_mib: usize,
    /// Most queries of the metric that a whole run may ask, at least 1; left out, there is no bound. The same as
    /// `--max-queries`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_queries: Option<u64>,
}

impl Default for ObservationConfig {
    fn default() -> Self {
        Self {
            folds: 5,
            keep_predictions_mib: 64,
            max_queries: None,
        }
    }
}

/// How wide trajectories and steps are, relative to the network.
///
/// One factor scales the random starts, all learning rates and the search distribution. Left out, it is the largest one
/// at which random adapters raise the validation loss by at most `tolerance`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct CalibrationConfig {
    /// The factor, 0.0001 to 10; left out, it is measured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub width: Option<f64>,
    /// Relative rise of the surrogate loss that a random start may cause on average, above 0 to 10.
    pub tolerance: f64,
    /// Number of random adapters tried at each width, 1 to 1000.
    pub probes: usize,
    /// Number of validation rows the loss is measured on, at least 1; of fewer rows, as many as there are.
    pub rows: usize,
}

impl Default for CalibrationConfig {
    fn default() -> Self {
        Self {
            width: None,
            tolerance: 0.1,
            probes: 8,
            rows: 2048,
        }
    }
}

/// The loss-only runs that the value function learns from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TrajectoryConfig {
    /// Number of trajectories `K`, 2 to 10000.
    pub count: usize,
    /// Steps of each, `T`, 1 to 100000.
    pub steps: usize,
    /// The metric is observed at step 0 and then every this many steps.
    pub observe_every: usize,
    /// Rows in a minibatch.
    pub batch_size: usize,
    /// Share of the training rows each trajectory sees, above 0 to 1.
    pub fraction: f64,
    /// Learning rates are drawn log-uniformly between these two, before the width is applied.
    pub learning_rates: [f64; 2],
    /// Class weights are drawn log-uniformly between these two; `[1.0, 1.0]` for none.
    pub class_weights: [f64; 2],
    /// Momentum of SGD, 0 to below 1.
    pub momentum: f64,
    /// Half of the trajectories start at `N(0, sd^2)` with `sd` uniform between 0 and this, before the width is
    /// applied; the others start at the pre-trained network.
    pub start_sd: f64,
}

impl Default for TrajectoryConfig {
    fn default() -> Self {
        Self {
            count: 24,
            steps: 100,
            observe_every: 10,
            batch_size: 256,
            fraction: 0.5,
            learning_rates: [0.003, 0.1],
            class_weights: [0.25, 4.0],
            momentum: 0.9,
            start_sd: 0.1,
        }
    }
}

/// In which coordinates the value function sees the adapter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ValueInput {
    /// The leading principal directions of the trajectories: gradients stay in the subspace that was visited.
    Pca,
    /// The adapter itself.
    Raw,
}

/// The value function, a small network from adapter to metric.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ValueFunctionConfig {
    /// The coordinates it sees.
    pub input: ValueInput,
    /// Number of principal directions, 1 to 1000.
    pub components: usize,
    /// Widths of the hidden layers; the last is the embedding.
    pub hidden: Vec<usize>,
    /// Weight of the regression loss against the order embedding loss, 0 to 1000.
    pub gamma: f64,
    /// Fisher ratio below which two points count as not discriminable (positive pair).
    pub fisher_positive: f64,
    /// Fisher ratio above which two points count as discriminable (negative pair).
    pub fisher_negative: f64,
    /// Folds of the cross-validation over trajectories that measures the rank correlation, 2 to 1000; 0 or 1 to trust
    /// the value function without measuring.
    pub folds: usize,
    /// Rank correlation below which the value gradient loses weight and a warning is given, 0 to 1.
    pub min_correlation: f64,
}

impl Default for ValueFunctionConfig {
    fn default() -> Self {
        Self {
            input: ValueInput::Pca,
            components: 16,
            hidden: vec![64, 32],
            gamma: 1.0,
            fisher_positive: 1.0,
            fisher_negative: 4.0,
            folds: 6,
            min_correlation: 0.8,
        }
    }
}

/// How the value function is trained.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum MetaTrainingMode {
    /// Reptile (Nichol et al. 2018): SGD on one trajectory, then a step towards the result.
    Reptile,
    /// Adam on points of all trajectories together.
    Joint,
}

/// How the value function is trained.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct MetaTrainingConfig {
    /// Reptile, as in the paper, or plain joint training, which orders unseen adapters better at the same cost.
    pub mode: MetaTrainingMode,
    /// Outer iterations, 1 to 1000000; each takes `inner_steps` gradient steps in either mode.
    pub iterations: usize,
    /// Gradient steps of one outer iteration.
    pub inner_steps: usize,
    /// Learning rate of SGD inside Reptile.
    pub inner_learning_rate: f64,
    /// First outer step `epsilon`, above 0 to 1; falls linearly to 0.
    pub epsilon: f64,
    /// Learning rate of Adam in joint training.
    pub joint_learning_rate: f64,
    /// Weight decay in joint training.
    pub joint_weight_decay: f64,
    /// Points in a batch.
    pub batch_size: usize,
}

impl Default for MetaTrainingConfig {
    fn default() -> Self {
        Self {
            mode: MetaTrainingMode::Joint,
            iterations: 400,
            inner_steps: 5,
            inner_learning_rate: 0.05,
            epsilon: 0.5,
            joint_learning_rate: 2e-3,
            joint_weight_decay: 1e-2,
            batch_size: 64,
        }
    }
}

/// Turns a gradient into a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OptimizerKind {
    /// Stochastic gradient descent with momentum.
    Sgd,
    /// Adam (Kingma and Ba 2015).
    Adam,
    /// Adam with a learned correction, meta-trained on the trajectories (`finetune.learned`). Methods without a value
    /// function, which have nothing to learn from, take Adam.
    Learned,
}

impl OptimizerKind {
    /// What is typed and shown.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sgd => "sgd",
            Self::Adam => "adam",
            Self::Learned => "learned",
        }
    }

    /// The optimizer where nothing is learnt.
    pub const fn unlearnt(self) -> Self {
        match self {
            Self::Learned => Self::Adam,
            usual => usual,
        }
    }

    /// The learning rate used when the user names none, before the width is applied.
    pub const fn default_learning_rate(self) -> f64 {
        match self {
            OptimizerKind::Sgd => 0.01,
            OptimizerKind::Adam | OptimizerKind::Learned => 0.003,
        }
    }
}

/// Where fine-tuning starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Start {
    /// At the pre-trained network, `phi_0 = 0`.
    Pretrained,
    /// At the best observed point of the trajectories, already paid for.
    BestTrajectory,
}

/// Meta-testing: fine-tuning the adapter for the metric.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct FinetuneConfig {
    /// Number of steps, 1 to 1000000.
    pub steps: usize,
    /// Rows in a minibatch of the surrogate loss.
    pub batch_size: usize,
    /// Turns the combined gradient into a step.
    pub optimizer: OptimizerKind,
    /// Peak learning rate, before the width is applied; left out, 0.01 for SGD and 0.003 otherwise. Follows a cosine to 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub learning_rate: Option<f64>,
    /// Momentum of SGD, 0 to below 1.
    pub momentum: f64,
    /// Weight `lambda` of the metric's directions against the loss gradient, 0 to 1000. 3 is the measured default; 10
    /// where the loss is known to disagree with the metric.
    pub lambda: f64,
    /// The metric is observed on the whole validation split every this many steps.
    pub observe_every: usize,
    /// Where to start.
    pub start: Start,
    /// Steps of Adam that adapt the value function after each observation; 0 for none.
    pub adapt_steps: usize,
    /// Learning rate of that adaptation.
    pub adapt_learning_rate: f64,
    /// Points of the trajectories replayed in each adaptation step.
    pub replay: usize,
    /// Largest `|phi|`, in multiples of the largest one in the trajectories; 0 for no bound.
    pub trust_region: f64,
    /// The tuned adapter is kept only if its paired t statistic over validation folds exceeds this; a very low value
    /// accepts always.
    pub accept_t: f64,
    /// Number of validation folds in that test, 2 to 100.
    pub accept_folds: usize,
    /// Whether MetricOpt stops once the acceptance test is decided: after `patience` observations without a better
    /// point the best one is put to the test (one query, which the test at the end then saves), and if it passes,
    /// fine-tuning ends; if not, it ends after `patience` more without a better point.
    pub stop_when_decided: bool,
    /// Observations in a row without a better point after which `stop_when_decided` looks, 1 to 1000000.
    pub patience: usize,
    /// Guided Evolution Strategies.
    pub es: EsConfig,
    /// The learned optimizer, for `finetune.optimizer = "learned"` and the method `metricopt-learned` of `compare`.
    pub learned: LearnedConfig,
}

impl Default for FinetuneConfig {
    fn default() -> Self {
        Self {
            steps: 100,
            batch_size: 256,
            optimizer: OptimizerKind::Adam,
            learning_rate: None,
            momentum: 0.9,
            lambda: 3.0,
            observe_every: 5,
            start: Start::Pretrained,
            adapt_steps: 5,
            adapt_learning_rate: 1e-3,
            replay: 32,
            trust_region: 1.5,
            accept_t: 1.83,
            accept_folds: 10,
            stop_when_decided: false,
            patience: 4,
            es: EsConfig::default(),
            learned: LearnedConfig::default(),
        }
    }
}

impl FinetuneConfig {
    /// The peak learning rate before the width is applied.
    pub fn peak_learning_rate(&self) -> f64 {
        self.learning_rate
            .unwrap_or_else(|| self.optimizer.default_learning_rate())
    }
}

/// What Guided-ES searches on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum EsObjective {
    /// The true metric on a random part of the validation split: every candidate is a query.
    Metric,
    /// The value function: no query.
    ValueFunction,
}

/// Guided Evolution Strategies (Maheswaranathan et al. 2019).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct EsConfig {
    /// Antithetic pairs `P` a step, 0 to 10000; 0 switches the search off.
    pub pairs: usize,
    /// Validation rows each candidate is measured on, the same for all candidates of a step.
    pub rows: usize,
    /// Width `s` of the search distribution, before the calibrated width is applied.
    pub sigma: f64,
    /// Share `alpha` of the variance that goes to the full space, 0 to 1; 1 is plain ES.
    pub alpha: f64,
    /// Number `k` of recent gradients that span the guiding subspace, 1 to 1000.
    pub subspace: usize,
    /// What the search minimises.
    pub objective: EsObjective,
}

impl Default for EsConfig {
    fn default() -> Self {
        Self {
            pairs: 4,
            rows: 2048,
            sigma: 0.5,
            alpha: 0.5,
            subspace: 5,
            objective: EsObjective::Metric,
        }
    }
}

/// The learned optimizer: a small recurrent network that corrects each step of Adam, coordinate by coordinate. It is
/// meta-trained on runs that start at points of the trajectories, with the value function in place of the metric: no
/// query, but `iterations * (unroll + 1) * population` gradients of the surrogate loss.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LearnedConfig {
    /// File `optimizer.safetensors` of another run, to use its optimizer instead of training one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<PathBuf>,
    /// Steps of the meta-training, 1 to 1000000.
    pub iterations: usize,
    /// Runs side by side, 1 to 1000.
    pub population: usize,
    /// Steps of each run between two steps of the meta-training, 1 to 1000.
    pub unroll: usize,
    /// First learning rate of the meta-training, above 0 to 1. Follows a cosine to 0.
    pub learning_rate: f64,
    /// What `from` holds, once it has been read.
    #[serde(skip)]
    pub given: Option<UpdateRule>,
}

impl Default for LearnedConfig {
    fn default() -> Self {
        Self {
            from: None,
            iterations: 60,
            population: 8,
            unroll: 10,
            learning_rate: 0.01,
            given: None,
        }
    }
}

/// The simple alternatives in the table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct BaselineConfig {
    /// Decision thresholds tried on the validation split, 0 to 100000; 0 switches the row off.
    pub thresholds: usize,
    /// Weights tried in the class-weighted loss: of the positive class, or of the class recognised worst on validation, with
    /// the others in between; empty switches the row off.
    pub class_weights: Vec<f64>,
    /// Whether to run plain evolution strategies without loss and value function.
    pub es: bool,
}

impl Default for BaselineConfig {
    fn default() -> Self {
        Self {
            thresholds: 200,
            class_weights: vec![1.0 / 3.0, 3.0],
            es: true,
        }
    }
}

/// The statistics of the table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ReportConfig {
    /// Paired bootstrap samples of the test split behind each interval: of rows, queries or images, 0 to 1000000; 0 for no intervals.
    pub bootstrap: usize,
    /// Points along each side of the landscape in the report, 0 to 101: the metric is measured once on each point of the
    /// square, on 2048 validation rows, after the run and apart from its queries. 0 or 1 for no landscape.
    pub landscape: usize,
}

impl Default for ReportConfig {
    fn default() -> Self {
        Self {
            bootstrap: 1000,
            landscape: 15,
        }
    }
}
