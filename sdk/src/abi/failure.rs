//! Errors across the boundary: a status, and text or JSON in a sink.

use serde::{Deserialize, Serialize};

use super::types::Sink;
use crate::panics::Panic;
use crate::{Error, ErrorKind, Result, panics};

/// What a function of a table returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status(pub i32);

impl Status {
    /// Done.
    pub const OK: Self = Self(0);
    /// Failed.
    pub const ERROR: Self = Self(1);
    /// Panicked, or threw: the handle must only be destroyed.
    pub const PANIC: Self = Self(2);
    /// The configuration is at fault.
    pub const CONFIGURATION: Self = Self(3);
    /// Not offered.
    pub const UNSUPPORTED: Self = Self(4);
    /// The user asked to stop.
    pub const CANCELLED: Self = Self(5);
}

/// What the sink of an error holds: this as JSON, or plain text, which is the message.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Report {
    message: String,
    /// `undefined` or `data` where it matters; the status says the rest.
    #[serde(skip_serializing_if = "String::is_empty")]
    kind: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    causes: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    help: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    panic: Option<PanicPlace>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct PanicPlace {
    location: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    backtrace: Option<String>,
}

fn send(report: &Report, sink: Sink) {
    // Text and lists of text always serialise.
    sink.put(&serde_json::to_string(report).unwrap_or_else(|_| report.message.clone()));
}

/// Calls the author's code on the plugin's side and tells the host how it ended.
pub(super) fn run(error: Sink, call: impl FnOnce() -> Result<()>) -> i32 {
    match panics::catch(call) {
        Ok(Ok(())) => Status::OK.0,
        Ok(Err(failure)) => {
            let (status, kind) = match failure.kind() {
                ErrorKind::Configuration => (Status::CONFIGURATION, ""),
                ErrorKind::Unsupported => (Status::UNSUPPORTED, ""),
                ErrorKind::Cancelled => (Status::CANCELLED, ""),
                ErrorKind::Undefined => (Status::ERROR, "undefined"),
                ErrorKind::Data => (Status::ERROR, "data"),
                ErrorKind::Failed => (Status::ERROR, ""),
            };
            let report = Report {
                message: failure.to_string(),
                kind: kind.to_owned(),
                causes: failure.causes().to_vec(),
                help: failure.hints().to_vec(),
                panic: failure.backtrace().map(|backtrace| PanicPlace {
                    location: String::new(),
                    backtrace: Some(backtrace.to_owned()),
                }),
            };
            send(&report, error);
            status.0
        }
        Err(panic) => {
            let report = Report {
                message: panic.message,
                panic: Some(PanicPlace {
                    location: panic.location,
                    backtrace: panic.backtrace,
                }),
                ..Report::default()
            };
            send(&report, error);
            Status::PANIC.0
        }
    }
}

/// Rebuilds the error on the host's side.
pub(super) fn failure(status: i32, text: &str) -> Error {
    let report = serde_json::from_str::<Report>(text).unwrap_or_else(|_| Report {
        message: text.trim().to_owned(),
        ..Report::default()
    });
    let message = match report.message.as_str() {
        "" => "failed without a message".to_owned(),
        message => message.to_owned(),
    };
    if Status(status) == Status::PANIC {
        let place = report.panic.unwrap_or_default();
        return Panic {
            message,
            location: place.location,
            backtrace: place.backtrace,
        }
        .into_error();
    }
    let kind = match (Status(status), report.kind.as_str()) {
        (Status::CONFIGURATION, _) => ErrorKind::Configuration,
        (Status::UNSUPPORTED, _) => ErrorKind::Unsupported,
        (Status::CANCELLED, _) => ErrorKind::Cancelled,
        (_, "undefined") => ErrorKind::Undefined,
        (_, "data") => ErrorKind::Data,
        _ => ErrorKind::Failed,
    };
    let message = match Status(status) {
        Status(1..=5) => message,
        Status(other) => format!(
            "{message} (status {other}, which ABI {} has not)",
            super::VERSION
        ),
    };
    let backtrace = report.panic.and_then(|place| place.backtrace);
    Error::new(kind, message).with_parts(report.causes, report.help, backtrace)
}
