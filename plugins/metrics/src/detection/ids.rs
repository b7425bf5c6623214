//! Numbers without gaps for labels and images.

/// Wider than this many times the number of values, a table of all numbers between would waste memory.
const SPARSE: u64 = 4;
/// A table this small never wastes memory.
const SMALL: u64 = 1 << 12;

/// What [`Ids::table`] holds where there is no value.
const NONE: u32 = u32::MAX;

/// The distinct values of a tensor, numbered from 0 in ascending order.
#[derive(Debug)]
pub(crate) struct Ids {
    sorted: Vec<i64>,
    /// Number of each value from the least to the greatest; empty where it would be too long.
    table: Vec<u32>,
}

impl Ids {
    /// Numbers the distinct values; there must be fewer than `u32::MAX`.
    pub(crate) fn of(values: &[i64]) -> Self {
        let least = values.iter().copied().min().unwrap_or(0);
        let width = values.iter().copied().max().unwrap_or(0).abs_diff(least);
        if width >= (SPARSE * values.len() as u64).max(SMALL) {
            let mut sorted = values.to_vec();
            sorted.sort_unstable();
            sorted.dedup();
            return Self {
                sorted,
                table: Vec::new(),
            };
        }
        let mut table = vec![NONE; width as usize + 1];
        for value in values {
            table[value.abs_diff(least) as usize] = 0;
        }
        let mut sorted = Vec::new();
        for (number, offset) in table.iter_mut().zip(0..) {
            if *number != NONE {
                *number = sorted.len() as u32;
                sorted.push(least + offset);
            }
        }
        Self { sorted, table }
    }

    pub(crate) fn len(&self) -> usize {
        self.sorted.len()
    }

    /// The distinct values, ascending.
    pub(crate) fn values(&self) -> &[i64] {
        &self.sorted
    }

    /// The number of a value; none if it is not among them.
    pub(crate) fn number(&self, value: i64) -> Option<u32> {
        if self.table.is_empty() {
            return self.sorted.binary_search(&value).ok().map(|at| at as u32);
        }
        let least = *self.sorted.first()?;
        if value < least {
            return None;
        }
        let number = *self.table.get(value.abs_diff(least) as usize)?;
        (number != NONE).then_some(number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dense_and_sparse_values_are_numbered_alike() {
        for values in [vec![7, 3, 3, 9], vec![i64::MAX, 3, i64::MIN, 3], vec![]] {
            let ids = Ids::of(&values);
            let mut expected = values.clone();
            expected.sort_unstable();
            expected.dedup();
            assert_eq!(ids.values(), expected);
            for (at, value) in expected.iter().enumerate() {
                assert_eq!(ids.number(*value), Some(at as u32));
            }
            for other in [0, 4, 10, -1, i64::MIN + 1, i64::MAX - 1] {
                assert_eq!(ids.number(other), None, "{values:?}");
            }
        }
    }

    #[test]
    fn far_numbers_do_not_wrap_into_the_table() {
        let ids = Ids::of(&[i64::MAX - 1, i64::MAX]);
        assert_eq!(ids.number(i64::MAX), Some(1));
        assert_eq!(ids.number(i64::MIN), None);
    }
}
