//! One file from a server, in as many connections as it takes.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Write},
    path::{Path, PathBuf},
    thread,
};

use metricopt_sdk::{Error, Result};
use ureq::{
    Agent, Body,
    http::{StatusCode, header, response::Parts},
};

use super::{Fetching, cannot, checksum};
use crate::catalogue::RemoteFile;

/// Connections in a row that may bring nothing new.
const ATTEMPTS: u32 = 4;

/// The largest file whose length is not published.
const LARGEST: u64 = 1 << 36;

const BUFFER: usize = 1 << 16;

pub(super) struct Client<'a> {
    agent: Agent,
    fetching: &'a Fetching<'a>,
}

/// How one connection ended, if not with an error that another one cannot mend.
enum Outcome {
    /// The file is whole, as far as the server says.
    Whole,
    /// Something was lost on the way: why.
    Interrupted(String),
}

impl<'a> Client<'a> {
    pub(super) fn new(fetching: &'a Fetching<'a>) -> Self {
        let patience = Some(fetching.patience);
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .timeout_resolve(patience)
            .timeout_connect(patience)
            .timeout_recv_response(patience)
            .timeout_per_read(patience)
            .user_agent(concat!("metricopt/", env!("CARGO_PKG_VERSION")))
            .build();
        Self {
            agent: config.new_agent(),
            fetching,
        }
    }

    /// Fetches `file` from `url` to `path` and checks it; a file that lies there already is only checked.
    pub(super) fn fetch(&self, url: &str, file: &RemoteFile, path: &Path) -> Result<()> {
        if path.exists() {
            return self.check(file, path).map_err(|error| {
                error.hint(format!("remove `{}` to fetch it anew", path.display()))
            });
        }
        let partial = Partial::new(path);
        let resumed = partial.length() > 0;
        self.complete(url, file, &partial)?;
        let mut checked = self.check(file, &partial.path);
        if checked.is_err() {
            partial.forget()?;
            if resumed {
                // The file may have changed on the server since the first part was fetched.
                (self.fetching.say)(&format!(
                    "what was left of an earlier download does not fit; fetching {url} from its start"
                ));
                self.complete(url, file, &partial)?;
                checked = self.check(file, &partial.path);
            }
        }
        checked.map_err(|error| {
            // Whatever it is, resuming it would not make it right.
            let _ = partial.forget();
            error.context(format!("{url} is not what it should be"))
        })?;
        fs::rename(&partial.path, path).map_err(|error| cannot("rename", &partial.path, &error))?;
        partial.forget()
    }

    /// Length and checksum, as far as they are published.
    fn check(&self, file: &RemoteFile, path: &Path) -> Result<()> {
        let length = fs::metadata(path)
            .map_err(|error| cannot("read", path, &error))?
            .len();
        if let Some(bytes) = file.bytes.filter(|&bytes| bytes != length) {
            return Err(Error::data(format!(
                "`{}` has {length} bytes instead of {bytes}",
                path.display()
            )));
        }
        let Some(expected) = file.checksum else {
            (self.fetching.say)(&format!(
                "no checksum of `{}` is published: only its length could be checked",
                file.name
            ));
            return Ok(());
        };
        checksum::check(path, expected, &|done| {
            (self.fetching.progress)("check", done, length);
        })
    }

    /// Connects until the file is whole.
    fn complete(&self, url: &str, file: &RemoteFile, partial: &Partial) -> Result<()> {
        let mut fruitless = 0;
        let mut pause = self.fetching.pause;
        loop {
            let before = partial.length();
            if file.bytes == Some(before) {
                return Ok(());
            }
            let reason = match self.connect(url, file, partial)? {
                Outcome::Whole => return Ok(()),
                Outcome::Interrupted(reason) => reason,
            };
            if partial.length() > before {
                fruitless = 0;
                pause = self.fetching.pause;
            } else {
                fruitless += 1;
            }
            if fruitless == ATTEMPTS {
                return Err(Error::failed(format!("cannot fetch {url}: {reason}")).hint(
                    "if there is a connection, try again later: what was fetched so far is kept",
                ));
            }
            (self.fetching.say)(&format!("{url}: {reason}; trying again"));
            thread::sleep(pause);
            pause *= 2;
        }
    }

    /// Fetches as much as one connection gives.
    fn connect(&self, url: &str, file: &RemoteFile, partial: &Partial) -> Result<Outcome> {
        let have = partial.length();
        let mut request = self.agent.get(url);
        if have > 0 {
            request = request.header(header::RANGE, format!("bytes={have}-"));
            if let Some(validator) = partial.validator() {
                request = request.header(header::IF_RANGE, validator);
            }
        }
        let response = match request.call() {
            Ok(response) => response,
            Err(error) if is_final(&error) => {
                return Err(Error::failed(format!("cannot fetch {url}: {error}")));
            }
            Err(error) => return Ok(Outcome::Interrupted(error.to_string())),
        };
        let (head, body) = response.into_parts();
        let start = match head.status {
            StatusCode::OK => 0,
            StatusCode::PARTIAL_CONTENT
                if content_range(&head).is_some_and(|range| range.0 == have) =>
            {
                have
            }
            // Nothing is missing: a process was ended between its last byte and the check.
            StatusCode::RANGE_NOT_SATISFIABLE if whole_length(&head) == Some(have) => {
                return Ok(Outcome::Whole);
            }
            StatusCode::PARTIAL_CONTENT | StatusCode::RANGE_NOT_SATISFIABLE => {
                partial.forget()?;
                return Ok(Outcome::Interrupted(
                    "the server has another part than was asked for".to_owned(),
                ));
            }
            status if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS => {
                return Ok(Outcome::Interrupted(format!("the server says {status}")));
            }
            status => {
                return Err(Error::failed(format!(
                    "cannot fetch {url}: the server says {status}"
                )));
            }
        };
        let total = promised(&head, &body, start);
        if let (Some(total), Some(bytes)) = (total, file.bytes)
            && total != bytes
        {
            return Err(Error::data(format!(
                "{url} has {total} bytes on the server instead of {bytes}"
            ))
            .hint("the file has changed there, or the server answers with a page of its own"));
        }
        partial.start(start, &head)?;
        self.receive(url, body, partial, start, total, file.bytes)
    }

    /// Appends what comes to the partial file.
    fn receive(
        &self,
        url: &str,
        body: Body,
        partial: &Partial,
        start: u64,
        total: Option<u64>,
        published: Option<u64>,
    ) -> Result<Outcome> {
        let most = published.or(total).unwrap_or(LARGEST).min(LARGEST);
        let failed = |error: io::Error| cannot("write", &partial.path, &error);
        let mut output = OpenOptions::new()
            .append(true)
            .open(&partial.path)
            .map_err(failed)?;
        let mut input = body.into_reader();
        let mut buffer = vec![0; BUFFER];
        let mut done = start;
        loop {
            let count = match input.read(&mut buffer) {
                Ok(count) => count,
                Err(error) => return Ok(Outcome::Interrupted(error.to_string())),
            };
            if count == 0 {
                return Ok(match total.or(published) {
                    Some(total) if done < total => Outcome::Interrupted(format!(
                        "the connection ended after {done} of {total} bytes"
                    )),
                    _ => Outcome::Whole,
                });
            }
            done += count as u64;
            if done > most {
                partial.forget()?;
                return Err(Error::data(format!(
                    "{url} sends more than the {most} bytes it should have"
                )));
            }
            output
                .write_all(buffer.get(..count).unwrap_or_default())
                .map_err(failed)?;
            (self.fetching.progress)("fetch", done, total.or(published).unwrap_or(done));
        }
    }
}

/// Whether trying again cannot help.
fn is_final(error: &ureq::Error) -> bool {
    use ureq::Error as E;
    matches!(
        error,
        E::BadUri(_) | E::Http(_) | E::TooManyRedirects | E::RedirectFailed | E::InvalidProxyUrl
    )
}

/// First byte and length of the whole, of `Content-Range: bytes 5-9/10`.
fn content_range(head: &Parts) -> Option<(u64, Option<u64>)> {
    let value = head.headers.get(header::CONTENT_RANGE)?.to_str().ok()?;
    let (range, total) = value.strip_prefix("bytes ")?.split_once('/')?;
    let first = range.split_once('-')?.0.parse().ok()?;
    Some((first, total.parse().ok()))
}

/// The length of the whole, of `Content-Range: bytes */10`.
fn whole_length(head: &Parts) -> Option<u64> {
    let value = head.headers.get(header::CONTENT_RANGE)?.to_str().ok()?;
    value.strip_prefix("bytes */")?.parse().ok()
}

/// The length of the whole file by what the server says.
fn promised(head: &Parts, body: &Body, start: u64) -> Option<u64> {
    let by_range = content_range(head)
        .filter(|_| start > 0)
        .and_then(|range| range.1);
    by_range.or_else(|| body.content_length().map(|length| start + length))
}

/// A file that is not whole yet, with what its server calls this version of it.
struct Partial {
    path: PathBuf,
    validator: PathBuf,
}

impl Partial {
    fn new(path: &Path) -> Self {
        let with = |ending: &str| {
            let mut name = path.as_os_str().to_owned();
            name.push(ending);
            PathBuf::from(name)
        };
        Self {
            path: with(".part"),
            validator: with(".part.version"),
        }
    }

    fn length(&self) -> u64 {
        fs::metadata(&self.path).map_or(0, |meta| meta.len())
    }

    /// The entity tag or the date of the version that the part was fetched from.
    fn validator(&self) -> Option<String> {
        fs::read_to_string(&self.validator)
            .ok()
            .filter(|text| !text.is_empty())
    }

    /// Gets ready for bytes from `start` on: 0 throws away what is there.
    fn start(&self, start: u64, head: &Parts) -> Result<()> {
        if start > 0 {
            return Ok(());
        }
        let version = [header::ETAG, header::LAST_MODIFIED]
            .iter()
            .filter_map(|name| head.headers.get(name)?.to_str().ok())
            // A weak tag does not promise the same bytes (RFC 9110, section 13.1.5).
            .find(|version| !version.starts_with("W/"));
        fs::write(&self.validator, version.unwrap_or_default())
            .and_then(|()| File::create(&self.path).map(drop))
            .map_err(|error| cannot("write", &self.path, &error))
    }

    /// Removes it.
    fn forget(&self) -> Result<()> {
        for path in [&self.path, &self.validator] {
            match fs::remove_file(path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(cannot("remove", path, &error));
                }
                _ => {}
            }
        }
        Ok(())
    }
}
