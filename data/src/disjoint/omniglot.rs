//! Omniglot: characters of many alphabets, each drawn by twenty people (Lake et al., Science 2015).

use metricopt_sdk::{Error, Result};
use rayon::prelude::*;
use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{BufReader, Read},
    path::{Path, PathBuf},
};
use zip::ZipArchive;

use super::{
    config::Config,
    plan::{Class, Defaults},
};
use crate::{
    decode,
    folder::{Preparation, entries, metadata},
    images::Images,
    opening::Opening,
    place, stream,
};

/// For the reader of a report.
pub(super) const SOURCE: &str = "Omniglot (Lake, Salakhutdinov and Tenenbaum, Science 2015, MIT)";

/// Alphabets of the two small background sets, as the project's own experiments divide them.
pub(super) const DEFAULTS: Defaults = Defaults {
    validation: &["Greek", "Latin"],
    test: &["Japanese_(katakana)", "Sanskrit", "Tagalog"],
};

/// Largest picture: those of the data set have some 300 bytes.
const MAX_FILE: u64 = 1 << 20;

/// Most pictures: the whole data set has 32,460.
const MAX_FILES: usize = 1 << 20;

/// Folders between a root and its alphabets, at most.
const DEPTH: usize = 3;

/// A drawing: alphabet, character and the name of the file.
type Name = [String; 3];

/// The drawings by name: where they come from and their bytes.
type Drawings = BTreeMap<Name, (PathBuf, Vec<u8>)>;

/// Reads all roots as one. A drawing that stands in several counts once. Ink is 255, paper 0.
///
/// # Errors
///
/// If there are no drawings, if one is damaged, or if two have one name and are not the same.
pub(super) fn read(config: &Config, opening: &Opening<'_>) -> Result<(Images, Vec<Class>)> {
    let mut drawings = Drawings::new();
    let given = config.root.as_ref().map_or(&[][..], |root| root.paths());
    let mut roots = Vec::new();
    for path in given {
        roots.push(place::named("omniglot", Some(path))?);
    }
    if given.is_empty() {
        roots.push(place::named("omniglot", None)?);
    }
    for root in &roots {
        if root.is_dir() {
            in_folder(root, root, DEPTH, &mut drawings)?;
        } else {
            in_zip(root, &mut drawings)?;
        }
    }
    if drawings.is_empty() {
        let shown: Vec<String> = roots
            .iter()
            .map(|root| format!("`{}`", root.display()))
            .collect();
        return Err(Error::data(format!("{} has no drawings", shown.join(", ")))
            .hint("expected `ALPHABET/CHARACTER/*.png`, in folders or in zip files"));
    }
    decoded(&drawings, config.character_side(), opening)
}

/// Takes one more drawing, whose path ends in alphabet, character and file; others are passed over.
fn add(drawings: &mut Drawings, root: &Path, path: &Path, bytes: Vec<u8>) -> Result<()> {
    let Some(name) = name_of(path) else {
        return Ok(());
    };
    let origin = root.join(path);
    if let Some((other, same)) = drawings.get(&name) {
        if *same == bytes {
            return Ok(());
        }
        return Err(Error::data(format!(
            "`{}` and `{}` have one name and are not the same",
            other.display(),
            origin.display()
        )));
    }
    if drawings.len() == MAX_FILES {
        return Err(Error::data(format!(
            "`{}` has too many files",
            root.display()
        )));
    }
    drawings.insert(name, (origin, bytes));
    Ok(())
}

fn name_of(path: &Path) -> Option<Name> {
    let mut upwards = path
        .iter()
        .rev()
        .map(|part| part.to_str().map(str::to_owned));
    let [file, character, alphabet] = [upwards.next()??, upwards.next()??, upwards.next()??];
    let visible = !file.starts_with('.') && !alphabet.starts_with("__MACOSX");
    (visible && file.ends_with(".png")).then_some([alphabet, character, file])
}

fn in_zip(root: &Path, drawings: &mut Drawings) -> Result<()> {
    let damaged = |error: zip::result::ZipError| {
        Error::data(format!(
            "`{}` is no zip file or damaged: {error}",
            root.display()
        ))
    };
    let file = File::open(root).map_err(|error| stream::unreadable(root, &error))?;
    let mut archive = ZipArchive::new(BufReader::new(file)).map_err(damaged)?;
    for index in 0..archive.len() {
        let entry = archive.by_index(index).map_err(damaged)?;
        let path = PathBuf::from(String::from_utf8_lossy(entry.name_raw()).as_ref());
        if entry.is_dir() || name_of(&path).is_none() {
            continue;
        }
        let mut bytes = Vec::new();
        entry
            .take(MAX_FILE + 1)
            .read_to_end(&mut bytes)
            .map_err(|error| stream::unreadable(&root.join(&path), &error))?;
        check_length(&root.join(&path), bytes.len() as u64)?;
        add(drawings, root, &path, bytes)?;
    }
    Ok(())
}

fn in_folder(root: &Path, folder: &Path, depth: usize, drawings: &mut Drawings) -> Result<()> {
    for path in entries(folder)? {
        let meta = metadata(&path)?;
        let inner = path.strip_prefix(root).unwrap_or(&path);
        if meta.is_dir() {
            if depth > 0 {
                in_folder(root, &path, depth - 1, drawings)?;
            }
        } else if name_of(inner).is_some() {
            check_length(&path, meta.len())?;
            let bytes = fs::read(&path).map_err(|error| stream::unreadable(&path, &error))?;
            add(drawings, root, inner, bytes)?;
        }
    }
    Ok(())
}

fn check_length(path: &Path, length: u64) -> Result<()> {
    if length <= MAX_FILE {
        return Ok(());
    }
    Err(Error::data(format!(
        "`{}` has more than {MAX_FILE} bytes, too many for a drawing",
        path.display()
    )))
}

fn decoded(
    drawings: &Drawings,
    side: usize,
    opening: &Opening<'_>,
) -> Result<(Images, Vec<Class>)> {
    let preparation = Preparation {
        resize: Some(side),
        crop: Some(side),
    };
    let call = opening.call;
    let one = |(origin, bytes): &(PathBuf, Vec<u8>)| -> Result<Vec<u8>> {
        call.check()?;
        let picture = decode::decode(bytes)
            .and_then(|picture| preparation.apply(picture))
            .map_err(|error| error.context(format!("`{}`", origin.display())))?;
        // Grey: the three planes are the same.
        let planes = picture.planes();
        Ok(planes[..side * side].iter().map(|ink| 255 - ink).collect())
    };
    let files: Vec<&(PathBuf, Vec<u8>)> = drawings.values().collect();
    let pixels: Result<Vec<Vec<u8>>> = opening
        .threads()?
        .install(|| files.into_par_iter().map(one).collect());
    let mut names: Vec<String> = Vec::new();
    let (mut labels, mut classes) = (Vec::new(), Vec::new());
    for [alphabet, character, _] in drawings.keys() {
        let name = format!("{alphabet}/{character}");
        if names.last() != Some(&name) {
            names.push(name);
            classes.push(Class {
                group: alphabet.clone(),
                side: None,
            });
        }
        labels.push(names.len() as i64 - 1);
    }
    let images = Images {
        pixels: pixels?.concat(),
        channels: 1,
        height: side,
        width: side,
        labels,
        classes: names,
    };
    images.check()?;
    Ok((images, classes))
}
