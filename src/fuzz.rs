//! Every parser of foreign bytes, by name: one list for the fuzzer in `tests/fuzz/` and for the
//! test that replays its seeds. None of them may panic, hang or grow without bound.

use crate::filter::Filter;
use crate::inventory;

/// A parser, with whatever it gives dropped.
pub type Parser = fn(&[u8]);

/// All of them, room by room. The name is that of the folder with its seeds.
pub fn all() -> Vec<(&'static str, Parser)> {
    // A room whose parsers are its own affair has a `PARSERS`; public ones stand here.
    [crate::source::PARSERS.as_slice(), &PUBLIC].concat()
}

const PUBLIC: [(&str, Parser); 4] = [
    ("ansible", |bytes| import("ansible", bytes)),
    ("filter", |bytes| drop(Filter::parse(&String::from_utf8_lossy(bytes)))),
    ("inventory", |bytes| drop(inventory::read(&String::from_utf8_lossy(bytes)))),
    ("ssh-config", |bytes| import("ssh-config", bytes)),
];

/// What is imported must be an inventory again.
fn import(format: &str, bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    for kind in inventory::import::ALL.iter().filter(|it| it.name == format) {
        let (_, complaints) = inventory::read(&inventory::import::write(&(kind.read)(&text)));
        assert!(complaints.is_empty(), "{complaints:?}");
    }
}

/// Runs the parser of that name.
pub fn run(name: &str, bytes: &[u8]) {
    let parsers = all();
    let parser = parsers.iter().find(|it| it.0 == name);
    parser.map_or_else(|| panic_unknown(name), |it| it.1)(bytes);
}

#[expect(clippy::panic, reason = "a target without a parser is a mistake in tests/fuzz")]
fn panic_unknown(name: &str) -> Parser {
    panic!("no parser `{name}`")
}
