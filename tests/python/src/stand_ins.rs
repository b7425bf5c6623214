//! Stand-ins for the libraries of CUDA, gigabytes that nothing on a CPU calls: PyTorch is imported without them.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use crate::succeeds;

/// The library of functions that are looked up when PyTorch is loaded.
pub(crate) const FUNCTIONS: &str = "functions.so";

/// The libraries of CUDA by the beginnings of their functions' names.
const OF_CUDA: [&str; 8] = [
    "cublas", "cudnn", "cufft", "cuFile", "curand", "cusparse", "nccl", "nvshmem",
];

/// Makes empty libraries where PyTorch wants those of CUDA, and functions under the names that are looked up when it is
/// loaded. Takes a C compiler, `ldd` and `nm`.
pub(crate) fn make(torch: &Path, folder: &Path) -> Option<()> {
    std::fs::create_dir_all(folder).ok()?;
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
    let functions: BTreeSet<&str> = symbols
        .iter()
        .filter_map(|line| line.trim().strip_prefix("U "))
        .filter_map(|symbol| symbol.split('@').next())
        .filter(|symbol| OF_CUDA.iter().any(|start| symbol.starts_with(start)))
        .collect();
    let code: String = functions
        .iter()
        .map(|name| format!("void {name}(void) {{ __builtin_trap(); }}\n"))
        .collect();
    let source = folder.join("functions.c");
    std::fs::write(&source, code).ok()?;
    library(&source, &folder.join(FUNCTIONS), FUNCTIONS)
}

fn lines(command: &mut Command) -> Option<Vec<String>> {
    let output = String::from_utf8(command.output().ok()?.stdout).ok()?;
    Some(output.lines().map(str::to_owned).collect())
}

fn library(source: &Path, path: &Path, name: &str) -> Option<()> {
    let mut compiler = Command::new("cc");
    compiler.args(["-shared", "-w", "-fPIC", &format!("-Wl,-soname,{name}")]);
    succeeds(compiler.arg(source).arg("-o").arg(path))
}
