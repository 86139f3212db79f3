//! Everything that is known to have happened at CAs, and what is left of a limit after it.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::authority::RENEWED_WITHIN;
use super::event::{Account, Ca, Event, Timing, What};
use super::limit::Gauge;
use super::names::NameSet;
use super::tries::Try;
use super::{ALL, Kind, Limit, Limits, Scope, Wanted, seen};
use crate::fleet::{Fleet, HostName, Moment};
use crate::text::SafeText;

/// Everything that is known to have happened at CAs.
#[derive(Debug, Clone, Default)]
pub struct History {
    /// Oldest first.
    events: Vec<Arc<Event>>,
    gaps: Vec<Gap>,
    /// What was tried, oldest first.
    pub(super) tries: Vec<Try>,
    told: BTreeMap<Ca, Limit>,
    /// By kind, as its place in [`ALL`], what took one of a scope, refused it or made it forget.
    index: HashMap<(usize, Ca, Scope), Vec<Arc<Event>>>,
    /// When a set had certificates, oldest first.
    issued: HashMap<(Ca, NameSet), Vec<Moment>>,
}

/// How many orders an account may place at a CA, as the inventory tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// The URL of the directory.
    pub directory: String,
    /// How many.
    pub orders: Limit,
}

/// A host of which not everything was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gap {
    /// The host.
    pub host: HostName,
    /// What is not known of it, in words that go on after its name.
    pub why: SafeText,
}

/// How sure it is what is used of a limit, from sure to not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Certainty {
    /// The CA itself has said so.
    Told,
    /// Everything that the inventory names was seen.
    Seen,
    /// The same, but some of the times are not exact.
    Likely,
    /// Not everything could be seen: there may be more.
    AtLeast,
    /// The limit itself is not known.
    Unknown,
}

/// What is left of one limit.
#[derive(Debug, Clone)]
pub struct Bucket {
    /// Its kind.
    pub kind: &'static Kind,
    /// At which CA.
    pub ca: Ca,
    /// What it is counted by.
    pub scope: Scope,
    /// Its size, where that is known.
    pub limit: Option<Limit>,
    /// How full it is, where its size is known.
    pub gauge: Option<Gauge>,
    /// Until when the CA has said that it refuses, if that is still to come.
    pub refused_until: Option<Moment>,
    /// Whether the CA refuses until somebody does something about it.
    pub is_closed: bool,
    /// What is counted, oldest first.
    pub counted: Vec<Arc<Event>>,
    /// How sure that is.
    pub certainty: Certainty,
}

impl History {
    /// What the fleet shows, and what was kept elsewhere. `told` is what the inventory says of
    /// limits.
    pub fn new(fleet: &Fleet, told: &[Told], kept: Vec<Event>, now: Moment) -> Self {
        let (mut events, gaps) = seen::of_fleet(fleet, now);
        merge(&mut events, kept, now);
        events.sort_by_key(|it| it.at);
        let told = told.iter().map(|it| (Ca::of_directory(&it.directory), it.orders)).collect();
        let mut history = Self { gaps, told, ..Self::default() };
        for mut event in events {
            let key = (event.ca.clone(), event.names.clone());
            if history.limits(&event.ca).frees_renewals {
                event.is_renewal = is_renewal(history.issued.get(&key), event.at);
            }
            if matches!(event.what, What::Issued(_)) {
                history.issued.entry(key).or_default().push(event.at);
            }
            history.add(Arc::new(event));
        }
        history
    }

    fn add(&mut self, event: Arc<Event>) {
        for (at, kind) in ALL.iter().enumerate() {
            let is_other = |limit: &str| limit != kind.refusal;
            let takes = match &event.what {
                What::Refused { limit, .. } if is_other(limit) => Vec::new(),
                _ => (kind.takes)(&event),
            };
            for scope in takes.into_iter().chain((kind.resets)(&event)) {
                let key = (at, event.ca.clone(), scope);
                self.index.entry(key).or_default().push(Arc::clone(&event));
            }
        }
        self.events.push(event);
    }

    /// Everything that is known, oldest first.
    pub fn events(&self) -> &[Arc<Event>] {
        &self.events
    }

    /// What could not be seen.
    pub fn gaps(&self) -> &[Gap] {
        &self.gaps
    }

    /// What a CA allows: as it is known, and as the inventory tells.
    pub fn limits(&self, ca: &Ca) -> Limits {
        let known = ca.authority().map(|it| it.limits).unwrap_or_default();
        Limits { orders: self.told.get(ca).copied().or(known.orders), ..known }
    }

    /// Every limit of which something is used or which the CA has refused for, the scarcest first.
    pub fn buckets(&self, now: Moment) -> Vec<Bucket> {
        let keys = self.index.keys();
        let all =
            keys.filter_map(|(at, ca, scope)| Some(self.bucket(ALL.get(*at)?, ca, scope, now)));
        let mut all: Vec<_> = all.filter(|it| !it.counted.is_empty()).collect();
        all.sort_by_cached_key(|it| it.rank(now));
        all
    }

    /// The limits that an order would take one of, or be refused by.
    pub fn of_order(&self, wanted: &Wanted, now: Moment) -> Vec<Bucket> {
        let scopes = self.scopes(wanted, now);
        scopes.into_iter().map(|(kind, scope)| self.bucket(kind, &wanted.ca, &scope, now)).collect()
    }

    /// The limits that have to do with an order, also those that it is free of.
    pub fn around(&self, wanted: &Wanted, now: Moment) -> Vec<Bucket> {
        let wanted = Wanted { is_renewal: false, is_replacing: false, ..wanted.clone() };
        let scopes = ALL
            .iter()
            .flat_map(|kind| (kind.wants)(&wanted).into_iter().map(move |scope| (kind, scope)));
        scopes.map(|(kind, scope)| self.bucket(kind, &wanted.ca, &scope, now)).collect()
    }

    /// The scopes of an order, by kind.
    pub(super) fn scopes(&self, wanted: &Wanted, now: Moment) -> Vec<(&'static Kind, Scope)> {
        let mut wanted = wanted.clone();
        wanted.is_renewal |= self.is_renewal(&wanted, now);
        let scopes = |kind: &'static Kind| {
            // Nothing is counted against it; a CA that asked to be left alone asked for all.
            let is_free = wanted.is_replacing && kind.refusal != super::retry_after::KIND.refusal;
            let scopes = if is_free { Vec::new() } else { (kind.wants)(&wanted) };
            scopes.into_iter().map(move |it| (kind, it))
        };
        ALL.iter().flat_map(scopes).collect()
    }

    /// Whether an order would be one for a set that had a certificate lately, at a CA to which
    /// that makes a difference.
    pub fn is_renewal(&self, wanted: &Wanted, now: Moment) -> bool {
        let key = (wanted.ca.clone(), wanted.names.clone());
        self.limits(&wanted.ca).frees_renewals && is_renewal(self.issued.get(&key), now)
    }

    /// What is left of one limit.
    pub fn bucket(&self, kind: &'static Kind, ca: &Ca, scope: &Scope, now: Moment) -> Bucket {
        let at = ALL.iter().position(|it| it == kind).unwrap_or(usize::MAX);
        let events = self.index.get(&(at, ca.clone(), scope.clone()));
        let limit = kind.limit(&self.limits(ca));
        let mut gauge = limit.map(Gauge::new);
        let (mut counted, mut refused_until, mut is_closed) = (Vec::new(), None, false);
        for event in events.into_iter().flatten() {
            if (kind.resets)(event).contains(scope) {
                gauge = limit.map(Gauge::new);
                counted.clear();
                is_closed = false;
                continue;
            }
            counted.push(Arc::clone(event));
            if let What::Refused { until, .. } = &event.what {
                if kind == &super::pause::KIND {
                    // Only somebody who visits the page of the CA ends it.
                    is_closed = true;
                    continue;
                }
                refused_until = refused_until.max(until.filter(|it| *it > now));
                if let Some(gauge) = &mut gauge {
                    // None was left then: one comes back within one step of the refill.
                    let step = limit.map_or(0, |it| it.refill());
                    gauge.empty_until(until.unwrap_or_else(|| event.at.plus(step)));
                }
            } else if let Some(gauge) = &mut gauge {
                gauge.take(event.at);
            }
        }
        let window = limit.map_or(OF_UNKNOWN, |it| it.refill().saturating_mul(it.burst));
        counted.retain(|it| {
            let is_told = matches!(it.what, What::Refused { .. });
            is_told && (is_closed || refused_until.is_some()) || now.since(it.at) < window
        });
        let mut bucket = Bucket {
            kind,
            ca: ca.clone(),
            scope: scope.clone(),
            limit,
            gauge,
            refused_until,
            is_closed,
            counted,
            certainty: Certainty::Seen,
        };
        bucket.certainty = self.certainty(&bucket);
        bucket
    }

    fn certainty(&self, bucket: &Bucket) -> Certainty {
        let is_own = matches!(
            bucket.scope,
            Scope::Account(Account::Own) | Scope::Name(_, Account::Own) | Scope::Ca
        );
        if bucket.refused_until.is_some() || bucket.is_closed {
            Certainty::Told
        } else if bucket.limit.is_none() {
            Certainty::Unknown
        } else if !self.gaps.is_empty() && !is_own {
            Certainty::AtLeast
        } else if bucket.counted.iter().any(|it| it.timing == Timing::NotBefore) {
            Certainty::Likely
        } else {
            Certainty::Seen
        }
    }
}

impl Bucket {
    /// How many are used, where its size is known; else how many were seen in a week.
    pub fn used(&self, now: Moment) -> i64 {
        let seen = || i64::try_from(self.counted.len()).unwrap_or(i64::MAX);
        self.gauge.map_or_else(seen, |it| it.used(now))
    }

    /// How many are left, where that is known.
    pub fn left(&self, now: Moment) -> Option<i64> {
        if self.is_closed || self.refused_until.is_some() {
            return Some(0);
        }
        self.gauge.map(|it| it.left(now))
    }

    /// When the CA takes the next, if by all that is known it would refuse it now.
    pub fn free_at(&self, now: Moment) -> Option<Moment> {
        self.refused_until.max(self.gauge.and_then(|it| it.free_at(now)))
    }

    /// Whether the CA would refuse, by all that is known.
    pub fn is_empty(&self, now: Moment) -> bool {
        self.is_closed || self.free_at(now).is_some()
    }

    /// Whether both are the same limit.
    pub fn is_same(&self, other: &Self) -> bool {
        self.kind == other.kind && self.ca == other.ca && self.scope == other.scope
    }

    /// Whether it is told of though nothing is used of it: what an order that goes well takes.
    pub fn is_usual(&self) -> bool {
        matches!(self.scope, Scope::Set(_) | Scope::Domain(_) | Scope::Account(_))
    }

    /// The scarcest first, then by kind and scope.
    fn rank(&self, now: Moment) -> (bool, i64, &'static str, Ca, Scope) {
        let share = match (self.left(now), self.limit) {
            (Some(left), Some(limit)) => left.saturating_mul(1000) / limit.burst.max(1),
            (Some(left), None) => left,
            (None, _) => i64::MAX,
        };
        (!self.is_empty(now), share, self.kind.name, self.ca.clone(), self.scope.clone())
    }
}

impl Certainty {
    /// Its word in reports.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Told => "told",
            Self::Seen => "seen",
            Self::Likely => "likely",
            Self::AtLeast => "at-least",
            Self::Unknown => "unknown",
        }
    }

    /// What it means, in words.
    pub const fn about(self) -> &'static str {
        match self {
            Self::Told => "the CA has said so itself",
            Self::Seen => "by everything that the inventory names; others may order as well",
            Self::Likely => "some of the times are not exact",
            Self::AtLeast => "not everything could be read: there may be more",
            Self::Unknown => "the limit of this CA is not known here, and is not taken for free",
        }
    }
}

/// Adds what was kept elsewhere. A certificate that lies on a host as well is counted once, and
/// what is to come by a clock that was wrong has happened now.
fn merge(events: &mut Vec<Event>, kept: Vec<Event>, now: Moment) {
    let mut by_leaf: HashMap<_, usize> = HashMap::new();
    for (at, event) in events.iter().enumerate() {
        if let What::Issued(Some(leaf)) = event.what {
            by_leaf.insert(leaf, at);
        }
    }
    for mut event in kept {
        event.at = event.at.min(now);
        let known = match event.what {
            What::Issued(Some(leaf)) => by_leaf.get(&leaf).copied(),
            // What was noted without its certificate is that of these names at about that time.
            What::Issued(None) => events.iter().position(|it| is_same(it, &event)),
            _ => None,
        };
        match known.and_then(|it| events.get_mut(it)) {
            Some(known) => known.from.extend(event.from),
            None => events.push(event),
        }
    }
}

/// Whether a certificate that is seen is the one of which the order was noted.
fn is_same(seen: &Event, noted: &Event) -> bool {
    matches!(seen.what, What::Issued(Some(_)))
        && seen.ca == noted.ca
        && seen.names == noted.names
        && seen.at.since(noted.at).abs() < AROUND
}

/// How far the clocks of this machine and of a CA may be apart, and an order may take, in seconds.
const AROUND: i64 = 15 * 60;

/// Whether one of these moments lies within the time before that one in which a set is renewed.
fn is_renewal(issued: Option<&Vec<Moment>>, at: Moment) -> bool {
    issued.is_some_and(|it| {
        it.iter().any(|before| *before < at && at.since(*before) <= RENEWED_WITHIN)
    })
}

/// Where a limit is not known, what happened within a week is told.
const OF_UNKNOWN: i64 = 7 * crate::fleet::DAY;
