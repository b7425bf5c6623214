//! Numbers for people.

/// Four significant digits: enough to compare by eye.
pub(crate) fn short(value: f64) -> String {
    significant(value, 4)
}

/// Two significant digits.
pub(crate) fn shorter(value: f64) -> String {
    significant(value, 2)
}

fn significant(value: f64, digits: i32) -> String {
    if value == 0.0 || !value.is_finite() {
        return format!("{value}");
    }
    let decimals = digits - 1 - value.abs().log10().floor() as i32;
    if !(-3..=8).contains(&decimals) {
        let text = format!("{value:.*e}", (digits - 1) as usize);
        let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        return format!("{}e{exponent}", without_zeros(mantissa));
    }
    without_zeros(&format!("{value:.*}", decimals.max(0) as usize)).to_owned()
}

/// Without the zeros at the end of a fraction.
fn without_zeros(text: &str) -> &str {
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.')
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::short;

    #[test]
    fn four_significant_digits() {
        let cases = [
            (0.0, "0"),
            (1.0, "1"),
            (0.123_456, "0.1235"),
            (-12.345, "-12.35"),
            (123_456.0, "123456"),
            (0.000_012_344, "0.00001234"),
            (1.5e-12, "1.5e-12"),
            (6.6e15, "6.6e15"),
        ];
        for (value, text) in cases {
            assert_eq!(short(value), text);
        }
    }
}
