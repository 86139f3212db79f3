//! The one verdict that every place has.

use std::fmt;

/// What is to be said of a place. Ordered from good to bad: the worst of several is the verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// All known layers agree and nothing is due.
    Ok,
    /// Inside the renewal window.
    Due,
    /// Fine today, but it will not renew by itself.
    Automation,
    /// The host's clock is off, or the certificate is not yet valid.
    Clock,
    /// Not enough was seen to tell.
    Unknown,
    /// The host could not be read.
    Unreachable,
    /// A test or self-signed certificate where a public one belongs.
    Staging,
    /// Disk is newer than what the process serves.
    Unloaded,
    /// Places that should serve the same certificate do not.
    Drift,
    /// Past the window's end with no newer version.
    Overdue,
    /// A name is not covered.
    Name,
    /// An intermediate is missing, wrong or expired.
    Chain,
    /// Private key and certificate do not match.
    Key,
    /// Revoked, or the CA asks for replacement.
    Revoked,
    /// `not_after` has passed.
    Expired,
}

impl Verdict {
    /// Every verdict, from good to bad.
    pub const ALL: [Self; 15] = [
        Self::Ok,
        Self::Due,
        Self::Automation,
        Self::Clock,
        Self::Unknown,
        Self::Unreachable,
        Self::Staging,
        Self::Unloaded,
        Self::Drift,
        Self::Overdue,
        Self::Name,
        Self::Chain,
        Self::Key,
        Self::Revoked,
        Self::Expired,
    ];

    /// The word for it: in filters, in JSON, on screen.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Due => "due",
            Self::Automation => "automation",
            Self::Clock => "clock",
            Self::Unknown => "unknown",
            Self::Unreachable => "unreachable",
            Self::Staging => "staging",
            Self::Unloaded => "unloaded",
            Self::Drift => "drift",
            Self::Overdue => "overdue",
            Self::Name => "name",
            Self::Chain => "chain",
            Self::Key => "key",
            Self::Revoked => "revoked",
            Self::Expired => "expired",
        }
    }

    /// How it is drawn and counted.
    pub const fn weight(self) -> Weight {
        match self {
            Self::Ok => Weight::Fine,
            Self::Due | Self::Automation => Weight::Due,
            Self::Unknown | Self::Unreachable => Weight::Unknown,
            Self::Expired => Weight::Expired,
            _ => Weight::Wrong,
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// The five ways in which a verdict is drawn and counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Weight {
    /// `●` nothing to do.
    Fine,
    /// `▲` something to do in good time.
    Due,
    /// `?` not enough is known.
    Unknown,
    /// `◆` overdue or wrong.
    Wrong,
    /// `✖` expired.
    Expired,
}

/// How soon somebody must act on a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Good to know.
    Info,
    /// This week.
    Warning,
    /// Now.
    Critical,
}

impl Severity {
    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}
