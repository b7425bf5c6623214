//! Loads what was compiled: the only file of these tests that trusts another language.
#![expect(unsafe_code, reason = "loads libraries and calls what they export")]

use libloading::Library;
use metricopt_sdk::abi::{self, Logger, PluginFn, Str};
use metricopt_sdk::{MetricEntry, Result};
use std::ffi::{CStr, c_char};
use std::fs;
use std::path::Path;

use crate::compiler;

/// Compiles C and loads it for the life of the process.
fn load(source: &Path) -> &'static Library {
    let folder = compiler::folder();
    let path = folder.path().join("lib.so");
    compiler::library(source, &path);
    // SAFETY: compiled from a source of this checkout, which runs nothing when it is loaded. The file may go: it is
    // mapped.
    Box::leak(Box::new(unsafe { Library::new(&path) }.unwrap()))
}

/// The metrics of a plugin in C, after the handshake.
pub(crate) fn plugin(source: &str, logger: Box<Logger>) -> Result<Vec<MetricEntry>> {
    let library = load(&compiler::checkout(source));
    let symbol = format!("{}{}", abi::SYMBOL, abi::VERSION);
    // SAFETY: the header gives the symbol this type, and `load` keeps the library.
    let offers = unsafe {
        let entry = *library.get::<PluginFn>(symbol.as_bytes()).unwrap();
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
        // SAFETY: the type is that of the text above, and `load` keeps the library.
        Self(unsafe { *load(&source).get(b"number").unwrap() })
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
