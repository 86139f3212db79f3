//! Reading the log: records for people and programs, and what has no outcome yet.

use std::path::Path;

use serde_json::{Map, Value};
use uuid::Uuid;

use super::Error;
use crate::fleet::Moment;

/// One record.
#[derive(Debug, Clone)]
pub struct Record {
    /// Its number.
    pub seq: u64,
    /// When, to the second; the line has it to the microsecond.
    pub at: Moment,
    /// The action that it belongs to.
    pub op: Uuid,
    /// `intent`, `step`, `outcome`, …
    pub kind: String,
    /// Everything else in it.
    pub body: Map<String, Value>,
    /// The line, as it stands in the file.
    pub line: String,
}

/// Every record of the log below the state folder, oldest first.
///
/// # Errors
/// Where the log cannot be read, or is not as it was written.
pub fn records(state_dir: &Path) -> Result<Vec<Record>, Error> {
    todo!("{}", state_dir.display())
}

/// The intents that have neither an outcome nor a reconciliation, oldest first.
pub fn open_intents(records: &[Record]) -> Vec<&Record> {
    todo!("{records:?}")
}

impl Record {
    /// A text of the record.
    pub fn text(&self, key: &str) -> Option<&str> {
        self.body.get(key).and_then(Value::as_str)
    }
}
