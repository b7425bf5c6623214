//! Registration: one line makes a metric or a task known to the host.

use crate::MetricEntry;
#[cfg(feature = "torch")]
use crate::TaskEntry;

/// What one `register!` line left in the binary: constant, so that nothing runs before it is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Registration {
    /// Package that registered it.
    pub package: &'static str,
    /// Version of that package.
    pub version: &'static str,
    /// The name of the metric or task.
    pub name: &'static str,
    /// Makes the entry.
    pub make: Make,
}

/// Makes the entry of what was registered.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Make {
    /// Of a metric.
    Metric(fn() -> MetricEntry),
    /// Of a task.
    #[cfg(feature = "torch")]
    Task(fn() -> TaskEntry),
}

inventory::collect!(Registration);

impl Registration {
    /// The name of the plugin: the package without a leading `metricopt-`.
    pub fn plugin(&self) -> &'static str {
        self.package
            .strip_prefix("metricopt-")
            .unwrap_or(self.package)
    }
}

/// What is registered in this binary, sorted by name: link order means nothing.
pub fn registrations() -> Vec<Registration> {
    let mut found: Vec<Registration> = inventory::iter::<Registration>().copied().collect();
    found.sort_by_key(|found| (found.name, found.package));
    found
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
/// assert!(metricopt_sdk::registrations().iter().any(|registration| registration.name == "count"));
/// ```
#[macro_export]
macro_rules! register {
    (metric $metric:ty) => {
        $crate::register!(@ $metric, $crate::Metric, $crate::Make::Metric($crate::MetricEntry::of::<$metric>));
    };
    (task $task:ty) => {
        $crate::register!(@ $task, $crate::Task, $crate::Make::Task($crate::TaskEntry::of::<$task>));
    };
    (@ $type:ty, $trait:path, $make:expr) => {
        $crate::__private::inventory::submit! {
            $crate::Registration {
                package: env!("CARGO_PKG_NAME"),
                version: env!("CARGO_PKG_VERSION"),
                name: <$type as $trait>::NAME,
                make: $make,
            }
        }
    };
}
