//! Whether something is ordered now: what CAs still allow, and what was tried in vain. Whoever
//! orders all the same has to say so in words, which are in the audit log.

use std::collections::BTreeSet;

use super::cost::{self, Cost};
use super::order::Counted;
use super::{Choice, Chosen, OVER_BUDGET, Offer, Order, Plan, Refusal, Target, Tier, Why};
use crate::budget::{Bucket, Guard, Scope, Wanted, exact};
use crate::fleet::{Moment, Place};

/// The choice to order all the same.
pub(super) const OVER: Choice = Choice {
    name: OVER_BUDGET,
    value: "yes",
    about: "order though the CA would refuse, or the same has failed twice; has to be typed",
    is_required: false,
    offers: |_| vec![Offer::new("yes", "order all the same")],
};

/// An order that may be planned.
#[derive(Debug)]
pub(super) struct Gate {
    wanted: Wanted,
    /// What it costs, in a line.
    cost: String,
    /// What speaks against it, where somebody orders all the same.
    over: Vec<Against>,
    now: Moment,
}

/// Something that speaks against an order now.
#[derive(Debug)]
struct Against {
    /// What, in a line.
    text: String,
    /// What it costs as well, if that has to do with it.
    cost: String,
    /// From when on it does not, if that is known.
    until: Option<Moment>,
    /// The same, and what to do meanwhile.
    hint: String,
}

impl Gate {
    /// Looks whether an order may be placed.
    pub(super) fn open(
        target: &Target<'_>,
        wanted: &Wanted,
        chosen: &Chosen,
    ) -> Result<Self, Refusal> {
        let is_renewal = wanted.is_renewal || target.history.is_renewal(wanted, target.now);
        let wanted = Wanted { is_renewal, ..wanted.clone() };
        let cost = cost::of(target.history, &wanted, target.now);
        // What a CA refuses weighs more than what is only in vain.
        let (ours, of_ca): (Vec<_>, Vec<_>) = cost.against.iter().partition(|it| it.kind.is_own);
        let by_limit = |it| Against::by_limit(target, &wanted, &cost, it);
        let of_ca: Vec<_> = of_ca.into_iter().map(by_limit).collect();
        let guard = Against::by_guard(target, &wanted);
        let ours = ours.into_iter().map(by_limit);
        let against: Vec<_> = of_ca.into_iter().chain(guard).chain(ours).collect();
        let over = match chosen.get(OVER_BUDGET) {
            Some("yes") => against,
            Some(_) => {
                let text = format!("--{OVER_BUDGET} takes no other value than `yes`");
                let refusal = Refusal::new(Why::BadRequest, text);
                return Err(refusal.hint("leave it out to stay within it"));
            }
            None => match against.into_iter().next() {
                None => Vec::new(),
                Some(it) => {
                    let text = format!("{}{}", it.text, it.cost);
                    let refusal = Refusal::new(Why::OverBudget, text).hint(it.hint);
                    return Err(Refusal { until: it.until, ..refusal });
                }
            },
        };
        Ok(Self { cost: cost.text, over, wanted, now: target.now })
    }

    /// The plan with its cost; if something speaks against it, that is told, and has to be typed.
    pub(super) fn put(self, plan: Plan) -> Plan {
        let Self { wanted, cost, over, now } = self;
        let order = plan.order.map(|it| Order {
            counted: Counted::of(&wanted),
            // Only of what is told here; what the CA says from now on is another matter.
            over: (!over.is_empty()).then_some(now),
            ..it
        });
        let plan = Plan { cost, order, wanted: Some(wanted), ..plan };
        if over.is_empty() {
            return plan;
        }
        let phrase = plan.phrase.clone().or_else(|| Some(format!("over budget {}", plan.name())));
        let over: Vec<_> = over.into_iter().map(|it| it.told(now)).collect();
        let notes = over.iter().map(|it| format!("all the same: {it}"));
        let notes = notes.chain(plan.notes).collect();
        Plan { tier: plan.tier.max(Tier::Risky), phrase, notes, over, ..plan }
    }
}

impl Against {
    /// A limit that is used up, and what can be done meanwhile.
    fn by_limit(target: &Target<'_>, wanted: &Wanted, cost: &Cost, bucket: &Bucket) -> Self {
        let (until, now) = (bucket.free_at(target.now), target.now);
        let is_of_set = matches!(bucket.scope, Scope::Set(_));
        let meanwhile = meanwhile(target, wanted, is_of_set);
        let who = if bucket.kind.is_own { "it is tried" } else { "the CA takes it" };
        let hint = match until {
            Some(until) => {
                let wait = exact(until.since(now));
                format!("{who} after {until}, in {wait}; until then {meanwhile}")
            }
            None => {
                format!("somebody has to visit the page that the CA names; until then {meanwhile}")
            }
        };
        // What it counts has nothing to do with everything and with what failed here.
        let is_counted = bucket.scope != Scope::Ca && !bucket.kind.is_own;
        let cost = if is_counted { format!(" ({})", cost.text) } else { String::new() };
        Self { text: bucket.refusal().to_string(), cost, until, hint }
    }

    /// What was tried in vain, and how it goes on.
    fn by_guard(target: &Target<'_>, wanted: &Wanted) -> Option<Self> {
        let (host, lineage, now) = (&target.host.name, target.lineage, target.now);
        let guard = target.history.guard(host, lineage, &wanted.names, now)?;
        let Guard { last, until, .. } = guard;
        // What the client's own log tells of a dry run that went well counts as ours.
        let dry_run = target.place.and_then(|it| it.renewal.as_ref()?.last_dry_run);
        if dry_run.is_some_and(|it| it.is_ok && it.at > last) {
            return None;
        }
        let text = format!("{guard}, the last time at {last}");
        let wait = exact(until.since(now));
        let meanwhile = meanwhile(target, wanted, false);
        let hint = format!(
            "mend the cause; a dry run that passes opens it again, or else {until}, in {wait}; until then {meanwhile}"
        );
        Some(Self { text, cost: String::new(), until: Some(until), hint })
    }

    /// What speaks against it and for how long, for whoever goes on all the same.
    fn told(self, now: Moment) -> String {
        match self.until {
            Some(until) => {
                let wait = exact(until.since(now));
                format!("{}; that is over after {until}, in {wait}", self.text)
            }
            None => format!("{}, until somebody visits the page that it names", self.text),
        }
    }
}

/// What can be done without an order of that kind, the cheapest first. Another set of names helps
/// where it is for this set alone that nothing is left.
fn meanwhile(target: &Target<'_>, wanted: &Wanted, is_of_set: bool) -> String {
    let mut ways = Vec::new();
    let live = target.place.and_then(|it| Some(&it.layers.disk.as_ref()?.chain.leaf));
    let is_good = |place: &Place| {
        let leaves = place.versions.iter().filter_map(|it| it.certificate.as_ref());
        let disk = place.layers.disk.as_ref().map(|it| &it.chain.leaf);
        let good = leaves.chain(disk).filter(|it| {
            let covers = live.is_some_and(|live| {
                live.names.iter().all(|name| it.covers(name.as_str()) || it.names.contains(name))
            });
            covers
                && it.not_before <= target.now
                && it.not_after > live.map_or(target.now, |it| it.not_after.max(target.now))
        });
        good.map(|it| it.not_after).max()
    };
    if let Some(until) = target.place.and_then(is_good) {
        ways.push(format!("`rollback` to a version that is valid until {until}"));
    }
    let others = target.fleet.places().filter(|(host, _)| host.name != target.host.name);
    let best = others.filter_map(|(host, place)| Some((is_good(place)?, host, place)));
    if let Some((until, host, place)) = best.max_by_key(|it| it.0) {
        let from = format!("{}/{}", host.name, place.name);
        ways.push(format!("`transplant` from {from}, valid until {until}"));
    }
    let issuers: BTreeSet<_> = target
        .inventory
        .issuers
        .iter()
        .filter(|it| crate::budget::Ca::of_directory(&it.directory) != wanted.ca)
        .map(|it| it.name.as_str())
        .collect();
    if let Some(other) = issuers.first() {
        ways.push(format!("`issue --issuer {other}`"));
    }
    if is_of_set {
        ways.push("`issue` with another set of names, which has a limit of its own".to_owned());
    }
    ways.push(format!("--{OVER_BUDGET} orders all the same and has to be typed"));
    ways.join("; ")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::sample::{NOW, Sample, automation, certificate, place, sample};
    use super::super::{Answer, Ask, NotConfirmed, Review};
    use super::*;
    use crate::budget::{Account, Ca, Event, NameSet, Try, What};
    use crate::fleet::{DAY, DryRun, Fingerprint, HOUR, HostName, Seen, Version};
    use crate::text::SafeText;

    const OVER: (&str, &str) = (OVER_BUDGET, "yes");
    const TARGET: &str = "web-01/www.example.net";

    /// Five certificates of the same set, that lie on another host than the one that renews.
    fn exhausted() -> Sample {
        let mut fleet = sample();
        let mut other = place();
        let leaf = |(number, hours): (u32, i64)| {
            let mut leaf = certificate(number, -hours * HOUR - HOUR, 90 * DAY - hours * HOUR);
            leaf.sha256 = Fingerprint::of(format!("other {number}").as_bytes());
            Version { number, certificate: Some(Arc::new(leaf)) }
        };
        other.versions = (1..).zip([5, 4, 3, 2, 1]).map(leaf).collect();
        let seen = Seen { places: vec![other], automation: vec![automation()], ..Seen::default() };
        fleet.see("web-02", seen);
        fleet
    }

    fn tried(hours: i64, cause: Option<&str>, is_rehearsal: bool) -> Try {
        Try {
            at: NOW.plus(-hours * HOUR),
            host: HostName::new("web-01"),
            lineage: Some("www.example.net".to_owned()),
            names: NameSet::new(["example.net", "www.example.net"]),
            is_rehearsal,
            cause: cause.map(str::to_owned),
        }
    }

    /// What is refused, for a budget or for a guard, passes with the choice, and is typed.
    #[track_caller]
    fn check_over(fleet: &Sample, action: &str, choices: &[(&'static str, &str)], why: &str) {
        let refusal = fleet.plan(action, TARGET, choices).unwrap_err();
        assert_eq!(refusal.why, Why::OverBudget, "{refusal:?}");
        assert!(refusal.text.contains(why), "{}", refusal.text);
        let hint = refusal.hint.unwrap();
        assert!(hint.contains("Z, in ") && hint.contains("--over-budget"), "{hint}");
        let plan = fleet.plan(action, TARGET, &[choices, &[OVER]].concat()).unwrap();
        assert_eq!(plan.tier, Tier::Risky);
        let what = refusal.text.split_once(" (").map_or(&*refusal.text, |it| it.0);
        let told = format!("all the same: {what}");
        let note = plan.notes.iter().find(|it| it.starts_with(&told)).unwrap();
        let until = refusal.until.unwrap();
        assert!(note.contains(&format!("that is over after {until}, in ")), "{note}");
        assert_eq!(note.strip_prefix("all the same: "), plan.over.first().map(String::as_str));
        let review = Review::new(vec![plan.clone()]);
        assert_eq!(review.ask(), Ask::Type("over budget www.example.net".to_owned()));
        for short in ["www.example.net", "1", TARGET, "yes"] {
            let review = Review::new(vec![plan.clone()]);
            let (_, why) = review.confirm(Answer::Yes(short), &fleet.fleet, NOW).unwrap_err();
            assert!(matches!(why, NotConfirmed::Wrong(_)), "{short}");
        }
        let standing = Review::new(vec![plan]);
        assert!(standing.confirm(Answer::Standing, &fleet.fleet, NOW).is_err());
        let typed = Answer::Typed("over budget www.example.net");
        let confirmed = review.confirm(typed, &fleet.fleet, NOW).unwrap();
        assert!(confirmed.how().contains("typed `over budget www.example.net`"));
        assert_eq!(confirmed.plans()[0].chosen.get(OVER_BUDGET), Some("yes"));
    }

    #[test]
    fn what_other_hosts_have_used_up_is_refused() {
        let fleet = exhausted();
        for action in ["renew", "force-renew"] {
            check_over(&fleet, action, &[], "the limit for this exact set of names is used up");
        }
        let issue = [("authenticator", "standalone"), ("issuer", "letsencrypt")];
        check_over(&fleet, "issue", &issue, "5 used by what the fleet shows");
        let hint = fleet.plan("renew", TARGET, &[]).unwrap_err().hint.unwrap();
        let ways = ["`transplant` from web-02/www.example.net", "`issue --issuer house`"];
        assert!(ways.iter().all(|it| hint.contains(it)), "{hint}");
        // Another set has a limit of its own, and another CA knows nothing of it.
        let more = [issue[0], issue[1], ("names", "example.net,shop.example.net")];
        assert!(fleet.plan("issue", TARGET, &more).is_ok());
        let house = [("authenticator", "standalone"), ("issuer", "house")];
        assert!(fleet.plan("issue", TARGET, &house).is_ok());
        assert!(fleet.plan("dry-run", TARGET, &[]).is_ok());
    }

    #[test]
    fn a_ca_that_asked_to_be_left_alone_is() {
        let mut fleet = sample();
        let ca = Ca::of_directory("https://acme-v02.api.letsencrypt.org/directory");
        let what = What::Refused { limit: "limit", about: None, until: Some(NOW.plus(HOUR)) };
        let event = Event::noted(NOW.plus(-60), ca, what, NameSet::default(), Account::Own);
        fleet.kept = vec![event];
        check_over(&fleet, "renew", &[], "it has asked to be left alone");
    }

    #[test]
    fn many_failures_of_a_name_are_refused() {
        let mut fleet = sample().with(|it| {
            it.renewal.as_mut().unwrap().account = Some(SafeText::new("f00d"));
        });
        let ca = Ca::of_directory("https://acme-v02.api.letsencrypt.org/directory");
        let failed = |minutes: i64| {
            let names = NameSet::new(["www.example.net"]);
            let account = Account::Client(SafeText::new("f00d"));
            Event::noted(NOW.plus(-minutes * 60), ca.clone(), What::Failed, names, account)
        };
        fleet.kept = (1..=5).map(failed).collect();
        check_over(&fleet, "renew", &[], "failed validations (www.example.net by account f00d)");
    }

    #[test]
    fn the_third_try_of_the_same_kind_is_refused() {
        let failed = |fleet: &mut Sample, last: &[Try]| {
            fleet.tries = vec![tried(3, Some("refused"), false), tried(2, Some("refused"), false)];
            fleet.tries.extend(last.iter().cloned());
        };
        let mut fleet = sample();
        failed(&mut fleet, &[]);
        check_over(&fleet, "renew", &[], "2 times in a row for the same cause (refused)");
        check_over(&fleet, "force-renew", &[], "2 times in a row");
        // The same names on another host are no way around it.
        assert!(fleet.plan("force-renew", "web-02/www.example.net", &[]).is_err());
        // What is not an order goes on.
        assert!(fleet.plan("dry-run", TARGET, &[]).is_ok());
        failed(&mut fleet, &[tried(1, None, true)]);
        assert!(fleet.plan("renew", TARGET, &[]).is_ok());
        // As by hand, with the client of the host.
        let mut fleet = sample().with(|it| {
            let dry_run = DryRun { at: NOW.plus(-HOUR), is_ok: true };
            it.renewal.as_mut().unwrap().last_dry_run = Some(dry_run);
        });
        failed(&mut fleet, &[]);
        assert!(fleet.plan("renew", TARGET, &[]).is_ok());
    }

    #[test]
    fn the_choice_changes_nothing_where_nothing_speaks_against_it() {
        let fleet = sample();
        let plan = fleet.plan("renew", TARGET, &[OVER]).unwrap();
        assert_eq!((plan.tier, plan.phrase), (Tier::Change, None));
        fleet.refuses("renew", &[(OVER_BUDGET, "no")], Why::BadRequest, "no other value");
    }

    #[test]
    fn many_that_are_over_are_typed_with_their_number() {
        let fleet = exhausted();
        let plan = |host: &str| {
            fleet.plan("force-renew", &format!("{host}/www.example.net"), &[OVER]).unwrap()
        };
        let review = Review::new(vec![plan("web-01"), plan("web-02")]);
        assert_eq!(review.ask(), Ask::Type("over budget 2".to_owned()));
        assert!(review.confirm(Answer::Yes("2"), &fleet.fleet, NOW).is_err());
    }
}
