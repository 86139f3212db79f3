//! Private keys, compared without being seen: the host makes the public key of each and sends
//! that, once for as long as the file's stamp stays the same.

use std::collections::HashMap;

use super::found::problem;
use super::script::{number, split_word};
use super::{Section, quote};
use crate::fleet::{Fingerprint, Host, KeySight, Moment, Place, Problem, ProblemKind};
use crate::text::SafeText;

/// The shell assignment that tells `same` which keys are known, one line each.
pub(super) fn known_keys(kind: &str, known: &Host) -> String {
    let lines: Vec<_> = places(kind, known)
        .filter_map(|it| it.key.as_ref())
        .filter(|it| it.spki.is_some())
        .filter_map(|it| Some(format!("{} {}", it.stamp.as_ref()?, it.path)))
        .collect();
    format!("B={}\n", quote(&lines.join("\n")))
}

/// The places of that kind of source.
pub(super) fn places<'h>(kind: &str, known: &'h Host) -> impl Iterator<Item = &'h Place> {
    known.places.iter().filter(move |it| it.source == kind)
}

/// What a section tells of private keys.
#[derive(Debug, Default)]
pub(super) struct Keys<'a> {
    clock: Option<Moment>,
    stamps: HashMap<&'a [u8], &'a [u8]>,
    public: HashMap<&'a [u8], &'a [u8]>,
    reasons: HashMap<&'a [u8], &'a [u8]>,
}

impl<'a> Keys<'a> {
    /// Collects it.
    pub(super) fn new(section: &Section<'a>) -> Self {
        let mut keys = Self {
            clock: section.clock,
            stamps: section.body("stamps").map(stamps).unwrap_or_default(),
            ..Self::default()
        };
        keys.public.extend(section.with("key").map(|it| (it.key, it.body)));
        for frame in section.with("nokey") {
            let (why, path) = split_word(frame.key);
            keys.reasons.insert(path, why);
        }
        keys
    }

    /// The stamp of that file.
    pub(super) fn stamp(&self, path: &str) -> Option<&'a [u8]> {
        self.stamps.get(path.as_bytes()).copied()
    }

    /// Every stamp, with its path.
    pub(super) fn stamps(&self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> {
        self.stamps.iter().map(|(path, stamp)| (*path, *stamp))
    }

    /// Whether the key at that path is still the one that was known.
    pub(super) fn is_same(&self, path: &str, known: Option<&KeySight>) -> bool {
        let Some(KeySight { path: known_path, stamp: Some(stamp), spki: Some(_) }) = known else {
            return false;
        };
        known_path == path && self.stamp(path) == Some(stamp.as_str().as_bytes())
    }

    /// Whether a later change is sure to change the stamp: not in the second of the last one.
    fn is_settled(&self, stamp: &[u8]) -> bool {
        let changed = stamp.rsplit(|it| *it == b' ').next().and_then(number);
        let changed = changed.map(Moment::from_unix);
        changed.zip(self.clock).is_some_and(|(changed, clock)| changed < clock)
    }

    /// What is known now of the key at that path, and why not more.
    pub(super) fn sight(
        &self,
        path: &str,
        known: Option<&KeySight>,
        problems: &mut Vec<Problem>,
    ) -> Option<KeySight> {
        if let Some(known) = known.filter(|it| self.is_same(path, Some(it))) {
            return Some(known.clone());
        }
        let spki = self
            .public
            .get(path.as_bytes())
            .filter(|it| !it.is_empty())
            .map(|der| Fingerprint::of(der));
        if let Some(why) = self.reasons.get(path.as_bytes()) {
            let text = match *why {
                b"encrypted" => "is encrypted: whether it fits the certificate is not known",
                b"foreign" => "is no private key that the host's openssl can read",
                b"large" => "is too large for a private key",
                b"later" => "is read by a later scan: a host is asked for 64 keys at a time",
                b"openssl" => "is not compared: there is no openssl on the host",
                _ => "cannot be read: no permission",
            };
            problems.push(problem(ProblemKind::KeyUnchecked, text, path.as_bytes()));
        }
        let told = self.stamp(path);
        let stamp = told.filter(|it| self.is_settled(it)).map(SafeText::from_bytes);
        (told.is_some() || spki.is_some()).then(|| KeySight {
            path: SafeText::new(path),
            stamp,
            spki,
        })
    }
}

/// Lines of `stamps`: five words and a path.
fn stamps(text: &[u8]) -> HashMap<&[u8], &[u8]> {
    text.split(|it| *it == b'\n').filter_map(stamp_line).collect()
}

fn stamp_line(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = line.iter().enumerate().filter(|(_, it)| **it == b' ').nth(STAMP_WORDS - 1)?.0;
    Some((line.get(end + 1..)?, line.get(..end)?))
}

/// Type and mode, inode, size, and the times of the last change of content and of state.
const STAMP_WORDS: usize = 5;
