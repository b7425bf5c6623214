//! The file `.libtorch/complete`: what was provided, and how to see that it is still all there.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use super::files;
use super::libtorch::{Flaw, Libtorch, Variant, release};
use super::{LIBTORCH_VERSION, libtorch};
use crate::error::Result;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Marker {
    pub(crate) libtorch: Libtorch,
    pub(crate) origin: Origin,
    /// Relative to the directory of libtorch, with their sizes: a truncated library is caught as well as a deleted one.
    libraries: Vec<(u64, PathBuf)>,
}

/// Who put libtorch there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    Environment,
    Python,
    Installed,
}

impl Marker {
    pub(crate) fn of(libtorch: Libtorch, origin: Origin) -> Self {
        let libraries = libtorch
            .libraries()
            .into_iter()
            .filter_map(|library| {
                Some((
                    libtorch.directory.join(&library).metadata().ok()?.len(),
                    library,
                ))
            })
            .collect();
        Self {
            libtorch,
            origin,
            libraries,
        }
    }

    /// `None` also stands for a marker that cannot be understood: both mean that the work has to be done (again).
    pub(crate) fn read(directory: &Path) -> Option<Self> {
        let mut marker = Self::parse(&fs::read_to_string(path(directory)).ok()?)?;
        // Relative if it lies inside `.libtorch`; the checkout may have moved since.
        let source = directory.join(&marker.libtorch.directory);
        marker.libtorch.directory = source.canonicalize().unwrap_or(source);
        Some(marker)
    }

    pub(crate) fn write(&self, directory: &Path) -> Result<()> {
        let source = files::relative_to(directory, &self.libtorch.directory);
        files::write_if_different(&path(directory), &self.text(&source))
    }

    pub(crate) fn remove(directory: &Path) -> Result<()> {
        files::remove(&path(directory))
    }

    /// Whether all that was there at the time of writing still is.
    pub(crate) fn check(&self) -> Result<(), Flaw> {
        if release(&self.libtorch.version) != LIBTORCH_VERSION {
            return Err(Flaw::WrongVersion(self.libtorch.version.clone()));
        }
        for (size, library) in &self.libraries {
            let library = self.libtorch.directory.join(library);
            match library.metadata() {
                Err(_) => return Err(Flaw::Missing(library)),
                Ok(metadata) if metadata.len() != *size => return Err(Flaw::Damaged(library)),
                Ok(_) => {}
            }
        }
        // The environment that it belongs to may have been upgraded.
        Libtorch::inspect(&self.libtorch.directory).map(|_| ())
    }

    fn text(&self, source: &Path) -> String {
        let mut text = format!(
            "# Written last by the launcher: this directory is complete. Delete this file to have it checked again.\n\
             version = {}\nvariant = {}\norigin = {}\nsource = {}\n",
            self.libtorch.version,
            self.libtorch.variant.name(),
            self.origin.name(),
            source.display()
        );
        for (size, library) in &self.libraries {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "library = {size} {}", library.display());
        }
        text
    }

    fn parse(text: &str) -> Option<Self> {
        let entries: Vec<(&str, &str)> = text
            .lines()
            .filter_map(|line| line.split_once(" = "))
            .collect();
        let value = |key: &str| {
            entries
                .iter()
                .find(|(name, _)| *name == key)
                .map(|(_, value)| *value)
        };
        let libraries = entries
            .iter()
            .filter(|(name, _)| *name == "library")
            .map(|(_, library)| {
                let (size, path) = library.split_once(' ')?;
                Some((size.parse().ok()?, path.into()))
            })
            .collect::<Option<Vec<(u64, PathBuf)>>>()?;
        if libraries.len() < libtorch::own_libraries().len() {
            return None;
        }
        Some(Self {
            libtorch: Libtorch {
                directory: value("source")?.into(),
                version: value("version")?.to_owned(),
                variant: Variant::parse(value("variant")?)?,
            },
            origin: Origin::parse(value("origin")?)?,
            libraries,
        })
    }
}

impl Origin {
    fn name(self) -> &'static str {
        match self {
            Self::Environment => "environment",
            Self::Python => "python",
            Self::Installed => "installed",
        }
    }

    fn parse(name: &str) -> Option<Self> {
        [Self::Environment, Self::Python, Self::Installed]
            .into_iter()
            .find(|origin| origin.name() == name)
    }
}

fn path(directory: &Path) -> PathBuf {
    directory.join("complete")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> Marker {
        Marker {
            libtorch: Libtorch {
                directory: "venv/lib/python3.11/site-packages/torch".into(),
                version: "2.11.0+cu130".into(),
                variant: Variant::Cpu,
            },
            origin: Origin::Installed,
            libraries: libtorch::own_libraries()
                .into_iter()
                .zip([400, 20, 1])
                .map(|(path, size)| (size, path))
                .collect(),
        }
    }

    #[test]
    fn what_is_written_is_read() {
        let text = example().text(&example().libtorch.directory);
        assert_eq!(Marker::parse(&text), Some(example()));
    }

    #[test]
    fn a_marker_cut_short_counts_for_nothing() {
        let text = example().text(&example().libtorch.directory);
        let lines: Vec<&str> = text.lines().collect();
        for n_lines in 0..lines.len() {
            assert_eq!(
                Marker::parse(&lines[..n_lines].join("\n")),
                None,
                "first {n_lines} lines"
            );
        }
        assert_eq!(Marker::parse(&text.replace("= 400 ", "= x ")), None);
        assert_eq!(
            Marker::parse(&text.replace("variant = cpu", "variant = tpu")),
            None
        );
    }

    #[test]
    fn another_version_does_not_pass() {
        let mut marker = example();
        marker.libtorch.version = "2.6.0".into();
        assert_eq!(marker.check(), Err(Flaw::WrongVersion("2.6.0".into())));
    }
}
