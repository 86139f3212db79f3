//! One record: a line whose last member is the hash of every byte before it.

use std::fmt::{self, Write as _};

use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

/// The name of the format, and what every hash begins with.
pub(super) const FORMAT: &str = "certdeck-audit-v1";

/// How long a line may be, its end included.
pub(super) const LONGEST: usize = 16 * 1024;

/// A SHA-256, written in lower-case hex.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Hash([u8; 32]);

/// The last record of a log; number 0 before the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Last {
    pub(super) seq: u64,
    pub(super) hash: Hash,
}

/// What stands in every record, read from a line that is whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Envelope<'a> {
    pub(super) seq: u64,
    pub(super) prev: Hash,
    pub(super) time: &'a str,
    pub(super) op: Uuid,
    pub(super) kind: &'a str,
    pub(super) hash: Hash,
}

/// Why a line is not taken for a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Why {
    /// Somebody has changed it.
    Changed(&'static str),
    /// A newer version has written it, or somebody has changed the number.
    Version,
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

    /// What was hashed piece by piece.
    pub(super) fn from_hasher(hasher: Sha256) -> Self {
        Self(hasher.finalize().into())
    }

    /// Reads 64 digits of lower-case hex.
    pub(super) fn parse(hex: &[u8]) -> Option<Self> {
        let digit = |it: u8| match it {
            b'0'..=b'9' => Some(it - b'0'),
            b'a'..=b'f' => Some(it - b'a' + 10),
            _ => None,
        };
        let (pairs, rest) = hex.as_chunks::<2>();
        let mut bytes = [0; 32];
        if pairs.len() != bytes.len() || !rest.is_empty() {
            return None;
        }
        for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
            *byte = digit(*high)? << 4 | digit(*low)?;
        }
        Some(Self(bytes))
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::with_capacity(64);
        for byte in self.0 {
            for digit in [byte >> 4, byte & 15] {
                text.push(char::from_digit(digit.into(), 16).unwrap_or_default());
            }
        }
        f.write_str(&text)
    }
}

impl Envelope<'_> {
    /// The record, as the next one names it.
    pub(super) fn last(&self) -> Last {
        Last { seq: self.seq, hash: self.hash }
    }
}

/// Writes the record after `last`, line end included. The body must fit, see [`room`].
pub(super) fn write(
    last: Last,
    stamp: &str,
    op: Uuid,
    kind: &str,
    body: &Map<String, Value>,
) -> (Vec<u8>, Last) {
    let seq = last.seq + 1;
    let mut text = format!("{{\"v\":1,\"seq\":{seq},\"prev\":\"{}\"", last.hash);
    let _ = write!(text, ",\"t\":\"{stamp}\",\"op\":\"{op}\",\"kind\":\"{kind}\"");
    for (key, value) in body {
        // The members of the envelope are there once.
        let mark = if ENVELOPE.contains(&key.as_str()) { "x-" } else { "" };
        let _ = write!(text, ",{}:{value}", Value::from(format!("{mark}{key}")));
    }
    let hash = hash_of(text.as_bytes());
    let _ = writeln!(text, "{HASH}{hash}{END}");
    (text.into_bytes(), Last { seq, hash })
}

/// How many bytes are left for a body: the members of the envelope take at most 300.
pub(super) const fn room() -> usize {
    LONGEST - 512
}

/// Checks a line without its line end, alone. Every byte counts: by the hash, by fixed syntax, or
/// by being part of the hash itself.
pub(super) fn check(line: &[u8]) -> Result<Envelope<'_>, Why> {
    if is_of_unknown_version(line) {
        return Err(Why::Version);
    }
    if line.len() >= LONGEST {
        return Err(Why::Changed("too long"));
    }
    let text = std::str::from_utf8(line).map_err(|_| Why::Changed("not UTF-8"))?;
    let envelope = parse(text).ok_or(Why::Changed("not a record"))?;
    let members = text.len() - HASH.len() - 64 - END.len();
    if line.get(..members).map(hash_of) != Some(envelope.hash) {
        return Err(Why::Changed("the hash does not fit"));
    }
    let mut json = serde_json::Deserializer::from_str(text);
    let names = json.deserialize_map(Names).and_then(|it| json.end().map(|()| it));
    match names {
        Ok(count) if count == ENVELOPE.len() => Ok(envelope),
        Ok(_) => Err(Why::Changed("a member is there twice")),
        Err(_) => Err(Why::Changed("not JSON")),
    }
}

fn is_of_unknown_version(line: &[u8]) -> bool {
    let Some(rest) = line.strip_prefix(VERSION.as_bytes()) else { return false };
    let version = rest.iter().take_while(|it| it.is_ascii_digit()).count();
    version > 0 && rest.get(version) == Some(&b',') && rest.get(..version) != Some(b"1")
}

/// Reads the members that stand in every record, in their order; `None` if one is missing.
pub(super) fn parse(text: &str) -> Option<Envelope<'_>> {
    let text = text.strip_prefix(VERSION)?.strip_prefix("1,\"seq\":")?;
    let (seq, text) = text.split_once(",\"prev\":\"")?;
    let (prev, text) = text.split_once("\",\"t\":\"")?;
    let (time, text) = text.split_once("\",\"op\":\"")?;
    let (op, text) = text.split_once("\",\"kind\":\"")?;
    let (kind, text) = text.split_once('"')?;
    let rest = text.strip_suffix(END)?;
    let (rest, hash) = rest.split_at_checked(rest.len().checked_sub(64)?)?;
    rest.strip_suffix(HASH)?;
    let envelope = Envelope {
        seq: seq.parse().ok()?,
        prev: Hash::parse(prev.as_bytes())?,
        time,
        op: op.parse().ok()?,
        kind,
        hash: Hash::parse(hash.as_bytes())?,
    };
    // As it is written and no other way, so that nothing is left to the taste of a reader.
    let is_plain = seq.bytes().all(|it| it.is_ascii_digit())
        && !seq.starts_with('0')
        && is_like(time, "0000-00-00T00:00:00.000000Z")
        && is_like(op, "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx")
        && !kind.is_empty()
        && kind.bytes().all(|it| it.is_ascii_lowercase() || it == b'-');
    is_plain.then_some(envelope)
}

/// Whether a text has a form, in which `0` is any digit and `x` any digit of hex.
fn is_like(text: &str, form: &str) -> bool {
    text.len() == form.len()
        && text.bytes().zip(form.bytes()).all(|(it, form)| match form {
            b'0' => it.is_ascii_digit(),
            b'x' => matches!(it, b'0'..=b'9' | b'a'..=b'f'),
            _ => it == form,
        })
}

/// Counts the members of an object that have names of the envelope.
struct Names;

impl<'de> Visitor<'de> for Names {
    type Value = usize;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<usize, A::Error> {
        let mut count = 0;
        while let Some(Name { is_envelope }) = map.next_key()? {
            count += usize::from(is_envelope);
            map.next_value::<IgnoredAny>()?;
        }
        Ok(count)
    }
}

struct Name {
    is_envelope: bool,
}

impl<'de> serde::Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = Name;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a name")
            }
            fn visit_str<E>(self, name: &str) -> Result<Name, E> {
                Ok(Name { is_envelope: ENVELOPE.contains(&name) })
            }
        }
        deserializer.deserialize_str(Text)
    }
}

fn hash_of(members: &[u8]) -> Hash {
    Hash::of(&[FORMAT.as_bytes(), b"\n", members])
}

/// The members that stand in every record.
pub(super) const ENVELOPE: [&str; 7] = ["v", "seq", "prev", "t", "op", "kind", "h"];

const VERSION: &str = "{\"v\":";
const HASH: &str = ",\"h\":\"";
const END: &str = "\"}";
