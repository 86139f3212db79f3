//! What became of an action, from everything that was seen of it. The exit code is only one
//! witness: certbot exits with 0 when nothing was due, and when a deploy hook has failed.

use super::case::{self, Case, leaf};
use super::hook::{self, Failed};
use super::{Ending, Report};
use crate::action::Promise;
use crate::explain::{self, Explanation};
use crate::fleet::{self, Certificate, Failure, Fingerprint, Moment, Place, Version, human};
use crate::inventory::Endpoint;
use crate::job::{State, Status};
use crate::text::SafeText;
use crate::wire::{self, Probe};

/// What was seen of an action whose job ran.
#[derive(Debug)]
pub(super) struct Evidence<'a> {
    pub(super) case: &'a Case,
    pub(super) status: &'a Status,
    pub(super) output: &'a [u8],
    /// The host as it is now.
    pub(super) host: &'a fleet::Host,
    /// What each endpoint serves.
    pub(super) served: &'a [(&'a Endpoint, Vec<Probe>)],
    /// Where the client's own log is.
    pub(super) log: Option<String>,
}

/// Judges a job that never ran a command; `None` if it did, or still may.
pub(super) fn unrun(status: &Status, now: Moment) -> Option<(String, Explanation)> {
    let explain = |name, cause: &str, next: &str| explanation(name, cause, next);
    Some(match &status.state {
        State::Absent | State::Void => (
            "it never began".to_owned(),
            explain("never-began", "the host was not told in time to begin", "try again"),
        ),
        State::Busy { holder, since } => {
            let age = since.map(|it| {
                format!(", since {it} ({} ago by our clock)", human(now.since(it).max(0)))
            });
            let holder = if holder.is_empty() { "another job" } else { holder.as_str() };
            (
                format!("{holder} is at it{}", age.unwrap_or_default()),
                explain(
                    "busy",
                    "another job works on the same lineage there",
                    "wait for it: `certdeck jobs list` shows it",
                ),
            )
        }
        State::Stale => (
            "the certificate is not the one that the plan was made for".to_owned(),
            explain(
                "stale",
                "somebody has changed the certificate meanwhile",
                "scan the host, and plan again from what is there now",
            ),
        ),
        State::Impossible(why) => (
            format!("the host cannot run jobs: {why}"),
            explain(
                "impossible",
                "a job needs flock, setsid, mkfifo, base64, sha256sum, and a folder to write to",
                "install what is missing (util-linux, coreutils), or free space, and try again",
            ),
        ),
        State::Done(_) | State::Interrupted { .. } | State::Running | State::Starting => {
            return None;
        }
    })
}

/// Judges a job that ran and has ended.
pub(super) fn judge(evidence: &Evidence<'_>) -> Report {
    let Evidence { case, status, host, .. } = evidence;
    let output = String::from_utf8_lossy(evidence.output);
    let place = case.place(host);
    let hooks = hook::failed(&output);
    let (ending, mut summary, explanation) = verdict(evidence, place, &hooks, &output);
    let relinked = relinked(evidence, place);
    if !relinked.is_empty() {
        summary.push_str(", and the live certificate is another one all the same");
    }
    let mut state = disk(case, place);
    state.extend(relinked);
    let is_told = |it: &String| explanation.as_ref().is_some_and(|why| why.cause == *it.as_str());
    state.extend(hooks.iter().map(words).filter(|it| !is_told(it)));
    state.extend(wire(evidence, place));
    let about_problems = place.into_iter().flat_map(|it| &it.problems);
    state.extend(about_problems.map(|it| it.text.to_string()));
    Report {
        op: None,
        ending,
        summary: SafeText::new(&summary),
        state: state.iter().map(|it| SafeText::new(it)).collect(),
        explanation,
        log: evidence.log.as_deref().map(SafeText::new),
        before: case.before.or(status.before),
        after: leaf(place).map(|it| it.sha256).or(status.after),
        probes: evidence.served.iter().flat_map(|it| &it.1).cloned().collect(),
        tail: tail(&output),
    }
}

/// The last lines that were printed.
pub(super) fn tail(output: &str) -> Vec<SafeText> {
    let lines: Vec<&str> = output.lines().collect();
    let from = lines.len().saturating_sub(TAIL_LINES);
    lines.get(from..).unwrap_or_default().iter().map(|it| SafeText::new(it)).collect()
}

pub(super) fn explanation(name: &'static str, cause: &str, next: &str) -> Explanation {
    Explanation { name, cause: SafeText::new(cause), next: SafeText::new(next) }
}

fn verdict(
    evidence: &Evidence<'_>,
    place: Option<&Place>,
    hooks: &[Failed],
    output: &str,
) -> (Ending, String, Option<Explanation>) {
    let Evidence { case, status, .. } = evidence;
    match status.state {
        State::Done(0) => {}
        State::Interrupted { is_rebooted } => {
            let summary = if is_rebooted {
                "the host was started anew while it ran"
            } else {
                "it was ended from outside while it ran"
            };
            let cause = "the job said nothing of its end, so its hooks may not have run";
            let next = "look at the state below, then plan again from what is there now";
            let ending = if status.is_stopped { Ending::Cancelled } else { Ending::Failed };
            return (ending, summary.to_owned(), Some(explanation("interrupted", cause, next)));
        }
        State::Done(code) if status.is_stopped => {
            let cause = "somebody asked it to stop; certbot takes back what is half done";
            let next = "look at the state below, then plan again from what is there now";
            let summary = format!("it was stopped (exit code {code})");
            return (Ending::Cancelled, summary, Some(explanation("stopped", cause, next)));
        }
        State::Done(code) => {
            let summary = match code {
                126 | 127 => format!("the command cannot be run there (exit code {code})"),
                128.. => format!("the command was ended by signal {}", code - 128),
                _ => format!("the command failed with exit code {code}"),
            };
            let known = of_command(case, code, output)
                .or_else(|| explain::certbot(output))
                .or_else(|| hooks.first().map(|it| hook_failed(&words(it))));
            let known = known.unwrap_or_else(|| {
                explanation(
                    "unknown",
                    "nothing that is known stands in the output",
                    "read the end of the output below, and the log",
                )
            });
            return (Ending::Failed, summary, Some(known));
        }
        _ => {
            let cause = "the host tells something that makes no sense";
            let next = "look at the host yourself";
            let summary = "nobody can tell what became of it".to_owned();
            return (Ending::Unknown, summary, Some(explanation("unclear", cause, next)));
        }
    }
    // certbot exits with 0 when a hook has failed, and says so in what it prints and in its log.
    let said = hooks.first().map(words);
    let said = said.or_else(|| Some(logged(evidence, place)?.text.to_string()));
    // A hook that failed is why nothing is served, and says more.
    let is_behind = |it: &Doubt| it.explanation.name == NOT_SERVED && said.is_some();
    if let Some(doubt) = doubt(evidence, place).filter(|it| !is_behind(it)) {
        let known = explain::certbot(output).filter(|_| doubt.is_about_issuing);
        return (Ending::Failed, doubt.summary, Some(known.unwrap_or(doubt.explanation)));
    }
    if let Some(said) = said {
        let is_new = leaf(place).map(|it| it.sha256) != case.before;
        let what = if is_new { "a new certificate is on disk, and" } else { "it ran, and" };
        // What the hook itself said is the cause, which is told beside it.
        let short = said.split_once(": ").map_or(said.as_str(), |it| it.0);
        return (Ending::Failed, format!("{what} {short}"), Some(hook_failed(&said)));
    }
    if status.is_cut && is_of_client(case) && !is_logged_to_its_end(evidence, place) {
        let summary = "it ended well, but more was printed than is kept: \
                       whether a hook failed is not proven";
        let cause = "what would tell of a hook that failed may be in the part that was cut off";
        let next = "read the client's log on the host; do not renew again before that";
        return (Ending::Failed, summary.to_owned(), Some(explanation("cut", cause, next)));
    }
    (Ending::Ok, success(evidence, place), None)
}

/// What is plain from the command itself.
fn of_command(case: &Case, code: u8, output: &str) -> Option<Explanation> {
    // What a shell gives for a program that is missing or no program (POSIX, section 2.8.2).
    if matches!(code, 126 | 127) {
        let next = "see that it is installed, and executable for the user that works there";
        return Some(explanation("not-runnable", "the program is missing or no program", next));
    }
    let last = output.lines().rfind(|it| !it.trim().is_empty());
    (case.action == "hook").then(|| {
        let cause = last.map_or_else(|| "the hook said nothing".to_owned(), str::to_owned);
        let next = "repair the hook, then run it again; no certificate was touched";
        explanation("hook-failed", &cause, next)
    })
}

/// Why the promise of a plan is not proven.
struct Doubt {
    summary: String,
    explanation: Explanation,
    /// Whether what certbot printed may say more.
    is_about_issuing: bool,
}

fn doubt(evidence: &Evidence<'_>, place: Option<&Place>) -> Option<Doubt> {
    let Evidence { case, host, .. } = evidence;
    let doubt = |name, summary: &str, cause: &str, next: &str| {
        let explanation = explanation(name, cause, next);
        Some(Doubt { summary: summary.to_owned(), explanation, is_about_issuing: false })
    };
    let now = leaf(place).map(|it| it.sha256);
    match &case.promise {
        Promise::TimerArmed => {
            if !timers(case, host).any(|it| it.is_armed) {
                return doubt(
                    "not-armed",
                    "the commands ended well, and no timer is armed",
                    "the unit is masked, or it is another one",
                    "see what `systemctl status certbot.timer` says there",
                );
            }
        }
        Promise::SameLeaf if now != case.before => {
            return doubt(
                "changed",
                "it ended well, and the certificate is another one",
                "something has renewed it meanwhile",
                "scan the host; nothing has to be undone if the key fits",
            );
        }
        Promise::NewLeaf if now.is_none() => {
            return doubt(
                "missing",
                "it ended well, and there is no certificate",
                "the client has written it somewhere else, or not at all",
                "read the log before anything is ordered again",
            );
        }
        Promise::NewLeaf if now == case.before => {
            let explanation = explanation(
                "not-renewed",
                "the client saw no reason to renew it, or it was a trial",
                "read its output below; force a renewal only if there is a reason to",
            );
            let summary = "it ended well, and the certificate is still the one from before";
            let summary = summary.to_owned();
            return Some(Doubt { summary, explanation, is_about_issuing: true });
        }
        Promise::Leaf(wanted) if now != Some(*wanted) => {
            return doubt(
                "another",
                "it ended well, and the live certificate is not the one that was chosen",
                "a link was not changed, or changed again",
                "look at the links in `live` there",
            );
        }
        Promise::SameLeaf | Promise::NewLeaf | Promise::Leaf(_) => {}
    }
    if place.and_then(Place::key_matches) == Some(false) {
        return doubt(
            "key",
            "the private key on disk does not belong to the certificate",
            "links lead to different versions",
            "do not reload anything: roll back to a version whose key fits",
        );
    }
    unserved(evidence.served, now).map(|(endpoint, what)| Doubt {
        summary: format!("the certificate is on disk, and {} {what}", case::endpoint(endpoint)),
        explanation: explanation(
            NOT_SERVED,
            "the service has not loaded it, or it is another service that answers there",
            "run the deploy hook (`certdeck run hook`), and look again; nothing has to be ordered",
        ),
        is_about_issuing: false,
    })
}

/// The first endpoint that does not show the certificate. An address that does not answer does
/// not count as long as another one does.
fn unserved<'a>(
    served: &'a [(&'a Endpoint, Vec<Probe>)],
    leaf: Option<Fingerprint>,
) -> Option<(&'a Endpoint, &'static str)> {
    let leaf = leaf?;
    served.iter().find_map(|(endpoint, probes)| {
        if probes.iter().all(|it| it.served.is_err()) {
            return Some((*endpoint, "cannot be seen to serve it"));
        }
        wire::other(probes, leaf).map(|_| (*endpoint, "serves another one"))
    })
}

fn success(evidence: &Evidence<'_>, place: Option<&Place>) -> String {
    let Evidence { case, served, host, .. } = evidence;
    let is_seen_everywhere = served.iter().flat_map(|it| &it.1).all(|it| it.served.is_ok());
    let shown = match (served.is_empty(), is_seen_everywhere) {
        (true, _) => "",
        (_, true) => ", and is served",
        (_, false) => ", and is served where that could be seen",
    };
    match (&case.promise, leaf(place)) {
        (Promise::NewLeaf, Some(leaf)) => {
            format!("a new certificate is in place until {}{shown}", leaf.not_after)
        }
        (Promise::Leaf(_), Some(leaf)) => {
            format!("the chosen certificate is in place until {}{shown}", leaf.not_after)
        }
        (Promise::TimerArmed, _) => {
            let armed = timers(case, host).find(|it| it.is_armed);
            let next = armed.and_then(|it| it.next).map(|it| format!(", next at {it}"));
            let name = armed.map(|it| it.name.clone()).unwrap_or_default();
            format!("{name} is armed{}", next.unwrap_or_default())
        }
        (_, None) => "it worked".to_owned(),
        (_, Some(_)) => format!("it worked, and the certificate is the one from before{shown}"),
    }
}

fn timers<'a>(case: &'a Case, host: &'a fleet::Host) -> impl Iterator<Item = &'a fleet::Trigger> {
    let is_source =
        |it: &&fleet::Automation| case.source.as_deref().is_none_or(|kind| kind == it.source);
    host.automation.iter().filter(is_source).flat_map(|it| &it.schedule.triggers)
}

/// What is on disk now, in words.
fn disk(case: &Case, place: Option<&Place>) -> Vec<String> {
    if case.lineage.is_none() {
        return Vec::new();
    }
    let show = |it: &Certificate| format!("serial {}, until {}", it.serial, it.not_after);
    let mut lines = Vec::new();
    match leaf(place) {
        Some(it) if Some(it.sha256) == case.before => {
            lines.push(format!("the certificate from before is still in place ({})", show(it)));
        }
        Some(it) => {
            let what = if case.promise == Promise::NewLeaf { "a new" } else { "another" };
            lines.push(format!("{what} certificate is on disk ({})", show(it)));
        }
        None => lines.push("there is no certificate on disk".to_owned()),
    }
    match place.and_then(Place::key_matches) {
        Some(true) => lines.push("its private key fits".to_owned()),
        Some(false) => lines.push("the private key on disk does not belong to it".to_owned()),
        None if leaf(place).is_some() => {
            lines.push("whether its private key fits could not be told".to_owned());
        }
        None => {}
    }
    lines
}

/// What is served now, in words.
fn wire(evidence: &Evidence<'_>, place: Option<&Place>) -> Vec<String> {
    let now = leaf(place).map(|it| it.sha256);
    let before = evidence.case.before;
    let mut lines = Vec::new();
    for (endpoint, probe) in
        evidence.served.iter().flat_map(|(e, all)| all.iter().map(move |it| (e, it)))
    {
        let from = probe.vantage.words();
        let what = match &probe.served {
            Ok(chain) if Some(chain.leaf.sha256) == now => {
                "serves the certificate on disk".to_owned()
            }
            Ok(chain) if Some(chain.leaf.sha256) == before => {
                "serves the one from before".to_owned()
            }
            Ok(chain) => format!("serves another one (serial {})", chain.leaf.serial),
            Err(why) => format!("shows none: {why}"),
        };
        lines.push(format!("{} ({}, {from}) {what}", case::endpoint(endpoint), probe.address));
    }
    lines
}

/// That a renewal which failed has changed the live certificate, and how to go back. Before it
/// orders, certbot leads the links to the newest version (certbot 2.1.0, `storage.py`:
/// `RenewableCert.__init__` and `update_all_links_to`), which undoes a roll back.
fn relinked(evidence: &Evidence<'_>, place: Option<&Place>) -> Vec<String> {
    let Evidence { case, status, .. } = evidence;
    let (Some(place), Some(now), Some(before)) = (place, leaf(place), case.before) else {
        return Vec::new();
    };
    let is_over = status.exit() == Some(0);
    if case.promise != Promise::NewLeaf || is_over || now.sha256 == before {
        return Vec::new();
    }
    let version = |leaf: Fingerprint| {
        let is_it = |it: &&Version| it.certificate.as_ref().is_some_and(|it| it.sha256 == leaf);
        place.versions.iter().rev().find(is_it).map(|it| it.number)
    };
    let mut lines = Vec::new();
    if let Some(number) = version(now.sha256) {
        lines.push(format!(
            "version {number} is live now: certbot links its newest before it orders another"
        ));
    }
    lines.push(match version(before) {
        Some(number) => format!(
            "to go back to the one from before: certdeck run rollback {}/{} --to {number}",
            case.host, place.name
        ),
        None => "the one from before is not in the archive any more".to_owned(),
    });
    lines
}

fn words(it: &Failed) -> String {
    let said = if it.said.is_empty() { String::new() } else { format!(": {}", it.said) };
    format!("the {} failed with exit code {}{said}", it.hook, it.code)
}

/// What the client's own log tells of a failure since the job began. Both times are of the host.
fn logged<'a>(evidence: &Evidence<'_>, place: Option<&'a Place>) -> Option<&'a Failure> {
    let began = evidence.status.began?;
    let failure = place?.last_failure()?;
    (evidence.case.promise == Promise::NewLeaf && failure.at? >= began).then_some(failure)
}

/// Whether the client's own log tells of a success since the job began: then it would tell of
/// hooks that failed as well.
fn is_logged_to_its_end(evidence: &Evidence<'_>, place: Option<&Place>) -> bool {
    let success = place.and_then(|it| it.renewal.as_ref()?.last_success);
    evidence.status.began.is_some_and(|began| success >= Some(began))
}

/// Whether it was done by a client that hides how its hooks ended: the others' exit code is proof.
fn is_of_client(case: &Case) -> bool {
    case.promise == Promise::NewLeaf || case.action == "dry-run"
}

fn hook_failed(words: &str) -> Explanation {
    explanation(
        "hook-failed",
        words,
        "repair the hook, then run just the hook (`certdeck run hook`); do not renew again",
    )
}

const NOT_SERVED: &str = "not-served";

/// How many lines of output a report has.
const TAIL_LINES: usize = 20;
