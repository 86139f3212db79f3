//! The facts of a hand-over, gathered from records: what was begun and what came of it, what is
//! still open, who was there. Everything in it is safe to show.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::Value;
use uuid::Uuid;

use super::Incident;
use crate::action::Command;
use crate::audit::Extract;
use crate::audit::export::Actions;
use crate::audit::read::Record;
use crate::fleet::{Group, HostName, Moment};
use crate::text::SafeText;

/// The facts.
#[derive(Debug)]
pub(super) struct Story<'a> {
    pub(super) extract: &'a Extract,
    pub(super) asked: &'a str,
    pub(super) now: Moment,
    /// What was changed or tried, and what came of it: an entry for each record.
    pub(super) timeline: Vec<Entry>,
    /// What happened within an action: orders, challenges.
    pub(super) steps: Vec<Entry>,
    /// Who sat where.
    pub(super) sessions: Vec<Entry>,
    /// What the log tells of itself.
    pub(super) log: Vec<Entry>,
    /// What is not over.
    pub(super) open: Vec<Open>,
    /// Whom to ask about the hosts that were touched.
    pub(super) groups: Vec<&'a Group>,
}

/// What a record says, with what the beginning of its action says for it.
#[derive(Debug, Default)]
pub(super) struct Entry {
    pub(super) seq: u64,
    pub(super) at: Moment,
    pub(super) op: Uuid,
    pub(super) kind: Kind,
    /// The kind as it stands there.
    pub(super) word: String,
    pub(super) who: String,
    pub(super) action: String,
    pub(super) host: String,
    pub(super) lineage: String,
    pub(super) names: Vec<String>,
    /// The commands of an intent, as a shell would take them.
    pub(super) commands: Vec<String>,
    /// The same without the texts of scripts.
    pub(super) briefs: Vec<String>,
    pub(super) confirmed: String,
    /// Why, in the words of whoever did it; with the member that says so.
    pub(super) reasons: Vec<(String, String)>,
    pub(super) ending: String,
    pub(super) summary: String,
    pub(super) cause: String,
    pub(super) evidence: Vec<String>,
    pub(super) exit: String,
    pub(super) before: String,
    pub(super) after: String,
    pub(super) wire: Vec<Wire>,
    /// The hash of what was printed.
    pub(super) output: String,
    /// Members that only this kind of record has, for steps and changes.
    pub(super) others: Vec<(String, String)>,
}

/// What a record is to a hand-over.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Something is begun.
    Begin,
    /// What came of it.
    End,
    /// A host key, the inventory or the configuration is changed.
    Change,
    /// Something happens within an action.
    Step,
    /// Somebody comes or goes.
    Session,
    /// The log itself.
    Log,
    /// A newer version has written it.
    #[default]
    Other,
}

/// What one address served.
#[derive(Debug)]
pub(super) struct Wire {
    pub(super) name: String,
    pub(super) from: String,
    pub(super) address: String,
    pub(super) leaf: String,
    pub(super) error: String,
}

/// Something that is not over, and the record that tells of it.
#[derive(Debug)]
pub(super) struct Open {
    pub(super) seq: u64,
    pub(super) what: What,
    pub(super) target: String,
    /// More about it.
    pub(super) text: String,
}

/// In what way something is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    /// Its end comes after what was asked for.
    EndsLater,
    /// The last try there did not end well.
    Failed,
    /// Nobody has written what came of it: it may still run.
    NoOutcome,
    /// What answers a challenge is still in place.
    Challenge,
    /// The new certificate was not seen on the wire.
    Unproven,
    /// Nobody knows what came of it.
    Unknown,
}

impl What {
    /// Its name for programs.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::EndsLater => "ends-later",
            Self::Failed => "failed",
            Self::NoOutcome => "no-outcome",
            Self::Challenge => "challenge-in-place",
            Self::Unproven => "not-proven",
            Self::Unknown => "unknown-outcome",
        }
    }

    /// The same for people.
    pub(super) const fn words(self) -> &'static str {
        match self {
            Self::EndsLater => "it ends after this span",
            Self::Failed => "the last try did not end well",
            Self::NoOutcome => "it has no outcome and may still run",
            Self::Challenge => "what answered a challenge may still be in place",
            Self::Unproven => "the certificate is not proven on the wire",
            Self::Unknown => "its outcome is not known",
        }
    }
}

impl<'a> Story<'a> {
    /// Gathers the facts.
    pub(super) fn of(incident: &Incident<'a>) -> Self {
        let Incident { extract, asked, fleet, now } = *incident;
        let actions = Actions::of(&extract.records);
        let mut story = Self {
            extract,
            asked,
            now,
            timeline: Vec::new(),
            steps: Vec::new(),
            sessions: Vec::new(),
            log: Vec::new(),
            open: Vec::new(),
            groups: Vec::new(),
        };
        for record in extract.chosen() {
            let entry = Entry::of(record, &actions);
            match entry.kind {
                Kind::Begin | Kind::End | Kind::Change | Kind::Other => &mut story.timeline,
                Kind::Step => &mut story.steps,
                Kind::Session => &mut story.sessions,
                Kind::Log => &mut story.log,
            }
            .push(entry);
        }
        story.open = story.find_open();
        let hosts = story.hosts();
        let known = hosts.iter().filter_map(|it| fleet.host(&HostName::new(it)));
        let names: BTreeSet<&String> = known.flat_map(|it| &it.groups).collect();
        let is_told = |it: &&Group| it.owner.is_some() || it.runbook.is_some();
        let groups = fleet.groups.iter().filter(|it| names.contains(&it.name));
        story.groups = groups.filter(is_told).collect();
        story
    }

    /// Every entry that has to do with an action.
    fn all(&self) -> impl Iterator<Item = &Entry> {
        self.timeline.iter().chain(&self.steps)
    }

    /// The hosts that something was done to.
    pub(super) fn hosts(&self) -> BTreeSet<&str> {
        self.all().map(|it| it.host.as_str()).filter(|it| !it.is_empty()).collect()
    }

    /// The places that something was done to, as `lineage on host`.
    pub(super) fn targets(&self) -> BTreeSet<String> {
        self.timeline.iter().map(Entry::target).filter(|it| !it.is_empty()).collect()
    }

    /// The names in the certificates of what was done.
    pub(super) fn names(&self) -> BTreeSet<&str> {
        let names = self.timeline.iter().flat_map(|it| &it.names).map(String::as_str);
        let lineages = self.timeline.iter().map(|it| it.lineage.as_str());
        names.chain(lineages).filter(|it| !it.is_empty()).collect()
    }

    /// Everybody who did something or was there.
    pub(super) fn people(&self) -> BTreeSet<&str> {
        let all = self.all().chain(&self.sessions).map(|it| it.who.as_str());
        all.filter(|it| !it.is_empty()).collect()
    }

    /// What was tried and did not end well.
    pub(super) fn failed(&self) -> impl Iterator<Item = &Entry> {
        self.timeline.iter().filter(|it| it.kind == Kind::End && it.ending != "ok")
    }

    /// What was done for a reason that somebody gave: by force, in spite of a check, or not at all.
    pub(super) fn reasoned(&self) -> impl Iterator<Item = &Entry> {
        self.all().chain(&self.log).filter(|it| !it.reasons.is_empty())
    }

    /// The host keys that were trusted.
    pub(super) fn host_keys(&self) -> impl Iterator<Item = &Entry> {
        self.timeline.iter().filter(|it| it.is_host_key())
    }

    /// What else was changed on the operator's machine.
    pub(super) fn configuration(&self) -> impl Iterator<Item = &Entry> {
        self.timeline.iter().filter(|it| it.kind == Kind::Change && !it.is_host_key())
    }

    /// Whether nothing of it was real: whoever worked here did so to practise.
    pub(super) fn is_practice(&self) -> bool {
        let begun = |it: &&Record| it.kind == "session" && it.text("event") == Some("start");
        let mut sessions = self.extract.records.iter().filter(begun).peekable();
        let is_practice = |it: &Record| it.body.get("practice") == Some(&Value::Bool(true));
        sessions.peek().is_some() && sessions.all(is_practice)
    }

    /// The first and the last moment of it.
    pub(super) fn span(&self) -> Option<(Moment, Moment)> {
        let mut chosen = self.extract.chosen();
        let first = chosen.next()?;
        Some((first.at, chosen.last().unwrap_or(first).at))
    }

    /// The first and the last record, with their hashes.
    pub(super) fn ends(&self) -> Option<[(u64, String); 2]> {
        let mut chosen = self.extract.chosen();
        let first = chosen.next()?;
        let last = chosen.last().unwrap_or(first);
        Some([first, last].map(|it| (it.seq, it.hash().unwrap_or_default())))
    }

    /// How many ended so, in the order of their endings' names.
    fn endings(&self) -> BTreeMap<&str, usize> {
        let mut counts = BTreeMap::new();
        for entry in self.timeline.iter().filter(|it| it.kind == Kind::End) {
            *counts.entry(entry.ending.as_str()).or_default() += 1;
        }
        counts
    }

    /// A few lines for a chat, in which nobody is called by a name that stands in a log.
    pub(super) fn status(&self) -> Vec<String> {
        let Some((from, to)) = self.span().filter(|_| !self.timeline.is_empty()) else {
            return vec![format!("certdeck: nothing was changed ({}).", self.asked)];
        };
        let begun = self.timeline.iter().filter(|it| it.kind == Kind::Begin).count();
        let changes = self.timeline.iter().filter(|it| it.kind == Kind::Change).count();
        let ends: Vec<_> =
            self.endings().iter().map(|(ending, count)| format!("{count} {ending}")).collect();
        let ends = if ends.is_empty() { String::new() } else { format!(" ({})", ends.join(", ")) };
        let mut did = vec![format!("{}{ends}", many(begun, "action"))];
        if changes > 0 {
            did.push(format!("{} of host keys or settings", many(changes, "change")));
        }
        let hosts = many(self.hosts().len(), "host");
        // It is pasted where nobody sees from what it was made.
        let mut lines: Vec<_> =
            self.is_practice().then(|| PRACTICE.to_owned()).into_iter().collect();
        lines.push(format!("certdeck, {from} to {to}: {} on {hosts}.", did.join(", ")));
        let mut targets: Vec<String> = self.targets().into_iter().collect();
        // Certificates say more than hosts.
        targets.sort_by_key(|it| !it.contains(ON));
        if !targets.is_empty() {
            lines.push(format!("Touched: {}.", some(&targets)));
        }
        let last = self.timeline.iter().rev().find(|it| it.kind == Kind::End);
        if let Some(it) = last {
            let what = format!("{}: {}", it.deed(), it.ending);
            let by = if it.who.is_empty() { String::new() } else { format!(" ({})", it.who) };
            lines.push(format!("Last, {}: {what}; {}{by}.", it.at, it.summary));
        }
        let open: Vec<_> =
            self.open.iter().map(|it| format!("{}: {}", it.target, it.what.words())).collect();
        lines.push(match open.as_slice() {
            [] => "Nothing of it is open.".to_owned(),
            all => format!("Open: {}.", some(all)),
        });
        let ask: Vec<_> = self.groups.iter().map(|it| ask(it)).collect();
        if !ask.is_empty() {
            lines.push(format!("Ask: {}.", some(&ask)));
        }
        lines.iter().map(|it| uncalling(it)).collect()
    }

    fn find_open(&self) -> Vec<Open> {
        let mut open = Vec::new();
        let ends: HashMap<Uuid, u64> = self
            .extract
            .records
            .iter()
            .filter(|it| it.is_end())
            .map(|it| (it.op, it.seq))
            .collect();
        let mut last: BTreeMap<String, &Entry> = BTreeMap::new();
        for entry in &self.timeline {
            let target = entry.deed();
            let mut add = |what, text: &str| {
                let text = text.to_owned();
                open.push(Open { seq: entry.seq, what, target: target.clone(), text });
            };
            match entry.kind {
                Kind::Begin => match ends.get(&entry.op) {
                    None => add(What::NoOutcome, &format!("certdeck jobs show {}", entry.op)),
                    Some(end) if !self.extract.chosen.contains(end) => add(What::EndsLater, ""),
                    Some(_) => {}
                },
                Kind::End if entry.ending == "unknown" => add(What::Unknown, &entry.summary),
                _ => {}
            }
            if entry.kind == Kind::End && !entry.target().is_empty() {
                last.insert(entry.target(), entry);
            }
        }
        for entry in last.into_values() {
            let mut add = |what, text: String| {
                open.push(Open { seq: entry.seq, what, target: entry.deed(), text });
            };
            match entry.ending.as_str() {
                "ok" => entry.unproven().into_iter().for_each(|it| add(What::Unproven, it)),
                "unknown" => {}
                _ => add(What::Failed, entry.summary.clone()),
            }
        }
        open.extend(self.challenges());
        open.sort_by_key(|it| it.seq);
        open
    }

    /// Actions that have put more answers to challenges in place than they have taken away.
    fn challenges(&self) -> Vec<Open> {
        let mut placed: BTreeMap<Uuid, (i64, &Entry)> = BTreeMap::new();
        for step in &self.steps {
            let said = |key: &str| step.others.iter().find(|it| it.0 == key).map(|it| &it.1);
            let count = said("challenges-count").and_then(|it| it.parse::<i64>().ok());
            let Some(count) = count else { continue };
            let is_placing = said("what").is_some_and(|it| it == PLACED);
            placed.entry(step.op).or_insert((0, step)).0 += if is_placing { count } else { -count };
        }
        let left = placed.into_values().filter(|(count, _)| *count > 0);
        left.map(|(count, step)| Open {
            seq: step.seq,
            what: What::Challenge,
            target: step.deed(),
            text: format!("{count} not taken away"),
        })
        .collect()
    }
}

impl Entry {
    fn of(record: &Record, actions: &Actions<'_>) -> Self {
        let said = |key: &str| actions.shown(record, key);
        let own = |key: &str| record.shown(key);
        let list = |key: &str| match record.body.get(key) {
            Some(Value::Array(all)) => all.iter().map(shown).collect(),
            _ => Vec::new(),
        };
        let kind = Kind::of(&record.kind);
        let reasons = REASONS.iter().filter(|key| record.body.contains_key(**key));
        let reasons =
            reasons.map(|key| ((*key).to_owned(), own(key))).filter(|it| !it.1.is_empty());
        let others = record.body.iter().filter(|(key, _)| !TOLD.contains(&key.as_str()));
        let others: Vec<_> = match kind {
            Kind::Step | Kind::Change | Kind::Other | Kind::Log | Kind::Session => {
                others.map(|(key, it)| (SafeText::new(key).to_string(), shown(it))).collect()
            }
            Kind::Begin | Kind::End => Vec::new(),
        };
        // The machine of whoever comes is no host that something is done to.
        let is_place = !matches!(kind, Kind::Session | Kind::Log);
        let place = |key: &str| if is_place { said(key) } else { String::new() };
        Self {
            seq: record.seq,
            at: record.at,
            op: record.op,
            kind,
            word: SafeText::new(&record.kind).to_string(),
            who: said("who"),
            // What a step is called is no action.
            action: match kind {
                Kind::Change => own("what"),
                _ => said("action"),
            },
            host: place("host"),
            lineage: place("lineage"),
            names: list("names"),
            commands: commands(record, Command::line),
            briefs: commands(record, Command::brief),
            confirmed: own("confirmed"),
            reasons: reasons.collect(),
            ending: own("ending"),
            summary: own("summary"),
            cause: own("cause"),
            evidence: list("evidence"),
            exit: own("exit"),
            before: own("before"),
            after: own("after"),
            wire: wire(record),
            output: own("output"),
            others,
        }
    }

    /// `lineage on host`, or what of it there is.
    pub(super) fn target(&self) -> String {
        match (self.lineage.as_str(), self.host.as_str()) {
            ("", host) => host.to_owned(),
            (lineage, "") => lineage.to_owned(),
            (lineage, host) => format!("{lineage}{ON}{host}"),
        }
    }

    /// What is done and where, in a few words.
    pub(super) fn deed(&self) -> String {
        let action = if self.action.is_empty() { &self.word } else { &self.action };
        format!("{action} {}", self.target()).trim_end().to_owned()
    }

    fn is_host_key(&self) -> bool {
        self.kind == Kind::Change && self.action == HOST_KEY
    }

    /// Where the certificate that is live now was not seen, in words.
    fn unproven(&self) -> Vec<String> {
        if self.after.is_empty() {
            return Vec::new();
        }
        if self.wire.is_empty() && self.before != self.after {
            return vec!["no address was looked at".to_owned()];
        }
        let is_other = |it: &&Wire| it.leaf != self.after;
        self.wire.iter().filter(is_other).map(Wire::words).collect()
    }
}

impl Kind {
    fn of(word: &str) -> Self {
        match word {
            "intent" => Self::Begin,
            "outcome" | "reconcile" => Self::End,
            "change" => Self::Change,
            "step" => Self::Step,
            "session" => Self::Session,
            "genesis" | "segment" => Self::Log,
            _ => Self::Other,
        }
    }
}

impl Wire {
    /// What an address served, in words.
    pub(super) fn words(&self) -> String {
        let Self { name, from, address, leaf, error } = self;
        let what = match (leaf.as_str(), error.as_str()) {
            ("", "") => "was not served".to_owned(),
            ("", error) => error.to_owned(),
            (leaf, _) => short(leaf),
        };
        format!("{name} from {from} at {address}: {what}")
    }
}

fn commands(record: &Record, line: fn(&Command) -> String) -> Vec<String> {
    let Some(Value::Array(all)) = record.body.get("argv") else { return Vec::new() };
    let command = |argv: &Value| {
        let Value::Array(words) = argv else { return shown(argv) };
        let word = |it: &Value| it.as_str().map_or_else(|| it.to_string(), str::to_owned);
        let command = Command { argv: words.iter().map(word).collect(), env: Vec::new() };
        safe(&line(&command))
    };
    all.iter().map(command).collect()
}

fn wire(record: &Record) -> Vec<Wire> {
    let Some(Value::Array(all)) = record.body.get("wire") else { return Vec::new() };
    let read = |it: &Value| {
        let said = |key: &str| it.get(key).map(shown).unwrap_or_default();
        Wire {
            name: said("name"),
            from: said("from"),
            address: said("address"),
            leaf: said("leaf"),
            error: said("error"),
        }
    };
    all.iter().map(read).collect()
}

/// The beginning of a fingerprint, by which people tell two apart.
pub(super) fn short(fingerprint: &str) -> String {
    fingerprint.chars().take(SHORT).collect()
}

/// Whom to ask about a group.
pub(super) fn ask(group: &Group) -> String {
    let said = [&group.owner, &group.runbook].into_iter().flatten();
    let said: Vec<_> = said.map(SafeText::as_str).collect();
    format!("{} ({})", said.join(", "), SafeText::new(&group.name))
}

/// The first few of many.
fn some(all: &[String]) -> String {
    let few: Vec<_> = all.iter().take(FEW).map(String::as_str).collect();
    match all.len().saturating_sub(FEW) {
        0 => few.join("; "),
        more => format!("{}; and {more} more", few.join("; ")),
    }
}

pub(super) fn many(count: usize, of: &str) -> String {
    format!("{count} {of}{}", if count == 1 { "" } else { "s" })
}

/// A value as text; empty where there is none.
fn shown(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => safe(text),
        other => safe(&other.to_string()),
    }
}

fn safe(text: &str) -> String {
    SafeText::capped(text, MAX_TEXT).to_string()
}

/// A chat calls whoever is named behind an `@`, or all at once; `anna@laptop` it leaves alone.
fn uncalling(text: &str) -> String {
    let mut out = String::new();
    let mut before = ' ';
    for c in text.chars() {
        match c {
            '@' if !before.is_alphanumeric() => out.push_str("(at)"),
            '<' => out.push('('),
            '>' => out.push(')'),
            _ => out.push(c),
        }
        before = c;
    }
    out
}

/// The members in which records say why something was done, in spite of what, or left out.
/// Above everything that is made of the log of a practice fleet.
pub(super) const PRACTICE: &str = "PRACTICE: nothing of this is real.";
const REASONS: &[&str] = &["reason", "override", "overrides", "skip", "skipped", "waived"];
/// Members that have a place of their own, or that say nothing to people.
const TOLD: &[&str] = &["who", "host", "lineage", "pid", "pid-began", "run", "confirmed"];
/// What a step says that answers challenges (`perform/solve.rs`).
const PLACED: &str = "challenges are answered";
/// What a change is that trusts a host.
const HOST_KEY: &str = "host-key";
/// What stands between a lineage and its host.
const ON: &str = " on ";
const SHORT: usize = 12;
const FEW: usize = 3;
/// Scripts are kept whole, as far as a record has them.
const MAX_TEXT: usize = 16 * 1024;
