//! What a version of a client can do that short lifetimes and repairs call for: one table, with
//! where each number comes from.

use std::fmt;

use super::Automation;

/// A version of a program: up to three numbers, `2.1.0`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Release(u32, u32, u32);

impl Release {
    /// Reads `2.1.0`, `v4.9`, `5.1.0.dev0`; what follows the numbers is left out.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim().trim_start_matches('v');
        let mut numbers = text.split('.').map(|it| {
            let end = it.find(|it: char| !it.is_ascii_digit()).unwrap_or(it.len());
            it.get(..end).and_then(|it| it.parse().ok())
        });
        let first = numbers.next()??;
        let mut next = || numbers.next().flatten().unwrap_or(0);
        Some(Self(first, next(), next()))
    }
}

impl fmt::Display for Release {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(major, minor, patch) = self;
        f.pad(&format!("{major}.{minor}.{patch}"))
    }
}

/// Something that only newer clients can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Ability {
    /// Asks the CA when to renew (RFC 9773), and so learns of revocations in time.
    Ari,
    /// Orders a certificate for an IP address.
    IpAddress,
    /// Renews by a fraction of the lifetime, not at a fixed number of days.
    Lifetime,
    /// Orders one of the CA's profiles: `shortlived`, `tlsserver`.
    Profile,
    /// Changes how a certificate is renewed, with a dry run as proof (`certbot reconfigure`).
    Reconfigure,
}

/// Since when each client can: the client, what, the first release, and where that is written.
const SINCE: &[(&str, Ability, Release, &str)] = &[
    ("acme-sh", Ability::Ari, Release(3, 1, 3), "acme.sh, tag 3.1.3, _get_ARI"),
    ("acme-sh", Ability::Profile, Release(3, 1, 2), "acme.sh, tag 3.1.2, --cert-profile"),
    ("certbot", Ability::Ari, Release(4, 1, 0), "certbot/CHANGELOG.md, 4.1.0"),
    ("certbot", Ability::IpAddress, Release(5, 3, 0), "certbot/CHANGELOG.md, 5.3.0"),
    ("certbot", Ability::Lifetime, Release(4, 0, 0), "certbot/CHANGELOG.md, 4.0.0"),
    ("certbot", Ability::Profile, Release(4, 0, 0), "certbot/CHANGELOG.md, 4.0.0"),
    ("certbot", Ability::Reconfigure, Release(2, 3, 0), "certbot/CHANGELOG.md, 2.3.0"),
    // Before 4.20.2 only with `--ari-enable`.
    ("lego", Ability::Ari, Release(4, 20, 2), "lego/CHANGELOG.md, v4.20.2"),
    ("lego", Ability::Profile, Release(4, 22, 0), "lego/CHANGELOG.md, v4.22.0"),
];

impl Ability {
    /// The first release of that client, named as its source is, that can; `None` if none is
    /// known.
    pub fn since(self, client: &str) -> Option<Release> {
        SINCE.iter().find(|it| (it.0, it.1) == (client, self)).map(|it| it.2)
    }
}

impl Automation {
    /// The client's version, to compare.
    pub fn release(&self) -> Option<Release> {
        Release::parse(self.version.as_ref()?.as_str())
    }

    /// Whether the client can; `None` if that is not known of it or of its version.
    pub fn can(&self, ability: Ability) -> Option<bool> {
        Some(self.release()? >= ability.since(self.source)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::{Schedule, Scheduler};
    use crate::text::SafeText;

    #[test]
    fn versions_are_compared_as_numbers() {
        let read = |text| Release::parse(text).map(|it| it.to_string()).unwrap_or_default();
        assert_eq!(read("2.1.0"), "2.1.0");
        assert_eq!(read("v4.9"), "4.9.0");
        assert_eq!(read("5.1.0.dev0"), "5.1.0");
        assert_eq!(read("3.1.3-rc1"), "3.1.3");
        assert_eq!((read("dev"), read(""), read("99999999999.1")), Default::default());
        assert!(Release::parse("2.11.0") > Release::parse("2.9.1"));
    }

    #[test]
    fn every_client_is_a_source() {
        for (client, ..) in SINCE {
            assert!(crate::source::ALL.iter().any(|it| it.name == *client), "{client}");
        }
    }

    #[test]
    fn a_client_can_since_a_release() {
        let client = |source, version: Option<&str>| Automation {
            source,
            version: version.map(SafeText::new),
            is_installed: true,
            program: None,
            schedule: Schedule { scheduler: Scheduler::Unknown, triggers: vec![] },
            hooks: vec![],
            lock: None,
            last_run: None,
            unproven: Vec::new(),
        };
        let can = |source, version, ability| client(source, version).can(ability);
        assert_eq!(can("certbot", Some("2.1.0"), Ability::Ari), Some(false));
        assert_eq!(can("certbot", Some("4.1.0"), Ability::Ari), Some(true));
        assert_eq!(can("certbot", Some("2.1.0"), Ability::Reconfigure), Some(false));
        assert_eq!(can("certbot", None, Ability::Ari), None);
        assert_eq!(can("certbot", Some("dev"), Ability::Ari), None);
        assert_eq!(can("dehydrated", Some("0.7.0"), Ability::Ari), None);
    }
}
