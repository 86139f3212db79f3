//! Whether certificates renew by themselves, and everything that this hangs on.

use super::Page;
use super::detail::Subject;
use super::sheet::{Sheet, when};
use crate::fleet::{
    Automation, Expiry, Host, Moment, Need, NeedState, Place, Reach, Renewal, Scheduler, Severity,
    Trigger, Verdict, Weight, human,
};

/// Whether a place would renew by itself, and why, in one line.
pub(super) fn tonight(subject: &Subject<'_>, place: &Place) -> (Weight, String) {
    let Subject { host, now, .. } = *subject;
    if !matches!(host.reach, Reach::Up) {
        return (Weight::Unknown, "not known: the host was not read".to_owned());
    }
    let Some(renewal) = &place.renewal else {
        return (Weight::Unknown, "not known: no client here is known to renew it".to_owned());
    };
    let is_about = |it: &&&crate::diagnose::Finding| {
        it.host == host.name
            && it.verdict == Verdict::Automation
            && it.severity > Severity::Info
            && it.place.as_ref().is_none_or(|it| *it == place.name)
    };
    let reasons: Vec<&str> =
        subject.findings.iter().filter(is_about).map(|it| it.summary.as_str()).collect();
    if place.is_own() && reasons.is_empty() && renewal.is_enabled && renewal.is_unattended {
        return from_here(subject, place);
    }
    let client = host.automation.iter().find(|it| it.source == place.source);
    let armed = client.and_then(|it| it.schedule.starting(place).next());
    let lacks = |it: &Need| !matches!(it.state, NeedState::There | NeedState::Unseen);
    let is_certain = !renewal.is_enabled
        || !renewal.is_unattended
        || renewal.needs.iter().any(lacks)
        || (armed.is_none() && client.is_some_and(|it| !it.schedule.triggers.is_empty()));
    if !reasons.is_empty() {
        // What fails at the end, or not always, is no plain no.
        let answer = if is_certain { "no" } else { "not as it should" };
        return (Weight::Due, format!("{answer}: {}", reasons.join("; ")));
    }
    if !renewal.is_enabled {
        return (Weight::Due, "no: it is switched off in its configuration".to_owned());
    }
    if !renewal.is_unattended {
        return (Weight::Due, "no: somebody has to be at the keyboard".to_owned());
    }
    let Some(trigger) = armed else {
        return (Weight::Unknown, format!("not known: {}", unstarted(client)));
    };
    let fires = trigger.next.map_or_else(
        || format!("{} starts it", trigger.name),
        |it| format!("{} fires in {}", trigger.name, human(it.since(now))),
    );
    let opens = place.layers.disk.as_ref().map(|it| place.renewal_opens(&it.chain.leaf));
    match opens.filter(|it| *it > now) {
        Some(opens) => {
            (Weight::Fine, format!("yes, when it is due in {}; {fires}", human(opens.since(now))))
        }
        // What failed as it is will fail again, unless somebody mends it.
        None if place.last_failure().is_some() => {
            (Weight::Due, format!("it will be tried, and the last try has failed; {fires}"))
        }
        None => (Weight::Fine, format!("yes, it is due; {fires}")),
    }
}

/// The same of what this program has ordered itself, which a timer of some machine renews.
fn from_here(subject: &Subject<'_>, place: &Place) -> (Weight, String) {
    let Subject { host, now, .. } = *subject;
    let is_about = |it: &&&crate::diagnose::Finding| {
        it.rule == UNATTENDED && it.host == host.name && it.place.as_ref() == Some(&place.name)
    };
    if let Some(unseen) = subject.findings.iter().find(is_about) {
        return (Weight::Unknown, format!("not known: {}", unseen.summary));
    }
    let opens = place.layers.disk.as_ref().map(|it| place.renewal_opens(&it.chain.leaf));
    let when = match opens.filter(|it| *it > now) {
        Some(opens) => format!("yes, when it is due in {}", human(opens.since(now))),
        None => "yes, it is due".to_owned(),
    };
    (Weight::Fine, format!("{when}; a timer of this machine starts it"))
}

/// The rule about what renews our own store.
const UNATTENDED: &str = "unattended";

/// Why nothing that starts a client is seen.
fn unstarted(client: Option<&Automation>) -> &'static str {
    match client.map(|it| it.schedule.scheduler) {
        Some(Scheduler::None) => "no scheduler runs on this host; it may be started from outside",
        Some(_) => "nothing on this host is seen to start it",
        None => "how it is started was not read",
    }
}

/// What the renewal of a place hangs on.
pub(super) fn of_place(
    subject: &Subject<'_>,
    place: &Place,
    page: &Page<'_>,
    sheet: &mut Sheet<'_>,
) {
    let now = subject.now;
    let (weight, text) = tonight(subject, place);
    marked(sheet, page, "By itself", weight, &text);
    let Some(renewal) = &place.renewal else { return };
    sheet.maybe("Proves by", proof(renewal, subject.expiries, now).as_ref());
    sheet.maybe("Installs by", renewal.installer.as_ref());
    sheet.maybe("Server", renewal.server.as_ref());
    sheet.maybe("Account", renewal.account.as_ref());
    for it in renewal.needs.iter().filter(|it| it.state != NeedState::There) {
        let weight = if it.state == NeedState::Unseen { Weight::Unknown } else { Weight::Wrong };
        marked(sheet, page, "Needs", weight, &format!("{}: {}", it.path, state_words(it.state)));
    }
    sheet.maybe("Means to", renewal.planned.map(|it| format!("renew {}", when(it, now))));
    sheet.maybe("Worked", renewal.last_success.map(|it| when(it, now)));
    if let Some(it) = &renewal.last_failure {
        sheet.maybe("Failed", it.at.map(|it| when(it, now)));
        sheet.styled_field("Because", it.text.as_str(), page.theme.weight(Weight::Wrong));
    }
    // What this program orders itself is tried dry from here, and no client's log tells of it.
    let dry_runs = [renewal.last_dry_run, subject.dry_run];
    match dry_runs.into_iter().flatten().max_by_key(|it| it.at) {
        Some(it) => {
            let how = if it.is_ok { "went well" } else { "failed" };
            let weight = if it.is_ok { Weight::Fine } else { Weight::Due };
            let age = human(now.since(it.at));
            marked(sheet, page, "Dry run", weight, &format!("{how} {age} ago"));
        }
        None => {
            sheet.styled_field("Dry run", "none is on record", page.theme.dim());
        }
    }
    if let Some(it) = &renewal.failed_hook {
        let command = it.command.as_ref().map_or("", |it| it.as_str());
        let at = it.at.map_or_else(String::new, |it| format!(", {}", when(it, now)));
        let text = format!("the {} hook {command} ended with exit code {}{at}", it.stage, it.code);
        marked(sheet, page, "Hook", Weight::Wrong, &text);
    }
    for it in subject.host.automation.iter().filter(|it| it.source == place.source) {
        client(it, now, page, sheet);
    }
}

/// How control is proved, and until when what is needed for it holds.
fn proof(renewal: &Renewal, expiries: &[Expiry], now: Moment) -> Option<String> {
    let method = renewal.authenticator.as_ref()?;
    let folder = renewal.webroot.as_ref().map(|it| format!(" in {it}")).unwrap_or_default();
    let ends = expiries.iter().filter(|it| it.authenticators.contains(method));
    let ends = ends.map(|it| format!("{} ends {}", it.name, when(it.on, now)));
    let parts: Vec<String> = std::iter::once(format!("{method}{folder}")).chain(ends).collect();
    Some(parts.join("; "))
}

const fn state_words(state: NeedState) -> &'static str {
    match state {
        NeedState::Different => "something else is there",
        NeedState::Missing => "is missing",
        NeedState::NotExecutable => "is not executable",
        NeedState::There => "is there",
        NeedState::Unseen => "could not be looked at",
    }
}

/// A client, what starts it, how that went, and its hooks.
pub(super) fn client(it: &Automation, now: Moment, page: &Page<'_>, sheet: &mut Sheet<'_>) {
    let version = it.version.as_ref().map_or("of unknown version", |it| it.as_str());
    let installed = if it.is_installed { "" } else { ", not installed" };
    sheet.field("Client", &format!("{} {version}{installed}", it.source));
    for it in &it.schedule.triggers {
        trigger(it, now, page, sheet);
    }
    if it.schedule.triggers.is_empty() {
        let is_outside = it.schedule.scheduler == Scheduler::None;
        let text = if is_outside { "nothing: no scheduler runs here" } else { "nothing" };
        sheet.styled_field("Started by", text, page.theme.weight(Weight::Due));
    }
    sheet.maybe("Ran last", it.last_run.map(|it| when(it, now)));
    if let Some(lock) = &it.lock {
        let pid = lock.pid.map_or_else(String::new, |it| format!(" by process {it}"));
        sheet.field("Locked", &format!("{}{pid}", lock.path));
    }
    for it in &it.hooks {
        let (weight, note) = if it.is_executable {
            (Weight::Fine, "")
        } else {
            (Weight::Due, ", not executable: will not run")
        };
        let text = format!("{} {} (mode {:04o}{note})", it.stage, it.path, it.mode);
        marked(sheet, page, "Hook", weight, &text);
    }
}

fn trigger(it: &Trigger, now: Moment, page: &Page<'_>, sheet: &mut Sheet<'_>) {
    let when_it = it.calendar.as_ref().map(|it| format!(", {it}")).unwrap_or_default();
    let weight = if it.is_armed { Weight::Fine } else { Weight::Due };
    marked(sheet, page, "Started by", weight, &format!("{} {}{when_it}", it.name, it.state));
    let only: Vec<_> = it.only.iter().map(ToString::to_string).collect();
    sheet.maybe("Renews only", Some(only.join(", ")).filter(|it| !it.is_empty()));
    let jitter = it.jitter.map(|it| match it {
        0 => ", without delay".to_owned(),
        _ => format!(", put off by up to {}", human(it)),
    });
    sheet.maybe(
        "Fires next",
        it.next.map(|it| format!("{}{}", when(it, now), jitter.unwrap_or_default())),
    );
    let Some(last) = it.last else { return };
    let exit = it.exit.map(|it| format!(" (exit code {it})")).unwrap_or_default();
    let result = it.result.as_ref().map(|it| format!(": {it}{exit}")).unwrap_or(exit);
    let is_bad =
        it.exit.is_some_and(|it| it != 0) || it.result.as_ref().is_some_and(|it| *it != "success");
    let weight = if is_bad { Weight::Wrong } else { Weight::Fine };
    marked(sheet, page, "Fired last", weight, &format!("{}{result}", when(last, now)));
}

/// A field; what is not fine has its sign before it, so that colour is not all.
pub(super) fn marked(
    sheet: &mut Sheet<'_>,
    page: &Page<'_>,
    label: &str,
    weight: Weight,
    text: &str,
) {
    if weight == Weight::Fine {
        sheet.field(label, text);
    } else {
        let sign = page.theme.glyphs().weight(weight);
        sheet.styled_field(label, &format!("{sign} {text}"), page.theme.weight(weight));
    }
}

/// How every place of a host would renew, one line each.
pub(super) fn of_host(subject: &Subject<'_>, host: &Host, page: &Page<'_>, sheet: &mut Sheet<'_>) {
    for place in &host.places {
        let (weight, text) = tonight(subject, place);
        let style = page.theme.weight(weight);
        let text_style = if weight == Weight::Fine { page.theme.text() } else { style };
        let head = format!("{} {}  ", page.theme.glyphs().weight(weight), place.name);
        sheet.pair((&head, style), (&text, text_style));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::diagnose::{Finding, diagnose};
    use crate::fleet::{Failure, Fleet, HostName, OWN};
    use crate::text::SafeText;
    use crate::tui::sample::{self, NOW};

    /// What is said of a place of the sample, after something has changed at its host.
    #[track_caller]
    fn check(host: &str, place: &str, change: fn(&mut Host), starts: &str) {
        let (mut fleet, _) = sample::prod_eu();
        let mut known = fleet.host(&HostName::new(host)).unwrap().clone();
        change(&mut known);
        fleet.recall(known);
        let said = said(&fleet, host, place);
        assert!(said.starts_with(starts), "{said}");
    }

    fn said(fleet: &Fleet, host: &str, name: &str) -> String {
        let diagnosis = diagnose(fleet, NOW);
        let host = fleet.host(&HostName::new(host)).unwrap();
        let findings: Vec<&Finding> = diagnosis.findings.iter().collect();
        let place = host.places.iter().find(|it| it.name == *name).unwrap();
        let verdict = Verdict::Ok;
        let (expiries, dry_run) = (&fleet.expiries, None);
        let subject = Subject {
            host,
            place: Some(place),
            verdict,
            findings: &findings,
            expiries,
            dry_run,
            now: NOW,
        };
        tonight(&subject, place).1
    }

    #[test]
    fn whether_it_renews_is_answered_with_a_reason() {
        let (host, place) = ("edge-ams-3", "www.example.com");
        check(host, place, |_| {}, "yes, when it is due in 28.7d; certbot.timer fires in 8h");
        check(
            host,
            place,
            |it| it.automation[0].schedule.triggers[0].is_armed = false,
            "no: certbot.timer is active",
        );
        check(host, place, |it| it.automation.clear(), "not known: how it is started");
        check(
            host,
            place,
            |it| it.automation[0].hooks[0].is_executable = false,
            "not as it should: the deploy hook",
        );
        check(host, place, |it| it.reach = Reach::Never, "not known: the host was not read");
        check("edge-nyc-1", "pay.example.com", |_| {}, "no: it was issued by hand");
        check("mail-hel-1", "smtp.example.com", |_| {}, "yes, it is due; certbot.timer fires in");
        let fails = |it: &mut Host| {
            let failure = Failure { at: None, text: SafeText::new("refused") };
            for place in &mut it.places {
                place.renewal.as_mut().unwrap().last_failure = Some(failure.clone());
                let chain = Arc::make_mut(&mut place.layers.disk.as_mut().unwrap().chain);
                Arc::make_mut(&mut chain.leaf).not_after = NOW;
            }
        };
        check("mail-hel-1", "smtp.example.com", fails, "it will be tried, and the last try has");
        check("mon-hel-1", "/etc/grafana/tls/grafana.pem", |_| {}, "not known: no client");
    }

    #[test]
    fn what_we_order_ourselves_hangs_on_this_machine() {
        let (mut fleet, _) = sample::prod_eu();
        let mut host = fleet.host(&HostName::new("edge-ams-3")).unwrap().clone();
        host.places.iter_mut().for_each(|it| it.source = OWN);
        fleet.recall(host);
        let said = |fleet: &Fleet| said(fleet, "edge-ams-3", "www.example.com");
        assert_eq!(said(&fleet), "not known: nothing is seen to renew it");
        fleet.unattended_at = Some(NOW);
        let yes = "yes, when it is due in 28.7d; a timer of this machine starts it";
        assert_eq!(said(&fleet), yes);
        fleet.unattended_at = Some(NOW.plus(-30 * 24 * 60 * 60));
        assert!(said(&fleet).starts_with("not as it should: this machine has not renewed"));
    }
}
