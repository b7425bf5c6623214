//! The plugins compiled into the host.
//!
//! A plugin must be named here: the linker drops a library that nothing names, and its registrations with it.

use metricopt_classification as _;
use metricopt_detection as _;
use metricopt_metrics as _;
use metricopt_retrieval as _;
use metricopt_tabular as _;

/// The task on which `check-metric` follows a metric where several fit: it takes a second, and labels of two classes suit
/// every metric of classification.
pub const TASK_FOR_A_LOOK: &str = "tabular";
