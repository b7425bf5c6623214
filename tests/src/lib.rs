//! What the end-to-end tests and the program `reproduce` need.
//!
//! [`reproduce`] repeats the published numbers with the real `host`. The tests themselves are in `tests/it`.

pub mod reproduce;

/// What `register!` takes: a word that says what, and a type that is one.
///
/// ```
/// use metricopt_sdk::prelude::*;
///
/// /// Always a half.
/// #[derive(Default, Serialize, Deserialize, JsonSchema)]
/// struct Half {}
///
/// impl Metric for Half {
///     const NAME: &'static str = "half";
///     const DIRECTION: Direction = Direction::Maximise;
///     type Input<'a> = Classification<'a>;
///
///     fn evaluate(&self, _: Classification<'_>) -> Result<f64> {
///         Ok(0.5)
///     }
/// }
/// register!(metric Half);
/// ```
///
/// No type that is no metric:
///
/// ```compile_fail
/// use metricopt_sdk::prelude::*;
///
/// /// Always a half.
/// #[derive(Default, Serialize, Deserialize, JsonSchema)]
/// struct Half {}
///
/// register!(metric Half);
/// ```
///
/// No metric as a task, and no word of one's own:
///
/// ```compile_fail
/// use metricopt_sdk::prelude::*;
/// register!(task f64);
/// ```
///
/// ```compile_fail
/// use metricopt_sdk::prelude::*;
/// register!(measure f64);
/// ```
#[doc(hidden)]
pub mod register {}
