//! `metrics.csv`: every number of `events.jsonl`, one a row, for spreadsheets and data frames.

use std::fmt::Write;

use super::scalars::Reading;

/// The table in the making, as text.
///
/// Names are the engine's own, without commas or quotes. Numbers are written so that reading them gives the same bits;
/// what does not apply is empty.
#[derive(Debug)]
pub(super) struct MetricsTable(String);

impl Default for MetricsTable {
    fn default() -> Self {
        Self("method,step,name,value,queries,attempt\n".to_owned())
    }
}

impl MetricsTable {
    pub(super) fn add(&mut self, reading: &Reading) {
        let cell = |number: Option<u64>| number.map(|it| it.to_string()).unwrap_or_default();
        let step = cell(reading.step.map(|step| step as u64));
        let attempt = cell(reading.attempt.map(|attempt| attempt as u64));
        let queries = cell(reading.queries);
        for scalar in &reading.scalars {
            // Writing to a `String` cannot fail.
            let _ = writeln!(
                self.0,
                "{},{step},{},{:?},{queries},{attempt}",
                reading.method, scalar.name, scalar.value
            );
        }
    }

    /// The file as it stands.
    pub(super) fn contents(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::super::scalars::Scalar;
    use super::*;

    #[test]
    fn what_does_not_apply_is_empty() {
        let scalar = |value| Scalar { name: "t", value };
        let mut table = MetricsTable::default();
        table.add(&Reading {
            method: "acceptance".to_owned(),
            attempt: None,
            step: None,
            queries: None,
            scalars: vec![scalar(0.1), scalar(f64::INFINITY)],
        });
        table.add(&Reading {
            method: "es".to_owned(),
            attempt: Some(1),
            step: Some(5),
            queries: Some(42),
            scalars: vec![scalar(1e-300)],
        });
        assert_eq!(
            String::from_utf8_lossy(table.contents()),
            "method,step,name,value,queries,attempt\nacceptance,,t,0.1,,\nacceptance,,t,inf,,\nes,5,t,1e-300,42,1\n"
        );
    }
}
