//! The one script of a visit, and the frames in which a host answers it.
//!
//! The script goes to `/bin/sh` on stdin, so no login shell ever sees its text. Whatever comes
//! from the inventory is single-quoted, the one form in which POSIX shells take every byte but
//! NUL as it is. The answer is lines that begin with a nonce, which no file on the host can
//! know, and the bytes between them:
//!
//! ```text
//! <nonce> open
//! <nonce> clock 1795403564
//! <nonce> section
//! <nonce> frame KEY…        the bytes of this frame, up to the line break before the next line
//! <nonce> done
//! ```

use std::fmt::{self, Write as _};

use crate::fleet::Moment;

/// A word that no file on a host can know: made anew for every visit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Nonce(String);

impl Nonce {
    /// Takes 16 random bytes.
    pub fn new(random: [u8; 16]) -> Self {
        let mut word = String::from("certdeck-");
        for byte in random {
            let _ = write!(word, "{byte:02x}");
        }
        Self(word)
    }

    /// The word.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A script that is being written.
#[derive(Debug)]
pub struct Script {
    text: String,
}

impl Script {
    /// Begins a script: the prelude defines `frame` and `slurp` for the fragments.
    pub fn new(nonce: &Nonce) -> Self {
        // The last line of the script is the only one that may end it, so that a script cut
        // short by the connection runs to no end and prints no `done`.
        let text = format!("N={}\n{PRELUDE}", nonce.as_str());
        Self { text }
    }

    /// Begins the fragment of the next source.
    pub fn begin_section(&mut self) {
        self.text.push_str("mark section\n");
    }

    /// Adds shell text, one or more whole lines; values go through [`quote`].
    pub fn push(&mut self, shell: &str) {
        self.text.push_str(shell);
        if !shell.ends_with('\n') {
            self.text.push('\n');
        }
    }

    /// Ends the script.
    pub fn finish(mut self) -> String {
        self.text.push_str("mark done\nexit 0\n");
        self.text
    }
}

/// The shell word that stands for exactly this text.
pub fn quote(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

/// What every fragment may use:
///
/// - `mark WORD…` prints a line of the protocol;
/// - `frame KEY…` begins a frame, whose bytes are whatever is printed next;
/// - `slurp CAP KEY FILE` frames the first CAP bytes of a file that is a regular file when it is
///   looked at, and again once it is open; else it frames why not: `state KEY missing|link|…`.
const PRELUDE: &str = r#"LC_ALL=C PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin
export LC_ALL PATH
mark() { printf '\n%s %s\n' "$N" "$*"; }
frame() { mark frame "$@"; }
state() { k=$1; f=$2
if [ -d "$f" ]; then s=folder
elif [ -f "$f" ]; then if [ -r "$f" ]; then s=file; else s=unreadable; fi
elif [ -e "$f" ]; then s=special
elif [ -L "$f" ]; then s=broken
else s=missing; fi
[ "$s" = file ] || { frame state "$k"; printf '%s' "$s"; return 1; }; }
slurp() { state "$2" "$3" || return 0
{ [ -f /dev/fd/3 ] || [ ! -e /dev/fd/3 ] || return 0
frame "$2"; head -c "$1" <&3; } 3<"$3"; }
mark open
mark clock "$(date +%s)"
"#;

/// A whole answer, cut into the sections of its sources.
#[derive(Debug)]
pub struct Answer<'a> {
    /// The host's clock when it began.
    pub clock: Option<Moment>,
    /// What each source's fragment printed, in order.
    pub sections: Vec<Section<'a>>,
}

/// What one fragment printed.
#[derive(Debug, Default)]
pub struct Section<'a> {
    /// Its frames, in order.
    pub frames: Vec<Frame<'a>>,
}

/// Some bytes with a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame<'a> {
    /// The key: as the fragment wrote it, lossy bytes included.
    pub key: &'a [u8],
    /// The bytes.
    pub body: &'a [u8],
}

/// Why an answer cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Incomplete {
    /// Nothing of the protocol came: there is no POSIX shell at the other end.
    NeverOpened,
    /// It began and did not end.
    CutShort,
}

impl fmt::Display for Incomplete {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NeverOpened => "no answer from a POSIX shell",
            Self::CutShort => "the answer was cut short",
        })
    }
}

impl<'a> Answer<'a> {
    /// Reads an answer; what a login shell printed before its beginning is skipped.
    pub fn read(bytes: &'a [u8], nonce: &Nonce) -> Result<Self, Incomplete> {
        let mut answer = Self { clock: None, sections: Vec::new() };
        let (mut opened, mut done) = (false, false);
        for (line, body) in Marks::new(bytes, nonce.as_str().as_bytes()) {
            let (word, rest) = split_word(line);
            match word {
                b"open" => opened = true,
                b"clock" => {
                    let seconds =
                        std::str::from_utf8(rest).ok().and_then(|it| it.trim().parse().ok());
                    answer.clock = seconds.map(Moment::from_unix);
                }
                b"section" => answer.sections.push(Section::default()),
                b"frame" => {
                    if let Some(section) = answer.sections.last_mut() {
                        section.frames.push(Frame { key: rest, body });
                    }
                }
                b"done" => done = true,
                _ => {}
            }
        }
        match (opened, done) {
            (_, true) => Ok(answer),
            (true, false) => Err(Incomplete::CutShort),
            (false, false) => Err(Incomplete::NeverOpened),
        }
    }
}

impl<'a> Section<'a> {
    /// The frames whose key begins with that word, with the rest of the key.
    pub fn with<'s>(&'s self, word: &'s str) -> impl Iterator<Item = Frame<'a>> + 's {
        self.frames.iter().filter_map(move |frame| {
            let (first, rest) = split_word(frame.key);
            (first == word.as_bytes()).then_some(Frame { key: rest, body: frame.body })
        })
    }

    /// The bytes of the first frame with exactly that key.
    pub fn body(&self, key: &str) -> Option<&'a [u8]> {
        self.frames.iter().find(|it| it.key == key.as_bytes()).map(|it| it.body)
    }
}

/// The lines of the protocol in an answer, each with the bytes up to the next.
struct Marks<'a, 'n> {
    rest: Option<&'a [u8]>,
    nonce: &'n [u8],
}

impl<'a, 'n> Marks<'a, 'n> {
    fn new(bytes: &'a [u8], nonce: &'n [u8]) -> Self {
        let rest = find_mark(bytes, nonce).and_then(|at| bytes.get(at..));
        Self { rest, nonce }
    }
}

impl<'a> Iterator for Marks<'a, '_> {
    type Item = (&'a [u8], &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let text = self.rest.take()?.get(self.nonce.len() + 1..)?;
        let end = text.iter().position(|it| *it == b'\n')?;
        let (line, after) = text.split_at_checked(end)?;
        let after = after.get(1..)?;
        let body = match find_mark(after, self.nonce) {
            Some(at) => {
                self.rest = after.get(at..);
                // The line break before a mark belongs to the mark.
                after.get(..at.saturating_sub(1))?
            }
            None => after,
        };
        Some((line, body))
    }
}

/// Where the next line that begins with the nonce and a space begins.
fn find_mark(bytes: &[u8], nonce: &[u8]) -> Option<usize> {
    let mut from = 0;
    while let Some(rest) = bytes.get(from..) {
        let line_start = from == 0 || bytes.get(from - 1) == Some(&b'\n');
        if line_start && rest.starts_with(nonce) && rest.get(nonce.len()) == Some(&b' ') {
            return Some(from);
        }
        from += rest.iter().position(|it| *it == b'\n')? + 1;
    }
    None
}

fn split_word(line: &[u8]) -> (&[u8], &[u8]) {
    match line.iter().position(|it| *it == b' ') {
        Some(at) => (line.get(..at).unwrap_or_default(), line.get(at + 1..).unwrap_or_default()),
        None => (line, &[]),
    }
}
