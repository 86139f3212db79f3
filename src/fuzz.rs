//! Every parser of foreign bytes, by name: one list for the fuzzer in `tests/fuzz/` and for the
//! test that replays its seeds. None of them may panic, hang or grow without bound.

/// A parser, with whatever it gives dropped.
pub type Parser = fn(&[u8]);

/// All of them, room by room. The name is that of the folder with its seeds.
pub fn all() -> Vec<(&'static str, Parser)> {
    // A room with parsers has a `PARSERS` of its own, and a line here.
    [crate::source::PARSERS.as_slice()].concat()
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
