//! A new log in the place of one that cannot be written any more. The old one is moved aside as
//! it is, and the first record of the new one names its last good record.

use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, RenameFlags};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::read::Record;
use super::redact::Redactor;
use super::tail::{Draft, Tail};
use super::verify::{State, verify_folder};
use super::{Error, fit, genesis, lock, place, read};
use crate::clock::Clock;

/// Begins a new log, and says where the old one is and which actions are open in it.
pub fn fork(
    state_dir: &Path,
    clock: Clock,
    who: &str,
    reason: &str,
) -> Result<(PathBuf, Vec<Uuid>), Error> {
    let dir = state_dir.join(super::FOLDER);
    let held = lock::take(&dir)?;
    let verified = verify_folder(&dir);
    if matches!(verified.state, State::Good | State::Torn | State::OpenIntents) {
        return Err(Error::Fork);
    }
    let mut records = Vec::new();
    // It ends where the fault is.
    read::scan_folder(&dir, &mut |it| records.push(it)).ok();
    let open: Vec<Uuid> = read::open_intents(&records).iter().map(|it| it.op).collect();
    let last = records.last();
    let old = free_name(state_dir);
    let mut body: Map<String, Value> = genesis();
    body.insert("who".to_owned(), json!(who));
    body.insert("reason".to_owned(), json!(reason));
    body.insert(
        "fork".to_owned(),
        json!({
            "folder": old.file_name().map(|it| it.to_string_lossy()),
            "log": records.first().and_then(|it| it.text("log")),
            "state": verified.state.word(),
            "last-seq": last.map_or(0, |it| it.seq),
            "last-hash": last.and_then(Record::hash),
            "open": open.iter().map(Uuid::to_string).collect::<Vec<_>>(),
        }),
    );
    let body = fit::fit(Redactor::default().body(&body));
    // Made in full beside the old one, then exchanged with it in one step.
    DirBuilder::new().mode(0o700).create(&old).map_err(Error::write(&old))?;
    let draft = Draft { kind: "genesis", op: Uuid::now_v7(), body: &body };
    Tail::default().append(&old, &clock.stamp(), &draft)?;
    rustix::fs::renameat_with(CWD, &old, CWD, &dir, RenameFlags::EXCHANGE)
        .map_err(|it| Error::write(&dir)(it.into()))?;
    place::sync(&dir).map_err(Error::write(&dir))?;
    drop(held);
    Ok((old, open))
}

/// `audit.1`, `audit.2`, …
fn free_name(state_dir: &Path) -> PathBuf {
    let names = (1_u64..).map(|it| state_dir.join(format!("{}.{it}", super::FOLDER)));
    let is_free = |it: &PathBuf| fs::symlink_metadata(it).is_err();
    names.into_iter().find(is_free).unwrap_or_default()
}
