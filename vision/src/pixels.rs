//! From bytes to what a network takes.

use metricopt_data::{Images, Normalisation};
use metricopt_nn::Input;
use metricopt_sdk::tch::{Device, Tensor};
use metricopt_sdk::{Error, Result};

use crate::look_up::look_up;

/// Normalises images as a network expects them.
pub struct Pixels {
    normalisation: Normalisation,
    /// `[channels, height, width]` of the bytes.
    shape: [usize; 3],
}

impl Pixels {
    /// For images of this kind. Grey images become the same in every channel.
    ///
    /// # Errors
    ///
    /// If the network cannot take their colours.
    pub fn new(input: &Input, images: &Images, network: &str) -> Result<Self> {
        if images.channels != 1 && images.channels != input.channels {
            return Err(Error::configuration(format!(
                "`{network}` takes images of {} channel, and these have {}",
                input.channels, images.channels
            ))
            .hint("choose a network for colour images with `task.network`, such as `resnet20`"));
        }
        Ok(Self::with(
            Normalisation::new(&input.mean, &input.std)?,
            [images.channels, images.height, images.width],
        ))
    }

    /// Normalises bytes of this shape, `[channels, height, width]`; with one channel all channels of the normalisation see it.
    pub fn with(normalisation: Normalisation, shape: [usize; 3]) -> Self {
        Self {
            normalisation,
            shape,
        }
    }

    /// Channels that the network sees.
    pub fn channels(&self) -> usize {
        self.normalisation.channels()
    }

    /// `[channels, height, width]` of the bytes.
    pub fn shape(&self) -> [usize; 3] {
        self.shape
    }

    /// Images f32 `[N, C, H, W]` of bytes `[N, c, H, W]`, on a device.
    ///
    /// # Errors
    ///
    /// Those of libtorch, or if the bytes are no whole number of images.
    pub fn tensor(&self, bytes: &[u8], device: Device) -> Result<Tensor> {
        match device {
            Device::Cpu => self.on_cpu(bytes),
            device => look_up(bytes, self.shape, self.normalisation.numbers(), device),
        }
    }

    fn on_cpu(&self, bytes: &[u8]) -> Result<Tensor> {
        let [channels, height, width] = self.shape;
        let (outputs, area) = (self.channels(), height * width);
        let repeated: Vec<u8>;
        let bytes = if channels == outputs {
            bytes
        } else {
            let planes = bytes.chunks_exact(area.max(1));
            repeated = planes
                .flat_map(|plane| std::iter::repeat_n(plane, outputs).flatten().copied())
                .collect();
            &repeated
        };
        let mut values = vec![0.0; bytes.len()];
        self.normalisation.apply(bytes, area, &mut values)?;
        let shape = [outputs, height, width].map(|extent| extent as i64);
        Ok(Tensor::f_from_slice(&values)?.f_view([-1, shape[0], shape[1], shape[2]])?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pixels(channels: usize, mean: &[f32], std: &[f32]) -> Result<Pixels> {
        let images = Images {
            pixels: Vec::new(),
            channels,
            height: 1,
            width: 2,
            labels: Vec::new(),
            classes: Vec::new(),
        };
        let input = Input {
            height: 1,
            width: 2,
            channels: mean.len(),
            mean: mean.to_vec(),
            std: std.to_vec(),
        };
        Pixels::new(&input, &images, "resnet20")
    }

    #[test]
    fn each_channel_has_its_own_scale() {
        let pixels = pixels(2, &[0.0, 0.5], &[1.0, 0.5]).unwrap();
        let tensor = pixels
            .tensor(&[0, 255, 0, 255, 255, 0, 255, 0], Device::Cpu)
            .unwrap();
        assert_eq!(tensor.size(), [2, 2, 1, 2]);
        let values = Vec::<f32>::try_from(tensor.view([-1])).unwrap();
        assert_eq!(values, [0.0, 1.0, -1.0, 1.0, 1.0, 0.0, 1.0, -1.0]);
    }

    #[test]
    fn grey_goes_into_every_channel_and_colour_not_into_one() {
        let grey = pixels(1, &[0.0; 3], &[1.0; 3]).unwrap();
        let tensor = grey.tensor(&[0, 255], Device::Cpu).unwrap();
        let values = Vec::<f32>::try_from(tensor.view([-1])).unwrap();
        assert_eq!(values, [0.0, 1.0, 0.0, 1.0, 0.0, 1.0]);
        let error = pixels(3, &[0.0], &[1.0]).err().unwrap();
        assert!(error.to_string().contains("images of 1 channel"), "{error}");
    }

    /// What a GPU does, done on the CPU.
    #[test]
    fn looking_up_gives_the_same_bits() {
        let bytes: Vec<u8> = (0..24).map(|at| (at * 89 % 256) as u8).collect();
        for channels in [1, 3] {
            let pixels = pixels(channels, &[0.485, 0.456, 0.406], &[0.229, 0.224, 0.225]).unwrap();
            let tables = pixels.normalisation.numbers();
            let there = look_up(&bytes, pixels.shape, tables, Device::Cpu).unwrap();
            assert_eq!(there, pixels.tensor(&bytes, Device::Cpu).unwrap());
        }
        let pixels = pixels(3, &[0.0; 3], &[1.0; 3]).unwrap();
        assert!(
            look_up(
                &[0; 7],
                pixels.shape,
                pixels.normalisation.numbers(),
                Device::Cpu
            )
            .is_err()
        );
    }
}
