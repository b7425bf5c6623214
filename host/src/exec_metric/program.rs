//! What is run, and what its faults are called.

use metricopt_sdk::{Error, Result};
use std::io::{self, ErrorKind};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::NAME;
use super::child::{Child, Ending, Fault, Patience};
use super::protocol::{HELLO_EXAMPLE, Hello, STDOUT_IS_OURS, excerpt};

/// What keeps queries and answers in step.
const ONE_LINE_A_FRAME: &str = "let it read a whole frame, print one line, and read the next frame";

/// A program with its arguments, and how patient to be with it.
pub(super) struct Program {
    name: String,
    arguments: Vec<String>,
    /// The command line as a person reads it.
    shown: String,
    timeout: Duration,
}

/// A program that did not start, or did not answer.
pub(super) struct Failure {
    /// For the user.
    pub(super) error: Error,
    /// Whether it ended, so that another start may help.
    pub(super) ended: bool,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self {
            error,
            ended: false,
        }
    }
}

impl Program {
    pub(super) fn new(words: Vec<String>, timeout: Duration) -> Result<Self> {
        // Joining fails for words that hold a zero byte alone, and those fail to start.
        let shown = shlex::try_join(words.iter().map(String::as_str)).unwrap_or_default();
        let mut words = words.into_iter();
        let name = words.next().filter(|name| !name.is_empty());
        Ok(Self {
            name: name.ok_or_else(|| {
                Error::configuration("option `command` names no program")
                    .hint(r#"give one, as in `exec:command="python3 my_metric.py"`"#)
            })?,
            arguments: words.collect(),
            shown: excerpt(shown.as_bytes()),
            timeout,
        })
    }

    pub(super) fn patience<'a>(&self, cancelled: &'a dyn Fn() -> bool) -> Patience<'a> {
        Patience {
            timeout: self.timeout,
            cancelled,
        }
    }

    /// Starts it and hears its hello.
    pub(super) fn start(&self, cancelled: &dyn Fn() -> bool) -> Result<(Child, Hello), Failure> {
        let mut command = Command::new(&self.name);
        command.args(&self.arguments);
        if std::env::var_os("PYTHONUNBUFFERED").is_none() {
            // Lines that Python keeps in a buffer look like a program that hangs.
            command.env("PYTHONUNBUFFERED", "1");
        }
        let mut child =
            Child::start(&mut command, NAME).map_err(|error| self.not_started(&error))?;
        let line = child
            .ask(&mut [], &self.patience(cancelled))
            .map_err(|fault| self.explain(fault, "its hello"))?;
        let hello = Hello::parse(&line).map_err(|error| self.blame(error))?;
        child.rename(hello.name.as_deref().unwrap_or(NAME));
        Ok((child, hello))
    }

    /// Says whose answer was wrong.
    pub(super) fn blame(&self, error: Error) -> Error {
        error.context(format_args!("`{}`", self.shown))
    }

    fn not_started(&self, error: &io::Error) -> Error {
        let name = &self.name;
        let path = Path::new(name);
        let is_path = name.contains('/');
        let start =
            |reason: &str| Error::configuration(format!("cannot start `{}`: {reason}", self.shown));
        match error.kind() {
            ErrorKind::NotFound if is_path && path.exists() => start(&format!(
                "`{name}` is there, but not the program that its first line names"
            ))
            .hint(format!(
                "mend the first line of `{name}`, as in `#!/usr/bin/env python3` with a plain line end, or put what runs it in front: `exec:command=python3 {name}`"
            )),
            ErrorKind::NotFound if !is_path && path.exists() => {
                start(&format!("there is no program `{name}` on the search path")).hint(format!(
                    "write `./{name}` for the file in this folder, or put what runs it in front: `exec:command=python3 {name}`"
                ))
            }
            ErrorKind::NotFound if is_path => start(&format!("there is no file `{name}`"))
                .hint("paths are relative to the folder that the host runs in"),
            ErrorKind::NotFound => {
                start(&format!("there is no program `{name}` on the search path"))
                    .hint("install it, or give its path")
            }
            ErrorKind::PermissionDenied if path.is_dir() => {
                start(&format!("`{name}` is a folder")).hint("give the path of a program")
            }
            ErrorKind::PermissionDenied => start(&format!("`{name}` is not executable")).hint(
                format!(
                    "run `chmod +x {name}`, or put what runs it in front: `exec:command=python3 {name}`"
                ),
            ),
            _ => start(&error.to_string()).hint(format!(
                "a script begins with a line such as `#!/usr/bin/env python3`; or put what runs it in front: `exec:command=python3 {name}`"
            )),
        }
    }

    /// A fault while waiting for `awaited`: its hello, or its answer.
    pub(super) fn explain(&self, fault: Fault, awaited: &str) -> Failure {
        let shown = &self.shown;
        let seconds = self.timeout.as_secs_f64();
        let raise = "if it needs longer, raise the option `timeout`, which counts seconds";
        let failed = |message: String| Error::failed(format!("`{shown}` {message}"));
        let error = match fault {
            Fault::Ended(ending) => {
                return Failure {
                    error: self.ended(&ending, awaited),
                    ended: true,
                };
            }
            Fault::TimedOut { reading: true } => failed(format!(
                "did not read a whole query from standard input within {seconds} s (`timeout`)"
            ))
            .hint("a frame is 8 bytes of length, little-endian, and then that many bytes: read all of them")
            .hint(raise),
            Fault::TimedOut { reading: false } => failed(format!(
                "did not print {awaited} within {seconds} s (`timeout`)"
            ))
            .hint("let it end every line with a line feed and flush standard output after it")
            .hint(raise),
            Fault::StoppedReading => failed("closed its standard input, where the queries come from".to_owned())
                .hint("let it answer query after query until standard input ends"),
            Fault::Unasked(line) => failed(format!(
                "printed a line that no query asked for: `{}`",
                excerpt(&line)
            ))
            .hint(ONE_LINE_A_FRAME)
            .hint(STDOUT_IS_OURS),
            // Which of them is too much, nobody can tell.
            Fault::Several(line, rest) => failed(format!(
                "answered one query with more than one line: `{}`, then `{}`",
                excerpt(&line),
                excerpt(rest.trim_ascii_end())
            ))
            .hint(ONE_LINE_A_FRAME)
            .hint(STDOUT_IS_OURS),
            Fault::TooLong(line) => failed(format!(
                "printed more than 1 MiB without a line end, beginning with `{}`",
                excerpt(&line)
            ))
            .hint(STDOUT_IS_OURS),
            Fault::Cancelled => Error::cancelled(),
            Fault::Io(error) => failed(format!("cannot be talked to: {error}")),
        };
        Failure::from(error)
    }

    fn ended(&self, ending: &Ending, awaited: &str) -> Error {
        let how = match ending.status {
            None => "closed its standard output".to_owned(),
            Some(status) => match status.code() {
                Some(code) => format!("ended with exit code {code}"),
                // As in `signal: 9 (SIGKILL)`.
                None => format!("was ended by {}", status.to_string().replacen(": ", " ", 1)),
            },
        };
        let mut message = format!("`{}` {how} before it printed {awaited}", self.shown);
        if !ending.unfinished.is_empty() {
            message.push_str(&format!(
                "; it had begun a line: `{}`",
                excerpt(&ending.unfinished)
            ));
        }
        let error = match &ending.last_line {
            Some(line) => Error::failed(format!("{message}; its last words: `{line}`")),
            None => Error::failed(format!("{message}, without a word on standard error")),
        };
        match ending.status.and_then(|status| status.code()) {
            None if ending.status.is_some() => {
                error.hint("SIGKILL from nowhere often means that memory ran out; the option `workers` limits how many run at once")
            }
            Some(0) if awaited != "its hello" => {
                error.hint("let it answer query after query until standard input ends")
            }
            _ if awaited == "its hello" => error.hint(HELLO_EXAMPLE),
            _ => error,
        }
    }
}
