//! The smallest metric there can be: a struct without options, one function, one line to register it.
//!
//! `examples/c/smallest.c` is the same metric in C.

use metricopt_sdk::prelude::*;

/// Specificity: share of the samples of class 0 that are decided to be of class 0.
///
/// Undefined where no sample is of class 0.
#[derive(Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Specificity {}

impl Metric for Specificity {
    const NAME: &'static str = "specificity";
    const DIRECTION: Direction = Direction::Maximise;
    type Input<'a> = Classification<'a>;

    fn evaluate(&self, input: Classification<'_>) -> Result<f64> {
        let (mut of_class_0, mut found) = (0_u64, 0_u64);
        for (class, &label) in input.decisions()?.zip(input.labels()) {
            if label == 0 {
                of_class_0 += 1;
                found += u64::from(class == 0);
            }
        }
        if of_class_0 == 0 {
            return Err(Error::undefined("no samples of class 0"));
        }
        Ok(found as f64 / of_class_0 as f64)
    }
}

register!(metric Specificity);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_of_two_is_found() -> Result<()> {
        let input = Classification::binary(&[0.2, 0.7, 0.1], &[0, 0, 1])?;
        assert_eq!(Specificity {}.evaluate(input)?, 0.5);
        Ok(())
    }
}
