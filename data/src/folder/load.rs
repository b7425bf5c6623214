//! Image files as pixels of one size: read, decoded in parallel, resized, cached.

use std::{
    collections::HashMap,
    fs,
    io::Read,
    path::{Path, PathBuf},
};

use metricopt_sdk::{Error, Result};
use rayon::{ThreadPool, prelude::*};

use super::listing::{ImageFile, Listing};
use crate::{
    cache::{self, Key, Pixels},
    decode,
    opening::Opening,
    resize::{CHANNELS, Picture},
    stream,
};

/// Files decoded between two looks at the clock and at whether the user asked to stop.
const BATCH: usize = 256;

/// Bytes of files from a tar file that are held at a time.
const BATCH_BYTES: u64 = 1 << 26;

/// The largest image file.
const MAX_FILE: u64 = 1 << 28;

/// How decoded images are brought to one size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Preparation {
    /// Length of the shorter side, if images are resized.
    pub(crate) resize: Option<usize>,
    /// Side of the square in the middle that is kept, if one is cut out.
    pub(crate) crop: Option<usize>,
}

impl Preparation {
    pub(crate) fn apply(self, mut picture: Picture) -> Result<Picture> {
        if let Some(side) = self.resize {
            let (width, height) = (picture.width, picture.height);
            picture = picture.with_shorter_side(side).ok_or_else(|| {
                Error::data(format!(
                    "{width} x {height} pixels are too narrow to be resized to {side} on the shorter side"
                ))
            })?;
        }
        let Some(side) = self.crop else {
            return Ok(picture);
        };
        let (width, height) = (picture.width, picture.height);
        picture.centre(side).ok_or_else(|| {
            Error::data(format!(
                "{width} x {height} pixels are too small to cut out {side} x {side}"
            ))
            .hint("set `task.resize` to at least `task.crop`")
        })
    }
}

/// The pixels of the files with these indices, `[N, 3, H, W]` in the order of the indices.
///
/// # Errors
///
/// If a file cannot be decoded or is of another size than the first; the earliest one of several is named.
pub(crate) fn load(
    listing: &Listing,
    indices: &[u32],
    preparation: Preparation,
    opening: &Opening<'_>,
) -> Result<Pixels> {
    let files: Vec<&ImageFile> = indices
        .iter()
        .filter_map(|&index| listing.files.get(index as usize))
        .collect();
    let cached = opening
        .cache
        .map(|folder| Ok::<_, Error>(key(listing, &files, preparation)?.path(folder)))
        .transpose()?;
    if let Some(pixels) = cached
        .as_deref()
        .and_then(|path| cache::read(path, files.len()))
    {
        return Ok(pixels);
    }
    let mut assembly = Assembly {
        listing,
        files: &files,
        preparation,
        size: None,
        bytes: Vec::new(),
        done: 0,
        threads: opening.threads()?,
        opening,
    };
    if listing.packed {
        assembly.read_tar()?;
    } else {
        assembly.read_folder()?;
    }
    let (height, width) = assembly.size.unwrap_or_default();
    let pixels = Pixels {
        height,
        width,
        bytes: assembly.bytes,
    };
    if let Some(path) = cached {
        cache::write(&path, &pixels, files.len())?;
    }
    Ok(pixels)
}

/// All that the pixels depend on: the names, lengths and times of the files instead of their contents, which may be many gigabytes.
fn key(listing: &Listing, files: &[&ImageFile], preparation: Preparation) -> Result<Key> {
    let unreadable = |error| stream::unreadable(&listing.root, &error);
    let root = fs::canonicalize(&listing.root).map_err(unreadable)?;
    let mut key = Key::new();
    key.add(root.as_os_str().as_encoded_bytes());
    key.add(format!("{preparation:?}").as_bytes());
    if listing.packed {
        let meta = fs::metadata(&root).map_err(unreadable)?;
        key.add(format!("{} {:?}", meta.len(), meta.modified()).as_bytes());
    }
    for file in files {
        key.add(file.path.as_os_str().as_encoded_bytes());
        key.add(&file.bytes.to_le_bytes());
        key.add(&file.modified.to_le_bytes());
    }
    Ok(key)
}

/// Pixels while they come together.
struct Assembly<'a> {
    listing: &'a Listing,
    files: &'a [&'a ImageFile],
    preparation: Preparation,
    /// Height and width of the first image.
    size: Option<(usize, usize)>,
    bytes: Vec<u8>,
    done: usize,
    threads: ThreadPool,
    opening: &'a Opening<'a>,
}

/// Where the bytes of one file come from.
enum Source {
    File(PathBuf),
    Bytes(Vec<u8>),
}

impl Assembly<'_> {
    fn read_folder(&mut self) -> Result<()> {
        let all: Vec<usize> = (0..self.files.len()).collect();
        for slots in all.chunks(BATCH) {
            let batch = slots
                .iter()
                .zip(&self.files[slots[0]..])
                .map(|(&slot, file)| (slot, Source::File(self.listing.root.join(&file.path))))
                .collect();
            self.decode(batch)?;
        }
        Ok(())
    }

    fn read_tar(&mut self) -> Result<()> {
        let root = self.listing.root.as_path();
        let unreadable = |error| stream::unreadable(root, &error);
        let wanted: HashMap<&Path, usize> = self
            .files
            .iter()
            .enumerate()
            .map(|(slot, file)| (file.path.as_path(), slot))
            .collect();
        let mut archive = tar::Archive::new(stream::open(root)?);
        let (mut batch, mut held) = (Vec::new(), 0);
        for entry in archive.entries().map_err(unreadable)? {
            let mut entry = entry.map_err(unreadable)?;
            let path = entry.path().map_err(unreadable)?.into_owned();
            let Some(&slot) = wanted.get(path.as_path()) else {
                continue;
            };
            let size = entry.size();
            if size > MAX_FILE {
                return Err(too_large(size).context(self.listing.shown(self.files[slot])));
            }
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).map_err(unreadable)?;
            held += size;
            batch.push((slot, Source::Bytes(bytes)));
            if batch.len() == BATCH || held > BATCH_BYTES {
                self.decode(std::mem::take(&mut batch))?;
                held = 0;
            }
        }
        self.decode(batch)?;
        if self.done < self.files.len() {
            return Err(Error::data(format!(
                "`{}` changed while it was read",
                root.display()
            )));
        }
        Ok(())
    }

    /// Decodes a batch in parallel and puts each image in its slot.
    fn decode(&mut self, batch: Vec<(usize, Source)>) -> Result<()> {
        self.opening.call.check()?;
        let (listing, files, preparation) = (self.listing, self.files, self.preparation);
        let decode = |(slot, source): (usize, Source)| {
            let picture = source
                .bytes()
                .and_then(|bytes| decode::decode(&bytes))
                .and_then(|picture| preparation.apply(picture))
                .map(|picture| ((picture.height, picture.width), picture.planes()));
            (
                slot,
                picture.map_err(|error| error.context(listing.shown(files[slot]))),
            )
        };
        let count = batch.len();
        let decoded: Vec<_> = self
            .threads
            .install(|| batch.into_par_iter().map(decode).collect());
        for (slot, picture) in decoded {
            let (size, planes) = picture?;
            self.check_size(slot, size)?;
            let start = slot * planes.len();
            if let Some(place) = self.bytes.get_mut(start..start + planes.len()) {
                place.copy_from_slice(&planes);
            }
        }
        self.done += count;
        (self.opening.progress)("decode", self.done as u64, self.files.len() as u64);
        Ok(())
    }

    /// Makes room when the size of the first image is known; refuses images of another size.
    fn check_size(&mut self, slot: usize, (height, width): (usize, usize)) -> Result<()> {
        let Some((first_height, first_width)) = self.size else {
            self.size = Some((height, width));
            let length = (height * width * CHANNELS).checked_mul(self.files.len());
            let room = length.filter(|&length| self.bytes.try_reserve_exact(length).is_ok());
            let Some(length) = room else {
                return Err(Error::failed(format!(
                    "there is no memory for {} images of {height} x {width} pixels",
                    self.files.len()
                ))
                .hint(
                    "take fewer with `task.split.train_images`, or smaller ones with `task.crop`",
                ));
            };
            self.bytes.resize(length, 0);
            return Ok(());
        };
        if (first_height, first_width) == (height, width) {
            return Ok(());
        }
        Err(Error::data(format!(
            "{} has {width} x {height} pixels, others have {first_width} x {first_height}",
            self.listing.shown(self.files[slot])
        ))
        .hint("bring images to one size with `task.resize` and `task.crop`"))
    }
}

impl Source {
    fn bytes(self) -> Result<Vec<u8>> {
        let path = match self {
            Source::Bytes(bytes) => return Ok(bytes),
            Source::File(path) => path,
        };
        // The caller names the file.
        let unreadable = |error| Error::data(format!("cannot be read: {error}"));
        let size = fs::metadata(&path).map_err(unreadable)?.len();
        if size > MAX_FILE {
            return Err(too_large(size));
        }
        fs::read(&path).map_err(unreadable)
    }
}

fn too_large(size: u64) -> Error {
    Error::data(format!(
        "{size} bytes are more than {MAX_FILE}, too many for an image"
    ))
}
