//! The hand-over in Markdown. Whatever stands in the log is text in it and nothing else: it marks
//! nothing up, links nowhere, and ends no cell of a table.

use std::fmt::Write as _;
use std::io::{self, Write};

use super::story::{Entry, Kind, PRACTICE, Story, ask, many, short};
use crate::audit::verify::State;
use crate::fleet::human;

/// Writes the whole of it.
pub(super) fn write(story: &Story<'_>, out: &mut dyn Write) -> io::Result<()> {
    head(story, out)?;
    writeln!(out, "\n## Status\n")?;
    writeln!(out, "To be pasted into a chat:\n")?;
    fenced(&story.status(), out)?;
    timeline(story, out)?;
    failed(story, out)?;
    list(
        "Overrides and reasons",
        story.reasoned(),
        "Nothing was done for a reason given.",
        out,
        &|it| {
            let reasons = it.reasons.iter().map(|(key, why)| format!("{key} {}", foreign(why)));
            format!("{}: {}", deed(it), reasons.collect::<Vec<_>>().join(", "))
        },
    )?;
    list("Host keys trusted", story.host_keys(), "None.", out, &|it| {
        format!("{}: {}", foreign(&it.host), changed(it))
    })?;
    list("Configuration changed", story.configuration(), "None.", out, &|it| {
        format!("{}: {}", foreign(&it.action), changed(it))
    })?;
    list("Orders, challenges and other steps", story.steps.iter(), "None.", out, &|it| {
        let what = it.others.iter().find(|it| it.0 == "what").map(|it| foreign(&it.1));
        let what = what.map(|it| it + ", ").unwrap_or_default();
        format!("{}: {what}{}", foreign(&it.deed()), members(it, &["what"]))
    })?;
    list("Who came and went", story.sessions.iter(), "Nobody.", out, &|it| {
        format!("session of {}, {}", foreign(&it.who), members(it, OF_SESSION_UNTOLD))
    })?;
    open(story, out)?;
    integrity(story, out)?;
    for (title, what) in TO_WRITE {
        writeln!(out, "\n## {title}\n\n<!-- {what} -->")?;
    }
    Ok(())
}

fn head(story: &Story<'_>, out: &mut dyn Write) -> io::Result<()> {
    let Some((from, to)) = story.span() else {
        writeln!(out, "# Hand-over\n\nThe audit log holds nothing ({}).", foreign(story.asked))?;
        return Ok(());
    };
    writeln!(out, "# Hand-over, {from} to {to}\n")?;
    if story.is_practice() {
        writeln!(out, "**{PRACTICE}**\n")?;
    }
    writeln!(
        out,
        "Made by certdeck at {} from its audit log: {}. All times are UTC.\n",
        story.now,
        // Somebody has typed it, perhaps a filter.
        foreign(story.asked)
    )?;
    let row = |what: &str, all: Vec<String>| match all.as_slice() {
        [] => format!("- {what}: none\n"),
        all => format!("- {what}: {}\n", all.join(", ")),
    };
    let quoted = |all: Vec<&str>| all.into_iter().map(foreign).collect::<Vec<_>>();
    let mut text = String::new();
    let targets: Vec<String> = story.targets().iter().map(|it| foreign(it)).collect();
    text.push_str(&row("Touched", targets));
    text.push_str(&row("Hosts", quoted(story.hosts().into_iter().collect())));
    text.push_str(&row("Names", quoted(story.names().into_iter().collect())));
    text.push_str(&row("Who", quoted(story.people().into_iter().collect())));
    text.push_str(&row("Whom to ask", story.groups.iter().map(|it| foreign(&ask(it))).collect()));
    let length = human(to.since(from).max(0));
    let _ = writeln!(text, "- Took: {length}, {}", many(story.timeline.len(), "record"));
    out.write_all(text.as_bytes())
}

fn timeline(story: &Story<'_>, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "\n## Timeline\n")?;
    if story.timeline.is_empty() {
        return writeln!(out, "Nothing was changed.");
    }
    writeln!(out, "| record | time | who | what | where | command | exit | certificate | wire |")?;
    writeln!(out, "|---|---|---|---|---|---|---|---|---|")?;
    for it in &story.timeline {
        let cells = [
            it.seq.to_string(),
            it.at.to_string(),
            foreign(&it.who),
            what(it),
            target(it),
            it.briefs.iter().map(|it| command(it)).collect::<Vec<_>>().join(" then "),
            foreign(&it.exit),
            certificate(it),
            it.wire.iter().map(|it| foreign(&it.words())).collect::<Vec<_>>().join(", "),
        ];
        writeln!(out, "| {} |", cells.join(" | "))?;
    }
    Ok(())
}

fn failed(story: &Story<'_>, out: &mut dyn Write) -> io::Result<()> {
    list("Failed and refused tries", story.failed(), "None.", out, &|it| {
        let mut line = format!("{}: {}", deed(it), foreign(&it.summary));
        for (label, text) in [("cause", &it.cause), ("exit", &it.exit)] {
            if !text.is_empty() {
                let _ = write!(line, "; {label} {}", foreign(text));
            }
        }
        for it in &it.evidence {
            let _ = write!(line, "\n  - {}", foreign(it));
        }
        line
    })?;
    for it in story.failed().filter(|it| !it.output.is_empty()) {
        match story.extract.tails.get(&it.output) {
            Some(tail) => {
                writeln!(out, "\nThe end of what record {} printed:\n", it.seq)?;
                let tail: Vec<_> = tail.iter().map(ToString::to_string).collect();
                fenced(&tail, out)?;
            }
            None => writeln!(out, "\nWhat record {} printed is gone or was changed.", it.seq)?,
        }
    }
    Ok(())
}

fn open(story: &Story<'_>, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "\n## Open points\n")?;
    if story.open.is_empty() {
        return writeln!(out, "The log knows of none.");
    }
    for it in &story.open {
        let text =
            if it.text.is_empty() { String::new() } else { format!(": {}", foreign(&it.text)) };
        let target = if it.target.is_empty() { "here".to_owned() } else { foreign(&it.target) };
        writeln!(out, "- [ ] record {}, {target}: {}{text}", it.seq, it.what.words())?;
    }
    Ok(())
}

fn integrity(story: &Story<'_>, out: &mut dyn Write) -> io::Result<()> {
    let verified = &story.extract.verified;
    writeln!(out, "\n## Integrity of the log\n")?;
    let (records, files) = (verified.records, many(verified.segments, "file"));
    writeln!(out, "- State: {}, {records} good records in {files}", verified.state.word())?;
    if !matches!(verified.state, State::Good | State::OpenIntents)
        && let Some((path, line, what)) = &verified.fault
    {
        writeln!(
            out,
            "- Fault: {} line {line}: {}",
            foreign(&path.display().to_string()),
            foreign(what)
        )?;
    }
    if let Some(problem) = &story.extract.problem {
        writeln!(out, "- Not read further: {}", foreign(&problem.to_string()))?;
    }
    if let Some([first, last]) = story.ends() {
        for (which, (seq, hash)) in [("First", first), ("Last", last)] {
            writeln!(out, "- {which} record: {seq}, hash {}", foreign(&hash))?;
        }
    }
    for it in &story.log {
        writeln!(
            out,
            "- {}, record {}: {}, {}",
            it.at,
            it.seq,
            foreign(&it.word),
            members(it, &[])
        )?;
    }
    writeln!(out, "- `certdeck audit verify --witness` compares it with what the hosts have kept")
}

/// A heading, and a line for each entry.
fn list<'e>(
    title: &str,
    entries: impl Iterator<Item = &'e Entry>,
    none: &str,
    out: &mut dyn Write,
    line: &dyn Fn(&Entry) -> String,
) -> io::Result<()> {
    writeln!(out, "\n## {title}\n")?;
    let mut is_empty = true;
    for it in entries {
        is_empty = false;
        writeln!(out, "- {}, record {}: {}", it.at, it.seq, line(it))?;
    }
    if is_empty { writeln!(out, "{none}") } else { Ok(()) }
}

/// What a record tells, in the words of the table.
fn what(it: &Entry) -> String {
    let action = foreign(&it.action);
    match it.kind {
        Kind::Begin if it.confirmed.is_empty() => format!("begins {action}"),
        Kind::Begin => format!("begins {action}, confirmed by {}", foreign(&it.confirmed)),
        Kind::End if it.word == "reconcile" => {
            format!(
                "{action} is found to have ended {}: {}",
                foreign(&it.ending),
                foreign(&it.summary)
            )
        }
        Kind::End => format!("{action} ended {}: {}", foreign(&it.ending), foreign(&it.summary)),
        Kind::Change => format!("changes {action}: {}", changed(it)),
        _ if action.is_empty() => format!("{}: {}", foreign(&it.word), members(it, &[])),
        _ => format!("{} {action}: {}", foreign(&it.word), members(it, &["action"])),
    }
}

/// What was done and where, and how that ended.
fn deed(it: &Entry) -> String {
    format!("{} {}", foreign(&it.deed()), foreign(&it.ending)).trim_end().to_owned()
}

/// From what to what something is changed, and what else there is to say of it.
fn changed(it: &Entry) -> String {
    let said = |key: &str| it.others.iter().find(|it| it.0 == key).map_or("", |it| &it.1);
    let or_none = |text: &str| if text.is_empty() { "none".to_owned() } else { foreign(text) };
    let change = format!("{} → {}", or_none(said("old")), or_none(said("new")));
    match members(it, &["what", "old", "new"]).as_str() {
        "" => change,
        more => format!("{change}, {more}"),
    }
}

fn target(it: &Entry) -> String {
    foreign(&it.target())
}

fn certificate(it: &Entry) -> String {
    match (it.before.as_str(), it.after.as_str()) {
        ("", "") => String::new(),
        (before, "") => foreign(&short(before)),
        ("", after) => format!("none → {}", foreign(&short(after))),
        (before, after) if before == after => format!("{}, as before", foreign(&short(after))),
        (before, after) => format!("{} → {}", foreign(&short(before)), foreign(&short(after))),
    }
}

/// What is longer stands in the log, and is of no use in a table.
fn command(line: &str) -> String {
    if line.chars().count() <= MAX_COMMAND {
        return foreign(line);
    }
    let cut: String = line.chars().take(MAX_COMMAND).collect();
    format!("{} (cut; whole in the record)", foreign(&cut))
}

/// What else a record says, but for these.
fn members(it: &Entry, without: &[&str]) -> String {
    let shown = it
        .others
        .iter()
        .filter(|(key, value)| !without.contains(&key.as_str()) && !value.is_empty());
    let shown: Vec<_> =
        shown.map(|(key, value)| format!("{} {}", plain(key), foreign(value))).collect();
    shown.join(", ")
}

/// Text from the log as a code span; where that could not hold it, with every mark spelled out.
fn foreign(text: &str) -> String {
    match text {
        "" => String::new(),
        _ if text.contains(['`', '|', '\\']) || text.trim() != text => spelled(text),
        _ => format!("`{text}`"),
    }
}

/// A name of a member; those of newer versions may hold anything.
fn plain(text: &str) -> String {
    let is_plain = text.bytes().all(|it| it.is_ascii_alphanumeric() || it == b'-');
    if is_plain { text.to_owned() } else { foreign(text) }
}

/// Text in which everything that could mark up or link is a character reference, which marks
/// nothing up (the specification of `CommonMark` 0.31, section 2.5).
fn spelled(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            // Mail addresses become links after references are resolved (GFM, section 6.9).
            '@' => out.push_str("(at)"),
            '-' | ',' | '/' | '(' | ')' | '=' => out.push(c),
            _ if c.is_ascii_punctuation() => {
                let _ = write!(out, "&#{};", u32::from(c));
            }
            _ => out.push(c),
        }
    }
    out.trim().to_owned()
}

/// Lines as they are, between fences that are longer than any in them.
fn fenced(lines: &[String], out: &mut dyn Write) -> io::Result<()> {
    let longest = lines.iter().flat_map(|it| it.split(|c| c != '`')).map(str::len).max();
    let fence = "`".repeat(longest.unwrap_or(0).max(2) + 1);
    writeln!(out, "{fence}text")?;
    lines.iter().try_for_each(|it| writeln!(out, "{it}"))?;
    writeln!(out, "{fence}")
}

/// What no log knows, and what is to be written there.
const TO_WRITE: &[(&str, &str)] = &[
    ("Impact", "Who noticed what, from when to when, how many of them."),
    ("Root cause", "Why it happened, and why nothing told earlier."),
    ("What went well, what did not", "Detection, decisions, tools, luck."),
    ("Action items", "What is done so that it does not happen again, by whom, until when."),
];
/// What a session says that matters to a forensic eye only, and stands in the log.
const OF_SESSION_UNTOLD: &[&str] = &["inventory", "uid", "user", "version"];
/// As much of a command as fits beside the rest.
const MAX_COMMAND: usize = 1000;
