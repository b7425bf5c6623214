//! How many queries of the metric the parts of a run take, before they are asked.

use metricopt_sdk::{Error, Result};

use super::config::{EngineConfig, EsConfig, EsObjective, FinetuneConfig, TrajectoryConfig};
use super::past::Past;

/// Queries of one step of the search; `has_function` says whether there is a value function to search on.
pub fn step(search: Option<&EsConfig>, has_function: bool) -> u64 {
    match search {
        Some(es) if es.objective == EsObjective::Metric || !has_function => 2 * es.pairs as u64,
        _ => 0,
    }
}

/// Queries of a whole fine-tuning.
pub fn fine_tuning(config: &FinetuneConfig, per_step: u64) -> u64 {
    let observations = config.steps.div_ceil(config.observe_every.max(1)) as u64;
    config.steps as u64 * per_step + observations
}

/// Queries along trajectories, at most: those that start at `phi_0` share the first.
pub(super) fn trajectories(config: &TrajectoryConfig) -> u64 {
    let count = config.count as u64;
    let starts = if config.start_sd > 0.0 {
        1 + count / 2
    } else {
        1
    };
    starts + count * (config.steps / config.observe_every.max(1)) as u64
}

/// The least queries that a run is worth beginning with: all that comes before fine-tuning, its steps up to the first
/// observation, and the acceptance test.
pub fn minimum(config: &EngineConfig, past: Past<'_>) -> u64 {
    let finetune = &config.finetune;
    let before = match past {
        // `phi_0` on the whole and on folds, and the best point of the trajectories.
        Past::Nothing => 2 + trajectories(&config.trajectories) + 1,
        Past::Trajectories(stored) => {
            stored.queries(config.observation.folds, finetune.accept_folds)
        }
        Past::ValueFunction(_) => 2,
    };
    let steps = finetune.observe_every.min(finetune.steps) as u64;
    before + steps * step(Some(&finetune.es), true) + 1 + 1
}

/// Refuses a bound that the least queries do not fit in.
///
/// # Errors
///
/// Says how many are needed.
pub fn check(config: &EngineConfig, past: Past<'_>) -> Result<()> {
    let least = minimum(config, past);
    match config.observation.max_queries {
        Some(most) if most < least => Err(Error::configuration(format!(
            "`observation.max_queries` is {most}, but this run needs at least {least}: all that comes before \
             fine-tuning, its steps up to the first observation, and the acceptance test"
        ))
        .hint(format!(
            "allow {least}, or lower `trajectories.count`, `finetune.observe_every` or `finetune.es.pairs`, or take the trajectories of an earlier run with `--trajectories`"
        ))),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_of_the_default_run() {
        let config = EngineConfig::default();
        // 12 of 24 trajectories start at random; then 24 at each of 10 observations.
        assert_eq!(trajectories(&config.trajectories), 13 + 240);
        let per_step = step(Some(&config.finetune.es), true);
        assert_eq!(
            (per_step, fine_tuning(&config.finetune, per_step)),
            (8, 820)
        );
        assert_eq!(minimum(&config, Past::Nothing), 2 + 253 + 1 + 5 * 8 + 1 + 1);
        assert_eq!(fine_tuning(&config.finetune, 0), 20);
    }

    #[test]
    fn a_search_on_the_value_function_takes_no_query() {
        let es = EsConfig {
            objective: EsObjective::ValueFunction,
            ..EsConfig::default()
        };
        assert_eq!((step(Some(&es), true), step(None, true)), (0, 0));
        assert_eq!(step(Some(&es), false), 8);
    }

    #[test]
    fn too_tight_a_bound_is_refused_with_the_least() {
        let mut config = EngineConfig::default();
        config.observation.max_queries = Some(298);
        assert!(check(&config, Past::Nothing).is_ok());
        config.observation.max_queries = Some(297);
        let error = check(&config, Past::Nothing).unwrap_err().to_string();
        assert!(error.contains("needs at least 298"), "{error}");
    }
}
