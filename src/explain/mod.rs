//! What clients print when they fail, and what CAs say, in plain words: the cause, and the next safe step, which
//! never is to try again and again. The words are in a table; nothing here asks the world.

mod acme;
mod facts;
mod rules;
mod types;

use crate::fleet::Moment;
use crate::text::SafeText;

use facts::Facts;

pub use acme::{Named, Problem, acme};

/// What a failure means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// The name of the cause, for tests and filters.
    pub name: &'static str,
    /// The cause.
    pub cause: SafeText,
    /// What to do next, and what not.
    pub next: SafeText,
}

/// Explains what certbot printed, or the text of its log; `None` if nothing known stands in it.
pub fn certbot(output: &str) -> Option<Explanation> {
    // What a job prints is capped, but a line of it may be as long as all of it.
    let lower = output.to_ascii_lowercase();
    let rule = rules::all().find(|it| it.marks.iter().any(|mark| found(&lower, mark)))?;
    let facts = Facts::of(output);
    Some(Explanation {
        name: rule.name,
        cause: SafeText::new(&facts.fill(rule.cause)),
        next: SafeText::new(&facts.fill(rule.next)),
    })
}

/// The cause of that name, as the tables have it; `None` if it is none of theirs.
pub fn named(name: &str) -> Option<&'static str> {
    let types = types::ALL.iter().map(|it| it.name);
    rules::all().map(|it| it.name).chain(types).chain([acme::UNKNOWN_NAME]).find(|it| *it == name)
}

/// A limit of a CA for which it refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limited {
    /// The name of the cause: `limit-exact-set`, `limit-domain`, `paused`, …
    pub name: &'static str,
    /// The name or domain that the CA tells.
    pub about: Option<SafeText>,
    /// When it takes the next, if it tells that.
    pub until: Option<Moment>,
}

/// The limit for which a CA refused, by what a client printed or logged of it, or by what the CA
/// itself said; `None` if it was not refused for a limit.
pub fn limited(output: &str) -> Option<Limited> {
    let lower = output.to_ascii_lowercase();
    let rule = rules::CA.iter().find(|it| it.marks.iter().any(|mark| found(&lower, mark)))?;
    if !(rule.name == "limit" || rule.name.starts_with("limit-") || rule.name == "paused") {
        return None;
    }
    let facts = Facts::of(output);
    Some(Limited {
        name: rule.name,
        about: facts.limited().map(SafeText::new),
        until: facts.retry(),
    })
}

/// Whether every part of a mark stands in one line of the output. Parts are parted by ` … `.
fn found(lower: &str, mark: &str) -> bool {
    let mut parts = mark.split(" … ");
    let Some(first) = parts.next() else { return false };
    let rest: Vec<_> = parts.collect();
    lower.match_indices(first).any(|(at, _)| {
        let line = lower.get(at..).unwrap_or_default().lines().next().unwrap_or_default();
        rest.iter().all(|it| line.contains(it))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    macro_rules! capture {
        ($name:literal) => {
            include_str!(concat!(
                "../../tests/fixtures/certbot/failures/",
                $name,
                "-2.1.0-debian12.txt"
            ))
        };
    }

    #[track_caller]
    fn check(output: &str, name: &str, cause: &str) {
        let it = certbot(output).unwrap_or_else(|| panic!("nothing known in {output}"));
        assert_eq!(it.name, name, "{it:?}");
        assert!(it.cause.as_str().contains(cause), "{it:?}");
        let (cause, next) = (it.cause.as_str(), it.next.as_str());
        assert!(!cause.contains('{') && !next.contains('{'), "{it:?}");
        assert!(!next.is_empty(), "{it:?}");
    }

    #[test]
    fn what_was_recorded_is_explained() {
        check(capture!("port-busy"), "port-busy", "port 80");
        check(capture!("no-staging"), "ca-unreachable", "acme-staging-v02.api.letsencrypt.org");
        check(capture!("unknown-option"), "unknown-option", "--run-deploy-hooks");
        check(capture!("webroot-404"), "not-found", "shop.h001.lab.test");
        check(capture!("connection-refused"), "refused", "shop.h001.lab.test");
        check(capture!("nxdomain"), "no-such-name", "nope.absent.test");
        check(capture!("deploy-hook"), "deploy-hook", "exit code 7: oops");
        check(capture!("lock-held"), "busy", "at work");
        check(capture!("broken-conf"), "broken-conf", "rsa.h001.lab.test.conf");
        check(capture!("no-such-lineage"), "no-lineage", "absent.example");
        check(capture!("nonroot"), "no-permission", "/var/log/letsencrypt/.certbot.lock");
        check(capture!("nothing-due"), "not-due", "not due");
    }

    #[test]
    fn every_cause_has_a_name_and_nothing_else_has() {
        for name in ["paused", "deploy-hook", "terms", "refused-by-ca"] {
            assert_eq!(named(name), Some(name));
        }
        assert_eq!((named("other"), named("")), (None, None));
    }

    #[test]
    fn what_went_well_is_not_explained() {
        assert_eq!(certbot(capture!("success")), None);
        assert_eq!(certbot(capture!("dry-run")), None);
        assert_eq!(certbot(""), None);
        assert_eq!(certbot("An unexpected error occurred:\nKeyError: 'x'"), None);
    }

    /// The texts of Boulder as Let's Encrypt runs it (letsencrypt.org/docs/rate-limits, page of
    /// 2026-08-05), inside of what certbot makes of them.
    #[test]
    fn limits_are_told_apart() {
        let limit = |text: &str| {
            format!(
                "Failed to renew certificate www with error: urn:ietf:params:acme:error:rateLimited :: There were too many requests of a given type :: {text}"
            )
        };
        let exact = limit(
            "too many certificates (5) already issued for this exact set of identifiers in the last 168h0m0s, retry after 2026-11-25 12:00:00 UTC: see https://letsencrypt.org/docs/rate-limits/",
        );
        check(&exact, "limit-exact-set", "until 2026-11-25 12:00:00 UTC");
        let domain = limit(
            "too many certificates (50) already issued for \"example.com\" in the last 168h0m0s, retry after 2026-11-25 12:00:00 UTC: see",
        );
        check(&domain, "limit-domain", "example.com");
        check(
            &limit(
                "too many new orders (300) from this account in the last 3h0m0s, retry after 2026-11-25 12:00:00 UTC",
            ),
            "limit-orders",
            "2026-11-25",
        );
        check(
            &limit(
                "too many failed authorizations (5) for \"www.example.com\" in the last 1h0m0s, retry after 2026-11-25 12:00:00 UTC",
            ),
            "limit-failures",
            "www.example.com",
        );
        check(
            &limit(
                "too many new registrations (10) from this IP address in the last 3h0m0s, retry after 2026-11-25 12:00:00 UTC",
            ),
            "limit-accounts",
            "2026-11-25",
        );
        check(
            "Your account is temporarily prevented from requesting certificates for www.example.com and possibly others. Please visit: https://portal.letsencrypt.org/sfe/v1/unpause?jwt=x.",
            "paused",
            "www.example.com",
        );
        check(&limit("something new"), "limit", "limit");
        check(
            "too many certificates already issued for exact set of domains: a: see",
            "limit-exact-set",
            "the CA tells",
        );
        let told = limited(&exact).unwrap();
        assert_eq!((told.name, told.about), ("limit-exact-set", None));
        assert_eq!(told.until, Moment::parse("2026-11-25T12:00:00Z"));
        let told = limited(&domain).unwrap();
        assert_eq!((told.name, told.about), ("limit-domain", Some(SafeText::new("example.com"))));
        let paused = "Your account is temporarily prevented from requesting certificates for www.example.com and possibly others.";
        let told = limited(paused).unwrap();
        assert_eq!(told.about, Some(SafeText::new("www.example.com")));
        assert_eq!((told.name, told.until), ("paused", None));
        for other in ["", "Connection refused", "retry after 2026-11-25 12:00:00 UTC"] {
            assert_eq!(limited(other), None, "{other}");
        }
        let odd = limited("too many new orders (300), retry after the 40th of May: see x").unwrap();
        assert_eq!((odd.name, odd.until), ("limit-orders", None));
    }

    #[test]
    fn what_the_ca_sees_is_told_apart() {
        let told = |kind: &str, detail: &str| {
            format!(
                "Certbot failed to authenticate some domains (authenticator: webroot). The Certificate Authority reported these problems:\n  Domain: www.example.com\n  Type:   {kind}\n  Detail: {detail}\n"
            )
        };
        for (name, detail) in [
            (
                "no-such-name",
                "DNS problem: NXDOMAIN looking up A for www.example.com - check that a DNS record exists for this domain",
            ),
            (
                "dns-broken",
                "DNS problem: SERVFAIL looking up A for www.example.com - the domain's nameservers may be malfunctioning",
            ),
            ("dns-broken", "DNS problem: query timed out looking up CAA for example.com"),
            ("dnssec", "DNS problem: looking up A for www.example.com: DNSSEC: DNSKEY Missing"),
            (
                "no-address",
                "no valid A records found for www.example.com; no valid AAAA records found for www.example.com",
            ),
            ("caa", "CAA record for www.example.com prevents issuance"),
            (
                "caa",
                "While processing CAA for www.example.com: DNS problem: SERVFAIL looking up CAA for com",
            ),
            (
                "perspectives",
                "During secondary validation: 203.0.113.7: Fetching http://www.example.com/.well-known/acme-challenge/x: Timeout during connect (likely firewall problem)",
            ),
            (
                "timeout",
                "203.0.113.7: Fetching http://www.example.com/.well-known/acme-challenge/x: Timeout during connect (likely firewall problem)",
            ),
            (
                "refused",
                "203.0.113.7: Fetching http://www.example.com/.well-known/acme-challenge/x: Connection refused",
            ),
            (
                "not-found",
                "203.0.113.7: Invalid response from http://www.example.com/.well-known/acme-challenge/x: 404",
            ),
            (
                "wrong-answer",
                "203.0.113.7: Invalid response from http://www.example.com/.well-known/acme-challenge/x: \"<!doctype html>\"",
            ),
            (
                "wrong-answer",
                "The key authorization file from the server did not match this challenge \"x\" != \"y\"",
            ),
            ("redirects", "Fetching https://www.example.com/x: Redirect loop detected"),
            ("txt-record", "Incorrect TXT record \"x\" found at _acme-challenge.www.example.com"),
            ("txt-record", "No TXT record found at _acme-challenge.www.example.com"),
            ("validation", "something that nobody has seen before"),
        ] {
            check(&told("dns", detail), name, "www.example.com");
            // As the log of a host is kept: on one line.
            if name != "validation" {
                check(&format!("www.example.com: dns: {detail}"), name, "");
            }
        }
    }

    #[test]
    fn what_is_wrong_on_the_host_is_told_apart() {
        for (name, text) in [
            ("no-plugin", "The requested dns-cloudflare plugin does not appear to be installed"),
            (
                "no-account",
                "You should register before running non-interactively, or provide --agree-tos and --email <email_address> flags.",
            ),
            (
                "no-account",
                "urn:ietf:params:acme:error:accountDoesNotExist :: The request specified an account that does not exist :: Account x not found",
            ),
            (
                "external-account",
                "urn:ietf:params:acme:error:externalAccountRequired :: The request must include a value for the \"externalAccountBinding\" field",
            ),
            (
                "ca-down",
                "urn:ietf:params:acme:error:serverInternal :: The server experienced an internal error :: Error creating new order",
            ),
            (
                "ca-down",
                "urn:acme:error:serverInternal :: The service is down for maintenance or had an internal error. Check https://letsencrypt.status.io/ for more details.",
            ),
            (
                "ca-down",
                "503 Server Error: Service Unavailable for url: https://acme-v02.api.letsencrypt.org/directory",
            ),
            (
                "ca-unreachable",
                "requests.exceptions.ReadTimeout: HTTPSConnectionPool(host='acme-v02.api.letsencrypt.org', port=443): Read timed out. (read timeout=45)",
            ),
            (
                "nonce",
                "urn:ietf:params:acme:error:badNonce :: The client sent an unacceptable anti-replay nonce",
            ),
            ("clock", "certificate verify failed: certificate is not yet valid (_ssl.c:992)"),
            (
                "ca-untrusted",
                "ssl.SSLCertVerificationError: [SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: unable to get local issuer certificate",
            ),
            (
                "disk-full",
                "OSError: [Errno 28] No space left on device: '/etc/letsencrypt/archive/x/cert5.pem'",
            ),
            ("read-only", "[Errno 30] Read-only file system: '/etc/letsencrypt/x'"),
            (
                "bad-email",
                "urn:ietf:params:acme:error:invalidContact :: Error creating new account :: contact email has forbidden domain \"example.com\"",
            ),
            (
                "too-many-names",
                "urn:ietf:params:acme:error:malformed :: The request message was malformed :: Order included too many identifiers",
            ),
            (
                "forbidden-name",
                "urn:ietf:params:acme:error:rejectedIdentifier :: The server will not issue certificates for the identifier :: Cannot issue for \"x.example\": The ACME server refuses",
            ),
            ("forbidden-name", "AttributeError: can't set attribute"),
            ("post-hook", "Hook 'post-hook' reported error code 1"),
            ("pre-hook", "Hook 'pre-hook' reported error code 1"),
            (
                "deploy-hook",
                "deploy-hook failed with exit code 7: /etc/letsencrypt/renewal-hooks/deploy/x",
            ),
            ("hook-missing", "Unable to find deploy-hook command nginx-reload in the PATH."),
            ("no-webroot", "/var/www/x does not exist or is not a directory"),
            (
                "asks",
                "Missing command line flag or config entry for this setting:\nInput the webroot for x:",
            ),
            ("remains", "archive directory exists for www.example.com"),
            (
                "no-challenge",
                "Client with the currently selected authenticator does not support any combination of challenges that will satisfy the CA. You may need to use an authenticator plugin that can do challenges over DNS.",
            ),
            ("dns-plugin", "Error adding TXT record: 10000 Authentication error"),
            (
                "dns-plugin",
                "Unable to determine base domain for www.example.com using names: ['com']",
            ),
            (
                "terms",
                "urn:ietf:params:acme:error:userActionRequired :: You must agree to the terms",
            ),
            (
                "unauthorized",
                "urn:ietf:params:acme:error:unauthorized :: The client lacks sufficient authorization :: Account is not valid, has status \"deactivated\"",
            ),
            ("stopped", "Exiting due to user request."),
            ("no-certbot", "/bin/sh: 1: certbot: not found"),
            ("no-certbot", "env: can't execute 'certbot': No such file or directory"),
            (
                "by-hand",
                "The manual plugin is not working; there may be problems with your existing configuration.\nThe error was: PluginError('An authentication script must be provided with --manual-auth-hook when using the manual plugin non-interactively.')",
            ),
        ] {
            check(text, name, "");
        }
    }

    #[test]
    fn what_a_log_keeps_of_a_hook_is_said_once() {
        let kept = "deploy-hook failed with exit code 7: /etc/letsencrypt/renewal-hooks/deploy/x";
        let cause = certbot(kept).unwrap().cause;
        assert!(
            cause.as_str().ends_with("code 7: /etc/letsencrypt/renewal-hooks/deploy/x"),
            "{cause}"
        );
    }

    #[test]
    fn every_mark_says_something() {
        for rule in rules::all() {
            for part in rule.marks.iter().flat_map(|it| it.split(" … ")) {
                assert!(
                    part.trim().len() > 1 && *part == part.to_ascii_lowercase(),
                    "{}",
                    rule.name
                );
            }
        }
    }

    #[test]
    fn nobody_is_told_to_hammer() {
        for rule in rules::all() {
            let next = rule.next.to_lowercase();
            for word in [
                "retry until",
                "in a loop",
                "repeat",
                "again and again",
                "/live",
                "delete ",
                " rm ",
            ] {
                assert!(!next.contains(word), "{}: {next}", rule.name);
            }
        }
    }

    proptest! {
        #[test]
        fn any_output_is_taken(output in ".{0,300}", at in 0..200_usize) {
            let mark = rules::all().nth(at % rules::all().count()).unwrap().marks[0];
            let text = format!("{output}{mark}");
            drop(certbot(&text));
            drop(certbot(&output));
        }
    }
}
