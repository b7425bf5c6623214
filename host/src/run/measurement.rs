//! What `host bench` measured: the same numbers for machines and for people.

use serde::Serialize;

use super::text_table::align;
use crate::engine::meter::{Cost, Phase};

/// Version of the JSON.
const VERSION: u32 = 1;

/// What was measured.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Job {
    /// The plugin of the task.
    pub plugin: String,
    /// The task.
    pub task: String,
    /// The metric.
    pub metric: String,
    /// The seed.
    pub seed: u64,
    /// Threads it was allowed.
    pub threads: usize,
    /// The device as it was asked for.
    pub device: String,
}

/// What a job took, as a whole and by phases.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Measurement {
    version: u32,
    #[serde(flatten)]
    job: Job,
    #[serde(flatten)]
    total: Measured,
    phases: Vec<NamedPhase>,
    /// Most memory the process held, in bytes; none where the system does not say.
    peak_memory_bytes: Option<u64>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
struct NamedPhase {
    name: &'static str,
    #[serde(flatten)]
    measured: Measured,
}

/// A cost with its rates.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
struct Measured {
    seconds: f64,
    queries: u64,
    queries_per_second: Option<f64>,
    network_evaluations: u64,
    network_steps: u64,
    network_steps_per_second: Option<f64>,
}

impl Measured {
    fn new(cost: Cost) -> Self {
        // Nothing done has no rate, and neither has what took no time that the clock could see.
        let rate =
            |count: u64| (count > 0 && cost.seconds > 0.0).then(|| count as f64 / cost.seconds);
        Self {
            seconds: cost.seconds,
            queries: cost.queries,
            queries_per_second: rate(cost.queries),
            network_evaluations: cost.evaluations,
            network_steps: cost.gradients,
            network_steps_per_second: rate(cost.gradients),
        }
    }
}

impl Measurement {
    /// Adds the phases up.
    pub fn new(job: Job, phases: &[Phase], peak_memory_bytes: Option<u64>) -> Self {
        let mut total = Cost::default();
        for phase in phases {
            total += phase.cost;
        }
        Self {
            version: VERSION,
            job,
            total: Measured::new(total),
            phases: phases
                .iter()
                .map(|phase| NamedPhase {
                    name: phase.name,
                    measured: Measured::new(phase.cost),
                })
                .collect(),
            peak_memory_bytes,
        }
    }

    /// The phases as a table, for the terminal.
    pub fn table(&self) -> String {
        let head = [
            "phase",
            "seconds",
            "share",
            "queries",
            "queries/s",
            "network steps",
            "network steps/s",
        ];
        let mut rows = vec![head.map(str::to_owned)];
        rows.extend(
            self.phases
                .iter()
                .map(|phase| self.row(phase.name, &phase.measured)),
        );
        rows.push(self.row("total", &self.total));
        let Job {
            metric,
            task,
            seed,
            threads,
            device,
            ..
        } = &self.job;
        let plural = if *threads == 1 { "" } else { "s" };
        let peak = match self.peak_memory_bytes {
            Some(bytes) => format!("{:.0} MB", bytes as f64 / 1e6),
            None => "not known on this system".to_owned(),
        };
        format!(
            "{metric}, task {task}, seed {seed}, {threads} thread{plural}, device {device}\n\n{}\npeak memory {peak}",
            align(&rows)
        )
    }

    fn row(&self, name: &str, measured: &Measured) -> [String; 7] {
        let count = |count: u64| match count {
            0 => "-".to_owned(),
            count => count.to_string(),
        };
        let rate =
            |rate: Option<f64>| rate.map_or_else(|| "-".to_owned(), |rate| format!("{rate:.0}"));
        let share = if self.total.seconds > 0.0 {
            format!("{:.0} %", 100.0 * measured.seconds / self.total.seconds)
        } else {
            "-".to_owned()
        };
        [
            name.to_owned(),
            format!("{:.3}", measured.seconds),
            share,
            count(measured.queries),
            rate(measured.queries_per_second),
            count(measured.network_steps),
            rate(measured.network_steps_per_second),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measurement(peak: Option<u64>) -> Measurement {
        let phase = |name, queries, gradients, seconds| Phase {
            name,
            cost: Cost {
                queries,
                evaluations: queries + gradients,
                gradients,
                seconds,
            },
        };
        let job = Job {
            plugin: "p".to_owned(),
            task: "t".to_owned(),
            metric: "m".to_owned(),
            seed: 3,
            threads: 1,
            device: "cpu".to_owned(),
        };
        let phases = [
            phase("opening", 0, 0, 1.0),
            phase("trajectories", 30, 60, 3.0),
            phase("nothing", 0, 0, 0.0),
        ];
        Measurement::new(job, &phases, peak)
    }

    #[test]
    fn rates_are_counts_by_the_seconds_of_their_phase() {
        let json = serde_json::to_value(measurement(Some(5_000_000))).unwrap();
        assert_eq!(json["seconds"], 4.0);
        assert_eq!(json["queries"], 30);
        assert_eq!(json["queries_per_second"], 7.5);
        assert_eq!(json["network_steps_per_second"], 15.0);
        assert_eq!(json["network_evaluations"], 90);
        assert_eq!(
            json["phases"][0]["queries_per_second"],
            serde_json::Value::Null
        );
        assert_eq!(json["phases"][1]["queries_per_second"], 10.0);
        assert_eq!(json["phases"][1]["network_steps_per_second"], 20.0);
        assert_eq!(json["peak_memory_bytes"], 5_000_000);
    }

    #[test]
    fn the_table_has_a_row_a_phase_and_their_sum() {
        let table = measurement(Some(5_000_000)).table();
        let expected = "\
m, task t, seed 3, 1 thread, device cpu

phase         seconds  share  queries  queries/s  network steps  network steps/s
--------------------------------------------------------------------------------
opening         1.000   25 %        -          -              -                -
trajectories    3.000   75 %       30         10             60               20
nothing         0.000    0 %        -          -              -                -
total           4.000  100 %       30          8             60               15

peak memory 5 MB";
        assert_eq!(table, expected);
        assert!(
            measurement(None)
                .table()
                .ends_with("peak memory not known on this system")
        );
    }
}
