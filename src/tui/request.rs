//! What somebody asks for before there is a plan: an action, where, and what was chosen about it.

use std::collections::HashSet;

use uuid::Uuid;

use super::desk::Desk;
use super::rows::RowId;
use crate::action::{self, Chosen, Find, Kind, Plan, Refusal, Review, Subject, Target};
use crate::diagnose::Remedy;
use crate::fleet::HostName;

/// An action, where, and what was chosen about it.
#[derive(Debug, Clone)]
pub struct Request {
    /// The action.
    pub kind: &'static Kind,
    /// Where. Those that the filter hides come first.
    pub targets: Vec<Wanted>,
    /// What was chosen.
    pub chosen: Chosen,
    /// Whether somebody has had the choice.
    pub is_filled: bool,
    /// The guided run that it is part of.
    pub guide: Option<Uuid>,
    /// The roll-out that it goes on with.
    pub rollout: Option<Uuid>,
}

/// Where something is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// The host.
    pub host: HostName,
    /// The name of the lineage, if it is about one.
    pub lineage: Option<String>,
    /// Whether the filter hides it.
    pub is_hidden: bool,
}

/// What an action comes to at one target.
#[derive(Debug)]
pub struct Planned {
    /// Where.
    pub target: Wanted,
    /// What would happen, or why not.
    pub plan: Result<Plan, Refusal>,
}

impl Request {
    /// An action at these rows: at their places, their hosts, or every place of a host, whatever
    /// it is about.
    pub fn new(kind: &'static Kind, rows: &[RowId], desk: &Desk) -> Self {
        let shown: HashSet<&RowId> = desk.rows.iter().map(|it| &it.id).collect();
        let mut targets: Vec<Wanted> = Vec::new();
        for row in rows {
            let is_hidden = desk.marks.contains(row) && !shown.contains(row);
            for (host, lineage) in places(kind.subject, row, desk) {
                let is_known = |it: &Wanted| it.host == host && it.lineage == lineage;
                if !targets.iter().any(is_known) {
                    targets.push(Wanted { host, lineage, is_hidden });
                }
            }
        }
        targets.sort_by_key(|it| !it.is_hidden);
        Self {
            kind,
            targets,
            chosen: Chosen::default(),
            is_filled: false,
            guide: None,
            rollout: None,
        }
    }

    /// What would mend something, at every place where it would; `None` if no action of that name
    /// is known. What the first remedy chooses holds for all.
    pub fn mending(remedies: &[&Remedy]) -> Option<Self> {
        let first = remedies.first()?;
        let kind = action::named(first.action)?;
        let mut targets: Vec<Wanted> = Vec::new();
        for it in remedies {
            let place = it.place.as_ref().filter(|_| kind.subject != Subject::Host);
            let lineage = place.map(ToString::to_string);
            let wanted = Wanted { host: it.host.clone(), lineage, is_hidden: false };
            if !targets.contains(&wanted) {
                targets.push(wanted);
            }
        }
        let mut chosen = Chosen::default();
        for (name, value) in &first.chosen {
            chosen.set(name, value.as_str());
        }
        Some(Self { kind, targets, chosen, is_filled: true, guide: None, rollout: None })
    }

    /// An action at targets that are known by name, with choices that were made.
    pub fn at(kind: &'static Kind, targets: Vec<Wanted>, chosen: Chosen) -> Self {
        Self { kind, targets, chosen, is_filled: true, guide: None, rollout: None }
    }

    /// What it comes to now, target by target.
    pub fn plan(&self, desk: &Desk) -> Vec<Planned> {
        let plan = |wanted: &Wanted| {
            let plan = with_target(wanted, desk, |it| self.kind.plan(it, &self.chosen));
            let plan = plan.or_else(|| find(desk).elsewhere(&wanted.host).map(Err));
            Some(Planned { target: wanted.clone(), plan: plan? })
        };
        self.targets.iter().filter_map(plan).collect()
    }

    /// Why it can be done at none of its targets, whatever is chosen.
    pub fn refusal(&self, desk: &Desk) -> Option<String> {
        let planned = self.plan(desk);
        let mut refusals = planned.iter().map(|it| it.plan.as_ref().err());
        let first = refusals.next().map_or_else(
            || Some(NOWHERE.to_owned()),
            |it| {
                // What is missing may still be chosen.
                Some(it.filter(|it| !it.why.may_be_chosen())?.text.clone())
            },
        )?;
        refusals.all(|it| it.is_some_and(|it| !it.why.may_be_chosen())).then_some(first)
    }
}

impl Request {
    /// Puts plans of it up for review.
    pub fn review(&self, plans: Vec<Plan>) -> Review {
        let review = Review::new(plans);
        match self.guide {
            Some(run) => review.in_guide(run.to_string()),
            None => review,
        }
    }
}

impl Wanted {
    /// `host/lineage`, or the host.
    pub fn name(&self) -> String {
        match &self.lineage {
            Some(lineage) => format!("{}/{lineage}", self.host),
            None => self.host.to_string(),
        }
    }
}

/// Hands a target to somebody who plans or offers; `None` if its host is not known any more.
pub fn with_target<T>(
    wanted: &Wanted,
    desk: &Desk,
    then: impl FnOnce(&Target<'_>) -> T,
) -> Option<T> {
    Some(then(&find(desk).target(&wanted.host, wanted.lineage.as_deref())?))
}

fn find(desk: &Desk) -> Find<'_> {
    let (inventory, fleet, history) = (&*desk.inventory, &desk.fleet, desk.history());
    Find { inventory, fleet, history, now: desk.now }
}

fn places(subject: Subject, row: &RowId, desk: &Desk) -> Vec<(HostName, Option<String>)> {
    match (subject, row) {
        (_, RowId::Expiry(_) | RowId::Group(_)) => Vec::new(),
        (Subject::Host, it) => it.host().map(|it| (it.clone(), None)).into_iter().collect(),
        (_, RowId::Place { host, place, .. }) => vec![(host.clone(), Some(place.to_string()))],
        (Subject::Any | Subject::Lineage, RowId::Host(host)) => vec![(host.clone(), None)],
        (Subject::Place, RowId::Host(host)) => {
            let known = desk.fleet.host(host);
            let places = known.into_iter().flat_map(|it| &it.places);
            places.map(|it| (host.clone(), Some(it.name.to_string()))).collect()
        }
    }
}

/// Why there is nothing to plan.
pub const NOWHERE: &str = "no host and no certificate is selected";
