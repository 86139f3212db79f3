//! The tree that certbot 2.1.0 keeps under `/etc/letsencrypt`, for any set of lineages.

use std::fmt::Write as _;
use std::sync::Arc;

use super::authority::{Ca, Claim, Issued, KeyKind};
use super::nginx::{self, Loaded};
use super::stage::Stage;
use super::words::Failure;
use super::{Error, journal, programs, stage};
use crate::fleet::{DAY, Moment};

/// What certbot keeps on a host.
pub(super) struct Certbot {
    pub(super) lineages: Vec<Lineage>,
    /// What starts certbot.
    pub(super) timer: Timer,
    /// Hook scripts for all lineages.
    pub(super) hooks: &'static [HookFile],
    /// The service that uses the certificates.
    pub(super) service: &'static str,
    /// How many of the timer's runs are in the log.
    pub(super) runs: i64,
}

impl Certbot {
    /// certbot as Debian sets it up, with a hook that works.
    pub(super) const fn new(lineages: Vec<Lineage>) -> Self {
        Self {
            lineages,
            timer: Timer::Armed,
            hooks: &[HookFile { path: "deploy/10-reload-nginx.sh", mode: 0o755, text: RELOAD }],
            service: "nginx",
            runs: 10,
        }
    }

    /// Writes the tree, the log and the programs that go with them, and adds the source.
    pub(super) fn install(&self, stage: &mut Stage<'_>) -> Result<(), Error> {
        for folder in
            ["csr", "keys", "renewal-hooks/pre", "renewal-hooks/post", "renewal-hooks/deploy"]
        {
            stage.folder(&format!("{ETC}/{folder}"))?;
        }
        stage.shared_file(
            &format!("{ETC}/cli.ini"),
            0o644,
            "# Logs are turned over by logrotate.\nmax-log-backups = 0\n",
        )?;
        stage.shared_file(
            &format!("{ETC}/live/README"),
            0o644,
            "One folder per lineage; the links in it lead to the newest version in ../archive.\n",
        )?;
        for lineage in &self.lineages {
            write_lineage(stage, lineage)?;
            if let Some(failure) = lineage.failure.filter(|it| it.stays()) {
                stage.file(&format!("{FAULTS}/{}", lineage.name), 0o644, failure.word())?;
            }
        }
        write_accounts(stage, self)?;
        if self.lineages.iter().any(|it| it.authenticator == Authenticator::Dns) {
            stage.file(
                &format!("{ETC}/{CREDENTIALS}"),
                0o600,
                "dns_rfc2136_server = 192.0.2.53\n",
            )?;
        }
        for hook in self.hooks {
            stage.shared_file(
                &format!("{ETC}/renewal-hooks/{}", hook.path),
                hook.mode,
                hook.text,
            )?;
        }
        for folder in ["accounts", "archive", "keys", "live"] {
            stage.mode(&format!("{ETC}/{folder}"), 0o700)?;
        }
        stage.folder("var/lib/letsencrypt")?;
        stage.folder(WEBROOT.trim_start_matches('/'))?;
        let log = journal::write(stage, self);
        stage.file("var/log/letsencrypt/letsencrypt.log", 0o644, log)?;
        let last = journal::last_run(stage.now);
        let has_failed = self.lineages.iter().any(|it| {
            it.flaw == Some(Flaw::BrokenConf) || it.failing_at(stage.now, last).is_some()
        });
        programs::install(stage, self, has_failed)?;
        if self.service == "nginx" {
            self.serve(stage)?;
        }
        let source = format!(
            "\n  [[host.source]]\n  kind = \"certbot\"\n  config-dir = \"{root}/{ETC}\"\n  \
         logs-dir = \"{root}/var/log/letsencrypt\"\n  work-dir = \
         \"{root}/var/lib/letsencrypt\"\n",
            root = stage.root.display()
        );
        stage.inventory(&source);
        Ok(())
    }

    /// Has nginx of the host serve the lineages that have a site.
    fn serve(&self, stage: &Stage<'_>) -> Result<(), Error> {
        nginx::configure(stage)?;
        let mut loaded = Vec::new();
        for lineage in &self.lineages {
            let name = &lineage.name;
            let version = match lineage.site {
                Site::None => continue,
                Site::Newest => lineage.versions,
                Site::Version(version) => version,
            };
            let live = |kind: &str| format!("{ETC}/live/{name}/{kind}.pem");
            let files = [live("fullchain"), live("privkey")];
            let mut names = lineage.names.clone();
            names.extend(lineage.also.iter().map(|&it| it.to_owned()));
            nginx::add_site(stage, name, &names, lineage.port, &files)?;
            let read = |kind: &str| {
                let path = stage.root.join(format!("{ETC}/archive/{name}/{kind}{version}.pem"));
                stage::read(&path).map_err(|source| Error::Read { path, source })
            };
            loaded.push(Loaded {
                names,
                ports: vec![lineage.port],
                pems: vec![read("fullchain")? + &read("privkey")?],
            });
        }
        nginx::start_with(stage, &loaded)
    }
}

/// Tells the inventory that a name is to be served from the host, and how that is looked at:
/// further keys of the endpoint.
pub(super) fn endpoint(stage: &mut Stage<'_>, name: &str, port: u16, keys: &str) {
    stage
        .inventory(&format!("\n  [[host.endpoint]]\n  name = \"{name}\"\n  port = {port}\n{keys}"));
}

/// An endpoint that is looked at on the host alone.
pub(super) const ON_THE_HOST: &str = "  probe = [\"loopback\"]\n";

/// What starts certbot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Timer {
    /// systemd's timer, as Debian sets it up.
    Armed,
    /// cron, on a host without systemd.
    Cron,
    /// systemd's timer, and somebody has disabled it.
    Disabled,
}

/// A script in one of the hook folders.
#[derive(Debug)]
pub(super) struct HookFile {
    /// The path below `renewal-hooks`.
    pub(super) path: &'static str,
    pub(super) mode: u32,
    pub(super) text: &'static str,
}

/// One lineage with the versions before it.
#[derive(Debug, Clone)]
pub(super) struct Lineage {
    pub(super) name: String,
    pub(super) names: Vec<String>,
    pub(super) ca: Ca,
    pub(super) key: KeyKind,
    /// Seconds that each version lives.
    pub(super) life: i64,
    /// Seconds until the last version ends.
    pub(super) left: i64,
    pub(super) versions: u32,
    pub(super) authenticator: Authenticator,
    /// What the log says of the attempts since it became due, and why the next ones fail.
    pub(super) failure: Option<Failure>,
    pub(super) flaw: Option<Flaw>,
    /// What stands for the first name in the certificate's subject.
    pub(super) subject: Option<&'static str>,
    pub(super) site: Site,
    /// The port of its site.
    pub(super) port: u16,
    /// Names of its site that the certificate has not.
    pub(super) also: &'static [&'static str],
    /// The version before the last, where others have it as well.
    pub(super) before: Option<Arc<Issued>>,
}

/// What nginx of the host has to do with a lineage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Site {
    /// No site names it.
    None,
    /// Its newest version is served.
    Newest,
    /// That version is served: nginx has not been reloaded since.
    Version(u32),
}

/// How control of a name is shown to the CA.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Authenticator {
    Dns,
    Manual,
    Standalone,
    Webroot,
}

impl Authenticator {
    /// The one that certbot calls so.
    pub(super) fn from_plugin(plugin: &str) -> Option<Self> {
        let all = [Self::Dns, Self::Manual, Self::Standalone, Self::Webroot];
        all.into_iter().find(|it| it.plugin() == plugin)
    }

    /// certbot's name for it.
    pub(super) const fn plugin(self) -> &'static str {
        match self {
            Self::Dns => "dns-rfc2136",
            Self::Manual => "manual",
            Self::Standalone => "standalone",
            Self::Webroot => "webroot",
        }
    }
}

/// What is wrong with the files of a lineage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flaw {
    /// The renewal configuration names no `fullchain`.
    BrokenConf,
    /// The deploy hook failed when the last version had been issued.
    HookFailed,
    /// The live links lead to the version before.
    MovedBack,
    /// `privkey.pem` is the key of the version before.
    StaleKey,
    /// The folder in which the challenge is put does not exist any more.
    WebrootGone,
}

impl Lineage {
    /// A lineage for these names in the middle of its life of 90 days.
    pub(super) fn new(names: &[&str]) -> Self {
        let first = names.first().copied().unwrap_or_default();
        let is_wildcard = names.iter().any(|it| it.starts_with("*."));
        Self {
            // certbot names a lineage after its first name, without the wildcard's label.
            name: first.trim_start_matches("*.").to_owned(),
            names: names.iter().map(|&it| it.to_owned()).collect(),
            ca: Ca::Public,
            key: KeyKind::Ecdsa,
            life: 90 * DAY,
            left: 61 * DAY,
            versions: 3,
            authenticator: if is_wildcard { Authenticator::Dns } else { Authenticator::Webroot },
            failure: None,
            flaw: None,
            subject: None,
            site: Site::Newest,
            port: nginx::PORT,
            also: &[],
            before: None,
        }
    }

    /// When the first second of that version is.
    pub(super) fn not_before(&self, now: Moment, version: u32) -> Moment {
        let age = i64::from(self.versions.saturating_sub(version)) * self.period();
        now.plus(self.left - self.life - age)
    }

    /// Why an attempt fails at that time, if it does.
    pub(super) fn failing_at(&self, now: Moment, at: Moment) -> Option<Failure> {
        let due = self.not_before(now, self.versions).plus(self.period());
        self.failure.filter(|_| at >= due)
    }

    fn period(&self) -> i64 {
        period(self.life)
    }
}

/// How long after its beginning a version of that life is replaced: two thirds of its life, or
/// half of a life under ten days.
pub(super) const fn period(life: i64) -> i64 {
    if life < 10 * DAY { life / 2 } else { life / 3 * 2 }
}

fn write_lineage(stage: &Stage<'_>, lineage: &Lineage) -> Result<(), Error> {
    let name = &lineage.name;
    for version in 1..=lineage.versions {
        let not_before = lineage.not_before(stage.now, version);
        let claim = Claim {
            names: &lineage.names,
            subject: lineage.subject,
            not_before,
            not_after: not_before.plus(lineage.life),
        };
        let issued = match &lineage.before {
            Some(before) if version + 1 == lineage.versions => Arc::clone(before),
            _ => Arc::new(stage.issue_claim(lineage.ca, lineage.key, &claim)?),
        };
        let archive = |kind: &str| format!("{ETC}/archive/{name}/{kind}{version}.pem");
        stage.file(&archive("cert"), 0o644, &issued.certificate)?;
        stage.shared_file(&archive("chain"), 0o644, &issued.chain)?;
        let full = format!("{}{}", issued.certificate, issued.chain);
        stage.file(&archive("fullchain"), 0o644, full)?;
        stage.file(&archive("privkey"), 0o600, &issued.key)?;
    }
    stage.shared_file(
        &format!("{ETC}/live/{name}/README"),
        0o644,
        "privkey.pem is the key, fullchain.pem what most servers want.\n",
    )?;
    for kind in ["cert", "chain", "fullchain", "privkey"] {
        let version = match (lineage.flaw, kind) {
            (Some(Flaw::StaleKey), "privkey") | (Some(Flaw::MovedBack), _) => {
                lineage.versions.saturating_sub(1)
            }
            _ => lineage.versions,
        };
        stage.link(
            &format!("{ETC}/live/{name}/{kind}.pem"),
            &format!("../../archive/{name}/{kind}{version}.pem"),
        )?;
    }
    stage.file(&format!("{ETC}/renewal/{name}.conf"), 0o644, renewal_conf(stage, lineage))
}

fn renewal_conf(stage: &Stage<'_>, lineage: &Lineage) -> String {
    let name = &lineage.name;
    let etc = format!("{}/{ETC}", stage.root.display());
    let mut conf = format!(
        "# renew_before_expiry = 30 days\nversion = {VERSION}\narchive_dir = {etc}/archive/{name}\n"
    );
    for kind in ["cert", "privkey", "chain", "fullchain"] {
        if lineage.flaw == Some(Flaw::BrokenConf) && kind == "fullchain" {
            continue;
        }
        let _ = writeln!(conf, "{kind} = {etc}/live/{name}/{kind}.pem");
    }
    let server = directory(lineage.ca);
    let key_type = lineage.key.word();
    let _ = write!(
        conf,
        "\n# Options used in the renewal process\n[renewalparams]\naccount = {ACCOUNT}\n\
         server = {server}\nkey_type = {key_type}\n"
    );
    let _ = writeln!(conf, "authenticator = {}", lineage.authenticator.plugin());
    match lineage.authenticator {
        Authenticator::Dns => {
            let _ = writeln!(conf, "dns_rfc2136_credentials = {etc}/{CREDENTIALS}");
        }
        Authenticator::Manual => conf.push_str("pref_challs = dns-01,\n"),
        Authenticator::Standalone => {}
        Authenticator::Webroot => {
            let folder = match lineage.flaw {
                Some(Flaw::WebrootGone) => "/var/www/gone",
                _ => WEBROOT,
            };
            let _ = write!(conf, "webroot_path = {folder},\n[[webroot_map]]\n");
            for name in &lineage.names {
                let _ = writeln!(conf, "{name} = {folder}");
            }
        }
    }
    conf
}

/// One account at each CA that the lineages use.
fn write_accounts(stage: &Stage<'_>, certbot: &Certbot) -> Result<(), Error> {
    let mut directories: Vec<&str> = certbot.lineages.iter().map(|it| directory(it.ca)).collect();
    directories.sort_unstable();
    directories.dedup();
    for directory in directories {
        for (path, mode, text) in account(directory) {
            stage.file(&format!("{ETC}/{path}"), mode, text)?;
        }
    }
    Ok(())
}

/// The files of an account at that directory, below certbot's configuration folder.
pub(super) fn account(directory: &str) -> [(String, u32, String); 2] {
    let place = directory.trim_start_matches("https://");
    let folder = format!("accounts/{place}/{ACCOUNT}");
    let uri = directory.replace("directory", "account/4711");
    let registration = format!("{{\"body\": {{}}, \"uri\": \"{uri}\"}}\n");
    [
        (format!("{folder}/regr.json"), 0o644, registration),
        // Nobody needs it: the CA of a practice fleet believes everybody.
        (format!("{folder}/private_key.json"), 0o400, "{\"kty\": \"EC\"}\n".to_owned()),
    ]
}

/// The ACME directory of a CA.
pub(super) const fn directory(ca: Ca) -> &'static str {
    match ca {
        Ca::Public => "https://acme.practice.example/directory",
        Ca::Second => "https://acme.rehearsal.example/directory",
        Ca::Staging => "https://acme-staging.practice.example/directory",
        Ca::Private => "https://acme.corp.example/directory",
    }
}

/// The CA behind an ACME directory, if the fleet has it. Those of Let's Encrypt stand for its own.
pub(super) fn ca_of(server: &str) -> Option<Ca> {
    match server {
        "https://acme-v02.api.letsencrypt.org/directory" => Some(Ca::Public),
        "https://acme-staging-v02.api.letsencrypt.org/directory" => Some(Ca::Staging),
        server => Ca::ALL.into_iter().find(|it| directory(*it) == server),
    }
}

/// certbot's configuration folder, below the root of a host.
pub(super) const ETC: &str = "etc/letsencrypt";

/// What gives access to the DNS, below that folder.
const CREDENTIALS: &str = "rfc2136.ini";

/// Where a host knows why attempts at a lineage fail: one file each, with a word in it.
pub(super) const FAULTS: &str = "faults";

/// The version whose files these are: that of Debian 12.
pub(super) const VERSION: &str = "2.1.0";

/// The account of a host at every CA.
pub(super) const ACCOUNT: &str = "5d0c6f2a9b7e41b3a8c2f1d4e6079b58";

/// Where most hosts serve challenges from.
pub(super) const WEBROOT: &str = "/var/www/html";

/// What most deploy hooks are.
pub(super) const RELOAD: &str = "#!/bin/sh\nset -e\nnginx -t\nsystemctl reload nginx\n";
