//! Scores and labels.

use super::{FOLDS, Scorer, Source, are_distinct, increasing, sigmoid};
use crate::testkit::Sample;
use crate::testkit::draws::Draws;

/// Probabilities: binary for one column, else of as many classes as columns.
#[derive(Clone, Copy)]
pub(crate) struct Scores {
    pub(crate) columns: usize,
}

/// How near to certain a right prediction is: 0 and 1 themselves are for the degenerate inputs.
const RIGHT: f32 = 0.999;

impl Scores {
    fn classes(self) -> usize {
        self.columns.max(2)
    }

    fn sample(self, scores: Vec<f32>, labels: Vec<i64>) -> Sample {
        let name = format!("{}, {} samples", self.name(), labels.len());
        self.named(name, scores, labels)
    }

    fn named(self, name: impl Into<String>, scores: Vec<f32>, labels: Vec<i64>) -> Sample {
        let columns = (self.columns > 1).then_some(self.columns);
        Sample::new(name)
            .f32("scores", labels.len(), columns, scores)
            .i64("labels", labels)
    }

    /// Labels of every class, the last ones rarer.
    fn labels(self, draws: &mut Draws, samples: usize) -> Vec<i64> {
        let classes = self.classes();
        let mut labels: Vec<i64> = (0..samples)
            .map(|at| match at {
                at if at < 3 * classes => (at % classes) as i64,
                _ => (draws.uniform().powf(1.5) * classes as f64) as i64,
            })
            .collect();
        draws.shuffle(&mut labels);
        labels
    }

    /// Probabilities that are right more often than not, by so much.
    fn informed(self, draws: &mut Draws, label: i64, signal: f64) -> Vec<f32> {
        if self.columns == 1 {
            let side = if label == 1 { signal } else { -signal };
            return vec![sigmoid(side + 1.5 * draws.normal()) as f32];
        }
        let logits: Vec<f64> = (0..self.columns)
            .map(|class| f64::from(u8::from(class as i64 == label)) * signal + draws.normal())
            .collect();
        softmax(&logits)
    }

    fn random(self, draws: &mut Draws) -> Vec<f32> {
        if self.columns == 1 {
            return vec![(0.002 + 0.996 * draws.uniform()) as f32];
        }
        let logits: Vec<f64> = (0..self.columns).map(|_| 1.5 * draws.normal()).collect();
        softmax(&logits)
    }

    fn right(self, label: i64) -> Vec<f32> {
        match self.columns {
            1 if label == 1 => vec![RIGHT],
            1 => vec![1.0 - RIGHT],
            columns => {
                let other = (1.0 - RIGHT) / (columns - 1) as f32;
                (0..columns as i64)
                    .map(|class| if class == label { RIGHT } else { other })
                    .collect()
            }
        }
    }

    fn distinct(self, draws: &mut Draws, labels: &[i64]) -> Vec<f32> {
        let mut scores = Vec::new();
        // Equal scores are rare in 32 bits.
        for _ in 0..100 {
            scores = labels
                .iter()
                .flat_map(|&label| self.informed(draws, label, 1.2))
                .collect();
            if are_distinct(&scores, self.columns) {
                break;
            }
        }
        scores
    }
}

impl Source for Scores {
    fn name(&self) -> String {
        match self.columns {
            1 => "binary".to_owned(),
            classes => format!("{classes}-class"),
        }
    }

    fn ordinary(&self, draws: &mut Draws) -> Sample {
        let samples = 30 + draws.below(120);
        let labels = self.labels(draws, samples);
        self.sample(self.distinct(draws, &labels), labels)
    }

    fn on_grid(&self, draws: &mut Draws, steps: usize) -> Sample {
        let labels = self.labels(draws, 80);
        let scores = labels.iter().flat_map(|&label| {
            let probabilities = self.informed(draws, label, 1.2);
            if self.columns == 1 {
                // Neither 0 nor 1.
                let step = 1 + (f64::from(probabilities[0]) * (steps - 1) as f64) as usize;
                return vec![step.min(steps - 1) as f32 / steps as f32];
            }
            // Steps are handed out by chance, so that the row sums to 1 exactly.
            let mut row = vec![0.0; self.columns];
            for _ in 0..steps {
                let mut left = draws.uniform() as f32;
                let class = probabilities.iter().position(|p| {
                    left -= p;
                    left < 0.0
                });
                row[class.unwrap_or(0)] += 1.0 / steps as f32;
            }
            row
        });
        self.sample(scores.collect(), labels)
    }

    fn graded(&self, seed: u64, share: f64) -> Sample {
        let mut draws = Draws::new(seed, "graded scores", self.columns as u64);
        let labels = self.labels(&mut draws, 240);
        let scores = labels.iter().flat_map(|&label| {
            let random = self.random(&mut draws);
            if draws.uniform() < share {
                self.right(label)
            } else {
                random
            }
        });
        self.sample(scores.collect(), labels)
    }

    fn candidates(&self, draws: &mut Draws, count: usize) -> Vec<Sample> {
        let labels = self.labels(draws, 70);
        (0..count)
            .map(|_| self.sample(self.distinct(draws, &labels), labels.clone()))
            .collect()
    }

    fn transformed(&self, sample: &Sample, index: usize) -> Option<Sample> {
        let mut sample = sample.clone();
        // A map of its own for each class: only the order within a column counts.
        for (at, score) in sample.f32_mut("scores").iter_mut().enumerate() {
            *score = increasing(index + at % self.columns, *score);
        }
        Some(sample)
    }

    fn degenerate(&self) -> Vec<Sample> {
        let (columns, classes) = (self.columns, self.classes() as i64);
        let all = |what: &str, labels: &[i64], row: &dyn Fn(i64) -> Vec<f32>| {
            let scores: Vec<f32> = labels.iter().flat_map(|&label| row(label)).collect();
            self.named(format!("{what} ({})", self.name()), scores, labels.to_vec())
        };
        let certain = |class: i64| -> Vec<f32> {
            match columns {
                1 => vec![class as f32],
                _ => (0..classes)
                    .map(|c| f32::from(u8::from(c == class)))
                    .collect(),
            }
        };
        let constant = |score: f32| vec![score; columns];
        let even = 1.0 / classes as f32;
        let mixed: Vec<i64> = (0..24).map(|at| at % classes).collect();
        let mut samples = vec![
            all("no sample", &[], &|label| self.right(label)),
            all("one sample", &[classes - 1], &|label| self.right(label)),
            all("one sample of class 0", &[0], &|label| self.right(label)),
            all("labels of class 0 only", &[0; 12], &|label| {
                self.right(label)
            }),
            all("labels of the last class only", &[classes - 1; 12], &|_| {
                self.right(0)
            }),
            all("all scores equal", &mixed, &|_| constant(even)),
            all("certain and right", &mixed, &certain),
            all("certain and wrong", &mixed, &|label| {
                certain((label + 1) % classes)
            }),
            all("everything decided for class 0", &mixed, &|_| certain(0)),
            all("smallest positive scores", &mixed, &|label| {
                let mut row = constant(0.0);
                let last = row.len() - 1;
                row[(label as usize).min(last)] = f32::from_bits(1 + label as u32);
                row
            }),
            all("largest finite scores", &mixed, &|label| {
                constant(if label == 0 { f32::MIN } else { f32::MAX })
            }),
            all("scores that are no probabilities", &mixed, &|label| {
                constant(label as f32 - 1.5)
            }),
        ];
        if columns > 1 {
            let two: Vec<i64> = (0..24).map(|at| at % 2).collect();
            samples.push(all("a class without a label", &two, &certain));
            let many = Self { columns: 1000 };
            samples.push(many.named("one sample of 1000 classes", many.right(7), vec![7]));
        }
        samples
    }

    fn scorer(&self, draws: &mut Draws) -> Box<dyn Scorer> {
        let weights = draws.normals(FEATURES * self.columns);
        let features = draws.normals(FEATURES * FOLDS * ROWS);
        let mut scorer = Linear {
            source: *self,
            weights,
            features,
            labels: Vec::new(),
        };
        let at_zero = vec![0.0; scorer.dimensions()];
        scorer.labels = (0..FOLDS * ROWS)
            .map(|row| {
                // A bias that the model does not know of: there is something to gain.
                let mut left = draws.uniform() - if self.columns == 1 { 0.2 } else { 0.0 };
                match *scorer.probabilities(&at_zero, row) {
                    [p] => i64::from(left < f64::from(p)),
                    ref row => {
                        let class = row.iter().position(|&p| {
                            left -= f64::from(p);
                            left < 0.0
                        });
                        class.unwrap_or(0) as i64
                    }
                }
            })
            .collect();
        Box::new(scorer)
    }
}

fn softmax(logits: &[f64]) -> Vec<f32> {
    let highest = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let powers: Vec<f64> = logits.iter().map(|x| (x - highest).exp()).collect();
    let sum: f64 = powers.iter().sum();
    powers.iter().map(|power| (power / sum) as f32).collect()
}

const FEATURES: usize = 6;
/// Rows of a fold.
const ROWS: usize = 150;

/// Logistic regression whose features are scaled and shifted by the adapter.
struct Linear {
    source: Scores,
    /// `[columns, FEATURES]`.
    weights: Vec<f64>,
    features: Vec<f64>,
    labels: Vec<i64>,
}

impl Linear {
    fn probabilities(&self, phi: &[f64], row: usize) -> Vec<f32> {
        let (scales, shifts) = phi.split_at(FEATURES);
        let features = &self.features[row * FEATURES..(row + 1) * FEATURES];
        let adapted: Vec<f64> = features
            .iter()
            .zip(scales.iter().zip(shifts))
            .map(|(x, (scale, shift))| x * (1.0 + scale) + shift)
            .collect();
        let logits: Vec<f64> = self
            .weights
            .chunks(FEATURES)
            .map(|weights| weights.iter().zip(&adapted).map(|(w, x)| w * x).sum())
            .collect();
        match logits[..] {
            [logit] => vec![sigmoid(logit) as f32],
            _ => softmax(&logits),
        }
    }
}

impl Scorer for Linear {
    fn dimensions(&self) -> usize {
        2 * FEATURES
    }

    fn predict(&self, phi: &[f64], fold: usize) -> Sample {
        let rows = fold * ROWS..(fold + 1) * ROWS;
        let scores = rows.clone().flat_map(|row| self.probabilities(phi, row));
        self.source
            .sample(scores.collect(), self.labels[rows].to_vec())
    }
}
