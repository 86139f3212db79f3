//! Where nothing but a new certificate helps: which order comes next, and by whom.
//!
//! The client of the host comes first, for its renewals go on afterwards. Where it is broken (its
//! dry run fails, or its order did) certdeck orders itself, then from the next issuer.

use super::offer::Offer;
use super::{Answer, Became, Done, Scene, preflight};
use crate::action::{Chosen, Plan, Refusal, Way, Why};
use crate::diagnose::{self, Does, Finding, Remedy, at, rank};
use crate::fleet::{HostName, OWN, Place, Severity};
use crate::inventory::DnsZone;
use crate::text::SafeText;

/// The order that comes next.
#[derive(Debug)]
pub(super) struct Next {
    /// The remedy at each place that needs it, with its plan; at least one.
    pub(super) at: Vec<(Remedy, Plan)>,
    /// What is wrong at the first of them.
    headline: SafeText,
    /// Whether the same has been done and proven at another place.
    pub(super) is_proven: bool,
    /// Whether the host's own client orders.
    pub(super) is_by_client: bool,
    /// What would come before it and cannot be done now, and why.
    pub(super) closed: Vec<Closed>,
}

/// What cannot be done now, and why.
pub(super) type Closed = (String, Refusal);

impl Next {
    /// What the steps before the order are about: by whom, and what.
    pub(super) fn key(&self) -> String {
        let first = self.at.first();
        first.map_or_else(String::new, |(it, _)| preflight::key(it))
    }

    /// Offers the order at the first place alone, or at all of them.
    pub(super) fn offer(self, is_first_alone: bool) -> Offer {
        let many = if is_first_alone { 1 } else { self.at.len() };
        let (remedies, plans): (Vec<_>, Vec<_>) = self.at.into_iter().take(many).unzip();
        let command = diagnose::command(&remedies.iter().collect::<Vec<_>>());
        let why = remedies.first().map(|it| it.why.clone()).unwrap_or_default();
        Offer::of(command, plans, self.headline, why)
    }
}

impl Scene<'_> {
    /// The order that comes next, if only an order is left.
    pub(super) fn next_order(&self) -> Option<Next> {
        self.next_order_but(None)
    }

    /// The same, if that one is left.
    pub(super) fn next_order_but(&self, left: Option<&str>) -> Option<Next> {
        let mut next: Option<Next> = None;
        for fault in self.critical() {
            let mut closed = Vec::new();
            let Some((remedy, plan)) = self.first_option(fault, left, &mut closed) else {
                continue;
            };
            match &mut next {
                None => {
                    next = Some(Next {
                        headline: fault.summary.clone(),
                        is_proven: self.run.done.iter().any(|it| is_same(it, &remedy)),
                        is_by_client: plan.order.is_none(),
                        at: vec![(remedy, plan)],
                        closed,
                    });
                }
                Some(next) => {
                    let is_alike = next.at.first().is_some_and(|(first, _)| {
                        first.action == remedy.action && first.chosen == remedy.chosen
                    });
                    let is_new = next.at.iter().all(|it| it.1.target() != plan.target());
                    if is_alike && is_new {
                        next.at.push((remedy, plan));
                    }
                }
            }
        }
        next
    }

    /// What is wrong so that an order may be needed.
    fn critical(&self) -> Vec<&Finding> {
        let faults = self.faults().into_iter();
        faults.filter(|it| it.severity == Severity::Critical).collect()
    }

    /// The place at which only an order would help and each would be refused by what is known of
    /// the CAs, with every one.
    pub(super) fn in_vain(&self) -> Option<(String, Vec<Closed>)> {
        self.critical().into_iter().find_map(|fault| {
            let mut closed = Vec::new();
            let open = self.first_option(fault, None, &mut closed);
            let is_over = closed.iter().any(|it| it.1.why == Why::OverBudget);
            let target = at(&fault.host, fault.place.as_ref());
            (open.is_none() && is_over).then_some((target, closed))
        })
    }

    /// The first way to a new certificate at a place that is still open, and those before it that
    /// are not.
    fn first_option(
        &self,
        fault: &Finding,
        left: Option<&str>,
        closed: &mut Vec<Closed>,
    ) -> Option<(Remedy, Plan)> {
        let name = fault.place.as_ref()?;
        if self.is_stopped(&fault.host, name.as_str()) {
            return None;
        }
        let host = self.find.fleet.host(&fault.host)?;
        let place = host.places.iter().find(|it| it.name == *name);
        let is_order = |it: &&Remedy| rank(it.action).is_some_and(|it| it.does == Does::Orders);
        // The same order, told in other words, is no other way.
        let mut passed = Vec::new();
        let own = fault.remedies.iter().filter(is_order).cloned();
        let others = self.other_ways(fault, place);
        own.chain(others).find_map(|remedy| {
            let is_left = left.is_some_and(|it| it == preflight::key(&remedy));
            match self.plan(&remedy)? {
                Ok(plan) if is_left || !self.is_open(&remedy, &plan) => {
                    passed.extend(plan.order);
                    None
                }
                Ok(plan) if plan.order.as_ref().is_some_and(|it| passed.contains(it)) => None,
                Ok(plan) => Some((remedy, plan)),
                Err(why) => {
                    let what = preflight::key(&remedy);
                    closed.push((what.trim_start_matches("certdeck run ").to_owned(), why));
                    None
                }
            }
        })
    }

    /// Orders of our own, from each issuer of the inventory.
    fn other_ways(&self, fault: &Finding, place: Option<&Place>) -> Vec<Remedy> {
        let is_own = place.is_some_and(Place::is_own);
        let told = self.find.inventory.host(fault.host.as_str());
        let first = told.and_then(|it| it.issuer.as_ref());
        let mut issuers: Vec<_> = self.find.inventory.issuers.iter().map(|it| &it.name).collect();
        issuers.sort_by_key(|it| Some(*it) != first);
        let leaf = place.and_then(|it| it.layers.disk.as_ref()).map(|it| &it.chain.leaf);
        let names =
            leaf.map(|it| it.names.iter().map(SafeText::as_str).collect::<Vec<_>>().join(","));
        let remedy = |issuer: &String| {
            let whose = if is_own { "from another issuer" } else { "ordered by certdeck itself" };
            let why = format!("one order at {issuer}, {whose}; the key stays on the host");
            let mut it = Remedy::new("issue", &fault.host, fault.place.as_ref());
            it.why = SafeText::new(&why);
            if !is_own {
                it.chosen.push(("by", OWN.to_owned()));
                // Our own store knows nothing of the lineage yet.
                it.chosen.extend(names.clone().map(|it| ("names", it)));
            }
            it.chosen.push(("issuer", issuer.clone()));
            it
        };
        let methods = self.other_methods(fault, place);
        let with = |issuer: &String| {
            let others = methods.iter().map(move |method| {
                let mut it = remedy(issuer);
                it.why = SafeText::new(&format!("{}; proven by {method}", it.why));
                it.chosen.push(("authenticator", method.clone()));
                it
            });
            std::iter::once(remedy(issuer)).chain(others).collect::<Vec<_>>()
        };
        issuers.into_iter().flat_map(with).collect()
    }

    /// By what else than usual control of the names could be proven in orders of our own.
    fn other_methods(&self, fault: &Finding, place: Option<&Place>) -> Vec<String> {
        let lineage = fault.place.as_ref().map(SafeText::as_str);
        let Some(target) = self.find.target(&fault.host, lineage) else { return Vec::new() };
        let leaf = place.and_then(Place::leaf).map(|it| it.names.as_slice()).unwrap_or_default();
        let names: Vec<String> = leaf.iter().map(ToString::to_string).collect();
        let renewal = place.filter(|it| it.is_own()).and_then(|it| it.renewal.as_ref());
        let by = |method: &str| {
            let mut chosen = Chosen::default();
            chosen.set("authenticator", method);
            Way::of(&target, &chosen, renewal, &names)
        };
        let usual = Way::of(&target, &Chosen::default(), renewal, &names);
        let mut others = Vec::new();
        if !matches!(usual, Ok(Way::Webroot(_))) && by("webroot").is_ok() {
            others.push("webroot".to_owned());
        }
        let has_all = |it: &&DnsZone| names.iter().all(|name| it.holds(name));
        let zones = self.find.inventory.dns.iter().filter(has_all).map(|it| &it.name);
        let is_usual = |name: &&String| matches!(&usual, Ok(Way::Dns(zone)) if zone.name == **name);
        others.extend(zones.filter(|it| !is_usual(it)).cloned());
        others
    }

    /// Whether an order was neither done, nor failed, nor left out; nor the dry run before it.
    fn is_open(&self, remedy: &Remedy, plan: &Plan) -> bool {
        let key = preflight::key(remedy);
        let place = remedy.place.as_ref().map(SafeText::as_str);
        let of_it = self.run.of(remedy.action, &remedy.host, place);
        let was_tried =
            of_it.into_iter().any(|it| it.became != Became::Open && is_same_choice(it, remedy));
        let is_by_client = plan.order.is_none();
        let is_broken =
            is_by_client && self.run.failures(crate::action::DRY_RUN, &remedy.host, place) > 0;
        let steps = [super::canary::KIND.name, super::roll_out::KIND.name];
        let is_skipped = steps.into_iter().any(|it| self.run.is_skipped(it, &key));
        let is_left = self.run.has_answer(Answer::Other, preflight::KIND.name, &key);
        !was_tried && !is_broken && !is_skipped && !is_left
    }

    /// Whether two orders for a place failed for the same cause: a third would, too.
    pub(super) fn is_stopped(&self, host: &HostName, place: &str) -> bool {
        let failed: Vec<&Done> = self
            .run
            .done
            .iter()
            .filter(|it| it.host == *host && it.place.as_deref() == Some(place))
            .filter(|it| it.became == Became::Failed)
            .filter(|it| rank(&it.action).is_some_and(|it| it.does == Does::Orders))
            .collect();
        failed.iter().enumerate().any(|(at, it)| {
            it.cause.is_some() && failed.iter().skip(at + 1).any(|that| that.cause == it.cause)
        })
    }
}

/// Whether that was the same order, done and proven.
fn is_same(done: &Done, remedy: &Remedy) -> bool {
    done.became == Became::Done && done.action == remedy.action && is_same_choice(done, remedy)
}

fn is_same_choice(done: &Done, remedy: &Remedy) -> bool {
    let mut wanted: Vec<_> = remedy.chosen.iter().map(|it| (it.0, it.1.as_str())).collect();
    wanted.sort_unstable();
    let mut was: Vec<_> = done.chosen.iter().map(|it| (it.0.as_str(), it.1.as_str())).collect();
    was.sort_unstable();
    wanted == was
}
