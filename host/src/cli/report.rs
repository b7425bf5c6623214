//! `host report`: the page of a run or a comparison again, from its files.

use clap::Args;
use metricopt_sdk::{Error, Result};
use std::path::{Path, PathBuf};

use super::print;
use crate::report;

/// Write the page of a run or a comparison again, from the files in its directory.
///
/// `host run` writes `report.html` at its end, `host compare` writes `comparison.html`. This makes it anew, without the network or its data: after an update of
/// the host, or for a directory that came from elsewhere. Of several runs it puts tables side by side and curves into one
/// figure. What older runs did not save is left out, and the page says so.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Report {
    /// Directory of a run or a comparison; several runs are put on one page.
    #[arg(value_name = "DIR", required = true)]
    directories: Vec<PathBuf>,
    /// File to write [default: `report.html` or `comparison.html` in the directory; of several runs `report.html` in the
    /// current one].
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

const EXAMPLES: &str = "\
Examples:
  host report runs/tabular-f1-1
  host report runs/tabular-f1-1 --out f1.html
  host report runs/compare-tabular-f1-1
  host report runs/tabular-f1-1 runs/tabular-f1-2 --out both.html";

fn is_comparison(directory: &Path) -> bool {
    directory.join(report::comparison::DATA_FILE).exists()
}

impl Report {
    pub(super) fn execute(&self) -> Result<()> {
        let (html, usual) = match self.directories.as_slice() {
            [one] if is_comparison(one) => (
                report::of_comparison(one)?,
                one.join(report::comparison::FILE),
            ),
            [one] => (report::of_run(one)?, one.join(report::FILE)),
            several => {
                if let Some(one) = several.iter().find(|path| is_comparison(path)) {
                    return Err(Error::configuration(format!(
                        "`{}` holds a comparison, which has a page of its own",
                        one.display()
                    ))
                    .hint("give it alone; only runs are put side by side"));
                }
                (report::of_runs(several)?, report::FILE.into())
            }
        };
        let out = self.out.clone().unwrap_or(usual);
        report::write(&out, &html)?;
        print(&out.display().to_string())
    }
}
