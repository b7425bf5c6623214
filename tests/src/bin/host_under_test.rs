//! The real host: its `main` is this line too.
//!
//! Cargo builds the programs of a package with its tests, and only those. To build `host` itself from inside of a test would
//! replace the libraries of plugins, whose names carry no hash, under whoever is using them.

fn main() -> std::process::ExitCode {
    metricopt_host::cli::main()
}
