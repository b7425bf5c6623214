//! One way to call `host run`, to be repeated over seeds.

/// One way to call `host run`.
#[derive(Clone, Debug)]
pub struct Experiment {
    /// Folder name and key.
    pub name: String,
    /// Heading of its table; experiments without one have none.
    pub title: Option<String>,
    /// The metric to tune for.
    pub metric: String,
    /// Assignments for `--set`.
    pub set: Vec<String>,
}

/// Switches Guided-ES off.
const WITHOUT_SEARCH: &str = "finetune.es.pairs=0";

impl Experiment {
    /// An experiment with a table of its own.
    pub fn new(name: &str, title: &str, metric: &str, set: &[&str]) -> Self {
        Self {
            name: format!("{name}-{metric}"),
            title: Some(format!("{title}, {metric}")),
            metric: metric.to_owned(),
            set: set
                .iter()
                .map(|&assignment| assignment.to_owned())
                .collect(),
        }
    }

    /// The same without Guided-ES; its MetricOpt is one more row in the table of the original.
    pub fn without_search(&self) -> Self {
        let mut experiment = self.clone();
        experiment.name = self.name_without_search();
        experiment.title = None;
        experiment.set.push(WITHOUT_SEARCH.to_owned());
        experiment
    }

    /// Name of the same experiment without Guided-ES.
    pub fn name_without_search(&self) -> String {
        format!("{}-without-search", self.name)
    }

    /// Arguments of `host` for one seed.
    pub fn arguments(&self, seed: u64) -> Vec<String> {
        let mut arguments: Vec<String> = [
            "run",
            "--plugin",
            "tabular",
            "--json",
            "--threads",
            "1",
            "--device",
            "cpu",
            "--metric",
            &self.metric,
        ]
        .map(str::to_owned)
        .to_vec();
        arguments.extend(["--seed".to_owned(), seed.to_string()]);
        arguments.extend(
            self.set
                .iter()
                .flat_map(|assignment| ["--set".to_owned(), assignment.clone()]),
        );
        arguments
    }
}
