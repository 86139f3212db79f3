//! What would mend a finding, in the order of risk and of what it costs at the CA.

use std::fmt::Write as _;

use super::Subject;
use super::sight::is_valid;
use crate::fleet::{
    Automation, HookStage, Host, HostName, Moment, Place, PlaceName, ProblemKind, Reach, Scheduler,
};
use crate::text::SafeText;

/// One way to mend a finding: an action with its choices, at a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remedy {
    /// The action, as in `crate::action::ALL`.
    pub action: &'static str,
    /// The host that it is done to, which need not be that of the finding.
    pub host: HostName,
    /// The place, if the action takes one.
    pub place: Option<PlaceName>,
    /// What is chosen about it: name and value, as on the command line.
    pub chosen: Vec<(&'static str, String)>,
    /// Why it would help, and why it stands where it does; without, the words of its [`Rank`].
    pub why: SafeText,
}

/// Where an action stands among remedies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rank {
    /// The action.
    pub action: &'static str,
    /// What it risks, and what it costs at the CA, in a few words.
    pub price: &'static str,
    /// What it is good for.
    pub does: Does,
}

/// What a remedy is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Does {
    /// What clients get is mended, and no CA is asked.
    Mends,
    /// A new certificate is ordered.
    Orders,
    /// It does not come back: what clients get stays as it is.
    Prevents,
    /// It is seen whether an order would go well.
    Tries,
}

/// Every remedy, the cheapest and safest first.
pub static RANKS: &[Rank] = &[
    Rank {
        action: "enable-timer",
        price: "no order, no change of the certificate",
        does: Does::Prevents,
    },
    Rank {
        action: "enable-hook",
        price: "no order; a hook becomes executable",
        does: Does::Prevents,
    },
    Rank { action: "sync-clock", price: "no order; the host's clock is set", does: Does::Mends },
    Rank {
        action: "reload",
        price: "no order; the configuration is tested first",
        does: Does::Mends,
    },
    Rank {
        action: "rollback",
        price: "no order; links lead to a version that is kept",
        does: Does::Mends,
    },
    Rank {
        action: "repoint",
        price: "no order; a line of the server's configuration changes",
        does: Does::Mends,
    },
    Rank {
        action: "replace-chain",
        price: "no order; the leaf and its key stay",
        does: Does::Mends,
    },
    Rank {
        action: "transplant",
        price: "no order; the private key moves between hosts",
        does: Does::Mends,
    },
    Rank { action: "hook", price: "no order; runs what a renewal would run", does: Does::Mends },
    Rank {
        action: "convert",
        price: "no order; the renewal configuration changes",
        does: Does::Prevents,
    },
    Rank {
        action: "deliver",
        price: "no order; a store gets the certificate, without its key",
        does: Does::Prevents,
    },
    Rank { action: "dry-run", price: "an order at the staging CA", does: Does::Tries },
    Rank { action: "renew", price: "one order, if it is due", does: Does::Orders },
    Rank {
        action: "force-renew",
        price: "one order, of five a week for the same names",
        does: Does::Orders,
    },
    Rank { action: "issue", price: "one order, for a new set of names", does: Does::Orders },
];

/// Where that action stands, and its words.
pub fn rank(action: &str) -> Option<&'static Rank> {
    RANKS.iter().find(|it| it.action == action)
}

impl Remedy {
    /// That action at that place, with nothing chosen.
    pub fn new(action: &'static str, host: &HostName, place: Option<&PlaceName>) -> Self {
        let why = SafeText::new(rank(action).map_or("", |it| it.price));
        Self { action, host: host.clone(), place: place.cloned(), chosen: Vec::new(), why }
    }

    /// Chooses something about it.
    pub(super) fn choose(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.chosen.push((name, value.into()));
        self
    }

    /// Says why it would help.
    pub(super) fn why(mut self, text: impl AsRef<str>) -> Self {
        self.why = SafeText::new(text.as_ref());
        self
    }
}

impl Remedy {
    /// Where it is done, as on the command line: `host/lineage`, or the host.
    pub fn target(&self) -> String {
        match &self.place {
            Some(place) => format!("{}/{place}", self.host),
            None => self.host.to_string(),
        }
    }
}

/// The command line that does the same at all of these places; of several, what was chosen for the
/// first holds.
pub fn command(remedies: &[&Remedy]) -> String {
    let Some(first) = remedies.first() else { return String::new() };
    let mut line = format!("certdeck run {}", first.action);
    for it in remedies {
        line.push(' ');
        line.push_str(&word(&it.target()));
    }
    for (name, value) in &first.chosen {
        // `=` as well where the value would be taken for an option, or may be left out.
        let is_joined = value.starts_with('-') || value == "yes";
        let between = if is_joined { '=' } else { ' ' };
        let _ = write!(line, " --{name}{between}{}", word(value));
    }
    line
}

/// The text as one word of a POSIX shell: quoted only where it has to be. What was read from a host
/// is safe to show as it is, and here it is safe to paste too.
pub fn word(text: &str) -> String {
    let safe = SafeText::new(text);
    let text = safe.as_str();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@%+,".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// Puts the cheapest and safest first; of two alike, the one that was named first. A reload only
/// completes what mends the files, so it comes after that.
pub(super) fn sort(remedies: &mut [Remedy]) {
    let place = |action: &str| RANKS.iter().position(|it| it.action == action);
    let mending = remedies.iter().filter(|it| mends_files(it));
    let mended = mending.filter_map(|it| place(it.action)).min();
    remedies.sort_by_key(|it| match (it.action, mended) {
        ("reload", Some(first)) => (first, 1),
        (action, _) => (place(action).unwrap_or(RANKS.len()), 0),
    });
}

/// Whether the files are right after it, and perhaps not yet loaded.
pub(super) fn mends_files(remedy: &Remedy) -> bool {
    MENDS_FILES.contains(&remedy.action)
}

/// The actions after which the files are right and perhaps not yet loaded.
const MENDS_FILES: [&str; 4] = ["rollback", "repoint", "replace-chain", "transplant"];

/// Whether an action could be done, as far as can be told without the inventory: one that would
/// refuse is no remedy.
pub(super) fn is_possible(remedy: &Remedy, subject: &Subject<'_>, now: Moment) -> bool {
    let is_own = remedy.host == subject.host.name;
    let host = if is_own { Some(subject.host) } else { subject.around.host(&remedy.host) };
    let Some(host) = host.filter(|it| it.reach == Reach::Up) else { return false };
    let name = remedy.place.as_ref();
    let place = name.and_then(|name| host.places.iter().find(|it| it.name == *name));
    match (remedy.action, place) {
        ("enable-timer", _) => {
            let automation = host.automation.iter().find(|it| it.source == CLIENT);
            let can_start =
                |it: &Automation| it.is_installed && it.schedule.scheduler == Scheduler::Systemd;
            // The timer of the one client does not renew what another keeps.
            let is_of_it = subject.place.is_none_or(|it| it.source == CLIENT);
            is_of_it && automation.is_some_and(can_start)
        }
        ("rollback", Some(place)) => {
            (is_of_client(host, place) || place.is_own()) && has_other_version(place, now)
        }
        ("hook", Some(place)) => is_of_client(host, place) && has_deploy_hook(host, place),
        ("renew" | "force-renew", Some(place)) if place.is_own() => place.renewal.is_some(),
        ("dry-run" | "renew" | "force-renew", Some(place)) => {
            let is_broken = place.problems.iter().any(|it| it.kind == ProblemKind::BrokenConf);
            let is_unattended = place.renewal.as_ref().is_none_or(|it| it.is_unattended);
            is_of_client(host, place) && is_unattended && !is_broken
        }
        ("issue", Some(place)) => is_of_client(host, place) || place.is_own(),
        ("convert", Some(place)) => {
            let is_manual = place.renewal.as_ref().is_some_and(|it| !it.is_unattended);
            is_of_client(host, place) && is_manual
        }
        // The files of another client belong to it, and a pair needs a place for its key.
        ("transplant", Some(place)) => {
            is_of_client(host, place)
                || place.is_own()
                || (place.source == FILES && place.key.is_some())
        }
        ("replace-chain", Some(place)) => place.layers.disk.is_some(),
        _ => true,
    }
}

/// Plain files, which no client renews.
const FILES: &str = "pem";

/// The one client that actions drive.
const CLIENT: &str = "certbot";

/// Whether a place is a lineage of the client that actions drive, and that client is there.
fn is_of_client(host: &Host, place: &Place) -> bool {
    let automation = host.automation.iter().find(|it| it.source == CLIENT);
    place.source == CLIENT && automation.is_none_or(|it| it.is_installed)
}

/// Whether a valid version is kept other than the one in place, or that one where it is not whole.
fn has_other_version(place: &Place, now: Moment) -> bool {
    let links = [
        ProblemKind::BrokenLink,
        ProblemKind::Empty,
        ProblemKind::Missing,
        ProblemKind::MixedVersions,
    ];
    let is_whole = place.key_matches() != Some(false)
        && !place.problems.iter().any(|it| links.contains(&it.kind));
    let live = place.layers.disk.as_ref().map(|it| it.chain.leaf.sha256).filter(|_| is_whole);
    let mut kept = place.versions.iter().filter_map(|it| it.certificate.as_deref());
    kept.any(|it| is_valid(it, now) && Some(it.sha256) != live)
}

/// Whether the client would run a hook after a renewal.
pub(super) fn has_deploy_hook(host: &Host, place: &Place) -> bool {
    let automation = host.automation.iter().filter(|it| it.source == place.source);
    let scripts = automation.flat_map(|it| &it.hooks).filter(|it| it.is_executable);
    let own = place.renewal.iter().flat_map(|it| &it.hooks).map(|it| it.stage);
    scripts.map(|it| it.stage).chain(own).any(|it| it == HookStage::Deploy)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_can_be_pasted() {
        let (host, other) = (HostName::new("web-01"), HostName::new("web-02"));
        let place = PlaceName::new("www.example.net");
        let one = Remedy::new("repoint", &host, Some(&place)).choose("to", "www.example.net-0001");
        let line = "certdeck run repoint web-01/www.example.net --to www.example.net-0001";
        assert_eq!(command(&[&one]), line);
        let two = Remedy::new("sync-clock", &other, None);
        let one = Remedy::new("sync-clock", &host, None);
        assert_eq!(command(&[&one, &two]), "certdeck run sync-clock web-01 web-02");
        let odd = Remedy::new("hook", &host, Some(&PlaceName::new("it's; $(reboot)")));
        let odd = odd.choose("hook", "/opt/my hook").choose("all", "yes").choose("from", "-x");
        assert_eq!(
            command(&[&odd]),
            r"certdeck run hook 'web-01/it'\''s; $(reboot)' --hook '/opt/my hook' --all=yes --from=-x"
        );
    }
}
