//! What was said in reviews: a file for each that was signed off, and one for each finding of which
//! somebody knows. Nothing is kept before it is in the audit log.
//!
//! These files outlive versions of this program, so their shapes are their own and not those of
//! the snapshot. Whoever changes one here raises its version and reads the old one as well.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{Error, Store, Unusable, beside, read, replace, seal, unseal};
use crate::audit::{Log, Permit};
use crate::diagnose::{Ack, AckKind, FindingId};
use crate::fleet::{Fingerprint, HostName, KeyKind, Moment, Severity, Verdict};
use crate::review::{Kept, Mark, Spot, Word};
use crate::text::SafeText;

impl Store {
    /// Every review that was signed off, the oldest first.
    pub fn marks(&self) -> Result<Vec<Mark>, Error> {
        let mut marks = Vec::new();
        for path in self.files(MARKS, "mark")? {
            let Some(bytes) = read(&path)? else { continue };
            let wire = unseal((MARK, VERSION), &bytes)
                .and_then(|it| postcard::from_bytes(it).map_err(|_| Unusable::Damaged))
                .map_err(|it| it.at(path))?;
            marks.push(WireMark::mark(wire));
        }
        marks.sort_by_key(|it| it.number);
        Ok(marks)
    }

    /// What was said about findings, by finding; what has ended is among it.
    pub fn acks(&self) -> Result<Vec<Ack>, Error> {
        let mut acks = Vec::new();
        for path in self.files(ACKS, "ack")? {
            let Some(bytes) = read(&path)? else { continue };
            let wire = unseal((ACK, VERSION), &bytes)
                .and_then(|it| postcard::from_bytes(it).map_err(|_| Unusable::Damaged));
            let ack = wire.and_then(|it| WireAck::ack(it).ok_or(Unusable::Damaged));
            acks.push(ack.map_err(|it| it.at(path))?);
        }
        acks.sort_by(|a, b| a.id.cmp(&b.id));
        Ok(acks)
    }

    /// Puts on record what was said, by whom and how it was confirmed, and then keeps it.
    pub fn keep(
        &self,
        log: &mut Log,
        word: &Word,
        who: &str,
        confirmed: &str,
    ) -> Result<(), Error> {
        let mut body = record(word);
        body.insert("who".to_owned(), json!(who));
        body.insert("confirmed".to_owned(), json!(confirmed));
        if let Word::Ack(Ack { id, .. }) | Word::TakeBack(id) = word {
            let old = self.acks()?.into_iter().find(|it| it.id == *id);
            body.insert("old".to_owned(), json!(old.map(|it| it.to_string())));
        }
        let permit = log.change(&body)?;
        match word {
            Word::Ack(ack) => self.keep_ack(ack, &permit),
            Word::SignOff(mark, _) => self.keep_mark(mark, &permit),
            Word::TakeBack(id) => self.drop_ack(id, &permit),
        }
    }

    fn keep_ack(&self, ack: &Ack, _permit: &Permit) -> Result<(), Error> {
        let path = self.ack_path(&ack.id);
        let bytes = seal((ACK, VERSION), &WireAck::of(ack));
        let written = bytes.and_then(|it| replace(&self.state.join(ACKS), &path, &it));
        written.map_err(|source| Error::Write { path, source })
    }

    fn drop_ack(&self, id: &FindingId, _permit: &Permit) -> Result<(), Error> {
        let path = self.ack_path(id);
        match fs::remove_file(&path) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                Err(Error::Write { path, source })
            }
            _ => Ok(()),
        }
    }

    /// Never over another of the same number: that is a review of somebody else.
    fn keep_mark(&self, mark: &Mark, _permit: &Permit) -> Result<(), Error> {
        let folder = self.state.join(MARKS);
        let path = folder.join(format!("{:06}.mark", mark.number));
        let write = || {
            let bytes = seal((MARK, VERSION), &WireMark::of(mark))?;
            beside(&folder, &bytes)?.persist_noclobber(&path)?;
            File::open(&folder)?.sync_all()
        };
        write().map_err(|source| Error::Write { path: path.clone(), source })
    }

    fn ack_path(&self, id: &FindingId) -> PathBuf {
        // A name of a place may hold anything.
        let name = Fingerprint::of(id.to_string().as_bytes()).to_string();
        self.state.join(ACKS).join(format!("{name}.ack"))
    }

    fn files(&self, folder: &str, kind: &str) -> Result<Vec<PathBuf>, Error> {
        let folder = self.state.join(folder);
        let entries = match fs::read_dir(&folder) {
            Ok(it) => it,
            Err(it) if it.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(source) => return Err(Error::Read { path: folder, source }),
        };
        let paths = entries.filter_map(|it| Some(it.ok()?.path()));
        let mut paths: Vec<_> =
            paths.filter(|it| it.extension().is_some_and(|it| it == kind)).collect();
        paths.sort();
        Ok(paths)
    }
}

/// What the audit log says of it.
fn record(word: &Word) -> Map<String, Value> {
    let mut body = vec![("what", json!(word.what()))];
    let of = |id: &FindingId| {
        let place = id.place.as_ref().map(SafeText::as_str);
        vec![
            ("finding", json!(id.to_string())),
            ("host", json!(id.host.as_str())),
            ("lineage", json!(place)),
        ]
    };
    match word {
        Word::Ack(ack) => {
            body.extend(of(&ack.id));
            body.extend([
                ("severity", json!(ack.severity.word())),
                ("verdict", json!(ack.verdict.word())),
                ("until", json!(ack.until.to_string())),
                ("reason", json!(ack.reason.as_str())),
                ("new", json!(ack.to_string())),
            ]);
        }
        Word::SignOff(mark, summary) => body.extend([
            ("review", json!(mark.number)),
            ("note", json!(mark.note.as_str())),
            ("hosts", json!(mark.hosts.len())),
            ("places", json!(mark.places.len())),
            ("new", json!(summary.as_str())),
        ]),
        Word::TakeBack(id) => {
            body.extend(of(id));
            body.push(("new", json!(null)));
        }
    }
    body.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

#[derive(Debug, Serialize, Deserialize)]
struct WireMark {
    number: u32,
    at: i64,
    who: String,
    note: String,
    hosts: BTreeMap<String, Option<i64>>,
    places: Vec<WireSpot>,
}

#[derive(Debug, Serialize, Deserialize)]
struct WireSpot {
    host: String,
    place: String,
    source: String,
    kept: Option<WireKept>,
}

#[derive(Debug, Serialize, Deserialize)]
struct WireKept {
    sha256: [u8; 32],
    spki: [u8; 32],
    key: WireKey,
    issuer: String,
    names: Vec<String>,
    not_before: i64,
    not_after: i64,
    profile: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
enum WireKey {
    Ecdsa(u16),
    Ed25519,
    Other,
    Rsa(u16),
}

impl WireMark {
    fn of(it: &Mark) -> Self {
        let text = |it: &SafeText| it.as_str().to_owned();
        let hosts = it.hosts.iter();
        Self {
            number: it.number,
            at: it.at.unix(),
            who: text(&it.who),
            note: text(&it.note),
            hosts: hosts.map(|(name, at)| (name.to_string(), at.map(Moment::unix))).collect(),
            places: it
                .places
                .iter()
                .map(|(spot, kept)| WireSpot {
                    host: spot.host.to_string(),
                    place: text(&spot.place),
                    source: text(&spot.source),
                    kept: kept.as_ref().map(WireKept::of),
                })
                .collect(),
        }
    }

    fn mark(self) -> Mark {
        let hosts = self.hosts.into_iter();
        let spot = |it: WireSpot| {
            let spot = Spot {
                host: HostName::new(&it.host),
                place: SafeText::new(&it.place),
                source: SafeText::new(&it.source),
            };
            (spot, it.kept.map(WireKept::kept))
        };
        Mark {
            number: self.number,
            at: Moment::from_unix(self.at),
            who: SafeText::new(&self.who),
            note: SafeText::new(&self.note),
            hosts: hosts.map(|it| (HostName::new(&it.0), it.1.map(Moment::from_unix))).collect(),
            places: self.places.into_iter().map(spot).collect(),
        }
    }
}

impl WireKept {
    fn of(it: &Kept) -> Self {
        Self {
            sha256: *it.sha256.digest(),
            spki: *it.spki.digest(),
            key: match it.key {
                KeyKind::Ecdsa(bits) => WireKey::Ecdsa(bits),
                KeyKind::Ed25519 => WireKey::Ed25519,
                KeyKind::Other => WireKey::Other,
                KeyKind::Rsa(bits) => WireKey::Rsa(bits),
            },
            issuer: it.issuer.to_string(),
            names: it.names.iter().map(ToString::to_string).collect(),
            not_before: it.not_before.unix(),
            not_after: it.not_after.unix(),
            profile: it.profile.as_ref().map(ToString::to_string),
        }
    }

    fn kept(self) -> Kept {
        Kept {
            sha256: Fingerprint::from_digest(self.sha256),
            spki: Fingerprint::from_digest(self.spki),
            key: match self.key {
                WireKey::Ecdsa(bits) => KeyKind::Ecdsa(bits),
                WireKey::Ed25519 => KeyKind::Ed25519,
                WireKey::Other => KeyKind::Other,
                WireKey::Rsa(bits) => KeyKind::Rsa(bits),
            },
            issuer: SafeText::new(&self.issuer),
            names: self.names.iter().map(|it| SafeText::new(it)).collect(),
            not_before: Moment::from_unix(self.not_before),
            not_after: Moment::from_unix(self.not_after),
            profile: self.profile.as_deref().map(SafeText::new),
        }
    }
}

/// Words rather than numbers: verdicts and urgencies may come to be more.
#[derive(Debug, Serialize, Deserialize)]
struct WireAck {
    finding: String,
    kind: String,
    until: i64,
    reason: String,
    who: String,
    at: i64,
    severity: String,
    verdict: String,
}

impl WireAck {
    fn of(it: &Ack) -> Self {
        Self {
            finding: it.id.to_string(),
            kind: it.kind.word().to_owned(),
            until: it.until.unix(),
            reason: it.reason.to_string(),
            who: it.who.to_string(),
            at: it.at.unix(),
            severity: it.severity.word().to_owned(),
            verdict: it.verdict.word().to_owned(),
        }
    }

    fn ack(self) -> Option<Ack> {
        let severities = [Severity::Info, Severity::Warning, Severity::Critical];
        Some(Ack {
            id: FindingId::parse(&self.finding)?,
            kind: AckKind::ALL.into_iter().find(|it| it.word() == self.kind)?,
            until: Moment::from_unix(self.until),
            reason: SafeText::new(&self.reason),
            who: SafeText::new(&self.who),
            at: Moment::from_unix(self.at),
            severity: severities.into_iter().find(|it| it.word() == self.severity)?,
            verdict: Verdict::ALL.into_iter().find(|it| it.word() == self.verdict)?,
        })
    }
}

/// The folders, below that of the state.
const MARKS: &str = "reviews";
const ACKS: &str = "acks";
const MARK: &[u8] = b"certmark";
const ACK: &[u8] = b"certnote";
const VERSION: u16 = 1;

#[cfg(test)]
mod tests {
    #![expect(clippy::disallowed_methods, reason = "the tests damage files on purpose")]

    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::audit::verify::{State, verify};
    use crate::clock::Clock;

    const NOW: Moment = Moment::from_unix(1_795_403_564);

    fn mark(number: u32) -> Mark {
        let host = HostName::new("web-01");
        let kept = Kept {
            sha256: Fingerprint::of(b"leaf"),
            spki: Fingerprint::of(b"key"),
            key: KeyKind::Ecdsa(256),
            issuer: SafeText::new("CN=YE1,O=Let's Encrypt,C=US"),
            names: vec![SafeText::new("*.example.net"), SafeText::new("example.net")],
            not_before: NOW.plus(-100),
            not_after: NOW.plus(100),
            profile: Some(SafeText::new("classic")),
        };
        let spot = |place: &str| Spot {
            host: host.clone(),
            place: SafeText::new(place),
            source: SafeText::new("certbot"),
        };
        Mark {
            number,
            at: NOW,
            who: SafeText::new("anna@laptop"),
            note: SafeText::new("as usual"),
            hosts: [(host.clone(), Some(NOW)), (HostName::new("web-02"), None)].into(),
            places: [(spot("www"), Some(kept)), (spot("shop"), None)].into(),
        }
    }

    fn ack(id: &str) -> Ack {
        Ack {
            id: FindingId::parse(id).unwrap(),
            kind: AckKind::Snoozed,
            until: NOW.plus(7),
            reason: SafeText::new("it moves on Monday"),
            who: SafeText::new("anna@laptop"),
            at: NOW,
            severity: Severity::Critical,
            verdict: Verdict::Overdue,
        }
    }

    struct Desk {
        folder: tempfile::TempDir,
        store: Store,
        log: Log,
    }

    impl Desk {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let log = Log::open(folder.path(), Clock::fixed(NOW)).unwrap();
            Self { store: Store::new(folder.path()), log, folder }
        }

        fn say(&mut self, word: &Word) -> Result<(), Error> {
            self.store.keep(&mut self.log, word, "anna@laptop", "typed")
        }

        fn records(&self) -> Vec<(String, String)> {
            let all = self.log.records().unwrap();
            let text =
                |it: &crate::audit::read::Record, key| it.text(key).unwrap_or("-").to_owned();
            let changes = all.iter().filter(|it| it.kind == "change");
            changes.map(|it| (text(it, "what"), text(it, "new"))).collect()
        }
    }

    #[test]
    fn what_was_said_is_on_record_and_comes_back() {
        let mut desk = Desk::new();
        assert_eq!(desk.store.marks().unwrap(), []);
        assert_eq!(desk.store.acks().unwrap(), []);
        for number in [2, 1] {
            let word = Word::SignOff(Box::new(mark(number)), SafeText::new("2 hosts"));
            desk.say(&word).unwrap();
        }
        assert_eq!(desk.store.marks().unwrap(), [mark(1), mark(2)]);
        let ids = ["overdue@web-01/www", "schedule@web-01", "key@lb-1//etc/a/b.pem"];
        for id in ids {
            desk.say(&Word::Ack(ack(id))).unwrap();
        }
        let kept: Vec<_> = desk.store.acks().unwrap().iter().map(|it| it.id.to_string()).collect();
        assert_eq!(kept, [ids[2], ids[0], ids[1]]);
        assert_eq!(desk.store.acks().unwrap()[1], ack(ids[0]));
        desk.say(&Word::TakeBack(FindingId::parse(ids[1]).unwrap())).unwrap();
        assert_eq!(desk.store.acks().unwrap().len(), 2);
        let records = desk.records();
        assert_eq!(records.len(), 6);
        assert_eq!(records[0], ("review-signed-off".to_owned(), "2 hosts".to_owned()));
        assert!(records[2].1.starts_with("snoozed by anna@laptop until "), "{records:?}");
        assert_eq!(records[5].0, "finding-taken-back");
        assert_eq!(verify(desk.folder.path()).state, State::Good);
        let path = desk.folder.path().join("reviews/000001.mark");
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn what_the_log_refuses_is_not_kept() {
        let mut desk = Desk::new();
        desk.say(&Word::Ack(ack("overdue@web-01/www"))).unwrap();
        // What somebody has put into the log makes it refuse.
        let segment = desk.folder.path().join("audit/000001.jsonl");
        let mut bytes = fs::read(&segment).unwrap();
        bytes[20] ^= 1;
        fs::write(&segment, bytes).unwrap();
        let mut log = Log::open(desk.folder.path(), Clock::fixed(NOW)).unwrap();
        let word = Word::Ack(ack("schedule@web-01"));
        let refused = desk.store.keep(&mut log, &word, "anna@laptop", "typed");
        assert!(matches!(refused, Err(Error::NotAudited(_))), "{refused:?}");
        assert_eq!(desk.store.acks().unwrap().len(), 1);
    }

    #[test]
    fn a_review_of_somebody_else_is_never_written_over() {
        let mut desk = Desk::new();
        let word = |note: &str| {
            let mark = Mark { note: SafeText::new(note), ..mark(1) };
            Word::SignOff(Box::new(mark), SafeText::default())
        };
        desk.say(&word("first")).unwrap();
        assert!(matches!(desk.say(&word("second")), Err(Error::Write { .. })));
        assert_eq!(desk.store.marks().unwrap()[0].note, "first");
    }

    #[test]
    fn damage_and_other_versions_are_told() {
        let mut desk = Desk::new();
        desk.say(&Word::SignOff(Box::new(mark(1)), SafeText::default())).unwrap();
        let path = desk.folder.path().join("reviews/000001.mark");
        let good = fs::read(&path).unwrap();
        for size in 0..good.len() {
            fs::write(&path, &good[..size]).unwrap();
            assert!(matches!(desk.store.marks(), Err(Error::Damaged(_))), "{size}");
        }
        let mut other = good;
        other[MARK.len() + 1] += 1;
        fs::write(&path, other).unwrap();
        assert!(matches!(desk.store.marks(), Err(Error::OtherVersion(_))));
    }
}
