//! Programs as metrics, well-behaved and not.

#![cfg(unix)]

use crate::interruption::{interrupt, start, wait_for};
use crate::support::{Place, fails, set, succeeds};
use assert_cmd::Command;
use safetensors::{Dtype, tensor::TensorView};
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

/// A folder with the program `metric.py`, small predictions in `p.safetensors` and large ones in `large.safetensors`.
fn place() -> Place {
    let place = Place::new();
    place.write("metric.py", include_str!("doubles/metric.py"));
    let small = predictions(&[0.9, 0.8, 0.7, 0.2, 0.1], &[1, 1, 0, 1, 0]);
    place.write("p.safetensors", small);
    let rows = 200_000;
    place.write(
        "large.safetensors",
        predictions(&vec![0.7; rows], &vec![1; rows]),
    );
    place
}

fn predictions(scores: &[f32], labels: &[i64]) -> Vec<u8> {
    let bytes = (
        scores
            .iter()
            .flat_map(|score| score.to_le_bytes())
            .collect::<Vec<u8>>(),
        labels
            .iter()
            .flat_map(|label| label.to_le_bytes())
            .collect::<Vec<u8>>(),
    );
    let tensors = [
        (
            "scores",
            TensorView::new(Dtype::F32, vec![scores.len()], &bytes.0).unwrap(),
        ),
        (
            "labels",
            TensorView::new(Dtype::I64, vec![labels.len()], &bytes.1).unwrap(),
        ),
    ];
    safetensors::serialize(tensors, None).unwrap()
}

/// The metric that is `metric.py` with these arguments.
fn double(arguments: &str) -> String {
    format!("exec:command=python3 metric.py {arguments}")
}

fn score_file(place: &Place, metric: &str, file: &str) -> Command {
    place.host(&["score", "--metric", metric, "--predictions", file])
}

fn score(place: &Place, metric: &str) -> Command {
    score_file(place, metric, "p.safetensors")
}

/// Nothing that a program started, itself included, is left.
#[track_caller]
fn assert_all_ended(place: &Place) {
    let pids = fs::read_to_string(place.path("pids")).unwrap();
    assert!(!pids.is_empty());
    let started = Instant::now();
    for pid in pids.lines() {
        // One that nobody has waited for yet has ended, too.
        let lives = || {
            fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
        };
        while lives() {
            assert!(
                started.elapsed() < Duration::from_secs(5),
                "process {pid} of {pids:?} lives on"
            );
            std::thread::sleep(Duration::from_millis(10));
        }
    }
    fs::remove_file(place.path("pids")).unwrap();
}

#[track_caller]
fn assert_parts(error: &str, parts: &[&str]) {
    for part in parts {
        assert!(error.contains(part), "no `{part}` in {error}");
    }
}

#[test]
fn a_program_scores_as_a_metric_that_is_built_in() {
    let place = place();
    for command in [
        "exec:command=python3 metric.py",
        "exec:command=\"python3 metric.py not\",timeout=20",
        "exec:command='python3' \"metric.py\"",
        "exec:timeout=20,command=[\"python3\", \"metric.py\", \"not\"],workers=1",
    ] {
        assert_eq!(succeeds(score(&place, command)), "double 0.6\n");
    }
    assert_eq!(succeeds(score(&place, "accuracy")), "accuracy 0.6\n");
    assert_all_ended(&place);
    let printed = succeeds(place.host(&[
        "score",
        "--json",
        "--metric",
        &double(""),
        "--predictions",
        "p.safetensors",
    ]));
    let json: Value = serde_json::from_str(&printed).unwrap();
    assert_eq!(
        (&json["metric"], &json["value"], &json["n"]),
        (&json!("double"), &json!(0.6), &json!(5))
    );
}

#[test]
fn a_run_finds_what_it_finds_with_the_same_metric_built_in() {
    let place = place();
    succeeds(place.run("built-in", &["--metric", "accuracy"]));
    let expected = comparable(place.summary("built-in"), "accuracy");
    for (run, metric, threads) in [
        ("one", "not", "1"),
        ("four", "not", "4"),
        ("few", "not,workers=2", "4"),
        ("dies", "dies-once after=40", "2"),
    ] {
        let printed =
            succeeds(place.run(run, &["--threads", threads, "--metric", &double(metric)]));
        let summary = place.summary(run);
        assert_eq!(
            summary["metric"]["options"]["command"],
            format!("python3 metric.py {}", metric.split(',').next().unwrap())
        );
        assert_eq!(
            (
                &summary["metric"]["options"]["timeout"],
                &summary["metric"]["options"]["restarts"]
            ),
            (&json!(60.0), &json!(2))
        );
        assert!(
            printed.starts_with("double (higher is better), task tabular, seed 0\n"),
            "{printed}"
        );
        assert_eq!(comparable(summary, "double"), expected, "{run}");
        assert_all_ended(&place);
    }
    assert!(place.path("died").exists());
}

/// A summary without its times, its options and the name of its metric.
fn comparable(mut summary: Value, name: &str) -> Value {
    assert_eq!(summary["metric"]["name"], name);
    summary["metric"] = json!(summary["metric"]["direction"]);
    for method in summary["methods"].as_array_mut().unwrap() {
        method["seconds"] = Value::Null;
    }
    let verdict = summary["verdict"].as_str().unwrap();
    summary["verdict"] = json!(verdict.replace(name, "NAME"));
    summary
}

/// What `config.toml` says at its head can be typed, and the rest can be read, even if the program has several lines.
#[test]
fn the_resolved_configuration_quotes_the_program() {
    let place = place();
    let metric = "exec:command=sh -c 'exec\npython3 metric.py'";
    let resolved = succeeds(place.run("run", &["--dry-run", "--metric", metric]));
    assert!(
        resolved.starts_with("# host run --plugin tabular --task tabular --metric "),
        "{resolved}"
    );
    assert_parts(
        &resolved,
        &["\"exec:command=sh -c 'exec\n# python3 metric.py'\" --seed 0"],
    );
    place.write("again.toml", &resolved);
    succeeds(place.run("run", &["--dry-run", "--config", "again.toml"]));
    assert_all_ended(&place);
}

#[test]
fn commands_that_cannot_start() {
    let place = place();
    place.write("empty", "");
    place.write("no-such-interpreter", "#!/no/such/interpreter\n");
    for name in ["empty", "no-such-interpreter"] {
        fs::set_permissions(place.path(name), fs::Permissions::from_mode(0o755)).unwrap();
    }
    for (metric, expected) in [
        (
            "exec",
            &[
                "option `command` names no program",
                "hint: give one, as in `exec:command=\"python3 my_metric.py\"`",
            ][..],
        ),
        ("exec:command=[]", &["option `command` names no program"]),
        (
            "exec:python3 metric.py",
            &[
                "metric option `python3 metric.py` has no value",
                "hint: write `exec:command=",
            ],
        ),
        (
            "exec:command=python3 a,b.py",
            &[
                "metric option `b.py` has no value",
                "in quotes if it has commas",
            ],
        ),
        (
            "exec:command=true",
            &["`command`: expected a text", "or a list of texts"],
        ),
        (
            "exec:command=python3 it's.py",
            &["a quote is not closed in `python3 it's.py`", "as a list"],
        ),
        (
            "exec:command=python3 metric.py,timeout=0",
            &["`timeout` is 0 s"],
        ),
        (
            "exec:command=python3 metric.py,timeout=soon",
            &["`timeout`", "expected a number"],
        ),
        (
            "exec:command=python3 metric.py,workers=0",
            &["`workers` is 0"],
        ),
        (
            "exec:command=python3 metric.py,worker=1",
            &["has no option `worker`", "did you mean `workers`?"],
        ),
        (
            "exec:command=no-such-program --x",
            &[
                "cannot start `no-such-program --x`: there is no program `no-such-program` on the search path",
            ],
        ),
        (
            "exec:command=./no-such-program",
            &["there is no file `./no-such-program`"],
        ),
        (
            "exec:command=metric.py",
            &[
                "there is no program `metric.py` on the search path",
                "hint: write `./metric.py`",
            ],
        ),
        (
            "exec:command=./metric.py",
            &[
                "`./metric.py` is not executable",
                "hint: run `chmod +x ./metric.py`",
                "exec:command=python3 ./metric.py",
            ],
        ),
        (
            "exec:command=./no-such-interpreter",
            &["not the program that its first line names"],
        ),
        ("exec:command=/", &["`/` is a folder"]),
    ] {
        let error = fails(score(&place, metric), 2);
        assert_parts(&error, expected);
        assert_parts(&error, &[" hint: "]);
    }
    // Linux does not run it, other systems take it for a script of the shell, which ends at once.
    let error = place
        .host(&[
            "score",
            "--metric",
            "exec:command=./empty",
            "--predictions",
            "p.safetensors",
        ])
        .output()
        .unwrap();
    assert_parts(
        &String::from_utf8(error.stderr).unwrap(),
        &["`./empty`", " hint: "],
    );
}

#[test]
fn programs_that_do_not_say_hello() {
    let place = place();
    for (arguments, code, expected) in [
        (
            "exits-at-once",
            1,
            &[
                "`python3 metric.py exits-at-once` ended with exit code 3 before it printed its hello; its last words: `two: cannot find the costs`",
            ][..],
        ),
        (
            "hangs-at-start,timeout=2.5",
            1,
            &[
                "did not print its hello within 2.5 s (`timeout`)",
                "flush standard output",
            ],
        ),
        (
            "prints-first",
            1,
            &[
                "its first line is no JSON object",
                "`loading the costs`",
                "hint: standard output belongs to the protocol",
                "sys.stderr",
            ],
        ),
        (
            "refuses",
            2,
            &["`python3 metric.py refuses`: there is no `costs.csv`"],
        ),
        (
            r#"not 'hello={"metricopt": 2}'"#,
            1,
            &["speaks version 2 of the protocol, this host speaks version 1"],
        ),
        (
            r#"not 'hello={"metricopt": "none"}'"#,
            1,
            &["`metricopt`, the version of the protocol, is missing"],
        ),
        (
            r#"not 'hello={"direction": "none"}'"#,
            1,
            &["`direction` is missing"],
        ),
        (r#"not 'hello={"name": "a/b"}'"#, 1, &["`name`: `a/b`"]),
        (
            r#"not 'hello={"units": "EUR"}'"#,
            1,
            &["unknown field `units`"],
        ),
    ] {
        let error = fails(score(&place, &double(arguments)), code);
        assert!(error.starts_with("error: metric `exec`: "), "{error}");
        assert_parts(&error, expected);
        assert_parts(&error, &["hint: see `host describe exec`"]);
        assert_all_ended(&place);
    }
    // Before any work.
    for metric in [
        double("exits-at-once"),
        double(r#"not 'hello={"direction": "none"}'"#),
    ] {
        fails(place.run("run", &["--metric", &metric]), 1);
        assert!(!place.path("run").exists());
    }
}

#[test]
fn what_a_program_says_of_itself_counts() {
    let place = place();
    let error = fails(
        place.run(
            "run",
            &["--metric", &double(r#"not 'hello={"kind": "retrieval"}'"#)],
        ),
        2,
    );
    assert!(
        error.starts_with("error: metric `double` takes retrieval predictions, task `tabular` yields classification"),
        "{error}"
    );
    assert!(!place.path("run").exists());
    let metric = double(
        r#"not 'hello={"direction": "minimize", "kind": "none", "name": "none", "range": "none"}'"#,
    );
    let printed = succeeds(place.run("run", &["--metric", &metric]));
    assert!(printed.starts_with("exec (lower is better)"), "{printed}");
    // The host checks predictions, so that the program need not.
    place.write("p.safetensors", predictions(&[0.5, f32::NAN], &[1, 0]));
    assert_parts(
        &fails(score(&place, &double("")), 1),
        &[
            "tensor `scores` holds NaN at element 1",
            "hint: it takes classification",
        ],
    );
    assert_all_ended(&place);
}

#[test]
fn programs_that_fail_on_a_query() {
    let place = place();
    for (arguments, expected) in [
        (
            "error",
            &["error: metric `double` on `p.safetensors`: the sensor is unplugged\n"][..],
        ),
        (
            "undefined",
            &["no positives\n hint: it takes classification"],
        ),
        (
            "hangs,timeout=2.5",
            &[
                "`python3 metric.py hangs` did not print an answer within 2.5 s (`timeout`)",
                "hint: if it needs longer, raise the option `timeout`",
            ],
        ),
        (
            "dies",
            &[
                "in each of 3 attempts: `python3 metric.py dies` ended with exit code 1 before it printed an answer",
                "its last words: `RuntimeError: the sensor is broken`",
                "`restarts`",
            ],
        ),
        (
            "dies,restarts=0",
            &["`p.safetensors`: `python3 metric.py dies` ended with exit code 1"],
        ),
        (
            "is-killed,restarts=1",
            &[
                "in each of 2 attempts",
                "was ended by signal 9 (SIGKILL)",
                "memory ran out",
            ],
        ),
        (
            "closes-stdout,restarts=0",
            &["closed its standard output before it printed an answer"],
        ),
        (
            "closes-stdin",
            &["closed its standard input", "query after query"],
        ),
        ("leaves-a-child,restarts=0", &["ended with exit code 4"]),
        (
            "prints-a-huge-line",
            &["printed more than 1 MiB without a line end, beginning with `xxx"],
        ),
        (
            "answers-twice",
            &[
                "answered one query with more than one line: `{\"value\": 0.6}`, then `{\"value\": 0.6}`",
                "print one line, and read the next frame",
            ],
        ),
        // Noticed before the query, taken for its answer, or in front of its answer, as it happens.
        (
            "prints-after",
            &["`ready`", "hint: standard output belongs to the protocol"],
        ),
        (
            "answers line=hello",
            &[
                "it answered `hello`: this is no JSON object",
                "hint: standard output belongs to the protocol",
            ],
        ),
        (
            "answers line=0.5",
            &["it answered `0.5`: this is no JSON object"],
        ),
        (
            r#"answers 'line={"value": NaN}'"#,
            &[
                "it answered `{\"value\": NaN}`: a value has to be a finite number",
                "\"kind\": \"undefined\"",
            ],
        ),
        (
            r#"answers 'line={"value": -Infinity}'"#,
            &["a value has to be a finite number"],
        ),
        (
            r#"answers 'line={"value": null}'"#,
            &["a value has to be a finite number"],
        ),
        (
            r#"answers 'line={"value": "0.5"}'"#,
            &["`value` is no number"],
        ),
        (
            r#"answers 'line={"value": 2}'"#,
            &["returned 2, outside its range [0, 1]", "in its hello"],
        ),
    ] {
        let error = fails(score(&place, &double(arguments)), 1);
        assert!(
            error.starts_with("error: metric `double` on `p.safetensors`: "),
            "{error}"
        );
        assert_parts(&error, expected);
        assert_all_ended(&place);
    }
}

#[test]
fn frames_larger_than_a_pipe() {
    let place = place();
    let score = |arguments: &str| score_file(&place, &double(arguments), "large.safetensors");
    assert_eq!(succeeds(score("reads-slowly")), "double 1\n");
    // What it writes to standard error before it reads is not in the way.
    assert_eq!(succeeds(score("chats")), "double 1\n");
    for (arguments, expected) in [
        (
            "never-reads,timeout=2.5",
            "did not read a whole query from standard input within 2.5 s (`timeout`)",
        ),
        ("closes-stdin", "closed its standard input"),
    ] {
        assert_parts(&fails(score(arguments), 1), &[expected]);
    }
    assert_all_ended(&place);
}

#[test]
fn standard_error_comes_in_whole_lines() {
    let place = place();
    let output = place
        .run(
            "run",
            &[
                "--metric",
                &double("chats after=60"),
                "--set",
                "report.bootstrap=0",
            ],
        )
        .output()
        .unwrap();
    assert!(output.status.success());
    let stderr = String::from_utf8(output.stderr).unwrap();
    let long = format!("double: {}", "x".repeat(100));
    let (mut chats, mut lines) = (0, 0);
    for line in stderr.lines() {
        chats += usize::from(line == long);
        lines += usize::from(line == "double: a line of some length to fill the pipe with");
        assert_eq!(
            line.matches("double:").count(),
            usize::from(line.starts_with("double: ")),
            "{line}"
        );
    }
    assert!(
        chats > 0 && lines == 3000 * chats,
        "{chats} and {lines} lines"
    );
}

#[test]
fn a_program_that_died_is_started_again_and_that_is_told() {
    let place = place();
    let output = score(&place, &double("dies-once")).output().unwrap();
    assert!(output.status.success());
    assert_parts(
        &String::from_utf8(output.stderr).unwrap(),
        &[
            "double: warning: `python3 metric.py dies-once` was ended by signal 9 (SIGKILL)",
            "starting it again (1 of 2)",
        ],
    );
    assert_all_ended(&place);
}

#[test]
fn a_program_that_fails_in_a_run_is_named() {
    let place = place();
    for (how, after) in [("error", 0), ("dies", 5), ("hangs", 5)] {
        let metric = double(&format!("{how} after={after},timeout=4,restarts=0"));
        let error = fails(place.run("run", &["--metric", &metric]), 1);
        assert!(error.starts_with("error: metric `double` on "), "{error}");
        assert!(!place.path("run").exists(), "{how}");
        assert_all_ended(&place);
    }
}

#[test]
fn what_a_program_starts_ends_with_it() {
    let place = place();
    succeeds(score(&place, &double("has-children")));
    assert_all_ended(&place);
    let started = Instant::now();
    succeeds(score(&place, &double("never-ends")));
    assert!(started.elapsed() < Duration::from_secs(20));
    assert_all_ended(&place);
}

#[test]
fn ctrl_c_ends_host_and_programs() {
    let place = place();
    for (command, arguments) in [
        ("run", "hangs-at-start"),
        ("run", "hangs after=20"),
        ("score", "hangs-at-start"),
        ("score", "hangs"),
        ("score", "never-reads"),
    ] {
        let metric = double(arguments);
        let child = start(&match command {
            "run" => place.run("run", &["--metric", &metric]),
            _ => score_file(&place, &metric, "large.safetensors"),
        });
        wait_for(&place.path("resting"));
        let started = Instant::now();
        let stderr = interrupt(child, "-INT");
        assert!(
            started.elapsed() < Duration::from_secs(5),
            "{:?}",
            started.elapsed()
        );
        // Answers are kept to go on from.
        let answered = arguments == "hangs after=20";
        assert_eq!(stderr.contains("--resume` goes on"), answered, "{stderr}");
        assert_eq!(place.path("run/checkpoint.bin").exists(), answered);
        let _ = fs::remove_dir_all(place.path("run"));
        fs::remove_file(place.path("resting")).unwrap();
        assert_all_ended(&place);
    }
}

/// The second one ends the host at once, here while it waits for a program that does not end with its standard input.
#[test]
fn a_second_ctrl_c_ends_the_programs_too() {
    let place = place();
    let child = start(&score(&place, &double("never-ends")));
    wait_for(&place.path("resting"));
    let id = child.id().to_string();
    for _ in 0..2 {
        // On a loaded machine the host may have waited long enough before.
        let _ = std::process::Command::new("kill")
            .args(["-INT", &id])
            .status();
    }
    drop(child.wait_with_output().unwrap());
    assert_all_ended(&place);
}

/// Nothing can be done any more, but standard input ends, and a program that behaves ends with it.
#[test]
fn programs_see_that_the_host_was_killed() {
    let place = place();
    let mut child = start(&place.run(
        "run",
        &[
            "--metric",
            &double("not"),
            "--set",
            "trajectories.count=4000",
        ],
    ));
    wait_for(&place.path("pids"));
    wait_for(&place.path("run/config.toml"));
    child.kill().unwrap();
    child.wait().unwrap();
    assert_all_ended(&place);
}

/// `examples/exec/NAME`.
fn example(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../examples/exec")
        .join(name);
    path.canonicalize()
        .unwrap()
        .into_os_string()
        .into_string()
        .unwrap()
}

#[test]
fn a_program_that_takes_a_file() {
    let place = place();
    place.write("rows.py", "import json, sys\nfile = open(sys.argv[1], 'rb')\nsize = int.from_bytes(file.read(8), 'little')\nprint(json.loads(file.read(size))['labels']['shape'][0])\n");
    let script = example("by_file.sh");
    let metric =
        |program: &str| format!("exec:command=[\"sh\", \"{script}\", \"maximise\", {program}]");
    assert_eq!(
        succeeds(score(&place, &metric("\"python3\", \"rows.py\""))),
        "by-file 5\n"
    );
    assert_eq!(
        succeeds(score_file(
            &place,
            &metric("\"python3\", \"rows.py\""),
            "large.safetensors"
        )),
        "by-file 200000\n"
    );
    assert_parts(
        &fails(score(&place, &metric("\"false\"")), 1),
        &["the program ended with exit code 1"],
    );
    assert_parts(
        &fails(score(&place, &metric("\"true\"")), 1),
        &["it answered `{\"value\": }`"],
    );
}

/// The example that people copy. Where numpy is missing, it is installed into a place of its own.
#[test]
#[expect(clippy::print_stderr, reason = "a test that is left out says so")]
fn slow_the_example_in_python_tunes() {
    let place = place();
    let works = |program: &str, arguments: &[&str]| {
        let output = std::process::Command::new(program)
            .args(arguments)
            .current_dir(place.path("."))
            .output();
        output.is_ok_and(|output| output.status.success())
    };
    let mut python = "python3".to_owned();
    if !works(&python, &["-c", "import numpy"]) {
        let installed = works("python3", &["-m", "venv", "venv"]);
        python = place.path("venv/bin/python").to_str().unwrap().to_owned();
        if !installed || !works(&python, &["-m", "pip", "install", "--quiet", "numpy"]) {
            eprintln!("skipped: there is no numpy, and it cannot be installed");
            return;
        }
    }
    let script = example("expected_cost.py");
    let metric = |more: &str| format!("exec:command=[\"{python}\", \"{script}\"{more}]");
    // One of three positives missed, one of two negatives acted on.
    assert_eq!(succeeds(score(&place, &metric(""))), "expected-cost 1.2\n");
    assert_eq!(
        succeeds(score(&place, &metric(", \"--missed\", \"2\""))),
        "expected-cost 0.6\n"
    );
    let error = fails(score(&place, &metric(", \"--mised\", \"2\"")), 1);
    assert_parts(
        &error,
        &["ended with exit code 2", "unrecognized arguments: --mised"],
    );
    let printed = succeeds(
        place.run(
            "run",
            &[
                &["--metric", &metric("")][..],
                &set(&["finetune.accept_t=-1e6"]),
            ]
            .concat(),
        ),
    );
    assert!(
        printed.starts_with("expected-cost (lower is better)"),
        "{printed}"
    );
}
