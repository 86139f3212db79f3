//! What certbot 2.1.0 says, in its words and its order: to the user and to its log. Both the logs
//! of the past and the practice host's own certbot speak with them.

use std::fmt::Write as _;

use super::certbot::Authenticator;
use crate::fleet::{HOUR, Moment};

/// Who hears what certbot says. Everything goes to the log; some of it to the user as well.
pub(super) trait Voice {
    /// Writes to the log alone; `from` is the level and the module.
    fn note(&mut self, from: &str, text: &str);

    /// Tells the user.
    fn tell(&mut self, text: &str) {
        self.note(DISPLAY, &format!("Notifying user: {text}"));
    }

    /// Warns the user.
    fn warn(&mut self, from: &str, text: &str) {
        self.note(from, text);
    }
}

/// The lineage that is spoken of.
pub(super) struct Subject<'a> {
    pub(super) name: &'a str,
    pub(super) names: &'a [String],
    pub(super) authenticator: Authenticator,
}

/// Why an attempt to renew or to issue fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Failure {
    /// The CA has no answer but that it is down.
    CaDown,
    /// Whatever a terminal might obey.
    Hostile,
    /// The challenge file is not where the CA looks for it.
    NotFound,
    /// The name has no address any more.
    NoSuchName,
    /// Something else listens on port 80.
    PortBusy,
    /// The same names have been ordered too often.
    RateLimited,
    /// Nothing listens on port 80.
    Refused,
}

/// What ends an attempt.
#[derive(Debug)]
pub(super) enum Stop {
    /// The CA could not see that a name is under our control: its type of error, and the detail.
    Challenge(&'static str, String),
    /// The CA did not take the order: type, description, detail.
    Order(&'static str, &'static str, String),
    /// certbot or one of its plugins gave up.
    Own(String),
}

impl Failure {
    /// Every failure, with the word by which a host's folder knows it.
    const ALL: &[(Self, &str)] = &[
        (Self::CaDown, "ca-down"),
        (Self::Hostile, "hostile"),
        (Self::NotFound, "not-found"),
        (Self::NoSuchName, "no-such-name"),
        (Self::PortBusy, "port-busy"),
        (Self::RateLimited, "rate-limited"),
        (Self::Refused, "refused"),
    ];

    /// The word for it.
    pub(super) fn word(self) -> &'static str {
        Self::ALL.iter().find(|it| it.0 == self).map_or("", |it| it.1)
    }

    /// Whether the next attempt fails as well; a busy port is free again by then.
    pub(super) fn stays(self) -> bool {
        self != Self::PortBusy
    }

    /// What a word means.
    pub(super) fn from_word(word: &str) -> Option<Self> {
        Some(Self::ALL.iter().find(|it| it.1 == word)?.0)
    }

    /// How it shows itself for that name.
    pub(super) fn stop(self, domain: &str, now: Moment) -> Stop {
        let url = format!("http://{domain}/.well-known/acme-challenge/{TOKEN}");
        match self {
            // The words of Let's Encrypt in its outage of 2025-07-21.
            Self::CaDown => Stop::Order(
                "serverInternal",
                "The server experienced an internal error",
                "The service is down for maintenance or had an internal error. Check \
                 https://letsencrypt.status.io/ for more details."
                    .to_owned(),
            ),
            Self::Hostile => Stop::Challenge("malformed", ATTACK.to_owned()),
            Self::NoSuchName => Stop::Challenge(
                "dns",
                format!(
                    "DNS problem: NXDOMAIN looking up A for {domain} - check that a DNS record \
                     exists for this domain"
                ),
            ),
            Self::NotFound => Stop::Challenge(
                "unauthorized",
                format!("192.0.2.44: Invalid response from {url}: 404"),
            ),
            Self::PortBusy => Stop::Own(
                "Could not bind TCP port 80 because it is already in use by another process on \
                 this system (such as a web server). Please stop the program in question and then \
                 try again."
                    .to_owned(),
            ),
            // Let's Encrypt's limit of five in seven days, and one more after 34 hours.
            Self::RateLimited => Stop::Order(
                "rateLimited",
                "There were too many requests of a given type",
                format!(
                    "too many certificates (5) already issued for this exact set of identifiers \
                     in the last 168h0m0s, retry after {} UTC: see \
                     https://letsencrypt.org/docs/rate-limits/#new-certificates-per-exact-set-of-identifiers",
                    clock(now.plus(34 * HOUR))
                ),
            ),
            Self::Refused => Stop::Challenge(
                "connection",
                format!("192.0.2.44: Fetching {url}: Connection refused"),
            ),
        }
    }
}

impl Stop {
    /// The error as `renew` words it.
    pub(super) fn error(&self) -> String {
        match self {
            Self::Challenge(..) => "Some challenges have failed.".to_owned(),
            Self::Order(kind, description, detail) => {
                format!("urn:ietf:params:acme:error:{kind} :: {description} :: {detail}")
            }
            Self::Own(error) => error.clone(),
        }
    }
}

/// Says what is to be shown to the CA for each name.
pub(super) fn challenge(voice: &mut dyn Voice, subject: &Subject<'_>) {
    voice.note(CHALLENGES, "Performing the following challenges:");
    let kind = match subject.authenticator {
        Authenticator::Dns | Authenticator::Manual => "dns-01",
        Authenticator::Standalone | Authenticator::Webroot => "http-01",
    };
    for name in subject.names {
        let name = name.trim_start_matches("*.");
        voice.note(CHALLENGES, &format!("{kind} challenge for {name}"));
    }
}

/// Says that the CA is asked to look.
pub(super) fn wait(voice: &mut dyn Voice) {
    voice.note(CHALLENGES, "Waiting for verification...");
}

/// Says that the challenges are over.
pub(super) fn clean_up(voice: &mut dyn Voice) {
    voice.note(CHALLENGES, "Cleaning up challenges");
}

/// Says what the CA could not see.
pub(super) fn refuse(voice: &mut dyn Voice, subject: &Subject<'_>, kind: &str, detail: &str) {
    let domain = subject.names.first().map_or(subject.name, String::as_str);
    let domain = domain.trim_start_matches("*.");
    voice.note(CHALLENGES, &format!("Challenge failed for domain {domain}"));
    let mut text = format!(
        "\nCertbot failed to authenticate some domains (authenticator: {}). The Certificate \
         Authority reported these problems:\n  Domain: {domain}\n  Type:   {kind}\n  \
         Detail: {detail}\n",
        subject.authenticator.plugin()
    );
    if let Some(hint) = hint(subject.authenticator) {
        let _ = writeln!(text, "\nHint: The Certificate Authority failed to {hint}");
    }
    voice.tell(&text);
}

/// Says which files a new version has.
pub(super) fn save(voice: &mut dyn Voice, etc: &str, name: &str, version: u32) {
    for (what, file) in [
        ("new private key", "privkey"),
        ("certificate", "cert"),
        ("chain", "chain"),
        ("full chain", "fullchain"),
    ] {
        voice
            .note(STORAGE, &format!("Writing {what} to {etc}/archive/{name}/{file}{version}.pem."));
    }
    voice.note(STORAGE, &format!("Writing new config {etc}/renewal/{name}.conf.new."));
}

/// Says that a deploy hook failed, and what it printed.
pub(super) fn hook_failed(voice: &mut dyn Voice, command: &str, code: i32, printed: &str) {
    voice.note(HOOK, &format!("Running deploy-hook command: {command}"));
    voice.warn(HOOK_ERROR, &format!("Hook 'deploy-hook' reported error code {code}"));
    let text =
        format!("Hook 'deploy-hook' ran with error output:\n {}", printed.replace('\n', "\n "));
    voice.warn(HOOK_ERROR, &text);
}

/// The line that tells of a failed renewal.
pub(super) fn failed(name: &str, stop: &Stop) -> String {
    format!("Failed to renew certificate {name} with error: {}", stop.error())
}

/// What `renew` says of a configuration that it cannot use; the braces are certbot's own mistake.
pub(super) fn broken(conf: &str) -> String {
    format!(
        "Renewal configuration file {conf} is broken.\nThe error was: renewal config file {{}} is \
         missing a required file reference\nSkipping."
    )
}

/// What became of the lineages of one `renew`, as paths of what people look at.
#[derive(Debug, Default)]
pub(super) struct Results {
    pub(super) renewed: Vec<String>,
    pub(super) failed: Vec<String>,
    /// With the day on which they end.
    pub(super) skipped: Vec<String>,
    /// Renewal configurations that could not be read.
    pub(super) broken: Vec<String>,
}

impl Results {
    /// The error at the end, if there is one.
    pub(super) fn error(&self) -> Option<String> {
        let (failed, broken) = (self.failed.len(), self.broken.len());
        (failed + broken > 0)
            .then(|| format!("{failed} renew failure(s), {broken} parse failure(s)"))
    }

    /// Says it all; `noun` is what was tried.
    pub(super) fn sum_up(&self, voice: &mut dyn Voice, noun: &str) {
        let Self { renewed, failed, skipped, broken } = self;
        let list = |paths: &[String], how: &str| {
            let lines: Vec<_> = paths.iter().map(|it| format!("  {it} ({how})")).collect();
            lines.join("\n")
        };
        voice.tell(&format!("\n{RULER}"));
        if !skipped.is_empty() {
            voice.tell("The following certificates are not due for renewal yet:");
            voice.tell(&list(skipped, "skipped"));
        }
        match (renewed.is_empty(), failed.is_empty()) {
            (true, true) => voice.tell(&format!("No {noun}s were attempted.")),
            (false, true) => {
                voice.tell(&format!("Congratulations, all {noun}s succeeded: "));
                voice.tell(&list(renewed, "success"));
            }
            (true, false) => {
                let text = "The following certificates could not be renewed:";
                voice.warn(RENEWAL_ERROR, &format!("All {noun}s failed. {text}"));
                voice.warn(RENEWAL_ERROR, &list(failed, "failure"));
            }
            (false, false) => {
                voice.tell(&format!("The following {noun}s succeeded:"));
                voice.tell(&(list(renewed, "success") + "\n"));
                voice.warn(RENEWAL_ERROR, &format!("The following {noun}s failed:"));
                voice.warn(RENEWAL_ERROR, &list(failed, "failure"));
            }
        }
        if !broken.is_empty() {
            voice.tell("\nAdditionally, the following renewal configurations were invalid: ");
            voice.tell(&list(broken, "parsefail"));
        }
        voice.tell(RULER);
    }
}

/// Names as a sentence has them.
pub(super) fn list(names: &[String]) -> String {
    match names {
        [first, rest @ ..] if rest.len() > 1 => {
            format!("{first} and {} more domains", rest.len())
        }
        names => names.join(" and "),
    }
}

/// A time as certbot and the CA write it, in UTC: `2026-11-23 03:12:44`.
pub(super) fn clock(at: Moment) -> String {
    at.to_string().replace('T', " ").replace('Z', "")
}

/// What certbot thinks that should be looked at, after `The Certificate Authority failed to`.
const fn hint(authenticator: Authenticator) -> Option<&'static str> {
    match authenticator {
        Authenticator::Dns => Some(
            "verify the DNS TXT records created by --dns-rfc2136. Ensure the above domains are \
             hosted by this DNS provider, or try increasing --dns-rfc2136-propagation-seconds \
             (currently 60 seconds).",
        ),
        Authenticator::Manual => None,
        Authenticator::Standalone => Some(
            "download the challenge files from the temporary standalone webserver started by \
             Certbot on port 80. Ensure that the listed domains point to this machine and that it \
             can accept inbound connections from the internet.",
        ),
        Authenticator::Webroot => Some(
            "download the temporary challenge files created by Certbot. Ensure that the listed \
             domains serve their content from the provided --webroot-path/-w and that files \
             created there can be downloaded from the internet.",
        ),
    }
}

/// Clears the screen, sets the window's title, writes the clipboard (OSC 52), turns text around,
/// asks the terminal to answer, and goes to the alternate screen.
pub(super) const ATTACK: &str = "\u{1b}[2J\u{1b}]0;owned\u{7}\u{1b}]52;c;b3duZWQ=\u{7}\u{202e}gnp.\u{1b}[6n\u{1b}[?1049h\u{9b}31m";

pub(super) const MAIN: &str = "DEBUG:certbot._internal.main";
pub(super) const DISPLAY: &str = "DEBUG:certbot._internal.display.obj";
pub(super) const CHALLENGES: &str = "INFO:certbot._internal.auth_handler";
pub(super) const STORAGE: &str = "DEBUG:certbot._internal.storage";
const HOOK: &str = "INFO:certbot.compat.misc";
const HOOK_ERROR: &str = "WARNING:certbot.display.ops";
pub(super) const RENEWAL: &str = "DEBUG:certbot._internal.renewal";
pub(super) const RENEWAL_ERROR: &str = "ERROR:certbot._internal.renewal";
pub(super) const LOG_ERROR: &str = "ERROR:certbot._internal.log";

/// Above and below what certbot wants to be seen.
pub(super) const RULER: &str =
    "- - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - -";

const TOKEN: &str = "Zm9yLXByYWN0aWNlLW9ubHk";
