//! The same input gives the same bits.

use super::Trial;
use crate::testkit::report::{Finding, Law};

/// Threads that call the metric at once, and that a call may use.
const THREADS: usize = 4;

impl Trial<'_> {
    pub(super) fn determinism(&self) -> Finding {
        let broken = |how: String| Finding::broken(Law::Determinism, how);
        let inputs: Vec<_> = self.valued().collect();
        if inputs.is_empty() {
            return Finding::not_applicable(Law::Determinism, self.no_values());
        }
        let differs = |index: usize, threads: usize, when: &str| {
            let (sample, first) = inputs[index];
            let again = self.subject.evaluate_on(sample, threads);
            let same = again
                .value()
                .is_some_and(|value| value.to_bits() == first.to_bits());
            (!same).then(|| {
                format!(
                    "{first}, but {} {when} ({})",
                    again.describe(),
                    sample.name()
                )
            })
        };
        // Backwards: what the last call left behind must not count.
        for index in (0..inputs.len()).rev() {
            if let Some(how) = differs(index, 1, "on the same input later") {
                return broken(how);
            }
            if let Some(how) = differs(index, THREADS, "when the call may use 4 threads") {
                return broken(how);
            }
        }
        let at_once = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..THREADS)
                .map(|thread| {
                    let differs = &differs;
                    let count = inputs.len();
                    scope.spawn(move || {
                        // Each begins elsewhere, so that different inputs meet.
                        let order = (0..count).map(|at| (at + thread * count / THREADS) % count);
                        order
                            .filter_map(|index| differs(index, 1, "while other threads call too"))
                            .next()
                    })
                })
                .collect();
            // A panic of the metric is caught inside; what is left would be ours.
            threads
                .into_iter()
                .filter_map(|thread| thread.join().ok().flatten())
                .next()
        });
        if let Some(how) = at_once {
            return broken(how);
        }
        Finding::held(
            Law::Determinism,
            format!(
                "the same bits on {} inputs, called again and from {THREADS} threads at once",
                inputs.len()
            ),
        )
    }
}
