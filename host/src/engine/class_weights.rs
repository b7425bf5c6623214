//! Which weights of the classes the class-weighted loss is tried with.

use metricopt_sdk::{Classification, Result};

/// From this ratio of the largest to the smallest class on, the inverse of the class sizes is tried too.
const IMBALANCED: f64 = 2.0;

/// The weights of the two classes of a binary task: each factor on the positive class.
pub fn of_two(factors: &[f64]) -> Vec<Vec<f32>> {
    factors
        .iter()
        .map(|&factor| vec![1.0, factor as f32])
        .collect()
}

/// The weights of several classes, by what the pre-trained network does on validation: each factor on the class that it
/// recognises worst, the others between 1 and the factor in proportion to their error rate. Where the sizes of the classes
/// differ by a factor of two, the inverse of the sizes too, which is what is usually tried.
///
/// None without factors; none by error rates where nothing is wrong. A class without a label has the weight 1.
///
/// # Errors
///
/// Those of decisions.
pub fn of_several(factors: &[f64], predictions: Classification<'_>) -> Result<Vec<Vec<f32>>> {
    if factors.is_empty() {
        return Ok(Vec::new());
    }
    let (mut labelled, mut missed) = (
        vec![0_u32; predictions.classes()],
        vec![0_u32; predictions.classes()],
    );
    for (decision, &label) in predictions.decisions()?.zip(predictions.labels()) {
        let label = label as usize;
        labelled[label] += 1;
        missed[label] += u32::from(decision != label);
    }
    let errors: Vec<f64> = labelled
        .iter()
        .zip(&missed)
        .map(|(&labelled, &missed)| f64::from(missed) / f64::from(labelled.max(1)))
        .collect();
    let worst = errors.iter().copied().fold(0.0, f64::max);
    let mut weightings = Vec::new();
    if worst > 0.0 {
        weightings.extend(factors.iter().map(|factor| -> Vec<f32> {
            let weight = |error: &f64| (1.0 + (factor - 1.0) * error / worst) as f32;
            errors.iter().map(weight).collect()
        }));
    }
    let sizes = || labelled.iter().filter(|&&size| size > 0);
    let largest = f64::from(sizes().copied().max().unwrap_or(0));
    let smallest = f64::from(sizes().copied().min().unwrap_or(0));
    if largest > IMBALANCED * smallest {
        let weight = |&size: &u32| match size {
            0 => 1.0,
            size => (largest / f64::from(size)) as f32,
        };
        weightings.push(labelled.iter().map(weight).collect());
    }
    Ok(weightings)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Predictions of three classes that decide for `decisions`.
    fn weights(factors: &[f64], labels: &[i64], decisions: &[usize]) -> Vec<Vec<f32>> {
        let mut scores = vec![0.0; 3 * labels.len()];
        for (row, &decision) in decisions.iter().enumerate() {
            scores[3 * row + decision] = 1.0;
        }
        let predictions = Classification::multiclass(&scores, labels, 3).unwrap();
        of_several(factors, predictions).unwrap()
    }

    #[test]
    fn the_factor_is_for_the_class_recognised_worst() {
        // Class 0 is always right, class 1 in half of the cases, class 2 never.
        let found = weights(&[3.0, 0.5], &[0, 0, 1, 1, 2, 2], &[0, 0, 1, 0, 0, 1]);
        assert_eq!(found, [[1.0, 2.0, 3.0], [1.0, 0.75, 0.5]]);
        assert!(weights(&[3.0], &[0, 1, 2], &[0, 1, 2]).is_empty());
        assert!(weights(&[], &[0, 1, 2], &[1, 1, 1]).is_empty());
    }

    #[test]
    fn sizes_count_where_they_differ() {
        let labels = [0, 0, 0, 0, 0, 0, 1, 1];
        let right: Vec<usize> = labels.iter().map(|&label| label as usize).collect();
        assert_eq!(weights(&[3.0], &labels, &right), [[1.0, 3.0, 1.0]]);
    }
}
