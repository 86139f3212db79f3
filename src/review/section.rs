//! A review as sections of rows, the same on paper and on screen: when, what, where, and a text.

use super::herd::peak;
use super::{
    Busy, Change, Crowd, DAYS, EXACT_SET, Ending, EndingKind, Grade, LIFETIMES, Review, Slow,
    Untold, ends, many,
};
use crate::diagnose::{self, Finding, FindingId};
use crate::fleet::{HostName, Moment, PlaceName, Weight, human};
use crate::text::SafeText;

/// A part of a review.
#[derive(Debug, Clone)]
pub struct Section {
    /// Its name for programs.
    pub key: &'static str,
    /// Its heading.
    pub title: &'static str,
    /// What is said of all of it.
    pub about: SafeText,
    /// Its rows.
    pub rows: Vec<Row>,
    /// What is said where it has none.
    pub nothing: &'static str,
}

/// A line of a review.
#[derive(Debug, Clone)]
pub struct Row {
    /// The date that it is about.
    pub when: Option<Moment>,
    /// What it is, in a word or two.
    pub what: SafeText,
    /// Every place, host or CA that it is about.
    pub at: Vec<SafeText>,
    /// What is to be said.
    pub text: SafeText,
    /// Why it is so, where there is room for it.
    pub cause: Option<SafeText>,
    /// How it is drawn.
    pub weight: Weight,
    /// The finding, if it is one.
    pub finding: Option<FindingId>,
    /// What somebody has said about that.
    pub known: Option<SafeText>,
    /// The host or place that can be looked at.
    pub spot: Option<(HostName, Option<PlaceName>)>,
}

impl Row {
    fn new(what: &str, at: &str, text: &str, weight: Weight) -> Self {
        Self {
            when: None,
            what: SafeText::new(what),
            at: vec![SafeText::new(at)],
            text: SafeText::new(text),
            cause: None,
            weight,
            finding: None,
            known: None,
            spot: None,
        }
    }

    /// The places for people: the first ones by name, and how many others.
    pub fn places(&self, most: usize) -> String {
        let shown: Vec<_> = self.at.iter().take(most).map(SafeText::as_str).collect();
        match self.at.len().saturating_sub(most) {
            0 => shown.join(", "),
            more => format!("{} and {more} more", shown.join(", ")),
        }
    }

    /// What is to be said, and what somebody knows about it.
    pub fn said(&self) -> String {
        self.with_known(self.text.to_string())
    }

    /// The same with its cause.
    pub fn told(&self) -> String {
        let cause = self.cause.as_ref().map(|it| format!(". {it}"));
        self.with_known(format!("{}{}", self.text, cause.unwrap_or_default()))
    }

    fn with_known(&self, text: String) -> String {
        match &self.known {
            Some(known) => format!("{text} [{known}]"),
            None => text,
        }
    }
}

/// A day without its time.
pub fn date(moment: Moment) -> String {
    let text = moment.to_string();
    text.split('T').next().unwrap_or(&text).to_owned()
}

impl Review {
    /// All of it, in the order in which it is read.
    pub fn sections(&self) -> Vec<Section> {
        let mut sections = vec![self.changed(), self.found(), self.ends(), self.unowned()];
        sections.extend([self.untried(), self.crowded(), self.too_slow()]);
        sections
    }

    /// The same for a page, where hosts of which the same is to be said share a row.
    pub fn pages(&self) -> Vec<Section> {
        let mut sections = self.sections();
        for section in sections.iter_mut().filter(|it| it.key == LIFETIMES_KEY) {
            section.rows = self.gathered();
        }
        sections
    }

    fn changed(&self) -> Section {
        let changes = &self.changes;
        let unread = match changes.unread.len() {
            _ if changes.from.is_none() => String::new(),
            0 => String::new(),
            many_hosts => {
                let names: Vec<_> =
                    changes.unread.iter().take(NAMED).map(HostName::as_str).collect();
                let more = many_hosts.saturating_sub(NAMED);
                let more = if more > 0 { format!(" and {more} more") } else { String::new() };
                format!("; not read since, so nothing is said of them: {}{more}", names.join(", "))
            }
        };
        let about = match changes.from {
            Some(_) => format!("{}{unread}. {}", changes.since, capital(&changes.counted())),
            None => changes.since.to_string(),
        };
        Section {
            key: "changes",
            title: "What changed",
            about: SafeText::new(&capital(&about)),
            rows: changes.changes.iter().map(change).collect(),
            nothing: "",
        }
    }

    fn found(&self) -> Section {
        let known = self.findings.iter().filter(|it| it.ack.is_some()).count();
        let about = format!("{}, {known} of them known", many(self.findings.len(), "finding"));
        Section {
            key: "findings",
            title: "Overdue, wrong, or not renewed by itself",
            about: SafeText::new(&about),
            rows: self.findings.iter().map(finding).collect(),
            nothing: "Nothing was found.",
        }
    }

    fn ends(&self) -> Section {
        let about =
            format!("{} within {DAYS} days; what has ended stands first", ends(self.endings.len()));
        Section {
            key: "endings",
            title: "What ends within 100 days",
            about: SafeText::new(&about),
            rows: self.endings.iter().map(|it| ending(it, self.at)).collect(),
            nothing: "Nothing ends.",
        }
    }

    fn unowned(&self) -> Section {
        let rows = self.neglect.unowned.iter().map(|(host, places)| {
            let text = format!("no group of it names an owner; {}", many(*places, "certificate"));
            Row {
                spot: Some((host.clone(), None)),
                ..Row::new("no owner", host.as_str(), &text, Weight::Due)
            }
        });
        let about = format!("{} of {}", self.neglect.unowned.len(), many(self.hosts, "host"));
        Section {
            key: "unowned",
            title: "Hosts without an owner",
            about: SafeText::new(&about),
            rows: rows.collect(),
            nothing: "Every host has one.",
        }
    }

    fn untried(&self) -> Section {
        let rows = self.neglect.dry_runs.iter().map(|it| {
            let text = match it.last {
                Some(last) => format!("the last one went well {} ago", human(self.at.since(last))),
                None => "none that went well is on record".to_owned(),
            };
            Row {
                when: it.last,
                spot: Some((it.host.clone(), Some(it.place.clone()))),
                ..Row::new("dry run", &it.at(), &text, Weight::Due)
            }
        });
        let about = format!(
            "{} whose renewal was not tried for a month; certdeck run dry-run HOST/NAME tries it",
            many(self.neglect.dry_runs.len(), "place")
        );
        Section {
            key: "dry-runs",
            title: "Dry runs older than a month",
            about: SafeText::new(&about),
            rows: rows.collect(),
            nothing: "Every renewal was tried.",
        }
    }

    fn crowded(&self) -> Section {
        let (day, most) = peak(&self.herd.expected());
        let (_, even) = peak(&self.herd.spread());
        let all: usize = self.herd.expected().iter().sum();
        let mut about = match all {
            0 => format!("No renewal is due within {DAYS} days"),
            _ => format!(
                "{} within {DAYS} days; most on {}: {most}. Spread over their windows, no day \
                 would have more than {even}",
                many(all, "renewal"),
                date(self.herd.day(day)),
            ),
        };
        if self.herd.unknown > 0 {
            let unknown = many(self.herd.unknown, "certificate");
            about = format!("{about}. Of {unknown} nothing here tells who renews it");
        }
        let mut rows: Vec<_> = self.herd.crowds.iter().map(|it| self.crowd(it)).collect();
        rows.extend(self.herd.sets.iter().map(|(name, count, from)| {
            let text = format!(
                "{count} certificates for the same names are due within a week, where {} are given \
                 out in {}",
                EXACT_SET.burst,
                EXACT_SET.window()
            );
            Row { when: Some(*from), ..Row::new("same names", name.as_str(), &text, Weight::Wrong) }
        }));
        rows.extend(self.herd.domains.iter().map(busy));
        Section {
            key: "herd",
            title: "Renewals to come",
            about: SafeText::new(&about),
            rows,
            nothing: "",
        }
    }

    fn crowd(&self, crowd: &Crowd) -> Row {
        let (day, most) = crowd.peak();
        let (_, even) = peak(&crowd.spread);
        let limit = match &crowd.limit {
            Some(it) => format!("it takes {} orders in {}", it.burst, it.window()),
            None => {
                "how many orders it takes is not known (order-limit of its issuer in the inventory)"
                    .to_owned()
            }
        };
        let server = if crowd.server.is_empty() { "CA not known" } else { crowd.server.as_str() };
        let text = format!(
            "{}; most on one day: {most}, spread {even}; {limit}",
            many(crowd.certificates, "certificate")
        );
        let weight = if crowd.is_too_many() { Weight::Wrong } else { Weight::Fine };
        Row { when: Some(self.herd.day(day)), ..Row::new("renewals", server, &text, weight) }
    }

    fn too_slow(&self) -> Section {
        let told: Vec<_> = LIFETIMES
            .iter()
            .map(|it| {
                let hosts = self.slow.iter().filter(|slow| slow.lifetime == it).count();
                format!("{} from {} ({}): {hosts}", it.name, it.from, it.whose)
            })
            .collect();
        let about = format!("Schedules that do not fit. {}", told.join("; "));
        let mut rows: Vec<_> = self.slow.iter().map(|it| slow(it, &[])).collect();
        rows.extend(self.untold.iter().map(untold));
        Section {
            key: LIFETIMES_KEY,
            title: "When lifetimes get shorter",
            about: SafeText::new(&about),
            rows,
            nothing: "Every schedule that is known fits all of them.",
        }
    }

    /// The rows of the lifetimes, one for all hosts whose clients say the same.
    fn gathered(&self) -> Vec<Row> {
        let key = |it: &Slow| (it.lifetime.name, it.client, it.grade, it.why.clone());
        let of_untold = |it: &Untold| (it.client, it.why.clone());
        let mut rows: Vec<_> =
            together(&self.slow, key).iter().map(|(first, rest)| slow(first, rest)).collect();
        rows.extend(together(&self.untold, of_untold).iter().map(|(first, rest)| {
            let mut row = untold(first);
            row.at.extend(rest.iter().flat_map(|it| untold(it).at));
            row
        }));
        rows
    }
}

fn change(it: &Change) -> Row {
    let words: Vec<_> = it.what.iter().map(|it| it.0.word()).collect();
    let texts: Vec<_> = it.what.iter().map(|it| it.1.as_str()).collect();
    Row {
        spot: Some((it.spot.host.clone(), Some(it.spot.place.clone()))),
        ..Row::new(&words.join(", "), &it.at(), &texts.join("; "), Weight::Fine)
    }
}

fn busy(it: &Busy) -> Row {
    let Busy { ca, renewals, new, limit, .. } = it;
    let (burst, window) = (limit.burst, limit.window());
    let (text, weight) = if it.is_too_many() {
        let text = format!(
            "{new} certificates under it are due within a week that count as new, where {ca} gives \
             out {burst} in {window}: order them on other days"
        );
        (text, Weight::Wrong)
    } else {
        let but = if *new > 0 { format!(", all but {new} of them") } else { String::new() };
        let text = format!(
            "{renewals} renewals under it are due within a week; those are free of the limit of \
             {burst} in {window}{but}, and new sets of names are not"
        );
        (text, Weight::Fine)
    };
    Row { when: Some(it.from), ..Row::new("same domain", it.domain.as_str(), &text, weight) }
}

fn finding(it: &Finding) -> Row {
    let at = diagnose::at(&it.host, it.place.as_ref());
    Row {
        finding: Some(it.id()),
        spot: Some((it.host.clone(), it.place.clone())),
        known: it.ack.as_ref().map(|it| SafeText::new(&it.to_string())),
        cause: (!it.cause.as_str().is_empty()).then(|| it.cause.clone()),
        ..Row::new(it.verdict.word(), &at, it.summary.as_str(), it.verdict.weight())
    }
}

fn ending(it: &Ending, now: Moment) -> Row {
    let left = it.on.since(now);
    let renews = match (it.renews, it.kind) {
        (Some(at), _) if at <= now => "; renewal is due".to_owned(),
        (Some(at), _) => format!("; renewal is due from {}", date(at)),
        (None, EndingKind::Leaf) => "; nothing renews it by itself".to_owned(),
        (None, _) => String::new(),
    };
    let weight = match (left, it.renews, it.kind) {
        (..=0, ..) => Weight::Expired,
        // What renews by itself and is not due yet is as it should be.
        (_, Some(at), _) if at > now => Weight::Fine,
        _ => Weight::Due,
    };
    let means = it.what.map(|it| format!("; {}", it.consequence())).unwrap_or_default();
    let text = format!("{}, {} left{renews}{means}", it.name, human(left));
    Row {
        when: Some(it.on),
        at: it.places.iter().map(|it| SafeText::new(it)).collect(),
        ..Row::new(it.word(), "", &text, weight)
    }
}

/// A host, with others of which the same is to be said.
fn slow(it: &Slow, others: &[&Slow]) -> Row {
    let places = it.places + others.iter().map(|it| it.places).sum::<usize>();
    let text = format!("{}: {}; {}", it.lifetime.name, it.why, many(places, "certificate"));
    let weight = match it.grade {
        Grade::Tight => Weight::Due,
        Grade::TooOften | Grade::TooLate => Weight::Wrong,
    };
    let at = |it: &Slow| SafeText::new(&format!("{} ({})", it.host, it.client));
    let mut row = Row::new(it.grade.word(), at(it).as_str(), &text, weight);
    row.at.extend(others.iter().map(|it| at(it)));
    Row { when: Moment::parse(it.lifetime.from), spot: Some((it.host.clone(), None)), ..row }
}

fn untold(it: &Untold) -> Row {
    let at = format!("{} ({})", it.host, it.client);
    let row = Row::new("unknown", &at, it.why.as_str(), Weight::Unknown);
    Row { spot: Some((it.host.clone(), None)), ..row }
}

/// What has the same key stands together, where the first of it stood.
fn together<T, K: PartialEq>(all: &[T], key: impl Fn(&T) -> K) -> Vec<(&T, Vec<&T>)> {
    let mut found: Vec<(&T, Vec<&T>)> = Vec::new();
    for it in all {
        match found.iter_mut().find(|(first, _)| key(first) == key(it)) {
            Some((_, rest)) => rest.push(it),
            None => found.push((it, Vec::new())),
        }
    }
    found
}

/// The section in which many hosts say the same.
const LIFETIMES_KEY: &str = "lifetimes";

/// With a capital letter at its beginning.
fn capital(text: &str) -> String {
    let mut text = text.to_owned();
    if let Some(first) = text.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    text
}

/// The hosts that are named in a sentence.
const NAMED: usize = 8;

#[cfg(test)]
mod tests {
    use super::super::sample::{NOW, fleet, host, leaf, place};
    use super::*;
    use crate::diagnose::diagnose;
    use crate::review::{Asked, Since};

    /// Many hosts with one timer filled page after page with one sentence.
    #[test]
    fn on_a_page_hosts_of_which_the_same_is_said_share_a_row() {
        let weekly = |name: &str, places: usize| {
            let tags = ["a", "b"].into_iter().take(places);
            let places = tags.map(|it| place(it, leaf(it, &["www.example.net"], 90, 80)));
            let mut it = host(name, places.collect());
            it.automation[0].version = Some(SafeText::new("5.6.0"));
            it.automation[0].schedule.triggers[0].calendar = Some(SafeText::new("0 3 * * 1"));
            it
        };
        let mut other = weekly("web-04", 1);
        other.automation[0].schedule.triggers[0].calendar = Some(SafeText::new("0 3 1 * *"));
        let mut unknown = ["web-05", "web-06"].map(|it| weekly(it, 1));
        for it in &mut unknown {
            it.automation[0].schedule.triggers.clear();
        }
        let [fifth, sixth] = unknown;
        let all = [weekly("web-01", 1), weekly("web-02", 2), weekly("web-03", 1), other, fifth];
        let fleet = fleet(all.into_iter().chain([sixth]));
        let (diagnosis, dry_runs) = (diagnose(&fleet, NOW), std::collections::HashMap::new());
        let review = Review::of(&Asked {
            fleet: &fleet,
            diagnosis: &diagnosis,
            issuers: &[],
            since: Since::Beginning,
            dry_runs: &dry_runs,
            now: NOW,
        });
        let told = |sections: Vec<Section>| {
            let rows = sections.into_iter().find(|it| it.key == LIFETIMES_KEY).unwrap().rows;
            let told = |it: &Row| format!("{} | {} | {}", it.what, it.places(2), it.text);
            rows.iter().map(told).collect::<Vec<_>>()
        };
        insta::assert_snapshot!(told(review.pages()).join("\n"));
        // Where a row is chosen, each host keeps its own.
        assert_eq!(told(review.sections()).len(), 18);
    }
}
