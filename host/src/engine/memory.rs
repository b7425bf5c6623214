//! What network and metric answered before: a run that is resumed asks nothing twice.
//!
//! Everything between two answers is cheap and repeats exactly, since every random number and every row follows from
//! seeds and steps. So an interrupted run goes on by starting again with the answers at hand: there is no other state to
//! save, and none to get wrong.

use metricopt_sdk::{Batch, Part, Result, Rows};
use sha2::{Digest, Sha256};

/// Identifies a question by everything that the answer depends on.
pub type Key = [u8; 16];

/// Keeps answers.
pub trait Memory {
    /// The answer to a question, if it was asked before.
    ///
    /// # Errors
    ///
    /// If it cannot be read back.
    fn recall(&self, key: &Key) -> Result<Option<Vec<u8>>>;

    /// Keeps an answer.
    ///
    /// # Errors
    ///
    /// If it cannot be kept.
    fn keep(&self, key: &Key, answer: &[u8]) -> Result<()>;
}

/// Remembers nothing.
impl Memory for () {
    fn recall(&self, _: &Key) -> Result<Option<Vec<u8>>> {
        Ok(None)
    }

    fn keep(&self, _: &Key, _: &[u8]) -> Result<()> {
        Ok(())
    }
}

/// The question for losses and gradients at adapters, each with a batch.
pub fn gradients_key(phis: &[impl AsRef<[f32]>], batches: &[Batch<'_>]) -> Key {
    let mut question = Question::about("gradients", phis);
    for batch in batches {
        let numbers = [
            batch.split as u64,
            batch.seed,
            batch.step,
            batch.size as u64,
        ];
        numbers
            .into_iter()
            .for_each(|number| question.number(number));
        question.number(batch.fraction.to_bits());
        question.floats(batch.class_weights);
    }
    question.key()
}

/// The question for metric values at adapters, on the given rows.
pub fn values_key(phis: &[impl AsRef<[f32]>], rows: &Rows) -> Key {
    on_rows("values", phis, rows)
}

/// The question for predictions at adapters, on the given rows.
pub fn predictions_key(phis: &[impl AsRef<[f32]>], rows: &Rows) -> Key {
    on_rows("predictions", phis, rows)
}

fn on_rows(what: &str, phis: &[impl AsRef<[f32]>], rows: &Rows) -> Key {
    let mut question = Question::about(what, phis);
    let (part, first, second) = match rows.part {
        Part::All => (0, 0, 0),
        Part::Fold { index, count } => (1, index as u64, count as u64),
        Part::Sample { seed, size } => (2, seed, size as u64),
    };
    let numbers = [rows.split as u64, part, first, second];
    numbers
        .into_iter()
        .for_each(|number| question.number(number));
    question.key()
}

struct Question(Sha256);

impl Question {
    fn about(what: &str, phis: &[impl AsRef<[f32]>]) -> Self {
        let mut question = Self(Sha256::new_with_prefix(what));
        question.number(phis.len() as u64);
        for phi in phis {
            question.floats(phi.as_ref());
        }
        question
    }

    fn number(&mut self, number: u64) {
        self.0.update(number.to_le_bytes());
    }

    fn floats(&mut self, values: &[f32]) {
        self.number(values.len() as u64);
        for chunk in values.chunks(256) {
            let bytes: Vec<u8> = chunk.iter().flat_map(|value| value.to_le_bytes()).collect();
            self.0.update(bytes);
        }
    }

    fn key(self) -> Key {
        let digest = self.0.finalize();
        let mut key = Key::default();
        key.copy_from_slice(&digest[..16]);
        key
    }
}

/// Numbers as an answer: 64-bit ones and then 32-bit ones.
pub fn encode(wide: &[f64], narrow: &[f32]) -> Vec<u8> {
    let wide = wide.iter().flat_map(|value| value.to_le_bytes());
    let narrow = narrow.iter().flat_map(|value| value.to_le_bytes());
    wide.chain(narrow).collect()
}

/// The numbers of an answer, if it holds that many 64-bit ones and then that many 32-bit ones.
pub fn decode(answer: &[u8], wide: usize, narrow: usize) -> Option<(Vec<f64>, Vec<f32>)> {
    let (head, tail) = answer.split_at_checked(8 * wide)?;
    let (head, _) = head.as_chunks();
    let (tail, rest) = tail.as_chunks();
    (tail.len() == narrow && rest.is_empty()).then(|| {
        (
            head.iter()
                .map(|bytes| f64::from_le_bytes(*bytes))
                .collect(),
            tail.iter()
                .map(|bytes| f32::from_le_bytes(*bytes))
                .collect(),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use metricopt_sdk::Split;

    #[test]
    fn numbers_come_back_bit_for_bit() {
        let (wide, narrow) = ([0.1, -0.0, f64::MAX], [f32::MIN_POSITIVE, 3.0]);
        let answer = encode(&wide, &narrow);
        let (a, b) = decode(&answer, 3, 2).unwrap();
        assert_eq!(a.map_bits(), wide.to_vec().map_bits());
        assert_eq!(b, narrow);
        assert!(decode(&answer, 3, 3).is_none());
        assert!(decode(&answer, 5, 0).is_none());
        assert!(decode(&answer[..31], 3, 2).is_none());
    }

    trait Bits {
        fn map_bits(self) -> Vec<u64>;
    }

    impl Bits for Vec<f64> {
        fn map_bits(self) -> Vec<u64> {
            self.into_iter().map(f64::to_bits).collect()
        }
    }

    #[test]
    fn everything_that_the_answer_depends_on_is_in_the_question() {
        let batch = Batch {
            split: Split::Train,
            seed: 1,
            step: 2,
            size: 3,
            fraction: 0.5,
            class_weights: &[1.0, 2.0],
        };
        let phi = [0.5_f32, -1.0];
        let key = |phi: &[f32], batch: Batch<'_>| gradients_key(&[phi], &[batch]);
        let reference = key(&phi, batch);
        assert_eq!(reference, key(&phi, batch));
        let others = [
            key(&[0.5, 1.0], batch),
            key(
                &phi,
                Batch {
                    split: Split::Test,
                    ..batch
                },
            ),
            key(&phi, Batch { seed: 2, ..batch }),
            key(&phi, Batch { step: 3, ..batch }),
            key(&phi, Batch { size: 4, ..batch }),
            key(
                &phi,
                Batch {
                    fraction: 0.25,
                    ..batch
                },
            ),
            key(
                &phi,
                Batch {
                    class_weights: &[1.0],
                    ..batch
                },
            ),
        ];
        let rows = |part| {
            values_key(
                &[phi],
                &Rows {
                    split: Split::Test,
                    part,
                },
            )
        };
        let rows = [
            rows(Part::All),
            rows(Part::Fold { index: 0, count: 2 }),
            rows(Part::Fold { index: 1, count: 2 }),
            rows(Part::Sample { seed: 0, size: 2 }),
            values_key(&[[0.5_f32], [-1.0]], &Rows::all(Split::Test)),
            predictions_key(&[phi], &Rows::all(Split::Test)),
        ];
        let mut all: Vec<Key> = others.into_iter().chain(rows).chain([reference]).collect();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 14);
    }
}
