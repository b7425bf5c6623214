//! A dense table in memory.

use metricopt_sdk::{Error, Result};

/// A binary-labelled table.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Table {
    /// Features, row-major `[rows, columns]`; all finite.
    pub features: Vec<f32>,
    /// Labels `[rows]`; 1 is the positive class, 0 the rest.
    pub labels: Vec<i64>,
    /// Number of features.
    pub columns: usize,
    /// Name of each feature; `feature 39` (counted from 0) where the data does not say.
    pub names: Vec<String>,
}

impl Table {
    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.labels.len()
    }

    /// The features of a row; empty if there is no such row.
    pub fn row(&self, row: usize) -> &[f32] {
        let start = row.saturating_mul(self.columns);
        self.features
            .get(start..start.saturating_add(self.columns))
            .unwrap_or_default()
    }

    /// Number of rows of the positive class.
    pub fn positives(&self) -> usize {
        self.labels.iter().filter(|&&label| label == 1).count()
    }

    /// The given rows in the given order; numbers of rows that do not exist are left out.
    pub fn gather(&self, rows: &[u32]) -> Self {
        let mut features = Vec::with_capacity(rows.len() * self.columns);
        let mut labels = Vec::with_capacity(rows.len());
        for &row in rows {
            let row = row as usize;
            if let Some(&label) = self.labels.get(row) {
                features.extend_from_slice(self.row(row));
                labels.push(label);
            }
        }
        Self {
            features,
            labels,
            columns: self.columns,
            names: self.names.clone(),
        }
    }

    /// The columns that hold anything but 0 and 1: those that [`Scaling`] acts on.
    ///
    /// ```
    /// use metricopt_tabular::data::Table;
    ///
    /// let table = Table { features: vec![0.0, 3.0, 1.0, 1.0], labels: vec![0, 1], columns: 2, names: vec![] };
    /// assert_eq!(table.numeric_columns(), [1]);
    /// ```
    pub fn numeric_columns(&self) -> Vec<usize> {
        let mut numeric = vec![false; self.columns];
        for row in self.features.chunks_exact(self.columns.max(1)) {
            for (numeric, &value) in numeric.iter_mut().zip(row) {
                *numeric |= value != 0.0 && value != 1.0;
            }
        }
        (0..self.columns)
            .zip(numeric)
            .filter_map(|(column, numeric)| numeric.then_some(column))
            .collect()
    }

    /// Fails unless both classes occur; `what` names the table.
    pub(super) fn require_both_classes(&self, what: &str) -> Result<()> {
        let (rows, positives) = (self.rows(), self.positives());
        if positives > 0 && positives < rows {
            return Ok(());
        }
        Err(Error::data(format!(
            "the {what} rows hold one class only: {positives} of {rows} are positive"
        )))
    }
}

/// Standardisation of the numeric columns to mean 0 and standard deviation 1.
///
/// Fitted on the training rows alone, so that nothing about the other splits reaches the network. Columns of zeros and
/// ones are left as they are.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scaling {
    columns: Vec<usize>,
    mean: Vec<f64>,
    deviation: Vec<f64>,
}

impl Scaling {
    /// Measures the numeric columns of the training rows.
    pub fn fit(train: &Table) -> Self {
        let columns = train.numeric_columns();
        let rows = train.rows().max(1) as f64;
        let values = |column: usize| {
            let cells = train.features.iter().skip(column);
            cells
                .step_by(train.columns.max(1))
                .map(|&value| f64::from(value))
        };
        let mean: Vec<f64> = columns
            .iter()
            .map(|&column| values(column).sum::<f64>() / rows)
            .collect();
        let deviation = columns
            .iter()
            .zip(&mean)
            .map(|(&column, mean)| {
                let variance = values(column)
                    .map(|value| (value - mean).powi(2))
                    .sum::<f64>()
                    / rows;
                // A constant column carries nothing: it becomes 0 rather than NaN.
                if variance > 0.0 { variance.sqrt() } else { 1.0 }
            })
            .collect();
        Self {
            columns,
            mean,
            deviation,
        }
    }

    /// Standardises a table of the same columns.
    pub fn apply(&self, table: &mut Table) {
        for row in table.features.chunks_exact_mut(table.columns.max(1)) {
            for ((&column, mean), deviation) in
                self.columns.iter().zip(&self.mean).zip(&self.deviation)
            {
                if let Some(value) = row.get_mut(column) {
                    *value = ((f64::from(*value) - mean) / deviation) as f32;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        Table {
            features: vec![1.0, 10.0, 5.0, 0.0, 20.0, 5.0, 1.0, 60.0, 5.0],
            labels: vec![1, 0, 1],
            columns: 3,
            names: vec!["a".into(), "b".into(), "c".into()],
        }
    }

    #[test]
    fn scaling_leaves_indicators_and_survives_constants() {
        let mut table = table();
        let scaling = Scaling::fit(&table);
        scaling.apply(&mut table);
        // Mean 30, variance (400 + 100 + 900) / 3.
        let deviation = (1400.0_f64 / 3.0).sqrt();
        let expected = [-20.0, -10.0, 30.0].map(|value| (value / deviation) as f32);
        assert_eq!(
            table.features,
            [
                1.0,
                expected[0],
                0.0,
                0.0,
                expected[1],
                0.0,
                1.0,
                expected[2],
                0.0
            ]
        );
    }

    #[test]
    fn the_statistics_of_the_training_rows_apply_to_other_rows() {
        let scaling = Scaling::fit(&table());
        let mut other = table().gather(&[1, 9]);
        scaling.apply(&mut other);
        assert_eq!(other.labels, [0]);
        assert_eq!(
            other.features[1],
            (-10.0 / (1400.0_f64 / 3.0).sqrt()) as f32
        );
    }

    #[test]
    fn a_row_that_is_not_there_is_empty() {
        assert_eq!(table().row(1), [0.0, 20.0, 5.0]);
        assert!(table().row(3).is_empty());
        assert!(table().row(usize::MAX).is_empty());
    }
}
