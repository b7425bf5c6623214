//! Registration: one line makes a metric or a task known to the host.

use crate::MetricEntry;
#[cfg(feature = "torch")]
use crate::TaskEntry;

inventory::collect!(MetricEntry);
#[cfg(feature = "torch")]
inventory::collect!(TaskEntry);

/// The metrics registered in this binary, sorted by name: link order means nothing.
pub fn metrics() -> Vec<&'static MetricEntry> {
    let mut entries: Vec<_> = inventory::iter::<MetricEntry>().collect();
    entries.sort_by_key(|entry| (entry.name, entry.package));
    entries
}

/// The tasks registered in this binary, sorted by name: link order means nothing.
#[cfg(feature = "torch")]
pub fn tasks() -> Vec<&'static TaskEntry> {
    let mut entries: Vec<_> = inventory::iter::<TaskEntry>().collect();
    entries.sort_by_key(|entry| (entry.name, entry.package));
    entries
}

/// Registers a [`Metric`](crate::Metric) or a [`Task`](crate::Task) with the host.
///
/// The name of the plugin is the name of the package that calls the macro, without a leading `metricopt-`.
///
/// ```
/// use metricopt_sdk::prelude::*;
///
/// /// Number of samples; useful for nothing but this example.
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
/// register!(metric Count);
///
/// assert!(metricopt_sdk::metrics().iter().any(|metric| metric.name == "count"));
/// ```
#[macro_export]
macro_rules! register {
    (metric $metric:ty) => {
        $crate::__private::inventory::submit! {
            $crate::MetricEntry::of::<$metric>(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"))
        }
    };
    (task $task:ty) => {
        $crate::__private::inventory::submit! {
            $crate::TaskEntry::of::<$task>(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"))
        }
    };
}
