//! A metric as users type it: `NAME` or `NAME:key=value,...`.

mod split;

use metricopt_sdk::{DynMetric, Error, ErrorKind, MetricEntry, Result};
use serde_json::{Map, Value};

use crate::config::parse_scalar;
use crate::exec_metric;
use crate::registry::Registry;
use crate::suggest;

/// A metric name with the options that were typed.
#[derive(Clone, Debug, PartialEq)]
pub struct MetricSpec {
    /// The name.
    pub name: String,
    /// The options, over the metric's defaults.
    pub options: Map<String, Value>,
}

impl MetricSpec {
    /// Reads `NAME[:key=value,...]`. Commas inside quotes and brackets belong to the value.
    ///
    /// # Errors
    ///
    /// If an option is not of the form `key=value`.
    ///
    /// ```
    /// use metricopt_host::metric_spec::MetricSpec;
    ///
    /// let spec = MetricSpec::parse("precision-at-recall:recall=0.9")?;
    /// assert_eq!(spec.name, "precision-at-recall");
    /// assert_eq!(spec.options["recall"], 0.9);
    /// let spec = MetricSpec::parse(r#"exec:command=["python3", "m.py"],timeout=5"#)?;
    /// assert_eq!(spec.options["command"][1], "m.py");
    /// assert!(MetricSpec::parse("f1:recall").is_err());
    /// # Ok::<(), metricopt_sdk::Error>(())
    /// ```
    pub fn parse(text: &str) -> Result<Self> {
        let (name, options) = text.split_once(':').unwrap_or((text, ""));
        let mut map = Map::new();
        for option in split::at_commas(options).filter(|option| !option.is_empty()) {
            let Some((key, value)) = option.split_once('=') else {
                let error = Error::configuration(format!("metric option `{option}` has no value"));
                return Err(if name == exec_metric::NAME {
                    error.hint(
                        "write `exec:command=\"PROGRAM ARGUMENTS\"`, in quotes if it has commas",
                    )
                } else {
                    error.hint(format!("write `{name}:{option}=VALUE`"))
                });
            };
            map.insert(key.trim().to_owned(), parse_scalar(value.trim()));
        }
        Ok(Self {
            name: name.trim().to_owned(),
            options: map,
        })
    }

    /// Finds and configures the metric.
    ///
    /// # Errors
    ///
    /// If the metric or an option does not exist, or a value does not fit.
    pub fn create(&self, registry: &Registry) -> Result<(MetricEntry, Box<dyn DynMetric>)> {
        let entry = registry.find_metric(&self.name)?.clone();
        let mut config = match entry.defaults.clone() {
            Value::Object(defaults) => defaults,
            _ => Map::new(),
        };
        for (key, value) in &self.options {
            if !config.contains_key(key) {
                let names: Vec<&str> = config.keys().map(String::as_str).collect();
                let error =
                    Error::configuration(format!("metric `{}` has no option `{key}`", self.name));
                return Err(if names.is_empty() {
                    error.hint(format!("`{}` takes no options", self.name))
                } else {
                    error.hint(suggest::hint(key, names))
                });
            }
            config.insert(key.clone(), value.clone());
        }
        let config = Value::Object(config);
        let created = if exec_metric::is_any_program(&entry) {
            exec_metric::start(&config)
        } else {
            entry.create(&config).map(|metric| (entry, metric))
        };
        created.map_err(|error| match error.kind() {
            ErrorKind::Cancelled => error,
            _ => error
                .context(format!("metric `{}`", self.name))
                .hint(format!("see `host describe {}`", self.name)),
        })
    }
}
