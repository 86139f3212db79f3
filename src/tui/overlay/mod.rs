//! What lies over a screen for a while: help, palette, filter line, command log, figures, and
//! texts to be read. While one does, the screen below keeps its order.

mod field;
mod figures;
mod filter;
mod help;
mod log;
mod notice;
mod palette;
mod sheet;

use crossterm::event::KeyEvent;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::desk::Desk;
use super::keys::{Command, Keymap};
use super::record::Record;
use super::rows::{GroupBy, Sort};

pub(super) use figures::Figures;
pub use figures::Meter;
pub(super) use filter::FilterLine;
pub(super) use help::Help;
pub(super) use log::Log;
pub(super) use notice::Notice;
pub(super) use palette::Palette;

/// Something that lies over a screen. It takes every key until it is closed.
pub(super) trait Overlay: std::fmt::Debug + Send {
    /// Takes a key.
    fn key(&mut self, key: KeyEvent, desk: &mut Desk, under: &Under<'_>) -> Answer;

    /// Takes pasted text.
    fn paste(&mut self, _text: &str, _desk: &mut Desk) {}

    /// Draws itself over the area; the last line of it may be taken for typing.
    fn draw(&self, desk: &Desk, under: &Under<'_>, area: Rect, buf: &mut Buffer);

    /// Whether it is a line below the screen, which is then still seen and drawn one line shorter.
    fn is_line(&self) -> bool {
        false
    }
}

/// What an overlay needs to know of the console below it.
#[derive(Debug)]
pub(super) struct Under<'a> {
    /// The keys in force.
    pub(super) keymap: &'a Keymap,
    /// Why a command cannot be given now.
    pub(super) refusals: &'a [(Command, String)],
    /// What ran on hosts.
    pub(super) record: &'a Record,
    /// What this program costs.
    pub(super) meter: &'a Meter,
}

impl Under<'_> {
    /// Why a command cannot be given now, if it cannot.
    pub(super) fn refusal(&self, command: Command) -> Option<&str> {
        self.refusals.iter().find(|it| it.0 == command).map(|it| it.1.as_str())
    }
}

/// What became of a key.
#[derive(Debug)]
pub(super) enum Answer {
    /// The overlay goes away.
    Close,
    /// The overlay goes away, and this is done.
    Do(Do),
    /// There is something to say; the overlay stays.
    Say(String),
    /// The overlay stays.
    Stay,
}

/// Something that can be chosen in the palette.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Do {
    /// A command of the table.
    Command(Command),
    /// Another filter.
    Filter(String),
    /// Another grouping.
    Group(GroupBy),
    /// Leave the program.
    Leave,
    /// Fall over, to see that the terminal survives it.
    #[cfg(debug_assertions)]
    Panic,
    /// Another order.
    Sort(Sort),
    /// Another theme.
    Theme(&'static str),
    /// A window of that many seconds.
    Zoom(i64),
}
