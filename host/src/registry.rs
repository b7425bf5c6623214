//! Plugins, tasks and metrics by name, and where each came from.

use metricopt_sdk::{Error, Make, MetricEntry, Result, TaskEntry};
use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::exec_metric;
use crate::suggest;

/// A plugin: what one package registered.
#[derive(Debug)]
pub struct Plugin {
    /// The name users type: the package without a leading `metricopt-`.
    pub name: String,
    /// Version of the package.
    pub version: String,
    /// Where it came from.
    pub origin: Origin,
    /// Its tasks, by name.
    pub tasks: Vec<TaskEntry>,
    /// Its metrics, by name.
    pub metrics: Vec<MetricEntry>,
}

impl Plugin {
    /// What something of this plugin is called in messages: "metric `f1`", with the plugin if that came from a file.
    pub fn label(&self, what: &str, name: &str) -> String {
        match self.origin {
            Origin::BuiltIn => format!("{what} `{name}`"),
            Origin::Library(_) => format!("{what} `{name}` of plugin `{}`", self.name),
        }
    }
}

/// Where a plugin came from.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Origin {
    /// Compiled into the host.
    BuiltIn,
    /// Loaded from a library.
    Library(PathBuf),
}

impl std::fmt::Display for Origin {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Origin::BuiltIn => formatter.write_str("built-in"),
            Origin::Library(path) => write!(formatter, "{}", path.display()),
        }
    }
}

/// Everything the host can use.
#[derive(Debug, Default)]
pub struct Registry {
    plugins: BTreeMap<String, Plugin>,
}

impl Registry {
    /// The plugins compiled in.
    ///
    /// # Errors
    ///
    /// If two of them register the same name.
    pub fn built_in() -> Result<Self> {
        let mut plugins: BTreeMap<&str, Plugin> = BTreeMap::new();
        for registration in metricopt_sdk::registrations() {
            let name = registration.plugin();
            let plugin = plugins.entry(name).or_insert_with(|| Plugin {
                name: name.to_owned(),
                version: registration.version.to_owned(),
                origin: Origin::BuiltIn,
                tasks: Vec::new(),
                metrics: Vec::new(),
            });
            match registration.make {
                Make::Metric(make) => plugin.metrics.push(make()),
                Make::Task(make) => plugin.tasks.push(make()),
                _ => {}
            }
        }
        let mut this = Self::default();
        for plugin in plugins.into_values() {
            this.add(plugin)?;
        }
        // The host's own: programs are no plugins, but they are found and listed like them.
        this.add(Plugin {
            name: exec_metric::NAME.to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            origin: Origin::BuiltIn,
            tasks: Vec::new(),
            metrics: vec![exec_metric::entry()],
        })?;
        Ok(this)
    }

    /// Adds a plugin. One from a library takes the place of a built-in one of the same name.
    ///
    /// # Errors
    ///
    /// If a task or metric, or a plugin from another library, has its name already.
    pub fn add(&mut self, plugin: Plugin) -> Result<()> {
        if let Some(other) = self.plugins.get(&plugin.name)
            && other.origin != Origin::BuiltIn
        {
            return Err(duplicate("plugin", &plugin.name, other, &plugin));
        }
        let others = || self.plugins().filter(|other| other.name != plugin.name);
        for other in others() {
            for metric in &plugin.metrics {
                if other.metrics.iter().any(|found| found.name == metric.name) {
                    return Err(duplicate("metric", &metric.name, other, &plugin));
                }
            }
            for task in &plugin.tasks {
                if other.tasks.iter().any(|found| found.name == task.name) {
                    return Err(duplicate("task", &task.name, other, &plugin));
                }
            }
        }
        self.plugins.insert(plugin.name.clone(), plugin);
        Ok(())
    }

    /// All plugins, by name.
    pub fn plugins(&self) -> impl Iterator<Item = &Plugin> {
        self.plugins.values()
    }

    /// All metrics with their plugins, by name.
    pub fn metrics(&self) -> impl Iterator<Item = (&Plugin, &MetricEntry)> {
        self.plugins()
            .flat_map(|plugin| plugin.metrics.iter().map(move |metric| (plugin, metric)))
    }

    fn metric(&self, name: &str) -> Option<(&Plugin, &MetricEntry)> {
        self.metrics().find(|(_, metric)| metric.name == name)
    }

    /// Whether a metric is compiled in.
    pub fn is_built_in(&self, metric: &str) -> bool {
        let found = self.metric(metric);
        found.is_some_and(|(plugin, _)| matches!(plugin.origin, Origin::BuiltIn))
    }

    /// What a metric is called in messages.
    pub fn label_metric(&self, name: &str) -> String {
        self.metric(name).map_or_else(
            || format!("metric `{name}`"),
            |(plugin, _)| plugin.label("metric", name),
        )
    }

    /// All tasks with their plugins, by name.
    pub fn tasks(&self) -> impl Iterator<Item = (&Plugin, &TaskEntry)> {
        self.plugins()
            .flat_map(|plugin| plugin.tasks.iter().map(move |task| (plugin, task)))
    }

    /// The plugin of that name.
    ///
    /// # Errors
    ///
    /// If there is none; the hint names similar ones.
    pub fn find_plugin(&self, name: &str) -> Result<&Plugin> {
        self.plugins.get(name).ok_or_else(|| {
            let names: Vec<&str> = self.plugins.keys().map(String::as_str).collect();
            Error::configuration(format!("unknown plugin `{name}`"))
                .hint(suggest::hint(name, names))
        })
    }

    /// The metric of that name.
    ///
    /// # Errors
    ///
    /// If there is none; the hint names similar ones.
    pub fn find_metric(&self, name: &str) -> Result<&MetricEntry> {
        self.metric(name).map(|(_, metric)| metric).ok_or_else(|| {
            let names: Vec<&str> = self
                .metrics()
                .map(|(_, metric)| metric.name.as_str())
                .collect();
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
    ) -> Result<(&Plugin, &TaskEntry)> {
        let named: Vec<&Plugin> = plugins
            .iter()
            .map(|name| self.find_plugin(name))
            .collect::<Result<_>>()?;
        let tasks: Vec<(&Plugin, &TaskEntry)> = named
            .iter()
            .flat_map(|plugin| plugin.tasks.iter().map(|task| (*plugin, task)))
            .collect();
        let names = || {
            tasks
                .iter()
                .map(|(_, task)| task.name.as_str())
                .collect::<Vec<_>>()
        };
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

fn duplicate(what: &str, name: &str, first: &Plugin, second: &Plugin) -> Error {
    let place = |plugin: &Plugin| format!("plugin `{}` ({})", plugin.name, plugin.origin);
    Error::configuration(format!(
        "{what} `{name}` is registered by both {} and {}",
        place(first),
        place(second)
    ))
    .hint("rename it in one of the two, or load only one of them")
}
