//! Event files as TensorBoard reads them: `tensorboard/RUN/events.out.tfevents...`.
//!
//! Every method is a run of its own in TensorBoard, so that one chart holds the curves of all methods for one name, such as
//! `validation`; further passes of a method under other settings are the runs `METHOD-2`, `METHOD-3` and so on.
//!
//! The format is a handful of fields of two protocol buffers (`tensorflow/core/util/event.proto` and
//! `framework/summary.proto`) in records of TFRecord: too little to bring a library for.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::growing::GrowingFile;
use super::scalars::Reading;

/// TensorBoard finds files by `tfevents` in their name, and sorts them by name. What usually follows, the time and the
/// machine, would make it another name in every run.
const FILE_NAME: &str = "events.out.tfevents.0.metricopt";

/// The event files of a run, in a folder that is made with the first of them.
#[derive(Debug)]
pub(super) struct EventFiles {
    folder: PathBuf,
    files: BTreeMap<String, EventFile>,
}

#[derive(Debug)]
struct EventFile {
    file: GrowingFile,
    latest: usize,
}

impl EventFiles {
    pub(super) fn new(folder: PathBuf) -> Self {
        Self {
            folder,
            files: BTreeMap::new(),
        }
    }

    /// Adds the numbers of an event.
    pub(super) fn add(&mut self, reading: &Reading) -> Result<(), (PathBuf, io::Error)> {
        if reading.scalars.is_empty() {
            return Ok(());
        }
        let run = match reading.attempt {
            Some(attempt) if attempt > 1 => format!("{}-{attempt}", reading.method),
            _ => reading.method.clone(),
        };
        if !self.files.contains_key(&run) {
            let folder = self.folder.join(&run);
            let path = folder.join(FILE_NAME);
            let mut file = fs::create_dir_all(&folder)
                .and_then(|()| GrowingFile::create(path.clone()))
                .map_err(|error| (path.clone(), error))?;
            file.push(&record(&file_version()))
                .map_err(|error| (path, error))?;
            self.files
                .insert(run.clone(), EventFile { file, latest: 0 });
        }
        let Some(EventFile { file, latest }) = self.files.get_mut(&run) else {
            return Ok(());
        };
        // What belongs to no step stands at the end of what was done until then.
        *latest = reading.step.unwrap_or(*latest);
        let added = file.push(&record(&event(*latest, reading)));
        // An observation is rare, and worth showing while the run goes on.
        let shown = added.and_then(|()| match reading.scalars.as_slice() {
            [only] if only.name == "validation" => file.flush(),
            _ => Ok(()),
        });
        shown.map_err(|error| (file.path().to_owned(), error))
    }

    /// Puts everything on disk.
    pub(super) fn flush(&mut self) -> Result<(), (PathBuf, io::Error)> {
        for EventFile { file, .. } in self.files.values_mut() {
            file.flush()
                .map_err(|error| (file.path().to_owned(), error))?;
        }
        Ok(())
    }
}

/// Removes the event files in a folder, and the folder if nothing else is in it.
pub(super) fn remove(folder: &Path) {
    for run in fs::read_dir(folder).into_iter().flatten().flatten() {
        let run = run.path();
        let _ = fs::remove_file(run.join(FILE_NAME));
        let _ = fs::remove_dir(run);
    }
    let _ = fs::remove_dir(folder);
}

/// One record of TFRecord: length, its checksum, data, their checksum.
fn record(data: &[u8]) -> Vec<u8> {
    let length = (data.len() as u64).to_le_bytes();
    let mut bytes = Vec::with_capacity(data.len() + 16);
    bytes.extend(length);
    bytes.extend(masked(crc32c(&length)).to_le_bytes());
    bytes.extend(data);
    bytes.extend(masked(crc32c(data)).to_le_bytes());
    bytes
}

/// A checksum as TFRecord stores it, so that data which holds checksums does not check itself.
fn masked(crc: u32) -> u32 {
    crc.rotate_right(15).wrapping_add(0xa282_ead8)
}

/// CRC-32C (Castagnoli), bit by bit reflected.
fn crc32c(data: &[u8]) -> u32 {
    const TABLE: [u32; 256] = {
        let mut table = [0; 256];
        let mut byte = 0;
        while byte < 256 {
            let mut crc = byte as u32;
            let mut bit = 0;
            while bit < 8 {
                crc = (crc >> 1) ^ (if crc & 1 == 1 { 0x82f6_3b78 } else { 0 });
                bit += 1;
            }
            table[byte] = crc;
            byte += 1;
        }
        table
    };
    !data.iter().fold(!0, |crc, &byte| {
        (crc >> 8) ^ TABLE[usize::from(crc as u8 ^ byte)]
    })
}

/// The protocol buffer `Event` that begins a file.
fn file_version() -> Vec<u8> {
    let mut event = Vec::new();
    double(&mut event, 1, 0.0);
    bytes(&mut event, 3, b"brain.Event:2");
    event
}

/// The protocol buffer `Event` with a `Summary` of one value a number.
fn event(step: usize, reading: &Reading) -> Vec<u8> {
    let mut summary = Vec::new();
    for scalar in &reading.scalars {
        let mut value = Vec::new();
        bytes(&mut value, 1, scalar.name.as_bytes());
        float(&mut value, 2, scalar.value as f32);
        bytes(&mut summary, 1, &value);
    }
    if let (Some(queries), Some(_)) = (reading.queries, reading.step) {
        let mut value = Vec::new();
        bytes(&mut value, 1, b"queries");
        float(&mut value, 2, queries as f32);
        bytes(&mut summary, 1, &value);
    }
    let mut event = Vec::new();
    // The wall time is the step, as seconds from zero: the clock would make the same run give other bytes every time.
    double(&mut event, 1, step as f64);
    key(&mut event, 2, 0);
    varint(&mut event, step as u64);
    bytes(&mut event, 5, &summary);
    event
}

/// A field's number with the type of what follows.
fn key(message: &mut Vec<u8>, field: u64, wire_type: u64) {
    varint(message, field << 3 | wire_type);
}

fn varint(message: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        message.push(value as u8 | 0x80);
        value >>= 7;
    }
    message.push(value as u8);
}

fn double(message: &mut Vec<u8>, field: u64, value: f64) {
    key(message, field, 1);
    message.extend(value.to_le_bytes());
}

fn float(message: &mut Vec<u8>, field: u64, value: f32) {
    key(message, field, 5);
    message.extend(value.to_le_bytes());
}

/// Text, or a message within a message.
fn bytes(message: &mut Vec<u8>, field: u64, value: &[u8]) {
    key(message, field, 2);
    varint(message, value.len() as u64);
    message.extend(value);
}

#[cfg(test)]
mod tests {
    use super::super::scalars::Scalar;
    use super::*;

    /// From RFC 3720, B.4, and the check value of the catalogue of parametrised CRCs.
    #[test]
    fn checksums_have_their_known_values() {
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
        assert_eq!(crc32c(&[0; 32]), 0x8a91_36aa);
        assert_eq!(crc32c(&[0xff; 32]), 0x62a8_ab43);
        assert_eq!(
            crc32c(&std::array::from_fn::<u8, 32, _>(|i| i as u8)),
            0x46dd_794e
        );
        assert_eq!(crc32c(b""), 0);
        assert_eq!(masked(0), 0xa282_ead8);
    }

    /// The first record of every event file in the world, as TensorFlow writes it at wall time 0.
    #[test]
    fn the_first_record_is_framed_as_tensorflow_does() {
        let data = b"\x09\0\0\0\0\0\0\0\0\x1a\x0dbrain.Event:2";
        assert_eq!(file_version(), data);
        let record = record(data);
        assert_eq!(record.len(), 8 + 4 + 24 + 4);
        assert_eq!(&record[..8], [24, 0, 0, 0, 0, 0, 0, 0]);
        // The length of a record without a fraction in its wall time is always the same, and so is its checksum.
        assert_eq!(&record[8..12], [0xa3, 0x7f, 0x4b, 0x22]);
        assert_eq!(record[36..], masked(crc32c(data)).to_le_bytes());
    }

    #[test]
    fn an_event_has_its_step_and_its_values() {
        let reading = Reading {
            method: "es".to_owned(),
            attempt: Some(1),
            step: Some(300),
            queries: Some(1),
            scalars: vec![Scalar {
                name: "loss",
                value: 0.5,
            }],
        };
        let value = b"\x0a\x0b\x0a\x04loss\x15\0\0\0\x3f";
        let queries = b"\x0a\x0e\x0a\x07queries\x15\0\0\x80\x3f";
        let mut expected = b"\x09\0\0\0\0\0\xc0\x72\x40\x10\xac\x02\x2a\x1d".to_vec();
        expected.extend(value);
        expected.extend(queries);
        assert_eq!(event(300, &reading), expected);
    }

    #[test]
    fn what_is_removed_is_only_what_was_written() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("tensorboard");
        let mut files = EventFiles::new(folder.clone());
        let reading = Reading {
            method: "es".to_owned(),
            attempt: Some(2),
            step: Some(0),
            queries: None,
            scalars: vec![Scalar {
                name: "loss",
                value: 0.5,
            }],
        };
        files.add(&reading).unwrap();
        files.flush().unwrap();
        assert!(folder.join("es-2").join(FILE_NAME).is_file());
        fs::write(folder.join("mine"), "").unwrap();
        remove(&folder);
        assert!(!folder.join("es-2").exists() && folder.join("mine").exists());
        fs::remove_file(folder.join("mine")).unwrap();
        remove(&folder);
        assert!(!folder.exists());
    }
}
