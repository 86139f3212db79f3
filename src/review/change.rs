//! What is other than it was, place by place.

use std::collections::BTreeSet;

use super::mark::{Kept, Mark, Spot};
use super::{Since, many};
use crate::diagnose;
use crate::fleet::{
    DAY, Fingerprint, Fleet, HOUR, Host, HostName, Moment, Place, ProblemKind, human,
};
use crate::text::SafeText;

/// What has changed, and since when.
#[derive(Debug, Clone)]
pub struct Changes {
    /// With what the present was compared, in a sentence.
    pub since: SafeText,
    /// From when on changes are told; `None` if there is nothing to compare with.
    pub from: Option<Moment>,
    /// The places that changed, by host and name.
    pub changes: Vec<Change>,
    /// The hosts that were not read since, of which nothing can be said.
    pub unread: Vec<HostName>,
}

/// What has changed at a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Where.
    pub spot: Spot,
    /// What, and from what to what.
    pub what: Vec<(Aspect, SafeText)>,
}

impl Change {
    /// `web-01/www.example.net`
    pub fn at(&self) -> String {
        diagnose::at(&self.spot.host, Some(&self.spot.place))
    }
}

/// In which respect something has changed. The order is that in which it is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Aspect {
    /// It was not there before.
    New,
    /// It is not there any more.
    Gone,
    /// A newer certificate is there.
    Renewed,
    /// An older certificate is there.
    WentBack,
    /// Another CA has signed it.
    Issuer,
    /// Its key is another, or of another kind.
    Key,
    /// It lives longer or shorter.
    Lifetime,
    /// Another profile is asked for.
    Profile,
    /// It is for other names.
    Names,
}

impl Aspect {
    /// Every aspect, in the order in which they are told.
    pub const ALL: [Self; 9] = [
        Self::New,
        Self::Gone,
        Self::Renewed,
        Self::WentBack,
        Self::Issuer,
        Self::Key,
        Self::Lifetime,
        Self::Profile,
        Self::Names,
    ];

    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Gone => "gone",
            Self::Renewed => "renewed",
            Self::WentBack => "went-back",
            Self::Issuer => "issuer",
            Self::Key => "key",
            Self::Lifetime => "lifetime",
            Self::Profile => "profile",
            Self::Names => "names",
        }
    }
}

impl Changes {
    /// What is other in the fleet than it was then.
    pub(super) fn since(since: Since<'_>, fleet: &Fleet) -> Self {
        match since {
            Since::Beginning => Self {
                since: SafeText::new(
                    "this is the first review: there is nothing to compare with until one is \
                     signed off (certdeck review sign-off --note TEXT)",
                ),
                from: None,
                changes: Vec::new(),
                unread: Vec::new(),
            },
            Since::Mark(mark) => Self::since_mark(mark, fleet),
            Since::Archives(moment) => Self::since_moment(moment, fleet),
        }
    }

    fn since_mark(mark: &Mark, fleet: &Fleet) -> Self {
        let note = if mark.note.is_empty() { String::new() } else { format!(": {}", mark.note) };
        let Mark { number, at, who, .. } = mark;
        let mut changes = Vec::new();
        let mut unread = Vec::new();
        let mut met = BTreeSet::new();
        for host in fleet.hosts() {
            if !is_read_since(mark, host) {
                unread.push(host.name.clone());
            }
            for place in &host.places {
                let spot = Spot::of(&host.name, place);
                let what = match (mark.places.get(&spot), Kept::of(place)) {
                    (None, is) => vec![(Aspect::New, first_seen(mark, host, is.as_ref()))],
                    (Some(Some(was)), Some(is)) => compared(was, &is),
                    // What could not be read then or now has not changed by that.
                    (Some(_), _) => Vec::new(),
                };
                met.insert(spot.clone());
                push(&mut changes, spot, what);
            }
        }
        for (spot, was) in mark.places.iter().filter(|it| !met.contains(it.0)) {
            let why = match fleet.host(&spot.host) {
                None => "the host is not in the inventory any more".to_owned(),
                Some(host) if !is_read_since(mark, host) || is_half_read(host) => continue,
                Some(_) => match was {
                    Some(it) => format!("it was valid until {}", it.not_after),
                    None => "nothing was known of its certificate".to_owned(),
                },
            };
            push(&mut changes, spot.clone(), vec![(Aspect::Gone, SafeText::new(&why))]);
        }
        changes.sort_by(|a, b| a.spot.cmp(&b.spot));
        let since = format!("since review {number}, signed off {at} by {who}{note}");
        Self { since: SafeText::new(&since), from: Some(*at), changes, unread }
    }

    fn since_moment(moment: Moment, fleet: &Fleet) -> Self {
        let mut changes = Vec::new();
        for (host, place) in fleet.places() {
            let Some(is) = Kept::of(place) else { continue };
            let what = match Kept::before(place, moment) {
                Some(was) => {
                    let mut what = compared(&was, &is);
                    let times = issued_since(place, moment);
                    if let Some((Aspect::Renewed, text)) = what.first_mut().filter(|_| times > 1) {
                        *text = SafeText::new(&format!("{text}, {times} times"));
                    }
                    what
                }
                None if is.not_before >= moment => {
                    let text = format!("first issued {}, or nothing older is kept", is.not_before);
                    vec![(Aspect::New, SafeText::new(&text))]
                }
                None => Vec::new(),
            };
            push(&mut changes, Spot::of(&host.name, place), what);
        }
        let since = format!(
            "since {moment}, by the versions that hosts keep: no review was signed off before \
             then, so what is gone is not told"
        );
        let unread = fleet.hosts().filter(|it| it.seen_at.is_none()).map(|it| it.name.clone());
        let (since, unread) = (SafeText::new(&since), unread.collect());
        Self { since, from: Some(moment), changes, unread }
    }

    /// How many places changed in which respect, those that did not left out.
    pub fn counts(&self) -> Vec<(Aspect, usize)> {
        let has = |change: &&Change, aspect| change.what.iter().any(|it| it.0 == aspect);
        let count = |it| (it, self.changes.iter().filter(|change| has(change, it)).count());
        Aspect::ALL.map(count).into_iter().filter(|it| it.1 > 0).collect()
    }

    /// The same in words: `2 new, 1 gone`.
    pub fn counted(&self) -> String {
        let all = self.counts();
        let all: Vec<_> = all.iter().map(|(it, count)| format!("{count} {}", it.word())).collect();
        match (all.is_empty(), self.from) {
            (true, None) => "nothing to compare with".to_owned(),
            (true, Some(_)) => "nothing has changed".to_owned(),
            (false, _) => format!("{}: {}", many(self.changes.len(), "place"), all.join(", ")),
        }
    }
}

fn push(changes: &mut Vec<Change>, spot: Spot, what: Vec<(Aspect, SafeText)>) {
    if !what.is_empty() {
        changes.push(Change { spot, what });
    }
}

/// What is to be said of a place that the mark does not have.
fn first_seen(mark: &Mark, host: &Host, is: Option<&Kept>) -> SafeText {
    let issued = is.map_or_else(
        || "its certificate is not known".to_owned(),
        |it| format!("issued {} by {}", it.not_before, it.authority()),
    );
    let why = match mark.hosts.get(&host.name) {
        None => "; the host is new in the inventory",
        Some(None) => "; the host had not been read then",
        Some(Some(_)) => "",
    };
    SafeText::new(&format!("{issued}{why}"))
}

/// Whether a host was read once more after the reading that was signed off.
fn is_read_since(mark: &Mark, host: &Host) -> bool {
    let then = mark.hosts.get(&host.name).copied().flatten();
    host.seen_at.is_some_and(|it| then.is_none_or(|then| it > then))
}

/// Whether what is missing on a host may be there and could not be read.
fn is_half_read(host: &Host) -> bool {
    host.problems.iter().any(|it| it.kind == ProblemKind::Unreadable)
}

/// How many certificates were issued for a place since then, by what it keeps.
fn issued_since(place: &Place, moment: Moment) -> usize {
    let kept = place.versions.iter().filter_map(|it| it.certificate.as_deref());
    let disk = place.layers.disk.as_ref().map(|it| &*it.chain.leaf);
    let new = kept.chain(disk).filter(|it| it.not_before >= moment);
    new.map(|it| it.sha256).collect::<BTreeSet<Fingerprint>>().len()
}

/// In which respects two certificates of one place differ.
fn compared(was: &Kept, is: &Kept) -> Vec<(Aspect, SafeText)> {
    let mut what = Vec::new();
    let mut add = |aspect, text: String| what.push((aspect, SafeText::new(&text)));
    if was.sha256 != is.sha256 {
        if is.not_before < was.not_before {
            let text =
                format!("from the one issued {} to one of {}", was.not_before, is.not_before);
            add(Aspect::WentBack, text);
        } else {
            add(Aspect::Renewed, format!("issued {}, valid until {}", is.not_before, is.not_after));
        }
    }
    if was.authority() != is.authority() {
        add(Aspect::Issuer, format!("from {} to {}", was.authority(), is.authority()));
    }
    if was.key != is.key {
        add(Aspect::Key, format!("from {} to {}", was.key, is.key));
    } else if was.spki != is.spki {
        add(Aspect::Key, format!("another key, {} as before", is.key));
    }
    let [old, new] = [was, is].map(|it| it.not_after.since(it.not_before));
    // CAs take a second off, and some an hour for clocks that are slow.
    if (old - new).abs() > 2 * HOUR {
        add(Aspect::Lifetime, format!("from {} to {}", rounded(old), rounded(new)));
    }
    if was.profile != is.profile {
        let [old, new] = [&was.profile, &is.profile]
            .map(|it| it.as_ref().map_or("the CA's default", |it| it.as_str()));
        add(Aspect::Profile, format!("from {old} to {new}"));
    }
    if was.names != is.names {
        let names = |has: &Kept, not: &Kept, sign: char| {
            let only = has.names.iter().filter(|it| !not.names.contains(it));
            only.map(|it| format!("{sign}{it}")).collect::<Vec<_>>()
        };
        let mut all = names(is, was, '+');
        all.extend(names(was, is, '-'));
        let more = all.len().saturating_sub(NAMES);
        all.truncate(NAMES);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        add(Aspect::Names, format!("{}{more}", all.join(" ")));
    }
    what.sort_by_key(|it| it.0);
    what
}

/// A lifetime to the hour, or to the day: CAs take a second off.
fn rounded(seconds: i64) -> String {
    let unit = if seconds < 10 * DAY { HOUR } else { DAY };
    human((seconds + unit / 2) / unit * unit)
}

/// The names that are told of one change.
const NAMES: usize = 12;

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::sample::{NOW, fleet, host, leaf, place};
    use super::*;
    use crate::fleet::{Certificate, KeyKind, Problem, Reach, Version};

    fn mark(fleet: &Fleet) -> Mark {
        Mark::of(fleet, 1, NOW.plus(-7 * DAY), "anna@laptop", "as usual")
    }

    fn old(places: Vec<Place>) -> Host {
        Host { seen_at: Some(NOW.plus(-8 * DAY)), ..host("web-01", places) }
    }

    fn told(changes: &Changes) -> Vec<String> {
        let line = |it: &Change| {
            let what = it.what.iter().map(|(aspect, text)| format!("{} {text}", aspect.word()));
            format!("{}: {}", it.at(), what.collect::<Vec<_>>().join("; "))
        };
        changes.changes.iter().map(line).collect()
    }

    /// What is told where a place had one leaf a week ago and has another now.
    #[track_caller]
    fn check(was: Certificate, is: Certificate, expect: &[&str]) {
        let before = fleet([old(vec![place("www", was)])]);
        let after = fleet([host("web-01", vec![place("www", is)])]);
        let changes = Changes::since(Since::Mark(&mark(&before)), &after);
        let expect: Vec<_> = expect.iter().map(|it| format!("web-01/www: {it}")).collect();
        assert_eq!(told(&changes), expect);
    }

    #[test]
    fn what_differs_is_told_and_nothing_else() {
        let was = leaf("www", &["www.example.net"], 90, 25);
        check(was.clone(), was.clone(), &[]);
        let fresh = leaf("new", &["www.example.net"], 90, 89);
        let renewed = "renewed issued 2026-11-22T03:12:44Z, valid until 2027-02-20T03:12:44Z";
        let key = "key another key, ecdsa-p256 as before";
        check(was.clone(), fresh.clone(), &[&format!("{renewed}; {key}")]);
        let same_key = Certificate { spki_sha256: was.spki_sha256, ..fresh.clone() };
        check(was.clone(), same_key.clone(), &[renewed]);
        let rsa = Certificate { key: KeyKind::Rsa(2048), ..fresh.clone() };
        check(was.clone(), rsa, &[&format!("{renewed}; key from ecdsa-p256 to rsa-2048")]);
        let issuer = SafeText::new("CN=ZeroSSL ECC DV,O=ZeroSSL,C=AT");
        let other = Certificate { issuer, ..same_key.clone() };
        check(was.clone(), other, &[&format!("{renewed}; issuer from Let's Encrypt to ZeroSSL")]);
        // Intermediates of one CA come and go.
        let issuer = SafeText::new("CN=YE2,O=Let's Encrypt,C=US");
        check(was.clone(), Certificate { issuer, ..same_key.clone() }, &[renewed]);
        let short = leaf("short", &["www.example.net"], 45, 44);
        let short = Certificate { spki_sha256: was.spki_sha256, ..short };
        check(
            was.clone(),
            short,
            &["renewed issued 2026-11-22T03:12:44Z, valid until 2027-01-06T03:12:44Z; \
               lifetime from 90.0d to 45.0d"],
        );
        let names = ["new.example.net", "www.example.net"].map(SafeText::new).to_vec();
        check(
            was.clone(),
            Certificate { names, ..same_key },
            &[&format!("{renewed}; names +new.example.net")],
        );
        check(
            fresh,
            was,
            &[&format!(
                "went-back from the one issued 2026-11-22T03:12:44Z to one of \
                 2026-09-19T03:12:44Z; {key}"
            )],
        );
    }

    #[test]
    fn places_come_and_go() {
        let www = || place("www", leaf("www", &["www.example.net"], 90, 25));
        let shop = || place("shop", leaf("shop", &["shop.example.net"], 90, 80));
        let mut before = fleet([old(vec![www()])]);
        let after = fleet([host("web-01", vec![shop()]), host("web-02", vec![shop()])]);
        let changes = Changes::since(Since::Mark(&mark(&before)), &after);
        assert_eq!(
            told(&changes),
            [
                "web-01/shop: new issued 2026-11-13T03:12:44Z by Let's Encrypt",
                "web-01/www: gone it was valid until 2026-12-18T03:12:44Z",
                "web-02/shop: new issued 2026-11-13T03:12:44Z by Let's Encrypt; the host is new in the inventory",
            ]
        );
        assert_eq!(changes.counted(), "3 places: 2 new, 1 gone");
        before = fleet([old(vec![www()]), Host { seen_at: None, ..host("web-02", vec![]) }]);
        let changes = Changes::since(Since::Mark(&mark(&before)), &after);
        assert!(told(&changes)[2].ends_with("; the host had not been read then"));
    }

    #[test]
    fn of_what_was_not_read_nothing_is_said() {
        let www = || place("www", leaf("www", &["www.example.net"], 90, 25));
        let before = fleet([old(vec![www()])]);
        // Not read since, and forgotten.
        let mut silent = old(vec![]);
        silent.reach = Reach::Never;
        let changes = Changes::since(Since::Mark(&mark(&before)), &fleet([silent]));
        assert_eq!((told(&changes).len(), changes.unread.len()), (0, 1));
        // Read, and its folder could not be.
        let mut closed = host("web-01", vec![]);
        let text = SafeText::new("permission denied");
        closed.problems.push(Problem { kind: ProblemKind::Unreadable, text, path: None });
        let changes = Changes::since(Since::Mark(&mark(&before)), &fleet([closed]));
        assert_eq!((told(&changes).len(), changes.unread.len()), (0, 0));
        // Out of the inventory.
        let changes = Changes::since(Since::Mark(&mark(&before)), &fleet([]));
        assert_eq!(told(&changes), ["web-01/www: gone the host is not in the inventory any more"]);
    }

    #[test]
    fn archives_tell_of_renewals_where_no_mark_does() {
        let [first, second, third] = [(90, 20), (90, 81), (90, 84)]
            .map(|(life, left)| leaf(&left.to_string(), &["www.example.net"], life, left));
        let mut www = place("www", third.clone());
        www.versions = [(1, first), (2, second), (3, third.clone())]
            .map(|(number, it)| Version { number, certificate: Some(Arc::new(it)) })
            .to_vec();
        let mut shop = place("shop", third);
        shop.versions.clear();
        let known = fleet([host("web-01", vec![shop, www])]);
        let changes = Changes::since(Since::Archives(NOW.plus(-14 * DAY)), &known);
        assert_eq!(
            told(&changes),
            [
                "web-01/shop: new first issued 2026-11-17T03:12:44Z, or nothing older is kept",
                "web-01/www: renewed issued 2026-11-17T03:12:44Z, valid until 2027-02-15T03:12:44Z, 2 times; key another key, ecdsa-p256 as before",
            ]
        );
        assert_eq!(told(&Changes::since(Since::Archives(NOW), &known)), Vec::<String>::new());
    }

    #[test]
    fn the_first_review_says_that_it_is() {
        let changes = Changes::since(Since::Beginning, &fleet([]));
        assert!(changes.since.as_str().starts_with("this is the first review"));
        assert_eq!((changes.from, changes.counted().as_str()), (None, "nothing to compare with"));
    }
}
