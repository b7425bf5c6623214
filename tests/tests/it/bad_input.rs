//! Data and folders that cannot be used: one clear error, no half a result, and the command can be repeated.

use crate::support::{Place, fails, set, succeeds, table};
use std::fs;

/// A run that must fail on its data, and leave nothing.
#[track_caller]
fn refused(place: &Place, assignments: &[&str], code: i32, expected: &[&str]) {
    let error = fails(place.run("run", &set(assignments)), code);
    for part in expected {
        assert!(error.contains(part), "no `{part}` in {error}");
    }
    assert!(
        !place.path("run").exists(),
        "the folder of a run that never started is in the way"
    );
}

#[test]
fn files_are_refused_with_the_line() {
    let place = Place::new();
    let good = table(100);
    let lines: Vec<&str> = good.lines().collect();
    let with = |line: &str| {
        format!(
            "{}\n{line}\n{}\n",
            lines[..30].join("\n"),
            lines[30..].join("\n")
        )
    };
    let cases: [(&str, Vec<u8>, &[&str]); 9] = [
        (
            "few.csv",
            with("1,2,3").into(),
            &["`few.csv` line 31: expected 5 columns, found 3"],
        ),
        (
            "many.csv",
            with("1,2,3,4,5,6").into(),
            &["`many.csv` line 31: expected 5 columns"],
        ),
        (
            "word.csv",
            with("1,2,x,4,1").into(),
            &[
                "`word.csv` line 31: column 2: `x` is not a number",
                "hint: ",
            ],
        ),
        (
            "nan.csv",
            with("1,2,nan,4,1").into(),
            &["`nan.csv` line 31: column 2: `nan` is not a finite number"],
        ),
        (
            "huge.csv",
            with("1,2,1e99,4,1").into(),
            &["`huge.csv` line 31: column 2: `1e99` is beyond"],
        ),
        (
            "label.csv",
            with("1,2,3,4,").into(),
            &["`label.csv` line 31: the label is missing"],
        ),
        (
            "cut.csv",
            good.as_bytes()[..good.len() - 5].to_vec(),
            &["`cut.csv` line 101: expected 5 columns"],
        ),
        ("empty.csv", Vec::new(), &["`empty.csv` is empty"]),
        (
            "binary.csv",
            vec![1, 0, 2, 0],
            &["`binary.csv` is not a text file"],
        ),
    ];
    for (name, contents, expected) in cases {
        place.write(name, contents);
        refused(&place, &[&format!("task.path={name}")], 1, expected);
    }
    refused(
        &place,
        &["task.path=none.csv"],
        1,
        &["`none.csv` does not exist"],
    );
    // A folder in place of a file.
    refused(&place, &["task.path=."], 1, &["`.`"]);
}

#[test]
fn compressed_and_sparse_files_are_refused_with_the_line() {
    let place = Place::new();
    // A gzip header and nothing behind it.
    place.write("cut.csv.gz", [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3]);
    refused(
        &place,
        &["task.path=cut.csv.gz"],
        1,
        &["`cut.csv.gz`", "gzip"],
    );
    let svm = |text: &str| place.write("table.svm", text);
    let libsvm = ["task.dataset=libsvm", "task.path=table.svm"];
    svm("+1 1:1 2:1\n-1 2:1 1:1\n");
    refused(
        &place,
        &libsvm,
        1,
        &["`table.svm` line 2: feature 1 stands after feature 2"],
    );
    svm("+1 1:1\n-1 0:1\n");
    refused(&place, &libsvm, 1, &["`table.svm` line 2:"]);
    svm("+1 1:1\n-1 9:1\n");
    refused(
        &place,
        &[
            "task.dataset=libsvm",
            "task.path=table.svm",
            "task.columns=4",
        ],
        1,
        &["`table.svm` line 2:", "9"],
    );
}

#[test]
fn tables_that_cannot_be_learned_from_are_refused() {
    let place = Place::new();
    let one_class: String = table(100)
        .lines()
        .map(|line| match line.strip_suffix(",1") {
            Some(rest) => format!("{rest},0\n"),
            None => format!("{line}\n"),
        })
        .collect();
    place.write("one.csv", one_class);
    refused(
        &place,
        &["task.path=one.csv"],
        1,
        &["`one.csv`: all 100 rows have the same label, `0`"],
    );
    place.write("few.csv", "a,label\n1,0\n2,1\n3,0\n");
    let error = fails(place.run("run", &set(&["task.path=few.csv"])), 1);
    assert!(error.contains("class") || error.contains("rows"), "{error}");
    assert!(!place.path("run").exists());
    refused(
        &place,
        &["task.label=nothing"],
        1,
        &["there is no column `nothing`", "hint: the columns are"],
    );
    refused(
        &place,
        &["task.positive=7"],
        2,
        &["no row has the positive label `7`"],
    );
    // Features 0 to 3.
    refused(
        &place,
        &["task.corruption.rate=0.5", "task.corruption.feature=4"],
        2,
        &["`corruption.feature` is 4"],
    );
    refused(
        &place,
        &["task.split.validation_share=1.5"],
        2,
        &["validation_share", "1.5"],
    );
    refused(&place, &["task.dataset=covtype"], 1, &["`table.csv`"]);
}

#[test]
fn a_run_that_failed_early_can_be_repeated() {
    let place = Place::new();
    fs::rename(place.path("table.csv"), place.path("elsewhere.csv")).unwrap();
    fails(place.run("run", &[]), 1);
    // A folder that the user made stays, empty.
    fs::create_dir(place.path("mine")).unwrap();
    fails(place.run("mine", &[]), 1);
    assert!(place.files("mine").is_empty());
    fs::rename(place.path("elsewhere.csv"), place.path("table.csv")).unwrap();
    succeeds(place.run("run", &[]));
    succeeds(place.run("mine", &[]));
}

#[test]
fn folders_that_are_taken_or_no_folders() {
    let place = Place::new();
    let error = fails(place.run("table.csv", &[]), 1);
    assert!(
        error.contains("`table.csv`") && error.contains("hint: "),
        "{error}"
    );
    let error = fails(place.run("table.csv/run", &[]), 1);
    assert!(
        error.contains("`table.csv/run`") && error.contains("hint: "),
        "{error}"
    );
    assert_eq!(place.files("."), ["table.csv"]);
    fs::create_dir(place.path("full")).unwrap();
    place.write("full/keep", "me");
    let error = fails(place.run("full", &[]), 1);
    assert!(
        error.contains("`full` already holds files")
            && error.contains("hint: every run has a directory"),
        "{error}"
    );
    assert_eq!(place.files("full"), ["keep"]);
    // A finished run is not overwritten either.
    succeeds(place.run("run", &[]));
    let before = fs::read(place.path("run/summary.json")).unwrap();
    fails(place.run("run", &["--seed", "1"]), 1);
    assert_eq!(fs::read(place.path("run/summary.json")).unwrap(), before);
}

#[test]
fn folders_made_on_the_way_are_removed_too() {
    let place = Place::new();
    fails(place.run("a/b/c", &set(&["task.path=none.csv"])), 1);
    assert_eq!(place.files("."), ["table.csv"]);
}

#[test]
fn more_trajectories_than_memory_holds() {
    let place = Place::new();
    let error = fails(
        place.run(
            "run",
            &set(&["trajectories.count=10000", "trajectories.steps=100000"]),
        ),
        2,
    );
    assert!(error.contains("trajectories"), "{error}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_folder_that_may_not_be_written_to() {
    let place = Place::new();
    // Nobody, not even root, makes folders in /proc.
    let error = fails(place.run("/proc/run", &[]), 1);
    assert!(
        error.contains("cannot write `/proc/run`") && error.contains("hint: "),
        "{error}"
    );
}
