//! What would mend a finding, in the order of risk and of what it costs at the CA.

use crate::fleet::{HostName, PlaceName};
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
}

/// Every remedy, the cheapest and safest first.
static ORDER: &[Rank] = &[
    Rank { action: "enable-timer", price: "no order, no change of the certificate" },
    Rank { action: "enable-hook", price: "no order; a hook becomes executable" },
    Rank { action: "sync-clock", price: "no order; the host's clock is set" },
    Rank { action: "reload", price: "no order; the configuration is tested first" },
    Rank { action: "rollback", price: "no order; links lead to a version that is kept" },
    Rank { action: "repoint", price: "no order; a line of the server's configuration changes" },
    Rank { action: "replace-chain", price: "no order; the leaf and its key stay" },
    Rank { action: "transplant", price: "no order; the private key moves between hosts" },
    Rank { action: "hook", price: "no order; runs what a renewal would run" },
    Rank { action: "convert", price: "no order; the renewal configuration changes" },
    Rank { action: "dry-run", price: "an order at the staging CA" },
    Rank { action: "renew", price: "one order, if it is due" },
    Rank { action: "force-renew", price: "one order, of five a week for the same names" },
    Rank { action: "issue", price: "one order, for a new set of names" },
];

/// Where that action stands, and its words.
pub fn rank(action: &str) -> Option<&'static Rank> {
    ORDER.iter().find(|it| it.action == action)
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

/// Puts the cheapest and safest first; of two alike, the one that was named first.
pub(super) fn sort(remedies: &mut [Remedy]) {
    remedies.sort_by_key(|remedy| {
        ORDER.iter().position(|it| it.action == remedy.action).unwrap_or(ORDER.len())
    });
}
