//! Precision and recall as more and more boxes count as found.

/// Precision wherever another object is found: all that an interpolated precision-recall curve depends on.
#[derive(Clone, Debug, PartialEq)]
pub struct ClassCurve {
    /// The class.
    pub label: i64,
    /// Objects of the class that are not difficult, at least 1.
    pub objects: usize,
    /// Precision when `n + 1` objects are found, that is at recall `(n + 1) / objects`; from the highest score down.
    pub precisions: Vec<f64>,
}

/// Points of a curve that are enough for a picture.
const POINTS: usize = 200;

impl ClassCurve {
    /// Recall and precision where another object is found, from the highest score down; of many objects only some, evenly, the
    /// first and the last among them.
    pub(crate) fn points(&self) -> Vec<[f64; 2]> {
        let step = self.precisions.len().div_ceil(POINTS).max(1);
        let last = self.precisions.len().saturating_sub(1);
        let found = self.precisions.iter().enumerate();
        let shown = found.filter(|&(index, _)| index % step == 0 || index == last);
        let point = |(index, &precision)| [(index + 1) as f64 / self.objects as f64, precision];
        shown.map(point).collect()
    }
}

/// The interpolated precision of each number of objects found: the best from there on.
///
/// ```text
/// p(r) = max over r' >= r of precision(r')
/// ```
pub(crate) fn interpolate(mut precisions: Vec<f64>) -> Vec<f64> {
    let mut best = 0.0_f64;
    for precision in precisions.iter_mut().rev() {
        best = best.max(*precision);
        *precision = best;
    }
    precisions
}

/// Area under the interpolated curve: it is constant from one object found to the next.
pub(crate) fn area(interpolated: &[f64], objects: usize) -> f64 {
    interpolated.iter().sum::<f64>() / objects as f64
}

/// Mean of the interpolated precision at the recalls given, ascending; 0 where the recall is never reached.
pub(crate) fn mean_at(interpolated: &[f64], objects: usize, recalls: &[f64]) -> f64 {
    // Recall 0 is reached before the first object is found, where the best precision is that of the first.
    let (mut found, mut sum) = (1, 0.0);
    for &recall in recalls {
        while found <= interpolated.len() && (found as f64 / objects as f64) < recall {
            found += 1;
        }
        match interpolated.get(found - 1) {
            Some(precision) => sum += precision,
            None => break,
        }
    }
    sum / recalls.len() as f64
}
