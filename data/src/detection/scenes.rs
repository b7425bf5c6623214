//! Images with boxes in memory.

use super::frame::Frame;

/// An object on an image.
#[derive(Clone, Debug, PartialEq)]
pub struct Object {
    /// `x1, y1, x2, y2` of its first and last pixel on the original image, counted from 1 as in PASCAL VOC.
    pub pixels: [f32; 4],
    /// Its class, an index into the classes.
    pub class: i64,
    /// Whether it is marked as too hard to be asked for.
    pub difficult: bool,
    /// Whether it goes on beyond the box.
    pub truncated: bool,
}

/// What is on one image.
#[derive(Clone, Debug, PartialEq)]
pub struct Scene {
    /// Name of the image.
    pub name: String,
    /// How the original image lies in the pixels.
    pub frame: Frame,
    /// The objects, in the order of the annotation.
    pub objects: Vec<Object>,
}

/// Images of one size with their objects, in random order.
#[derive(Clone, Debug, PartialEq)]
pub struct Scenes {
    /// The pixels, `[N, C, H, W]`, 0 to 255.
    pub pixels: Vec<u8>,
    /// Number of channels: 1 or 3.
    pub channels: usize,
    /// Height in pixels.
    pub height: usize,
    /// Width in pixels.
    pub width: usize,
    /// One an image.
    pub scenes: Vec<Scene>,
    /// Names of the classes.
    pub classes: Vec<String>,
}

impl Scenes {
    /// Bytes of one image: `C * H * W`.
    pub fn image_len(&self) -> usize {
        self.channels * self.height * self.width
    }

    /// The pixels of one image, `[C, H, W]`; `None` beyond the last.
    pub fn image(&self, index: usize) -> Option<&[u8]> {
        self.pixels.chunks_exact(self.image_len().max(1)).nth(index)
    }

    /// Number of objects.
    pub fn objects(&self) -> usize {
        self.scenes.iter().map(|scene| scene.objects.len()).sum()
    }
}

/// The three parts of a data set.
#[derive(Clone, Debug, PartialEq)]
pub struct Splits {
    /// Fits the network.
    pub train: Scenes,
    /// Observes the metric and selects.
    pub validation: Scenes,
    /// Reports.
    pub test: Scenes,
    /// The numbers of the classes in the annotations, in the order of the classes; empty where they have names alone.
    pub class_numbers: Vec<usize>,
    /// Where the data comes from, for the reader of a report.
    pub source: String,
    /// What was left out and why, one sentence, if something was.
    pub skipped: Option<String>,
}
