//! The head: where the log ended when it was last written, to notice one that was cut. Two
//! slots, so that a torn write leaves the other.

use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::Path;

use super::record::Hash;
use super::record::Last;

/// What a head says: the number of the last record.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Head {
    pub(super) seq: u64,
}

/// Reads the newer slot that is whole; `None` if there is none, as after a loss: the log itself
/// is what counts.
pub(super) fn read(dir: &Path) -> Option<Head> {
    let bytes = fs::read(dir.join("head")).ok()?;
    bytes.chunks(SLOT).filter_map(read_slot).max().map(|seq| Head { seq })
}

fn read_slot(slot: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(slot).ok()?.trim_end();
    let (says, check) = text.rsplit_once(' ')?;
    let (seq, _) = says.split_once(' ')?;
    (check == checksum(says)).then(|| seq.parse().ok())?
}

/// Writes the slot of this record.
pub(super) fn write(dir: &Path, last: Last) -> io::Result<()> {
    let says = format!("{} {}", last.seq, last.hash);
    let line = format!("{says} {}", checksum(&says));
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(dir.join("head"))?;
    file.write_all_at(
        format!("{line:<width$}\n", width = SLOT - 1).as_bytes(),
        last.seq % 2 * SLOT as u64,
    )
}

fn checksum(text: &str) -> String {
    Hash::of(&[text.as_bytes()]).to_string().chars().take(16).collect()
}

const SLOT: usize = 128;
