//! What is counted of fleets, against tables and against a simulation of Boulder.

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;

use super::authority::{LETS_ENCRYPT, LETS_ENCRYPT_STAGING};
use super::*;
use crate::fleet::{
    Automation, Certificate, DAY, Failure, Fingerprint, Fleet, HOUR, Host, HostName, KeyKind,
    Moment, Outcome, Place, Renewal, Schedule, Scheduler, Seen, Unproven, Unreached, Version,
    Visit, Why,
};
use crate::text::SafeText;

const NOW: Moment = Moment::from_unix(1_795_403_564);
const YE1: &str = "CN=YE1,O=Let's Encrypt,C=US";

/// A certificate that was issued so many seconds ago.
fn leaf(number: u32, names: &[&str], ago: i64) -> Certificate {
    Certificate {
        sha256: Fingerprint::of(format!("leaf {number}").as_bytes()),
        spki_sha256: Fingerprint::of(format!("key {number}").as_bytes()),
        serial: SafeText::new(&format!("{number:04x}")),
        subject: SafeText::default(),
        issuer: SafeText::new(YE1),
        names: names.iter().map(|it| SafeText::new(it)).collect(),
        not_before: NOW.plus(-ago - HOUR),
        not_after: NOW.plus(90 * DAY - ago - HOUR),
        logged_at: None,
        key: KeyKind::Ecdsa(256),
        is_ca: false,
        is_for_clients: false,
        renewal_id: None,
        der: None,
    }
}

fn place(name: &str, leaves: &[Certificate]) -> Place {
    let mut place = Place::new("certbot", SafeText::new(name));
    let version = |(number, it): (u32, &Certificate)| Version {
        number,
        certificate: Some(Arc::new(it.clone())),
    };
    place.versions = (1..).zip(leaves).map(version).collect();
    place.renewal = Some(Renewal {
        server: Some(SafeText::new(LETS_ENCRYPT.directory)),
        account: Some(SafeText::new("0123456789abcdef")),
        ..Renewal::default()
    });
    place
}

fn fleet(hosts: Vec<(&str, Seen)>) -> Fleet {
    let new = |name: &str| Host::new(HostName::new(name), name, &[]);
    let mut fleet = Fleet::new(hosts.iter().map(|it| new(it.0)));
    for (name, seen) in hosts {
        let outcome = Outcome::Seen(Box::new(seen));
        fleet.apply(Visit { host: HostName::new(name), at: NOW, outcome, probes: None });
    }
    fleet
}

fn keeping(places: Vec<Place>) -> Seen {
    Seen { places, ..Seen::default() }
}

fn history(fleet: &Fleet) -> History {
    History::new(fleet, &[], Vec::new(), NOW)
}

fn ca() -> Ca {
    Ca::of_directory(LETS_ENCRYPT.directory)
}

fn kind(name: &str) -> &'static Kind {
    ALL.iter().find(|it| it.name == name).unwrap()
}

fn set(names: &[&str]) -> Scope {
    Scope::Set(NameSet::new(names))
}

fn domain(name: &str) -> Scope {
    Scope::Domain(name.to_owned())
}

fn bucket(history: &History, name: &str, scope: &Scope) -> Bucket {
    history.bucket(kind(name), &ca(), scope, NOW)
}

#[test]
fn one_certificate_on_many_hosts_counts_once() {
    let shared = leaf(1, &["WWW.example.net", "example.net"], 2 * HOUR);
    let twin = Certificate { sha256: Fingerprint::of(b"precertificate"), ..shared.clone() };
    let mut newer = shared.clone();
    newer.sha256 = Fingerprint::of(b"another");
    newer.serial = SafeText::new("77");
    let fleet = fleet(vec![
        ("a", keeping(vec![place("www", std::slice::from_ref(&shared))])),
        ("b", keeping(vec![place("www", &[shared, newer])])),
        ("c", keeping(vec![place("copy", &[twin])])),
    ]);
    let history = history(&fleet);
    let it = bucket(&history, "exact-set", &set(&["example.net", "www.example.net"]));
    assert_eq!((it.used(NOW), it.left(NOW)), (2, Some(3)));
    assert_eq!(it.counted.len(), 2);
    let most = it.counted.iter().map(|it| it.from.len()).max();
    assert_eq!(most, Some(3), "{:?}", it.counted);
    assert_eq!(it.certainty, Certainty::Seen);
    assert_eq!(it.gauge.unwrap().next_at(NOW), Some(NOW.plus(120_960 - 2 * HOUR)));
}

/// A set is new once; its renewals, also with a wildcard beside its base, take of its own limit
/// alone.
#[test]
fn renewals_are_free_of_all_but_their_own_set() {
    let names = ["*.shop.co.uk", "shop.co.uk"];
    let leaves: Vec<_> =
        [(1, 60 * DAY), (2, DAY), (3, HOUR)].map(|(number, ago)| leaf(number, &names, ago)).into();
    let other = leaf(9, &["api.shop.co.uk", "www.elsewhere.example"], 2 * HOUR);
    let fleet = fleet(vec![("a", keeping(vec![place("x", &leaves), place("y", &[other])]))]);
    let history = history(&fleet);
    assert_eq!(bucket(&history, "exact-set", &set(&names)).used(NOW), 2);
    for name in ["shop.co.uk", "elsewhere.example"] {
        let it = bucket(&history, "registered-domain", &domain(name));
        assert_eq!((it.used(NOW), it.counted.len()), (1, 1), "{name}");
    }
    assert_eq!(bucket(&history, "registered-domain", &domain("co.uk")).used(NOW), 0);
    let account = Account::Client(SafeText::new("0123456789abcdef"));
    // A set that was new two hours ago is long forgotten here.
    assert_eq!(bucket(&history, "orders", &Scope::Account(account.clone())).used(NOW), 0);

    let wanted = Wanted::new(ca(), NameSet::new(names), account.clone());
    assert!(history.is_renewal(&wanted, NOW));
    let told: Vec<_> = history.of_order(&wanted, NOW).iter().map(|it| it.kind.name).collect();
    // Both names of the set are verified as one.
    assert_eq!(told, ["exact-set", "failures", "failures", "pause", "pause", "retry-after"]);
    let new = Wanted::new(ca(), NameSet::new(["new.shop.co.uk"]), account);
    assert!(!history.is_renewal(&new, NOW));
    let told: Vec<_> = history.of_order(&new, NOW).iter().map(|it| it.kind.name).collect();
    assert_eq!(told[..3], ["exact-set", "registered-domain", "orders"]);
    let replacing = Wanted { is_replacing: true, ..new };
    assert_eq!(history.of_order(&replacing, NOW).len(), 1);
}

#[test]
fn times_are_as_good_as_what_they_rest_on() {
    let mut logged = leaf(1, &["a.example"], DAY);
    logged.logged_at = Some(NOW.plus(-1000));
    let mut other = leaf(2, &["b.example"], DAY);
    other.issuer = SafeText::new("CN=Issuing 3,O=Another CA");
    let mut future = leaf(3, &["c.example"], -30 * DAY);
    future.not_after = Moment::from_unix(253_402_300_799);
    let mut own = leaf(4, &["d.example"], DAY);
    own.issuer = own.subject.clone();
    let mut test = leaf(5, &["e.example"], DAY);
    test.issuer = SafeText::new("CN=(STAGING) Puzzling Parsnip,O=(STAGING) Let's Encrypt,C=US");
    let leaves = [logged, other, future, own, test];
    let fleet = fleet(vec![("a", keeping(vec![place("x", &leaves)]))]);
    let history = history(&fleet);
    let told: Vec<_> = history
        .events()
        .iter()
        .map(|it| (it.names.to_string(), it.at.since(NOW), it.timing, it.ca.to_string()))
        .collect();
    let le = || "Let's Encrypt".to_owned();
    let day = -DAY;
    assert_eq!(
        told,
        [
            // The CA of a lineage is that from which it is renewed.
            ("b.example".to_owned(), day - HOUR, Timing::NotBefore, le()),
            ("e.example".to_owned(), day, Timing::Backdated, "Let's Encrypt staging".to_owned()),
            ("a.example".to_owned(), -1000, Timing::Logged, le()),
            // What is to come by a wrong clock has happened by now.
            ("c.example".to_owned(), 0, Timing::Backdated, le()),
        ]
    );
    assert_eq!(bucket(&history, "exact-set", &set(&["b.example"])).certainty, Certainty::Likely);
}

#[test]
fn what_could_not_be_read_is_told() {
    let mut all = fleet(vec![
        ("a", keeping(vec![place("x", &[leaf(1, &["a.example"], DAY)])])),
        ("b", keeping(Vec::new())),
    ]);
    let text = SafeText::new("connection refused");
    let down = Outcome::Unreached(Unreached { why: Why::Refused, text, hint: None });
    all.apply(Visit { host: HostName::new("b"), at: NOW, outcome: down, probes: None });
    let history = history(&all);
    let it = bucket(&history, "exact-set", &set(&["a.example"]));
    assert_eq!((it.used(NOW), it.certainty), (1, Certainty::AtLeast));
    assert_eq!(history.gaps().len(), 1);
    // What is ours alone is known all the same.
    let own = bucket(&history, "orders", &Scope::Account(Account::Own));
    assert_eq!(own.certainty, Certainty::Seen);
}

#[test]
fn what_nobody_knows_is_not_free() {
    let mut odd = leaf(1, &["a.example"], DAY);
    odd.issuer = SafeText::new("CN=Sub 1,O=House CA");
    let mut at = place("x", &[odd]);
    at.renewal = Some(Renewal {
        server: Some(SafeText::new("https://ca.example/dir")),
        ..Renewal::default()
    });
    let fleet = fleet(vec![("a", keeping(vec![at]))]);
    let house = Ca::of_directory("https://ca.example/dir");
    let limit = |told: &[Told]| {
        let history = History::new(&fleet, told, Vec::new(), NOW);
        let set = history.bucket(kind("exact-set"), &house, &set(&["a.example"]), NOW);
        assert_eq!((set.left(NOW), set.certainty), (None, Certainty::Unknown));
        history.bucket(kind("orders"), &house, &Scope::Account(Account::Unknown), NOW)
    };
    assert_eq!(limit(&[]).left(NOW), None);
    let orders = Limit::parse("3/7d").unwrap();
    let told = Told { directory: "https://ca.example/dir".to_owned(), orders };
    // This CA has no rule that renewals are free.
    assert_eq!(limit(&[told]).left(NOW), Some(2));
}

#[test]
fn what_the_ca_said_to_a_client_is_believed() {
    let refused = |text: &str| {
        let mut at = place("x", &[leaf(1, &["a.example"], 40 * DAY)]);
        let failure = Failure { at: Some(NOW.plus(-HOUR)), text: SafeText::new(text) };
        at.renewal.as_mut().unwrap().last_failure = Some(failure);
        history(&fleet(vec![("a", keeping(vec![at]))]))
    };
    let until = |seconds| NOW.plus(seconds).to_string().replace(['T', 'Z'], " ");
    let text = format!(
        "too many certificates (5) already issued for this exact set of identifiers in the last 168h0m0s, retry after {}UTC: see x",
        until(5 * HOUR)
    );
    let it = bucket(&refused(&text), "exact-set", &set(&["a.example"]));
    assert_eq!((it.left(NOW), it.free_at(NOW)), (Some(0), Some(NOW.plus(5 * HOUR))));
    assert_eq!(it.certainty, Certainty::Told);
    // Five hours later one is there, and the others come one by one.
    let later = NOW.plus(5 * HOUR);
    assert_eq!(it.gauge.unwrap().left(later), 1);
    assert_eq!(it.gauge.unwrap().next_at(later), Some(later.plus(120_960)));

    let text = format!(
        "too many certificates (50) already issued for \"EXAMPLE.co.uk\" in the last 168h0m0s, retry after {}UTC: see x",
        until(HOUR)
    );
    let history = refused(&text);
    assert!(bucket(&history, "registered-domain", &domain("example.co.uk")).is_empty(NOW));
    assert!(!bucket(&history, "exact-set", &set(&["a.example"])).is_empty(NOW));
    let account = Account::Client(SafeText::new("0123456789abcdef"));
    let name = |it: &str| Scope::Name(it.to_owned(), account.clone());
    let history = refused(
        "Your account is temporarily prevented from requesting certificates for a.example. Please visit: https://portal.example/x",
    );
    let it = bucket(&history, "pause", &name("a.example"));
    assert!(it.is_closed && it.free_at(NOW).is_none() && it.is_empty(NOW));
    let wanted = Wanted::new(ca(), NameSet::new(["a.example"]), account);
    assert_eq!(history.forecast(&[wanted], NOW).turns[0].at, None);
}

/// Of 7 that are due in one set of 5, and another set: what fits now, and when the rest does.
#[test]
fn a_batch_is_planned_to_the_minute() {
    let names = ["a.example", "b.example"];
    let leaves: Vec<_> = [(1, 20 * HOUR), (2, 10 * HOUR), (3, HOUR)]
        .map(|(number, ago)| leaf(number, &names, ago))
        .into();
    let history = history(&fleet(vec![("a", keeping(vec![place("x", &leaves)]))]));
    let order = |names: &[&str]| Wanted::new(ca(), NameSet::new(names), Account::Own);
    let batch: Vec<_> =
        std::iter::repeat_n(order(&names), 4).chain([order(&["c.example"])]).collect();
    let forecast = history.forecast(&batch, NOW);
    let step = 120_960;
    let free = 3 * step - 20 * HOUR;
    let turns: Vec<_> = forecast.turns.iter().map(|it| it.at.unwrap().since(NOW)).collect();
    let full = free + 2 * step - 4 * step;
    assert_eq!(turns, [0, 0, full, full + step, 0]);
    assert_eq!(forecast.fit_now(NOW), 3);
    assert_eq!(forecast.all_at(), Some(NOW.plus(full + step)));
    let waits = &forecast.uses[forecast.turns[2].waits_for.unwrap()];
    assert_eq!((waits.bucket.kind.name, waits.wanted, waits.fits), ("exact-set", 4, 2));
}

/// What was noted here: minutes ago, and what.
fn noted(events: &[(i64, What, &[&str])]) -> Vec<Event> {
    let noted = |(ago, what, names): &(i64, What, &[&str])| {
        let (at, names) = (NOW.plus(-ago * 60), NameSet::new(*names));
        Event::noted(at, ca(), what.clone(), names, Account::Own).seen(Origin::Ledger)
    };
    events.iter().map(noted).collect()
}

/// What holds an order of our own for two names, by what was noted, and for how many minutes.
#[track_caller]
fn check_against(events: &[(i64, What, &[&str])], expect: &[(&str, i64)]) {
    let history = History::new(&Fleet::default(), &[], noted(events), NOW);
    let mut wanted = Wanted::new(ca(), NameSet::new(["a.example", "b.example"]), Account::Own);
    let against = |wanted: &Wanted| -> Vec<_> {
        let all = history.against(wanted, NOW).into_iter();
        let minutes = |it: &Bucket| it.free_at(NOW).map_or(0, |it| (it.since(NOW) + 59) / 60);
        all.map(|it| (it.kind.name, minutes(&it))).collect()
    };
    assert_eq!(against(&wanted), expect);
    // Elsewhere, and for others, it is another matter.
    let other = Ca::of_directory("https://ca.example/dir");
    assert_eq!(against(&Wanted { ca: other, ..wanted.clone() }), []);
    // What replaces a certificate in time is held by no count of the CA.
    wanted.is_replacing = true;
    let kept = expect.iter().filter(|it| ["patience", "retry-after"].contains(&it.0));
    assert_eq!(against(&wanted), kept.copied().collect::<Vec<_>>());
    let client = Account::Client(SafeText::new("f00d"));
    let told = against(&Wanted { account: client, is_replacing: false, ..wanted });
    assert!(told.iter().all(|it| it.0 != "patience" && it.0 != "orders"), "{told:?}");
}

#[test]
fn what_was_noted_here_holds_orders_of_our_own() {
    let held = |minutes: i64| What::Refused {
        limit: "limit",
        about: None,
        until: Some(NOW.plus(minutes * 60)),
    };
    let both: &[&str] = &["a.example", "b.example"];
    check_against(&[], &[]);
    // The CA asked for it, twice; the longer time counts, and what is over does not.
    check_against(&[(9, held(60), &[]), (5, held(7), &[])], &[("retry-after", 60)]);
    check_against(&[(9, held(-1), &[])], &[]);
    // Twice the same name, in whatever order; half an hour after the first it may be tried again.
    check_against(&[(1, What::Failed, both)], &[]);
    check_against(&[(9, What::Failed, both), (1, What::Failed, &["c.example"])], &[]);
    check_against(
        &[(1, What::Failed, &["a.example", "c.example"]), (10, What::Failed, &["*.a.example"])],
        &[("patience", 20)],
    );
    check_against(&[(31, What::Failed, both), (30, What::Failed, both)], &[]);
    // Five are one too many for the CA as well; it is told what holds it for the longest time.
    let five = [5, 4, 3, 2, 1].map(|it| (it, What::Failed, &["b.example"] as &[&str]));
    check_against(&five, &[("patience", 25), ("failures", 7)]);
    let issued = [5, 4, 3, 2, 1].map(|it| (it, What::Issued(None), both));
    check_against(&issued, &[("exact-set", 120_960 / 60 - 5)]);
    let ordered: Vec<_> = (0..300).map(|_| (0, What::Ordered, &["n.example"] as &[&str])).collect();
    check_against(&ordered, &[("orders", 1)]);
}

/// After how many failures in a row nobody tries again, and for how long.
#[test]
fn who_fails_again_and_again_is_tried_once_a_day() {
    use What::{Failed, Issued, Ordered, Rehearsed, Unproven};
    let both: &[&str] = &["a.example", "b.example"];
    let check = |events: &[(i64, What)], rest: Option<(usize, i64)>, is_rehearsed: bool| {
        let events: Vec<_> = events.iter().map(|it| (it.0, it.1.clone(), both)).collect();
        let history = History::new(&Fleet::default(), &[], noted(&events), NOW);
        let wanted = Wanted::new(ca(), NameSet::new(["B.example", "a.example"]), Account::Own);
        let told = history.rest(&wanted, NOW).map(|it| (it.times, it.until.since(NOW) / 60));
        assert_eq!(told, rest, "{events:?}");
        assert_eq!(history.wants_rehearsal(&wanted), is_rehearsed, "{events:?}");
        // Another set of names is another matter, and so is another CA.
        let other = Wanted { names: NameSet::new(["a.example"]), ..wanted.clone() };
        assert_eq!((history.rest(&other, NOW), history.wants_rehearsal(&other)), (None, false));
        let other = Wanted { ca: Ca::of_directory("https://ca.example/dir"), ..wanted };
        assert_eq!((history.rest(&other, NOW), history.wants_rehearsal(&other)), (None, false));
    };
    check(&[], None, false);
    check(&[(9, Ordered), (9, Unproven), (9, Failed)], None, true);
    check(&[(90, Unproven), (9, Ordered), (9, Unproven)], Some((2, 51)), true);
    check(&[(90, Unproven), (60, Unproven)], None, true);
    check(&[(99, Unproven), (98, Unproven), (60, Unproven)], Some((3, 180)), true);
    let many: Vec<_> = (0..7).map(|it| (1000 - it * 100, Unproven)).collect();
    check(&many, Some((7, 24 * 60 - 400)), true);
    // What was proven at the twin need not be proven there again, and is no certificate yet.
    check(&[(90, Unproven), (9, Unproven), (5, Rehearsed)], Some((2, 51)), false);
    check(&[(90, Unproven), (9, Unproven), (5, Issued(None))], None, false);
    check(&[(90, Unproven), (50, Issued(None)), (9, Unproven)], None, true);
}

/// What was noted of a certificate that is seen as well is the same certificate, and one that was
/// noted and is seen nowhere counts.
#[test]
fn what_is_noted_and_seen_counts_once() {
    let names: &[&str] = &["www.example.net"];
    let own = |leaves: &[Certificate]| {
        let mut at = place("www", leaves);
        at.source = "certdeck";
        fleet(vec![("a", keeping(vec![at]))])
    };
    let audit = |ago: i64, number: u32| {
        let what = What::Issued(Some(leaf(number, names, 0).sha256));
        let event = Event::noted(NOW.plus(-ago), ca(), what, NameSet::new(names), Account::Own);
        event.seen(Origin::Audit(uuid::Uuid::from_u128(u128::from(number))))
    };
    let ledger = |minutes: i64| noted(&[(minutes, What::Issued(None), names)]).remove(0);
    let seen = |number, minutes: i64| leaf(number, names, minutes * 60);
    let cases: &[(&str, Vec<Certificate>, Vec<Event>, i64)] = &[
        ("seen alone", vec![seen(1, 60)], vec![], 1),
        ("in all three", vec![seen(1, 60)], vec![audit(50 * 60, 1), ledger(59)], 1),
        ("the archive is gone", vec![], vec![audit(50 * 60, 1), ledger(50)], 1),
        ("the ledger is gone", vec![seen(1, 60)], vec![audit(50 * 60, 1), audit(600, 2)], 2),
        ("the audit log alone", vec![], vec![audit(50 * 60, 1), audit(600, 2), audit(60, 3)], 3),
        ("the ledger alone", vec![], vec![ledger(50), ledger(40)], 2),
        // Within minutes of each other: each line of the ledger is one certificate.
        ("one of two is gone", vec![seen(1, 60)], vec![ledger(60), ledger(55)], 2),
        ("both are there", vec![seen(1, 60), seen(2, 55)], vec![ledger(55), ledger(60)], 2),
        ("another one", vec![seen(1, 60)], vec![ledger(20)], 2),
    ];
    for (what, leaves, kept, expect) in cases {
        for kept in [kept.clone(), kept.iter().rev().cloned().collect()] {
            let history = History::new(&own(leaves), &[], kept, NOW);
            let it = bucket(&history, "exact-set", &set(names));
            assert_eq!(
                (it.used(NOW), it.left(NOW), it.counted.len()),
                (*expect, Some(5 - *expect), usize::try_from(*expect).unwrap()),
                "{what}"
            );
        }
    }
    // Where it is known from is told.
    let history = History::new(&own(&[]), &[], vec![audit(600, 2)], NOW);
    let it = bucket(&history, "exact-set", &set(names));
    assert!(it.counted[0].from[0].to_string().starts_with("audit log, "), "{:?}", it.counted);
}

#[test]
fn an_empty_fleet_has_all_of_it_left() {
    let history = history(&Fleet::default());
    assert!(history.buckets(NOW).is_empty() && history.gaps().is_empty());
    let wanted = Wanted::new(ca(), NameSet::new(["a.example"]), Account::Own);
    assert_eq!(history.forecast(&[wanted], NOW).fit_now(NOW), 1);
    assert_eq!(history.forecast(&[], NOW).all_at(), None);
}

#[test]
fn kinds_are_told_apart() {
    for (at, kind) in ALL.iter().enumerate() {
        let others = ALL.iter().enumerate().filter(|it| it.0 != at);
        assert!(others.clone().all(|it| it.1.name != kind.name && it.1.refusal != kind.refusal));
        assert!(!kind.instead.is_empty() && !kind.about.ends_with('.'));
    }
    let of_twin = Ca::of_directory(LETS_ENCRYPT_STAGING.directory);
    assert_eq!(of_twin.to_string(), "Let's Encrypt staging");
}

/// Boulder, as far as these limits go, written down from wfe2/wfe.go, ra/ra.go and
/// ratelimits/gcra.go: buckets by key, each with its theoretical arrival time in nanoseconds.
#[derive(Default)]
struct Boulder {
    tats: BTreeMap<String, i128>,
    issued: BTreeMap<String, Vec<i64>>,
}

impl Boulder {
    fn spend(&mut self, key: String, (count, period): (i128, i128), at: i64) {
        let interval = period * 1_000_000_000 / count;
        let now = i128::from(at) * 1_000_000_000;
        let new = self.tats.get(&key).map_or(now, |it| now.max(*it)) + interval;
        if now - (new - interval * count) >= 0 {
            self.tats.insert(key, new);
        }
    }

    /// How many remain, and in how many whole minutes the next is allowed.
    fn check(&self, key: &str, (count, period): (i128, i128), at: i64) -> (i64, i64) {
        let interval = period * 1_000_000_000 / count;
        let now = i128::from(at) * 1_000_000_000;
        let tat = self.tats.get(key).map_or(now, |it| now.max(*it));
        let remaining = (now - (tat - interval * count)) / interval;
        let retry = (tat + interval - interval * count - now).max(0);
        let minute = 60 * 1_000_000_000;
        (i64::try_from(remaining).unwrap(), i64::try_from((retry + minute - 1) / minute).unwrap())
    }

    fn issue(&mut self, names: &[&str], domains: &[&str], at: i64) {
        let key = names.join(",");
        let before = self.issued.entry(key.clone()).or_default();
        let is_renewal = before.iter().any(|it| at - it <= 120 * 24 * 3600 && *it < at);
        before.push(at);
        if !is_renewal {
            for domain in domains {
                self.spend(format!("domain {domain}"), PER_DOMAIN, at);
            }
        }
        self.spend(format!("set {key}"), PER_SET, at);
    }
}

const PER_SET: (i128, i128) = (5, 168 * 3600);
const PER_DOMAIN: (i128, i128) = (50, 168 * 3600);
const PER_FAILURE: (i128, i128) = (5, 3600);

/// Sets of names in their order, with the registered domains that a person would name.
const SETS: &[(&[&str], &[&str])] = &[
    (&["example.com"], &["example.com"]),
    (&["example.com", "www.example.com"], &["example.com"]),
    (&["*.example.co.uk", "example.co.uk"], &["example.co.uk"]),
    (&["a.example.co.uk", "b.other.co.uk"], &["example.co.uk", "other.co.uk"]),
    (&["alice.github.io"], &["alice.github.io"]),
    (&["bob.github.io", "example.com"], &["bob.github.io", "example.com"]),
    (&["x.city.kawasaki.jp", "y.a.kobe.jp"], &["city.kawasaki.jp", "y.a.kobe.jp"]),
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Whatever was issued and failed, on whichever hosts it lies: every count is Boulder's, to the
    /// minute.
    #[test]
    fn counts_are_those_of_boulder(
        issued in prop::collection::vec((0..SETS.len(), 0..12 * DAY, 1_u8..8), 0..90),
        old in prop::collection::vec((0..SETS.len(), 30 * DAY..200 * DAY), 0..4),
        failed in prop::collection::vec(0..3 * HOUR, 0..30),
    ) {
        let mut boulder = Boulder::default();
        let mut all: Vec<(i64, usize, u8)> =
            issued.iter().map(|(set, ago, hosts)| (NOW.unix() - ago, *set, *hosts)).collect();
        all.extend(old.iter().map(|(set, ago)| (NOW.unix() - ago, *set, 1)));
        all.sort_unstable();
        let mut seen: BTreeMap<&str, Vec<Place>> =
            ["a", "b", "c"].map(|it| (it, Vec::new())).into();
        for (number, (at, set, hosts)) in (1..).zip(&all) {
            let (names, domains) = SETS[*set];
            boulder.issue(names, domains, *at);
            let upper: Vec<String> = names.iter().rev().map(|it| it.to_uppercase()).collect();
            let upper: Vec<_> = upper.iter().map(String::as_str).collect();
            let made = leaf(number, &upper, NOW.unix() - at);
            for (bit, places) in seen.values_mut().enumerate() {
                if hosts >> bit & 1 == 1 {
                    places.push(place(&format!("{set}-{number}"), std::slice::from_ref(&made)));
                }
            }
        }
        let mut failed: Vec<_> = failed.iter().map(|ago| NOW.unix() - ago).collect();
        failed.sort_unstable();
        for at in &failed {
            boulder.spend("failed".to_owned(), PER_FAILURE, *at);
        }
        let unproven = failed.iter().map(|at| Unproven {
            at: Moment::from_unix(*at),
            name: SafeText::new("www.example.com"),
            lineage: None,
            server: None,
            is_trial: false,
        });
        let automation = Automation {
            source: "certbot",
            version: None,
            is_installed: true,
            program: None,
            schedule: Schedule { scheduler: Scheduler::Systemd, triggers: Vec::new() },
            hooks: Vec::new(),
            lock: None,
            last_run: None,
            unproven: unproven.collect(),
        };
        // The account is that of the lineages beside it.
        seen.get_mut("a").unwrap().push(place("account", &[]));
        let hosts = seen.into_iter().map(|(name, places)| {
            let automation = if name == "a" { vec![automation.clone()] } else { Vec::new() };
            (name, Seen { places, automation, ..Seen::default() })
        });
        let history = history(&fleet(hosts.collect()));

        let told = |bucket: &Bucket| {
            let wait = bucket.free_at(NOW).map_or(0, |it| it.since(NOW));
            (bucket.left(NOW).unwrap(), (wait + 59) / 60)
        };
        for (names, domains) in SETS {
            let key = format!("set {}", names.join(","));
            let it = bucket(&history, "exact-set", &set(names));
            prop_assert_eq!(told(&it), boulder.check(&key, PER_SET, NOW.unix()), "{}", key);
            for name in *domains {
                let key = format!("domain {name}");
                let it = bucket(&history, "registered-domain", &domain(name));
                prop_assert_eq!(told(&it), boulder.check(&key, PER_DOMAIN, NOW.unix()), "{}", key);
            }
        }
        let account = Account::Client(SafeText::new("0123456789abcdef"));
        let scope = Scope::Name("www.example.com".to_owned(), account);
        let it = bucket(&history, "failures", &scope);
        prop_assert_eq!(told(&it), boulder.check("failed", PER_FAILURE, NOW.unix()));
    }
}
