//! Where the libtorch of this process is, so that tasks can be built against the very same.

use metricopt_sdk::{Error, Result};
use std::path::{Path, PathBuf};

/// The directory of the libtorch that this process has loaded: the value of `LIBTORCH` to build a task with.
///
/// # Errors
///
/// If it cannot be found, or holds no header files to build against.
///
/// ```
/// let directory = metricopt_host::libtorch::directory()?;
/// assert!(directory.join("include").is_dir());
/// # Ok::<(), metricopt_sdk::Error>(())
/// ```
pub fn directory() -> Result<PathBuf> {
    // Linux tells what is mapped; elsewhere the file does not exist.
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap_or_default();
    let named = std::env::var_os("LIBTORCH").filter(|directory| !directory.is_empty());
    let built_with = option_env!("LIBTORCH");
    let candidates = mapped(&maps)
        .or(named.map(PathBuf::from))
        .or(built_with.map(PathBuf::from));
    let directory = candidates.ok_or_else(|| {
        Error::failed("cannot tell which libtorch this host uses")
            .hint("set `LIBTORCH` to the directory of the libtorch that the host was built with")
    })?;
    if directory.join("include").is_dir() {
        return Ok(directory);
    }
    Err(Error::failed(format!(
        "the libtorch in `{}` has no folder `include`, so nothing can be built against it",
        directory.display()
    ))
    .hint("build the host with a complete libtorch, or set `LIBTORCH` to one where this host finds none by itself"))
}

/// The directory of the first `libtorch_cpu` in a file such as `/proc/self/maps`.
fn mapped(maps: &str) -> Option<PathBuf> {
    // Address, permissions, offset, device and inode have no slash; what follows is the path, which may have blanks.
    let mut paths = maps
        .lines()
        .filter_map(|line| line.find('/').map(|at| Path::new(&line[at..])));
    let library = paths.find(|path| path.file_name() == Some("libtorch_cpu.so".as_ref()))?;
    library.parent()?.parent().map(Path::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mapped_library_tells_the_directory() {
        let maps = "\
7f00-7f01 r--p 00000000 08:01 12 /usr/lib/libc.so.6
7f01-7f02 r-xp 00001000 08:01 13 /opt/my torch/lib/libtorch_cpu.so
7f02-7f03 rw-p 00000000 00:00 0  [heap]
";
        assert_eq!(mapped(maps), Some(PathBuf::from("/opt/my torch")));
        assert_eq!(mapped("7f02-7f03 rw-p 00000000 00:00 0  [heap]"), None);
        assert_eq!(mapped(""), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_process_tells_its_own() {
        // Something of libtorch has to be used, or the linker leaves it out.
        assert_eq!(metricopt_sdk::tch::Tensor::from(1.0_f32).numel(), 1);
        let library = directory().unwrap().join("lib/libtorch_cpu.so");
        assert!(library.is_file(), "{}", library.display());
    }
}
