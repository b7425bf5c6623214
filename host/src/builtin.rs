//! The plugins compiled into the host.
//!
//! A plugin must be named here: the linker drops a library that nothing names, and its registrations with it.

use metricopt_classification as _;
use metricopt_detection as _;
use metricopt_metrics as _;
use metricopt_retrieval as _;
use metricopt_tabular as _;
