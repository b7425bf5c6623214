//! Code of others: every call is guarded against panics, named in errors, and known while it runs.

use metricopt_sdk::tch::{Kind as Dtype, Tensor};
use metricopt_sdk::{
    Batch, Call, Classification, Description, Detection, DynTask, Emit, Error, Gradients, Kind,
    NamedTensor, Picture, Pictures, Predictions, Result, Retrieval, Rows, Split, Views, panics,
};
use std::collections::BTreeSet;
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

/// A task whose panics become errors, whose errors name it, whose results have the right shapes, and which emits every
/// candidate exactly once.
pub struct GuardedTask {
    what: Arc<str>,
    kind: Kind,
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
        kind: Kind,
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
            kind,
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

    fn pictures(&self, split: Split, rows: &[u32]) -> Result<Option<Pictures>> {
        let found = call(&self.what, || {
            let found = self.task.pictures(split, rows)?;
            if let Some(found) = &found {
                if found.pictures.len() != rows.len() {
                    return Err(Error::failed(format!(
                        "returned {} pictures of {} units",
                        found.pictures.len(),
                        rows.len()
                    )));
                }
                found.pictures.iter().try_for_each(Picture::check)?;
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
        let candidates = phis.size().first().map_or(0, |&p| p as usize);
        let mut emitted = vec![false; candidates];
        let mut refused = None;
        let done = call(&self.what, || {
            self.task.predict(phis, rows, run, &mut |first, views| {
                let slots = first
                    .checked_add(views.len())
                    .and_then(|end| emitted.get_mut(first..end))
                    .filter(|slots| !slots.contains(&true));
                let Some(slots) = slots else {
                    let error = Error::failed(format!(
                        "{} emitted candidates {first}..{} of {candidates}, which is out of range or twice",
                        self.what,
                        first.saturating_add(views.len())
                    ));
                    refused.get_or_insert(error.clone());
                    return Err(error);
                };
                slots.fill(true);
                emit(first, views).inspect_err(|error| {
                    // Whoever took the predictions may have stumbled over what the task got wrong.
                    let wrong = views.iter().find_map(|views| check(self.kind, views).err());
                    refused.get_or_insert(match wrong {
                        Some(wrong) => wrong.context(format!("{} emitted predictions", self.what)),
                        None => error.clone(),
                    });
                })
            })
        });
        // What has its own blame keeps it.
        match refused {
            Some(error) => return Err(error),
            None => done.map_err(|error| error.context(&self.what))?,
        }
        match emitted.iter().position(|done| !done) {
            Some(missing) => Err(Error::failed(format!(
                "{} emitted no prediction for candidate {missing}",
                self.what
            ))),
            None => Ok(()),
        }
    }

    fn fold(&self, phi: &Tensor) -> Result<Vec<NamedTensor>> {
        let folded = call(&self.what, || {
            let tensors = self.task.fold(phi)?;
            check_weights(&tensors)?;
            Ok(tensors)
        });
        folded.map_err(|error| error.context(&self.what))
    }
}

/// Checks what is to become a file of weights.
fn check_weights(tensors: &[NamedTensor]) -> Result<()> {
    if tensors.is_empty() {
        return Err(Error::failed("folded into no tensor at all"));
    }
    let mut names = BTreeSet::new();
    for NamedTensor { name, tensor } in tensors {
        if name.is_empty() || name == "__metadata__" || !names.insert(name) {
            return Err(Error::failed(format!(
                "named a folded tensor `{name}`, which is twice or no name"
            )));
        }
        if i64::try_from(&tensor.f_isfinite()?.f_all()?)? == 0 {
            return Err(Error::failed(format!(
                "folded into values of `{name}` that are not finite"
            )));
        }
    }
    Ok(())
}

/// Checks predictions against the kind that the task declared.
fn check(kind: Kind, views: &Views<'_>) -> Result<()> {
    match kind {
        Kind::Classification => Classification::from_views(views).map(drop),
        Kind::Retrieval => Retrieval::from_views(views).map(drop),
        Kind::Detection => Detection::from_views(views).map(drop),
        _ => Ok(()),
    }
}
