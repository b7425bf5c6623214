//! Folders of classes: all in one folder, or in `train`, `val` and `test` with classes of their own.

use metricopt_sdk::{Error, Result, Split};
use std::{collections::BTreeMap, path::Path};

use super::plan::Class;
use crate::{
    folder::{Listing, PARTS, class_files, class_name, entries, metadata},
    split::Parts,
};

/// Lists the images, class by class.
///
/// # Errors
///
/// If a class is in two parts, a part is missing or there under two names, or something lies where only images should.
pub(super) fn list(root: &Path) -> Result<(Listing, Vec<Class>)> {
    let mut found: BTreeMap<String, (Option<Split>, Vec<_>)> = BTreeMap::new();
    for (folder, side) in sides(root)? {
        for class in entries(&folder)? {
            if !metadata(&class)?.is_dir() {
                return Err(Error::data(format!(
                    "`{}` is a file, where only folders of classes should be",
                    class.display()
                )));
            }
            let name = class_name(&class)?;
            let files = class_files(root, &class)?;
            if found.insert(name.clone(), (side, files)).is_some() {
                return Err(Error::data(format!(
                    "class `{name}` is in two parts of `{}`",
                    root.display()
                ))
                .hint("retrieval takes parts without a common class: put all classes into one folder to have them divided"));
            }
        }
    }
    let mut files = Vec::new();
    let (mut names, mut classes) = (Vec::new(), Vec::new());
    for (label, (name, (side, of_class))) in (0..).zip(found) {
        files.extend(of_class.into_iter().map(|mut file| {
            file.label = label;
            file
        }));
        classes.push(Class {
            group: name.clone(),
            side,
        });
        names.push(name);
    }
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
    Ok((listing, classes))
}

/// The folders that hold classes, each with its part if it has one.
fn sides(root: &Path) -> Result<Vec<(std::path::PathBuf, Option<Split>)>> {
    let parts = [Split::Train, Split::Validation, Split::Test];
    let mut sides = Vec::new();
    for (names, part) in PARTS.iter().zip(parts) {
        let folders = names.iter().map(|name| root.join(name));
        sides.extend(
            folders
                .filter(|folder| folder.is_dir())
                .map(|folder| (folder, Some(part))),
        );
    }
    let has = |part| sides.iter().filter(|(_, side)| *side == Some(part)).count();
    match parts.map(has) {
        [1, 0 | 1, 1] => Ok(sides),
        [1, _, 0] => Err(Error::data(format!("`{}` has `train` but no `test`", root.display()))
            .hint("give `train`, `test` and perhaps `val`, or all classes in one folder to have them divided")),
        [0, 0, 0] => Ok(vec![(root.to_owned(), None)]),
        _ => Err(Error::data(format!(
            "`{}` has a part under two names, or parts without `train`",
            root.display()
        ))),
    }
}
