//! The Python implementations give the same logits on the same random weights.

use crate::support::{distance, logits, network};
use crate::torchvision::asked;
use metricopt_nn::NetworkName;
use metricopt_sdk::tch::{Device, Kind, Tensor, no_grad};

/// Makes a network with random weights and statistics, and writes its weights, images and logits.
const REFERENCE: &str = "\
name, weights, answers = sys.argv[1:]
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
    let Some([weights, answers]) = asked(REFERENCE, name.name()) else {
        return;
    };
    let network = network(name, &weights);
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
