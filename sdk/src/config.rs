//! Configuration as JSON: the form in which it crosses between host and plugin.

use schemars::JsonSchema;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::{Error, Result};

/// Reads a configuration struct from JSON.
///
/// # Errors
///
/// Names the path of the value that does not fit.
///
/// ```
/// use metricopt_sdk::prelude::*;
///
/// #[derive(Deserialize)]
/// #[serde(deny_unknown_fields)]
/// struct Config { k: usize }
///
/// let config: Config = metricopt_sdk::config::parse(&serde_json::json!({"k": 5}))?;
/// assert_eq!(config.k, 5);
/// assert!(metricopt_sdk::config::parse::<Config>(&serde_json::json!({"k": -1})).is_err());
/// # Ok::<(), metricopt_sdk::Error>(())
/// ```
pub fn parse<C: DeserializeOwned>(json: &Value) -> Result<C> {
    serde_path_to_error::deserialize(json).map_err(|error| {
        let path = error.path().to_string();
        let reason = in_words(&error.inner().to_string());
        Error::configuration(if path == "." {
            reason
        } else {
            format!("`{path}`: {reason}")
        })
    })
}

/// Says in words what serde says in types.
fn in_words(reason: &str) -> String {
    const WORDS: [(&str, &str); 6] = [
        ("expected usize", "expected a whole number from 0"),
        ("expected u64", "expected a whole number from 0"),
        ("expected i64", "expected a whole number"),
        ("expected f64", "expected a number"),
        ("expected a sequence", "expected a list, as in `[1, 2]`"),
        ("expected path string", "expected a path"),
    ];
    let found = WORDS.iter().find(|(types, _)| reason.contains(types));
    found.map_or_else(
        || reason.to_owned(),
        |(types, words)| reason.replace(types, words),
    )
}

/// Writes a configuration struct as JSON.
///
/// ```
/// #[derive(serde::Serialize)]
/// struct Config { k: usize }
///
/// assert_eq!(metricopt_sdk::config::to_json(&Config { k: 5 }), serde_json::json!({"k": 5}));
/// ```
pub fn to_json<C: Serialize>(config: &C) -> Value {
    // A configuration struct of plain fields always serialises; a hand-written `Serialize` that fails shows as null.
    serde_json::to_value(config).unwrap_or(Value::Null)
}

/// The default configuration as JSON.
///
/// ```
/// #[derive(Default, serde::Serialize)]
/// struct Config { k: usize }
///
/// assert_eq!(metricopt_sdk::config::defaults::<Config>(), serde_json::json!({"k": 0}));
/// ```
pub fn defaults<C: Serialize + Default>() -> Value {
    to_json(&C::default())
}

/// The JSON schema of a configuration struct; its `description` is the struct's doc comment.
///
/// ```
/// /// How many to look at.
/// #[derive(schemars::JsonSchema)]
/// struct Config {
///     /// At least one.
///     k: usize,
/// }
///
/// let schema = metricopt_sdk::config::schema::<Config>();
/// assert_eq!(schema["description"], "How many to look at.");
/// assert_eq!(schema["properties"]["k"]["description"], "At least one.");
/// ```
pub fn schema<C: JsonSchema>() -> Value {
    schemars::generate::SchemaSettings::draft2020_12()
        .with(|settings| settings.inline_subschemas = true)
        .into_generator()
        .into_root_schema_for::<C>()
        .to_value()
}
