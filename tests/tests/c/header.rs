//! `metricopt.h` says what `metricopt_sdk::abi` says: each struct, field, type, function and constant, and the other way
//! round.

use metricopt_sdk::Split;
use metricopt_sdk::abi::{self, Level, Status};
use std::fmt::Write;
use std::fs;
use std::mem::offset_of;

use crate::compiler::{Language, check, checkout};
use crate::layout::{CType, Field, Struct};

/// Structs with all of their fields: one that is forgotten here does not compile.
macro_rules! structs {
    ($($type:ident { $($field:ident),* $(,)? })*) => {
        vec![$(
            {
                #[expect(dead_code, reason = "fails to compile where a field is missing")]
                fn all_fields(value: abi::$type) {
                    let abi::$type { $($field: _),* } = value;
                }
                Struct::of::<abi::$type>(vec![
                    $(Field::of(stringify!($field), offset_of!(abi::$type, $field), |value: abi::$type| value.$field)),*
                ])
            }
        ),*]
    };
}

#[rustfmt::skip]
fn structs() -> Vec<Struct> {
    structs! {
        Str { data, len }
        Sink { context, write }
        DLDevice { device_type, device_id }
        DLDataType { code, bits, lanes }
        DLTensor { data, device, ndim, dtype, shape, strides, byte_offset }
        View { name, tensor }
        Candidate { views, views_len }
        Call { size, threads, flags, context, cancelled }
        Host { size, minor, max_level, features, context, log }
        Plugin {
            size, minor, reserved, features, name, version, target, sdk, compiler, libtorch, metrics, metrics_len,
            tasks, tasks_len, next,
        }
        MetricTable {
            size, context, name, docs, schema, defaults, kind, direction, flags, low, high, create, evaluate, destroy,
            evaluate_many, configuration,
        }
        Open { size, device, seed, cache, call, context, progress }
        Batch { size, split, reserved, seed, step, rows, fraction, class_weights, class_weights_len }
        Rows { size, split, part, fold, folds, seed, units }
        Emit { context, emit }
        TaskTable {
            size, context, name, docs, schema, defaults, metric, kind, reserved, flags, open, describe, gradients,
            predict, close, check, fold, engine_defaults,
        }
    }
}

/// The constants, by their names in C.
fn constants() -> Vec<(&'static str, i64)> {
    vec![
        ("ABI_VERSION", abi::VERSION.into()),
        ("ABI_MINOR", abi::MINOR.into()),
        ("OK", Status::OK.0.into()),
        ("ERROR", Status::ERROR.0.into()),
        ("PANIC", Status::PANIC.0.into()),
        ("CONFIGURATION", Status::CONFIGURATION.0.into()),
        ("UNSUPPORTED", Status::UNSUPPORTED.0.into()),
        ("CANCELLED", Status::CANCELLED.0.into()),
        ("DL_CPU", abi::dlpack::CPU.into()),
        ("DL_CUDA", 2),
        ("DL_INT", abi::dlpack::INT.into()),
        ("DL_UINT", abi::dlpack::UINT.into()),
        ("DL_FLOAT", abi::dlpack::FLOAT.into()),
        ("CLASSIFICATION", abi::kind::CLASSIFICATION.into()),
        ("RETRIEVAL", abi::kind::RETRIEVAL.into()),
        ("DETECTION", abi::kind::DETECTION.into()),
        ("NAMED", abi::kind::NAMED.into()),
        ("MINIMISE", abi::direction::MINIMISE.into()),
        ("MAXIMISE", abi::direction::MAXIMISE.into()),
        ("CONCURRENT", abi::metric_flags::CONCURRENT as i64),
        ("RANK_BASED", abi::metric_flags::RANK_BASED as i64),
        ("TIES_BY_INDEX", abi::metric_flags::TIES_BY_INDEX as i64),
        ("LOG_ERROR", Level::Error as i64),
        ("LOG_WARNING", Level::Warning as i64),
        ("LOG_INFO", Level::Info as i64),
        ("LOG_DEBUG", Level::Debug as i64),
        ("LOG_TRACE", Level::Trace as i64),
        ("TRAIN", Split::Train as i64),
        ("VALIDATION", Split::Validation as i64),
        ("TEST", Split::Test as i64),
        ("ALL", 0),
        ("FOLD", 1),
        ("SAMPLE", 2),
    ]
}

/// One assertion a line.
fn assertions(language: Language) -> String {
    let mut text = "#include <metricopt.h>\n".to_owned();
    let (assert, align, is) = match language {
        Language::C => ("_Static_assert", "_Alignof", ""),
        Language::Cpp => ("static_assert", "alignof", "std::is_same_v"),
    };
    if language == Language::Cpp {
        text = format!("#include <type_traits>\n{text}");
    }
    let mut hold = |claim: String| {
        writeln!(text, "{assert}({claim}, {claim:?});").unwrap();
    };
    for Struct {
        name,
        size,
        align: alignment,
        fields,
    } in structs()
    {
        hold(format!("sizeof({name}) == {size}"));
        hold(format!("{align}({name}) == {alignment}"));
        let mut end = 0;
        for field in fields {
            let Field {
                name: member,
                spelling,
                offset,
                size,
            } = field;
            hold(format!("offsetof({name}, {member}) == {offset}"));
            hold(format!("sizeof((({name} *)0)->{member}) == {size}"));
            hold(match language {
                Language::C => {
                    format!("_Generic((({name} *)0)->{member}, {spelling}: 1, default: 0)")
                }
                Language::Cpp => format!("{is}<decltype({name}::{member}), {spelling}>"),
            });
            end = end.max(offset + size);
        }
        // Nothing hides behind the last field: no field of C that Rust does not know.
        assert_eq!(end.next_multiple_of(alignment), size, "{name}");
    }
    for (name, value) in constants() {
        hold(format!("METRICOPT_{name} == {value}"));
    }
    let entry = Option::<abi::PluginFn>::spelling();
    hold(match language {
        Language::C => format!("_Generic(&metricopt_plugin_v1, {entry}: 1, default: 0)"),
        Language::Cpp => format!("{is}<decltype(&metricopt_plugin_v1), {entry}>"),
    });
    text
}

#[test]
fn c_agrees() {
    check(Language::C, &assertions(Language::C));
}

#[test]
fn cpp_agrees() {
    check(Language::Cpp, &assertions(Language::Cpp));
}

/// A wrong claim must not compile, or the tests above say nothing.
#[test]
fn a_wrong_claim_fails() {
    for (language, right, wrong) in [
        (
            Language::C,
            "offsetof(metricopt_call, threads) == 8",
            "offsetof(metricopt_call, threads) == 12",
        ),
        (Language::C, "metricopt_str: 1", "metricopt_sink: 1"),
        (
            Language::C,
            "void (*)(void *, metricopt_str): 1",
            "void (*)(void *, metricopt_sink): 1",
        ),
        (
            Language::Cpp,
            "<decltype(metricopt_rows::seed), uint64_t>",
            "<decltype(metricopt_rows::seed), int64_t>",
        ),
        (Language::Cpp, "METRICOPT_TEST == 2", "METRICOPT_TEST == 3"),
    ] {
        let claims = assertions(language);
        assert!(claims.contains(right), "{right}");
        let outcome = std::panic::catch_unwind(|| check(language, &claims.replace(right, wrong)));
        assert!(outcome.is_err(), "{language:?}: {wrong}");
    }
}

/// Every name that the header defines is one that is compared above, or belongs to what C alone needs.
#[test]
fn nothing_in_the_header_is_unknown() {
    let header = fs::read_to_string(checkout("sdk/include/metricopt.h")).unwrap();
    let (abi_part, _) = header.split_once("= helpers\n").unwrap();
    let only_c = ["H", "TARGET", "COMPILER", "EXPORT", "STR", "HAS"];
    let known: Vec<&str> = constants().iter().map(|(name, _)| *name).collect();
    let mut found = 0;
    for line in abi_part.lines() {
        let line = line.trim_start();
        let defined = line.strip_prefix("#define METRICOPT_").or_else(|| {
            let name = line.strip_prefix("METRICOPT_")?;
            name.contains(" = ").then_some(name)
        });
        if let Some(rest) = defined {
            let name = rest
                .split(|letter: char| !(letter.is_ascii_alphanumeric() || letter == '_'))
                .next()
                .unwrap();
            assert!(
                known.contains(&name) || only_c.contains(&name),
                "METRICOPT_{name}"
            );
            found += usize::from(known.contains(&name));
        }
    }
    assert_eq!(found, known.len());
    let names: Vec<String> = structs().into_iter().map(|known| known.name).collect();
    for rest in abi_part
        .split("typedef struct ")
        .skip(1)
        .map(|rest| rest.split(' ').next().unwrap())
    {
        assert!(names.iter().any(|known| known == rest), "{rest}");
    }
}

/// The real `dlpack.h` has names of its own, so both can be included.
#[test]
fn dlpack_does_not_clash() {
    let dlpack = "
        typedef enum { kDLCPU = 1 } DLDeviceType;
        typedef struct { DLDeviceType device_type; int32_t device_id; } DLDevice;
        typedef struct { uint8_t code; uint8_t bits; uint16_t lanes; } DLDataType;
        typedef struct {
            void *data; DLDevice device; int32_t ndim; DLDataType dtype; int64_t *shape; int64_t *strides;
            uint64_t byte_offset;
        } DLTensor;
    ";
    for (language, assert) in [
        (Language::C, "_Static_assert"),
        (Language::Cpp, "static_assert"),
    ] {
        let mut source = format!("#include <stdint.h>\n{dlpack}\n#include <metricopt.h>\n");
        for field in [
            "data",
            "device",
            "ndim",
            "dtype",
            "shape",
            "strides",
            "byte_offset",
        ] {
            writeln!(
                source,
                "{assert}(offsetof(DLTensor, {field}) == offsetof(metricopt_dl_tensor, {field}), \"{field}\");"
            )
            .unwrap();
        }
        check(language, &source);
    }
}
