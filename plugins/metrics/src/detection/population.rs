//! The candidates of one step: true boxes indexed once, candidates spread over threads.

use metricopt_sdk::{Call, Detection, Result};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use super::truth::Truth;

/// The value of each candidate, in order. A value does not depend on the thread that computes it; of several errors the
/// one of the first candidate is returned.
pub(crate) fn evaluate_many(
    inputs: &[Detection<'_>],
    call: &Call<'_>,
    index: impl Fn(&Detection<'_>) -> Result<Truth>,
    value: impl Fn(&Truth, &Detection<'_>) -> Result<f64> + Sync,
) -> Result<Vec<f64>> {
    let mut truths: Vec<Truth> = Vec::new();
    let mut truth_of = Vec::with_capacity(inputs.len());
    for (at, input) in inputs.iter().enumerate() {
        if at == 0 || !same_truth(&inputs[at - 1], input) {
            truths.push(index(input)?);
        }
        truth_of.push(truths.len() - 1);
    }

    let next = AtomicUsize::new(0);
    let work = || {
        let mut done = Vec::new();
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let (Some(input), Some(&truth)) = (inputs.get(at), truth_of.get(at)) else {
                return done;
            };
            done.push((at, call.check().and_then(|()| value(&truths[truth], input))));
        }
    };
    let threads = call.threads.clamp(1, inputs.len().max(1));
    let mut done = thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
        let mut done = work();
        for other in others {
            match other.join() {
                Ok(values) => done.extend(values),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        done
    });
    done.sort_unstable_by_key(|(at, _)| *at);
    done.into_iter().map(|(_, value)| value).collect()
}

/// Whether two candidates have the same true boxes. Comparing them costs little beside a sort.
fn same_truth(a: &Detection<'_>, b: &Detection<'_>) -> bool {
    a.gt_boxes == b.gt_boxes
        && a.gt_labels == b.gt_labels
        && a.gt_image_ids == b.gt_image_ids
        && a.gt_difficult == b.gt_difficult
}
