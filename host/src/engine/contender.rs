//! The names of the methods that are compared side by side.

use metricopt_sdk::{Error, Result};
use serde::{Deserialize, Serialize};
use std::fmt;

use super::config::OptimizerKind;
use crate::suggest;

/// A method of a comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Contender {
    /// The network as it is.
    Pretrained,
    /// The decision threshold tuned on validation.
    Threshold,
    /// Fine-tuning on the surrogate loss; optimizer and learning rate are chosen on validation.
    LossOnly,
    /// The best point of the trajectories, without any tuning.
    BestTrajectory,
    /// Fine-tuning on the class-weighted loss; the weight is chosen on validation.
    ClassWeighted,
    /// Fine-tuning on the surrogate loss of the validation labels: what labels are worth beside a metric.
    LossOnValidation,
    /// Plain evolution strategies on the metric.
    Es,
    /// Loss and Guided-ES on the metric, without value function.
    GuidedEs,
    /// Loss and value function, without search.
    ValueFunction,
    /// MetricOpt as `host run` does it, with SGD.
    MetricoptSgd,
    /// MetricOpt as `host run` does it, with Adam.
    MetricoptAdam,
    /// MetricOpt with a learned optimizer.
    MetricoptLearned,
}

impl Contender {
    /// Every method, in the order of the table.
    pub const ALL: [Self; 12] = [
        Self::Pretrained,
        Self::Threshold,
        Self::LossOnly,
        Self::BestTrajectory,
        Self::ClassWeighted,
        Self::LossOnValidation,
        Self::Es,
        Self::GuidedEs,
        Self::ValueFunction,
        Self::MetricoptSgd,
        Self::MetricoptAdam,
        Self::MetricoptLearned,
    ];

    /// What others are compared with: fine-tuning that knows nothing of the metric but its best learning rate.
    pub const REFERENCE: Self = Self::LossOnly;

    /// What is typed and shown.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pretrained => "pretrained",
            Self::Threshold => "threshold",
            Self::LossOnly => "loss-only",
            Self::BestTrajectory => "best-trajectory",
            Self::ClassWeighted => "class-weighted",
            Self::LossOnValidation => "loss-on-validation",
            Self::Es => "es",
            Self::GuidedEs => "guided-es",
            Self::ValueFunction => "value-function",
            Self::MetricoptSgd => "metricopt-sgd",
            Self::MetricoptAdam => "metricopt-adam",
            Self::MetricoptLearned => "metricopt-learned",
        }
    }

    /// The methods of a list of names, in the order of the table, each once; the pre-trained network and the reference
    /// are always among them.
    ///
    /// # Errors
    ///
    /// If there is no method of a name.
    ///
    pub fn parse_list<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<Vec<Self>> {
        let mut chosen = vec![Self::Pretrained, Self::REFERENCE];
        for name in names {
            let found = Self::ALL.into_iter().find(|method| method.name() == name);
            chosen.push(found.ok_or_else(|| {
                Error::configuration(format!("unknown method `{name}`"))
                    .hint(suggest::hint(name, Self::ALL.map(Self::name)))
            })?);
        }
        chosen.sort_unstable();
        chosen.dedup();
        Ok(chosen)
    }

    /// Whether it takes neither queries along a path nor a value function: what everybody should try first.
    pub const fn is_trivial(self) -> bool {
        matches!(self, Self::Threshold | Self::ClassWeighted)
    }

    /// The optimizer of MetricOpt; `None` for other methods.
    pub const fn metricopt_optimizer(self) -> Option<OptimizerKind> {
        match self {
            Self::MetricoptSgd => Some(OptimizerKind::Sgd),
            Self::MetricoptAdam => Some(OptimizerKind::Adam),
            Self::MetricoptLearned => Some(OptimizerKind::Learned),
            _ => None,
        }
    }

    /// Whether it is built on trajectories.
    pub const fn needs_trajectories(self) -> bool {
        matches!(self, Self::BestTrajectory | Self::ValueFunction)
            || self.metricopt_optimizer().is_some()
    }

    /// Whether its result has to pass the acceptance test, as in `host run`: MetricOpt and its parts.
    pub const fn is_accepted(self) -> bool {
        matches!(self, Self::GuidedEs | Self::ValueFunction) || self.metricopt_optimizer().is_some()
    }

    /// Whether its steps are scaled by the calibrated width.
    pub const fn needs_width(self) -> bool {
        !matches!(self, Self::Pretrained | Self::Threshold)
    }
}

impl fmt::Display for Contender {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_in_files_and_in_order() {
        for method in Contender::ALL {
            assert_eq!(
                serde_json::to_value(method).unwrap(),
                serde_json::json!(method.name())
            );
        }
        assert!(Contender::ALL.is_sorted());
    }

    #[test]
    fn lists_are_completed_and_sorted() {
        assert_eq!(
            Contender::parse_list(["es", "threshold", "es"]).unwrap(),
            [
                Contender::Pretrained,
                Contender::Threshold,
                Contender::LossOnly,
                Contender::Es
            ]
        );
        let error = Contender::parse_list(["metricopt-adm"]).unwrap_err();
        assert_eq!(error.to_string(), "unknown method `metricopt-adm`");
        assert_eq!(
            error.hints(),
            ["did you mean `metricopt-adam`, `metricopt-sgd`?"]
        );
    }
}
