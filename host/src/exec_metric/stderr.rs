//! What a program writes to standard error goes to that of the host, whole line by whole line, with a name in front.

use std::io::{IsTerminal, Read, Write};
use std::process::ChildStderr;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::protocol::excerpt;

/// A longer line is passed on in pieces.
const LONGEST_LINE: usize = 8192;

/// The listener to one program.
pub(super) struct Stderr {
    heard: Arc<Mutex<Heard>>,
    thread: JoinHandle<()>,
}

struct Heard {
    name: String,
    last: Option<String>,
}

impl Stderr {
    /// Listens until the program, and all that it started, have closed their end.
    pub(super) fn listen(mut pipe: ChildStderr, name: &str) -> std::io::Result<Self> {
        let heard = Arc::new(Mutex::new(Heard {
            name: name.to_owned(),
            last: None,
        }));
        let shared = Arc::clone(&heard);
        let listen = move || {
            let mut lines = Lines::default();
            let mut chunk = [0; 4096];
            while let Ok(length @ 1..) = pipe.read(&mut chunk) {
                lines.push(&chunk[..length], &mut |line| pass_on(&shared, line));
            }
            lines.end(&mut |line| pass_on(&shared, line));
        };
        let thread = std::thread::Builder::new()
            .name("exec-stderr".to_owned())
            .spawn(listen)?;
        Ok(Self { heard, thread })
    }

    /// The name in front from now on.
    pub(super) fn rename(&self, name: &str) {
        name.clone_into(&mut lock(&self.heard).name);
    }

    /// The last line, once the program has ended.
    pub(super) fn last_line(&self) -> Option<String> {
        // What it started may hold the pipe open for as long as it likes.
        let started = Instant::now();
        while !self.thread.is_finished() && started.elapsed() < Duration::from_secs(1) {
            std::thread::sleep(Duration::from_millis(1));
        }
        lock(&self.heard).last.clone()
    }
}

fn lock(heard: &Mutex<Heard>) -> std::sync::MutexGuard<'_, Heard> {
    heard.lock().unwrap_or_else(PoisonError::into_inner)
}

fn pass_on(heard: &Mutex<Heard>, line: &[u8]) {
    let name = {
        let mut heard = lock(heard);
        heard.last = Some(excerpt(line));
        heard.name.clone()
    };
    say(&name, line);
}

/// Writes one line to standard error: in one piece, so that it does not mix with others.
pub(super) fn say(name: &str, line: &[u8]) {
    let mut out = std::io::stderr().lock();
    let mut whole = Vec::with_capacity(line.len() + name.len() + 16);
    if out.is_terminal() {
        // A progress bar may stand there; it draws itself again.
        whole.extend(b"\r\x1b[K");
    }
    whole.extend(name.as_bytes());
    whole.extend(b": ");
    whole.extend(line);
    whole.push(b'\n');
    // Whoever closed standard error does not want to hear.
    let _ = out.write_all(&whole);
}

/// Cuts a stream into lines. Programs that draw progress end them with a carriage return.
#[derive(Default)]
struct Lines(Vec<u8>);

impl Lines {
    fn push(&mut self, bytes: &[u8], each: &mut impl FnMut(&[u8])) {
        for &byte in bytes {
            if byte == b'\n' || byte == b'\r' {
                self.end(each);
            } else {
                self.0.push(byte);
                if self.0.len() == LONGEST_LINE {
                    self.end(each);
                }
            }
        }
    }

    fn end(&mut self, each: &mut impl FnMut(&[u8])) {
        if !self.0.trim_ascii().is_empty() {
            each(&self.0);
        }
        self.0.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_whole_however_they_were_written() {
        let mut heard = Vec::new();
        let mut each = |line: &[u8]| heard.push(String::from_utf8_lossy(line).into_owned());
        let mut lines = Lines::default();
        for piece in ["on", "e\r\ntwo\n\n", " 10 %\r 20 %\r", "last"] {
            lines.push(piece.as_bytes(), &mut each);
        }
        lines.end(&mut each);
        assert_eq!(heard, ["one", "two", " 10 %", " 20 %", "last"]);
    }

    #[test]
    fn a_line_without_end_comes_in_pieces() {
        let mut lengths = Vec::new();
        let mut each = |line: &[u8]| lengths.push(line.len());
        let mut lines = Lines::default();
        lines.push(&vec![b'x'; 2 * LONGEST_LINE + 5], &mut each);
        lines.end(&mut each);
        assert_eq!(lengths, [LONGEST_LINE, LONGEST_LINE, 5]);
    }
}
