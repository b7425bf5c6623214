//! Wrong labels made on purpose.

use metricopt_sdk::prelude::*;
use rand::{SeedableRng, seq::SliceRandom};
use rand_pcg::Pcg64Mcg;

use super::Table;

/// Corruption of the training labels: a share of the positive rows becomes negative.
///
/// The case in which fine-tuning for the metric pays most: the network is trained on labels that are systematically
/// wrong, while the metric is observed on clean ones.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Corruption {
    /// Share of the affected rows whose label is flipped to 0, in [0, 1]; 0 is off.
    pub rate: f64,
    /// Only rows in which this feature, counted from 0, is not zero are affected; left out, all positive rows are. On
    /// a9a feature 39, being married, tells most about the label.
    pub feature: Option<usize>,
    /// Seed of the choice of rows.
    pub seed: u64,
}

/// What a corruption did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flips {
    /// Rows whose label was flipped.
    pub flipped: usize,
    /// Rows whose label could have been flipped.
    pub candidates: usize,
}

impl Corruption {
    /// Checks the ranges; whether the feature exists is known only with the data.
    ///
    /// # Errors
    ///
    /// If the rate is outside [0, 1].
    pub fn check(&self) -> Result<()> {
        if (0.0..=1.0).contains(&self.rate) {
            return Ok(());
        }
        Err(Error::configuration(format!(
            "`corruption.rate` must be 0 to 1, not {}",
            self.rate
        )))
    }

    /// Flips labels of the training rows; the same rows for the same table and seed.
    ///
    /// # Errors
    ///
    /// If the rate is outside [0, 1], there is no such feature, no row is affected, or no positive row remains.
    pub fn apply(&self, train: &mut Table) -> Result<Flips> {
        self.check()?;
        if self.rate == 0.0 {
            return Ok(Flips::default());
        }
        if let Some(feature) = self.feature
            && feature >= train.columns
        {
            return Err(Error::configuration(format!(
                "`corruption.feature` is {feature}, but the features are 0 to {}",
                train.columns.saturating_sub(1)
            )));
        }
        let is_affected = |row: &usize| {
            let value = |feature| train.row(*row).get(feature).copied().unwrap_or(0.0);
            train.labels.get(*row) == Some(&1)
                && self.feature.is_none_or(|feature| value(feature) != 0.0)
        };
        let mut rows: Vec<usize> = (0..train.rows()).filter(is_affected).collect();
        let candidates = rows.len();
        if candidates == 0 {
            return Err(Error::configuration(
                "`corruption` affects no row: no positive training row has the feature",
            ));
        }
        let flipped = (self.rate * candidates as f64).round() as usize;
        if flipped == train.positives() {
            return Err(Error::configuration(
                "`corruption` leaves no positive training row: lower its `rate`",
            ));
        }
        rows.shuffle(&mut Pcg64Mcg::seed_from_u64(self.seed));
        for row in rows.into_iter().take(flipped) {
            if let Some(label) = train.labels.get_mut(row) {
                *label = 0;
            }
        }
        Ok(Flips {
            flipped,
            candidates,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows 0..100; positive where the row is even, feature 1 set where the row is a multiple of 3.
    fn table() -> Table {
        Table {
            features: (0..100)
                .flat_map(|row| [row as f32, f32::from(u8::from(row % 3 == 0))])
                .collect(),
            labels: (0..100).map(|row| i64::from(row % 2 == 0)).collect(),
            columns: 2,
            names: vec!["row".into(), "third".into()],
        }
    }

    fn corruption(rate: f64, feature: Option<usize>) -> Corruption {
        Corruption {
            rate,
            feature,
            seed: 5,
        }
    }

    #[test]
    fn flips_only_positive_rows_with_the_feature() {
        let mut corrupted = table();
        let flips = corruption(0.6, Some(1)).apply(&mut corrupted).unwrap();
        // Multiples of 6 below 100: 17 of them; 0.6 * 17 = 10.2.
        assert_eq!((flips.flipped, flips.candidates), (10, 17));
        let changed: Vec<usize> = (0..100)
            .filter(|&row| corrupted.labels[row] != table().labels[row])
            .collect();
        assert_eq!(changed.len(), 10);
        assert!(
            changed
                .iter()
                .all(|row| row % 6 == 0 && corrupted.labels[*row] == 0)
        );
        assert_eq!(corrupted.features, table().features);
    }

    #[test]
    fn without_a_feature_all_positive_rows_are_affected() {
        let mut corrupted = table();
        let flips = corruption(0.3, None).apply(&mut corrupted).unwrap();
        assert_eq!((flips.flipped, flips.candidates), (15, 50));
        assert_eq!(corrupted.positives(), 35);
    }

    #[test]
    fn the_seed_decides() {
        let labels = |seed| {
            let mut corrupted = table();
            let corruption = Corruption {
                seed,
                ..corruption(0.5, None)
            };
            corruption.apply(&mut corrupted).unwrap();
            corrupted.labels
        };
        assert_eq!(labels(1), labels(1));
        assert_ne!(labels(1), labels(2));
    }

    #[test]
    fn off_by_default_whatever_the_table() {
        let mut corrupted = table();
        assert_eq!(
            Corruption::default().apply(&mut corrupted).unwrap(),
            Flips::default()
        );
        assert_eq!(corrupted, table());
    }

    #[test]
    fn impossible_corruptions() {
        for (corruption, reason) in [
            (corruption(1.5, None), "must be 0 to 1, not 1.5"),
            (corruption(f64::NAN, None), "must be 0 to 1, not NaN"),
            (
                corruption(0.5, Some(2)),
                "is 2, but the features are 0 to 1",
            ),
            (corruption(1.0, None), "leaves no positive training row"),
        ] {
            let mut untouched = table();
            let error = corruption.apply(&mut untouched).unwrap_err();
            assert_eq!(error.kind(), metricopt_sdk::ErrorKind::Configuration);
            assert!(error.to_string().contains(reason), "{error}");
            assert_eq!(untouched, table());
        }
        let mut zeros = table();
        zeros.features.fill(0.0);
        let error = corruption(0.5, Some(0)).apply(&mut zeros).unwrap_err();
        assert!(error.to_string().contains("affects no row"), "{error}");
    }
}
