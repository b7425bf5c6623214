//! Bytes of images become numbers on the device.

use metricopt_sdk::Result;
use metricopt_sdk::tch::{Device, Kind, Tensor};

/// Images f32 `[N, C, H, W]` of bytes `[N, c, H, W]`, `shape` being `[c, H, W]`: what the table of each of the `C` channels says for
/// a byte. With `c = 1` every channel sees the same bytes.
///
/// A GPU gets the bytes, a quarter of what the numbers would be, out of pinned memory, which it reads by itself while the host
/// goes on; they are the same numbers to the bit wherever they are looked up.
///
/// ```
/// use metricopt_vision::look_up;
/// use metricopt_sdk::tch::{Device, Tensor};
///
/// let halves = std::array::from_fn(|byte| byte as f32 / 2.0);
/// let images = look_up(&[2, 4], [1, 1, 2], &[halves], Device::Cpu)?;
/// assert_eq!(images, Tensor::from_slice(&[1.0_f32, 2.0]).view([1, 1, 1, 2]));
/// # Ok::<(), metricopt_sdk::Error>(())
/// ```
///
/// # Errors
///
/// Those of libtorch, or if the bytes are no whole number of images.
pub fn look_up(
    bytes: &[u8],
    shape: [usize; 3],
    tables: &[[f32; 256]],
    device: Device,
) -> Result<Tensor> {
    let [channels, height, width] = shape.map(|extent| extent as i64);
    let outputs = tables.len() as i64;
    let mut bytes = Tensor::f_from_slice(bytes)?.f_view([-1, channels, height * width])?;
    if device.is_cuda() {
        bytes = bytes.f_pin_memory(device)?;
    }
    let bytes = bytes.f_to_device_(device, Kind::Uint8, true, false)?;
    let (count, ..) = bytes.size3()?;
    let places = bytes
        .f_to_kind(Kind::Int64)?
        .f_expand([-1, outputs, -1], false)?;
    let tables = Tensor::f_from_slice(tables.as_flattened())?
        .f_view([1, outputs, 256])?
        .f_to_device(device)?
        .f_expand([count, -1, -1], false)?;
    let numbers = tables.f_gather(2, &places, false)?;
    Ok(numbers.f_view([-1, outputs, height, width])?)
}
