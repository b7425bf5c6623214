//! Notes which compiler builds the SDK: plugins tell it to the host, for information.

use std::process::Command;

fn main() {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let version = Command::new(rustc).arg("--version").output();
    let version = version.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    println!(
        "cargo::rustc-env=METRICOPT_SDK_COMPILER={}",
        version.unwrap_or_else(|_| "rustc".to_owned())
    );
    println!("cargo::rerun-if-changed=build.rs");
}
