//! What a terminal sends, as keys, pasted text, mouse and focus: a parser that never fails, and
//! the one thread that reads the terminal. Knows no command.
//!
//! Not crossterm's own reader: it blocks in the middle of an escape sequence, may miss bytes
//! that came together with others, and spins when the terminal is gone (crossterm 0.29,
//! `event/source/unix/mio.rs`).

use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use rustix::event::{PollFd, PollFlags, poll};
use tokio::sync::mpsc;

/// Something that a person did at the terminal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// A key.
    Key(KeyEvent),
    /// Text that was pasted as a whole.
    Paste(String),
    /// The left button went down, at that column and row.
    Click(u16, u16),
    /// The wheel was turned, that many rows down.
    Wheel(i8),
    /// The window was given the keyboard.
    Focus,
    /// The terminal has lost the focus.
    Blur,
    /// The terminal is gone; nothing will follow.
    Vanished,
}

/// An input with the time at which it was read, which may be before what is on screen when it
/// is looked at.
pub type Stamped = (Instant, Input);

/// Bytes to inputs. Holds what is incomplete.
#[derive(Debug, Default)]
pub struct Parser {
    kept: Vec<u8>,
    pasting: bool,
}

impl Parser {
    /// Reads what came at once. An escape byte at the very end is the Esc key, because terminals
    /// send their sequences in one piece.
    pub fn feed(&mut self, bytes: &[u8]) -> Vec<Input> {
        self.kept.extend_from_slice(bytes);
        let mut found = Vec::new();
        let mut at = 0;
        while let Some(rest) = self.kept.get(at..).filter(|it| !it.is_empty()) {
            if self.pasting {
                let Some(end) = find(rest, PASTE_END) else { break };
                let text = rest.get(..end).unwrap_or_default();
                found.push(Input::Paste(String::from_utf8_lossy(text).into_owned()));
                self.pasting = false;
                at += end + PASTE_END.len();
                continue;
            }
            match step(rest) {
                Step::More => break,
                Step::Skip(used) => at += used,
                Step::PasteBegins(used) => {
                    self.pasting = true;
                    at += used;
                }
                Step::Found(used, input) => {
                    found.push(input);
                    at += used;
                }
            }
        }
        self.kept.drain(..at);
        // What is no paste and still incomplete after this much is no sequence of a terminal.
        if self.pasting {
            self.forget_all_but(MAX_PASTE);
        } else if self.kept.len() > MAX_SEQUENCE {
            self.kept.clear();
        }
        found
    }

    /// A paste that is too long keeps only its tail, so that its end is still seen.
    fn forget_all_but(&mut self, most: usize) {
        if self.kept.len() > most {
            self.kept.drain(..self.kept.len() - PASTE_END.len());
        }
    }
}

/// The thread that reads the terminal. It ends when this is dropped, so that an editor can be
/// started without a second reader beside it.
#[derive(Debug)]
pub struct Reader {
    thread: Option<JoinHandle<()>>,
    stop: Option<OwnedFd>,
}

impl Reader {
    /// Starts to read. When the terminal is gone, the program has as long as `grace` to end in order;
    /// then it is ended.
    pub fn start(to: mpsc::UnboundedSender<Stamped>, grace: Duration) -> io::Result<Self> {
        let (stopped, stop) = rustix::pipe::pipe()?;
        let thread = std::thread::Builder::new()
            .name("terminal".to_owned())
            .spawn(move || read_all(&stopped, &to, grace))?;
        Ok(Self { thread: Some(thread), stop: Some(stop) })
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        // The closed pipe wakes the thread.
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

/// Reads until told to stop or until the terminal is gone. Sleeps in `poll` in between.
fn read_all(stopped: &OwnedFd, to: &mpsc::UnboundedSender<Stamped>, grace: Duration) {
    let terminal = io::stdin();
    let mut parser = Parser::default();
    let mut buffer = [0; 4096];
    loop {
        let mut fds = [
            PollFd::from_borrowed_fd(terminal.as_fd(), PollFlags::IN),
            PollFd::from_borrowed_fd(stopped.as_fd(), PollFlags::IN),
        ];
        match poll(&mut fds, None) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(_) => break,
        }
        let [tty, stop] = &fds;
        if !stop.revents().is_empty() {
            return;
        }
        if tty.revents().is_empty() {
            continue;
        }
        match rustix::io::read(terminal.as_fd(), &mut buffer) {
            Ok(0) => break,
            Ok(read) => {
                for input in parser.feed(buffer.get(..read).unwrap_or_default()) {
                    if to.send((Instant::now(), input)).is_err() {
                        return;
                    }
                }
            }
            Err(rustix::io::Errno::INTR | rustix::io::Errno::AGAIN) => {}
            Err(_) => break,
        }
    }
    if to.send((Instant::now(), Input::Vanished)).is_err() {
        return;
    }
    // Nobody can see this program any more. It has its time to end in order, and must not stay
    // behind because something hangs. Not in this thread: who ends in order waits for it.
    let guard = move || {
        std::thread::sleep(grace);
        end_now();
    };
    std::thread::Builder::new().name("grace".to_owned()).spawn(guard).ok();
}

#[expect(clippy::exit, reason = "the terminal is gone and the program did not end in time")]
fn end_now() {
    std::process::exit(128 + rustix::process::Signal::HUP.as_raw());
}

enum Step {
    /// Incomplete.
    More,
    /// These bytes mean nothing.
    Skip(usize),
    /// What follows is pasted.
    PasteBegins(usize),
    /// These bytes are that.
    Found(usize, Input),
}

/// Reads one input from the beginning of the bytes, of which there is at least one.
fn step(bytes: &[u8]) -> Step {
    match bytes {
        [] | [ESC, b'[' | b'O'] => Step::More,
        [ESC, b'[', rest @ ..] => sequence(rest),
        [ESC, b'O', letter, ..] => match letter_key(*letter) {
            Some(code) => Step::Found(3, key(code)),
            None => Step::Skip(3),
        },
        // Esc, perhaps with another key after it: over a slow line they come together, and nobody
        // who presses Esc means Alt.
        [ESC, ..] => Step::Found(1, key(KeyCode::Esc)),
        [byte, ..] => plain(*byte, bytes),
    }
}

/// A control byte or a character.
fn plain(byte: u8, bytes: &[u8]) -> Step {
    let code = match byte {
        b'\r' | b'\n' => KeyCode::Enter,
        b'\t' => KeyCode::Tab,
        0x7f | 0x08 => KeyCode::Backspace,
        0 => return Step::Found(1, control(' ')),
        1..=26 => return Step::Found(1, control(char::from(byte - 1 + b'a'))),
        0x1c..=0x1f => return Step::Found(1, control(char::from(byte - 0x1c + b'4'))),
        b' '..=b'~' => return Step::Found(1, character(char::from(byte))),
        _ => return wide(bytes),
    };
    Step::Found(1, key(code))
}

/// A character of more than one byte.
fn wide(bytes: &[u8]) -> Step {
    let few = bytes.get(..4).unwrap_or(bytes);
    match std::str::from_utf8(few) {
        Ok(text) => first_of(text),
        Err(it) if it.valid_up_to() > 0 => {
            let valid = few.get(..it.valid_up_to()).unwrap_or_default();
            std::str::from_utf8(valid).map_or(Step::Skip(1), first_of)
        }
        Err(it) if it.error_len().is_none() => Step::More,
        Err(_) => Step::Skip(1),
    }
}

fn first_of(text: &str) -> Step {
    match text.chars().next() {
        // C1 controls are no characters that anybody types.
        Some(c) if c.is_control() => Step::Skip(c.len_utf8()),
        Some(c) => Step::Found(c.len_utf8(), character(c)),
        None => Step::Skip(1),
    }
}

/// What follows `ESC [`: parameters, then one final byte (ECMA-48, section 5.4).
fn sequence(bytes: &[u8]) -> Step {
    // The Linux console sends F1 to F5 as `ESC [ [ A`.
    if let [b'[', letter, ..] = bytes {
        return match letter {
            b'A'..=b'E' => Step::Found(4, key(KeyCode::F(letter - b'A' + 1))),
            _ => Step::Skip(4),
        };
    }
    let Some(end) = bytes.iter().position(|it| matches!(it, 0x40..=0x7e)) else {
        return if bytes.len() > MAX_SEQUENCE { Step::Skip(bytes.len() + 2) } else { Step::More };
    };
    let used = end + 3;
    let (Some(parameters), Some(last)) = (bytes.get(..end), bytes.get(end)) else {
        return Step::Skip(used);
    };
    let text = std::str::from_utf8(parameters).unwrap_or_default();
    if let Some(mouse) = text.strip_prefix('<') {
        return mouse_event(mouse, *last).map_or(Step::Skip(used), |it| Step::Found(used, it));
    }
    let mut numbers = text.split(';').map(|it| it.parse::<u16>().ok());
    let first = numbers.next().flatten();
    let modifiers = numbers.next().flatten().map_or(KeyModifiers::NONE, modifiers);
    let code = match (last, first) {
        (b'~', Some(200)) => return Step::PasteBegins(used),
        (b'I', None) => return Step::Found(used, Input::Focus),
        (b'O', None) => return Step::Found(used, Input::Blur),
        (b'Z', _) => Some(KeyCode::BackTab),
        (b'~', Some(number)) => tilde_key(number),
        (letter, _) => letter_key(*letter),
    };
    match code {
        Some(code) => Step::Found(used, Input::Key(KeyEvent::new(code, modifiers))),
        None => Step::Skip(used),
    }
}

/// The final letters of xterm's cursor and function keys (xterm's `ctlseqs`).
fn letter_key(letter: u8) -> Option<KeyCode> {
    Some(match letter {
        b'A' => KeyCode::Up,
        b'B' => KeyCode::Down,
        b'C' => KeyCode::Right,
        b'D' => KeyCode::Left,
        b'F' => KeyCode::End,
        b'H' => KeyCode::Home,
        b'M' => KeyCode::Enter,
        b'P'..=b'S' => KeyCode::F(letter - b'P' + 1),
        _ => return None,
    })
}

/// The numbers of the VT220's keys, as xterm continues them.
fn tilde_key(number: u16) -> Option<KeyCode> {
    Some(match number {
        1 | 7 => KeyCode::Home,
        2 => KeyCode::Insert,
        3 => KeyCode::Delete,
        4 | 8 => KeyCode::End,
        5 => KeyCode::PageUp,
        6 => KeyCode::PageDown,
        11..=15 => KeyCode::F(u8::try_from(number - 10).ok()?),
        17..=21 => KeyCode::F(u8::try_from(number - 11).ok()?),
        23 | 24 => KeyCode::F(u8::try_from(number - 12).ok()?),
        _ => return None,
    })
}

/// xterm's modifier parameter: one plus a sum of bits.
fn modifiers(parameter: u16) -> KeyModifiers {
    let bits = parameter.saturating_sub(1);
    let mut modifiers = KeyModifiers::NONE;
    modifiers.set(KeyModifiers::SHIFT, bits & 1 != 0);
    modifiers.set(KeyModifiers::ALT, bits & 2 != 0);
    modifiers.set(KeyModifiers::CONTROL, bits & 4 != 0);
    modifiers
}

/// `button;column;row` of SGR mouse mode 1006, counted from 1.
fn mouse_event(text: &str, last: u8) -> Option<Input> {
    let mut numbers = text.split(';').map(|it| it.parse::<u16>().ok());
    let (button, column, row) = (numbers.next()??, numbers.next()??, numbers.next()??);
    match (button, last) {
        (0, b'M') => Some(Input::Click(column.saturating_sub(1), row.saturating_sub(1))),
        (64, b'M') => Some(Input::Wheel(-WHEEL_ROWS)),
        (65, b'M') => Some(Input::Wheel(WHEEL_ROWS)),
        _ => None,
    }
}

fn key(code: KeyCode) -> Input {
    Input::Key(KeyEvent::new(code, KeyModifiers::NONE))
}

fn control(c: char) -> Input {
    Input::Key(KeyEvent::new(KeyCode::Char(c), KeyModifiers::CONTROL))
}

fn character(c: char) -> Input {
    Input::Key(KeyEvent::new(KeyCode::Char(c), KeyModifiers::NONE))
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|it| it == what)
}

const ESC: u8 = 0x1b;
const PASTE_END: &[u8] = b"\x1b[201~";
/// No key of any terminal is longer.
const MAX_SEQUENCE: usize = 64;
/// More than this is never pasted into a line of text.
const MAX_PASTE: usize = 1 << 16;
/// How far one notch of the wheel goes.
const WHEEL_ROWS: i8 = 3;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(bytes: &[u8], expect: &[Input]) {
        assert_eq!(Parser::default().feed(bytes), expect);
        // The same, byte by byte, except that a lone escape byte is a key.
        if !bytes.contains(&ESC) {
            let mut parser = Parser::default();
            let one_by_one: Vec<_> = bytes.iter().flat_map(|it| parser.feed(&[*it])).collect();
            assert_eq!(one_by_one, expect);
        }
    }

    fn with(code: KeyCode, modifiers: KeyModifiers) -> Input {
        Input::Key(KeyEvent::new(code, modifiers))
    }

    #[test]
    fn characters_and_controls() {
        check(b"jG", &[character('j'), character('G')]);
        check("ü証".as_bytes(), &[character('ü'), character('証')]);
        check(
            b"\x03\r\t\x7f",
            &[control('c'), key(KeyCode::Enter), key(KeyCode::Tab), key(KeyCode::Backspace)],
        );
        check(b"\x1c\x00", &[control('4'), control(' ')]);
        check(b"\xff\xfea", &[character('a')]);
    }

    #[test]
    fn sequences() {
        check(b"\x1b", &[key(KeyCode::Esc)]);
        check(b"\x1b[A\x1bOB", &[key(KeyCode::Up), key(KeyCode::Down)]);
        check(
            b"\x1b[5~\x1b[24~\x1b[Z",
            &[key(KeyCode::PageUp), key(KeyCode::F(12)), key(KeyCode::BackTab)],
        );
        check(b"\x1b[1;5C", &[with(KeyCode::Right, KeyModifiers::CONTROL)]);
        check(b"\x1bj", &[key(KeyCode::Esc), character('j')]);
        check(b"\x1b[I\x1b[O", &[Input::Focus, Input::Blur]);
        check(b"\x1b[<0;10;5M\x1b[<0;10;5m\x1b[<65;1;1M", &[Input::Click(9, 4), Input::Wheel(3)]);
    }

    #[test]
    fn a_sequence_may_come_in_pieces() {
        let mut parser = Parser::default();
        assert_eq!(parser.feed(b"\x1b["), []);
        assert_eq!(parser.feed(b"6"), []);
        assert_eq!(parser.feed(b"~x"), [key(KeyCode::PageDown), character('x')]);
    }

    #[test]
    fn pasted_text_is_no_keys() {
        check(b"\x1b[200~y\rq\x1b[201~j", &[Input::Paste("y\rq".to_owned()), character('j')]);
        let mut parser = Parser::default();
        assert_eq!(parser.feed(b"\x1b[200~"), []);
        for _ in 0..512 {
            assert_eq!(parser.feed(&[b'q'; 4096]), []);
        }
        assert!(matches!(parser.feed(b"\x1b[201~").as_slice(), [Input::Paste(_)]));
        assert_eq!(parser.feed(b"j"), [character('j')]);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(chunks: Vec<Vec<u8>>) {
            let mut parser = Parser::default();
            for chunk in chunks {
                parser.feed(&chunk);
            }
            prop_assert!(parser.kept.len() <= MAX_SEQUENCE || parser.pasting);
        }
    }
}
