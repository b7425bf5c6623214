//! JPEG and PNG files as colour images, and how everything else that such files hold is converted.
//!
//! * Grey becomes red = green = blue; a palette is looked up.
//! * 16 bits become 8 by rounding to the nearest.
//! * Transparency is dropped, and what is behind it shows.
//! * CMYK and YCCK (of JPEG) are turned into red, green and blue.
//! * The orientation in EXIF data is not applied, as in the reference implementations.

use std::io::Cursor;

use image::{DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits};
use metricopt_sdk::{Error, Result};

use crate::resize::{MAX_PIXELS, Picture};

/// The most memory for one image while it is decoded: 8 bytes a pixel, for 16-bit colour with transparency.
const MAX_BYTES: u64 = MAX_PIXELS as u64 * 8;

/// Decodes the bytes of a JPEG or PNG file, whatever its name says.
///
/// # Errors
///
/// If it is neither, damaged, cut off, or larger than can be meant.
pub(crate) fn decode(bytes: &[u8]) -> Result<Picture> {
    let format = if bytes.starts_with(&[0xff, 0xd8]) {
        ImageFormat::Jpeg
    } else if bytes.starts_with(b"\x89PNG\r\n\x1a\n") {
        ImageFormat::Png
    } else {
        return Err(Error::data("is no JPEG or PNG file"));
    };
    // The decoders make do with less: they fill up with grey what a JPEG file lacks.
    let whole = match format {
        ImageFormat::Jpeg => is_whole_jpeg(bytes),
        _ => is_whole_png(bytes),
    };
    if !whole {
        return Err(Error::data("the file is cut off"));
    }
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    let mut limits = Limits::default();
    limits.max_alloc = Some(MAX_BYTES);
    reader.limits(limits);
    let decoder = reader.into_decoder().map_err(|error| damaged(&error))?;
    let (width, height) = decoder.dimensions();
    if width == 0 || height == 0 || u64::from(width) * u64::from(height) > MAX_PIXELS as u64 {
        return Err(Error::data(format!(
            "{width} x {height} pixels are none or more than {MAX_PIXELS}"
        )));
    }
    let image = DynamicImage::from_decoder(decoder).map_err(|error| damaged(&error))?;
    let image = image.into_rgb8();
    Ok(Picture {
        width: width as usize,
        height: height as usize,
        pixels: image.into_raw(),
    })
}

fn damaged(error: &ImageError) -> Error {
    Error::data(match error {
        ImageError::Limits(_) => format!("needs more than {} MiB of memory", MAX_BYTES >> 20),
        ImageError::Unsupported(_) => format!("is of a kind that cannot be read: {error}"),
        _ => format!("is damaged: {error}"),
    })
}

/// Whether a JPEG file goes on to its end marker (ITU T.81, annex B).
fn is_whole_jpeg(bytes: &[u8]) -> bool {
    const END: u8 = 0xd9;
    // Every segment begins with 0xff and its marker; most have a length, which counts itself.
    let mut position = 2;
    while let Some(&byte) = bytes.get(position) {
        if byte != 0xff {
            // Coded pixels, or bytes that some writers leave between segments.
            position += 1;
            continue;
        }
        match bytes.get(position + 1) {
            None => return false,
            Some(&END) => return true,
            // Fill byte.
            Some(0xff) => position += 1,
            // A stuffed zero, a restart marker, a second start, and TEM stand alone.
            Some(0x00 | 0x01 | 0xd0..=0xd8) => position += 2,
            Some(_) => {
                let length = bytes.get(position + 2..position + 4);
                let Some(&[high, low]) = length else {
                    return false;
                };
                position += 2 + usize::from(u16::from_be_bytes([high, low])).max(2);
            }
        }
    }
    false
}

/// Whether a PNG file goes on to its end chunk (ISO 15948, section 5.3).
fn is_whole_png(bytes: &[u8]) -> bool {
    const SIGNATURE: usize = 8;
    // Length and type before the contents of a chunk, checksum behind them.
    const FRAME: usize = 12;
    let mut rest = bytes.get(SIGNATURE..).unwrap_or_default();
    while let Some((head, _)) = rest.split_first_chunk::<8>() {
        let [a, b, c, d, kind @ ..] = *head;
        let length = FRAME + u32::from_be_bytes([a, b, c, d]) as usize;
        let Some(next) = rest.get(length..) else {
            return false;
        };
        if kind == *b"IEND" {
            return true;
        }
        rest = next;
    }
    false
}
