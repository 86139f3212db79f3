//! The last line: the keys of this screen, and for a while what just happened.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use unicode_width::UnicodeWidthStr as _;

use super::Page;
use super::pen::{self, Pen};
use crate::text::SafeText;

/// What the footer tells.
#[derive(Debug, Clone, Copy)]
pub struct FooterView<'a> {
    /// Keys with the word for what they do, the most useful first.
    pub keys: &'a [(&'a str, &'a str)],
    /// What just happened.
    pub toast: Option<&'a SafeText>,
}

/// Draws the footer into the first line of the area: what just happened at the right, and the
/// keys that fit beside it.
pub fn draw(view: &FooterView<'_>, page: &Page<'_>, area: Rect, buf: &mut Buffer) {
    let theme = page.theme;
    let toast = view.toast.map(|it| page.shown(it.as_str()));
    let taken = toast.as_ref().map_or(0, |it| it.width() + 3);
    let taken = u16::try_from(taken).unwrap_or(u16::MAX);
    let room = Rect { width: area.width.saturating_sub(taken), ..area };
    let mut pen = Pen::new(buf, room, 0, page);
    pen.skip(1);
    for (key, word) in view.keys {
        if usize::from(pen.room()) < key.width() + 1 + word.width() {
            break;
        }
        pen.put(key, theme.key()).skip(1).put(word, theme.dim()).skip(2);
    }
    if let Some(toast) = toast {
        let area = Rect { width: area.width.saturating_sub(1), ..area };
        pen::right(buf, area, 0, page, &toast, theme.text());
    }
}
