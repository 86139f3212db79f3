//! One record: a line whose last member is the hash of every byte before it.

use std::fmt::{self, Write as _};

use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

/// The name of the format, and what every hash begins with.
pub(super) const FORMAT: &str = "certdeck-audit-v1";

/// A SHA-256, written in lower-case hex.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Hash([u8; 32]);

/// The last record of a log; number 0 before the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Last {
    pub(super) seq: u64,
    pub(super) hash: Hash,
}

impl Hash {
    /// Hashes the parts one after the other.
    pub(super) fn of(parts: &[&[u8]]) -> Self {
        let mut hasher = Sha256::new();
        for part in parts {
            hasher.update(part);
        }
        Self(hasher.finalize().into())
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|it| write!(f, "{it:02x}"))
    }
}

/// Writes the record after `last`, line end included.
pub(super) fn write(
    last: Last,
    stamp: &str,
    op: Uuid,
    kind: &str,
    body: &Map<String, Value>,
) -> (Vec<u8>, Last) {
    let seq = last.seq + 1;
    let mut text = start(last);
    let _ = write!(text, ",\"t\":\"{stamp}\",\"op\":\"{op}\",\"kind\":\"{kind}\"");
    for (key, value) in body {
        let _ = write!(text, ",{}:{value}", Value::from(key.as_str()));
    }
    let hash = hash_of(text.as_bytes());
    let _ = writeln!(text, "{HASH}{hash}{END}");
    (text.into_bytes(), Last { seq, hash })
}

/// Checks a line without its line end against the record before it. Every byte counts: by the
/// hash, by being equal to what must be there, or by being part of the hash itself.
pub(super) fn check(line: &[u8], before: Option<Last>) -> Result<Last, &'static str> {
    let text = std::str::from_utf8(line).map_err(|_| "not UTF-8")?;
    let members = text.len().checked_sub(HASH.len() + 64 + END.len()).ok_or("too short")?;
    let (members, ending) = text.split_at_checked(members).ok_or("not a record")?;
    let hash = hash_of(members.as_bytes());
    if ending != format!("{HASH}{hash}{END}") {
        return Err("the hash does not fit");
    }
    // Members with the same hash were written by us, so what follows is about order alone.
    let value: Value = serde_json::from_str(text).map_err(|_| "not JSON")?;
    if value.get("v") != Some(&Value::from(1)) {
        return Err("an unknown version of the format");
    }
    let seq = value.get("seq").and_then(Value::as_u64).ok_or("no number")?;
    match before {
        Some(before) if !text.starts_with(&start(before)) => {
            Err("not the record after the one before")
        }
        _ => Ok(Last { seq, hash }),
    }
}

/// How the record after `last` begins.
fn start(last: Last) -> String {
    format!("{{\"v\":1,\"seq\":{},\"prev\":\"{}\"", last.seq + 1, last.hash)
}

fn hash_of(members: &[u8]) -> Hash {
    Hash::of(&[FORMAT.as_bytes(), b"\n", members])
}

const HASH: &str = ",\"h\":\"";
const END: &str = "\"}";
