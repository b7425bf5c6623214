//! What makes a directory a libtorch that this workspace can be built against.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use super::LIBTORCH_VERSION;

/// A directory with the right version in it, checked by [`Libtorch::inspect`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Libtorch {
    /// The real directory, without symbolic links: Cargo must see when another one takes its place.
    pub(crate) directory: PathBuf,
    /// As the directory tells it, with the build: `2.11.0+cu130`.
    pub(crate) version: String,
    pub(crate) variant: Variant,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Variant {
    Cpu,
    Cuda,
}

/// Why a directory will not do; reads as the end of a sentence.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Flaw {
    NoDirectory,
    Missing(PathBuf),
    Damaged(PathBuf),
    NoVersion,
    WrongVersion(String),
}

impl fmt::Display for Flaw {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoDirectory => write!(formatter, "there is no such directory"),
            Self::Missing(path) => write!(formatter, "`{}` is missing", path.display()),
            Self::Damaged(path) => {
                write!(formatter, "`{}` is not as it was installed", path.display())
            }
            Self::NoVersion => write!(formatter, "nothing in it tells its version"),
            Self::WrongVersion(version) => {
                write!(
                    formatter,
                    "its version is {version} and not {LIBTORCH_VERSION}"
                )
            }
        }
    }
}

/// The file name of a shared library on this system.
pub(crate) fn library_name(name: &str) -> String {
    let extension = if cfg!(target_os = "macos") {
        "dylib"
    } else {
        "so"
    };
    format!("lib{name}.{extension}")
}

/// What the linker and the loader need of libtorch itself, relative to its directory.
pub(crate) fn own_libraries() -> [PathBuf; 3] {
    ["torch_cpu", "torch", "c10"].map(|name| Path::new("lib").join(library_name(name)))
}

/// What `libtorch_cpu` of the pip package needs beside it: in `site-packages/nvidia`, found by its run path.
const CUDA_RUNTIME: &str = "../nvidia/cu13/lib";

const HEADER: &str = "include/torch/csrc/api/include/torch/torch.h";

impl Libtorch {
    pub(crate) fn inspect(directory: &Path) -> Result<Self, Flaw> {
        let directory = directory.canonicalize().map_err(|_| Flaw::NoDirectory)?;
        // The version first: an old libtorch may lack files too, but its age is what one wants to know.
        let version = read_version(&directory);
        if let Some(version) = version
            .as_deref()
            .filter(|version| release(version) != LIBTORCH_VERSION)
        {
            return Err(Flaw::WrongVersion(version.to_owned()));
        }
        for file in own_libraries().into_iter().chain([HEADER.into()]) {
            if !directory.join(&file).is_file() {
                return Err(Flaw::Missing(directory.join(file)));
            }
        }
        let version = version.ok_or(Flaw::NoVersion)?;
        let variant = Variant::of(&directory);
        Ok(Self {
            directory,
            version,
            variant,
        })
    }

    /// The libraries without which this variant does not run, relative to the directory of libtorch.
    pub(crate) fn libraries(&self) -> Vec<PathBuf> {
        let mut libraries = own_libraries().to_vec();
        if self.variant == Variant::Cuda {
            libraries.extend(
                ["torch_cuda", "c10_cuda"].map(|name| Path::new("lib").join(library_name(name))),
            );
        }
        let beside =
            ["libcudart.so.13", "libcupti.so.13"].map(|name| Path::new(CUDA_RUNTIME).join(name));
        libraries.extend(
            beside
                .into_iter()
                .filter(|library| self.directory.join(library).is_file()),
        );
        libraries
    }
}

impl Variant {
    /// The pip package always has `libtorch_cuda`, but of use it is only with the packages that it depends on.
    fn of(directory: &Path) -> Self {
        let has_cuda = directory
            .join("lib")
            .join(library_name("torch_cuda"))
            .is_file();
        let packages = directory.join("../nvidia");
        if has_cuda && (!packages.is_dir() || packages.join("cudnn/lib").is_dir()) {
            Self::Cuda
        } else {
            Self::Cpu
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Cuda => "cuda",
        }
    }

    pub(crate) fn parse(name: &str) -> Option<Self> {
        [Self::Cpu, Self::Cuda]
            .into_iter()
            .find(|variant| variant.name() == name)
    }
}

/// `2.11.0` of `2.11.0+cu130`.
pub(crate) fn release(version: &str) -> &str {
    version
        .split_once('+')
        .map_or(version, |(release, _build)| release)
}

fn read_version(directory: &Path) -> Option<String> {
    let build_version =
        || parse_build_version(&fs::read_to_string(directory.join("build-version")).ok()?);
    let version_py = || parse_version_py(&fs::read_to_string(directory.join("version.py")).ok()?);
    let package = || {
        let mut versions: Vec<String> = fs::read_dir(directory.parent()?)
            .ok()?
            .filter_map(|entry| parse_package_name(entry.ok()?.file_name().to_str()?))
            .collect();
        // Two of them, left by a broken upgrade, tell nothing.
        versions.pop().filter(|_| versions.is_empty())
    };
    build_version().or_else(version_py).or_else(package)
}

/// The file `build-version` of the libtorch archives: one line.
fn parse_build_version(text: &str) -> Option<String> {
    text.lines()
        .map(str::trim)
        .find(|line| !line.is_empty())
        .map(str::to_owned)
}

/// The file `version.py` of the pip packages: `__version__ = '2.11.0+cu130'`.
fn parse_version_py(text: &str) -> Option<String> {
    let value = text.lines().find_map(|line| {
        let (name, value) = line.split_once('=')?;
        // Conda's build annotates it: `__version__: str = ...`.
        let name = name.split(':').next()?.trim();
        (name == "__version__").then(|| value.trim().trim_matches(['\'', '"']))
    })?;
    value
        .starts_with(|first: char| first.is_ascii_digit())
        .then(|| value.to_owned())
}

/// The directory that pip writes beside a package: `torch-2.11.0.dist-info`.
fn parse_package_name(name: &str) -> Option<String> {
    name.strip_prefix("torch-")?
        .strip_suffix(".dist-info")
        .map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_from_each_source() {
        assert_eq!(
            parse_build_version("2.11.0+cpu\n").as_deref(),
            Some("2.11.0+cpu")
        );
        assert_eq!(parse_build_version("\n").as_deref(), None);
        let version_py = "from typing import Optional\n\n__all__ = ['__version__', 'debug']\n__version__ = '2.11.0+cu130'\n";
        assert_eq!(
            parse_version_py(version_py).as_deref(),
            Some("2.11.0+cu130")
        );
        assert_eq!(
            parse_version_py("__version__: str = \"2.6.0\"").as_deref(),
            Some("2.6.0")
        );
        assert_eq!(parse_version_py("__version__ = get_version()"), None);
        assert_eq!(
            parse_package_name("torch-2.11.0.dist-info").as_deref(),
            Some("2.11.0")
        );
        assert_eq!(parse_package_name("torchvision-0.26.0.dist-info"), None);
    }

    #[test]
    fn the_build_is_no_part_of_the_release() {
        assert_eq!(release("2.11.0+cu130"), "2.11.0");
        assert_eq!(release("2.11.0"), "2.11.0");
        assert_ne!(release("2.11.0.dev20260101"), LIBTORCH_VERSION);
    }

    #[test]
    fn a_flaw_ends_a_sentence() {
        assert_eq!(
            Libtorch::inspect(Path::new("/no/such/directory")),
            Err(Flaw::NoDirectory)
        );
        assert_eq!(
            Flaw::WrongVersion("2.6.0".into()).to_string(),
            "its version is 2.6.0 and not 2.11.0"
        );
    }
}
