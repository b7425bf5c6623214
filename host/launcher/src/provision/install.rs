//! Installs libtorch from its pip package into a virtual environment of its own, `.libtorch/venv`.

use std::fs;
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::process::Command;

use super::libtorch::{Flaw, Libtorch};
use super::lock::Lock;
use super::{LIBTORCH_VERSION, files, python};
use crate::error::{Error, Result};
use crate::say;

/// What is installed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Set {
    /// The package without its dependencies, plus the two libraries that `libtorch_cpu` itself is linked with.
    Cpu,
    /// The package with all of CUDA.
    Cuda,
}

impl Set {
    pub(crate) fn for_this_machine() -> Self {
        let has_driver = [
            "/proc/driver/nvidia/version",
            "/dev/nvidiactl",
            "/usr/lib/wsl/lib/libcuda.so.1",
        ]
        .iter()
        .any(|path| Path::new(path).exists());
        if has_driver { Self::Cuda } else { Self::Cpu }
    }

    fn pip_arguments(self) -> &'static [&'static str] {
        match self {
            Self::Cpu if cfg!(target_os = "macos") => &["--no-deps", "torch==2.11.0"],
            Self::Cpu => &[
                "--no-deps",
                "torch==2.11.0",
                "nvidia-cuda-runtime==13.0.96",
                "nvidia-cuda-cupti==13.0.85",
            ],
            Self::Cuda => &["torch==2.11.0"],
        }
    }

    fn description(self) -> &'static str {
        match self {
            Self::Cpu => "for the CPU only (no NVIDIA driver here, or asked for); 1.3 GB on disk",
            Self::Cuda => "with CUDA (an NVIDIA driver is here, or asked for); 4.7 GB on disk",
        }
    }
}

pub(crate) fn run(directory: &Path, set: Set, lock: &Lock) -> Result<Libtorch> {
    check_platform()?;
    let venv = Venv {
        path: directory.join("venv"),
        set,
        lock,
    };
    // What an interrupted installation left is used again, as far as it is sound.
    if venv.has_working_pip() {
        venv.announce();
        say::plain("  going on with the virtual environment that is already there");
        venv.install_packages()?;
        match venv.check() {
            Ok(libtorch) => return Ok(libtorch),
            Err(flaw) => say::plain(format_args!("  starting again from nothing: {flaw}")),
        }
        venv.create(&python::for_installation()?)?;
    } else {
        let python = python::for_installation()?;
        venv.announce();
        venv.create(&python)?;
    }
    venv.install_packages()?;
    venv.check().map_err(|flaw| {
        Error::new(
            format!("libtorch was installed into `{}`, but cannot be used: {flaw}", venv.path.display()),
            format!(
                "if a library is missing, `METRICOPT_LIBTORCH=cuda cargo setup` installs the full set; \
                 else set `LIBTORCH` to an existing libtorch {LIBTORCH_VERSION}"
            ),
        )
    })
}

/// Better now than by pip's "no matching distribution".
fn check_platform() -> Result<()> {
    let (system, processor) = (std::env::consts::OS, std::env::consts::ARCH);
    let has_wheel = matches!(
        (system, processor),
        ("linux", "x86_64" | "aarch64") | ("macos", "aarch64")
    ) && !cfg!(target_env = "musl");
    if has_wheel {
        return Ok(());
    }
    Err(Error::new(
        format!("there is no package of libtorch {LIBTORCH_VERSION} for {system} on {processor}"),
        format!("set `LIBTORCH` to a libtorch {LIBTORCH_VERSION} that was built on this machine"),
    ))
}

struct Venv<'a> {
    path: PathBuf,
    set: Set,
    lock: &'a Lock,
}

impl Venv<'_> {
    fn announce(&self) {
        say::plain(format_args!(
            "libtorch {LIBTORCH_VERSION} is needed, once per checkout; installing it"
        ));
        say::plain(format_args!("  what:  {}", self.set.description()));
        say::plain(format_args!("  where: `{}`", self.path.display()));
        say::plain(format_args!(
            "  to use your own: press Ctrl-C and set `LIBTORCH` to a libtorch {LIBTORCH_VERSION}, or activate a Python \
             environment that has torch {LIBTORCH_VERSION}"
        ));
    }

    fn python(&self) -> PathBuf {
        self.path.join("bin/python")
    }

    /// A virtual environment can lose its Python by an upgrade of the system, or have been killed before it got pip.
    fn has_working_pip(&self) -> bool {
        let has_pip = "import pip._internal.cli.main, sys; print(3, sys.version_info[1])";
        python::ask(&self.python(), has_pip, &["-I"]).is_some()
    }

    fn create(&self, base: &Path) -> Result<()> {
        say::plain(format_args!(
            "  creating a virtual environment with `{}`",
            base.display()
        ));
        files::remove(&self.path)?;
        self.start(Command::new(base).args(["-m", "venv"]).arg(&self.path), base, |status| {
            Error::new(
                format!("`{} -m venv {}` failed ({status})", base.display(), self.path.display()),
                format!(
                    "Python's message above says why (often: the system package `python3-venv` is not installed, or the \
                     disk is full); or set `LIBTORCH` to an existing libtorch {LIBTORCH_VERSION}"
                ),
            )
        })
    }

    fn install_packages(&self) -> Result<()> {
        let packages = self.set.pip_arguments().join(" ");
        say::plain(format_args!(
            "  running `pip install {packages}` (this takes minutes on a slow network)"
        ));
        let mut pip = Command::new(self.python());
        // Isolated from `PYTHONPATH` and the like, which would let pip find packages that are not in this environment.
        pip.args([
            "-I",
            "-m",
            "pip",
            "install",
            "--no-input",
            "--disable-pip-version-check",
        ]);
        if !io::stderr().is_terminal() {
            pip.args(["--quiet", "--progress-bar", "off"]);
        }
        pip.args(self.set.pip_arguments());
        // Common settings for installing outside of virtual environments, which would make pip refuse or miss this one.
        pip.env("PIP_USER", "0")
            .env_remove("PIP_TARGET")
            .env_remove("PIP_PREFIX");
        self.start(&mut pip, &self.python(), |status| {
            Error::new(
                format!("`pip install {packages}` failed ({status})"),
                format!(
                    "pip's message above says why (usual causes: no network, a full disk here or in `TMPDIR`, a proxy or index \
                     that does not have the package); then run the same command again: it goes on where this one stopped. \
                     Or set `LIBTORCH` to an existing libtorch {LIBTORCH_VERSION}"
                ),
            )
        })
    }

    /// Runs one step of the installation. All its output goes to standard error.
    fn start(
        &self,
        command: &mut Command,
        program: &Path,
        failure: impl FnOnce(std::process::ExitStatus) -> Error,
    ) -> Result<()> {
        let status = command
            .stdin(self.lock.shared_with_child())
            .stdout(io::stderr())
            .status()
            .map_err(|source| Error::start(program, &source))?;
        if status.success() {
            Ok(())
        } else {
            Err(failure(status))
        }
    }

    /// Whether every installed file is there, in its full size, and the result can be loaded.
    fn check(&self) -> Result<Libtorch, String> {
        let site_packages = self
            .site_packages()
            .ok_or_else(|| "there is no `site-packages`".to_owned())?;
        check_recorded_files(&site_packages).map_err(|flaw| flaw.to_string())?;
        let libtorch =
            Libtorch::inspect(&site_packages.join("torch")).map_err(|flaw| flaw.to_string())?;
        python::check_loads(&self.python(), &libtorch)?;
        Ok(libtorch)
    }

    fn site_packages(&self) -> Option<PathBuf> {
        let script = "import sysconfig; print(sysconfig.get_path('platlib'))";
        python::ask(&self.python(), script, &["-I"]).map(PathBuf::from)
    }
}

/// pip writes a package's list of files last, and takes a package for installed that lost some of them since.
fn check_recorded_files(site_packages: &Path) -> Result<(), Flaw> {
    let entries =
        fs::read_dir(site_packages).map_err(|_| Flaw::Missing(site_packages.to_path_buf()))?;
    for package in entries.filter_map(|entry| Some(entry.ok()?.path())) {
        if package
            .extension()
            .is_none_or(|extension| extension != "dist-info")
        {
            continue;
        }
        let record = package.join("RECORD");
        let text = fs::read_to_string(&record).map_err(|_| Flaw::Missing(record))?;
        for (file, size) in text.lines().filter_map(recorded_file) {
            let file = site_packages.join(file);
            match file.metadata() {
                Err(_) => return Err(Flaw::Missing(file)),
                Ok(metadata) if metadata.len() != size => return Err(Flaw::Damaged(file)),
                Ok(_) => {}
            }
        }
    }
    Ok(())
}

/// A line of `RECORD`, `path,hash,size`. Files without a size are those that may come and go, such as byte code.
fn recorded_file(line: &str) -> Option<(&str, u64)> {
    let (rest, size) = line.rsplit_once(',')?;
    let (path, _hash) = rest.rsplit_once(',')?;
    // A name with a comma is in quotes; libtorch has none, and an unusual name is no reason to refuse an installation.
    (!path.starts_with('"')).then_some((path, size.trim().parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_read() {
        assert_eq!(
            recorded_file("torch/lib/libc10.so,sha256=abc,123"),
            Some(("torch/lib/libc10.so", 123))
        );
        assert_eq!(recorded_file("torch/__pycache__/a.pyc,,"), None);
        assert_eq!(recorded_file("\"a,b\",sha256=abc,1"), None);
        assert_eq!(recorded_file(""), None);
    }

    #[test]
    fn both_sets_install_the_version_that_is_checked_for() {
        let torch = format!("torch=={LIBTORCH_VERSION}");
        for set in [Set::Cpu, Set::Cuda] {
            assert!(set.pip_arguments().contains(&torch.as_str()));
        }
    }
}
