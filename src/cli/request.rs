//! What `plan` and `run` are asked for: an action, its choices, and targets. The subcommands and
//! their options are built from [`action::ALL`], so that nothing is listed twice.

use std::collections::BTreeSet;

use clap::builder::PossibleValuesParser;
use clap::error::ErrorKind;
use clap::{Arg, ArgMatches, Command, FromArgMatches, Subcommand};

use super::{Context, Exit, Failure, survey};
use crate::action::{self, Chosen, Find, Kind, Others, Plan, Refusal, Subject};
use crate::diagnose;
use crate::filter::{Filter, Verdicts};
use crate::fleet::{Fleet, HostName, Moment, Place, Reach};
use crate::inventory::Inventory;

/// An action, what was chosen about it, and where.
#[derive(Debug, Clone)]
pub(super) struct Request {
    pub(super) kind: &'static Kind,
    pub(super) chosen: Chosen,
    pub(super) targets: Vec<String>,
}

impl Subcommand for Request {
    fn augment_subcommands(command: Command) -> Command {
        let command = command.subcommand_value_name("ACTION");
        command.subcommand_help_heading("Actions").subcommands(action::ALL.iter().map(subcommand))
    }

    fn augment_subcommands_for_update(command: Command) -> Command {
        Self::augment_subcommands(command)
    }

    fn has_subcommand(name: &str) -> bool {
        action::named(name).is_some()
    }
}

impl FromArgMatches for Request {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let missing = || clap::Error::new(ErrorKind::MissingSubcommand);
        let (name, matches) = matches.subcommand().ok_or_else(missing)?;
        let kind = action::named(name).ok_or_else(missing)?;
        let mut chosen = Chosen::default();
        for choice in kind.choices {
            if let Some(value) = matches.get_one::<String>(choice.name) {
                chosen.set(choice.name, value.as_str());
            }
        }
        let targets = matches.get_many::<String>(TARGET).unwrap_or_default().cloned().collect();
        Ok(Self { kind, chosen, targets })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

/// The subcommand of an action: its choices are options.
fn subcommand(kind: &'static Kind) -> Command {
    let options = kind.choices.iter().map(|it| {
        let option = Arg::new(it.name).long(it.name).value_name(it.value).help(it.about);
        // What can only be said yes to needs no value.
        if it.value == YES {
            let yes = PossibleValuesParser::new([YES]);
            let option = option.num_args(0..=1).require_equals(true).value_parser(yes);
            option.default_missing_value(YES).hide_possible_values(true)
        } else {
            option
        }
    });
    let target = match kind.subject {
        Subject::Any => "HOST/LINEAGE, a host, or a filter, as in 'state:unloaded group=edge'",
        Subject::Host => "HOST, or a filter of hosts, as in group=edge",
        Subject::Lineage => "HOST/LINEAGE; the lineage need not exist yet",
        Subject::Place => "HOST/LINEAGE, or a filter, as in 'state:due group=edge'",
    };
    let target = Arg::new(TARGET).value_name("TARGET").num_args(0..).help(target);
    Command::new(kind.name).about(kind.about).args(options).arg(target)
}

/// One of the targets that were asked for.
#[derive(Debug)]
enum Wanted {
    /// A host, or a lineage of it by its exact name.
    Exact(HostName, Option<String>),
    /// Whatever the filter keeps.
    Kept(Filter),
    /// Whatever is due, whatever else is wrong with it.
    Due,
}

/// The targets of a request, as far as they are known before the hosts are read.
#[derive(Debug)]
pub(super) struct Targets(Vec<Wanted>);

/// A target by name.
pub(super) type Name = (HostName, Option<String>);

impl Targets {
    /// Reads the words of a command line: each is a target or a filter of its own.
    pub(super) fn read(
        request: &Request,
        inventory: &Inventory,
        context: &Context,
    ) -> Result<Self, Failure> {
        let read = |word: &String| match request.exact(word, inventory) {
            Some(it) => Ok(it),
            None if request.means_due(word) => Ok(Wanted::Due),
            None => survey::filter(std::slice::from_ref(word), context).map(Wanted::Kept),
        };
        if request.targets.is_empty() {
            let name = request.kind.name;
            return Err(Failure::say(Exit::BadRequest, format!("{name} at what?"))
                .with_hint("give HOST/LINEAGE, a host, or a filter; `certdeck scan` lists them"));
        }
        request.targets.iter().map(read).collect::<Result<_, _>>().map(Self)
    }

    /// Targets that are known by name.
    pub(super) fn of(names: Vec<Name>) -> Self {
        Self(names.into_iter().map(|(host, lineage)| Wanted::Exact(host, lineage)).collect())
    }

    /// The hosts that have to be read to know more.
    pub(super) fn hosts(&self, fleet: &Fleet, request: &Request) -> Vec<HostName> {
        let others = request.kind.others(&request.chosen);
        let is_wanted = |host: &crate::fleet::Host| {
            let is_other = match &others {
                Others::None => false,
                Others::One(name) => *name == host.name,
                Others::All => true,
            };
            is_other
                || self.0.iter().any(|it| match it {
                    Wanted::Exact(name, _) => host.name == *name,
                    Wanted::Kept(filter) => filter.may_keep(host),
                    Wanted::Due => true,
                })
        };
        fleet.hosts().filter(|it| is_wanted(it)).map(|it| it.name.clone()).collect()
    }

    /// The names of all targets, in the order in which they were asked for, each once.
    pub(super) fn names(&self, fleet: &Fleet, kind: &Kind, now: Moment) -> Vec<Name> {
        let kept = |filter: &Filter| match kind.subject {
            Subject::Host => hosts_of(filter, fleet, now),
            Subject::Any | Subject::Lineage | Subject::Place => places_of(filter, fleet, now),
        };
        let all = self.0.iter().flat_map(|it| match it {
            Wanted::Exact(host, lineage) => vec![(host.clone(), lineage.clone())],
            Wanted::Kept(filter) => kept(filter),
            Wanted::Due => due(fleet, now),
        });
        let mut seen = BTreeSet::new();
        all.filter(|it| seen.insert(it.clone())).collect()
    }
}

/// Every place whose renewal is due and which somebody renews, whatever else is wrong with it.
pub(super) fn due(fleet: &Fleet, now: Moment) -> Vec<Name> {
    let is_due = |it: &&Place| {
        let leaf = it.layers.disk.as_ref().map(|it| &it.chain.leaf);
        it.renewal.is_some() && leaf.is_some_and(|leaf| it.renewal_opens(leaf) <= now)
    };
    let of_host = |host: &crate::fleet::Host| -> Vec<Name> {
        let due = host.places.iter().filter(is_due);
        due.map(|it| (host.name.clone(), Some(it.name.to_string()))).collect()
    };
    fleet.hosts().flat_map(of_host).collect()
}

/// Every host of which the filter keeps something.
fn hosts_of(filter: &Filter, fleet: &Fleet, now: Moment) -> Vec<Name> {
    let mut names: Vec<_> =
        places_of(filter, fleet, now).into_iter().map(|it| (it.0, None)).collect();
    names.dedup();
    names
}

/// Every place that the filter keeps, and hosts that could not be read, of which nobody knows.
pub(super) fn places_of(filter: &Filter, fleet: &Fleet, now: Moment) -> Vec<Name> {
    let diagnosis = diagnose::diagnose(fleet, now);
    let verdicts = Verdicts { places: &diagnosis.places, hosts: &diagnosis.hosts };
    let found = filter.kept(fleet, verdicts, now).into_iter();
    let found = found.filter(|(host, place)| place.is_some() || host.reach != Reach::Up);
    found.map(|(host, place)| (host.name.clone(), place.map(|it| it.name.to_string()))).collect()
}

/// The plan for each target, or why there is none.
pub(super) struct Planned {
    /// The plans.
    pub(super) plans: Vec<Plan>,
    /// The targets that were refused, and why.
    pub(super) refused: Vec<(String, Refusal)>,
}

impl Request {
    /// The target that a word names by its host, without a filter.
    fn exact(&self, word: &str, inventory: &Inventory) -> Option<Wanted> {
        let (host, lineage) = word.split_once('/').unwrap_or((word, ""));
        let host = inventory.host(host)?;
        let lineage = (!lineage.is_empty()).then(|| lineage.to_owned());
        let is_whole =
            matches!(self.kind.subject, Subject::Any | Subject::Host) || lineage.is_some();
        is_whole.then(|| Wanted::Exact(host.name.clone(), lineage))
    }

    /// Whether a word is the one for everything that is due, which only renewals take.
    fn means_due(&self, word: &str) -> bool {
        word == DUE && self.kind.name == action::RENEW
    }

    /// The first word of which nothing came: mistyped, or an option that was forgotten. Going on
    /// without it would do something other than what was asked for.
    fn idle(&self, find: Find<'_>) -> Option<&str> {
        let is_idle = |word: &&String| {
            self.exact(word, find.inventory).is_none()
                && !self.means_due(word)
                && Filter::parse(word).is_ok_and(|it| {
                    let targets = Targets(vec![Wanted::Kept(it)]);
                    targets.names(find.fleet, self.kind, find.now).is_empty()
                })
        };
        self.targets.iter().find(is_idle).map(String::as_str)
    }

    /// Plans the action at every target.
    pub(super) fn plan(&self, names: &[Name], find: Find<'_>) -> Result<Planned, Failure> {
        if let Some(word) = self.idle(find) {
            return Err(survey::nothing(word, find.inventory));
        }
        let mut planned = Planned { plans: Vec::new(), refused: Vec::new() };
        for (host, lineage) in names {
            let plan = match find.target(host, lineage.as_deref()) {
                Some(target) => self.kind.plan(&target, &self.chosen),
                // Filters keep hosts that somebody else reads, too.
                None if find.fleet.host(host).is_some() => continue,
                None => match find.elsewhere(host) {
                    Some(refusal) => Err(refusal),
                    None => continue,
                },
            };
            match plan {
                Ok(plan) => planned.plans.push(plan),
                Err(refusal) => {
                    let target = match lineage {
                        Some(it) => format!("{host}/{it}"),
                        None => host.to_string(),
                    };
                    planned.refused.push((target, refusal));
                }
            }
        }
        if planned.plans.is_empty() && planned.refused.is_empty() {
            return Err(survey::nothing(&self.targets.join(" "), find.inventory));
        }
        Ok(planned)
    }
}

impl Planned {
    /// How the program ends if what was refused is not left out.
    pub(super) fn exit(&self) -> Exit {
        let is_unknown = |it: &(String, Refusal)| it.1.why == action::Why::Unknown;
        match self.refused.as_slice() {
            [] => Exit::Done,
            refused if refused.iter().all(is_unknown) => Exit::Unknown,
            _ => Exit::BadRequest,
        }
    }
}

/// The word for everything that is due.
pub(super) const DUE: &str = "due";

/// The name of the positional argument.
const TARGET: &str = "target";

/// The only value of a choice that is made or not.
const YES: &str = "yes";

#[cfg(test)]
mod tests {
    use super::*;

    fn read(words: &[&str]) -> Result<Request, clap::Error> {
        let command = Request::augment_subcommands(Command::new("plan"));
        let matches = command.try_get_matches_from([&["plan"], words].concat())?;
        Request::from_arg_matches(&matches)
    }

    #[test]
    fn every_action_is_a_subcommand_and_every_choice_an_option() {
        Request::augment_subcommands(Command::new("plan")).debug_assert();
        for kind in action::ALL {
            let request = read(&[kind.name, "web-01"]).unwrap();
            assert_eq!(
                (request.kind.name, request.targets),
                (kind.name, vec!["web-01".to_owned()])
            );
            for choice in kind.choices {
                let option = format!("--{}={}", choice.name, choice.value);
                let request = read(&[kind.name, &option, "web-01/x"]).unwrap();
                assert_eq!(request.chosen.get(choice.name), Some(choice.value));
                assert_eq!(request.targets, ["web-01/x"]);
            }
        }
    }

    #[test]
    fn a_word_of_which_nothing_comes_is_not_passed_over() {
        let (inventory, _) = crate::inventory::read("[[host]]\nname = \"web-01\"\n");
        let fleet = inventory.fleet();
        let now = Moment::parse("2026-11-23T02:14:07Z").unwrap();
        let history = &crate::budget::History::default();
        let find = Find { inventory: &inventory, fleet: &fleet, history, now };
        let name = |it: &str| (HostName::new("web-01"), Some(it.to_owned()));
        let idle = |words: &[&str]| read(words).unwrap().plan(&[name("x")], find).err();

        // An option that was forgotten, and a filter that keeps nothing.
        for word in ["reload-nginx", "group=nope"] {
            let Some(Failure::Refused { error, .. }) = idle(&["hook", "web-01/x", word]) else {
                panic!("{word} was passed over");
            };
            assert_eq!(error.to_string(), format!("nothing matches `{word}`"));
        }
        assert!(idle(&["hook", "web-01/x"]).is_none());
    }

    /// A roll-out is gone on with by names that were good when it was begun.
    #[test]
    fn a_host_that_is_gone_is_refused_and_not_passed_over() {
        let (inventory, _) = crate::inventory::read("[[host]]\nname = \"web-01\"\n");
        let fleet = inventory.fleet();
        let now = Moment::parse("2026-11-23T02:14:07Z").unwrap();
        let history = &crate::budget::History::default();
        let find = Find { inventory: &inventory, fleet: &fleet, history, now };
        let request = Request { targets: Vec::new(), ..read(&["renew", "web-01/x"]).unwrap() };
        let gone = (HostName::new("web-02"), Some("x".to_owned()));
        let planned = request.plan(&[gone], find).unwrap_or_else(|_| panic!("passed over"));
        let [(target, refusal)] = &planned.refused[..] else { panic!("passed over") };
        assert_eq!(target, "web-02/x");
        assert_eq!(refusal.text, "web-02 is not in the inventory any more");
    }

    #[test]
    fn what_can_only_be_said_yes_to_needs_no_value() {
        let request = read(&["issue", "--staging", "web-01/x"]).unwrap();
        assert_eq!(request.chosen.get("staging"), Some("yes"));
        assert_eq!(request.targets, ["web-01/x"]);
        assert!(read(&["issue", "--staging=no", "web-01/x"]).is_err());
        assert!(read(&["issue", "--force", "web-01/x"]).is_err());
        assert!(read(&["revoke", "web-01/x"]).is_err());
    }
}
