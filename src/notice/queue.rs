//! What is still to be sent, what was told, and how the last one went: files of this machine.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tempfile::NamedTempFile;
use uuid::Uuid;

use super::event::{Event, Item};
use crate::fleet::{DAY, Moment};
use crate::inventory::Occasion;
use crate::text::SafeText;

/// The files.
#[derive(Debug, Clone)]
pub(super) struct Queue {
    folder: PathBuf,
}

/// A notice that is still to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pending {
    /// Its identity, the same in every try: who has it already takes no second one.
    pub id: Uuid,
    /// The name of the webhook.
    pub to: String,
    /// The name of the event.
    pub event: String,
    /// When it was written down.
    pub at: Moment,
    /// How often it was tried.
    pub tries: u32,
    /// Not tried before.
    pub not_before: Moment,
    /// The text, as it is signed and sent.
    pub body: String,
}

/// How the last notice to a webhook went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Last {
    /// When.
    pub at: Moment,
    /// Whether it was taken.
    pub is_taken: bool,
    /// What became of it, in one line.
    pub text: SafeText,
}

impl Pending {
    /// A notice of that event, about these things of it.
    pub(super) fn new(to: &str, event: &Event, items: &[&Item], at: Moment) -> Self {
        let id = Uuid::now_v7();
        let name = event.occasion.name();
        let summary = match items {
            [] => "a notice to see whether it arrives".to_owned(),
            [one] => one.summary.to_string(),
            [first, rest @ ..] => format!("{}; and {} more", first.summary, rest.len()),
        };
        let machine = rustix::system::uname().nodename().to_string_lossy().into_owned();
        let body = json!({
            "schema": 1,
            "id": id.to_string(),
            "event": name,
            "at": at.to_string(),
            "certdeck": env!("CARGO_PKG_VERSION"),
            "machine": SafeText::new(&machine).as_str(),
            "summary": summary,
            "items": items.iter().take(MOST_ITEMS).map(|it| it.said.clone()).collect::<Value>(),
            "left-out": items.len().saturating_sub(MOST_ITEMS),
        });
        Self {
            id,
            to: to.to_owned(),
            event: name.to_owned(),
            at,
            tries: 0,
            not_before: at,
            body: body.to_string(),
        }
    }
}

impl Queue {
    /// The queue in the folder of state; nothing is touched yet.
    pub(super) fn below(state: &Path) -> Self {
        Self { folder: state.join("notices") }
    }

    /// Writes down what of an event is news to a webhook; whether anything is.
    pub(super) fn add(&self, to: &str, event: &Event, now: Moment) -> io::Result<bool> {
        let _held = self.lock()?;
        let mut all: Told = self.read(TOLD);
        let told = all.entry(to.to_owned()).or_default();
        let before = told.clone();
        told.retain(|_, it| now.unix().saturating_sub(it.at) < FORGOTTEN);
        let name = |it: &Item| format!("{} {}", event.occasion.name(), it.key);
        if event.occasion == Occasion::CriticalFinding {
            let is_over = |key: &str, host: &Option<String>| {
                let is_seen = event.seen.iter().any(|it| host.as_deref() == Some(it.as_str()));
                is_seen && !event.items.iter().any(|it| name(it) == key)
            };
            told.retain(|key, it| !is_over(key, &it.host));
        }
        let is_news = |it: &&Item| told.get(&name(it)).is_none_or(|known| known.print != it.print);
        let news: Vec<&Item> = event.items.iter().filter(is_news).collect();
        if !news.is_empty() {
            self.make_room(now)?;
            self.write(&Pending::new(to, event, &news, now))?;
        }
        // After the notice: one that is told twice is better than one that is not told.
        for it in &event.items {
            let host = it.said.get("host").and_then(Value::as_str).map(str::to_owned);
            told.insert(name(it), Known { at: now.unix(), print: it.print.clone(), host });
        }
        let is_new = !news.is_empty();
        if *told != before {
            self.replace(TOLD, &all)?;
        }
        Ok(is_new)
    }

    /// What is still to be sent, oldest first. What cannot be read is as if it were not there.
    pub(super) fn pending(&self) -> Vec<Pending> {
        let files = fs::read_dir(self.folder.join(QUEUE)).into_iter().flatten().flatten();
        let names = files.filter_map(|it| it.file_name().into_string().ok());
        let parse = |name: String| read::<Kept>(&self.folder.join(QUEUE).join(name));
        let mut all: Vec<Pending> = names
            .filter(|it| it.ends_with(JSON))
            .filter_map(|it| Some(parse(it)?.pending()))
            .collect();
        all.sort_by_key(|it| it.id);
        all
    }

    /// Keeps how often a notice was tried.
    pub(super) fn keep(&self, notice: &Pending) -> io::Result<()> {
        let _held = self.lock()?;
        self.write(notice)
    }

    /// Takes a notice out.
    pub(super) fn remove(&self, notice: &Pending) -> io::Result<()> {
        let _held = self.lock()?;
        fs::remove_file(self.path(notice.id))
    }

    /// Keeps how the last one to a webhook went.
    pub(super) fn told(
        &self,
        notice: &Pending,
        is_taken: bool,
        text: &str,
        now: Moment,
    ) -> io::Result<()> {
        let _held = self.lock()?;
        let mut all: BTreeMap<String, KeptLast> = self.read(LAST);
        let text = SafeText::new(text).to_string();
        all.insert(notice.to.clone(), KeptLast { at: now.unix(), is_taken, text });
        self.replace(LAST, &all)
    }

    /// How the last one to a webhook went.
    pub(super) fn last(&self, to: &str) -> Option<Last> {
        let all: BTreeMap<String, KeptLast> = self.read(LAST);
        let it = all.get(to)?;
        Some(Last {
            at: Moment::from_unix(it.at),
            is_taken: it.is_taken,
            text: SafeText::new(&it.text),
        })
    }

    /// Lets nobody else send to a webhook as long as the file is open; `None` if somebody does.
    pub(super) fn hold(&self, to: &str) -> io::Result<Option<File>> {
        // Any name can be that of a webhook, and not that of a file.
        let name = Sha256::digest(to).iter().take(8).fold(0, |sum, it| sum << 8 | u64::from(*it));
        let file = self.open(&format!("sending-{name:016x}"))?;
        match file.try_lock() {
            Ok(()) => Ok(Some(file)),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(it)) => Err(it),
        }
    }

    /// Gives up the oldest where there are too many, and what nobody has sent for days.
    fn make_room(&self, now: Moment) -> io::Result<()> {
        let all = self.pending();
        let most = all.len().saturating_sub(MOST_PENDING - 1);
        for (at, it) in all.iter().enumerate() {
            if at < most || now.since(it.at) > FORGOTTEN {
                tracing::error!(to = it.to, id = %it.id, event = it.event, "a notice was given up: too many wait");
                fs::remove_file(self.path(it.id))?;
            }
        }
        Ok(())
    }

    fn write(&self, notice: &Pending) -> io::Result<()> {
        let path = self.path(notice.id);
        let folder = path.parent().unwrap_or(&self.folder);
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        put(&path, &Kept::of(notice))
    }

    fn replace(&self, name: &str, value: &impl Serialize) -> io::Result<()> {
        put(&self.folder.join(name), value)
    }

    fn read<T: DeserializeOwned + Default>(&self, name: &str) -> T {
        read(&self.folder.join(name)).unwrap_or_default()
    }

    fn lock(&self) -> io::Result<File> {
        let file = self.open(LOCK)?;
        file.lock()?;
        Ok(file)
    }

    fn open(&self, name: &str) -> io::Result<File> {
        DirBuilder::new().recursive(true).mode(0o700).create(&self.folder)?;
        let path = self.folder.join(name);
        OpenOptions::new().create(true).append(true).mode(0o600).open(path)
    }

    fn path(&self, id: Uuid) -> PathBuf {
        self.folder.join(QUEUE).join(format!("{id}{JSON}"))
    }
}

/// Reads a value; `None` where there is none, or no longer a whole one.
fn read<T: DeserializeOwned>(path: &Path) -> Option<T> {
    let mut bytes = Vec::new();
    File::open(path).ok()?.take(MAX_BYTES).read_to_end(&mut bytes).ok()?;
    serde_json::from_slice(&bytes).ok()
}

/// Puts a value in the place of a file, whole or not at all. Drafts are readable by their owner
/// only.
fn put(path: &Path, value: &impl Serialize) -> io::Result<()> {
    let mut draft = NamedTempFile::new_in(path.parent().unwrap_or(path))?;
    serde_json::to_writer(&mut draft, value)?;
    draft.write_all(b"\n")?;
    draft.as_file().sync_all()?;
    draft.persist(path).map(drop).map_err(|it| it.error)
}

/// What each webhook knows, by its name and by what it is about.
type Told = BTreeMap<String, BTreeMap<String, Known>>;

/// Something that a webhook knows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Known {
    at: i64,
    print: String,
    host: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct KeptLast {
    at: i64,
    is_taken: bool,
    text: String,
}

/// A notice as it is kept.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Kept {
    id: Uuid,
    to: String,
    event: String,
    at: i64,
    tries: u32,
    not_before: i64,
    body: String,
}

impl Kept {
    fn of(it: &Pending) -> Self {
        Self {
            id: it.id,
            to: it.to.clone(),
            event: it.event.clone(),
            at: it.at.unix(),
            tries: it.tries,
            not_before: it.not_before.unix(),
            body: it.body.clone(),
        }
    }

    fn pending(self) -> Pending {
        Pending {
            id: self.id,
            to: self.to,
            event: self.event,
            at: Moment::from_unix(self.at),
            tries: self.tries,
            not_before: Moment::from_unix(self.not_before),
            body: self.body,
        }
    }
}

const LOCK: &str = "LOCK";
const QUEUE: &str = "queue";
const TOLD: &str = "told.json";
const LAST: &str = "last.json";
const JSON: &str = ".json";
/// As many as anybody reads.
const MOST_ITEMS: usize = 50;
/// A webhook that is away for long is not told everything afterwards.
const MOST_PENDING: usize = 100;
/// After so many seconds a finding that is still there is told once more.
const FORGOTTEN: i64 = 30 * DAY;
const MAX_BYTES: u64 = 4 << 20;

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::diagnose::{Ack, AckKind, Diagnosis, Finding};
    use crate::fleet::{HostName, Severity, Verdict};

    const NOW: Moment = Moment::from_unix(1_795_403_564);

    fn finding(host: &str, summary: &str, cause: &str) -> Finding {
        let summary = SafeText::new(summary);
        let host = HostName::new(host);
        let place = Some(SafeText::new("a.test"));
        let bare = Finding::bare(host, place, Verdict::Expired, Severity::Critical, summary);
        Finding { rule: "expired", cause: SafeText::new(cause), ..bare }
    }

    fn critical(findings: &[Finding]) -> Event {
        let diagnosis = Diagnosis { findings: findings.to_vec(), ..Diagnosis::default() };
        Event::critical(&diagnosis, ["web-01", "web-02"].map(HostName::new))
    }

    #[test]
    fn the_same_is_told_once_until_it_changes_or_comes_back() {
        let state = tempfile::tempdir().unwrap();
        let queue = Queue::below(state.path());
        let tell = |findings: &[Finding]| queue.add("chat", &critical(findings), NOW).unwrap();
        let one = finding("web-01", "expired 5h ago", "the hook failed 3 times");
        assert!(tell(std::slice::from_ref(&one)));
        let later = finding("web-01", "expired 6h ago", "the hook failed 4 times");
        assert!(!tell(std::slice::from_ref(&later)));
        let other = finding("web-02", "expired", "no timer");
        assert!(tell(&[later.clone(), other.clone()]));
        let texts: Vec<_> = queue.pending().into_iter().map(|it| it.body).collect();
        assert_eq!(texts.len(), 2);
        assert!(!texts[1].contains("web-01") && texts[1].contains("web-02"), "{}", texts[1]);
        assert!(tell(&[finding("web-01", "expired", "the CA is away"), other.clone()]));
        // It is gone, and comes back.
        assert!(!tell(std::slice::from_ref(&other)));
        assert!(tell(&[later, other]));
        // Another webhook knows nothing of that.
        assert!(queue.add("pager", &critical(&[one]), NOW).unwrap());
    }

    #[test]
    fn what_is_acknowledged_is_told_when_that_is_over() {
        let state = tempfile::tempdir().unwrap();
        let queue = Queue::below(state.path());
        let one = finding("web-01", "expired", "x");
        let days = (NOW, NOW.plus(DAY));
        let ack = Ack::of(&one, AckKind::Acknowledged, days, ("anna@laptop", "at it"));
        let known = Finding { ack: Some(ack), ..one.clone() };
        assert!(!queue.add("chat", &critical(&[known]), NOW).unwrap());
        assert!(queue.add("chat", &critical(&[one]), NOW).unwrap());
    }

    #[test]
    fn what_was_not_looked_at_is_not_over() {
        let state = tempfile::tempdir().unwrap();
        let queue = Queue::below(state.path());
        let one = finding("web-01", "expired", "x");
        let diagnosis = Diagnosis { findings: vec![one.clone()], ..Diagnosis::default() };
        assert!(queue.add("chat", &critical(&[one]), NOW).unwrap());
        let elsewhere = Event::critical(&diagnosis, [HostName::new("web-02")]);
        assert!(!queue.add("chat", &elsewhere, NOW).unwrap());
        let here = Event::critical(&diagnosis, [HostName::new("web-01")]);
        assert!(!queue.add("chat", &here, NOW).unwrap());
    }

    #[test]
    fn it_is_bounded_and_closed_to_others() {
        let state = tempfile::tempdir().unwrap();
        let queue = Queue::below(state.path());
        for at in 0..MOST_PENDING + 7 {
            let event = Event::emergency_ended(&at.to_string(), "x", "ok", &SafeText::default());
            assert!(queue.add("chat", &event, NOW).unwrap());
        }
        let pending = queue.pending();
        assert_eq!(pending.len(), MOST_PENDING);
        assert!(pending[0].body.contains(r#""id":"7""#), "{}", pending[0].body);
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&state.path().join("notices")), 0o700);
        assert_eq!(mode(&state.path().join("notices/queue")), 0o700);
        for name in [TOLD, LOCK] {
            assert_eq!(mode(&state.path().join("notices").join(name)), 0o600);
        }
        assert_eq!(mode(&queue.path(pending[0].id)), 0o600);
        File::create(queue.path(pending[0].id)).unwrap().write_all(b"{torn").unwrap();
        assert_eq!(queue.pending().len(), MOST_PENDING - 1);
    }

    #[test]
    fn one_sends_to_a_webhook_at_a_time() {
        let state = tempfile::tempdir().unwrap();
        let queue = Queue::below(state.path());
        let held = queue.hold("chat").unwrap();
        assert!(held.is_some() && queue.hold("chat").unwrap().is_none());
        assert!(queue.hold("../pager").unwrap().is_some());
        drop(held);
        assert!(queue.hold("chat").unwrap().is_some());
    }
}
