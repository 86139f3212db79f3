//! Names that are hidden while a screen is shared: `host-7` and `name-3` instead, the same for
//! the same name as long as the program runs.

use std::borrow::Cow;
use std::collections::HashMap;

use crate::fleet::{Fleet, HostName};

/// The pseudonyms given so far.
#[derive(Debug, Clone, Default)]
pub struct Mask {
    known: HashMap<String, String>,
    hosts: usize,
    names: usize,
}

impl Mask {
    /// Gives a pseudonym to every host and name of the fleet that has none yet, in order.
    pub fn learn(&mut self, fleet: &Fleet) {
        for host in fleet.hosts() {
            self.learn_host(host.name.as_str(), &host.address);
        }
        for (_, place) in fleet.places() {
            self.learn_name(place.name.as_str());
            for name in place.leaf().into_iter().flat_map(|it| &it.names) {
                self.learn_name(name.as_str());
            }
        }
    }

    /// What to show for a host.
    pub fn host<'a>(&'a self, name: &'a HostName) -> Cow<'a, str> {
        self.text(name.as_str())
    }

    /// The text with every known name in it replaced.
    pub fn text<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let mut shown = String::new();
        let mut rest = text;
        while let Some(at) = rest.find(is_of_name) {
            let (between, from) = rest.split_at(at);
            let end = from.find(|it| !is_of_name(it)).unwrap_or(from.len());
            let (word, after) = from.split_at(end);
            shown.push_str(between);
            self.push_word(&mut shown, word);
            rest = after;
        }
        shown.push_str(rest);
        if shown == text { Cow::Borrowed(text) } else { Cow::Owned(shown) }
    }

    /// Replaces the longest known names within a word, as in `privkey-api.example.net.pem`.
    fn push_word(&self, shown: &mut String, word: &str) {
        let mut rest = word;
        while !rest.is_empty() {
            let known = ends(rest).find_map(|end| {
                let (name, after) = rest.split_at(end);
                if is_address(name) {
                    return Some(("address", after));
                }
                if is_digest(name) {
                    return Some(("hidden", after));
                }
                Some((self.known.get(name)?.as_str(), after))
            });
            let (text, after) = known.unwrap_or_else(|| {
                let part = ends(rest).last().unwrap_or(rest.len());
                let (part, after) = rest.split_at(part);
                let sign = after.chars().next().map_or(0, char::len_utf8);
                let (part, after) = rest.split_at(part.len() + sign);
                (part, after)
            });
            shown.push_str(text);
            rest = after;
        }
    }

    fn learn_host(&mut self, name: &str, address: &str) {
        if self.known.contains_key(name) {
            return;
        }
        self.hosts += 1;
        let pseudonym = format!("host-{}", self.hosts);
        self.known.insert(name.to_owned(), pseudonym.clone());
        self.known.entry(address.to_owned()).or_insert(pseudonym);
    }

    fn learn_name(&mut self, name: &str) {
        if !self.known.contains_key(name) {
            self.names += 1;
            self.known.insert(name.to_owned(), format!("name-{}", self.names));
        }
    }
}

/// Whether a character can be part of a host's or certificate's name.
fn is_of_name(c: char) -> bool {
    c.is_alphanumeric() || SIGNS.contains(&c)
}

const SIGNS: [char; 5] = ['.', '-', '_', '*', ':'];

/// Where a name that begins here may end: before each sign and at the end, the farthest first.
fn ends(word: &str) -> impl Iterator<Item = usize> {
    let signs = word.char_indices().rev().filter(|(_, it)| SIGNS.contains(it));
    std::iter::once(word.len()).chain(signs.map(|(at, _)| at))
}

fn is_address(word: &str) -> bool {
    word.parse::<std::net::IpAddr>().is_ok()
}

/// A serial number or a fingerprint: the public logs of certificates (RFC 9162) lead from there
/// to the names.
fn is_digest(word: &str) -> bool {
    word.len() >= 16 && word.bytes().all(|it| it.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::{Host, Place};
    use crate::text::SafeText;

    fn mask() -> Mask {
        let mut host = Host::new(HostName::new("edge-fra-2"), "edge-fra-2.example.net", &[]);
        host.places.push(Place::new("certbot", SafeText::new("api.example.net")));
        host.places.push(Place::new("certbot", SafeText::new("*.example.net")));
        let other = Host::new(HostName::new("edge-fra-20"), "2001:db8::7", &[]);
        let mut mask = Mask::default();
        mask.learn(&Fleet::new([host, other]));
        mask
    }

    #[track_caller]
    fn check(text: &str, expect: &str) {
        assert_eq!(mask().text(text), expect);
    }

    #[test]
    fn names_are_replaced_wherever_they_stand() {
        check("edge-fra-2", "host-1");
        check("edge-fra-2: timed out", "host-1: timed out");
        check("root@edge-fra-2.example.net:22", "root@host-1:22");
        check("live/api.example.net/fullchain.pem", "live/name-1/fullchain.pem");
        check("CN=api.example.net,O=x", "CN=name-1,O=x");
        check("privkey-api.example.net.pem", "privkey-name-1.pem");
        check("*.example.net and edge-fra-20", "name-2 and host-2");
    }

    #[test]
    fn addresses_are_hidden_and_other_words_stay() {
        check("connect to 192.0.2.7 port 22", "connect to address port 22");
        check("connect to 2001:db8::9", "connect to address");
        check(
            "edge-fra-21 reload.service at 03:12:44Z – ok",
            "edge-fra-21 reload.service at 03:12:44Z – ok",
        );
        check("04ae3d0acf9eca90335b1ea8e3b806dba20d", "hidden");
        check("...", "...");
        check("", "");
    }

    #[test]
    fn a_pseudonym_stays_when_others_come() {
        let mut mask = mask();
        mask.learn(&Fleet::new([Host::new(HostName::new("a"), "a", &[])]));
        assert_eq!(mask.text("a edge-fra-2"), "host-3 host-1");
    }
}
