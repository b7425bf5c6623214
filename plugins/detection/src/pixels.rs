//! From bytes to what a detector takes.

use metricopt_data::detection::Scenes;
use metricopt_nn::detector::DetectorName;
use metricopt_sdk::tch::{Device, Tensor};
use metricopt_sdk::{Error, Result};
use metricopt_vision::look_up;

/// Normalises images as a detector expects them.
pub(crate) struct Pixels {
    /// What becomes of each byte, for each channel that the detector sees.
    tables: Vec<[f32; 256]>,
    /// `[channels, height, width]` of the bytes.
    shape: [usize; 3],
}

impl Pixels {
    /// For images of this kind. Grey images become the same in every channel of a detector for colours.
    pub(crate) fn new(network: DetectorName, kind: &Scenes) -> Self {
        let [means, deviations] = network.normalisation();
        let tables: Vec<[f32; 256]> = means
            .iter()
            .zip(deviations)
            .map(|(mean, deviation)| {
                std::array::from_fn(|byte| byte as f32 / (255.0 * deviation) - mean / deviation)
            })
            .collect();
        let channels = kind.channels.max(tables.len());
        Self {
            tables: tables.iter().copied().cycle().take(channels).collect(),
            shape: [kind.channels, kind.height, kind.width],
        }
    }

    /// Channels that the detector sees.
    pub(crate) fn channels(&self) -> usize {
        self.tables.len()
    }

    /// Bytes of one image.
    pub(crate) fn image_len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Images f32 `[N, C, H, W]` of bytes `[N, c, H, W]`, on a device.
    ///
    /// # Errors
    ///
    /// Those of libtorch, or if the bytes are no whole number of images.
    pub(crate) fn tensor(&self, bytes: &[u8], device: Device) -> Result<Tensor> {
        match device {
            Device::Cpu => self.on_cpu(bytes),
            device => look_up(bytes, self.shape, &self.tables, device),
        }
    }

    fn on_cpu(&self, bytes: &[u8]) -> Result<Tensor> {
        let [_, height, width] = self.shape;
        let image = self.image_len().max(1);
        if !bytes.len().is_multiple_of(image) {
            return Err(Error::failed(format!(
                "{} bytes are no whole number of images of {image}",
                bytes.len()
            )));
        }
        let area = (height * width).max(1);
        let mut values = Vec::with_capacity(bytes.len() / image * self.channels() * area);
        for image in bytes.chunks_exact(image) {
            let planes = image.chunks_exact(area).cycle();
            for (table, plane) in self.tables.iter().zip(planes) {
                values.extend(plane.iter().map(|&byte| table[usize::from(byte)]));
            }
        }
        let shape = [self.channels(), height, width].map(|extent| extent as i64);
        Ok(Tensor::f_from_slice(&values)?.f_view([-1, shape[0], shape[1], shape[2]])?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(network: DetectorName, channels: usize, bytes: &[u8]) -> Vec<f32> {
        let kind = Scenes {
            pixels: Vec::new(),
            channels,
            height: 1,
            width: 2,
            scenes: Vec::new(),
            classes: Vec::new(),
        };
        let tensor = Pixels::new(network, &kind)
            .tensor(bytes, Device::Cpu)
            .unwrap();
        Vec::try_from(tensor.reshape([-1])).unwrap()
    }

    #[test]
    fn the_tiny_detector_sees_minus_one_to_one() {
        let found = values(DetectorName::Tiny, 1, &[0, 255]);
        assert_eq!(found, [-1.0, 1.0]);
        assert_eq!(
            values(DetectorName::Tiny, 3, &[0, 0, 0, 255, 0, 0]).len(),
            6
        );
    }

    #[test]
    fn retinanet_sees_colours_by_the_statistics_of_imagenet() {
        let found = values(
            DetectorName::RetinanetResnet18,
            3,
            &[0, 255, 0, 255, 0, 255],
        );
        // Those of torchvision's documentation: mean 0.485, 0.456, 0.406, deviation 0.229, 0.224, 0.225.
        let expected = [-2.1179, 2.2489, -2.0357, 2.4286, -1.8044, 2.64];
        for (found, expected) in found.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-4, "{found} {expected}");
        }
        let grey = values(DetectorName::RetinanetResnet18, 1, &[0, 255]);
        assert_eq!(grey, found);
        let kind = Scenes {
            pixels: Vec::new(),
            channels: 1,
            height: 1,
            width: 2,
            scenes: Vec::new(),
            classes: Vec::new(),
        };
        assert!(
            Pixels::new(DetectorName::Tiny, &kind)
                .tensor(&[0], Device::Cpu)
                .is_err()
        );
    }
}
