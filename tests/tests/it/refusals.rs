//! Library files that are no plugin for this host: each is refused with one message that says what to do, and the
//! troubleshooting page knows it.

#![cfg(unix)]

use crate::support::{Place, fails, library, succeeds};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The page that explains every refusal.
const PAGE: &str = include_str!("../../../docs/troubleshooting.md");

/// Compiles C into a library in the place.
fn compile(place: &Place, name: &str, source: &str) -> PathBuf {
    let (code, library) = (
        place.path(&format!("{name}.c")),
        place.path(&format!("lib{name}.so")),
    );
    fs::write(&code, source).unwrap();
    let compiler = std::env::var_os("CC").unwrap_or_else(|| "cc".into());
    let status = Command::new(compiler)
        .args([
            "-std=c11", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-I",
        ])
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/../sdk/include"))
        .arg(&code)
        .arg("-o")
        .arg(&library)
        .status()
        .unwrap();
    assert!(status.success(), "{source}");
    library
}

/// A plugin in C with a metric that always gives 0.5. `replace` changes its source.
fn plugin(replace: &[(&str, &str)]) -> String {
    let mut source = r#"
#include <metricopt.h>

static int32_t create(const void *context, metricopt_str config, void **handle, metricopt_sink error) {
    (void)context, (void)config, (void)handle, (void)error;
    return METRICOPT_OK;
}
static void destroy(void *handle) { (void)handle; }
static int32_t evaluate(void *handle, const metricopt_view *views, size_t views_len, const metricopt_call *call,
                        double *value, metricopt_sink error) {
    (void)handle, (void)views, (void)views_len, (void)call, (void)error;
    *value = 0.5;
    return METRICOPT_OK;
}
static const metricopt_metric HALF = {
    .size = sizeof(metricopt_metric), .name = METRICOPT_STR("half"), .docs = METRICOPT_STR("Half."),
    .schema = METRICOPT_STR(""), .defaults = METRICOPT_STR(""),
    .kind = METRICOPT_CLASSIFICATION, .direction = METRICOPT_MAXIMISE, .flags = METRICOPT_CONCURRENT,
    .low = 0.0, .high = 1.0, .create = create, .evaluate = evaluate, .destroy = destroy,
};
static const metricopt_metric *const METRICS[] = {&HALF};
static const metricopt_plugin PLUGIN = {
    .size = sizeof(metricopt_plugin), .minor = METRICOPT_ABI_MINOR,
    .name = METRICOPT_STR("half-plugin"), .version = METRICOPT_STR("0.1.0"),
    .target = METRICOPT_STR(METRICOPT_TARGET), .libtorch = METRICOPT_STR(""),
    .metrics = METRICS, .metrics_len = 1,
};
const metricopt_plugin *metricopt_plugin_v1(const metricopt_host *host) {
    (void)host;
    return &PLUGIN;
}
"#
    .to_owned();
    for (old, new) in replace {
        assert!(source.contains(old), "`{old}`");
        source = source.replace(old, new);
    }
    source
}

/// Loads a file; the message, without the path.
#[track_caller]
fn refused(place: &Place, file: &Path, code: i32) -> String {
    let path = file.to_str().unwrap();
    let error = fails(place.host(&["list", "--plugin", path]), code);
    let start = format!("error: plugin `{path}`: ");
    let rest = error
        .strip_prefix(&start)
        .unwrap_or_else(|| panic!("no `{start}` in {error}"));
    assert!(rest.contains("\n hint: "), "no hint: {error}");
    rest.to_owned()
}

#[track_caller]
fn assert_refused(place: &Place, file: &Path, code: i32, expected: &str) {
    let message = refused(place, file, code);
    assert!(message.contains(expected), "no `{expected}` in {message}");
    let known = PAGE
        .split("**")
        .skip(1)
        .step_by(2)
        .any(|entry| entry.split("...").all(|part| message.contains(part.trim())));
    assert!(
        known,
        "the troubleshooting page knows nothing like `{message}`"
    );
}

#[test]
fn a_plugin_in_c_is_accepted() {
    let place = Place::new();
    let file = compile(&place, "half", &plugin(&[]));
    let listed = succeeds(place.host(&["list", "--plugin", file.to_str().unwrap()]));
    assert!(listed.contains(&format!(
        "half-plugin 0.1.0 ({})",
        file.canonicalize().unwrap().display()
    )));
    assert!(
        listed.contains("  metric  half                  maximise  Half.\n"),
        "{listed}"
    );
}

#[test]
fn files_that_are_no_library() {
    let place = Place::new();
    let whole = fs::read(compile(&place, "half", &plugin(&[]))).unwrap();
    place.write("empty.so", "");
    place.write("text.so", "just a text, whatever its name says\n");
    place.write("archive.so", "!<arch>\nwhatever");
    let mut noise = vec![0_u8; 5000];
    let mut state = 88_172_645_463_325_252_u64;
    for byte in &mut noise {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        *byte = state as u8;
    }
    place.write("noise.so", &noise);
    // A true header, and noise behind it.
    place.write("headed.so", [&whole[..64], &noise[..]].concat());
    fs::create_dir(place.path("folder.so")).unwrap();
    for (file, expected) in [
        ("missing.so", "there is no such file"),
        ("folder.so", "is a directory"),
        ("empty.so", "is empty"),
        ("text.so", "is not a library"),
        ("noise.so", "is not a library"),
        ("archive.so", "is a static library (an archive)"),
    ] {
        assert_refused(&place, &place.path(file), 2, expected);
    }
    refused(&place, &place.path("headed.so"), 2);
    assert_refused(
        &place,
        Path::new("/bin/sh"),
        2,
        "it does not export `metricopt_plugin_v1`",
    );
}

/// The system's loader would die of some of these.
#[test]
fn a_library_cut_off_anywhere_is_refused() {
    let place = Place::new();
    let file = compile(&place, "half", &plugin(&[]));
    let whole = fs::read(&file).unwrap();
    let cut = place.path("cut.so");
    let mut lengths: Vec<usize> = (0..40).map(|part| whole.len() * part / 40).collect();
    lengths.extend([1, 4, 16, 63, 64, 65, 128]);
    for length in lengths {
        fs::write(&cut, &whole[..length]).unwrap();
        let output = place
            .host(&["list", "--plugin", cut.to_str().unwrap()])
            .output()
            .unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        // The tail of a library holds names for debuggers only: without them it is whole.
        let accepted = output.status.success();
        assert!(
            accepted && length * 2 > whole.len() || output.status.code() == Some(2),
            "{length} of {}: {:?} {stderr}",
            whole.len(),
            output.status
        );
    }
    fs::write(&cut, &whole[..whole.len() / 2]).unwrap();
    assert_refused(&place, &cut, 2, "is cut off or damaged");
}

#[test]
fn libraries_for_another_host() {
    let place = Place::new();
    let missing = compile(
        &place,
        "missing",
        "int answer(void);\nint answer(void) { return 42; }\n",
    );
    assert_refused(
        &place,
        &missing,
        2,
        "is a library but no plugin: it does not export `metricopt_plugin_v1`",
    );

    let newer = plugin(&[
        ("*metricopt_plugin_v1(", "*metricopt_plugin_v2("),
        (
            "#include <metricopt.h>",
            "#include <metricopt.h>\nconst metricopt_plugin *metricopt_plugin_v2(const metricopt_host *host);",
        ),
    ]);
    let newer = compile(&place, "newer", &newer);
    assert_refused(
        &place,
        &newer,
        2,
        "was built for ABI 2, this host speaks ABI 1",
    );

    let target = plugin(&[(
        "METRICOPT_STR(METRICOPT_TARGET)",
        "METRICOPT_STR(\"riscv64-linux\")",
    )]);
    let target = compile(&place, "target", &target);
    assert_refused(
        &place,
        &target,
        1,
        "the plugin was compiled for `riscv64-linux`, the host for `",
    );

    let unresolved = "int nowhere(void);\nint metricopt_plugin_v1(void);\nint metricopt_plugin_v1(void) { return nowhere(); }\n";
    let unresolved = compile(&place, "unresolved", unresolved);
    assert_refused(&place, &unresolved, 2, "the system cannot load it: ");

    // The machine field of the header says aarch64, or RISC-V where that is the host's own.
    let mut bytes = fs::read(compile(&place, "machine", &plugin(&[]))).unwrap();
    bytes[18] = if cfg!(target_arch = "aarch64") {
        243
    } else {
        183
    };
    place.write("machine.so", bytes);
    if cfg!(target_os = "linux") {
        assert_refused(
            &place,
            &place.path("machine.so"),
            2,
            "is a library for another machine",
        );
    }
}

#[test]
fn plugins_that_break_the_abi() {
    let place = Place::new();
    let task = r#"static const metricopt_task TASK = { .size = sizeof(metricopt_task), .name = METRICOPT_STR("t"), .metric = METRICOPT_STR("f1") };
static const metricopt_task *const TASKS[] = {&TASK};
static const metricopt_plugin PLUGIN = { .tasks = TASKS, .tasks_len = 1,"#;
    let start = "static const metricopt_plugin PLUGIN = {";
    type Case<'a> = (&'a str, &'a [(&'a str, &'a str)], &'a str);
    let cases: [Case<'_>; 15] = [
        (
            "declined",
            &[("return &PLUGIN;", "(void)PLUGIN;\n    return NULL;")],
            "the plugin declined the handshake",
        ),
        (
            "small",
            &[(".size = sizeof(metricopt_plugin)", ".size = 16")],
            "the plugin struct has 16 bytes, ABI 1 needs ",
        ),
        (
            "small_metric",
            &[(".size = sizeof(metricopt_metric)", ".size = 8")],
            "the metric struct has 8 bytes, ABI 1 needs ",
        ),
        (
            "name",
            &[(
                "METRICOPT_STR(\"half-plugin\")",
                "METRICOPT_STR(\"Half Plugin\")",
            )],
            "`Half Plugin` is no name",
        ),
        (
            "utf8",
            &[("METRICOPT_STR(\"half\")", "METRICOPT_STR(\"ha\\xff\\xfe\")")],
            "the name is not UTF-8 (from byte 2): `ha\\xff\\xfe`",
        ),
        (
            "docs",
            &[("METRICOPT_STR(\"Half.\")", "METRICOPT_STR(\"\\xc3\")")],
            "the documentation is not UTF-8",
        ),
        (
            "schema",
            &[(
                ".schema = METRICOPT_STR(\"\")",
                ".schema = METRICOPT_STR(\"{\")",
            )],
            "the schema is no JSON",
        ),
        (
            "defaults",
            &[(
                ".defaults = METRICOPT_STR(\"\")",
                ".defaults = METRICOPT_STR(\"[1]\")",
            )],
            "the default configuration is no JSON object",
        ),
        (
            "function",
            &[
                (".evaluate = evaluate, ", ""),
                (
                    "static int32_t evaluate",
                    "int32_t evaluate(void *, const metricopt_view *, size_t, const metricopt_call *, double *, metricopt_sink);\nint32_t evaluate",
                ),
            ],
            "`create`, `evaluate` or `destroy` is missing",
        ),
        (
            "range",
            &[(".low = 0.0", ".low = 2.0")],
            "the range [2, 1] holds nothing",
        ),
        (
            "kind",
            &[("METRICOPT_CLASSIFICATION", "99")],
            "the prediction kind 99 is not known here",
        ),
        (
            "direction",
            &[("METRICOPT_MAXIMISE", "7")],
            "the direction 7 is neither 0 (minimise) nor 1 (maximise)",
        ),
        (
            "twice",
            &[
                ("{&HALF}", "{&HALF, &HALF}"),
                (".metrics_len = 1", ".metrics_len = 2"),
            ],
            "it registers metric `half` twice",
        ),
        (
            "null",
            &[
                ("{&HALF}", "{NULL}"),
                (
                    "static const metricopt_metric HALF",
                    "extern const metricopt_metric HALF;\nconst metricopt_metric HALF",
                ),
            ],
            "the metric struct is missing",
        ),
        (
            "libtorch",
            &[
                (start, task),
                (
                    ".libtorch = METRICOPT_STR(\"\")",
                    ".libtorch = METRICOPT_STR(\"2.9.1\")",
                ),
            ],
            "was built with libtorch `2.9.1`, the host with `2.11.0`",
        ),
    ];
    for (name, replace, expected) in cases {
        let file = compile(&place, name, &plugin(replace));
        assert_refused(&place, &file, 1, expected);
    }
}

/// Newer plugins have fields behind those we know, older ones end before: neither is refused.
#[test]
fn older_and_newer_structs_are_accepted() {
    let place = Place::new();
    let newer = plugin(&[
        (
            "static const metricopt_metric HALF = {\n    .size = sizeof(metricopt_metric),",
            "static const struct { metricopt_metric known; uint64_t unknown[8]; } NEWER = { .unknown = {1, 2, 3}, .known = {\n    .size = sizeof(metricopt_metric) + 64,",
        ),
        (".destroy = destroy,\n};", ".destroy = destroy,\n} };"),
        ("{&HALF}", "{&NEWER.known}"),
        (".minor = METRICOPT_ABI_MINOR", ".minor = 7"),
    ]);
    let older = plugin(&[
        (
            ".size = sizeof(metricopt_metric)",
            ".size = offsetof(metricopt_metric, evaluate_many)",
        ),
        (
            ".size = sizeof(metricopt_plugin)",
            ".size = offsetof(metricopt_plugin, tasks)",
        ),
    ]);
    for (name, source) in [("newer", newer), ("older", older)] {
        let file = compile(&place, name, &source);
        let listed = succeeds(place.host(&["list", "--plugin", file.to_str().unwrap()]));
        assert!(listed.contains("  metric  half "), "{listed}");
        let run = [
            "run",
            "--plugin",
            "tabular",
            "--plugin",
            file.to_str().unwrap(),
            "--metric",
            "half",
            "--dry-run",
        ];
        succeeds(place.host(&run));
    }
}

#[test]
fn names_that_are_taken_are_refused_with_both_files() {
    let place = Place::new();
    let first = compile(&place, "first", &plugin(&[]));
    let second = compile(
        &place,
        "second",
        &plugin(&[("half-plugin", "other-plugin")]),
    );
    let same = compile(
        &place,
        "same",
        &plugin(&[(
            ".name = METRICOPT_STR(\"half\")",
            ".name = METRICOPT_STR(\"third\")",
        )]),
    );
    let taken = compile(
        &place,
        "taken",
        &plugin(&[(
            ".name = METRICOPT_STR(\"half\")",
            ".name = METRICOPT_STR(\"f1\")",
        )]),
    );
    let both = |a: &Path, b: &Path| {
        let (a, b) = (a.to_str().unwrap(), b.to_str().unwrap());
        fails(place.host(&["list", "--plugin", a, "--plugin", b]), 2)
    };
    let error = both(&first, &second);
    assert!(
        error.contains("metric `half` is registered by both plugin `half-plugin` ("),
        "{error}"
    );
    assert!(
        error.contains("libfirst.so") && error.contains("libsecond.so"),
        "{error}"
    );
    let error = both(&first, &same);
    assert!(
        error.contains("plugin `half-plugin` is registered by both"),
        "{error}"
    );
    let error = fails(
        place.host(&["list", "--plugin", taken.to_str().unwrap()]),
        2,
    );
    assert!(error.contains("metric `f1` is registered by both plugin `metrics` (built-in) and plugin `half-plugin` ("), "{error}");
    assert!(
        PAGE.contains("is registered by both"),
        "the troubleshooting page does not know it"
    );
    // The same file twice is one plugin.
    let path = first.to_str().unwrap();
    succeeds(place.host(&["list", "--plugin", path, "--plugin", path]));
}

#[test]
fn files_that_others_can_change_are_refused_unless_allowed() {
    let place = Place::new();
    let file = compile(&place, "half", &plugin(&[]));
    let path = file.to_str().unwrap();
    let load = |arguments: &[&str]| {
        let mut command = place.host(&[&["list", "--plugin", path][..], arguments].concat());
        command.env_remove("METRICOPT_ALLOW_WRITABLE_PLUGINS");
        command
    };
    succeeds(load(&[]));
    fs::set_permissions(&file, fs::Permissions::from_mode(0o777)).unwrap();
    let error = fails(load(&[]), 2);
    assert!(
        error.contains("every user can change `") && error.contains("hint: chmod o-w `"),
        "{error}"
    );
    assert!(
        PAGE.contains("can change `"),
        "the troubleshooting page does not know it"
    );
    succeeds(load(&["--allow-writable-plugins"]));
    // In the plugin path, a file or a folder that others can change is named, and the rest is listed.
    let folder = place.path("plugins");
    fs::create_dir(&folder).unwrap();
    fs::copy(
        library("metricopt_misbehaving"),
        folder.join("libmisbehaving.so"),
    )
    .unwrap();
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o777)).unwrap();
    let mut command = place.host(&["list", "--plugin-path", folder.to_str().unwrap()]);
    command.env_remove("METRICOPT_ALLOW_WRITABLE_PLUGINS");
    let output = command.assert().success().get_output().clone();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(
        stderr.starts_with("warning: plugin `") && stderr.contains("every user can change `"),
        "{stderr}"
    );
    assert!(
        String::from_utf8(output.stdout)
            .unwrap()
            .contains("metrics 0.1.0 (built-in)")
    );
}
