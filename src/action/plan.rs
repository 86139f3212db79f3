//! A plan: exactly what would happen, as data.

use super::{Chosen, Kind, Order, Tier};
use crate::budget::Wanted;
use crate::fleet::{Fingerprint, HostName, PlaceName};
use crate::inventory::{Endpoint, Impact};

/// Exactly what would happen at one host.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The action.
    pub action: &'static Kind,
    /// What was chosen about it.
    pub chosen: Chosen,
    /// The host.
    pub host: HostName,
    /// The lineage, if it is about one.
    pub place: Option<PlaceName>,
    /// The kind of source that knows the lineage, as in [`crate::source::ALL`].
    pub source: Option<&'static str>,
    /// How carefully it is asked for.
    pub tier: Tier,
    /// What is changed, in one line: names, serial, time left.
    pub what: String,
    /// What happens, line by line: hooks that run, services that reload.
    pub effect: Vec<String>,
    /// What it uses up at the CA.
    pub cost: String,
    /// How it can be undone.
    pub undo: String,
    /// How it will be seen that it worked.
    pub proof: String,
    /// What else somebody should know, such as when it was last tried dry.
    pub notes: Vec<String>,
    /// Files and folders that are written, on the host.
    pub files: Vec<String>,
    /// The commands, run one after the other on the host until one fails.
    pub commands: Vec<Command>,
    /// What must be so when it begins, or it does not begin.
    pub expect: Expect,
    /// What must be so when it has ended, or it has failed.
    pub promise: Promise,
    /// What it does to services.
    pub impact: Impact,
    /// The folder of the lineage's client, such as certbot's; of a cluster, its kubeconfig.
    pub config_dir: Option<String>,
    /// Where the new certificate should then be served.
    pub endpoints: Vec<Endpoint>,
    /// What has to be typed for it instead of its name, where that is not enough.
    pub phrase: Option<String>,
    /// What is read on another host first, and handed to its commands.
    pub brings: Option<Bring>,
    /// Where what was read is delivered to: then the host itself is given nothing to do.
    pub delivers: Option<Delivery>,
    /// Where the certificate is delivered to once all that is proven, without its key: each an
    /// action of its own, that was confirmed with this one.
    pub then: Vec<Delivery>,
    /// What is ordered from a CA first; its chain is handed to its commands.
    pub order: Option<Order>,
    /// The order as its CA counts it, whoever places it.
    pub wanted: Option<Wanted>,
    /// What speaks against the order and was told, line by line, where it is placed all the same.
    pub over: Vec<String>,
}

/// Files of another host that the commands of a plan need, in the file that `CERTDECK_INPUT` names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bring {
    /// The other host.
    pub host: HostName,
    /// The file that begins with the certificate.
    pub certificate: String,
    /// The file with its private key, if that has to move.
    pub key: Option<String>,
    /// The certificate that the file must begin with.
    pub leaf: Fingerprint,
}

/// Where a certificate is delivered to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// The name of the store, as the inventory has it.
    pub store: String,
    /// Where it lies there.
    pub path: String,
}

/// A command on a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// The program and its arguments.
    pub argv: Vec<String>,
    /// Variables of its environment, beside those that are there.
    pub env: Vec<(String, String)>,
}

/// What must be so when a plan begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expect {
    /// Nothing.
    Anything,
    /// The lineage does not exist, or nothing is in place of it.
    NoLineage,
    /// The live certificate of the lineage is this one.
    Leaf(Fingerprint),
}

/// What must be so when a plan has ended well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Promise {
    /// The live certificate is the one before.
    SameLeaf,
    /// The live certificate is another one, and its key fits.
    NewLeaf,
    /// The live certificate is exactly this one, and its key fits.
    Leaf(Fingerprint),
    /// What is served lies in the files that its server loads.
    Served,
    /// The live certificate is the one before, and this intermediate follows it.
    Chain(Fingerprint),
    /// Servers show exactly this certificate.
    Serves(Fingerprint),
    /// A store of secrets holds exactly this certificate.
    Delivered(Fingerprint),
    /// The lineage renews with nobody at the keyboard.
    Renewable,
    /// A timer is armed.
    TimerArmed,
    /// The hook at this path is executable.
    Executable(String),
    /// The host's clock is right.
    ClockRight,
}

impl Plan {
    /// What has to be typed for it: the lineage, or the host where there is none.
    pub fn name(&self) -> &str {
        self.place.as_ref().map_or(self.host.as_str(), PlaceName::as_str)
    }

    /// `host/lineage`, or the host.
    pub fn target(&self) -> String {
        match &self.place {
            Some(place) => format!("{}/{place}", self.host),
            None => self.host.to_string(),
        }
    }

    /// Everything that is told of it, line by line, each under its label: what is reviewed.
    pub fn card(&self) -> Vec<(&'static str, String)> {
        let of = |label, lines: &[String]| -> Vec<_> {
            lines.iter().map(|it| (label, it.clone())).collect()
        };
        let runs: Vec<_> = self.commands.iter().map(Command::brief).collect();
        [
            vec![("What", self.what.clone())],
            of("Effect", &self.effect),
            vec![("Cost", self.cost.clone()), ("Undo", self.undo.clone())],
            vec![("Proof", self.proof.clone())],
            of("Note", &self.notes),
            of("Writes", &self.files),
            of("Runs", &runs),
        ]
        .concat()
    }

    /// The name of the lock under which it runs on its host: changes to one lineage exclude each
    /// other, and so do changes to the host itself.
    pub fn lock(&self) -> String {
        match (&self.config_dir, &self.place) {
            (Some(dir), Some(place)) => format!("{dir}/{place}"),
            _ => "host".to_owned(),
        }
    }
}

impl Command {
    /// The command as somebody would type it into a shell, environment first.
    pub fn line(&self) -> String {
        let env = self.env.iter().map(|(name, value)| format!("{name}={}", word(value)));
        let argv = self.argv.iter().map(|it| word(it));
        env.chain(argv).collect::<Vec<_>>().join(" ")
    }

    /// The same on one line: of a script that is part of it, only how long it is.
    pub fn brief(&self) -> String {
        let env = self.env.iter().map(|(name, value)| format!("{name}={}", word(value)));
        let argv = self.argv.iter().map(|it| match it.lines().count() {
            0 | 1 => word(it),
            lines => format!("<script of {lines} lines>"),
        });
        env.chain(argv).collect::<Vec<_>>().join(" ")
    }
}

/// One word of a shell's command line.
fn word(text: &str) -> String {
    let is_plain = |it: char| it.is_ascii_alphanumeric() || "/._-@+:,=%".contains(it);
    if !text.is_empty() && text.chars().all(is_plain) {
        text.to_owned()
    } else {
        crate::source::quote(text)
    }
}
