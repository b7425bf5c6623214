//! Code of others: every call is guarded against panics, named in errors, and known while it runs.

use metricopt_sdk::tch::{Kind as Dtype, Tensor};
use metricopt_sdk::{
    Batch, Call, Description, DynTask, Emit, Error, Gradients, Result, Rows, panics,
};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The calls in progress, on all threads, the latest last.
static RUNNING: Mutex<Vec<Running>> = Mutex::new(Vec::new());

struct Running {
    number: u64,
    what: Arc<str>,
    since: Instant,
}

/// Calls code of others; `what` says whose, as in "metric `f1`".
///
/// # Errors
///
/// Those of `function`, or that it panicked, why and where.
///
/// ```
/// use metricopt_host::foreign;
///
/// let what = "metric `lucky`".into();
/// assert_eq!(foreign::call(&what, || Ok(2))?, 2);
/// let error = foreign::call(&what, || -> metricopt_sdk::Result<()> { panic!("out of luck") }).unwrap_err();
/// assert!(error.to_string().starts_with("panicked: out of luck (at "));
/// # Ok::<(), metricopt_sdk::Error>(())
/// ```
pub fn call<T>(what: &Arc<str>, function: impl FnOnce() -> Result<T>) -> Result<T> {
    let _running = enter(what.clone());
    panics::guard(function)
}

fn lock() -> std::sync::MutexGuard<'static, Vec<Running>> {
    RUNNING.lock().unwrap_or_else(PoisonError::into_inner)
}

fn enter(what: Arc<str>) -> impl Drop {
    struct Leave(u64);
    impl Drop for Leave {
        fn drop(&mut self) {
            let mut running = lock();
            if let Some(place) = running.iter().rposition(|call| call.number == self.0) {
                running.remove(place);
            }
        }
    }
    let mut running = lock();
    let number = running.iter().map(|call| call.number).max().unwrap_or(0) + 1;
    running.push(Running {
        number,
        what,
        since: Instant::now(),
    });
    Leave(number)
}

/// The innermost call in progress, and for how long: whom a host that does not end is waiting for.
pub fn innermost() -> Option<(String, Duration)> {
    let running = lock();
    let call = running.last()?;
    Some((call.what.to_string(), call.since.elapsed()))
}

/// A task whose panics become errors, whose errors name it, and whose results have the right shapes.
pub struct GuardedTask {
    what: Arc<str>,
    task: Box<dyn DynTask>,
    description: Description,
}

impl GuardedTask {
    /// Opens a task; `what` names it, as in "task `tabular`".
    ///
    /// # Errors
    ///
    /// Those of `open`, or if there is nothing to tune.
    pub fn open(
        what: impl Into<Arc<str>>,
        open: impl FnOnce() -> Result<Box<dyn DynTask>>,
    ) -> Result<Self> {
        let what = what.into();
        let opened = call(&what, || {
            let task = open()?;
            let description = task.describe();
            if description.dimensions() == 0 {
                return Err(Error::failed(
                    "has no FiLM site, so there is nothing to tune",
                ));
            }
            Ok((task, description))
        });
        let (task, description) = opened.map_err(|error| error.context(&what))?;
        Ok(Self {
            what,
            task,
            description,
        })
    }
}

impl DynTask for GuardedTask {
    fn describe(&self) -> Description {
        self.description.clone()
    }

    fn gradients(&self, phis: &Tensor, batches: &[Batch<'_>], run: &Call<'_>) -> Result<Gradients> {
        let found = call(&self.what, || {
            let found = self.task.gradients(phis, batches, run)?;
            let expected = [batches.len() as i64, self.description.dimensions() as i64];
            let shape = found.gradients.size();
            if shape != expected || found.gradients.kind() != Dtype::Float {
                return Err(Error::failed(format!(
                    "returned gradients of shape {shape:?} and type {:?}, expected {expected:?} and Float",
                    found.gradients.kind()
                )));
            }
            if found.losses.len() != batches.len() {
                return Err(Error::failed(format!(
                    "returned {} losses for {} adapters",
                    found.losses.len(),
                    batches.len()
                )));
            }
            Ok(found)
        });
        found.map_err(|error| error.context(&self.what))
    }

    fn predict(
        &self,
        phis: &Tensor,
        rows: &Rows,
        run: &Call<'_>,
        emit: &mut Emit<'_>,
    ) -> Result<()> {
        let mut refused = None;
        let done = call(&self.what, || {
            self.task.predict(phis, rows, run, &mut |first, views| {
                emit(first, views).inspect_err(|error| refused = Some(error.clone()))
            })
        });
        // An error of whoever takes the predictions is not the task's.
        match refused {
            Some(error) => Err(error),
            None => done.map_err(|error| error.context(&self.what)),
        }
    }
}
