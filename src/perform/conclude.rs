//! From a job that has ended to a report: the host is looked at again, and what it serves.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::case::{Case, leaf};
use super::judge::{self, Evidence, explanation};
use super::{Ending, Report, Tools};
use crate::explain::Explanation;
use crate::fleet::Probe;
use crate::fleet::{self, Fleet, Outcome, Unreached, Visit};
use crate::inventory::{Endpoint, Host};
use crate::job::Status;
use crate::scan;
use crate::text::SafeText;
use crate::wire;

/// Looks at a host now. `known` is what was known of it before.
pub(super) async fn fresh(
    tools: &Tools,
    told: &Host,
    known: fleet::Host,
    mut tell: impl FnMut(&Visit),
) -> Result<fleet::Host, Unreached> {
    let visit = scan::visit(&tools.sessions, told, known.clone(), tools.clock).await;
    tell(&visit);
    if let Outcome::Unreached(why) = visit.outcome {
        return Err(why);
    }
    let mut fleet = Fleet::new([known]);
    fleet.apply(visit);
    let name = &told.name;
    fleet.host(name).cloned().ok_or_else(|| Unreached {
        why: fleet::Why::Other,
        text: SafeText::new(&format!("{name} is not the host that was asked")),
        hint: None,
    })
}

/// A host of which nothing is known but its name.
pub(super) fn unknown(told: &Host) -> fleet::Host {
    fleet::Host::new(told.name.clone(), &told.address, &told.groups)
}

/// Finds out what a job that has ended has done.
///
/// # Errors
/// Where the host cannot be looked at for so long that it has to be left to a later time.
pub(super) async fn conclude(
    tools: &Tools,
    told: &Host,
    case: &Case,
    known: fleet::Host,
    ended: (&Status, &[u8]),
    mut tell: impl FnMut(&Visit),
) -> Result<Report, Unreached> {
    let (status, output) = ended;
    if let Some((summary, why)) = judge::unrun(status, tools.clock.now()) {
        return Ok(refused(case, &summary, Some(why)));
    }
    let begin = Instant::now();
    let mut pause = Duration::from_secs(1);
    let host = loop {
        match fresh(tools, told, known.clone(), &mut tell).await {
            Ok(host) => break host,
            Err(why) if begin.elapsed() > PATIENCE => return Err(why),
            Err(_) => sleep(pause).await,
        }
        pause = (pause * 2).min(LONGEST_PAUSE);
    };
    let served = serve(tools, told, case, &host).await;
    let log = case.log(told);
    Ok(judge::judge(&Evidence { case, status, output, host: &host, served: &served, log }))
}

/// Finds out what a rehearsal at a CA has left on its host: nothing, if all is well. `left` is
/// what could not be taken away.
pub(super) async fn rehearsed(
    tools: &Tools,
    told: &Host,
    case: &Case,
    known: fleet::Host,
    left: Vec<String>,
    tell: impl FnMut(&Visit),
) -> Report {
    const PROVEN: &str = "the staging twin says that control of every name is proven";
    let host = match fresh(tools, told, known, tell).await {
        Ok(host) => host,
        Err(why) => {
            let summary = format!("{PROVEN}, and the host cannot be looked at: {}", why.text);
            let left: Vec<_> = left.iter().map(String::as_str).collect();
            return report(case, Ending::Unknown, &summary, &left, None);
        }
    };
    let place = case.place(&host);
    let after = leaf(place).map(|it| it.sha256);
    let (ending, then, why) = if !left.is_empty() {
        let cause = "the host or the provider of the DNS could not be reached for it";
        let next = "start certdeck again once it can be; `certdeck dns orphans` lists records";
        (Ending::Failed, "what answered it is still there", Some(explanation("left", cause, next)))
    } else if after != case.before {
        let cause = "something has renewed it meanwhile";
        let next = "scan the host; nothing has to be undone if the key fits";
        (
            Ending::Failed,
            "the certificate is another one",
            Some(explanation("changed", cause, next)),
        )
    } else {
        (Ending::Ok, "the certificate is the one from before", None)
    };
    let summary = format!("{PROVEN}, and {then}");
    let state = [judge::disk(case, place), left].concat();
    let state: Vec<_> = state.iter().map(String::as_str).collect();
    Report { after, ..report(case, ending, &summary, &state, why) }
}

/// A report of something that changed nothing.
pub(super) fn refused(case: &Case, summary: &str, explanation: Option<Explanation>) -> Report {
    let state = "nothing was changed";
    report(case, Ending::Refused, summary, &[state], explanation)
}

/// A report of something of which the end is not known yet.
pub(super) fn lost(case: &Case, why: &SafeText) -> Report {
    let summary = format!("nobody can tell what became of it: {why}");
    let explanation = explanation(
        "lost",
        "the host cannot be reached, and its job goes on there or has ended",
        "wait until the host can be reached: the next start of certdeck settles it",
    );
    let state = "the job may still run on the host; nothing else is begun there meanwhile";
    report(case, Ending::Unknown, &summary, &[state], Some(explanation))
}

pub(super) fn report(
    case: &Case,
    ending: Ending,
    summary: &str,
    state: &[&str],
    explanation: Option<Explanation>,
) -> Report {
    Report {
        op: None,
        ending,
        summary: SafeText::new(summary),
        state: state.iter().map(|it| SafeText::new(it)).collect(),
        explanation,
        log: None,
        before: case.before,
        after: None,
        probes: Vec::new(),
        tail: Vec::new(),
    }
}

/// Looks at every endpoint until it shows the certificate on disk, for as long as a service may
/// take to load it.
async fn serve<'a>(
    tools: &Tools,
    told: &Host,
    case: &'a Case,
    host: &fleet::Host,
) -> Vec<(&'a Endpoint, Vec<Probe>)> {
    let begin = Instant::now();
    let mut all = Vec::new();
    for endpoint in &case.endpoints {
        let wanted = case.wanted(host, endpoint);
        let is_it = |it: &Endpoint| (&it.name, it.port) == (&endpoint.name, endpoint.port);
        let is_told = told.endpoints.iter().any(is_it);
        loop {
            let now = tools.clock.now();
            let mut probes =
                wire::probe(&tools.sessions, told, &host.listeners, endpoint, now).await;
            for probe in &mut probes {
                probe.is_told = is_told;
            }
            let is_shown = !wanted.is_empty()
                && probes.iter().any(|it| it.served.is_ok())
                && case.other(&probes, &wanted).is_none();
            if is_shown || begin.elapsed() > LOADING {
                all.push((endpoint, probes));
                break;
            }
            sleep(AGAIN).await;
        }
    }
    all
}

/// How long it is tried to look at a host whose job has ended.
const PATIENCE: Duration = Duration::from_secs(15 * 60);
const LONGEST_PAUSE: Duration = Duration::from_secs(15);

/// How long a service may take to serve what it was told to load: workers of nginx take over
/// within a second.
const LOADING: Duration = Duration::from_secs(5);
const AGAIN: Duration = Duration::from_millis(300);
