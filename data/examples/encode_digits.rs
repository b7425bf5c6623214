//! Writes the embedded digits from the file in scikit-learn; `embedded/README.md` says how to get it.
//!
//! ```sh
//! cargo run -p metricopt-data --example encode_digits -- digits.csv.gz data/embedded/digits.bin.xz
//! ```

use std::{env, fs, io::Read, path::PathBuf, process::ExitCode};

use flate2::read::GzDecoder;
use lzma_rust2::{XzOptions, XzWriter};
use metricopt_data::digits::{COUNT, LARGEST, MAGIC, SIDE};
use metricopt_sdk::{Error, Result};
use std::io::Write;

fn main() -> ExitCode {
    let arguments: Vec<PathBuf> = env::args_os().skip(1).map(PathBuf::from).collect();
    let [input, output] = arguments.as_slice() else {
        return fail("expected two arguments: `digits.csv.gz` and the file to write");
    };
    match encode(input).and_then(|file| {
        fs::write(output, file).map_err(|error| Error::failed(format!("cannot write: {error}")))
    }) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error.to_string()),
    }
}

fn encode(input: &PathBuf) -> Result<Vec<u8>> {
    let failed = |error: std::io::Error| Error::data(format!("`{}`: {error}", input.display()));
    let mut text = String::new();
    GzDecoder::new(fs::File::open(input).map_err(failed)?)
        .read_to_string(&mut text)
        .map_err(failed)?;
    let (mut values, mut labels) = (MAGIC.to_vec(), Vec::new());
    for line in text.lines() {
        let row: Vec<u8> = line
            .split(',')
            .map(|field| field.parse::<f64>().map(|value| value as u8))
            .collect::<Result<_, _>>()
            .map_err(|error| Error::data(format!("`{line}`: {error}")))?;
        match row.split_last() {
            Some((label, pixels))
                if pixels.len() == SIDE * SIDE && pixels.iter().all(|&value| value <= LARGEST) =>
            {
                values.extend_from_slice(pixels);
                labels.push(*label);
            }
            _ => return Err(Error::data(format!("`{line}` is no image with its label"))),
        }
    }
    if labels.len() != COUNT {
        return Err(Error::data(format!(
            "{} images instead of {COUNT}",
            labels.len()
        )));
    }
    values.extend(labels);
    // 64 values an image: what precedes a value by a multiple of 8 tells most about it.
    let mut options = XzOptions::with_preset(9);
    options.lzma_options.lc = 0;
    options.lzma_options.lp = 3;
    options.lzma_options.pb = 3;
    let mut writer = XzWriter::new(Vec::new(), options).map_err(failed)?;
    writer.write_all(&values).map_err(failed)?;
    writer.finish().map_err(failed)
}

fn fail(message: &str) -> ExitCode {
    #[expect(clippy::print_stderr, reason = "a program of its own")]
    {
        eprintln!("error: {message}");
    }
    ExitCode::FAILURE
}
