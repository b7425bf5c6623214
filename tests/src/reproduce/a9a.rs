//! The published runs on a9a.

use anyhow::Result;

use super::{Claim, Expected, Experiment, Results, Summary};

/// Flips 60 % of the positive training labels that carry the most telling feature; the case where loss and metric
/// disagree, and a larger `lambda` for it.
const CORRUPTED: [&str; 3] = [
    "task.corruption.rate=0.6",
    "task.corruption.feature=39",
    "finetune.lambda=10",
];

/// Every run.
pub fn experiments() -> Vec<Experiment> {
    let clean = |metric| Experiment::new("clean", "a9a", metric, &[]);
    let corrupted =
        |metric| Experiment::new("corrupted", "a9a with corrupted labels", metric, &CORRUPTED);
    let mut experiments = Vec::new();
    for metric in ["f1", "g-mean"] {
        experiments.extend([clean(metric), clean(metric).without_search()]);
    }
    experiments.extend([clean("mcr"), clean("aucpr")]);
    for metric in ["aucpr", "mcr"] {
        experiments.extend([corrupted(metric), corrupted(metric).without_search()]);
    }
    experiments
}

/// Every published number with what was measured.
///
/// # Errors
///
/// If a run lacks a method.
pub fn claims(results: &Results) -> Result<Vec<Claim>> {
    use Expected::{AtLeast, Between};
    let mut claims = Vec::new();
    let mut claim =
        |quantity: &str, experiment: &str, expected: Expected, value: &Value| -> Result<()> {
            claims.push(Claim {
                quantity: quantity.to_owned(),
                values: results
                    .seeds(experiment)?
                    .iter()
                    .map(value)
                    .collect::<Result<_>>()?,
                expected,
            });
            Ok(())
        };
    let near = Expected::near;

    claim("pretrained, MCR", "clean-mcr", near(14.94, 0.2), &|run| {
        run.test_error("pretrained")
    })?;
    claim("pretrained, AP", "clean-aucpr", near(25.17, 0.25), &|run| {
        run.test_error("pretrained")
    })?;
    claim("pretrained, F1", "clean-f1", near(33.9, 0.8), &|run| {
        run.test_error("pretrained")
    })?;
    claim(
        "pretrained, G-mean",
        "clean-g-mean",
        near(24.5, 1.0),
        &|run| run.test_error("pretrained"),
    )?;

    claim("loss-only, F1", "clean-f1", near(33.4, 0.6), &|run| {
        run.test_error("loss-only")
    })?;
    claim(
        "loss-only, G-mean",
        "clean-g-mean",
        near(23.4, 1.0),
        &|run| run.test_error("loss-only"),
    )?;

    let (f1, g_mean) = ("clean-f1-without-search", "clean-g-mean-without-search");
    claim("MetricOpt without search, F1", f1, near(32.1, 0.6), &best)?;
    claim(
        "loss-only minus MetricOpt without search, F1",
        f1,
        AtLeast(0.7),
        &below_loss_only,
    )?;
    let expected = Between {
        low: 18.1,
        high: 18.2,
        tolerance: 0.5,
    };
    claim("MetricOpt without search, G-mean", g_mean, expected, &best)?;
    claim(
        "loss-only minus MetricOpt without search, G-mean",
        g_mean,
        AtLeast(4.0),
        &below_loss_only,
    )?;

    let expected = Between {
        low: 32.0,
        high: 32.2,
        tolerance: 0.6,
    };
    claim("MetricOpt, F1", "clean-f1", expected, &best)?;
    claim("MetricOpt, G-mean", "clean-g-mean", near(18.1, 0.5), &best)?;
    claim(
        "MetricOpt, last step minus best, G-mean",
        "clean-g-mean",
        near(0.0, 0.5),
        &|run| Ok(run.error(run.tuned.last.test) - run.error(run.tuned.best.test)),
    )?;
    claim(
        "MetricOpt minus pretrained, MCR",
        "clean-mcr",
        near(0.0, 0.25),
        &change,
    )?;
    claim(
        "MetricOpt minus pretrained, AP",
        "clean-aucpr",
        near(0.0, 0.15),
        &change,
    )?;

    let (ap, mcr) = ("corrupted-aucpr", "corrupted-mcr");
    let expected = Between {
        low: 35.2,
        high: 36.3,
        tolerance: 1.5,
    };
    claim("corrupted: pretrained, AP", ap, expected, &|run| {
        run.test_error("pretrained")
    })?;
    let expected = Between {
        low: 23.0,
        high: 23.1,
        tolerance: 0.5,
    };
    claim("corrupted: pretrained, MCR", mcr, expected, &|run| {
        run.test_error("pretrained")
    })?;
    claim("corrupted: loss-only, AP", ap, AtLeast(34.0), &|run| {
        run.test_error("loss-only")
    })?;
    claim("corrupted: loss-only, MCR", mcr, AtLeast(22.5), &|run| {
        run.test_error("loss-only")
    })?;
    let expected = Between {
        low: 27.1,
        high: 27.4,
        tolerance: 1.0,
    };
    claim(
        "corrupted: MetricOpt without search, AP",
        "corrupted-aucpr-without-search",
        expected,
        &best,
    )?;
    let expected = Between {
        low: 26.9,
        high: 27.6,
        tolerance: 1.0,
    };
    claim("corrupted: MetricOpt, AP", ap, expected, &best)?;
    claim(
        "corrupted: MetricOpt without search, MCR",
        "corrupted-mcr-without-search",
        near(16.5, 0.8),
        &best,
    )?;
    let expected = Between {
        low: 16.3,
        high: 16.8,
        tolerance: 0.8,
    };
    claim("corrupted: MetricOpt, MCR", mcr, expected, &best)?;

    for (name, experiment) in [
        ("F1", "clean-f1"),
        ("G-mean", "clean-g-mean"),
        ("MCR", "clean-mcr"),
    ] {
        let quantity = format!("value function, held-out rank correlation, {name}");
        claim(&quantity, experiment, AtLeast(0.85), &|run| {
            Ok(run.value_function.rank_correlation.unwrap_or(f64::NAN))
        })?;
        let quantity = format!("value function, held-out correlation, {name}");
        claim(&quantity, experiment, AtLeast(0.85), &|run| {
            Ok(run.value_function.correlation.unwrap_or(f64::NAN))
        })?;
    }
    Ok(claims)
}

/// What a claim reads of one run.
type Value = dyn Fn(&Summary) -> Result<f64>;

/// Test error of the tuned adapter that was best on validation, before acceptance.
fn best(run: &Summary) -> Result<f64> {
    Ok(run.error(run.tuned.best.test))
}

/// How far the tuned adapter is below loss-only fine-tuning.
fn below_loss_only(run: &Summary) -> Result<f64> {
    Ok(run.test_error("loss-only")? - best(run)?)
}

/// What a user gets, after acceptance, against the pre-trained network.
fn change(run: &Summary) -> Result<f64> {
    Ok(run.test_error("metricopt")? - run.test_error("pretrained")?)
}
