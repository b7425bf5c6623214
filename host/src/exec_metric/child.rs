//! One running program: bytes to it, lines from it, and its end.

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::ioctl_fionbio;
use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use super::group::Group;
use super::stderr::Stderr;

/// The longest line that is read.
const LONGEST_LINE: usize = 1 << 20;

/// How often the wish to stop and the end of the program are looked for.
const TICK: Duration = Duration::from_millis(50);

/// How long a program whose standard input has ended may take to end, too.
pub(super) const FAREWELL: Duration = Duration::from_millis(500);

/// Why there is no line.
#[derive(Debug)]
pub(super) enum Fault {
    /// It has ended.
    Ended(Ending),
    /// The time is over; `reading` if it had not read all that was sent.
    TimedOut { reading: bool },
    /// It closed its standard input and went on.
    StoppedReading,
    /// It printed a line that nobody asked for.
    Unasked(Vec<u8>),
    /// It answered one query with more than a line: the first, and what came after it.
    Several(Vec<u8>, Vec<u8>),
    /// It printed too much without ending the line; what it began with.
    TooLong(Vec<u8>),
    /// The user asked to stop.
    Cancelled,
    /// The system refused.
    Io(io::Error),
}

/// How a program ended.
#[derive(Clone, Debug)]
pub(super) struct Ending {
    /// None if it only closed its standard output.
    pub(super) status: Option<ExitStatus>,
    /// What it said last on standard error.
    pub(super) last_line: Option<String>,
    /// What it had begun to print.
    pub(super) unfinished: Vec<u8>,
}

/// How long to wait for a line.
pub(super) struct Patience<'a> {
    pub(super) timeout: Duration,
    pub(super) cancelled: &'a dyn Fn() -> bool,
}

/// A running program. It ends with this value.
pub(super) struct Child {
    process: std::process::Child,
    /// None once it was told to end.
    stdin: Option<ChildStdin>,
    stdout: ChildStdout,
    /// What was read of lines that nobody took yet.
    pending: Vec<u8>,
    stderr: Stderr,
    /// None once all processes were ended.
    group: Option<Group>,
}

impl Child {
    /// Starts a program.
    pub(super) fn start(command: &mut Command, name: &str) -> io::Result<Self> {
        let mut process = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // Ctrl-C in a terminal is for the host, which ends its programs in good order.
            .process_group(0)
            .spawn()?;
        let group = Group::of(&process);
        let pipes = (
            process.stdin.take(),
            process.stdout.take(),
            process.stderr.take(),
        );
        let (Some(stdin), Some(stdout), Some(stderr)) = pipes else {
            return Err(io::Error::other("there are no pipes"));
        };
        ioctl_fionbio(&stdin, true)?;
        ioctl_fionbio(&stdout, true)?;
        Ok(Self {
            process,
            stdin: Some(stdin),
            stdout,
            pending: Vec::new(),
            stderr: Stderr::listen(stderr, name)?,
            group: Some(group),
        })
    }

    /// The name in front of what it writes to standard error.
    pub(super) fn rename(&self, name: &str) {
        self.stderr.rename(name);
    }

    /// Sends `frame` and waits for one line, which comes without its end. After a fault it can only be dropped.
    pub(super) fn ask(
        &mut self,
        mut frame: &mut [IoSlice<'_>],
        patience: &Patience<'_>,
    ) -> Result<Vec<u8>, Fault> {
        let asked = !frame.is_empty();
        if asked {
            self.read()?;
            if !self.pending.is_empty() {
                return Err(Fault::Unasked(std::mem::take(&mut self.pending)));
            }
        }
        let started = Instant::now();
        let mut stopped_reading = None;
        loop {
            if stopped_reading.is_none() && !self.write(&mut frame)? {
                stopped_reading = Some(Instant::now());
            }
            let open = self.read()?;
            if let Some(end) = self.pending.iter().position(|&byte| byte == b'\n') {
                let rest = self.pending.split_off(end + 1);
                let mut line = std::mem::replace(&mut self.pending, rest);
                line.pop();
                if stopped_reading.is_some() {
                    return Err(Fault::StoppedReading);
                }
                // An answer to half a question is none, nor is one of several.
                if !frame.is_empty() {
                    return Err(Fault::Unasked(line));
                }
                if asked && !self.pending.is_empty() {
                    return Err(Fault::Several(line, std::mem::take(&mut self.pending)));
                }
                return Ok(line);
            }
            if !open {
                return Err(Fault::Ended(self.end(FAREWELL)));
            }
            if self.pending.len() > LONGEST_LINE {
                return Err(Fault::TooLong(std::mem::take(&mut self.pending)));
            }
            if (patience.cancelled)() {
                return Err(Fault::Cancelled);
            }
            // What it started may hold its standard output open.
            if self.group.as_ref().is_none_or(Group::has_ended) {
                self.read()?;
                if !self.pending.contains(&b'\n') {
                    return Err(Fault::Ended(self.end(FAREWELL)));
                }
                continue;
            }
            if stopped_reading.is_some_and(|since| since.elapsed() > FAREWELL) {
                return Err(Fault::StoppedReading);
            }
            let Some(left) = patience.timeout.checked_sub(started.elapsed()) else {
                return Err(Fault::TimedOut {
                    reading: !frame.is_empty(),
                });
            };
            let writing = stopped_reading.is_none() && !frame.is_empty();
            self.wait(writing, left.min(TICK)).map_err(Fault::Io)?;
        }
    }

    /// Waits until there is something to read or, if `writing`, until there is room to write.
    fn wait(&self, writing: bool, at_most: Duration) -> io::Result<()> {
        let mut ends = vec![PollFd::new(&self.stdout, PollFlags::IN)];
        if let Some(stdin) = self.stdin.as_ref().filter(|_| writing) {
            ends.push(PollFd::new(stdin, PollFlags::OUT));
        }
        let timeout = Timespec::try_from(at_most).ok();
        match poll(&mut ends, timeout.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Writes as much as there is room for; false if nobody reads any more.
    fn write(&mut self, frame: &mut &mut [IoSlice<'_>]) -> Result<bool, Fault> {
        let Some(stdin) = &mut self.stdin else {
            return Ok(false);
        };
        while !frame.is_empty() {
            match stdin.write_vectored(frame) {
                Ok(written) => IoSlice::advance_slices(frame, written),
                Err(error) => match error.kind() {
                    ErrorKind::Interrupted => {}
                    ErrorKind::WouldBlock => break,
                    ErrorKind::BrokenPipe => return Ok(false),
                    _ => return Err(Fault::Io(error)),
                },
            }
        }
        Ok(true)
    }

    /// Reads what there is, up to more than the longest line; false once there will be no more.
    fn read(&mut self) -> Result<bool, Fault> {
        let mut chunk = [0; 4096];
        while self.pending.len() <= LONGEST_LINE {
            match self.stdout.read(&mut chunk) {
                Ok(0) => return Ok(false),
                Ok(length) => self.pending.extend(&chunk[..length]),
                Err(error) => match error.kind() {
                    ErrorKind::Interrupted => {}
                    ErrorKind::WouldBlock => break,
                    _ => return Err(Fault::Io(error)),
                },
            }
        }
        Ok(true)
    }

    /// Says that there will be no more queries.
    pub(super) fn farewell(&mut self) {
        self.stdin = None;
    }

    /// Ends it and all that it started; it may take `patience` to end by itself.
    pub(super) fn end(&mut self, patience: Duration) -> Ending {
        let started = Instant::now();
        let mut ended = self.group.as_ref().is_none_or(Group::has_ended);
        while !ended && started.elapsed() < patience {
            std::thread::sleep(Duration::from_millis(1));
            ended = self.group.as_ref().is_none_or(Group::has_ended);
        }
        self.group = None;
        let status = self.process.wait().ok();
        Ending {
            status: status.filter(|_| ended),
            last_line: self.stderr.last_line(),
            unfinished: std::mem::take(&mut self.pending),
        }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if self.group.take().is_some() {
            // It was killed: this takes no time.
            let _ = self.process.wait();
        }
    }
}
