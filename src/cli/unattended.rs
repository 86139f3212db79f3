//! Renewals with nobody there: which of what is due is renewed now, and what is left for later.
//!
//! Lineages that became due together do not all come at once: each has its own moment within the
//! first quarter of its window, always the same, so that a fleet that was issued in one night is
//! not renewed in one. What the CA does not allow now is left for the next run.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::time::Duration;

use anyhow::Context as _;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::progress::Told;
use super::request::{Name, Request};
use super::survey::{Signals, note};
use super::{Context, Exit, Failure};
use crate::action::{self, Find, Plan, Why};
use crate::budget::{History, Wanted, renewal_of};
use crate::fleet::{Certificate, HostName, Moment, Place, Stored, human};
use crate::notice::Event;
use crate::store::{Store, Unattended};
use crate::text::SafeText;

/// What an unattended run does, and what it leaves.
pub(super) struct Choice {
    /// The most urgent first.
    pub(super) plans: Vec<Plan>,
    /// What is not done now, and why, line by line.
    pub(super) left: Vec<SafeText>,
    /// Whether something was left because nobody can tell how it is now.
    pub(super) is_unknown: bool,
    /// What would be ordered, now or later.
    orders: Vec<Due>,
}

/// A certificate that is due, and whose turn it is.
struct Due {
    host: HostName,
    lineage: String,
    wanted: Wanted,
}

/// Makes sure that this is the only unattended run on this machine, as long as the file is open;
/// `None` if there is another one.
pub(super) fn alone(context: &Context) -> Result<Option<File>, Failure> {
    let state = &context.paths.state;
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(state)
        .with_context(|| format!("cannot make {}", state.display()))?;
    let path = state.join("unattended.lock");
    let file = OpenOptions::new().create(true).append(true).mode(0o600).open(&path);
    let file = file.with_context(|| format!("cannot open {}", path.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(it)) => {
            Err(anyhow::Error::new(it).context(format!("cannot lock {}", path.display())).into())
        }
    }
}

/// Waits for a random part of a time, so that machines with the same clock do not come together.
pub(super) async fn spread(longest: Duration, signals: &mut Signals) -> Result<(), Failure> {
    let random = Uuid::new_v4().as_u64_pair().1 & 0xFFFF;
    let part = f64::from(u32::try_from(random).unwrap_or_default()) / f64::from(0xFFFF_u32);
    let wait = longest.mul_f64(part);
    note(&format!("begins in {}\n", human(i64::try_from(wait.as_secs()).unwrap_or_default())));
    tokio::select! {
        () = tokio::time::sleep(wait) => Ok(()),
        number = signals.next() => {
            Err(Failure::say(Exit::Code(128 + number), "stopped before it began; nothing was changed"))
        }
    }
}

/// Chooses what is renewed now.
pub(super) fn choose(request: &Request, names: &[Name], find: Find<'_>) -> Choice {
    let mut choice =
        Choice { plans: Vec::new(), left: Vec::new(), is_unknown: false, orders: Vec::new() };
    let mut ready: Vec<(f64, Plan)> = Vec::new();
    let mut others = 0;
    for (host, lineage) in names {
        let Some(target) = find.target(host, lineage.as_deref()) else { continue };
        let name = match lineage {
            Some(it) => format!("{host}/{it}"),
            None => host.to_string(),
        };
        let leave = |why: &str| SafeText::new(&format!("{name}: left: {why}"));
        let Some(place) = target.place else {
            choice.left.push(leave("what is there is not known"));
            continue;
        };
        if !place.is_own() {
            others += 1;
            continue;
        }
        let Some(leaf) = leaf(place) else {
            choice.left.push(leave("its certificate could not be read"));
            continue;
        };
        let closes = place.window_of(leaf).map_or_else(|| leaf.renewal_closes(), |it| it.end);
        let turn = turn(&name, place.renewal_opens(leaf), closes);
        if turn > find.now {
            choice.left.push(leave(&format!("its turn is at {turn}")));
            continue;
        }
        choice.orders.extend(renewal_of(place, find.now).map(|wanted| Due {
            host: host.clone(),
            lineage: place.name.to_string(),
            wanted,
        }));
        match request.kind.plan(&target, &request.chosen) {
            Ok(plan) if plan.phrase.is_some() => {
                choice.left.push(leave("somebody has to confirm it"));
            }
            Ok(plan) => ready.push((leaf.urgency(find.now), plan)),
            Err(refusal) => {
                choice.is_unknown |= refusal.why == Why::Unknown;
                choice.left.push(left(&name, &refusal.text, refusal.until));
            }
        }
    }
    if others > 0 {
        let text = format!("{others} more are due, which their own clients renew");
        choice.left.push(SafeText::new(&text));
    }
    ready.sort_by(|a, b| b.0.total_cmp(&a.0));
    let mut wanted = Vec::new();
    for (_, plan) in ready {
        // What has failed before is no failure of this run: it is left until its time has come.
        let rest = plan.wanted.as_ref().and_then(|it| find.history.rest(it, find.now));
        if let Some(rest) = rest {
            choice.left.push(left(&plan.target(), &rest.to_string(), Some(rest.until)));
        } else {
            wanted.extend(plan.wanted.clone());
            choice.plans.push(plan);
        }
    }
    // The most urgent first, as many as all limits together allow now.
    let forecast = find.history.forecast(&wanted, find.now);
    let mut turns = forecast.turns.iter();
    let Choice { plans, left: told, .. } = &mut choice;
    plans.retain(|plan| {
        let Some(turn) = plan.wanted.as_ref().and_then(|_| turns.next()) else { return true };
        if turn.at == Some(find.now) {
            return true;
        }
        let waits_for = turn.waits_for.and_then(|it| forecast.uses.get(it));
        let what = waits_for.map_or("what the CA allows", |it| it.bucket.kind.title);
        let why = format!("more urgent ones take what is left now ({what})");
        told.push(left(&plan.target(), &why, turn.at));
        false
    });
    choice
}

/// Adds what is to be delivered to stores that lag behind, as far as the renewals of this run do
/// not bring it there anyway: what was renewed by its own client, or failed the last time.
pub(super) fn add_lagging(choice: &mut Choice, hosts: &[HostName], find: Find<'_>) {
    for host in hosts.iter().filter_map(|it| find.fleet.host(it)) {
        for place in &host.places {
            let name = Some(place.name.as_str());
            let is_here =
                |it: &Plan| it.host == host.name && it.place.as_ref().map(AsRef::as_ref) == name;
            if choice.plans.iter().any(is_here) {
                continue;
            }
            let disk = place.layers.disk.as_ref();
            let lags = |it: &&Stored| {
                let lags = disk.and_then(|disk| it.lags(&host.name, &place.name, &disk.chain));
                lags == Some(true)
            };
            let lagging: Vec<_> = place.stored.iter().filter(lags).collect();
            for it in lagging {
                let Some(target) = find.target(&host.name, name) else { continue };
                match action::delivery(&target, it.store.as_str()) {
                    Ok(plan) => choice.plans.push(plan),
                    Err(why) => {
                        let target = format!("{}/{}: {}", host.name, place.name, it.store);
                        choice.left.push(left(&target, &why.text, why.until));
                    }
                }
            }
        }
    }
}

/// That a lineage is left, why, and until when, if that is known.
fn left(target: &str, why: &str, until: Option<Moment>) -> SafeText {
    let until = until.map(|it| format!("; the first run after {it} takes it up"));
    SafeText::new(&format!("{target}: left: {why}{}", until.unwrap_or_default()))
}

impl Choice {
    /// What has failed so often by now that it is left alone for a while.
    pub(super) fn exhausted(&self, history: &History, now: Moment) -> Event {
        Event::exhausted(self.orders.iter().filter_map(|Due { host, lineage, wanted }| {
            let rest = history.rest(wanted, now).map(|it| (it.until, it.to_string()));
            let guard = history.guard(host, Some(lineage), &wanted.names, now);
            let guard = guard.map(|it| (it.until, it.to_string()));
            let (until, why) = rest.max(guard)?;
            Some((format!("{host}/{lineage}"), SafeText::new(&why), until))
        }))
    }
}

fn leaf(place: &Place) -> Option<&Certificate> {
    place.layers.disk.as_ref().map(|it| &*it.chain.leaf)
}

/// When it is the turn of a lineage: within the first quarter of its window, by its name.
fn turn(name: &str, opens: Moment, closes: Moment) -> Moment {
    let quarter = closes.since(opens).max(0) / 4;
    let hash = Sha256::digest(name);
    let part = hash.iter().take(4).fold(0_i64, |sum, it| sum << 8 | i64::from(*it));
    opens.plus(quarter * (part >> 8) / (1 << 24))
}

/// Keeps how it ended, for whoever looks whether the timer does its work.
pub(super) fn keep(context: &Context, told: &Told, begun: usize) {
    let run = Unattended { at: context.clock.now(), begun, done: told.done() };
    if let Err(error) = Store::new(&context.paths.state).keep_unattended(&run) {
        note(&format!("warning: that this ran is not kept: {:#}\n", anyhow::Error::new(error)));
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair};

    use super::*;

    fn leaf_of(days: u8) -> Certificate {
        let mut params = CertificateParams::new(vec!["a.test".to_owned()]).unwrap();
        params.not_before = rcgen::date_time_ymd(2026, 11, 1);
        params.not_after = rcgen::date_time_ymd(2026, 11, 1 + days);
        let made = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
        Certificate::read(made.der()).unwrap()
    }

    #[test]
    fn turns_are_spread_over_a_quarter_of_the_window_and_stay() {
        for days in [6, 27] {
            let leaf = leaf_of(days);
            let window = leaf.renewal_closes().since(leaf.renewal_opens());
            let turn_of = |name: &str| turn(name, leaf.renewal_opens(), leaf.renewal_closes());
            let turns: Vec<_> = (0..200)
                .map(|it| turn_of(&format!("web-{it}/a.test")).since(leaf.renewal_opens()))
                .collect();
            assert!(turns.iter().all(|it| (0..=window / 4).contains(it)), "{turns:?}");
            // No eighth of the quarter is without some, and none has a third of all.
            for part in 0..8 {
                let (from, to) = (window / 4 * part / 8, window / 4 * (part + 1) / 8);
                let count = turns.iter().filter(|it| (from..=to).contains(it)).count();
                assert!((8..66).contains(&count), "{count} of 200 in {from}..{to}");
            }
            assert_eq!(turn_of("web-1/a.test"), turn_of("web-1/a.test"));
        }
    }
}
