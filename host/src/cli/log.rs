//! The log: what plugins and engine say beside their results, on standard error.

use clap::ValueEnum;
use metricopt_sdk::abi::{Level, install_logger};
use metricopt_sdk::{Error, Result};
use std::io::IsTerminal;
use std::sync::{Arc, OnceLock};

use super::output::harmless;
use super::progress;
use crate::loader::PluginLogger;

/// The most detailed level that is shown.
static LEVEL: OnceLock<Level> = OnceLock::new();

/// Levels as people type them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum LogLevel {
    Error,
    #[value(alias = "warning")]
    Warn,
    Info,
    Debug,
    Trace,
}

/// Shows the log up to the level asked for: of the host and of the plugins compiled in now, of others when they are
/// loaded.
///
/// # Errors
///
/// If the variable `METRICOPT_LOG` holds no level.
pub(super) fn show(asked: Option<LogLevel>) -> Result<()> {
    let level = match asked.map_or_else(from_environment, Ok)? {
        LogLevel::Error => Level::Error,
        LogLevel::Warn => Level::Warning,
        LogLevel::Info => Level::Info,
        LogLevel::Debug => Level::Debug,
        LogLevel::Trace => Level::Trace,
    };
    let level = *LEVEL.get_or_init(|| level);
    install_logger(
        level,
        Box::new(|level, target, message| say(level, &plugin_of(target), message)),
    );
    Ok(())
}

fn from_environment() -> Result<LogLevel> {
    let text = std::env::var("METRICOPT_LOG").unwrap_or_default();
    if text.is_empty() {
        return Ok(LogLevel::Warn);
    }
    LogLevel::from_str(&text, true).map_err(|_| {
        Error::configuration(format!("`{text}` in METRICOPT_LOG is no level"))
            .hint("the levels are `error`, `warn`, `info`, `debug` and `trace`")
    })
}

/// The most detailed level that is shown.
pub(super) fn level() -> Level {
    LEVEL.get().copied().unwrap_or(Level::Warning)
}

/// Where loaded plugins log to.
pub(super) fn plugin_logger() -> Arc<PluginLogger> {
    Arc::new(say)
}

/// The plugin of an event that was compiled in: its crate, as users know it. The SDK speaks of things by their names.
fn plugin_of(target: &str) -> String {
    let name = target.split("::").next().unwrap_or_default();
    if name == "metricopt_sdk" {
        return String::new();
    }
    name.strip_prefix("metricopt_")
        .unwrap_or(name)
        .replace('_', "-")
}

fn say(level: Level, plugin: &str, message: &str) {
    let (name, colour) = match level {
        Level::Error => ("error", "\u{1b}[1;31m"),
        Level::Warning => ("warning", "\u{1b}[1;33m"),
        Level::Info => ("info", "\u{1b}[1;34m"),
        Level::Debug => ("debug", "\u{1b}[2m"),
        Level::Trace => ("trace", "\u{1b}[2m"),
    };
    let coloured = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let (start, end) = if coloured {
        (colour, "\u{1b}[0m")
    } else {
        ("", "")
    };
    let plugin = match plugin {
        "" => String::new(),
        plugin => format!(" [{plugin}]"),
    };
    progress::say_line(&format!(
        "{start}{name}:{end}{plugin} {}",
        harmless(message)
    ));
}
