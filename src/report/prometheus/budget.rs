//! Metrics of what CAs still allow, by what each limit counts: only of what something is used, so
//! that a fleet of ten thousand names does not tell of ten thousand limits that are full.

use super::{Metric, Scanned};
use crate::budget::{Bucket, Scope};
use crate::fleet::Fingerprint;
use crate::text::SafeText;

pub(super) const LEFT: Metric = Metric {
    name: "certdeck_budget_scope_left",
    help: "How much is left of a limit of which something is used, by what it is counted by.",
    labels: LABELS,
    collect: |scanned, samples| {
        for it in used(scanned) {
            if let Some(left) = it.left(scanned.report.now) {
                samples.number(&Labels::of(it).values(), left);
            }
        }
    },
};

pub(super) const SIZE: Metric = Metric {
    name: "certdeck_budget_scope_size",
    help: "How much a limit of which something is used allows at the most.",
    labels: LABELS,
    collect: |scanned, samples| {
        for it in used(scanned) {
            if let Some(limit) = it.limit {
                samples.number(&Labels::of(it).values(), limit.burst);
            }
        }
    },
};

pub(super) const FREE: Metric = Metric {
    name: "certdeck_budget_scope_free_timestamp_seconds",
    help: "When a limit that is used up takes the next; absent where somebody has to act first.",
    labels: LABELS,
    collect: |scanned, samples| {
        for it in used(scanned).filter(|it| !it.is_closed) {
            if let Some(free) = it.free_at(scanned.report.now) {
                samples.moment(&Labels::of(it).values(), free);
            }
        }
    },
};

/// The limits of which something is used.
fn used<'a>(scanned: &'a Scanned<'_>) -> impl Iterator<Item = &'a Bucket> {
    let now = scanned.report.now;
    scanned.beside.buckets.iter().filter(move |it| it.is_empty(now) || it.used(now) > 0)
}

/// The values of the labels of a limit.
struct Labels {
    ca: SafeText,
    limit: &'static str,
    scope: SafeText,
    account: SafeText,
}

impl Labels {
    fn of(bucket: &Bucket) -> Self {
        let (scope, account) = match &bucket.scope {
            Scope::Account(account) => (String::new(), Some(account)),
            Scope::Ca => (String::new(), None),
            Scope::Domain(it) => (it.clone(), None),
            Scope::Name(name, account) => (name.clone(), Some(account)),
            Scope::Set(set) => {
                let whole = set.iter().collect::<Vec<_>>().join(",");
                // Two sets that begin with the same names are told apart all the same.
                let short =
                    || format!("{set} {:.8}", Fingerprint::of(whole.as_bytes()).to_string());
                (if whole.len() <= LONGEST { whole.clone() } else { short() }, None)
            }
        };
        let account = account.map(ToString::to_string).unwrap_or_default();
        Self {
            ca: SafeText::new(&bucket.ca.to_string()),
            limit: bucket.kind.name,
            scope: SafeText::capped(&scope, MAX_SCOPE),
            account: SafeText::new(&account),
        }
    }

    fn values(&self) -> [&str; 4] {
        [self.ca.as_str(), self.limit, self.scope.as_str(), self.account.as_str()]
    }
}

const LABELS: &[&str] = &["ca", "limit", "scope", "account"];
/// Of longer sets of names, a few are told.
const LONGEST: usize = 200;
/// Four names of 253 characters, and what is told of the others.
const MAX_SCOPE: usize = 1200;

#[cfg(test)]
mod tests {
    use super::super::super::sample::{self, NOW};
    use super::super::Beside;
    use super::super::tests::samples;
    use super::*;
    use crate::budget::authority::LETS_ENCRYPT;
    use crate::budget::{Account, Ca, Event, History, NameSet, What};
    use crate::fleet::{Fleet, HOUR};

    /// What is told after all this has happened, hours ago.
    #[track_caller]
    fn check(happened: &[(i64, What, &[&str], Account)], expect: [&[&str]; 3]) {
        let ca = Ca::of_directory(LETS_ENCRYPT.directory);
        let event = |(hours, what, names, account): &(i64, What, &[&str], Account)| {
            let (at, names) = (NOW.plus(-hours * HOUR), NameSet::new(*names));
            Event::noted(at, ca.clone(), what.clone(), names, account.clone())
        };
        let events = happened.iter().map(event).collect();
        let history = History::new(&Fleet::default(), &[], events, NOW);
        let beside = Beside { buckets: history.buckets(NOW), ..Beside::default() };
        let (fleet, diagnosis) = (sample::fleet(), sample::diagnosis());
        for (metric, expect) in [&LEFT, &SIZE, &FREE].into_iter().zip(expect) {
            let told = samples(&fleet, &diagnosis, "", metric, &beside);
            let ca = "{ca=\"Let's Encrypt\",limit=\"";
            let told: Vec<_> = told.iter().map(|it| it.strip_prefix(ca).unwrap()).collect();
            assert_eq!(told, expect, "{}", metric.name);
        }
    }

    #[test]
    fn what_is_used_is_told_by_what_it_is_counted_by() {
        check(&[], [&[], &[], &[]]);
        let client = || Account::Client(SafeText::new("f00dfeedf00d"));
        let both: &[&str] = &["www.example.net", "example.net"];
        let set = r#"exact-set",scope="example.net,www.example.net",account=""}"#;
        let domain = r#"registered-domain",scope="example.net",account=""}"#;
        check(
            &[(2, What::Issued(None), both, client()), (1, What::Issued(None), both, client())],
            [
                &[&format!("{set} 3"), &format!("{domain} 49")],
                &[&format!("{set} 5"), &format!("{domain} 50")],
                &[],
            ],
        );
        // What is full again by now is not told of.
        check(&[(40 * 24, What::Issued(None), both, client())], [&[], &[], &[]]);
    }

    #[test]
    fn what_is_used_up_is_told_with_its_time() {
        let failed = (0, What::Failed, &["a.example"] as &[&str], Account::Unknown);
        let failures = r#"failures",scope="a.example",account="an account that is not known"}"#;
        let pause = r#"pause",scope="a.example",account="an account that is not known"}"#;
        check(
            &[failed.clone(), failed.clone(), failed.clone(), failed.clone(), failed],
            [
                &[&format!("{failures} 0"), &format!("{pause} 1147")],
                &[&format!("{failures} 5"), &format!("{pause} 1152")],
                &[&format!("{failures} {}", NOW.plus(720).unix())],
            ],
        );
        // Of what the CA has said no size is known; what it has closed has no time.
        let until = Some(NOW.plus(HOUR));
        let held = What::Refused { limit: "limit", about: None, until };
        let paused = What::Refused { limit: "paused", about: None, until: None };
        let left_alone = r#"retry-after",scope="",account=""}"#;
        let closed = r#"pause",scope="b.example",account="certdeck's own account"}"#;
        check(
            &[(1, held, &[], Account::Own), (1, paused, &["b.example"], Account::Own)],
            [
                &[&format!("{closed} 0"), &format!("{left_alone} 0")],
                &[&format!("{closed} 1152")],
                &[&format!("{left_alone} {}", NOW.plus(HOUR).unix())],
            ],
        );
    }

    #[test]
    fn long_sets_are_short_and_told_apart() {
        let sets = [20, 21].map(|count| {
            NameSet::new((10..10 + count).map(|it| format!("host-{it}.long.example.net")))
        });
        let ca = Ca::of_directory(LETS_ENCRYPT.directory);
        let events = sets.map(|names| {
            Event::noted(NOW, ca.clone(), What::Issued(None), names, Account::Unknown)
        });
        let history = History::new(&Fleet::default(), &[], events.into(), NOW);
        let beside = Beside { buckets: history.buckets(NOW), ..Beside::default() };
        let told = samples(&sample::fleet(), &sample::diagnosis(), "", &LEFT, &beside);
        let told: Vec<_> = told.iter().filter(|it| it.contains("exact-set")).collect();
        assert_eq!(told.len(), 2, "{told:#?}");
        assert!(told.iter().all(|it| it.len() < 250), "{told:#?}");
    }
}
