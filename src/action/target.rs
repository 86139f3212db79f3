//! What an action is done to: a host, and a lineage there.

use super::{Kind, Plan, Refusal, Subject, Tier, Why};
use crate::budget::History;
use crate::fleet::{self, Fleet, HostName, Moment, Place, Reach};
use crate::inventory::{self, Group, Inventory, Protect};
use crate::text::SafeText;

/// A host, and a lineage there.
#[derive(Debug, Clone, Copy)]
pub struct Target<'a> {
    /// What we were told.
    pub inventory: &'a Inventory,
    /// What is known of all hosts.
    pub fleet: &'a Fleet,
    /// What is known to have happened at CAs.
    pub history: &'a History,
    /// What we were told of the host.
    pub told: &'a inventory::Host,
    /// What is known of the host.
    pub host: &'a fleet::Host,
    /// The name of the lineage.
    pub lineage: Option<&'a str>,
    /// What is known of it, if it exists.
    pub place: Option<&'a Place>,
    /// The present.
    pub now: Moment,
}

/// Where targets are found.
#[derive(Debug, Clone, Copy)]
pub struct Find<'a> {
    /// What we were told.
    pub inventory: &'a Inventory,
    /// What is known.
    pub fleet: &'a Fleet,
    /// What is known to have happened at CAs.
    pub history: &'a History,
    /// The present.
    pub now: Moment,
}

impl<'a> Find<'a> {
    /// The target of that name, on that host.
    pub fn target(&self, host: &HostName, lineage: Option<&'a str>) -> Option<Target<'a>> {
        let told = self.inventory.host(host.as_str())?;
        let host = self.fleet.host(host)?;
        let places = host.places.iter().filter(|it| Some(it.name.as_str()) == lineage);
        // What we order ourselves follows a lineage of a client that bears the same name.
        let own = places.clone().find(|it| it.is_own());
        let place = own.or_else(|| places.clone().next());
        Some(Target {
            inventory: self.inventory,
            fleet: self.fleet,
            history: self.history,
            told,
            host,
            lineage,
            place,
            now: self.now,
        })
    }

    /// Why nothing can be done at a host: nobody knows it any more, or somebody else reads it, and
    /// no way to it is known here.
    pub fn elsewhere(&self, host: &HostName) -> Option<Refusal> {
        let Some(known) = self.fleet.host(host) else {
            let text = format!("{host} is not in the inventory any more");
            let hint = "give it back its [[host]], or go on without it";
            return Some(Refusal::new(Why::BadRequest, text).hint(hint));
        };
        let by = &known.told.as_ref()?.by;
        let text = format!("{host} is read by {by}: no way to it is known here");
        let hint = "add it to the inventory as a [[host]], and it is read over SSH";
        Some(Refusal::new(Why::Unknown, text).hint(hint))
    }
}

impl Target<'_> {
    /// How carefully its groups are guarded: the strictest counts.
    pub fn protect(&self) -> Protect {
        self.groups().map(|it| it.protect).max().unwrap_or_default()
    }

    fn groups(&self) -> impl Iterator<Item = &Group> {
        self.inventory.groups_of(self.told)
    }

    /// Refuses what no action may do: change a group that is read-only, or a host that was not
    /// read, or a lineage that is not there.
    pub(super) fn check(&self, kind: &Kind) -> Result<(), Refusal> {
        if let Some(group) = self.groups().find(|it| it.protect == Protect::ReadOnly) {
            let text = format!("{}: the group {} is read-only", self.host.name, group.name);
            let refusal = Refusal::new(Why::ReadOnly, text);
            return Err(match &group.owner {
                Some(owner) => refusal.hint(format!("ask its owner, {owner}")),
                None => refusal.hint("its `protect` in the inventory says so"),
            });
        }
        self.check_reach()?;
        match (kind.subject, self.lineage, self.place) {
            (Subject::Host, ..)
            | (Subject::Any, None, _)
            | (Subject::Lineage, Some(_), _)
            | (_, Some(_), Some(_)) => Ok(()),
            (_, None, _) => {
                let text = format!("{} needs a lineage, not only a host", kind.name);
                let hint = format!("give {}/LINEAGE", self.host.name);
                Err(Refusal::new(Why::BadRequest, text).hint(hint))
            }
            (Subject::Any | Subject::Place, Some(name), None) => Err(self.absent(name)),
        }
    }

    fn check_reach(&self) -> Result<(), Refusal> {
        let name = &self.host.name;
        match &self.host.reach {
            Reach::Up => Ok(()),
            Reach::Never => {
                let text = format!("{name}: nobody has looked at it yet");
                let hint = format!("`certdeck scan host:{name}` reads it");
                Err(Refusal::new(Why::Unknown, text).hint(hint))
            }
            Reach::Down(it) => {
                let text = format!("what is there now is not known: {}", it.text);
                let refusal = Refusal::new(Why::Unknown, text);
                Err(match &it.hint {
                    Some(hint) => refusal.hint(hint.as_str()),
                    None => refusal,
                })
            }
        }
    }

    fn absent(&self, name: &str) -> Refusal {
        let host = &self.host.name;
        let text = format!("{host} has no lineage `{}`", SafeText::new(name));
        let refusal = Refusal::new(Why::BadRequest, text);
        let places = self.host.places.iter().map(|it| it.name.as_str());
        let likeness = |it: &str| strsim::jaro_winkler(it, name);
        let nearest = places.clone().max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
        match nearest {
            Some(nearest) if likeness(nearest) > ALIKE => {
                refusal.hint(format!("did you mean `{host}/{nearest}`?"))
            }
            Some(_) if self.host.places.len() <= FEW => {
                refusal.hint(format!("there are: {}", places.collect::<Vec<_>>().join(", ")))
            }
            Some(_) => refusal.hint(format!("`certdeck scan host:{host}` lists them")),
            None => refusal.hint("no certificate was found there"),
        }
    }

    /// Raises the tier of a plan to what the groups ask for. What only looks safe to its action
    /// is not asked for twice: a dry run stays one.
    pub(super) fn guarded(&self, mut plan: Plan) -> Plan {
        if self.protect() == Protect::Typed && plan.tier > Tier::Safe {
            plan.tier = plan.tier.max(Tier::Risky);
        }
        plan
    }
}

/// How alike two names are of which one is a slip of the other; the scale of Jaro and Winkler.
const ALIKE: f64 = 0.85;

/// So many lineages are listed in one line.
const FEW: usize = 8;

#[cfg(test)]
mod tests {
    use super::super::sample::{NOW, sample};
    use super::*;
    use crate::fleet::{Outcome, Unreached, Visit};

    #[track_caller]
    fn check(action: &str, target: &str, why: Why, text: &str) {
        let refusal = sample().plan(action, target, &[]).unwrap_err();
        assert_eq!(refusal.why, why, "{refusal:?}");
        let told = format!("{}\n{}", refusal.text, refusal.hint.unwrap_or_default());
        assert!(told.contains(text), "{told}");
    }

    #[test]
    fn what_no_action_may_do_is_refused() {
        for kind in super::super::ALL {
            check(
                kind.name,
                "web-03/www.example.net",
                Why::ReadOnly,
                "frozen is read-only\nask its owner, edge team",
            );
        }
        check("renew", "web-01", Why::BadRequest, "give web-01/LINEAGE");
        check(
            "renew",
            "web-01/ww.example.net",
            Why::BadRequest,
            "did you mean `web-01/www.example.net`?",
        );
        check("renew", "web-01/x", Why::BadRequest, "there are: www.example.net");
    }

    #[test]
    fn hosts_that_were_not_read_are_left_alone() {
        let mut fleet = sample();
        fleet.fleet = fleet.inventory.fleet();
        let refusal = fleet.plan("renew", "web-01/www.example.net", &[]).unwrap_err();
        assert_eq!(
            (refusal.why, refusal.text.as_str()),
            (Why::Unknown, "web-01: nobody has looked at it yet")
        );

        let (text, hint) =
            (SafeText::new("web-01: the host key changed"), SafeText::new("find out why"));
        let down = Unreached { why: fleet::Why::ChangedKey, text, hint: Some(hint) };
        let host = HostName::new("web-01");
        fleet.fleet.apply(Visit { host, at: NOW, outcome: Outcome::Unreached(down), probes: None });
        let refusal = fleet.plan("renew", "web-01/www.example.net", &[]).unwrap_err();
        assert!(refusal.text.ends_with("the host key changed"), "{}", refusal.text);
        assert_eq!(refusal.hint.as_deref(), Some("find out why"));
    }

    #[test]
    fn guarded_groups_want_names_to_be_typed() {
        let tier = |action, target| sample().plan(action, target, &[]).unwrap().tier;
        assert_eq!(tier("renew", "web-01/www.example.net"), Tier::Change);
        assert_eq!(tier("renew", "web-02/www.example.net"), Tier::Risky);
        assert_eq!(tier("dry-run", "web-02/www.example.net"), Tier::Safe);
    }
}
