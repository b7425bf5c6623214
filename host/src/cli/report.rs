//! `host report`: the page of a run again, from its files.

use clap::Args;
use metricopt_sdk::Result;
use std::path::PathBuf;

use super::print;
use crate::report;

/// Write the report of a run again, from the files in its directory.
///
/// `host run` writes `report.html` at its end. This makes it anew, without the network or its data: after an update of
/// the host, or for a directory that came from elsewhere. Of several runs it puts tables side by side and curves into one
/// figure. What older runs did not save is left out, and the page says so.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Report {
    /// Run directory; several are compared on one page.
    #[arg(value_name = "DIR", required = true)]
    directories: Vec<PathBuf>,
    /// File to write [default: `report.html` in the run directory, or of several in the current one].
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

const EXAMPLES: &str = "\
Examples:
  host report runs/tabular-f1-1
  host report runs/tabular-f1-1 --out f1.html
  host report runs/tabular-f1-1 runs/tabular-f1-2 --out both.html";

impl Report {
    pub(super) fn execute(&self) -> Result<()> {
        let (html, usual) = match self.directories.as_slice() {
            [one] => (report::of_run(one)?, one.join(report::FILE)),
            several => (report::of_runs(several)?, report::FILE.into()),
        };
        let out = self.out.clone().unwrap_or(usual);
        report::write(&out, &html)?;
        print(&out.display().to_string())
    }
}
