//! The handshake: what a library exports, and what a host accepts of it.

#![expect(
    unsafe_code,
    reason = "the one exported symbol, and the structs behind it"
)]

use std::collections::BTreeMap;
use std::mem::size_of;
use std::sync::OnceLock;

use super::log::{self, Level, Logger};
use super::types::{Host, MetricTable, Plugin, Str, TaskTable};
use super::{LIBTORCH, MINOR, metric, table};
use crate::registration::{Make, Registration};
use crate::{Error, MetricEntry, Result, panics, registrations};

/// The exported function.
pub type PluginFn = unsafe extern "C" fn(host: *const Host) -> *const Plugin;

/// Most packages of one library, and metrics or tasks of one package: more is a wild number.
const MAX_ENTRIES: usize = 4096;

/// What this SDK was compiled for, such as `x86_64-linux`.
pub fn target() -> String {
    format!("{}-{}", std::env::consts::ARCH, std::env::consts::OS)
}

/// What this library registered: the one symbol that it exports.
///
/// Returns null if the host's struct cannot be read or the author's code panicked; the reason is in the log.
///
/// # Safety
///
/// `host` must be what the ABI says, for the life of the process.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn metricopt_plugin_v1(host: *const Host) -> *const Plugin {
    panics::log_others();
    // SAFETY: as the caller vouches.
    unsafe { offer(host) }
}

/// As [`metricopt_plugin_v1`], for whatever binary this is.
///
/// # Safety
///
/// `host` must be what the ABI says, for the life of the process.
unsafe fn offer(host: *const Host) -> *const Plugin {
    struct First(*const Plugin);
    // SAFETY: written once, then only read; what it points to is never freed.
    unsafe impl Send for First {}
    // SAFETY: as above.
    unsafe impl Sync for First {}
    static PLUGINS: OnceLock<First> = OnceLock::new();

    let plugins = panics::catch(|| {
        // SAFETY: as the caller vouches.
        unsafe { log::forward_to(host) }?;
        Ok(PLUGINS.get_or_init(|| First(export(registrations()))).0)
    });
    match plugins {
        Ok(Ok(plugins)) => plugins,
        Ok(Err(error)) => {
            let error: Error = error;
            tracing::error!("{error}");
            std::ptr::null()
        }
        Err(panic) => {
            tracing::error!("{}", panic.into_error());
            std::ptr::null()
        }
    }
}

/// The tables of what was registered, package by package, for the life of the process.
fn export(registrations: Vec<Registration>) -> *const Plugin {
    let mut packages: BTreeMap<&str, Vec<Registration>> = BTreeMap::new();
    for found in registrations {
        packages.entry(found.plugin()).or_default().push(found);
    }
    let mut next = std::ptr::null();
    for (name, registrations) in packages.into_iter().rev() {
        let mut metrics: Vec<*const MetricTable> = Vec::new();
        #[cfg_attr(
            not(feature = "torch"),
            expect(unused_mut, reason = "tasks need libtorch")
        )]
        let mut tasks: Vec<*const TaskTable> = Vec::new();
        let version = registrations.first().map_or("", |found| found.version);
        for found in registrations {
            match found.make {
                Make::Metric(make) => metrics.push(metric::export(make())),
                #[cfg(feature = "torch")]
                Make::Task(make) => tasks.push(super::task::export(make())),
            }
        }
        let (metrics, tasks) = (metrics.leak(), tasks.leak());
        next = Box::leak(Box::new(Plugin {
            size: size_of::<Plugin>(),
            minor: MINOR,
            reserved: 0,
            features: 0,
            name: Str::borrow(name),
            version: Str::borrow(version),
            target: Str::borrow(target().leak()),
            sdk: Str::borrow(concat!("metricopt-sdk ", env!("CARGO_PKG_VERSION"))),
            compiler: Str::borrow(env!("METRICOPT_SDK_COMPILER")),
            libtorch: if tasks.is_empty() {
                Str::EMPTY
            } else {
                Str::borrow(LIBTORCH)
            },
            metrics: metrics.as_ptr(),
            metrics_len: metrics.len(),
            tasks: tasks.as_ptr(),
            tasks_len: tasks.len(),
            next,
        }));
    }
    next
}

/// What a library offers, after everything about it was checked.
#[derive(Clone, Debug)]
pub struct Offer {
    /// Name of the plugin.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Name and version of the SDK it was built with.
    pub sdk: String,
    /// Name and version of the compiler.
    pub compiler: String,
    /// Its metrics.
    pub metrics: Vec<MetricEntry>,
    /// Its tasks.
    #[cfg(feature = "torch")]
    pub tasks: Vec<crate::TaskEntry>,
}

/// Shakes hands with a library: asks what it offers and checks all of it before any of it is used.
///
/// `logger` takes the library's log lines, now and later.
///
/// # Errors
///
/// What cannot be accepted, with what to rebuild.
///
/// # Safety
///
/// `entry` must be the function that a library exports under the name of [`SYMBOL`](super::SYMBOL) and
/// [`VERSION`](super::VERSION), and the library must stay loaded for the life of the process.
pub unsafe fn negotiate(
    entry: PluginFn,
    max_level: Level,
    logger: Box<Logger>,
) -> Result<Vec<Offer>> {
    let host = log::host(max_level, logger);
    // SAFETY: the caller vouches for the function; the host struct is never freed.
    let plugin = unsafe { entry(host) };
    if plugin.is_null() {
        return Err(Error::failed("the plugin declined the handshake")
            .hint("the lines above say why; if there are none, ask its author"));
    }
    // SAFETY: the caller vouches for what its function returns.
    unsafe { accept(plugin) }
}

/// What this very binary would offer if it were a library: for tests of the boundary.
///
/// # Errors
///
/// Those of [`negotiate`].
///
/// ```standalone_crate
/// assert!(metricopt_sdk::abi::in_process()?.is_empty());
/// # Ok::<(), metricopt_sdk::Error>(())
/// ```
pub fn in_process() -> Result<Vec<Offer>> {
    let host = log::host(Level::Warning, Box::new(|_, _, _| {}));
    // SAFETY: the host struct is never freed.
    let plugin = unsafe { offer(host) };
    if plugin.is_null() {
        return Ok(Vec::new());
    }
    // SAFETY: what this binary exports is never freed.
    unsafe { accept(plugin) }
}

/// Reads and checks a list of plugins.
///
/// # Safety
///
/// The list must be what the ABI says, for the life of the process.
pub(super) unsafe fn accept(mut plugin: *const Plugin) -> Result<Vec<Offer>> {
    let mut offers: Vec<Offer> = Vec::new();
    while !plugin.is_null() {
        if offers.len() >= MAX_ENTRIES {
            return Err(garbled(Error::failed("its list of packages has no end")));
        }
        // SAFETY: as the caller vouches.
        let (offer, next) = unsafe { accept_one(plugin) }?;
        if offers.iter().any(|other| other.name == offer.name) {
            return Err(garbled(Error::failed(format!(
                "it holds two packages `{}`",
                offer.name
            ))));
        }
        offers.push(offer);
        plugin = next;
    }
    Ok(offers)
}

/// As [`accept`], for one of them; with the next.
unsafe fn accept_one(plugin: *const Plugin) -> Result<(Offer, *const Plugin)> {
    // SAFETY: as the caller vouches.
    let plugin = unsafe { table::read(plugin) }.map_err(garbled)?;
    // SAFETY: as the caller vouches.
    let text = |text: Str, what: &str| unsafe { text.text(what) }.map_err(garbled);
    // What does not fit this machine comes first: nothing else of such a plugin can be trusted.
    let compiled_for = text(plugin.target, "target of the plugin")?;
    if compiled_for != target() {
        return Err(Error::failed(format!(
            "the plugin was compiled for `{compiled_for}`, the host for `{}`",
            target()
        ))
        .hint(format!("build the plugin on, or for, `{}`", target())));
    }
    // SAFETY: as the caller vouches.
    let name = unsafe { metric::name_from(plugin.name) }.map_err(garbled)?;
    let libtorch = text(plugin.libtorch, "libtorch version of the plugin")?;
    if plugin.tasks_len > 0 && libtorch != LIBTORCH {
        return Err(Error::failed(format!(
            "plugin `{name}` was built with libtorch `{libtorch}`, the host with `{LIBTORCH}`"
        ))
        .hint(format!(
            "build the plugin with libtorch {LIBTORCH}: `host plugin libtorch` says where this host's is"
        )));
    }
    let broken = |error: Error| garbled(error.context(format!("plugin `{name}`")));
    let mut metrics: Vec<MetricEntry> = Vec::new();
    // SAFETY: as the caller vouches.
    for pointer in unsafe { list(plugin.metrics, plugin.metrics_len, "metrics") }.map_err(broken)? {
        // SAFETY: as the caller vouches.
        let metric = unsafe { metric::import(*pointer) }.map_err(broken)?;
        if metrics.iter().any(|other| other.name == metric.name) {
            return Err(broken(Error::failed(format!(
                "it registers metric `{}` twice",
                metric.name
            ))));
        }
        metrics.push(metric);
    }
    // SAFETY: as the caller vouches.
    let tasks = unsafe { list(plugin.tasks, plugin.tasks_len, "tasks") }.map_err(broken)?;
    #[cfg(feature = "torch")]
    let tasks = {
        let mut found: Vec<crate::TaskEntry> = Vec::new();
        for pointer in tasks {
            // SAFETY: as the caller vouches.
            let task = unsafe { super::task::import(*pointer) }.map_err(broken)?;
            if found.iter().any(|other| other.name == task.name) {
                return Err(broken(Error::failed(format!(
                    "it registers task `{}` twice",
                    task.name
                ))));
            }
            found.push(task);
        }
        found
    };
    #[cfg(not(feature = "torch"))]
    let _ = tasks;
    let offer = Offer {
        version: text(plugin.version, "version of the plugin")?.to_owned(),
        sdk: text(plugin.sdk, "SDK version of the plugin")?.to_owned(),
        compiler: text(plugin.compiler, "compiler of the plugin")?.to_owned(),
        name,
        metrics,
        #[cfg(feature = "torch")]
        tasks,
    };
    Ok((offer, plugin.next))
}

/// A list of pointers.
///
/// # Safety
///
/// `first` must be null or point to `len` pointers that live as long as `'a`.
unsafe fn list<'a, T>(first: *const T, len: usize, what: &str) -> Result<&'a [T]> {
    if len == 0 {
        return Ok(&[]);
    }
    if first.is_null() || !first.is_aligned() || len > MAX_ENTRIES {
        return Err(Error::failed(format!(
            "its list of {len} {what} at {first:p} is no list"
        )));
    }
    // SAFETY: not null, aligned, and the caller vouches for the rest.
    Ok(unsafe { std::slice::from_raw_parts(first, len) })
}

/// What is wrong with the structs themselves is for the plugin's author.
fn garbled(error: Error) -> Error {
    error
        .context("the plugin does not keep to ABI 1")
        .hint("this is a fault of the plugin: rebuild it with the SDK of this host, or report it to its author")
}

#[cfg(test)]
mod tests;
