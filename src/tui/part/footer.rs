//! The last line: the keys of this screen, and for a while what just happened.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::Page;
use crate::text::SafeText;

/// What the footer tells.
#[derive(Debug, Clone, Copy)]
pub struct FooterView<'a> {
    /// Keys with the word for what they do, the most useful first.
    pub keys: &'a [(&'a str, &'a str)],
    /// What just happened.
    pub toast: Option<&'a SafeText>,
}

/// Draws the footer into the first line of the area.
pub fn draw(_view: &FooterView<'_>, _page: &Page<'_>, _area: Rect, _buf: &mut Buffer) {
    todo!()
}
