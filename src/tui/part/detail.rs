//! Everything about one place or one host, in panes of lines that can be scrolled.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;

use super::Page;
use crate::diagnose::Finding;
use crate::fleet::{Host, Moment, Place, Verdict};

/// A pane of a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Pane {
    /// What it is and how it is.
    #[default]
    Overview,
    /// What each layer shows.
    Layers,
    /// The certificates after the leaf.
    Chain,
    /// The versions that are kept.
    History,
    /// What runs before and after a renewal.
    Hooks,
    /// What the client says of its last failure.
    Log,
    /// Every field as it was read.
    Raw,
}

impl Pane {
    /// Every pane, in the order of their tabs.
    pub const ALL: [Self; 7] = [
        Self::Overview,
        Self::Layers,
        Self::Chain,
        Self::History,
        Self::Hooks,
        Self::Log,
        Self::Raw,
    ];

    /// Its title.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Overview => "Overview",
            Self::Layers => "Layers",
            Self::Chain => "Chain",
            Self::History => "History",
            Self::Hooks => "Hooks",
            Self::Log => "Log",
            Self::Raw => "Raw",
        }
    }
}

/// What a detail is about.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// The host.
    pub host: &'a Host,
    /// The place; `None` for the host itself.
    pub place: Option<&'a Place>,
    /// The verdict of the place.
    pub verdict: Verdict,
    /// What was found of it.
    pub findings: &'a [&'a Finding],
    /// The present.
    pub now: Moment,
}

/// The lines of a pane of a place, for as long as the data stays.
pub fn place(_subject: &Subject<'_>, _pane: Pane, _page: &Page<'_>) -> Vec<Line<'static>> {
    todo!()
}

/// The lines about a host.
pub fn host(_subject: &Subject<'_>, _page: &Page<'_>) -> Vec<Line<'static>> {
    todo!()
}

/// Draws the tabs of a place in the first line of the area.
pub fn draw_tabs(_chosen: Pane, _page: &Page<'_>, _area: Rect, _buf: &mut Buffer) {
    todo!()
}

/// Draws lines from `first` on; long ones go on below, set in.
pub fn draw(_lines: &[Line<'_>], _first: usize, _page: &Page<'_>, _area: Rect, _buf: &mut Buffer) {
    todo!()
}
