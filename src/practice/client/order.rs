//! What certbot and its CA do for a certificate, with the faults of the host.

use std::time::Duration;

use super::host::{Host, Mouth};
use super::lineage::Lineage;
use crate::fleet::HOUR;
use crate::practice::authority::{Ca, Claim, Issued, KeyKind, issue_kept};
use crate::practice::certbot::Authenticator;
use crate::practice::stage;
use crate::practice::words::{self, Failure, Stop, Subject, Voice as _};

/// What is ordered.
pub(super) struct Order<'a> {
    pub(super) name: &'a str,
    pub(super) names: &'a [String],
    pub(super) authenticator: Authenticator,
    /// Where the challenges of each name are put.
    pub(super) webroots: Vec<String>,
    pub(super) ca: Ca,
    pub(super) key: KeyKind,
    /// A key that is used again.
    pub(super) reuse: Option<String>,
    pub(super) life: i64,
    /// What the user is told first.
    pub(super) action: &'static str,
}

impl Order<'_> {
    /// Has the certificate issued, or says why not.
    pub(super) fn place(&self, host: &Host, mouth: &mut Mouth) -> Result<Issued, Stop> {
        let subject =
            Subject { name: self.name, names: self.names, authenticator: self.authenticator };
        mouth.tell(&format!("{} for {}", self.action, words::list(self.names)));
        self.check_names()?;
        std::thread::sleep(PACE);
        let domain = self.names.first().map_or(self.name, String::as_str);
        let stop = self.failure(host).map(|it| it.stop(domain, mouth.now()));
        if let Some(stop @ Stop::Order(..)) = stop {
            return Err(stop);
        }
        words::challenge(mouth, &subject);
        if !matches!(stop, Some(Stop::Own(_))) {
            words::wait(mouth);
            std::thread::sleep(PACE);
        }
        if let Some(Stop::Challenge(kind, detail)) = &stop {
            words::refuse(mouth, &subject, kind, detail);
        }
        words::clean_up(mouth);
        if let Some(stop) = stop {
            return Err(stop);
        }
        // Let's Encrypt backdates by an hour, for clients whose clocks are behind.
        let not_before = mouth.now().plus(-HOUR);
        let not_after = not_before.plus(self.life);
        let claim = Claim { names: self.names, subject: None, not_before, not_after };
        issue_kept(&host.ca, self.ca, self.key, self.reuse.as_deref(), &claim)
            .map_err(|it| Stop::Own(it.to_string()))
    }

    /// Whether the challenges fit the names at all.
    fn check_names(&self) -> Result<(), Stop> {
        let is_dns = matches!(self.authenticator, Authenticator::Dns | Authenticator::Manual);
        if !is_dns && self.names.iter().any(|it| it.starts_with("*.")) {
            return Err(Stop::Own(NO_WILDCARD.to_owned()));
        }
        Ok(())
    }

    fn failure(&self, host: &Host) -> Option<Failure> {
        let names = self.names.iter().map(String::as_str);
        let fault = std::iter::once(self.name).chain(names).find_map(|it| host.fault(it));
        let is_trial = self.ca == Ca::Staging;
        match fault {
            // The test twin of a CA has its own limits, and its own outages.
            Some(Failure::CaDown) if is_trial => None,
            Some(Failure::RateLimited) if is_trial || !self.is_known(host) => None,
            fault => fault,
        }
        .or_else(|| self.missing(host))
    }

    /// What the host itself lacks.
    fn missing(&self, host: &Host) -> Option<Failure> {
        match self.authenticator {
            // certbot makes the folder anew and removes it; no web server looks there.
            Authenticator::Webroot => {
                let is_gone = |it: &String| !host.path(it).is_dir();
                self.webroots.iter().any(is_gone).then_some(Failure::NotFound)
            }
            Authenticator::Standalone => {
                let unit = stage::read(&host.root.join("units/nginx.service")).ok()?;
                unit.contains("ActiveState=active").then_some(Failure::PortBusy)
            }
            Authenticator::Dns | Authenticator::Manual => None,
        }
    }

    /// Whether there is a certificate for exactly these names.
    fn is_known(&self, host: &Host) -> bool {
        let mut names = self.names.to_vec();
        names.sort_unstable();
        super::lineages(host).iter().filter_map(|it| Lineage::read(host, it)).any(|mut it| {
            it.names.sort_unstable();
            it.names == names
        })
    }
}

/// How long the CA takes for each of its two steps: long enough to be seen.
const PACE: Duration = Duration::from_millis(700);

const NO_WILDCARD: &str = "Client with the currently selected authenticator does not support any \
    combination of challenges that will satisfy the CA. You may need to use an authenticator \
    plugin that can do challenges over DNS.";
