//! A task across the boundary: its table on the plugin's side, a [`TaskEntry`] on the host's.
//!
//! Tensors cross as `at::Tensor` pointers: the loader gives the host and all plugins one libtorch, which owns their
//! reference counts.

#![expect(unsafe_code, reason = "calls and implements functions of a C table")]

use serde_json::Value;
use std::cell::Cell;
use std::ffi::c_void;
use std::mem::{ManuallyDrop, size_of};
use std::path::Path;
use tch::{Device, Tensor};

use super::failure::{Status, failure, run};
use super::metric::{
    configuration_from, documents_from, kind_code, kind_of, lasting, name_from, object_from,
};
use super::text::Collector;
use super::types::{
    Batch, Call, Candidate, DLDevice, Emit, Open, Rows, Sink, Str, TaskTable, dlpack,
};
use super::{table, views};
use crate::task::not_folded;
use crate::{
    Context, Description, DynTask, Error, Gradients, NamedTensor, Part, Result, Split, TaskEntry,
    Views, panics,
};

/// A CUDA device, in DLPack.
const CUDA: i32 = 2;

/// The table of a task, for the life of the process.
pub(super) fn export(entry: TaskEntry) -> *const TaskTable {
    let entry: &'static TaskEntry = Box::leak(Box::new(entry));
    Box::leak(Box::new(TaskTable {
        size: size_of::<TaskTable>(),
        context: (&raw const *entry).cast(),
        name: Str::borrow(&entry.name),
        docs: Str::EMPTY,
        schema: lasting(&entry.schema),
        defaults: lasting(&entry.defaults),
        metric: Str::borrow(&entry.metric),
        kind: kind_code(entry.kind),
        reserved: 0,
        flags: 0,
        open: Some(open),
        describe: Some(describe),
        gradients: Some(gradients),
        predict: Some(predict),
        close: Some(close),
        check: Some(check),
        fold: Some(fold),
        engine_defaults: lasting(&entry.engine_defaults),
    }))
}

/// What a handle points to.
type Handle = Box<dyn DynTask>;

unsafe extern "C" fn check(context: *const c_void, config: Str, error: Sink) -> i32 {
    run(error, || {
        // SAFETY: the host gives back the context of this table, an entry that is never freed.
        let entry = unsafe { &*context.cast::<TaskEntry>() };
        // SAFETY: the host vouches for the text during the call.
        entry.check(&unsafe { configuration_from(config) }?)
    })
}

unsafe extern "C" fn open(
    context: *const c_void,
    config: Str,
    open: *const Open,
    handle: *mut *mut c_void,
    error: Sink,
) -> i32 {
    run(error, || {
        // SAFETY: the host gives back the context of this table, an entry that is never freed.
        let entry = unsafe { &*context.cast::<TaskEntry>() };
        // SAFETY: the host vouches for the struct and its texts during the call.
        let (config, open) = unsafe { (configuration_from(config)?, table::read(open)?) };
        // SAFETY: as above.
        let cache = unsafe { open.cache.text("cache folder") }?;
        let device = match open.device {
            DLDevice {
                device_type: dlpack::CPU,
                ..
            } => Device::Cpu,
            DLDevice {
                device_type: CUDA,
                device_id,
            } => Device::Cuda(usize::try_from(device_id).unwrap_or(0)),
            other => {
                return Err(Error::unsupported(format!(
                    "devices of type {}",
                    other.device_type
                )));
            }
        };
        let progress = |doing: &str, done: u64, total: u64| {
            if let Some(progress) = open.progress {
                // SAFETY: the function belongs to this context and is called from this thread.
                unsafe { progress(open.context, Str::borrow(doing), done, total) }
            }
        };
        // SAFETY: the host vouches for the call struct meanwhile.
        let task: Handle = unsafe {
            views::borrow_call(open.call, |call| {
                let context = Context {
                    device,
                    seed: open.seed,
                    cache: (!cache.is_empty()).then(|| Path::new(cache)),
                    progress: &progress,
                    call: *call,
                };
                entry.open(&config, &context)
            })
        }?;
        // SAFETY: the host gives a place for the handle.
        unsafe { handle.write(Box::into_raw(Box::new(task)).cast()) };
        Ok(())
    })
}

/// The task behind a handle.
///
/// # Safety
///
/// The handle must come from [`open`] and not have been closed.
unsafe fn task<'a>(handle: *mut c_void) -> &'a dyn DynTask {
    // SAFETY: as the caller vouches.
    unsafe { &*handle.cast::<Handle>() }.as_ref()
}

unsafe extern "C" fn describe(handle: *mut c_void, json: Sink, error: Sink) -> i32 {
    run(error, || {
        // SAFETY: the host vouches for the handle.
        let description = unsafe { task(handle) }.describe();
        let text = serde_json::to_string(&description)
            .map_err(|error| Error::failed(format!("cannot write JSON: {error}")))?;
        json.put(&text);
        Ok(())
    })
}

unsafe extern "C" fn gradients(
    handle: *mut c_void,
    phis: *mut c_void,
    batches: *const *const Batch,
    batches_len: usize,
    call: *const Call,
    losses: *mut f64,
    gradients: *mut *mut c_void,
    error: Sink,
) -> i32 {
    run(error, || {
        // SAFETY: the host vouches for handle, tensor, batches and call during the call.
        let found = unsafe {
            let phis = Tensor::clone_from_ptr(phis.cast());
            let batches: Result<Vec<crate::Batch<'_>>> = (0..batches_len)
                .map(|index| batch_from(*batches.add(index)))
                .collect();
            let batches = batches?;
            views::borrow_call(call, |call| task(handle).gradients(&phis, &batches, call))
        }?;
        if found.losses.len() != batches_len {
            return Err(Error::failed(format!(
                "the task returned {} losses for {batches_len} adapters",
                found.losses.len()
            )));
        }
        // SAFETY: the host gives places for as many losses as batches, and for the tensor, which is its own now.
        unsafe {
            for (index, loss) in found.losses.into_iter().enumerate() {
                losses.add(index).write(loss);
            }
            gradients.write(ManuallyDrop::new(found.gradients).as_mut_ptr().cast());
        }
        Ok(())
    })
}

fn split_from(code: u32) -> Result<Split> {
    match code {
        0 => Ok(Split::Train),
        1 => Ok(Split::Validation),
        2 => Ok(Split::Test),
        _ => Err(Error::unsupported(format!("the split {code}"))),
    }
}

/// # Safety
///
/// The pointer must be what the ABI says, for as long as `'a`.
unsafe fn batch_from<'a>(batch: *const Batch) -> Result<crate::Batch<'a>> {
    // SAFETY: as the caller vouches.
    let batch = unsafe { table::read(batch) }?;
    let class_weights = if batch.class_weights.is_null() {
        &[]
    } else {
        // SAFETY: as the caller vouches.
        unsafe { std::slice::from_raw_parts(batch.class_weights, batch.class_weights_len) }
    };
    Ok(crate::Batch {
        split: split_from(batch.split)?,
        seed: batch.seed,
        step: batch.step,
        size: batch.rows as usize,
        fraction: batch.fraction,
        class_weights,
    })
}

/// # Safety
///
/// The pointer must be what the ABI says.
unsafe fn rows_from(rows: *const Rows) -> Result<crate::Rows> {
    // SAFETY: as the caller vouches.
    let rows = unsafe { table::read(rows) }?;
    let part = match rows.part {
        0 => Part::All,
        1 => Part::Fold {
            index: rows.fold as usize,
            count: rows.folds as usize,
        },
        2 => Part::Sample {
            seed: rows.seed,
            size: rows.units as usize,
        },
        other => return Err(Error::unsupported(format!("the part {other}"))),
    };
    Ok(crate::Rows {
        split: split_from(rows.split)?,
        part,
    })
}

/// Gives tensors to the host.
fn hand_over(emit: &Emit, first: usize, candidates: &[Views<'_>]) -> Result<()> {
    views::lend_many(candidates, |candidates| {
        let refused = emit.emit.is_none_or(|function| {
            // SAFETY: the function belongs to this context; the candidates are borrowed for the call.
            let refused =
                unsafe { function(emit.context, first, candidates.as_ptr(), candidates.len()) };
            refused != 0
        });
        match refused {
            true => Err(Error::failed("the host refused what was emitted")),
            false => Ok(()),
        }
    })
}

unsafe extern "C" fn predict(
    handle: *mut c_void,
    phis: *mut c_void,
    rows: *const Rows,
    call: *const Call,
    emit: Emit,
    error: Sink,
) -> i32 {
    run(error, || {
        let mut hand_over =
            |first: usize, candidates: &[Views<'_>]| hand_over(&emit, first, candidates);
        // SAFETY: the host vouches for handle, tensor, rows and call during the call.
        unsafe {
            let phis = Tensor::clone_from_ptr(phis.cast());
            let rows = rows_from(rows)?;
            views::borrow_call(call, |call| {
                task(handle).predict(&phis, &rows, call, &mut hand_over)
            })
        }
    })
}

unsafe extern "C" fn fold(handle: *mut c_void, phi: *mut c_void, emit: Emit, error: Sink) -> i32 {
    run(error, || {
        // SAFETY: the host vouches for handle and tensor during the call.
        let tensors = unsafe { task(handle).fold(&Tensor::clone_from_ptr(phi.cast())) }?;
        for (number, tensor) in tensors.iter().enumerate() {
            tensor.view(|view| hand_over(&emit, number, &[Views::new(&[view])]))?;
        }
        Ok(())
    })
}

unsafe extern "C" fn close(handle: *mut c_void) {
    if !handle.is_null() {
        // A panic in the author's `Drop` is caught and logged where the task was wrapped.
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
pub(super) unsafe fn import(table: *const TaskTable) -> Result<TaskEntry> {
    // SAFETY: as the caller vouches.
    let table = unsafe { table::read(table) }?;
    // SAFETY: as the caller vouches.
    let name = unsafe { name_from(table.name) }?;
    let explain = |error: Error| error.context(format!("task `{name}`"));
    let whole = table.open.is_some()
        && table.describe.is_some()
        && table.gradients.is_some()
        && table.predict.is_some()
        && table.close.is_some();
    if !whole {
        return Err(explain(Error::failed(
            "`open`, `describe`, `gradients`, `predict` or `close` is missing",
        )));
    }
    // SAFETY: as the caller vouches.
    let metric =
        unsafe { name_from(table.metric) }.map_err(|error| explain(error.context("its metric")))?;
    let kind = kind_of(table.kind).map_err(explain)?;
    // SAFETY: as the caller vouches.
    let (schema, defaults) =
        unsafe { documents_from(table.docs, table.schema, table.defaults) }.map_err(explain)?;
    // SAFETY: as the caller vouches.
    let engine_defaults = unsafe { object_from(table.engine_defaults, "defaults of the engine") };
    let engine_defaults = engine_defaults.map_err(explain)?;
    let mut entry = TaskEntry::new(
        name,
        kind,
        metric,
        move |config| check_config(&table, config),
        move |config, context| Ok(Box::new(Loaded::open(&table, config, context)?)),
    );
    entry.schema = schema;
    entry.defaults = defaults;
    if let Some(wanted) = engine_defaults {
        entry.engine_defaults = wanted;
    }
    Ok(entry)
}

fn check_config(table: &TaskTable, config: &Value) -> Result<()> {
    let Some(check) = table.check else {
        return Ok(());
    };
    let text = config.to_string();
    let mut error = Collector::default();
    // SAFETY: context and function belong to this table; all else lives for the duration of the call.
    let status = unsafe { check(table.context, Str::borrow(&text), error.sink()) };
    outcome(status, &error)
}

fn outcome(status: i32, error: &Collector) -> Result<()> {
    match Status(status) {
        Status::OK => Ok(()),
        _ => Err(failure(status, &error.text())),
    }
}

// SAFETY: the table's context is given back to its own functions only, which may be called from any thread.
unsafe impl Send for TaskTable {}
// SAFETY: as above; the table itself is never written.
unsafe impl Sync for TaskTable {}

/// An opened task behind a handle.
struct Loaded {
    table: TaskTable,
    handle: *mut c_void,
    description: Description,
    panicked: Cell<bool>,
}

// SAFETY: the ABI lets a handle move between threads; `Loaded` is not `Sync`, so that one thread at a time is inside.
unsafe impl Send for Loaded {}

impl Loaded {
    fn open(table: &TaskTable, config: &Value, context: &Context<'_>) -> Result<Self> {
        unsafe extern "C" fn progress(context: *mut c_void, doing: Str, done: u64, total: u64) {
            // SAFETY: the context is the `Context` below, and the text lives for the call.
            let (context, doing) =
                unsafe { (&*context.cast::<Context<'_>>(), doing.text("progress")) };
            (context.progress)(doing.unwrap_or_default(), done, total);
        }
        let missing = || Error::unsupported("`open` or `describe` is missing");
        let open = table.open.ok_or_else(missing)?;
        let describe = table.describe.ok_or_else(missing)?;
        let text = config.to_string();
        let mut handle = std::ptr::null_mut();
        let mut error = Collector::default();
        let status = views::lend_call(&context.call, |call| {
            let lent = Open {
                size: size_of::<Open>(),
                device: match context.device {
                    Device::Cuda(index) => DLDevice {
                        device_type: CUDA,
                        device_id: index as i32,
                    },
                    _ => DLDevice {
                        device_type: dlpack::CPU,
                        device_id: 0,
                    },
                },
                seed: context.seed,
                // A folder whose name is not UTF-8 cannot cross: then nothing is kept.
                cache: context
                    .cache
                    .and_then(Path::to_str)
                    .map_or(Str::EMPTY, Str::borrow),
                call,
                context: (&raw const *context).cast_mut().cast(),
                progress: Some(progress),
            };
            // SAFETY: context and function belong to this table; all else lives for the duration of the call.
            unsafe {
                open(
                    table.context,
                    Str::borrow(&text),
                    &raw const lent,
                    &raw mut handle,
                    error.sink(),
                )
            }
        });
        outcome(status, &error)?;
        let mut this = Self {
            table: *table,
            handle,
            description: Description {
                sites: Vec::new(),
                units: [0; 3],
                classes: None,
                facts: Vec::new(),
            },
            panicked: Cell::new(false),
        };
        let mut json = Collector::default();
        // SAFETY: the handle is this table's; the sinks live for the duration of the call.
        this.call(|error| unsafe { describe(handle, json.sink(), error) })?;
        this.description = serde_json::from_str(&json.text()).map_err(|error| {
            Error::failed(format!(
                "the task's description of itself is no use: {error}"
            ))
        })?;
        Ok(this)
    }

    /// Calls a function of the table, if it may be called still.
    fn call(&self, function: impl FnOnce(Sink) -> i32) -> Result<()> {
        if self.panicked.get() {
            return Err(Error::failed("panicked before, and is not called again"));
        }
        let mut error = Collector::default();
        let status = function(error.sink());
        self.panicked.set(Status(status) == Status::PANIC);
        outcome(status, &error)
    }
}

impl DynTask for Loaded {
    fn describe(&self) -> Description {
        self.description.clone()
    }

    fn gradients(
        &self,
        phis: &Tensor,
        batches: &[crate::Batch<'_>],
        call: &crate::Call<'_>,
    ) -> Result<Gradients> {
        let Some(gradients) = self.table.gradients else {
            return Err(Error::unsupported("`gradients` is missing"));
        };
        let lent: Vec<Batch> = batches.iter().map(lend_batch).collect();
        let pointers: Vec<*const Batch> = lent.iter().map(|batch| &raw const *batch).collect();
        let mut losses = vec![f64::NAN; batches.len()];
        let mut tensor = std::ptr::null_mut();
        views::lend_call(call, |call| {
            // SAFETY: the handle is this table's; all else lives for the duration of the call.
            self.call(|error| unsafe {
                gradients(
                    self.handle,
                    phis.as_ptr().cast_mut().cast(),
                    pointers.as_ptr(),
                    pointers.len(),
                    call,
                    losses.as_mut_ptr(),
                    &raw mut tensor,
                    error,
                )
            })
        })?;
        if tensor.is_null() {
            return Err(Error::failed("the task returned no gradients"));
        }
        Ok(Gradients {
            losses,
            // SAFETY: an `at::Tensor` of the one libtorch, which the ABI makes ours.
            gradients: unsafe { Tensor::from_ptr(tensor.cast()) },
        })
    }

    fn predict(
        &self,
        phis: &Tensor,
        rows: &crate::Rows,
        call: &crate::Call<'_>,
        emit: &mut crate::Emit<'_>,
    ) -> Result<()> {
        let Some(predict) = self.table.predict else {
            return Err(Error::unsupported("`predict` is missing"));
        };
        let rows = lend_rows(rows);
        receiving(emit, |lent| {
            views::lend_call(call, |call| {
                // SAFETY: the handle is this table's; all else lives for the duration of the call.
                self.call(|error| unsafe {
                    predict(
                        self.handle,
                        phis.as_ptr().cast_mut().cast(),
                        &raw const rows,
                        call,
                        lent,
                        error,
                    )
                })
            })
        })
    }

    fn fold(&self, phi: &Tensor) -> Result<Vec<NamedTensor>> {
        let Some(fold) = self.table.fold else {
            return Err(not_folded());
        };
        let mut tensors = Vec::new();
        let mut take = |number: usize, candidates: &[Views<'_>]| {
            let [candidate] = candidates else {
                return Err(Error::failed("the task emitted several tensors at once"));
            };
            let [view] = candidate.tensors() else {
                return Err(Error::failed("the task emitted several tensors at once"));
            };
            if number != tensors.len() {
                return Err(Error::failed(format!(
                    "the task emitted tensor {number} after {}",
                    tensors.len()
                )));
            }
            tensors.push(NamedTensor::copy_of(view)?);
            Ok(())
        };
        receiving(&mut take, |lent| {
            // SAFETY: the handle is this table's; all else lives for the duration of the call.
            self.call(|error| unsafe {
                fold(self.handle, phi.as_ptr().cast_mut().cast(), lent, error)
            })
        })?;
        Ok(tensors)
    }
}

impl Drop for Loaded {
    fn drop(&mut self) {
        if let Some(close) = self.table.close {
            // SAFETY: the handle is this table's, and this is its end.
            unsafe { close(self.handle) }
        }
    }
}

/// Calls a function of a plugin that emits.
fn receiving(emit: &mut crate::Emit<'_>, call: impl FnOnce(Emit) -> Result<()>) -> Result<()> {
    let mut receiver = Receiver { emit, failed: None };
    let done = call(Emit {
        context: (&raw mut receiver).cast(),
        emit: Some(receive),
    });
    // What went wrong on this side is the reason, not that the task gave up over it.
    match receiver.failed {
        Some(error) => Err(error),
        None => done,
    }
}

/// Takes what a task emits, and keeps the first error.
struct Receiver<'a, 'b> {
    emit: &'a mut crate::Emit<'b>,
    failed: Option<Error>,
}

unsafe extern "C" fn receive(
    context: *mut c_void,
    first: usize,
    candidates: *const Candidate,
    candidates_len: usize,
) -> i32 {
    // SAFETY: the context is the receiver of the running call, which nobody else uses meanwhile.
    let receiver = unsafe { &mut *context.cast::<Receiver<'_, '_>>() };
    // A panic of the engine must not travel through the plugin.
    let received = panics::guard(|| {
        if receiver.failed.is_some() {
            return Err(Error::failed("tensors after the host refused some"));
        }
        if candidates_len == 0 {
            return Ok(());
        }
        // SAFETY: the plugin vouches for the candidates and their tensors during the call.
        let tensors = unsafe { views::borrow_many(candidates, candidates_len) }?;
        let views: Vec<Views<'_>> = tensors.iter().map(|tensors| Views::new(tensors)).collect();
        (receiver.emit)(first, &views)
    });
    match received {
        Ok(()) => Status::OK.0,
        Err(error) => {
            receiver.failed.get_or_insert(error);
            Status::ERROR.0
        }
    }
}

fn lend_batch(batch: &crate::Batch<'_>) -> Batch {
    Batch {
        size: size_of::<Batch>(),
        split: batch.split as u32,
        reserved: 0,
        seed: batch.seed,
        step: batch.step,
        rows: batch.size as u64,
        fraction: batch.fraction,
        class_weights: batch.class_weights.as_ptr(),
        class_weights_len: batch.class_weights.len(),
    }
}

fn lend_rows(rows: &crate::Rows) -> Rows {
    let whole = Rows {
        size: size_of::<Rows>(),
        split: rows.split as u32,
        part: 0,
        fold: 0,
        folds: 0,
        seed: 0,
        units: 0,
    };
    match rows.part {
        Part::All => whole,
        Part::Fold { index, count } => Rows {
            part: 1,
            fold: index as u64,
            folds: count as u64,
            ..whole
        },
        Part::Sample { seed, size } => Rows {
            part: 2,
            seed,
            units: size as u64,
            ..whole
        },
    }
}

#[cfg(test)]
mod tests;
