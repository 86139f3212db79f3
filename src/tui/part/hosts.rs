//! The table of hosts.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::Page;
use crate::diagnose::Diagnosis;
use crate::filter::Filter;
use crate::fleet::{Fleet, HostName, Moment, Verdict};
use crate::text::SafeText;

/// A line of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostRow {
    /// The host.
    pub name: HostName,
    /// The worst that is to be said of it.
    pub verdict: Verdict,
    /// How many places it has.
    pub places: usize,
    /// Its groups.
    pub groups: SafeText,
    /// What its last visit came to, or what renews its certificates.
    pub state: SafeText,
    /// When it was last read.
    pub seen_at: Option<Moment>,
    /// The first end of its certificates.
    pub ends: Option<Moment>,
}

/// What the table shows.
#[derive(Debug, Clone, Copy)]
pub struct HostsView<'a> {
    /// Every line.
    pub rows: &'a [HostRow],
    /// The position of the first line on screen.
    pub first: usize,
    /// The position of the selected line.
    pub selected: Option<usize>,
    /// The present.
    pub now: Moment,
}

/// Takes from the fleet the hosts of which the filter keeps something: worst first.
pub fn rows(
    _fleet: &Fleet,
    _diagnosis: &Diagnosis,
    _filter: &Filter,
    _now: Moment,
) -> Vec<HostRow> {
    todo!()
}

/// Draws a heading and the lines that fit.
pub fn draw(_view: &HostsView<'_>, _page: &Page<'_>, _area: Rect, _buf: &mut Buffer) {
    todo!()
}
