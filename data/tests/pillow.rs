//! Decoding, resizing and cutting against Pillow, the library behind torchvision's transforms.

#![expect(
    clippy::unwrap_used,
    reason = "the helpers of these tests are tests too"
)]

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
};

use metricopt_data::{DatasetConfig, DatasetName, Opening, open};

/// Writes images of many kinds, and for each what `Resize(48)` and `CenterCrop(40)` make of it.
const SCRIPT: &str = r#"
import os, random, sys
from PIL import Image
random.seed(3)
root = sys.argv[1]
for part in ("train", "val", "test"):
    os.makedirs(f"{root}/set/{part}/a")
def noise(w, h):
    small = Image.frombytes("RGB", (w // 4 + 1, h // 4 + 1), random.randbytes(3 * (w // 4 + 1) * (h // 4 + 1)))
    return small.resize((w, h), Image.BICUBIC)
def keep(name, image, **options):
    image.save(f"{root}/set/train/a/{name}", **options)
    image = Image.open(f"{root}/set/train/a/{name}").convert("RGB")
    w, h = image.size
    size = (48, int(48 * h / w)) if w <= h else (int(48 * w / h), 48)
    image = image.resize(size, Image.BILINEAR)
    left, top = int(round((size[0] - 40) / 2.0)), int(round((size[1] - 40) / 2.0))
    image = image.crop((left, top, left + 40, top + 40))
    planes = b"".join(band.tobytes() for band in image.split())
    open(f"{root}/{name}.expected", "wb").write(planes)
for index, (w, h) in enumerate([(48, 48), (97, 61), (60, 133), (300, 201), (41, 50), (640, 480)]):
    image = noise(w, h)
    keep(f"{index}rgb.png", image)
    keep(f"{index}gray.png", image.convert("L"))
    keep(f"{index}palette.png", image.quantize(64))
    keep(f"{index}alpha.png", image.convert("RGBA"))
    keep(f"{index}444.jpg", image, quality=95, subsampling=0)
    keep(f"{index}420.jpg", image, quality=85)
    keep(f"{index}progressive.jpeg", image, quality=85, progressive=True, subsampling=0)
    keep(f"{index}gray.jpg", image.convert("L"), quality=90)
    keep(f"{index}cmyk.jpg", image.convert("CMYK"), quality=95, subsampling=0)
for part in ("val", "test"):
    noise(60, 60).save(f"{root}/set/{part}/a/0.png")
"#;

fn run(program: &mut Command) {
    let output = program.stdin(Stdio::null()).output().unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn slow_images_are_prepared_as_pillow_does() {
    let Some(mut python) = metricopt_python::python_alone(&["pillow==11.3.0"]) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    run(python.args(["-c", SCRIPT]).arg(folder.path()));
    let config = DatasetConfig {
        dataset: DatasetName::ImageFolder,
        root: Some(folder.path().join("set")),
        resize: Some(48),
        crop: Some(40),
        ..DatasetConfig::default()
    };
    // The parts are shuffled: one image at a time tells which is which.
    let all = names(&folder.path().join("set/train/a"));
    assert_eq!(all.len(), 54);
    for name in &all {
        let one = folder.path().join("one");
        fs::create_dir_all(one.join("train/a")).unwrap();
        for part in ["val", "test"] {
            fs::create_dir_all(one.join(part).join("a")).unwrap();
            let file = format!("{part}/a/0.png");
            fs::copy(folder.path().join("set").join(&file), one.join(&file)).unwrap();
        }
        fs::copy(
            folder.path().join("set/train/a").join(name),
            one.join("train/a").join(name),
        )
        .unwrap();
        let config = DatasetConfig {
            root: Some(one.clone()),
            ..config.clone()
        };
        let train = open(&config, &Opening::quiet(0)).unwrap().train;
        let expected = fs::read(folder.path().join(format!("{name}.expected"))).unwrap();
        let differences: Vec<u8> = expected
            .iter()
            .zip(&train.pixels)
            .map(|(a, b)| a.abs_diff(*b))
            .collect();
        assert_eq!(differences.len(), train.pixels.len());
        let largest = differences.iter().max().copied().unwrap();
        let mean =
            differences.iter().map(|&it| f64::from(it)).sum::<f64>() / differences.len() as f64;
        // PNG is lossless and must agree in every byte. JPEG decoders round differently, and more so where colour has half the
        // resolution and is interpolated.
        let (most, usual) = match name {
            name if name.ends_with(".png") => (0, 0.0),
            name if name.contains("420") => (4, 0.6),
            _ => (4, 0.1),
        };
        assert!(
            largest <= most && mean <= usual,
            "{name}: at most {largest}, on average {mean:.3}"
        );
        fs::remove_dir_all(&one).unwrap();
    }
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort_unstable();
    names
}
