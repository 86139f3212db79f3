//! What certbot's log tells of renewals that failed. certbot exits 0 when a deploy hook fails, and
//! the log is the only place that says so.

use std::collections::HashMap;

use jiff::civil::DateTime;

use crate::fleet::{DryRun, FailedHook, Failure, HookStage, Moment, Unproven};
use crate::text::SafeText;

/// What the end of a log tells.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Log {
    /// When certbot last ran.
    pub(super) last_run: Option<Moment>,
    /// The version that ran last.
    pub(super) version: Option<SafeText>,
    /// Names that the CA could not verify, oldest first.
    pub(super) unproven: Vec<Unproven>,
    failures: HashMap<String, Told>,
    successes: HashMap<String, Option<Moment>>,
    dry_runs: HashMap<String, DryRun>,
    /// Hooks that failed, each with the number of its run.
    hooks: HashMap<String, (FailedHook, usize)>,
}

#[derive(Debug, PartialEq, Eq)]
struct Told {
    failure: Failure,
    /// The number of the run, for a hook that failed after the certificate had been written.
    hook_of: Option<usize>,
}

/// One run of certbot as far as it has been read.
#[derive(Debug, Default)]
struct Run<'a> {
    number: usize,
    is_trial: bool,
    is_dry: bool,
    lineage: Option<&'a str>,
    server: Option<&'a str>,
    /// The names that were refused for its present lineage: their lines may stand there twice.
    named: Vec<&'a str>,
    hook: Option<&'a str>,
    /// A hook that failed before it was said for which lineage.
    early: Option<FailedHook>,
    refused: Refused<'a>,
}

/// What the CA said of the last name that it refused.
#[derive(Debug, Default)]
struct Refused<'a> {
    domain: &'a str,
    kind: &'a str,
    detail: &'a str,
}

/// The lines that [`Log::read`] needs, for `grep -E` on the host: a log holds every certificate
/// and every nonce, and nobody needs those.
pub(super) const PATTERN: &str = "certbot version: |:Arguments: |^ *(Domain|Type|Detail): \
    |Failed to renew cert|Attempting to renew cert|Hook .* reported error|-hook command: \
    |Writing (new private key|certificate) to |fullchain.pem [(]success\
    |^Certificate is saved at: |Processing .*[.]conf$";

impl Log {
    /// Reads the end of a log; `zone` is how far the host's clock on the wall is ahead of UTC.
    pub(super) fn read(text: &[u8], zone: i64) -> Self {
        let text = String::from_utf8_lossy(text);
        let mut log = Self::default();
        let mut run = Run::default();
        for line in text.lines() {
            let (at, message) = split_stamp(line, zone);
            log.last_run = at.or(log.last_run);
            log.take_in(&mut run, at.or(log.last_run), message);
        }
        log
    }

    /// The last failure of that lineage, if nothing succeeded since.
    pub(super) fn failure(&self, lineage: &str) -> Option<&Failure> {
        Some(&self.failures.get(lineage)?.failure)
    }

    /// When it was last told that an order for that lineage went well.
    pub(super) fn success(&self, lineage: &str) -> Option<Moment> {
        *self.successes.get(lineage)?
    }

    /// The last dry run of that lineage.
    pub(super) fn dry_run(&self, lineage: &str) -> Option<DryRun> {
        self.dry_runs.get(lineage).copied()
    }

    /// The last hook that failed for that lineage, if it was not renewed since with no hook
    /// failing. What was renewed with it is not renewed again for it: certbot runs a hook once.
    pub(super) fn failed_hook(&self, lineage: &str) -> Option<&FailedHook> {
        Some(&self.hooks.get(lineage)?.0)
    }

    fn take_in<'a>(&mut self, run: &mut Run<'a>, at: Option<Moment>, message: &'a str) {
        if let Some(version) = after(message, "certbot version: ") {
            self.version = Some(SafeText::capped(version, 32));
            *run = Run { number: run.number + 1, ..Run::default() };
        } else if let Some(arguments) = after(message, "Arguments: ") {
            run.is_dry |= arguments.contains("'--dry-run'");
            run.server = argument(arguments, "--server");
            // A dry run says nothing about the certificate in use.
            run.is_trial |= ["--dry-run", "--test-cert", "--staging"]
                .iter()
                .any(|it| arguments.contains(&format!("'{it}'")));
        } else if let Some(domain) = message.trim_start().strip_prefix("Domain: ") {
            run.refused = Refused { domain: domain.trim(), ..Refused::default() };
            self.take_in_unproven(run, at);
        } else if let Some(kind) = message.trim_start().strip_prefix("Type: ") {
            run.refused.kind = kind.trim();
        } else if let Some(detail) = message.trim_start().strip_prefix("Detail: ") {
            run.refused.detail = detail.trim();
        } else if let Some(path) = after(message, "Processing ") {
            run.lineage = path.rsplit('/').next().and_then(|it| it.strip_suffix(".conf"));
            run.refused = Refused::default();
            run.named.clear();
        } else if let Some(command) = after(message, "-hook command: ") {
            run.hook = Some(command);
        } else if run.is_dry {
            self.take_in_dry_run(at, message);
        } else if !run.is_trial {
            self.take_in_outcome(run, at, message);
        }
    }

    fn take_in_unproven(&mut self, run: &mut Run<'_>, at: Option<Moment>) {
        let domain = run.refused.domain;
        let Some(at) = at.filter(|_| !domain.is_empty() && !run.named.contains(&domain)) else {
            return;
        };
        run.named.push(domain);
        if self.unproven.len() >= MAX_UNPROVEN {
            self.unproven.remove(0);
        }
        self.unproven.push(Unproven {
            at,
            name: SafeText::capped(domain, MAX_NAME),
            lineage: run.lineage.map(|it| SafeText::capped(it, MAX_NAME)),
            server: run.server.map(|it| SafeText::capped(it, MAX_NAME)),
            is_trial: run.is_trial,
        });
    }

    fn take_in_dry_run(&mut self, at: Option<Moment>, message: &str) {
        let failure = failed(message).map(|(lineage, _)| (lineage, false));
        let outcome = failure.or_else(|| succeeded(message).map(|it| (it, true)));
        if let (Some((lineage, is_ok)), Some(at)) = (outcome, at) {
            keep(&mut self.dry_runs, lineage, DryRun { at, is_ok });
        }
    }

    fn take_in_outcome<'a>(&mut self, run: &mut Run<'a>, at: Option<Moment>, message: &'a str) {
        if let Some((lineage, error)) = failed(message) {
            let refused = std::mem::take(&mut run.refused);
            self.tell(lineage, at, &refused.explain(error), None);
        } else if message.contains("Writing new private key to ")
            || message.contains("Writing certificate to ")
        {
            run.lineage = message.rsplit('/').nth(1);
            if let Some(lineage) = run.lineage {
                self.settle(lineage, run.number);
                if let Some(hook) = run.early.take() {
                    self.tell_hook(lineage, hook, run.number);
                }
            }
        } else if let Some((stage, code)) = failed_hook(message) {
            let command = run.hook.map(|it| SafeText::capped(it, MAX_TEXT));
            let hook = FailedHook { at, stage, command, code, changed: None };
            match run.lineage {
                Some(lineage) => self.tell_hook(lineage, hook, run.number),
                None => run.early = Some(hook),
            }
        } else if let Some(lineage) = succeeded(message) {
            self.settle(lineage, run.number);
            keep(&mut self.successes, lineage, at);
        }
    }

    /// The certificate is there; that a hook of this run failed remains true.
    fn settle(&mut self, lineage: &str, run: usize) {
        if self.failures.get(lineage).is_some_and(|it| it.hook_of != Some(run)) {
            self.failures.remove(lineage);
        }
        if self.hooks.get(lineage).is_some_and(|it| it.1 != run) {
            self.hooks.remove(lineage);
        }
    }

    fn tell_hook(&mut self, lineage: &str, hook: FailedHook, run: usize) {
        let FailedHook { at, stage, command, code, .. } = &hook;
        let command = command.as_ref().map(|it| format!(": {it}")).unwrap_or_default();
        let text = format!("{stage}-hook failed with exit code {code}{command}");
        self.tell(lineage, *at, &text, Some(run));
        keep(&mut self.hooks, lineage, (hook, run));
    }

    fn tell(&mut self, lineage: &str, at: Option<Moment>, text: &str, hook_of: Option<usize>) {
        let failure = Failure { at, text: SafeText::capped(text, MAX_TEXT) };
        keep(&mut self.failures, lineage, Told { failure, hook_of });
    }
}

/// Puts it into the map for that lineage, unless a log names more lineages than a host has.
fn keep<T>(map: &mut HashMap<String, T>, lineage: &str, it: T) {
    if map.len() < MAX_LINEAGES || map.contains_key(lineage) {
        map.insert(lineage.to_owned(), it);
    }
}

impl Refused<'_> {
    /// The client's own words, and the CA's.
    fn explain(&self, error: &str) -> String {
        let Self { domain, kind, detail } = self;
        if detail.is_empty() { error.to_owned() } else { format!("{domain}: {kind}: {detail}") }
    }
}

fn after<'a>(message: &'a str, words: &str) -> Option<&'a str> {
    Some(message.split_once(words)?.1.trim_end())
}

/// The value of an option in certbot's list of arguments: `'--server', 'https://ca.test/dir'`.
fn argument<'a>(arguments: &'a str, option: &str) -> Option<&'a str> {
    let (_, rest) = arguments.split_once(&format!("'{option}"))?;
    let (value, _) = match rest.strip_prefix('=') {
        Some(value) => value.split_once('\'')?,
        None => rest.strip_prefix("', '")?.split_once('\'')?,
    };
    Some(value)
}

/// The lineage and the error of a line that tells of a failed renewal.
fn failed(message: &str) -> Option<(&str, &str)> {
    if let Some(rest) = after(message, "Failed to renew certificate ") {
        return rest.split_once(" with error: ");
    }
    // Before certbot 1.7: "Attempting to renew cert (NAME) from CONF produced an unexpected
    // error: ERROR. Skipping."
    let rest = after(message, "Attempting to renew cert (")?;
    let (lineage, rest) = rest.split_once(')')?;
    let error = after(rest, "unexpected error: ")?;
    Some((lineage, error.strip_suffix(". Skipping.").unwrap_or(error)))
}

/// The lineage of a line that tells of a success: of `renew`, and of `certonly`. What hooks print
/// is indented.
fn succeeded(message: &str) -> Option<&str> {
    let path = match message.strip_prefix("Certificate is saved at: ") {
        Some(path) => path.trim().strip_suffix("/fullchain.pem")?,
        None => message.trim().strip_suffix("/fullchain.pem (success)")?,
    };
    path.rsplit('/').next()
}

/// The stage and the exit code of a line that tells of a failed hook: `Hook 'deploy-hook'
/// reported error code 7`.
fn failed_hook(message: &str) -> Option<(HookStage, i32)> {
    let (hook, rest) = after(message, "Hook '")?.split_once('\'')?;
    let code = after(rest, "reported error code ")?.parse().ok()?;
    let stage = hook
        .strip_suffix("-hook")
        .and_then(|it| HookStage::ALL.into_iter().find(|stage| stage.to_string() == it));
    Some((stage.unwrap_or(HookStage::Deploy), code))
}

/// The time of a line and the rest of it: `2026-11-23 21:22:26,418:WARNING:module:message`.
fn split_stamp(line: &str, zone: i64) -> (Option<Moment>, &str) {
    let Some((stamp, rest)) = line.split_at_checked(19) else { return (None, line) };
    let Some(rest) = rest.strip_prefix(',') else { return (None, line) };
    match stamp.parse::<DateTime>() {
        Ok(it) => (Some(Moment::from_civil(it).plus(-zone)), rest),
        Err(_) => (None, line),
    }
}

/// More lineages than a host has.
const MAX_LINEAGES: usize = 1000;

/// More names than fail within the time that any limit looks back to; the newest are kept.
const MAX_UNPROVEN: usize = 500;
const MAX_NAME: usize = 255;

/// Enough for the CA's detail with a URL in it.
const MAX_TEXT: usize = 400;

#[cfg(test)]
mod tests {
    use super::*;

    const FAILURES: &[u8] = include_bytes!(
        "../../../tests/fixtures/certbot/letsencrypt-success-then-failures-2.1.0-debian12.log"
    );
    const HOOK: &[u8] = include_bytes!(
        "../../../tests/fixtures/certbot/letsencrypt-failing-deploy-hook-2.1.0-debian12.log"
    );

    #[track_caller]
    fn check(log: &[u8], lineage: &str, expect: &str) {
        let log = Log::read(log, 0);
        let text = log.failure(lineage).map(|it| it.text.as_str()).unwrap_or_default();
        assert!(text.contains(expect) && text.is_empty() == expect.is_empty(), "{text}");
    }

    #[test]
    fn the_cause_is_the_words_of_the_authority() {
        check(FAILURES, "shop.h001.lab.test", "shop.h001.lab.test: connection: Get ");
        check(FAILURES, "shop.h001.lab.test", "connection refused");
        check(FAILURES, "nope.absent.test", "");
    }

    #[test]
    fn a_failed_deploy_hook_outlives_the_success_of_its_run() {
        check(HOOK, "shop.h001.lab.test", "deploy-hook failed with exit code 7");
        check(HOOK, "shop.h001.lab.test", "/etc/letsencrypt/renewal-hooks/deploy/20-bad.sh");
    }

    #[test]
    fn times_are_of_the_host() {
        let log = Log::read(HOOK, 3600);
        assert_eq!(*log.version.as_ref().unwrap(), "2.1.0");
        assert_eq!(log.last_run, Moment::parse("2026-11-23T20:22:26Z"));
        let failure = log.failure("shop.h001.lab.test").unwrap();
        assert_eq!(failure.at, Moment::parse("2026-11-23T20:22:26Z"));
    }

    #[test]
    fn names_that_could_not_be_verified_are_told_each_once() {
        let log = Log::read(FAILURES, 0);
        let told: Vec<_> = log
            .unproven
            .iter()
            .map(|it| {
                let text = |it: &Option<SafeText>| it.as_ref().map(ToString::to_string);
                (it.at.to_string(), it.name.to_string(), text(&it.lineage), text(&it.server))
            })
            .collect();
        let shop = "shop.h001.lab.test";
        let lineage = Some(shop.to_owned());
        let server = Some("https://acme.lab.test:14000/dir".to_owned());
        let name = |it: &str| it.to_owned();
        assert_eq!(
            told,
            [
                ("2026-11-23T21:22:10Z".to_owned(), name(shop), lineage.clone(), None),
                ("2026-11-23T21:22:12Z".to_owned(), name(shop), lineage, None),
                ("2026-11-23T21:22:15Z".to_owned(), name("nope.absent.test"), None, server),
            ]
        );
        let run = "2026-11-23 21:22:24,1:DEBUG:x:certbot version: 2.1.0\n\
            2026-11-23 21:22:24,1:DEBUG:x:Arguments: ['renew', '--dry-run', '--server=x']\n\
            2026-11-23 21:22:25,1:DEBUG:x:Processing /etc/letsencrypt/renewal/a.conf\n\
            \x20 Domain: a.test\n  Domain: a.test\n  Domain: b.test\n\
            2026-11-23 21:22:26,1:DEBUG:x:Processing /etc/letsencrypt/renewal/b.conf\n\
            \x20 Domain: a.test\n";
        let log = Log::read(run.as_bytes(), 0);
        let told: Vec<_> = log.unproven.iter().map(|it| it.name.as_str()).collect();
        assert_eq!(told, ["a.test", "b.test", "a.test"]);
        assert!(log.unproven.iter().all(|it| it.is_trial && it.server.as_ref().unwrap() == "x"));
    }

    const BEGIN: &str = "2026-11-23 21:22:24,1:DEBUG:x:certbot version: 2.1.0\n";
    const FAIL: &str =
        "2026-11-23 21:22:25,1:ERROR:x:Failed to renew certificate a with error: no\n";
    const GOOD: &str = "2026-11-23 21:22:26,1:DEBUG:x:  /e/live/a/fullchain.pem (success)\n";
    const HOOKED: &str =
        "2026-11-23 21:22:25,1:WARNING:x:Hook 'deploy-hook' reported error code 3\n";
    const TRIAL: &str = "2026-11-23 21:22:25,1:DEBUG:x:Arguments: ['--dry-run']\n";
    const WRITE: &str =
        "2026-11-23 21:22:25,1:DEBUG:x:Writing new private key to /e/archive/a/privkey4.pem.\n";

    #[test]
    fn a_later_success_settles_it() {
        let failed =
            |parts: &[&str]| Log::read(parts.concat().as_bytes(), 0).failure("a").is_some();
        assert!(failed(&[BEGIN, FAIL]));
        assert!(!failed(&[BEGIN, FAIL, BEGIN, WRITE]));
        assert!(!failed(&[BEGIN, FAIL, BEGIN, GOOD]));
        assert!(failed(&[BEGIN, WRITE, HOOKED, GOOD]));
        assert!(failed(&[BEGIN, WRITE, HOOKED, GOOD, BEGIN]), "only a renewal runs it again");
        assert!(!failed(&[BEGIN, WRITE, HOOKED, GOOD, BEGIN, WRITE, GOOD]));
        assert!(!failed(&[BEGIN, TRIAL, FAIL]), "a dry run is no failure");
        assert!(failed(&[BEGIN, FAIL, BEGIN, TRIAL, WRITE, GOOD]), "and no success");
    }

    #[test]
    fn dry_runs_and_failed_hooks_are_on_record() {
        let log = |parts: &[&str]| Log::read(parts.concat().as_bytes(), 0);
        let dry = |parts: &[&str]| log(parts).dry_run("a").map(|it| it.is_ok);
        assert_eq!(dry(&[BEGIN, TRIAL, GOOD]), Some(true));
        assert_eq!(dry(&[BEGIN, TRIAL, FAIL]), Some(false));
        assert_eq!(dry(&[BEGIN, TRIAL, FAIL, BEGIN, TRIAL, GOOD]), Some(true));
        assert_eq!(dry(&[BEGIN, GOOD, BEGIN, FAIL]), None);
        let staging = TRIAL.replace("--dry-run", "--staging");
        assert_eq!(dry(&[BEGIN, &staging, GOOD]), None);
        let command = "2026-11-23 21:22:24,1:INFO:x:Running deploy-hook command: /x/20-bad.sh\n";
        let failed = log(&[BEGIN, WRITE, command, HOOKED, GOOD, BEGIN, FAIL]);
        let hook = failed.failed_hook("a").unwrap();
        assert_eq!((hook.stage, hook.code), (HookStage::Deploy, 3));
        assert_eq!(*hook.command.as_ref().unwrap(), "/x/20-bad.sh");
        assert_eq!(hook.at, Moment::parse("2026-11-23T21:22:25Z"));
        let settled = log(&[BEGIN, WRITE, command, HOOKED, GOOD, BEGIN, WRITE, GOOD]);
        assert_eq!(settled.failed_hook("a"), None);
    }

    const SAVED: &str = "Certificate is saved at: /e/live/a/fullchain.pem\n";

    #[test]
    fn a_hook_that_failed_before_the_order_is_no_less_true() {
        let told = |parts: &[&str]| {
            let log = Log::read(parts.concat().as_bytes(), 0);
            (log.failure("a").is_some(), log.success("a").is_some())
        };
        let processing = "2026-11-23 21:22:24,1:DEBUG:x:Processing /e/renewal/a.conf\n";
        assert_eq!(told(&[BEGIN, processing, HOOKED, WRITE, GOOD]), (true, true));
        assert_eq!(told(&[BEGIN, HOOKED, WRITE, SAVED]), (true, true));
        assert_eq!(told(&[BEGIN, WRITE, SAVED]), (false, true));
        assert_eq!(told(&[BEGIN, WRITE]), (false, false));
        assert_eq!(told(&[BEGIN, WRITE, " ", SAVED]), (false, false), "a hook has printed it");
        assert_eq!(told(&[BEGIN, TRIAL, WRITE, GOOD]), (false, false));
    }

    #[test]
    fn old_versions_say_it_in_other_words() {
        let line = b"2019-01-02 03:04:05,6:WARNING:certbot.renewal:Attempting to renew cert (a) \
            from /etc/letsencrypt/renewal/a.conf produced an unexpected error: no. Skipping.\n";
        check(line, "a", "no");
    }
}
