//! Names as a CA counts them: exact sets, and the registered domains that they lie under.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

/// A set of names that a certificate is for, however it was written: lower case, each once, in
/// order.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct NameSet(Arc<[String]>);

impl NameSet {
    /// The set of these names.
    pub fn new<S: AsRef<str>>(names: impl IntoIterator<Item = S>) -> Self {
        let mut names: Vec<_> = names.into_iter().map(|it| normal(it.as_ref())).collect();
        names.retain(|it| !it.is_empty());
        names.sort();
        names.dedup();
        Self(names.into())
    }

    /// The names, in order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether exactly that name is in it; a wildcard is a name of its own.
    pub fn has(&self, name: &str) -> bool {
        self.0.iter().any(|it| it == name)
    }

    /// The registered domains of its names, each once.
    pub fn domains(&self) -> Vec<String> {
        let mut domains: Vec<_> = self.iter().map(registered_domain).collect();
        domains.sort();
        domains.dedup();
        domains
    }
}

impl fmt::Display for NameSet {
    /// With commas between them, the first ones of many.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let few: Vec<_> = self.iter().take(FEW).collect();
        f.write_str(&few.join(", "))?;
        match self.len().saturating_sub(few.len()) {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}

/// So many names are told.
const FEW: usize = 4;

/// A name as CAs compare it: lower case, in its ASCII form, without the dot of the root; an
/// address as it is usually written.
pub fn normal(name: &str) -> String {
    let name = name.trim().trim_end_matches('.');
    if let Ok(address) = name.trim_matches(['[', ']']).parse::<IpAddr>() {
        return address.to_string();
    }
    let lower = name.to_lowercase();
    if lower.is_ascii() {
        return lower;
    }
    let (wild, base) = lower.strip_prefix("*.").map_or(("", lower.as_str()), |it| ("*.", it));
    // What is no name stays as it was typed, and is found nowhere.
    idna::domain_to_ascii(base).map_or_else(|_| lower.clone(), |it| format!("{wild}{it}"))
}

/// The domain under which a CA counts a name: one label more than its public suffix, private
/// suffixes as `github.io` among them; the suffix itself where there is none; of addresses the
/// address, or the first half of one of version 6 (boulder, ratelimits/utilities.go,
/// `coveringIdentifier`). A wildcard counts as what it stands under.
pub fn registered_domain(name: &str) -> String {
    match name.parse::<IpAddr>() {
        Ok(IpAddr::V4(it)) => format!("{it}/32"),
        Ok(IpAddr::V6(it)) => {
            let half = u128::from(it) >> 64 << 64;
            format!("{}/64", std::net::Ipv6Addr::from(half))
        }
        Err(_) => psl::domain_str(name).unwrap_or(name).to_owned(),
    }
}

/// The name that is verified for a name: of a wildcard the one below which it stands.
pub(super) fn verified(name: &str) -> &str {
    name.strip_prefix("*.").unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn domains_are_those_of_the_public_suffix_list() {
        for (name, domain) in [
            ("www.example.com", "example.com"),
            ("example.com", "example.com"),
            ("*.example.com", "example.com"),
            ("*.a.b.example.com", "example.com"),
            ("www.shop.example.co.uk", "example.co.uk"),
            ("example.co.uk", "example.co.uk"),
            ("co.uk", "co.uk"),
            ("com", "com"),
            // Private suffixes count: each customer has a domain of its own.
            ("www.alice.github.io", "alice.github.io"),
            ("bob.github.io", "bob.github.io"),
            ("github.io", "github.io"),
            ("app.eu-west-1.elasticbeanstalk.com", "app.eu-west-1.elasticbeanstalk.com"),
            // `*.ck`, and the exception `!www.ck`.
            ("a.b.anything.ck", "b.anything.ck"),
            ("x.www.ck", "www.ck"),
            ("www.city.kawasaki.jp", "city.kawasaki.jp"),
            ("a.xn--85x722f.xn--55qx5d.cn", "xn--85x722f.xn--55qx5d.cn"),
            // No list has it: the last label is the suffix.
            ("web-01.lab.test", "lab.test"),
            ("localhost", "localhost"),
            ("192.0.2.7", "192.0.2.7/32"),
            ("2001:db8:1:2:3::4", "2001:db8:1:2::/64"),
        ] {
            assert_eq!(registered_domain(name), domain, "{name}");
        }
    }

    #[test]
    fn sets_are_the_same_however_they_are_written() {
        let set = NameSet::new(["WWW.Example.com", "example.com.", " example.com"]);
        assert_eq!(set, NameSet::new(["example.com", "www.example.com"]));
        assert_eq!(set.to_string(), "example.com, www.example.com");
        assert_ne!(set, NameSet::new(["*.example.com", "example.com"]));
        let idn = NameSet::new(["Bücher.example", "*.bücher.example"]);
        assert_eq!(idn, NameSet::new(["xn--bcher-kva.example", "*.xn--bcher-kva.example"]));
        let addresses = NameSet::new(["2001:DB8::0:1", "[2001:db8::1]"]);
        assert_eq!(addresses.iter().collect::<Vec<_>>(), ["2001:db8::1"]);
        assert!(NameSet::new(["", " . "]).is_empty());
        let many = NameSet::new((0..9).map(|it| format!("n{it}.example.com")));
        assert!(many.to_string().ends_with("n3.example.com and 5 more"), "{many}");
        assert_eq!(many.domains(), ["example.com"]);
    }
}
