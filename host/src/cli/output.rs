//! Standard output belongs to results: what plugins print goes to standard error.

use metricopt_sdk::{Error, Result};
use std::borrow::Cow;
use std::fs::File;
use std::io::Write;
use std::sync::OnceLock;

/// The standard output that the host was started with.
static RESULTS: OnceLock<File> = OnceLock::new();

/// From here on only [`print`] reaches standard output; whatever else is written there goes to standard error.
pub(super) fn reserve() {
    let Ok(original) = rustix::io::dup(rustix::stdio::stdout()) else {
        // There is no standard output: nothing to keep apart.
        return;
    };
    if rustix::stdio::dup2_stdout(rustix::stdio::stderr()).is_ok() {
        // Reserved once, at the start.
        let _ = RESULTS.set(original.into());
    }
}

/// Text without what would move the cursor or colour a terminal: names, documentation and messages of plugins are shown
/// as they are meant, not as they are made.
pub(super) fn harmless(text: &str) -> Cow<'_, str> {
    let harmful = |character: char| character.is_control() && !"\n\t".contains(character);
    if text.contains(harmful) {
        Cow::Owned(text.replace(harmful, "\u{FFFD}"))
    } else {
        Cow::Borrowed(text)
    }
}

/// Writes a result to standard output. A reader that has gone away, as `head` does, is no error.
pub(super) fn print(text: &str) -> Result<()> {
    let line = format!("{}\n", harmless(text));
    let written = match RESULTS.get() {
        Some(mut file) => file.write_all(line.as_bytes()),
        None => std::io::stdout().lock().write_all(line.as_bytes()),
    };
    match written {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(Error::failed(
            format!("cannot write to standard output: {error}"),
        )),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::harmless;

    #[test]
    fn only_what_a_terminal_would_obey_is_replaced() {
        assert_eq!(harmless("é\tone\ntwo"), "é\tone\ntwo");
        assert_eq!(
            harmless("\u{1b}[2J\rgone\u{9b}1A"),
            "\u{FFFD}[2J\u{FFFD}gone\u{FFFD}1A"
        );
    }
}
