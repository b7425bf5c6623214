//! torchvision's RetinaNet and its operations give the same on the same random weights and boxes.

use crate::support::distance;
use crate::torchvision::asked;
use metricopt_nn::detector::coding::{decode, encode};
use metricopt_nn::detector::detect::{Keeping, detect};
use metricopt_nn::detector::loss::{Scale, Targets, loss};
use metricopt_nn::detector::matching::{Object, Role, assign};
use metricopt_nn::detector::nms::{Found, suppress};
use metricopt_nn::detector::retinanet::{class_count, select_classes};
use metricopt_nn::detector::{Anchors, Corners, Detector, DetectorName, Output, Shape};
use metricopt_nn::{Film, Weights};
use metricopt_sdk::tch::{Device, Kind, Tensor, no_grad};

/// Classes of the reference; the first is torchvision's background.
const CLASSES: usize = 5;

/// Height and width of the images.
const SIZE: [usize; 2] = [192, 256];

/// Makes a RetinaNet with random weights and statistics, whose outputs spread as those of a trained one do, and writes its
/// weights, and for some images outputs, anchors, detections and losses.
const MODEL: &str = "\
name, weights, answers = sys.argv[1:]
import torchvision
from torchvision.models.detection import RetinaNet, retinanet_resnet50_fpn
from torchvision.models.detection._utils import overwrite_eps
from torchvision.models.detection.backbone_utils import _resnet_fpn_extractor
from torchvision.ops.feature_pyramid_network import LastLevelP6P7
from torchvision.ops.misc import FrozenBatchNorm2d

resnet = getattr(torchvision.models, name.split('-')[1])(weights=None, norm_layer=FrozenBatchNorm2d)
backbone = _resnet_fpn_extractor(resnet, 5, returned_layers=[2, 3, 4], extra_blocks=LastLevelP6P7(256, 256))
plain = {'image_mean': [0.0] * 3, 'image_std': [1.0] * 3, 'min_size': 192, 'max_size': 256}
model = RetinaNet(backbone, 5, **plain)
if name == 'retinanet-resnet50':
    overwrite_eps(model, 0.0)
    published = retinanet_resnet50_fpn(weights=None, weights_backbone=None, num_classes=5).state_dict()
    names = [key for key in published if not key.endswith('num_batches_tracked')]
    assert sorted(names) == sorted(model.state_dict()), 'the reference has other names than the published model'
for module in model.modules():
    if isinstance(module, FrozenBatchNorm2d):
        module.weight.uniform_(0.4, 0.8)
        module.bias.normal_(0, 0.2)
        module.running_mean.normal_(0, 0.2)
        module.running_var.uniform_(0.5, 1.5)
for head in [model.head.classification_head, model.head.regression_head]:
    for module in head.conv.modules():
        if isinstance(module, torch.nn.Conv2d):
            torch.nn.init.kaiming_normal_(module.weight, nonlinearity='relu')
            module.bias.data.normal_(0, 0.1)
model.eval()
images = torch.randn(2, 3, 192, 256)

def outputs():
    with torch.no_grad():
        return model.head(list(model.backbone(images).values()))

found = outputs()
for key, layer, spread, middle in [('cls_logits', model.head.classification_head.cls_logits, 1.0, -4.0),
                                   ('bbox_regression', model.head.regression_head.bbox_reg, 0.5, 0.0)]:
    layer.weight.data *= spread / (found[key] - layer.bias.mean()).std()
    layer.bias.data.normal_(middle, 0.1)
found = outputs()
features = list(model.backbone(images).values())
batch = torchvision.models.detection.image_list.ImageList(images, [(192, 256)] * 2)
answer = {'images': images, 'logits': found['cls_logits'], 'codes': found['bbox_regression'],
          'anchors': model.anchor_generator(batch, features)[0]}
with torch.no_grad():
    for index, detected in enumerate(model(list(images))):
        answer[f'boxes{index}'] = detected['boxes']
        answer[f'scores{index}'] = detected['scores']
        answer[f'labels{index}'] = detected['labels'].float()
    model.train()
    truth = [{'boxes': torch.tensor([[10.0, 20.0, 60.0, 90.0], [120.0, 30.0, 240.0, 180.0]]), 'labels': torch.tensor([1, 4])},
             {'boxes': torch.tensor([[30.0, 40.0, 150.0, 120.0]]), 'labels': torch.tensor([2])}]
    losses = model(list(images), truth)
answer['loss'] = sum(losses.values()).reshape(1)
write(weights, {'module.' + key: value for key, value in model.state_dict().items()})
write(answers, answer)
";

/// Random boxes with what `batched_nms` keeps of them, and codes of boxes.
const OPERATIONS: &str = "\
import torchvision
from torchvision.models.detection._utils import BoxCoder
answer = {}

def boxes(count):
    # Quarters of pixels, as the thresholds, are exact in all precisions, so that both sides compare the very same numbers.
    corner, size = torch.randint(0, 240, (count, 2)), torch.randint(8, 160, (count, 2))
    return torch.cat([corner, corner + size], dim=1) / 4.0

counts, kept, all_boxes, all_scores, all_labels = [], [], [], [], []
for case in range(1000):
    count = int(torch.randint(1, 60, ()))
    found, labels = boxes(count), torch.randint(0, 3, (count,))
    scores = (torch.randperm(count) + 0.5) / count
    keep = torchvision.ops.batched_nms(found, scores, labels, [0.125, 0.25, 0.5, 0.75][case % 4])
    counts.append([count, len(keep)])
    for part, value in [(kept, keep.float()), (all_boxes, found), (all_scores, scores), (all_labels, labels.float())]:
        part.append(value)
anchors, objects = boxes(1000), boxes(1000)
coder = BoxCoder(weights=(1.0, 1.0, 1.0, 1.0))
codes = torch.randn(1000, 4)
write(sys.argv[2], {'counts': torch.tensor(counts).float(), 'kept': torch.cat(kept), 'boxes': torch.cat(all_boxes),
                    'scores': torch.cat(all_scores), 'labels': torch.cat(all_labels), 'anchors': anchors, 'objects': objects,
                    'encoded': coder.encode_single(objects, anchors), 'codes': codes,
                    'decoded': coder.decode_single(codes, anchors)})
";

fn values(answers: &Weights, key: &str) -> Vec<f32> {
    let tensor = answers.get(key).unwrap();
    Vec::try_from(tensor.reshape([-1])).unwrap()
}

fn rows(answers: &Weights, key: &str) -> Vec<Corners> {
    values(answers, key).as_chunks::<4>().0.to_vec()
}

#[test]
fn slow_retinanet_on_resnet_18_answers_like_torchvision() {
    agrees(DetectorName::RetinanetResnet18);
}

#[test]
fn slow_retinanet_on_resnet_50_answers_like_torchvision() {
    agrees(DetectorName::RetinanetResnet50);
}

fn agrees(network: DetectorName) {
    let Some([weights, answers]) = asked(MODEL, network.name()) else {
        return;
    };
    let shape = Shape::new(network, 3, CLASSES);
    let detector = Detector::build(shape, &weights, Device::Cpu).unwrap();
    let phi = Tensor::zeros([detector.dimensions() as i64], (Kind::Float, Device::Cpu));
    let film = Film::of(&phi, detector.sites()).unwrap();
    let stem = detector.stem(answers.get("images").unwrap()).unwrap();
    let output = no_grad(|| detector.output(&film, &stem)).unwrap();
    for (key, found) in [("logits", &output.logits), ("codes", &output.codes)] {
        let apart = distance(found, answers.get(key).unwrap());
        assert!(apart < 1e-3, "{key} {apart}");
    }
    let anchors = Anchors::new(network, SIZE);
    assert_eq!(anchors.boxes(), rows(&answers, "anchors"));
    for image in 0..2 {
        assert_same_boxes(&kept(&output, image, &anchors), &expected(&answers, image));
    }
    let expected = values(&answers, "loss")[0];
    let found = trained_on(&output, &anchors, network);
    assert!(
        (found - expected).abs() < 1e-4 * expected,
        "{found} {expected}"
    );
    assert_eq!(class_count(&weights), Some(CLASSES));
    a_choice_of_classes_scores_as_all_do(network, weights, &stem, &output.logits);
}

/// As torchvision keeps them.
fn kept(output: &Output, image: i64, anchors: &Anchors) -> Vec<Found> {
    let of_image = |tensor: &Tensor| -> Vec<f32> {
        Vec::try_from(tensor.get(image).contiguous().reshape([-1])).unwrap()
    };
    let keeping = Keeping {
        least_score: 0.05,
        candidates: 1000,
        overlap: 0.5,
        limit: 300,
    };
    let (logits, codes) = (of_image(&output.logits), of_image(&output.codes));
    let size = SIZE.map(|side| side as f32);
    detect(&logits, &codes, anchors, size, &keeping)
}

fn expected(answers: &Weights, image: i64) -> Vec<Found> {
    let part = |key: &str| values(answers, &format!("{key}{image}"));
    let boxes = rows(answers, &format!("boxes{image}")).into_iter();
    let rest = part("scores").into_iter().zip(part("labels"));
    boxes
        .zip(rest)
        .map(|(corners, (score, label))| Found {
            corners,
            score,
            class: label as u32,
        })
        .collect()
}

/// Scores within 1e-3, corners within 1e-3 of a box's side; neighbours whose scores are as near may have changed places.
fn assert_same_boxes(found: &[Found], expected: &[Found]) {
    assert!(expected.len() > 50, "{} boxes", expected.len());
    assert_eq!(found.len(), expected.len());
    let mut left = found.to_vec();
    for wanted in expected {
        let same = |box_: &Found| {
            let side = (wanted.corners[2] - wanted.corners[0])
                .max(wanted.corners[3] - wanted.corners[1])
                .max(1.0);
            let mut corners = box_.corners.iter().zip(wanted.corners);
            box_.class == wanted.class
                && (box_.score - wanted.score).abs() < 1e-3
                && corners.all(|(a, b)| (a - b).abs() < 1e-3 * side)
        };
        let at = left.iter().position(same);
        left.remove(at.unwrap_or_else(|| panic!("nobody found {wanted:?}")));
    }
}

fn trained_on(output: &Output, anchors: &Anchors, network: DetectorName) -> f32 {
    let object = |corners, class| Object {
        corners,
        class,
        ignored: false,
    };
    let first = [
        object([10.0, 20.0, 60.0, 90.0], 1),
        object([120.0, 30.0, 240.0, 180.0], 4),
    ];
    let second = [object([30.0, 40.0, 150.0, 120.0], 2)];
    let roles = [
        assign(anchors.boxes(), &first),
        assign(anchors.boxes(), &second),
    ];
    let roles: Vec<&[Role]> = roles.iter().map(Vec::as_slice).collect();
    let targets = Targets::new(&roles, CLASSES, Device::Cpu).unwrap();
    let scale = Scale {
        terms: network.terms(),
        objects: targets.objects.sum(Kind::Double).double_value(&[]),
        images: 2.0,
    };
    let loss = loss(output, &targets, &scale, None).unwrap();
    loss.double_value(&[]) as f32
}

fn a_choice_of_classes_scores_as_all_do(
    network: DetectorName,
    weights: Weights,
    stem: &Tensor,
    logits: &Tensor,
) {
    let chosen = select_classes(weights, &[3, 1]).unwrap();
    let detector = Detector::build(Shape::new(network, 3, 2), &chosen, Device::Cpu).unwrap();
    let found = no_grad(|| detector.plain_output(stem)).unwrap().logits;
    let expected = logits.index_select(-1, &Tensor::from_slice(&[3_i64, 1]));
    assert!(distance(&found, &expected) < 1e-5);
    assert!(select_classes(chosen, &[2]).is_err());
}

#[test]
fn slow_suppression_and_coding_are_those_of_torchvision() {
    let Some([answers]) = asked(OPERATIONS, "operations") else {
        return;
    };
    let boxes = rows(&answers, "boxes");
    let [scores, labels, kept, counts] =
        ["scores", "labels", "kept", "counts"].map(|key| values(&answers, key));
    let (mut first, mut first_kept, mut suppressed) = (0, 0, 0);
    for (case, counts) in counts.as_chunks::<2>().0.iter().enumerate() {
        let [count, kept_count] = counts.map(|count| count as usize);
        let found = |at: usize| Found {
            corners: boxes[first + at],
            score: scores[first + at],
            class: labels[first + at] as u32,
        };
        let mut ours: Vec<Found> = (0..count).map(found).collect();
        let threshold = [0.125, 0.25, 0.5, 0.75][case % 4];
        suppress(&mut ours, threshold, usize::MAX, &mut Vec::new());
        let theirs = &kept[first_kept..first_kept + kept_count];
        let theirs: Vec<Found> = theirs.iter().map(|&at| found(at as usize)).collect();
        assert_eq!(ours, theirs, "case {case}");
        first += count;
        first_kept += kept_count;
        suppressed += count - kept_count;
    }
    assert!(suppressed > 3000, "{suppressed}");
    let [anchors, objects, encoded, codes, decoded] =
        ["anchors", "objects", "encoded", "codes", "decoded"].map(|key| rows(&answers, key));
    let near = |a: Corners, b: Corners| {
        let mut both = a.iter().zip(b);
        both.all(|(a, b)| (a - b).abs() < 1e-5 * b.abs().max(10.0))
    };
    for row in 0..1000 {
        assert!(
            near(encode(&objects[row], &anchors[row]), encoded[row]),
            "{row}"
        );
        assert!(
            near(decode(&codes[row], &anchors[row]), decoded[row]),
            "{row}"
        );
    }
}
