//! A population over blocks of images: the same bits for any number of threads, and what single passes say.

use crate::support::{distance, images, lively, network, normal};
use metricopt_nn::population::{self, Blocks};
use metricopt_nn::{Film, Network, NetworkName};
use metricopt_sdk::tch::{Kind, Tensor, no_grad};
use metricopt_sdk::{Call, DeviceMemory, Error, ErrorKind, Result, autograd};
use rayon::{ThreadPool, ThreadPoolBuilder};
use std::cell::RefCell;
use std::ops::Range;
use std::sync::Mutex;

const BLOCKS: Blocks = Blocks {
    images: 10,
    size: 4,
};

/// A network, adapters `[3, D]` and images.
fn scene() -> (Box<dyn Network>, Tensor, Mutex<Tensor>) {
    let network = network(NetworkName::Resnet8, &lively(NetworkName::Resnet8));
    let phis = normal(&[3, network.dimensions() as i64], 3) * 0.1;
    let images = images(&*network, BLOCKS.images as i64);
    (network, phis, Mutex::new(images))
}

fn rows(images: &Mutex<Tensor>, range: &Range<usize>) -> Tensor {
    let images = images.lock().unwrap();
    images.narrow(0, range.start as i64, range.len() as i64)
}

fn pool(threads: usize) -> ThreadPool {
    let pool = ThreadPoolBuilder::new().num_threads(threads);
    pool.build().unwrap()
}

fn call(threads: usize) -> Call<'static> {
    Call {
        threads,
        cancelled: &|| false,
    }
}

#[test]
fn blocks_of_candidates_are_put_together_in_order() {
    let (network, phis, images) = scene();
    let stem = |range| network.stem(&rows(&images, &range));
    let evaluate = |threads| {
        population::logits(
            &*network,
            &phis,
            BLOCKS,
            &stem,
            &pool(threads),
            &call(threads),
        )
        .unwrap()
    };
    let found = evaluate(1);
    assert_eq!(found.size(), [3, 10, 10]);
    assert_eq!(found, evaluate(4));
    let whole = network.stem(&images.lock().unwrap()).unwrap();
    for candidate in 0..3 {
        let phi = phis.get(candidate);
        let film = Film::of(&phi, network.sites()).unwrap();
        let alone = no_grad(|| network.logits(&film, &whole)).unwrap();
        let distance = distance(&found.get(candidate), &alone);
        assert!(distance <= 1e-5, "{distance}");
    }
}

#[test]
fn one_pass_of_all_candidates_is_cut_to_what_fits() {
    let (network, phis, images) = scene();
    let images = images.lock().unwrap();
    let whole = network.stem(&images).unwrap();
    let film = Film::of(&phis, network.sites()).unwrap();
    let expected = no_grad(|| network.population_logits(&film, &whole)).unwrap();
    // Room for four images of three candidates each; the device then takes no more than two.
    let memory = DeviceMemory::new(4 * 3);
    let asked = RefCell::new(Vec::new());
    let stem = |range: Range<usize>| {
        asked.borrow_mut().push(range.clone());
        if range.len() > 2 {
            return Err(Error::failed(
                "libtorch: CUDA out of memory. Tried to allocate 1.00 GiB.",
            ));
        }
        let (start, length) = (range.start as i64, range.len() as i64);
        Ok(whole.narrow(0, start, length))
    };
    let one_pass =
        || population::logits_in_one_pass(&*network, &phis, 10, (&memory, 1), &stem, &call(1));
    let found = one_pass().unwrap();
    assert_eq!(asked.take(), [0..4, 0..2, 2..4, 4..6, 6..8, 8..10]);
    let distance = distance(&found, &expected);
    assert!(distance <= 1e-5, "{distance}");
    // What was learned is kept.
    drop(one_pass().unwrap());
    assert_eq!(asked.take().len(), 5);
}

/// Also where the device takes two of the three candidates at a time.
#[test]
fn gradients_of_all_candidates_in_one_pass_are_those_of_each() {
    let (network, phis, images) = scene();
    let images = images.lock().unwrap();
    let whole = network.stem(&images).unwrap();
    // The images of candidate `i` are the same, turned by `i`, so that each has its own.
    let stem = |candidate: usize, _: Range<usize>| Ok(whole.roll([candidate as i64], [0]));
    let loss = |candidate: usize, _: Range<usize>, logits: &Tensor| {
        Ok((logits.square() * (candidate as f64 + 1.0)).mean(Kind::Float))
    };
    let sites = network.sites().len();
    for fits in [1, 2, 3] {
        let memory = (&DeviceMemory::new(fits * 10 * sites), 1);
        let found =
            population::gradients_in_one_pass(&*network, &phis, 10, memory, &stem, &loss, &call(1))
                .unwrap();
        assert_eq!(found.gradients.size(), phis.size());
        for candidate in 0..3 {
            let (expected, gradient) = autograd(&phis.get(candidate as i64), |phi| {
                let film = Film::of(phi, network.sites())?;
                let logits = network.logits(&film, &stem(candidate, 0..10)?)?;
                loss(candidate, 0..10, &logits)
            })
            .unwrap();
            let off = (found.losses[candidate] - expected).abs();
            assert!(off <= 1e-5 * expected, "{fits}: {off}");
            let distance = distance(&found.gradients.get(candidate as i64), &gradient);
            assert!(distance <= 1e-4, "{fits}: {distance}");
        }
    }
    let memory = (&DeviceMemory::new(1), 1);
    let none = |images| {
        population::gradients_in_one_pass(&*network, &phis, images, memory, &stem, &loss, &call(1))
    };
    assert!(none(0).unwrap_err().to_string().contains("no images"));
    let endless = |_: usize, _: Range<usize>, logits: &Tensor| Ok(logits.sum(Kind::Float) / 0.0);
    let error =
        population::gradients_in_one_pass(&*network, &phis, 10, memory, &stem, &endless, &call(1))
            .unwrap_err();
    assert!(error.to_string().contains("surrogate loss"), "{error}");
}

#[test]
fn gradients_of_blocks_add_up_to_that_of_all_images() {
    let (network, phis, images) = scene();
    let labels: Vec<i64> = (0..10).map(|index| index * 3 % 10).collect();
    // The images of candidate `i` are the same, turned by `i`, so that each has its own.
    let turned = |candidate: usize| -> Tensor {
        let images = images.lock().unwrap();
        images.roll([candidate as i64], [0])
    };
    let part = |logits: &Tensor, labels: &[i64]| -> Result<Tensor> {
        let losses = logits.log_softmax(1, Kind::Float);
        let labels = Tensor::from_slice(labels).unsqueeze(1);
        Ok(-losses.gather(1, &labels, false).sum(Kind::Float) / 10.0)
    };
    let follow = |threads| {
        population::gradients(
            &*network,
            &phis,
            BLOCKS,
            &|candidate, range| {
                let images = turned(candidate);
                network.stem(&images.narrow(0, range.start as i64, range.len() as i64))
            },
            &|_, range, logits| part(logits, &labels[range]),
            &pool(threads),
            &call(threads),
        )
        .unwrap()
    };
    let found = follow(1);
    let again = follow(3);
    assert_eq!(found.losses, again.losses);
    assert_eq!(found.gradients, again.gradients);
    for candidate in 0..3 {
        let stem = network.stem(&turned(candidate)).unwrap();
        let (loss, gradient) = autograd(&phis.get(candidate as i64), |phi| {
            part(
                &network.logits(&Film::of(phi, network.sites())?, &stem)?,
                &labels,
            )
        })
        .unwrap();
        assert!((found.losses[candidate] - loss).abs() <= 1e-5 * loss.abs());
        let distance = distance(&found.gradients.get(candidate as i64), &gradient);
        assert!(distance <= 1e-4, "{distance}");
    }
}

#[test]
fn nothing_to_evaluate_and_a_wish_to_stop_are_errors() {
    let (network, phis, images) = scene();
    let stem = |range| network.stem(&rows(&images, &range));
    let none = Blocks { images: 0, size: 4 };
    let pool = pool(1);
    let error = population::logits(&*network, &phis, none, &stem, &pool, &call(1)).unwrap_err();
    assert_eq!(error.to_string(), "there are no images to evaluate");
    let stopped = Call {
        threads: 1,
        cancelled: &|| true,
    };
    let error = population::logits(&*network, &phis, BLOCKS, &stem, &pool, &stopped).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Cancelled);
}
