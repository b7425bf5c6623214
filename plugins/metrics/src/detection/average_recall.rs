//! The metric `average-recall`.

use metricopt_sdk::prelude::*;

use super::class_value::{ClassValue, mean};
use super::coco_matching::each_class;
use super::overlap::Areas;
use super::population;
use super::ranked::Ranked;
use super::thresholds;
use super::ties::Ties;
use super::truth::Truth;

/// Average recall of detection, as in the COCO challenge.
///
/// ```text
/// AR = mean over the classes c and the overlaps t in {0.50, 0.55, .. 0.95} of found(c, t) / objects(c)
/// ```
///
/// or at one overlap, with `iou`. Boxes found match objects as in `coco-map`; of each image and class only the
/// `max_detections` highest scores count: 1, 10 and 100 are COCO's AR1, AR10 and AR100. Difficult objects need not be
/// found. Scores matter only where there are more boxes than that, or several for one object.
///
/// Source: Hosang et al., What makes for effective detection proposals?, TPAMI 2016; as computed by `cocoeval.py` of
/// pycocotools.
///
/// Degenerate input: undefined without an object that is not difficult; classes without one are left out of the mean.
/// 0 if nothing is found. True boxes whose corners are the wrong way round are an error.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AverageRecall {
    /// The one least intersection over union, above 0 and at most 1; without it the mean over 0.50, 0.55, .. 0.95.
    pub iou: Option<f64>,
    /// Boxes found that count of each image and class, at least 1.
    pub max_detections: usize,
    /// The order of equal scores.
    pub ties: Ties,
}

impl Default for AverageRecall {
    fn default() -> Self {
        Self {
            iou: None,
            max_detections: 100,
            ties: Ties::default(),
        }
    }
}

impl AverageRecall {
    /// Recall of each class that has an object, by ascending label: the values that the metric is the mean of.
    ///
    /// # Errors
    ///
    /// If the options are out of range or tensors do not fit together.
    pub fn per_class(&self, input: Detection<'_>) -> Result<Vec<ClassValue>> {
        self.check()?;
        self.values(&self.truth(&input)?, &input)
    }

    fn truth(&self, input: &Detection<'_>) -> Result<Truth> {
        Truth::new(input, Areas::Continuous, self.ties)
    }

    fn values(&self, truth: &Truth, input: &Detection<'_>) -> Result<Vec<ClassValue>> {
        let found = Ranked::new(input, truth, self.ties.by_image())?;
        let overlaps = thresholds::overlaps(self.iou);
        let mut values = Vec::new();
        let most = self.max_detections;
        each_class(truth, &found, input, &overlaps, most, |matched| {
            let objects = truth.counted(matched.class);
            let hits: usize = matched.precisions.iter().map(Vec::len).sum();
            values.push(ClassValue {
                label: truth.labels.values()[matched.class],
                objects,
                found: found.len(matched.class),
                value: hits as f64 / (objects * overlaps.len()) as f64,
            });
        });
        Ok(values)
    }
}

impl Metric for AverageRecall {
    const NAME: &'static str = "average-recall";
    const DIRECTION: Direction = Direction::Maximise;
    const RANGE: (f64, f64) = (0.0, 1.0);
    const RANK_BASED: bool = true;
    const POPULATION: bool = true;
    type Input<'a> = Detection<'a>;

    fn check(&self) -> Result<()> {
        thresholds::check_coco(self.iou, self.max_detections)
    }

    fn evaluate(&self, input: Detection<'_>) -> Result<f64> {
        mean(&self.per_class(input)?)
    }

    fn evaluate_many(&self, inputs: &[Detection<'_>], call: &Call<'_>) -> Result<Vec<f64>> {
        self.check()?;
        population::evaluate_many(
            inputs,
            call,
            |input| self.truth(input),
            |truth, input| mean(&self.values(truth, input)?),
        )
    }
}

register!(metric AverageRecall);
