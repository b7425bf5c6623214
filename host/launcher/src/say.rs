//! All that the launcher says. Everything goes to standard error: standard output belongs to the host's data.
#![expect(
    clippy::print_stderr,
    reason = "the one place that talks to the person at the terminal"
)]

use std::fmt::Display;

use crate::error::Error;

pub(crate) fn plain(text: impl Display) {
    eprintln!("{text}");
}

pub(crate) fn note(text: impl Display) {
    eprintln!("note: {text}");
}

pub(crate) fn error(error: &Error) {
    eprintln!("error: {}", error.message);
    eprintln!("hint: {}", error.hint);
}
