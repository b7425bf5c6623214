//! AP-loss: average precision as a loss, moved by error instead of by a derivative (Chen, Li, Lin, See, Wang, Duan, Chen, He and
//! Zou, "Towards Accurate One-Stage Object Detection with AP-Loss", CVPR 2019, arXiv 1904.06373).
//!
//! All pairs of an anchor and a class, of all images of a minibatch, stand in one ranking by their logits `s`. For a positive
//! `i`, the class of an anchor's object, and a negative `j`, every other pair, `x_ij = s_j - s_i` says how far they are in the wrong
//! order, and
//!
//! ```text
//! L_ij = H(x_ij) / (1 + sum of H(x_ik) over all k but i)
//! loss = 1 / |P| * sum of L_ij over positives i and negatives j
//! ```
//!
//! is one minus average precision where `H` is a step from 0 to 1. As in the paper it is a ramp between `-DELTA` and `DELTA`.
//! Of nothing but steps there is no derivative: the error of an output is what it should be, 0, minus what it is, and this error
//! is handed back to the logits as perceptrons do, `g_i = -sum_j L_ij` and `g_j = sum_i L_ij`, over `|P|` (equations 8 and 9).
//!
//! Precision is interpolated (section 3.3, algorithm 1): from the lowest positive upwards, an error counts only as far as
//! precision is below the best of all positives ranked lower.

use super::matching::Role;

/// Half the width of the ramp, in logits (section 3.3).
const DELTA: f64 = 1.0;

/// The loss of a minibatch and what it says to the logits.
#[derive(Clone, Debug, PartialEq)]
pub struct ApLoss {
    /// One minus interpolated average precision; 0 without any object.
    pub value: f64,
    /// The error-driven update `g` of each logit, in their order: descent subtracts it.
    pub slopes: Vec<f32>,
}

/// A positive of the ranking.
struct Positive {
    logit: f64,
    /// Its place among all logits.
    at: usize,
    weight: f64,
}

/// Of logits `[N * A, classes]`, row by row, and the roles of the anchors of each image. Anchors that are left out of the loss do
/// not stand in the ranking. `weights`, `[classes]`, counts the errors of the positives of a class differently.
///
/// ```
/// use metricopt_nn::detector::ap_loss::ap_loss;
/// use metricopt_nn::detector::matching::Role;
///
/// // An object whose logit is as high as that of the background: one wrong half, in a ranking of one and a half.
/// let roles = [Role::Object(0, [0.0; 4]), Role::Background];
/// let found = ap_loss(&[0.3, 0.3], &[&roles], 1, None);
/// assert!((found.value - 1.0 / 3.0).abs() < 1e-6);
/// assert!((found.slopes[0] + 1.0 / 3.0).abs() < 1e-6 && found.slopes[0] == -found.slopes[1]);
/// ```
pub fn ap_loss(
    logits: &[f32],
    images: &[&[Role]],
    classes: usize,
    weights: Option<&[f32]>,
) -> ApLoss {
    let mut positives = Vec::new();
    let mut negatives: Vec<(f64, usize)> = Vec::new();
    let roles = images.iter().copied().flatten();
    for (row, (role, logits)) in roles.zip(logits.chunks_exact(classes.max(1))).enumerate() {
        let wanted = match role {
            Role::Ignored => continue,
            Role::Background => None,
            Role::Object(class, _) => Some(*class as usize),
        };
        for (class, &logit) in logits.iter().enumerate() {
            let (logit, at) = (f64::from(logit), row * classes + class);
            if wanted == Some(class) {
                let weight = weights.and_then(|weights| weights.get(class));
                let weight = weight.map_or(1.0, |&weight| f64::from(weight));
                positives.push(Positive { logit, at, weight });
            } else {
                negatives.push((logit, at));
            }
        }
    }
    let mut slopes = vec![0.0; logits.len()];
    if positives.is_empty() {
        return ApLoss { value: 0.0, slopes };
    }
    // Of equal logits the first comes first, so that nothing depends on how they are sorted.
    positives.sort_by(|a, b| a.logit.total_cmp(&b.logit));
    let lowest = positives[0].logit - DELTA;
    negatives.retain(|(logit, _)| *logit > lowest);
    negatives.sort_by(|a, b| b.0.total_cmp(&a.0));
    let errors = Errors::of(&positives, &negatives);
    let count = positives.len() as f64;
    for (positive, error) in positives.iter().zip(&errors.of_positives) {
        slopes[positive.at] = (-error / count) as f32;
    }
    for (&(_, at), error) in negatives.iter().zip(&errors.of_negatives) {
        slopes[at] = (error / count) as f32;
    }
    ApLoss {
        value: errors.of_positives.iter().sum::<f64>() / count,
        slopes,
    }
}

/// Sums of the matrix `L`, interpolated and weighted.
struct Errors {
    /// Over the negatives, one a positive.
    of_positives: Vec<f64>,
    /// Over the positives, one a negative.
    of_negatives: Vec<f64>,
}

impl Errors {
    /// Of positives in rising and negatives in falling order.
    ///
    /// A negative high above a positive is wrong by a whole step: such negatives are a run at the front, which is counted, not
    /// walked through. `stairs` keeps what ends with such a run.
    fn of(positives: &[Positive], negatives: &[(f64, usize)]) -> Self {
        let mut of_positives = Vec::with_capacity(positives.len());
        let mut of_negatives = vec![0.0; negatives.len()];
        let mut stairs = vec![0.0; negatives.len() + 1];
        let mut best = 0.0_f64;
        for positive in positives {
            let logit = positive.logit;
            let whole = negatives.partition_point(|(other, _)| *other >= logit + DELTA);
            let reached = negatives.partition_point(|(other, _)| *other > logit - DELTA);
            let part = &negatives[whole..reached];
            let wrong = whole as f64
                + part
                    .iter()
                    .map(|(other, _)| ramp(other - logit))
                    .sum::<f64>();
            // The positive itself is half above itself.
            let above = positives.iter().map(|other| ramp(other.logit - logit));
            let right = 0.5 + above.sum::<f64>();
            let precision = right / (right + wrong);
            // What interpolation leaves of each error; a precision of 1 has none.
            let share = if precision >= best {
                best = precision;
                1.0
            } else {
                (1.0 - best) / (1.0 - precision)
            };
            let scale = positive.weight * share / (right + wrong);
            of_positives.push(scale * wrong);
            stairs[whole] += scale;
            for (error, (other, _)) in of_negatives[whole..reached].iter_mut().zip(part) {
                *error += scale * ramp(other - logit);
            }
        }
        let mut height = 0.0;
        for (error, step) in of_negatives.iter_mut().zip(&stairs[1..]).rev() {
            height += step;
            *error += height;
        }
        Self {
            of_positives,
            of_negatives,
        }
    }
}

/// The step `H` as a ramp.
fn ramp(difference: f64) -> f64 {
    (difference / (2.0 * DELTA) + 0.5).clamp(0.0, 1.0)
}
