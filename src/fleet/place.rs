//! A place: one certificate name at one host, with what each layer shows of it.

use std::sync::Arc;

use super::{Certificate, Chain, Fingerprint, HookStage, Moment, Probe, Stored, Window};
use crate::text::SafeText;

/// The name of a place on its host: certbot's lineage name, or the path of a PEM file.
pub type PlaceName = SafeText;

/// The source that keeps what certdeck orders itself; also the word for certdeck where somebody
/// says who is to order.
pub const OWN: &str = "certdeck";

/// One certificate name at one host.
#[derive(Debug, Clone)]
pub struct Place {
    /// The lineage; unique per host and source.
    pub name: PlaceName,
    /// The kind of source that told of it, as in [`crate::source::ALL`].
    pub source: &'static str,
    /// What each layer shows.
    pub layers: Layers,
    /// Every handshake that has to do with it; [`Layers::loaded`] and [`Layers::wire`] are taken
    /// from them.
    pub probes: Vec<Probe>,
    /// What is known of the private key on disk.
    pub key: Option<KeySight>,
    /// Every version that is kept, oldest first.
    pub versions: Vec<Version>,
    /// How it would be renewed.
    pub renewal: Option<Renewal>,
    /// When its CA wants it to be renewed, if that is known of one of its certificates.
    pub window: Option<Arc<Window>>,
    /// What the stores hold that its certificate is delivered to.
    pub stored: Vec<Stored>,
    /// What is wrong with what was read.
    pub problems: Vec<Problem>,
}

impl Place {
    /// A place of which nothing is known but its name.
    pub fn new(source: &'static str, name: PlaceName) -> Self {
        Self {
            name,
            source,
            layers: Layers::default(),
            probes: Vec::new(),
            key: None,
            versions: Vec::new(),
            renewal: None,
            window: None,
            stored: Vec::new(),
            problems: Vec::new(),
        }
    }

    /// The sighting that is nearest to what clients get: the wire, what is loaded, the disk.
    pub fn nearest(&self) -> Option<&Sighting> {
        let Layers { issued, disk, loaded, wire } = &self.layers;
        wire.first().or(loaded.as_ref()).or(disk.as_ref()).or(issued.as_ref())
    }

    /// The leaf of the nearest sighting.
    pub fn leaf(&self) -> Option<&Certificate> {
        self.nearest().map(|it| &*it.chain.leaf)
    }

    /// The newest certificate that the CA gave, if it lasts longer than what is nearest to clients.
    pub fn newer(&self) -> Option<&Sighting> {
        let leaf = self.leaf()?;
        self.layers.issued.as_ref().filter(|it| it.chain.leaf.not_after > leaf.not_after)
    }

    /// When the CA wants this certificate to be renewed, if that is known.
    pub fn window_of(&self, leaf: &Certificate) -> Option<&Window> {
        self.window.as_deref().filter(|it| it.of == leaf.sha256)
    }

    /// When the renewal of this certificate should begin: with the window of its CA, or where
    /// that is not known, with its own [`Certificate::renewal_opens`].
    pub fn renewal_opens(&self, leaf: &Certificate) -> Moment {
        self.window_of(leaf).map_or_else(|| leaf.renewal_opens(), |it| it.start)
    }

    /// The last failure to renew it that is on record.
    pub fn last_failure(&self) -> Option<&Failure> {
        self.renewal.as_ref()?.last_failure.as_ref()
    }

    /// Whether a path, links not resolved, is that of its certificate as a client renews it: the
    /// file that was read, or one beside it in a folder that bears its name, as `live/NAME/` does.
    pub fn has_file(&self, path: &str) -> bool {
        let Some(disk) = &self.layers.disk else { return false };
        let own = disk.location.as_str();
        if path == own {
            return true;
        }
        let (Some((folder, _)), Some((other, _))) = (own.rsplit_once('/'), path.rsplit_once('/'))
        else {
            return false;
        };
        let bears = folder.rsplit('/').next().and_then(|it| it.strip_prefix(self.name.as_str()));
        // acme.sh keeps certificates with elliptic keys in `NAME_ecc`.
        folder == other && matches!(bears, Some("" | "_ecc"))
    }

    /// Whether certdeck orders it itself, and keeps it in a store of its own.
    pub fn is_own(&self) -> bool {
        self.source == OWN
    }

    /// Whether nothing is in place: the files that services would load are missing, as where the
    /// first order was cut off.
    pub fn is_bare(&self) -> bool {
        let first = self.problems.first().map(|it| it.kind);
        self.layers.disk.is_none() && first == Some(ProblemKind::Missing)
    }

    /// Whether the private key on disk belongs to the certificate on disk; `None` if either is
    /// not known.
    pub fn key_matches(&self) -> Option<bool> {
        let spki = self.key.as_ref()?.spki?;
        Some(spki == self.layers.disk.as_ref()?.chain.leaf.spki_sha256)
    }
}

/// The four layers of truth about a certificate.
#[derive(Debug, Clone, Default)]
pub struct Layers {
    /// The newest certificate that the CA gave.
    pub issued: Option<Sighting>,
    /// What a service would load if it restarted now.
    pub disk: Option<Sighting>,
    /// What the running process serves on the host's loopback; where it shows several, the one
    /// that differs from the disk.
    pub loaded: Option<Sighting>,
    /// What clients get, one per address.
    pub wire: Vec<Sighting>,
}

/// One observation of one layer.
#[derive(Debug, Clone)]
pub struct Sighting {
    /// The chain that was seen.
    pub chain: Arc<Chain>,
    /// The path or the address where it was seen.
    pub location: SafeText,
    /// When.
    pub at: Moment,
}

/// What is known of a private key without having seen it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeySight {
    /// Its path.
    pub path: SafeText,
    /// Inode, size and times of the file: as long as it stays, so does the key. Sent back to
    /// the host with the next scan, so that the same key is not read twice.
    pub stamp: Option<SafeText>,
    /// SHA-256 of its `SubjectPublicKeyInfo` in DER; `None` if the host could not tell.
    pub spki: Option<Fingerprint>,
}

/// One kept version of a certificate.
#[derive(Debug, Clone)]
pub struct Version {
    /// Its number, counted from 1.
    pub number: u32,
    /// The certificate, where it was read and could be parsed.
    pub certificate: Option<Arc<Certificate>>,
}

/// How a client would renew a certificate, from its own configuration.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Renewal {
    /// How it proves control: `webroot`, `standalone`, `dns-rfc2136`, `manual`.
    pub authenticator: Option<SafeText>,
    /// Where it lays the files that prove control, if that is one folder.
    pub webroot: Option<SafeText>,
    /// What it configures afterwards: `nginx`, `apache`.
    pub installer: Option<SafeText>,
    /// The ACME directory.
    pub server: Option<SafeText>,
    /// The account's name at the client.
    pub account: Option<SafeText>,
    /// The key type that is asked for: `ecdsa`, `rsa`.
    pub key_type: Option<SafeText>,
    /// The version of the client that wrote the configuration.
    pub client_version: Option<SafeText>,
    /// Whether `renew` includes it.
    pub is_enabled: bool,
    /// Whether it can prove control with nobody at the keyboard.
    pub is_unattended: bool,
    /// Hooks of this certificate alone.
    pub hooks: Vec<ConfHook>,
    /// The files, folders and programs that its configuration names, and what is there.
    pub needs: Vec<Need>,
    /// When the client means to renew it, where its configuration or its own note says so.
    pub planned: Option<Moment>,
    /// The last failure on record, if nothing succeeded since.
    pub last_failure: Option<Failure>,
    /// When the client last told of an order that went well, if that is on record.
    pub last_success: Option<Moment>,
    /// The last dry run on record.
    pub last_dry_run: Option<DryRun>,
    /// The last hook that failed, if it has not run well since.
    pub failed_hook: Option<FailedHook>,
    /// The profile that is asked for (draft-ietf-acme-profiles).
    pub profile: Option<SafeText>,
    /// Whether its private key is shared with other hosts and therefore kept.
    pub keeps_key: bool,
    /// Files that are written anew with every version.
    pub installs: Vec<Install>,
}

/// A file of a service that wants its certificate or key at a path of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Install {
    /// What it holds.
    pub kind: InstallKind,
    /// Its path.
    pub path: SafeText,
}

/// What a file of a service holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InstallKind {
    /// The certificate with its chain.
    Certificate,
    /// All of it, the key at the end, as haproxy and others want it.
    Combined,
    /// The private key.
    Key,
}

impl InstallKind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Certificate, Self::Combined, Self::Key];

    /// Its word in configurations.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Certificate => "certificate",
            Self::Combined => "combined",
            Self::Key => "key",
        }
    }
}

/// Something on the host without which a renewal fails, or is of no use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Need {
    /// What it is for.
    pub kind: NeedKind,
    /// Its path; of a program that was looked for and not found, its name alone.
    pub path: SafeText,
    /// What is there.
    pub state: NeedState,
    /// Its mode bits, as in `0600`, if it is there.
    pub mode: Option<u32>,
}

/// What something is needed for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NeedKind {
    /// The key of the account at the CA.
    Account,
    /// A file with what the DNS provider wants to see.
    Credentials,
    /// The program of a hook.
    Hook(HookStage),
    /// The program that proves control.
    ProofHook,
    /// The folder in which the files that prove control are laid.
    Webroot,
}

/// What is there of something that is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NeedState {
    /// Something else: a folder for a file, a file for a folder.
    Different,
    /// Nothing.
    Missing,
    /// A program without an execute bit.
    NotExecutable,
    /// What is needed.
    There,
    /// It could not be told: whoever looked may not.
    Unseen,
}

impl NeedState {
    /// Whether a renewal will fail for it.
    pub const fn is_fault(self) -> bool {
        matches!(self, Self::Different | Self::Missing | Self::NotExecutable)
    }
}

/// A hook that failed, from the client's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailedHook {
    /// When, by the log.
    pub at: Option<Moment>,
    /// When in a renewal it ran.
    pub stage: HookStage,
    /// The command, if the log tells it.
    pub command: Option<SafeText>,
    /// Its exit code.
    pub code: i32,
    /// When its file was last changed, by the host's clock, if it is one of the client's folder.
    pub changed: Option<Moment>,
}

impl FailedHook {
    /// Whether somebody has changed it since.
    pub fn is_changed(&self) -> bool {
        self.changed.zip(self.at).is_some_and(|(changed, at)| changed > at)
    }
}

/// A hook command in a certificate's own renewal configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfHook {
    /// When it runs.
    pub stage: HookStage,
    /// The shell command.
    pub command: SafeText,
}

/// A dry run, from the client's log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DryRun {
    /// When.
    pub at: Moment,
    /// Whether it went well.
    pub is_ok: bool,
}

/// A failed renewal, from the client's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// When, by the host's clock and time zone as the log gives it.
    pub at: Option<Moment>,
    /// What the client says, on one line.
    pub text: SafeText,
}

/// Something wrong with what was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The kind.
    pub kind: ProblemKind,
    /// One line for people.
    pub text: SafeText,
    /// The file or folder.
    pub path: Option<SafeText>,
}

/// The kinds of problem that are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ProblemKind {
    /// A file holds something that is no certificate.
    BadCertificate,
    /// A renewal configuration that the client cannot use.
    BrokenConf,
    /// A link that leads nowhere.
    BrokenLink,
    /// A second lineage for the same names.
    Duplicate,
    /// A file with nothing in it.
    Empty,
    /// Whether the private key belongs to the certificate could not be told, and why.
    KeyUnchecked,
    /// Nothing is there at all.
    Missing,
    /// Links that lead to different versions.
    MixedVersions,
    /// Whoever renews it says that it is not as it should be, and why.
    NotReady,
    /// Something other than a file: a pipe, a device, a folder.
    NotAFile,
    /// What whoever renews it hangs on; of several, each is the cause of the one before.
    StuckOn,
    /// A file or an answer over the size that is read.
    TooLarge,
    /// No permission.
    Unreadable,
}

#[cfg(test)]
mod tests {
    use super::super::Trust;
    use super::*;
    use crate::fleet::KeyKind;

    fn place(name: &str, path: &str, names: &[&str]) -> Place {
        let leaf = Certificate {
            sha256: Fingerprint::of(b"leaf"),
            spki_sha256: Fingerprint::of(b"key"),
            serial: SafeText::default(),
            subject: SafeText::default(),
            issuer: SafeText::default(),
            names: names.iter().map(|it| SafeText::new(it)).collect(),
            not_before: Moment::default(),
            not_after: Moment::default(),
            key: KeyKind::Ed25519,
            is_ca: false,
            logged_at: None,
            is_for_clients: false,
            renewal_id: None,
            der: None,
        };
        let chain =
            Chain { leaf: Arc::new(leaf), rest: vec![], fault: None, trust: Trust::default() };
        let location = SafeText::new(path);
        let mut place = Place::new("certbot", SafeText::new(name));
        place.layers.disk =
            Some(Sighting { chain: Arc::new(chain), location, at: Moment::default() });
        place
    }

    #[test]
    fn files_of_a_lineage_are_told_from_others() {
        let it = place("www", "/etc/letsencrypt/live/www/fullchain.pem", &[]);
        assert!(it.has_file("/etc/letsencrypt/live/www/cert.pem"));
        assert!(!it.has_file("/etc/letsencrypt/live/www-0001/cert.pem"));
        assert!(!it.has_file("/etc/letsencrypt/archive/www/cert1.pem"));
        let plain = place("/etc/ssl/a.pem", "/etc/ssl/a.pem", &[]);
        assert!(plain.has_file("/etc/ssl/a.pem"));
        assert!(!plain.has_file("/etc/ssl/b.pem"));
        let acme = place("www", "/root/.acme.sh/www_ecc/www.cer", &[]);
        assert!(acme.has_file("/root/.acme.sh/www_ecc/fullchain.cer"));
    }

    #[test]
    fn a_wildcard_stands_for_one_label() {
        let it = place("a", "/a", &["*.Example.net", "example.org", "192.0.2.1"]);
        let leaf = it.leaf().unwrap();
        for name in ["www.example.net", "WWW.EXAMPLE.NET", "example.org", "192.0.2.1"] {
            assert!(leaf.covers(name), "{name}");
        }
        for name in ["example.net", "a.b.example.net", ".example.net", "www.example.org", ""] {
            assert!(!leaf.covers(name), "{name}");
        }
    }
}
