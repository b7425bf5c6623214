//! IDX files, as of MNIST and Fashion-MNIST (<https://github.com/zalandoresearch/fashion-mnist>): images and labels in files of
//! their own, plain or gzip.
//!
//! A file begins with two zero bytes, the type of its values (8: unsigned bytes) and the number of dimensions; then each
//! dimension as a big-endian `u32`; then the values in row-major order.

use std::path::Path;

use metricopt_sdk::{Error, Result};

use crate::{
    images::{Images, Pool},
    split::Parts,
    stream,
};

/// Far above the 47 MB of the real files.
const MAX_FILE: u64 = 1 << 32;

const FASHION: [&str; 10] = [
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
];

/// Names of the digits.
pub(crate) fn mnist_classes() -> Vec<String> {
    (0..10).map(|digit| digit.to_string()).collect()
}

/// Names of the garments, as its authors write them.
pub(crate) fn fashion_classes() -> Vec<String> {
    FASHION.iter().map(|&name| name.to_owned()).collect()
}

/// Reads `{train,t10k}-{images-idx3,labels-idx1}-ubyte`, plain or compressed, in `root`.
///
/// # Errors
///
/// If a file is missing, cut off, of another type, or the files do not fit each other.
pub(crate) fn read(root: &Path, classes: Vec<String>) -> Result<Pool> {
    let mut images = Images {
        pixels: Vec::new(),
        channels: 1,
        height: 0,
        width: 0,
        labels: Vec::new(),
        classes,
    };
    let mut counts = [0; 2];
    for (part, count) in ["train", "t10k"].iter().zip(&mut counts) {
        let (name, [rows, height, width], pixels) =
            load(root, &format!("{part}-images-idx3-ubyte"))?;
        let (labels_name, [labelled], labels) = load(root, &format!("{part}-labels-idx1-ubyte"))?;
        if rows != labelled {
            return Err(Error::data(format!(
                "{name} holds {rows} images, but {labels_name} {labelled} labels"
            )));
        }
        if images.height == 0 {
            (images.height, images.width) = (height, width);
        }
        if height == 0 || width == 0 || (images.height, images.width) != (height, width) {
            return Err(Error::data(format!(
                "{name} holds images of {height} x {width} pixels, not {} x {}",
                images.height, images.width
            )));
        }
        images.pixels.extend(pixels);
        images
            .labels
            .extend(labels.iter().map(|&label| i64::from(label)));
        images.check().map_err(|error| error.context(labels_name))?;
        *count = rows;
    }
    let [train, test] = counts;
    Ok(Pool {
        images,
        parts: Parts {
            train,
            validation: 0,
            test,
        },
    })
}

/// Name as shown in errors, dimensions and values of a file.
fn load<const D: usize>(root: &Path, name: &str) -> Result<(String, [usize; D], Vec<u8>)> {
    let path = stream::find(root, name)
        .ok_or_else(|| Error::data(format!("`{}` is missing", root.join(name).display())))?;
    let shown = format!("`{}`", path.display());
    let mut bytes = stream::read(&path, MAX_FILE)?;
    let (sizes, start) = header(&bytes).map_err(|error| error.context(&shown))?;
    let values = sizes
        .iter()
        .try_fold(1usize, |all, &size| all.checked_mul(size));
    if values != Some(bytes.len() - start) {
        return Err(Error::data(format!(
            "{shown}: {sizes:?} values do not fill {} bytes",
            bytes.len() - start
        ))
        .hint("the file is cut off: fetch it again"));
    }
    bytes.drain(..start);
    Ok((shown, sizes, bytes))
}

/// Dimensions, and where the values begin.
fn header<const D: usize>(bytes: &[u8]) -> Result<([usize; D], usize)> {
    let cut_off = || Error::data("the header is cut off");
    let (magic, rest) = bytes.split_first_chunk::<4>().ok_or_else(cut_off)?;
    if *magic != [0, 0, 8, D as u8] {
        return Err(Error::data(format!(
            "is no IDX file of bytes with {D} dimension{}: it begins with {magic:?}",
            if D == 1 { "" } else { "s" }
        )));
    }
    let (sizes, _) = rest.as_chunks::<4>();
    let sizes = sizes.first_chunk::<D>().ok_or_else(cut_off)?;
    Ok((
        sizes.map(|size| u32::from_be_bytes(size) as usize),
        4 + 4 * D,
    ))
}
