//! The `host` command: everything is in the library.

fn main() -> std::process::ExitCode {
    metricopt_host::cli::main()
}
