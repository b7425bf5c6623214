//! A small HTTP server that misbehaves as told.

#![expect(
    clippy::unwrap_used,
    reason = "the helpers of these tests are tests too"
)]

use std::{
    collections::VecDeque,
    io::{BufRead, BufReader, Write},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
};

/// What the server makes of one request.
#[derive(Clone)]
pub(crate) enum Answer {
    /// The file, from where it was asked for.
    File(Vec<u8>),
    /// The file from its start, whatever was asked for.
    NoRange(Vec<u8>),
    /// As [`Answer::File`], but the connection ends after so many bytes.
    Dropped(Vec<u8>, usize),
    /// The file, with another length in the header.
    Lie(Vec<u8>, usize),
    /// The file, with an entity tag, and honouring `If-Range`.
    Tagged(Vec<u8>, &'static str),
    /// A part from another place than was asked for.
    WrongPart(Vec<u8>),
    /// Elsewhere.
    Redirect(&'static str),
    /// A status without a body.
    Status(&'static str),
    /// The start of a body, and then nothing.
    Silence(Vec<u8>, usize),
}

/// A request as it came: path and header lines in lower case.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) path: String,
    pub(crate) head: Vec<String>,
}

impl Request {
    /// The first byte asked for.
    pub(crate) fn start(&self) -> Option<usize> {
        let range = self.header("range")?;
        range
            .strip_prefix("bytes=")?
            .strip_suffix('-')?
            .parse()
            .ok()
    }

    fn header(&self, name: &str) -> Option<&str> {
        let line = |line: &'_ &String| line.split_once(": ").is_some_and(|it| it.0 == name);
        self.head.iter().find(line)?.split_once(": ").map(|it| it.1)
    }
}

/// Gives its answers in order, the last one again and again.
pub(crate) struct Server {
    pub(crate) address: String,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Server {
    pub(crate) fn new(answers: Vec<Answer>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&requests);
        thread::spawn(move || {
            let mut answers: VecDeque<Answer> = answers.into();
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let request = read(&stream);
                let answer = if answers.len() > 1 {
                    answers.pop_front().unwrap()
                } else {
                    answers[0].clone()
                };
                seen.lock().unwrap().push(request.clone());
                thread::spawn(move || {
                    // A client that has heard enough hangs up.
                    let _ = give(&mut stream, &request, answer);
                    let _ = stream.shutdown(Shutdown::Both);
                });
            }
        });
        Self { address, requests }
    }

    /// An address at which nobody listens any more.
    pub(crate) fn nobody() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        Self {
            address,
            requests: Arc::default(),
        }
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }
}

fn read(stream: &TcpStream) -> Request {
    let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
    let first = lines.next().unwrap_or_default();
    Request {
        path: first.split(' ').nth(1).unwrap_or_default().to_owned(),
        head: lines
            .take_while(|line| !line.is_empty())
            .map(|line| line.to_lowercase())
            .collect(),
    }
}

fn give(stream: &mut TcpStream, request: &Request, answer: Answer) -> std::io::Result<()> {
    let close = "Connection: close\r\n";
    let whole = |stream: &mut TcpStream, file: &[u8], length: usize, extra: &str| {
        write!(
            stream,
            "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n{extra}{close}\r\n"
        )?;
        stream.write_all(file)
    };
    let part = |stream: &mut TcpStream, file: &[u8], from: usize, end: usize, extra: &str| {
        if from >= file.len() {
            return write!(
                stream,
                "HTTP/1.1 416 Range Not Satisfiable\r\nContent-Range: bytes */{}\r\nContent-Length: 0\r\n{close}\r\n",
                file.len()
            );
        }
        write!(
            stream,
            "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes {from}-{}/{}\r\nContent-Length: {}\r\n{extra}{close}\r\n",
            file.len() - 1,
            file.len(),
            file.len() - from
        )?;
        stream.write_all(&file[from.min(end)..end])
    };
    match answer {
        Answer::File(file) => match request.start() {
            Some(from) => part(stream, &file, from, file.len(), ""),
            None => whole(stream, &file, file.len(), ""),
        },
        Answer::NoRange(file) => whole(stream, &file, file.len(), ""),
        Answer::Dropped(file, count) => match request.start() {
            Some(from) => part(stream, &file, from, (from + count).min(file.len()), ""),
            None => whole(stream, &file[..count], file.len(), ""),
        },
        Answer::Lie(file, length) => whole(stream, &file, length, ""),
        Answer::Tagged(file, tag) => {
            let extra = format!("ETag: {tag}\r\n");
            let same = request.header("if-range") == Some(tag);
            match request.start().filter(|_| same) {
                Some(from) => part(stream, &file, from, file.len(), &extra),
                None => whole(stream, &file, file.len(), &extra),
            }
        }
        Answer::WrongPart(file) => part(stream, &file, 1, file.len(), ""),
        Answer::Redirect(to) => {
            write!(
                stream,
                "HTTP/1.1 302 Found\r\nLocation: {to}\r\nContent-Length: 0\r\n{close}\r\n"
            )
        }
        Answer::Status(status) => {
            write!(
                stream,
                "HTTP/1.1 {status}\r\nContent-Length: 0\r\n{close}\r\n"
            )
        }
        Answer::Silence(file, count) => {
            whole(stream, &file[..count], file.len(), "")?;
            stream.flush()?;
            thread::sleep(std::time::Duration::from_secs(60));
            Ok(())
        }
    }
}
