//! The losses of the value function, each with its gradient: `L_v = gamma L_regress + L_oe`.

use rand::RngExt;

use super::random::Stream;

/// `L_regress = (1 / sum_t 1/s_t) sum_t |f(phi_t) - M_t| / s_t`: the weighted absolute error and its gradient with
/// respect to the values `f`.
pub fn regression(values: &[f32], means: &[f64], deviations: &[f64]) -> (f64, Vec<f32>) {
    let total: f64 = deviations.iter().map(|s| 1.0 / s).sum();
    let mut loss = 0.0;
    let gradient = values
        .iter()
        .zip(means.iter().zip(deviations))
        .map(|(&value, (&mean, &deviation))| {
            let weight = 1.0 / (deviation * total);
            let error = f64::from(value) - mean;
            loss += weight * error.abs();
            // Unlike `signum`, no pull where the error is exactly zero.
            let sign = f64::from(i8::from(error > 0.0) - i8::from(error < 0.0));
            (weight * sign) as f32
        })
        .collect();
    (loss, gradient)
}

/// Fisher's ratio `(M_a - M_b)^2 / (s_a^2 + s_b^2)`: how well two noisy observations can be told apart.
pub fn fisher_ratio((mean_a, deviation_a): (f64, f64), (mean_b, deviation_b): (f64, f64)) -> f64 {
    let noise = deviation_a.powi(2) + deviation_b.powi(2);
    (mean_a - mean_b).powi(2) / noise.max(f64::MIN_POSITIVE)
}

/// For each point one that cannot be told apart from it and one that can, drawn uniformly from those there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Triplet {
    /// The point `t`.
    pub anchor: usize,
    /// `p(t)`, Fisher ratio below the lower bound.
    pub positive: usize,
    /// `n(t)`, Fisher ratio above the upper bound.
    pub negative: usize,
}

/// Draws the triplets of a batch; a point without a positive or without a negative has none.
pub fn triplets(
    means: &[f64],
    deviations: &[f64],
    (low, high): (f64, f64),
    rng: &mut Stream,
) -> Vec<Triplet> {
    let n = means.len();
    let variances: Vec<f64> = deviations.iter().map(|s| s * s).collect();
    let mut pick = |candidates: &[u32]| candidates[rng.random_range(0..candidates.len())] as usize;
    let (mut positives, mut negatives) = (Vec::with_capacity(n), Vec::with_capacity(n));
    let mut triplets = Vec::with_capacity(n);
    for anchor in 0..n {
        positives.clear();
        negatives.clear();
        for other in 0..n {
            // Fisher's ratio against its bounds, without a division for each of the n^2 pairs.
            let difference = (means[anchor] - means[other]).powi(2);
            let noise = (variances[anchor] + variances[other]).max(f64::MIN_POSITIVE);
            if difference < low * noise {
                if other != anchor {
                    positives.push(other as u32);
                }
            } else if difference > high * noise {
                negatives.push(other as u32);
            }
        }
        if !positives.is_empty() && !negatives.is_empty() {
            triplets.push(Triplet {
                anchor,
                positive: pick(&positives),
                negative: pick(&negatives),
            });
        }
    }
    triplets
}

/// `L_oe = mean_t log(1 + exp(-(D[t, n(t)] - D[t, p(t)])))` with `D[a, b] = |g(phi_a) - g(phi_b)|`: the order embedding
/// loss and its gradient with respect to the embeddings `[n, width]`.
///
/// Zero, with a zero gradient, when there is no triplet: nothing is discriminable.
pub fn order_embedding(features: &[f32], width: usize, triplets: &[Triplet]) -> (f64, Vec<f32>) {
    let mut gradient = vec![0.0; features.len()];
    let mut loss = 0.0;
    let row = |index: usize| &features[index * width..(index + 1) * width];
    let share = 1.0 / triplets.len().max(1) as f64;
    for triplet in triplets {
        let to_positive = distance(row(triplet.anchor), row(triplet.positive));
        let to_negative = distance(row(triplet.anchor), row(triplet.negative));
        let margin = to_negative - to_positive;
        // log(1 + exp(-x)) without overflow.
        loss += share * ((-margin.abs()).exp().ln_1p() + (-margin).max(0.0));
        let pull = share / (1.0 + margin.exp());
        for (other, slope) in [
            (triplet.positive, pull / to_positive),
            (triplet.negative, -pull / to_negative),
        ] {
            for column in 0..width {
                let (a, b) = (triplet.anchor * width + column, other * width + column);
                let d = (slope * f64::from(features[a] - features[b])) as f32;
                gradient[a] += d;
                gradient[b] -= d;
            }
        }
    }
    (loss, gradient)
}

/// Euclidean distance, kept off zero where its gradient has no direction.
fn distance(a: &[f32], b: &[f32]) -> f64 {
    let squares: f64 = a
        .iter()
        .zip(b)
        .map(|(&a, &b)| f64::from(a - b).powi(2))
        .sum();
    (squares + 1e-8).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::random::{normals, stream};

    #[test]
    fn regression_by_hand() {
        // Weights 1/s = 1, 2, 4, normalised by 7; errors 1, -1, 0.
        let (loss, gradient) = regression(&[2.0, 0.0, 5.0], &[1.0, 1.0, 5.0], &[1.0, 0.5, 0.25]);
        assert!((loss - 3.0 / 7.0).abs() < 1e-12);
        for (g, expected) in gradient.iter().zip([1.0 / 7.0, -2.0 / 7.0, 0.0]) {
            assert!((g - expected).abs() < 1e-7);
        }
    }

    #[test]
    fn fisher_ratio_by_hand() {
        assert_eq!(fisher_ratio((3.0, 1.0), (1.0, 1.0)), 2.0);
        assert_eq!(fisher_ratio((1.0, 0.0), (1.0, 0.0)), 0.0);
    }

    #[test]
    fn triplets_follow_the_ratio() {
        // 0 and 1 are alike, 2 is far from both and has no positive.
        let found = triplets(
            &[0.0, 0.1, 9.0],
            &[1.0, 1.0, 1.0],
            (1.0, 4.0),
            &mut stream(0, "test", 0),
        );
        assert_eq!(
            found,
            [
                Triplet {
                    anchor: 0,
                    positive: 1,
                    negative: 2
                },
                Triplet {
                    anchor: 1,
                    positive: 0,
                    negative: 2
                },
            ]
        );
    }

    #[test]
    fn no_triplet_means_no_loss_and_no_gradient() {
        let nothing = triplets(
            &[0.0, 0.1],
            &[1.0, 1.0],
            (1.0, 4.0),
            &mut stream(0, "test", 0),
        );
        assert!(nothing.is_empty());
        assert_eq!(
            order_embedding(&[1.0, 2.0], 1, &nothing),
            (0.0, vec![0.0, 0.0])
        );
    }

    #[test]
    fn order_embedding_by_hand() {
        // Distances: to the positive 1, to the negative 3, margin 2.
        let triplet = Triplet {
            anchor: 0,
            positive: 1,
            negative: 2,
        };
        let (loss, gradient) = order_embedding(&[0.0, 1.0, 3.0], 1, &[triplet]);
        assert!((loss - (1.0 + (-2.0_f64).exp()).ln()).abs() < 1e-7);
        let pull = 1.0 / (1.0 + 2.0_f64.exp());
        // The anchor moves towards the positive and away from the negative: both pull it up.
        assert!((f64::from(gradient[0]) - (-pull + pull)).abs() < 1e-6);
        assert!((f64::from(gradient[1]) - pull).abs() < 1e-6);
        assert!((f64::from(gradient[2]) + pull).abs() < 1e-6);
    }

    #[test]
    fn order_embedding_gradient_equals_finite_differences() {
        let mut rng = stream(3, "test", 0);
        let mut features = normals(&mut rng, 12, 1.0);
        let triplets = [
            Triplet {
                anchor: 0,
                positive: 1,
                negative: 2,
            },
            Triplet {
                anchor: 3,
                positive: 0,
                negative: 1,
            },
        ];
        let (_, gradient) = order_embedding(&features, 3, &triplets);
        for index in 0..features.len() {
            let (at, h) = (features[index], 1e-3);
            features[index] = at + h;
            let high = order_embedding(&features, 3, &triplets).0;
            features[index] = at - h;
            let low = order_embedding(&features, 3, &triplets).0;
            features[index] = at;
            let numeric = (high - low) / f64::from(2.0 * h);
            assert!((numeric - f64::from(gradient[index])).abs() < 1e-3);
        }
    }

    #[test]
    fn equal_embeddings_have_a_finite_gradient() {
        let triplet = Triplet {
            anchor: 0,
            positive: 1,
            negative: 2,
        };
        let (loss, gradient) = order_embedding(&[1.0, 1.0, 1.0], 1, &[triplet]);
        assert!(loss.is_finite() && gradient.iter().all(|g| *g == 0.0));
    }
}
