//! `certdeck jobs show`, `attach` and `stop`: one job.

use std::fmt::Write as _;
use std::time::Duration;

use tokio::time::sleep;
use uuid::Uuid;

use super::list::audited;
use super::{Desk, Found, is_asked, is_typed, not_done, note, state};
use crate::acme::Office;
use crate::acme::order::Kept;
use crate::audit::read::Record;
use crate::cli::{Exit, Failure, print};
use crate::fleet::Moment;
use crate::inventory::Host;
use crate::job::{Listed, Look, OUTPUT_BYTES, State, Status};
use crate::perform::{self, Ending, Report, jobs};
use crate::text::SafeText;

impl Desk<'_> {
    pub(super) async fn show(&self, id: &str) -> Result<Exit, Failure> {
        let Found { host, job } = self.find(id).await?;
        let facts = facts(&job, host.name.as_str(), audited(job.op, &self.records));
        print(|out| out.write_all(facts.as_bytes()))?;
        let mut lines = Lines::default();
        let mut from = 0;
        loop {
            let look = jobs::look(&self.sessions, host, job.op, from).await;
            let look = look.map_err(|it| not_done(jobs::NotDone::Unreached(it), host))?;
            from += look.output.len() as u64;
            print(|out| out.write_all(lines.take_in(&look.output).as_bytes()))?;
            if look.output.len() < OUTPUT_BYTES {
                print(|out| out.write_all(lines.rest().as_bytes()))?;
                return Ok(Exit::Done);
            }
        }
    }

    pub(super) async fn attach(&self, id: &str) -> Result<Exit, Failure> {
        let found = self.find(id).await?;
        let name = &found.host.name;
        note(&format!("{} at {name}, {}\n", found.job.status.title, state(&found.job)));
        tokio::select! {
            exit = self.follow(&found) => exit,
            _ = tokio::signal::ctrl_c() => {
                note(&format!("\ndetached; job {} goes on at {name}\n", found.job.op));
                Ok(Exit::Code(130))
            }
        }
    }

    async fn follow(&self, found: &Found<'_>) -> Result<Exit, Failure> {
        let Found { host, job } = found;
        let mut lines = Lines::default();
        let mut from = 0;
        let mut is_lost = false;
        loop {
            let look = match jobs::look(&self.sessions, host, job.op, from).await {
                Ok(look) => look,
                Err(why) => {
                    if !is_lost {
                        note(&format!("{}: {}; the job goes on there\n", host.name, why.text));
                    }
                    is_lost = true;
                    sleep(RETRY).await;
                    continue;
                }
            };
            is_lost = false;
            from += look.output.len() as u64;
            print(|out| out.write_all(lines.take_in(&look.output).as_bytes()))?;
            let Look { status, output } = look;
            if output.len() >= OUTPUT_BYTES {
                continue;
            }
            if !matches!(status.state, State::Running | State::Starting) {
                print(|out| out.write_all(lines.rest().as_bytes()))?;
                return self.end(found, status).await;
            }
            sleep(PAUSE).await;
        }
    }

    /// How a job ended: as the audit log has it, or as the host tells where the log of this
    /// machine knows nothing of it.
    async fn end(&self, found: &Found<'_>, status: Status) -> Result<Exit, Failure> {
        let Found { host, job } = found;
        let job = Listed { op: job.op, status };
        let is_ours = self.records.iter().any(|it| it.op == job.op);
        if is_ours {
            let tools = self.tools()?;
            for _ in 0..PROOF_TRIES {
                let open = perform::reconcile(&tools, Some(std::slice::from_ref(&host.name))).await;
                let open = open.map_err(|it| Failure::new(Exit::AuditRefused, it))?;
                match open.into_iter().find(|it| it.op == job.op) {
                    // Whoever began it is at its proof.
                    Some(it) if it.report.is_none() => sleep(RETRY).await,
                    Some(it) => {
                        it.report.iter().for_each(tell);
                        return Ok(it.report.map_or(Exit::Unknown, |it| exit(it.ending)));
                    }
                    None => break,
                }
            }
            let records = crate::audit::read::records(&self.context.paths.state);
            let ending = records.map(|it| audited(job.op, &it).to_owned()).unwrap_or_default();
            note(&format!("the audit log says: {ending}\n"));
            return Ok(match ending.as_str() {
                "ok" => Exit::Done,
                "failed" | "refused" | "cancelled" => Exit::Failed,
                _ => Exit::Unknown,
            });
        }
        note(&format!(
            "{}; whether it did what it should, the log of whoever began it says\n",
            state(&job)
        ));
        Ok(match job.status.state {
            State::Done(0) => Exit::Done,
            State::Absent => Exit::Unknown,
            _ => Exit::Failed,
        })
    }

    pub(super) async fn stop(&self, id: &str, yes: bool) -> Result<Exit, Failure> {
        if let Some((host, intent)) = self.ordering(id) {
            return self.stop_order(host, intent, yes).await;
        }
        let Found { host, job } = self.find(id).await?;
        let what = format!("{} at {}", job.status.title, host.name);
        if !matches!(job.status.state, State::Running | State::Starting) {
            let text = format!("{what} does not run: {}", state(&job));
            return Err(Failure::say(Exit::BadRequest, text));
        }
        let about = "It gets SIGTERM. certbot takes back what is half done and removes its \
                     challenges; a hook that has begun may be cut short, and a certificate that \
                     is already there stays.";
        let Some(how) = confirmed(&what, about, job.op, yes)? else { return Ok(Exit::Failed) };
        let look = jobs::stop(&self.tools()?, host, job.op, how).await;
        let look = look.map_err(|it| not_done(it, host))?;
        note(&match look.status.state {
            State::Void => format!("{what} had not begun, and never will\n"),
            State::Running | State::Starting => {
                format!(
                    "{what} was asked to stop; `certdeck jobs attach {}` shows how it ends\n",
                    job.op
                )
            }
            _ => format!("{what}: {}\n", state(&Listed { op: job.op, status: look.status })),
        });
        Ok(Exit::Done)
    }

    /// The one action whose identity begins so, if a CA is being asked for it from this machine.
    fn ordering(&self, id: &str) -> Option<(&Host, &Record)> {
        let office = Office::new(&self.context.paths.state, self.context.clock);
        let is_stoppable = |op, is_rehearsal| {
            let kept = Kept::read(&office, op, is_rehearsal);
            kept.is_ok_and(|it| it.is_some_and(|it| it.is_stoppable()))
        };
        let mut ops: Vec<_> = Kept::all(&office)
            .into_iter()
            .filter(|(op, is_rehearsal)| is_stoppable(*op, *is_rehearsal))
            .map(|it| it.0)
            .filter(|it| !id.is_empty() && it.to_string().starts_with(&id.to_ascii_lowercase()))
            .collect();
        // A rehearsal has the identity of its order.
        ops.sort();
        ops.dedup();
        let [op] = ops.as_slice() else { return None };
        let intent = self.records.iter().find(|it| it.kind == "intent" && it.op == *op)?;
        Some((self.inventory.host(intent.text("host")?)?, intent))
    }

    async fn stop_order(&self, host: &Host, intent: &Record, yes: bool) -> Result<Exit, Failure> {
        let text = |key| SafeText::new(intent.text(key).unwrap_or_default());
        let what = format!("{} {} at {}", text("action"), text("lineage"), host.name);
        let about = "A CA is being asked. What answers it is taken away first, the order is kept \
                     for the next time, and nothing is changed on the host.";
        let op = intent.op;
        let Some(how) = confirmed(&what, about, op, yes)? else { return Ok(Exit::Failed) };
        jobs::stop(&self.tools()?, host, op, how).await.map_err(|it| not_done(it, host))?;
        note(&format!("{what} was asked to stop; `certdeck audit list` tells how it ended\n"));
        Ok(Exit::Done)
    }
}

/// How it was confirmed that something is stopped; `None` if it was not.
fn confirmed(
    what: &str,
    about: &str,
    op: Uuid,
    yes: bool,
) -> Result<Option<&'static str>, Failure> {
    match (yes, is_asked()) {
        (true, _) => Ok(Some("--yes")),
        (false, true) if is_typed(&format!("Stop {what}? {about}"), "stop")? => {
            Ok(Some("typed `stop`"))
        }
        (false, true) => {
            note("nothing was changed\n");
            Ok(None)
        }
        (false, false) => Err(Failure::say(Exit::BadRequest, format!("{what} goes on. {about}"))
            .with_hint(format!("certdeck jobs stop {op} --yes"))),
    }
}

/// Output as lines that are safe to show; what is not whole yet waits.
#[derive(Debug, Default)]
struct Lines(Vec<u8>);

impl Lines {
    fn take_in(&mut self, bytes: &[u8]) -> String {
        self.0.extend_from_slice(bytes);
        let whole = self.0.iter().rposition(|it| *it == b'\n').map_or(0, |it| it + 1);
        // A line that never ends is shown in parts.
        let whole = if whole == 0 && self.0.len() > LONGEST_LINE { self.0.len() } else { whole };
        let rest = self.0.split_off(whole);
        safe(&std::mem::replace(&mut self.0, rest))
    }

    fn rest(&mut self) -> String {
        safe(&std::mem::take(&mut self.0))
    }
}

fn safe(bytes: &[u8]) -> String {
    let mut text = String::new();
    for line in bytes.split_inclusive(|it| *it == b'\n') {
        let line = SafeText::from_bytes(line.strip_suffix(b"\n").unwrap_or(line));
        text.extend([line.as_str(), "\n"]);
    }
    text
}

fn facts(job: &Listed, host: &str, audited: &str) -> String {
    let status = &job.status;
    let time = |it: Option<Moment>| it.map_or_else(|| "-".to_owned(), |it| it.to_string());
    let leaf = |it: Option<crate::fleet::Fingerprint>| {
        it.map_or_else(|| "-".to_owned(), |it| it.to_string())
    };
    let mut lines = vec![
        ("job", job.op.to_string()),
        ("what", status.title.to_string()),
        ("host", host.to_owned()),
        ("who", status.who.to_string()),
        ("state", state(job)),
        ("began", time(status.began)),
        ("ended", time(status.ended)),
        ("before", leaf(status.before)),
        ("after", leaf(status.after)),
        ("audit log", audited.to_owned()),
    ];
    match &status.state {
        State::Busy { holder, since } => {
            lines.push(("held by", format!("{holder}, since {}", time(*since))));
        }
        State::Impossible(why) => lines.push(("why", why.to_string())),
        _ => {}
    }
    if status.is_stopped {
        lines.push(("stopped", "it was asked to stop".to_owned()));
    }
    let cut = if status.is_cut { ", and more that is not kept" } else { "" };
    lines.push(("printed", format!("{} bytes{cut}", status.printed)));
    let mut text = String::new();
    for (name, value) in lines {
        // Writing to a string does not fail.
        let _ = writeln!(text, "{name:<10} {value}");
    }
    text + "\n"
}

fn tell(report: &Report) {
    note(&format!("{}: {}\n", report.ending.name(), report.summary));
    for line in &report.state {
        note(&format!("  {line}\n"));
    }
    if let Some(it) = &report.explanation {
        note(&format!("  {}\n  next: {}\n", it.cause, it.next));
    }
    if let Some(log) = &report.log {
        note(&format!("  log: {log}\n"));
    }
}

const fn exit(ending: Ending) -> Exit {
    match ending {
        Ending::Ok => Exit::Done,
        Ending::Failed | Ending::Refused | Ending::Cancelled => Exit::Failed,
        Ending::Unknown => Exit::Unknown,
        Ending::NotAudited => Exit::AuditRefused,
    }
}

/// How often a job is looked at, and how soon again when its host cannot be reached.
const PAUSE: Duration = Duration::from_millis(500);
const RETRY: Duration = Duration::from_secs(2);

/// How long the proof of somebody else is waited for, in retries.
const PROOF_TRIES: usize = 15;

const LONGEST_LINE: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_shown_when_they_are_whole_and_harmless() {
        let mut lines = Lines::default();
        assert_eq!(lines.take_in(b"one\ntw"), "one\n");
        assert_eq!(lines.take_in(b"o\x1b[31m\n\n"), "two^[[31m\n\n");
        assert_eq!(lines.take_in(b"three"), "");
        assert_eq!(lines.rest(), "three\n");
        assert_eq!(lines.rest(), "");
        assert!(!lines.take_in(&[b'x'; 10_000]).is_empty());
    }
}
