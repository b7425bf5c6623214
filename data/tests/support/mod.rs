//! Folders of made-up images.

#![expect(
    clippy::unwrap_used,
    reason = "the helpers of these tests are tests too"
)]

use std::{
    fs,
    path::{Path, PathBuf},
};

use image::{ExtendedColorType, ImageEncoder, codecs::png::PngEncoder};
use metricopt_data::{DatasetConfig, DatasetName, Opening, Splits, open};
use metricopt_sdk::Result;

/// A PNG file of one kind of pixel.
pub(crate) fn png(width: u32, height: u32, pixels: &[u8], colour: ExtendedColorType) -> Vec<u8> {
    let mut file = Vec::new();
    PngEncoder::new(&mut file)
        .write_image(pixels, width, height, colour)
        .unwrap();
    file
}

/// A colour PNG file all of whose pixels are the same.
pub(crate) fn plain(width: u32, height: u32, colour: [u8; 3]) -> Vec<u8> {
    let pixels = colour.repeat((width * height) as usize);
    png(width, height, &pixels, ExtendedColorType::Rgb8)
}

/// A folder under test.
pub(crate) struct Folder(tempfile::TempDir);

impl Folder {
    pub(crate) fn empty() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// Two classes with four training and two test images each, of 4 x 3 pixels whose red channel tells them apart.
    pub(crate) fn new() -> Self {
        let folder = Self::empty();
        for (part, count) in [("train", 4), ("test", 2)] {
            for (class, base) in [("cat", 0), ("dog", 100)] {
                for index in 0..count {
                    let red = base + index + if part == "test" { 50 } else { 0 };
                    folder.write(
                        &format!("{part}/{class}/{index}.png"),
                        &plain(4, 3, [red, 1, 2]),
                    );
                }
            }
        }
        folder
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn root(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn write(&self, name: &str, bytes: &[u8]) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    pub(crate) fn config(&self) -> DatasetConfig {
        let mut config = DatasetConfig {
            dataset: DatasetName::ImageFolder,
            root: Some(self.root().to_owned()),
            ..DatasetConfig::default()
        };
        config.split.validation_share = Some(0.25);
        config
    }

    pub(crate) fn open(&self) -> Result<Splits> {
        open(&self.config(), &Opening::quiet(1))
    }

    /// The message of the error that there must be.
    pub(crate) fn error(&self) -> String {
        self.open().unwrap_err().to_string()
    }
}
