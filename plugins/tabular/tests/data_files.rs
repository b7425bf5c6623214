//! Files made by hand, well-formed and hostile, through the public functions.

#![expect(
    clippy::unwrap_used,
    reason = "the helpers of these tests are tests too"
)]

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
};

use flate2::{Compression, write::GzEncoder};
use lzma_rust2::{XzOptions, XzWriter};
use metricopt_sdk::{Error, ErrorKind};
use metricopt_tabular::data::{self, Column, Dataset, DatasetName, Label, Source, Table};
use proptest::prelude::*;
use tempfile::TempDir;

/// A folder of its own with one file after another.
struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.path().join(name);
        fs::write(&path, content).unwrap();
        path
    }
}

fn source(dataset: DatasetName, path: &Path) -> Source {
    Source {
        dataset,
        path: Some(path.to_owned()),
        ..Source::default()
    }
}

fn libsvm(content: impl AsRef<[u8]>) -> Result<Dataset, Error> {
    let folder = Folder::new();
    data::load(&source(DatasetName::Libsvm, &folder.file("x", content)))
}

fn csv(content: impl AsRef<[u8]>) -> Result<Dataset, Error> {
    let folder = Folder::new();
    data::load(&source(DatasetName::Csv, &folder.file("x", content)))
}

/// The message without the folder, and the hints.
fn message(result: Result<Dataset, Error>) -> String {
    let error = result.expect_err("an error");
    assert_eq!(error.kind(), ErrorKind::Data, "{error}");
    let text = error.to_string();
    match (text.find('`'), text.find("/x`")) {
        (Some(start), Some(end)) => format!("{}`{}", &text[..start], &text[end + 1..]),
        _ => text,
    }
}

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

fn xz(content: &[u8], options: XzOptions) -> Vec<u8> {
    let mut writer = XzWriter::new(Vec::new(), options).unwrap();
    writer.write_all(content).unwrap();
    writer.finish().unwrap()
}

const LIBSVM: &str = "+1 1:0.5 3:-2\n-1\n\n+1 2:1e-3 # a comment\r\n";

fn libsvm_table() -> Table {
    Table {
        features: vec![0.5, 0.0, -2.0, 0.0, 0.0, 0.0, 0.0, 1e-3, 0.0],
        labels: vec![1, 0, 1],
        columns: 3,
        names: vec!["feature 0".into(), "feature 1".into(), "feature 2".into()],
    }
}

#[test]
fn libsvm_files_plain_and_compressed() {
    let streams = [&LIBSVM.as_bytes()[..9], &LIBSVM.as_bytes()[9..]];
    let xz = |content: &[u8]| xz(content, XzOptions::with_preset(1));
    for content in [
        LIBSVM.as_bytes().to_vec(),
        gzip(LIBSVM.as_bytes()),
        xz(LIBSVM.as_bytes()),
        streams.map(gzip).concat(),
        streams.map(xz).concat(),
        format!("\u{feff}{LIBSVM}").into_bytes(),
    ] {
        assert_eq!(libsvm(content).unwrap().train, libsvm_table());
    }
}

#[test]
fn the_wider_of_two_libsvm_files_gives_the_width() {
    let folder = Folder::new();
    let wide = folder.file("wide", "1 4:1\n0 1:1\n");
    let narrow = folder.file("narrow", "0 1:2\n1 2:3\n");
    let load = |path: &Path, test: &Path, columns| {
        data::load(&Source {
            test_path: Some(test.to_owned()),
            columns,
            ..source(DatasetName::Libsvm, path)
        })
    };
    for (path, test) in [(&wide, &narrow), (&narrow, &wide)] {
        let dataset = load(path, test, None).unwrap();
        let test = dataset.test.unwrap();
        assert_eq!((dataset.train.columns, test.columns), (4, 4));
        assert_eq!(dataset.train.names, test.names);
        let narrow = if path == &narrow { dataset.train } else { test };
        assert_eq!(narrow.features, [2.0, 0.0, 0.0, 0.0, 0.0, 3.0, 0.0, 0.0]);
    }
    assert_eq!(load(&wide, &narrow, Some(6)).unwrap().train.columns, 6);
    let error = load(&narrow, &wide, Some(2)).unwrap_err().to_string();
    assert!(
        error.ends_with("wide` line 1: feature 4 is beyond the 2 features of the data"),
        "{error}"
    );
}

#[test]
fn malformed_libsvm_files() {
    for (content, expected) in [
        (
            "1 1:1\n0 0:1\n",
            "`x` line 2: feature 0: the features of this format count from 1",
        ),
        (
            "1 2:1 1:1\n",
            "`x` line 1: feature 1 stands after feature 2",
        ),
        ("1 2:1 2:1\n", "`x` line 1: feature 2 occurs twice"),
        ("1 1:\n", "`x` line 1: feature 1: a number is missing"),
        (
            "1 1:nan\n",
            "`x` line 1: feature 1: `nan` is not a finite number",
        ),
        (
            "1 1:1e99\n",
            "`x` line 1: feature 1: `1e99` is beyond the range of 32-bit numbers",
        ),
        ("1 x:1\n", "`x` line 1: `x` is not a feature number"),
        ("1 -1:1\n", "`x` line 1: `-1` is not a feature number"),
        ("1 1;1\n", "`x` line 1: expected `index:value`, found `1;1`"),
        (
            "1 qid:3 1:1\n",
            "`x` line 1: `qid` belongs to ranking data, which this task does not take",
        ),
        (
            "1:1 2:1\n",
            "`x` line 1: expected a label first, found the feature `1:1`",
        ),
        (
            "1 4294967295:1\n",
            "`x` line 1: feature 4294967295 is beyond the 1048576 features a table may have",
        ),
        (
            "1 99999999999999999999:1\n",
            "`x` line 1: `99999999999999999999` is not a feature number",
        ),
        (
            "inf 1:1\n",
            "`x` line 1: the label `inf` is not a finite number",
        ),
        (
            "1 1:1\n1 1:2\n",
            "`x`: all 2 rows have the same label, `1`: a binary task needs both classes",
        ),
        ("1\n0\n", "`x` has labels but no features"),
        ("# nothing\n", "`x` has no rows"),
        ("\n \n", "`x` has no rows"),
    ] {
        assert_eq!(message(libsvm(content)), expected);
    }
}

#[test]
fn a_table_too_large_for_memory_is_refused_before_it_is_made() {
    let mut content = String::from("1 1048576:1\n");
    content += &"0 1:1\n".repeat(600);
    assert_eq!(
        message(libsvm(content)),
        "`x`: at least 513 rows of 1048576 features are more than the 536870912 values a table may hold"
    );
}

#[test]
fn the_positive_class_of_a_file() {
    let folder = Folder::new();
    let path = folder.file("x", "a 1:1\nb 1:2\nc 1:3\n");
    let load = |positive| {
        data::load(&Source {
            positive,
            ..source(DatasetName::Libsvm, &path)
        })
    };
    let dataset = load(Some(Label::Text("b".into()))).unwrap();
    assert_eq!(dataset.train.labels, [0, 1, 0]);
    for positive in [None, Some(Label::Number(1.0))] {
        let error = load(positive).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Configuration, "{error}");
    }
}

#[test]
fn csv_files_with_and_without_a_header() {
    let named = Table {
        features: vec![1.0, -2.5, 3.0, 4.0],
        labels: vec![0, 1],
        columns: 2,
        names: vec!["a".into(), "b, c".into()],
    };
    for content in [
        "a,\"b, c\",y\n1,-2.5,0\n3,4,1\n",
        "a;b, c;y\r\n1;-2.5;0\r\n3;4;1",
        "a\tb, c\ty\n\n 1\t-2.5 \t0\n3\t\"4\"\t+1\n",
    ] {
        assert_eq!(csv(content).unwrap().train, named, "{content}");
    }
    let unnamed = Table {
        names: vec!["feature 0".into(), "feature 1".into()],
        ..named
    };
    assert_eq!(csv("1,-2.5,0\n3,4,1\n").unwrap().train, unnamed);
}

#[test]
fn the_label_of_a_csv_file_by_name_and_by_number() {
    let folder = Folder::new();
    let path = folder.file("x", "class,b,c\nyes,1,2\nno,3,4\n");
    let load = |label, header| {
        data::load(&Source {
            label: Some(label),
            header,
            positive: Some(Label::Text("yes".into())),
            ..source(DatasetName::Csv, &path)
        })
    };
    for label in [Column::Name("class".into()), Column::Number(0)] {
        let train = load(label, None).unwrap().train;
        assert_eq!(train.labels, [1, 0]);
        assert_eq!(train.features, [1.0, 2.0, 3.0, 4.0]);
        assert_eq!(train.names, ["b", "c"]);
    }
    let error = load(Column::Name("klass".into()), None).unwrap_err();
    assert!(
        error
            .to_string()
            .ends_with("line 1: there is no column `klass`")
    );
    assert_eq!(error.hints(), ["the columns are `class`, `b`, `c`"]);
    assert_eq!(
        message(load(Column::Number(3), None)),
        "`x` line 1: there is no column 3: the columns are 0 to 2"
    );
    assert_eq!(
        message(load(Column::Number(0), Some(false))),
        "`x` line 1: column 1: `b` is not a number"
    );
}

#[test]
fn malformed_csv_files() {
    for (content, expected) in [
        (
            "a,b,y\n1,2,0\n1,1\n",
            "`x` line 3: expected 3 columns, found 2",
        ),
        (
            "a,b,y\n1,2,0\n\n1,2,3,1\n",
            "`x` line 4: expected 3 columns, found 4",
        ),
        ("a,b,y\n1,,0\n", "`x` line 2: column 1: a number is missing"),
        ("a,b,y\n1,2,\n", "`x` line 2: the label is missing"),
        (
            "a,b,y\n1,NaN,0\n",
            "`x` line 2: column 1: `NaN` is not a finite number",
        ),
        (
            "a,b,y\n1,-1e40,0\n",
            "`x` line 2: column 1: `-1e40` is beyond the range of 32-bit numbers",
        ),
        ("1,tw,0\n", "`x` line 1: column 1: `tw` is not a number"),
        (
            "a,y\n\"1,0\n",
            "`x` line 2: a quotation mark is not closed on this line",
        ),
        ("a,b,y\n", "`x` has a header but no rows"),
        (
            "abc\n",
            "`x` line 1: found one column, expected features and a label",
        ),
        (
            "a,y\n1,0\n2,0\n",
            "`x`: all 2 rows have the same label, `0`: a binary task needs both classes",
        ),
    ] {
        assert_eq!(message(csv(content)), expected);
    }
    let error = csv("a;b;y\n1,5;2;0\n").unwrap_err();
    assert_eq!(
        error.hints(),
        ["write decimal numbers with a point, not a comma"]
    );
}

#[test]
fn two_csv_files_must_have_the_same_columns() {
    let folder = Folder::new();
    let load = |train: &str, test: &str| {
        data::load(&Source {
            test_path: Some(folder.file("x", test)),
            ..source(DatasetName::Csv, &folder.file("train", train))
        })
    };
    let train = "a,b,y\n1,2,0\n3,4,1\n";
    let dataset = load(train, "5,6,1\n7,8,0\n").unwrap();
    assert_eq!(dataset.test.unwrap().names, ["a", "b"]);
    assert_eq!(
        message(load(train, "b,a,y\n1,2,0\n")),
        "`x`: column `b` stands where the training file has `a`"
    );
    assert_eq!(
        message(load(train, "1,0\n2,1\n")),
        "`x`: 1 features, but the training file has 2"
    );
    assert_eq!(
        message(load(train, "1,1,0\n2,2,2\n")),
        "`x`: the label `2` does not occur in the training file"
    );
}

#[test]
fn covtype_files() {
    let folder = Folder::new();
    let row = |class: &str| format!("{}{class}\n", "7,".repeat(54));
    let load = |content: String, positive| {
        data::load(&Source {
            positive,
            ..source(DatasetName::Covtype, &folder.file("x", content))
        })
    };
    let three = row("2") + &row("7") + &row("1");
    let train = load(three.clone(), None).unwrap().train;
    assert_eq!(train.labels, [1, 0, 0]);
    assert_eq!(
        (&*train.names[0], &*train.names[53]),
        ("Elevation", "Soil_Type40")
    );
    let train = load(three, Some(Label::Number(7.0))).unwrap().train;
    assert_eq!(train.labels, [0, 1, 0]);
    assert_eq!(
        message(load(row("2") + &row("8"), None)),
        "`x` line 2: `8` is not one of the labels `1`, `2`, `3`, `4`, `5`, `6`, `7`"
    );
    assert_eq!(
        message(load("1,2,3\n".into(), None)),
        "`x` line 1: expected 54 features and a label, found 3 columns"
    );
}

#[test]
fn files_that_are_no_tables() {
    for (content, expected) in [
        (&b""[..], "`x` is empty"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "`x` is not a text file"),
        (b"\xff\xfe1\0,\x002\0", "`x` is UTF-16 text"),
        (b"1,2\n\xff\xd8\xff,3\n", "`x` line 2: is not UTF-8 text"),
        (b"PK\x03\x04rest", "`x` is a zip archive"),
        (b"BZh91AY", "`x` is bzip2 data"),
        (b"\x28\xb5\x2f\xfdrest", "`x` is zstd data"),
        (
            b"\n<!DOCTYPE html>\n",
            "`x` is a web page or XML, not a table",
        ),
    ] {
        for dataset in [
            DatasetName::Csv,
            DatasetName::Libsvm,
            DatasetName::Covtype,
            DatasetName::A9a,
        ] {
            let folder = Folder::new();
            let path = folder.file("x", content);
            let result = data::load(&source(dataset, &path));
            if dataset == DatasetName::Csv || !expected.contains("line") {
                assert_eq!(message(result), expected);
            } else {
                result.unwrap_err();
            }
        }
    }
    assert_eq!(message(csv(gzip(b""))), "`x` is empty");
}

#[test]
fn a_line_without_end_does_not_fill_the_memory() {
    let endless = gzip(&vec![b'1'; 40 << 20]);
    assert_eq!(message(csv(&endless)), "`x` line 1: is longer than 16 MiB");
    assert_eq!(
        message(libsvm(&endless)),
        "`x` line 1: is longer than 16 MiB"
    );
}

#[test]
fn damaged_archives() {
    let content = LIBSVM.repeat(2000).into_bytes();
    let mut options = XzOptions::with_preset(1);
    for (name, packed) in [
        ("gzip", gzip(&content)),
        ("xz", xz(&content, options.clone())),
    ] {
        for end in (8..packed.len()).step_by(7) {
            let text = message(libsvm(&packed[..end]));
            assert!(
                text.contains(&format!("the {name} data is")),
                "{end}: {text}"
            );
        }
        for position in (6..packed.len()).step_by(5) {
            let mut damaged = packed.clone();
            damaged[position] ^= 0x55;
            // Some bits of a header carry nothing; no change may panic or give other rows.
            if let Ok(dataset) = libsvm(damaged) {
                assert_eq!(dataset.train.rows(), 6000, "{name} {position}");
            }
        }
    }
    options.lzma_options.dict_size = 1 << 30;
    let greedy = xz(LIBSVM.as_bytes(), options);
    assert_eq!(
        message(libsvm(greedy)),
        "`x`: the xz data needs more than 256 MiB of memory"
    );
}

#[test]
fn missing_files_say_where_the_data_is() {
    let folder = Folder::new();
    for (dataset, url) in [
        (DatasetName::A9a, Some("csie.ntu.edu.tw")),
        (DatasetName::Covtype, Some("archive.ics.uci.edu")),
        (DatasetName::Csv, None),
    ] {
        let error = data::load(&source(dataset, &folder.0.path().join("x"))).unwrap_err();
        assert!(error.to_string().ends_with("x` does not exist"), "{error}");
        assert_eq!(error.hints().len(), usize::from(url.is_some()));
        if let Some(url) = url {
            assert!(error.hints()[0].contains(url));
        }
    }
    let error = data::load(&source(DatasetName::Csv, folder.0.path())).unwrap_err();
    assert!(
        error.to_string().ends_with("is a folder, not a file"),
        "{error}"
    );
}

#[test]
fn options_that_do_not_fit_together() {
    let check = |json: serde_json::Value| {
        let source: Source = metricopt_sdk::config::parse(&json).unwrap();
        let error = source.check().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Configuration);
        error.to_string()
    };
    assert_eq!(
        check(serde_json::json!({"dataset": "covtype", "label": "y", "positive": 8})),
        "data set `covtype` needs a `path`; `label` is no option of data set `covtype`; \
         `positive` must be a class of covtype, 1 to 7"
    );
    assert_eq!(
        check(serde_json::json!({"test_path": "a9a.t", "positive": 1})),
        "`test_path` needs a `path`; `positive` is no option of data set `a9a`"
    );
    assert_eq!(
        check(serde_json::json!({"dataset": "libsvm", "path": "x", "columns": 0, "header": true})),
        "`header` is no option of data set `libsvm`; `columns` must be 1 to 1048576"
    );
    assert_eq!(
        check(serde_json::json!({"dataset": "csv", "path": "x", "label": "y", "header": false})),
        "`label` names a column, `y`, but `header` says that columns have no names"
    );
}

#[test]
fn configuration_is_read_strictly() {
    let parse = |json| metricopt_sdk::config::parse::<Source>(&json);
    let source =
        parse(serde_json::json!({"dataset": "csv", "path": "x", "label": 3, "positive": "yes"}));
    let source = source.unwrap();
    assert_eq!(source.label, Some(Column::Number(3)));
    assert_eq!(source.positive, Some(Label::Text("yes".into())));
    assert_eq!(parse(serde_json::json!({})).unwrap(), Source::default());
    for (json, reason) in [
        (
            serde_json::json!({"dataset": "mnist"}),
            "unknown variant `mnist`",
        ),
        (serde_json::json!({"pth": "x"}), "unknown field `pth`"),
        (
            serde_json::json!({"label": -1}),
            "`label` must be a column name or a column number from 0",
        ),
        (
            serde_json::json!({"positive": []}),
            "`positive` must be a number, a word, `true` or `false`",
        ),
    ] {
        let error = parse(json).unwrap_err().to_string();
        assert!(error.contains(reason), "{error}");
    }
}

/// A row of a LIBSVM file: the label and the features that are written.
fn row() -> impl Strategy<Value = (bool, Vec<(u32, f32)>)> {
    let value = any::<f32>().prop_filter("finite", |value| value.is_finite());
    let features = proptest::collection::btree_map(1_u32..50, value, 0..8);
    (
        any::<bool>(),
        features.prop_map(|features| features.into_iter().collect()),
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_written_is_read(rows in proptest::collection::vec(row(), 1..20)) {
        let mut content = String::from("+1 1:1\n-1 50:1\n");
        for (positive, features) in &rows {
            content += if *positive { "+1" } else { "-1" };
            for (index, value) in features {
                content += &format!(" {index}:{value:?}");
            }
            content += " \n";
        }
        let train = libsvm(content).unwrap().train;
        prop_assert_eq!((train.rows(), train.columns), (rows.len() + 2, 50));
        for (number, (positive, features)) in rows.iter().enumerate() {
            let mut expected = vec![0.0; 50];
            for &(index, value) in features {
                expected[index as usize - 1] = value;
            }
            prop_assert_eq!(train.row(number + 2), expected);
            prop_assert_eq!(train.labels[number + 2], i64::from(*positive));
        }
    }

    #[test]
    fn no_file_panics(content in proptest::collection::vec(any::<u8>(), 0..200), text in "[-+0-9a-z:.,;\t\"\n #]{0,200}") {
        for content in [content.as_slice(), text.as_bytes()] {
            for packed in [content.to_vec(), gzip(content)] {
                let _ = csv(&packed);
                let _ = libsvm(&packed);
            }
            let mut pretended = b"\xfd7zXZ\0".to_vec();
            pretended.extend(content);
            let _ = csv(&pretended);
        }
    }
}
