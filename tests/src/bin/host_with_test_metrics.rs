//! The host with a plugin that misbehaves on purpose compiled in, for the end-to-end tests.

use metricopt_misbehaving as _;

fn main() -> std::process::ExitCode {
    metricopt_host::cli::main()
}
