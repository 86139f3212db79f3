//! What certbot 2.1.0 writes into `letsencrypt.log`, in its words and its order.

use std::fmt::Write as _;

use super::certbot::{Authenticator, Certbot, ETC, Flaw, Lineage, VERSION};
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
    let mut times: Vec<Moment> =
        (0..certbot.runs).map(|it| last_run(now).plus(-it * 12 * HOUR)).collect();
    let issues = certbot
        .lineages
        .iter()
        .flat_map(|lineage| (1..=lineage.versions).map(|version| lineage.not_before(now, version)));
    times.extend(issues.filter(|it| (now.plus(-KEPT)..now).contains(it)));
    times.sort_unstable();
    times.dedup();
    let etc = format!("{}/{ETC}", stage.root.display());
    let mut log = String::new();
    for at in times {
        Run { log: &mut log, etc: &etc, now, at, lines: 0 }.write(certbot);
    }
    log
}

/// When the timer last started certbot.
pub(super) const fn last_run(now: Moment) -> Moment {
    now.plus(-(5 * HOUR + 17 * 60 + 8))
}

/// One run of `certbot -q renew`.
struct Run<'a> {
    log: &'a mut String,
    etc: &'a str,
    now: Moment,
    at: Moment,
    /// Lines so far; they stand for the milliseconds.
    lines: usize,
}

impl Run<'_> {
    fn write(&mut self, certbot: &Certbot) {
        self.line(MAIN, &format!("certbot version: {VERSION}"));
        self.line(MAIN, "Location of certbot entry point: /usr/bin/certbot");
        self.line(MAIN, "Arguments: ['-q', '--no-random-sleep-on-renew']");
        let mut results = Results::default();
        let exists = |it: &&Lineage| it.not_before(self.now, 1) <= self.at;
        let lineages: Vec<&Lineage> = certbot.lineages.iter().filter(exists).collect();
        for lineage in lineages {
            self.tell(&format!("Processing {}/renewal/{}.conf", self.etc, lineage.name));
            self.attempt(lineage, &mut results);
        }
        self.sum_up(&results);
    }

    fn attempt<'l>(&mut self, lineage: &'l Lineage, results: &mut Results<'l>) {
        let (now, at) = (self.now, self.at);
        if (1..=lineage.versions).any(|it| lineage.not_before(now, it) == at) {
            self.order(lineage);
            self.save(lineage);
            results.renewed.push(lineage);
        } else if lineage.flaw == Some(Flaw::BrokenConf) {
            self.line(RENEWAL_ERROR, &format!(
                "Renewal configuration file {}/renewal/{}.conf is broken.\nThe error was: renewal \
                 config file {{}} is missing a required file reference\nSkipping.",
                self.etc, lineage.name
            ));
            results.broken += 1;
        } else if let Some(failure) = lineage.failing_at(now, at) {
            self.order(lineage);
            self.fail(lineage, failure);
            results.failed.push(lineage);
        } else {
            self.tell("Certificate not yet due for renewal");
        }
    }

    fn order(&mut self, lineage: &Lineage) {
        let names = lineage.names.join(" and ");
        self.tell(&format!("Renewing an existing certificate for {names}"));
        self.line(CHALLENGES, "Performing the following challenges:");
        let kind = match lineage.authenticator {
            Authenticator::Dns | Authenticator::Manual => "dns-01",
            Authenticator::Standalone | Authenticator::Webroot => "http-01",
        };
        for name in &lineage.names {
            let name = name.trim_start_matches("*.");
            self.line(CHALLENGES, &format!("{kind} challenge for {name}"));
        }
    }

    fn save(&mut self, lineage: &Lineage) {
        self.line(CHALLENGES, "Waiting for verification...");
        self.line(CHALLENGES, "Cleaning up challenges");
        let (etc, name) = (self.etc, &lineage.name);
        for (what, file) in [
            ("new private key", "privkey"),
            ("certificate", "cert"),
            ("chain", "chain"),
            ("full chain", "fullchain"),
        ] {
            self.line(STORAGE, &format!("Writing {what} to {etc}/archive/{name}/{file}.pem."));
        }
        self.line(STORAGE, &format!("Writing new config {etc}/renewal/{name}.conf.new."));
    }

    fn fail(&mut self, lineage: &Lineage, failure: Failure) {
        let name = &lineage.name;
        let domain = lineage.names.first().unwrap_or(name);
        let url = format!("http://{domain}/.well-known/acme-challenge/Zm9yLXByYWN0aWNlLW9ubHk");
        let (kind, detail) =
            match failure {
                Failure::Hostile => ("malformed", ATTACK.to_owned()),
                Failure::NoSuchName => (
                    "dns",
                    format!(
                        "DNS problem: NXDOMAIN looking up A for {domain} - check that a DNS record \
                     exists for this domain"
                    ),
                ),
                Failure::NotFound => {
                    ("unauthorized", format!("192.0.2.44: Invalid response from {url}: 404"))
                }
                Failure::PortBusy => {
                    self.line(CHALLENGES, "Cleaning up challenges");
                    return self.line(RENEWAL_ERROR, &format!(
                    "Failed to renew certificate {name} with error: Could not bind TCP port 80 \
                     because it is already in use by another process on this system (such as a \
                     web server). Please stop the program in question and then try again."
                ));
                }
                Failure::Refused => {
                    ("connection", format!("192.0.2.44: Fetching {url}: Connection refused"))
                }
            };
        self.line(CHALLENGES, "Waiting for verification...");
        self.line(CHALLENGES, &format!("Challenge failed for domain {domain}"));
        self.tell(&format!(
            "\nCertbot failed to authenticate some domains (authenticator: {}). The Certificate \
             Authority reported these problems:\n  Domain: {domain}\n  Type:   {kind}\n  \
             Detail: {detail}\n",
            lineage.authenticator.plugin()
        ));
        self.line(CHALLENGES, "Cleaning up challenges");
        self.line(
            RENEWAL_ERROR,
            &format!("Failed to renew certificate {name} with error: Some challenges have failed."),
        );
    }

    fn sum_up(&mut self, results: &Results<'_>) {
        let Results { renewed, failed, broken } = results;
        self.tell(&format!("\n{RULER}"));
        match (renewed.as_slice(), failed.as_slice()) {
            ([], []) => self.tell("No renewals were attempted."),
            ([_, ..], []) => self.tell("Congratulations, all renewals succeeded: "),
            ([_, ..], [_, ..]) => self.tell("The following renewals succeeded: "),
            ([], [_, ..]) => self.line(
                RENEWAL_ERROR,
                "All renewals failed. The following certificates could not be renewed:",
            ),
        }
        for lineage in renewed {
            self.tell(&format!("  {}/live/{}/fullchain.pem (success)", self.etc, lineage.name));
        }
        if !renewed.is_empty() && !failed.is_empty() {
            self.line(RENEWAL_ERROR, "The following renewals failed:");
        }
        for lineage in failed {
            let path = format!("{}/live/{}/fullchain.pem", self.etc, lineage.name);
            self.line(RENEWAL_ERROR, &format!("  {path} (failure)"));
        }
        self.tell(RULER);
        if failed.is_empty() && *broken == 0 {
            self.line("DEBUG:certbot._internal.renewal", "no renewal failures");
        } else {
            let failed = failed.len();
            self.line(
                "ERROR:certbot._internal.log",
                &format!("{failed} renew failure(s), {broken} parse failure(s)"),
            );
        }
    }

    fn tell(&mut self, text: &str) {
        self.line("DEBUG:certbot._internal.display.obj", &format!("Notifying user: {text}"));
    }

    fn line(&mut self, from: &str, text: &str) {
        let stamp = self.at.to_string().replace('T', " ").replace('Z', "");
        self.lines += 1;
        let _ = writeln!(self.log, "{stamp},{:03}:{from}:{text}", self.lines);
    }
}

#[derive(Default)]
struct Results<'l> {
    renewed: Vec<&'l Lineage>,
    failed: Vec<&'l Lineage>,
    broken: usize,
}

/// Clears the screen, sets the window's title, writes the clipboard (OSC 52), turns text around,
/// asks the terminal to answer, and goes to the alternate screen.
pub(super) const ATTACK: &str = "\u{1b}[2J\u{1b}]0;owned\u{7}\u{1b}]52;c;b3duZWQ=\u{7}\u{202e}gnp.\u{1b}[6n\u{1b}[?1049h\u{9b}31m";

/// How far back the log goes.
const KEPT: i64 = 120 * DAY;

const MAIN: &str = "DEBUG:certbot._internal.main";
const CHALLENGES: &str = "INFO:certbot._internal.auth_handler";
const STORAGE: &str = "DEBUG:certbot._internal.storage";
const RENEWAL_ERROR: &str = "ERROR:certbot._internal.renewal";
const RULER: &str =
    "- - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - -";
