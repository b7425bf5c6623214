//! From what a person typed to a file.

use metricopt_sdk::{Error, Result};
use std::env;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// Directories in which plugins are looked for by name, in order. Never the current one unless it is named.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SearchPath {
    directories: Vec<PathBuf>,
}

/// The variable with further directories.
pub const VARIABLE: &str = "METRICOPT_PLUGIN_PATH";

impl SearchPath {
    /// The given directories, then those of `METRICOPT_PLUGIN_PATH`, then `metricopt/plugins` in the user's data
    /// directory.
    ///
    /// # Errors
    ///
    /// If the variable holds a relative directory, which would mean another one wherever the host is started.
    pub fn new(given: &[PathBuf]) -> Result<Self> {
        let variable = env::var_os(VARIABLE).unwrap_or_default();
        let data = env::var_os("XDG_DATA_HOME")
            .map(PathBuf::from)
            .filter(|directory| directory.is_absolute())
            .or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".local/share")));
        Self::from_parts(given, &variable, data.as_deref())
    }

    fn from_parts(given: &[PathBuf], variable: &OsStr, data: Option<&Path>) -> Result<Self> {
        let mut directories = given.to_vec();
        // An empty entry, which means the current directory to many programs, means nothing here.
        for directory in env::split_paths(variable).filter(|entry| !entry.as_os_str().is_empty()) {
            if directory.is_relative() {
                return Err(Error::configuration(format!(
                    "`{}` in {VARIABLE} is a relative directory",
                    directory.display()
                ))
                .hint("write it from the root, or give it with `--plugin-path`"));
            }
            directories.push(directory);
        }
        directories.extend(data.map(|data| data.join("metricopt/plugins")));
        Ok(Self { directories })
    }

    /// The directories, in order.
    pub fn directories(&self) -> &[PathBuf] {
        &self.directories
    }

    /// The library of that name, in the first directory that has it.
    pub fn find(&self, name: &str) -> Option<PathBuf> {
        let files = file_names(name);
        let candidates = self
            .directories
            .iter()
            .flat_map(|directory| files.iter().map(move |file| directory.join(file)));
        candidates.into_iter().find(|path| path.is_file())
    }

    /// Every library in the directories, each name once, in order.
    pub fn libraries(&self) -> Vec<PathBuf> {
        let mut found: Vec<PathBuf> = Vec::new();
        for directory in &self.directories {
            let Ok(entries) = directory.read_dir() else {
                // Most people have no such directory.
                continue;
            };
            let mut here: Vec<PathBuf> = entries
                .filter_map(|entry| Some(entry.ok()?.path()))
                .filter(|path| is_library_name(path) && path.is_file())
                .filter(|path| {
                    !found
                        .iter()
                        .any(|other| other.file_name() == path.file_name())
                })
                .collect();
            here.sort_unstable();
            found.append(&mut here);
        }
        found
    }
}

/// Whether this is meant as a file and not as a name: it holds a separator.
pub fn is_path(typed: &str) -> bool {
    typed.contains(std::path::is_separator)
}

/// Whether this looks like a library file.
pub fn is_library_name(path: &Path) -> bool {
    path.extension() == Some(OsStr::new(env::consts::DLL_EXTENSION))
}

/// The file names under which a plugin may lie: as it is, and as Cargo names the library of a package.
fn file_names(name: &str) -> Vec<String> {
    let crate_name = name.replace('-', "_");
    let library = |stem: &str| {
        format!(
            "{}{stem}{}",
            env::consts::DLL_PREFIX,
            env::consts::DLL_SUFFIX
        )
    };
    let mut names = vec![
        library(&crate_name),
        library(&format!("metricopt_{crate_name}")),
    ];
    if is_library_name(Path::new(name)) {
        names.insert(0, name.to_owned());
    }
    names
}

/// The file behind a path, with links resolved, so that one file is loaded once under whatever names.
///
/// # Errors
///
/// If there is none.
pub fn existing(path: &Path) -> Result<PathBuf> {
    let resolved = path.canonicalize().map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => Error::configuration("there is no such file")
            .hint("build it with `cargo build --release`; the library is in `target/release`"),
        _ => Error::configuration(format!("cannot be reached: {error}")),
    })?;
    if resolved.is_dir() {
        return Err(Error::configuration("is a directory").hint(
            "give the library in it, or look there for plugins by name with `--plugin-path`",
        ));
    }
    Ok(resolved)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(given: &[&str], variable: &str) -> Result<SearchPath> {
        let given: Vec<PathBuf> = given.iter().map(PathBuf::from).collect();
        SearchPath::from_parts(
            &given,
            OsStr::new(variable),
            Some(Path::new("/home/u/data")),
        )
    }

    #[test]
    fn options_come_before_the_variable_and_that_before_the_data_directory() {
        let path = paths(&["here"], "/a::/b:").unwrap();
        let expected = ["here", "/a", "/b", "/home/u/data/metricopt/plugins"];
        assert_eq!(path.directories(), expected.map(PathBuf::from));
    }

    #[test]
    fn the_variable_takes_no_relative_directory() {
        let error = paths(&[], "/a:plugins").unwrap_err();
        assert_eq!(
            error.to_string(),
            "`plugins` in METRICOPT_PLUGIN_PATH is a relative directory"
        );
    }

    #[test]
    fn a_name_is_found_as_cargo_names_it_and_never_in_the_current_directory() {
        let folder = tempfile::tempdir().unwrap();
        let file = |stem: &str| {
            let name = format!(
                "{}{stem}{}",
                env::consts::DLL_PREFIX,
                env::consts::DLL_SUFFIX
            );
            let path = folder.path().join(name);
            std::fs::write(&path, "").unwrap();
            path
        };
        let (one, two) = (file("my_metric"), file("metricopt_other"));
        let path = SearchPath {
            directories: vec![folder.path().to_owned()],
        };
        assert_eq!(path.find("my-metric"), Some(one.clone()));
        assert_eq!(path.find("other"), Some(two.clone()));
        assert_eq!(path.find("third"), None);
        assert_eq!(path.libraries(), [two, one]);
        assert_eq!(SearchPath::default().find("my-metric"), None);
    }

    #[test]
    fn only_a_separator_makes_a_path() {
        assert!(is_path("./libx.so") && is_path("target/libx.so") && is_path("/libx.so"));
        assert!(!is_path("libx.so") && !is_path("tabular"));
    }
}
