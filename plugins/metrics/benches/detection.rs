//! How long the detection metrics take: `cargo bench -p metricopt-metrics --bench detection`.
//!
//! With `DETECTION_CSV=DIR` it writes the boxes to `DIR/truth.csv` and `DIR/found.csv` first, for other implementations.

use criterion::{Criterion, criterion_group, criterion_main};
use metricopt_metrics::{AverageRecall, CocoMap, VocMap};
use metricopt_sdk::{Call, Detection, Metric};
use std::hint::black_box;
use std::path::Path;

/// About as many images, objects and boxes found as in the test of VOC 2007.
const IMAGES: u64 = 5000;
const CLASSES: u64 = 20;
const FOUND: usize = 22_500;

/// Candidates of one step of Guided-ES with four pairs.
const CANDIDATES: usize = 8;

#[derive(Clone, Default)]
struct Boxes {
    corners: Vec<[f32; 4]>,
    scores: Vec<f32>,
    labels: Vec<i64>,
    image_ids: Vec<i64>,
}

impl Boxes {
    fn push(&mut self, corners: [f32; 4], score: f32, label: i64, image: i64) {
        self.corners.push(corners);
        self.scores.push(score);
        self.labels.push(label);
        self.image_ids.push(image);
    }

    fn write(&self, path: &Path) {
        let rows = self
            .corners
            .iter()
            .zip(&self.scores)
            .zip(self.labels.iter().zip(&self.image_ids));
        let lines = rows.map(|(([x1, y1, x2, y2], score), (label, image))| {
            format!("{image},{label},{score},{x1},{y1},{x2},{y2}\n")
        });
        std::fs::write(path, lines.collect::<String>()).expect("the directory can be written");
    }
}

/// Numbers in no order, always the same.
struct Random(u64);

impl Random {
    fn uniform(&mut self) -> f32 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 40) as f32 / (1 << 24) as f32
    }

    fn below(&mut self, n: u64) -> u64 {
        (self.uniform() * n as f32) as u64 % n
    }

    fn anywhere(&mut self) -> [f32; 4] {
        let (x, y) = (300.0 * self.uniform(), 200.0 * self.uniform());
        let (width, height) = (30.0 + 170.0 * self.uniform(), 30.0 + 170.0 * self.uniform());
        [x, y, x + width, y + height]
    }
}

/// One to four objects on each image, most of them found with some error, and boxes that are wrong.
fn scene() -> (Boxes, Boxes, Vec<u8>) {
    let mut random = Random(1);
    let (mut truth, mut found, mut difficult) = (Boxes::default(), Boxes::default(), Vec::new());
    for image in 0..IMAGES {
        for _ in 0..=random.below(4) {
            let (corners, label) = (random.anywhere(), random.below(CLASSES) as i64);
            truth.push(corners, 0.0, label, image as i64);
            difficult.push(u8::from(random.below(5) == 0));
            if random.below(5) > 0 && found.labels.len() < FOUND {
                let near = corners.map(|corner| corner + 24.0 * (random.uniform() - 0.5));
                let score = 0.2 + 0.8 * random.uniform();
                found.push(near, score, label, image as i64);
            }
        }
    }
    while found.labels.len() < FOUND {
        let (corners, label) = (random.anywhere(), random.below(CLASSES) as i64);
        let image = random.below(IMAGES) as i64;
        found.push(corners, 0.8 * random.uniform(), label, image);
    }
    (truth, found, difficult)
}

fn view<'a>(truth: &'a Boxes, found: &'a Boxes, difficult: &'a [u8]) -> Detection<'a> {
    Detection {
        boxes: &found.corners,
        scores: &found.scores,
        labels: &found.labels,
        image_ids: &found.image_ids,
        gt_boxes: &truth.corners,
        gt_labels: &truth.labels,
        gt_image_ids: &truth.image_ids,
        gt_difficult: difficult,
    }
}

fn measure<M>(criterion: &mut Criterion, metric: &M)
where
    M: for<'a> Metric<Input<'a> = Detection<'a>>,
{
    let (truth, found, difficult) = scene();
    let mut group = criterion.benchmark_group(M::NAME);
    let input = view(&truth, &found, &difficult);
    group.bench_function("one", |bencher| {
        bencher.iter(|| metric.evaluate(black_box(input)));
    });

    let candidates: Vec<Boxes> = (0..CANDIDATES)
        .map(|candidate| {
            let mut random = Random(100 + candidate as u64);
            let mut found = found.clone();
            for score in &mut found.scores {
                *score *= 0.9 + 0.1 * random.uniform();
            }
            found
        })
        .collect();
    let inputs: Vec<_> = candidates
        .iter()
        .map(|found| view(&truth, found, &difficult))
        .collect();
    for threads in [1, 2] {
        let call = Call {
            threads,
            cancelled: &|| false,
        };
        group.bench_function(format!("population of 8, threads: {threads}"), |bencher| {
            bencher.iter(|| metric.evaluate_many(black_box(&inputs), &call));
        });
    }
}

fn metrics(criterion: &mut Criterion) {
    if let Some(directory) = std::env::var_os("DETECTION_CSV") {
        let (truth, found, _) = scene();
        truth.write(&Path::new(&directory).join("truth.csv"));
        found.write(&Path::new(&directory).join("found.csv"));
    }
    measure(criterion, &VocMap::default());
    measure(criterion, &CocoMap::default());
    measure(criterion, &AverageRecall::default());
}

criterion_group!(benches, metrics);
criterion_main!(benches);
