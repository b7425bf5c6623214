//! Stanford Online Products: two lists of images (Song et al., CVPR 2016).
//!
//! A list begins with the line `image_id class_id super_class_id path`; each further line is one image, its path relative to the
//! folder of the lists.

use metricopt_sdk::{Error, Result, Split};
use std::{
    collections::BTreeMap,
    path::{Component, Path},
};

use super::plan::Class;
use crate::{
    folder::{ImageFile, Listing, metadata},
    split::Parts,
    stream,
};

const LISTS: [(&str, Split); 2] = [
    ("Ebay_train.txt", Split::Train),
    ("Ebay_test.txt", Split::Test),
];

const HEADER: [&str; 4] = ["image_id", "class_id", "super_class_id", "path"];

/// A list of this data set has some 5 MB.
const MAX_LIST: u64 = 1 << 30;

/// Reads both lists.
///
/// # Errors
///
/// If a list is missing or malformed, by file and line: a wrong header, a line that is not four fields, a class in both lists, an
/// image that is not there or listed twice.
pub(super) fn list(root: &Path) -> Result<(Listing, Vec<Class>)> {
    let mut entries = Vec::new();
    let mut sides: BTreeMap<u64, Split> = BTreeMap::new();
    for (name, side) in LISTS {
        let path = root.join(name);
        let bytes = stream::read(&path, MAX_LIST)?;
        let text = std::str::from_utf8(&bytes).map_err(|error| {
            let line = 1 + bytes[..error.valid_up_to()]
                .split(|&byte| byte == b'\n')
                .count()
                - 1;
            at(&path, line, "is not UTF-8")
        })?;
        for (number, line) in (1..).zip(text.lines()) {
            let wrong = |what: &str| at(&path, number, what);
            let fields: Vec<&str> = line.split_whitespace().collect();
            if number == 1 {
                if fields != HEADER {
                    return Err(wrong(&format!(
                        "expected the header `{}`",
                        HEADER.join(" ")
                    )));
                }
                continue;
            }
            if fields.is_empty() {
                continue;
            }
            let (class, file) = entry(root, &fields).map_err(|what| wrong(&what))?;
            if *sides.entry(class).or_insert(side) != side {
                return Err(wrong(&format!("class {class} is in the other list too")));
            }
            entries.push((class, file, path.clone(), number));
        }
    }
    entries.sort_by(|a, b| (a.0, &a.1.path).cmp(&(b.0, &b.1.path)));
    if let Some([_, (_, file, list, line)]) =
        entries.array_windows().find(|[a, b]| a.1.path == b.1.path)
    {
        let shown = file.path.display();
        return Err(at(list, *line, &format!("`{shown}` is listed twice")));
    }
    let numbers: BTreeMap<u64, i64> = sides.keys().copied().zip(0..).collect();
    let files: Vec<ImageFile> = entries
        .into_iter()
        .map(|(class, mut file, ..)| {
            file.label = numbers.get(&class).copied().unwrap_or_default();
            file
        })
        .collect();
    let names: Vec<String> = sides.keys().map(u64::to_string).collect();
    let classes = sides.into_iter().map(|(class, side)| Class {
        group: class.to_string(),
        side: Some(side),
    });
    let listing = Listing {
        root: root.to_owned(),
        packed: false,
        parts: Parts {
            train: files.len(),
            ..Parts::default()
        },
        files,
        classes: names,
    };
    Ok((listing, classes.collect()))
}

/// Class and file of a line, or what is wrong with it.
fn entry(root: &Path, fields: &[&str]) -> std::result::Result<(u64, ImageFile), String> {
    let &[image, class, _, path] = fields else {
        return Err(format!(
            "expected 4 fields `{}`, found {}",
            HEADER.join(" "),
            fields.len()
        ));
    };
    if image.parse::<u64>().is_err() {
        return Err(format!("`{image}` is no number of an image"));
    }
    let class: u64 = class
        .parse()
        .map_err(|_| format!("`{class}` is no number of a class"))?;
    let inside = |component| matches!(component, Component::Normal(_) | Component::CurDir);
    if !Path::new(path).components().all(inside) {
        return Err(format!("`{path}` leads out of the folder"));
    }
    let full = root.join(path);
    let meta = metadata(&full).map_err(|error| error.to_string())?;
    if !meta.is_file() {
        return Err(format!("`{path}` is no file"));
    }
    Ok((class, ImageFile::new(root, &full, &meta)))
}

fn at(list: &Path, line: usize, what: &str) -> Error {
    Error::data(format!("`{}` line {line}: {what}", list.display()))
}
