//! What every screen looks at: the fleet, what is to be said of it, and the choices that hold on
//! all screens. Rebuilt when data or choices change, never per frame.

use std::collections::{BTreeSet, HashSet};
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use super::book::Book;
use super::checks::Looks;
use super::guided::Guided;
use super::jobs::{JobId, Jobs};
use super::keys::Keymap;
use super::mask::Mask;
use super::part::Page;
use super::part::hosts::{self, HostRow};
use super::rows::{Arrangement, RowId, Rows};
use super::theme::Theme;
use crate::action::{DRY_RUN, Find};
use crate::budget::{Bucket, History};
use crate::diagnose::{Ack, Cause, Diagnosis, Finding, diagnose, gather};
use crate::drill::Drill;
use crate::filter::Filter;
use crate::fleet::{Fleet, Host, HostName, Moment, Place, Verdict};
use crate::inventory::Inventory;
use crate::review::{Asked, Mark, Review, Since};
use crate::text::SafeText;

/// What every screen looks at.
#[derive(Debug)]
pub struct Desk {
    /// What we were told.
    pub inventory: Arc<Inventory>,
    /// What is known.
    pub fleet: Fleet,
    /// What is to be said of it.
    pub diagnosis: Diagnosis,
    /// Which of it is shown.
    pub filter: Filter,
    /// The filter as it was typed.
    pub filter_text: String,
    /// In which order.
    pub arrangement: Arrangement,
    /// The rows of the timeline.
    pub rows: Rows,
    /// The rows of the hosts.
    pub hosts: Vec<HostRow>,
    /// What was found of all that is shown.
    pub findings: Vec<Finding>,
    /// The same, by cause.
    pub causes: Vec<Cause>,
    /// What somebody has said about findings.
    pub acks: Vec<Ack>,
    /// The last review that was signed off.
    pub mark: Option<Mark>,
    /// The review of what is known, once somebody has asked for it.
    pub review: Option<Review>,
    /// Who works here, as the audit log names them.
    pub who: String,
    /// What is being changed, and what was.
    pub jobs: Jobs,
    /// The lines of that.
    pub job_lines: Vec<JobId>,
    /// What was looked at before orders.
    pub looks: Looks,
    /// The audit log as it was last read.
    pub book: Book,
    /// What is known to have happened at CAs, as long as nothing else was seen.
    history: OnceLock<History>,
    /// What is left of limits of which something is used, the scarcest first.
    buckets: OnceLock<Vec<Bucket>>,
    /// By which words it is searched.
    pub search: String,
    /// The numbers of the records that have them, newest first.
    pub found: Vec<u64>,
    /// The guided run that this console is at.
    pub guide: Option<Guided>,
    /// The drill that somebody is at, where nothing is real.
    pub drill: Option<Drill>,
    /// Which rows of the timeline are marked.
    pub marks: BTreeSet<RowId>,
    /// The present, as of the last message.
    pub now: Moment,
    /// How things look.
    pub theme: Theme,
    /// The keys in force, to tell of them.
    pub keymap: Keymap,
    /// Pseudonyms, if names are to be hidden.
    pub mask: Option<Mask>,
    /// The `ssh_config` that is used instead of ssh's own.
    pub ssh_config: Option<PathBuf>,
}

impl Desk {
    /// A desk with that fleet on it.
    pub fn new(inventory: Arc<Inventory>, fleet: Fleet, theme: Theme, now: Moment) -> Self {
        let mut desk = Self {
            inventory,
            fleet,
            diagnosis: Diagnosis::default(),
            filter: Filter::default(),
            filter_text: String::new(),
            arrangement: Arrangement::default(),
            rows: Rows::default(),
            hosts: Vec::new(),
            findings: Vec::new(),
            causes: Vec::new(),
            acks: Vec::new(),
            mark: None,
            review: None,
            who: String::new(),
            jobs: Jobs::default(),
            job_lines: Vec::new(),
            looks: Looks::default(),
            book: Book::default(),
            history: OnceLock::new(),
            buckets: OnceLock::new(),
            search: String::new(),
            found: Vec::new(),
            guide: None,
            drill: None,
            marks: BTreeSet::new(),
            now,
            theme,
            keymap: Keymap::default(),
            mask: None,
            ssh_config: None,
        };
        desk.judge();
        desk
    }

    /// What is known to have happened at CAs. Made when it is first asked for: whoever only looks
    /// at the timeline does not wait for it.
    pub fn history(&self) -> &History {
        let told = || self.inventory.order_limits();
        let kept = || self.book.at_cas().to_vec();
        self.history.get_or_init(|| {
            let history = History::new(&self.fleet, &told(), kept(), self.now);
            history.with_tries(self.book.tries().to_vec())
        })
    }

    /// What is left of limits of which something is used, the scarcest first.
    pub fn buckets(&self) -> &Vec<Bucket> {
        self.buckets.get_or_init(|| self.history().buckets(self.now))
    }

    /// Judges the fleet at the present, and arranges what is shown.
    pub fn judge(&mut self) {
        (self.history, self.buckets) = (OnceLock::new(), OnceLock::new());
        if let Some(mask) = &mut self.mask {
            mask.learn(&self.fleet);
        }
        self.diagnosis = diagnose(&self.fleet, self.now);
        self.diagnosis.acknowledge(&self.acks, self.now);
        self.arrange();
        self.settle_guide();
        self.settle_drill();
        if self.review.is_some() {
            self.look_back();
        }
    }

    /// Finds out whether the drill is solved.
    fn settle_drill(&mut self) {
        let Some(mut drill) = self.drill.take() else { return };
        let (inventory, fleet, history) = (&self.inventory, &self.fleet, self.history());
        drill.look(Find { inventory, fleet, history, now: self.now });
        self.drill = Some(drill);
    }

    /// Whether nothing here is real.
    pub fn is_practice(&self) -> bool {
        self.inventory.defaults.practice
    }

    /// Makes the review of what is known. From here on it is kept up to date.
    pub fn look_back(&mut self) {
        let dry_runs = self.book.last_done(DRY_RUN);
        self.review = Some(Review::of(&Asked {
            fleet: &self.fleet,
            diagnosis: &self.diagnosis,
            issuers: &self.inventory.issuers,
            since: self.mark.as_ref().map_or(Since::Beginning, Since::Mark),
            dry_runs: &dry_runs,
            now: self.now,
        }));
    }

    /// Takes from what is known what the filter keeps, in order.
    pub fn arrange(&mut self) {
        let Self { fleet, diagnosis, filter, arrangement, now, .. } = self;
        // Folding hides rows, not findings.
        self.rows = Rows::build(fleet, diagnosis, filter, arrangement, *now);
        self.hosts = hosts::rows(fleet, diagnosis, filter, *now);
        let kept: HashSet<&HostName> = self.hosts.iter().map(|it| &it.name).collect();
        self.findings =
            diagnosis.findings.iter().filter(|it| kept.contains(&it.host)).cloned().collect();
        self.causes = gather(&self.findings);
    }

    /// Takes another inventory; what is known of hosts that are still in it stays known.
    pub fn take_inventory(&mut self, inventory: Arc<Inventory>) {
        let mut fleet = inventory.fleet();
        for known in self.fleet.hosts() {
            let Some(new) = fleet.host(&known.name) else { continue };
            // Under another address it may be another machine.
            if new.address == known.address {
                let host = Host { groups: new.groups.clone(), ..known.clone() };
                fleet.recall(host);
            }
        }
        // So do the hosts of fleets that are still in it.
        for by in inventory.fleets.iter().map(|it| SafeText::new(&it.name)) {
            let is_told = |it: &&Host| it.told.as_ref().is_some_and(|it| it.by == by);
            let hosts: Vec<_> = self.fleet.hosts().filter(is_told).cloned().collect();
            fleet.tell(&by, hosts);
        }
        fleet.scanned_at = self.fleet.scanned_at;
        fleet.unattended_at = self.fleet.unattended_at;
        fleet.learn(self.fleet.windows());
        self.fleet = fleet;
        self.inventory = inventory;
        self.judge();
    }

    /// Takes in the audit log as it was read, and what it has no outcome of.
    pub fn take_book(&mut self, book: Book) {
        for intent in book.open() {
            let Some(host) = intent.text("host") else { continue };
            let at = (
                HostName::new(SafeText::new(host).as_str()),
                intent.text("lineage").map(SafeText::new),
            );
            let action = SafeText::new(intent.text("action").unwrap_or("unknown"));
            self.jobs.learn_open(action.as_str(), intent.op, at, intent.at);
        }
        self.jobs.settle(|op| book.end_of(op));
        self.book = book;
        (self.history, self.buckets) = (OnceLock::new(), OnceLock::new());
        self.found = self.book.search(&self.search);
        self.list_jobs();
        self.learn_guide();
    }

    /// Searches the audit log for other words.
    pub fn search_audit(&mut self, words: String) {
        self.found = self.book.search(&words);
        self.search = words;
    }

    /// Lists the jobs anew, after there are others.
    pub fn list_jobs(&mut self) {
        self.job_lines = self.jobs.lines();
    }

    /// The row of a place by its name, or of the host.
    pub fn row_at(&self, host: &HostName, place: Option<&str>) -> Option<RowId> {
        let known = self.fleet.host(host)?;
        let place = known.places.iter().find(|it| Some(it.name.as_str()) == place);
        let host = host.clone();
        Some(match place {
            Some(it) => RowId::Place { host, source: it.source, place: it.name.clone() },
            None => RowId::Host(host),
        })
    }

    /// What parts need to draw.
    pub fn page(&self) -> Page<'_> {
        Page { theme: &self.theme, mask: self.mask.as_ref() }
    }

    /// Whether there is a filter.
    pub fn is_filtered(&self) -> bool {
        !self.filter_text.trim().is_empty()
    }

    /// The host and place of a row.
    pub fn find(&self, id: &RowId) -> Option<(&Host, Option<&Place>)> {
        let host = self.fleet.host(id.host()?)?;
        let RowId::Place { source, place, .. } = id else { return Some((host, None)) };
        let place = host.places.iter().find(|it| it.name == *place && it.source == *source)?;
        Some((host, Some(place)))
    }

    /// The verdict of a row, and what was found of it.
    pub fn findings_of(&self, id: &RowId) -> (Verdict, Vec<&Finding>) {
        let name = match id {
            RowId::Place { place, .. } => Some(place),
            _ => None,
        };
        let found: Vec<_> = self
            .diagnosis
            .findings
            .iter()
            .filter(|it| Some(&it.host) == id.host())
            .filter(|it| name.is_none() || it.place.is_none() || it.place.as_ref() == name)
            .collect();
        let worst = found.iter().map(|it| it.verdict).max().unwrap_or(Verdict::Ok);
        let row = self.rows.iter().find(|it| it.id == *id);
        (row.map_or(worst, |it| it.verdict), found)
    }

    /// The row of what a finding is about.
    pub fn row_of(&self, finding: &Finding) -> RowId {
        let host = finding.host.clone();
        let place = finding.place.as_ref().and_then(|name| {
            let host = self.fleet.host(&finding.host)?;
            host.places.iter().find(|it| it.name == *name)
        });
        match place {
            Some(it) => RowId::Place { host, source: it.source, place: it.name.clone() },
            None => RowId::Host(host),
        }
    }

    /// How many marked rows the filter hides.
    pub fn hidden_marks(&self) -> usize {
        let shown: HashSet<&RowId> = self.rows.iter().map(|it| &it.id).collect();
        self.marks.iter().filter(|it| !shown.contains(it)).count()
    }
}
