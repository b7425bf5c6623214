//! Results as Markdown.

use anyhow::Result;
use std::fmt::Write;

use super::summary::Method;
use super::{Claim, Expected, Experiment, Results, Summary, mean, standard_deviation, t_interval};

/// Published against measured, one row a claim.
pub fn claim_table(claims: &[Claim]) -> String {
    let mut text = String::from(
        "Errors in percentage points, lower is better: 100(1-F1), 100(1-G-mean), MCR, 100(1-average precision).\n\n\
         | quantity | measured | reference | tolerance | |\n|---|---|---|---|---|\n",
    );
    for claim in claims {
        let (reference, tolerance) = match claim.expected {
            Expected::Between {
                low,
                high,
                tolerance,
            } if low == high => (format!("{low}"), format!("{tolerance}")),
            Expected::Between {
                low,
                high,
                tolerance,
            } => (format!("{low} to {high}"), format!("{tolerance}")),
            Expected::AtLeast(bound) => (format!("at least {bound}"), String::new()),
        };
        let verdict = if claim.holds() {
            "holds"
        } else {
            "**does not hold**"
        };
        let measured = spread(&claim.values);
        line(
            &mut text,
            &[&claim.quantity, &measured, &reference, &tolerance, verdict],
        );
    }
    text
}

/// One table for each experiment that has a title.
///
/// # Errors
///
/// If a run is missing.
pub fn method_tables(experiments: &[Experiment], results: &Results) -> Result<String> {
    let mut text = String::new();
    for experiment in experiments {
        let Some(title) = &experiment.title else {
            continue;
        };
        let runs = results.seeds(&experiment.name)?;
        let without_search = results.seeds(&experiment.name_without_search()).ok();
        if !text.is_empty() {
            text.push('\n');
        }
        method_table(&mut text, title, runs, without_search)?;
    }
    Ok(text)
}

fn method_table(
    text: &mut String,
    title: &str,
    runs: &[Summary],
    without_search: Option<&[Summary]>,
) -> Result<()> {
    let accepted = runs.iter().filter(|run| run.accepted).count();
    // Writing to a `String` cannot fail.
    let _ = writeln!(
        text,
        "### {title}\n\nTest split, {} seeds; difference to pretrained paired by seed, with its 95 % t interval. MetricOpt was \
         accepted in {accepted} of {} runs.\n",
        runs.len(),
        runs.len()
    );
    line(
        text,
        &[
            "method",
            "test x 100",
            "difference",
            "95 % interval",
            "queries",
            "seconds",
        ],
    );
    text.push_str("|---|---|---|---|---|---|\n");
    let names: Vec<&str> = runs
        .first()
        .iter()
        .flat_map(|run| &run.methods)
        .map(|method| method.name.as_str())
        .collect();
    for name in names {
        if name == "metricopt"
            && let Some(runs) = without_search
        {
            method_row(text, "metricopt, without search", name, runs)?;
        }
        method_row(text, name, name, runs)?;
    }
    Ok(())
}

fn method_row(text: &mut String, shown: &str, name: &str, runs: &[Summary]) -> Result<()> {
    let column = |value: &dyn Fn(&Method) -> f64| -> Result<Vec<f64>> {
        runs.iter()
            .map(|run| Ok(value(run.method(name)?)))
            .collect()
    };
    let test = column(&|method| 100.0 * method.test)?;
    let (difference, interval) = if name == "pretrained" {
        (String::new(), String::new())
    } else {
        let differences: Vec<f64> = runs
            .iter()
            .map(|run| Ok(100.0 * (run.method(name)?.test - run.method("pretrained")?.test)))
            .collect::<Result<_>>()?;
        let [low, high] = t_interval(&differences);
        (
            signed(mean(&differences)),
            format!("[{}, {}]", signed(low), signed(high)),
        )
    };
    let queries = format!("{:.0}", mean(&column(&|method| method.queries as f64)?));
    let seconds = format!("{:.2}", mean(&column(&|method| method.seconds)?));
    line(
        text,
        &[
            shown,
            &spread(&test),
            &difference,
            &interval,
            &queries,
            &seconds,
        ],
    );
    Ok(())
}

/// Mean and standard deviation.
fn spread(values: &[f64]) -> String {
    format!("{:.2} ± {:.2}", mean(values), standard_deviation(values))
}

/// With two digits; what rounds to nothing has no sign to speak of.
fn signed(value: f64) -> String {
    let text = format!("{value:+.2}");
    if text == "-0.00" {
        "+0.00".to_owned()
    } else {
        text
    }
}

/// One row of a table.
fn line(text: &mut String, cells: &[&str]) {
    let _ = writeln!(text, "| {} |", cells.join(" | "));
}
