//! What a CA says when it refuses, in plain words.

use std::fmt::Write as _;

use super::facts::Facts;
use super::types::{self, Type};
use super::{Explanation, found, rules};
use crate::fleet::Moment;
use crate::text::SafeText;

/// A problem document (RFC 8555, section 6.7), or an error without one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Problem<'p> {
    /// The type, with or without `urn:ietf:params:acme:error:`; empty where there is no document.
    pub kind: &'p str,
    /// What the CA says.
    pub detail: &'p str,
    /// The HTTP status; 0 where it is not known.
    pub status: u16,
    /// What it says of single names (RFC 8555, section 6.7.1), or of their challenges.
    pub names: Vec<Named<'p>>,
    /// Nothing may be asked before: as `Retry-After` or the detail tells.
    pub until: Option<Moment>,
}

/// What a CA says of one name.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Named<'p> {
    /// The name; empty where it names none.
    pub name: &'p str,
    /// The type of the error.
    pub kind: &'p str,
    /// What the CA says.
    pub detail: &'p str,
}

/// Explains what a CA said. There is always a next step, and it is never to ask again at once.
pub fn acme(problem: &Problem<'_>) -> Explanation {
    let whole = Named { name: "", kind: problem.kind, detail: problem.detail };
    let (first, rest) = match problem.names.split_first() {
        // What it says of a name is more exact than what it says of all of them.
        Some((first, rest)) if !is(problem, "rateLimited") => (*first, rest),
        _ => (whole, &[][..]),
    };
    let mut told = one(&first, problem);
    if !rest.is_empty() {
        let names: Vec<_> = rest.iter().take(MAX_NAMES).map(|it| shown(it)).collect();
        let more = rest.len().saturating_sub(MAX_NAMES);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        told.cause = SafeText::new(&format!("{}; also {}{more}", told.cause, names.join(", ")));
    }
    told
}

fn one(it: &Named<'_>, problem: &Problem<'_>) -> Explanation {
    let text = text(it, problem.until);
    let facts = Facts::of(&text);
    let known = types::ALL.iter().find(|known| known.kind == short(it.kind));
    let (name, cause, next) = match known.or_else(|| by_status(problem.status)) {
        Some(known) if !known.is_coarse => (known.name, known.cause, known.next),
        known => {
            let lower = text.to_ascii_lowercase();
            let marked = |rule: &&rules::Rule| rule.marks.iter().any(|it| found(&lower, it));
            match (rules::CA.iter().find(marked), known) {
                (Some(rule), _) => (rule.name, rule.cause, rule.next),
                (None, Some(known)) => (known.name, known.cause, known.next),
                (None, None) => (UNKNOWN_NAME, UNKNOWN.0, UNKNOWN.1),
            }
        }
    };
    let mut next = facts.fill(next);
    if let Some(until) = problem.until
        && !next.contains(&until.to_string())
    {
        // Writing to a string does not fail.
        write!(next, "; ask it nothing before {until}").ok();
    }
    Explanation { name, cause: SafeText::new(&facts.fill(cause)), next: SafeText::new(&next) }
}

/// The problem as certbot would print it, from which the gaps are filled.
fn text(it: &Named<'_>, until: Option<Moment>) -> String {
    let mut text = String::new();
    if !it.name.is_empty() {
        writeln!(text, "Domain: {}", it.name).ok();
    }
    if let Some(until) = until {
        writeln!(text, "retry after {until}").ok();
    }
    let kind = short(it.kind);
    if !kind.is_empty() {
        writeln!(text, "error:{kind}").ok();
    }
    text.push_str(it.detail);
    text
}

/// What an error without a type means.
fn by_status(status: u16) -> Option<&'static Type> {
    let kind = match status {
        429 => "rateLimited",
        500.. => "serverInternal",
        _ => return None,
    };
    types::ALL.iter().find(|it| it.kind == kind)
}

fn is(problem: &Problem<'_>, kind: &str) -> bool {
    short(problem.kind) == kind
}

fn short(kind: &str) -> &str {
    kind.strip_prefix(PREFIX).unwrap_or(kind)
}

fn shown(it: &Named<'_>) -> String {
    let name = if it.name.is_empty() { "another name" } else { it.name };
    format!("{name} ({})", short(it.kind))
}

const PREFIX: &str = "urn:ietf:params:acme:error:";
/// How many names are told beside the one that is explained.
const MAX_NAMES: usize = 5;
/// The name of the cause where nobody has registered the type.
pub(super) const UNKNOWN_NAME: &str = "refused-by-ca";
/// What is said of it.
const UNKNOWN: (&str, &str) = (
    "the CA refuses it for a reason that this program does not know",
    "its own words are what there is: mend what they name, and order from its staging twin first",
);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const UNTIL: Moment = Moment::from_unix(1_795_403_564);

    #[track_caller]
    fn check(problem: &Problem<'_>, name: &str, words: &[&str]) {
        let it = acme(problem);
        assert_eq!(it.name, name, "{problem:?}: {it:?}");
        let text = format!("{}\n{}", it.cause, it.next);
        assert!(!text.contains('{') && !it.next.is_empty(), "{it:?}");
        for word in words {
            assert!(text.contains(word), "{word}: {it:?}");
        }
    }

    fn refused<'p>(kind: &'p str, detail: &'p str) -> Problem<'p> {
        Problem { kind, detail, status: 403, ..Problem::default() }
    }

    /// RFC 8555, section 6.7; RFC 9773, section 7.4; draft-ietf-acme-profiles-01, section 6.3.
    #[test]
    fn every_registered_type_is_explained() {
        let registered = "accountDoesNotExist alreadyRevoked badCSR badNonce badPublicKey \
             badRevocationReason badSignatureAlgorithm caa compound connection dns \
             externalAccountRequired incorrectResponse invalidContact malformed orderNotReady \
             rateLimited rejectedIdentifier serverInternal tls unauthorized unsupportedContact \
             unsupportedIdentifier userActionRequired alreadyReplaced invalidProfile";
        let mut told = Vec::new();
        for kind in registered.split_whitespace() {
            let urn = format!("{PREFIX}{kind}");
            let it = acme(&refused(&urn, "no"));
            assert_ne!(it.name, "refused-by-ca", "{kind}");
            assert!(!told.contains(&it.next), "{kind} is told as another is: {it:?}");
            told.push(it.next);
        }
        assert_eq!(told.len(), types::ALL.len());
    }

    /// The texts are Boulder's (letsencrypt.org/docs/rate-limits, page of 2026-08-05).
    #[test]
    fn limits_are_told_apart_with_their_time() {
        for (name, detail, words) in [
            (
                "limit-exact-set",
                "too many certificates (5) already issued for this exact set of identifiers in the last 168h0m0s, retry after 2026-11-25 12:00:00 UTC: see https://letsencrypt.org/docs/rate-limits/",
                &["exact set", "roll back"][..],
            ),
            (
                "limit-domain",
                "too many certificates (50) already issued for \"example.com\" in the last 168h0m0s, retry after 2026-11-25 12:00:00 UTC: see x",
                &["example.com"],
            ),
            (
                "limit-orders",
                "too many new orders (300) from this account in the last 3h0m0s, retry after 2026-11-25 12:00:00 UTC",
                &["what orders so often"],
            ),
            (
                "limit-failures",
                "too many failed authorizations (5) for \"www.example.com\" in the last 1h0m0s, retry after 2026-11-25 12:00:00 UTC",
                &["www.example.com"],
            ),
            (
                "limit-accounts",
                "too many new registrations (10) from this IPv4 address in the last 3h0m0s, retry after 2026-11-25 12:00:00 UTC",
                &["too many accounts"],
            ),
            ("limit", "Service busy; retry later.", &["limit of the CA"]),
        ] {
            let problem = Problem { until: None, ..refused("rateLimited", detail) };
            let time = if name == "limit" { "the time that the CA tells" } else { "2026-11-25 12" };
            check(&problem, name, &[words, &[time]].concat());
            let later = Problem { until: Some(UNTIL), ..problem };
            check(&later, name, &[words, &["2026-11-23T03:12:44Z"]].concat());
        }
        let paused = "Your account is temporarily prevented from requesting certificates for www.example.com and possibly others. Please visit: https://portal.letsencrypt.org/sfe/v1/unpause?jwt=x";
        check(
            &refused("rateLimited", paused),
            "paused",
            &["www.example.com", "https://portal.letsencrypt.org/sfe/v1/unpause?jwt=x"],
        );
    }

    #[test]
    fn an_error_without_a_document_is_told_by_its_status() {
        let status = |status, until| Problem { status, until, ..Problem::default() };
        check(&status(429, None), "limit", &["order nothing before the time"]);
        check(&status(429, Some(UNTIL)), "limit", &["before 2026-11-23T03:12:44Z"]);
        check(
            &status(503, Some(UNTIL)),
            "ca-down",
            &["ask it nothing before 2026-11-23T03:12:44Z"],
        );
        check(&status(502, None), "ca-down", &["status page"]);
        check(&status(404, None), "refused-by-ca", &["staging twin first"]);
        check(&refused("urn:example:odd", "x"), "refused-by-ca", &[]);
    }

    #[test]
    fn what_is_said_of_names_is_more_exact() {
        let names = [
            ("www.example.com", "dns", "DNS problem: NXDOMAIN looking up A for www.example.com"),
            ("b.example.com", "caa", "no"),
            ("", "tls", "no"),
        ];
        let names = names.map(|(name, kind, detail)| Named { name, kind, detail }).to_vec();
        let some = Problem { names, ..refused("compound", "Some identifiers") };
        check(
            &some,
            "no-such-name",
            &["www.example.com is not in the DNS", "also b.example.com (caa), another name (tls)"],
        );
        let many = vec![some.names[0]; 100];
        let it = acme(&Problem { names: many, ..some }).cause;
        assert!(it.as_str().ends_with("(dns) and 94 more"), "{it}");
    }

    /// The words of Boulder's validation and of Pebble's (va.go of 2.4.0).
    #[test]
    fn what_the_ca_saw_is_told_apart() {
        for (name, kind, detail) in [
            (
                "perspectives",
                "unauthorized",
                "During secondary validation: 203.0.113.7: Invalid response from http://www.example.com/.well-known/acme-challenge/x: 404",
            ),
            ("caa", "caa", "CAA record for example.com prevents issuance"),
            ("caa", "caa", "x"),
            ("dnssec", "dns", "DNS problem: looking up A for x: DNSSEC: DNSKEY Missing"),
            (
                "dns-broken",
                "dns",
                "DNS problem: SERVFAIL looking up TXT for _acme-challenge.x - the domain's nameservers may be malfunctioning",
            ),
            ("dns-broken", "dns", "whatever"),
            (
                "txt-record",
                "dns",
                "DNS problem: NXDOMAIN looking up TXT for _acme-challenge.www.example.com - check that a DNS record exists for this domain",
            ),
            (
                "txt-record",
                "unauthorized",
                "Incorrect TXT record \"x\" found at _acme-challenge.www.example.com",
            ),
            ("txt-record", "unauthorized", "Correct value not found for DNS challenge"),
            (
                "txt-record",
                "unauthorized",
                "Error retrieving TXT records for DNS challenge (lookup _acme-challenge.x on 127.0.0.1:1: no such host)",
            ),
            (
                "refused",
                "connection",
                "Get \"http://x:80/.well-known/acme-challenge/t\": dial tcp 127.0.0.1:80: connect: connection refused",
            ),
            (
                "timeout",
                "connection",
                "203.0.113.7: Fetching http://x/.well-known/acme-challenge/t: Timeout during connect (likely firewall problem)",
            ),
            (
                "not-found",
                "unauthorized",
                "Non-200 status code from HTTP: http://x:80/.well-known/acme-challenge/t returned 404",
            ),
            (
                "wrong-answer",
                "incorrectResponse",
                "The key authorization file from the server did not match this challenge",
            ),
            ("wrong-answer", "incorrectResponse", "x"),
            ("unreached", "connection", "x"),
            ("tls", "tls", "remote error: handshake failure"),
            ("unauthorized", "unauthorized", "Account is not valid, has status \"deactivated\""),
            // A CA that is down does not know what the name servers did.
            ("ca-down", "serverInternal", "i/o timeout: SERVFAIL looking up A"),
        ] {
            let named = Named { name: "www.example.com", kind, detail };
            check(&Problem { names: vec![named], ..Problem::default() }, name, &[]);
            check(&refused(kind, detail), name, &[]);
        }
    }

    #[test]
    fn nobody_is_told_to_hammer() {
        for it in types::ALL {
            let text = it.next.to_lowercase();
            for word in ["retry now", "try again", "in a loop", "repeat", "again and again", " rm "]
            {
                assert!(!text.contains(word), "{}: {text}", it.kind);
            }
            if it.next.contains("order") && it.is_coarse {
                let is_careful =
                    ["staging", "nothing", "before"].iter().any(|it| text.contains(it));
                assert!(is_careful, "{}: {text}", it.kind);
            }
        }
    }

    #[test]
    fn what_a_ca_says_reaches_nobody_raw() {
        let named = Named { name: "a\u{1b}[2J\u{202e}.test", kind: "d\u{7}", detail: "\"\r\n{\0" };
        let it = acme(&Problem {
            names: vec![named; 3],
            ..refused("rateLimited\u{1b}", "visit: \u{9b}31m")
        });
        let text = format!("{}{}", it.cause, it.next);
        assert!(text.chars().all(|it| !it.is_control() && it != '\u{202e}'), "{text:?}");
    }

    proptest! {
        #[test]
        fn any_problem_is_taken(kind in ".{0,30}", detail in ".{0,300}", status: u16, at in 0..40_usize) {
            let known = types::ALL.get(at).map_or(kind.as_str(), |it| it.kind);
            let named = Named { name: &kind, kind: known, detail: &detail };
            for names in [Vec::new(), vec![named], vec![named; 9]] {
                let it = acme(&Problem { kind: known, detail: &detail, status, names, until: None });
                prop_assert!(!it.next.is_empty());
            }
        }
    }
}
