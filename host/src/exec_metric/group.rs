//! A program with all that it starts: they form a process group, and end together.

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};
use std::collections::BTreeSet;
use std::process::Child;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The groups there are, by the process id of their leader.
static GROUPS: Mutex<BTreeSet<i32>> = Mutex::new(BTreeSet::new());

fn groups() -> MutexGuard<'static, BTreeSet<i32>> {
    GROUPS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Ends every program that serves as a metric, for a host that is about to end without unwinding.
pub fn kill_all() {
    for &id in groups().iter() {
        kill(id);
    }
}

fn kill(id: i32) {
    if let Some(pid) = Pid::from_raw(id) {
        // Nobody may be left in it.
        let _ = kill_process_group(pid, Signal::KILL);
    }
}

/// The group of one program. Its leader must not be waited for while this lives: then its number could be another's.
pub(super) struct Group {
    leader: Pid,
}

impl Group {
    /// Takes charge of a program that was started as the leader of a group.
    pub(super) fn of(child: &Child) -> Self {
        let leader = Pid::from_child(child);
        groups().insert(leader.as_raw_nonzero().get());
        Self { leader }
    }

    /// Whether the leader has ended.
    pub(super) fn has_ended(&self) -> bool {
        // Leaves the leader to be waited for.
        let look = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        !matches!(waitid(WaitId::Pid(self.leader), look), Ok(None))
    }
}

impl Drop for Group {
    /// Ends all that is left of it.
    fn drop(&mut self) {
        let id = self.leader.as_raw_nonzero().get();
        let mut groups = groups();
        kill(id);
        groups.remove(&id);
    }
}
