//! The end of the log, as this process knows it. Under the lock it reads and checks what others
//! have appended, and appends.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};
use uuid::Uuid;

use super::chain::Chain;
use super::record::{self, Last, Why};
use super::segment::{self, Checker, Fault, Stop};
use super::{Error, head, place};

/// What this process knows of the end.
#[derive(Debug, Default)]
pub(super) struct Tail {
    chain: Chain,
    /// Device and number of the newest segment's file.
    file: Option<(u64, u64)>,
    /// The segment of which this process has made sure that the folder names it.
    listed: u64,
    /// The last record that was ever seen here.
    seen: u64,
}

/// A record that is about to be written.
#[derive(Debug)]
pub(super) struct Draft<'a> {
    pub(super) kind: &'static str,
    pub(super) op: Uuid,
    pub(super) body: &'a Map<String, Value>,
}

impl Tail {
    /// Reads and checks what was appended since the last time; at first, the newest segment.
    pub(super) fn catch_up(&mut self, dir: &Path) -> Result<(), Error> {
        let caught = self.try_catch_up(dir);
        if caught.is_err() {
            self.forget();
        }
        caught
    }

    fn try_catch_up(&mut self, dir: &Path) -> Result<(), Error> {
        if self.is_replaced(dir) {
            self.forget();
        }
        if self.chain.segment == 0 {
            self.start(dir)?;
        }
        while self.chain.segment > 0 {
            self.read_on(dir)?;
            if !dir.join(segment::name(self.chain.segment + 1)).exists() {
                break;
            }
            self.chain.enter(self.chain.segment + 1);
            self.file = None;
        }
        let has = self.chain.last;
        if has.seq < self.seen {
            return Err(Error::Truncated { has: has.seq, had: self.seen });
        }
        self.seen = has.seq;
        for slot in head::read(dir) {
            if slot.seq > has.seq {
                return Err(Error::Truncated { has: has.seq, had: slot.seq });
            }
            if slot.seq == has.seq && slot.hash != has.hash {
                let what = "the head knows another last record";
                return Err(Error::Tampered { path: dir.join(head::NAME), line: 1, what });
            }
        }
        Ok(())
    }

    /// How many intents have no outcome.
    pub(super) fn open(&self) -> u64 {
        self.chain.open()
    }

    /// Writes the record, after what must stand before it, and waits until it is on the disk.
    pub(super) fn append(
        &mut self,
        dir: &Path,
        stamp: &str,
        draft: &Draft<'_>,
    ) -> Result<Last, Error> {
        let chain = &mut self.chain;
        let is_new = chain.segment == 0 || chain.torn.bytes > 0 || chain.kept >= segment::FULL;
        if is_new {
            chain.enter(chain.segment + 1);
            self.file = None;
        }
        let mut last = chain.last;
        let (mut bytes, mut lines) = (Vec::new(), 0);
        let mut add = |kind: &str, op: Uuid, body: &Map<String, Value>| {
            let (line, next) = record::write(last, stamp, op, kind, body);
            bytes.extend(line);
            lines += 1;
            last = next;
        };
        for closed in &chain.undeclared {
            add("segment", Uuid::now_v7(), &closed.body(chain.open()));
        }
        if !chain.has_genesis && draft.kind != "genesis" {
            add("genesis", Uuid::now_v7(), &super::genesis());
        }
        add(draft.kind, draft.op, draft.body);

        let path = dir.join(segment::name(chain.segment));
        let is_listed = self.listed == chain.segment;
        let file = write_durably(&path, &bytes, is_new, (!is_listed).then_some(dir))
            .map_err(Error::write(&path))?;
        self.file = Some(file);
        self.listed = chain.segment;
        self.seen = last.seq;
        chain.advance(last, lines, bytes.len() as u64);
        match draft.kind {
            "intent" => chain.begin(draft.op),
            "outcome" | "reconcile" => chain.end(draft.op),
            _ => {}
        }
        // The head only helps to notice a log that was cut; the record stands without it.
        head::write(dir, last).ok();
        Ok(last)
    }

    fn forget(&mut self) {
        *self = Self { seen: self.seen, ..Self::default() };
    }

    fn is_replaced(&self, dir: &Path) -> bool {
        let path = dir.join(segment::name(self.chain.segment));
        self.file.is_some_and(|known| {
            fs::metadata(path).ok().map(|it| (it.dev(), it.ino())) != Some(known)
        })
    }

    /// Begins with the newest segment in which there is a record of ours. What is before was
    /// checked by those who wrote it; `verify` looks at everything.
    fn start(&mut self, dir: &Path) -> Result<(), Error> {
        let mut number = newest(dir)?;
        while number > 0 {
            let path = dir.join(segment::name(number));
            let mut found = Checker::default();
            let file = File::open(&path).map_err(Error::read(&path))?;
            let read = found.read(BufReader::new(file), &mut |_, _| {});
            read.map_err(|it| refuse(&path, it))?;
            if number == 1 || found.first_other.is_some() {
                if number > 1 {
                    self.chain = Chain::from_middle(&found);
                }
                self.chain.enter(number);
                return self.chain.absorb(&found).map_err(|it| refuse(&path, Stop::Fault(it)));
            }
            number -= 1;
        }
        Ok(())
    }

    /// Reads what was appended to the newest segment.
    fn read_on(&mut self, dir: &Path) -> Result<(), Error> {
        let path = dir.join(segment::name(self.chain.segment));
        let mut file = File::open(&path).map_err(Error::read(&path))?;
        let found = file.metadata().map_err(Error::read(&path))?;
        self.file = Some((found.dev(), found.ino()));
        let known = self.chain.kept + self.chain.torn.bytes;
        if found.len() == known {
            return Ok(());
        }
        if found.len() < known {
            let what = "shorter than it was";
            return Err(Error::Tampered { path, line: self.chain.lines, what });
        }
        file.seek(SeekFrom::Start(self.chain.kept)).map_err(Error::read(&path))?;
        let mut more = Checker::after(self.chain.last, self.chain.lines);
        let read = more.read(BufReader::new(file), &mut |_, _| {});
        read.map_err(|it| refuse(&path, it))?;
        self.chain.absorb(&more).map_err(|it| refuse(&path, Stop::Fault(it)))
    }
}

/// The numbers of the segments, in order.
pub(super) fn numbers(dir: &Path) -> Result<Vec<u64>, Error> {
    let list = || {
        let mut numbers = Vec::new();
        for entry in fs::read_dir(dir)? {
            numbers.extend(entry?.file_name().to_str().and_then(segment::number));
        }
        numbers.sort_unstable();
        Ok(numbers)
    };
    match place::uninterrupted(list) {
        Err(it) if it.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        listed => listed.map_err(Error::read(dir)),
    }
}

/// The number of the newest segment, if none before it is missing.
fn newest(dir: &Path) -> Result<u64, Error> {
    let numbers = numbers(dir)?;
    match numbers.iter().zip(1..).find(|(number, at)| *number != at) {
        Some((_, missing)) => Err(Error::Tampered {
            path: dir.join(segment::name(missing)),
            line: 0,
            what: "the file is missing",
        }),
        None => Ok(numbers.len() as u64),
    }
}

/// Puts a fault into the words of the log.
pub(super) fn refuse(path: &Path, stop: Stop) -> Error {
    let path = PathBuf::from(path);
    match stop {
        Stop::Fault(Fault { line, why: Why::Changed(what) }) => {
            Error::Tampered { path, line, what }
        }
        Stop::Fault(Fault { line, why: Why::Version }) => Error::UnknownVersion { path, line },
        Stop::Io(cause) => Error::Read { path, cause },
    }
}

/// Appends with one write, so that a crash tears at most the end. A folder is given if its name
/// for the file may not be on the disk yet.
fn write_durably(
    path: &Path,
    bytes: &[u8],
    is_new: bool,
    folder: Option<&Path>,
) -> io::Result<(u64, u64)> {
    let mut file = OpenOptions::new().append(true).create_new(is_new).mode(0o600).open(path)?;
    let written = place::uninterrupted(|| file.write(bytes))?;
    if written < bytes.len() {
        let text = format!("only {written} of {} bytes could be written", bytes.len());
        return Err(io::Error::new(io::ErrorKind::StorageFull, text));
    }
    if let Some(folder) = folder {
        file.sync_all()?;
        place::sync(folder)?;
    } else {
        file.sync_data()?;
    }
    let found = file.metadata()?;
    Ok((found.dev(), found.ino()))
}
