//! One file of the log: whole records, and perhaps a torn one at the end.

use super::record::{self, Last};

/// What the end of a segment is like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tail {
    pub(super) last: Last,
    pub(super) ending: Ending,
}

/// Whether a crash tore the last record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// The bytes from here on are no record.
    Torn { from: usize },
    /// Every record is whole.
    Whole,
}

/// A record that is not as it was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) line: usize,
    pub(super) what: &'static str,
}

/// Reads a segment from its first record on, and checks every one.
pub(super) fn read(bytes: &[u8]) -> Result<Tail, Fault> {
    let mut last: Option<Last> = None;
    let mut from = 0;
    for (at, line) in bytes.split_inclusive(|it| *it == b'\n').enumerate() {
        let torn = |last: Option<Last>| {
            Ok(Tail { last: last.unwrap_or_default(), ending: Ending::Torn { from } })
        };
        let Some(record) = line.strip_suffix(b"\n") else { return torn(last) };
        // Some file systems fill a block that never reached the disk with zeros.
        if bytes.get(from..).unwrap_or_default().iter().all(|it| *it == 0) {
            return torn(last);
        }
        let checked = record::check(record, last).and_then(|it| match last {
            // Later segments begin with any number, the first with 1.
            None if it.seq == 1 && !record.starts_with(FIRST) => Err("not a first record"),
            _ => Ok(it),
        });
        last = Some(checked.map_err(|what| Fault { line: at + 1, what })?);
        from += line.len();
    }
    Ok(Tail { last: last.unwrap_or_default(), ending: Ending::Whole })
}

const FIRST: &[u8] = b"{\"v\":1,\"seq\":1,\"prev\":\"0000000000000000000000000000000000000000000000000000000000000000\"";
