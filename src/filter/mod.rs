//! Which hosts and places to look at: one grammar for the console, the command line and the
//! inventory.
//!
//! ```text
//! filter = all ("|" all)*         either side
//! all    = term term*             every one
//! term   = "!" term | "(" filter ")" | FIELD OPERATOR value ("," value)* | value
//! value  = word | '"' text '"'
//! ```
//!
//! The fields are in [`FIELDS`]. A word without a field is looked for in the names of hosts and
//! places and in the names that certificates cover; `HOST/PLACE` is exactly that place. Text is
//! compared without regard to the case of ASCII letters, and `*` stands for any text.

mod field;
mod meaning;
mod parse;
mod pattern;

use std::fmt;
use std::sync::Arc;

use crate::fleet::{Host, Moment, Place, Verdict};
use crate::spanned::Diagnostic;

pub use field::{FIELDS, Field};
pub use meaning::{Found, Verdicts, leaves, named};

use field::Test;

/// A parsed filter. The empty filter keeps everything.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    text: Arc<str>,
    term: Option<Arc<Term>>,
}

/// What a filter decides about: a place, or a host of which no place is known.
#[derive(Debug, Clone, Copy)]
pub struct Candidate<'a> {
    /// The host.
    pub host: &'a Host,
    /// The place, if the host has any.
    pub place: Option<&'a Place>,
    /// Its verdict.
    pub verdict: Verdict,
    /// The moment of looking.
    pub now: Moment,
}

impl Filter {
    /// Reads a filter; a complaint points at the culprit.
    pub fn parse(text: &str) -> Result<Self, Diagnostic> {
        let term = parse::parse(text)?.map(Arc::new);
        Ok(Self { text: text.into(), term })
    }

    /// Whether the candidate is to be looked at.
    pub fn keeps(&self, candidate: &Candidate<'_>) -> bool {
        self.term.as_ref().is_none_or(|it| it.holds(candidate))
    }

    /// Whether anything on this host could be kept, by what is known of it before it is visited:
    /// its name and its groups.
    pub fn may_keep(&self, host: &Host) -> bool {
        self.term.as_ref().and_then(|it| it.told_by(host)) != Some(false)
    }

    /// Whether everything is kept.
    pub fn is_empty(&self) -> bool {
        self.term.is_none()
    }
}

impl fmt::Display for Filter {
    /// The text that was parsed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

/// One claim about a candidate.
#[derive(Debug)]
enum Term {
    /// Every one holds.
    All(Vec<Self>),
    /// At least one holds.
    Any(Vec<Self>),
    /// It does not hold.
    Not(Box<Self>),
    /// What one field shows.
    Test(Test),
}

impl Term {
    fn holds(&self, candidate: &Candidate<'_>) -> bool {
        match self {
            Self::All(terms) => terms.iter().all(|it| it.holds(candidate)),
            Self::Any(terms) => terms.iter().any(|it| it.holds(candidate)),
            Self::Not(term) => !term.holds(candidate),
            Self::Test(test) => test.holds(candidate),
        }
    }

    /// The same for everything on a host, where its name and groups are enough to tell.
    fn told_by(&self, host: &Host) -> Option<bool> {
        let told = |terms: &[Self], decisive| {
            let mut answers = terms.iter().map(|it| it.told_by(host));
            if answers.clone().any(|it| it == Some(decisive)) {
                return Some(decisive);
            }
            answers.all(|it| it == Some(!decisive)).then_some(!decisive)
        };
        match self {
            Self::All(terms) => told(terms, false),
            Self::Any(terms) => told(terms, true),
            Self::Not(term) => term.told_by(host).map(|it| !it),
            Self::Test(test) => test.told_by(host),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::fleet::{
        Automation, Certificate, Chain, ConfHook, DAY, Failure, Fingerprint, HOUR, Hook, HookStage,
        HostName, KeyKind, Renewal, Schedule, Scheduler, Sighting, Trust,
    };
    use crate::text::SafeText;

    const NOW: Moment = Moment::from_unix(1_795_403_564);

    /// One host with one certificate that covers two names and has two days left.
    fn host() -> Host {
        let leaf = Certificate {
            sha256: Fingerprint::of(b"leaf"),
            spki_sha256: Fingerprint::of(b"key"),
            serial: SafeText::new("04"),
            subject: SafeText::new("CN=api.example.net"),
            issuer: SafeText::new("CN=R11,O=Let's Encrypt,C=US"),
            names: ["api.example.net", "*.cdn.example.net"].map(SafeText::new).into(),
            not_before: NOW.plus(-88 * DAY),
            not_after: NOW.plus(2 * DAY),
            key: KeyKind::Ecdsa(256),
            is_ca: false,
            logged_at: None,
            is_for_clients: false,
            renewal_id: None,
            der: None,
        };
        let chain =
            Chain { leaf: Arc::new(leaf), rest: Vec::new(), fault: None, trust: Trust::default() };
        let mut place = Place::new("certbot", SafeText::new("api"));
        place.layers.disk = Some(Sighting {
            chain: Arc::new(chain),
            location: SafeText::new("/etc/letsencrypt/live/api/fullchain.pem"),
            at: NOW,
        });
        let groups = ["prod".to_owned(), "edge team".to_owned()];
        let mut host = Host::new(HostName::new("edge-fra-1"), "10.0.0.1", &groups);
        host.seen_at = Some(NOW.plus(-HOUR));
        host.places.push(place);
        host
    }

    #[track_caller]
    fn check_on(host: &Host, text: &str, expect: bool) {
        let filter = Filter::parse(text).unwrap();
        let place = host.places.first();
        let candidate = Candidate { host, place, verdict: Verdict::Due, now: NOW };
        assert_eq!(filter.keeps(&candidate), expect, "{text}");
        assert_eq!(filter.to_string(), text);
    }

    #[track_caller]
    fn check(text: &str, expect: bool) {
        check_on(&host(), text, expect);
    }

    #[test]
    fn words_are_found_in_all_names() {
        check("fra", true);
        check("FRA", true);
        check("cdn.example", true);
        check("api", true);
        check("ams", false);
        check("edge-fra-1/api", true);
        check("edge-*/a*", true);
        check("edge-fra-1/ap", false);
        check("fra-1/api", false);
        check("\"fra\"", true);
        check("Encrypt", false);
    }

    #[test]
    fn fields_are_asked() {
        check("host:edge-*", true);
        check("host:fra", false);
        check("host~fra", true);
        check("host:a,b,edge-fra-1", true);
        check("name:*.cdn.*", true);
        check("name:img.cdn.example.net", true);
        check("name:a.img.cdn.example.net", false);
        check("state:due", true);
        check("state:ok,due", true);
        check("state:wrong", false);
        check("issuer~\"Let's\"", true);
        check("issuer~r11", true);
        check("group=prod", true);
        check("group:prod", true);
        check("group:\"edge team\"", true);
        check("group:pro", false);
        check("source:certbot", true);
        check("source:pem", false);
    }

    #[test]
    fn lengths_are_compared() {
        check("left<7d", true);
        check("left<=2d", true);
        check("left<2d", false);
        check("left>=12h", true);
        check("left<0", false);
        check("age>24h", false);
        check("age<2h", true);
    }

    #[test]
    fn what_was_never_seen_is_old_and_has_no_time_left() {
        let host = Host::new(HostName::new("edge-syd-1"), "edge-syd-1", &[]);
        check_on(&host, "age>1000w", true);
        check_on(&host, "age<1000w", false);
        check_on(&host, "left<7d", false);
        check_on(&host, "left>7d", false);
        check_on(&host, "syd", true);
        check_on(&host, "name:*", false);
        check_on(&host, "hook:none", false);
    }

    #[test]
    fn hooks_are_asked() {
        let mut host = host();
        check_on(&host, "hook:none", true);
        host.places[0].renewal = Some(Renewal {
            hooks: vec![ConfHook {
                stage: HookStage::Deploy,
                command: SafeText::new("systemctl reload nginx"),
            }],
            last_failure: Some(Failure {
                at: None,
                text: SafeText::new("Hook 'deploy-hook' reported error code 1"),
            }),
            ..Renewal::default()
        });
        check_on(&host, "hook:none", false);
        check_on(&host, "hook~nginx", true);
        check_on(&host, "hook:failed", true);
        check_on(&host, "hook:skipped", false);
        host.automation.push(Automation {
            source: "certbot",
            version: None,
            is_installed: true,
            program: None,
            schedule: Schedule { scheduler: Scheduler::Unknown, triggers: Vec::new() },
            hooks: vec![Hook {
                stage: HookStage::Deploy,
                path: SafeText::new("/etc/letsencrypt/renewal-hooks/deploy/reload"),
                mode: 0o644,
                is_executable: false,
            }],
            lock: None,
            last_run: None,
            unproven: Vec::new(),
        });
        check_on(&host, "hook:skipped", true);
        check_on(&host, "hook:*/reload", true);
    }

    #[test]
    fn terms_are_joined() {
        check("fra state:due", true);
        check("fra state:ok", false);
        check("ams | fra", true);
        check("ams|state:ok", false);
        check("!ams", true);
        check("!!ams", false);
        check("!(ams | state:due)", false);
        check("(ams|fra) left<7d", true);
        check("ams fra | fra", true);
        check(" ( fra ) ", true);
    }

    #[track_caller]
    fn check_before(text: &str, expect: bool) {
        let host = Host { places: Vec::new(), ..host() };
        assert_eq!(Filter::parse(text).unwrap().may_keep(&host), expect, "{text}");
    }

    #[test]
    fn what_a_visit_cannot_change_is_told_before() {
        check_before("", true);
        check_before("host:edge-*", true);
        check_before("host:mail-*", false);
        check_before("group=prod state:due", true);
        check_before("group=test state:due", false);
        check_before("group=test | state:due", true);
        check_before("group=test | host:mail-1", false);
        check_before("!group=prod", false);
        check_before("!(group=prod left<7d)", true);
        check_before("mail", true);
        check_before("mail-1/api", false);
        check_before("edge-fra-1/other", true);
    }

    #[test]
    fn the_empty_filter_keeps_everything() {
        check("", true);
        check("  ", true);
        assert!(Filter::default().is_empty() && Filter::parse(" ").unwrap().is_empty());
        assert!(!Filter::parse("x").unwrap().is_empty());
    }

    #[track_caller]
    fn complains(text: &str, message: &str, at: &str, hint: Option<&str>) {
        let complaint = Filter::parse(text).unwrap_err();
        let found = (complaint.message.as_str(), &text[complaint.span], complaint.hint.as_deref());
        assert_eq!(found, (message, at, hint));
    }

    #[test]
    fn complaints_point_at_the_culprit() {
        complains("x stat:due", "unknown field `stat`", "stat", Some("did you mean `state`?"));
        complains("state:du", "unknown state `du`", "du", Some("did you mean `due`?"));
        complains(
            "state:ok,ovrdue",
            "unknown state `ovrdue`",
            "ovrdue",
            Some("did you mean `overdue`?"),
        );
        complains(
            "left<7",
            "`7` is not a length of time",
            "7",
            Some("write a number and s, m, h, d or w, as in `12h` or `6.5d`"),
        );
        complains(
            "left:7d",
            "`left` does not take `:`",
            ":",
            Some("it takes < <= > >=, as in left<7d"),
        );
        complains("host:", "`host` has no value", ":", Some("write it as in host:edge-*"));
        complains(
            "hook:fail",
            "unknown state of a hook `fail`",
            "fail",
            Some("did you mean `failed`?"),
        );
        complains("a (b", "this `(` is never closed", "(", None);
        complains("a b)", "this `)` closes nothing", ")", None);
        complains("a | | b", "nothing to look for here", "|", None);
        complains("| b", "nothing to look for here", "|", None);
        complains("()", "nothing to look for here", "(", None);
        complains("a !", "nothing follows this `!`", "!", None);
        complains("issuer~\"Let's", "this quote is never closed", "\"", None);
        let deep = "(".repeat(100_000);
        complains(&deep, "too many `!` and `(` within each other", "(", None);
    }

    #[test]
    fn every_example_of_the_help_is_accepted() {
        for field in FIELDS {
            Filter::parse(field.example).unwrap();
            assert!(field.example.starts_with(field.name));
            assert!(field.operators.iter().all(|it| field::OPERATORS.contains(it)));
        }
    }

    #[test]
    fn every_verdict_can_be_asked_for() {
        for verdict in Verdict::ALL {
            let filter = Filter::parse(&format!("state:{verdict}")).unwrap();
            let host = host();
            let keeps =
                |verdict| filter.keeps(&Candidate { host: &host, place: None, verdict, now: NOW });
            assert!(Verdict::ALL.into_iter().all(|it| keeps(it) == (it == verdict)));
        }
    }

    proptest! {
        #[test]
        fn any_text_is_answered(text in r#"([a-z]{1,5}|state:|left<|[!()|":,*~<= ]|7d|ok|é|host)*"#) {
            match Filter::parse(&text) {
                Ok(filter) => {
                    let host = host();
                    filter.keeps(&Candidate {
                        host: &host, place: host.places.first(), verdict: Verdict::Ok, now: NOW,
                    });
                }
                Err(complaint) => {
                    prop_assert!(text.get(complaint.span.clone()).is_some());
                    complaint.render("filter", &text, false);
                }
            }
        }
    }
}
