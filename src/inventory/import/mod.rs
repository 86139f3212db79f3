//! Host lists of other programs, made into an inventory. Text in, text out.
//!
//! # Adding a format
//! 1. A file here with `KIND` and its `read`, with tests.
//! 2. Two lines below: `mod` and the entry in [`ALL`].

mod ansible;
mod ansible_ini;
mod ssh_config;
mod write;

use std::collections::BTreeSet;
use std::fmt;

use super::grammar::{Grammar as _, HostText};
use super::{Become, Connection};
use crate::text::SafeText;

pub use write::write;

/// Every format, by name.
pub static ALL: &[Kind] = &[ansible::KIND, ssh_config::KIND];

/// What the rest of the program knows about a format.
#[derive(Debug)]
pub struct Kind {
    /// Its name on the command line.
    pub name: &'static str,
    /// One line for people.
    pub about: &'static str,
    /// Reads the text of a file.
    pub read: fn(&str) -> Imported,
}

/// What was found in a file.
#[derive(Debug, Default)]
pub struct Imported {
    /// Hosts, in the order of the file where it has one; every name once, and as an inventory
    /// takes it.
    pub hosts: Vec<ImportedHost>,
    /// What was left out.
    pub skipped: Vec<Skipped>,
}

/// A host as another program knows it; every value is as an inventory takes it.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct ImportedHost {
    /// Its name.
    pub name: String,
    /// How it is reached.
    pub connection: Connection,
    /// What ssh is given, if not the name.
    pub address: Option<String>,
    /// The port.
    pub port: Option<u16>,
    /// The user.
    pub user: Option<String>,
    /// The key file.
    pub identity_file: Option<String>,
    /// How commands become root.
    pub r#become: Option<Become>,
    /// Its groups.
    pub groups: Vec<String>,
}

/// Something that was left out, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    /// The line, where the format has lines that mean something.
    pub line: Option<usize>,
    /// What and why, on one line.
    pub text: SafeText,
}

impl Imported {
    fn skip(&mut self, line: Option<usize>, text: &str) {
        self.skipped.push(Skipped { line, text: SafeText::new(text) });
    }
}

impl fmt::Display for Skipped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(line) = self.line {
            write!(f, "line {line}: ")?;
        }
        write!(f, "{}", self.text)
    }
}

/// The most hosts that are taken from one file: ten times as many as one console looks at, and
/// a range such as `web[1:999999999]` has no other end.
const MAX_HOSTS: usize = 10_000;

/// Names as an inventory takes them, each given out once.
#[derive(Debug, Default)]
struct Names(BTreeSet<String>);

impl Names {
    /// The name itself if it can be used, else the nearest that can.
    fn near(&mut self, name: &str) -> String {
        let allowed = |c: char| if HostText::fault(&format!("x{c}")).is_none() { c } else { '-' };
        let mut near: String = name.chars().map(allowed).take(MAX_NAME).collect();
        near = near.trim_start_matches('-').to_owned();
        if near.is_empty() {
            near.push_str("host");
        }
        let mut free = near.clone();
        let mut number = 2;
        while !self.0.insert(free.clone()) {
            free = format!("{near}-{number}");
            number += 1;
        }
        free
    }
}

/// Leaves room for a number within the 253 characters of a name.
const MAX_NAME: usize = 240;
