//! Layered configuration that remembers where every value came from.
//!
//! The layers are defaults of the host, what the task wants of the engine instead, then configuration files, then `--set` and the other options of the command line; later
//! ones win. A key is checked against the schemas of host and task before it counts, so that a typing error is an error
//! and not a default.

use metricopt_sdk::{Error, Result, TaskEntry, config::to_json};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use crate::engine::config::EngineConfig;
use crate::suggest;

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A default of the host or of the task.
    Default,
    /// What the task wants of the engine.
    Task,
    /// A configuration file.
    File(PathBuf),
    /// The command line.
    CommandLine,
    /// An earlier run, of which something is used again.
    EarlierRun(PathBuf),
}

impl fmt::Display for Origin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Default => formatter.write_str("default"),
            Origin::Task => formatter.write_str("default of the task"),
            Origin::File(path) => write!(formatter, "{}", path.display()),
            Origin::CommandLine => formatter.write_str("command line"),
            Origin::EarlierRun(path) => write!(formatter, "earlier run {}", path.display()),
        }
    }
}

/// A configuration under construction: a tree of values, the schema they must fit, and where each leaf came from.
#[derive(Clone, Debug)]
pub struct Layers {
    values: Value,
    schema: Value,
    origins: BTreeMap<String, Origin>,
}

impl Layers {
    /// The defaults of the host and, under `task`, of a task, with what the task wants of the engine.
    ///
    /// # Errors
    ///
    /// If the task wants something that there is not.
    pub fn new(task: &TaskEntry) -> Result<Self> {
        let mut values = to_json(&EngineConfig::default());
        let mut schema = metricopt_sdk::config::schema::<EngineConfig>();
        if let (Value::Object(values), Some(properties)) =
            (&mut values, schema["properties"].as_object_mut())
        {
            values.insert("task".to_owned(), task.defaults.clone());
            properties.insert("task".to_owned(), task.schema.clone());
        }
        let mut layers = Self {
            values,
            schema,
            origins: BTreeMap::new(),
        };
        layers
            .merge("", task.engine_defaults.clone(), &Origin::Task)
            .map_err(|error| {
                error.context(format!("what task `{}` wants of the engine", task.name))
            })?;
        Ok(layers)
    }

    /// Every value, those of the task under `task`.
    pub fn values(&self) -> &Value {
        &self.values
    }

    /// Puts a TOML document on top; `origin` names it in messages.
    ///
    /// # Errors
    ///
    /// If it is no TOML or holds an unknown key.
    pub fn merge_toml(&mut self, text: &str, path: &Path) -> Result<()> {
        let table: toml::Table = toml::from_str(text).map_err(|error| {
            let place = error
                .span()
                .map(|span| {
                    format!(
                        " line {}",
                        text[..span.start.min(text.len())].lines().count().max(1)
                    )
                })
                .unwrap_or_default();
            Error::configuration(format!("`{}`{place}: {}", path.display(), error.message()))
        })?;
        let origin = Origin::File(path.to_owned());
        let table = from_toml(&toml::Value::Table(table));
        self.merge("", table, &origin)
            .map_err(|error| error.context(format!("`{}`", path.display())))
    }

    /// Puts one `key=value` from the command line on top.
    ///
    /// # Errors
    ///
    /// If it is not of that form or the key is unknown.
    pub fn set(&mut self, assignment: &str) -> Result<()> {
        let Some((key, value)) = assignment.split_once('=') else {
            return Err(
                Error::configuration(format!("`--set {assignment}` has no value"))
                    .hint(format!("write `--set {assignment}=VALUE`")),
            );
        };
        self.merge(key.trim(), parse_scalar(value.trim()), &Origin::CommandLine)
    }

    /// Takes whole sections of the engine as they were in an earlier run, of which something is used again.
    ///
    /// # Errors
    ///
    /// If a key was set to something else, which would have no effect.
    pub fn adopt(&mut self, sections: &[&str], earlier: &Value, path: &Path) -> Result<()> {
        let here = to_json(&self.engine()?);
        let mut known = Vec::new();
        leaves(&self.schema, "", &mut known);
        let of_sections = |key: &&String| {
            let section = key.split('.').next().unwrap_or_default();
            sections.contains(&section)
        };
        let mut differences = Vec::new();
        for key in known.iter().filter(of_sections) {
            let find = |values: &Value| {
                let mut parts = key.split('.');
                parts
                    .try_fold(values, |value, part| value.get(part))
                    .cloned()
            };
            let (was, is) = (find(earlier), find(&here));
            let is_own = !matches!(self.origins.get(key), None | Some(Origin::Task));
            if is_own && was != is {
                let shown = |value: Option<Value>| {
                    value.map_or_else(|| "not set".to_owned(), |value| value.to_string())
                };
                differences.push(format!("`{key}` was {} and is {}", shown(was), shown(is)));
            } else if let Some(was) = was {
                self.merge(key, was, &Origin::EarlierRun(path.to_owned()))?;
            }
        }
        if differences.is_empty() {
            return Ok(());
        }
        Err(Error::configuration(format!(
            "what is used again was made with another configuration: {}",
            differences.join("; ")
        ))
        .hint("leave these keys out: those of the earlier run count"))
    }

    fn merge(&mut self, key: &str, value: Value, origin: &Origin) -> Result<()> {
        let schema = if key.is_empty() {
            Some(&self.schema)
        } else {
            lookup(&self.schema, key)
        };
        let Some(schema) = schema else {
            let mut known = Vec::new();
            leaves(&self.schema, "", &mut known);
            let known: Vec<&str> = known.iter().map(String::as_str).collect();
            let close = suggest::similar(key, known.iter().copied());
            let section = key.split('.').next().unwrap_or_default();
            let error = Error::configuration(format!("unknown configuration key `{key}`"));
            return Err(if !close.is_empty() {
                error.hint(suggest::hint(key, close))
            } else if self.schema["properties"].get(section).is_some() {
                error.hint(format!(
                    "`host describe {}` lists the keys",
                    if section == "task" { "TASK" } else { "config" }
                ))
            } else {
                let sections = self.schema["properties"].as_object();
                error.hint(suggest::hint(
                    section,
                    sections
                        .into_iter()
                        .flat_map(Map::keys)
                        .map(String::as_str)
                        .collect::<Vec<_>>(),
                ))
            });
        };
        let is_section = schema.get("properties").is_some();
        match value {
            Value::Object(entries) if is_section => {
                for (name, value) in entries {
                    let key = if key.is_empty() {
                        name
                    } else {
                        format!("{key}.{name}")
                    };
                    self.merge(&key, value, origin)?;
                }
                Ok(())
            }
            value if is_section => Err(Error::configuration(format!(
                "`{key}` is a group of keys, not a value: {value}"
            ))),
            value => {
                let mut place = &mut self.values;
                for part in key.split('.') {
                    if !place.is_object() {
                        *place = Value::Object(Map::new());
                    }
                    place = &mut place[part];
                }
                *place = value;
                self.origins.insert(key.to_owned(), origin.clone());
                Ok(())
            }
        }
    }

    /// The configuration of the engine, checked.
    ///
    /// # Errors
    ///
    /// Names every value that does not fit.
    pub fn engine(&self) -> Result<EngineConfig> {
        let mut values = self.values.clone();
        if let Value::Object(values) = &mut values {
            values.remove("task");
        }
        let config: EngineConfig =
            metricopt_sdk::config::parse(&values).map_err(|error| self.explain(error))?;
        let problems = config.problems();
        if problems.is_empty() {
            Ok(config)
        } else {
            Err(Error::configuration(problems.join("\n       "))
                .hint("`host describe config` explains every key"))
        }
    }

    /// The configuration of the task, as JSON, checked as far as its types say.
    ///
    /// # Errors
    ///
    /// Names the value that does not fit.
    pub fn task(&self, entry: &TaskEntry) -> Result<&Value> {
        let config = &self.values["task"];
        entry.check(config).map_err(|error| {
            self.explain(error.context("`task`"))
                .hint(format!("`host describe {}` explains every key", entry.name))
        })?;
        Ok(config)
    }

    fn explain(&self, error: Error) -> Error {
        let from: Vec<String> = self
            .origins
            .iter()
            .filter(|(key, _)| error.to_string().contains(&format!("`{key}`")))
            .map(|(key, origin)| format!("`{key}` was set by {origin}"))
            .collect();
        from.into_iter().fold(error, Error::hint)
    }

    /// Every value by its dotted key.
    pub fn flat(&self) -> Map<String, Value> {
        let mut known = Vec::new();
        leaves(&self.schema, "", &mut known);
        let value = |key: &String| {
            let mut parts = key.split('.');
            parts.try_fold(&self.values, |value, part| value.get(part))
        };
        known
            .iter()
            .map(|key| (key.clone(), value(key).cloned().unwrap_or(Value::Null)))
            .collect()
    }

    /// Every value with its origin, one TOML line each: what `--dry-run` prints and `config.toml` holds.
    pub fn resolved(&self) -> String {
        let mut known = Vec::new();
        leaves(&self.schema, "", &mut known);
        let mut lines = Vec::new();
        let mut section = "";
        for key in &known {
            let (value, origin) = self.resolve(key);
            let top = key.split('.').next().unwrap_or_default();
            if !section.is_empty() && section != top {
                lines.push(String::new());
            }
            section = top;
            lines.push(match value {
                None | Some(Value::Null) => format!("# {key} is not set"),
                Some(value) => format!("{key} = {}  # {origin}", toml_value(value)),
            });
        }
        lines.join("\n")
    }

    /// The same as JSON: by key, an object with `value` and `origin`.
    pub fn to_json(&self) -> Value {
        let mut known = Vec::new();
        leaves(&self.schema, "", &mut known);
        let entries = known.into_iter().map(|key| {
            let (value, origin) = self.resolve(&key);
            let entry = serde_json::json!({ "value": value, "origin": origin.to_string() });
            (key, entry)
        });
        Value::Object(entries.collect())
    }

    fn resolve(&self, key: &str) -> (Option<&Value>, &Origin) {
        let value = key
            .split('.')
            .try_fold(&self.values, |value, part| value.get(part));
        (value, self.origins.get(key).unwrap_or(&Origin::Default))
    }
}

/// A value as typed on the command line: TOML if it is any, else text.
///
/// ```
/// use metricopt_host::config::parse_scalar;
///
/// assert_eq!(parse_scalar("3"), 3);
/// assert_eq!(parse_scalar("[1, 2]"), serde_json::json!([1, 2]));
/// assert_eq!(parse_scalar("sgd"), "sgd");
/// ```
pub fn parse_scalar(text: &str) -> Value {
    let document = format!("value = {text}");
    match toml::from_str::<toml::Table>(&document) {
        // More than one key means that the text was no single value.
        Ok(table) if table.len() == 1 => table.get("value").map_or(Value::Null, from_toml),
        _ => Value::String(text.to_owned()),
    }
}

/// A TOML value as JSON. What JSON has no number for, `nan` and `inf`, stays text: no number to whoever wants one.
fn from_toml(value: &toml::Value) -> Value {
    match value {
        toml::Value::Float(number) if !number.is_finite() => Value::String(number.to_string()),
        toml::Value::Array(values) => values.iter().map(from_toml).collect(),
        toml::Value::Table(entries) => entries
            .iter()
            .map(|(key, value)| (key.clone(), from_toml(value)))
            .collect(),
        other => to_json(other),
    }
}

/// A JSON value as TOML writes it.
fn toml_value(value: &Value) -> String {
    match value {
        Value::Object(entries) => {
            let entries: Vec<String> = entries
                .iter()
                .filter(|(_, value)| !value.is_null())
                .map(|(key, value)| format!("{key} = {}", toml_value(value)))
                .collect();
            format!("{{ {} }}", entries.join(", "))
        }
        Value::Array(values) => format!(
            "[{}]",
            values.iter().map(toml_value).collect::<Vec<_>>().join(", ")
        ),
        Value::String(text) => toml::Value::String(text.clone()).to_string(),
        other => other.to_string(),
    }
}

/// The schema of a dotted key.
fn lookup<'a>(schema: &'a Value, key: &str) -> Option<&'a Value> {
    key.split('.')
        .try_fold(schema, |schema, part| schema["properties"].get(part))
}

/// All dotted keys that hold a value, in the order of the schema.
pub(crate) fn leaves(schema: &Value, prefix: &str, found: &mut Vec<String>) {
    let Some(properties) = schema["properties"].as_object() else {
        found.push(prefix.to_owned());
        return;
    };
    for (name, schema) in properties {
        let key = if prefix.is_empty() {
            name.clone()
        } else {
            format!("{prefix}.{name}")
        };
        leaves(schema, &key, found);
    }
}
