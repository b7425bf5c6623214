//! The Python implementations give the same logits on the same random weights.

use crate::support::{distance, logits, network};
use metricopt_nn::{NetworkName, Weights};
use metricopt_sdk::tch::{Device, Kind, Tensor, no_grad};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The implementations, and what of PyTorch's own needs is not in a minimal installation of it.
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

/// Makes a network with random weights and statistics, and writes its weights, images and logits.
const REFERENCE: &str = "\
import json, struct, sys, torch
name, weights, answers = sys.argv[1:]
torch.manual_seed(1)
if name == 'nasnetamobile':
    from pretrainedmodels.models.nasnet_mobile import NASNetAMobile
    model = NASNetAMobile(num_classes=10)
else:
    import torchvision
    model = getattr(torchvision.models, name)(weights=None, num_classes=10)
for module in model.modules():
    if isinstance(module, torch.nn.BatchNorm2d):
        module.weight.data.uniform_(0.5, 1.5)
        module.bias.data.normal_(0, 0.2)
        module.running_mean.normal_(0, 0.2)
        module.running_var.uniform_(0.5, 1.5)
model.eval()
images = torch.randn(2, 3, 224, 224)
with torch.no_grad():
    logits = model(images)

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

write(weights, {'module.' + key: value for key, value in model.state_dict().items()})
write(answers, {'images': images, 'logits': logits})
";

#[test]
fn slow_resnet_18_answers_like_torchvision() {
    agrees(NetworkName::Resnet18);
}

#[test]
fn slow_resnet_50_answers_like_torchvision() {
    agrees(NetworkName::Resnet50);
}

#[test]
fn slow_nasnet_answers_like_pretrainedmodels() {
    agrees(NetworkName::Nasnetamobile);
}

fn agrees(name: NetworkName) {
    let Some(python) = python() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let [weights, answers] =
        ["weights", "answers"].map(|part| folder.path().join(part).with_extension("safetensors"));
    let output = Command::new(python)
        .args(["-W", "ignore", "-c", REFERENCE, name.name()])
        .args([&weights, &answers])
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    let network = network(name, &Weights::read(&weights).unwrap());
    let answers = Weights::read(&answers).unwrap();
    let [images, expected] = ["images", "logits"].map(|key| answers.get(key).unwrap());
    let phi = Tensor::zeros([network.dimensions() as i64], (Kind::Float, Device::Cpu));
    let found = no_grad(|| logits(&*network, &phi, images));
    let distance = distance(&found, expected);
    assert!(distance <= 1e-4, "{distance}");
    let spread = f64::try_from(expected.std(true)).unwrap();
    assert!(
        spread > 1e-3,
        "the logits of the reference say nothing: {spread}"
    );
}

/// Python with the reference implementations and the PyTorch that this test is linked to; none, with a message, where
/// that cannot be had.
fn python() -> Option<PathBuf> {
    static MADE: std::sync::OnceLock<Option<PathBuf>> = std::sync::OnceLock::new();
    MADE.get_or_init(|| {
        // The folder of the test's own build: `target/debug/deps/it-...` lies three below.
        let tests = std::env::current_exe().unwrap();
        let environment = tests.ancestors().nth(3).unwrap().join("python/networks");
        let ready = environment.join("ready").exists() || make(&environment);
        if !ready {
            skipped(&environment);
        }
        ready.then(|| environment.join("bin/python"))
    })
    .clone()
}

/// Makes the environment; the packages of PyTorch's own environment are looked up where they are.
fn make(environment: &Path) -> bool {
    let python = environment.join("bin/python");
    let packages = option_env!("LIBTORCH").and_then(|torch| Path::new(torch).parent());
    let Some(packages) = packages.filter(|packages| packages.join("torch/__init__.py").exists())
    else {
        return false;
    };
    let library = |environment: &Path| -> Option<PathBuf> {
        let versions = std::fs::read_dir(environment.join("lib")).ok()?;
        let version = versions.flatten().next()?;
        Some(version.path().join("site-packages"))
    };
    let install = ["-m", "pip", "install", "--quiet", "--no-deps"];
    succeeds(
        Command::new("python3")
            .args(["-m", "venv"])
            .arg(environment),
    ) && library(environment).is_some_and(|folder| {
        std::fs::write(folder.join("torch.pth"), packages.display().to_string()).is_ok()
    }) && succeeds(Command::new(&python).args(install).args(PACKAGES))
        && succeeds(Command::new(&python).args(["-c", "import torchvision, pretrainedmodels"]))
        && std::fs::write(environment.join("ready"), "").is_ok()
}

fn succeeds(command: &mut Command) -> bool {
    command.status().is_ok_and(|status| status.success())
}

#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
fn skipped(environment: &Path) {
    eprintln!(
        "SKIPPED: cannot install {} beside PyTorch in {}",
        PACKAGES.join(" "),
        environment.display()
    );
}
