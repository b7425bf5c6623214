//! Where to compute, and how strictly.

use clap::Args;

use crate::deterministic;
use crate::device::DeviceChoice;

/// Options of commands that compute much.
#[derive(Debug, Args)]
pub(super) struct DeviceOptions {
    /// Device: `auto`, `cpu`, `cuda` or `cuda:N`.
    #[arg(long, default_value = "auto")]
    device: DeviceChoice,
    /// The same bits every time on a GPU too, where that costs speed. An operation that cannot give them says so on standard
    /// error. On the CPU they are always the same.
    #[arg(long)]
    deterministic: bool,
}

impl DeviceOptions {
    /// The device that was asked for; libtorch hears whether it has to be deterministic.
    pub(super) fn choice(&self) -> DeviceChoice {
        if self.deterministic {
            deterministic::insist();
        }
        self.device
    }
}
