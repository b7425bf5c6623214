//! Numbers in text files.

/// Reads a finite number; the reason otherwise.
pub(super) fn parse(text: &str) -> Result<f32, String> {
    if let Some(value) = small_integer(text.as_bytes()) {
        return Ok(value);
    }
    match text.parse::<f32>() {
        Ok(value) if value.is_finite() => Ok(value),
        Ok(_) if text.bytes().any(|byte| byte.is_ascii_digit()) => Err(format!(
            "{} is beyond the range of 32-bit numbers",
            quote(text)
        )),
        Ok(_) => Err(format!("{} is not a finite number", quote(text))),
        Err(_) if text.is_empty() => Err("a number is missing".to_owned()),
        Err(_) => Err(format!("{} is not a number", quote(text))),
    }
}

/// Integers that 32-bit numbers hold exactly are most of what these files hold, and ten times faster to read.
fn small_integer(text: &[u8]) -> Option<f32> {
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    if digits.is_empty() || digits.len() > 7 {
        return None;
    }
    let mut value = 0_u32;
    for &digit in digits {
        if !digit.is_ascii_digit() {
            return None;
        }
        value = value * 10 + u32::from(digit - b'0');
    }
    let value = value as f32;
    Some(if negative { -value } else { value })
}

/// A piece of a file for a message: escaped, and cut off where it gets long.
pub(super) fn quote(text: &str) -> String {
    const LONGEST: usize = 40;
    let short: String = text.chars().take(LONGEST).collect();
    let more = if short.len() < text.len() { "..." } else { "" };
    format!("`{}{more}`", short.escape_debug())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reasons_say_what_is_wrong() {
        for (text, reason) in [
            ("", "a number is missing"),
            ("abc", "`abc` is not a number"),
            ("NaN", "`NaN` is not a finite number"),
            ("-inf", "`-inf` is not a finite number"),
            ("1e39", "`1e39` is beyond the range of 32-bit numbers"),
            ("1,5", "`1,5` is not a number"),
            ("-", "`-` is not a number"),
        ] {
            assert_eq!(parse(text), Err(reason.to_owned()));
        }
        assert!(parse(&"x".repeat(1000)).unwrap_err().len() < 70);
    }

    proptest! {
        #[test]
        fn agrees_with_the_standard_library(value: i32, float: f32) {
            for text in [value.to_string(), (value % 20_000_000).to_string(), format!("{float:e}"), format!("+{value}")] {
                let expected = text.parse::<f32>().ok().filter(|value| value.is_finite());
                prop_assert_eq!(parse(&text).ok(), expected);
            }
        }
    }
}
