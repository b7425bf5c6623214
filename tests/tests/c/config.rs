//! `metricopt_config_number` reads any bytes at all, and reads JSON as `serde_json` does.

use proptest::prelude::*;
use serde_json::{Value, json};
use std::ffi::CStr;
use std::sync::LazyLock;
use std::time::Instant;

use crate::library::ConfigNumber;

static NUMBER: LazyLock<ConfigNumber> = LazyLock::new(ConfigNumber::compile);

/// Of one byte, of several, with what needs an escape.
const KEYS: [&CStr; 5] = [
    c"k",
    c"gain",
    c"a\"b\\c\n",
    c"\xc3\xa9\xf0\x9f\x8e\xaf",
    c"",
];

/// What must come out: what `serde_json` reads.
fn expected(text: &str, key: &CStr) -> (i32, Option<f64>) {
    let Ok(Value::Object(object)) = serde_json::from_str(text) else {
        return (-1, None);
    };
    match object.get(key.to_str().unwrap()) {
        None => (0, None),
        Some(Value::Number(number)) => (1, number.as_f64()),
        Some(_) => (-1, None),
    }
}

#[track_caller]
fn assert_same(text: &str, key: &CStr) {
    let bits = |(result, value): (i32, Option<f64>)| (result, value.map(f64::to_bits));
    let actual = NUMBER.read(text.as_bytes(), key);
    let expected = expected(text, key);
    assert_eq!(
        bits(actual),
        bits(expected),
        "{key:?} in {text:?}: {actual:?}, not {expected:?}"
    );
}

#[test]
fn what_people_write() {
    for text in [
        r#"{"k":1}"#,
        r#" { "k" : -2.5e-3 , "gain":7 } "#,
        r#"{"gain":1,"k":true}"#,
        r#"{"k":"1"}"#,
        r#"{"k":null}"#,
        r#"{"k":[1]}"#,
        r#"{"nested":{"k":1},"list":[{"k":2}],"text":"\"k\":3, {\"k\":4}"}"#,
        r#"{"nested":{"k":1},"k":5}"#,
        r#"{"k":1,"k":2}"#,
        r#"{"k":1,"k":"x"}"#,
        r#"{"\u006b":6}"#,
        r#"{"kk":1,"K":2," k":3}"#,
        r#"{"":1}"#,
        r#"{"a\"b\\c\n":8}"#,
        r#"{"\u00e9\ud83c\udfaf":9}"#,
        "{\"\u{e9}\u{1f3af}\":9}",
        "{}",
        " \t\r\n{ } ",
    ] {
        for key in KEYS {
            assert_same(text, key);
        }
    }
}

#[test]
fn what_nobody_should_write() {
    for text in [
        "",
        " ",
        "{",
        "}",
        "[]",
        "1",
        "\"k\"",
        "null",
        "{}}",
        "{}{}",
        "{\"k\"}",
        "{\"k\":}",
        "{\"k\":1,}",
        "{,}",
        "{\"k\":1 \"gain\":2}",
        "{k:1}",
        "{'k':1}",
        "{\"k\":01}",
        "{\"k\":+1}",
        "{\"k\":.5}",
        "{\"k\":5.}",
        "{\"k\":1e}",
        "{\"k\":1e+}",
        "{\"k\":-}",
        "{\"k\":--1}",
        "{\"k\":0x10}",
        "{\"k\":NaN}",
        "{\"k\":Infinity}",
        "{\"k\":-inf}",
        "{\"k\":1e400}",
        "{\"k\":-1e400}",
        "{\"k\":1}\0",
        "{\"k\":1\0}",
        "\0",
        "{\"k\0\":1}",
        "{\"k\n\":1}",
        "{\"k\":1",
        "{\"k\":\"1}",
        "{\"k\":1,\"x\":\"\\",
        "{\"k\":1,\"x\":\"\\u",
        "{\"k\":1,\"x\":\"\\u12",
        "{\"k\":1,\"x\":\"\\ud800\"}",
        "{\"k\":1,\"x\":\"\\udc00\"}",
        "{\"k\":1,\"x\":\"\\ud800\\u0041\"}",
        "{\"k\":1,\"x\":\"\\q\"}",
        "{\"k\":1,\"x\":tru}",
        "{\"k\":1,\"x\":[1,2}",
        "{\"k\":1,\"x\":[1,]}",
        "{\"k\":1,\"x\":{]}",
        "{\"k\":1} x",
        "/**/{\"k\":1}",
        "\u{feff}{\"k\":1}",
        "{\"k\":1,\"x\":[}",
    ] {
        assert_same(text, c"k");
    }
}

#[test]
fn numbers_are_rounded_to_the_nearest() {
    for number in [
        "0",
        "-0",
        "0.0",
        "-0.0",
        "1e-400",
        "-1e-400",
        "5e-324",
        "2.4703282292062327e-324",
        "2.2250738585072011e-308",
        "1.7976931348623157e308",
        "1.7976931348623159e308",
        "9007199254740993",
        "18446744073709551615",
        "18446744073709551616",
        "-9223372036854775808",
        "0.1",
        "0.30000000000000004",
        "1e22",
        "1e23",
        "8.5e-5",
        "100000000000000000000000000000000000000000000000000000000000",
        "0.00000000000000000000000000000000000000000001",
        "1E+2",
        "1e0005",
        "179769313486231580793728971405303415079934132710037826936173778980444968292764750946649017",
    ] {
        assert_same(&format!("{{\"k\":{number}}}"), c"k");
    }
}

/// The limits that the header documents, on both sides of each.
#[test]
fn limits_are_limits() {
    let number = |digits: usize| format!("{{\"k\":1{}}}", "0".repeat(digits - 1));
    assert_eq!(NUMBER.read(number(128).as_bytes(), c"k"), (1, Some(1e127)));
    assert_eq!(NUMBER.read(number(129).as_bytes(), c"k"), (-1, None));
    let nested = |depth: usize| {
        let (open, close) = ("[".repeat(depth - 1), "]".repeat(depth - 1));
        format!("{{\"k\":1,\"x\":{open}{close}}}")
    };
    assert_eq!(NUMBER.read(nested(64).as_bytes(), c"k"), (1, Some(1.0)));
    assert_eq!(NUMBER.read(nested(65).as_bytes(), c"k"), (-1, None));
}

/// Neither a long string nor deep nesting takes more than a pass over the text and a little stack.
#[test]
fn size_is_no_weapon() {
    let start = Instant::now();
    let long = format!("{{\"x\":\"{}\",\"k\":1}}", "\\u006b".repeat(2_000_000));
    assert_eq!(NUMBER.read(long.as_bytes(), c"k"), (1, Some(1.0)));
    for bracket in ["[", "{\"k\":", "[[1],"] {
        let deep = format!("{{\"k\":1,\"x\":{}", bracket.repeat(1_000_000));
        assert_eq!(NUMBER.read(deep.as_bytes(), c"k"), (-1, None));
    }
    assert!(start.elapsed().as_secs() < 10);
}

/// Any JSON, with the keys above.
fn json_value() -> impl Strategy<Value = Value> {
    let key = prop_oneof![
        4 => prop::sample::select(KEYS.to_vec()).prop_map(|key| key.to_str().unwrap().to_owned()),
        1 => any::<String>(),
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(|number| json!(number)),
        any::<u64>().prop_map(|number| json!(number)),
        any::<f64>().prop_map(|number| json!(number)),
        (-100..100_i32).prop_map(|number| json!(f64::from(number) / 8.0)),
        any::<String>().prop_map(Value::String),
        Just(json!("\"k\":1,")),
    ];
    leaf.prop_recursive(3, 24, 4, move |inner| {
        prop_oneof![
            3 => prop::collection::vec((key.clone(), inner.clone()), 0..5)
                .prop_map(|pairs| pairs.into_iter().collect()),
            1 => prop::collection::vec(inner, 0..4).prop_map(Value::Array),
        ]
    })
}

/// The same JSON in another spelling: some characters of its strings as escapes.
fn respelled(text: &str, seed: u64) -> String {
    let mut state = seed | 1;
    let (mut spelled, mut in_string, mut escaped) = (String::new(), false, false);
    for character in text.chars() {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        if in_string && !escaped && !"\"\\".contains(character) && state.is_multiple_of(3) {
            for unit in character.encode_utf16(&mut [0; 2]) {
                spelled.push_str(&format!("\\u{unit:04X}"));
            }
        } else {
            spelled.push(character);
            if !in_string && ",:{[".contains(character) && state.is_multiple_of(5) {
                spelled.push_str(" \n\t");
            }
        }
        if escaped {
            escaped = false;
        } else if in_string && character == '\\' {
            escaped = true;
        } else if character == '"' {
            in_string = !in_string;
        }
    }
    spelled
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn json_is_read_as_serde_reads_it(value in json_value(), seed in any::<u64>()) {
        let text = value.to_string();
        for key in KEYS {
            assert_same(&text, key);
            assert_same(&respelled(&text, seed), key);
            assert_same(&serde_json::to_string_pretty(&value).unwrap(), key);
        }
    }

    /// A few bytes put in, taken out or replaced: mostly no JSON any more, and then that must be said.
    #[test]
    fn damaged_json_is_refused_as_serde_refuses_it(
        value in json_value(),
        seed in any::<u64>(),
        damages in prop::collection::vec((any::<prop::sample::Index>(), 0..3_u8, prop::sample::select(
            b"{}[]\",:\\u0123456789abcdefDd.+-eEtrnlk \n\0\x7f\x80\xc3\xff".to_vec())), 1..4),
    ) {
        let mut bytes = respelled(&value.to_string(), seed).into_bytes();
        for (at, how, byte) in damages {
            let at = at.index(bytes.len() + 1);
            match how {
                0 => bytes.insert(at, byte),
                1 => bytes.truncate(at),
                _ => if let Some(place) = bytes.get_mut(at) { *place = byte },
            }
        }
        for key in KEYS {
            match std::str::from_utf8(&bytes) {
                Ok(text) => assert_same(text, key),
                // The host never sends it. What counts is that nothing else happens.
                Err(_) => prop_assert!((-1..=1).contains(&NUMBER.read(&bytes, key).0)),
            }
        }
    }

    #[test]
    fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        let (result, value) = NUMBER.read(&bytes, c"k");
        prop_assert!((-1..=1).contains(&result));
        prop_assert_eq!(result == 1, value.is_some());
    }
}
