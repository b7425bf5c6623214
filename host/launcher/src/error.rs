//! An error for the person at the terminal: what and where in the message, what to do next in the hint.

use std::io;
use std::path::Path;

pub(crate) type Result<T, E = Error> = std::result::Result<T, E>;

#[derive(Debug)]
pub(crate) struct Error {
    pub(crate) message: String,
    pub(crate) hint: String,
}

impl Error {
    pub(crate) fn new(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            hint: hint.into(),
        }
    }

    /// A file operation failed: `doing` reads like "write" or "create the directory".
    pub(crate) fn file(doing: &str, path: &Path, source: &io::Error) -> Self {
        Self::new(
            format!("could not {doing} `{}`: {source}", path.display()),
            "check the permissions and the free space of this directory, then run the same command again",
        )
    }

    /// A program could not even be started.
    pub(crate) fn start(program: &Path, source: &io::Error) -> Self {
        Self::new(
            format!("could not start `{}`: {source}", program.display()),
            "check that this file exists and is executable",
        )
    }
}
