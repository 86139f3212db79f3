//! `certbot renew`: lineages that are due, or the one that is named.

use super::certonly::day;
use super::lineage::{Files, Lineage};
use super::order::Order;
use super::{Session, hooks, lineages};
use crate::practice::certbot::Authenticator;
use crate::practice::words::{self, RENEWAL, RENEWAL_ERROR, Results, Stop, Voice as _};

impl Session {
    /// Renews, and sums up.
    pub(super) fn renew(&mut self) -> Result<(), Stop> {
        let names = match &self.options.cert_name {
            None => lineages(&self.host),
            Some(name) => {
                if !Files::of(&self.host, name).is_some_and(|it| it.exists()) {
                    let path = self.host.etc.join("renewal").join(format!("{name}.conf"));
                    return Err(Stop::Own(format!(
                        "No certificate found with name {name} (expected {}).",
                        path.display()
                    )));
                }
                vec![name.clone()]
            }
        };
        let mut results = Results::default();
        for name in names {
            self.process(&name, &mut results);
        }
        let noun = if self.options.dry_run { "simulated renewal" } else { "renewal" };
        results.sum_up(&mut self.mouth, noun);
        match results.error() {
            None => {
                self.mouth.note(RENEWAL, "no renewal failures");
                Ok(())
            }
            Some(error) => Err(Stop::Own(error)),
        }
    }

    fn process(&mut self, name: &str, results: &mut Results) {
        let conf = self.host.etc.join("renewal").join(format!("{name}.conf"));
        let conf = conf.display().to_string();
        self.mouth.announce(&format!("Processing {conf}"));
        let Some(lineage) = Lineage::read(&self.host, name) else {
            self.mouth.warn(RENEWAL_ERROR, &words::broken(&conf));
            return results.broken.push(conf);
        };
        match self.renew_one(&lineage) {
            Ok(true) => results.renewed.push(lineage.full_chain()),
            Ok(false) => {
                let day = day(lineage.certificate.not_after);
                results.skipped.push(format!("{} expires on {day}", lineage.full_chain()));
            }
            Err(stop) => {
                self.mouth.warn(RENEWAL_ERROR, &words::failed(name, &stop));
                results.failed.push(lineage.full_chain());
            }
        }
    }

    /// Renews a lineage if it is to be; tells whether it was.
    fn renew_one(&mut self, lineage: &Lineage) -> Result<bool, Stop> {
        if lineage.files.catch_up().map_err(|it| Stop::Own(it.to_string()))? {
            self.mouth.warn("WARNING:certbot._internal.storage", CAUGHT_UP);
        }
        let is_trial = self.options.dry_run;
        if !is_trial && !self.options.force_renewal && !lineage.is_due(self.mouth.now()) {
            self.mouth.tell("Certificate not yet due for renewal");
            return Ok(false);
        }
        let order = self.renewal_of(lineage)?;
        self.mouth.note(
            "INFO:certbot._internal.plugins.selection",
            &format!("Plugins selected: Authenticator {}", order.authenticator.plugin()),
        );
        let conf = |kind: &str, key: &str| {
            let folder = self.host.etc.join("renewal-hooks").join(kind);
            let mut all = Vec::new();
            if !self.options.no_directory_hooks {
                all = hooks::scripts(&folder);
            }
            all.extend(lineage.conf.value(key).map(str::to_owned));
            all
        };
        let (pre, post, deploy) =
            (conf("pre", "pre_hook"), conf("post", "post_hook"), conf("deploy", "renew_hook"));
        self.hooks.pre(&mut self.mouth, pre);
        self.hooks.keep(post);
        let issued = order.place(&self.host, &mut self.mouth)?;
        if !is_trial {
            self.save(&lineage.files, &issued, &lineage.conf)?;
        }
        hooks::deploy(&mut self.mouth, lineage, &deploy, is_trial);
        Ok(true)
    }

    fn renewal_of<'l>(&self, lineage: &'l Lineage) -> Result<Order<'l>, Stop> {
        let plugin = lineage.conf.value("authenticator").unwrap_or_default();
        let authenticator = Authenticator::from_plugin(plugin).ok_or_else(|| {
            Stop::Own(format!("The requested {plugin} plugin does not appear to be installed"))
        })?;
        if authenticator == Authenticator::Manual
            && lineage.conf.value("manual_auth_hook").is_none()
        {
            return Err(Stop::Own(NO_SCRIPT.to_owned()));
        }
        let webroots = lineage.names.iter().filter_map(|it| lineage.conf.webroot(it));
        Ok(Order {
            name: &lineage.files.name,
            names: &lineage.names,
            authenticator,
            webroots: webroots.map(str::to_owned).collect(),
            ca: self.ca(lineage.conf.value("server"))?,
            key: lineage.key(),
            reuse: lineage.reused_key(),
            life: lineage.life(),
            action: if self.options.dry_run {
                "Simulating renewal of an existing certificate"
            } else {
                "Renewing an existing certificate"
            },
        })
    }
}

const CAUGHT_UP: &str =
    "Found a new certificate /archive/ that was not linked to in /live/; fixing...";

/// What becomes of the manual plugin where nobody sits at the keyboard.
pub(super) const NO_SCRIPT: &str = "The manual plugin is not working; there may be problems with your \
    existing configuration.\nThe error was: PluginError('An authentication script must be \
    provided with --manual-auth-hook when using the manual plugin non-interactively.')";
