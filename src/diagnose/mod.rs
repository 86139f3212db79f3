//! Why something is broken: one rule per file, from what is known of a place to a finding with
//! evidence, a cause in plain words and remedies. Nothing here asks the world.
//!
//! # Adding a rule
//! 1. A file here with `KIND` and its `check`, with a test that it fires and one that it does not.
//! 2. Two lines below: `mod` and the entry in [`ALL`].

mod ack;
mod around;
mod authenticator;
mod balancer;
mod cause;
mod chain;
mod client;
mod clock;
mod credential;
mod drift;
mod dry_run;
mod due;
mod duplicate;
mod elsewhere;
mod endpoint;
mod expired;
mod half_done;
mod hook;
mod hook_failed;
mod key;
mod loads;
mod lock;
mod moved_back;
mod name;
mod needs;
mod not_delivered;
mod not_ready;
mod not_yet_valid;
mod overdue;
mod planned;
mod recalled;
mod remedy;
mod renewal_failed;
mod schedule;
mod settle;
mod sight;
mod staging;
mod told;
mod unattended;
mod uncovered;
mod unknown;
mod unloaded;
mod unreachable;
mod unserved;
mod usage;
mod wrong_lineage;

use crate::explain;
use crate::fleet::{Fleet, Host, HostName, Moment, Place, PlaceName, Reach, Severity, Verdict};
use crate::text::SafeText;

pub use ack::{Ack, AckKind, FindingId};
pub use around::Around;
pub use cause::{Cause, at, gather};
pub use remedy::{Does, RANKS, Rank, Remedy, command, rank, word};

use sight::Odd;

/// Every rule. The order is that of findings of one place with the same verdict.
pub static ALL: &[Kind] = &[
    unreachable::KIND,
    unknown::KIND,
    expired::KIND,
    recalled::KIND,
    key::KIND,
    chain::KIND,
    not_yet_valid::KIND,
    clock::KIND,
    staging::KIND,
    moved_back::KIND,
    wrong_lineage::KIND,
    unloaded::KIND,
    drift::KIND,
    name::KIND,
    balancer::KIND,
    not_delivered::KIND,
    elsewhere::KIND,
    endpoint::KIND,
    unserved::KIND,
    loads::KIND,
    overdue::KIND,
    due::KIND,
    hook_failed::KIND,
    renewal_failed::KIND,
    schedule::KIND,
    authenticator::KIND,
    needs::KIND,
    credential::KIND,
    planned::KIND,
    unattended::KIND,
    client::KIND,
    lock::KIND,
    not_ready::KIND,
    half_done::KIND,
    hook::KIND,
    duplicate::KIND,
    dry_run::KIND,
    usage::KIND,
    uncovered::KIND,
];

/// What the rest of the program knows about a rule.
#[derive(Debug)]
pub struct Kind {
    /// Its name, for tests and runbooks.
    pub name: &'static str,
    /// One line for people.
    pub about: &'static str,
    /// What to look at and what not to do, for the one who has never seen this.
    pub advice: &'static str,
    /// Whether the rule may speak of a host that was not read this time. Every other rule would
    /// judge what may have changed since.
    is_about_reach: bool,
    check: fn(&Subject<'_>, Moment) -> Option<Finding>,
}

/// What a rule looks at: a place at its host, or a host of which no place is known.
#[derive(Debug, Clone)]
pub struct Subject<'a> {
    around: &'a Around<'a>,
    host: &'a Host,
    place: Option<&'a Place>,
    /// Where something else is served than lies on the disk of the place.
    odds: Vec<Odd<'a>>,
}

impl<'a> Subject<'a> {
    /// A place at its host, or the host itself, among the others.
    pub fn new(around: &'a Around<'a>, host: &'a Host, place: Option<&'a Place>) -> Self {
        let odds = place.map_or_else(Vec::new, |it| sight::odds(around, host, it));
        Self { around, host, place, odds }
    }

    /// An action at the host as a whole.
    fn host_remedy(&self, action: &'static str) -> Remedy {
        Remedy::new(action, &self.host.name, None)
    }

    /// An action at this place, or at this host.
    fn remedy(&self, action: &'static str) -> Remedy {
        Remedy::new(action, &self.host.name, self.place.map(|it| &it.name))
    }
}

/// Something that is wrong, or that somebody should know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The rule that found it, as in [`ALL`].
    pub rule: &'static str,
    /// The host.
    pub host: HostName,
    /// The place; `None` if it is about the whole host.
    pub place: Option<PlaceName>,
    /// What it makes of the place.
    pub verdict: Verdict,
    /// How soon somebody must act.
    pub severity: Severity,
    /// One line: what is wrong.
    pub summary: SafeText,
    /// What was read where, line by line.
    pub evidence: Vec<SafeText>,
    /// The cause in plain words.
    pub cause: SafeText,
    /// What findings of one cause have in common across the fleet: the intermediate, the token,
    /// the certificate; the cause itself, where nothing is more exact.
    pub shared: SafeText,
    /// What would mend it, the cheapest and safest first.
    pub remedies: Vec<Remedy>,
    /// What to look at and what not to do, for the one who has never seen this.
    pub advice: &'static str,
    /// Who owns the host, if a group of it says so.
    pub owner: Option<SafeText>,
    /// Where the runbook of its group is.
    pub runbook: Option<SafeText>,
    /// What somebody has said about it, as long as that counts.
    pub ack: Option<Ack>,
}

impl Finding {
    /// A finding of which nothing more is known yet.
    pub fn bare(
        host: HostName,
        place: Option<PlaceName>,
        verdict: Verdict,
        severity: Severity,
        summary: SafeText,
    ) -> Self {
        Self {
            rule: "",
            host,
            place,
            verdict,
            severity,
            summary,
            evidence: Vec::new(),
            cause: SafeText::default(),
            shared: SafeText::default(),
            remedies: Vec::new(),
            advice: "",
            owner: None,
            runbook: None,
            ack: None,
        }
    }

    /// A finding about the place, or about the host where there is none.
    fn new(
        subject: &Subject<'_>,
        verdict: Verdict,
        severity: Severity,
        summary: impl AsRef<str>,
    ) -> Self {
        let place = subject.place.map(|it| it.name.clone());
        let summary = SafeText::new(summary.as_ref());
        Self::bare(subject.host.name.clone(), place, verdict, severity, summary)
    }

    /// Puts in what every finding has: what it shares, remedies in their order, whom to ask.
    fn finished(mut self, subject: &Subject<'_>, now: Moment) -> Self {
        if self.shared.as_str().is_empty() {
            self.shared = self.cause.clone();
        }
        self.remedies.retain(|it| remedy::is_possible(it, subject, now));
        remedy::sort(&mut self.remedies);
        let groups = || subject.around.groups_of(subject.host);
        self.owner = groups().find_map(|it| it.owner.clone());
        self.runbook = groups().find_map(|it| it.runbook.clone());
        self
    }

    /// Makes it a finding about the whole host.
    fn of_host(mut self) -> Self {
        self.place = None;
        self
    }

    /// Adds a line that says what was read where.
    fn evidence(mut self, line: impl AsRef<str>) -> Self {
        self.evidence.push(SafeText::new(line.as_ref()));
        self
    }

    /// Says the cause in plain words.
    fn cause(mut self, text: impl AsRef<str>) -> Self {
        self.cause = SafeText::new(text.as_ref());
        self
    }

    /// Says why a certificate was not replaced in time, as far as that can be known, and what
    /// orders a new one: `silent` where nothing is on record.
    fn not_renewed(self, subject: &Subject<'_>, place: &Place, silent: &str) -> Self {
        let is_by_hand = place.renewal.as_ref().is_some_and(|it| !it.is_unattended);
        if is_by_hand {
            return self
                .cause("It was issued by hand, and nothing can renew it with nobody there.")
                .remedies(&["issue"]);
        }
        let found = self.remedies(&["dry-run", "renew"]);
        if let Some(failure) = place.last_failure() {
            let known = explain::certbot(failure.text.as_str());
            let why = known.map_or_else(|| failure.text.clone(), |it| it.cause);
            let when = failure.at.map(|it| format!(", {it}")).unwrap_or_default();
            return found
                .evidence(format!("the client's log{when}: {}", failure.text))
                .cause(format!("The last renewal failed: {why}"));
        }
        match schedule::why_not(subject) {
            Some(why) => found.cause(format!("Nothing starts the renewal: {why}.")),
            None => found.cause(silent),
        }
    }

    /// Says what findings of this cause have in common across the fleet.
    fn shared(mut self, text: impl AsRef<str>) -> Self {
        self.shared = SafeText::new(text.as_ref());
        self
    }

    /// Names the actions that would mend it at this place, in any order.
    fn remedies(self, names: &[&'static str]) -> Self {
        names.iter().fold(self, |it, action| {
            let remedy = Remedy::new(action, &it.host, it.place.as_ref());
            it.remedy(remedy)
        })
    }

    /// Adds something that would mend it.
    fn remedy(mut self, remedy: Remedy) -> Self {
        self.remedies.push(remedy);
        self
    }
}

/// What is to be said of a whole fleet at one moment.
#[derive(Debug, Clone, Default)]
pub struct Diagnosis {
    /// Every finding: worst first, then by host and place.
    pub findings: Vec<Finding>,
    /// The verdict of every place, in the order of [`Fleet::places`].
    pub places: Vec<Verdict>,
    /// The verdict of every host, in the order of [`Fleet::hosts`]: the worst of its places, or
    /// its own where it has none.
    pub hosts: Vec<Verdict>,
}

/// Judges one place, or a host without places. The worst verdict of the findings is the verdict.
pub fn judge(subject: &Subject<'_>, now: Moment) -> Vec<Finding> {
    // Whoever has read it has judged it, too, and has seen more than is told.
    if let Some(told) = &subject.host.told {
        return told::findings(subject, told);
    }
    let was_read = subject.host.reach == Reach::Up;
    let mut found: Vec<_> = ALL
        .iter()
        .filter(|it| was_read || it.is_about_reach)
        .filter_map(|it| {
            let found = (it.check)(subject, now)?;
            Some(Finding { rule: it.name, advice: it.advice, ..found }.finished(subject, now))
        })
        .collect();
    settle::settle(&mut found);
    found
}

/// Judges the whole fleet.
pub fn diagnose(fleet: &Fleet, now: Moment) -> Diagnosis {
    let around = Around::of(fleet);
    let mut diagnosis = Diagnosis::default();
    for host in fleet.hosts() {
        let mut of_host = Verdict::Ok;
        for place in &host.places {
            let found = judge(&Subject::new(&around, host, Some(place)), now);
            diagnosis.places.push(worst(&found));
            of_host = of_host.max(worst(&found));
            diagnosis.findings.extend(found);
        }
        let found = judge(&Subject::new(&around, host, None), now);
        diagnosis.hosts.push(of_host.max(worst(&found)));
        diagnosis.findings.extend(found);
    }
    diagnosis.findings.sort_by(|a, b| {
        (b.severity, b.verdict, &a.host, &a.place, &a.summary)
            .cmp(&(a.severity, a.verdict, &b.host, &b.place, &b.summary))
    });
    // What is said of a whole host is found once with each of its places.
    diagnosis.findings.dedup();
    diagnosis
}

/// The verdict that these findings amount to.
pub fn worst(findings: &[Finding]) -> Verdict {
    findings.iter().map(|it| it.verdict).max().unwrap_or(Verdict::Ok)
}

#[cfg(test)]
mod healthy;
#[cfg(test)]
pub(crate) mod sample;

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::fleet::Outcome;
    use crate::fleet::{
        Automation, Certificate, Chain, ChainFault, DAY, Failure, Fingerprint, HOUR, Hook,
        HookStage, KeyKind, KeySight, Problem, ProblemKind, Renewal, Schedule, Scheduler, Seen,
        Sighting, Trigger, Trust, Unreached, Version, Visit, Why,
    };

    const NOW: Moment = Moment::from_unix(1_795_403_564);

    /// A certificate of `life` seconds of which `left` are left.
    fn certificate(life: i64, left: i64) -> Certificate {
        Certificate {
            sha256: Fingerprint::of(format!("{life} {left}").as_bytes()),
            spki_sha256: Fingerprint::of(b"key"),
            serial: SafeText::new("04b2"),
            subject: SafeText::new("CN=www.example.net"),
            issuer: SafeText::new("CN=E7,O=Let's Encrypt,C=US"),
            names: vec![SafeText::new("www.example.net")],
            not_before: NOW.plus(left - life),
            not_after: NOW.plus(left),
            key: KeyKind::Ecdsa(256),
            is_ca: false,
            logged_at: None,
            is_for_clients: false,
            renewal_id: None,
            der: None,
        }
    }

    fn intermediate(left: i64) -> Arc<Certificate> {
        let mut it = certificate(1000 * DAY, left);
        it.subject = SafeText::new("CN=E7,O=Let's Encrypt,C=US");
        it.issuer = SafeText::new("CN=ISRG Root X2");
        Arc::new(it)
    }

    /// A chain that leads to a root that clients have.
    fn known() -> Trust {
        Trust { anchor: Some(SafeText::new("CN=ISRG Root X2")), until: None }
    }

    fn sighting(leaf: Certificate) -> Sighting {
        let trust = if leaf.is_self_issued() { Trust::default() } else { known() };
        let chain =
            Chain { leaf: Arc::new(leaf), rest: vec![intermediate(500 * DAY)], fault: None, trust };
        Sighting {
            chain: Arc::new(chain),
            location: SafeText::new("/etc/letsencrypt/live/www/fullchain.pem"),
            at: NOW,
        }
    }

    fn place(life: i64, left: i64) -> Place {
        let mut place = Place::new("certbot", PlaceName::new("www"));
        place.layers.disk = Some(sighting(certificate(life, left)));
        place.renewal =
            Some(Renewal { is_enabled: true, is_unattended: true, ..Renewal::default() });
        place
    }

    fn host(places: Vec<Place>) -> Host {
        let mut fleet = Fleet::new([Host::new(HostName::new("web-01"), "web-01", &[])]);
        let seen = Seen { places, automation: vec![automation(true)], ..Seen::default() };
        fleet.apply(Visit {
            host: HostName::new("web-01"),
            at: NOW,
            outcome: Outcome::Seen(Box::new(seen)),
            probes: None,
        });
        fleet.hosts().next().unwrap().clone()
    }

    fn automation(is_armed: bool) -> Automation {
        let trigger = Trigger {
            name: SafeText::new("certbot.timer"),
            is_armed,
            state: SafeText::new(if is_armed { "active" } else { "disabled" }),
            ..Trigger::default()
        };
        Automation {
            source: "certbot",
            version: None,
            is_installed: true,
            program: None,
            schedule: Schedule { scheduler: Scheduler::Systemd, triggers: vec![trigger] },
            hooks: Vec::new(),
            lock: None,
            last_run: None,
            unproven: Vec::new(),
        }
    }

    fn problem(kind: ProblemKind) -> Problem {
        Problem { kind, text: SafeText::new("what is wrong"), path: None }
    }

    /// The verdict and the rules' words for a host with one place.
    #[track_caller]
    fn check(host: &Host, verdict: Verdict, words: &str) {
        let around = Around::default();
        let subject = Subject::new(&around, host, host.places.first());
        let found = judge(&subject, NOW);
        let said = found.iter().map(|it| it.summary.to_string()).collect::<Vec<_>>().join("; ");
        assert_eq!(worst(&found), verdict, "{said}");
        assert!(said.contains(words), "{said:?} lacks {words:?}");
    }

    #[test]
    fn life_is_judged_by_its_fraction() {
        let cases = [
            // A 90-day certificate: due from 30 days left, overdue from 15.
            (90 * DAY, 89 * DAY, Verdict::Ok),
            (90 * DAY, 30 * DAY + 1, Verdict::Ok),
            (90 * DAY, 30 * DAY, Verdict::Due),
            (90 * DAY, 15 * DAY + 1, Verdict::Due),
            (90 * DAY, 15 * DAY, Verdict::Overdue),
            (90 * DAY, 0, Verdict::Overdue),
            (90 * DAY, -1, Verdict::Expired),
            // 160 hours: due from 80 hours left, overdue from 40.
            (160 * HOUR, 81 * HOUR, Verdict::Ok),
            (160 * HOUR, 79 * HOUR, Verdict::Due),
            (160 * HOUR, 39 * HOUR, Verdict::Overdue),
            (45 * DAY, 16 * DAY, Verdict::Ok),
            (45 * DAY, 14 * DAY, Verdict::Due),
            (398 * DAY, 133 * DAY, Verdict::Ok),
            (398 * DAY, 131 * DAY, Verdict::Due),
            (398 * DAY, 60 * DAY, Verdict::Overdue),
        ];
        for (life, left, verdict) in cases {
            check(&host(vec![place(life, left)]), verdict, "");
        }
    }

    #[test]
    fn a_newer_version_on_the_host_is_the_first_remedy() {
        let mut it = place(90 * DAY, -DAY);
        let newer = certificate(90 * DAY, 80 * DAY);
        it.layers.issued = Some(sighting(newer.clone()));
        it.versions.push(Version { number: 2, certificate: Some(Arc::new(newer)) });
        let host = host(vec![it]);
        let around = Around::default();
        let subject = Subject::new(&around, &host, host.places.first());
        let found = judge(&subject, NOW);
        let remedies: Vec<_> = found[0].remedies.iter().map(|it| it.action).collect();
        assert_eq!(remedies, ["rollback"]);
    }

    #[test]
    fn keys_are_compared() {
        let mut it = place(90 * DAY, 80 * DAY);
        let key = |spki| KeySight { path: SafeText::new("privkey.pem"), stamp: None, spki };
        it.key = Some(key(Some(Fingerprint::of(b"key"))));
        check(&host(vec![it.clone()]), Verdict::Ok, "");
        it.key = Some(key(None));
        check(&host(vec![it.clone()]), Verdict::Ok, "");
        it.problems.push(problem(ProblemKind::MixedVersions));
        check(&host(vec![it.clone()]), Verdict::Key, "different versions");
        it.key = Some(key(Some(Fingerprint::of(b"key"))));
        check(&host(vec![it.clone()]), Verdict::Automation, "what is wrong");
        it.key = Some(key(Some(Fingerprint::of(b"another key"))));
        check(&host(vec![it]), Verdict::Key, "belongs to another");
    }

    #[test]
    fn chains_are_judged_by_what_the_file_shows() {
        let with = |rest: Vec<Arc<Certificate>>, fault: Option<ChainFault>| {
            let trust = if fault.is_some() { Trust::default() } else { known() };
            let mut it = place(90 * DAY, 80 * DAY);
            let leaf = Arc::new(certificate(90 * DAY, 80 * DAY));
            let chain = Arc::new(Chain { leaf, rest, fault, trust });
            it.layers.disk.as_mut().unwrap().chain = chain;
            host(vec![it])
        };
        check(&with(vec![], Some(ChainFault::NoIntermediate)), Verdict::Chain, "no intermediate");
        let other = Some(ChainFault::WrongIntermediate);
        check(&with(vec![intermediate(9)], other), Verdict::Chain, "did not sign");
        check(&with(vec![intermediate(-9)], None), Verdict::Chain, "expired at");
        check(&with(vec![intermediate(9)], None), Verdict::Ok, "");
    }

    #[test]
    fn tests_and_placeholders_are_no_certificates() {
        let with = |issuer: &str| {
            let mut leaf = certificate(90 * DAY, 80 * DAY);
            leaf.issuer = SafeText::new(issuer);
            let mut it = place(90 * DAY, 80 * DAY);
            it.layers.disk = Some(sighting(leaf));
            host(vec![it])
        };
        check(&with("CN=(STAGING) Puzzling Parsnip E7"), Verdict::Staging, "Puzzling Parsnip");
        check(&with("CN=www.example.net"), Verdict::Staging, "self-signed");
        check(&with("CN=Stagecoach CA"), Verdict::Ok, "");
    }

    #[test]
    fn clocks_are_told_from_certificates() {
        check(&host(vec![place(90 * DAY, 91 * DAY)]), Verdict::Clock, "not valid before");
        let mut slow = host(vec![place(90 * DAY, 80 * DAY)]);
        slow.clock_offset = Some(-600);
        check(&slow, Verdict::Clock, "10m behind");
        slow.clock_offset = Some(60);
        check(&slow, Verdict::Ok, "");
    }

    #[test]
    fn automation_is_judged_apart_from_the_certificate() {
        let fine = || host(vec![place(90 * DAY, 80 * DAY)]);
        let mut off = fine();
        off.automation = vec![automation(false)];
        check(&off, Verdict::Automation, "certbot.timer is disabled");

        let mut bare = fine();
        bare.automation[0].schedule = Schedule { scheduler: Scheduler::Cron, triggers: vec![] };
        check(&bare, Verdict::Automation, "no timer or cron line");
        bare.automation[0].schedule.scheduler = Scheduler::None;
        check(&bare, Verdict::Ok, "no scheduler runs");

        let mut hook = fine();
        hook.automation[0].hooks.push(Hook {
            stage: HookStage::Deploy,
            path: SafeText::new("/etc/letsencrypt/renewal-hooks/deploy/nginx"),
            mode: 0o644,
            is_executable: false,
        });
        check(&hook, Verdict::Automation, "not executable");

        let mut manual = fine();
        manual.places[0].renewal.as_mut().unwrap().is_unattended = false;
        check(&manual, Verdict::Automation, "by hand");

        let mut failed = fine();
        let text = SafeText::new("Some challenges have failed.");
        failed.places[0].renewal.as_mut().unwrap().last_failure = Some(Failure { at: None, text });
        check(&failed, Verdict::Automation, "last renewal failed");

        let mut broken = fine();
        broken.places[0].problems.push(problem(ProblemKind::BrokenConf));
        check(&broken, Verdict::Automation, "configuration is broken");
    }

    #[test]
    fn unknown_is_never_good() {
        let never = Host::new(HostName::new("web-01"), "web-01", &[]);
        check(&never, Verdict::Unknown, "not looked at");
        check(&host(vec![]), Verdict::Unknown, "no certificate was found");
        let mut lost = Place::new("certbot", PlaceName::new("www"));
        lost.problems.push(problem(ProblemKind::BrokenLink));
        check(&host(vec![lost]), Verdict::Unknown, "what is wrong");
        let mut closed = Place::new("certbot", PlaceName::new("www"));
        closed.problems.push(problem(ProblemKind::Unreadable));
        let closed = host(vec![closed]);
        let around = Around::default();
        let place = closed.places.first();
        let found = judge(&Subject::new(&around, &closed, place), NOW);
        assert_eq!(found.first().unwrap().severity, Severity::Warning);
        let mut hidden = host(vec![]);
        hidden.problems.push(problem(ProblemKind::Unreadable));
        check(&hidden, Verdict::Unknown, "what is wrong");
    }

    #[test]
    fn what_was_not_read_is_not_judged() {
        let mut down = host(vec![place(90 * DAY, 10 * DAY)]);
        down.reach = Reach::Down(Unreached {
            why: Why::Refused,
            text: SafeText::new("web-01: connection refused"),
            hint: None,
        });
        check(&down, Verdict::Unreachable, "connection refused");
    }

    #[test]
    fn what_concerns_a_host_is_said_once() {
        let mut slow = host(vec![place(90 * DAY, 80 * DAY), place(90 * DAY, 81 * DAY)]);
        slow.clock_offset = Some(-600);
        let mut fleet = Fleet::new([slow.clone()]);
        fleet.recall(slow);
        let diagnosis = diagnose(&fleet, NOW);
        assert_eq!(diagnosis.findings.len(), 1);
        assert_eq!(diagnosis.places, [Verdict::Clock, Verdict::Clock]);
        assert_eq!(diagnosis.hosts, [Verdict::Clock]);
    }
}
