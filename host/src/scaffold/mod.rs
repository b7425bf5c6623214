//! New crates with a metric or a task: `host new`.
//!
//! The templates are in `host/templates`: crates as they are written, but for the names. They have to stay as `rustfmt`
//! leaves them whatever the name, and use nothing but the SDK.

mod name;
mod sdk_source;
mod write;

pub use name::Name;
pub use sdk_source::SdkSource;

use metricopt_sdk::{Error, Result};
use std::path::Path;

/// A file of a template: where it goes, and its text.
type Template = (&'static str, &'static str);

macro_rules! template {
    ($path:literal) => {
        include_str!(concat!("../../templates/", $path))
    };
}

/// Neither manifests nor hidden files have their own name in `host/templates`, where they would take effect.
const METRIC: [Template; 5] = [
    ("Cargo.toml", template!("metric/manifest.toml")),
    ("README.md", template!("metric/README.md")),
    (".gitignore", template!("metric/gitignore")),
    ("src/lib.rs", template!("metric/src/lib.rs")),
    ("tests/metric.rs", template!("metric/tests/metric.rs")),
];

const TASK: [Template; 8] = [
    ("Cargo.toml", template!("task/manifest.toml")),
    ("README.md", template!("task/README.md")),
    (".gitignore", template!("task/gitignore")),
    (".cargo/config.toml", template!("task/cargo-config.toml")),
    ("src/lib.rs", template!("task/src/lib.rs")),
    ("src/data.rs", template!("task/src/data.rs")),
    ("src/network.rs", template!("task/src/network.rs")),
    ("tests/task.rs", template!("task/tests/task.rs")),
];

/// The Rust code of the templates, for the test of the names that they leave.
#[cfg(test)]
const SOURCES: [&str; 6] = [
    METRIC[3].1,
    METRIC[4].1,
    TASK[4].1,
    TASK[5].1,
    TASK[6].1,
    TASK[7].1,
];

/// A crate that is still to be written.
#[derive(Clone, Debug)]
pub struct Scaffold {
    files: Vec<(&'static str, String)>,
}

impl Scaffold {
    /// A crate with one metric, which builds without libtorch.
    ///
    /// # Errors
    ///
    /// If a manifest cannot name the SDK.
    pub fn metric(name: &Name, sdk: &SdkSource) -> Result<Self> {
        Self::new(&METRIC, name, sdk, &[])
    }

    /// A crate with one task, which builds against the libtorch in the given directory.
    ///
    /// # Errors
    ///
    /// If a manifest or a run path cannot name the SDK or libtorch.
    pub fn task(name: &Name, sdk: &SdkSource, libtorch: &Path) -> Result<Self> {
        let directory = libtorch.to_str().ok_or_else(|| {
            Error::failed(format!(
                "the path `{}` is not UTF-8, so Cargo's configuration cannot name it",
                libtorch.display()
            ))
            .hint("rename the directory")
        })?;
        let quoted = |text: &str| toml::Value::from(text).to_string();
        let replacements = [
            ("\"LIBTORCH_DIRECTORY\"", quoted(directory)),
            (
                "\"RUN_PATH_ARGUMENT\"",
                quoted(&run_path_argument(directory)?),
            ),
        ];
        Self::new(&TASK, name, sdk, &replacements)
    }

    fn new(
        templates: &[Template],
        name: &Name,
        sdk: &SdkSource,
        replacements: &[(&str, String)],
    ) -> Result<Self> {
        // The longer ones first, where one holds another.
        let mut all = vec![
            ("sdk = \"SOURCE\"", sdk.to_toml()?),
            ("libMY_CRATE.so", library_name(name)),
            ("my-metric", name.as_str().to_owned()),
            ("my-task", name.as_str().to_owned()),
            ("my_metric", name.module()),
            ("my_task", name.module()),
            ("MyMetric", name.type_name()),
            ("MyTask", name.type_name()),
        ];
        all.extend_from_slice(replacements);
        let fill = |text: &str| {
            all.iter()
                .fold(text.to_owned(), |text, (placeholder, value)| {
                    text.replace(placeholder, value)
                })
        };
        Ok(Self {
            files: templates
                .iter()
                .map(|(path, text)| (*path, fill(text)))
                .collect(),
        })
    }

    /// Writes the crate into a folder that is new or empty: all of it or nothing.
    ///
    /// # Errors
    ///
    /// If there is something already, or the folder cannot be written.
    pub fn write(&self, folder: &Path) -> Result<()> {
        write::write(folder, &self.files)
    }
}

/// The file that `cargo build` makes of the crate.
pub fn library_name(name: &Name) -> String {
    use std::env::consts::{DLL_PREFIX, DLL_SUFFIX};
    format!("{DLL_PREFIX}{}{DLL_SUFFIX}", name.module())
}

/// The argument of the linker by which tests of the crate find libtorch when they start.
fn run_path_argument(libtorch: &str) -> Result<String> {
    // The linker splits its argument at commas and the loader the run path at colons, and `$` starts a loader's variable.
    if let Some(separator) = libtorch.chars().find(|c| [',', ':', '$'].contains(c)) {
        return Err(Error::failed(format!(
            "the path `{libtorch}` holds the character `{separator}`, which a run path cannot"
        ))
        .hint("move libtorch to a directory without this character"));
    }
    // The old kind of run path goes before `LD_LIBRARY_PATH`, which on many machines leads to another libtorch.
    let kind = if cfg!(target_os = "macos") {
        ""
    } else {
        "--disable-new-dtags,"
    };
    Ok(format!("link-arg=-Wl,{kind}-rpath,{libtorch}/lib"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::Registry;

    fn file(scaffold: &Scaffold, path: &str) -> String {
        let found = scaffold.files.iter().find(|(name, _)| *name == path);
        found.unwrap().1.clone()
    }

    fn both(libtorch: &str) -> [Scaffold; 2] {
        let name = Name::parse("profit-at-5", &Registry::default()).unwrap();
        let sdk = SdkSource::Path("/home/ann/sdk".into());
        [
            Scaffold::metric(&name, &sdk).unwrap(),
            Scaffold::task(&name, &sdk, Path::new(libtorch)).unwrap(),
        ]
    }

    #[test]
    fn nothing_of_the_templates_names_is_left() {
        for scaffold in both("/opt/torch") {
            for (path, text) in &scaffold.files {
                for placeholder in [
                    "my-",
                    "my_",
                    "MY_",
                    "MyMetric",
                    "MyTask",
                    "SOURCE",
                    "LIBTORCH_D",
                    "RUN_PATH",
                ] {
                    assert!(!text.contains(placeholder), "`{placeholder}` in `{path}`");
                }
            }
        }
    }

    #[test]
    fn manifests_are_right() {
        for (scaffold, features) in both("/opt/torch").iter().zip([None, Some("torch")]) {
            let manifest: toml::Table = file(scaffold, "Cargo.toml").parse().unwrap();
            assert_eq!(manifest["package"]["name"].as_str(), Some("profit-at-5"));
            assert_eq!(
                manifest["package"]["rust-version"].as_str(),
                Some(env!("CARGO_PKG_RUST_VERSION"))
            );
            assert!(manifest["workspace"].as_table().unwrap().is_empty());
            let sdk = &manifest["dependencies"]["metricopt-sdk"];
            assert_eq!(sdk["path"].as_str(), Some("/home/ann/sdk"));
            let named = sdk.get("features").map(|features| features[0].as_str());
            assert_eq!(named.flatten(), features);
        }
    }

    #[test]
    fn libtorch_is_named_once_for_the_build_and_once_for_each_kind_of_program() {
        let [_, task] = both("/opt/my \"torch\"");
        let config: toml::Table = file(&task, ".cargo/config.toml").parse().unwrap();
        assert_eq!(
            config["env"]["LIBTORCH"].as_str(),
            Some("/opt/my \"torch\"")
        );
        let flags = &config["target"]["cfg(unix)"]["rustflags"];
        assert!(
            flags[1]
                .as_str()
                .unwrap()
                .ends_with("-rpath,/opt/my \"torch\"/lib")
        );
        assert_eq!(config["build"]["rustdocflags"], *flags);
        // The placeholder itself stays out of a file that is made for one machine.
        assert!(file(&task, ".gitignore").contains("/.cargo/config.toml"));
    }

    #[test]
    fn a_path_that_no_run_path_can_hold_is_refused() {
        let name = Name::parse("profit", &Registry::default()).unwrap();
        let sdk = SdkSource::Path("/home/ann/sdk".into());
        for libtorch in ["/a,b", "/a:b", "/$a"] {
            let error = Scaffold::task(&name, &sdk, Path::new(libtorch)).unwrap_err();
            assert!(!error.hints().is_empty(), "{error}");
        }
    }
}
