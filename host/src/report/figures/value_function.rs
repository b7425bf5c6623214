//! What the value function predicts where the metric was observed.

use super::super::data::Run;
use super::super::html::{data, escape, general, number};
use super::super::learned::{Learned, Walks};
use super::super::scale::Scale;
use super::super::svg::{Panel, Shape};
use super::{Content, Figure, figure};
use crate::engine::statistics::rank_correlation;

/// Builds the section.
pub fn value_function(run: &Run) -> Figure {
    let content = match (&run.learned, &run.walks) {
        (Some(learned), Some(walks)) => Content::Drawn(draw(run, learned, walks)),
        _ => Content::LeftOut(why_not(run)),
    };
    Figure {
        id: "value-function",
        title: "Value function",
        content,
    }
}

/// Why there is no value function to show.
pub fn why_not(run: &Run) -> String {
    if run.walks.is_none() {
        "there is no `trajectories.safetensors` in the run directory".to_owned()
    } else if run.summary.value_function.weight == 0.0 {
        "the run had no value function, as the metric did not vary along the trajectories"
            .to_owned()
    } else {
        "there is no `value_function.safetensors` in the run directory".to_owned()
    }
}

fn draw(run: &Run, learned: &Learned, walks: &Walks) -> String {
    let metric = &run.summary.metric;
    let predicted = learned.predicted(metric.direction);
    let pairs: Vec<(usize, usize, f64, f64)> = walks
        .walks
        .iter()
        .zip(&predicted)
        .enumerate()
        .flat_map(|(k, (walk, predictions))| {
            let both = walk.observed.iter().zip(predictions).zip(&walks.steps);
            both.map(move |((&observed, &predicted), &t)| (k + 1, t, observed, predicted))
        })
        .collect();
    let observed: Vec<f64> = pairs.iter().map(|pair| pair.2).collect();
    let guessed: Vec<f64> = pairs.iter().map(|pair| pair.3).collect();
    let scale = Scale::around(observed.iter().chain(&guessed).copied());
    let mut panel = Panel::square(
        scale,
        scale,
        &format!("observed {}", metric.name),
        &format!("predicted {}", metric.name),
    );
    let ends = [0.0, 1.0].map(|share| (scale.at(share), scale.at(share)));
    panel.line(&ends, "s5");
    for &(k, t, observed, predicted) in &pairs {
        let title = format!(
            "trajectory {k}, step {t}: observed {}, predicted {}",
            general(observed),
            general(predicted)
        );
        panel.mark(
            Shape::Circle,
            (observed, predicted),
            3.2,
            "mark dot s0",
            &title,
        );
    }
    let here = rank_correlation(&observed, &guessed);
    let unseen = match run.summary.value_function.rank_correlation {
        Some(rank) => format!(
            "on trajectories that it had not seen (cross-validated) it was {}",
            number(rank, 2)
        ),
        None => "it was not measured on unseen trajectories".to_owned(),
    };
    let svg = panel.finish(&format!(
        "Predicted against observed {} at {} points; rank correlation {}.",
        metric.name,
        pairs.len(),
        number(here, 2)
    ));
    let caption = format!(
        "Prediction against observation at every observed point of the trajectories; on the dashed line both agree. The \
         rank correlation here, where the value function learned, is {}; {unseen}. Its direction counted {} % in \
         fine-tuning.",
        number(here, 2),
        number(100.0 * run.summary.value_function.weight, 0)
    );
    let rows: Vec<Vec<String>> = pairs
        .iter()
        .map(|&(k, t, observed, predicted)| {
            vec![
                k.to_string(),
                t.to_string(),
                general(observed),
                general(predicted),
            ]
        })
        .collect();
    figure(&[svg], &escape(&caption))
        + &data(
            "observed and predicted metric",
            &["trajectory", "step", "observed", "predicted"],
            &rows,
        )
}
