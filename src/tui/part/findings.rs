//! The list of findings: one line per cause, with the places it is true of.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;

use super::Page;
use crate::diagnose::Finding;
use crate::fleet::{Severity, Verdict};
use crate::text::SafeText;

/// Findings with the same cause.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause {
    /// How soon somebody must act.
    pub severity: Severity,
    /// What it makes of the places.
    pub verdict: Verdict,
    /// The cause in plain words.
    pub cause: SafeText,
    /// The findings, by their position.
    pub findings: Vec<usize>,
}

/// What the list shows.
#[derive(Debug, Clone, Copy)]
pub struct FindingsView<'a> {
    /// Every line.
    pub causes: &'a [Cause],
    /// What they were gathered from.
    pub findings: &'a [Finding],
    /// The position of the first line on screen.
    pub first: usize,
    /// The position of the selected line.
    pub selected: Option<usize>,
}

/// Gathers findings by cause, in the order of the findings.
pub fn causes(_findings: &[Finding]) -> Vec<Cause> {
    todo!()
}

/// Draws a heading and the lines that fit.
pub fn draw(_view: &FindingsView<'_>, _page: &Page<'_>, _area: Rect, _buf: &mut Buffer) {
    todo!()
}

/// The lines about one cause: evidence, remedies and where.
pub fn detail(_cause: &Cause, _findings: &[Finding], _page: &Page<'_>) -> Vec<Line<'static>> {
    todo!()
}
