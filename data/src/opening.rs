//! What opening a data set needs beside its configuration.

use std::path::Path;

use metricopt_sdk::{Call, Error, Result};
use rayon::{ThreadPool, ThreadPoolBuilder};

/// What opening a data set needs beside its configuration.
#[derive(Clone, Copy)]
pub struct Opening<'a> {
    /// Seed of the cuts, unless the configuration has one of its own.
    pub seed: u64,
    /// Folder for what can be computed again, here decoded images; `None` keeps nothing.
    pub cache: Option<&'a Path>,
    /// Hears about a phase: its name, how much is done, how much there is.
    pub progress: &'a dyn Fn(&str, u64, u64),
    /// Threads to decode with, and whether the user asked to stop.
    pub call: Call<'a>,
}

impl Opening<'static> {
    /// All cores, no cache, no progress.
    pub fn quiet(seed: u64) -> Self {
        Self {
            seed,
            cache: None,
            progress: &|_, _, _| {},
            call: Call {
                threads: std::thread::available_parallelism().map_or(1, usize::from),
                cancelled: &|| false,
            },
        }
    }
}

impl Opening<'_> {
    /// As many threads as the call allows.
    pub(crate) fn threads(&self) -> Result<ThreadPool> {
        ThreadPoolBuilder::new()
            .num_threads(self.call.threads)
            .build()
            .map_err(|error| Error::failed(format!("cannot start threads: {error}")))
    }
}
