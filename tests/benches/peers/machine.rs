//! What the numbers were measured on.

use std::fs;

/// Processor, cores, load, and how the host was built, in a line.
pub(crate) fn describe() -> String {
    let processor = fs::read_to_string("/proc/cpuinfo").ok().and_then(|text| {
        let line = text.lines().find(|line| line.starts_with("model name"))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    });
    let load = fs::read_to_string("/proc/loadavg")
        .ok()
        .and_then(|text| Some(text.split_whitespace().next()?.to_owned()));
    format!(
        "{} ({}), {} cores, load {} at the start, {}",
        processor.as_deref().unwrap_or("unknown processor"),
        std::env::consts::ARCH,
        std::thread::available_parallelism().map_or(1, usize::from),
        load.as_deref().unwrap_or("unknown"),
        if cfg!(debug_assertions) {
            "development build"
        } else {
            "release build"
        }
    )
}
