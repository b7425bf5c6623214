//! A metric across the boundary: its table on the plugin's side, a [`MetricEntry`] on the host's.

#![expect(unsafe_code, reason = "calls and implements functions of a C table")]

use serde_json::{Value, json};
use std::ffi::c_void;
use std::mem::size_of;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use super::failure::{Status, failure, run};
use super::text::Collector;
use super::types::{Call, Candidate, MetricTable, Sink, Str, View, direction, kind, metric_flags};
use super::{table, views};
use crate::metric::within;
use crate::{Direction, DynMetric, Error, Kind, MetricEntry, Result, Views};

/// The table of a metric, for the life of the process.
pub(super) fn export(entry: MetricEntry) -> *const MetricTable {
    let entry: &'static MetricEntry = Box::leak(Box::new(entry));
    let flags = [
        (true, metric_flags::CONCURRENT),
        (entry.rank_based, metric_flags::RANK_BASED),
        (entry.ties_by_index, metric_flags::TIES_BY_INDEX),
    ];
    Box::leak(Box::new(MetricTable {
        size: size_of::<MetricTable>(),
        context: (&raw const *entry).cast(),
        name: Str::borrow(&entry.name),
        docs: Str::EMPTY,
        schema: lasting(&entry.schema),
        defaults: lasting(&entry.defaults),
        kind: kind_code(entry.kind),
        direction: match entry.direction {
            Direction::Minimise => direction::MINIMISE,
            Direction::Maximise => direction::MAXIMISE,
        },
        flags: flags
            .iter()
            .filter(|(is_set, _)| *is_set)
            .map(|(_, flag)| flag)
            .sum(),
        low: entry.range.0,
        high: entry.range.1,
        create: Some(create),
        evaluate: Some(evaluate),
        destroy: Some(destroy),
        evaluate_many: entry.population.then_some(evaluate_many),
        configuration: Some(configuration),
    }))
}

/// JSON text that lives as long as the process.
pub(super) fn lasting(json: &Value) -> Str {
    Str::borrow(Box::leak(json.to_string().into_boxed_str()))
}

pub(super) fn kind_code(kind: Kind) -> u32 {
    match kind {
        Kind::Classification => kind::CLASSIFICATION,
        Kind::Retrieval => kind::RETRIEVAL,
        Kind::Detection => kind::DETECTION,
        Kind::Named => kind::NAMED,
    }
}

pub(super) fn kind_of(code: u32) -> Result<Kind> {
    match code {
        kind::CLASSIFICATION => Ok(Kind::Classification),
        kind::RETRIEVAL => Ok(Kind::Retrieval),
        kind::DETECTION => Ok(Kind::Detection),
        kind::NAMED => Ok(Kind::Named),
        _ => Err(Error::failed(format!(
            "the prediction kind {code} is not known here"
        ))),
    }
}

/// What a handle points to.
type Handle = Box<dyn DynMetric>;

/// Reads a configuration that came as text.
///
/// # Safety
///
/// The text must live for the duration of the call.
pub(super) unsafe fn configuration_from(text: Str) -> Result<Value> {
    // SAFETY: as the caller vouches.
    let text = unsafe { text.text("configuration") }?;
    serde_json::from_str(text)
        .map_err(|error| Error::configuration(format!("the configuration is no JSON: {error}")))
}

unsafe extern "C" fn create(
    context: *const c_void,
    config: Str,
    handle: *mut *mut c_void,
    error: Sink,
) -> i32 {
    run(error, || {
        // SAFETY: the host gives back the context of this table, an entry that is never freed.
        let entry = unsafe { &*context.cast::<MetricEntry>() };
        // SAFETY: the host vouches for the text during the call.
        let config = unsafe { configuration_from(config) }?;
        let metric: Handle = entry.create(&config)?;
        // SAFETY: the host gives a place for the handle.
        unsafe { handle.write(Box::into_raw(Box::new(metric)).cast()) };
        Ok(())
    })
}

/// The metric behind a handle.
///
/// # Safety
///
/// The handle must come from [`create`] and not have been destroyed.
unsafe fn metric<'a>(handle: *mut c_void) -> &'a dyn DynMetric {
    // SAFETY: as the caller vouches.
    unsafe { &*handle.cast::<Handle>() }.as_ref()
}

unsafe extern "C" fn evaluate(
    handle: *mut c_void,
    views: *const View,
    views_len: usize,
    call: *const Call,
    value: *mut f64,
    error: Sink,
) -> i32 {
    run(error, || {
        // SAFETY: the host vouches for handle, views, call and the place of the value during the call.
        unsafe {
            let metric = metric(handle);
            let tensors = views::borrow(views, views_len)?;
            let found =
                views::borrow_call(call, |call| metric.evaluate(&Views::new(&tensors), call))?;
            value.write(found);
        }
        Ok(())
    })
}

unsafe extern "C" fn evaluate_many(
    handle: *mut c_void,
    candidates: *const Candidate,
    candidates_len: usize,
    call: *const Call,
    values: *mut f64,
    error: Sink,
) -> i32 {
    run(error, || {
        if candidates_len == 0 {
            return Ok(());
        }
        // SAFETY: the host vouches for handle, candidates, call and the places of the values during the call.
        unsafe {
            let metric = metric(handle);
            let tensors = views::borrow_many(candidates, candidates_len)?;
            let views: Vec<Views<'_>> = tensors.iter().map(|tensors| Views::new(tensors)).collect();
            let found = views::borrow_call(call, |call| {
                metric
                    .evaluate_many(&views, call)
                    .unwrap_or_else(|| Err(Error::unsupported("no population form")))
            })?;
            for (index, found) in found.into_iter().enumerate().take(candidates_len) {
                values.add(index).write(found);
            }
        }
        Ok(())
    })
}

unsafe extern "C" fn configuration(handle: *mut c_void, json: Sink) -> i32 {
    run(json, || {
        // SAFETY: the host vouches for the handle.
        json.put(&unsafe { metric(handle) }.config().to_string());
        Ok(())
    })
}

unsafe extern "C" fn destroy(handle: *mut c_void) {
    if !handle.is_null() {
        // A panic in the author's `Drop` is caught and logged where the metric was wrapped.
        // SAFETY: the host ends a handle once.
        drop(unsafe { Box::from_raw(handle.cast::<Handle>()) });
    }
}

/// The host's view of a table.
///
/// # Errors
///
/// What of the table cannot be used.
///
/// # Safety
///
/// The table must be what the ABI says, for the life of the process.
pub(super) unsafe fn import(table: *const MetricTable) -> Result<MetricEntry> {
    // SAFETY: as the caller vouches.
    let table = unsafe { table::read(table) }?;
    // SAFETY: as the caller vouches.
    let name = unsafe { name_from(table.name) }?;
    let explain = |error: Error| error.context(format!("metric `{name}`"));
    if table.create.is_none() || table.evaluate.is_none() || table.destroy.is_none() {
        return Err(explain(Error::failed(
            "`create`, `evaluate` or `destroy` is missing",
        )));
    }
    if table.low.is_nan() || table.high.is_nan() || table.low > table.high {
        return Err(explain(Error::failed(format!(
            "the range [{}, {}] holds nothing",
            table.low, table.high
        ))));
    }
    let kind = kind_of(table.kind).map_err(explain)?;
    let direction = match table.direction {
        direction::MINIMISE => Direction::Minimise,
        direction::MAXIMISE => Direction::Maximise,
        other => {
            return Err(explain(Error::failed(format!(
                "the direction {other} is neither 0 (minimise) nor 1 (maximise)"
            ))));
        }
    };
    // SAFETY: as the caller vouches.
    let (schema, defaults) =
        unsafe { documents_from(table.docs, table.schema, table.defaults) }.map_err(explain)?;
    let range = (table.low, table.high);
    let mut entry = MetricEntry::new(name, kind, move |config| {
        Loaded::create(&table, range, config).map(|metric| Box::new(metric) as _)
    });
    entry.direction = direction;
    entry.range = range;
    entry.rank_based = table.flags & metric_flags::RANK_BASED != 0;
    entry.ties_by_index = table.flags & metric_flags::TIES_BY_INDEX != 0;
    entry.population = table.evaluate_many.is_some();
    entry.schema = schema;
    entry.defaults = defaults;
    Ok(entry)
}

/// The name of a metric or task.
///
/// # Safety
///
/// The text must live for the duration of the call.
pub(super) unsafe fn name_from(name: Str) -> Result<String> {
    // SAFETY: as the caller vouches.
    let name = unsafe { name.text("name") }?;
    let fits =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_".contains(&byte);
    if name.is_empty() || name.len() > 100 || !name.bytes().all(fits) {
        return Err(Error::failed(format!(
            "`{}` is no name: lower case letters, digits and hyphens",
            name.escape_debug()
                .to_string()
                .chars()
                .take(80)
                .collect::<String>()
        )));
    }
    Ok(name.to_owned())
}

/// A JSON object that a table holds as text; none if the text is empty.
///
/// # Safety
///
/// As [`Str::text`].
///
/// # Errors
///
/// If it is anything else; `what` names it.
pub(super) unsafe fn object_from(text: Str, what: &str) -> Result<Option<Value>> {
    // SAFETY: as the caller vouches.
    let text = unsafe { text.text(what) }?;
    if text.is_empty() {
        return Ok(None);
    }
    match serde_json::from_str(text) {
        Ok(value @ Value::Object(_)) => Ok(Some(value)),
        Ok(_) => Err(Error::failed(format!("the {what} is no JSON object"))),
        Err(error) => Err(Error::failed(format!("the {what} is no JSON: {error}"))),
    }
}

/// Schema, with a description, and defaults.
///
/// # Safety
///
/// The texts must live for the duration of the call.
pub(super) unsafe fn documents_from(
    docs: Str,
    schema: Str,
    defaults: Str,
) -> Result<(Value, Value)> {
    // SAFETY: as the caller vouches.
    let (docs, schema, defaults) = unsafe {
        (
            docs.text("documentation")?,
            object_from(schema, "schema")?,
            object_from(defaults, "default configuration")?,
        )
    };
    let defaults = defaults.unwrap_or_else(|| json!({}));
    // Without a schema the defaults say which keys there are.
    let keys = || {
        let keys = defaults.as_object().into_iter().flatten();
        let properties: Value = keys.map(|(key, _)| (key.clone(), json!({}))).collect();
        json!({ "type": "object", "properties": properties })
    };
    let mut schema = schema.unwrap_or_else(keys);
    if schema
        .get("properties")
        .is_some_and(|properties| !properties.is_object())
    {
        return Err(Error::failed(
            "the `properties` of the schema are no JSON object",
        ));
    }
    if !schema["description"].is_string() && !docs.is_empty() {
        schema["description"] = json!(docs);
    }
    Ok((schema, defaults))
}

/// A configured metric behind a handle.
struct Loaded {
    table: MetricTable,
    handle: *mut c_void,
    range: (f64, f64),
    config: Value,
    /// Who is inside, unless the metric declares itself concurrent.
    turn: Option<Mutex<()>>,
    panicked: AtomicBool,
}

// SAFETY: the ABI lets a handle move between threads; several are inside at once only where the metric declares it.
unsafe impl Send for Loaded {}
// SAFETY: as above: `turn` keeps the others out.
unsafe impl Sync for Loaded {}

// SAFETY: the table's context is given back to its own functions only, which may be called from any thread.
unsafe impl Send for MetricTable {}
// SAFETY: as above; the table itself is never written.
unsafe impl Sync for MetricTable {}

impl Loaded {
    fn create(table: &MetricTable, range: (f64, f64), config: &Value) -> Result<Self> {
        let mut handle = std::ptr::null_mut();
        let mut error = Collector::default();
        let text = config.to_string();
        let status = match table.create {
            // SAFETY: context and function belong to this table; all else lives for the duration of the call.
            Some(create) => unsafe {
                create(
                    table.context,
                    Str::borrow(&text),
                    &raw mut handle,
                    error.sink(),
                )
            },
            None => Status::UNSUPPORTED.0,
        };
        if Status(status) != Status::OK {
            return Err(failure(status, &error.text()));
        }
        let mut this = Self {
            table: *table,
            handle,
            range,
            config: config.clone(),
            turn: (table.flags & metric_flags::CONCURRENT == 0).then(Mutex::default),
            panicked: AtomicBool::new(false),
        };
        if let Some(configuration) = table.configuration {
            let mut json = Collector::default();
            // SAFETY: the handle is this table's.
            let status = unsafe { configuration(handle, json.sink()) };
            this.done(status, &json)?;
            this.config = serde_json::from_str(&json.text()).map_err(|error| {
                Error::failed(format!("the configuration it reports is no JSON: {error}"))
            })?;
        }
        Ok(this)
    }

    /// Calls a function of the table, if it may be called still.
    fn call(&self, function: impl FnOnce(Sink) -> i32) -> Result<()> {
        if self.panicked.load(Ordering::Relaxed) {
            return Err(Error::failed("panicked before, and is not called again"));
        }
        let _turn = self
            .turn
            .as_ref()
            .map(|turn| turn.lock().unwrap_or_else(PoisonError::into_inner));
        let mut error = Collector::default();
        let status = function(error.sink());
        self.done(status, &error)
    }

    fn done(&self, status: i32, error: &Collector) -> Result<()> {
        match Status(status) {
            Status::OK => Ok(()),
            status => {
                self.panicked
                    .fetch_or(status == Status::PANIC, Ordering::Relaxed);
                Err(failure(status.0, &error.text()))
            }
        }
    }
}

impl DynMetric for Loaded {
    fn evaluate(&self, views: &Views<'_>, call: &crate::Call<'_>) -> Result<f64> {
        let Some(evaluate) = self.table.evaluate else {
            return Err(Error::unsupported("`evaluate` is missing"));
        };
        let views = views::lend(views);
        let mut value = f64::NAN;
        views::lend_call(call, |call| {
            // SAFETY: the handle is this table's; all else lives for the duration of the call.
            self.call(|error| unsafe {
                evaluate(
                    self.handle,
                    views.as_ptr(),
                    views.len(),
                    call,
                    &raw mut value,
                    error,
                )
            })
        })?;
        within(self.range, value)
    }

    fn evaluate_many(
        &self,
        candidates: &[Views<'_>],
        call: &crate::Call<'_>,
    ) -> Option<Result<Vec<f64>>> {
        let evaluate_many = self.table.evaluate_many?;
        let mut values = vec![f64::NAN; candidates.len()];
        let done = views::lend_many(candidates, |candidates| {
            views::lend_call(call, |call| {
                // SAFETY: the handle is this table's; all else lives for the duration of the call.
                self.call(|error| unsafe {
                    evaluate_many(
                        self.handle,
                        candidates.as_ptr(),
                        candidates.len(),
                        call,
                        values.as_mut_ptr(),
                        error,
                    )
                })
            })
        });
        Some(done.and_then(|()| {
            let values = values.into_iter();
            values.map(|value| within(self.range, value)).collect()
        }))
    }

    fn config(&self) -> Value {
        self.config.clone()
    }
}

impl Drop for Loaded {
    fn drop(&mut self) {
        if let Some(destroy) = self.table.destroy {
            // SAFETY: the handle is this table's, and this is its end.
            unsafe { destroy(self.handle) }
        }
    }
}
