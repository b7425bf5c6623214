//! The structs of the boundary, field for field as in `include/metricopt.h`.
//!
//! Plain data without behaviour. Pointers may be null wherever the comment does not exclude it.

use std::ffi::{c_char, c_void};

/// Borrowed UTF-8 text, not terminated; `data` may be null if `len` is 0.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Str {
    /// First byte.
    pub data: *const c_char,
    /// Number of bytes.
    pub len: usize,
}

/// Takes text: a callback of the caller, which may be called several times; the pieces are joined.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Sink {
    /// Goes back to `write`.
    pub context: *mut c_void,
    /// Takes a piece of text; never null.
    pub write: Option<unsafe extern "C" fn(context: *mut c_void, text: Str)>,
}

/// `DLDevice` of DLPack.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct DLDevice {
    /// 1 for the CPU, 2 for CUDA.
    pub device_type: i32,
    /// Which of them.
    pub device_id: i32,
}

/// `DLDataType` of DLPack.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct DLDataType {
    /// 0 signed integer, 1 unsigned integer, 2 floating point.
    pub code: u8,
    /// Bits of one element.
    pub bits: u8,
    /// Always 1.
    pub lanes: u16,
}

/// `DLTensor` of DLPack 1.x; here always on the CPU, row-major and contiguous.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct DLTensor {
    /// First element, aligned for its type; to be read only.
    pub data: *mut c_void,
    /// Where the elements are.
    pub device: DLDevice,
    /// Number of dimensions.
    pub ndim: i32,
    /// Type of the elements.
    pub dtype: DLDataType,
    /// `ndim` extents, outermost first.
    pub shape: *mut i64,
    /// Null: row-major and contiguous.
    pub strides: *mut i64,
    /// Always 0.
    pub byte_offset: u64,
}

/// The element types and devices of DLPack that cross.
pub mod dlpack {
    /// Memory of the CPU.
    pub const CPU: i32 = 1;
    /// Signed integers.
    pub const INT: u8 = 0;
    /// Unsigned integers.
    pub const UINT: u8 = 1;
    /// Floating point.
    pub const FLOAT: u8 = 2;
}

/// A named tensor, to be read only.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct View {
    /// The name.
    pub name: Str,
    /// The tensor.
    pub tensor: DLTensor,
}

/// The named tensors of one candidate.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Candidate {
    /// The first of `views_len` views.
    pub views: *const View,
    /// Number of views.
    pub views_len: usize,
}

/// What every longer call carries.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Call {
    /// Size of this struct.
    pub size: usize,
    /// Number of threads the call may use; the result must not depend on it.
    pub threads: u32,
    /// Must be ignored where not known.
    pub flags: u32,
    /// Goes back to `cancelled`.
    pub context: *mut c_void,
    /// Says from any thread whether the user asked to stop: not 0 if so.
    pub cancelled: Option<unsafe extern "C" fn(context: *mut c_void) -> i32>,
}

/// What the host offers a plugin, for the life of the process.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Host {
    /// Size of this struct.
    pub size: usize,
    /// Minor version of the host's ABI.
    pub minor: u32,
    /// The most detailed level that is logged at all, as in `log`.
    pub max_level: u32,
    /// Must be ignored where not known.
    pub features: u64,
    /// Goes back to `log`.
    pub context: *mut c_void,
    /// Logs from any thread: level 1 error, 2 warning, 3 info, 4 debug, 5 trace; where it comes from; what it says.
    pub log:
        Option<unsafe extern "C" fn(context: *mut c_void, level: u32, target: Str, message: Str)>,
}

/// What a library offers: one package, and the next.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Plugin {
    /// Size of this struct.
    pub size: usize,
    /// Minor version of the plugin's ABI.
    pub minor: u32,
    /// Zero.
    pub reserved: u32,
    /// Must be ignored where not known.
    pub features: u64,
    /// Name of the plugin.
    pub name: Str,
    /// Its version.
    pub version: Str,
    /// What it was compiled for, such as `x86_64-linux`.
    pub target: Str,
    /// Name and version of the SDK; for information.
    pub sdk: Str,
    /// Name and version of the compiler; for information.
    pub compiler: Str,
    /// Empty without tasks, else the version of libtorch it was compiled against.
    pub libtorch: Str,
    /// `metrics_len` pointers to metrics.
    pub metrics: *const *const MetricTable,
    /// Number of metrics.
    pub metrics_len: usize,
    /// `tasks_len` pointers to tasks.
    pub tasks: *const *const TaskTable,
    /// Number of tasks.
    pub tasks_len: usize,
    /// The next package of the same library; null for none.
    pub next: *const Plugin,
}

/// Configures a metric; see [`MetricTable::create`].
pub type CreateMetric = unsafe extern "C" fn(
    context: *const c_void,
    config: Str,
    handle: *mut *mut c_void,
    error: Sink,
) -> i32;

/// A metric.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct MetricTable {
    /// Size of this struct.
    pub size: usize,
    /// Goes back to `create`.
    pub context: *const c_void,
    /// The name users type: lower case with hyphens.
    pub name: Str,
    /// Definition and source in Markdown, the first sentence a summary; empty if the schema has a `description`.
    pub docs: Str,
    /// JSON schema of the configuration; empty if there is none.
    pub schema: Str,
    /// The default configuration, a JSON object; empty for `{}`.
    pub defaults: Str,
    /// One of [`kind`].
    pub kind: u32,
    /// One of [`direction`].
    pub direction: u32,
    /// Any of [`metric_flags`]; others must be ignored.
    pub flags: u64,
    /// The least value, or minus infinity.
    pub low: f64,
    /// The greatest value, or infinity.
    pub high: f64,
    /// Configures the metric from a JSON object that holds every key of `defaults`; fills `handle`.
    pub create: Option<CreateMetric>,
    /// The value on one set of predictions.
    pub evaluate: Option<
        unsafe extern "C" fn(
            handle: *mut c_void,
            views: *const View,
            views_len: usize,
            call: *const Call,
            value: *mut f64,
            error: Sink,
        ) -> i32,
    >,
    /// Ends a handle.
    pub destroy: Option<unsafe extern "C" fn(handle: *mut c_void)>,
    /// The values of all candidates of one step; null if they share no work.
    pub evaluate_many: Option<
        unsafe extern "C" fn(
            handle: *mut c_void,
            candidates: *const Candidate,
            candidates_len: usize,
            call: *const Call,
            values: *mut f64,
            error: Sink,
        ) -> i32,
    >,
    /// Writes the whole configuration as JSON; null if that is what `create` was given.
    pub configuration: Option<unsafe extern "C" fn(handle: *mut c_void, json: Sink) -> i32>,
}

/// Prediction kinds.
pub mod kind {
    /// `scores` f32 `[N]` or `[N, C]`, `labels` i64 `[N]`.
    pub const CLASSIFICATION: u32 = 0;
    /// `embeddings` f32 `[N, D]`, `labels` i64 `[N]`; there may be `query_embeddings` and `query_labels`.
    pub const RETRIEVAL: u32 = 1;
    /// `boxes`, `scores`, `labels`, `image_ids` and the `gt_` tensors.
    pub const DETECTION: u32 = 2;
    /// Any tensors, by name.
    pub const NAMED: u32 = 3;
}

/// Which way a metric improves.
pub mod direction {
    /// Lower is better.
    pub const MINIMISE: u32 = 0;
    /// Higher is better.
    pub const MAXIMISE: u32 = 1;
}

/// What a metric says of itself.
pub mod metric_flags {
    /// One handle may be used from several threads at once; else the host takes turns.
    pub const CONCURRENT: u64 = 1;
    /// Only the order of the scores counts.
    pub const RANK_BASED: u64 = 2;
    /// Equal scores are ordered by the place of their rows.
    pub const TIES_BY_INDEX: u64 = 4;
}

/// What a task is opened with.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Open {
    /// Size of this struct.
    pub size: usize,
    /// Where the network lives, as in DLPack.
    pub device: DLDevice,
    /// Seed of splits, initialisation and training.
    pub seed: u64,
    /// Folder for results that can be computed again; empty to keep nothing.
    pub cache: Str,
    /// Threads to use and the wish to stop.
    pub call: *const Call,
    /// Goes back to `progress`.
    pub context: *mut c_void,
    /// Hears what is being done, how much is done, of how much; only from the calling thread.
    pub progress:
        Option<unsafe extern "C" fn(context: *mut c_void, doing: Str, done: u64, total: u64)>,
}

/// One minibatch of the surrogate loss; its rows follow from its fields alone.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Batch {
    /// Size of this struct.
    pub size: usize,
    /// 0 train, 1 validation, 2 test.
    pub split: u32,
    /// Zero.
    pub reserved: u32,
    /// Seed of the run that asks.
    pub seed: u64,
    /// Step within that run.
    pub step: u64,
    /// Number of rows.
    pub rows: u64,
    /// Share of the split that this run may see.
    pub fraction: f64,
    /// Weight of each class in the loss.
    pub class_weights: *const f32,
    /// Number of weights; 0 for none.
    pub class_weights_len: usize,
}

/// Which units a prediction is asked for.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Rows {
    /// Size of this struct.
    pub size: usize,
    /// 0 train, 1 validation, 2 test.
    pub split: u32,
    /// 0 all, 1 a fold, 2 a sample.
    pub part: u32,
    /// Which fold.
    pub fold: u64,
    /// Of how many folds.
    pub folds: u64,
    /// Seed of the sample.
    pub seed: u64,
    /// Number of units in the sample.
    pub units: u64,
}

/// Takes predictions: a callback of the caller.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Emit {
    /// Goes back to `emit`.
    pub context: *mut c_void,
    /// Takes the candidates from `first` on, from the calling thread; if the result is not 0, return
    /// [`Status::ERROR`](super::Status::ERROR) at once.
    pub emit: Option<
        unsafe extern "C" fn(
            context: *mut c_void,
            first: usize,
            candidates: *const Candidate,
            candidates_len: usize,
        ) -> i32,
    >,
}

/// A task. `at::Tensor` pointers are those of `torch-sys`; the host and all plugins share one libtorch.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct TaskTable {
    /// Size of this struct.
    pub size: usize,
    /// Goes back to `check` and `open`.
    pub context: *const c_void,
    /// The name users type: lower case with hyphens.
    pub name: Str,
    /// What it is in Markdown, the first sentence a summary; empty if the schema has a `description`.
    pub docs: Str,
    /// JSON schema of the configuration; empty if there is none.
    pub schema: Str,
    /// The default configuration, a JSON object; empty for `{}`.
    pub defaults: Str,
    /// The metric that is tuned when the user names none.
    pub metric: Str,
    /// One of [`kind`].
    pub kind: u32,
    /// Zero.
    pub reserved: u32,
    /// Must be ignored where not known.
    pub flags: u64,
    /// Reads the data and makes or loads the network; fills `handle`.
    pub open: Option<
        unsafe extern "C" fn(
            context: *const c_void,
            config: Str,
            open: *const Open,
            handle: *mut *mut c_void,
            error: Sink,
        ) -> i32,
    >,
    /// Writes layout of the adapter, sizes of the splits and facts as JSON.
    pub describe: Option<unsafe extern "C" fn(handle: *mut c_void, json: Sink, error: Sink) -> i32>,
    /// Losses `[P]` and gradients f32 `[P, D]` at the adapters `phis` f32 `[P, D]`, each with a batch of its own;
    /// `gradients` receives an `at::Tensor` that the host owns.
    pub gradients: Option<
        unsafe extern "C" fn(
            handle: *mut c_void,
            phis: *mut c_void,
            batches: *const *const Batch,
            batches_len: usize,
            call: *const Call,
            losses: *mut f64,
            gradients: *mut *mut c_void,
            error: Sink,
        ) -> i32,
    >,
    /// Predictions at the adapters `phis` f32 `[P, D]`, each candidate emitted once.
    pub predict: Option<
        unsafe extern "C" fn(
            handle: *mut c_void,
            phis: *mut c_void,
            rows: *const Rows,
            call: *const Call,
            emit: Emit,
            error: Sink,
        ) -> i32,
    >,
    /// Ends a handle.
    pub close: Option<unsafe extern "C" fn(handle: *mut c_void)>,
    /// Checks a configuration without opening anything; null if there is nothing to check.
    pub check:
        Option<unsafe extern "C" fn(context: *const c_void, config: Str, error: Sink) -> i32>,
    /// Emits the network with the adapter `phi` f32 `[D]` folded into its weights: one candidate with one tensor a call,
    /// numbered from 0. Null if it is not offered.
    pub fold: Option<
        unsafe extern "C" fn(handle: *mut c_void, phi: *mut c_void, emit: Emit, error: Sink) -> i32,
    >,
    /// What the engine should take instead of its own defaults, JSON by section and key; empty for nothing. Since minor 1.
    pub engine_defaults: Str,
}
