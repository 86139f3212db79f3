//! What can be chosen about an action: options on the command line, a form in the console.

use std::collections::BTreeMap;

use super::{Kind, Refusal, Target};

/// One thing that can be chosen.
#[derive(Debug)]
pub struct Choice {
    /// Its name: `--name` on the command line.
    pub name: &'static str,
    /// What stands for its value in help.
    pub value: &'static str,
    /// One line for people.
    pub about: &'static str,
    /// Whether it must be chosen.
    pub is_required: bool,
    /// What can be chosen at this target, best first; empty where anything can be typed.
    pub offers: fn(&Target<'_>) -> Vec<Offer>,
}

/// A value that can be chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// The value.
    pub value: String,
    /// What it means, in a line.
    pub about: String,
}

/// What was chosen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Chosen(BTreeMap<&'static str, String>);

impl Chosen {
    /// Chooses a value, or takes the choice back with an empty one.
    pub fn set(&mut self, name: &'static str, value: impl Into<String>) {
        let value = value.into();
        if value.is_empty() {
            self.0.remove(name);
        } else {
            self.0.insert(name, value);
        }
    }

    /// The value that was chosen.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// Refuses if something must be chosen and is not.
    pub(super) fn check(&self, kind: &Kind) -> Result<(), Refusal> {
        let _ = kind;
        todo!()
    }
}
