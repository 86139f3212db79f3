//! `certbot certonly`: a certificate for the names that are given.

use super::conf::{Conf, Params};
use super::lineage::{Files, Lineage};
use super::order::Order;
use super::{Session, hooks, lineages};
use crate::fleet::{DAY, Moment};
use crate::practice::authority::{Ca, Issued, KeyKind};
use crate::practice::certbot::{ACCOUNT, Authenticator, account, directory};
use crate::practice::stage;
use crate::practice::words::{self, RULER, Stop, Voice as _};

impl Session {
    /// Issues, or renews what there is under that name.
    pub(super) fn certonly(&mut self) -> Result<(), Stop> {
        let authenticator = self.authenticator()?;
        let (files, existing) = self.lineage()?;
        let names = match (&existing, self.options.domains.as_slice()) {
            (Some(existing), []) => existing.names.clone(),
            (_, names) => unique(names),
        };
        if let Some(existing) = &existing
            && is_same(&existing.names, &names)
            && !existing.is_due(self.mouth.now())
            && !self.options.force_renewal
            && !self.options.dry_run
        {
            let text = "Certificate not yet due for renewal; no action taken.";
            self.mouth.announce(text);
            return Ok(());
        }
        let ca = self.ca(None)?;
        self.register(ca)?;
        let webroots = self.webroots(authenticator)?;
        let key = match self.options.key_type.as_deref() {
            Some("rsa") => KeyKind::Rsa,
            Some(_) => KeyKind::Ecdsa,
            None => existing.as_ref().map_or(KeyKind::Ecdsa, Lineage::key),
        };
        self.hooks.pre(&mut self.mouth, self.options.pre_hook.iter().cloned().collect());
        self.hooks.keep(self.options.post_hook.iter().cloned().collect());
        let order = Order {
            name: &files.name,
            names: &names,
            authenticator,
            webroots: webroots.clone(),
            ca,
            key,
            reuse: existing.as_ref().and_then(Lineage::reused_key),
            life: existing.as_ref().map_or(90 * DAY, Lineage::life),
            action: self.action(existing.is_some()),
        };
        let issued = order.place(&self.host, &mut self.mouth)?;
        if self.options.dry_run {
            self.mouth.tell("The dry run was successful.");
            return Ok(());
        }
        let conf = self.conf(&order, &webroots);
        self.save(&files, &issued, &conf)?;
        let unreadable = || Stop::Own(format!("{} cannot be read", files.path("cert")));
        let lineage = Lineage::read(&self.host, &files.name).ok_or_else(unreadable)?;
        // The folder of deploy hooks is for renewals.
        let mut commands = Vec::new();
        if existing.is_some() && !self.options.no_directory_hooks {
            commands = hooks::scripts(&self.host.etc.join("renewal-hooks/deploy"));
        }
        commands.extend(self.options.deploy_hook.clone());
        hooks::deploy(&mut self.mouth, &lineage, &commands, false);
        self.report(&lineage, ca);
        Ok(())
    }

    /// Writes what was issued as the next version.
    pub(super) fn save(&mut self, files: &Files, issued: &Issued, conf: &Conf) -> Result<(), Stop> {
        let version = files.save(issued, conf).map_err(|it| Stop::Own(it.to_string()))?;
        let etc = self.host.etc.display().to_string();
        words::save(&mut self.mouth, &etc, &files.name, version);
        Ok(())
    }

    fn authenticator(&self) -> Result<Authenticator, Stop> {
        let options = &self.options;
        let plugin = options.authenticator.as_deref();
        let chosen = [
            (options.webroot, Authenticator::Webroot),
            (options.standalone, Authenticator::Standalone),
            (options.dns_rfc2136, Authenticator::Dns),
            (options.manual, Authenticator::Manual),
        ];
        let chosen = chosen.into_iter().find(|it| it.0).map(|it| it.1);
        let found = chosen.or_else(|| Authenticator::from_plugin(plugin?));
        match (found, plugin) {
            (Some(Authenticator::Manual), _) if options.manual_auth_hook.is_none() => {
                Err(Stop::Own(super::renew::NO_SCRIPT.to_owned()))
            }
            (Some(it), _) => Ok(it),
            (None, Some(plugin)) => Err(Stop::Own(format!(
                "The requested {plugin} plugin does not appear to be installed"
            ))),
            (None, None) => Err(Stop::Own(NO_PLUGIN.to_owned())),
        }
    }

    /// The lineage that is meant: where its files are, and what there is of it.
    fn lineage(&self) -> Result<(Files, Option<Lineage>), Stop> {
        let names = &self.options.domains;
        let name = match (&self.options.cert_name, names.first()) {
            (Some(name), _) => name.clone(),
            (None, Some(first)) => self.free_name(first.trim_start_matches("*.")),
            (None, None) => return Err(Stop::Own(NO_NAMES.to_owned())),
        };
        let refuse = || Stop::Own(format!("{name} cannot be the name of a certificate"));
        let files = Files::of(&self.host, &name).ok_or_else(refuse)?;
        let existing = Lineage::read(&self.host, &name);
        match (&existing, names.as_slice()) {
            (None, []) => Err(Stop::Own(format!(
                "No certificate with name {name} found. Use -d to specify domains, or run certbot \
                 certificates to see possible certificate names."
            ))),
            (None, _) if files.exists() => Err(Stop::Own(words::broken(&name))),
            _ => Ok((files, existing)),
        }
    }

    /// The lineage for these names if there is one, or the first name that is free.
    fn free_name(&self, first: &str) -> String {
        let all = lineages(&self.host);
        let names = unique(&self.options.domains);
        let same = all
            .iter()
            .find(|it| Lineage::read(&self.host, it).is_some_and(|it| is_same(&it.names, &names)));
        if let Some(same) = same {
            return same.clone();
        }
        let numbered = (1..10_000).map(|it| format!("{first}-{it:04}"));
        let mut names = std::iter::once(first.to_owned()).chain(numbered);
        names.find(|it| !all.contains(it)).unwrap_or_else(|| first.to_owned())
    }

    /// Makes an account where there is none yet.
    fn register(&mut self, ca: Ca) -> Result<(), Stop> {
        let files = account(directory(ca)).map(|(path, mode, text)| {
            let path = self.host.etc.join(path);
            (path, mode, text)
        });
        if files.iter().all(|it| it.0.exists()) {
            return Ok(());
        }
        let options = &self.options;
        let has_address = options.email.is_some() || options.register_unsafely_without_email;
        // A dry run registers on the staging CA without asking.
        let may_register = options.dry_run || options.agree_tos && has_address;
        if !may_register {
            return Err(Stop::Own(NO_ACCOUNT.to_owned()));
        }
        for (path, mode, text) in files {
            stage::write(&path, mode, text.as_bytes()).map_err(|it| Stop::Own(it.to_string()))?;
        }
        self.mouth.tell("Account registered.");
        Ok(())
    }

    /// Where challenges are put; certbot looks at once whether there is such a folder.
    fn webroots(&self, authenticator: Authenticator) -> Result<Vec<String>, Stop> {
        if authenticator != Authenticator::Webroot {
            return Ok(Vec::new());
        }
        match &self.options.webroot_path {
            None => Err(Stop::Own(NO_WEBROOT.to_owned())),
            Some(path) if !self.host.path(path).is_dir() => {
                Err(Stop::Own(format!("{path} does not exist or is not a directory")))
            }
            Some(path) => Ok(vec![path.clone()]),
        }
    }

    const fn action(&self, is_renewal: bool) -> &'static str {
        match (is_renewal, self.options.dry_run) {
            (true, true) => "Simulating renewal of an existing certificate",
            (true, false) => "Renewing an existing certificate",
            (false, true) => "Simulating a certificate request",
            (false, false) => "Requesting a certificate",
        }
    }

    fn conf(&self, order: &Order<'_>, webroots: &[String]) -> Conf {
        let options = &self.options;
        let others = [
            ("pre_hook", options.pre_hook.clone()),
            ("post_hook", options.post_hook.clone()),
            ("renew_hook", options.deploy_hook.clone()),
            ("manual_auth_hook", options.manual_auth_hook.clone()),
            ("dns_rfc2136_credentials", options.dns_rfc2136_credentials.clone()),
            ("reuse_key", options.reuse_key.then(|| "True".to_owned())),
        ];
        let webroot = webroots.first();
        let webroots = order.names.iter().filter_map(|it| Some((it.clone(), webroot?.clone())));
        Conf::new(&Params {
            etc: &self.host.etc.display().to_string(),
            name: order.name,
            account: ACCOUNT,
            ca: order.ca,
            key: order.key,
            authenticator: order.authenticator,
            others: others.into_iter().filter_map(|it| Some((it.0, it.1?))).collect(),
            webroots: webroots.collect(),
        })
    }

    fn report(&mut self, lineage: &Lineage, ca: Ca) {
        self.mouth.tell(&format!(
            "\nSuccessfully received certificate.\nCertificate is saved at: {}\nKey is saved at:         \
             {}\nThis certificate expires on {}.\nThese files will be updated when the certificate \
             renews.\nCertbot has set up a scheduled task to automatically renew this certificate \
             in the background.",
            lineage.full_chain(),
            lineage.files.path("privkey"),
            day(lineage.certificate.not_after),
        ));
        if ca != Ca::Staging {
            self.mouth.tell(&format!("\n{RULER}\n{DONATE}\n{RULER}"));
        }
    }
}

/// The day of a moment, in UTC.
pub(super) fn day(at: Moment) -> String {
    words::clock(at).split(' ').next().unwrap_or_default().to_owned()
}

/// Names without those that stand there twice.
fn unique(names: &[String]) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for name in names.iter().map(|it| it.to_lowercase()) {
        if !all.contains(&name) {
            all.push(name);
        }
    }
    all
}

fn is_same(some: &[String], others: &[String]) -> bool {
    some.len() == others.len() && some.iter().all(|it| others.contains(it))
}

const DONATE: &str = "If you like Certbot, please consider supporting our work by:
 * Donating to ISRG / Let's Encrypt:   https://letsencrypt.org/donate
 * Donating to EFF:                    https://eff.org/donate-le";

const NO_ACCOUNT: &str = "You should register before running non-interactively, or provide \
    --agree-tos and --email <email_address> flags.";

const NO_NAMES: &str = "Please specify --domains, or --installer that will help in domain names \
    autodiscovery, or --cert-name for an existing certificate name.";

const NO_PLUGIN: &str = "Could not choose appropriate plugin for the requested behavior: there is \
    no default authenticator. You must choose one explicitly.";

const NO_WEBROOT: &str = "Missing parts of webroot configuration; please set either \
    --webroot-path and --domains, or --webroot-map. Run with  --help webroot for examples.";
