//! The built-in data set: a9a, as a file of codes that is part of the binary.
//!
//! The file is gzip. Inside, version 1: 16 bytes `metricopt-a9a 1\n`; the number of training and of test rows, `u32`
//! little-endian each; then for each of the 14 attributes of [`adult::ATTRIBUTES`] its codes of all rows, a byte each,
//! training rows first; then the labels in the same way. `examples/encode_a9a.rs` writes it.

use std::io::{Read, Write};

use flate2::{Compression, read::GzDecoder, write::GzEncoder};
use metricopt_sdk::{Error, Result};

use super::{
    Dataset, Table,
    adult::{self, ATTRIBUTES, Person},
};

/// The embedded file.
pub const EMBEDDED: &[u8] = include_bytes!("../../data/a9a.bin.gz");

/// Number of features.
pub const COLUMNS: usize = 123;

/// Where to get the LIBSVM files.
pub(super) const URL: &str =
    "https://www.csie.ntu.edu.tw/~cjlin/libsvmtools/datasets/binary.html#a9a";

/// For the reader of a report.
pub(super) const SOURCE: &str = "a9a: UCI Adult (Becker and Kohavi 1996, https://doi.org/10.24432/C5XW20, CC BY 4.0) \
                                 in the binary encoding of Platt 1998";

const MAGIC: &[u8; 16] = b"metricopt-a9a 1\n";

/// Far above the 0.7 MB of the real file.
const LARGEST: u64 = 1 << 26;

const _: () = {
    let mut features = 0;
    let mut attribute = 0;
    while attribute < ATTRIBUTES.len() {
        features += ATTRIBUTES[attribute].features();
        attribute += 1;
    }
    assert!(features == COLUMNS);
};

/// The built-in data set.
///
/// # Errors
///
/// Only if the file that was compiled in is damaged.
pub fn embedded() -> Result<Dataset> {
    let (train, test) =
        unpack(EMBEDDED).map_err(|error| error.context("the built-in a9a is damaged"))?;
    Ok(Dataset {
        name: "a9a",
        train: table(&train),
        test: Some(table(&test)),
        source: SOURCE.to_owned(),
    })
}

/// Writes the embedded file.
///
/// # Errors
///
/// If there are more rows than the file can count.
pub fn pack(train: &[Person], test: &[Person]) -> Result<Vec<u8>> {
    let mut bytes = MAGIC.to_vec();
    for part in [train, test] {
        let rows = u32::try_from(part.len()).map_err(|_| Error::data("too many rows"))?;
        bytes.extend(rows.to_le_bytes());
    }
    let people = || train.iter().chain(test);
    for attribute in 0..ATTRIBUTES.len() {
        bytes.extend(people().map(|person| person.codes[attribute]));
    }
    bytes.extend(people().map(|person| u8::from(person.rich)));
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    let written = encoder.write_all(&bytes).and_then(|()| encoder.finish());
    written.map_err(|error| Error::failed(format!("gzip: {error}")))
}

/// Reads the embedded file: training rows and test rows.
///
/// # Errors
///
/// If it is cut off, damaged, or of another version.
pub fn unpack(file: &[u8]) -> Result<(Vec<Person>, Vec<Person>)> {
    let mut bytes = Vec::new();
    GzDecoder::new(file)
        .take(LARGEST)
        .read_to_end(&mut bytes)
        .map_err(|error| Error::data(format!("gzip: {error}")))?;
    let bytes = bytes
        .strip_prefix(MAGIC)
        .ok_or_else(|| Error::data("not a file of version 1"))?;
    let cut_off = || Error::data("cut off");
    let (train_rows, bytes) = bytes.split_first_chunk().ok_or_else(cut_off)?;
    let (test_rows, bytes) = bytes.split_first_chunk().ok_or_else(cut_off)?;
    let train_rows = u32::from_le_bytes(*train_rows) as usize;
    let rows = train_rows + u32::from_le_bytes(*test_rows) as usize;
    if rows == 0 || bytes.len() != rows * (ATTRIBUTES.len() + 1) {
        return Err(Error::data(format!(
            "{rows} rows do not fill {} bytes",
            bytes.len()
        )));
    }
    let nobody = Person {
        codes: [0; ATTRIBUTES.len()],
        rich: false,
    };
    let mut people = vec![nobody; rows];
    let mut columns = bytes.chunks_exact(rows);
    for (number, (attribute, column)) in ATTRIBUTES.iter().zip(&mut columns).enumerate() {
        for (person, &code) in people.iter_mut().zip(column) {
            if usize::from(code) > attribute.features() {
                return Err(Error::data(format!(
                    "`{}` has no code {code}",
                    attribute.name
                )));
            }
            person.codes[number] = code;
        }
    }
    for (person, &label) in people.iter_mut().zip(columns.next().unwrap_or_default()) {
        person.rich = label == 1;
    }
    let test = people.split_off(train_rows);
    Ok((people, test))
}

fn table(people: &[Person]) -> Table {
    let mut features = vec![0.0; people.len() * COLUMNS];
    for (row, person) in features.chunks_exact_mut(COLUMNS).zip(people) {
        let mut rest = row;
        for (attribute, &code) in ATTRIBUTES.iter().zip(&person.codes) {
            let (own, others) = rest.split_at_mut(attribute.features());
            if let Some(code) = usize::from(code).checked_sub(1) {
                own[code] = 1.0;
            }
            rest = others;
        }
    }
    Table {
        features,
        labels: people.iter().map(|person| i64::from(person.rich)).collect(),
        columns: COLUMNS,
        names: adult::feature_names(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn people() -> Vec<Person> {
        (1..=2)
            .map(|code| Person {
                codes: [code; ATTRIBUTES.len()],
                rich: code == 2,
            })
            .collect()
    }

    #[test]
    fn files_of_version_1_can_be_read() {
        let people = people();
        let file = pack(&people, &people[..1]).unwrap();
        let (train, test) = unpack(&file).unwrap();
        assert_eq!((&train[..], &test[..]), (&people[..], &people[..1]));
        let table = table(&train);
        assert_eq!(table.row(0).iter().sum::<f32>(), 14.0);
        assert_eq!((table.row(0)[0], table.row(1)[1]), (1.0, 1.0));
    }

    #[test]
    fn damage_is_an_error() {
        let file = pack(&people(), &[]).unwrap();
        for end in 0..file.len() {
            assert!(unpack(&file[..end]).is_err(), "cut off at {end}");
        }
        let pack_raw = |bytes: &[u8]| {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
            encoder.write_all(bytes).unwrap();
            encoder.finish().unwrap()
        };
        let mut bad_code = MAGIC.to_vec();
        bad_code.extend([1, 0, 0, 0, 0, 0, 0, 0]);
        bad_code.extend([6; 15]);
        for (bytes, message) in [
            (&b"metricopt-a9a 2\n"[..], "not a file of version 1"),
            (b"metricopt-a9a 1\n\x01", "cut off"),
            (
                b"metricopt-a9a 1\n\xff\xff\xff\xff\xff\xff\xff\xff",
                "8589934590 rows do not fill 0 bytes",
            ),
            (&bad_code, "`age` has no code 6"),
        ] {
            assert_eq!(unpack(&pack_raw(bytes)).unwrap_err().to_string(), message);
        }
    }
}
