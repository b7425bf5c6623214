//! Cargo's progress as it is, but silence when there was nothing to build.
//!
//! Cargo has no such switch: `--quiet` would also hide a build of minutes. So its output passes through here, and the
//! closing line `Finished ...` is dropped when it is also the first one.

use std::io::{self, Read, Write};

/// Copies until the end of `cargo_output`.
pub(crate) fn forward(mut cargo_output: impl Read, mut terminal: impl Write) -> io::Result<()> {
    let mut opening = Opening::default();
    let mut buffer = [0; 4096];
    loop {
        let n_read = match cargo_output.read(&mut buffer) {
            Ok(0) => break,
            Ok(n_read) => n_read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        terminal.write_all(&opening.pass(&buffer[..n_read]))?;
        terminal.flush()?;
    }
    terminal.write_all(&opening.held)
}

/// Holds back the first bytes while they could still become the line `Finished ...`.
#[derive(Default)]
struct Opening {
    held: Vec<u8>,
    is_over: bool,
}

impl Opening {
    /// Takes the next bytes, returns those to show now.
    fn pass(&mut self, bytes: &[u8]) -> Vec<u8> {
        self.held.extend_from_slice(bytes);
        if !self.is_over {
            let line_end = self.held.iter().position(|&byte| byte == b'\n');
            let line = visible(&self.held[..line_end.unwrap_or(self.held.len())]);
            let is_closing_line = line.starts_with("Finished");
            if line_end.is_none() && (is_closing_line || "Finished".starts_with(&line)) {
                return Vec::new();
            }
            self.is_over = true;
            if let Some(line_end) = line_end.filter(|_| is_closing_line) {
                self.held.drain(..=line_end);
            }
        }
        std::mem::take(&mut self.held)
    }
}

/// The text without indentation, colours and cursor movements.
fn visible(line: &[u8]) -> String {
    let line = String::from_utf8_lossy(line);
    let mut text = String::new();
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        if character == '\u{1b}' {
            // A control sequence: `ESC [ parameters letter`.
            characters.by_ref().find(char::is_ascii_alphabetic);
        } else if !character.is_control() {
            text.push(character);
        }
    }
    text.trim_start().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(chunks: &[&str]) -> String {
        let mut output = Vec::new();
        let chunks = chunks.iter().map(|chunk| chunk.as_bytes());
        struct Chunks<'a, I: Iterator<Item = &'a [u8]>>(I);
        impl<'a, I: Iterator<Item = &'a [u8]>> Read for Chunks<'a, I> {
            fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                let chunk = self.0.next().unwrap_or_default();
                buffer[..chunk.len()].copy_from_slice(chunk);
                Ok(chunk.len())
            }
        }
        forward(Chunks(chunks), &mut output).unwrap();
        String::from_utf8(output).unwrap()
    }

    #[test]
    fn nothing_to_build_is_silent() {
        assert_eq!(shown(&["    Finished `release` profile in 0.05s\n"]), "");
        assert_eq!(
            shown(&[
                "\u{1b}[1m\u{1b}[32m    Fin",
                "ished\u{1b}[0m `release`",
                " profile\n"
            ]),
            ""
        );
        assert_eq!(shown(&[]), "");
    }

    #[test]
    fn a_build_is_shown_whole() {
        let build = ["   Comp", "iling tch\n", "    Finished `release`\n"];
        assert_eq!(shown(&build), build.concat());
    }

    #[test]
    fn a_warning_and_an_unfinished_line_are_shown() {
        assert_eq!(
            shown(&["warning: unused\n    Finished\n"]),
            "warning: unused\n    Finished\n"
        );
        assert_eq!(shown(&["    Finished\nwarning: late\n"]), "warning: late\n");
        assert_eq!(shown(&["  Fini"]), "  Fini");
    }
}
