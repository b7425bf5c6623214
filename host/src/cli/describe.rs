//! `host describe`: everything about one thing.

use clap::Args;
use metricopt_sdk::{Error, Result};
use serde_json::{Value, json};

use super::plugins::PluginOptions;
use super::{print, to_json, warn};
use crate::engine::config::EngineConfig;
use crate::exec_metric;
use crate::suggest;

/// Describe a plugin, a task, a metric, or `config`: documentation, inputs, and every key with its default.
#[derive(Debug, Args)]
pub(super) struct Describe {
    /// Name of a plugin, a task or a metric, or `config` for the keys of the engine.
    name: String,
    /// Print JSON, with the configuration as a JSON schema.
    #[arg(long)]
    json: bool,
    /// Plugin to look into too, by name or by the path of its file; may be given several times.
    #[arg(long = "plugin", value_name = "NAME|PATH")]
    plugins: Vec<String>,
    #[command(flatten)]
    options: PluginOptions,
}

impl Describe {
    pub(super) fn execute(&self) -> Result<()> {
        let (registry, refused) = self.options.everything(&self.plugins)?;
        for error in &refused {
            warn(error);
        }
        let mut parts: Vec<Part> = Vec::new();
        if self.name == "config" {
            parts.push(Part {
                title: "configuration of the engine".to_owned(),
                facts: Vec::new(),
                schema: metricopt_sdk::config::schema::<EngineConfig>(),
                defaults: metricopt_sdk::config::defaults::<EngineConfig>(),
                prefix: "",
            });
        }
        let plugin = registry.plugins().find(|plugin| plugin.name == self.name);
        let in_plugin = |name: &str| plugin.is_some_and(|plugin| plugin.name == name);
        for (plugin, task) in registry.tasks() {
            if task.name == self.name || in_plugin(&plugin.name) {
                parts.push(Part {
                    title: format!("task {}", task.name),
                    facts: vec![
                        (
                            "plugin",
                            format!("{} {} ({})", plugin.name, plugin.version, plugin.origin),
                        ),
                        ("yields", format!("{}: {}", task.kind, task.kind.tensors())),
                        (
                            "tuned for",
                            format!("{} unless `--metric` says otherwise", task.metric),
                        ),
                        ("engine", engine_defaults(&task.engine_defaults)),
                    ],
                    schema: task.schema.clone(),
                    defaults: task.defaults.clone(),
                    prefix: "task.",
                });
            }
        }
        for (plugin, metric) in registry.metrics() {
            if metric.name == self.name || in_plugin(&plugin.name) {
                let (low, high) = metric.range;
                let (takes, direction) = if exec_metric::is_any_program(metric) {
                    ("what the program says in its hello; any tensors, by name, if it says nothing".to_owned(), "what the program says in its hello".to_owned())
                } else {
                    (
                        format!("{}: {}", metric.kind, metric.kind.tensors()),
                        format!("{}, between {low} and {high}", metric.direction),
                    )
                };
                parts.push(Part {
                    title: format!("metric {}", metric.name),
                    facts: vec![
                        (
                            "plugin",
                            format!("{} {} ({})", plugin.name, plugin.version, plugin.origin),
                        ),
                        ("takes", takes),
                        ("direction", direction),
                    ],
                    schema: metric.schema.clone(),
                    defaults: metric.defaults.clone(),
                    prefix: "",
                });
            }
        }
        if parts.is_empty() {
            let mut names: Vec<&str> = registry
                .plugins()
                .map(|plugin| plugin.name.as_str())
                .collect();
            names.extend(registry.tasks().map(|(_, task)| task.name.as_str()));
            names.extend(registry.metrics().map(|(_, metric)| metric.name.as_str()));
            names.push("config");
            names.sort_unstable();
            names.dedup();
            return Err(
                Error::configuration(format!("nothing is called `{}`", self.name))
                    .hint(suggest::hint(&self.name, names)),
            );
        }
        if self.json {
            let parts: Vec<Value> = parts.iter().map(Part::json).collect();
            return print(&to_json(&json!({ "version": 1, "described": parts }))?);
        }
        print(
            &parts
                .iter()
                .map(Part::text)
                .collect::<Vec<_>>()
                .join("\n\n"),
        )
    }
}

/// One thing described.
struct Part {
    title: String,
    facts: Vec<(&'static str, String)>,
    schema: Value,
    defaults: Value,
    prefix: &'static str,
}

impl Part {
    fn json(&self) -> Value {
        let facts: serde_json::Map<String, Value> = self
            .facts
            .iter()
            .map(|(name, fact)| ((*name).to_owned(), json!(fact)))
            .collect();
        json!({ "title": self.title, "facts": facts, "schema": self.schema, "defaults": self.defaults })
    }

    fn text(&self) -> String {
        let mut text = format!("{}\n\n", self.title);
        text.push_str(&indent(
            self.schema["description"].as_str().unwrap_or_default(),
            2,
        ));
        if !self.facts.is_empty() {
            text.push('\n');
        }
        for (name, fact) in &self.facts {
            // Long ones go on below where they begin.
            text.push_str(&format!("  {name:<10} {}\n", indent(fact, 13).trim()));
        }
        let mut keys = String::new();
        describe_keys(&self.schema, &self.defaults, self.prefix, &mut keys);
        if keys.is_empty() {
            text.push_str("\n  takes no configuration");
        } else {
            text.push_str("\n  configuration\n\n");
            text.push_str(keys.trim_end());
        }
        text
    }
}

/// Every key below a schema with its default and documentation.
fn describe_keys(schema: &Value, defaults: &Value, prefix: &str, text: &mut String) {
    let Some(properties) = schema["properties"].as_object() else {
        return;
    };
    for (name, schema) in properties {
        let key = format!("{prefix}{name}");
        let docs = schema["description"].as_str().unwrap_or_default();
        if schema.get("properties").is_some() {
            text.push_str(&indent(&format!("[{key}] {docs}"), 4));
            text.push('\n');
            describe_keys(schema, &defaults[name], &format!("{key}."), text);
            continue;
        }
        let default = match &defaults[name] {
            Value::Null => "not set".to_owned(),
            value => format!("default {value}"),
        };
        text.push_str(&format!("    {key}  ({default})\n"));
        text.push_str(&indent(docs, 8));
        let choices = choices(schema);
        if !choices.is_empty() {
            text.push_str(&indent(&format!("One of {}.", choices.join(", ")), 8));
        }
        text.push('\n');
    }
}

/// The values of an enumeration.
fn choices(schema: &Value) -> Vec<String> {
    let variants = schema["oneOf"]
        .as_array()
        .or_else(|| schema["anyOf"].as_array());
    let constants = variants
        .into_iter()
        .flatten()
        .filter_map(|variant| variant["const"].as_str());
    let listed = schema["enum"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str);
    constants
        .chain(listed)
        .map(|choice| format!("`{choice}`"))
        .collect()
}

/// Documentation as paragraphs: source line breaks are joined and long lines wrapped; code blocks stay as they are.
fn indent(docs: &str, by: usize) -> String {
    const WIDTH: usize = 100;
    let margin = " ".repeat(by);
    let mut text = String::new();
    let mut line = String::new();
    let mut in_code = false;
    for source in docs.lines() {
        if source.trim_start().starts_with("```") {
            in_code = !in_code;
            flush(&mut line, &mut text);
        } else if in_code {
            text.push_str(&format!("{margin}  {source}\n"));
        } else if source.trim().is_empty() {
            flush(&mut line, &mut text);
            text.push('\n');
        } else {
            for word in source.split_whitespace() {
                if line.len() > by && line.len() + 1 + word.len() > WIDTH {
                    flush(&mut line, &mut text);
                }
                line.push_str(if line.is_empty() { &margin } else { " " });
                line.push_str(word);
            }
        }
    }
    flush(&mut line, &mut text);
    text
}

/// Ends a line, if one was begun.
fn flush(line: &mut String, text: &mut String) {
    if !line.is_empty() {
        text.push_str(line);
        text.push('\n');
        line.clear();
    }
}

/// What a task wants of the engine, as one would set it.
fn engine_defaults(wanted: &Value) -> String {
    let mut keys = Vec::new();
    assignments("", wanted, &mut keys);
    if keys.is_empty() {
        "as `host describe config` says".to_owned()
    } else {
        format!("with {} instead of its own defaults", keys.join(", "))
    }
}

fn assignments(key: &str, value: &Value, all: &mut Vec<String>) {
    match value {
        Value::Object(entries) => {
            for (name, value) in entries {
                let dot = if key.is_empty() { "" } else { "." };
                assignments(&format!("{key}{dot}{name}"), value, all);
            }
        }
        value => all.push(format!("{key}={value}")),
    }
}
