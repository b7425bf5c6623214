//! Python programs with torchvision whose answers are compared with ours.

use metricopt_nn::Weights;
use metricopt_python::python_with_torch;
use std::path::Path;

/// The implementations, and what they need beside PyTorch.
const PACKAGES: [&str; 7] = [
    "torchvision==0.26.0",
    "pretrainedmodels==0.7.4",
    "munch",
    "six",
    "numpy",
    "pillow",
    "tqdm",
];

/// In front of every program: writes tensors of f32 as a safetensors file.
const WRITE: &str = "\
import json, math, struct, sys, torch

def write(path, tensors):
    tensors = {k: v.contiguous() for k, v in tensors.items() if v.dtype == torch.float32}
    header, end = {}, 0
    for key, value in tensors.items():
        start, end = end, end + 4 * value.numel()
        header[key] = {'dtype': 'F32', 'shape': list(value.shape), 'data_offsets': [start, end]}
    header = json.dumps(header).encode()
    with open(path, 'wb') as file:
        file.write(struct.pack('<Q', len(header)) + header)
        for value in tensors.values():
            file.write(value.numpy().tobytes())

torch.manual_seed(1)
";

/// Runs a program with a word and the files it is to write, and reads them; none where there is no such Python.
pub(crate) fn asked<const N: usize>(program: &str, word: &str) -> Option<[Weights; N]> {
    let mut python = python_with_torch(&PACKAGES)?;
    let folder = tempfile::tempdir().unwrap();
    let files: [_; N] =
        std::array::from_fn(|file| folder.path().join(format!("{file}.safetensors")));
    let output = python
        .args(["-c", &format!("{WRITE}{program}"), word])
        .args(&files)
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    Some(files.each_ref().map(|file: &std::path::PathBuf| read(file)))
}

fn read(file: &Path) -> Weights {
    Weights::read(file).unwrap()
}
