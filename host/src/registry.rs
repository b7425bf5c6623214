//! Plugins, tasks and metrics by name, and where each came from.

use metricopt_sdk::{Error, MetricEntry, Result, TaskEntry};
use std::collections::BTreeMap;

use crate::suggest;

/// A plugin: what one package registered.
#[derive(Debug)]
pub struct Plugin {
    /// The name users type: the package without a leading `metricopt-`.
    pub name: &'static str,
    /// Version of the package.
    pub version: &'static str,
    /// Where it came from.
    pub origin: Origin,
    /// Its tasks, by name.
    pub tasks: Vec<&'static TaskEntry>,
    /// Its metrics, by name.
    pub metrics: Vec<&'static MetricEntry>,
}

/// Where a plugin came from.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Origin {
    /// Compiled into the host.
    BuiltIn,
}

impl std::fmt::Display for Origin {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Origin::BuiltIn => formatter.write_str("built-in"),
        }
    }
}

/// Everything the host can use.
#[derive(Debug)]
pub struct Registry {
    plugins: BTreeMap<&'static str, Plugin>,
}

/// The plugin name of a package.
fn plugin_name(package: &'static str) -> &'static str {
    package.strip_prefix("metricopt-").unwrap_or(package)
}

impl Registry {
    /// The plugins compiled in.
    ///
    /// # Errors
    ///
    /// If two of them register the same name.
    pub fn built_in() -> Result<Self> {
        let mut this = Self {
            plugins: BTreeMap::new(),
        };
        for metric in metricopt_sdk::metrics() {
            if let Some((other, _)) = this.metric(metric.name) {
                return Err(duplicate("metric", metric.name, other.name, metric.package));
            }
            this.plugin_mut(metric.package, metric.version)
                .metrics
                .push(metric);
        }
        for task in metricopt_sdk::tasks() {
            if let Some((other, _)) = this.task(task.name) {
                return Err(duplicate("task", task.name, other.name, task.package));
            }
            this.plugin_mut(task.package, task.version).tasks.push(task);
        }
        Ok(this)
    }

    fn plugin_mut(&mut self, package: &'static str, version: &'static str) -> &mut Plugin {
        let name = plugin_name(package);
        self.plugins.entry(name).or_insert(Plugin {
            name,
            version,
            origin: Origin::BuiltIn,
            tasks: Vec::new(),
            metrics: Vec::new(),
        })
    }

    /// All plugins, by name.
    pub fn plugins(&self) -> impl Iterator<Item = &Plugin> {
        self.plugins.values()
    }

    /// All metrics with their plugins, by name.
    pub fn metrics(&self) -> impl Iterator<Item = (&Plugin, &'static MetricEntry)> {
        self.plugins()
            .flat_map(|plugin| plugin.metrics.iter().map(move |&metric| (plugin, metric)))
    }

    fn metric(&self, name: &str) -> Option<(&Plugin, &'static MetricEntry)> {
        self.metrics().find(|(_, metric)| metric.name == name)
    }

    /// All tasks with their plugins, by name.
    pub fn tasks(&self) -> impl Iterator<Item = (&Plugin, &'static TaskEntry)> {
        self.plugins()
            .flat_map(|plugin| plugin.tasks.iter().map(move |&task| (plugin, task)))
    }

    fn task(&self, name: &str) -> Option<(&Plugin, &'static TaskEntry)> {
        self.tasks().find(|(_, task)| task.name == name)
    }

    /// The plugin of that name.
    ///
    /// # Errors
    ///
    /// If there is none; the hint names similar ones.
    pub fn find_plugin(&self, name: &str) -> Result<&Plugin> {
        self.plugins.get(name).ok_or_else(|| {
            let error = Error::configuration(format!("unknown plugin `{name}`"));
            if name.contains(['/', '\\', '.']) {
                error.hint("this version knows built-in plugins only; a plugin in a file has to be compiled in")
            } else {
                error.hint(suggest::hint(name, self.plugins.keys().copied().collect::<Vec<_>>()))
            }
        })
    }

    /// The metric of that name.
    ///
    /// # Errors
    ///
    /// If there is none; the hint names similar ones.
    pub fn find_metric(&self, name: &str) -> Result<&'static MetricEntry> {
        self.metric(name).map(|(_, metric)| metric).ok_or_else(|| {
            let names: Vec<&str> = self.metrics().map(|(_, metric)| metric.name).collect();
            Error::configuration(format!("unknown metric `{name}`"))
                .hint(suggest::hint(name, names))
        })
    }

    /// The task of that name, or the only one, among the plugins named: the first that has a task supplies it.
    ///
    /// # Errors
    ///
    /// If there is no such task or more than one to choose from.
    pub fn choose_task(
        &self,
        plugins: &[String],
        name: Option<&str>,
    ) -> Result<(&Plugin, &'static TaskEntry)> {
        let named: Vec<&Plugin> = plugins
            .iter()
            .map(|name| self.find_plugin(name))
            .collect::<Result<_>>()?;
        let tasks: Vec<(&Plugin, &'static TaskEntry)> = named
            .iter()
            .flat_map(|plugin| plugin.tasks.iter().map(|&task| (*plugin, task)))
            .collect();
        let names = || tasks.iter().map(|(_, task)| task.name).collect::<Vec<_>>();
        if let Some(name) = name {
            let found = tasks.iter().find(|(_, task)| task.name == name);
            return found.copied().ok_or_else(|| {
                Error::configuration(format!("unknown task `{name}`"))
                    .hint(suggest::hint(name, names()))
            });
        }
        let Some(&(plugin, task)) = tasks.first() else {
            let with_tasks: Vec<String> = self
                .tasks()
                .map(|(plugin, _)| format!("`{}`", plugin.name))
                .collect();
            return Err(Error::configuration(format!(
                "plugin `{}` has no task, only metrics",
                plugins.join("`, `")
            ))
            .hint(format!("plugins with a task: {}", with_tasks.join(", "))));
        };
        if plugin.tasks.len() > 1 {
            return Err(Error::configuration(format!(
                "plugin `{}` has several tasks",
                plugin.name
            ))
            .hint(format!("choose one with `--task`: {}", names().join(", "))));
        }
        Ok((plugin, task))
    }
}

fn duplicate(what: &str, name: &str, plugin: &str, package: &'static str) -> Error {
    Error::configuration(format!(
        "{what} `{name}` is registered by both plugin `{plugin}` and plugin `{}`",
        plugin_name(package)
    ))
}
