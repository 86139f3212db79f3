//! The rows of the timeline: everything that expires, filtered, sorted, grouped. Built when data,
//! filter or order change, never per frame; holds nothing that depends on the size of a screen.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use unicode_width::UnicodeWidthStr as _;

use crate::diagnose::Diagnosis;
use crate::filter::{Candidate, Filter};
use crate::fleet::{
    Certificate, DAY, Expiry, Fleet, Host, HostName, Moment, Place, PlaceName, Reach, Verdict,
    Weight,
};
use crate::text::SafeText;

/// What a row is, whatever its position: selection and marks follow it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RowId {
    /// One of the other things that expire.
    Expiry(SafeText),
    /// A group, by its title.
    Group(String),
    /// A host of which no place is known.
    Host(HostName),
    /// A place.
    Place {
        /// Its host.
        host: HostName,
        /// The kind of source that told of it.
        source: &'static str,
        /// Its name on the host.
        place: PlaceName,
    },
}

impl RowId {
    /// The host it is about.
    pub const fn host(&self) -> Option<&HostName> {
        match self {
            Self::Host(host) | Self::Place { host, .. } => Some(host),
            Self::Expiry(_) | Self::Group(_) => None,
        }
    }
}

/// One line of the timeline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// What it is.
    pub id: RowId,
    /// What is to be said of it; of a group, of its worst child.
    pub verdict: Verdict,
    /// The name to show: of the certificate, of the thing, of the group.
    pub title: SafeText,
    /// From when to when; `None` if that is not known.
    pub life: Option<Life>,
    /// Why there is no life to draw.
    pub note: Option<SafeText>,
    /// When its host was last read.
    pub seen_at: Option<Moment>,
    /// Whether the last visit to its host failed, so that this is older knowledge.
    pub is_stale: bool,
    /// Of a group, how many rows are in it.
    pub members: u32,
    /// Whether it is a group whose rows are hidden.
    pub is_folded: bool,
    /// How far it is set in: 1 inside of a group.
    pub depth: u8,
}

impl Row {
    /// A row of which nothing more is known yet.
    fn new(id: RowId) -> Self {
        Self {
            id,
            verdict: Verdict::Unknown,
            title: SafeText::default(),
            life: None,
            note: None,
            seen_at: None,
            is_stale: false,
            members: 0,
            is_folded: false,
            depth: 0,
        }
    }

    /// How it is drawn.
    pub const fn weight(&self) -> Weight {
        self.verdict.weight()
    }

    /// Seconds until the first of its ends.
    pub fn left(&self, now: Moment) -> Option<i64> {
        self.life.map(|it| it.ends().since(now))
    }
}

/// The moments of one life that are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Life {
    /// Its beginning, if it has one.
    pub from: Option<Moment>,
    /// From when it should be renewed.
    pub due: Option<Moment>,
    /// When an intermediate ends, if that is before `until`.
    pub chain_until: Option<Moment>,
    /// Its end.
    pub until: Moment,
}

impl Life {
    /// The first of its ends.
    pub fn ends(&self) -> Moment {
        self.chain_until.map_or(self.until, |it| it.min(self.until))
    }
}

/// In which order rows stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Sort {
    /// Worst and unknown first, then what ends first.
    #[default]
    Urgency,
    /// What ends first.
    Left,
    /// By host.
    Host,
    /// By name.
    Name,
    /// By who signed.
    Issuer,
    /// What was not looked at for the longest time first.
    Age,
}

impl Sort {
    /// Every order.
    pub const ALL: [Self; 6] =
        [Self::Urgency, Self::Left, Self::Host, Self::Name, Self::Issuer, Self::Age];

    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Urgency => "urgency",
            Self::Left => "time left",
            Self::Host => "host",
            Self::Name => "name",
            Self::Issuer => "issuer",
            Self::Age => "age",
        }
    }
}

/// What rows are gathered by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum GroupBy {
    /// Not at all.
    #[default]
    Nothing,
    /// By host.
    Host,
    /// By the first group of the host.
    Group,
    /// By who signed.
    Issuer,
    /// By the names that are covered.
    Names,
    /// By verdict.
    Verdict,
}

impl GroupBy {
    /// Every way.
    pub const ALL: [Self; 6] =
        [Self::Nothing, Self::Host, Self::Group, Self::Issuer, Self::Names, Self::Verdict];

    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Host => "host",
            Self::Group => "group",
            Self::Issuer => "issuer",
            Self::Names => "name set",
            Self::Verdict => "verdict",
        }
    }
}

/// How rows are put in order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Arrangement {
    /// The order.
    pub sort: Sort,
    /// What is gathered.
    pub group: GroupBy,
    /// The titles of the groups whose rows are hidden.
    pub folded: BTreeSet<String>,
}

/// All rows, in order.
#[derive(Debug, Clone, Default)]
pub struct Rows {
    lines: Vec<Row>,
    /// Every known end, soonest first, groups aside: for herds and for "so many before this".
    ends: Vec<Moment>,
    counts: [usize; 5],
    total: usize,
    host_width: u16,
    title_width: u16,
}

impl Rows {
    /// Takes from the fleet what the filter keeps, and puts it in order.
    pub fn build(
        fleet: &Fleet,
        diagnosis: &Diagnosis,
        filter: &Filter,
        arrangement: &Arrangement,
        now: Moment,
    ) -> Self {
        let mut all = drafts(fleet, diagnosis, now);
        let total = all.len();
        all.retain(|it| filter.keeps(&it.candidate(now)));
        let mut rows = Self { total, ..Self::default() };
        for draft in &all {
            rows.measure(&draft.row);
        }
        rows.ends.sort_unstable();
        sort(&mut all, arrangement.sort);
        if arrangement.group == GroupBy::Nothing {
            rows.lines = all.into_iter().map(|it| it.row).collect();
        } else {
            rows.lines = gather(all, arrangement);
            rows.host_width = rows.host_width.saturating_add(INSET);
        }
        rows
    }

    /// How many lines there are.
    pub fn len(&self) -> usize {
        self.lines.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// The line at that position.
    pub fn get(&self, position: usize) -> Option<&Row> {
        self.lines.get(position)
    }

    /// The lines, in order.
    pub fn iter(&self) -> std::slice::Iter<'_, Row> {
        self.lines.iter()
    }

    /// Where a row stands now.
    pub fn position(&self, id: &RowId) -> Option<usize> {
        self.lines.iter().position(|it| it.id == *id)
    }

    /// How many things of that weight the filter keeps, folded or not.
    pub fn count(&self, weight: Weight) -> usize {
        self.counts.get(weight as usize).copied().unwrap_or(0)
    }

    /// How many things the filter keeps, folded or not.
    pub fn shown(&self) -> usize {
        self.counts.iter().sum()
    }

    /// How many things there are without the filter.
    pub const fn total(&self) -> usize {
        self.total
    }

    /// How many things end before that moment.
    pub fn ending_before(&self, moment: Moment) -> usize {
        self.ends.partition_point(|it| *it < moment)
    }

    /// The first and the last end, if any is known.
    pub fn ends(&self) -> Option<(Moment, Moment)> {
        Some((*self.ends.first()?, *self.ends.last()?))
    }

    /// The widest host name, in cells, set in as it is.
    pub const fn host_width(&self) -> u16 {
        self.host_width
    }

    /// The widest title, in cells.
    pub const fn title_width(&self) -> u16 {
        self.title_width
    }

    fn measure(&mut self, row: &Row) {
        if let Some(count) = self.counts.get_mut(row.weight() as usize) {
            *count += 1;
        }
        self.ends.extend(row.life.map(|it| it.ends()));
        let host = row.id.host().map_or(0, |it| it.as_str().width());
        let cells = |it: usize| u16::try_from(it).unwrap_or(u16::MAX);
        self.host_width = self.host_width.max(cells(host));
        self.title_width = self.title_width.max(cells(row.title.as_str().width()));
    }
}

impl<'a> IntoIterator for &'a Rows {
    type Item = &'a Row;
    type IntoIter = std::slice::Iter<'a, Row>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// How many cells the rows of a group are set in.
pub const INSET: u16 = 2;

/// A row with what it is ordered and filtered by.
struct Draft<'a> {
    row: Row,
    host: Cow<'a, Host>,
    place: Option<&'a Place>,
}

impl<'a> Draft<'a> {
    fn place(host: &'a Host, place: &'a Place, verdict: Verdict) -> Self {
        let is_stale = matches!(host.reach, Reach::Down(_));
        let leaf = place.leaf();
        let note = leaf.is_none().then(|| {
            let problem = place.problems.first();
            problem.map_or_else(|| SafeText::new("no certificate"), |it| it.text.clone())
        });
        let row = Row {
            verdict: if is_stale { verdict.max(Verdict::Unreachable) } else { verdict },
            title: title(place),
            life: leaf.map(|it| Life {
                from: Some(it.not_before),
                due: Some(place.renewal_opens(it)),
                chain_until: place
                    .nearest()
                    .and_then(|it| it.chain.weakest())
                    .map(|it| it.not_after),
                until: it.not_after,
            }),
            note,
            seen_at: host.seen_at,
            is_stale,
            ..Row::new(RowId::Place {
                host: host.name.clone(),
                source: place.source,
                place: place.name.clone(),
            })
        };
        Self { row, host: Cow::Borrowed(host), place: Some(place) }
    }

    fn host(host: &'a Host, found: Verdict) -> Self {
        let (least, note) = match &host.reach {
            Reach::Never => (Verdict::Unknown, SafeText::new("not read yet")),
            Reach::Up => (Verdict::Ok, SafeText::new("no certificates found")),
            Reach::Down(it) => (Verdict::Unreachable, it.text.clone()),
        };
        let row = Row {
            verdict: found.max(least),
            note: Some(note),
            seen_at: host.seen_at,
            is_stale: matches!(host.reach, Reach::Down(_)),
            ..Row::new(RowId::Host(host.name.clone()))
        };
        Self { row, host: Cow::Borrowed(host), place: None }
    }

    fn expiry(expiry: &Expiry, now: Moment) -> Self {
        let due = expiry.on.plus(-NOTICE);
        let verdict = match expiry.on.since(now) {
            ..0 => Verdict::Expired,
            0..NOTICE => Verdict::Due,
            _ => Verdict::Ok,
        };
        let row = Row {
            verdict,
            title: expiry.name.clone(),
            note: expiry.kind.map(|it| SafeText::new(it.word())),
            life: Some(Life { from: None, due: Some(due), chain_until: None, until: expiry.on }),
            ..Row::new(RowId::Expiry(expiry.name.clone()))
        };
        // The filter knows hosts and places: it is shown a host of that name.
        let host = Host::new(HostName::new(expiry.name.as_str()), "", &[]);
        Self { row, host: Cow::Owned(host), place: None }
    }

    fn candidate(&self, now: Moment) -> Candidate<'_> {
        Candidate { host: &self.host, place: self.place, verdict: self.row.verdict, now }
    }

    fn leaf(&self) -> Option<&'a Certificate> {
        self.place.and_then(Place::leaf)
    }

    fn authority(&self) -> &'a str {
        self.leaf().map_or("", Certificate::authority)
    }

    /// The end as a key: what has none comes last.
    fn ends(&self) -> Moment {
        self.row.life.map_or(Moment::from_unix(i64::MAX), |it| it.ends())
    }

    /// The title of the group it belongs to.
    fn group(&self, by: GroupBy) -> String {
        let text = match by {
            GroupBy::Nothing => "",
            GroupBy::Host => self.row.id.host().map_or("", HostName::as_str),
            GroupBy::Group => self.host.groups.first().map_or("", String::as_str),
            GroupBy::Issuer => self.authority(),
            GroupBy::Names => return self.names(),
            GroupBy::Verdict => self.row.verdict.word(),
        };
        or_none(text, by)
    }

    fn names(&self) -> String {
        let Some(leaf) = self.leaf() else { return or_none("", GroupBy::Names) };
        let names: BTreeSet<&str> = leaf.names.iter().map(SafeText::as_str).collect();
        let text: Vec<&str> = names.into_iter().collect();
        or_none(&text.join(", "), GroupBy::Names)
    }
}

/// What to call the group of what has no such thing.
fn or_none(text: &str, by: GroupBy) -> String {
    if text.is_empty() { format!("no {}", by.word()) } else { text.to_owned() }
}

/// How long before its end something that is no certificate is due: nothing says how long it
/// lives, and a token or a domain is renewed by people, who need a month's notice.
const NOTICE: i64 = 30 * DAY;

/// A lineage has a name for people; a file is better known by the name it certifies.
fn title(place: &Place) -> SafeText {
    let name = place.name.as_str();
    let Some((_, file)) = name.rsplit_once('/') else { return place.name.clone() };
    match place.leaf().and_then(|it| it.names.first()) {
        Some(first) => SafeText::new(&format!("{first} ({file})")),
        None => SafeText::new(file),
    }
}

fn drafts<'a>(fleet: &'a Fleet, diagnosis: &Diagnosis, now: Moment) -> Vec<Draft<'a>> {
    let mut verdicts = diagnosis.places.iter();
    let mut of_hosts = diagnosis.hosts.iter();
    let mut drafts = Vec::with_capacity(diagnosis.places.len());
    for host in fleet.hosts() {
        let of_host = of_hosts.next().copied().unwrap_or(Verdict::Unknown);
        for place in &host.places {
            let verdict = verdicts.next().copied().unwrap_or(Verdict::Unknown);
            drafts.push(Draft::place(host, place, verdict));
        }
        if host.places.is_empty() {
            drafts.push(Draft::host(host, of_host));
        }
    }
    drafts.extend(fleet.expiries.iter().map(|it| Draft::expiry(it, now)));
    drafts
}

/// Puts rows in order. Stable: what is equal stays in the order of hosts and places.
fn sort(all: &mut [Draft<'_>], by: Sort) {
    match by {
        Sort::Urgency => all.sort_by_key(|it| (Reverse(it.row.weight()), it.ends())),
        Sort::Left => all.sort_by_key(Draft::ends),
        Sort::Host => all.sort_by(|a, b| by_host(a).cmp(&by_host(b))),
        Sort::Name => all.sort_by(|a, b| a.row.title.cmp(&b.row.title)),
        Sort::Issuer => all.sort_by_key(|it| (it.authority(), it.ends())),
        Sort::Age => all.sort_by_key(|it| (it.row.id.host().is_none(), it.row.seen_at)),
    }
}

/// What belongs to no host comes last.
fn by_host<'a>(draft: &'a Draft<'_>) -> (bool, Option<&'a HostName>) {
    let host = draft.row.id.host();
    (host.is_none(), host)
}

/// Gathers rows under headings. Groups stand in the order of their first rows.
fn gather(all: Vec<Draft<'_>>, arrangement: &Arrangement) -> Vec<Row> {
    let mut groups: Vec<(String, Vec<Row>)> = Vec::new();
    let mut known: BTreeMap<String, usize> = BTreeMap::new();
    for draft in all {
        let title = draft.group(arrangement.group);
        let index = *known.entry(title).or_insert_with_key(|title| {
            groups.push((title.clone(), Vec::new()));
            groups.len() - 1
        });
        if let Some((_, rows)) = groups.get_mut(index) {
            rows.push(Row { depth: 1, ..draft.row });
        }
    }
    let mut gathered = Vec::new();
    for (title, rows) in groups {
        let is_folded = arrangement.folded.contains(&title);
        gathered.push(heading(title, &rows, is_folded));
        if !is_folded {
            gathered.extend(rows);
        }
    }
    gathered
}

/// The line over a group. Folded, it draws the worst of its rows.
fn heading(title: String, rows: &[Row], is_folded: bool) -> Row {
    let heading = Row {
        title: SafeText::new(&title),
        members: u32::try_from(rows.len()).unwrap_or(u32::MAX),
        is_folded,
        ..Row::new(RowId::Group(title))
    };
    let worst = rows.iter().min_by_key(|it| {
        (Reverse(it.verdict.weight()), it.life.map_or(i64::MAX, |it| it.ends().unix()))
    });
    let Some(worst) = worst else { return heading };
    let verdict = worst.verdict;
    if !is_folded {
        return Row { verdict, ..heading };
    }
    Row {
        verdict,
        life: worst.life,
        note: worst.note.clone(),
        seen_at: worst.seen_at,
        is_stale: worst.is_stale,
        ..heading
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::sample::{self, NOW};

    fn build(arrangement: &Arrangement) -> Rows {
        let (fleet, diagnosis) = sample::prod_eu();
        Rows::build(&fleet, &diagnosis, &Filter::default(), arrangement, NOW)
    }

    fn sorted(sort: Sort) -> Rows {
        build(&Arrangement { sort, ..Arrangement::default() })
    }

    #[test]
    fn the_worst_comes_first_and_then_what_ends_first() {
        let rows = sorted(Sort::Urgency);
        let keys: Vec<_> = rows.iter().map(|it| (Reverse(it.weight()), it.left(NOW))).collect();
        let mut expect = keys.clone();
        expect.sort_by_key(|it| (it.0, it.1.unwrap_or(i64::MAX)));
        assert_eq!(keys, expect);
        assert_eq!(keys[0].0, Reverse(Weight::Expired));
    }

    #[test]
    fn every_order_is_in_order() {
        let hosts = sorted(Sort::Host);
        let hosts: Vec<_> = hosts.iter().map_while(|it| it.id.host()).collect();
        assert!(hosts.is_sorted() && hosts.len() == 43);
        assert!(sorted(Sort::Name).iter().map(|it| &it.title).is_sorted());
        assert!(sorted(Sort::Left).iter().map_while(|it| it.left(NOW)).is_sorted());
        assert!(sorted(Sort::Age).iter().map_while(|it| it.seen_at).is_sorted());
        let first = sorted(Sort::Age);
        assert_eq!(first.get(0).unwrap().id.host().unwrap().as_str(), "edge-syd-1");
    }

    #[test]
    fn a_row_is_found_wherever_it_moves() {
        let rows = sorted(Sort::Urgency);
        let id = rows.get(7).unwrap().id.clone();
        assert_eq!(rows.position(&id), Some(7));
        let moved = sorted(Sort::Name);
        let position = moved.position(&id).unwrap();
        assert_eq!(moved.get(position).unwrap().id, id);
    }

    #[test]
    fn groups_keep_every_row_and_fold_to_the_worst() {
        for group in GroupBy::ALL {
            let mut arrangement = Arrangement { group, ..Arrangement::default() };
            let open = build(&arrangement);
            let headings: Vec<_> = open.iter().filter(|it| it.members > 0).collect();
            assert_eq!(open.len() - headings.len(), open.shown(), "{group:?}");
            let members: u32 = headings.iter().map(|it| it.members).sum();
            assert!(group == GroupBy::Nothing || members as usize == open.shown());
            for it in &headings {
                let RowId::Group(title) = &it.id else { panic!("{it:?}") };
                arrangement.folded.insert(title.clone());
            }
            let folded = build(&arrangement);
            assert_eq!(folded.shown(), open.shown());
            assert!(group == GroupBy::Nothing || folded.len() == headings.len());
        }
    }

    #[test]
    fn a_folded_group_draws_its_worst_row() {
        let folded = BTreeSet::from(["edge-fra-2".to_owned()]);
        let rows = build(&Arrangement { group: GroupBy::Host, folded, ..Arrangement::default() });
        let position = rows.position(&RowId::Group("edge-fra-2".to_owned())).unwrap();
        let row = rows.get(position).unwrap();
        assert_eq!((row.verdict, row.members, row.is_folded), (Verdict::Overdue, 3, true));
        assert_eq!(row.left(NOW), Some(39 * 3600 + 1800));
    }

    #[test]
    fn a_host_that_is_down_is_never_fine() {
        let rows = sorted(Sort::Host);
        let down: Vec<_> = rows.iter().filter(|it| it.is_stale).collect();
        assert_eq!(down.len(), 3);
        assert!(down.iter().all(|it| it.weight() == Weight::Unknown && it.seen_at.is_some()));
    }

    #[test]
    fn ends_are_counted() {
        let rows = sorted(Sort::Urgency);
        assert_eq!(rows.ending_before(NOW), 1);
        assert_eq!(rows.ending_before(NOW.plus(39 * 3600 + 1801)), 2);
        let counted: usize =
            [Weight::Fine, Weight::Due, Weight::Unknown, Weight::Wrong, Weight::Expired]
                .into_iter()
                .map(|it| rows.count(it))
                .sum();
        assert_eq!((counted, rows.total()), (45, 45));
    }

    #[test]
    fn an_intermediate_that_ends_first_is_the_end() {
        let rows = sorted(Sort::Name);
        let row = rows.iter().find(|it| it.title == "idp.example.com").unwrap();
        assert_eq!(row.left(NOW), Some(33 * DAY));
    }
}
