//! `samples.json`: images of the test split with boxes, before and after tuning, and the values of the classes.

use base64::{Engine, prelude::BASE64_STANDARD};
use image::codecs::png::PngEncoder;
use image::imageops::{FilterType, resize};
use image::{DynamicImage, ExtendedColorType, GrayImage, ImageEncoder, RgbImage};
use metricopt_sdk::{Details, Error, Picture, Result};
use serde::{Deserialize, Serialize};

use crate::engine::samples::{Marked, Sample, Samples};

/// Name of the file.
pub const FILE: &str = "samples.json";

const VERSION: u32 = 1;

/// Longest side of an image in the file, in pixels.
const LONGEST: u32 = 480;

/// The file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SamplesFile {
    version: u32,
    /// What stands behind the metric before and after, if the metric says.
    pub details: Option<[Details; 2]>,
    /// Names of the classes by their number.
    pub classes: Vec<String>,
    /// The images.
    pub images: Vec<ImageOnFile>,
}

/// An image with the boxes on it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ImageOnFile {
    /// Its name.
    pub name: String,
    /// Width and height of the file.
    pub size: [u32; 2],
    /// A PNG file in base 64.
    pub png: String,
    /// Boxes found before tuning.
    pub before: Vec<BoxOnFile>,
    /// Boxes found after tuning.
    pub after: Vec<BoxOnFile>,
    /// True boxes.
    pub truth: Vec<BoxOnFile>,
}

/// A box on an image.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct BoxOnFile {
    /// `x1, y1, x2, y2` as shares of width and height.
    pub corners: [f32; 4],
    /// Number of its class.
    pub class: i64,
    /// How sure the model is.
    pub score: f32,
}

/// The file of what a run found.
///
/// # Errors
///
/// If an image cannot be encoded.
pub fn samples_file(samples: &Samples) -> Result<Vec<u8>> {
    let images: Result<Vec<ImageOnFile>> = samples.images.iter().map(on_file).collect();
    let file = SamplesFile {
        version: VERSION,
        details: samples.details.clone(),
        classes: samples.classes.clone(),
        images: images?,
    };
    serde_json::to_vec(&file).map_err(|error| Error::failed(error.to_string()))
}

impl SamplesFile {
    /// Reads the file.
    ///
    /// # Errors
    ///
    /// If it is damaged or of another version.
    pub fn parse(text: &str) -> Result<Self> {
        let file: Self =
            serde_json::from_str(text).map_err(|error| Error::data(error.to_string()))?;
        if file.version != VERSION {
            return Err(Error::data(format!(
                "it has version {}, expected {VERSION}",
                file.version
            )));
        }
        // What stands in a page must not be able to leave its place in it.
        for image in &file.images {
            BASE64_STANDARD
                .decode(&image.png)
                .map_err(|error| Error::data(format!("image `{}`: {error}", image.name)))?;
        }
        for details in file.details.iter().flatten() {
            details.check()?;
        }
        Ok(file)
    }
}

fn on_file(sample: &Sample) -> Result<ImageOnFile> {
    let Sample { picture, boxes } = sample;
    let image = decoded(picture)?;
    let size = [image.width(), image.height()];
    let mut png = Vec::new();
    let colour = match image {
        DynamicImage::ImageLuma8(_) => ExtendedColorType::L8,
        _ => ExtendedColorType::Rgb8,
    };
    PngEncoder::new(&mut png)
        .write_image(image.as_bytes(), size[0], size[1], colour)
        .map_err(|error| Error::failed(format!("cannot encode a picture: {error}")))?;
    let [before, after, truth] = boxes.each_ref().map(|boxes| shares(boxes, picture));
    Ok(ImageOnFile {
        name: picture.name.clone(),
        size,
        png: BASE64_STANDARD.encode(png),
        before,
        after,
        truth,
    })
}

/// The image of a picture, made smaller if it is large.
fn decoded(picture: &Picture) -> Result<DynamicImage> {
    picture.check()?;
    let [channels, height, width] = picture.shape;
    let area = height * width;
    let interleaved: Vec<u8> = (0..area)
        .flat_map(|at| (0..channels).map(move |channel| picture.pixels[channel * area + at]))
        .collect();
    let (width, height) = (width as u32, height as u32);
    let misshapen = || Error::failed("a picture does not have the bytes of its shape");
    let longest = width.max(height);
    let size = |extent: u32| (extent * LONGEST / longest).max(1);
    let large = longest > LONGEST;
    Ok(if channels == 1 {
        let image = GrayImage::from_raw(width, height, interleaved).ok_or_else(misshapen)?;
        DynamicImage::ImageLuma8(match large {
            true => resize(&image, size(width), size(height), FilterType::Triangle),
            false => image,
        })
    } else {
        let image = RgbImage::from_raw(width, height, interleaved).ok_or_else(misshapen)?;
        DynamicImage::ImageRgb8(match large {
            true => resize(&image, size(width), size(height), FilterType::Triangle),
            false => image,
        })
    })
}

/// Boxes as shares of the width and the height of a picture.
fn shares(boxes: &[Marked], picture: &Picture) -> Vec<BoxOnFile> {
    let [left, top, right, bottom] = picture.corners;
    let across = |x: f32| (x - left) / (right - left);
    let down = |y: f32| (y - top) / (bottom - top);
    boxes
        .iter()
        .map(|marked| {
            let [x1, y1, x2, y2] = marked.corners;
            BoxOnFile {
                corners: [across(x1), down(y1), across(x2), down(y2)],
                class: marked.class,
                score: marked.score,
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(shape: [usize; 3]) -> Sample {
        let [channels, height, width] = shape;
        let picture = Picture {
            corners: [1.0, 1.0, 11.0, 6.0],
            ..Picture::new("a.png", shape, vec![7; channels * height * width])
        };
        let marked = Marked {
            corners: [6.0, 1.0, 11.0, 3.5],
            class: 2,
            score: 0.5,
        };
        Sample {
            picture,
            boxes: [vec![marked], vec![], vec![]],
        }
    }

    fn file(samples: Samples) -> SamplesFile {
        let bytes = samples_file(&samples).unwrap();
        SamplesFile::parse(std::str::from_utf8(&bytes).unwrap()).unwrap()
    }

    #[test]
    fn images_keep_their_pixels_and_boxes_their_place() {
        let file = file(Samples {
            images: vec![sample([3, 5, 10]), sample([1, 960, 4])],
            ..Samples::default()
        });
        let [small, tall] = file.images.as_slice() else {
            panic!("two images")
        };
        assert_eq!(small.before[0].corners, [0.5, 0.0, 1.0, 0.5]);
        assert_eq!((small.size, tall.size), ([10, 5], [2, 480]));
        let png = BASE64_STANDARD.decode(&small.png).unwrap();
        let image = image::load_from_memory(&png).unwrap().into_rgb8();
        assert!(image.pixels().all(|pixel| pixel.0 == [7; 3]));
    }

    #[test]
    fn what_is_no_image_is_refused() {
        let bytes = samples_file(&Samples {
            images: vec![sample([3, 5, 10])],
            ..Samples::default()
        });
        let text = String::from_utf8(bytes.unwrap()).unwrap();
        for (from, to, expected) in [
            ("\"version\":1", "\"version\":2", "version 2"),
            ("\"png\":\"", "\"png\":\"><", "image `a.png`"),
            ("\"images\"", "\"imges\"", "images"),
        ] {
            let error = SamplesFile::parse(&text.replace(from, to)).unwrap_err();
            assert!(error.to_string().contains(expected), "{error}");
        }
    }
}
