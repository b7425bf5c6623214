//! Writes the embedded a9a file from the raw files of UCI Adult; `data/README.md` says how to get them.
//!
//! ```sh
//! cargo run -p metricopt-tabular --example encode_a9a -- FOLDER_WITH_ADULT_DATA_AND_TEST plugins/tabular/data/a9a.bin.gz
//! ```

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use metricopt_sdk::{Error, Result};
use metricopt_tabular::data::{
    a9a,
    adult::{self, Person},
};

fn main() -> ExitCode {
    let arguments: Vec<PathBuf> = env::args_os().skip(1).map(PathBuf::from).collect();
    let [folder, output] = arguments.as_slice() else {
        return fail(
            "expected two arguments: the folder of `adult.data` and `adult.test`, and the file to write",
        );
    };
    match encode(folder, output) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error.to_string()),
    }
}

fn encode(folder: &Path, output: &Path) -> Result<()> {
    let train = read(&folder.join("adult.data"))?;
    let test = read(&folder.join("adult.test"))?;
    let file = a9a::pack(&train, &test)?;
    fs::write(output, &file)
        .map_err(|error| Error::failed(format!("`{}`: {error}", output.display())))?;
    #[expect(clippy::print_stdout, reason = "a program of its own")]
    {
        println!(
            "{} training and {} test rows, {} bytes in `{}`",
            train.len(),
            test.len(),
            file.len(),
            output.display()
        );
    }
    Ok(())
}

fn read(path: &Path) -> Result<Vec<Person>> {
    let text = fs::read_to_string(path)
        .map_err(|error| Error::data(format!("`{}`: {error}", path.display())))?;
    adult::parse(&text).map_err(|error| error.context(format!("`{}`", path.display())))
}

fn fail(message: &str) -> ExitCode {
    #[expect(clippy::print_stderr, reason = "a program of its own")]
    {
        eprintln!("error: {message}");
    }
    ExitCode::FAILURE
}
