//! One file of annotations.

use std::collections::{BTreeMap, BTreeSet};

use metricopt_sdk::{Error, Result};
use serde::Deserialize;
use serde::de::IgnoredAny;

/// How far, in pixels, a box may reach beyond its image and is cut: corners that were rounded.
const ROUNDING: f64 = 1.0;

/// What a file says, with the annotations not yet held to images and categories.
#[derive(Debug, Deserialize)]
#[serde(expecting = "an object with `images`, `annotations` and `categories`")]
pub(super) struct Instances {
    pub(super) images: Vec<Image>,
    pub(super) annotations: Vec<Annotation>,
    pub(super) categories: Vec<Category>,
}

/// An image by its number.
#[derive(Debug, Deserialize)]
pub(super) struct Image {
    pub(super) id: i64,
    pub(super) file_name: String,
    pub(super) width: Option<usize>,
    pub(super) height: Option<usize>,
}

/// A class by its number.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub(super) struct Category {
    pub(super) id: i64,
    pub(super) name: String,
}

/// An object.
#[derive(Debug, Deserialize)]
pub(super) struct Annotation {
    pub(super) id: Option<i64>,
    pub(super) image_id: i64,
    pub(super) category_id: i64,
    #[serde(default)]
    bbox: Corner,
    #[serde(default)]
    iscrowd: Flag,
}

/// Left, top, width and height in pixels, counted from 0; or something else, which is the annotation's fault alone.
#[derive(Debug, Default, Deserialize)]
#[serde(untagged)]
enum Corner {
    Given([f64; 4]),
    Other(IgnoredAny),
    #[default]
    Absent,
}

/// Tools write 0 and 1, or false and true.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Flag {
    Number(u8),
    Truth(bool),
}

impl Default for Flag {
    fn default() -> Self {
        Self::Truth(false)
    }
}

impl Instances {
    /// Reads the bytes of a file.
    ///
    /// # Errors
    ///
    /// If it is no JSON, lacks something, or names an image or a category twice.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self> {
        let instances: Self =
            serde_json::from_slice(bytes).map_err(|error| Error::data(format!("{error}")))?;
        let twice = |what: &str, id: &dyn std::fmt::Display| {
            Err(Error::data(format!("{what} `{id}` stands there twice")))
        };
        let [mut images, mut categories] = [BTreeSet::new(), BTreeSet::new()];
        let [mut files, mut names] = [BTreeSet::new(), BTreeSet::new()];
        for image in &instances.images {
            if !images.insert(image.id) {
                return twice("image", &image.id);
            }
            if !files.insert(&image.file_name) {
                return twice("image", &image.file_name);
            }
        }
        for category in &instances.categories {
            if !categories.insert(category.id) {
                return twice("category", &category.id);
            }
            if !names.insert(&category.name) {
                return twice("category", &category.name);
            }
        }
        Ok(instances)
    }

    /// The categories by number.
    pub(super) fn names(&self) -> BTreeMap<i64, &str> {
        let categories = self.categories.iter();
        categories
            .map(|category| (category.id, category.name.as_str()))
            .collect()
    }
}

impl Annotation {
    /// How it is called in errors, if it is the `index`th of its file.
    pub(super) fn title(&self, index: usize) -> String {
        match self.id {
            Some(id) => format!("annotation {id}"),
            None => format!("the annotation at place {}", index + 1),
        }
    }

    /// Whether it is a region with many objects.
    pub(super) fn is_crowd(&self) -> bool {
        match self.iscrowd {
            Flag::Number(number) => number != 0,
            Flag::Truth(truth) => truth,
        }
    }

    /// Its first and last pixel on an image of this width and height, counted from 1.
    ///
    /// # Errors
    ///
    /// What is wrong with its box.
    pub(super) fn pixels(&self, [width, height]: [usize; 2]) -> Result<[f32; 4]> {
        let Corner::Given(given) = self.bbox else {
            return Err(Error::data("`bbox` is not four numbers"));
        };
        let [left, top, across, down] = given;
        let complaint =
            |complaint: &str| Err(Error::data(format!("the box {given:?} {complaint}")));
        if !(across > 0.0 && down > 0.0) {
            return complaint("has no area");
        }
        let [width, height] = [width as f64, height as f64];
        let [right, bottom] = [left + across, top + down];
        let inside = left >= -ROUNDING
            && top >= -ROUNDING
            && right <= width + ROUNDING
            && bottom <= height + ROUNDING;
        if !inside {
            return complaint("reaches beyond its image");
        }
        let [left, right] = [left, right].map(|x| x.clamp(0.0, width));
        let [top, bottom] = [top, bottom].map(|y| y.clamp(0.0, height));
        let corners = [left + 1.0, top + 1.0, right, bottom].map(|corner| corner as f32);
        // Cut at the border, or too thin for numbers of 32 bits.
        if !(corners[2] > corners[0] - 1.0 && corners[3] > corners[1] - 1.0) {
            return complaint("has no area");
        }
        Ok(corners)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn annotation(json: &str) -> Annotation {
        let json = format!(r#"{{"image_id": 1, "category_id": 2{json}}}"#);
        serde_json::from_str(&json).unwrap()
    }

    #[test]
    fn a_box_becomes_first_and_last_pixel() {
        let whole = annotation(r#", "bbox": [0, 0, 20, 10]"#);
        assert_eq!(whole.pixels([20, 10]).unwrap(), [1.0, 1.0, 20.0, 10.0]);
        let part = annotation(r#", "bbox": [2.5, 3, 4, 0.5], "iscrowd": 1"#);
        assert_eq!(part.pixels([20, 10]).unwrap(), [3.5, 4.0, 6.5, 3.5]);
        assert!(part.is_crowd() && !whole.is_crowd());
        assert!(annotation(r#", "iscrowd": true"#).is_crowd());
        let rounded = annotation(r#", "bbox": [-0.4, 0, 20.9, 10]"#);
        assert_eq!(rounded.pixels([20, 10]).unwrap(), [1.0, 1.0, 20.0, 10.0]);
    }

    #[test]
    fn boxes_that_cannot_be_are_refused() {
        for (json, expected) in [
            ("", "not four numbers"),
            (r#", "bbox": null"#, "not four numbers"),
            (r#", "bbox": [1, 2, 3]"#, "not four numbers"),
            (r#", "bbox": ["a", 2, 3, 4]"#, "not four numbers"),
            (r#", "bbox": [1, 2, 0, 4]"#, "no area"),
            (r#", "bbox": [1, 2, 3, -4]"#, "no area"),
            (r#", "bbox": [20.5, 2, 0.5, 4]"#, "no area"),
            (r#", "bbox": [1e15, 2, 1, 1]"#, "beyond its image"),
            (r#", "bbox": [-3, 2, 5, 4]"#, "beyond its image"),
            (r#", "bbox": [1, 2, 19, 10]"#, "beyond its image"),
        ] {
            let error = annotation(json).pixels([20, 10]).unwrap_err().to_string();
            assert!(error.contains(expected), "{json}: {error}");
        }
    }

    #[test]
    fn files_that_are_no_annotations_are_refused() {
        for (json, expected) in [
            ("", "EOF"),
            ("[]", "images"),
            (r#"{"images": [], "categories": []}"#, "annotations"),
            (
                r#"{"images": [{"id": "x", "file_name": "a"}], "annotations": [], "categories": []}"#,
                "expected i64 at line 1",
            ),
            (
                r#"{"images": [{"id": 1, "file_name": "a"}, {"id": 1, "file_name": "b"}], "annotations": [], "categories": []}"#,
                "image `1` stands there twice",
            ),
            (
                r#"{"images": [{"id": 1, "file_name": "a"}, {"id": 2, "file_name": "a"}], "annotations": [], "categories": []}"#,
                "image `a` stands there twice",
            ),
            (
                r#"{"images": [], "annotations": [], "categories": [{"id": 1, "name": "a"}, {"id": 2, "name": "a"}]}"#,
                "category `a` stands there twice",
            ),
        ] {
            let error = Instances::parse(json.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(expected), "{json}: {error}");
        }
        let deep = "[".repeat(100_000);
        assert!(Instances::parse(deep.as_bytes()).is_err());
    }
}
