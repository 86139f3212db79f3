//! What the hosts show of what happened at CAs: certificates that are kept and in use, each once
//! wherever it lies, and what the logs of clients tell of failures and refusals.

use std::collections::BTreeMap;

use super::Wanted;
use super::authority::BACKDATED;
use super::event::{Account, Ca, Event, Origin, Timing, What};
use super::names::{NameSet, normal};
use crate::explain;
use crate::fleet::{
    Automation, Certificate, Fingerprint, Fleet, Host, HostName, Moment, Place, ProblemKind, Reach,
    Window,
};
use crate::text::SafeText;

/// A host of which not everything was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gap {
    /// The host.
    pub host: HostName,
    /// What is not known of it, in words that go on after its name.
    pub why: SafeText,
}

/// Everything that the hosts show, and what could not be seen.
pub(super) fn of_fleet(fleet: &Fleet, now: Moment) -> (Vec<Event>, Vec<Gap>) {
    let mut issued = Issued { now, by_leaf: BTreeMap::new(), twins: BTreeMap::new() };
    let (mut events, mut gaps) = (Vec::new(), Vec::new());
    for host in fleet.hosts() {
        gaps.extend(gap(host));
        for place in &host.places {
            issued.take_in(host, place);
            events.extend(refusal(host, place, now));
            gaps.extend(unread(host, place));
        }
        events.extend(host.automation.iter().flat_map(|it| failures(host, it, now)));
    }
    events.extend(issued.by_leaf.into_values());
    (events, gaps)
}

/// The order that would renew a place, as its client or this program would place it: for the names
/// of what lies on its disk.
pub fn renewal_of(place: &Place, now: Moment) -> Option<Wanted> {
    let leaf = &place.layers.disk.as_ref().or(place.layers.issued.as_ref())?.chain.leaf;
    let told = || server(place).map(Ca::of_directory);
    let ca = told().or_else(|| Ca::of_signer(leaf)).unwrap_or_else(|| Ca::unknown(leaf));
    let names = NameSet::new(leaf.names.iter().map(SafeText::as_str));
    let account = account(place, &ca);
    let is_replacing = account == Account::Own && is_replaced(place, leaf, now);
    Some(Wanted { is_replacing, ..Wanted::new(ca, names, account) })
}

/// Whether an order that tells that it replaces this certificate would come within the time that
/// its CA has suggested. Only orders of our own tell it: certbot 5.6 does not.
fn is_replaced(place: &Place, leaf: &Certificate, now: Moment) -> bool {
    let is_open = |it: &Window| it.start <= now && now < it.end;
    leaf.renewal_id.is_some() && leaf.not_after > now && place.window_of(leaf).is_some_and(is_open)
}

/// Certificates, each once.
struct Issued {
    now: Moment,
    by_leaf: BTreeMap<Fingerprint, Event>,
    /// A precertificate has the key, serial and time of its certificate, and another fingerprint.
    twins: BTreeMap<(SafeText, Fingerprint, Moment), Fingerprint>,
}

impl Issued {
    fn take_in(&mut self, host: &Host, place: &Place) {
        let (name, at) = (&host.name, &place.name);
        for version in &place.versions {
            if let Some(it) = &version.certificate {
                let origin = Origin::Version(name.clone(), at.clone(), version.number);
                self.add(it, place, origin);
            }
        }
        let layers = &place.layers;
        let layers = [&layers.disk, &layers.issued, &layers.loaded].into_iter().flatten();
        for it in layers.chain(&place.layers.wire) {
            let leaf = &*it.chain.leaf;
            // What is kept is told of as that.
            let is_kept = place
                .versions
                .iter()
                .any(|it| it.certificate.as_ref().is_some_and(|it| it.sha256 == leaf.sha256));
            if !is_kept {
                self.add(leaf, place, Origin::InUse(name.clone(), at.clone()));
            }
        }
    }

    fn add(&mut self, leaf: &Certificate, place: &Place, origin: Origin) {
        if leaf.is_ca || leaf.is_self_issued() || leaf.names.is_empty() {
            return;
        }
        let twin = (leaf.serial.clone(), leaf.spki_sha256, leaf.not_before);
        let key = *self.twins.entry(twin).or_insert(leaf.sha256);
        let now = self.now;
        let event = self.by_leaf.entry(key).or_insert_with(|| issued(leaf, place, now));
        // What is seen of one place is taken in at once.
        if event.from.last() != Some(&origin) {
            event.from.push(origin);
        }
        // Whoever renews it knows best by whom it was ordered.
        if event.account == Account::Unknown {
            event.account = account(place, &event.ca);
        }
    }
}

fn issued(leaf: &Certificate, place: &Place, now: Moment) -> Event {
    let signer = Ca::of_signer(leaf);
    let (at, timing) = match (leaf.logged_at, &signer) {
        (Some(at), _) => (at, Timing::Logged),
        (None, Some(_)) => (leaf.not_before.plus(BACKDATED), Timing::Backdated),
        (None, None) => (leaf.not_before, Timing::NotBefore),
    };
    let told = || server(place).map(Ca::of_directory);
    let ca = signer.or_else(told).unwrap_or_else(|| Ca::unknown(leaf));
    let names = NameSet::new(leaf.names.iter().map(SafeText::as_str));
    let account = account(place, &ca);
    let what = What::Issued(Some(leaf.sha256));
    Event {
        // A clock that is off, on a host or at whoever signed it, makes nothing happen later.
        at: at.min(now),
        ca,
        what,
        names,
        account,
        timing,
        from: Vec::new(),
        is_renewal: false,
    }
}

/// The account by which a place is renewed, if that is at this CA.
pub(super) fn account(place: &Place, ca: &Ca) -> Account {
    let is_there = server(place).is_some_and(|it| Ca::of_directory(it) == *ca);
    let id = place.renewal.as_ref().and_then(|it| it.account.as_ref());
    match id.filter(|_| is_there) {
        Some(_) if place.is_own() => Account::Own,
        Some(id) => Account::Client(id.clone()),
        None => Account::Unknown,
    }
}

fn server(place: &Place) -> Option<&str> {
    place.renewal.as_ref()?.server.as_ref().map(SafeText::as_str)
}

/// What a CA refused, by the last failure that the client of a place tells of.
fn refusal(host: &Host, place: &Place, now: Moment) -> Option<Event> {
    let failure = place.last_failure()?;
    let limited = explain::limited(failure.text.as_str())?;
    let leaf = place
        .layers
        .disk
        .as_ref()
        .map(|it| &it.chain.leaf)
        .or_else(|| place.versions.iter().rev().find_map(|it| it.certificate.as_ref()))?;
    let ca = server(place).map(Ca::of_directory).or_else(|| Ca::of_signer(leaf))?;
    let what = What::Refused {
        limit: limited.name,
        about: limited.about.map(|it| normal(it.as_str())),
        until: limited.until,
    };
    let names = NameSet::new(leaf.names.iter().map(SafeText::as_str));
    let at = failure.at.unwrap_or(now).min(now);
    let account = account(place, &ca);
    Some(Event::noted(at, ca, what, names, account).seen(Origin::Log(host.name.clone())))
}

/// Names that could not be verified, by the log of a client.
fn failures<'a>(
    host: &'a Host,
    automation: &'a Automation,
    now: Moment,
) -> impl Iterator<Item = Event> + 'a {
    automation.unproven.iter().map(move |it| {
        let places = host.places.iter().filter(|place| place.source == automation.source);
        let place = places.clone().find(|place| Some(&place.name) == it.lineage.as_ref());
        // A client that is told nothing else orders where all of its lineages come from.
        let usual = || places.clone().find_map(server);
        let url = it.server.as_ref().map(SafeText::as_str).or_else(|| place.and_then(server));
        let ca = Ca::of_directory(url.or_else(usual).unwrap_or_default());
        let twin = ca.authority().filter(|_| it.is_trial);
        let ca =
            twin.map_or(ca, |_| Ca::of_directory(super::authority::LETS_ENCRYPT_STAGING.directory));
        let of_all =
            || places.clone().map(|place| account(place, &ca)).find(|it| *it != Account::Unknown);
        let account = place.map(|it| account(it, &ca)).filter(|it| *it != Account::Unknown);
        let account = account.or_else(of_all).unwrap_or(Account::Unknown);
        let names = NameSet::new([it.name.as_str()]);
        let event = Event::noted(it.at.min(now), ca, What::Failed, names, account);
        event.seen(Origin::Log(host.name.clone()))
    })
}

/// What is not known of a host that was not read.
fn gap(host: &Host) -> Option<Gap> {
    let why = match (&host.reach, host.seen_at) {
        (Reach::Up, _) => return None,
        (Reach::Never, _) | (Reach::Down(_), None) => "was never read".to_owned(),
        (Reach::Down(_), Some(at)) => format!("could not be read since {at}"),
    };
    Some(Gap { host: host.name.clone(), why: SafeText::new(&why) })
}

/// What is not known of a place whose versions could not be read.
fn unread(host: &Host, place: &Place) -> Option<Gap> {
    let is_unread = place.problems.iter().any(|it| it.kind == ProblemKind::Unreadable)
        || (place.versions.iter().any(|it| it.certificate.is_none())
            && ["certbot", "cert-manager"].contains(&place.source));
    is_unread.then(|| {
        let why = format!("some versions of {} could not be read", place.name);
        Gap { host: host.name.clone(), why: SafeText::new(&why) }
    })
}
