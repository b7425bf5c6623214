//! Images in memory, as bytes.

use metricopt_sdk::{Error, Result};

use crate::split::{Parts, Plan};

/// Decoded images of one size with their labels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Images {
    /// The pixels, `[N, C, H, W]` in row-major order, 0 to 255.
    pub pixels: Vec<u8>,
    /// Number of channels: 1 for grey, 3 for red, green and blue.
    pub channels: usize,
    /// Height in pixels.
    pub height: usize,
    /// Width in pixels.
    pub width: usize,
    /// The class of each image, an index into `classes`.
    pub labels: Vec<i64>,
    /// Names of the classes.
    pub classes: Vec<String>,
}

/// The three parts of a data set, each in random order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Splits {
    /// Fits the network.
    pub train: Images,
    /// Observes the metric and selects.
    pub validation: Images,
    /// Reports.
    pub test: Images,
    /// Where the data comes from and on what terms, for the reader of a report.
    pub source: String,
}

/// All images of a data set, the official parts one after the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pool {
    /// The images: training, then validation, then test.
    pub images: Images,
    /// How many of them belong to each official part.
    pub parts: Parts,
}

impl Images {
    /// Number of images.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// Bytes of one image: `C * H * W`.
    pub fn image_len(&self) -> usize {
        self.channels * self.height * self.width
    }

    /// The pixels of one image, `[C, H, W]`; `None` beyond the last.
    pub fn image(&self, index: usize) -> Option<&[u8]> {
        let length = self.image_len();
        let start = index.checked_mul(length)?;
        self.pixels.get(start..start.checked_add(length)?)
    }

    /// Number of images of each class.
    pub fn counts(&self) -> Vec<usize> {
        let mut counts = vec![0; self.classes.len()];
        for &label in &self.labels {
            if let Some(count) = usize::try_from(label)
                .ok()
                .and_then(|class| counts.get_mut(class))
            {
                *count += 1;
            }
        }
        counts
    }

    /// The given images in the given order.
    ///
    /// # Errors
    ///
    /// If an index is beyond the last image.
    pub fn gather(&self, indices: &[u32]) -> Result<Self> {
        let mut pixels = Vec::with_capacity(indices.len() * self.image_len());
        let mut labels = Vec::with_capacity(indices.len());
        for &index in indices {
            let row = index as usize;
            let (Some(image), Some(&label)) = (self.image(row), self.labels.get(row)) else {
                return Err(Error::failed(format!(
                    "image {row} of {} was asked for",
                    self.len()
                )));
            };
            pixels.extend_from_slice(image);
            labels.push(label);
        }
        Ok(Self {
            pixels,
            labels,
            classes: self.classes.clone(),
            ..*self
        })
    }

    /// Checks that pixels, labels and classes fit each other.
    ///
    /// # Errors
    ///
    /// Says what does not fit.
    pub fn check(&self) -> Result<()> {
        if self.pixels.len() != self.len() * self.image_len() {
            return Err(Error::data(format!(
                "{} bytes of pixels do not fill {} images of {} x {} x {}",
                self.pixels.len(),
                self.len(),
                self.channels,
                self.height,
                self.width
            )));
        }
        let classes = self.classes.len() as i64;
        match self
            .labels
            .iter()
            .position(|label| !(0..classes).contains(label))
        {
            None => Ok(()),
            Some(row) => Err(Error::data(format!(
                "image {row} has label {}, but there are {classes} classes",
                self.labels.get(row).copied().unwrap_or_default()
            ))),
        }
    }
}

impl Pool {
    /// Divides the images as planned.
    ///
    /// # Errors
    ///
    /// If the plan names images that are not there.
    pub fn divide(&self, plan: &Plan, source: &str) -> Result<Splits> {
        Ok(Splits {
            train: self.images.gather(&plan.train)?,
            validation: self.images.gather(&plan.validation)?,
            test: self.images.gather(&plan.test)?,
            source: source.to_owned(),
        })
    }
}
