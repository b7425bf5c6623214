//! What the house promises of its crates: arrows go down, and metrics need no libtorch.

use std::process::Command;

/// The packages that a package of the workspace is built from.
fn dependencies(package: &str) -> Vec<String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args([
            "tree",
            "--offline",
            "--edges",
            "normal,build",
            "--prefix",
            "none",
            "--format",
            "{p}",
        ])
        .args(["--package", package])
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let text = String::from_utf8(output.stdout).unwrap();
    let names = text
        .lines()
        .filter_map(|line| line.split_whitespace().next());
    names.skip(1).map(str::to_owned).collect()
}

fn depends_on(package: &str, other: &str) -> bool {
    dependencies(package).iter().any(|name| name == other)
}

#[test]
fn metrics_need_no_libtorch() {
    assert!(depends_on("metricopt-metrics", "metricopt-sdk"));
    assert!(!depends_on("metricopt-metrics", "tch"));
    assert!(depends_on("metricopt-tabular", "tch"));
}

#[test]
fn plugins_never_see_the_host() {
    for package in [
        "metricopt-metrics",
        "metricopt-tabular",
        "metricopt-nn",
        "metricopt-sdk",
    ] {
        assert!(!depends_on(package, "metricopt-host"), "{package}");
    }
}

#[test]
fn the_launcher_stands_alone() {
    assert_eq!(dependencies("launcher"), Vec::<String>::new());
}
