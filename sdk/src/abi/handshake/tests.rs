//! Plugins that are wrong in every way that memory allows: each is refused with a reason, none does harm.

use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;
use serde_json::json;
use std::ffi::c_void;
use std::mem::offset_of;
use std::sync::LazyLock;

use super::super::failure::{Status, failure};
use super::super::text::Collector;
use super::super::types::{Call, Candidate, Sink, View, direction, kind};
use super::*;
use crate::ErrorKind;
use crate::prelude::*;

unsafe extern "C" fn create(_: *const c_void, _: Str, _: *mut *mut c_void, _: Sink) -> i32 {
    Status::OK.0
}

unsafe extern "C" fn evaluate(
    _: *mut c_void,
    _: *const View,
    _: usize,
    _: *const Call,
    value: *mut f64,
    _: Sink,
) -> i32 {
    // SAFETY: the host gives a place for the value.
    unsafe { value.write(0.5) };
    Status::OK.0
}

unsafe extern "C" fn destroy(_: *mut c_void) {}

/// A metric that nothing is wrong with.
fn metric(name: &str) -> MetricTable {
    MetricTable {
        size: size_of::<MetricTable>(),
        context: std::ptr::null(),
        name: Str::borrow(name),
        docs: Str::borrow("Always one half."),
        schema: Str::borrow(r#"{"properties": {"k": {"type": "number"}}}"#),
        defaults: Str::borrow(r#"{"k": 1.0}"#),
        kind: kind::CLASSIFICATION,
        direction: direction::MAXIMISE,
        flags: 0,
        low: 0.0,
        high: 1.0,
        create: Some(create),
        evaluate: Some(evaluate),
        destroy: Some(destroy),
        evaluate_many: None,
        configuration: None,
    }
}

/// A plugin that nothing is wrong with, without metrics.
fn plugin<'a>(name: &'a str, target: &'a str) -> Plugin {
    Plugin {
        size: size_of::<Plugin>(),
        minor: MINOR,
        reserved: 0,
        features: 0,
        name: Str::borrow(name),
        version: Str::borrow("1.2.3"),
        target: Str::borrow(target),
        sdk: Str::borrow("by hand"),
        compiler: Str::borrow("none"),
        libtorch: Str::EMPTY,
        metrics: std::ptr::null(),
        metrics_len: 0,
        tasks: std::ptr::null(),
        tasks_len: 0,
        next: std::ptr::null(),
    }
}

/// What the host says of a plugin with one metric after `change`.
fn outcome(change: impl FnOnce(&mut Plugin, &mut MetricTable)) -> Result<Vec<Offer>> {
    let target = target();
    let (mut plugin, mut metric) = (plugin("mine", &target), metric("half"));
    let metrics = [&raw mut metric];
    plugin.metrics = metrics.as_ptr().cast();
    plugin.metrics_len = 1;
    // SAFETY: the metric is there; what is wrong with it after the change is nothing that a host could not see.
    unsafe {
        change(&mut plugin, &mut *metrics[0]);
        accept(&raw const plugin)
    }
}

#[track_caller]
fn refused(expected: &str, change: impl FnOnce(&mut Plugin, &mut MetricTable)) {
    let error = outcome(change).unwrap_err();
    let message = error.to_string();
    assert!(message.contains(expected), "no `{expected}` in: {message}");
    assert!(!error.hints().is_empty(), "no hint: {message}");
}

/// Bytes that are no UTF-8.
const GARBLED: Str = Str {
    data: c"\xff\xfe".as_ptr(),
    len: 2,
};

/// Text at no place.
const NOWHERE: Str = Str {
    data: std::ptr::null(),
    len: 4,
};

/// Text without an end.
const ENDLESS: Str = Str {
    data: c"x".as_ptr(),
    len: usize::MAX,
};

#[test]
fn a_plugin_that_is_right_is_accepted() {
    let offers = outcome(|_, _| {}).unwrap();
    let [offer] = offers.as_slice() else {
        panic!("{offers:?}")
    };
    assert_eq!(
        (offer.name.as_str(), offer.version.as_str()),
        ("mine", "1.2.3")
    );
    let [entry] = offer.metrics.as_slice() else {
        panic!("{offer:?}")
    };
    assert_eq!(entry.schema["description"], "Always one half.");
    assert_eq!(entry.defaults, json!({"k": 1.0}));
    let metric = entry.create(&entry.defaults).unwrap();
    let input = Classification::binary(&[0.5], &[1]).unwrap().to_owned();
    let call = crate::Call {
        threads: 1,
        cancelled: &|| false,
    };
    let value = input.with_views(|views| metric.evaluate(views, &call));
    assert_eq!(value.unwrap(), 0.5);
}

#[test]
fn nothing_is_no_plugin() {
    unsafe extern "C" fn declines(_: *const Host) -> *const Plugin {
        std::ptr::null()
    }
    // SAFETY: null is an empty list, and the function returns it.
    unsafe {
        assert!(accept(std::ptr::null()).unwrap().is_empty());
        let error = negotiate(declines, Level::Error, Box::new(|_, _, _| {})).unwrap_err();
        assert_eq!(error.to_string(), "the plugin declined the handshake");
    }
}

#[test]
fn structs_of_other_sizes() {
    for size in [0, 1, 8, offset_of!(Plugin, tasks) - 1] {
        refused("the plugin struct has", |plugin, _| plugin.size = size);
    }
    for size in [0, 8, offset_of!(MetricTable, evaluate_many) - 1] {
        refused("the metric struct has", |_, metric| metric.size = size);
    }
    // Older ones end before `tasks` and before `evaluate_many`: what stands there is not read.
    let offers = outcome(|plugin, metric| {
        unsafe extern "C" fn never(
            _: *mut c_void,
            _: *const Candidate,
            _: usize,
            _: *const Call,
            _: *mut f64,
            _: Sink,
        ) -> i32 {
            Status::PANIC.0
        }
        plugin.size = offset_of!(Plugin, tasks);
        plugin.tasks_len = usize::MAX;
        plugin.next = std::ptr::dangling();
        metric.size = offset_of!(MetricTable, evaluate_many);
        metric.evaluate_many = Some(never);
    });
    assert!(!offers.unwrap()[0].metrics[0].population);

    /// One of a later minor version.
    #[repr(C)]
    struct Newer {
        known: Plugin,
        unknown: [u64; 8],
    }
    let target = target();
    let mut newer = Newer {
        known: plugin("newer", &target),
        unknown: [u64::MAX; 8],
    };
    newer.known.size = size_of::<Newer>();
    newer.known.minor = u32::MAX;
    newer.known.features = u64::MAX;
    // SAFETY: it is as large as it says.
    let offers = unsafe { accept((&raw const newer).cast()) }.unwrap();
    assert_eq!((offers.len(), newer.unknown.len()), (1, 8));
}

#[test]
fn pointers_that_point_nowhere() {
    // SAFETY: a pointer that is not aligned is not followed.
    let error = unsafe { accept(std::ptr::without_provenance(1)) }.unwrap_err();
    assert!(error.to_string().contains("crooked"), "{error}");
    refused("its list of 1 metrics", |plugin, _| {
        plugin.metrics = std::ptr::null();
    });
    refused("its list of 1 metrics", |plugin, _| {
        plugin.metrics = std::ptr::without_provenance(3);
    });
    refused("its list of 4097 metrics", |plugin, _| {
        plugin.metrics_len = 4097;
    });
    refused("metrics at", |plugin, _| plugin.metrics_len = usize::MAX);
    refused("tasks at", |plugin, _| {
        plugin.tasks_len = 1;
        plugin.libtorch = Str::borrow(LIBTORCH);
    });
    let target = target();
    let mut plugin = plugin("mine", &target);
    for pointer in [std::ptr::null(), std::ptr::without_provenance(9)] {
        let metrics = [pointer];
        plugin.metrics = metrics.as_ptr();
        plugin.metrics_len = 1;
        // SAFETY: pointers that are null or not aligned are not followed.
        let error = unsafe { accept(&raw const plugin) }.unwrap_err();
        assert!(
            error.to_string().contains("metric struct is missing"),
            "{error}"
        );
    }
}

#[test]
fn another_machine() {
    let error = outcome(|plugin, _| {
        plugin.target = Str::borrow("sparc-solaris");
        // Nothing else of it is looked at.
        plugin.name = GARBLED;
        plugin.metrics = std::ptr::dangling();
    })
    .unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "the plugin was compiled for `sparc-solaris`, the host for `{}`",
            target()
        )
    );
    refused("the plugin was compiled for ``", |plugin, _| {
        plugin.target = Str::EMPTY;
    });
}

#[test]
fn another_libtorch() {
    for libtorch in ["", "2.10.0", "2.11.0 ", "2.11"] {
        refused(
            &format!("built with libtorch `{libtorch}`, the host with `{LIBTORCH}`"),
            |plugin, _| {
                plugin.libtorch = Str::borrow(libtorch);
                plugin.tasks_len = 1;
                plugin.tasks = std::ptr::dangling();
            },
        );
    }
    // Without tasks it makes no difference.
    assert!(outcome(|plugin, _| plugin.libtorch = Str::borrow("1.0")).is_ok());
}

#[test]
fn texts_that_are_none() {
    type Place = fn(&mut Plugin, &mut MetricTable) -> *mut Str;
    let places: [(&str, Place); 10] = [
        ("target of the plugin", |plugin, _| &raw mut plugin.target),
        ("name", |plugin, _| &raw mut plugin.name),
        ("libtorch version", |plugin, _| &raw mut plugin.libtorch),
        ("version of the plugin", |plugin, _| &raw mut plugin.version),
        ("SDK version", |plugin, _| &raw mut plugin.sdk),
        ("compiler", |plugin, _| &raw mut plugin.compiler),
        ("name", |_, metric| &raw mut metric.name),
        ("documentation", |_, metric| &raw mut metric.docs),
        ("schema", |_, metric| &raw mut metric.schema),
        ("default configuration", |_, metric| {
            &raw mut metric.defaults
        }),
    ];
    for (what, place) in places {
        for (text, expected) in [
            (GARBLED, "is not UTF-8 (from byte 0): `\\xff\\xfe`"),
            (NOWHERE, "is no text"),
            (ENDLESS, "is no text"),
        ] {
            // SAFETY: the place is in one of the two structs.
            refused(what, |plugin, metric| unsafe {
                place(plugin, metric).write(text);
            });
            // SAFETY: as above.
            refused(expected, |plugin, metric| unsafe {
                place(plugin, metric).write(text);
            });
        }
    }
}

#[test]
fn names_that_are_none() {
    let long = "x".repeat(101);
    for name in [
        "",
        "Half",
        "ha lf",
        "h\u{e4}lf",
        "half\n",
        "../half",
        "half:k=1",
        &long,
    ] {
        refused("is no name", |plugin, _| plugin.name = Str::borrow(name));
        refused("is no name", |_, metric| metric.name = Str::borrow(name));
    }
    // What is shown of it cannot steer a terminal or fill it.
    let error = outcome(|plugin, _| plugin.name = Str::borrow("\u{1b}[2J")).unwrap_err();
    assert!(!error.to_string().contains('\u{1b}'), "{error}");
    let longer = long.repeat(1000);
    let error = outcome(|plugin, _| plugin.name = Str::borrow(&longer)).unwrap_err();
    assert!(error.to_string().len() < 300, "{error}");
}

#[test]
fn documents_that_are_none() {
    for (text, expected) in [
        ("{", "is no JSON"),
        ("[]", "is no JSON object"),
        ("7", "is no JSON object"),
        ("null", "is no JSON object"),
        ("{} {}", "is no JSON"),
        (" ", "is no JSON"),
    ] {
        refused(
            &format!("metric `half`: the schema {expected}"),
            |_, metric| {
                metric.schema = Str::borrow(text);
            },
        );
        refused(
            &format!("metric `half`: the default configuration {expected}"),
            |_, metric| metric.defaults = Str::borrow(text),
        );
    }
    let deep = "[".repeat(1_000_000);
    refused("recursion limit", |_, metric| {
        metric.schema = Str::borrow(&deep);
    });
    refused("`properties` of the schema", |_, metric| {
        metric.schema = Str::borrow(r#"{"properties": ["k"]}"#);
    });
    // Without a schema the defaults name the keys.
    let offers = outcome(|_, metric| metric.schema = Str::EMPTY).unwrap();
    assert_eq!(
        offers[0].metrics[0].schema,
        json!({"type": "object", "properties": {"k": {}}, "description": "Always one half."})
    );
}

#[test]
fn tables_that_are_not_whole() {
    let missing = "`create`, `evaluate` or `destroy` is missing";
    refused(missing, |_, metric| metric.create = None);
    refused(missing, |_, metric| metric.evaluate = None);
    refused(missing, |_, metric| metric.destroy = None);
    for (low, high) in [(f64::NAN, 1.0), (0.0, f64::NAN), (1.0, 0.0)] {
        refused("holds nothing", |_, metric| {
            (metric.low, metric.high) = (low, high);
        });
    }
    for code in [4, u32::MAX] {
        refused("is not known here", |_, metric| metric.kind = code);
    }
    for code in [2, u32::MAX] {
        refused("is neither 0 (minimise) nor 1 (maximise)", |_, metric| {
            metric.direction = code;
        });
    }
    // Flags of a later minor version are none of this host's business.
    assert!(outcome(|_, metric| metric.flags = u64::MAX).is_ok());
}

#[test]
fn names_that_stand_there_twice() {
    let one = metric("half");
    let metrics = [&raw const one, &raw const one];
    let target = target();
    let mut first = plugin("mine", &target);
    first.metrics = metrics.as_ptr();
    first.metrics_len = 2;
    // SAFETY: all of it lives until the end of the test.
    let error = unsafe { accept(&raw const first) }.unwrap_err();
    assert!(
        error
            .to_string()
            .ends_with("plugin `mine`: it registers metric `half` twice"),
        "{error}"
    );
    first.metrics_len = 1;
    let mut second = first;
    second.next = &raw const first;
    // SAFETY: as above.
    let error = unsafe { accept(&raw const second) }.unwrap_err();
    assert!(
        error.to_string().ends_with("it holds two packages `mine`"),
        "{error}"
    );
}

#[test]
fn lists_without_an_end() {
    let target = target();
    let mut circle = plugin("circle", &target);
    circle.next = &raw const circle;
    // SAFETY: all of it lives until the end of the test.
    let error = unsafe { accept(&raw const circle) }.unwrap_err();
    assert!(
        error.to_string().contains("two packages `circle`"),
        "{error}"
    );

    let names: Vec<String> = (0..=MAX_ENTRIES).map(|at| format!("p{at}")).collect();
    let mut plugins: Vec<Plugin> = names.iter().map(|name| plugin(name, &target)).collect();
    let first = plugins.as_mut_ptr();
    for at in 1..plugins.len() {
        // SAFETY: both are in the list.
        unsafe { (*first.add(at - 1)).next = first.add(at) };
    }
    // SAFETY: as above.
    let error = unsafe { accept(first) }.unwrap_err();
    assert!(error.to_string().contains("has no end"), "{error}");
}

/// Puts in, takes out and replaces a few bytes.
fn mutate(bytes: &mut Vec<u8>, rng: &mut Pcg64Mcg) {
    const LIKELY: &[u8] = b"{}[]\",:\\ -_.0123456789abcxyz\n\0\x1b\x7f\x80\xc3\xff";
    for _ in 0..rng.random_range(1..4) {
        let at = rng.random_range(0..=bytes.len());
        let byte = if rng.random_range(0..4) == 0 {
            rng.random_range(0..=255_u32) as u8
        } else {
            LIKELY[rng.random_range(0..LIKELY.len())]
        };
        match rng.random_range(0..8) {
            0..3 => bytes.insert(at, byte),
            3 => bytes.truncate(at),
            _ if at == bytes.len() => bytes.push(byte),
            4 => drop(bytes.remove(at)),
            _ => bytes[at] = byte,
        }
    }
}

fn lend(bytes: &[u8]) -> Str {
    Str {
        data: bytes.as_ptr().cast(),
        len: bytes.len(),
    }
}

#[test]
fn ten_thousand_damaged_handshakes() {
    let mut rng = Pcg64Mcg::seed_from_u64(1);
    let target = target();
    let originals: [&str; 10] = [
        "mine",
        "1.2.3",
        &target,
        "metricopt-sdk 0.1.0",
        "rustc",
        LIBTORCH,
        "half",
        "Always *one* half.",
        r#"{"type": "object", "properties": {"k": {"type": "number", "description": "\u00e9 how many"}}}"#,
        r#"{"k": 1.0, "list": [1, "a\n"], "deep": {"x": null}}"#,
    ];
    let mut counts = [0_u32; 2];
    for _ in 0..10_000 {
        let mut texts = originals.map(|text| text.as_bytes().to_vec());
        mutate(&mut texts[rng.random_range(0..10)], &mut rng);
        let [
            name,
            version,
            target,
            sdk,
            compiler,
            libtorch,
            metric,
            docs,
            schema,
            defaults,
        ] = texts.each_ref().map(|text| lend(text));
        let found = outcome(|plugin, table| {
            (plugin.name, plugin.version, plugin.target) = (name, version, target);
            (plugin.sdk, plugin.compiler, plugin.libtorch) = (sdk, compiler, libtorch);
            (table.name, table.docs) = (metric, docs);
            (table.schema, table.defaults) = (schema, defaults);
        });
        match found {
            Ok(offers) => {
                let entry = &offers[0].metrics[0];
                assert!(entry.schema.is_object() && entry.defaults.is_object());
                assert!(entry.create(&entry.defaults).is_ok());
                counts[0] += 1;
            }
            Err(error) => {
                assert!(!error.to_string().is_empty() && !error.hints().is_empty());
                counts[1] += 1;
            }
        }
    }
    assert!(counts.iter().all(|&count| count > 1000), "{counts:?}");
}

/// Every kind of value that a configuration may hold.
#[derive(Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Options {
    number: f64,
    count: u32,
    text: String,
    list: Vec<i64>,
    maybe: Option<bool>,
}

impl Metric for Options {
    const NAME: &'static str = "options";
    const DIRECTION: Direction = Direction::Minimise;
    type Input<'a> = Classification<'a>;

    fn check(&self) -> Result<()> {
        if self.count > 5 {
            return Err(Error::configuration("`count` is too large"));
        }
        Ok(())
    }

    fn evaluate(&self, _: Classification<'_>) -> Result<f64> {
        Ok(self.number)
    }
}

#[test]
fn ten_thousand_damaged_configurations() {
    // As in a plugin a static holds it: what is exported is never freed.
    // SAFETY: what the SDK exports is whole.
    static TABLE: LazyLock<&MetricTable> =
        LazyLock::new(|| unsafe { &*super::metric::export(MetricEntry::of::<Options>()) });
    let table: &MetricTable = &TABLE;
    let (Some(create), Some(destroy)) = (table.create, table.destroy) else {
        panic!("the SDK exports both")
    };
    let original =
        r#"{"number": 2.5, "count": 3, "text": "a\"\u00e9", "list": [1, -2], "maybe": true}"#;
    let mut rng = Pcg64Mcg::seed_from_u64(2);
    let mut counts = [0_u32; 2];
    for _ in 0..10_000 {
        let mut config = original.as_bytes().to_vec();
        mutate(&mut config, &mut rng);
        let mut handle = std::ptr::null_mut();
        let mut error = Collector::default();
        // SAFETY: context and functions are the table's, and the rest lives for the duration of the call.
        let status = unsafe {
            let status = create(table.context, lend(&config), &raw mut handle, error.sink());
            if status == Status::OK.0 {
                destroy(handle);
            }
            status
        };
        if status == Status::OK.0 {
            assert!(error.text().is_empty());
            counts[0] += 1;
        } else {
            let error = failure(status, &error.text());
            assert!(
                matches!(error.kind(), ErrorKind::Configuration | ErrorKind::Failed),
                "{status}: {error}"
            );
            assert!(handle.is_null() && !error.to_string().starts_with("panicked"));
            counts[1] += 1;
        }
    }
    assert!(counts.iter().all(|&count| count > 100), "{counts:?}");
}
