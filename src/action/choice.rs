//! What can be chosen about an action: options on the command line, a form in the console.

use std::collections::BTreeMap;

use super::{Kind, OVER_BUDGET, Refusal, Target, Why};

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

impl Choice {
    /// Whether it is only offered where something is refused without it.
    pub fn is_override(&self) -> bool {
        self.name == OVER_BUDGET
    }
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

    /// What was chosen once, as far as the action still knows such choices.
    pub fn recalled<'v>(kind: &Kind, value_of: impl Fn(&str) -> Option<&'v str>) -> Self {
        let known = kind.choices.iter().filter_map(|it| Some((it.name, value_of(it.name)?)));
        Self(known.map(|(name, value)| (name, value.to_owned())).collect())
    }

    /// The value that was chosen.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// Everything that was chosen: names and values.
    pub fn all(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.0.iter().map(|(name, value)| (*name, value.as_str()))
    }

    /// Refuses if something must be chosen and is not, or cannot be chosen here.
    pub(super) fn check(&self, kind: &Kind) -> Result<(), Refusal> {
        let is_known = |name: &str| kind.choices.iter().any(|it| it.name == name);
        if let Some(name) = self.0.keys().find(|it| !is_known(it)) {
            let text = format!("{} knows no choice `{name}`", kind.name);
            let names: Vec<_> = kind.choices.iter().map(|it| it.name).collect();
            let refusal = Refusal::new(Why::BadRequest, text);
            return Err(match names.as_slice() {
                [] => refusal.hint("there is nothing to choose about it"),
                names => refusal.hint(format!("there are: {}", names.join(", "))),
            });
        }
        let is_missing = |it: &&Choice| it.is_required && self.get(it.name).is_none();
        match kind.choices.iter().find(is_missing) {
            None => Ok(()),
            Some(Choice { name, value, about, .. }) => {
                let text = format!("{} needs --{name}: {about}", kind.name);
                Err(Refusal::new(Why::BadRequest, text).hint(format!("--{name} {value}")))
            }
        }
    }
}

impl Offer {
    pub(super) fn new(value: impl Into<String>, about: impl Into<String>) -> Self {
        Self { value: value.into(), about: about.into() }
    }
}
