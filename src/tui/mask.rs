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
        todo!("{text}")
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
