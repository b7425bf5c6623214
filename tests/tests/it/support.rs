//! A place for one test, the programs under test, and what every outcome is checked for.

use assert_cmd::Command;
use safetensors::SafeTensors;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// Makes a run on the table of [`Place`] take a fraction of a second.
const QUICK: [&str; 18] = [
    "task.dataset=csv",
    "task.path=table.csv",
    "task.network.hidden=[8, 8]",
    "task.network.epochs=8",
    "task.network.batch_size=32",
    "task.network.learning_rate=0.02",
    "observation.folds=2",
    "trajectories.count=4",
    "trajectories.steps=10",
    "trajectories.observe_every=5",
    "value_function.components=4",
    "value_function.folds=2",
    "meta_training.iterations=20",
    "finetune.steps=5",
    "finetune.accept_folds=3",
    "finetune.es.rows=64",
    "finetune.learned.iterations=5",
    "report.bootstrap=20",
];

/// An empty folder with a table: the working directory of one test, with a cache of its own.
pub(crate) struct Place(TempDir);

impl Place {
    pub(crate) fn new() -> Self {
        let place = Self(TempDir::new().unwrap());
        place.write("table.csv", table(600));
        place
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, contents: impl AsRef<[u8]>) {
        fs::write(self.path(name), contents).unwrap();
    }

    /// The host in this place.
    pub(crate) fn host(&self, arguments: &[&str]) -> Command {
        self.program(host_program(), arguments)
    }

    /// The host with the metrics of `host_with_test_metrics`.
    pub(crate) fn test_host(&self, arguments: &[&str]) -> Command {
        self.program(
            Path::new(env!("CARGO_BIN_EXE_host_with_test_metrics")),
            arguments,
        )
    }

    fn program(&self, program: &Path, arguments: &[&str]) -> Command {
        let mut command = Command::new(program);
        command
            .args(arguments)
            .current_dir(self.0.path())
            .env("METRICOPT_CACHE", self.path("cache"))
            .env("XDG_DATA_HOME", self.path("data"))
            // Whoever owns the checkout that these tests were built in.
            .env("METRICOPT_ALLOW_WRITABLE_PLUGINS", "1")
            .env_remove("METRICOPT_PLUGIN_PATH")
            .env_remove("METRICOPT_LOG")
            .env("RUST_BACKTRACE", "0");
        command
    }

    /// A quick comparison on the tabular task into `out`.
    pub(crate) fn compare(&self, out: &str, arguments: &[&str]) -> Command {
        self.host(&quick_into("compare", out, arguments))
    }

    /// A benchmark of a quick run of the tabular task by one of the programs under test, which keeps what is temporary in the
    /// folder `temporary`.
    pub(crate) fn bench(&self, program: Program, arguments: &[&str]) -> Command {
        fs::create_dir_all(self.path("temporary")).unwrap();
        let all = [&quick("bench", "cpu")[..], arguments].concat();
        let mut command = match program {
            Program::Host => self.host(&all),
            Program::TestHost => self.test_host(&all),
        };
        command.env("TMPDIR", self.path("temporary"));
        command
    }

    /// A quick run of the tabular task into `out`.
    pub(crate) fn run(&self, out: &str, arguments: &[&str]) -> Command {
        self.host(&quick_into("run", out, arguments))
    }

    /// The same on another device.
    pub(crate) fn run_on(&self, device: &str, out: &str) -> Command {
        self.host(&[&quick("run", device)[..], &["--out", out]].concat())
    }

    /// The same with a test metric.
    pub(crate) fn test_run(&self, out: &str, arguments: &[&str]) -> Command {
        self.test_host(&quick_into("run", out, arguments))
    }

    /// The same with a test metric that is compiled in or loaded.
    pub(crate) fn test_run_by(&self, way: Way, out: &str, arguments: &[&str]) -> Command {
        match way {
            Way::CompiledIn => self.test_run(out, arguments),
            Way::Loaded => {
                let library = library("metricopt_misbehaving");
                let plugin = ["--plugin", library.to_str().unwrap()];
                self.run(out, &[&plugin, arguments].concat())
            }
        }
    }

    /// Names of the files in a folder, sorted.
    pub(crate) fn files(&self, folder: &str) -> Vec<String> {
        let entries = fs::read_dir(self.path(folder)).unwrap();
        let mut names: Vec<String> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort_unstable();
        names
    }

    pub(crate) fn summary(&self, run: &str) -> Value {
        serde_json::from_slice(&fs::read(self.path(run).join("summary.json")).unwrap()).unwrap()
    }

    pub(crate) fn events(&self, run: &str) -> Vec<Value> {
        let text = fs::read_to_string(self.path(run).join("events.jsonl")).unwrap();
        assert!(
            text.is_empty() || text.ends_with('\n'),
            "half a line in events.jsonl"
        );
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    /// The event files for TensorBoard: name of the TensorBoard run and contents, sorted.
    pub(crate) fn event_files(&self, run: &str) -> Vec<(String, Vec<u8>)> {
        let folder = format!("{run}/tensorboard");
        let one = |name: String| {
            let files = self.files(&format!("{folder}/{name}"));
            assert_eq!(files, ["events.out.tfevents.0.metricopt"]);
            let contents = fs::read(self.path(&folder).join(&name).join(&files[0])).unwrap();
            (name, contents)
        };
        self.files(&folder).into_iter().map(one).collect()
    }

    pub(crate) fn tensors(&self, run: &str, file: &str) -> Tensors {
        Tensors(fs::read(self.path(run).join(file)).unwrap())
    }

    /// Holds wherever a run ended early: nothing in its folder is half written.
    pub(crate) fn assert_only_complete_files(&self, run: &str) {
        for name in self.files(run) {
            match name.as_str() {
                "events.jsonl" => drop(self.events(run)),
                "summary.json" => drop(self.summary(run)),
                "config.toml" => assert!(
                    fs::read_to_string(self.path(run).join(name))
                        .unwrap()
                        .ends_with('\n')
                ),
                // Holds whole records, and perhaps a part of the next; its own tests cut it off everywhere.
                "checkpoint.bin" => {}
                "report.html" => assert!(
                    fs::read_to_string(self.path(run).join(name))
                        .unwrap()
                        .ends_with("</html>\n")
                ),
                "metrics.csv" => assert!(
                    fs::read_to_string(self.path(run).join(name))
                        .unwrap()
                        .ends_with('\n')
                ),
                "tensorboard" => {
                    for (name, contents) in self.event_files(run) {
                        assert_whole_records(&name, &contents);
                    }
                }
                _ if name.ends_with(".safetensors") => drop(self.tensors(run, &name).shapes()),
                _ => panic!("unexpected file `{name}`"),
            }
        }
    }
}

/// Follows the lengths of an event file's records to its end.
fn assert_whole_records(name: &str, contents: &[u8]) {
    let mut rest = contents;
    while let Some((length, _)) = rest.split_first_chunk() {
        let end = usize::try_from(u64::from_le_bytes(*length)).unwrap() + 16;
        assert!(
            end <= rest.len(),
            "half a record in the event file of {name}"
        );
        rest = &rest[end..];
    }
    assert!(rest.is_empty(), "half a record in the event file of {name}");
}

/// The two programs under test.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Program {
    Host,
    /// With the metrics of `host_with_test_metrics`.
    TestHost,
}

/// The two ways in which a plugin comes into a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    CompiledIn,
    Loaded,
}

impl Way {
    pub(crate) const BOTH: [Self; 2] = [Self::CompiledIn, Self::Loaded];

    /// What something of the test plugin is called in messages.
    pub(crate) fn label(self, thing: &str) -> String {
        match self {
            Self::CompiledIn => thing.to_owned(),
            Self::Loaded => format!("{thing} of plugin `misbehaving`"),
        }
    }
}

/// The library of a workspace member that these tests depend on: Cargo builds it beside the tests themselves.
pub(crate) fn library(crate_name: &str) -> PathBuf {
    let tests = std::env::current_exe().unwrap();
    let name = format!(
        "{}{crate_name}{}",
        std::env::consts::DLL_PREFIX,
        std::env::consts::DLL_SUFFIX
    );
    let path = tests.parent().unwrap().join(name);
    assert!(path.is_file(), "no library at `{}`", path.display());
    path
}

/// The arguments of a command on the quick tabular task.
fn quick<'a>(command: &'a str, device: &'a str) -> Vec<&'a str> {
    let mut all = vec![command, "--plugin", "tabular", "--device", device];
    all.extend(QUICK.iter().flat_map(|assignment| ["--set", assignment]));
    all
}

fn quick_into<'a>(command: &'a str, out: &'a str, arguments: &[&'a str]) -> Vec<&'a str> {
    [&quick(command, "cpu")[..], &["--out", out], arguments].concat()
}

/// `--set` for each assignment.
pub(crate) fn set<'a>(assignments: &[&'a str]) -> Vec<&'a str> {
    assignments
        .iter()
        .flat_map(|&assignment| ["--set", assignment])
        .collect()
}

/// A table of four small integers and a label that two of them and chance decide.
pub(crate) fn table(rows: u32) -> String {
    // Marsaglia's xorshift: any fixed sequence would do.
    let mut state = 0x9e37_79b9_u32;
    let mut digit = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        (state >> 16) % 10
    };
    let mut text = "a,b,c,d,label\n".to_owned();
    for _ in 0..rows {
        let [a, b, c, d, chance] = [(); 5].map(|()| digit());
        let label = u8::from(a + b + chance > 13);
        text.push_str(&format!("{a},{b},{c},{d},{label}\n"));
    }
    text
}

/// Runs a command that must succeed; its standard output.
#[track_caller]
pub(crate) fn succeeds(mut command: Command) -> String {
    let output = command.assert().success().get_output().clone();
    String::from_utf8(output.stdout).unwrap()
}

/// Runs a command that must fail: the exit code is right, standard output is silent, and standard error has exactly one
/// `error:` line. Returns that line and what follows, with the hints.
#[track_caller]
pub(crate) fn fails(mut command: Command, code: i32) -> String {
    let output = command.assert().code(code).get_output().clone();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(
        output.stdout.is_empty(),
        "results of a command that failed: {}",
        String::from_utf8_lossy(&output.stdout)
    );
    let starts: Vec<usize> = stderr
        .match_indices("error:")
        .map(|(at, _)| at)
        .filter(|&at| at == 0 || stderr[..at].ends_with('\n'))
        .collect();
    assert_eq!(starts.len(), 1, "expected one `error:` line:\n{stderr}");
    assert!(!stderr.contains("panicked at"), "{stderr}");
    stderr[starts[0]..].to_owned()
}

/// A safetensors file.
pub(crate) struct Tensors(Vec<u8>);

impl Tensors {
    fn file(&self) -> SafeTensors<'_> {
        SafeTensors::deserialize(&self.0).unwrap()
    }

    /// `NAME DTYPE [shape]` of each tensor, sorted.
    pub(crate) fn shapes(&self) -> Vec<String> {
        let file = self.file();
        let mut shapes: Vec<String> = file
            .iter()
            .map(|(name, tensor)| format!("{name} {:?} {:?}", tensor.dtype(), tensor.shape()))
            .collect();
        shapes.sort_unstable();
        shapes
    }

    /// The whole file.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Names of all tensors, sorted.
    pub(crate) fn names(&self) -> Vec<String> {
        let file = self.file();
        let mut names: Vec<String> = file.names().into_iter().map(str::to_owned).collect();
        names.sort_unstable();
        names
    }

    /// The same file without one of its tensors.
    pub(crate) fn without(&self, name: &str) -> Vec<u8> {
        let (_, metadata) = SafeTensors::read_metadata(&self.0).unwrap();
        let file = self.file();
        let rest = file.iter().filter(|(other, _)| *other != name);
        safetensors::serialize(rest, metadata.metadata().clone()).unwrap()
    }

    /// The values of an f64 tensor.
    pub(crate) fn f64(&self, name: &str) -> Vec<f64> {
        let file = self.file();
        let tensor = file.tensor(name).unwrap();
        let values = tensor.data().as_chunks().0.iter();
        values.map(|bytes| f64::from_le_bytes(*bytes)).collect()
    }

    /// The values of an f32 tensor.
    pub(crate) fn f32(&self, name: &str) -> Vec<f32> {
        let file = self.file();
        let tensor = file.tensor(name).unwrap();
        tensor
            .data()
            .as_chunks()
            .0
            .iter()
            .map(|bytes| f32::from_le_bytes(*bytes))
            .collect()
    }
}

/// The real host.
pub(crate) fn host_program() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_host_under_test"))
}

/// Cargo, in the workspace.
pub(crate) fn cargo() -> std::process::Command {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut cargo = std::process::Command::new(program);
    cargo.current_dir(env!("CARGO_MANIFEST_DIR"));
    // What the outer Cargo says about this package would make build scripts run again.
    for (variable, _) in std::env::vars_os() {
        let name = variable.to_string_lossy();
        let about_this = ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_"];
        if about_this.iter().any(|start| name.starts_with(start)) {
            cargo.env_remove(&variable);
        }
    }
    cargo
}

/// A file beside the repository or in it; without it a test says that it is skipped.
#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
pub(crate) fn shared(name: &str) -> Option<PathBuf> {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let places = ["../shared/data", "shared/data"].map(|place| repository.join(place).join(name));
    let found = places.into_iter().find(|path| path.exists());
    if found.is_none() {
        eprintln!("SKIPPED: `shared/data/{name}` is not there");
    }
    found
}
