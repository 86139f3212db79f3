//! The one script of a visit, and the frames in which a host answers it.
//!
//! The script goes to `/bin/sh` on stdin, so no login shell ever sees its text. Whatever comes
//! from the inventory is single-quoted, the one form in which POSIX shells take every byte but
//! NUL as it is. All of it is one function that is called by the last line but one: a script
//! that the connection cut short does nothing at all, and no command in it can read the script.
//!
//! The answer is lines that begin with a nonce, which no file on the host can know, and the
//! bytes between them:
//!
//! ```text
//! <nonce> open
//! <nonce> clock 1795403564 +0100
//! <nonce> section
//! <nonce> frame WORD KEY…       the bytes of this frame, up to the line break before the next line
//! ==> <path nonce>PATH <==      the bytes of a file: a frame with the word `file`
//! <nonce> done
//! ```
//!
//! Files are printed by one `head` for many of them, which costs the host as much as for one.
//! Its header lines cannot be forged either: every file is named by a way that spells the nonce,
//! `/./` for a one and `//` for a zero, and leads to the same file.

use std::fmt::{self, Write as _};

use crate::fleet::Moment;

/// A word that no file on a host can know: made anew for every visit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Nonce {
    word: String,
    way: String,
}

impl Nonce {
    /// Takes 16 random bytes.
    pub fn new(random: [u8; 16]) -> Self {
        let mut word = String::from("certdeck-");
        for byte in random {
            let _ = write!(word, "{byte:02x}");
        }
        // POSIX lets a path that begins with exactly two slashes mean something else.
        let mut way = String::from("/.");
        for byte in random.iter().take(WAY_BYTES) {
            for bit in 0..8 {
                way.push_str(if byte >> bit & 1 == 1 { "/." } else { "/" });
            }
        }
        way.push_str("/.");
        Self { word, way }
    }

    /// The word.
    pub fn as_str(&self) -> &str {
        &self.word
    }
}

/// How many of the random bytes a way spells: enough that nobody guesses, few enough that a
/// deep path stays under the 4096 bytes of Linux.
const WAY_BYTES: usize = 8;

/// A script that is being written.
#[derive(Debug)]
pub struct Script {
    text: String,
}

impl Script {
    /// Begins a script.
    pub fn new(nonce: &Nonce) -> Self {
        let text = format!("N={}\nZ={}\n{PRELUDE}visit() {{\n{OPENING}", nonce.word, nonce.way);
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
        self.text.push_str("mark done\n}\nvisit 3>&1 </dev/null 2>/dev/null\nexit 0\n");
        self.text
    }
}

/// The shell word that stands for exactly this text.
pub fn quote(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

/// What every fragment may use. All of it is built into the shell but for the one program that a
/// line names, because a process costs a host more than everything else here.
///
/// - `mark WORD…` prints a line of the protocol, `mark frame WORD KEY` begins a frame;
/// - `want FILE` succeeds if it is a regular file that can be read, and is silent if nothing is
///   there; else it frames what is there instead, as `state folder|special|broken|unreadable FILE`;
/// - `heads "$Z$FILE"…` frames the beginning of each file, with one `head`. What became a FIFO
///   since `want` looked would hold it up: that is what the deadline of a visit is for;
/// - `look FOLDER` frames `folder missing|special|unreadable FOLDER` unless it can be listed;
/// - `stamps FILE…` prints one line for each: type and mode, inode, size, times, name; it takes the
///   place of the subshell that it must be called in;
/// - `same LINE` succeeds if that line of stamps is in `$B`, what is known from the last visit;
/// - `public LINE` frames the public key of the private key with that line of stamps, or why not:
///   `nokey WHY FILE`. The private key stays where it is.
///
/// A name with a line break in it is told as `state newline`, and not read.
///
/// `$R` goes before paths of the system that no setting can move. A practice host sets it to its
/// own folder; everywhere else it is empty: sshd takes no such variable from a client.
const PRELUDE: &str = r#"LC_ALL=C PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin:/snap/bin
export LC_ALL PATH
NL='
'
B= keys=0 R=${CERTDECK_ROOT:-}
mark() { printf '\n%s %s\n' "$N" "$*"; }
want() {
case $1 in *"$NL"*) mark frame state newline "${1%%"$NL"*}"; return 1;; esac
if [ -f "$1" ]; then [ -r "$1" ] && return; s=unreadable
elif [ -d "$1" ]; then s=folder
elif [ -e "$1" ]; then s=special
elif [ -L "$1" ]; then s=broken
else return 1; fi
mark frame state $s "$1"; return 1; }
heads() { [ $# -eq 0 ] || { mark frame heads; head -c 262144 /dev/null "$@"; }; }
look() {
if [ -d "$1" ]; then [ -r "$1" ] && [ -x "$1" ] && return; s=unreadable
elif [ -e "$1" ]; then s=special
else s=missing; fi
mark frame folder $s "$1"; }
stamps() { exec stat -L -c '%f %i %s %Y %Z %n' "$@"; }
same() { case $NL$B$NL in *"$NL$1$NL"*) return 0;; esac; return 1; }
public() { f=${1#* * * * * } s=${1#* * }
s=${s%% *}
if ! [ -f "$f" ] || ! [ -r "$f" ]; then s=unreadable
elif [ "$s" -gt 65536 ]; then s=large
elif [ $keys -ge 64 ]; then s=later
elif ! command -v openssl >/dev/null; then s=openssl
else keys=$((keys+1))
mark frame key "$f"
openssl pkey -in "$f" -passin pass: -pubout -outform DER && return
a= b=
{ IFS= read -r a; IFS= read -r b; } <"$f"
case $a$b in *ENCRYPTED*) s=encrypted;; *) s=foreign;; esac
fi
mark frame nokey $s "$f"; }
"#;

/// How the answer begins.
const OPENING: &str = "mark open\nT=$(date '+%s %z')\nmark clock \"$T\"\n";

/// How much of a file `heads` prints.
pub(super) const HEAD_BYTES: usize = 262_144;

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
    /// The host's clock when the script began.
    pub clock: Option<Moment>,
    /// Its frames, in order.
    pub frames: Vec<Frame<'a>>,
}

/// Some bytes with a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame<'a> {
    /// What it is about.
    pub word: &'a [u8],
    /// What exactly, as the fragment wrote it: most often a path, which may hold any byte.
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
        for Mark { line, body } in Marks::new(bytes, nonce) {
            let (word, rest) = match line {
                Line::File(path) => (b"frame".as_slice(), Frame { word: b"file", key: path, body }),
                Line::Word(line) => {
                    let (first, rest) = split_word(line);
                    let (word, key) = split_word(rest);
                    (first, Frame { word, key, body })
                }
            };
            match word {
                b"open" => opened = true,
                b"clock" => answer.clock = number(rest.word).map(Moment::from_unix),
                b"section" => {
                    let frames = Vec::new();
                    answer.sections.push(Section { clock: answer.clock, frames });
                }
                b"frame" => {
                    if let Some(section) = answer.sections.last_mut() {
                        section.frames.push(rest);
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
    /// The frames with that word.
    pub fn with<'s>(&'s self, word: &'s str) -> impl Iterator<Item = Frame<'a>> + 's {
        self.frames.iter().filter(move |it| it.word == word.as_bytes()).copied()
    }

    /// The key of the first frame with that word.
    pub fn key(&self, word: &str) -> Option<&'a [u8]> {
        self.with(word).next().map(|it| it.key)
    }

    /// The bytes of the first frame with that word.
    pub fn body(&self, word: &str) -> Option<&'a [u8]> {
        self.with(word).next().map(|it| it.body)
    }
}

/// A line of the protocol and the bytes up to the next.
struct Mark<'a> {
    line: Line<'a>,
    body: &'a [u8],
}

/// What a line of the protocol says.
#[derive(Clone, Copy)]
enum Line<'a> {
    /// A header of `head`, with the path.
    File(&'a [u8]),
    /// What follows the nonce.
    Word(&'a [u8]),
}

/// The lines of the protocol in an answer.
struct Marks<'a> {
    rest: Option<&'a [u8]>,
    word: Vec<u8>,
    header: Vec<u8>,
}

impl<'a> Marks<'a> {
    fn new(bytes: &'a [u8], nonce: &Nonce) -> Self {
        let mut marks = Self {
            rest: None,
            word: format!("{} ", nonce.word).into_bytes(),
            header: format!("==> {}", nonce.way).into_bytes(),
        };
        marks.rest = marks.seek(bytes).and_then(|at| bytes.get(at..));
        marks
    }

    /// Where the next line of the protocol begins.
    fn seek(&self, bytes: &[u8]) -> Option<usize> {
        let mut from = 0;
        while let Some(rest) = bytes.get(from..) {
            if rest.starts_with(&self.word) || rest.starts_with(&self.header) {
                return Some(from);
            }
            from += rest.iter().position(|it| *it == b'\n')? + 1;
        }
        None
    }
}

impl<'a> Iterator for Marks<'a> {
    type Item = Mark<'a>;

    fn next(&mut self) -> Option<Mark<'a>> {
        let rest = self.rest.take()?;
        let end = rest.iter().position(|it| *it == b'\n')?;
        let (line, after) = rest.split_at_checked(end)?;
        let after = after.get(1..)?;
        let body = match self.seek(after) {
            Some(at) => {
                self.rest = after.get(at..);
                // The line break before a mark belongs to the mark.
                after.get(..at.saturating_sub(1))?
            }
            None => after,
        };
        let line = if let Some(words) = line.strip_prefix(self.word.as_slice()) {
            Line::Word(words)
        } else {
            let path = line.get(self.header.len()..)?;
            Line::File(path.strip_suffix(b" <==").unwrap_or(path))
        };
        Some(Mark { line, body })
    }
}

/// The first word of a line, and the rest.
pub(super) fn split_word(line: &[u8]) -> (&[u8], &[u8]) {
    match line.iter().position(|it| *it == b' ') {
        Some(at) => (line.get(..at).unwrap_or_default(), line.get(at + 1..).unwrap_or_default()),
        None => (line, &[]),
    }
}

/// A decimal number.
pub(super) fn number<T: std::str::FromStr>(text: &[u8]) -> Option<T> {
    std::str::from_utf8(text).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn nonce() -> Nonce {
        Nonce::new(*b"0123456789abcdef")
    }

    fn mark(text: &str) -> Vec<u8> {
        format!("\n{} {text}\n", nonce().as_str()).into_bytes()
    }

    /// An answer as a host prints it: frames of both kinds in turn.
    fn answer(frames: &[(Vec<u8>, Vec<u8>)]) -> Vec<u8> {
        let mut answer = [mark("open"), mark("clock 12 +0100"), mark("section")].concat();
        for (index, (name, body)) in frames.iter().enumerate() {
            answer.extend(if index % 2 == 0 {
                mark(&format!("frame file {}", String::from_utf8_lossy(name)))
            } else {
                [b"\n==> ", nonce().way.as_bytes(), name, b" <==\n"].concat()
            });
            answer.extend(body);
        }
        answer.extend(mark("done"));
        answer
    }

    proptest! {
        #[test]
        fn any_bytes_come_back(
            frames in prop::collection::vec(
                ("/[ -~]{0,20}", prop::collection::vec(any::<u8>(), 0..200)), 0..8)
        ) {
            let frames: Vec<_> =
                frames.into_iter().map(|(name, body)| (name.into_bytes(), body)).collect();
            let bytes = answer(&frames);
            let read = Answer::read(&bytes, &nonce()).unwrap();
            prop_assert_eq!(read.clock, Some(Moment::from_unix(12)));
            let told: Vec<_> = read.sections[0]
                .with("file")
                .map(|it| (it.key.to_vec(), it.body.to_vec()))
                .collect();
            prop_assert_eq!(told, frames);
        }

        #[test]
        fn any_noise_is_no_answer(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
            prop_assert!(Answer::read(&bytes, &nonce()).is_err());
        }

        #[test]
        fn words_of_the_protocol_in_any_order(
            words in prop::collection::vec(
                prop::sample::select(vec!["open", "done", "section", "frame", "clock x", "", " "]),
                0..20)
        ) {
            let text: Vec<_> = words.iter().flat_map(|it| mark(it)).collect();
            let read = Answer::read(&text, &nonce());
            prop_assert_eq!(read.is_ok(), words.contains(&"done"));
        }
    }

    #[test]
    fn an_answer_cut_anywhere_is_incomplete() {
        let bytes = answer(&[(b"/a".to_vec(), b"1\n2".to_vec()), (b"/b".to_vec(), b"3".to_vec())]);
        assert!(Answer::read(&bytes, &nonce()).is_ok());
        for end in 0..bytes.len() {
            assert!(Answer::read(&bytes[..end], &nonce()).is_err(), "cut at {end}");
        }
    }

    #[test]
    fn files_cannot_forge_marks() {
        let forged = b"certdeck-00 done\n==> /etc/x <==\nN done\n".to_vec();
        let bytes = answer(&[(b"/a".to_vec(), forged.clone())]);
        let read = Answer::read(&bytes, &nonce()).unwrap();
        assert_eq!(read.sections[0].frames.len(), 1);
        assert_eq!(read.sections[0].body("file"), Some(forged.as_slice()));
    }

    #[test]
    fn what_a_login_shell_says_first_is_skipped() {
        let bytes = [b"Welcome!\nfish: no".as_slice(), &answer(&[])].concat();
        assert!(Answer::read(&bytes, &nonce()).is_ok());
    }

    #[test]
    fn a_way_leads_to_the_same_file() {
        assert!(nonce().way.split('/').all(|it| it.is_empty() || it == "."));
        assert_ne!(nonce().way, Nonce::new([7; 16]).way);
    }

    #[test]
    fn quotes_are_quoted() {
        assert_eq!(quote("a'b$(x)"), "'a'\\''b$(x)'");
    }
}
