//! Loads what was compiled: the only file of these tests that trusts another language.
#![expect(unsafe_code, reason = "loads libraries and calls what they export")]

use libloading::Library;
use metricopt_sdk::abi::{self, Logger, PluginFn, Str};
use metricopt_sdk::{MetricEntry, Result};
use std::ffi::{CStr, c_char};
use std::fs;
use std::path::Path;

use crate::compiler;

/// Compiles C, loads it for the life of the process and finds a function.
///
/// # Safety
///
/// The function must have the type `F`.
unsafe fn load<F: Copy>(source: &Path, symbol: &str) -> F {
    let folder = compiler::folder();
    let path = folder.path().join("lib.so");
    compiler::library(source, &path);
    // SAFETY: compiled from C of this checkout, which runs nothing when it is loaded. The file may go: it is mapped.
    let library = unsafe { Library::new(&path) }.unwrap();
    // SAFETY: as the caller vouches.
    let function = unsafe { *library.get::<F>(symbol.as_bytes()).unwrap() };
    std::mem::forget(library);
    function
}

/// The metrics of a plugin in C, after the handshake.
pub(crate) fn plugin(source: &str, logger: Box<Logger>) -> Result<Vec<MetricEntry>> {
    let symbol = format!("{}{}", abi::SYMBOL, abi::VERSION);
    // SAFETY: the header gives the symbol this type, and the library stays.
    let offers = unsafe {
        let entry: PluginFn = load(&compiler::checkout(source), &symbol);
        abi::negotiate(entry, abi::Level::Debug, logger)?
    };
    Ok(offers.into_iter().flat_map(|offer| offer.metrics).collect())
}

/// `metricopt_config_number` of the header.
#[derive(Clone, Copy)]
pub(crate) struct ConfigNumber(
    unsafe extern "C" fn(config: Str, key: *const c_char, value: *mut f64) -> i32,
);

impl ConfigNumber {
    pub(crate) fn compile() -> Self {
        let folder = compiler::folder();
        let source = folder.path().join("number.c");
        let text = "#include <metricopt.h>
            METRICOPT_EXPORT int32_t number(metricopt_str config, const char *key, double *value);
            int32_t number(metricopt_str config, const char *key, double *value) {
                return metricopt_config_number(config, key, value);
            }";
        fs::write(&source, text).unwrap();
        // SAFETY: the type is that of the text above.
        Self(unsafe { load(&source, "number") })
    }

    /// What it returns, with the value where it filled one.
    pub(crate) fn read(self, config: &[u8], key: &CStr) -> (i32, Option<f64>) {
        const UNTOUCHED: f64 = -123.25;
        // A block of exactly this size, so that a memory checker sees a step too far.
        let config: Box<[u8]> = config.into();
        let text = Str {
            data: config.as_ptr().cast(),
            len: config.len(),
        };
        let mut value = UNTOUCHED;
        // SAFETY: all of it lives for the duration of the call.
        let result = unsafe { (self.0)(text, key.as_ptr(), &raw mut value) };
        let filled = value.to_bits() != UNTOUCHED.to_bits();
        (result, filled.then_some(value))
    }
}
