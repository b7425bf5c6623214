//! What the files of a run are about: so that another run takes nothing that does not fit.

use metricopt_sdk::{Description, Direction, Site};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Task, data, metric and configuration of a run. It stands as JSON in tensor `identity` of its files.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Identity {
    /// The plugin of the task.
    pub plugin: String,
    /// The task.
    pub task: String,
    /// The whole configuration of the task.
    pub task_config: Value,
    /// Seed of split and pre-training.
    pub seed: u64,
    /// Name of the metric.
    pub metric: String,
    /// Its configuration.
    pub metric_options: Value,
    /// Which way it improves.
    pub direction: Direction,
    /// The sections of the engine's configuration that trajectories and value function are made with.
    pub config: Value,
    /// What the opened task said of itself; none before it is opened.
    pub description: Option<TaskDescription>,
}

/// What an opened task said of itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TaskDescription {
    /// The FiLM sites, in adapter order.
    pub sites: Vec<Site>,
    /// Units in the train, validation and test split.
    pub units: [usize; 3],
    /// Number of classes, if it has any.
    pub classes: Option<usize>,
    /// What a reader should know of data and network.
    pub facts: Vec<(String, String)>,
}

impl From<Description> for TaskDescription {
    fn from(description: Description) -> Self {
        Self {
            sites: description.sites,
            units: description.units,
            classes: description.classes,
            facts: description.facts,
        }
    }
}

impl Identity {
    /// Whether both are of the same metric with the same options.
    pub fn same_metric(&self, other: &Self) -> bool {
        (&self.metric, &self.metric_options, self.direction)
            == (&other.metric, &other.metric_options, other.direction)
    }

    /// The metric as it is typed.
    pub fn metric_name(&self) -> String {
        match &self.metric_options {
            Value::Object(options) if options.is_empty() => format!("`{}`", self.metric),
            options => format!("`{}` with {options}", self.metric),
        }
    }

    /// How the task, its configuration and the seed of this run differ from those of an earlier one.
    pub fn differences(&self, earlier: &Self) -> Vec<String> {
        let mut differences = Vec::new();
        let mut compare = |what: &str, was: &Value, is: &Value| {
            if was != is {
                differences.push(format!("{what} was {was} and is {is}"));
            }
        };
        compare(
            "the plugin",
            &earlier.plugin.clone().into(),
            &self.plugin.clone().into(),
        );
        compare(
            "the task",
            &earlier.task.clone().into(),
            &self.task.clone().into(),
        );
        compare("the seed", &earlier.seed.into(), &self.seed.into());
        let (was, is) = (flat(&earlier.task_config), flat(&self.task_config));
        let keys: std::collections::BTreeSet<&String> = was.keys().chain(is.keys()).collect();
        for key in keys {
            let value = |values: &Map<String, Value>| values.get(key).cloned().unwrap_or_default();
            compare(&format!("`task{key}`"), &value(&was), &value(&is));
        }
        differences
    }
}

impl TaskDescription {
    /// How the opened task differs from that of an earlier run.
    pub fn differences(&self, earlier: &Self) -> Vec<String> {
        let mut differences = Vec::new();
        let sites = |sites: &[Site]| {
            let named: Vec<String> = sites
                .iter()
                .map(|site| format!("`{}` of {} channels", site.name, site.channels))
                .collect();
            named.join(", ")
        };
        if self.sites != earlier.sites {
            differences.push(format!(
                "the adapter had the sites {} and has {}",
                sites(&earlier.sites),
                sites(&self.sites)
            ));
        }
        if self.units != earlier.units {
            let (was, is) = (earlier.units, self.units);
            differences.push(format!(
                "the splits (train, validation, test) had {was:?} units and have {is:?}"
            ));
        }
        if self.classes != earlier.classes {
            differences.push("the task had another number of classes".to_owned());
        }
        for (name, was) in &earlier.facts {
            let is = self.facts.iter().find(|fact| fact.0 == *name);
            if is.is_none_or(|is| is.1 != *was) {
                let is = is.map_or("not said", |is| is.1.as_str());
                differences.push(format!("{name} was `{was}` and is `{is}`"));
            }
        }
        differences
    }
}

/// Every value by its dotted key, which begins with a dot.
fn flat(value: &Value) -> Map<String, Value> {
    fn add(key: String, value: &Value, all: &mut Map<String, Value>) {
        match value {
            Value::Object(entries) => {
                for (name, value) in entries {
                    add(format!("{key}.{name}"), value, all);
                }
            }
            value => drop(all.insert(key, value.clone())),
        }
    }
    let mut all = Map::new();
    add(String::new(), value, &mut all);
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_difference_has_its_name() {
        let earlier = Identity {
            plugin: "tabular".to_owned(),
            task: "tabular".to_owned(),
            task_config: json!({ "network": { "epochs": 3 }, "path": "a.csv" }),
            seed: 0,
            metric: "f1".to_owned(),
            metric_options: json!({}),
            direction: Direction::Maximise,
            config: json!({}),
            description: None,
        };
        let here = Identity {
            task_config: json!({ "network": { "epochs": 4 }, "path": "a.csv" }),
            seed: 7,
            metric: "mcr".to_owned(),
            ..earlier.clone()
        };
        assert!(earlier.differences(&earlier).is_empty());
        assert_eq!(
            here.differences(&earlier),
            [
                "the seed was 0 and is 7",
                "`task.network.epochs` was 3 and is 4"
            ]
        );
        assert!(!here.same_metric(&earlier));
    }
}
