//! The metric `coco-map`.

use metricopt_sdk::prelude::*;

use super::class_value::{ClassValue, mean};
use super::coco_matching::each_class;
use super::curve;
use super::overlap::Areas;
use super::population;
use super::ranked::Ranked;
use super::thresholds;
use super::ties::Ties;
use super::truth::Truth;

/// Mean average precision of detection, as in the COCO challenge.
///
/// ```text
/// AP(c, t) = 1/101 sum over r in {0, 0.01, .. 1} of p(r)
/// p(r)     = max over r' >= r of precision(r')
/// mAP      = mean over the classes c and the overlaps t in {0.50, 0.55, .. 0.95} of AP(c, t)
/// ```
///
/// or one overlap, `iou=0.5` for AP50 and `iou=0.75` for AP75. For each overlap, from the highest score down, a box found
/// takes the object of its class and image that it overlaps most among those not taken yet, if by at least `t`; it is
/// wrong if there is none. Of each image and class only the `max_detections` highest scores count. Areas are those of
/// points, `x2 - x1`. COCO's crowds are not represented; difficult objects are treated as the COCO API treats objects out
/// of the area range: taken only if no other is left, and whoever takes one counts nothing. Equal scores: see `ties`;
/// that of pycocotools is `index`, with images by their number.
///
/// Source: Lin et al., Microsoft COCO: common objects in context, ECCV 2014, and `cocoeval.py` of pycocotools.
///
/// Degenerate input: undefined without an object that is not difficult; classes without one are left out of the mean.
/// 0 if nothing is found. True boxes whose corners are the wrong way round are an error; boxes found so are wrong, where
/// pycocotools leaves out those of negative area.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct CocoMap {
    /// The one least intersection over union, above 0 and at most 1; without it the mean over 0.50, 0.55, .. 0.95.
    pub iou: Option<f64>,
    /// Boxes found that count of each image and class, at least 1.
    pub max_detections: usize,
    /// The order of equal scores.
    pub ties: Ties,
}

impl Default for CocoMap {
    fn default() -> Self {
        Self {
            iou: None,
            max_detections: 100,
            ties: Ties::default(),
        }
    }
}

impl CocoMap {
    /// Average precision of each class that has an object, by ascending label: the values that the metric is the mean of.
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
        let (overlaps, recalls) = (thresholds::overlaps(self.iou), thresholds::recalls());
        let mut values = Vec::new();
        let most = self.max_detections;
        each_class(truth, &found, input, &overlaps, most, |matched| {
            let objects = truth.counted(matched.class);
            let precisions = matched.precisions.iter().map(|precisions| {
                let interpolated = curve::interpolate(precisions.clone());
                curve::mean_at(&interpolated, objects, &recalls)
            });
            values.push(ClassValue {
                label: truth.labels.values()[matched.class],
                objects,
                found: found.len(matched.class),
                value: precisions.sum::<f64>() / overlaps.len() as f64,
            });
        });
        Ok(values)
    }
}

impl Metric for CocoMap {
    const NAME: &'static str = "coco-map";
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

register!(metric CocoMap);
