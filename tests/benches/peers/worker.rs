//! Peers: Python programs that time themselves when asked.

use anyhow::{Context, Result, bail};
use metricopt_python::python_with_torch_and;
use serde::Deserialize;
use serde_json::json;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};

/// The folder of the peers, and what they are to compute on.
pub(crate) struct Peers {
    folder: PathBuf,
    inputs: PathBuf,
}

impl Peers {
    pub(crate) fn new(inputs: &Path) -> Result<Self> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers");
        eprintln!("the Python packages of the peers: minutes for the first time");
        python_with_torch_and(&folder.join("requirements.txt"))
            .context("there is no Python environment to run the peers in")?;
        Ok(Self {
            folder,
            inputs: inputs.to_owned(),
        })
    }

    /// A module of the folder with so many threads, ready to be asked.
    pub(crate) fn start(&self, module: &str, threads: usize) -> Result<Worker> {
        let mut python = python_with_torch_and(&self.folder.join("requirements.txt"))
            .context("there is no Python environment to run the peers in")?;
        let threads = threads.to_string();
        for variable in [
            "OMP_NUM_THREADS",
            "OPENBLAS_NUM_THREADS",
            "MKL_NUM_THREADS",
            "NPROC",
        ] {
            python.env(variable, &threads);
        }
        let eigen = if threads == "1" { "false" } else { "true" };
        python
            .env(
                "XLA_FLAGS",
                format!(
                    "--xla_cpu_multi_thread_eigen={eigen} intra_op_parallelism_threads={threads}"
                ),
            )
            .arg(self.folder.join("serve.py"))
            .arg(module)
            .arg(&self.inputs)
            .arg(&threads)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut child = python.spawn().context("cannot start Python")?;
        let (Some(requests), Some(answers)) = (child.stdin.take(), child.stdout.take()) else {
            bail!("cannot talk to Python");
        };
        let mut worker = Worker {
            child,
            requests,
            answers: BufReader::new(answers),
        };
        // It says which cases there are once everything is loaded.
        worker
            .line()
            .with_context(|| format!("the peers of `{module}` do not start"))?;
        Ok(worker)
    }
}

/// A running peer; it ends with its last owner.
pub(crate) struct Worker {
    child: Child,
    requests: ChildStdin,
    answers: BufReader<ChildStdout>,
}

/// What a peer measured.
#[derive(Debug, Deserialize)]
pub(crate) struct Answer {
    /// Seconds a call.
    pub(crate) seconds: f64,
    /// What the last call computed.
    pub(crate) value: Option<f64>,
}

impl Worker {
    /// Asks to call a case for so many seconds, at least once.
    pub(crate) fn ask(&mut self, case: &str, seconds: f64) -> Result<Answer> {
        let request = json!({ "case": case, "seconds": seconds });
        writeln!(self.requests, "{request}").context("cannot ask the peer")?;
        let line = self
            .line()
            .with_context(|| format!("the peer failed at `{case}`"))?;
        serde_json::from_str(&line).with_context(|| format!("no answer: {line}"))
    }

    fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        if self.answers.read_line(&mut line)? == 0 {
            bail!("it ended; what it said stands above");
        }
        Ok(line)
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // Without requests it would end by itself; whatever it is doing now is of no use any more.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
