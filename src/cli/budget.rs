//! `certdeck budget`: what CAs still allow, and what a batch of orders would take of it.

use std::collections::BTreeSet;

use super::request::{DUE, Name, due, places_of};
use super::survey::{self, note};
use super::{Context, Exit, Failure, open, plan, print};
use crate::budget::authority::LETS_ENCRYPT;
use crate::budget::{Account, Ca, History, NameSet, Wanted, normal, registered_domain, renewal_of};
use crate::filter::Filter;
use crate::fleet::{Fleet, HostName, human};
use crate::inventory::Inventory;
use crate::report::budget::{Budget, Order};
use crate::text::SafeText;

/// Show what CAs still allow
///
/// Counted from what the fleet shows: every version that hosts keep, each certificate once
/// wherever it lies, failures and refusals in the logs of clients, and what certdeck itself has
/// ordered. No CA is asked. The hosts are taken as the last scan saw them, unless --scan is given.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// A name, names with commas between them, HOST/LINEAGE, `due`, or a filter: what an order for
    /// it would take; nothing: everything of which something is used
    #[arg(value_name = "NAME|FILTER")]
    what: Vec<String>,

    /// So many orders for each of them, instead of one
    #[arg(long, value_name = "COUNT", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=1000))]
    plan: u16,

    /// The issuer of the inventory for names that have no certificate yet
    #[arg(long, value_name = "NAME")]
    issuer: Option<String>,

    /// Look at the hosts first
    #[arg(long)]
    scan: bool,

    /// The format: text or json
    #[arg(
        long,
        value_name = "FORMAT",
        default_value = "text",
        value_parser = plan::FORMATS,
        hide_possible_values = true
    )]
    format: String,
}

const EXAMPLES: &str = "\
Examples:
  certdeck budget                              everything of which something is used
  certdeck budget www.example.net              what an order for it would take
  certdeck budget shop.example.net,example.net the same for a set of names that is new
  certdeck budget due                          whether all that is due can be renewed now
  certdeck budget web-01/www.example.net --plan 3 --format json

Exit codes: 0 it fits now, 1 some of it does not fit now, 2 the request was wrong, 3 it is not known:
no host was ever read, or the limits of the CA are not known.";

pub(super) fn run(args: &Args, context: &Context) -> Result<Exit, Failure> {
    let inventory = open::inventory(context)?;
    let fleet = if args.scan {
        survey::survey(context, &Filter::default())?.fleet
    } else {
        plan::recalled(&inventory, context)
    };
    let now = context.clock.now();
    let history = survey::history(context, &inventory, &fleet);
    let is_known = fleet.hosts().any(|it| it.seen_at.is_some());
    match fleet.scanned_at {
        _ if args.scan => {}
        Some(at) if is_known => {
            note(&format!(
                "as the hosts were seen {} ago; --scan looks again\n",
                human(now.since(at))
            ));
        }
        _ => note(
            "no host was ever read, so only what was ordered from here is counted; --scan reads them\n",
        ),
    }
    let find = Find { args, context, inventory: &inventory, fleet: &fleet, history: &history };
    let orders = find.orders()?;
    let wanted: Vec<_> = orders.iter().map(|it| it.wanted.clone()).collect();
    let forecast = (!args.what.is_empty()).then(|| history.forecast(&wanted, now));
    let report = Budget {
        history: &history,
        orders: &orders,
        forecast: forecast.as_ref(),
        scanned_at: fleet.scanned_at,
        now,
    };
    print(|out| match args.format.as_str() {
        "json" => report.write_json(out),
        _ => report.write_text(out),
    })?;
    let turns = forecast.as_ref().map_or(&[][..], |it| it.turns.as_slice());
    let is_nothing = !is_known && history.events().is_empty();
    Ok(if turns.iter().any(|it| it.fits(now) == Some(false)) {
        Exit::Failed
    } else if is_nothing || turns.iter().any(|it| it.fits(now).is_none()) {
        Exit::Unknown
    } else {
        Exit::Done
    })
}

/// Where what was asked for is found.
struct Find<'a> {
    args: &'a Args,
    context: &'a Context,
    inventory: &'a Inventory,
    fleet: &'a Fleet,
    history: &'a History,
}

impl Find<'_> {
    /// The orders that were asked about.
    fn orders(&self) -> Result<Vec<Order>, Failure> {
        let mut orders = Vec::new();
        for word in &self.args.what {
            let found = self.of_word(word)?;
            if found.is_empty() && word != DUE {
                return Err(self.nothing(word));
            }
            orders.extend(found);
        }
        let mut seen = BTreeSet::new();
        orders.retain(|it: &Order| seen.insert(it.target.clone()));
        let times = usize::from(self.args.plan);
        Ok(orders.into_iter().flat_map(|it| std::iter::repeat_n(it, times)).collect())
    }

    fn of_word(&self, word: &str) -> Result<Vec<Order>, Failure> {
        let now = self.context.clock.now();
        if word == DUE {
            // That nothing is due is an answer.
            let due = due(self.fleet, now);
            if due.is_empty() {
                note("nothing is due\n");
            }
            return Ok(self.of_places(due));
        }
        let (host, lineage) = word.split_once('/').map_or((word, None), |it| (it.0, Some(it.1)));
        if let Some(host) = self.inventory.host(host) {
            let is_meant = |it: &Name| {
                it.0 == host.name && lineage.is_none_or(|wanted| it.1.as_deref() == Some(wanted))
            };
            return Ok(self.of_places(self.places().into_iter().filter(is_meant).collect()));
        }
        if word.contains(',') && !word.contains([':', '=', '<', '>', '~']) {
            return self.of_set(NameSet::new(word.split(',')), word).map(|it| vec![it]);
        }
        let found = self.of_name(&normal(word));
        if !found.is_empty() {
            return Ok(found);
        }
        let filter = survey::filter(std::slice::from_ref(&word.to_owned()), self.context)?;
        let kept = self.of_places(places_of(&filter, self.fleet, now));
        if kept.is_empty() && is_name(word) && self.is_asked_for_new() {
            return self.of_set(NameSet::new([word]), word).map(|it| vec![it]);
        }
        Ok(kept)
    }

    /// Every place that could be ordered again.
    fn places(&self) -> Vec<Name> {
        let name = |(host, place): (&crate::fleet::Host, &crate::fleet::Place)| {
            (host.name.clone(), Some(place.name.to_string()))
        };
        self.fleet.places().map(name).collect()
    }

    fn of_places(&self, names: Vec<Name>) -> Vec<Order> {
        names.into_iter().filter_map(|(host, lineage)| self.of_place(&host, &lineage?)).collect()
    }

    fn of_place(&self, host: &HostName, lineage: &str) -> Option<Order> {
        let now = self.context.clock.now();
        let places = &self.fleet.host(host)?.places;
        let place = places.iter().find(|it| it.name.as_str() == lineage)?;
        Some(Order { target: format!("{host}/{lineage}"), wanted: renewal_of(place, now)? })
    }

    /// What is renewed for a name, or for all names under a registered domain; each set once.
    fn of_name(&self, name: &str) -> Vec<Order> {
        let all = self.of_places(self.places());
        let exact: Vec<_> = all.iter().filter(|it| it.wanted.names.has(name)).cloned().collect();
        let under = |it: &&Order| {
            registered_domain(name) == name && it.wanted.names.domains().iter().any(|it| it == name)
        };
        let found =
            if exact.is_empty() { all.iter().filter(under).cloned().collect() } else { exact };
        let mut seen = BTreeSet::new();
        let is_new = |it: &Order| seen.insert((it.wanted.ca.clone(), it.wanted.names.clone()));
        let mut found: Vec<Order> = found;
        found.retain(is_new);
        found
    }

    /// Whether somebody has said of whom a name that nobody has would be ordered.
    fn is_asked_for_new(&self) -> bool {
        self.args.issuer.is_some()
    }

    /// An order for a set of names, as the inventory says of whom.
    fn of_set(&self, names: NameSet, word: &str) -> Result<Order, Failure> {
        let bad = |text: String| Failure::say(Exit::BadRequest, text);
        if let Some(odd) = names.iter().find(|it| !is_name(it)) {
            let text = format!("`{}` is no name that a certificate may have", SafeText::new(odd));
            return Err(
                bad(text).with_hint("names look like www.example.net, with commas between them")
            );
        }
        if names.is_empty() {
            return Err(bad(format!("there is no name in `{}`", SafeText::new(word))));
        }
        let issuers = &self.inventory.issuers;
        let wanted = self.args.issuer.as_ref().or(self.inventory.defaults.issuer.as_ref());
        let issuer = match wanted {
            Some(name) => Some(issuers.iter().find(|it| it.name == *name).ok_or_else(|| {
                let known: Vec<_> = issuers.iter().map(|it| it.name.as_str()).collect();
                let text = format!("the inventory has no [[issuer]] `{}`", SafeText::new(name));
                bad(text).with_hint(format!("there are: {}", known.join(", ")))
            })?),
            None => issuers.first(),
        };
        let directory = issuer.map_or(LETS_ENCRYPT.directory, |it| it.directory.as_str());
        let target = names.to_string();
        let ca = Ca::of_directory(directory);
        let account = issuer.map_or(Account::Unknown, |_| Account::Own);
        Ok(Order { target, wanted: Wanted::new(ca, names, account) })
    }

    fn nothing(&self, word: &str) -> Failure {
        let text = format!("nothing matches `{}`", SafeText::new(word));
        let failure = Failure::say(Exit::BadRequest, text);
        let mut known: BTreeSet<String> =
            self.fleet.hosts().map(|it| it.name.to_string()).collect();
        for event in self.history.events() {
            known.extend(event.names.iter().map(str::to_owned));
            known.extend(event.names.domains());
        }
        let likeness = |it: &String| strsim::jaro_winkler(it, word);
        let nearest = known.iter().max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
        let failure = match nearest.filter(|it| likeness(it) > ALIKE) {
            Some(nearest) => {
                failure.with_hint(format!("did you mean `{}`?", SafeText::new(nearest)))
            }
            None => failure,
        };
        failure.with_hint("of a set that is new, give all its names with commas between them, or one with --issuer")
    }
}

/// Whether it looks like a name that a certificate may be for.
fn is_name(word: &str) -> bool {
    let name = normal(word);
    let base = name.strip_prefix("*.").unwrap_or(&name);
    let is_label = |it: &str| {
        (1..=63).contains(&it.len())
            && it.bytes().all(|it| it.is_ascii_alphanumeric() || it == b'-' || it == b'_')
    };
    base.parse::<std::net::IpAddr>().is_ok()
        || (base.contains('.') && base.len() <= 253 && base.split('.').all(is_label))
}

/// How alike two names are of which one is a slip of the other; the scale of Jaro and Winkler.
const ALIKE: f64 = 0.85;
