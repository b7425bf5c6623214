//! The parts of a detector against definitions written down plainly, and the whole against itself.

use crate::support::distance;
use metricopt_nn::Film;
use metricopt_nn::detector::coding::{decode, encode};
use metricopt_nn::detector::loss::{Scale, Targets, loss};
use metricopt_nn::detector::matching::{Object, Role, assign};
use metricopt_nn::detector::nms::{Found, suppress};
use metricopt_nn::detector::{Anchors, Corners, Detector, DetectorName, Output, Shape};
use metricopt_sdk::autograd;
use metricopt_sdk::tch::{Device, Kind, Tensor, no_grad};
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;

fn corners(rng: &mut Pcg64Mcg) -> Corners {
    let [x, y] = [0; 2].map(|_| rng.random_range(0.0..60.0_f32));
    let [width, height] = [0; 2].map(|_| rng.random_range(2.0..40.0_f32));
    [x, y, x + width, y + height]
}

fn iou(a: &Corners, b: &Corners) -> f32 {
    let side = |axis: usize| (a[axis + 2].min(b[axis + 2]) - a[axis].max(b[axis])).max(0.0);
    let area = |c: &Corners| (c[2] - c[0]) * (c[3] - c[1]);
    let shared = side(0) * side(1);
    shared / (area(a) + area(b) - shared)
}

/// What is left of a list when the surest is taken and all that it covers is struck off, again and again.
fn brute_force(mut left: Vec<Found>, threshold: f32) -> Vec<Found> {
    let mut kept = Vec::new();
    while !left.is_empty() {
        let mut surest = 0;
        for at in 1..left.len() {
            if left[at].score > left[surest].score {
                surest = at;
            }
        }
        let best = left.remove(surest);
        left.retain(|other| {
            other.class != best.class || iou(&other.corners, &best.corners) <= threshold
        });
        kept.push(best);
    }
    kept
}

#[test]
fn suppression_is_that_of_the_definition() {
    let mut rng = Pcg64Mcg::seed_from_u64(3);
    let mut suppressed = 0;
    for case in 0..500 {
        let classes = rng.random_range(1..4);
        let boxes: Vec<Found> = (0..rng.random_range(0..60))
            .map(|_| Found {
                corners: corners(&mut rng),
                score: rng.random(),
                class: rng.random_range(0..classes),
            })
            .collect();
        let threshold = [0.1, 0.3, 0.5, 0.7][case % 4];
        let expected = brute_force(boxes.clone(), threshold);
        suppressed += boxes.len() - expected.len();
        let mut found = boxes;
        suppress(&mut found, threshold, usize::MAX, &mut Vec::new());
        assert_eq!(found, expected, "case {case}");
        let mut few = found.clone();
        suppress(&mut few, threshold, 3, &mut Vec::new());
        assert_eq!(few, found[..found.len().min(3)]);
    }
    assert!(suppressed > 1000, "{suppressed}");
}

#[test]
fn a_box_survives_its_code() {
    let mut rng = Pcg64Mcg::seed_from_u64(4);
    for _ in 0..1000 {
        let (corners, anchor) = (corners(&mut rng), corners(&mut rng));
        let back = decode(&encode(&corners, &anchor), &anchor);
        for (a, b) in corners.iter().zip(back) {
            assert!((a - b).abs() < 1e-3, "{corners:?} {back:?}");
        }
    }
    // Without a bound a wild code would be an infinite box.
    let wild = decode(&[0.0, 0.0, 1e3, 1e3], &[0.0, 0.0, 16.0, 16.0]);
    assert!((wild[2] - wild[0] - 1000.0).abs() < 0.1, "{wild:?}");
}

#[test]
fn anchors_answer_for_what_they_overlap() {
    let object = |corners, class, ignored| Object {
        corners,
        class,
        ignored,
    };
    let anchors = [
        [0.0, 0.0, 10.0, 10.0],
        [0.0, 0.0, 10.0, 22.0],
        [0.0, 0.0, 10.0, 40.0],
        [50.0, 50.0, 60.0, 60.0],
    ];
    // Overlaps 1, 10 / 22, 10 / 40 and none.
    let roles = assign(&anchors, &[object([0.0, 0.0, 10.0, 10.0], 7, false)]);
    let expected = [
        Role::Object(7, [0.0; 4]),
        Role::Ignored,
        Role::Background,
        Role::Background,
    ];
    assert_eq!(roles, expected);
    // Too small for any anchor: the best one answers.
    let roles = assign(&anchors, &[object([54.0, 54.0, 56.0, 56.0], 1, false)]);
    assert!(matches!(roles[3], Role::Object(1, [x, ..]) if x == 0.0));
    // Nobody has to see what is ignored, and seeing it is no mistake.
    let roles = assign(&anchors, &[object([0.0, 0.0, 10.0, 10.0], 7, true)]);
    assert_eq!(roles[0], Role::Ignored);
    assert_eq!(assign(&anchors, &[]), [Role::Background; 4]);
}

#[test]
fn the_loss_is_that_of_a_hand_calculation() {
    // Three anchors, two classes: an object of class 1, background, and one that is left out.
    let roles = [
        Role::Object(1, [1.0, 0.0, 0.0, 0.0]),
        Role::Background,
        Role::Ignored,
    ];
    let targets = Targets::new(&[&roles], 2, Device::Cpu).unwrap();
    let output = Output {
        logits: Tensor::from_slice(&[0.0_f32, 0.0, 0.0, 2.0, 9.0, 9.0]).view([1, 3, 2]),
        codes: Tensor::zeros([1, 3, 4], (Kind::Float, Device::Cpu)),
    };
    let term = |p: f64, alpha: f64| -alpha * (1.0 - p).powi(2) * p.ln();
    let background = 1.0 / (1.0 + 2.0_f64.exp());
    let focal = term(0.5, 0.75) + term(0.5, 0.25) + term(0.5, 0.75) + term(background, 0.75);
    let expected = (focal + (1.0 - 0.5 / 9.0)) / 2.0;
    let found = |network: DetectorName, objects| {
        let scale = Scale {
            terms: network.terms(),
            objects,
            images: 1.0,
        };
        let found = loss(&output, &targets, &scale, None).unwrap();
        found.double_value(&[])
    };
    let tiny = found(DetectorName::Tiny, 2.0);
    assert!((tiny - expected).abs() < 1e-6, "{tiny} {expected}");
    // L1 in place of smooth L1, over the one object of the one image, whatever the rest of the minibatch holds.
    let retinanet = found(DetectorName::RetinanetResnet18, 2.0);
    assert!((retinanet - (focal + 1.0)).abs() < 1e-6, "{retinanet}");
}

/// Without the one whose 32 million random weights take seconds.
const QUICK: [DetectorName; 2] = [DetectorName::Tiny, DetectorName::RetinanetResnet18];

/// For grey images and three classes.
fn detector(network: DetectorName) -> Detector {
    let shape = Shape::new(network, 1, 3);
    Detector::build(shape, &shape.initialise(1).unwrap(), Device::Cpu).unwrap()
}

fn images(count: i64, [height, width]: [i64; 2]) -> Tensor {
    let values: Vec<f32> = (0..count * height * width)
        .map(|at| (at as f32 * 0.37).sin() + (at as f32 * 0.011).cos())
        .collect();
    Tensor::from_slice(&values).view([count, 1, height, width])
}

#[test]
fn there_is_an_output_for_each_anchor_of_images_of_any_size() {
    for network in QUICK {
        let detector = detector(network);
        for size in [[64, 64], [40, 72], [33, 47]] {
            let stem = detector.stem(&images(2, size)).unwrap();
            let output = no_grad(|| detector.plain_output(&stem)).unwrap();
            let anchors = Anchors::new(network, size.map(|side| side as usize));
            let count = anchors.boxes().len() as i64;
            assert_eq!(output.logits.size(), [2, count, 3], "{network} {size:?}");
            assert_eq!(output.codes.size(), [2, count, 4], "{network} {size:?}");
        }
        let colour = Tensor::zeros([1, 3, 64, 64], (Kind::Float, Device::Cpu));
        assert!(detector.stem(&colour).is_err());
    }
}

#[test]
fn without_an_adapter_the_network_is_unmodified_and_a_folded_one_is_the_same_network() {
    for network in QUICK {
        let (moved, difference) = folding(network);
        assert!(
            difference < 1e-5 && moved > 1e-3,
            "{network} {difference} {moved}"
        );
    }
}

/// Asserts that `phi = 0` changes nothing. How far another adapter moves the logits, and how far those of the network into which
/// it is folded are from them; for RetinaNet, whose random weights give large numbers, over the largest.
fn folding(network: DetectorName) -> (f64, f64) {
    let detector = detector(network);
    let stem = detector.stem(&images(2, [64, 64])).unwrap();
    let dimensions = detector.dimensions() as i64;
    let zero = Tensor::zeros([dimensions], (Kind::Float, Device::Cpu));
    let at = |detector: &Detector, phi: &Tensor| {
        let film = Film::of(phi, detector.sites()).unwrap();
        no_grad(|| detector.output(&film, &stem)).unwrap()
    };
    let (plain, same) = (
        no_grad(|| detector.plain_output(&stem)).unwrap(),
        at(&detector, &zero),
    );
    assert_eq!(plain.logits, same.logits);
    assert_eq!(plain.codes, same.codes);
    let phi = (Tensor::arange(dimensions, (Kind::Float, Device::Cpu)) * 0.7).sin() * 0.1;
    let adapted = at(&detector, &phi);
    let shape = Shape::new(network, 1, 3);
    let folded = Detector::build(shape, &detector.fold(&phi).unwrap(), Device::Cpu).unwrap();
    let folded = no_grad(|| folded.plain_output(&stem)).unwrap();
    let moved = distance(&adapted.logits, &plain.logits);
    (moved, distance(&adapted.logits, &folded.logits))
}

#[test]
fn a_population_in_one_pass_says_what_single_passes_say() {
    for network in QUICK {
        let detector = detector(network);
        let stem = detector.stem(&images(2, [64, 64])).unwrap();
        let dimensions = detector.dimensions() as i64;
        let steps = Tensor::arange(3 * dimensions, (Kind::Float, Device::Cpu));
        let phis = ((steps * 0.7).sin() * 0.1).view([3, dimensions]);
        let film = Film::of(&phis, detector.sites()).unwrap();
        let population = no_grad(|| detector.population_output(&film, &stem)).unwrap();
        assert_eq!(population.len(), 3);
        for (candidate, together) in (0..).zip(&population) {
            let phi = phis.get(candidate);
            let film = Film::of(&phi, detector.sites()).unwrap();
            let alone = no_grad(|| detector.output(&film, &stem)).unwrap();
            let logits = distance(&together.logits, &alone.logits);
            let codes = distance(&together.codes, &alone.codes);
            assert!(logits < 1e-5 && codes < 1e-5, "{network} {logits} {codes}");
        }
        let one = Film::of(&phis.get(0), detector.sites()).unwrap();
        assert!(detector.population_output(&one, &stem).is_err());
    }
}

#[test]
fn the_gradient_is_that_of_finite_differences() {
    let network = DetectorName::Tiny;
    let detector = detector(network);
    let stem = detector.stem(&images(2, [64, 64])).unwrap();
    let object = |corners, class| Object {
        corners,
        class,
        ignored: false,
    };
    let anchors = Anchors::new(network, [64, 64]);
    let roles = [
        assign(anchors.boxes(), &[object([5.0, 8.0, 25.0, 30.0], 0)]),
        assign(anchors.boxes(), &[object([30.0, 30.0, 58.0, 60.0], 2)]),
    ];
    let roles: Vec<&[Role]> = roles.iter().map(Vec::as_slice).collect();
    let targets = Targets::new(&roles, 3, Device::Cpu).unwrap();
    let weights = Tensor::from_slice(&[0.5_f32, 1.0, 1.5]);
    let value = |phi: &Tensor| {
        let film = Film::of(phi, detector.sites())?;
        let output = detector.output(&film, &stem)?;
        let scale = Scale {
            terms: network.terms(),
            objects: 4.0,
            images: 2.0,
        };
        loss(&output, &targets, &scale, Some(&weights))
    };
    let dimensions = detector.dimensions() as i64;
    let phi = (Tensor::arange(dimensions, (Kind::Float, Device::Cpu)) * 0.7).sin() * 0.05;
    let (_, gradient) = autograd(&phi, value).unwrap();
    // Along the gradient the difference is large against the rounding of f32.
    let along = &gradient / gradient.norm();
    let step = 2e-3;
    let at = |factor: f64| {
        no_grad(|| value(&(&phi + &along * factor)))
            .unwrap()
            .double_value(&[])
    };
    let difference = (at(step) - at(-step)) / (2.0 * step);
    let slope = gradient.norm().double_value(&[]);
    assert!(
        (difference - slope).abs() < 0.02 * slope,
        "{difference} {slope}"
    );
}
