//! What an order uses up at the CA, by everything that is known without asking it.

use crate::budget::{Account, Bucket, Ca, History, NameSet, Scope, Wanted, exact};
use crate::fleet::Moment;
use crate::text::SafeText;

/// What an order uses up.
#[derive(Debug, Clone)]
pub struct Cost {
    /// In a line.
    pub text: String,
    /// Whether the limits of that CA are known here.
    pub is_known: bool,
    /// The limits for which it is not placed now, by all that is known, what holds it for the
    /// longest time first.
    pub against: Vec<Bucket>,
}

/// What one order costs, by what has happened at the CA.
pub fn of(history: &History, wanted: &Wanted, now: Moment) -> Cost {
    let buckets = history.of_order(wanted, now);
    let text = match wanted.ca.authority() {
        Some(it) if it.is_staging => {
            "nothing in production; the limits of staging are far wider".to_owned()
        }
        Some(_) => told(&buckets, wanted, now),
        None => {
            let orders = told(&buckets, wanted, now);
            let ca = SafeText::new(wanted.ca.directory().unwrap_or_default());
            match orders.as_str() {
                "" => format!("unknown: the limits of {ca} are not known here, ask the CA"),
                _ => format!("{orders}; other limits of {ca} are not known here"),
            }
        }
    };
    let is_known = is_known(&wanted.ca);
    Cost { text, is_known, against: history.against(wanted, now) }
}

/// An order of a client of the host, or of our own, for these names.
pub(super) fn wanted(directory: &str, names: &[SafeText], account: Account) -> Wanted {
    let names = NameSet::new(names.iter().map(SafeText::as_str));
    Wanted::new(Ca::of_directory(directory), names, account)
}

/// What it takes of limits whose size is known, and how much of that is used.
fn told(buckets: &[Bucket], wanted: &Wanted, now: Moment) -> String {
    if wanted.is_replacing {
        return "nothing, as long as it is ordered within the time that the CA suggests; after that 1 for this exact set of names".to_owned();
    }
    let lines = buckets.iter().filter_map(|it| line(it, now));
    lines.collect::<Vec<_>>().join("; ")
}

fn line(bucket: &Bucket, now: Moment) -> Option<String> {
    let (limit, used) = (bucket.limit?, bucket.used(now));
    let burst = limit.burst;
    let of = match &bucket.scope {
        Scope::Set(_) => "for this exact set of names".to_owned(),
        Scope::Domain(it) => format!("for {it}"),
        // The usual account is far from its limit: it is told of once it has used some.
        Scope::Account(it) if used > 0 || !is_known(&bucket.ca) => format!("orders of {it}"),
        _ => return None,
    };
    let text = format!("1 of {burst} {of} in {}", limit.window());
    Some(match bucket.gauge.and_then(|it| it.next_at(now)) {
        Some(next) => {
            let by = if bucket.refused_until.is_some() {
                "the CA's own word"
            } else {
                "what the fleet shows"
            };
            let back = exact(next.since(now));
            format!("{text}; {used} used by {by}, next back in {back}")
        }
        None if matches!(bucket.scope, Scope::Set(_)) => {
            format!("{text}; it comes back in {}", exact(limit.refill()))
        }
        None => text,
    })
}

fn is_known(ca: &Ca) -> bool {
    ca.authority().is_some()
}
