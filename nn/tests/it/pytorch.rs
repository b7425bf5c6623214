//! Python with reference implementations of networks and the PyTorch that these tests are linked to.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The implementations, and what of PyTorch's own needs a minimal installation of it lacks.
const PACKAGES: [&str; 15] = [
    "torchvision==0.26.0",
    "pretrainedmodels==0.7.4",
    "munch",
    "six",
    "numpy",
    "pillow",
    "tqdm",
    "typing_extensions",
    "sympy",
    "networkx",
    "jinja2",
    "fsspec",
    "filelock",
    "mpmath",
    "markupsafe",
];

/// The libraries of CUDA by the beginnings of their functions' names.
const OF_CUDA: [&str; 8] = [
    "cublas", "cudnn", "cufft", "cuFile", "curand", "cusparse", "nccl", "nvshmem",
];

/// A Python interpreter that can import the implementations; none, with a message, where that cannot be had.
pub(crate) fn python() -> Option<Command> {
    static MADE: OnceLock<bool> = OnceLock::new();
    // The folder of the test's own build: `target/debug/deps/it-...` lies three below.
    let tests = std::env::current_exe().unwrap();
    let environment = tests.ancestors().nth(3).unwrap().join("python/networks");
    let ready = environment.join("ready");
    if !*MADE.get_or_init(|| ready.exists() || make(&environment).is_some()) {
        skipped(&environment);
        return None;
    }
    Some(interpreter(&environment))
}

fn interpreter(environment: &Path) -> Command {
    let mut command = Command::new(environment.join("bin/python"));
    command.args(["-W", "ignore"]);
    let stand_ins = environment.join("stand-ins");
    if stand_ins.exists() {
        command.env("LD_LIBRARY_PATH", &stand_ins);
        command.env("LD_PRELOAD", stand_ins.join("functions.so"));
    }
    command
}

fn make(environment: &Path) -> Option<()> {
    let torch = PathBuf::from(option_env!("LIBTORCH")?);
    // A libtorch without Python cannot be imported.
    std::fs::metadata(torch.join("__init__.py")).ok()?;
    let venv = ["-m", "venv", "--clear"];
    succeeds(Command::new("python3").args(venv).arg(environment))?;
    // PyTorch is used where it is.
    let versions = std::fs::read_dir(environment.join("lib")).ok()?;
    let packages = versions.flatten().next()?.path().join("site-packages");
    let others = torch.parent()?.display().to_string();
    std::fs::write(packages.join("torch.pth"), others).ok()?;
    let install = ["-m", "pip", "install", "--quiet", "--no-deps"];
    succeeds(interpreter(environment).args(install).args(PACKAGES))?;
    let import = ["-c", "import torchvision, pretrainedmodels"];
    if succeeds(interpreter(environment).args(import)).is_none() {
        stand_ins(&torch.join("lib"), &environment.join("stand-ins"))?;
        succeeds(interpreter(environment).args(import))?;
    }
    std::fs::write(environment.join("ready"), "").ok()
}

/// Makes empty libraries where PyTorch wants those of CUDA, gigabytes that nothing on a CPU calls, and functions under
/// the names that are looked up when it is loaded.
fn stand_ins(torch: &Path, folder: &Path) -> Option<()> {
    std::fs::create_dir_all(folder).ok()?;
    let lines = |command: &mut Command| -> Option<Vec<String>> {
        let output = String::from_utf8(command.output().ok()?.stdout).ok()?;
        Some(output.lines().map(str::to_owned).collect())
    };
    let empty = folder.join("empty.c");
    std::fs::write(&empty, "").ok()?;
    let linked = lines(Command::new("ldd").arg(torch.join("libtorch_python.so")))?;
    for line in linked.iter().filter(|line| line.ends_with("not found")) {
        let name = line.split_whitespace().next()?;
        library(&empty, &folder.join(name), name)?;
    }
    let wanting = [
        "libtorch_python.so",
        "libtorch_cuda.so",
        "libtorch_nvshmem.so",
    ]
    .map(|name| torch.join(name));
    let undefined = ["-D", "--undefined-only"];
    let symbols = lines(Command::new("nm").args(undefined).args(wanting))?;
    let functions: std::collections::BTreeSet<&str> = symbols
        .iter()
        .filter_map(|line| line.trim().strip_prefix("U "))
        .filter_map(|symbol| symbol.split('@').next())
        .filter(|symbol| OF_CUDA.iter().any(|start| symbol.starts_with(start)))
        .collect();
    let source = folder.join("functions.c");
    let code = functions
        .iter()
        .map(|name| format!("void {name}(void) {{ __builtin_trap(); }}\n"));
    std::fs::write(&source, code.collect::<String>()).ok()?;
    library(&source, &folder.join("functions.so"), "functions.so")
}

fn library(source: &Path, path: &Path, name: &str) -> Option<()> {
    let mut compiler = Command::new("cc");
    compiler.args(["-shared", "-w", "-fPIC", &format!("-Wl,-soname,{name}")]);
    succeeds(compiler.arg(source).arg("-o").arg(path))
}

fn succeeds(command: &mut Command) -> Option<()> {
    let output = command.output().ok()?;
    output.status.success().then_some(())
}

#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
fn skipped(environment: &Path) {
    eprintln!(
        "SKIPPED: cannot install {} beside PyTorch in {}",
        PACKAGES.join(" "),
        environment.display()
    );
}
