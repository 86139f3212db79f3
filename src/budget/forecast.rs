//! What a batch of orders would use up, whether it fits, and if not, when.

use std::collections::{HashMap, HashSet};

use super::history::{Bucket, History};
use super::limit::Gauge;
use super::names::NameSet;
use super::{Ca, Scope, Wanted};
use crate::fleet::Moment;

/// What a batch of orders would come to, placed one after the other as early as each may be.
#[derive(Debug, Clone, Default)]
pub struct Forecast {
    /// When each of the orders fits, in their order.
    pub turns: Vec<Turn>,
    /// The limits that they take of, as they are before.
    pub uses: Vec<Use>,
}

/// When an order fits.
#[derive(Debug, Clone)]
pub struct Turn {
    /// The moment; `None` where only somebody who does something about it can tell.
    pub at: Option<Moment>,
    /// Whether the limits of its CA are known; if not, the moment is that of what is.
    pub is_known: bool,
    /// The limit that it has to wait for, as its place in [`Forecast::uses`].
    pub waits_for: Option<usize>,
}

/// What a batch takes of one limit.
#[derive(Debug, Clone)]
pub struct Use {
    /// The limit, as it is before.
    pub bucket: Bucket,
    /// How many of it the whole batch takes.
    pub wanted: i64,
    /// How many of it fit now.
    pub fits: i64,
}

impl Forecast {
    /// How many of the orders fit now.
    pub fn fit_now(&self, now: Moment) -> usize {
        self.turns.iter().filter(|it| it.fits(now) == Some(true)).count()
    }

    /// Of how many nobody knows whether the CA takes them.
    pub fn unknown(&self) -> usize {
        self.turns.iter().filter(|it| !it.is_known).count()
    }

    /// When the last of them fits, if all of them do some day.
    pub fn all_at(&self) -> Option<Moment> {
        let all: Option<Vec<Moment>> = self.turns.iter().map(|it| it.at).collect();
        all?.into_iter().max()
    }
}

impl Turn {
    /// Whether it fits now; `None` if the CA may refuse it for what is not known.
    pub fn fits(&self, now: Moment) -> Option<bool> {
        if self.at == Some(now) { self.is_known.then_some(true) } else { Some(false) }
    }
}

impl History {
    /// What these orders would come to.
    pub fn forecast(&self, orders: &[Wanted], now: Moment) -> Forecast {
        let mut forecast = Forecast::default();
        let mut known: HashMap<(&'static str, Ca, Scope), usize> = HashMap::new();
        let mut gauges: Vec<Option<Gauge>> = Vec::new();
        let mut placed: HashSet<(Ca, NameSet)> = HashSet::new();
        for wanted in orders {
            let mut wanted = wanted.clone();
            // The second order of a batch for a new set renews what came of the first.
            let is_again = !placed.insert((wanted.ca.clone(), wanted.names.clone()));
            wanted.is_renewal = is_again && self.limits(&wanted.ca).frees_renewals;
            let scopes: Vec<usize> = self
                .scopes(&wanted, now)
                .into_iter()
                .map(|(kind, scope)| {
                    let key = (kind.name, wanted.ca.clone(), scope.clone());
                    *known.entry(key).or_insert_with(|| {
                        let bucket = self.bucket(kind, &wanted.ca, &scope, now);
                        gauges.push(bucket.gauge);
                        forecast.uses.push(Use { bucket, wanted: 0, fits: 0 });
                        forecast.uses.len() - 1
                    })
                })
                .collect();
            let mut turn = turn(&forecast.uses, &gauges, &scopes, now);
            turn.is_known = wanted.is_replacing || self.limits(&wanted.ca).exact_set.is_some();
            for at in scopes {
                let Some(used) = forecast.uses.get_mut(at) else { continue };
                // Failures are only what an order may be refused for.
                if !used.bucket.is_usual() {
                    continue;
                }
                used.wanted += 1;
                used.fits += i64::from(turn.at == Some(now));
                if let (Some(Some(gauge)), Some(moment)) = (gauges.get_mut(at), turn.at) {
                    gauge.take(moment);
                }
            }
            forecast.turns.push(turn);
        }
        forecast
    }
}

/// The earliest moment at which all of these limits allow one more.
fn turn(uses: &[Use], gauges: &[Option<Gauge>], scopes: &[usize], now: Moment) -> Turn {
    let mut turn = Turn { at: Some(now), is_known: true, waits_for: None };
    for at in scopes {
        let (Some(used), Some(gauge)) = (uses.get(*at), gauges.get(*at)) else { continue };
        if used.bucket.is_closed {
            return Turn { at: None, waits_for: Some(*at), ..turn };
        }
        let free = gauge.and_then(|it| it.free_at(now)).max(used.bucket.refused_until);
        if free > turn.at {
            turn = Turn { at: free, waits_for: Some(*at), ..turn };
        }
    }
    turn
}
