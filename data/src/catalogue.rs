//! Data sets that can be fetched, with their terms: facts of their official pages, as of November 2026.

mod entries;

use metricopt_sdk::{Error, Result};

pub use entries::ENTRIES;

/// A data set.
#[derive(Debug)]
pub struct Entry {
    /// The name, also of its folder.
    pub name: &'static str,
    /// What it is, in a few words.
    pub title: &'static str,
    /// On what terms.
    pub licence: &'static str,
    /// Whom to cite.
    pub citation: &'static str,
    /// The official page.
    pub page: &'static str,
    /// How to get it.
    pub access: Access,
}

/// How a data set can be had.
#[derive(Debug)]
pub enum Access {
    /// Anybody may fetch these files.
    Files(&'static [RemoteFile]),
    /// By hand, as described: its terms must be accepted on its page.
    Manual(&'static str),
}

/// One file on a server.
#[derive(Debug)]
pub struct RemoteFile {
    /// The name here.
    pub name: &'static str,
    /// Where it is.
    pub url: &'static str,
    /// Its length; `None` if it is not published.
    pub bytes: Option<u64>,
    /// Its checksum; `None` if none is published.
    pub checksum: Option<Checksum>,
    /// What becomes of it.
    pub form: Form,
}

/// A published checksum, in hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checksum {
    /// MD5: finds damage, but not malice.
    Md5(&'static str),
    /// SHA-256.
    Sha256(&'static str),
}

/// What becomes of a fetched file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// It stays as it is.
    Plain,
    /// It is unpacked: tar, also with gzip or xz around it.
    Tar,
    /// It is unpacked: zip.
    Zip,
}

impl Entry {
    /// Length of all files together; `None` if one is not published or there are none.
    pub fn bytes(&self) -> Option<u64> {
        match self.access {
            Access::Files(files) => files.iter().map(|file| file.bytes).sum(),
            Access::Manual(_) => None,
        }
    }
}

/// The data set of this name.
///
/// # Errors
///
/// If there is none; the hint names all.
pub fn find(name: &str) -> Result<&'static Entry> {
    ENTRIES
        .iter()
        .find(|entry| entry.name == name)
        .ok_or_else(|| {
            let names: Vec<&str> = ENTRIES.iter().map(|entry| entry.name).collect();
            Error::configuration(format!("there is no data set `{name}` in the catalogue"))
                .hint(format!("there are {}", names.join(", ")))
        })
}
