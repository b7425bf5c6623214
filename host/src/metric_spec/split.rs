//! Splits options at the commas between them, and not at those inside of a value.

/// The parts between commas that stand outside of quotes, square brackets and braces.
///
/// A quote or bracket that is never closed is a character like any other, so that `name=it's,size=3` has two parts.
pub(super) fn at_commas(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let current = rest?;
        let (part, after) = match first_comma(current) {
            Some(at) => (&current[..at], Some(&current[at + 1..])),
            None => (current, None),
        };
        rest = after;
        Some(part)
    })
}

fn first_comma(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b',' => return Some(at),
            b'"' | b'\'' | b'[' | b'{' => at = closing(bytes, at).unwrap_or(at),
            _ => {}
        }
        at += 1;
    }
    None
}

/// Where the quote or bracket at `start` is closed. All of these are ASCII, which no part of a longer character is.
fn closing(bytes: &[u8], start: usize) -> Option<usize> {
    let mut open: Vec<u8> = Vec::new();
    let mut at = start;
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'"' | b'\'' => match closing_quote(bytes, at) {
                Some(end) => at = end,
                // At the start it is the quote asked for; inside of brackets it stands for itself.
                None if open.is_empty() => return None,
                None => {}
            },
            b'[' => open.push(b']'),
            b'{' => open.push(b'}'),
            b']' | b'}' if open.last() == Some(&byte) => drop(open.pop()),
            _ => {}
        }
        if open.is_empty() {
            return Some(at);
        }
        at += 1;
    }
    None
}

/// Where the quote at `start` is closed; as in TOML, a backslash escapes within double quotes only.
fn closing_quote(bytes: &[u8], start: usize) -> Option<usize> {
    let quote = *bytes.get(start)?;
    let mut at = start + 1;
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'\\' if quote == b'"' => at += 1,
            _ if byte == quote => return Some(at),
            _ => {}
        }
        at += 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parts(text: &str) -> Vec<&str> {
        at_commas(text).collect()
    }

    #[test]
    fn commas_in_quotes_and_brackets_belong_to_the_value() {
        for (text, expected) in [
            ("", &[""][..]),
            ("a=1,b=2", &["a=1", "b=2"]),
            ("a=1,,b=2,", &["a=1", "", "b=2", ""]),
            (r#"a="x,y",b=2"#, &[r#"a="x,y""#, "b=2"]),
            (r#"a="x\",y",b=2"#, &[r#"a="x\",y""#, "b=2"]),
            (r"a='x\',b=2", &[r"a='x\'", "b=2"]),
            ("a=sh -c 'print(1,2)',b=2", &["a=sh -c 'print(1,2)'", "b=2"]),
            (
                r#"a=["p", "x,]", [1,2]],b=2"#,
                &[r#"a=["p", "x,]", [1,2]]"#, "b=2"],
            ),
            ("a={x=1,y=2},b=2", &["a={x=1,y=2}", "b=2"]),
            // What is never closed stands for itself.
            ("a=it's,b=2", &["a=it's", "b=2"]),
            ("a=[1,b=2", &["a=[1", "b=2"]),
            ("a=[1,b=(2]", &["a=[1,b=(2]"]),
            ("a=1],b=2", &["a=1]", "b=2"]),
        ] {
            assert_eq!(parts(text), expected, "{text}");
        }
    }

    proptest! {
        /// Nothing is lost, whatever is typed.
        #[test]
        fn the_parts_make_up_the_text(text in r#"[a-c=,'"\\{}\[\] é]{0,40}"#) {
            prop_assert_eq!(parts(&text).join(","), text);
        }

        /// Without quotes and brackets it is a split at every comma.
        #[test]
        fn plain_text_is_split_at_every_comma(text in r"[a-z0-9=., é\\-]{0,40}") {
            prop_assert_eq!(parts(&text), text.split(',').collect::<Vec<_>>());
        }

        /// Values in JSON, whose texts and lists are TOML too, come back whole.
        #[test]
        fn quoted_values_are_never_split(values in proptest::collection::vec(quoted_value(), 1..5)) {
            let options: Vec<String> = values.iter().map(|value| format!("key={value}")).collect();
            let text = options.join(",");
            prop_assert_eq!(parts(&text), options);
        }
    }

    fn quoted_value() -> impl Strategy<Value = serde_json::Value> {
        let text = r#"[a-c,'"\\\[\] é]{0,12}"#;
        prop_oneof![
            (-99..99_i64).prop_map(serde_json::Value::from),
            text.prop_map(serde_json::Value::from),
            proptest::collection::vec(text, 0..4).prop_map(serde_json::Value::from),
        ]
    }
}
