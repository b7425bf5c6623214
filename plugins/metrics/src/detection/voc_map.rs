//! The metric `voc-map`.

use metricopt_sdk::prelude::*;

use super::class_value::{ClassValue, mean};
use super::curve::{self, ClassCurve};
use super::overlap::Areas;
use super::population;
use super::ranked::Ranked;
use super::thresholds;
use super::ties::{TieOrder, Ties};
use super::truth::Truth;
use super::voc_matching::each_class;

/// How a precision-recall curve becomes one number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Interpolation {
    /// Mean of the interpolated precision at recall 0, 0.1, .. 1: VOC 2007 to 2009.
    #[default]
    ElevenPoint,
    /// Area under the interpolated curve: VOC 2010 on.
    AllPoint,
}

/// Mean average precision of detection, as in the PASCAL VOC challenge.
///
/// ```text
/// AP(c) = 1/11 sum over r in {0, 0.1, .. 1} of p(r)       eleven-point
/// AP(c) = integral over r from 0 to 1 of p(r) dr           all-point
/// p(r)  = max over r' >= r of precision(r')
/// mAP   = mean over the classes c of AP(c)
/// ```
///
/// From the highest score down, each box found looks at the object of its class and image that it overlaps most. It is
/// right if that overlap is at least `iou` and the object was not found before; if the object is difficult the box counts
/// nothing; else it is wrong, a second box on the same object too. Recall is over the objects that are not difficult.
/// Overlap is intersection over union; areas count pixels, `x2 - x1 + 1`, as the devkit's do.
///
/// The default is `eleven-point`, the definition of VOC 2007: the one year whose test annotations are public, and so the
/// number that most papers report; `all-point` is that of VOC 2010 and later, and moves with every change of the
/// ranking. Recalls are compared to exact tenths, where the devkit's `0:0.1:1` is rounded: 3 of 10 objects reach recall
/// 0.3. Equal scores: see `ties`; the devkit's is `index`.
///
/// Source: Everingham et al., The PASCAL visual object classes (VOC) challenge, IJCV 2010, and `VOCevaldet.m` of the
/// VOC devkit.
///
/// Degenerate input: undefined without an object that is not difficult; classes without one are left out of the mean.
/// 0 if nothing is found. True boxes whose corners are the wrong way round are an error.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct VocMap {
    /// How a precision-recall curve becomes one number.
    pub interpolation: Interpolation,
    /// Least intersection over union of a right box, above 0 and at most 1.
    pub iou: f64,
    /// Whether corners are pixels or points.
    pub areas: Areas,
    /// The order of equal scores.
    pub ties: Ties,
}

impl Default for VocMap {
    fn default() -> Self {
        Self {
            interpolation: Interpolation::default(),
            iou: 0.5,
            areas: Areas::InclusivePixels,
            ties: Ties::default(),
        }
    }
}

impl VocMap {
    /// Average precision of each class that has an object, by ascending label: the values that the metric is the mean of.
    ///
    /// ```
    /// use metricopt_metrics::VocMap;
    /// use metricopt_sdk::Detection;
    ///
    /// let input = Detection {
    ///     boxes: &[[0.0, 0.0, 9.0, 9.0]],
    ///     scores: &[0.8],
    ///     labels: &[3],
    ///     image_ids: &[7],
    ///     gt_boxes: &[[0.0, 0.0, 9.0, 8.0], [0.0, 0.0, 9.0, 8.0]],
    ///     gt_labels: &[3, 5],
    ///     gt_image_ids: &[7, 7],
    ///     gt_difficult: &[0, 0],
    /// };
    /// let classes = VocMap::default().per_class(input)?;
    /// assert_eq!((classes[0].label, classes[0].value), (3, 1.0));
    /// assert_eq!((classes[1].label, classes[1].value), (5, 0.0));
    /// # Ok::<(), metricopt_sdk::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If the options are out of range or tensors do not fit together.
    pub fn per_class(&self, input: Detection<'_>) -> Result<Vec<ClassValue>> {
        self.check()?;
        self.values(&self.truth(&input)?, &input)
    }

    /// The precision-recall curve of each class that has an object, by ascending label, before any interpolation.
    ///
    /// # Errors
    ///
    /// If the options are out of range or tensors do not fit together.
    pub fn curves(&self, input: Detection<'_>) -> Result<Vec<ClassCurve>> {
        self.check()?;
        let truth = self.truth(&input)?;
        let found = self.ranked(&truth, &input)?;
        let mut curves = Vec::new();
        each_class(&truth, &found, &input, self.iou, |class, precisions| {
            curves.push(ClassCurve {
                label: truth.labels.values()[class],
                objects: truth.counted(class),
                precisions,
            });
        });
        Ok(curves)
    }

    fn truth(&self, input: &Detection<'_>) -> Result<Truth> {
        Truth::new(input, self.areas, self.ties)
    }

    fn ranked(&self, truth: &Truth, input: &Detection<'_>) -> Result<Ranked> {
        let order = match self.ties {
            Ties::Content => TieOrder::ImageThenCorners,
            Ties::Index => TieOrder::Row,
        };
        Ranked::new(input, truth, order)
    }

    fn values(&self, truth: &Truth, input: &Detection<'_>) -> Result<Vec<ClassValue>> {
        let found = self.ranked(truth, input)?;
        let mut values = Vec::new();
        each_class(truth, &found, input, self.iou, |class, precisions| {
            let objects = truth.counted(class);
            values.push(ClassValue {
                label: truth.labels.values()[class],
                objects,
                found: found.len(class),
                value: self.average_precision(precisions, objects),
            });
        });
        Ok(values)
    }

    fn average_precision(&self, precisions: Vec<f64>, objects: usize) -> f64 {
        let interpolated = curve::interpolate(precisions);
        match self.interpolation {
            Interpolation::ElevenPoint => {
                // Quotients, which round as recalls do.
                let tenths: [f64; 11] = std::array::from_fn(|tenth| tenth as f64 / 10.0);
                curve::mean_at(&interpolated, objects, &tenths)
            }
            Interpolation::AllPoint => curve::area(&interpolated, objects),
        }
    }
}

impl Metric for VocMap {
    const NAME: &'static str = "voc-map";
    const DIRECTION: Direction = Direction::Maximise;
    const RANGE: (f64, f64) = (0.0, 1.0);
    const RANK_BASED: bool = true;
    const POPULATION: bool = true;
    const DETAILS: bool = true;
    type Input<'a> = Detection<'a>;

    fn check(&self) -> Result<()> {
        thresholds::check(self.iou)
    }

    fn evaluate(&self, input: Detection<'_>) -> Result<f64> {
        mean(&self.per_class(input)?)
    }

    fn details(&self, input: Detection<'_>) -> Result<Details> {
        let classes = self.per_class(input)?.into_iter().zip(self.curves(input)?);
        let details = classes.map(|(class, curve)| ClassDetails {
            class: class.label,
            value: class.value,
            count: class.objects as u64,
            curve: curve.points(),
        });
        Ok(Details {
            axes: ["recall".to_owned(), "precision".to_owned()],
            classes: details.collect(),
        })
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

register!(metric VocMap);
