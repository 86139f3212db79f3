//! What can be asked of a host or a place: one entry per field.

use crate::fleet::{Host, Place, Verdict, Weight, seconds};
use crate::spanned::did_you_mean;
use crate::text::SafeText;

use super::Candidate;
use super::pattern::Pattern;

/// Every field, in the order in which help shows them.
pub static FIELDS: &[Field] = &[
    Field {
        name: "host",
        operators: TEXT,
        about: "the name of the host",
        example: "host:edge-*",
        test: |operator, value| Ok(Test::Host(text(operator, value))),
    },
    Field {
        name: "name",
        operators: TEXT,
        about: "the name of the place, or a name that its certificate covers",
        example: "name:*.cdn.*",
        test: |operator, value| Ok(Test::Name(text(operator, value))),
    },
    Field {
        name: "state",
        operators: WORDS,
        about: "the verdict, or `wrong` for everything drawn so",
        example: "state:due,overdue",
        test: |_, value| state(value),
    },
    Field {
        name: "left",
        operators: ORDER,
        about: "how long the certificate is still valid",
        example: "left<7d",
        test: |operator, value| Ok(Test::Left(order(operator), length(value)?)),
    },
    Field {
        name: "age",
        operators: ORDER,
        about: "how old the data of the host is; longest where it was never read",
        example: "age>24h",
        test: |operator, value| Ok(Test::Age(order(operator), length(value)?)),
    },
    Field {
        name: "issuer",
        operators: TEXT,
        about: "who signed the certificate",
        example: "issuer~\"Let's Encrypt\"",
        test: |operator, value| Ok(Test::Issuer(text(operator, value))),
    },
    Field {
        name: "group",
        operators: TEXT,
        about: "a group of the host",
        example: "group=prod",
        test: |operator, value| Ok(Test::Group(text(operator, value))),
    },
    Field {
        name: "hook",
        operators: TEXT,
        about: "`none`, `skipped` (one cannot be executed), `failed`; or its path or command",
        example: "hook:failed",
        test: |operator, value| hook(operator, value),
    },
    Field {
        name: "source",
        operators: TEXT,
        about: "the kind of source",
        example: "source:certbot",
        test: |operator, value| Ok(Test::Source(text(operator, value))),
    },
];

/// Something that can be asked.
#[derive(Debug)]
pub struct Field {
    /// The word before the operator.
    pub name: &'static str,
    /// The operators that it takes.
    pub operators: &'static [&'static str],
    /// One line for people.
    pub about: &'static str,
    /// How it is used.
    pub example: &'static str,
    /// Makes the test of one value; `Err` says what is wrong with the value and what to do.
    pub(super) test: fn(&str, &str) -> Result<Test, Fault>,
}

/// Every operator, longer ones before those that they begin with.
pub(super) const OPERATORS: &[&str] = &["<=", ">=", "<", ">", ":", "=", "~"];
/// `:` and `=` compare the whole text, `~` looks within it.
const TEXT: &[&str] = &[":", "=", "~"];
const WORDS: &[&str] = &[":", "="];
const ORDER: &[&str] = &["<", "<=", ">", ">="];

/// What is wrong with a value, and what to do about it.
pub(super) type Fault = (String, String);

/// A prepared question about one field.
#[derive(Debug)]
pub(super) enum Test {
    Age(Order, i64),
    Anywhere(Pattern),
    Group(Pattern),
    Hook(Pattern),
    HookFailed,
    HookNone,
    HookSkipped,
    Host(Pattern),
    Issuer(Pattern),
    Left(Order, i64),
    Name(Pattern),
    Source(Pattern),
    /// One bit per verdict.
    State(u32),
    Target(Pattern, Pattern),
}

/// How a length is compared.
#[derive(Debug, Clone, Copy)]
pub(super) enum Order {
    Less,
    AtMost,
    More,
    AtLeast,
}

impl Test {
    /// The test for a value without a field.
    pub(super) fn bare(value: &str) -> Self {
        match value.split_once('/') {
            Some((host, place)) if !host.is_empty() && !place.is_empty() => {
                Self::Target(Pattern::whole(host), Pattern::whole(place))
            }
            _ => Self::Anywhere(Pattern::within(value)),
        }
    }

    pub(super) fn holds(&self, candidate: &Candidate<'_>) -> bool {
        let Candidate { host, place, verdict, now } = *candidate;
        let is_place = |it: &dyn Fn(&Place) -> bool| place.is_some_and(it);
        match self {
            // What was never seen is older than anything.
            Self::Age(order, length) => {
                order.holds(host.seen_at.map_or(i64::MAX, |it| now.since(it)), *length)
            }
            Self::Anywhere(pattern) => {
                pattern.fits(host.name.as_str())
                    || is_place(&|it| names(it).any(|name| pattern.fits(name)))
            }
            Self::Group(pattern) => host.groups.iter().any(|it| pattern.fits(it)),
            Self::Hook(pattern) => hooks(candidate).any(|(it, _)| pattern.fits(it)),
            Self::HookFailed => is_place(&|it| {
                let failure = it.last_failure();
                failure.is_some_and(|it| Pattern::within("hook").fits(it.text.as_str()))
            }),
            Self::HookNone => place.is_some() && hooks(candidate).next().is_none(),
            Self::HookSkipped => hooks(candidate).any(|(_, is_run)| !is_run),
            Self::Host(pattern) => pattern.fits(host.name.as_str()),
            Self::Issuer(pattern) => {
                is_place(&|it| it.leaf().is_some_and(|it| pattern.fits(it.issuer.as_str())))
            }
            Self::Left(order, length) => {
                is_place(&|it| it.leaf().is_some_and(|it| order.holds(it.left(now), *length)))
            }
            Self::Name(pattern) => is_place(&|it| names(it).any(|it| pattern.is_covered_by(it))),
            Self::Source(pattern) => is_place(&|it| pattern.fits(it.source)),
            Self::State(verdicts) => verdicts & bit(verdict) != 0,
            Self::Target(on, at) => {
                on.fits(host.name.as_str()) && is_place(&|it| at.fits(it.name.as_str()))
            }
        }
    }

    /// What holds for everything on a host, where its name and groups are enough to tell.
    pub(super) fn told_by(&self, host: &Host) -> Option<bool> {
        let name = host.name.as_str();
        match self {
            Self::Group(pattern) => Some(host.groups.iter().any(|it| pattern.fits(it))),
            Self::Host(pattern) => Some(pattern.fits(name)),
            Self::Anywhere(pattern) if pattern.fits(name) => Some(true),
            Self::Target(on, _) if !on.fits(name) => Some(false),
            _ => None,
        }
    }
}

impl Order {
    fn holds(self, found: i64, limit: i64) -> bool {
        match self {
            Self::Less => found < limit,
            Self::AtMost => found <= limit,
            Self::More => found > limit,
            Self::AtLeast => found >= limit,
        }
    }
}

/// The name of a place and every name that its certificate covers.
fn names(place: &Place) -> impl Iterator<Item = &str> {
    let covered = place.leaf().map(|it| it.names.as_slice()).unwrap_or_default();
    std::iter::once(&place.name).chain(covered).map(SafeText::as_str)
}

/// The hooks that a renewal of the candidate would run, and whether it really does.
fn hooks<'a>(candidate: &Candidate<'a>) -> impl Iterator<Item = (&'a str, bool)> {
    let source = candidate.place.map(|it| it.source);
    let own = candidate.place.and_then(|it| it.renewal.as_ref());
    let own = own.map(|it| it.hooks.as_slice()).unwrap_or_default();
    let all = candidate.host.automation.iter();
    let all = all.filter(move |it| source.is_none_or(|kind| kind == it.source));
    own.iter()
        .map(|it| (it.command.as_str(), true))
        .chain(all.flat_map(|it| &it.hooks).map(|it| (it.path.as_str(), it.is_executable)))
}

fn text(operator: &str, value: &str) -> Pattern {
    if operator == "~" { Pattern::within(value) } else { Pattern::whole(value) }
}

fn order(operator: &str) -> Order {
    match operator {
        "<" => Order::Less,
        "<=" => Order::AtMost,
        ">" => Order::More,
        _ => Order::AtLeast,
    }
}

fn length(value: &str) -> Result<i64, Fault> {
    if value == "0" {
        return Ok(0);
    }
    seconds(value).ok_or_else(|| {
        let message = format!("`{}` is not a length of time", SafeText::new(value));
        (message, "write a number and s, m, h, d or w, as in `12h` or `6.5d`".into())
    })
}

fn state(value: &str) -> Result<Test, Fault> {
    if value.eq_ignore_ascii_case("wrong") {
        let wrong = Verdict::ALL.iter().filter(|it| it.weight() == Weight::Wrong);
        return Ok(Test::State(wrong.fold(0, |bits, it| bits | bit(*it))));
    }
    let known = Verdict::ALL.iter().find(|it| value.eq_ignore_ascii_case(it.word()));
    known.map(|it| Test::State(bit(*it))).ok_or_else(|| {
        unknown("state", value, &mut Verdict::ALL.iter().map(|it| it.word()).chain(["wrong"]))
    })
}

fn bit(verdict: Verdict) -> u32 {
    1 << verdict as u32
}

fn hook(operator: &str, value: &str) -> Result<Test, Fault> {
    match value {
        _ if operator == "~" => Ok(Test::Hook(Pattern::within(value))),
        "failed" => Ok(Test::HookFailed),
        "none" => Ok(Test::HookNone),
        "skipped" => Ok(Test::HookSkipped),
        _ if value.contains(['*', '/']) => Ok(Test::Hook(Pattern::whole(value))),
        _ => Err(unknown("state of a hook", value, &mut ["failed", "none", "skipped"].into_iter())),
    }
}

fn unknown(what: &str, value: &str, known: &mut dyn Iterator<Item = &'static str>) -> Fault {
    let known: Vec<_> = known.collect();
    let hint = match did_you_mean(&value.to_ascii_lowercase(), known.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("one of {}", known.join(", ")),
    };
    (format!("unknown {what} `{}`", SafeText::capped(value, 80)), hint)
}
