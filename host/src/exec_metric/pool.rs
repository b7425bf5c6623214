//! The running programs of one metric: as many as are asked at once, each started when the others are busy.

use metricopt_sdk::{Call, Error, Result};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::child::{Child, FAREWELL};
use super::frame::Frame;
use super::program::{Failure, Program};
use super::protocol::{Hello, parse_answer};
use super::stderr::say;

/// How often a query that waits for a program looks whether the user asked to stop.
const TICK: Duration = Duration::from_millis(50);

/// Programs that answer queries. They end with this value.
pub(super) struct Pool {
    program: Program,
    /// What the first one said, and all others have to say.
    hello: Hello,
    /// Name of the metric, for messages.
    name: String,
    /// At most so many run; as many as there are threads if none.
    workers: Option<usize>,
    restarts: usize,
    state: Mutex<State>,
    returned: Condvar,
}

struct State {
    idle: Vec<Child>,
    busy: usize,
}

impl Pool {
    /// A pool with one program in it, that said hello.
    pub(super) fn new(
        program: Program,
        first: (Child, Hello),
        name: &str,
        workers: Option<usize>,
        restarts: usize,
    ) -> Self {
        let (child, hello) = first;
        Self {
            program,
            hello,
            name: name.to_owned(),
            workers,
            restarts,
            state: Mutex::new(State {
                idle: vec![child],
                busy: 0,
            }),
            returned: Condvar::new(),
        }
    }

    /// The value that a program answers.
    ///
    /// # Errors
    ///
    /// What the program says, or what is wrong with it.
    pub(super) fn ask(&self, frame: &Frame<'_>, call: &Call<'_>) -> Result<f64> {
        let mut worker = self.take(call)?;
        let mut restarts = 0;
        loop {
            match self.try_once(&mut worker, frame, call) {
                Ok(value) => return value,
                Err(failure) if failure.ended && restarts < self.restarts => {
                    restarts += 1;
                    say(
                        &self.name,
                        format!(
                            "warning: {}; starting it again ({restarts} of {})",
                            failure.error, self.restarts
                        )
                        .as_bytes(),
                    );
                }
                Err(failure) if failure.ended && restarts > 0 => {
                    return Err(failure
                        .error
                        .context(format_args!("in each of {} attempts", restarts + 1))
                        .hint("the option `restarts` says how often a query is tried again"));
                }
                Err(failure) => return Err(failure.error),
            }
        }
    }

    /// One query to one program. Whatever is wrong with it, it does not survive that.
    fn try_once(
        &self,
        worker: &mut Worker<'_>,
        frame: &Frame<'_>,
        call: &Call<'_>,
    ) -> Result<Result<f64>, Failure> {
        let mut child = match worker.child.take() {
            Some(child) => child,
            None => self.start(call)?,
        };
        let line = child
            .ask(&mut frame.slices(), &self.program.patience(call.cancelled))
            .map_err(|fault| self.program.explain(fault, "an answer"))?;
        let answer = parse_answer(&line).map_err(|error| self.program.blame(error))?;
        worker.child = Some(child);
        Ok(answer)
    }

    fn start(&self, call: &Call<'_>) -> Result<Child, Failure> {
        let (child, hello) = self.program.start(call.cancelled)?;
        if hello != self.hello {
            let error = Error::failed("its hello is not that of its first start")
                .hint("its name, direction, kind and range must not change while the host runs");
            return Err(self.program.blame(error).into());
        }
        Ok(child)
    }

    /// Waits for an idle program, or for leave to start one.
    fn take(&self, call: &Call<'_>) -> Result<Worker<'_>> {
        let limit = self.workers.unwrap_or(call.threads).max(1);
        let mut state = self.state();
        while state.busy >= limit {
            call.check()?;
            let waited = self.returned.wait_timeout(state, TICK);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        state.busy += 1;
        Ok(Worker {
            child: state.idle.pop(),
            pool: self,
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Pool {
    /// Lets the programs end by themselves, all at the same time, and ends those that do not.
    fn drop(&mut self) {
        let mut idle = std::mem::take(&mut self.state().idle);
        idle.iter_mut().for_each(Child::farewell);
        let started = Instant::now();
        for child in &mut idle {
            child.end(FAREWELL.saturating_sub(started.elapsed()));
        }
    }
}

/// A place among the programs that run, given back in the end. Without a child, one may be started in it.
struct Worker<'a> {
    child: Option<Child>,
    pool: &'a Pool,
}

impl Drop for Worker<'_> {
    fn drop(&mut self) {
        let mut state = self.pool.state();
        state.busy -= 1;
        state.idle.extend(self.child.take());
        drop(state);
        self.pool.returned.notify_one();
    }
}
