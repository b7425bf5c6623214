//! CIFAR and IDX files: made up here, and the real ones where they are at hand.

#![expect(
    clippy::unwrap_used,
    reason = "the helpers of these tests are tests too"
)]

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
};

use flate2::{Compression, write::GzEncoder};
use lzma_rust2::{XzOptions, XzWriter};
use metricopt_data::{CutFrom, DatasetConfig, DatasetName, Opening, Splits, open};
use metricopt_sdk::Result;
use tempfile::TempDir;

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn xz(bytes: &[u8]) -> Vec<u8> {
    let mut writer = XzWriter::new(Vec::new(), XzOptions::with_preset(0)).unwrap();
    writer.write_all(bytes).unwrap();
    writer.finish().unwrap()
}

fn read(dataset: DatasetName, root: &Path) -> Result<Splits> {
    let config = DatasetConfig {
        dataset,
        root: Some(root.to_owned()),
        ..DatasetConfig::default()
    };
    open(&config, &Opening::quiet(1))
}

/// Twenty records, two a class; the red plane is the number of the record.
fn records(file: u8, label_bytes: usize, classes: u8) -> Vec<u8> {
    (0..classes * 2)
        .flat_map(|record| {
            let mut bytes = vec![record % classes; label_bytes];
            bytes[0] = if label_bytes == 2 { 3 } else { bytes[0] };
            bytes.extend(vec![record; 1024]);
            bytes.extend(vec![file; 1024]);
            bytes.extend(vec![7; 1024]);
            bytes
        })
        .collect()
}

/// The files of CIFAR-10, each class named by its number.
fn cifar10() -> Vec<(String, Vec<u8>)> {
    let names: String = (0..10).map(|class| format!("class {class}\n")).collect();
    let train = (1..=5).map(|file| (format!("data_batch_{file}.bin"), records(file, 1, 10)));
    let mut files: Vec<_> = train.collect();
    files.push(("test_batch.bin".to_owned(), records(6, 1, 10)));
    files.push(("batches.meta.txt".to_owned(), (names + "\n").into_bytes()));
    files
}

fn folder(files: &[(String, Vec<u8>)], ending: &str, pack: fn(&[u8]) -> Vec<u8>) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        if name.ends_with(".txt") {
            fs::write(folder.path().join(name), bytes).unwrap();
        } else {
            fs::write(folder.path().join(format!("{name}{ending}")), pack(bytes)).unwrap();
        }
    }
    folder
}

#[test]
fn cifar_10_is_read_in_every_form() {
    let files = cifar10();
    let plain = folder(&files, "", <[u8]>::to_vec);
    let splits = read(DatasetName::Cifar10, plain.path()).unwrap();
    assert_eq!(splits.train.classes[3], "class 3");
    assert_eq!(
        (
            splits.train.len(),
            splits.validation.len(),
            splits.test.len()
        ),
        (90, 10, 20)
    );
    assert_eq!(splits.validation.counts(), [1; 10]);
    for row in 0..splits.test.len() {
        let image = splits.test.image(row).unwrap();
        assert_eq!(i64::from(image[0] % 10), splits.test.labels[row]);
        assert_eq!((image[1023], image[1024], image[2048]), (image[0], 6, 7));
    }
    for (ending, pack) in [(".gz", gzip as fn(&[u8]) -> Vec<u8>), (".xz", xz)] {
        let packed = folder(&files, ending, pack);
        assert!(read(DatasetName::Cifar10, packed.path()).unwrap() == splits);
    }
    // The official archive, beside nothing else, and by its own path.
    let mut archive = tar::Builder::new(Vec::new());
    archive
        .append_dir_all("cifar-10-batches-bin", plain.path())
        .unwrap();
    let archived = tempfile::tempdir().unwrap();
    let path = archived.path().join("cifar-10-binary.tar.gz");
    fs::write(&path, gzip(&archive.into_inner().unwrap())).unwrap();
    assert!(read(DatasetName::Cifar10, archived.path()).unwrap() == splits);
    assert!(read(DatasetName::Cifar10, &path).unwrap() == splits);
    // Unpacked in place.
    let parent = tempfile::tempdir().unwrap();
    fs::rename(plain.path(), parent.path().join("cifar-10-batches-bin")).unwrap();
    assert!(read(DatasetName::Cifar10, parent.path()).unwrap() == splits);
}

#[test]
fn cifar_100_counts_its_fine_classes() {
    let names: String = (0..100).map(|class| format!("fine {class}\n")).collect();
    let files = [
        ("train.bin".to_owned(), records(1, 2, 100)),
        ("test.bin".to_owned(), records(2, 2, 100)),
        ("fine_label_names.txt".to_owned(), names.into_bytes()),
    ];
    let folder = folder(&files, "", <[u8]>::to_vec);
    let mut config = DatasetConfig {
        dataset: DatasetName::Cifar100,
        root: Some(folder.path().to_owned()),
        ..DatasetConfig::default()
    };
    config.split.validation_from = Some(CutFrom::Test);
    let splits = open(&config, &Opening::quiet(1)).unwrap();
    assert_eq!(splits.test.classes[99], "fine 99");
    assert_eq!(splits.test.counts(), [1; 100]);
    assert_eq!(splits.validation.counts(), [1; 100]);
}

#[test]
fn damaged_cifar_files_are_named() {
    let damage = |name: &str, bytes: &[u8], reason: &str| {
        let folder = folder(&cifar10(), "", <[u8]>::to_vec);
        fs::write(folder.path().join(name), bytes).unwrap();
        let error = read(DatasetName::Cifar10, folder.path())
            .unwrap_err()
            .to_string();
        assert!(error.contains(name) && error.contains(reason), "{error}");
    };
    damage(
        "data_batch_3.bin",
        &records(3, 1, 10)[..3073 * 2 - 1],
        "no whole number of records",
    );
    damage("test_batch.bin", b"", "no whole number of records");
    let mut label = records(3, 1, 10);
    label[3073] = 10;
    damage("data_batch_1.bin", &label, "record 1 has label 10");
    damage(
        "batches.meta.txt",
        b"cat\ndog\n",
        "names 2 classes instead of 10",
    );
    let packed = folder(&cifar10(), ".xz", xz);
    let path = packed.path().join("data_batch_2.bin.xz");
    let whole = fs::read(&path).unwrap();
    fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    let error = read(DatasetName::Cifar10, packed.path())
        .unwrap_err()
        .to_string();
    assert!(error.contains("data_batch_2.bin.xz"), "{error}");
    fs::remove_file(&path).unwrap();
    let error = read(DatasetName::Cifar10, packed.path())
        .unwrap_err()
        .to_string();
    assert!(error.contains("data_batch_2.bin` is missing"), "{error}");
    let empty = tempfile::tempdir().unwrap();
    let error = read(DatasetName::Cifar10, empty.path())
        .unwrap_err()
        .to_string();
    assert!(error.contains("neither `test_batch.bin` nor"), "{error}");
}

/// An IDX file of bytes.
fn idx(sizes: &[u32], values: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0, 0, 8, sizes.len() as u8];
    bytes.extend(sizes.iter().flat_map(|size| size.to_be_bytes()));
    bytes.extend(values);
    bytes
}

fn mnist() -> Vec<(String, Vec<u8>)> {
    let (train, test): (Vec<u8>, Vec<u8>) = ((0..100).collect(), (100..120).collect());
    let pixels = |rows: &[u8]| -> Vec<u8> { rows.iter().flat_map(|&row| [row; 6]).collect() };
    let labels = |rows: &[u8]| -> Vec<u8> { rows.iter().map(|row| row % 10).collect() };
    vec![
        (
            "train-images-idx3-ubyte".to_owned(),
            idx(&[100, 2, 3], &pixels(&train)),
        ),
        (
            "train-labels-idx1-ubyte".to_owned(),
            idx(&[100], &labels(&train)),
        ),
        (
            "t10k-images-idx3-ubyte".to_owned(),
            idx(&[20, 2, 3], &pixels(&test)),
        ),
        (
            "t10k-labels-idx1-ubyte".to_owned(),
            idx(&[20], &labels(&test)),
        ),
    ]
}

#[test]
fn idx_files_are_read_plain_and_gzipped() {
    let plain = folder(&mnist(), "", <[u8]>::to_vec);
    let splits = read(DatasetName::Mnist, plain.path()).unwrap();
    assert_eq!(
        (
            splits.train.len(),
            splits.validation.len(),
            splits.test.len()
        ),
        (90, 10, 20)
    );
    let test = &splits.test;
    assert_eq!((test.channels, test.height, test.width), (1, 2, 3));
    for row in 0..test.len() {
        let image = test.image(row).unwrap();
        assert_eq!(image, [image[0]; 6]);
        assert_eq!(i64::from(image[0] % 10), test.labels[row]);
    }
    let packed = folder(&mnist(), ".gz", gzip);
    let fashion = read(DatasetName::FashionMnist, packed.path()).unwrap();
    assert_eq!(fashion.test.pixels, test.pixels);
    assert_eq!(fashion.test.classes[9], "Ankle boot");
}

#[test]
fn damaged_idx_files_are_named() {
    let damage = |name: &str, bytes: &[u8], reason: &str| {
        let folder = folder(&mnist(), "", <[u8]>::to_vec);
        fs::write(folder.path().join(name), bytes).unwrap();
        let error = read(DatasetName::Mnist, folder.path())
            .unwrap_err()
            .to_string();
        assert!(error.contains(name) && error.contains(reason), "{error}");
    };
    let images = "train-images-idx3-ubyte";
    damage(images, b"\0\0", "header is cut off");
    damage(
        images,
        &idx(&[100, 2], &[]),
        "no IDX file of bytes with 3 dimensions",
    );
    damage(images, &[0, 0, 13, 3, 0, 0, 0, 1], "no IDX file");
    damage(
        images,
        &idx(&[100, 2, 3], &[0; 599]),
        "do not fill 599 bytes",
    );
    damage(images, &idx(&[u32::MAX; 3], &[0; 6]), "do not fill 6 bytes");
    damage(images, &idx(&[99, 2, 3], &[0; 594]), "99 images");
    damage(
        "t10k-images-idx3-ubyte",
        &idx(&[20, 3, 2], &[0; 120]),
        "3 x 2 pixels, not 2 x 3",
    );
    damage("t10k-labels-idx1-ubyte", &idx(&[20], &[10; 20]), "label 10");
}

/// A file of the shared folder beside the workspace, if it is there.
#[expect(
    clippy::explicit_write,
    reason = "the harness swallows what a passing test prints by macro"
)]
fn shared(name: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../shared/data")
        .join(name);
    if path.exists() {
        return Some(path);
    }
    writeln!(std::io::stderr(), "skipped: no `../shared/data/{name}`").unwrap();
    None
}

#[test]
fn slow_the_real_cifar_10_and_its_lossy_copy_agree() {
    let (Some(binary), Some(jpeg)) = (
        shared("cifar-10-batches-bin"),
        shared("cifar10-jpeg.tar.gz"),
    ) else {
        return;
    };
    let original = read(DatasetName::Cifar10, &binary).unwrap();
    let lossy = read(DatasetName::ImageFolder, &jpeg).unwrap();
    for splits in [&original, &lossy] {
        assert_eq!(splits.train.counts(), [4500; 10]);
        assert_eq!(splits.validation.counts(), [500; 10]);
        assert_eq!(splits.test.counts(), [1000; 10]);
        assert_eq!(splits.train.classes[0], "airplane");
    }
    // Mean colour of the official training images: 0.4914, 0.4822, 0.4465 (of 1), as everybody normalises by; lossy
    // compression keeps it.
    for (splits, tolerance) in [(&original, 0.002), (&lossy, 0.01)] {
        for (channel, expected) in [0.4914, 0.4822, 0.4465].into_iter().enumerate() {
            let planes = splits
                .train
                .pixels
                .chunks_exact(1024)
                .skip(channel)
                .step_by(3);
            let sum: u64 = planes.flatten().map(|&value| u64::from(value)).sum();
            let mean = sum as f64 / (45_000.0 * 1024.0 * 255.0);
            assert!((mean - expected).abs() < tolerance, "{channel}: {mean}");
        }
    }
}
