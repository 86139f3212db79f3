//! The past of a practice host: what its `letsencrypt.log` tells of runs before the fleet began.

use std::fmt::Write as _;

use super::certbot::{Certbot, ETC, Flaw, Lineage, VERSION};
use super::stage::Stage;
use super::words::{self, LOG_ERROR, MAIN, RENEWAL, RENEWAL_ERROR, Results, Stop, Subject, Voice};
use crate::fleet::{DAY, HOUR, Moment};

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
        let mut run = Run { page: Page { log: &mut log, at, lines: 0 }, etc: &etc, now };
        run.write(certbot);
    }
    log
}

/// When the timer last started certbot.
pub(super) const fn last_run(now: Moment) -> Moment {
    now.plus(-(5 * HOUR + 17 * 60 + 8))
}

/// One run of `certbot -q renew`.
struct Run<'a> {
    page: Page<'a>,
    etc: &'a str,
    now: Moment,
}

impl Run<'_> {
    fn write(&mut self, certbot: &Certbot) {
        self.page.note(MAIN, &format!("certbot version: {VERSION}"));
        self.page.note(MAIN, "Location of certbot entry point: /usr/bin/certbot");
        self.page.note(MAIN, "Arguments: ['-q', '--no-random-sleep-on-renew']");
        let mut results = Results::default();
        for lineage in &certbot.lineages {
            if lineage.not_before(self.now, 1) <= self.page.at {
                self.page.tell(&format!("Processing {}/renewal/{}.conf", self.etc, lineage.name));
                self.attempt(lineage, &mut results);
            }
        }
        results.sum_up(&mut self.page, "renewal");
        match results.error() {
            None => self.page.note(RENEWAL, "no renewal failures"),
            Some(error) => self.page.warn(LOG_ERROR, &error),
        }
    }

    fn attempt(&mut self, lineage: &Lineage, results: &mut Results) {
        let (now, etc, page) = (self.now, self.etc, &mut self.page);
        let name = &lineage.name;
        let path = format!("{etc}/live/{name}/fullchain.pem");
        let subject = Subject { name, names: &lineage.names, authenticator: lineage.authenticator };
        let issued = (1..=lineage.versions).find(|it| lineage.not_before(now, *it) == page.at);
        if let Some(version) = issued {
            page.begin(&subject);
            words::wait(page);
            words::clean_up(page);
            words::save(page, etc, name, version);
            if lineage.flaw == Some(Flaw::HookFailed) && version == lineage.versions {
                words::hook_failed(page, &format!("{etc}/{HOOK}"), 1, BAD_SITE);
            }
            results.renewed.push(path);
        } else if lineage.flaw == Some(Flaw::BrokenConf) {
            let conf = format!("{etc}/renewal/{name}.conf");
            page.warn(RENEWAL_ERROR, &words::broken(&conf));
            results.broken.push(conf);
        } else if let Some(failure) = lineage.failing_at(now, page.at) {
            page.begin(&subject);
            let stop = failure.stop(lineage.names.first().unwrap_or(name), page.at);
            if let Stop::Challenge(kind, detail) = &stop {
                words::wait(page);
                words::refuse(page, &subject, kind, detail);
            }
            words::clean_up(page);
            page.warn(RENEWAL_ERROR, &words::failed(name, &stop));
            results.failed.push(path);
        } else {
            page.tell("Certificate not yet due for renewal");
        }
    }
}

/// The log, at one time.
struct Page<'a> {
    log: &'a mut String,
    at: Moment,
    /// Lines so far; they stand for the milliseconds.
    lines: usize,
}

impl Page<'_> {
    fn begin(&mut self, subject: &Subject<'_>) {
        let names = words::list(subject.names);
        self.tell(&format!("Renewing an existing certificate for {names}"));
        words::challenge(self, subject);
    }
}

impl Voice for Page<'_> {
    fn note(&mut self, from: &str, text: &str) {
        self.lines += 1;
        let _ = writeln!(self.log, "{},{:03}:{from}:{text}", words::clock(self.at), self.lines);
    }
}

/// The hook that failed, below certbot's folder, and what it printed.
const HOOK: &str = "renewal-hooks/deploy/10-reload-nginx.sh";
const BAD_SITE: &str = "nginx: [emerg] \"server\" directive is not allowed here in \
    /etc/nginx/sites-enabled/sale.conf:3\nnginx: configuration file /etc/nginx/nginx.conf test failed";

/// How far back the log goes.
const KEPT: i64 = 120 * DAY;
