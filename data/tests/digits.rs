//! The built-in digits, and the file of scikit-learn that they come from.

#![expect(
    clippy::unwrap_used,
    reason = "the helpers of these tests are tests too"
)]

use std::{fs::File, io::Read, path::PathBuf};

use flate2::read::GzDecoder;
use metricopt_data::{DatasetConfig, Images, Opening, digits, open};
use sha2::{Digest, Sha256};

#[test]
fn the_readme_names_the_embedded_file() {
    let digest = Sha256::digest(digits::EMBEDDED);
    let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    assert!(
        include_str!("../embedded/README.md").contains(&digest),
        "{digest}"
    );
}

#[test]
fn the_digits_have_the_published_counts() {
    let images = digits::embedded().unwrap().images;
    // `sklearn.datasets.load_digits`: class distribution and the first image.
    assert_eq!(
        images.counts(),
        [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    );
    assert_eq!(images.labels[..10], [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    let second_row = [0, 0, 13, 15, 10, 15, 5, 0].map(|value: u32| ((value * 255 + 8) / 16) as u8);
    assert_eq!(images.image(0).unwrap()[8..16], second_row);
    assert_eq!(images.pixels.iter().max(), Some(&255));
}

#[test]
fn damage_is_an_error() {
    let file = digits::EMBEDDED;
    for end in (0..file.len()).step_by(997) {
        assert!(digits::unpack(&file[..end]).is_err(), "cut off at {end}");
    }
    for position in (40..file.len()).step_by(1511) {
        let mut damaged = file.to_vec();
        damaged[position] ^= 0x10;
        assert!(digits::unpack(&damaged).is_err(), "damaged at {position}");
    }
}

#[test]
fn each_part_has_its_share_of_every_class() {
    let splits = open(&DatasetConfig::default(), &Opening::quiet(3)).unwrap();
    let counts = |images: &Images| images.counts();
    let all = [178, 182, 177, 183, 181, 182, 181, 179, 174, 180];
    for (class, all) in all.into_iter().enumerate() {
        let test = (all as f64 * 0.25).round() as usize;
        assert_eq!(counts(&splits.test)[class], test);
        let validation = counts(&splits.validation)[class];
        assert!(validation.abs_diff(test) <= 1, "{validation} and {test}");
        assert_eq!(counts(&splits.train)[class], all - test - validation);
    }
    let again = open(&DatasetConfig::default(), &Opening::quiet(3)).unwrap();
    assert!(again == splits);
    let other = open(&DatasetConfig::default(), &Opening::quiet(4)).unwrap();
    assert!(other.test != splits.test);
}

/// The file in the wheel of scikit-learn; none where that cannot be had.
fn original() -> Option<String> {
    let mut python = metricopt_python::python_alone(&["scikit-learn"])?;
    let place = [
        "-c",
        "import sysconfig; print(sysconfig.get_path('purelib'), end='')",
    ];
    let output = python.args(place).output().unwrap();
    let folder = PathBuf::from(String::from_utf8(output.stdout).unwrap());
    let path = folder.join("sklearn/datasets/data/digits.csv.gz");
    let mut text = String::new();
    GzDecoder::new(File::open(path).unwrap())
        .read_to_string(&mut text)
        .unwrap();
    Some(text)
}

#[test]
fn slow_the_digits_are_those_of_scikit_learn() {
    let Some(text) = original() else {
        return;
    };
    let images = digits::embedded().unwrap().images;
    assert_eq!(text.lines().count(), images.len());
    for (row, line) in text.lines().enumerate() {
        let mut values: Vec<u32> = line
            .split(',')
            .map(|field| field.parse::<f64>().unwrap() as u32)
            .collect();
        assert_eq!(values.pop(), Some(images.labels[row] as u32), "row {row}");
        let scaled: Vec<u8> = values
            .iter()
            .map(|value| (f64::from(*value) * 255.0 / 16.0 + 0.5).floor() as u8)
            .collect();
        assert_eq!(images.image(row).unwrap(), scaled, "row {row}");
    }
}
