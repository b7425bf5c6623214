//! `host data`: what data sets there are, fetched and checked.

use clap::{Args, Subcommand};
use metricopt_data::catalogue::{self, Access, ENTRIES, Entry};
use metricopt_data::download::{self, Fetching, MIRROR, Verdict, fetch, verify};
use metricopt_data::place::data_folder;
use metricopt_sdk::{Error, Result};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::progress::Progress;
use super::{print, to_json};

/// How long a server may say nothing.
const PATIENCE: Duration = Duration::from_secs(60);

/// Before the second attempt after one that brought nothing.
const PAUSE: Duration = Duration::from_secs(1);

const MEGABYTE: u64 = 1_000_000;

/// List, fetch and check the data sets of the catalogue.
///
/// They lie in `METRICOPT_DATA`, or else in `metricopt/data` in your data directory. `METRICOPT_DATA_MIRROR` is the address of a
/// server that has all files as `NAME/FILE`, for those who reach no other.
#[derive(Debug, Args)]
#[command(arg_required_else_help = true)]
pub(super) struct Data {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    List(List),
    Fetch(Fetch),
    Check(Check),
    Path(Where),
}

/// List the data sets: whether they are there, how large, and on what terms.
#[derive(Debug, Args)]
struct List {
    /// Print JSON, with address, checksum and citation.
    #[arg(long)]
    json: bool,
}

/// Fetch data sets that are not there; an interrupted download goes on where it ended.
#[derive(Debug, Args)]
struct Fetch {
    /// Data set by its name in the catalogue.
    #[arg(value_name = "NAME", required = true)]
    names: Vec<String>,
}

/// Check every file of the data sets that are there against its checksum.
#[derive(Debug, Args)]
struct Check {
    /// Data set by its name in the catalogue [default: all that are there].
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Print the folder of a data set, or of all.
#[derive(Debug, Args)]
struct Where {
    /// Data set by its name in the catalogue [default: the folder of all].
    #[arg(value_name = "NAME")]
    name: Option<String>,
}

impl Data {
    pub(super) fn execute(&self) -> Result<()> {
        match &self.command {
            Command::List(command) => command.execute(),
            Command::Fetch(command) => command.execute(),
            Command::Check(command) => command.execute(),
            Command::Path(command) => command.execute(),
        }
    }
}

impl List {
    fn execute(&self) -> Result<()> {
        let folder = data_folder()?;
        if self.json {
            let sets: Vec<Value> = ENTRIES
                .iter()
                .map(|entry| described(entry, &folder))
                .collect();
            let json = json!({ "version": 1, "folder": folder, "data_sets": sets });
            return print(&to_json(&json)?);
        }
        let mut lines = vec![format!(
            "{:<13}  {:<7}  {:>8}  {:<42}  contents",
            "name", "", "size", "licence"
        )];
        lines.extend(ENTRIES.iter().map(|entry| {
            let state = match &entry.access {
                _ if folder.join(entry.name).exists() => "there",
                Access::Manual(_) => "by hand",
                Access::Files(_) => "",
            };
            let size = entry.bytes().map_or("?".to_owned(), size);
            format!(
                "{:<13}  {state:<7}  {size:>8}  {:<42}  {}",
                entry.name, entry.licence, entry.title
            )
        }));
        lines.push(format!("\nin {}", folder.display()));
        print(&lines.join("\n"))
    }
}

/// A length for people.
fn size(bytes: u64) -> String {
    match bytes as f64 {
        bytes if bytes < 1e6 => format!("{:.0} kB", bytes / 1e3),
        bytes if bytes < 1e9 => format!("{:.0} MB", bytes / 1e6),
        bytes => format!("{:.1} GB", bytes / 1e9),
    }
}

fn described(entry: &Entry, folder: &Path) -> Value {
    let (files, by_hand) = match &entry.access {
        Access::Files(files) => (*files, None),
        Access::Manual(how) => (&[][..], Some(*how)),
    };
    let files: Vec<Value> = files
        .iter()
        .map(|file| {
            let (md5, sha256) = match file.checksum {
                Some(catalogue::Checksum::Md5(sum)) => (Some(sum), None),
                Some(catalogue::Checksum::Sha256(sum)) => (None, Some(sum)),
                None => (None, None),
            };
            json!({ "name": file.name, "url": file.url, "bytes": file.bytes, "md5": md5, "sha256": sha256 })
        })
        .collect();
    json!({
        "name": entry.name,
        "title": entry.title,
        "there": folder.join(entry.name).exists(),
        "bytes": entry.bytes(),
        "licence": entry.licence,
        "citation": entry.citation,
        "page": entry.page,
        "by_hand": by_hand,
        "files": files,
    })
}

impl Fetch {
    fn execute(&self) -> Result<()> {
        let entries: Vec<&Entry> = self
            .names
            .iter()
            .map(|name| catalogue::find(name))
            .collect::<Result<_>>()?;
        let folder = data_folder()?;
        let mirror = std::env::var(MIRROR)
            .ok()
            .filter(|mirror| !mirror.is_empty());
        let progress = Progress::new();
        let fetching = Fetching {
            folder: &folder,
            mirror: mirror.as_deref(),
            patience: PATIENCE,
            pause: PAUSE,
            progress: &|phase, done, total| {
                let name = format!("{phase} (MB)");
                progress.update(&name, done / MEGABYTE, total.div_ceil(MEGABYTE));
            },
            say: &|line| progress.say(line),
        };
        for entry in entries {
            if !folder.join(entry.name).exists() {
                progress.say(&format!(
                    "{}: {}; cite {}; see {}",
                    entry.name, entry.licence, entry.citation, entry.page
                ));
            }
            let fetched = fetch(entry, &fetching);
            progress.clear();
            print(&fetched?.to_string_lossy())?;
        }
        Ok(())
    }
}

impl Check {
    fn execute(&self) -> Result<()> {
        let folder = data_folder()?;
        let entries: Vec<&Entry> = if self.names.is_empty() {
            let there = |entry: &&Entry| folder.join(entry.name).exists();
            ENTRIES.iter().filter(there).collect()
        } else {
            let find = |name: &String| catalogue::find(name);
            self.names.iter().map(find).collect::<Result<_>>()?
        };
        let progress = Progress::new();
        let mut checked = Vec::new();
        for entry in entries {
            let update = |phase: &str, done, total| progress.update(phase, done, total);
            checked.push((entry.name, verify(entry, &folder, &update)?));
            progress.clear();
        }
        print(&if self.json {
            let sets: Vec<Value> = checked
                .iter()
                .map(|(name, verdict)| verdict_json(name, verdict))
                .collect();
            to_json(&json!({ "version": 1, "folder": folder, "data_sets": sets }))?
        } else if checked.is_empty() {
            format!("there is no data set in {}", folder.display())
        } else {
            let lines: Vec<String> = checked
                .iter()
                .map(|(name, verdict)| verdict_text(name, verdict))
                .collect();
            lines.join("\n")
        })?;
        let wrong: Vec<&str> = checked
            .iter()
            .filter(|(_, verdict)| matches!(verdict, Verdict::Absent | Verdict::Damaged(_)))
            .map(|(name, _)| *name)
            .collect();
        if wrong.is_empty() {
            return Ok(());
        }
        Err(
            Error::data(format!("not as they should be: {}", wrong.join(", "))).hint(format!(
                "remove what is damaged in `{}` and fetch it again with `host data fetch {}`",
                folder.display(),
                wrong.join(" ")
            )),
        )
    }
}

fn verdict_text(name: &str, verdict: &Verdict) -> String {
    match verdict {
        Verdict::Absent => format!("{name}: is not there"),
        Verdict::Whole(files) => format!("{name}: {files} files as they should be"),
        Verdict::Unknown => format!("{name}: put there by hand, with no checksums to check it by"),
        Verdict::Damaged(files) => {
            let files: Vec<String> = files
                .iter()
                .map(|file| format!("\n  {}", file.display()))
                .collect();
            format!(
                "{name}: {} files are missing or have changed{}",
                files.len(),
                files.concat()
            )
        }
    }
}

fn verdict_json(name: &str, verdict: &Verdict) -> Value {
    let none: &[PathBuf] = &[];
    let (state, damaged) = match verdict {
        Verdict::Absent => ("absent", none),
        Verdict::Whole(_) => ("whole", none),
        Verdict::Unknown => ("unknown", none),
        Verdict::Damaged(files) => ("damaged", files.as_slice()),
    };
    json!({ "name": name, "state": state, "damaged": damaged })
}

impl Where {
    fn execute(&self) -> Result<()> {
        let folder = data_folder()?;
        let Some(name) = &self.name else {
            return print(&folder.to_string_lossy());
        };
        let entry = catalogue::find(name)?;
        let path = folder.join(entry.name);
        if path.exists() {
            return print(&path.to_string_lossy());
        }
        Err(
            Error::data(format!("`{name}` is not in `{}`", folder.display()))
                .hint(download::how_to_get(entry, &path)),
        )
    }
}
