//! The plugins compiled into the host.
//!
//! A plugin must be named here: the linker drops a library that nothing names, and its registrations with it.

mod recall_on_gpu;

use metricopt_classification as _;
use metricopt_detection as _;
use metricopt_metrics::RecallAtK;
use metricopt_retrieval as _;
use metricopt_sdk::tch::Device;
use metricopt_sdk::{DynMetric, Metric};
use metricopt_tabular as _;

use recall_on_gpu::RecallOnGpu;

/// The task on which `check-metric` follows a metric where several fit: it takes a second, and labels of two classes suit
/// every metric of classification.
pub const TASK_FOR_A_LOOK: &str = "tabular";

/// A built-in metric in a form for the device, if there is one that may be faster there.
pub fn on_device<'a>(
    name: &str,
    metric: &'a dyn DynMetric,
    device: Device,
) -> Option<Box<dyn DynMetric + 'a>> {
    if device == Device::Cpu || name != RecallAtK::NAME {
        return None;
    }
    RecallOnGpu::new(metric, device).map(|metric| Box::new(metric) as _)
}
