//! The same bits every time on a GPU too.

use std::ffi::c_void;

/// What cuBLAS needs to give the same sums each time: a workspace of its own for every stream (NVIDIA, cuBLAS, "Results
/// reproducibility").
const WORKSPACE: (&str, &str) = ("CUBLAS_WORKSPACE_CONFIG", ":4096:8");

#[expect(
    unsafe_code,
    reason = "libtorch's switches have no C interface and no binding in `tch`; the names are those of its C++ functions, checked when linking"
)]
unsafe extern "C" {
    /// `at::Context& at::globalContext()`
    #[link_name = "_ZN2at13globalContextEv"]
    safe fn global_context() -> *mut c_void;
    /// `void at::Context::setDeterministicAlgorithms(bool on, bool warn_only)`
    #[link_name = "_ZN2at7Context26setDeterministicAlgorithmsEbb"]
    fn set_algorithms(context: *mut c_void, on: bool, warn_only: bool);
    /// `void at::Context::setDeterministicCuDNN(bool on)`
    #[link_name = "_ZN2at7Context21setDeterministicCuDNNEb"]
    fn set_cudnn(context: *mut c_void, on: bool);
    /// `void at::Context::setDeterministicFillUninitializedMemory(bool on)`
    #[link_name = "_ZN2at7Context39setDeterministicFillUninitializedMemoryEb"]
    fn set_fill(context: *mut c_void, on: bool);
    /// `bool at::Context::deterministicAlgorithms() const`
    #[link_name = "_ZNK2at7Context23deterministicAlgorithmsEv"]
    fn algorithms(context: *const c_void) -> bool;
}

/// From now on libtorch takes the deterministic form of every operation that has one; one that has none says so on standard
/// error. Call it before the first work on a GPU, and before there are threads that read the environment.
///
/// ```
/// use metricopt_host::deterministic;
///
/// assert!(!deterministic::is_insisted_on());
/// deterministic::insist();
/// assert!(deterministic::is_insisted_on());
/// ```
#[expect(unsafe_code, reason = "see the declarations")]
pub fn insist() {
    let (key, value) = WORKSPACE;
    if std::env::var_os(key).is_none() {
        // SAFETY: at this time the process has at most the thread that waits for signals, which reads no environment.
        unsafe { std::env::set_var(key, value) };
    }
    let context = global_context();
    // SAFETY: the context is libtorch's, lives as long as the process, and these are its own methods, which set a flag each.
    unsafe {
        set_algorithms(context, true, true);
        set_cudnn(context, true);
        // Nothing of ours reads memory before it is written: filling it would only cost.
        set_fill(context, false);
    }
}

/// Whether libtorch was told so.
#[expect(unsafe_code, reason = "see the declarations")]
pub fn is_insisted_on() -> bool {
    // SAFETY: as above; this one only reads a flag.
    unsafe { algorithms(global_context()) }
}
