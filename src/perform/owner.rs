//! Whose an action without an outcome is: as long as the process that began it lives and is at
//! it, nobody else may settle it.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};
use uuid::Uuid;

use super::record::Body;
use crate::audit::read::Record;
use crate::audit::{self, Permit};

/// An action that this process is at, until it is dropped.
#[derive(Debug)]
pub(super) struct UnderWay(Uuid);

impl UnderWay {
    /// Begins an action. Nobody here asks whose it is between its intent and this.
    pub(super) fn begin(
        intent: impl FnOnce() -> Result<Permit, audit::Error>,
    ) -> Result<(Permit, Self), audit::Error> {
        let mut all = all();
        let permit = intent()?;
        all.insert(permit.op());
        let op = permit.op();
        Ok((permit, Self(op)))
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        all().remove(&self.0);
    }
}

/// Writes into an intent which process it is of.
pub(super) fn sign(body: &mut Body) {
    let pid = std::process::id();
    body.insert("pid".to_owned(), json!(pid));
    body.insert("pid-began".to_owned(), json!(began(u64::from(pid))));
}

/// Whether somebody is at this action: this process, or another one of this machine that lives.
pub(super) fn is_under_way(intent: &Record) -> bool {
    let Some(pid) = intent.body.get("pid").and_then(Value::as_u64) else { return false };
    if pid == u64::from(std::process::id()) {
        return all().contains(&intent.op);
    }
    began(pid).is_some_and(|it| intent.text("pid-began") == Some(it.as_str()))
}

/// When a process began, which with its number names it for ever: the boot, and clock ticks
/// since, field 22 of `proc_pid_stat(5)`. `None` where it is gone, or where there is no `/proc`:
/// then nobody is taken to be at anything.
fn began(pid: u64) -> Option<String> {
    let stat = std::fs::read(format!("/proc/{pid}/stat")).ok()?;
    let boot = std::fs::read("/proc/sys/kernel/random/boot_id").ok()?;
    let stat = String::from_utf8_lossy(&stat);
    // The second field is the name of the program, which may hold anything.
    let (_, fields) = stat.rsplit_once(") ")?;
    let mut fields = fields.split(' ');
    // A zombie is as dead as those that were waited for.
    let is_dead = matches!(fields.next(), None | Some("Z" | "X"));
    let ticks = fields.nth(18)?;
    let boot = String::from_utf8_lossy(&boot);
    (!is_dead).then(|| format!("{}:{ticks}", boot.trim()))
}

fn all() -> MutexGuard<'static, BTreeSet<Uuid>> {
    // A set is whole whatever happened to its user.
    ALL.lock().unwrap_or_else(PoisonError::into_inner)
}

static ALL: Mutex<BTreeSet<Uuid>> = Mutex::new(BTreeSet::new());

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::Moment;

    fn record(op: Uuid, change: impl FnOnce(&mut Body)) -> Record {
        let mut body = Body::new();
        sign(&mut body);
        change(&mut body);
        let at = Moment::default();
        Record { seq: 1, at, op, kind: "intent".to_owned(), body, line: String::new() }
    }

    #[test]
    fn an_action_is_its_process_s_until_it_is_given_up() {
        let op = Uuid::now_v7();
        let mine = record(op, |_| ());
        assert!(!is_under_way(&mine));
        all().insert(op);
        let guard = UnderWay(op);
        assert!(is_under_way(&mine));
        drop(guard);
        assert!(!is_under_way(&mine));
    }

    #[test]
    fn others_are_known_by_number_and_birth() {
        let parent = u64::from(std::os::unix::process::parent_id());
        let Some(born) = began(parent) else { return };
        let of = |pid: u64, born: &str| {
            record(Uuid::now_v7(), |body| {
                body.insert("pid".to_owned(), json!(pid));
                body.insert("pid-began".to_owned(), json!(born));
            })
        };
        assert!(is_under_way(&of(parent, &born)));
        assert!(!is_under_way(&of(parent, "another boot:77")));
        assert!(!is_under_way(&of(u64::from(u32::MAX), &born)));
    }
}
