//! Metrics: the black boxes that a network is tuned for.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;
use std::fmt;
use std::mem::ManuallyDrop;
use std::sync::Arc;

use crate::details::Details;
use crate::{Call, Error, Kind, Predictions, Result, Views, config, panics};

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
    /// Whether only the order of the scores counts (of each column, for several classes), as for the area under a
    /// curve: then any increasing transformation of the scores leaves the value as it is, and the metric kit holds the
    /// metric to that.
    const RANK_BASED: bool = false;
    /// Whether equal scores, or equally near items, are ordered by the place of their rows, because the definition of
    /// the metric asks for an order: then the metric kit does not shuffle equal ones. Prefer a definition that treats
    /// equal ones alike.
    const TIES_BY_INDEX: bool = false;
    /// Whether [`evaluate_many`](Self::evaluate_many) is more than a loop; if not, the host spreads the candidates over
    /// its threads by itself.
    const POPULATION: bool = false;
    /// Whether it is the mean of [`unit_values`](Self::unit_values): then the host draws bootstrap samples from these
    /// numbers, and does not call the metric for each of them.
    const MEAN_OF_UNITS: bool = false;
    /// Whether [`details`](Self::details) says what stands behind a value.
    const DETAILS: bool = false;
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

    /// The values of all candidates of one step, in order.
    ///
    /// Override it, and set [`POPULATION`](Self::POPULATION), where candidates can share work: they are predictions on
    /// the same rows, so that labels and true boxes are the same in all. The values must be those of
    /// [`evaluate`](Self::evaluate), bit for bit.
    ///
    /// # Errors
    ///
    /// Those of [`evaluate`](Self::evaluate), or that the user asked to stop.
    fn evaluate_many(&self, inputs: &[Self::Input<'_>], call: &Call<'_>) -> Result<Vec<f64>> {
        let each = inputs.iter().map(|&input| {
            call.check()?;
            self.evaluate(input)
        });
        each.collect()
    }

    /// The numbers whose mean is the value, each with the unit that it belongs to: with the row of its query in retrieval.
    /// Units that the definition leaves out are not among them.
    ///
    /// Override it, and set [`MEAN_OF_UNITS`](Self::MEAN_OF_UNITS), where the number of one unit does not depend on which
    /// others are measured. Added up in this order and divided by their number they must give the value of
    /// [`evaluate`](Self::evaluate), bit for bit; where units are measured several times, or not at all, each number counts
    /// so many times in its place.
    ///
    /// # Errors
    ///
    /// Those of [`evaluate`](Self::evaluate), or that the user asked to stop.
    fn unit_values(&self, _input: Self::Input<'_>, _call: &Call<'_>) -> Result<Vec<(usize, f64)>> {
        Err(Error::unsupported("this metric is no mean over units"))
    }

    /// What stands behind the value on one set of predictions, for the report: values of classes, and curves.
    ///
    /// Override it, and set [`DETAILS`](Self::DETAILS), where a reader would ask which class a change comes from. It is not part of
    /// the C ABI: the report shows less of a metric in a library.
    ///
    /// # Errors
    ///
    /// Those of [`evaluate`](Self::evaluate), or that there is nothing to say.
    fn details(&self, _input: Self::Input<'_>) -> Result<Details> {
        Err(Error::unsupported(
            "this metric does not say what stands behind its value",
        ))
    }
}

/// A configured metric behind one face, whether compiled in or loaded: what the engine calls.
///
/// A registered [`MetricEntry`] makes one from JSON:
///
/// ```
/// use metricopt_sdk::{Call, MetricEntry, OwnedClassification, prelude::*};
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
/// let entry = MetricEntry::of::<Count>();
/// let metric = entry.create(&entry.defaults)?;
/// let owned: OwnedClassification = Classification::binary(&[0.2, 0.7], &[0, 1])?.to_owned();
/// let call = Call { threads: 1, cancelled: &|| false };
/// assert_eq!(owned.with_views(|views| metric.evaluate(views, &call))?, 2.0);
/// assert!(entry.create(&serde_json::json!({"size": 3})).is_err());
/// # Ok::<(), metricopt_sdk::Error>(())
/// ```
pub trait DynMetric: Send + Sync {
    /// The value on one set of named tensors: finite and within the metric's range.
    ///
    /// # Errors
    ///
    /// If the tensors do not fit the prediction kind, the metric has no value there or returns one that is not finite
    /// or out of range.
    fn evaluate(&self, views: &Views<'_>, call: &Call<'_>) -> Result<f64>;

    /// The values of all candidates of one step, if the metric has a form of its own for that; else `None`.
    fn evaluate_many(
        &self,
        _candidates: &[Views<'_>],
        _call: &Call<'_>,
    ) -> Option<Result<Vec<f64>>> {
        None
    }

    /// The numbers whose mean is the value, each with its unit, if the metric is such a mean; else `None`. See
    /// [`Metric::unit_values`]. A metric of a loaded library never says.
    fn unit_values(
        &self,
        _views: &Views<'_>,
        _call: &Call<'_>,
    ) -> Option<Result<Vec<(usize, f64)>>> {
        None
    }

    /// What stands behind the value on one set of named tensors, if the metric says: finite numbers, each class once. See
    /// [`Metric::details`]. A metric of a loaded library never says.
    fn details(&self, _views: &Views<'_>) -> Option<Result<Details>> {
        None
    }

    /// The whole configuration, defaults included.
    fn config(&self) -> Value;
}

struct Configured<M: Metric>(ManuallyDrop<M>);

impl<M: Metric> Drop for Configured<M> {
    fn drop(&mut self) {
        panics::drop_guarded(&mut self.0, "metric", M::NAME);
    }
}

impl<M: Metric> DynMetric for Configured<M> {
    fn evaluate(&self, views: &Views<'_>, _: &Call<'_>) -> Result<f64> {
        let value = self.0.evaluate(M::Input::from_views(views)?)?;
        within(M::RANGE, value)
    }

    fn evaluate_many(&self, candidates: &[Views<'_>], call: &Call<'_>) -> Option<Result<Vec<f64>>> {
        M::POPULATION.then(|| {
            let inputs: Result<Vec<_>> = candidates.iter().map(M::Input::from_views).collect();
            let values = self.0.evaluate_many(&inputs?, call)?;
            if values.len() != candidates.len() {
                return Err(Error::failed(format!(
                    "returned {} values for {} candidates",
                    values.len(),
                    candidates.len()
                )));
            }
            values
                .into_iter()
                .map(|value| within(M::RANGE, value))
                .collect()
        })
    }

    fn unit_values(&self, views: &Views<'_>, call: &Call<'_>) -> Option<Result<Vec<(usize, f64)>>> {
        M::MEAN_OF_UNITS.then(|| self.0.unit_values(M::Input::from_views(views)?, call))
    }

    fn details(&self, views: &Views<'_>) -> Option<Result<Details>> {
        M::DETAILS.then(|| {
            let details = self.0.details(M::Input::from_views(views)?)?;
            details.check()?;
            Ok(details)
        })
    }

    fn config(&self) -> Value {
        config::to_json(&*self.0)
    }
}

/// Holds a metric to its range.
pub(crate) fn within((low, high): (f64, f64), value: f64) -> Result<f64> {
    // Rounding may carry a sum of ratios past its bound by a few units in the last place.
    let slack = 1e-9 * (high - low).min(1.0);
    if !value.is_finite() || value < low - slack || value > high + slack {
        return Err(Error::failed(format!(
            "returned {value}, outside its range [{low}, {high}]"
        )));
    }
    Ok(value.clamp(low, high))
}

type Create = dyn Fn(&Value) -> Result<Box<dyn DynMetric>> + Send + Sync;

/// Everything known of a metric before it is configured, whether it is compiled in, loaded or a program of its own.
#[derive(Clone)]
#[non_exhaustive]
pub struct MetricEntry {
    /// The name users type.
    pub name: String,
    /// Which way it improves.
    pub direction: Direction,
    /// The least and the greatest value.
    pub range: (f64, f64),
    /// The prediction kind it takes.
    pub kind: Kind,
    /// Whether only the order of the scores counts.
    pub rank_based: bool,
    /// Whether equal scores are ordered by the place of their rows.
    pub ties_by_index: bool,
    /// Whether it answers for all candidates of a step at once.
    pub population: bool,
    /// JSON schema of the configuration; its `description` is the documentation.
    pub schema: Value,
    /// The default configuration.
    pub defaults: Value,
    create: Arc<Create>,
}

impl fmt::Debug for MetricEntry {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("MetricEntry")
            .field("name", &self.name)
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}

impl MetricEntry {
    /// The entry of `M`; called by [`register!`](crate::register).
    #[must_use]
    pub fn of<M: Metric>() -> Self {
        Self {
            direction: M::DIRECTION,
            range: M::RANGE,
            rank_based: M::RANK_BASED,
            ties_by_index: M::TIES_BY_INDEX,
            population: M::POPULATION,
            schema: config::schema::<M>(),
            defaults: config::defaults::<M>(),
            ..Self::new(
                M::NAME,
                <M::Input<'static> as Predictions<'static>>::KIND,
                |json| {
                    let metric: M = config::parse(json)?;
                    metric.check()?;
                    Ok(Box::new(Configured(ManuallyDrop::new(metric))))
                },
            )
        }
    }

    /// An entry that maximises, has no bounds and takes no configuration, for a metric that is no [`Metric`]; set the
    /// other fields afterwards.
    ///
    /// ```
    /// use metricopt_sdk::{Call, DynMetric, Kind, MetricEntry, Result, Views};
    ///
    /// struct Rows;
    /// impl DynMetric for Rows {
    ///     fn evaluate(&self, views: &Views<'_>, _: &Call<'_>) -> Result<f64> {
    ///         Ok(views.get("labels")?.data().len() as f64)
    ///     }
    ///     fn config(&self) -> serde_json::Value {
    ///         serde_json::json!({})
    ///     }
    /// }
    ///
    /// let mut entry = MetricEntry::new("rows", Kind::Named, |_| Ok(Box::new(Rows)));
    /// entry.range = (0.0, f64::INFINITY);
    /// assert!(entry.create(&entry.defaults).is_ok());
    /// ```
    pub fn new(
        name: impl Into<String>,
        kind: Kind,
        create: impl Fn(&Value) -> Result<Box<dyn DynMetric>> + Send + Sync + 'static,
    ) -> Self {
        Self {
            name: name.into(),
            direction: Direction::Maximise,
            range: (f64::NEG_INFINITY, f64::INFINITY),
            kind,
            rank_based: false,
            ties_by_index: false,
            population: false,
            schema: serde_json::json!({ "type": "object", "properties": {} }),
            defaults: serde_json::json!({}),
            create: Arc::new(create),
        }
    }

    /// Holds a value to the range, for a metric that is no [`Metric`].
    ///
    /// # Errors
    ///
    /// If it is not finite or out of range.
    ///
    /// ```
    /// use metricopt_sdk::{Error, Kind, MetricEntry};
    ///
    /// let mut entry = MetricEntry::new("rows", Kind::Named, |_| Err(Error::unsupported("an example")));
    /// entry.range = (0.0, 10.0);
    /// assert_eq!(entry.within(3.0)?, 3.0);
    /// assert!(entry.within(f64::NAN).is_err() && entry.within(11.0).is_err());
    /// # Ok::<(), Error>(())
    /// ```
    pub fn within(&self, value: f64) -> Result<f64> {
        within(self.range, value)
    }

    /// Configures the metric.
    ///
    /// # Errors
    ///
    /// Names what is unknown, ill-typed or out of range.
    pub fn create(&self, config: &Value) -> Result<Box<dyn DynMetric>> {
        (self.create)(config)
    }
}
