//! Numbers, times and sizes in few digits.

/// A number in two or three digits, such as `12 k` or `3.4 M`.
pub(super) fn rounded(number: u64) -> String {
    let (scaled, suffix) = match number as f64 {
        n if n < 1e4 => return format!("{n}"),
        n if n < 1e6 => (n / 1e3, "k"),
        n if n < 1e9 => (n / 1e6, "M"),
        n => (n / 1e9, "G"),
    };
    let digits = usize::from(scaled < 10.0);
    format!("{scaled:.digits$} {suffix}")
}

pub(super) fn bytes(bytes: u64) -> String {
    match bytes as f64 / f64::from(1 << 20) {
        0.0 => "nothing".to_owned(),
        small if small < 1.0 => "less than 1 MiB".to_owned(),
        mebibytes if mebibytes < 10_000.0 => format!("{mebibytes:.0} MiB"),
        mebibytes => format!("{:.0} GiB", mebibytes / 1024.0),
    }
}

/// `45 s`, `12 min` or `1.5 h`.
pub(super) fn duration(seconds: f64) -> String {
    match seconds {
        s if s < 99.5 => format!("{s:.0} s"),
        s if s < 5400.0 => format!("{:.0} min", s / 60.0),
        s => format!("{:.1} h", s / 3600.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_said_in_few_digits() {
        let numbers = [0, 9999, 12_345, 3_440_000, 56_700_000, 2_500_000_000];
        let said = ["0", "9999", "12 k", "3.4 M", "57 M", "2.5 G"];
        assert_eq!(numbers.map(rounded), said);
        let seconds = [0.4, 42.0, 150.0, 9000.0];
        assert_eq!(seconds.map(duration), ["0 s", "42 s", "2 min", "2.5 h"]);
        let sizes = [0, 1000, 64 << 20, 20 << 30];
        assert_eq!(
            sizes.map(bytes),
            ["nothing", "less than 1 MiB", "64 MiB", "20 GiB"]
        );
    }
}
