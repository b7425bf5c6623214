//! The built-in data set: optical digits, 8 x 8, as a file that is part of the binary.
//!
//! The file is xz. Inside, version 1: 16 bytes `metricoptdigits1`; the 64 values of each of the 1,797 images, a byte each,
//! row by row; then the labels, a byte each. `examples/encode_digits.rs` writes it.

use std::io::Read;

use lzma_rust2::XzReader;
use metricopt_sdk::{Error, Result};

use crate::{
    images::{Images, Pool},
    split::Parts,
};

/// The embedded file.
pub const EMBEDDED: &[u8] = include_bytes!("../embedded/digits.bin.xz");

/// For the reader of a report.
pub(crate) const SOURCE: &str = "optical digits, the test part of Alpaydin and Kaynak 1998 \
                                 (https://doi.org/10.24432/C50P49, CC BY 4.0), 8 x 8 as in scikit-learn";

/// What the file begins with.
pub const MAGIC: &[u8; 16] = b"metricoptdigits1";

/// Number of images.
pub const COUNT: usize = 1797;

/// Height and width of an image in pixels.
pub const SIDE: usize = 8;

/// The largest value: how many of the 16 dots of a cell are black.
pub const LARGEST: u8 = 16;

/// The built-in data set, without official parts.
///
/// A value `v` of 0 to 16 becomes the byte `v * 255 / 16`, rounded half up.
///
/// # Errors
///
/// Only if the file that was compiled in is damaged.
pub fn embedded() -> Result<Pool> {
    let images = unpack(EMBEDDED).map_err(|error| error.context("the built-in digits"))?;
    Ok(Pool {
        images,
        parts: Parts {
            train: COUNT,
            ..Parts::default()
        },
    })
}

/// Reads a file as described above.
///
/// # Errors
///
/// If it is cut off, damaged, or of another version.
pub fn unpack(file: &[u8]) -> Result<Images> {
    const PIXELS: usize = COUNT * SIDE * SIDE;
    let length = MAGIC.len() + PIXELS + COUNT;
    let mut bytes = Vec::with_capacity(length);
    XzReader::new(file, false)
        .take(length as u64 + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| Error::data(format!("xz: {error}")))?;
    let bytes = bytes
        .strip_prefix(MAGIC)
        .ok_or_else(|| Error::data("not a file of version 1"))?;
    let Some((values, labels)) = bytes
        .split_at_checked(PIXELS)
        .filter(|(_, labels)| labels.len() == COUNT)
    else {
        return Err(Error::data(format!(
            "{} bytes instead of {}",
            bytes.len(),
            PIXELS + COUNT
        )));
    };
    if let Some(value) = values.iter().find(|&&value| value > LARGEST) {
        return Err(Error::data(format!("value {value} is above {LARGEST}")));
    }
    let images = Images {
        pixels: values.iter().map(|&value| scaled(value)).collect(),
        channels: 1,
        height: SIDE,
        width: SIDE,
        labels: labels.iter().map(|&label| i64::from(label)).collect(),
        classes: (0..10).map(|digit| digit.to_string()).collect(),
    };
    images.check()?;
    Ok(images)
}

/// 0 to 16 as 0 to 255.
fn scaled(value: u8) -> u8 {
    let wide = (u16::from(value) * 255 + 8) / u16::from(LARGEST);
    wide.min(255) as u8
}
