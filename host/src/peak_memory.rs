//! How much memory this process took at most.

use std::fs;

/// Most bytes of memory that this process held at a time (resident, libraries included); none where the system does not say.
///
/// The high-water mark `VmHWM` of `/proc/self/status`, which Linux keeps for every process: `proc(5)`.
pub fn peak_memory() -> Option<u64> {
    high_water_mark(&fs::read_to_string("/proc/self/status").ok()?)
}

fn high_water_mark(status: &str) -> Option<u64> {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kibibytes.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_high_water_mark_is_in_kibibytes() {
        let status = "Name:\thost\nVmPeak:\t  900 kB\nVmHWM:\t  289464 kB\nVmRSS:\t  12 kB\n";
        assert_eq!(high_water_mark(status), Some(289_464 * 1024));
        for unknown in ["", "VmHWM:\t 5 MB\n", "VmHWM:\t kB\n", "VmRSS:\t 12 kB\n"] {
            assert_eq!(high_water_mark(unknown), None, "{unknown:?}");
        }
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn memory_that_was_given_back_still_counts() {
        const SIZE: usize = 64 << 20;
        let before = peak_memory().unwrap();
        assert!(before > 1 << 20, "{before} bytes");
        drop(std::hint::black_box(vec![1_u8; SIZE]));
        assert!(peak_memory().unwrap() >= SIZE as u64);
    }
}
