//! Image folders, whole and hostile.

#![expect(
    clippy::unwrap_used,
    reason = "the helpers of these tests are tests too"
)]

mod support;

use std::{fs, io::Cursor};

use image::{DynamicImage, ExtendedColorType, ImageFormat, RgbImage};
use metricopt_data::{CutFrom, DatasetConfig, DatasetName, Images, Opening, open};
use metricopt_sdk::{Call, ErrorKind};
use support::{Folder, plain, png};

/// The red value of each image and its label, sorted.
fn reds(images: &Images) -> Vec<(u8, i64)> {
    let mut reds: Vec<_> = (0..images.len())
        .map(|row| (images.image(row).unwrap()[0], images.labels[row]))
        .collect();
    reds.sort_unstable();
    reds
}

#[test]
fn a_folder_is_read_with_its_parts_and_classes() {
    let folder = Folder::new();
    let splits = folder.open().unwrap();
    assert_eq!(splits.train.classes, ["cat", "dog"]);
    assert_eq!(
        (
            splits.train.channels,
            splits.train.height,
            splits.train.width
        ),
        (3, 3, 4)
    );
    let first = splits.train.image(0).unwrap();
    assert_eq!(
        (&first[12..24], &first[24..36]),
        (&[1; 12][..], &[2; 12][..])
    );
    assert_eq!(reds(&splits.test), [(50, 0), (51, 0), (150, 1), (151, 1)]);
    let mut rest = [reds(&splits.train), reds(&splits.validation)].concat();
    rest.sort_unstable();
    let all: Vec<_> = (0..4)
        .map(|i| (i, 0))
        .chain((100..104).map(|i| (i, 1)))
        .collect();
    assert_eq!(rest, all);
    assert_eq!(splits.validation.counts(), [1, 1]);
}

#[test]
fn validation_can_be_cut_from_the_test_images() {
    let folder = Folder::new();
    let mut config = folder.config();
    config.split.validation_from = Some(CutFrom::Test);
    config.split.validation_share = Some(0.5);
    let splits = open(&config, &Opening::quiet(1)).unwrap();
    assert_eq!(splits.train.len(), 8);
    assert_eq!(
        (splits.validation.counts(), splits.test.counts()),
        (vec![1, 1], vec![1, 1])
    );
    config.split.seed = Some(9);
    let one = open(&config, &Opening::quiet(1)).unwrap();
    assert!(one == open(&config, &Opening::quiet(2)).unwrap());
}

#[test]
fn official_validation_images_stay_and_stand_in_for_missing_test_images() {
    let folder = Folder::new();
    folder.write("val/cat/0.png", &plain(4, 3, [77, 0, 0]));
    let mut config = folder.config();
    config.split.validation_share = None;
    let splits = open(&config, &Opening::quiet(1)).unwrap();
    assert_eq!(reds(&splits.validation), [(77, 0)]);
    config.split.validation_share = Some(0.5);
    let error = open(&config, &Opening::quiet(1)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Configuration);

    fs::remove_dir_all(folder.path("test")).unwrap();
    let splits = open(&config, &Opening::quiet(1)).unwrap();
    assert_eq!(reds(&splits.test), [(77, 0)]);
    assert_eq!(splits.validation.counts(), [2, 2]);
}

#[test]
fn classes_are_made_rare_and_parts_limited() {
    let folder = Folder::new();
    let mut config = folder.config();
    config.split.thin.classes = vec!["dog".to_owned()];
    config.split.thin.keep = 0.3;
    let splits = open(&config, &Opening::quiet(1)).unwrap();
    assert_eq!(
        (splits.train.counts(), splits.test.counts()),
        (vec![3, 1], vec![2, 2])
    );
    config.split.thin.everywhere = true;
    config.split.test_images = 2;
    let splits = open(&config, &Opening::quiet(1)).unwrap();
    assert_eq!(splits.test.len(), 2);
    config.split.thin.classes = vec!["fish".to_owned()];
    let error = open(&config, &Opening::quiet(1)).unwrap_err();
    assert!(error.hints()[0].contains("`cat`, `dog`"), "{error}");
}

#[test]
fn a_tar_file_gives_the_same_images() {
    let folder = Folder::new();
    let mut archive = tar::Builder::new(Vec::new());
    archive.append_dir_all("some/name", folder.root()).unwrap();
    let packed = Folder::empty();
    packed.write("set.tar", &archive.into_inner().unwrap());
    let config = DatasetConfig {
        root: Some(packed.path("set.tar")),
        ..folder.config()
    };
    let from_tar = open(&config, &Opening::quiet(1)).unwrap();
    let from_folder = folder.open().unwrap();
    assert_eq!(from_tar.train, from_folder.train);
    assert_eq!(from_tar.validation, from_folder.validation);
    assert_eq!(from_tar.test, from_folder.test);
}

#[test]
fn images_come_out_the_same_for_any_number_of_threads_and_from_the_cache() {
    let folder = Folder::new();
    for index in 0..300u32 {
        let colour = [(index % 256) as u8, (index / 256) as u8, 9];
        folder.write(&format!("train/cat/more{index}.png"), &plain(4, 3, colour));
    }
    let cache = Folder::empty();
    let read = |threads, cache: Option<&Folder>| {
        let opening = Opening {
            cache: cache.map(Folder::root),
            call: Call {
                threads,
                cancelled: &|| false,
            },
            ..Opening::quiet(5)
        };
        open(&folder.config(), &opening).unwrap()
    };
    let one = read(1, None);
    assert_eq!(one, read(4, None));
    assert_eq!(one, read(3, Some(&cache)));
    let files: Vec<_> = fs::read_dir(cache.path("images")).unwrap().collect();
    let [Ok(file)] = files.as_slice() else {
        panic!("{files:?}")
    };
    // From the cache alone: same name, length and time, but no image any more.
    let image = folder.path("train/cat/more7.png");
    let meta = fs::metadata(&image).unwrap();
    fs::write(&image, vec![0; meta.len() as usize]).unwrap();
    let changed = fs::File::options().write(true).open(&image).unwrap();
    changed.set_modified(meta.modified().unwrap()).unwrap();
    assert_eq!(one, read(2, Some(&cache)));

    // A damaged file is made again, and a changed image is seen.
    fs::write(&image, plain(4, 3, [7, 0, 9])).unwrap();
    changed.set_modified(meta.modified().unwrap()).unwrap();
    let whole = fs::read(file.path()).unwrap();
    for damaged in [whole[..whole.len() / 2].to_vec(), Vec::new(), {
        let mut flipped = whole.clone();
        flipped[100] ^= 1;
        flipped
    }] {
        fs::write(file.path(), damaged).unwrap();
        assert_eq!(one, read(2, Some(&cache)));
        assert_eq!(fs::read(file.path()).unwrap(), whole);
    }
    fs::write(&image, plain(4, 3, [200, 0, 9])).unwrap();
    assert_ne!(one, read(2, Some(&cache)));
}

#[test]
fn every_kind_of_png_becomes_colour() {
    let folder = Folder::new();
    let kinds = [
        (ExtendedColorType::L8, vec![200], [200, 200, 200]),
        (ExtendedColorType::La8, vec![200, 0], [200, 200, 200]),
        (ExtendedColorType::Rgba8, vec![9, 8, 7, 0], [9, 8, 7]),
        // 0x8080 of 0xffff is 128 of 255; 0x80ff is nearer to 129.
        (
            ExtendedColorType::L16,
            [0x8080u16.to_ne_bytes()].concat(),
            [128; 3],
        ),
        (
            ExtendedColorType::Rgb16,
            [0x80ffu16, 0, 0xffff].map(u16::to_ne_bytes).concat(),
            [128, 0, 255],
        ),
    ];
    for (colour, pixel, expected) in kinds {
        folder.write("test/cat/0.png", &png(4, 3, &pixel.repeat(12), colour));
        let splits = folder.open().unwrap();
        let found = (0..splits.test.len()).any(|row| {
            let image = splits.test.image(row).unwrap();
            [image[0], image[12], image[24]] == expected
        });
        assert!(found, "{colour:?}");
    }
}

/// A JPEG file with a little of everything.
fn jpeg(width: u32, height: u32) -> Vec<u8> {
    let image = RgbImage::from_fn(width, height, |x, y| {
        image::Rgb([(x * 7) as u8, (y * 5) as u8, (x * y) as u8])
    });
    let mut file = Cursor::new(Vec::new());
    DynamicImage::from(image)
        .write_to(&mut file, ImageFormat::Jpeg)
        .unwrap();
    file.into_inner()
}

#[test]
fn cut_off_files_are_errors_with_their_name() {
    let folder = Folder::empty();
    let (jpeg, png) = (jpeg(40, 30), plain(40, 30, [1, 2, 3]));
    for part in ["train", "val", "test"] {
        folder.write(&format!("{part}/a/0.jpg"), &jpeg);
    }
    let mut config = folder.config();
    config.split.validation_share = None;
    assert!(open(&config, &Opening::quiet(0)).is_ok());
    for (name, file) in [("x.jpg", &jpeg), ("x.png", &png)] {
        for end in 0..file.len() - 1 {
            folder.write(&format!("train/a/{name}"), &file[..end]);
            let Err(error) = open(&config, &Opening::quiet(0)) else {
                panic!("{name} of {end} bytes was read")
            };
            assert!(error.to_string().contains(name), "{end}: {error}");
        }
        fs::remove_file(folder.path(&format!("train/a/{name}"))).unwrap();
    }
}

/// A PNG file that claims these dimensions and holds next to nothing.
fn bomb(width: u32, height: u32) -> Vec<u8> {
    let mut file = plain(1, 1, [0; 3]);
    // Signature 8, length 4, `IHDR` 4, then width and height; the checksum covers type and contents.
    file[16..20].copy_from_slice(&width.to_be_bytes());
    file[20..24].copy_from_slice(&height.to_be_bytes());
    let mut crc = flate2::Crc::new();
    crc.update(&file[12..29]);
    file[29..33].copy_from_slice(&crc.sum().to_be_bytes());
    file
}

#[test]
fn dimensions_that_nobody_means_are_refused() {
    let folder = Folder::new();
    for (width, height) in [(60_000, 60_000), (0x7fff_ffff, 0x7fff_ffff), (1 << 27, 1)] {
        folder.write("train/cat/0.png", &bomb(width, height));
        let error = folder.error();
        assert!(
            error.contains("0.png") && error.contains("more than"),
            "{error}"
        );
    }
    // Narrow enough to be decoded, but not to be made wide.
    folder.write("train/cat/0.png", &plain(1, 4000, [0; 3]));
    let config = DatasetConfig {
        resize: Some(256),
        crop: Some(200),
        ..folder.config()
    };
    let error = open(&config, &Opening::quiet(1)).unwrap_err().to_string();
    assert!(error.contains("too narrow"), "{error}");
}

#[test]
fn what_is_no_image_is_named() {
    let named = |name: &str, bytes: &[u8], reason: &str| {
        let folder = Folder::new();
        folder.write(name, bytes);
        let error = folder.error();
        assert!(error.contains(reason), "{error}");
    };
    named("train/cat/notes.txt", b"hello", "notes.txt` is no image");
    named(
        "train/cat/image.png",
        b"hello",
        "image.png`: is no JPEG or PNG",
    );
    named("train/cat/empty.jpg", b"", "empty.jpg`: is no JPEG or PNG");
    named(
        "train/labels.csv",
        b"1",
        "labels.csv` is a file, where only folders of classes",
    );
    named("train/cat/deeper/0.png", b"", "deeper` is a folder");
    named(
        "test/fish/0.png",
        &plain(4, 3, [0; 3]),
        "no training images of class `fish`",
    );
    named(
        "train/cat/large.png",
        &plain(5, 3, [0; 3]),
        "5 x 3 pixels, others have 4 x 3",
    );
    // What file managers leave behind is no one's data.
    let folder = Folder::new();
    folder.write("train/cat/.DS_Store", b"");
    folder.write("train/cat/Thumbs.db", b"");
    folder.write("README.md", b"");
    assert!(folder.open().is_ok());
}

#[test]
fn empty_folders_are_errors() {
    let folder = Folder::new();
    fs::create_dir(folder.path("train/fish")).unwrap();
    let error = folder.error();
    assert!(error.contains("fish` is empty"), "{error}");
    let error = Folder::empty().error();
    assert!(error.contains("has no training images"), "{error}");
    let mut config = folder.config();
    config.root = Some(folder.path("nowhere"));
    let error = open(&config, &Opening::quiet(0)).unwrap_err().to_string();
    assert!(error.contains("nowhere` does not exist"), "{error}");
}

#[cfg(unix)]
#[test]
fn loops_of_links_and_strange_names_are_errors() {
    use std::{
        ffi::OsStr,
        os::unix::{ffi::OsStrExt, fs::symlink},
    };
    // A link to itself.
    let folder = Folder::new();
    symlink("self.png", folder.path("train/cat/self.png")).unwrap();
    assert!(folder.error().contains("self.png"));
    // A link to a folder above.
    let folder = Folder::new();
    symlink("..", folder.path("train/cat/up")).unwrap();
    assert!(folder.error().contains("up` is a folder"));
    // A link to an image elsewhere is fine.
    let folder = Folder::new();
    folder.write("elsewhere.png", &plain(4, 3, [33, 1, 2]));
    symlink(folder.path("elsewhere.png"), folder.path("test/cat/9.png")).unwrap();
    assert!(reds(&folder.open().unwrap().test).contains(&(33, 0)));
    // A class needs a name; a file does not.
    let strange = OsStr::from_bytes(b"x\xff.png");
    fs::copy(
        folder.path("elsewhere.png"),
        folder.path("test/cat").join(strange),
    )
    .unwrap();
    assert_eq!(folder.open().unwrap().test.len(), 6);
    fs::create_dir(folder.path("train").join(OsStr::from_bytes(b"\xff"))).unwrap();
    let error = folder.error();
    assert!(error.contains("not UTF-8"), "{error}");
}

#[test]
fn imagenet_layout_is_resized_and_cut() {
    let folder = Folder::empty();
    for class in ["n01440764", "n01443537"] {
        for index in 0..4 {
            folder.write(
                &format!("train/{class}/{class}_{index}.JPEG"),
                &jpeg(300, 260 + index),
            );
        }
        folder.write(
            &format!("val/{class}/ILSVRC2012_val_{class}.JPEG"),
            &jpeg(500, 375),
        );
    }
    let config = DatasetConfig {
        dataset: DatasetName::Imagenet,
        ..folder.config()
    };
    let splits = open(&config, &Opening::quiet(1)).unwrap();
    assert_eq!((splits.train.height, splits.train.width), (224, 224));
    assert_eq!(
        (
            splits.train.len(),
            splits.validation.len(),
            splits.test.len()
        ),
        (6, 2, 2)
    );
    let config = DatasetConfig {
        resize: Some(32),
        crop: Some(40),
        ..config
    };
    let error = open(&config, &Opening::quiet(1)).unwrap_err();
    assert!(
        error.to_string().contains("too small to cut out 40 x 40"),
        "{error}"
    );
}

#[test]
fn stopping_is_heard() {
    let opening = Opening {
        call: Call {
            threads: 1,
            cancelled: &|| true,
        },
        ..Opening::quiet(0)
    };
    let error = open(&Folder::new().config(), &opening).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Cancelled);
}
