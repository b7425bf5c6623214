//! Ranks of the relevant items of one query, found without sorting the others.

/// An item as one query sees it: nearer ones first, of equally near ones the smaller row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Seen {
    /// In the order of the distances; never NaN or minus zero, since it is a sum of finite terms that begins at zero.
    pub(super) far: f32,
    /// The row in the gallery.
    pub(super) row: usize,
}

impl Seen {
    fn is_before(self, other: Self) -> bool {
        self.far < other.far || (self.far == other.far && self.row < other.row)
    }
}

/// A relevant item that may still count.
#[derive(Clone, Copy, Debug)]
struct Target {
    item: Seen,
    /// Items of other classes between the target before it and itself.
    others: usize,
}

/// What of the ranks is wanted: the fewer, the less is done.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted {
    /// So many of the nearest relevant items.
    pub(super) targets: usize,
    /// Only ranks below it.
    pub(super) within: usize,
}

/// The nearest relevant items of one query, with the number of other items seen in front of each.
///
/// Items of other classes may be offered in any order. A target whose rank has grown out of what is wanted is dropped, so
/// that the distance beyond which nothing matters shrinks as items are seen: most never come past it.
#[derive(Debug, Default)]
pub(super) struct Ranking {
    targets: Vec<Target>,
    /// Items of other classes in front of the last target.
    others: usize,
    within: usize,
}

impl Ranking {
    /// Begins anew with the relevant items, in any order, which are used up.
    pub(super) fn begin(&mut self, relevant: &mut Vec<Seen>, wanted: Wanted) {
        let count = wanted.targets.min(wanted.within).min(relevant.len());
        let order = |a: &Seen, b: &Seen| a.far.total_cmp(&b.far).then(a.row.cmp(&b.row));
        if count < relevant.len() {
            relevant.select_nth_unstable_by(count, order);
            relevant.truncate(count);
        }
        relevant.sort_unstable_by(order);
        self.targets.clear();
        let targets = relevant.drain(..);
        self.targets
            .extend(targets.map(|item| Target { item, others: 0 }));
        self.others = 0;
        self.within = wanted.within;
    }

    /// The distance beyond which no item matters; minus infinity once none does.
    pub(super) fn reach(&self) -> f32 {
        self.targets
            .last()
            .map_or(f32::NEG_INFINITY, |last| last.item.far)
    }

    /// Counts an item of another class.
    pub(super) fn offer(&mut self, item: Seen) {
        let behind = self
            .targets
            .partition_point(|target| target.item.is_before(item));
        let Some(target) = self.targets.get_mut(behind) else {
            return;
        };
        target.others += 1;
        self.others += 1;
        while let Some(last) = self.targets.last()
            && self.targets.len() - 1 + self.others >= self.within
        {
            self.others -= last.others;
            self.targets.pop();
        }
    }

    /// The ranks of the wanted relevant items, from 0 on, ascending.
    pub(super) fn ranks(&self) -> impl Iterator<Item = usize> {
        let mut others = 0;
        self.targets
            .iter()
            .enumerate()
            .map(move |(before, target)| {
                others += target.others;
                before + others
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ranks(wanted: Wanted, relevant: &[(f32, usize)], others: &[(f32, usize)]) -> Vec<usize> {
        let seen = |&(far, row): &(f32, usize)| Seen { far, row };
        let mut ranking = Ranking::default();
        ranking.begin(&mut relevant.iter().map(seen).collect(), wanted);
        others.iter().map(seen).for_each(|item| ranking.offer(item));
        ranking.ranks().collect()
    }

    #[test]
    fn equally_near_items_are_ordered_by_row() {
        let all = Wanted {
            targets: usize::MAX,
            within: usize::MAX,
        };
        let relevant = [(0.0, 4), (1.0, 2), (1.0, 6)];
        let others = [(1.0, 5), (0.0, 3), (1.0, 1), (2.0, 0), (1.0, 7)];
        // Rows in order: 3 4 | 1 2 5 6 7 | 0.
        assert_eq!(ranks(all, &relevant, &others), [1, 3, 5]);
        assert_eq!(
            ranks(Wanted { targets: 2, ..all }, &relevant, &others),
            [1, 3]
        );
        assert_eq!(
            ranks(Wanted { within: 4, ..all }, &relevant, &others),
            [1, 3]
        );
        assert_eq!(ranks(Wanted { within: 3, ..all }, &relevant, &others), [1]);
        assert!(ranks(Wanted { within: 1, ..all }, &relevant, &others).is_empty());
    }

    #[test]
    fn what_cannot_matter_is_out_of_reach() {
        let mut ranking = Ranking::default();
        let wanted = Wanted {
            targets: 2,
            within: 2,
        };
        let mut relevant: Vec<Seen> = (1..4_u8)
            .map(|at| Seen {
                far: f32::from(at),
                row: at.into(),
            })
            .collect();
        ranking.begin(&mut relevant, wanted);
        assert_eq!(ranking.reach(), 2.0);
        ranking.offer(Seen { far: 0.5, row: 9 });
        assert_eq!(ranking.reach(), 1.0);
        ranking.offer(Seen { far: 0.25, row: 8 });
        assert_eq!(ranking.reach(), f32::NEG_INFINITY);
    }
}
