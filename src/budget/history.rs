//! Everything that is known to have happened at CAs, and what is left of a limit after it.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::authority::RENEWED_WITHIN;
use super::event::{Account, Ca, Event, Timing, What};
use super::limit::Gauge;
use super::names::NameSet;
use super::seen::{self, Gap};
use super::tries::Try;
use super::{ALL, Kind, Limit, Limits, Scope, Wanted};
use crate::fleet::{Fleet, Moment};
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
    /// What came of orders of our own for a set, oldest first.
    pub(super) own: HashMap<(Ca, NameSet), Vec<Arc<Event>>>,
}

/// How many orders an account may place at a CA, as the inventory tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// The URL of the directory.
    pub directory: String,
    /// How many.
    pub orders: Limit,
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
        if event.is_end_of_ours() {
            let key = (event.ca.clone(), event.names.clone());
            self.own.entry(key).or_default().push(Arc::clone(&event));
        }
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

    /// The limits for which an order is not placed now, what holds it for the longest time first:
    /// as at the CA, that decides.
    pub fn against(&self, wanted: &Wanted, now: Moment) -> Vec<Bucket> {
        let mut empty: Vec<_> =
            self.of_order(wanted, now).into_iter().filter(|it| it.is_empty(now)).collect();
        empty.sort_by_key(|it| Reverse((it.is_closed, it.free_at(now))));
        empty
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
            // Nothing is counted against it; a CA that asked to be left alone asked for all, and
            // what fails again and again is no less in vain.
            let is_free = wanted.is_replacing && kind != &super::retry_after::KIND && !kind.is_own;
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

    /// How many orders our own account may place at a CA now, where that is known.
    pub fn orders_left(&self, ca: &Ca, now: Moment) -> Option<i64> {
        self.bucket(&super::orders::KIND, ca, &Scope::Account(Account::Own), now).left(now)
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

    /// Why an order is not placed while it is used up, in words.
    pub fn refusal(&self) -> SafeText {
        let Self { kind, ca, scope, .. } = self;
        let what = match scope {
            Scope::Name(name, _) if kind.is_own => {
                let (times, window) = (self.counted.len(), self.limit.map(|it| it.window()));
                let within = window.map_or_else(String::new, |it| format!(" within an {it}"));
                return SafeText::capped(
                    &format!(
                        "{name} could not be verified {times} times{within} for certdeck, which leaves it alone for a while"
                    ),
                    MAX_TEXT,
                );
            }
            Scope::Set(_) => "the limit for this exact set of names is used up".to_owned(),
            Scope::Ca => "it has asked to be left alone".to_owned(),
            scope if self.is_closed => format!("it has paused {scope}"),
            scope => format!("the limit for {} ({scope}) is used up", kind.title),
        };
        SafeText::capped(&format!("{ca} would refuse: {what}"), MAX_TEXT)
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
    let kept = kept.into_iter().map(|it| Event { at: it.at.min(now), ..it });
    // What tells which certificate it was comes first, so that the others find it.
    let (whole, others): (Vec<_>, Vec<_>) = kept.partition(|it| it.leaf().is_some());
    let mut by_leaf: HashMap<_, _> =
        events.iter().enumerate().filter_map(|(at, it)| Some((it.leaf()?, at))).collect();
    for event in whole {
        let Some(leaf) = event.leaf() else { continue };
        if let Some(known) = by_leaf.get(&leaf).and_then(|at| events.get_mut(*at)) {
            known.learn(event);
        } else {
            by_leaf.insert(leaf, events.len());
            events.push(event);
        }
    }
    let mut by_set: HashMap<_, Vec<usize>> = HashMap::new();
    for (at, event) in events.iter().enumerate().filter(|it| it.1.leaf().is_some()) {
        by_set.entry((event.ca.clone(), event.names.clone())).or_default().push(at);
    }
    for event in others {
        let key = (event.ca.clone(), event.names.clone());
        let is_issued = matches!(event.what, What::Issued(_));
        let same = by_set.get_mut(&key).filter(|_| is_issued);
        match same.and_then(|all| nearest(all, events, event.at)) {
            Some(known) => known.learn(event),
            None => events.push(event),
        }
    }
}

/// The certificate of these that is the one of which the order was noted, if it is there: for the
/// same names, at about that time. Each is that of one order.
fn nearest<'a>(
    all: &mut Vec<usize>,
    events: &'a mut [Event],
    noted: Moment,
) -> Option<&'a mut Event> {
    let away = |at: &usize| Some(events.get(*at)?.at.since(noted).abs());
    let near = all.iter().enumerate().filter_map(|(place, at)| Some((away(at)?, place)));
    let (_, place) = near.filter(|it| it.0 < AROUND).min()?;
    events.get_mut(all.swap_remove(place))
}

/// How far the clocks of this machine and of a CA may be apart, and an order may take, in seconds.
const AROUND: i64 = 15 * 60;

/// Whether one of these moments lies within the time before that one in which a set is renewed.
fn is_renewal(issued: Option<&Vec<Moment>>, at: Moment) -> bool {
    let last = issued.and_then(|it| it.get(..it.partition_point(|it| *it < at))?.last());
    last.is_some_and(|it| at.since(*it) <= RENEWED_WITHIN)
}

/// A hundred names of 253 characters are longer than any text of a host.
const MAX_TEXT: usize = 32 * 1024;

/// Where a limit is not known, what happened within a week is told.
const OF_UNKNOWN: i64 = 7 * crate::fleet::DAY;
