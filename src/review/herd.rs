//! How many renewals are due on which day, what a spread within their windows would look like, and
//! whether the CA takes so many.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};

use super::{DAYS, EXACT_SET, horizon};
use crate::budget::authority::{LETS_ENCRYPT, RENEWED_WITHIN, of_directory};
use crate::budget::{self, Limit, NameSet};
use crate::fleet::{Certificate, DAY, Fingerprint, Fleet, Moment, Place};
use crate::inventory::Issuer;
use crate::text::SafeText;

/// When renewals are due.
#[derive(Debug, Clone)]
pub struct Herd {
    /// The midnight, UTC, with which the first day begins.
    pub from: Moment,
    /// The renewals of each CA.
    pub crowds: Vec<Crowd>,
    /// Names of which more certificates are due within a week than Let's Encrypt gives out for one
    /// set: how they begin, how many, and from which day on.
    pub sets: Vec<(SafeText, usize, Moment)>,
    /// Registered domains under which more certificates are due within a week than their CA gives
    /// out for one that are new.
    pub domains: Vec<Busy>,
    /// How many certificates are renewed by nothing that is known.
    pub unknown: usize,
}

/// A registered domain under which many certificates are due within one week.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Busy {
    /// The domain.
    pub domain: SafeText,
    /// The CA.
    pub ca: &'static str,
    /// How many are due.
    pub renewals: usize,
    /// How many of them the CA counts as new: those whose names have had no certificate for so long
    /// that it is no renewal to it.
    pub new: usize,
    /// The first day of that week.
    pub from: Moment,
    /// How many new ones it gives out.
    pub limit: Limit,
}

impl Busy {
    /// Whether more of them count than the CA gives out.
    pub fn is_too_many(&self) -> bool {
        i64::try_from(self.new).is_ok_and(|it| it > self.limit.burst)
    }
}

/// The renewals of one CA.
#[derive(Debug, Clone)]
pub struct Crowd {
    /// Its ACME directory; empty where that is not known.
    pub server: SafeText,
    /// How many certificates it has signed.
    pub certificates: usize,
    /// How many renewals are due on each day, if each happens as soon as it may.
    pub expected: Vec<usize>,
    /// The same, spread over the windows.
    pub spread: Vec<usize>,
    /// How many orders it takes, if that is known.
    pub limit: Option<Limit>,
}

/// A certificate that will be renewed, and when.
struct Due<'a> {
    server: &'a str,
    leaf: &'a Certificate,
    /// When its client means to.
    at: Moment,
    /// When it may be, and when it should have been.
    window: (Moment, Moment),
}

impl Herd {
    /// The renewals of that fleet.
    pub(super) fn of(fleet: &Fleet, issuers: &[Issuer], now: Moment) -> Self {
        let from = Moment::from_unix(now.unix().div_euclid(DAY) * DAY);
        let (due, unknown) = due(fleet);
        let mut by_server: BTreeMap<&str, Vec<&Due<'_>>> = BTreeMap::new();
        for it in &due {
            by_server.entry(it.server).or_default().push(it);
        }
        let crowd = |(server, due): (&str, Vec<&Due<'_>>)| {
            let runs: Vec<_> = due.iter().flat_map(|it| it.runs(now)).collect();
            let mut expected = vec![0; DAYS];
            for run in &runs {
                count(&mut expected, day(run.0, from));
            }
            let told = issuers.iter().find(|it| it.directory == server);
            Crowd {
                server: SafeText::new(server),
                certificates: due.len(),
                expected,
                spread: spread(&runs, from),
                limit: told.and_then(|it| it.orders(false)).or_else(|| budget::orders_at(server)),
            }
        };
        let crowds = by_server.into_iter().map(crowd).collect();
        let (sets, domains) = (sets(&due, from, now), domains(&due, from, now));
        Self { from, crowds, sets, domains, unknown }
    }

    /// How many renewals are due on each day, of all CAs.
    pub fn expected(&self) -> Vec<usize> {
        sum(self.crowds.iter().map(|it| &it.expected))
    }

    /// The same, spread over the windows.
    pub fn spread(&self) -> Vec<usize> {
        sum(self.crowds.iter().map(|it| &it.spread))
    }

    /// The first moment of a day by its number.
    pub fn day(&self, number: usize) -> Moment {
        self.from.plus(i64::try_from(number).unwrap_or(i64::MAX / DAY) * DAY)
    }
}

impl Crowd {
    /// The day on which most are due, and how many.
    pub fn peak(&self) -> (usize, usize) {
        peak(&self.expected)
    }

    /// Whether more are due on one day than the CA takes at once.
    pub fn is_too_many(&self) -> bool {
        let peak = i64::try_from(self.peak().1).unwrap_or(i64::MAX);
        self.limit.is_some_and(|it| peak > it.burst)
    }
}

impl Due<'_> {
    /// Every renewal within the time that is looked at: when it is meant, and its window. What is
    /// renewed has the same life again.
    fn runs(&self, now: Moment) -> Vec<(Moment, (Moment, Moment))> {
        let until = horizon(now);
        // A client that renews at every run is another matter.
        let step = self.at.since(self.leaf.not_before).max(DAY);
        let (opens, closes) = self.window;
        let first = (self.at.max(now), (opens.max(now), closes.max(now)));
        let mut runs = Vec::new();
        let mut next = Some(first).filter(|it| it.0 < until);
        while let Some((at, (opens, closes))) = next {
            runs.push((at, (opens, closes)));
            let later = (at.plus(step), (opens.plus(step), closes.plus(step)));
            next = Some(later).filter(|it| it.0 < until && runs.len() < DAYS);
        }
        runs
    }
}

/// The most on a day, and which it is.
pub(crate) fn peak(days: &[usize]) -> (usize, usize) {
    let most = days.iter().copied().max().unwrap_or(0);
    (days.iter().position(|it| *it == most).unwrap_or(0), most)
}

/// Every certificate that something renews, each once wherever it was brought to; and how many
/// others there are.
fn due(fleet: &Fleet) -> (Vec<Due<'_>>, usize) {
    let mut known: HashMap<Fingerprint, Option<Due<'_>>> = HashMap::new();
    for (_, place) in fleet.places() {
        let disk = place.layers.disk.as_ref().map(|it| &*it.chain.leaf);
        let Some(leaf) = disk.or_else(|| place.leaf()) else { continue };
        if leaf.is_self_issued() || leaf.is_of_staging() {
            continue;
        }
        let entry = known.entry(leaf.sha256).or_default();
        if entry.is_none() {
            *entry = renewal_of(place, leaf);
        }
    }
    let unknown = known.values().filter(|it| it.is_none()).count();
    let mut due: Vec<_> = known.into_values().flatten().collect();
    due.sort_by(|a, b| (a.at, &a.leaf.sha256).cmp(&(b.at, &b.leaf.sha256)));
    (due, unknown)
}

fn renewal_of<'a>(place: &'a Place, leaf: &'a Certificate) -> Option<Due<'a>> {
    let renewal = place.renewal.as_ref().filter(|it| it.is_enabled && it.is_unattended)?;
    let opens = place.renewal_opens(leaf);
    let closes = leaf.renewal_closes().max(opens);
    let server = renewal.server.as_ref().map_or("", |it| it.as_str());
    Some(Due { server, leaf, at: renewal.planned.unwrap_or(opens), window: (opens, closes) })
}

fn day(at: Moment, from: Moment) -> usize {
    usize::try_from(at.since(from).div_euclid(DAY)).unwrap_or(0)
}

fn count(days: &mut [usize], day: usize) {
    if let Some(it) = days.get_mut(day) {
        *it += 1;
    }
}

/// Puts each renewal on the emptiest day of its window, those with the least choice first.
fn spread(runs: &[(Moment, (Moment, Moment))], from: Moment) -> Vec<usize> {
    let mut windows: Vec<_> = runs
        .iter()
        .map(|(_, (opens, closes))| {
            let last = DAYS - 1;
            let opens = day(*opens, from).min(last);
            // The last whole day: what is meant for the day of its end may come after it.
            (opens, day(closes.plus(-DAY), from).clamp(opens, last))
        })
        .collect();
    windows.sort_by_key(|(opens, closes)| (closes - opens, *opens));
    let mut days = vec![0; DAYS];
    for (opens, closes) in windows {
        let emptiest = (opens..=closes).min_by_key(|it| days.get(*it).copied().unwrap_or(0));
        count(&mut days, emptiest.unwrap_or(opens));
    }
    days
}

/// Sets of names of which more are due within a week than are given out for one set.
fn sets(due: &[Due<'_>], from: Moment, now: Moment) -> Vec<(SafeText, usize, Moment)> {
    let mut by_names: BTreeMap<Vec<&str>, Vec<usize>> = BTreeMap::new();
    for it in due.iter().filter(|it| of_directory(it.server) == Some(&LETS_ENCRYPT)) {
        let mut names: Vec<_> = it.leaf.names.iter().map(SafeText::as_str).collect();
        names.sort_unstable();
        let days = by_names.entry(names).or_default();
        days.extend(it.runs(now).iter().map(|it| day(it.0, from)));
    }
    let mut found = Vec::new();
    for (names, days) in by_names {
        let in_week =
            |first: usize| days.iter().filter(|it| (first..first + 7).contains(it)).count();
        let worst = (0..DAYS).map(|it| (it, in_week(it))).max_by_key(|it| (it.1, DAYS - it.0));
        let Some((first, most)) = worst else { continue };
        if i64::try_from(most).is_ok_and(|it| it > EXACT_SET.burst) {
            let more = names.len().saturating_sub(1);
            let more = if more > 0 { format!(" +{more}") } else { String::new() };
            let name = format!("{}{more}", names.first().copied().unwrap_or_default());
            let at = from.plus(i64::try_from(first).unwrap_or(0) * DAY);
            found.push((SafeText::new(&name), most, at));
        }
    }
    found
}

/// Registered domains under which more are due within a week than are given out for one.
fn domains(due: &[Due<'_>], from: Moment, now: Moment) -> Vec<Busy> {
    let mut by_domain = BTreeMap::new();
    for it in due {
        let Some(known) = of_directory(it.server) else { continue };
        let Some(limit) = known.limits.registered_domain else { continue };
        let names = NameSet::new(it.leaf.names.iter().map(SafeText::as_str));
        let runs: Vec<_> = it.runs(now).iter().map(|it| (it.0, day(it.0, from))).collect();
        for domain in names.domains() {
            let empty = || (limit, vec![0_usize; DAYS], vec![0_usize; DAYS]);
            let (_, all, new) = by_domain.entry((known.name, domain)).or_insert_with(empty);
            let mut before = it.leaf.not_before;
            for (at, day) in &runs {
                count(all, *day);
                if !known.limits.frees_renewals || at.since(before) > RENEWED_WITHIN {
                    count(new, *day);
                }
                before = *at;
            }
        }
    }
    let mut found = Vec::new();
    for ((ca, domain), (limit, all, new)) in by_domain {
        // What is too much is told of with its own week.
        let is_too_many = |count: usize| i64::try_from(count).is_ok_and(|it| it > limit.burst);
        let (busiest, newest) = (busiest(&all), busiest(&new));
        let first = if is_too_many(week(&new, newest)) { newest } else { busiest };
        let (renewals, new) = (week(&all, first), week(&new, first));
        if is_too_many(renewals) {
            let from = from.plus(i64::try_from(first).unwrap_or(0) * DAY);
            let domain = SafeText::new(&domain);
            found.push(Busy { domain, ca, renewals, new, from, limit });
        }
    }
    found
}

/// The first day of the week with the most, the first of several.
fn busiest(days: &[usize]) -> usize {
    (0..days.len()).max_by_key(|first| (week(days, *first), Reverse(*first))).unwrap_or_default()
}

/// How many there are in a week from that day on.
fn week(days: &[usize], first: usize) -> usize {
    days.iter().skip(first).take(7).sum()
}

fn sum<'a>(all: impl Iterator<Item = &'a Vec<usize>>) -> Vec<usize> {
    let mut days = vec![0; DAYS];
    for one in all {
        for (day, it) in days.iter_mut().zip(one) {
            *day += it;
        }
    }
    days
}

#[cfg(test)]
mod tests {
    use super::super::sample::{NOW, fleet, host, leaf, place};
    use super::*;

    const LE: &str = "https://acme-v02.api.letsencrypt.org/directory";

    fn issued(tag: &str, name: &str, life: i64, left: i64) -> Place {
        let mut it = place(tag, leaf(tag, &[name], life, left));
        it.renewal.as_mut().unwrap().server = Some(SafeText::new(LE));
        it
    }

    fn told(days: &[usize]) -> Vec<(usize, usize)> {
        days.iter().copied().enumerate().filter(|it| it.1 > 0).collect()
    }

    #[test]
    fn renewals_fall_on_the_days_on_which_windows_open() {
        let places = vec![
            issued("a", "a.example.net", 90, 80),
            issued("b", "b.example.net", 90, 80),
            // Due already, and once more after sixty days.
            issued("c", "c.example.net", 90, 20),
        ];
        let herd = Herd::of(&fleet([host("web-01", places)]), &[], NOW);
        assert_eq!(told(&herd.expected()), [(0, 1), (50, 2), (60, 1)]);
        let spread = herd.spread();
        assert_eq!((spread.iter().sum::<usize>(), peak(&spread).1), (4, 1));
        assert_eq!(herd.crowds[0].peak(), (50, 2));
        assert_eq!(herd.crowds[0].limit.map(|it| it.burst), Some(300));
        assert_eq!(herd.day(50).to_string(), "2027-01-12T00:00:00Z");
    }

    #[test]
    fn what_lives_short_is_renewed_again_and_again() {
        let places = vec![issued("a", "a.example.net", 45, 44)];
        let herd = Herd::of(&fleet([host("web-01", places)]), &[], NOW);
        assert_eq!(told(&herd.expected()), [(29, 1), (59, 1), (89, 1)]);
    }

    #[test]
    fn one_certificate_at_many_places_is_renewed_once() {
        let here = issued("a", "a.example.net", 90, 80);
        let there = Place { renewal: None, source: "pem", ..here.clone() };
        let alone = Place { renewal: None, ..issued("b", "b.example.net", 90, 80) };
        let known = fleet([host("lb-01", vec![there, alone]), host("web-01", vec![here])]);
        let herd = Herd::of(&known, &[], NOW);
        assert_eq!((told(&herd.expected()), herd.unknown), (vec![(50, 1)], 1));
    }

    #[test]
    fn crowds_are_told_by_their_limits() {
        let many: Vec<_> = (0..301)
            .map(|it| issued(&it.to_string(), &format!("{it}.example.net"), 90, 80))
            .collect();
        let herd = Herd::of(&fleet([host("web-01", many)]), &[], NOW);
        assert!(herd.crowds[0].is_too_many());
        // Windows of fifteen days take all of them with room to spare.
        assert_eq!(peak(&herd.crowds[0].spread).1, 301_usize.div_ceil(15));
        let six: Vec<_> =
            (0..6).map(|it| issued(&it.to_string(), "www.example.net", 90, 80)).collect();
        let herd = Herd::of(&fleet([host("web-01", six)]), &[], NOW);
        assert!(!herd.crowds[0].is_too_many());
        assert_eq!(herd.sets.len(), 1);
        assert_eq!((herd.sets[0].0.as_str(), herd.sets[0].1), ("www.example.net", 6));
    }

    /// Many under one registered domain, each with how long it lives and is still good for: what is
    /// told of it.
    #[track_caller]
    fn check_domain(places: &[(usize, i64, i64)], expect: Option<(usize, usize, i64)>) {
        let mut all = Vec::new();
        for (group, (many, life, left)) in places.iter().enumerate() {
            all.extend((0..*many).map(|it| {
                let name = format!("n{group}-{it}.shop.example.co.uk");
                issued(&name, &name, *life, *left)
            }));
        }
        let herd = Herd::of(&fleet([host("web-01", all)]), &[], NOW);
        let told: Vec<_> = herd
            .domains
            .iter()
            .map(|it| (it.renewals, it.new, it.from.since(herd.from) / DAY))
            .collect();
        assert_eq!(told, expect.into_iter().collect::<Vec<_>>());
        assert!(herd.domains.iter().all(|it| it.domain.as_str() == "example.co.uk"));
        let is_too_many = expect.is_some_and(|it| it.1 > 50);
        assert_eq!(herd.domains.iter().any(Busy::is_too_many), is_too_many);
    }

    #[test]
    fn registered_domains_are_told_by_what_counts_as_new() {
        check_domain(&[], None);
        check_domain(&[(50, 90, 80)], None);
        // Renewals are free of it, however many there are.
        check_domain(&[(51, 90, 80)], Some((51, 0, 44)));
        check_domain(&[(30, 90, 80), (30, 90, 75)], Some((60, 0, 44)));
        check_domain(&[(30, 90, 80), (30, 90, 70)], None);
        // What has had no certificate for long is new to the CA.
        check_domain(&[(51, 90, -31)], Some((51, 51, 0)));
        check_domain(&[(51, 90, -29)], Some((51, 0, 0)));
        check_domain(&[(60, 90, 80), (20, 90, -40)], Some((60, 0, 44)));
        check_domain(&[(40, 90, 30), (20, 90, -40)], Some((60, 20, 0)));
    }

    proptest::proptest! {
        /// Nothing is lost, and no day has more than the fullest had before.
        #[test]
        fn a_spread_moves_and_never_drops(lefts in proptest::collection::vec(1..90_i64, 1..60)) {
            let places = lefts.iter().enumerate().map(|(at, left)| {
                issued(&format!("p{at}"), &format!("{at}.example.net"), 90, *left)
            });
            let herd = Herd::of(&fleet([host("web-01", places.collect())]), &[], NOW);
            let (expected, spread) = (herd.expected(), herd.spread());
            proptest::prop_assert_eq!(expected.iter().sum::<usize>(), spread.iter().sum::<usize>());
            proptest::prop_assert!(peak(&spread).1 <= peak(&expected).1);
        }
    }
}
