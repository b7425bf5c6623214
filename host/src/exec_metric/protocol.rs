//! Protocol 1: what the program prints, a hello and then an answer to every query.

use metricopt_sdk::{Direction, Error, ErrorKind, Kind, Result};
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// Version of the protocol.
pub(super) const VERSION: u64 = 1;

/// Says where output belongs to that is not of the protocol.
pub(super) const STDOUT_IS_OURS: &str = "standard output belongs to the protocol: let the program write everything else to standard \
     error, in Python with `print(..., file=sys.stderr)`";

/// What a hello looks like.
pub(super) const HELLO_EXAMPLE: &str = r#"the first line has to be a hello, as in `{"metricopt": 1, "name": "my-metric", "direction": "minimise"}`"#;

/// What an answer looks like.
const ANSWER_EXAMPLE: &str =
    r#"print one line a query: `{"value": 0.25}`, or `{"error": "why", "kind": "undefined"}`"#;

/// What a program says of itself when it starts.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Hello {
    pub(super) name: Option<String>,
    pub(super) direction: Direction,
    pub(super) kind: Kind,
    pub(super) range: (f64, f64),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct HelloLine {
    #[serde(rename = "metricopt")]
    _version: u64,
    name: Option<String>,
    direction: SpelledDirection,
    kind: Option<Kind>,
    #[serde(default)]
    range: [Option<f64>; 2],
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum SpelledDirection {
    #[serde(alias = "minimize")]
    Minimise,
    #[serde(alias = "maximize")]
    Maximise,
}

impl Hello {
    /// Reads the first line.
    ///
    /// # Errors
    ///
    /// What is wrong with the line, or what the program itself says is wrong.
    pub(super) fn parse(line: &[u8]) -> Result<Self> {
        let quoted = excerpt(line);
        let not_json = |reason: &dyn std::fmt::Display| {
            Error::failed(format!(
                "its first line is no JSON object ({reason}): `{quoted}`"
            ))
            .hint(STDOUT_IS_OURS)
            .hint(HELLO_EXAMPLE)
        };
        let value: Value = serde_json::from_slice(line).map_err(|error| not_json(&error))?;
        let object = value
            .as_object()
            .ok_or_else(|| not_json(&"it is another value"))?;
        if let Some(error) = reported(object) {
            return Err(error);
        }
        let wrong = |reason: String| {
            Error::failed(format!("its hello `{quoted}` is wrong: {reason}")).hint(HELLO_EXAMPLE)
        };
        match object.get("metricopt") {
            None => {
                return Err(wrong(
                    "`metricopt`, the version of the protocol, is missing".to_owned(),
                ));
            }
            Some(version) if *version != json!(VERSION) => {
                return Err(Error::failed(format!(
                    "it speaks version {version} of the protocol, this host speaks version {VERSION}"
                ))
                .hint("take a program and a host that go together"));
            }
            Some(_) => {}
        }
        if !object.contains_key("direction") {
            return Err(wrong(
                "`direction` is missing, `\"minimise\"` or `\"maximise\"`".to_owned(),
            ));
        }
        let hello: HelloLine =
            metricopt_sdk::config::parse(&value).map_err(|error| wrong(error.to_string()))?;
        if let Some(name) = hello.name.as_deref().filter(|name| !is_name(name)) {
            return Err(wrong(format!(
                "`name`: `{}` is not made of 1 to 40 letters, digits, `-`, `_` and `.`, beginning with a letter or digit",
                excerpt(name.as_bytes())
            )));
        }
        let [low, high] = hello.range;
        let range = (
            low.unwrap_or(f64::NEG_INFINITY),
            high.unwrap_or(f64::INFINITY),
        );
        if range.0 >= range.1 {
            return Err(wrong(
                "`range`: the least value is not below the greatest".to_owned(),
            ));
        }
        Ok(Self {
            name: hello.name,
            direction: match hello.direction {
                SpelledDirection::Minimise => Direction::Minimise,
                SpelledDirection::Maximise => Direction::Maximise,
            },
            kind: hello.kind.unwrap_or(Kind::Named),
            range,
        })
    }
}

/// A name becomes part of the name of a folder.
fn is_name(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    (1..=40).contains(&name.len())
        && name.bytes().all(allowed)
        && name.starts_with(|first: char| first.is_ascii_alphanumeric())
}

/// The error that the program itself reports, if the line is one.
fn reported(object: &Map<String, Value>) -> Option<Error> {
    let message = object.get("error")?.as_str()?;
    let kind = match object.get("kind").and_then(Value::as_str) {
        None | Some("failed") => ErrorKind::Failed,
        Some("undefined") => ErrorKind::Undefined,
        Some("data") => ErrorKind::Data,
        Some("configuration") => ErrorKind::Configuration,
        Some(_) => return None,
    };
    let known = object.keys().all(|key| key == "error" || key == "kind");
    known.then(|| Error::new(kind, message))
}

/// What the program answered: its value, or the error it reports.
///
/// # Errors
///
/// If the line is no answer: then the program cannot be trusted with another query.
pub(super) fn parse_answer(line: &[u8]) -> Result<Result<f64>> {
    let quoted = excerpt(line);
    let wrong = |reason: &dyn std::fmt::Display| {
        Error::failed(format!("it answered `{quoted}`: {reason}")).hint(ANSWER_EXAMPLE)
    };
    let object: Map<String, Value> = match serde_json::from_slice(line) {
        Ok(object) => object,
        Err(_) if is_not_finite(line) => return Err(not_finite(&quoted)),
        Err(error) => {
            return Err(wrong(&format!("this is no JSON object ({error})")).hint(STDOUT_IS_OURS));
        }
    };
    if let Some(error) = reported(&object) {
        return Ok(Err(error));
    }
    if object.contains_key("error") {
        return Err(wrong(
            &"an error is a text, beside which only `kind` may stand, one of \"undefined\", \"data\", \
              \"configuration\" and \"failed\"",
        ));
    }
    match object.get("value") {
        Some(Value::Null) => Err(not_finite(&quoted)),
        Some(value) if object.len() == 1 => match value.as_f64() {
            Some(value) => Ok(Ok(value)),
            None => Err(wrong(&"`value` is no number")),
        },
        Some(_) => Err(wrong(&"beside `value` nothing may stand")),
        None => Err(wrong(&"there is neither `value` nor `error`")),
    }
}

fn not_finite(quoted: &str) -> Error {
    Error::failed(format!(
        "it answered `{quoted}`: a value has to be a finite number"
    ))
    .hint(r#"where the metric has no value, answer `{"error": "why", "kind": "undefined"}`"#)
}

/// Whether the line is an answer but for a number that JSON does not have, as Python writes it.
fn is_not_finite(line: &[u8]) -> bool {
    let text = String::from_utf8_lossy(line);
    let text = ["-Infinity", "Infinity", "NaN"]
        .iter()
        .fold(text.into_owned(), |text, word| text.replace(word, "null"));
    serde_json::from_str(&text).is_ok_and(|object: Map<String, Value>| object["value"].is_null())
}

/// A piece of foreign output that fits into a message: no colours, no control characters, and not too long.
pub(super) fn excerpt(bytes: &[u8]) -> String {
    const LONGEST: usize = 160;
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(8 * LONGEST)]);
    let mut letters = text.chars();
    let mut shown = String::new();
    while let Some(letter) = letters.next() {
        match letter {
            // As in `ESC [ 31 m`.
            '\u{1b}' => drop(letters.find(char::is_ascii_alphabetic)),
            letter if letter.is_control() => shown.push(' '),
            letter => shown.push(letter),
        }
    }
    let shown = shown.trim();
    match shown.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}...", &shown[..end]),
        None => shown.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn hello(line: &str) -> Result<Hello> {
        Hello::parse(line.as_bytes())
    }

    #[test]
    fn a_hello_says_what_the_metric_is() {
        assert_eq!(
            hello(
                r#"{"metricopt": 1, "name": "cost", "direction": "minimise", "kind": "classification", "range": [0, null]}"#
            )
            .unwrap(),
            Hello {
                name: Some("cost".to_owned()),
                direction: Direction::Minimise,
                kind: Kind::Classification,
                range: (0.0, f64::INFINITY),
            }
        );
        assert_eq!(
            hello(r#" {"metricopt":1,"direction":"maximize"} "#).unwrap(),
            Hello {
                name: None,
                direction: Direction::Maximise,
                kind: Kind::Named,
                range: (f64::NEG_INFINITY, f64::INFINITY),
            }
        );
    }

    #[test]
    fn what_is_wrong_with_a_hello_is_told() {
        for (line, expected) in [
            ("", "no JSON object"),
            ("loading the model", "`loading the model`"),
            ("[1]", "no JSON object"),
            (r#"{"direction": "minimise"}"#, "`metricopt`, the version"),
            (
                r#"{"metricopt": 2, "direction": "minimise"}"#,
                "speaks version 2",
            ),
            (r#"{"metricopt": 1}"#, "`direction` is missing"),
            (
                r#"{"metricopt": 1, "direction": "up"}"#,
                "`direction`: unknown variant `up`",
            ),
            (
                r#"{"metricopt": 1, "direction": "maximise", "rnage": [0, 1]}"#,
                "unknown field `rnage`",
            ),
            (
                r#"{"metricopt": 1, "direction": "maximise", "kind": "regression"}"#,
                "`kind`",
            ),
            (
                r#"{"metricopt": 1, "direction": "maximise", "range": [1, 0]}"#,
                "`range`",
            ),
            (
                r#"{"metricopt": 1, "direction": "maximise", "range": [1]}"#,
                "`range`",
            ),
            (
                r#"{"metricopt": 1, "direction": "maximise", "name": "../up"}"#,
                "`name`",
            ),
            (
                r#"{"metricopt": 1, "direction": "maximise", "name": ""}"#,
                "`name`",
            ),
        ] {
            let error = hello(line).unwrap_err();
            assert!(error.to_string().contains(expected), "{line}: {error}");
            assert!(!error.hints().is_empty(), "{line}");
        }
    }

    #[test]
    fn a_program_may_refuse_to_start() {
        let error =
            hello(r#"{"error": "there is no `costs.csv`", "kind": "configuration"}"#).unwrap_err();
        assert_eq!(
            (error.to_string().as_str(), error.kind()),
            ("there is no `costs.csv`", ErrorKind::Configuration)
        );
    }

    #[test]
    fn answers_are_values_or_errors() {
        let value = |line: &str| parse_answer(line.as_bytes()).unwrap().unwrap();
        assert_eq!(value(r#"{"value": 0.1}"#), 0.1);
        assert_eq!(value(r#"{"value":-3}"#), -3.0);
        assert_eq!(value(r#"{"value": 0.30000000000000004}"#), 0.1 + 0.2);
        let error = |line: &str| parse_answer(line.as_bytes()).unwrap().unwrap_err();
        assert_eq!(error(r#"{"error": "odd"}"#).kind(), ErrorKind::Failed);
        let undefined = error(r#"{"error": "no positives", "kind": "undefined"}"#);
        assert_eq!(
            (undefined.to_string().as_str(), undefined.kind()),
            ("no positives", ErrorKind::Undefined)
        );
    }

    #[test]
    fn what_is_wrong_with_an_answer_is_told() {
        for (line, expected) in [
            ("0.5", "no JSON object"),
            ("hello", "`hello`"),
            (r#"{"value": NaN}"#, "finite"),
            (r#"{"value": -Infinity}"#, "finite"),
            (r#"{"value": null}"#, "finite"),
            (r#"{"value": 1e999}"#, "no JSON object (number out of range"),
            (r#"{"value": "0.5"}"#, "`value` is no number"),
            (r#"{"value": [0.5]}"#, "`value` is no number"),
            (r#"{"value": 0.5, "n": 3}"#, "beside `value`"),
            (r#"{"value": 0.5, "error": "but"}"#, "an error is a text"),
            (
                r#"{"error": "odd", "kind": "strange"}"#,
                "an error is a text",
            ),
            (r#"{"error": 5}"#, "an error is a text"),
            ("{}", "neither `value` nor `error`"),
        ] {
            let error = parse_answer(line.as_bytes()).unwrap_err();
            assert!(error.to_string().contains(expected), "{line}: {error}");
            assert!(!error.hints().is_empty(), "{line}");
        }
    }

    #[test]
    fn an_excerpt_is_short_and_plain() {
        assert_eq!(excerpt(b"\x1b[31mred\x1b[0m\tline\r\n"), "red line");
        assert_eq!(excerpt(&[b'x'; 5000]).len(), 163);
        assert_eq!(excerpt(&[0xff]), "\u{fffd}");
    }

    proptest! {
        /// Whatever a program prints, it is a value or an error.
        #[test]
        fn no_line_is_too_strange(line in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Hello::parse(&line);
            let _ = parse_answer(&line);
            prop_assert!(excerpt(&line).chars().count() <= 163);
        }
    }
}
