//! The Python implementations give the same logits on the same random weights.

use crate::support::{distance, logits, network};
use metricopt_nn::{NetworkName, Weights};
use metricopt_python::python_with_torch;
use metricopt_sdk::tch::{Device, Kind, Tensor, no_grad};

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
    let Some(mut python) = python_with_torch(&PACKAGES) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let [weights, answers] =
        ["weights", "answers"].map(|part| folder.path().join(part).with_extension("safetensors"));
    let output = python
        .args(["-c", REFERENCE, name.name()])
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
