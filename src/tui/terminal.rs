//! The terminal as it is borrowed: modes that are set are reset on every way out, and frames are
//! written as the difference to what is shown. Knows nothing of what is drawn.

use std::io::{self, IsTerminal as _, Write as _};
use std::sync::atomic::{AtomicBool, Ordering};

use base64::Engine as _;
use ratatui::backend::{Backend as _, CrosstermBackend};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use tokio::sync::Notify;

use super::bell::Bell;
use crate::text::SafeText;

/// A terminal in our hands. It is given back when this is dropped.
#[derive(Debug)]
pub struct Terminal {
    shown: Buffer,
    next: Buffer,
    written: u64,
}

impl Terminal {
    /// Takes the terminal: raw mode, alternate screen, pastes and focus told apart from keys.
    pub fn take() -> io::Result<Self> {
        // crossterm 0.29 turns every colour into a bare reset where NO_COLOR is set, which also
        // drops bold and reverse. Themes leave colours out themselves.
        crossterm::style::force_color_output(true);
        let mut terminal = Self { shown: Buffer::default(), next: Buffer::default(), written: 0 };
        terminal.enter()?;
        Ok(terminal)
    }

    /// Takes the terminal again after [`Self::leave`]; the next frame is drawn in full.
    pub fn enter(&mut self) -> io::Result<()> {
        crossterm::terminal::enable_raw_mode()?;
        TAKEN.store(true, Ordering::SeqCst);
        self.write(ENTER)?;
        self.forget();
        Ok(())
    }

    /// Gives the terminal back, as for an editor.
    pub fn leave(&mut self) {
        give_back();
    }

    /// Draws one frame, and writes what differs from the frame before; nothing if nothing does.
    pub fn draw(
        &mut self,
        size: (u16, u16),
        draw: impl FnOnce(Rect, &mut Buffer),
    ) -> io::Result<()> {
        let area = Rect::new(0, 0, size.0, size.1);
        let mut bytes = Vec::new();
        if self.shown.area == area {
            self.next.reset();
        } else {
            // Not ratatui's `clear`: it asks the terminal where its cursor is and fails after two
            // seconds where nobody answers.
            bytes.extend_from_slice(ERASE);
            self.shown = Buffer::empty(area);
            self.next = Buffer::empty(area);
        }
        draw(area, &mut self.next);
        let changed = self.shown.diff(&self.next);
        if !changed.is_empty() {
            CrosstermBackend::new(&mut bytes).draw(changed.into_iter())?;
        }
        std::mem::swap(&mut self.shown, &mut self.next);
        if bytes.is_empty() {
            return Ok(());
        }
        self.write(&[BEGIN_FRAME, &bytes, END_FRAME].concat())
    }

    /// Forgets what is shown, so that the next frame is drawn in full.
    pub fn forget(&mut self) {
        self.shown = Buffer::default();
    }

    /// Offers text to the clipboard of whoever sits at the terminal (OSC 52). Terminals do not
    /// say whether they took it.
    pub fn copy(&mut self, text: &str) -> io::Result<()> {
        let text = base64::engine::general_purpose::STANDARD.encode(text);
        self.write(format!("\x1b]52;c;{text}\x07").as_bytes())
    }

    /// Asks the terminal to tell something to whoever does not look at it.
    pub fn ring(&mut self, bell: Bell, text: &SafeText) -> io::Result<()> {
        match bell.bytes(text) {
            silence if silence.is_empty() => Ok(()),
            bytes => self.write(bytes.as_bytes()),
        }
    }

    /// Whether the mouse is told to us, which takes text selection from the terminal.
    pub fn listen_to_mouse(&mut self, is_on: bool) -> io::Result<()> {
        self.write(if is_on { MOUSE_ON } else { MOUSE_OFF })
    }

    /// How many bytes were written so far.
    pub fn written(&self) -> u64 {
        self.written
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.written += bytes.len() as u64;
        let mut out = io::stdout().lock();
        out.write_all(bytes)?;
        out.flush()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        give_back();
    }
}

/// Whether there is a terminal on both sides.
pub fn is_there() -> bool {
    io::stdin().is_terminal() && io::stdout().is_terminal()
}

/// Columns and rows.
pub fn size() -> (u16, u16) {
    crossterm::terminal::size().unwrap_or((80, 24))
}

/// Resets everything that was set, once; errors have nobody to be told to.
pub fn give_back() {
    if TAKEN.swap(false, Ordering::SeqCst) {
        let mut out = io::stdout().lock();
        drop(out.write_all(LEAVE).and_then(|()| out.flush()));
        drop(crossterm::terminal::disable_raw_mode());
    }
}

/// Gives the terminal back before a panic is printed, wherever it happens.
pub fn give_back_on_panic() {
    let print = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        give_back();
        print(panic);
        PANICKED.store(true, Ordering::SeqCst);
        PANIC.notify_one();
    }));
}

/// Whether anything in this process has panicked.
pub fn has_panicked() -> bool {
    PANICKED.load(Ordering::SeqCst)
}

/// Waits until something in this process panics.
pub async fn panicked() {
    PANIC.notified().await;
}

/// Statics, because a panic hook owns nothing.
static TAKEN: AtomicBool = AtomicBool::new(false);
static PANICKED: AtomicBool = AtomicBool::new(false);
static PANIC: Notify = Notify::const_new();

// Modes of xterm's `ctlseqs`: 1049 alternate screen, 25 cursor, 2004 bracketed paste, 1004 focus,
// 1000 and 1006 mouse buttons in SGR form, 2026 synchronized output.
const ENTER: &[u8] = b"\x1b[?1049h\x1b[?25l\x1b[?2004h\x1b[?1004h";
const LEAVE: &[u8] =
    b"\x1b[?2026l\x1b[?1006l\x1b[?1000l\x1b[?1004l\x1b[?2004l\x1b[0m\x1b[?25h\x1b[?1049l";
const MOUSE_ON: &[u8] = b"\x1b[?1000h\x1b[?1006h";
const MOUSE_OFF: &[u8] = b"\x1b[?1006l\x1b[?1000l";
const BEGIN_FRAME: &[u8] = b"\x1b[?2026h";
const END_FRAME: &[u8] = b"\x1b[?2026l";
const ERASE: &[u8] = b"\x1b[0m\x1b[2J";
