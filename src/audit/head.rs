//! The head: where the log ended when it was last written, to notice one that was cut. Two
//! slots, so that a torn write leaves the other.

use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::Path;

use super::record::{Hash, Last};

/// The slots that are whole; none after a loss, for the log itself is what counts.
pub(super) fn read(dir: &Path) -> Vec<Last> {
    let bytes = fs::read(dir.join(NAME)).unwrap_or_default();
    let slots = bytes.chunks(SLOT).take(2).zip(0..);
    slots.filter_map(|(slot, at)| read_slot(slot).filter(|it| it.seq % 2 == at)).collect()
}

fn read_slot(slot: &[u8]) -> Option<Last> {
    let slot = std::str::from_utf8(slot).ok().filter(|it| it.len() == SLOT)?;
    let (says, check) = slot.trim_end_matches(['\n', ' ']).rsplit_once(' ')?;
    let (seq, hash) = says.split_once(' ')?;
    let last = Last { seq: seq.parse().ok()?, hash: Hash::parse(hash.as_bytes())? };
    (says == text(last) && check == checksum(says)).then_some(last)
}

/// Writes the slot of this record.
pub(super) fn write(dir: &Path, last: Last) -> io::Result<()> {
    let says = text(last);
    let line = format!("{says} {}", checksum(&says));
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(dir.join(NAME))?;
    file.write_all_at(
        format!("{line:<width$}\n", width = SLOT - 1).as_bytes(),
        last.seq % 2 * SLOT as u64,
    )
}

fn text(last: Last) -> String {
    format!("{} {}", last.seq, last.hash)
}

fn checksum(text: &str) -> String {
    Hash::of(&[text.as_bytes()]).to_string().chars().take(16).collect()
}

/// The name of the file.
pub(super) const NAME: &str = "head";

const SLOT: usize = 128;
