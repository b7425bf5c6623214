//! `summary.json` and the table on the terminal: the same numbers for machines and for people.

use metricopt_sdk::Direction;
use serde::Serialize;

use super::text_table::align;
use crate::engine::acceptance::Decision;
use crate::engine::events::StopReason;
use crate::engine::meter::LeftOut;
use crate::engine::tune::{Reading, Tuned};

/// Version of `summary.json`.
const VERSION: u32 = 1;

/// The metric of a run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MetricSummary {
    /// Its name.
    pub name: String,
    /// Its configuration, defaults included.
    pub options: serde_json::Value,
    /// Which way it improves.
    pub direction: Direction,
}

/// What a run found, as it stands in `summary.json`.
#[derive(Clone, Debug, Serialize)]
pub struct Summary {
    version: u32,
    plugin: String,
    task: String,
    metric: MetricSummary,
    seed: u64,
    methods: Vec<MethodSummary>,
    accepted: bool,
    verdict: String,
    acceptance: AcceptanceSummary,
    /// The tuned adapter before acceptance: best on validation, and the last step.
    tuned: TunedSummary,
    value_function: ValueFunctionSummary,
    width: f64,
    /// What was taken from an earlier run, if anything was.
    reused: Option<Reused>,
    queries: QueriesSummary,
    network_evaluations: EvaluationsSummary,
    finetuning: FinetuningSummary,
    left_out: Vec<LeftOut>,
    /// What the table has to say beside its rows, a line each.
    remarks: Vec<String>,
}

/// What was taken from an earlier run.
#[derive(Clone, Debug, Serialize)]
pub struct Reused {
    /// `trajectories` or `value-function`.
    pub what: &'static str,
    /// Its directory or file, as given.
    pub from: String,
    /// Hashes of the files.
    pub sha256: String,
    /// The metric of that run.
    pub metric: String,
}

/// Queries of the metric by the whole run.
#[derive(Clone, Debug, Serialize)]
struct QueriesSummary {
    total: u64,
    /// The bound on them, if there is one.
    most: Option<u64>,
}

/// Evaluations of the network: adapters, once for each set of rows.
#[derive(Clone, Debug, Serialize)]
struct EvaluationsSummary {
    before_finetuning: u64,
    total: u64,
}

/// How far MetricOpt came.
#[derive(Clone, Debug, Serialize)]
struct FinetuningSummary {
    steps: usize,
    /// Why it ended before its last step.
    stopped: Option<StopReason>,
    /// Whether the last step was the best.
    still_improving: bool,
}

#[derive(Clone, Debug, Serialize)]
struct MethodSummary {
    name: &'static str,
    validation: f64,
    test: f64,
    difference: f64,
    interval: Option<[f64; 2]>,
    queries: u64,
    seconds: f64,
}

#[derive(Clone, Debug, Serialize)]
struct AcceptanceSummary {
    /// Left out where all folds improve by exactly the same, so that there is no deviation to divide by.
    t: Option<f64>,
    threshold: f64,
}

#[derive(Clone, Debug, Serialize)]
struct TunedSummary {
    best: ReadingSummary,
    last: ReadingSummary,
}

#[derive(Clone, Debug, Serialize)]
struct ReadingSummary {
    validation: f64,
    test: f64,
}

#[derive(Clone, Debug, Serialize)]
struct ValueFunctionSummary {
    /// Spearman's rank correlation on held-out trajectories.
    rank_correlation: Option<f64>,
    /// Pearson's correlation on held-out trajectories.
    correlation: Option<f64>,
    /// Weight of the value gradient, 0 to 1.
    weight: f64,
}

impl Summary {
    /// Collects the results of a run.
    pub fn new(
        plugin: &str,
        task: &str,
        metric: MetricSummary,
        seed: u64,
        tuned: &Tuned,
        reused: Option<Reused>,
        most_queries: Option<u64>,
    ) -> Self {
        let reading = |reading: &Reading| ReadingSummary {
            validation: reading.validation,
            test: reading.test,
        };
        let mut summary = Self {
            version: VERSION,
            plugin: plugin.to_owned(),
            task: task.to_owned(),
            seed,
            methods: tuned
                .methods
                .iter()
                .map(|method| MethodSummary {
                    name: method.name,
                    validation: method.validation,
                    test: method.test,
                    difference: method.difference,
                    interval: method.interval,
                    queries: method.queries,
                    seconds: method.seconds,
                })
                .collect(),
            accepted: tuned.decision.accepted,
            verdict: verdict(&metric, tuned),
            acceptance: AcceptanceSummary {
                t: tuned.decision.t.is_finite().then_some(tuned.decision.t),
                threshold: tuned.decision.threshold,
            },
            tuned: TunedSummary {
                best: reading(&tuned.best),
                last: reading(&tuned.last),
            },
            value_function: ValueFunctionSummary {
                rank_correlation: tuned.agreement.map(|agreement| agreement.rank),
                correlation: tuned.agreement.map(|agreement| agreement.linear),
                weight: tuned.value_weight,
            },
            width: tuned.width,
            reused,
            queries: QueriesSummary {
                total: tuned.queries,
                most: most_queries,
            },
            network_evaluations: EvaluationsSummary {
                before_finetuning: tuned.evaluations_before,
                total: tuned.evaluations,
            },
            finetuning: FinetuningSummary {
                steps: tuned.steps,
                stopped: tuned.stopped,
                still_improving: tuned.decision.accepted && tuned.best == tuned.last,
            },
            left_out: tuned.left_out.clone(),
            metric,
            remarks: Vec::new(),
        };
        summary.remarks = summary.remarks();
        summary
    }

    /// The table with its verdict, for the terminal.
    pub fn table(&self) -> String {
        let head = [
            "method",
            "validation",
            "test",
            "difference",
            "95 % interval",
            "queries",
            "seconds",
        ];
        let mut rows = vec![head.map(str::to_owned)];
        for method in &self.methods {
            let is_reference = method.name == "pretrained";
            rows.push([
                method.name.to_owned(),
                format!("{:.4}", method.validation),
                format!("{:.4}", method.test),
                if is_reference {
                    "-".to_owned()
                } else {
                    format!("{:+.4}", method.difference)
                },
                match method.interval {
                    Some([low, high]) if !is_reference => format!("[{low:+.4}, {high:+.4}]"),
                    _ => "-".to_owned(),
                },
                method.queries.to_string(),
                format!("{:.1}", method.seconds),
            ]);
        }
        let aim = match self.metric.direction {
            Direction::Minimise => "lower is better",
            Direction::Maximise => "higher is better",
        };
        let remarks: String = self
            .remarks
            .iter()
            .map(|line| format!("{line}\n"))
            .collect();
        format!(
            "{} ({aim}), task {}, seed {}\n\n{}\n{}{}",
            self.metric.name,
            self.task,
            self.seed,
            align(&rows),
            remarks,
            self.verdict
        )
    }

    /// What the results have to say beside the table.
    fn remarks(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if let Some(reused) = &self.reused {
            let what = match reused.what {
                "trajectories" => "the trajectories are",
                _ => "the value function is",
            };
            lines.push(format!(
                "{what} from `{}`, a run for {}",
                reused.from, reused.metric
            ));
        }
        if let Some(reason) = self.finetuning.stopped {
            let steps = self.finetuning.steps;
            lines.push(format!(
                "metricopt stopped after {steps} steps: {}",
                reason.words()
            ));
        }
        let FinetuningSummary { steps, stopped, .. } = self.finetuning;
        if self.finetuning.still_improving && stopped.is_none() {
            lines.push(format!(
                "metricopt was best at the last of its {steps} steps: more may gain more, `--set finetune.steps={}`",
                3 * steps
            ));
        }
        for left_out in &self.left_out {
            lines.push(format!(
                "left out: {} ({})",
                left_out.method, left_out.reason
            ));
        }
        if let Some(most) = self.queries.most {
            lines.push(format!("{} of {most} queries asked", self.queries.total));
        }
        lines
    }
}

/// One sentence: what was kept, and why.
fn verdict(metric: &MetricSummary, tuned: &Tuned) -> String {
    let Decision {
        accepted,
        t,
        threshold,
    } = tuned.decision;
    let find = |name: &str| tuned.methods.iter().find(|method| method.name == name);
    let (Some(pretrained), Some(metricopt)) = (find("pretrained"), find("metricopt")) else {
        return String::new();
    };
    let name = &metric.name;
    if tuned.best.validation == pretrained.validation {
        return format!(
            "kept the pre-trained model: nothing on the way was better in validation {name}"
        );
    }
    if !accepted {
        return format!(
            "kept the pre-trained model: the gain in validation {name} from {:.4} to {:.4} is not clear over the folds \
             (t = {t:.2}, needed {threshold:.2})",
            pretrained.validation, tuned.best.validation
        );
    }
    let better: Vec<&str> = tuned
        .methods
        .iter()
        .filter(|method| {
            method.name != "metricopt" && metric.direction.is_better(method.test, metricopt.test)
        })
        .map(|method| method.name)
        .collect();
    let beside = if better.is_empty() {
        String::new()
    } else {
        format!("; {} did better on test", better.join(", "))
    };
    format!(
        "accepted: test {name} from {:.4} to {:.4} (t = {t:.2} over validation folds, needed {threshold:.2}){beside}",
        pretrained.test, metricopt.test
    )
}
