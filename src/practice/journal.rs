//! What certbot 2.1.0 writes into `letsencrypt.log`, in its words and its order.

use std::fmt::Write as _;

use super::certbot::{Authenticator, Certbot, ETC, Lineage, VERSION};
use super::stage::Stage;
use crate::fleet::{DAY, HOUR, Moment};

/// Why attempts to renew a lineage fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Failure {
    /// Whatever a terminal might obey.
    Hostile,
    /// The challenge file is not where the CA looks for it.
    NotFound,
    /// The name has no address any more.
    NoSuchName,
    /// Something else listens on port 80.
    PortBusy,
    /// Nothing listens on port 80.
    Refused,
}

/// Writes the log of a host: the runs in which its versions were issued, then the last ones of
/// its timer.
pub(super) fn write(stage: &Stage<'_>, certbot: &Certbot) -> String {
    let now = stage.now;
    let mut runs: Vec<Moment> =
        (0..certbot.runs).map(|it| last_run(now).plus(-it * 12 * HOUR)).collect();
    let issues = certbot
        .lineages
        .iter()
        .flat_map(|lineage| (1..=lineage.versions).map(|version| lineage.not_before(now, version)));
    runs.extend(issues.filter(|it| (now.plus(-KEPT)..now).contains(it)));
    runs.sort_unstable();
    runs.dedup();
    let mut log =
        Log { etc: format!("{}/{ETC}", stage.root.display()), text: String::new(), lines: 0 };
    for at in runs {
        log.run(at, now, certbot);
    }
    log.text
}

/// When the timer last started certbot.
pub(super) const fn last_run(now: Moment) -> Moment {
    now.plus(-(5 * HOUR + 17 * 60 + 8))
}

struct Log {
    etc: String,
    text: String,
    /// Lines in this run so far; they stand for its milliseconds.
    lines: usize,
}

impl Log {
    /// One run of `certbot -q renew`.
    fn run(&mut self, at: Moment, now: Moment, certbot: &Certbot) {
        self.lines = 0;
        self.line(at, "DEBUG:certbot._internal.main", format_args!("certbot version: {VERSION}"));
        self.line(
            at,
            "DEBUG:certbot._internal.main",
            format_args!("Location of certbot entry point: /usr/bin/certbot"),
        );
        self.line(
            at,
            "DEBUG:certbot._internal.main",
            format_args!("Arguments: ['-q', '--no-random-sleep-on-renew']"),
        );
        self.line(at, "DEBUG:certbot._internal.log", format_args!("Root logging level set at 40"));
        let (mut renewed, mut failed) = (Vec::new(), Vec::new());
        for lineage in &certbot.lineages {
            let name = &lineage.name;
            self.tell(at, format_args!("Processing {}/renewal/{name}.conf", self.etc.clone()));
            let is_issued = (2..=lineage.versions).any(|it| lineage.not_before(now, it) == at);
            if is_issued {
                self.renewal(at, lineage);
                renewed.push(lineage);
            } else if let Some(failure) = lineage.failure.filter(|_| at >= lineage.due(now)) {
                self.failure(at, lineage, failure);
                failed.push(lineage);
            } else {
                self.tell(at, format_args!("Certificate not yet due for renewal"));
            }
        }
        self.summary(at, &renewed, &failed);
    }

    fn renewal(&mut self, at: Moment, lineage: &Lineage) {
        let (name, all) = (&lineage.name, lineage.names.join(" and "));
        let etc = self.etc.clone();
        self.tell(at, format_args!("Renewing an existing certificate for {all}"));
        self.line(
            at,
            "INFO:certbot._internal.auth_handler",
            format_args!("Performing the following challenges:"),
        );
        self.challenge(at, lineage);
        self.line(
            at,
            "INFO:certbot._internal.auth_handler",
            format_args!("Waiting for verification..."),
        );
        self.line(
            at,
            "INFO:certbot._internal.auth_handler",
            format_args!("Cleaning up challenges"),
        );
        for (what, kind) in [
            ("new private key", "privkey"),
            ("certificate", "cert"),
            ("chain", "chain"),
            ("full chain", "fullchain"),
        ] {
            self.line(
                at,
                "DEBUG:certbot._internal.storage",
                format_args!("Writing {what} to {etc}/archive/{name}/{kind}.pem."),
            );
        }
        self.line(
            at,
            "DEBUG:certbot._internal.storage",
            format_args!("Writing new config {etc}/renewal/{name}.conf.new."),
        );
    }

    fn failure(&mut self, at: Moment, lineage: &Lineage, failure: Failure) {
        let name = &lineage.name;
        let domain = lineage.names.first().unwrap_or(name);
        self.tell(
            at,
            format_args!("Renewing an existing certificate for {}", lineage.names.join(" and ")),
        );
        self.line(
            at,
            "INFO:certbot._internal.auth_handler",
            format_args!("Performing the following challenges:"),
        );
        self.challenge(at, lineage);
        let url = format!("http://{domain}/.well-known/acme-challenge/Zm9yLXByYWN0aWNlLW9ubHk");
        let report = match failure {
            Failure::NotFound => {
                Some(("unauthorized", format!("192.0.2.44: Invalid response from {url}: 404")))
            }
            Failure::NoSuchName => Some((
                "dns",
                format!(
                    "DNS problem: NXDOMAIN looking up A for {domain} - check that a DNS record exists for this domain"
                ),
            )),
            Failure::Refused => {
                Some(("connection", format!("192.0.2.44: Fetching {url}: Connection refused")))
            }
            Failure::Hostile => Some(("malformed", ATTACK.to_owned())),
            Failure::PortBusy => None,
        };
        let error = if let Some((kind, detail)) = report {
            self.line(
                at,
                "INFO:certbot._internal.auth_handler",
                format_args!("Waiting for verification..."),
            );
            self.line(
                at,
                "INFO:certbot._internal.auth_handler",
                format_args!("Challenge failed for domain {domain}"),
            );
            self.tell(at, format_args!(
                "\nCertbot failed to authenticate some domains (authenticator: {}). The Certificate \
                 Authority reported these problems:\n  Domain: {domain}\n  Type:   {kind}\n  \
                 Detail: {detail}\n",
                authenticator(lineage.authenticator)
            ));
            self.line(at, "DEBUG:certbot._internal.error_handler", format_args!(
                "Encountered exception:\nTraceback (most recent call last):\n  File \
                 \"/usr/lib/python3/dist-packages/certbot/_internal/auth_handler.py\", line 206, in \
                 _poll_authorizations\n    raise errors.AuthorizationError('Some challenges have \
                 failed.')\ncertbot.errors.AuthorizationError: Some challenges have failed.\n"
            ));
            "Some challenges have failed."
        } else {
            "Could not bind TCP port 80 because it is already in use by another process on this \
             system (such as a web server). Please stop the program in question and then try again."
        };
        self.line(
            at,
            "INFO:certbot._internal.auth_handler",
            format_args!("Cleaning up challenges"),
        );
        self.line(
            at,
            "ERROR:certbot._internal.renewal",
            format_args!("Failed to renew certificate {name} with error: {error}"),
        );
    }

    fn challenge(&mut self, at: Moment, lineage: &Lineage) {
        let kind = match lineage.authenticator {
            Authenticator::Dns | Authenticator::Manual => "dns-01",
            Authenticator::Standalone | Authenticator::Webroot => "http-01",
        };
        for name in &lineage.names {
            let name = name.trim_start_matches("*.");
            self.line(
                at,
                "INFO:certbot._internal.auth_handler",
                format_args!("{kind} challenge for {name}"),
            );
        }
    }

    fn summary(&mut self, at: Moment, renewed: &[&Lineage], failed: &[&Lineage]) {
        let etc = self.etc.clone();
        self.tell(at, format_args!("\n{RULER}"));
        if renewed.is_empty() && failed.is_empty() {
            self.tell(at, format_args!("No renewals were attempted."));
        }
        if !renewed.is_empty() {
            self.tell(
                at,
                match failed.is_empty() {
                    true => format_args!("Congratulations, all renewals succeeded: "),
                    false => format_args!("The following renewals succeeded: "),
                },
            );
            for lineage in renewed {
                self.tell(
                    at,
                    format_args!("  {etc}/live/{}/fullchain.pem (success)", lineage.name),
                );
            }
        }
        if !failed.is_empty() {
            self.line(
                at,
                "ERROR:certbot._internal.renewal",
                match renewed.is_empty() {
                    true => format_args!(
                        "All renewals failed. The following certificates could not be renewed:"
                    ),
                    false => format_args!("The following renewals failed:"),
                },
            );
            for lineage in failed {
                self.line(
                    at,
                    "ERROR:certbot._internal.renewal",
                    format_args!("  {etc}/live/{}/fullchain.pem (failure)", lineage.name),
                );
            }
        }
        self.tell(at, format_args!("{RULER}"));
        if failed.is_empty() {
            self.line(at, "DEBUG:certbot._internal.renewal", format_args!("no renewal failures"));
        } else {
            self.line(
                at,
                "ERROR:certbot._internal.log",
                format_args!("{} renew failure(s), 0 parse failure(s)", failed.len()),
            );
        }
    }

    fn tell(&mut self, at: Moment, text: std::fmt::Arguments<'_>) {
        self.line(
            at,
            "DEBUG:certbot._internal.display.obj",
            format_args!("Notifying user: {text}"),
        );
    }

    fn line(&mut self, at: Moment, from: &str, text: std::fmt::Arguments<'_>) {
        let stamp = at.to_string().replace('T', " ").replace('Z', "");
        self.lines += 1;
        let _ = writeln!(self.text, "{stamp},{:03}:{from}:{text}", self.lines);
    }
}

const fn authenticator(authenticator: Authenticator) -> &'static str {
    match authenticator {
        Authenticator::Dns => "dns-rfc2136",
        Authenticator::Manual => "manual",
        Authenticator::Standalone => "standalone",
        Authenticator::Webroot => "webroot",
    }
}

/// Clears the screen, sets the window's title, writes the clipboard (OSC 52), turns text around,
/// asks the terminal to answer, and goes to the alternate screen.
pub(super) const ATTACK: &str = "\u{1b}[2J\u{1b}]0;owned\u{7}\u{1b}]52;c;b3duZWQ=\u{7}\u{202e}gnp.\u{1b}[6n\u{1b}[?1049h\u{9b}31m";

/// How far back the log goes.
const KEPT: i64 = 120 * DAY;

const RULER: &str =
    "- - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - -";
