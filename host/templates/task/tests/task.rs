//! The contract with the host: what a run relies on, and would not notice.

use metricopt_sdk::ErrorKind;
use metricopt_sdk::prelude::*;
use metricopt_sdk::tch::{self, Device, Kind as Dtype, Tensor};

use my_task::{Config, MyTask};

const CALL: Call<'static> = Call {
    threads: 1,
    cancelled: &|| false,
};

fn open(seed: u64, call: Call<'_>) -> Result<MyTask> {
    // As the host does: the last bits of a product depend on how many threads share it.
    tch::set_num_threads(1);
    let config = Config {
        points: 3000,
        ..Config::default()
    };
    let context = Context {
        device: Device::Cpu,
        seed,
        cache: None,
        progress: &|_, _, _| (),
        call,
    };
    MyTask::open(config, &context)
}

/// Adapters that differ from each other; the first one is `phi = 0`.
fn adapters(count: i64, dimensions: i64) -> Tensor {
    let steps = Tensor::arange(count * dimensions, (Dtype::Float, Device::Cpu));
    let size = Tensor::arange(count, (Dtype::Float, Device::Cpu)) * 0.1;
    (steps * 0.7).sin().view([count, dimensions]) * size.unsqueeze(1)
}

/// The scores of each candidate on a part of the validation split.
fn scores(task: &impl Task, phis: &Tensor, part: Part) -> Result<Vec<Vec<f32>>> {
    let split = Split::Validation;
    let mut found = Vec::new();
    task.predict(phis, &Rows { split, part }, &CALL, &mut |first, views| {
        assert_eq!(first, found.len());
        for views in views {
            found.push(views.get("scores")?.f32()?.to_vec());
            // What the metrics will see has to be valid.
            Classification::from_views(views)?;
        }
        Ok(())
    })?;
    Ok(found)
}

fn batch(class_weights: &[f32]) -> Batch<'_> {
    Batch {
        split: Split::Train,
        seed: 1,
        step: 2,
        size: 1000,
        fraction: 1.0,
        class_weights,
    }
}

#[test]
fn the_network_has_learned_something() -> Result<()> {
    let task = open(0, CALL)?;
    let phi = adapters(1, task.describe().dimensions() as i64).get(0);
    let loss = f64::try_from(task.loss(&phi, &batch(&[]))?)?;
    // Who knows nothing but the share of positives, 10 %, has 0.33.
    assert!(loss < 0.25, "{loss}");
    Ok(())
}

#[test]
fn the_same_arguments_give_the_same_result() -> Result<()> {
    let (one, other) = (open(3, CALL)?, open(3, CALL)?);
    let phis = adapters(3, one.describe().dimensions() as i64);
    let before = scores(&one, &phis, Part::All)?;
    assert_eq!(before, scores(&other, &phis, Part::All)?);
    one.gradients(&phis, &[batch(&[]); 3], &CALL)?;
    assert_eq!(before, scores(&one, &phis, Part::All)?);
    assert_ne!(before, scores(&open(4, CALL)?, &phis, Part::All)?);
    Ok(())
}

#[test]
fn candidates_and_rows_do_not_depend_on_their_company() -> Result<()> {
    let task = open(0, CALL)?;
    let phis = adapters(4, task.describe().dimensions() as i64);
    let all = scores(&task, &phis, Part::All)?;
    let part = Part::Fold { index: 1, count: 3 };
    let rows = part.indices(all[0].len());
    for (candidate, all) in all.iter().enumerate() {
        let alone = scores(&task, &phis.narrow(0, candidate as i64, 1), part)?;
        assert_eq!(alone[0].len(), rows.len());
        for (&row, found) in rows.iter().zip(&alone[0]) {
            // Not to the last bit: the order of a sum depends on the shapes.
            assert!((found - all[row as usize]).abs() < 1e-5);
        }
    }
    Ok(())
}

#[test]
fn gradients_equal_finite_differences() -> Result<()> {
    let task = open(0, CALL)?;
    let dimensions = task.describe().dimensions() as i64;
    let phi = adapters(2, dimensions).get(1);
    for weights in [&[][..], &[1.0, 3.0]] {
        let (_, gradient) = autograd(&phi, |phi| task.loss(phi, &batch(weights)))?;
        for index in 0..dimensions {
            let loss = |by: f64| -> Result<f64> {
                let moved = phi.copy();
                let _ = moved.get(index).g_add_scalar_(by);
                Ok(f64::try_from(task.loss(&moved, &batch(weights))?)?)
            };
            let numeric = (loss(5e-4)? - loss(-5e-4)?) / 1e-3;
            let found = gradient.double_value(&[index]);
            assert!((numeric - found).abs() < 2e-3, "{index}: {numeric} {found}");
        }
    }
    Ok(())
}

/// A scale of 0 at the last site leaves nothing of the input: worked out by hand, all scores are equal.
#[test]
fn the_adapter_is_scale_and_then_shift() -> Result<()> {
    let task = open(0, CALL)?;
    let description = task.describe();
    let last = description.sites.last().map_or(0, |site| site.channels) as i64;
    let dimensions = description.dimensions() as i64;
    let phi = Tensor::zeros([1, dimensions], (Dtype::Float, Device::Cpu));
    let _ = phi.narrow(1, dimensions - 2 * last, last).fill_(-1.0);
    let found = scores(&task, &phi, Part::All)?;
    assert!(found[0].iter().all(|score| *score == found[0][0]));
    Ok(())
}

#[test]
fn bad_configurations_are_refused_at_once() {
    let config = Config {
        points: 1,
        blur: 2.0,
        steps: 0,
    };
    let error = MyTask::check(&config).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Configuration);
    for key in ["points", "blur", "steps"] {
        assert!(error.to_string().contains(key), "{error}");
    }
}

#[test]
fn a_wish_to_stop_is_heard() {
    let cancelled = &|| true;
    let call = Call { cancelled, ..CALL };
    let error = open(0, call).err().map(|error| error.kind());
    assert_eq!(error, Some(ErrorKind::Cancelled));
}
