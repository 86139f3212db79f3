//! What lies over a screen for a while: help, palette, filter line, command log, figures, and
//! texts to be read. While one does, the screen below keeps its order.

mod card;
mod drill;
mod field;
mod figures;
mod filter;
mod form;
mod help;
mod log;
mod notice;
mod palette;
mod question;
mod reason;
mod remark;
mod search;
mod sheet;

use std::time::Duration;

use crossterm::event::KeyEvent;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use uuid::Uuid;

use super::arm::Arming;
use super::desk::Desk;
use super::keys::{Command, Keymap};
use super::record::Record;
use super::request::Request;
use super::rows::{GroupBy, Sort};
use crate::action::Confirmed;
use crate::fleet::HostName;
use crate::review::Word;

pub(super) use card::Card;
pub(super) use drill::DrillSheet;
pub(super) use figures::Figures;
pub use figures::Meter;
pub(super) use filter::FilterLine;
pub(super) use form::Form;
pub(super) use help::Help;
pub(super) use log::Log;
pub(super) use notice::Notice;
pub(super) use palette::Palette;
pub(super) use question::Question;
pub(super) use reason::Reason;
pub(super) use remark::{Asked, Remark};
pub(super) use search::Search;

/// Something that lies over a screen. It takes every key until it is closed.
pub(super) trait Overlay: std::fmt::Debug + Send {
    /// Takes a key.
    fn key(&mut self, key: KeyEvent, desk: &mut Desk, under: &Under<'_>) -> Answer;

    /// Takes pasted text; whether it counts here.
    fn paste(&mut self, _text: &str, _desk: &mut Desk) -> bool {
        false
    }

    /// Draws itself over the area; the last line of it may be taken for typing.
    fn draw(&self, desk: &Desk, under: &Under<'_>, area: Rect, buf: &mut Buffer);

    /// Whether it is a line below the screen, which is then still seen and drawn one line shorter.
    fn is_line(&self) -> bool {
        false
    }

    /// Whether a key may change something, so that only keys count that were pressed after it was
    /// drawn.
    fn is_guarded(&self) -> bool {
        false
    }

    /// Its keys, for the footer: those of the screen below mean nothing now.
    fn hints(&self) -> &'static [(&'static str, &'static str)] {
        &[("esc", "close")]
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
    /// Whether anything may be changed.
    pub(super) arming: &'a Arming,
    /// For how long the overlay was to be seen when the key was pressed.
    pub(super) seen: Duration,
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
    /// The overlay goes away, and this is asked for.
    Ask(Request),
    /// The overlay goes away.
    Close,
    /// The overlay goes away, and there is something to say.
    CloseAnd(String),
    /// Another overlay lies over this one, which comes back after it.
    Lay(Box<dyn Overlay>),
    /// The overlay goes away, and what was said is put on record.
    Put(Asked, Vec<Word>),
    /// The overlay goes away, and what was confirmed is done.
    Run(Request, Confirmed),
    /// The overlay goes away, and this is done.
    Do(Do),
    /// There is something to say; the overlay stays.
    Say(String),
    /// The overlay stays.
    Stay,
}

/// For how long something must have been seen before a key confirms it: less than that is no
/// reading, but typing ahead.
pub(super) const READING: Duration = Duration::from_millis(400);

/// Something that can be chosen in the palette, or answered to a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Do {
    /// Arm the console for so many seconds.
    Arm(i64),
    /// A command of the table.
    Command(Command),
    /// Make the console read-only again.
    Disarm,
    /// Another filter.
    Filter(String),
    /// Another grouping.
    Group(GroupBy),
    /// Write the hand-over of so many seconds, to that file or to the folder of state.
    HandOver(i64, Option<String>),
    /// Leave the program.
    Leave,
    /// Fall over, to see that the terminal survives it.
    #[cfg(debug_assertions)]
    Panic,
    /// The current step of the guided run is left out, for this reason.
    SkipStep(String),
    /// Another order.
    Sort(Sort),
    /// Ask a job on that host to stop.
    StopJob(HostName, Uuid),
    /// Another theme.
    Theme(&'static str),
    /// A window of that many seconds.
    Zoom(i64),
}
