//! Opening a library and shaking hands.

#![expect(unsafe_code, reason = "loading a library and calling into it")]

use libloading::os::unix::{Library, RTLD_LOCAL, RTLD_NOW};
use metricopt_sdk::abi::{LIBTORCH, Level, Offer, PluginFn, SYMBOL, VERSION, negotiate};
use metricopt_sdk::{Error, Result};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use super::PluginLogger;

/// What was loaded: a library stays for the life of the process, since its threads and destructors do.
static LOADED: Mutex<BTreeMap<PathBuf, Library>> = Mutex::new(BTreeMap::new());

/// Opens a checked file and asks what it offers.
///
/// # Errors
///
/// What the system's loader says, or what of the offer cannot be accepted.
pub(super) fn open(path: &Path, max_level: Level, logger: Arc<PluginLogger>) -> Result<Vec<Offer>> {
    let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
    let symbol = format!("{SYMBOL}{VERSION}");
    if !loaded.contains_key(path) {
        // Symbols stay local, so that two plugins never see each other's; all are bound now, not in the middle of a run.
        // SAFETY: the user asked for this library; its initialisers run with the user's rights, as any program's.
        let library = unsafe { Library::open(Some(path), RTLD_NOW | RTLD_LOCAL | no_delete()) };
        let library = library.map_err(|error| cannot_load(&error))?;
        loaded.insert(path.to_owned(), library);
    }
    one_libtorch()?;
    let Some(library) = loaded.get(path) else {
        return Err(Error::failed("the library went away"));
    };
    // SAFETY: what is exported under this name is the handshake of this ABI version.
    let entry = unsafe { library.get::<PluginFn>(symbol.as_bytes()) }
        .map(|entry| *entry)
        .map_err(|error| cannot_load(&error))?;
    drop(loaded);

    // Until the plugin has said its name, its file speaks for it.
    let stem = path
        .file_stem()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    let name = Arc::new(OnceLock::<String>::new());
    let named = name.clone();
    let say = move |level: Level, _target: &str, message: &str| {
        logger(level, named.get().unwrap_or(&stem), message);
    };
    // SAFETY: the function of a library that stays loaded.
    let offers = unsafe { negotiate(entry, max_level, Box::new(say)) }?;
    if let Some(first) = offers.first() {
        // Nobody else sets it.
        let _ = name.set(first.name.clone());
    }
    Ok(offers)
}

/// Keeps a library mapped whatever happens to its handle.
const fn no_delete() -> i32 {
    if cfg!(target_os = "macos") {
        0x80
    } else {
        0x1000
    }
}

fn cannot_load(error: &libloading::Error) -> Error {
    // What the loader said stands in the source of the error.
    let reason =
        std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string);
    let error = Error::configuration(format!("the system cannot load it: {reason}"));
    if reason.contains("undefined symbol") {
        error.hint(format!(
            "it was built against another version of a library: for a task that is libtorch, which is {LIBTORCH} here (`host plugin libtorch` says where)"
        ))
    } else {
        error.hint("`ldd` on the file shows which of the libraries it needs is missing")
    }
}

/// Two copies of libtorch in one process would each hold half of every tensor's state.
fn one_libtorch() -> Result<()> {
    let mapped = mapped_libraries("libtorch_cpu");
    match mapped.as_slice() {
        [] | [_] => Ok(()),
        [first, second, ..] => Err(Error::configuration(format!(
            "it brought a second libtorch: `{}` beside `{}`",
            second.display(),
            first.display()
        ))
        .hint("build the plugin against the libtorch of the host: `host plugin libtorch` says where it is")),
    }
}

/// The files whose name starts like this that are mapped into this process, each once.
fn mapped_libraries(prefix: &str) -> Vec<PathBuf> {
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap_or_default();
    let mut found: Vec<PathBuf> = maps
        .lines()
        .filter_map(|line| line.find('/').and_then(|start| line.get(start..)))
        .map(PathBuf::from)
        .filter(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            name.strip_prefix(prefix)
                .is_some_and(|rest| rest.starts_with(['.', '-']))
        })
        .collect();
    found.sort_unstable();
    found.dedup();
    found
}
