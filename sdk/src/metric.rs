//! Metrics: the black boxes that a network is tuned for.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;
use std::fmt;

use crate::{Error, Kind, Predictions, Result, Views, config};

/// Which way a metric improves.
///
/// ```
/// use metricopt_sdk::Direction;
///
/// assert!(Direction::Maximise.is_better(0.9, 0.8));
/// assert!(!Direction::Minimise.is_better(0.8, 0.8));
/// assert_eq!(Direction::Maximise.sign() * 0.9, -0.9);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// Lower is better.
    Minimise,
    /// Higher is better.
    Maximise,
}

impl Direction {
    /// `+1` to minimise, `-1` to maximise: `sign * value` is what the engine minimises.
    pub const fn sign(self) -> f64 {
        match self {
            Direction::Minimise => 1.0,
            Direction::Maximise => -1.0,
        }
    }

    /// Whether `candidate` is strictly better than `incumbent`.
    pub fn is_better(self, candidate: f64, incumbent: f64) -> bool {
        self.sign() * candidate < self.sign() * incumbent
    }
}

impl fmt::Display for Direction {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Direction::Minimise => "minimise",
            Direction::Maximise => "maximise",
        })
    }
}

/// A metric: a plain struct whose fields are its configuration.
///
/// The doc comment of the struct is what `host describe` shows: give the definition and its source. A metric has no
/// gradient and needs none. It must be a pure function of its input: the engine calls it from several threads.
///
/// ```
/// use metricopt_sdk::prelude::*;
///
/// /// Share of samples whose decision differs from the label.
/// #[derive(Default, Serialize, Deserialize, JsonSchema)]
/// #[serde(default, deny_unknown_fields)]
/// struct ErrorRate {}
///
/// impl Metric for ErrorRate {
///     const NAME: &'static str = "error-rate";
///     const DIRECTION: Direction = Direction::Minimise;
///     const RANGE: (f64, f64) = (0.0, 1.0);
///     type Input<'a> = Classification<'a>;
///
///     fn evaluate(&self, input: Classification<'_>) -> Result<f64> {
///         if input.is_empty() {
///             return Err(Error::undefined("no samples"));
///         }
///         let wrong = input.decisions()?.zip(input.labels()).filter(|&(class, &label)| class as i64 != label);
///         Ok(wrong.count() as f64 / input.len() as f64)
///     }
/// }
/// register!(metric ErrorRate);
///
/// let value = ErrorRate {}.evaluate(Classification::binary(&[0.9, 0.2, 0.6, 0.4], &[1, 0, 0, 0])?)?;
/// assert_eq!(value, 0.25);
/// # Ok::<(), metricopt_sdk::Error>(())
/// ```
pub trait Metric:
    Default + Serialize + DeserializeOwned + JsonSchema + Send + Sync + 'static
{
    /// The name users type: lower case with hyphens.
    const NAME: &'static str;
    /// Which way it improves.
    const DIRECTION: Direction;
    /// The least and the greatest value it can take. A value outside is reported as a fault of the metric.
    const RANGE: (f64, f64) = (f64::NEG_INFINITY, f64::INFINITY);
    /// The prediction kind it takes.
    type Input<'a>: Predictions<'a>;

    /// Checks the configuration beyond what its types say.
    ///
    /// # Errors
    ///
    /// Names each field out of range.
    fn check(&self) -> Result<()> {
        Ok(())
    }

    /// The value on one set of predictions, in its natural sense (an F1 of 0.68 is 0.68).
    ///
    /// # Errors
    ///
    /// [`Error::undefined`] where the definition gives no value; never NaN.
    fn evaluate(&self, input: Self::Input<'_>) -> Result<f64>;
}

/// A configured metric behind one face, whether compiled in or loaded: what the engine calls.
///
/// A registered [`MetricEntry`] makes one from JSON:
///
/// ```
/// use metricopt_sdk::{MetricEntry, OwnedClassification, prelude::*};
///
/// /// Number of samples.
/// #[derive(Default, Serialize, Deserialize, JsonSchema)]
/// #[serde(default, deny_unknown_fields)]
/// struct Count {}
///
/// impl Metric for Count {
///     const NAME: &'static str = "count";
///     const DIRECTION: Direction = Direction::Maximise;
///     type Input<'a> = Classification<'a>;
///
///     fn evaluate(&self, input: Classification<'_>) -> Result<f64> {
///         Ok(input.len() as f64)
///     }
/// }
///
/// let entry = MetricEntry::of::<Count>("my-package", "0.1.0");
/// let metric = (entry.create)(&(entry.defaults)())?;
/// let owned: OwnedClassification = Classification::binary(&[0.2, 0.7], &[0, 1])?.to_owned();
/// assert_eq!(owned.with_views(|views| metric.evaluate(views))?, 2.0);
/// assert!((entry.create)(&serde_json::json!({"size": 3})).is_err());
/// # Ok::<(), metricopt_sdk::Error>(())
/// ```
pub trait DynMetric: Send + Sync {
    /// The value on one set of named tensors: finite and within the metric's range.
    ///
    /// # Errors
    ///
    /// If the tensors do not fit the prediction kind, the metric has no value there or returns one that is not finite
    /// or out of range.
    fn evaluate(&self, views: &Views<'_>) -> Result<f64>;

    /// The whole configuration, defaults included.
    fn config(&self) -> Value;
}

struct Configured<M>(M);

impl<M: Metric> DynMetric for Configured<M> {
    fn evaluate(&self, views: &Views<'_>) -> Result<f64> {
        let value = self.0.evaluate(M::Input::from_views(views)?)?;
        let (low, high) = M::RANGE;
        // Rounding may carry a sum of ratios past its bound by a few units in the last place.
        let slack = 1e-9 * (high - low).min(1.0);
        if !value.is_finite() || value < low - slack || value > high + slack {
            return Err(Error::failed(format!(
                "metric `{}` returned {value}, outside its range [{low}, {high}]",
                M::NAME
            )));
        }
        Ok(value.clamp(low, high))
    }

    fn config(&self) -> Value {
        config::to_json(&self.0)
    }
}

/// A metric as registered: everything the host knows of it without configuring it.
///
/// Plain values and functions over JSON, nothing a C table could not carry.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct MetricEntry {
    /// The name users type.
    pub name: &'static str,
    /// Package that registered it.
    pub package: &'static str,
    /// Version of that package.
    pub version: &'static str,
    /// Which way it improves.
    pub direction: Direction,
    /// The least and the greatest value.
    pub range: (f64, f64),
    /// The prediction kind it takes.
    pub kind: Kind,
    /// JSON schema of the configuration; its `description` is the documentation.
    pub schema: fn() -> Value,
    /// The default configuration.
    pub defaults: fn() -> Value,
    /// Configures the metric.
    pub create: fn(&Value) -> Result<Box<dyn DynMetric>>,
}

impl MetricEntry {
    /// The entry of `M`; called by [`register!`](crate::register).
    #[must_use]
    pub const fn of<M: Metric>(package: &'static str, version: &'static str) -> Self {
        Self {
            name: M::NAME,
            package,
            version,
            direction: M::DIRECTION,
            range: M::RANGE,
            kind: <M::Input<'static> as Predictions<'static>>::KIND,
            schema: config::schema::<M>,
            defaults: config::defaults::<M>,
            create: |json| {
                let metric: M = config::parse(json)?;
                metric.check()?;
                Ok(Box::new(Configured(metric)))
            },
        }
    }
}
