//! `host new`: what it writes, what it refuses, and that what it writes builds, passes its tests and loads.

use crate::support::{Place, fails, host_program, succeeds};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// All files below a folder, sorted.
fn tree(folder: &Path) -> Vec<String> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(at) = folders.pop() {
        for entry in fs::read_dir(at).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                files.push(
                    path.strip_prefix(folder)
                        .unwrap()
                        .to_str()
                        .unwrap()
                        .to_owned(),
                );
            }
        }
    }
    files.sort_unstable();
    files
}

#[test]
fn a_metric() {
    let place = Place::new();
    let said = succeeds(place.host(&["new", "metric", "profit-at-5"]));
    let said = said.replace(host_program().to_str().unwrap(), "host");
    insta::assert_snapshot!(said.trim_end(), @r"
    wrote a crate with the metric `profit-at-5`; next:

      cd profit-at-5
      cargo test
      cargo build --release
      host check-metric profit-at-5 --plugin target/release/libprofit_at_5.so
      host run --plugin tabular --plugin target/release/libprofit_at_5.so --metric profit-at-5

    README.md says what to change
    ");
    let folder = place.path("profit-at-5");
    assert_eq!(
        tree(&folder),
        [
            ".gitignore",
            "Cargo.toml",
            "README.md",
            "src/lib.rs",
            "tests/metric.rs"
        ]
    );
    let code = fs::read_to_string(folder.join("src/lib.rs")).unwrap();
    assert!(code.contains("register!(metric ProfitAt5);"), "{code}");
    let manifest = fs::read_to_string(folder.join("Cargo.toml")).unwrap();
    assert!(!manifest.contains("torch"), "{manifest}");
    assert_eq!(place.files("."), ["profit-at-5", "table.csv"]);
}

#[test]
fn a_task_knows_the_libtorch_of_the_host() {
    let place = Place::new();
    let said = succeeds(place.host(&["new", "task", "moons", "--path", "my moons"]));
    assert!(said.contains("\n  cd 'my moons'\n"), "{said}");
    let folder = place.path("my moons");
    assert_eq!(
        tree(&folder),
        [
            ".cargo/config.toml",
            ".gitignore",
            "Cargo.toml",
            "README.md",
            "src/data.rs",
            "src/lib.rs",
            "src/network.rs",
            "tests/task.rs"
        ]
    );
    let libtorch = succeeds(place.host(&["plugin", "libtorch"]));
    let libtorch = libtorch.trim_end();
    assert!(Path::new(libtorch).join("lib").is_dir(), "{libtorch}");
    let config = fs::read_to_string(folder.join(".cargo/config.toml")).unwrap();
    assert!(
        config.contains(&format!("\nLIBTORCH = \"{libtorch}\"\n")),
        "{config}"
    );
    assert_eq!(
        config.matches(&format!("-rpath,{libtorch}/lib\"]")).count(),
        2
    );
}

#[test]
fn the_sdk_can_come_from_elsewhere() {
    let place = Place::new();
    let sdk = concat!(env!("CARGO_MANIFEST_DIR"), "/../sdk");
    let manifest = |name: &str| fs::read_to_string(place.path(name).join("Cargo.toml")).unwrap();
    succeeds(place.host(&["new", "metric", "one", "--sdk", sdk]));
    let sdk = fs::canonicalize(sdk).unwrap();
    let expected = format!("metricopt-sdk = {{ path = \"{}\" }}", sdk.display());
    assert!(manifest("one").contains(&expected), "{}", manifest("one"));
    let url = "https://example.org/metricopt.git";
    succeeds(place.host(&["new", "task", "two", "--sdk", url]));
    let expected = format!("metricopt-sdk = {{ git = \"{url}\", features = [\"torch\"] }}");
    assert!(manifest("two").contains(&expected), "{}", manifest("two"));
    let error = fails(place.host(&["new", "metric", "three", "--sdk", "."]), 2);
    assert!(
        error.contains("`.` does not hold the package `metricopt-sdk`"),
        "{error}"
    );
    assert!(!place.path("three").exists());
}

#[test]
fn bad_names_are_refused() {
    let place = Place::new();
    for (name, expected) in [
        ("Profit", "error: `Profit` is no name for a crate\n hint: "),
        ("../up", "error: `../up` is no name for a crate\n hint: "),
        ("match", "error: `match` is a word of Rust or of the SDK"),
        (
            "f1",
            "error: there is a metric `f1` already, in plugin `metrics`\n hint: ",
        ),
        (
            "tabular",
            "error: there is a task `tabular` already, in plugin `tabular`\n hint: ",
        ),
    ] {
        for what in ["metric", "task"] {
            let error = fails(place.host(&["new", what, name]), 2);
            assert!(error.starts_with(expected), "{error}");
        }
    }
    fails(place.host(&["new", "network", "profit"]), 2);
    assert_eq!(place.files("."), ["table.csv"]);
}

#[test]
fn nothing_is_overwritten() {
    let place = Place::new();
    fs::create_dir(place.path("profit")).unwrap();
    place.write("profit/mine", "mine");
    let error = fails(place.host(&["new", "metric", "profit"]), 2);
    assert_eq!(
        error,
        "error: `profit` already holds files\n hint: nothing is overwritten: remove it, or choose another folder with \
         `--path`\n"
    );
    let error = fails(
        place.host(&["new", "metric", "profit", "--path", "table.csv"]),
        2,
    );
    assert!(
        error.starts_with("error: `table.csv` is no folder\n hint: "),
        "{error}"
    );
    let error = fails(place.host(&["new", "metric", "profit", "--path", "a/b"]), 1);
    assert!(
        error.contains("cannot write `a/b`") && error.contains("hint: make the folder `a`"),
        "{error}"
    );
    assert_eq!(place.files("profit"), ["mine"]);
    assert_eq!(place.files("."), ["profit", "table.csv"]);
    // An empty folder will do, and so will the one that one is in.
    fs::create_dir(place.path("empty")).unwrap();
    let mut host = place.host(&["new", "metric", "profit", "--path", "."]);
    host.current_dir(place.path("empty"));
    succeeds(host);
    assert_eq!(tree(&place.path("empty")).len(), 5);
}

/// Writes a crate into the target directory, where what Cargo makes of it is kept for the next time.
fn written(place: &Place, what: &str, name: &str) -> Crate {
    // target/PROFILE/host
    let folder = host_program().ancestors().nth(2).unwrap().join("new");
    let (path, target) = (folder.join(name), folder.join(format!("target-{what}")));
    if path.exists() {
        fs::remove_dir_all(&path).unwrap();
    }
    fs::create_dir_all(&folder).unwrap();
    succeeds(place.host(&["new", what, name, "--path", path.to_str().unwrap()]));
    // The same versions as here, which are on this machine already.
    let lock = concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.lock");
    fs::copy(lock, path.join("Cargo.lock")).unwrap();
    Crate { path, target }
}

struct Crate {
    path: PathBuf,
    target: PathBuf,
}

impl Crate {
    #[track_caller]
    fn cargo(&self, arguments: &[&str]) {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut command = Command::new(cargo);
        command
            .args(arguments)
            .current_dir(&self.path)
            .env("CARGO_TARGET_DIR", &self.target);
        // What the outer Cargo says about this package.
        for (variable, _) in std::env::vars_os() {
            if variable.to_string_lossy().starts_with("CARGO_PKG_") {
                command.env_remove(&variable);
            }
        }
        let output = command.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.success(),
            "cargo {arguments:?}:\n{said}\n{}",
            String::from_utf8_lossy(&output.stdout)
        );
    }

    /// As whoever wrote it would leave it; then its library.
    #[track_caller]
    fn holds(&self, library: &str) -> String {
        self.cargo(&["fmt", "--check"]);
        self.cargo(&[
            "clippy",
            "--offline",
            "--quiet",
            "--all-targets",
            "--",
            "-D",
            "warnings",
        ]);
        self.cargo(&["test", "--offline", "--quiet"]);
        self.cargo(&["build", "--offline", "--quiet"]);
        let library = format!(
            "debug/{}{library}{}",
            std::env::consts::DLL_PREFIX,
            std::env::consts::DLL_SUFFIX
        );
        self.target.join(library).to_str().unwrap().to_owned()
    }
}

/// Half a minute from nothing, later seconds.
#[test]
fn slow_a_new_metric_builds_passes_its_tests_and_loads() {
    let place = Place::new();
    let library = written(&place, "metric", "new-metric").holds("new_metric");
    let page = succeeds(place.host(&["describe", "new-metric", "--plugin", &library]));
    assert!(
        page.contains("Precision at the top") && page.contains("share  (default 0.1)"),
        "{page}"
    );
    succeeds(place.host(&["check-metric", "new-metric", "--plugin", &library]));
    let run = ["--plugin", &library, "--metric", "new-metric:share=0.3"];
    succeeds(place.run("run", &run));
    assert_eq!(place.summary("run")["metric"]["name"], "new-metric");
}

/// Two minutes from nothing, because libtorch's bindings are compiled; later seconds.
#[test]
fn slow_a_new_task_builds_passes_its_tests_and_loads() {
    let place = Place::new();
    let library = written(&place, "task", "new-task").holds("new_task");
    let page = succeeds(place.host(&["describe", "new-task", "--plugin", &library]));
    assert!(
        page.contains("Points in the plane") && page.contains("task.points"),
        "{page}"
    );
    let run = [
        "run",
        "--plugin",
        &library,
        "--device",
        "cpu",
        "--out",
        "run",
        "--set",
        "task.points=2000",
        "--set",
        "trajectories.count=4",
        "--set",
        "trajectories.steps=10",
        "--set",
        "finetune.steps=5",
    ];
    succeeds(place.host(&run));
    assert_eq!(place.summary("run")["task"], "new-task");
}
