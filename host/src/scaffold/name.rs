//! What a new crate may be called.

use metricopt_sdk::{Error, Result};
use std::fmt;

use crate::registry::Registry;

/// Longest name: with it every line of the templates still fits the width that `rustfmt` keeps to.
const MAX_LENGTH: usize = 32;

/// Keywords, crates that a plugin names, and the types that the templates use, as the name of a crate.
const TAKEN: &str = "abstract as async await become box break const continue crate do dyn else enum extern false final \
                     fn for gen if impl in let loop macro match mod move mut override priv pub ref return self static \
                     struct super trait true try type typeof unsafe unsized use virtual where while yield \
                     alloc core metricopt-sdk proc-macro schemars serde std tch test \
                     adam batch call classification clone config context data debug default description deserialize \
                     device direction dtype emit err error error-kind input json-schema kind layer metric network \
                     none ok optimizer-config option part points random reduction result rows send serialize site \
                     some split split-data string task tensor var-store vec view views";

/// The name of a new crate, of its only metric or task, and of the type behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name(String);

impl Name {
    /// Checks a name.
    ///
    /// ```
    /// use metricopt_host::registry::Registry;
    /// use metricopt_host::scaffold::Name;
    ///
    /// let registry = Registry::default();
    /// let name = Name::parse("profit-at-5", &registry)?;
    /// assert_eq!((name.module(), name.type_name()), ("profit_at_5".into(), "ProfitAt5".into()));
    /// assert!(Name::parse("Profit", &registry).is_err());
    /// # Ok::<(), metricopt_sdk::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If it is no name of a crate, or the language, the SDK or a plugin of the registry has it already.
    pub fn parse(text: &str, registry: &Registry) -> Result<Self> {
        let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if !text.starts_with(|first: char| first.is_ascii_lowercase())
            || !text.bytes().all(fits)
            || text.ends_with('-')
            || text.contains("--")
        {
            return Err(Error::configuration(format!("`{}` is no name for a crate", text.escape_debug()))
                .hint("take lower case letters, digits and single hyphens, and begin with a letter, as in `profit-at-5`"));
        }
        if text.len() > MAX_LENGTH {
            return Err(
                Error::configuration(format!("`{text}` has {} characters", text.len()))
                    .hint(format!("take at most {MAX_LENGTH}")),
            );
        }
        if TAKEN.split_whitespace().any(|taken| taken == text) {
            return Err(Error::configuration(format!(
                "`{text}` is a word of Rust or of the SDK, which the new crate could not use then"
            ))
            .hint(format!(
                "choose a name that says what is special about it, as in `my-{text}`"
            )));
        }
        let plugin = text.strip_prefix("metricopt-").unwrap_or(text);
        let owner = registry.metrics().find(|(_, metric)| metric.name == text);
        let owner = owner.map(|(plugin, _)| ("metric", plugin)).or_else(|| {
            let task = registry.tasks().find(|(_, task)| task.name == text);
            task.map(|(plugin, _)| ("task", plugin))
        });
        if let Some((what, plugin)) = owner {
            return Err(Error::configuration(format!(
                "there is a {what} `{text}` already, in plugin `{}`",
                plugin.name
            ))
            .hint("choose another name; `host list` shows what there is"));
        }
        if registry.plugins().any(|other| other.name == plugin) {
            return Err(
                Error::configuration(format!("there is a plugin `{plugin}` already"))
                    .hint("choose another name; `host list` shows what there is"),
            );
        }
        Ok(Self(text.to_owned()))
    }

    /// The name as typed.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name in Rust code: `profit_at_5`.
    pub fn module(&self) -> String {
        self.0.replace('-', "_")
    }

    /// The name of the type: `ProfitAt5`.
    pub fn type_name(&self) -> String {
        let capitalised = self.0.split('-').map(|word| {
            let (first, rest) = word.split_at(1);
            first.to_uppercase() + rest
        });
        capitalised.collect()
    }
}

impl fmt::Display for Name {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_are_none() {
        for text in [
            "",
            "Profit",
            "my_metric",
            "5-best",
            "-a",
            "a-",
            "a--b",
            "a.b",
            "a/b",
            "../a",
            "é",
            "a b",
            "fn",
            "self",
            "test",
            "serde",
            "metric",
            "error",
            &"a".repeat(33),
        ] {
            let error = Name::parse(text, &Registry::default()).unwrap_err();
            assert!(!error.hints().is_empty(), "`{text}`: {error}");
        }
    }

    #[test]
    fn names_of_the_registry() {
        let registry = Registry::built_in().unwrap();
        for (text, expected) in [
            ("f1", "there is a metric `f1` already, in plugin `metrics`"),
            (
                "tabular",
                "there is a task `tabular` already, in plugin `tabular`",
            ),
            ("metrics", "there is a plugin `metrics` already"),
            ("metricopt-metrics", "there is a plugin `metrics` already"),
        ] {
            assert_eq!(
                Name::parse(text, &registry).unwrap_err().to_string(),
                expected
            );
        }
        assert!(Name::parse("profit", &registry).is_ok());
    }

    /// A crate whose type has the name of one that the template uses would not compile.
    #[test]
    fn no_type_of_the_templates_can_be_a_name() {
        for source in super::super::SOURCES {
            let code: String = source
                .lines()
                .filter_map(|line| line.split("//").next())
                .map(|line| line.replace("::", " ::") + "\n")
                .collect();
            // What stands behind `::` is not looked up in the crate.
            let words = code.split(|c: char| !c.is_ascii_alphanumeric() && !"_:".contains(c));
            for word in words.filter(|word| word.starts_with(|c: char| c.is_ascii_uppercase())) {
                let mut name = String::new();
                for (at, c) in word.char_indices() {
                    if at > 0 && c.is_ascii_uppercase() {
                        name.push('-');
                    }
                    name.push(c.to_ascii_lowercase());
                }
                let ours = ["my-metric", "my-task"].contains(&name.as_str());
                let is_type = word.chars().any(|c| c.is_ascii_lowercase());
                assert!(
                    ours || !is_type || Name::parse(&name, &Registry::default()).is_err(),
                    "`{name}` would hide `{word}`"
                );
            }
        }
    }
}
