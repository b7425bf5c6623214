//! How far two embeddings are apart, and what is done to them beforehand so that the answer is one sum.

use metricopt_sdk::Retrieval;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How far two embeddings are apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Distance {
    /// One minus the cosine of the angle between them. A vector of zeros has no direction: it is at distance 1 from all.
    #[default]
    Cosine,
    /// The Euclidean distance.
    L2,
}

impl Distance {
    /// What all embeddings may be multiplied by before they are compared, so that no square overflows: a power of two, which rounds
    /// nothing.
    ///
    /// ```
    /// use metricopt_metrics::Distance;
    /// use metricopt_sdk::Retrieval;
    ///
    /// let input = Retrieval::new(&[0.5, -24.0], 1, &[0, 0])?;
    /// assert_eq!(Distance::common_factor(&input), 1.0 / 16.0);
    /// # Ok::<(), metricopt_sdk::Error>(())
    /// ```
    pub fn common_factor(input: &Retrieval<'_>) -> f64 {
        let queries = input.query_embeddings().unwrap_or_default();
        let all = input.embeddings().iter().chain(queries);
        let largest = all.fold(0.0_f32, |largest, x| largest.max(x.abs()));
        power_of_two_below_reciprocal(largest)
    }

    /// What each embedding of the input is multiplied by before the sums.
    pub(super) fn scaling(self, input: &Retrieval<'_>) -> Scaling {
        match self {
            Self::Cosine => Scaling::UnitLength,
            Self::L2 => Scaling::Common(Self::common_factor(input)),
        }
    }
}

/// The factor of an embedding.
#[derive(Clone, Copy, Debug)]
pub(super) enum Scaling {
    /// Its length becomes 1; zeros stay zeros.
    UnitLength,
    /// The same for all: a power of two, which rounds nothing and keeps squares from overflowing.
    Common(f64),
}

impl Scaling {
    /// The factor for this embedding.
    pub(super) fn factor(self, embedding: &[f32]) -> f64 {
        match self {
            Self::Common(factor) => factor,
            Self::UnitLength => {
                // In f64 no square of an f32 overflows or vanishes.
                let square: f64 = embedding.iter().map(|&x| f64::from(x).powi(2)).sum();
                if square > 0.0 {
                    1.0 / square.sqrt()
                } else {
                    1.0
                }
            }
        }
    }
}

/// The power of two that brings a number to between 1/2 and 2; 1 for zero.
fn power_of_two_below_reciprocal(largest: f32) -> f64 {
    if largest == 0.0 {
        return 1.0;
    }
    (-f64::from(largest).log2().floor()).exp2()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn powers_of_two_for_all_magnitudes() {
        for largest in [
            f32::from_bits(1),
            f32::MIN_POSITIVE,
            0.3,
            1.0,
            7.0,
            f32::MAX,
        ] {
            let factor = power_of_two_below_reciprocal(largest);
            assert!(
                (0.5..=2.0).contains(&(f64::from(largest) * factor)),
                "{largest}"
            );
            assert_eq!(factor.log2().fract(), 0.0, "{largest}");
        }
        assert_eq!(power_of_two_below_reciprocal(0.0), 1.0);
    }
}
