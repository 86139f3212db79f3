//! What became of an action, from everything that was seen of it. The exit code is only one
//! witness: certbot exits with 0 when nothing was due, and when a deploy hook has failed.

use super::case::{self, Case, leaf};
use super::hook::{self, Failed};
use super::{Ending, Report, activation};
use crate::action::Promise;
use crate::explain::{self, Explanation};
use crate::fleet::{
    self, Certificate, Failure, Fingerprint, Moment, NotServed, OWN, Place, Probe, Version, human,
};
use crate::inventory::Endpoint;
use crate::job::{State, Status};
use crate::text::SafeText;

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
            explain(NEVER_BEGAN, "the host was not told in time to begin", "try again"),
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

/// The cause of an action of which the host was not told in time.
pub(super) const NEVER_BEGAN: &str = "never-began";

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
            let known = activation::explained(case, place, output)
                .or_else(|| of_command(case, code, output))
                .or_else(|| explain::certbot(output))
                .or_else(|| output.lines().find(|it| is_fault(it)).map(not_reloaded))
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
    if ["reload", "repoint"].contains(&case.action.as_str()) {
        let cause = output.lines().find(|it| is_fault(it)).or(last).unwrap_or("it said nothing");
        return Some(not_reloaded(cause));
    }
    if case.source.as_deref() == Some("cert-manager") {
        let cause = last.unwrap_or("it said nothing").trim();
        let next = match code {
            3 => "nothing was changed: mend that, and do it again",
            _ => {
                "see its CertificateRequest and Order in the cluster; the secret still holds what it held unless a scan shows otherwise"
            }
        };
        return Some(explanation(
            "not-issued",
            cause.strip_prefix("renewal: ").unwrap_or(cause),
            next,
        ));
    }
    (case.action == "hook").then(|| {
        let cause = last.map_or_else(|| "the hook said nothing".to_owned(), str::to_owned);
        explanation("hook-failed", &cause, REPAIR)
    })
}

/// That a server was not reloaded, by what it said of its configuration.
fn not_reloaded(said: &str) -> Explanation {
    let next = "mend the configuration; the server goes on with what it has loaded";
    explanation("not-reloaded", said.trim(), next)
}

/// Whether that is how nginx, Apache and haproxy say what is wrong with their configuration.
pub(super) fn is_fault(line: &str) -> bool {
    ["[emerg]", "AH00526", "Syntax error", "[ALERT]"].iter().any(|it| line.contains(it))
}

/// What to do about a hook that was run alone.
pub(super) const REPAIR: &str = "repair the hook, then run it again; no certificate was touched";

/// Why the promise of a plan is not proven.
struct Doubt {
    summary: String,
    explanation: Explanation,
    /// Whether what certbot printed may say more.
    is_about_issuing: bool,
}

fn doubt(evidence: &Evidence<'_>, place: Option<&Place>) -> Option<Doubt> {
    let Evidence { case, .. } = evidence;
    let now = leaf(place).map(|it| it.sha256);
    if let Some(doubt) = doubt_of_host(evidence) {
        return Some(doubt);
    }
    match &case.promise {
        Promise::Chain(first) => {
            let disk = place.and_then(|it| it.layers.disk.as_ref()).map(|it| &it.chain);
            let is_there =
                disk.and_then(|it| it.rest.first()).is_some_and(|it| it.sha256 == *first);
            if !is_there || now != case.before || disk.is_some_and(|it| it.fault.is_some()) {
                return doubt_that(
                    "chain",
                    "it ended well, and the file does not hold the leaf with these intermediates",
                    "something else writes the file, or it is another file that is loaded",
                    "look at the file on the host; what it held before is kept there",
                );
            }
        }
        Promise::Renewable => {
            if !place.and_then(|it| it.renewal.as_ref()).is_some_and(|it| it.is_unattended) {
                return doubt_that(
                    "attended",
                    "it ended well, and the lineage still needs somebody at the keyboard",
                    "the renewal configuration is not the one that certbot reads",
                    "look at the renewal configuration on the host",
                );
            }
        }
        Promise::SameLeaf if now != case.before => {
            return doubt_that(
                "changed",
                "it ended well, and the certificate is another one",
                "something has renewed it meanwhile",
                "scan the host; nothing has to be undone if the key fits",
            );
        }
        Promise::NewLeaf if now.is_none() => {
            return doubt_that(
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
            return doubt_that(
                "another",
                "it ended well, and the live certificate is not the one that was chosen",
                "a link was not changed, or changed again",
                "look at the links in `live` there",
            );
        }
        Promise::SameLeaf
        | Promise::NewLeaf
        | Promise::Leaf(_)
        | Promise::Served
        | Promise::TimerArmed
        | Promise::Executable(_)
        | Promise::ClockRight
        | Promise::Serves(_)
        // No job does that.
        | Promise::Delivered(_) => {}
    }
    if place.and_then(Place::key_matches) == Some(false) {
        return doubt_that(
            "key",
            "the private key on disk does not belong to the certificate",
            "links lead to different versions",
            "do not reload anything: roll back to a version whose key fits",
        );
    }
    unserved(evidence).map(|(endpoint, what)| Doubt {
        summary: format!("the certificate is on disk, and {} {what}", case::endpoint(endpoint)),
        explanation: explanation(
            NOT_SERVED,
            "the service has not loaded it, or it is another service that answers there",
            "reload the server (`certdeck run reload`) or run the deploy hook (`certdeck run hook`); nothing has to be ordered",
        ),
        is_about_issuing: false,
    })
}

/// The same of what is promised of a host.
fn doubt_of_host(evidence: &Evidence<'_>) -> Option<Doubt> {
    let Evidence { case, host, .. } = evidence;
    match &case.promise {
        Promise::TimerArmed if timers(case, host).next().is_none() => {
            return doubt_that(
                "not-armed",
                "the commands ended well, and no timer is armed",
                "the unit is masked, or it is another one",
                "see what `systemctl status certbot.timer` says there",
            );
        }
        Promise::Executable(path) => {
            let mut hooks = host.automation.iter().flat_map(|it| &it.hooks);
            if !hooks.any(|it| it.path == path.as_str() && it.is_executable) {
                return doubt_that(
                    "not-executable",
                    "the command ended well, and the client still skips the hook",
                    "the file system may be mounted without execution (noexec)",
                    "look at the file on the host",
                );
            }
        }
        Promise::ClockRight if host.clock_offset.is_none_or(|it| it.saturating_abs() > CLOCK) => {
            return doubt_that(
                "clock",
                "it ended well, and the clock is still off",
                "a time service has set it back, or ours has jumped meanwhile",
                "see what `chronyc tracking` or `timedatectl` says there, and look at our clock",
            );
        }
        _ => {}
    }
    None
}

#[expect(clippy::unnecessary_wraps, reason = "it is what its callers return")]
fn doubt_that(name: &'static str, summary: &str, cause: &str, next: &str) -> Option<Doubt> {
    let explanation = explanation(name, cause, next);
    Some(Doubt { summary: summary.to_owned(), explanation, is_about_issuing: false })
}

/// The first endpoint that does not show the certificate. An address that does not answer does
/// not count as long as another one does.
fn unserved<'a>(evidence: &Evidence<'a>) -> Option<(&'a Endpoint, &'static str)> {
    let Evidence { case, host, served, .. } = evidence;
    served.iter().find_map(|(endpoint, probes)| {
        let wanted = case.wanted(host, endpoint);
        if wanted.is_empty() {
            return None;
        }
        if probes.iter().all(|it| it.served.is_err()) {
            return is_missed(probes).then_some((*endpoint, "cannot be seen to serve it"));
        }
        case.other(probes, &wanted).map(|_| (*endpoint, "serves another one"))
    })
}

/// Whether it counts that none of these showed a certificate. Where only a server's configuration
/// tells of an endpoint, what answers otherwise may be as it should be: it wants the PROXY protocol
/// first, or sshd lets nobody through.
fn is_missed(probes: &[Probe]) -> bool {
    let is_refused = |it: &Probe| it.served.as_ref().is_err_and(|it| it.why == NotServed::Refused);
    probes.is_empty() || probes.iter().any(|it| it.is_told || is_refused(it))
}

fn success(evidence: &Evidence<'_>, place: Option<&Place>) -> String {
    let Evidence { case, served, host, .. } = evidence;
    let mut probes = served.iter().flat_map(|it| &it.1);
    let is_seen = probes.clone().any(|it| it.served.is_ok());
    let shown = match (served.is_empty(), is_seen) {
        (true, _) => "",
        (_, true) if probes.all(|it| it.served.is_ok()) => ", and is served",
        (_, true) => ", and is served where that could be seen",
        (_, false) => ", and what is served could not be seen",
    };
    match (&case.promise, leaf(place)) {
        (Promise::NewLeaf, Some(leaf)) => {
            format!("a new certificate is in place until {}{shown}", leaf.not_after)
        }
        (Promise::Leaf(_), Some(leaf)) => {
            format!("the chosen certificate is in place until {}{shown}", leaf.not_after)
        }
        (Promise::TimerArmed, _) => {
            let armed = timers(case, host).next();
            let next = armed.and_then(|it| it.next).map(|it| format!(", next at {it}"));
            let name = armed.map(|it| it.name.clone()).unwrap_or_default();
            format!("{name} is armed{}", next.unwrap_or_default())
        }
        (Promise::Served, _) if !served.is_empty() => {
            "what is served lies in the files that are loaded".to_owned()
        }
        (Promise::Chain(_), _) => format!("the chain is whole{shown}"),
        (Promise::Serves(_), _) => "the servers show the certificate that was chosen".to_owned(),
        (Promise::Renewable, _) => "it renews by itself, and a dry run has shown it".to_owned(),
        (Promise::Executable(path), _) => format!("{path} is executable"),
        (Promise::ClockRight, _) => {
            format!("the clock is {} s off ours", host.clock_offset.unwrap_or_default())
        }
        (_, None) => "it worked".to_owned(),
        (_, Some(_)) if case.action == "reload" && !shown.is_empty() => {
            format!("what lies on disk is loaded{shown}")
        }
        (_, Some(_)) => format!("it worked, and the certificate is the one from before{shown}"),
    }
}

/// What will fire and renew all that the client keeps.
fn timers<'a>(case: &'a Case, host: &'a fleet::Host) -> impl Iterator<Item = &'a fleet::Trigger> {
    let is_source =
        |it: &&fleet::Automation| case.source.as_deref().is_none_or(|kind| kind == it.source);
    host.automation.iter().filter(is_source).flat_map(|it| it.schedule.starting_all())
}

/// What is on disk now, in words.
pub(super) fn disk(case: &Case, place: Option<&Place>) -> Vec<String> {
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
/// orders, certbot leads the links to the newest version (certbot 2.1.0, `_internal/storage.py`,
/// `ensure_deployed`), which undoes a roll back.
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
        let why = match case.source.as_deref() {
            Some(OWN) => "services may go on with what they have loaded",
            _ => "certbot links its newest before it orders another",
        };
        lines.push(format!("version {number} is live now: {why}"));
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

/// As for plans, in seconds.
const CLOCK: i64 = 60;

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::fleet::{
        Automation, Chain, HostName, KeyKind, KeySight, Renewal, Schedule, Scheduler, Sighting,
        Trigger,
    };
    use crate::fleet::{Trust, Unserved, Vantage};
    use crate::inventory::StartTls;

    const NOW: Moment = Moment::from_unix(1_795_403_564);

    /// A lineage of two versions of which the first was live, and a job that ran on it.
    struct Scene {
        case: Case,
        status: Status,
        output: String,
        host: fleet::Host,
        served: Vec<(Endpoint, Vec<Probe>)>,
    }

    fn certificate(number: u32) -> Arc<Certificate> {
        Arc::new(Certificate {
            sha256: fingerprint(number),
            spki_sha256: Fingerprint::of(&number.to_be_bytes()),
            serial: SafeText::new(&number.to_string()),
            subject: SafeText::default(),
            issuer: SafeText::default(),
            names: Vec::new(),
            not_before: NOW,
            not_after: NOW.plus(90 * fleet::DAY),
            key: KeyKind::Ecdsa(256),
            is_ca: false,
            logged_at: None,
            is_for_clients: false,
            renewal_id: None,
            der: None,
        })
    }

    fn chain(number: u32) -> Arc<Chain> {
        Arc::new(Chain {
            leaf: certificate(number),
            rest: Vec::new(),
            fault: None,
            trust: Trust::default(),
        })
    }

    fn fingerprint(number: u32) -> Fingerprint {
        Fingerprint::of(format!("leaf {number}").as_bytes())
    }

    fn scene(promise: Promise) -> Scene {
        let mut host = fleet::Host::new(HostName::new("web-01"), "127.0.0.1", &[]);
        host.automation.push(Automation {
            source: "certbot",
            version: None,
            is_installed: true,
            program: None,
            schedule: Schedule { scheduler: Scheduler::Systemd, triggers: Vec::new() },
            hooks: Vec::new(),
            lock: None,
            last_run: None,
            unproven: Vec::new(),
        });
        let action = if promise == Promise::NewLeaf { "force-renew" } else { "hook" };
        let status = Status {
            state: State::Done(0),
            began: Some(NOW),
            ended: Some(NOW),
            before: None,
            after: None,
            command: 1,
            is_stopped: false,
            printed: 0,
            is_cut: false,
            title: SafeText::default(),
            who: SafeText::default(),
            witness: None,
        };
        let case = Case {
            action: action.to_owned(),
            host: host.name.clone(),
            lineage: Some("www".to_owned()),
            source: Some("certbot".to_owned()),
            promise,
            before: Some(fingerprint(1)),
            endpoints: Vec::new(),
        };
        Scene { case, status, output: String::new(), host, served: Vec::new() }.live(1)
    }

    impl Scene {
        /// Now that version is live, with its key.
        fn live(mut self, number: u32) -> Self {
            let mut place = Place::new("certbot", SafeText::new("www"));
            let location = SafeText::new("/live/www/fullchain.pem");
            place.layers.disk = Some(Sighting { chain: chain(number), location, at: NOW });
            let spki = Some(certificate(number).spki_sha256);
            place.key = Some(KeySight { path: SafeText::default(), stamp: None, spki });
            let version = |number| Version { number, certificate: Some(certificate(number)) };
            place.versions = [1, 2].map(version).into();
            place.renewal = Some(Renewal::default());
            self.host.places = vec![place];
            self
        }

        fn on_place(mut self, change: impl FnOnce(&mut Place)) -> Self {
            change(&mut self.host.places[0]);
            self
        }

        fn on_status(mut self, change: impl FnOnce(&mut Status)) -> Self {
            change(&mut self.status);
            self
        }

        fn state(self, state: State) -> Self {
            self.on_status(|it| it.state = state)
        }

        fn prints(mut self, output: &str) -> Self {
            output.clone_into(&mut self.output);
            self
        }

        /// The log of the client tells of a failure so many seconds after the job began.
        fn logs_failure(self, after: i64) -> Self {
            self.on_place(|it| {
                let text = SafeText::new("post-hook failed with exit code 4: x");
                let failure = Failure { at: Some(NOW.plus(after)), text };
                it.renewal.as_mut().unwrap().last_failure = Some(failure);
            })
        }

        fn logs_success(self, after: i64) -> Self {
            self.on_place(|it| {
                it.renewal.as_mut().unwrap().last_success = Some(NOW.plus(after));
            })
        }

        fn timer(mut self, is_armed: bool) -> Self {
            self.host.automation[0].schedule.triggers = vec![Trigger {
                name: SafeText::new("certbot.timer"),
                is_armed,
                state: SafeText::default(),
                ..Trigger::default()
            }];
            self
        }

        /// An endpoint that shows these, one address each; `None` where it cannot be seen.
        fn serves(mut self, shown: &[Option<u32>]) -> Self {
            let endpoint = Endpoint {
                name: "www".to_owned(),
                port: 443,
                starttls: StartTls::None,
                probe: Vec::new(),
                listen: None,
                addresses: Vec::new(),
            };
            let probe = |(at, number): (usize, &Option<u32>)| Probe {
                name: SafeText::new("www"),
                is_told: true,
                is_added: false,
                vantage: Vantage::Public,
                address: SafeText::new(&at.to_string()),
                at: NOW,
                served: number.map(chain).ok_or_else(|| Unserved {
                    why: NotServed::Refused,
                    text: SafeText::new("connection refused"),
                }),
            };
            self.served.push((endpoint, shown.iter().enumerate().map(probe).collect()));
            self
        }

        /// What was looked at last is not in the inventory, and failed like that.
        fn found(mut self, why: NotServed) -> Self {
            for probe in self.served.last_mut().iter_mut().flat_map(|it| &mut it.1) {
                probe.is_told = false;
                if let Err(unserved) = &mut probe.served {
                    unserved.why = why;
                }
            }
            self
        }

        #[track_caller]
        fn check(&self, ending: Ending, cause: &str, words: &str) {
            let served: Vec<_> = self.served.iter().map(|(a, b)| (a, b.clone())).collect();
            let Self { case, status, host, .. } = self;
            let output = self.output.as_bytes();
            let report =
                judge(&Evidence { case, status, output, host, served: &served, log: None });
            let name = report.explanation.as_ref().map_or("", |it| it.name);
            assert_eq!((report.ending, name), (ending, cause), "{report:#?}");
            assert!(format!("{report:?}").contains(words), "`{words}` is not in {report:#?}");
        }
    }

    const HOOK: &str = "Hook 'deploy-hook' reported error code 7\n";

    #[test]
    fn a_promise_is_kept_or_not() {
        use Ending::{Failed, Ok};
        let new = Promise::NewLeaf;
        let (chosen, armed) = (Promise::Leaf(fingerprint(2)), Promise::TimerArmed);
        scene(Promise::SameLeaf).check(Ok, "", "the certificate is the one from before");
        let mut reload = scene(Promise::SameLeaf).serves(&[Some(1)]);
        reload.case.action = "reload".to_owned();
        reload.check(Ok, "", "what lies on disk is loaded, and is served");
        scene(Promise::SameLeaf).live(2).check(Failed, "changed", "the certificate is another one");
        scene(new.clone()).live(2).check(Ok, "", "a new certificate is in place until");
        scene(new.clone()).check(Failed, "not-renewed", "still the one from before");
        let nothing = scene(new.clone()).on_place(|it| it.layers.disk = None);
        nothing.check(Failed, "missing", "there is no certificate on disk");
        scene(chosen.clone()).live(2).check(Ok, "", "the chosen certificate is in place");
        scene(chosen).check(Failed, "another", "not the one that was chosen");
        scene(armed.clone()).timer(true).check(Ok, "", "certbot.timer is armed");
        scene(armed.clone()).timer(false).check(Failed, "not-armed", "no timer is armed");
        scene(armed).check(Failed, "not-armed", "no timer is armed");
        // A trial is no renewal, and is told as what it is.
        let due = scene(new).prints("No renewals were attempted.\n");
        due.check(Failed, "not-due", "still the one from before");
    }

    #[test]
    fn no_promise_is_kept_by_a_job_that_did_not_end_well() {
        let promises = [
            Promise::SameLeaf,
            Promise::NewLeaf,
            Promise::Leaf(fingerprint(2)),
            Promise::TimerArmed,
        ];
        for promise in promises {
            // As if everything were as it should be.
            let leaf = if promise == Promise::SameLeaf { 1 } else { 2 };
            let it = || scene(promise.clone()).live(leaf).timer(true).serves(&[Some(leaf)]);
            it().check(Ending::Ok, "", "");
            // What a hook says of itself is all that is to be known of it.
            let name = if promise == Promise::NewLeaf { "unknown" } else { "hook-failed" };
            it().state(State::Done(1)).check(Ending::Failed, name, "exit code 1");
            it().state(State::Done(127)).check(Ending::Failed, "not-runnable", "cannot be run");
            it().state(State::Done(137)).check(Ending::Failed, name, "by signal 9");
            let stopped = it().state(State::Done(143)).on_status(|it| it.is_stopped = true);
            stopped.check(Ending::Cancelled, "stopped", "it was stopped");
            for (is_rebooted, words) in [(true, "started anew"), (false, "from outside")] {
                let cut = || it().state(State::Interrupted { is_rebooted });
                cut().check(Ending::Failed, "interrupted", words);
                let stopped = cut().on_status(|it| it.is_stopped = true);
                stopped.check(Ending::Cancelled, "interrupted", words);
            }
            for state in [State::Running, State::Starting, State::Absent] {
                it().state(state).check(Ending::Unknown, "unclear", "");
            }
        }
    }

    #[test]
    fn what_never_ran_is_told_apart() {
        let holder = SafeText::new("bert@tower: renew www");
        for (state, name) in [
            (State::Absent, Some("never-began")),
            (State::Void, Some("never-began")),
            (State::Busy { holder, since: None }, Some("busy")),
            (State::Stale, Some("stale")),
            (State::Impossible(SafeText::default()), Some("impossible")),
            (State::Done(0), None),
            (State::Interrupted { is_rebooted: false }, None),
            (State::Running, None),
            (State::Starting, None),
        ] {
            let status = scene(Promise::SameLeaf).state(state).status;
            assert_eq!(unrun(&status, NOW).map(|it| it.1.name), name, "{:?}", status.state);
        }
    }

    #[test]
    fn a_hook_that_failed_is_a_failure_whoever_tells_of_it() {
        let it = || scene(Promise::NewLeaf).live(2);
        let failed = Ending::Failed;
        it().prints(HOOK).check(failed, "hook-failed", "deploy-hook failed with exit code 7");
        it().logs_failure(0).check(failed, "hook-failed", "post-hook failed with exit code 4");
        it().logs_failure(-1).check(Ending::Ok, "", "");
        // That nothing is served is what follows from it.
        it().prints(HOOK).serves(&[Some(1)]).check(failed, "hook-failed", "the one from before");
        // A log of an earlier run says nothing of hooks that were run by hand.
        scene(Promise::SameLeaf).logs_failure(0).check(Ending::Ok, "", "");
        // Nothing was renewed, so no hook of a renewal ran.
        scene(Promise::NewLeaf).prints(HOOK).check(failed, "deploy-hook", "");
    }

    #[test]
    fn what_was_printed_and_is_not_kept_proves_nothing() {
        let cut = |promise| scene(promise).on_status(|it| it.is_cut = true);
        let it = || cut(Promise::NewLeaf).live(2);
        it().check(Ending::Failed, "cut", "is not proven");
        it().logs_success(-1).check(Ending::Failed, "cut", "is not proven");
        it().logs_success(0).check(Ending::Ok, "", "a new certificate");
        it().logs_success(9).logs_failure(9).check(Ending::Failed, "hook-failed", "post-hook");
        it().prints(HOOK).check(Ending::Failed, "hook-failed", "deploy-hook");
        // What runs without the client tells how it ended by its exit code.
        cut(Promise::SameLeaf).check(Ending::Ok, "", "");
        let mut trial = cut(Promise::SameLeaf);
        trial.case.action = "dry-run".to_owned();
        trial.check(Ending::Failed, "cut", "is not proven");
    }

    #[test]
    fn a_key_that_does_not_fit_is_worse_than_all_else() {
        let spki = |spki| move |it: &mut Place| it.key.as_mut().unwrap().spki = spki;
        let other = Some(certificate(1).spki_sha256);
        for promise in [Promise::NewLeaf, Promise::Leaf(fingerprint(2))] {
            let it = || scene(promise.clone()).live(2).serves(&[Some(1)]).prints(HOOK);
            it().on_place(spki(other)).check(Ending::Failed, "key", "does not belong");
        }
        let unknown = scene(Promise::NewLeaf).live(2).on_place(spki(None));
        unknown.check(Ending::Ok, "", "could not be told");
    }

    #[test]
    fn what_is_served_is_part_of_the_proof() {
        let it = || scene(Promise::NewLeaf).live(2);
        let failed = Ending::Failed;
        it().serves(&[Some(2)]).check(Ending::Ok, "", "and is served");
        it().serves(&[Some(1)]).check(failed, "not-served", "serves the one from before");
        it().serves(&[Some(3)]).check(failed, "not-served", "serves another one (serial 3)");
        it().serves(&[Some(2), Some(1)]).check(failed, "not-served", "serves another one");
        it().serves(&[Some(2), None]).check(Ending::Ok, "", "shows none: connection refused");
        it().serves(&[None]).check(failed, "not-served", "cannot be seen to serve it");
        it().serves(&[]).check(failed, "not-served", "cannot be seen to serve it");
        it().serves(&[Some(2)]).serves(&[None]).check(failed, "not-served", "cannot be seen");
    }

    #[test]
    fn what_only_a_configuration_tells_of_must_not_show_another_one() {
        let it = || scene(Promise::NewLeaf).live(2);
        let (broken, refused) = (NotServed::Broken, NotServed::Refused);
        it().serves(&[None]).found(broken).check(
            Ending::Ok,
            "",
            "what is served could not be seen",
        );
        let one = || it().serves(&[Some(2)]).serves(&[None]);
        one().found(broken).check(Ending::Ok, "", "is served where that could be seen");
        one().found(refused).check(Ending::Failed, "not-served", "cannot be seen");
        it().serves(&[Some(1)]).found(broken).check(Ending::Failed, "not-served", "from before");
    }

    #[test]
    fn a_server_that_could_not_be_reloaded_says_why() {
        let it = scene(Promise::NewLeaf).live(2).state(State::Done(1));
        let it = it.prints("nginx: [emerg] unknown directive \"x\" in /etc/nginx/nginx.conf:3\n");
        it.check(Ending::Failed, "not-reloaded", "unknown directive");
    }

    #[test]
    fn a_failed_renewal_that_changed_the_links_says_how_to_go_back() {
        let it = || scene(Promise::NewLeaf).state(State::Done(1));
        let back = "certdeck run rollback web-01/www --to 1";
        it().live(2).check(Ending::Failed, "unknown", back);
        it().live(2).check(Ending::Failed, "unknown", "version 2 is live now");
        let gone = it().live(2).on_place(|it| it.versions.clear());
        gone.check(Ending::Failed, "unknown", "is not in the archive any more");
        it().check(Ending::Failed, "unknown", "the certificate from before is still in place");
    }
}
