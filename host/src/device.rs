//! Choosing the device, and loading CUDA only where it is wanted and there.

use metricopt_sdk::tch::{Cuda, Device};
use metricopt_sdk::{Error, Result};
use std::fmt;
use std::path::Path;
use std::str::FromStr;

/// A device as users type it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DeviceChoice {
    /// CUDA if there is any, else the CPU.
    #[default]
    Auto,
    /// The CPU.
    Cpu,
    /// The GPU of that number.
    Cuda(usize),
}

impl fmt::Display for DeviceChoice {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => formatter.write_str("auto"),
            Self::Cpu => formatter.write_str("cpu"),
            Self::Cuda(index) => write!(formatter, "cuda:{index}"),
        }
    }
}

impl FromStr for DeviceChoice {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        match text {
            "auto" => Ok(Self::Auto),
            "cpu" => Ok(Self::Cpu),
            "cuda" => Ok(Self::Cuda(0)),
            _ => text
                .strip_prefix("cuda:")
                .and_then(|index| index.parse().ok())
                .map(Self::Cuda)
                .ok_or_else(|| "expected `auto`, `cpu`, `cuda` or `cuda:N`".to_owned()),
        }
    }
}

impl DeviceChoice {
    /// Finds the device; `say` hears one line if CUDA was asked for and cannot be had.
    ///
    /// # Errors
    ///
    /// If CUDA works but there is no GPU of that number.
    pub fn resolve(self, say: &dyn Fn(&str)) -> Result<Device> {
        let index = match self {
            Self::Cpu => return Ok(Device::Cpu),
            Self::Auto if !has_driver() => return Ok(Device::Cpu),
            Self::Auto => 0,
            Self::Cuda(index) => index,
        };
        if let Err(reason) = load_cuda() {
            say(&format!("no CUDA ({reason}): using the CPU"));
            return Ok(Device::Cpu);
        }
        if !Cuda::is_available() {
            say("no CUDA (the driver reports no usable GPU): using the CPU");
            return Ok(Device::Cpu);
        }
        let count = usize::try_from(Cuda::device_count()).unwrap_or(0);
        if index >= count {
            return Err(
                Error::configuration(format!("there is no GPU {index}")).hint(format!(
                    "the GPUs are `cuda:0` to `cuda:{}`",
                    count.saturating_sub(1)
                )),
            );
        }
        Ok(Device::Cuda(index))
    }
}

fn has_driver() -> bool {
    Path::new("/proc/driver/nvidia/version").exists() || Path::new("/dev/nvidiactl").exists()
}

/// Loads libtorch's CUDA part, which registers itself.
///
/// The host is not linked against it, so that one binary starts on machines without CUDA.
fn load_cuda() -> std::result::Result<(), String> {
    #[cfg(unix)]
    {
        use libloading::os::unix::{Library, RTLD_GLOBAL, RTLD_NOW};
        #[expect(unsafe_code, reason = "loading a library runs its initialisers")]
        // SAFETY: the library is part of the libtorch that is already loaded; its initialisers only register kernels.
        let library = unsafe { Library::open(Some("libtorch_cuda.so"), RTLD_NOW | RTLD_GLOBAL) };
        match library {
            Ok(library) => {
                // Kernels stay registered for the life of the process.
                std::mem::forget(library);
                Ok(())
            }
            // What the loader said stands in the source of the error.
            Err(error) => Err(std::error::Error::source(&error)
                .map_or_else(|| error.to_string(), ToString::to_string)),
        }
    }
    #[cfg(not(unix))]
    Err("not supported on this system".to_owned())
}
