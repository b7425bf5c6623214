//! `host score`.

use crate::support::{Place, fails, succeeds};
use proptest::prelude::*;
use safetensors::{Dtype, tensor::TensorView};
use serde_json::Value;

/// The bytes of a file with these tensors.
fn file(tensors: &[(&str, Dtype, &[usize], Vec<u8>)]) -> Vec<u8> {
    let views = tensors.iter().map(|(name, dtype, shape, bytes)| {
        (
            *name,
            TensorView::new(*dtype, shape.to_vec(), bytes).unwrap(),
        )
    });
    safetensors::serialize(views, None).unwrap()
}

fn f32s(values: &[f32]) -> Vec<u8> {
    values
        .iter()
        .flat_map(|value| value.to_le_bytes())
        .collect()
}

fn i64s(values: &[i64]) -> Vec<u8> {
    values
        .iter()
        .flat_map(|value| value.to_le_bytes())
        .collect()
}

pub(crate) fn binary(scores: &[f32], labels: &[i64]) -> Vec<u8> {
    file(&[
        ("scores", Dtype::F32, &[scores.len()], f32s(scores)),
        ("labels", Dtype::I64, &[labels.len()], i64s(labels)),
    ])
}

/// 2 true positives, 1 false positive, 1 false negative, 1 true negative.
fn example() -> Vec<u8> {
    binary(&[0.9, 0.8, 0.7, 0.2, 0.1], &[1, 1, 0, 1, 0])
}

#[test]
fn as_text_and_as_json() {
    let place = Place::new();
    place.write("p.safetensors", example());
    let score = |metric: &str| {
        succeeds(place.host(&[
            "score",
            "--metric",
            metric,
            "--predictions",
            "p.safetensors",
        ]))
    };
    assert_eq!(score("accuracy"), "accuracy 0.6\n");
    assert_eq!(score("mcr"), "mcr 0.4\n");
    assert_eq!(score("f1"), format!("f1 {}\n", 2.0 / 3.0));
    let printed = succeeds(place.host(&[
        "score",
        "--json",
        "--metric",
        "f1",
        "--predictions",
        "p.safetensors",
    ]));
    let json: Value = serde_json::from_str(&printed).unwrap();
    let keys: Vec<&String> = json.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["version", "metric", "value", "n", "seconds"]);
    assert_eq!(
        (&json["metric"], &json["n"]),
        (&Value::from("f1"), &Value::from(5))
    );
    assert_eq!(json["value"], 2.0 / 3.0);
    assert!(json["seconds"].as_f64().unwrap() >= 0.0);
}

#[test]
fn options_and_several_classes() {
    let place = Place::new();
    let scores = f32s(&[0.7, 0.2, 0.1, 0.1, 0.8, 0.1, 0.3, 0.3, 0.4, 0.6, 0.3, 0.1]);
    let labels = i64s(&[0, 1, 2, 1]);
    place.write(
        "p.safetensors",
        file(&[
            ("scores", Dtype::F32, &[4, 3], scores),
            ("labels", Dtype::I64, &[4], labels),
        ]),
    );
    let score = |metric: &str| {
        place.host(&[
            "score",
            "--metric",
            metric,
            "--predictions",
            "p.safetensors",
        ])
    };
    assert_eq!(succeeds(score("accuracy")), "accuracy 0.75\n");
    for metric in ["f1", "g-mean", "aucpr", "balanced-error", "log-loss"] {
        succeeds(score(metric));
    }
    place.write("p.safetensors", example());
    assert_ne!(succeeds(score("ece:bins=2")), succeeds(score("ece:bins=5")));
}

#[test]
fn what_is_wrong_with_a_file_is_told() {
    let place = Place::new();
    let labels = || ("labels", Dtype::I64, &[2_usize][..], i64s(&[1, 0]));
    let cases: [(&str, Vec<u8>, &[&str]); 10] = [
        (
            "no file of the format",
            b"scores,labels\n".to_vec(),
            &["is no safetensors file"],
        ),
        ("empty", Vec::new(), &["is no safetensors file"]),
        (
            "cut off",
            example()[..example().len() - 3].to_vec(),
            &["is no safetensors file"],
        ),
        ("missing", file(&[labels()]), &["`scores`"]),
        (
            "dtype",
            file(&[("scores", Dtype::F64, &[2], vec![0; 16]), labels()]),
            &["`scores`", "F64, expected F32"],
        ),
        (
            "unknown dtype",
            file(&[("scores", Dtype::BF16, &[2], vec![0; 4]), labels()]),
            &["BF16", "hint: supported are"],
        ),
        (
            "lengths",
            file(&[("scores", Dtype::F32, &[3], f32s(&[0.1; 3])), labels()]),
            &["3", "2"],
        ),
        (
            "shape",
            file(&[
                ("scores", Dtype::F32, &[1, 1, 2], f32s(&[0.1; 2])),
                labels(),
            ]),
            &["`scores`"],
        ),
        ("nan", binary(&[0.5, f32::NAN], &[1, 0]), &["NaN"]),
        ("label", binary(&[0.5, 0.4], &[1, 7]), &["7"]),
    ];
    for (name, contents, expected) in cases {
        place.write("p.safetensors", contents);
        let error = fails(
            place.host(&["score", "--metric", "f1", "--predictions", "p.safetensors"]),
            1,
        );
        assert!(
            error.contains("`p.safetensors`"),
            "{name}: the file is not named: {error}"
        );
        for part in expected {
            assert!(error.contains(part), "{name}: no `{part}` in {error}");
        }
        assert!(error.contains(" hint: "), "{name}: no hint in {error}");
    }
    let error = fails(
        place.host(&[
            "score",
            "--metric",
            "f1",
            "--predictions",
            "none.safetensors",
        ]),
        1,
    );
    assert!(
        error.starts_with("error: cannot read `none.safetensors`"),
        "{error}"
    );
}

#[test]
fn metrics_and_options_that_do_not_exist() {
    let place = Place::new();
    place.write("p.safetensors", example());
    let score = |metric: &str, code| {
        fails(
            place.host(&[
                "score",
                "--metric",
                metric,
                "--predictions",
                "p.safetensors",
            ]),
            code,
        )
    };
    assert_eq!(
        score("aucrp", 2),
        "error: unknown metric `aucrp`\n hint: did you mean `aucpr`?\n"
    );
    assert_eq!(
        score("ece:bin=3", 2),
        "error: metric `ece` has no option `bin`\n hint: did you mean `bins`?\n"
    );
    assert_eq!(
        score("f1:beta=2", 2),
        "error: metric `f1` has no option `beta`\n hint: `f1` takes no options\n"
    );
    assert!(score("ece:bins=0", 2).contains("`bins`"));
    assert!(score("ece:bins=many", 2).contains("`bins`"));
    assert!(score("ece:bins", 2).contains("hint: write `ece:bins=VALUE`"));
    // Average precision of one class has no value.
    place.write("p.safetensors", binary(&[0.1, 0.2], &[0, 0]));
    assert!(score("aucpr", 1).contains("metric `aucpr` on `p.safetensors`"));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever stands in the file, the answer is a number or one error.
    #[test]
    fn damaged_files_never_crash(at in 0_usize..160, byte: u8, cut in proptest::option::of(0_usize..160)) {
        let place = Place::new();
        let mut bytes = example();
        let at = at % bytes.len();
        bytes[at] = byte;
        if let Some(cut) = cut {
            bytes.truncate(cut);
        }
        place.write("p.safetensors", bytes);
        let command = || place.host(&["score", "--metric", "f1", "--predictions", "p.safetensors"]);
        let output = command().output().unwrap();
        match output.status.code() {
            Some(0) => drop(succeeds(command())),
            _ => drop(fails(command(), 1)),
        }
    }
}
