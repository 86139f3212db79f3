//! What CAs still allow, for people and for programs.

use std::collections::BTreeMap;
use std::io::{self, Write};

use serde_json::{Value, json};

use crate::budget::{Bucket, Ca, Event, Forecast, History, Scope, Turn, Use, Wanted, What, exact};
use crate::fleet::Moment;
use crate::text::SafeText;

/// What CAs still allow, and what orders would take of it.
#[derive(Debug)]
pub struct Budget<'a> {
    /// What is known to have happened.
    pub history: &'a History,
    /// The orders that somebody thinks of.
    pub orders: &'a [Order],
    /// What they would come to; without it, everything of which something is used is shown.
    pub forecast: Option<&'a Forecast>,
    /// When the fleet was last looked at.
    pub scanned_at: Option<Moment>,
    /// The present.
    pub now: Moment,
}

/// An order that somebody thinks of.
#[derive(Debug, Clone)]
pub struct Order {
    /// What it is for: `host/lineage`, or the names.
    pub target: String,
    /// The order.
    pub wanted: Wanted,
}

/// A limit that is shown, and what the orders would take of it.
struct Shown {
    bucket: Bucket,
    taken: Option<(i64, i64)>,
}

impl Shown {
    /// Whether people want to know of it: not of failures where nobody knows how many are too
    /// many, and not of the first in a long row.
    fn is_of_use(&self, now: Moment) -> bool {
        let bucket = &self.bucket;
        match bucket.limit {
            _ if bucket.is_empty(now) || bucket.is_usual() => true,
            None => false,
            Some(limit) => bucket.kind.name != "pause" || bucket.used(now) > limit.burst / 10,
        }
    }
}

impl Budget<'_> {
    /// The limits: those around the orders, or all of which something is used.
    fn shown(&self) -> Vec<Shown> {
        let Some(forecast) = self.forecast else {
            let all = self.history.buckets(self.now).into_iter();
            return all.map(|bucket| Shown { bucket, taken: None }).collect();
        };
        let taken = |bucket: &Bucket| {
            let is_it = |it: &&Use| it.bucket.is_same(bucket);
            forecast.uses.iter().find(is_it).map_or((0, 0), |it| (it.wanted, it.fits))
        };
        let mut shown: Vec<Shown> = Vec::new();
        for order in self.orders {
            for bucket in self.history.around(&order.wanted, self.now) {
                let is_known = shown.iter().any(|it| it.bucket.is_same(&bucket));
                if !is_known && (bucket.is_usual() || !bucket.counted.is_empty()) {
                    let taken = Some(taken(&bucket));
                    shown.push(Shown { bucket, taken });
                }
            }
        }
        shown
    }

    /// Writes it for people.
    pub fn write_text(&self, out: &mut dyn Write) -> io::Result<()> {
        let shown = self.shown();
        let mut by_ca: BTreeMap<&Ca, Vec<&Shown>> = BTreeMap::new();
        for it in shown.iter().filter(|it| it.is_of_use(self.now)) {
            by_ca.entry(&it.bucket.ca).or_default().push(it);
        }
        for (ca, shown) in &by_ca {
            writeln!(out, "{}", self.head(ca))?;
            for it in shown {
                self.write_bucket(it, out)?;
            }
            writeln!(out)?;
        }
        if shown.is_empty() {
            writeln!(out, "nothing is known to have been ordered lately: all of it is left\n")?;
        }
        for gap in self.history.gaps().iter().take(FEW_GAPS) {
            writeln!(out, "not counted: {} {}", gap.host, gap.why)?;
        }
        let more = self.history.gaps().len().saturating_sub(FEW_GAPS);
        if more > 0 {
            writeln!(out, "not counted: {more} more")?;
        }
        self.forecast.map_or(Ok(()), |it| self.write_forecast(it, out))
    }

    /// A CA, and where its limits are written.
    fn head(&self, ca: &Ca) -> String {
        let name = SafeText::new(&ca.to_string());
        match ca.authority() {
            Some(it) => format!("{name}, limits of {} ({})", it.as_of, it.source),
            None if self.history.limits(ca).orders.is_some() => {
                format!("{name}, the limit of orders as the inventory tells, no other is known")
            }
            None => format!(
                "{name}, of which no limit is known: what is left is not known, and is not taken for free"
            ),
        }
    }

    fn write_bucket(&self, shown: &Shown, out: &mut dyn Write) -> io::Result<()> {
        let Shown { bucket, taken } = shown;
        let now = self.now;
        let scope = SafeText::capped(&bucket.scope.to_string(), MAX_SCOPE);
        writeln!(out, "  {:<18} {:<22} {scope}", bucket.kind.name, left_words(bucket, now))?;
        if bucket.kind.is_own {
            writeln!(out, "    a rule of certdeck for its own orders, not one of the CA")?;
        }
        if let Some(line) = comes_back(bucket, now) {
            writeln!(out, "    {line}")?;
        }
        if bucket.limit.is_some() && (taken.is_some() || bucket.is_empty(now)) {
            writeln!(out, "    {}: {}", bucket.certainty.word(), bucket.certainty.about())?;
        }
        if bucket.is_empty(now) {
            writeln!(out, "    meanwhile: {}", bucket.kind.instead)?;
        }
        let Some((wanted, fits)) = *taken else { return Ok(()) };
        let line = match (wanted, fits) {
            (0, _) => "these orders take none of it".to_owned(),
            (all, _) if bucket.limit.is_none() => {
                format!("these orders take {all}: whether that fits is not known")
            }
            (all, fits) if all == fits => format!("these orders take {all}: that fits now"),
            (all, fits) => format!("these orders take {all}, of which {fits} now"),
        };
        writeln!(out, "    {line}")?;
        // What fails in a row is told of as what fails.
        let lists = bucket.is_closed || bucket.kind.name != "pause";
        let counted = if lists { bucket.counted.as_slice() } else { &[] };
        for event in counted.iter().rev().take(FEW_EVENTS) {
            writeln!(out, "    - {}", event_line(event))?;
        }
        let more = counted.len().saturating_sub(FEW_EVENTS);
        if more > 0 {
            writeln!(out, "    - and {more} before that")?;
        }
        Ok(())
    }

    fn write_forecast(&self, forecast: &Forecast, out: &mut dyn Write) -> io::Result<()> {
        let (fits, all) = (forecast.fit_now(self.now), forecast.turns.len());
        let unknown = forecast.unknown();
        match (fits, all) {
            (_, 0) => return Ok(()),
            (_, all) if unknown == all => {
                writeln!(out, "{all} orders: whether the CA takes them now is not known")?;
            }
            (1, 1) => writeln!(out, "1 order: it fits now")?,
            (fits, all) if fits == all => writeln!(out, "{all} orders: all of them fit now")?,
            (fits, all) => {
                let last = forecast.all_at().map(|it| format!("; the last at {}", self.when(it)));
                let unknown = match unknown {
                    0 => String::new(),
                    some => format!(", of {some} it is not known"),
                };
                writeln!(out, "{all} orders: {fits} fit now{unknown}{}", last.unwrap_or_default())?;
            }
        }
        for (order, turn) in self.orders.iter().zip(&forecast.turns).take(FEW_ORDERS) {
            let target = SafeText::capped(&order.target, MAX_SCOPE);
            writeln!(out, "  {target}  {}", self.turn(forecast, turn))?;
        }
        let more = all.saturating_sub(FEW_ORDERS);
        if more > 0 {
            writeln!(out, "  and {more} more; --format json has all of them")?;
        }
        Ok(())
    }

    fn turn(&self, forecast: &Forecast, turn: &Turn) -> String {
        let waits = turn.waits_for.and_then(|at| forecast.uses.get(at)).map(|it| {
            let scope = SafeText::capped(&it.bucket.scope.to_string(), MAX_SCOPE);
            format!("{} of {scope}", it.bucket.kind.name)
        });
        match (turn.at, waits) {
            (Some(at), None) if at == self.now && turn.is_known => "now".to_owned(),
            (Some(at), None) if at == self.now => "not known".to_owned(),
            (Some(at), waits) => {
                format!("{}: waits for {}", self.when(at), waits.unwrap_or_default())
            }
            (None, waits) => {
                format!("not before somebody acts: {} is closed", waits.unwrap_or_default())
            }
        }
    }

    fn when(&self, at: Moment) -> String {
        format!("{at}, in {}", exact(at.since(self.now)))
    }

    /// Writes one object, schema 1. Keys are added, never renamed.
    pub fn write_json(&self, out: &mut dyn Write) -> io::Result<()> {
        let buckets: Vec<_> = self.shown().iter().map(|it| self.bucket(it)).collect();
        let gaps = self.history.gaps().iter();
        let gaps: Vec<_> =
            gaps.map(|it| json!({"host": it.host.as_str(), "why": it.why.as_str()})).collect();
        let object = json!({
            "schema": 1,
            "certdeck": env!("CARGO_PKG_VERSION"),
            "now": self.now.to_string(),
            "scanned-at": stamp(self.scanned_at),
            "buckets": buckets,
            "not-counted": gaps,
            "plan": self.forecast.map(|it| self.plan(it)),
        });
        serde_json::to_writer_pretty(&mut *out, &object)?;
        out.write_all(b"\n")
    }

    fn bucket(&self, shown: &Shown) -> Value {
        let Shown { bucket, taken } = shown;
        let now = self.now;
        let is_own = bucket.kind.is_own;
        let authority = bucket.ca.authority().filter(|_| !is_own);
        let told = if is_own { "certdeck" } else { "inventory" };
        let limit = bucket.limit.map(|it| {
            json!({
                "burst": it.burst,
                "refill-seconds": it.refill(),
                "window": it.window(),
                "source": authority.map_or(told, |it| it.source),
                "as-of": authority.map(|it| it.as_of),
            })
        });
        let (next, full) =
            bucket.gauge.map_or((None, None), |it| (it.next_at(now), it.full_at(now)));
        json!({
            "kind": bucket.kind.name,
            "ca": bucket.ca.to_string(),
            "directory": bucket.ca.directory(),
            "scope": scope(&bucket.scope),
            "limit": limit,
            "used": bucket.used(now),
            "left": bucket.left(now),
            "next-at": stamp(bucket.refused_until.max(next)),
            "free-at": stamp(bucket.free_at(now)),
            "full-at": stamp(full),
            "refused-until": stamp(bucket.refused_until),
            "is-closed": bucket.is_closed,
            "confidence": bucket.certainty.word(),
            "counted": bucket.counted.iter().map(|it| counted(it)).collect::<Vec<_>>(),
            "plan": taken.map(|(wanted, fits)| json!({"takes": wanted, "fits-now": fits})),
        })
    }

    fn plan(&self, forecast: &Forecast) -> Value {
        let order = |(order, turn): (&Order, &Turn)| {
            let waits = turn.waits_for.and_then(|it| forecast.uses.get(it));
            json!({
                "target": SafeText::capped(&order.target, MAX_SCOPE).as_str(),
                "ca": order.wanted.ca.to_string(),
                "names": order.wanted.names.iter().collect::<Vec<_>>(),
                "is-renewal": self.history.is_renewal(&order.wanted, self.now),
                "is-replacing": order.wanted.is_replacing,
                "fits-now": turn.fits(self.now),
                "at": stamp(turn.at.filter(|_| turn.is_known)),
                "waits-for": waits.map(|it| json!({"kind": it.bucket.kind.name, "scope": scope(&it.bucket.scope)})),
            })
        };
        json!({
            "orders": self.orders.iter().zip(&forecast.turns).map(order).collect::<Vec<_>>(),
            "fit-now": forecast.fit_now(self.now),
            "unknown": forecast.unknown(),
            "all-at": stamp(forecast.all_at()),
        })
    }
}

/// How much of a limit is used and left, in words.
fn left_words(bucket: &Bucket, now: Moment) -> String {
    let used = bucket.used(now);
    match (bucket.limit, bucket.left(now)) {
        _ if bucket.is_closed => "closed by the CA".to_owned(),
        (Some(limit), Some(left)) => format!("{used} of {} used, {left} left", limit.burst),
        (None, Some(_)) => "refused for now".to_owned(),
        (_, None) => format!("{used} in 7 days"),
    }
}

/// When some of it and all of it are there again.
fn comes_back(bucket: &Bucket, now: Moment) -> Option<String> {
    let told = |at: Moment| format!("{at}, in {}", exact(at.since(now)));
    let gauge = bucket.gauge;
    let next = gauge.and_then(|it| it.next_at(now)).max(bucket.refused_until)?;
    Some(match gauge.and_then(|it| it.full_at(now)).filter(|it| *it > next) {
        Some(full) => format!("next back {}; all of it {}", told(next), told(full)),
        None => format!("next back {}", told(next)),
    })
}

fn event_line(event: &Event) -> String {
    let what = event.words();
    let from: Vec<_> = event.from.iter().take(FEW_ORIGINS).map(ToString::to_string).collect();
    let more = event.from.len().saturating_sub(from.len());
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let line = format!("{} {what}: {}{more} ({})", event.at, from.join(", "), event.timing.about());
    SafeText::capped(&line, MAX_SCOPE).to_string()
}

fn counted(event: &Event) -> Value {
    let until = match &event.what {
        What::Refused { until, .. } => *until,
        _ => None,
    };
    json!({
        "at": event.at.to_string(),
        "what": event.what.word(),
        "sha256": event.leaf().map(|it| it.to_string()),
        "until": stamp(until),
        "names": event.names.iter().collect::<Vec<_>>(),
        "is-renewal": event.is_renewal,
        "timing": event.timing.word(),
        "from": event.from.iter().map(ToString::to_string).collect::<Vec<_>>(),
    })
}

fn scope(scope: &Scope) -> Value {
    let (names, domain, account): (Vec<&str>, _, _) = match scope {
        Scope::Account(it) => (Vec::new(), None, Some(it.to_string())),
        Scope::Ca => (Vec::new(), None, None),
        Scope::Domain(it) => (Vec::new(), Some(it), None),
        Scope::Name(name, account) => (vec![name], None, Some(account.to_string())),
        Scope::Set(it) => (it.iter().collect(), None, None),
    };
    json!({"names": names, "domain": domain, "account": account})
}

fn stamp(at: Option<Moment>) -> Option<String> {
    at.map(|it| it.to_string())
}

/// So much is told of each; `--format json` has all of it.
const FEW_EVENTS: usize = 6;
const FEW_GAPS: usize = 10;
const FEW_ORDERS: usize = 40;
const FEW_ORIGINS: usize = 4;
/// A hundred names of 253 characters are longer than any text of a host.
const MAX_SCOPE: usize = 32 * 1024;
