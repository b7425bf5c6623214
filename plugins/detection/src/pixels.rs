//! From bytes to what a detector takes.

use metricopt_data::Normalisation;
use metricopt_data::detection::Scenes;
use metricopt_nn::detector::DetectorName;
use metricopt_vision::Pixels;

/// Normalises images of this kind as a detector expects them. Grey images become the same in every channel of a detector for
/// colours.
pub(crate) fn pixels(network: DetectorName, kind: &Scenes) -> Pixels {
    let [means, deviations] = network.normalisation();
    let numbers: Vec<[f32; 256]> = means
        .iter()
        .zip(deviations)
        .map(|(mean, deviation)| {
            std::array::from_fn(|byte| byte as f32 / (255.0 * deviation) - mean / deviation)
        })
        .collect();
    let channels = kind.channels.max(numbers.len());
    let numbers = numbers.into_iter().cycle().take(channels).collect();
    Pixels::with(
        Normalisation::of_numbers(numbers),
        [kind.channels, kind.height, kind.width],
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use metricopt_sdk::tch::Device;

    fn values(network: DetectorName, channels: usize, bytes: &[u8]) -> Vec<f32> {
        let kind = Scenes {
            pixels: Vec::new(),
            channels,
            height: 1,
            width: 2,
            scenes: Vec::new(),
            classes: Vec::new(),
        };
        let tensor = pixels(network, &kind).tensor(bytes, Device::Cpu).unwrap();
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
            pixels(DetectorName::Tiny, &kind)
                .tensor(&[0], Device::Cpu)
                .is_err()
        );
    }
}
