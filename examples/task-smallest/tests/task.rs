//! What a run relies on.

use metricopt_sdk::prelude::*;
use metricopt_sdk::tch::{self, Device, Tensor};

use metricopt_example_task_smallest::{Config, Smallest};

const CALL: Call<'static> = Call {
    threads: 1,
    cancelled: &|| false,
};

fn open() -> Result<Smallest> {
    // As the host does: the last bits of a product depend on how many threads share it.
    tch::set_num_threads(1);
    let context = Context {
        device: Device::Cpu,
        seed: 0,
        cache: None,
        progress: &|_, _, _| (),
        call: CALL,
    };
    Smallest::open(Config {}, &context)
}

/// The scores of each candidate on the first of 500 folds: the points 1000 and 1001.
fn scores(phis: &[[f32; 2]]) -> Result<Vec<Vec<f32>>> {
    let phis = Tensor::from_slice(phis.as_flattened()).view([-1, 2]);
    let part = Part::Fold {
        index: 0,
        count: 500,
    };
    let rows = Rows {
        split: Split::Validation,
        part,
    };
    let mut found = Vec::new();
    open()?.predict(&phis, &rows, &CALL, &mut |first, views| {
        assert_eq!(first, found.len());
        found.push(views[0].get("scores")?.f32()?.to_vec());
        assert_eq!(views[0].get("labels")?.i64()?.len(), 2);
        Ok(())
    })?;
    Ok(found)
}

/// Worked out by hand: 1000 times the golden ratio ends in .03398875, so the first point is at -1.864045.
#[test]
fn hand_worked_scores() -> Result<()> {
    let x = -1.864_045_f64;
    let sigmoid = |logit: f64| 1.0 / (1.0 + (-logit).exp());
    let found = scores(&[[0.0, 0.0], [-0.5, 2.0]])?;
    for (found, moved) in found.iter().zip([x, 0.5 * x + 2.0]) {
        let expected = sigmoid(3.0 * moved - 3.0);
        assert!((f64::from(found[0]) - expected).abs() < 1e-6, "{found:?}");
    }
    Ok(())
}

#[test]
fn gradients_equal_finite_differences() -> Result<()> {
    let task = open()?;
    let batch = Batch {
        split: Split::Train,
        seed: 1,
        step: 0,
        size: 200,
        fraction: 1.0,
        class_weights: &[],
    };
    let at = [0.2_f32, -0.1];
    let (_, gradient) = autograd(&Tensor::from_slice(&at), |phi| task.loss(phi, &batch))?;
    for index in 0..2 {
        let loss = |by: f32| -> Result<f64> {
            let mut moved = at;
            moved[index] += by;
            Ok(f64::try_from(
                task.loss(&Tensor::from_slice(&moved), &batch)?,
            )?)
        };
        let numeric = (loss(1e-2)? - loss(-1e-2)?) / 2e-2;
        let found = gradient.double_value(&[index as i64]);
        assert!((numeric - found).abs() < 1e-3, "{index}: {numeric} {found}");
    }
    Ok(())
}
