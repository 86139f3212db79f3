//! What may follow the keys pressed so far, with the reason where it cannot.

use std::borrow::Cow;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use unicode_width::UnicodeWidthStr as _;

use super::Page;
use super::pen::Pen;

/// A line of the menu.
#[derive(Debug, Clone)]
pub struct MenuRow {
    /// The key.
    pub key: String,
    /// One or two words.
    pub title: &'static str,
    /// One line about it.
    pub about: &'static str,
    /// How carefully it is asked for, in a word.
    pub tier: &'static str,
    /// Why it cannot be done.
    pub refusal: Option<String>,
}

/// Draws the menu into the lowest lines of the area.
pub fn draw(title: &str, rows: &[MenuRow], page: &Page<'_>, area: Rect, buf: &mut Buffer) {
    let theme = page.theme;
    let area = area.intersection(buf.area);
    let height = u16::try_from(rows.len() + 1).unwrap_or(u16::MAX).min(area.height);
    let area = Rect { y: area.bottom().saturating_sub(height), height, ..area };
    for position in area.positions() {
        if let Some(cell) = buf.cell_mut(position) {
            cell.reset();
            cell.set_style(theme.base());
        }
    }
    let rule = theme.glyphs().rule;
    Pen::new(buf, area, 0, page)
        .put(&rule.repeat(2), theme.faint())
        .put(&format!(" {} ", page.shown(title)), theme.title())
        .fill(rule, theme.faint());
    let widest = rows.iter().map(|it| it.title.len()).max().unwrap_or_default();
    let wide = u16::try_from(widest + 1).unwrap_or(u16::MAX);
    for (y, row) in (1..area.height).zip(rows) {
        let mut pen = Pen::new(buf, area, y, page);
        let style = if row.refusal.is_some() { theme.dim() } else { theme.text() };
        pen.skip(2).column(&row.key, 2, theme.key()).skip(1).column(row.title, wide, style);
        pen.column(row.tier, 8, theme.dim());
        match &row.refusal {
            Some(why) => {
                pen.put("not now: ", theme.dim());
                let room = usize::from(pen.room());
                pen.put(&reason(&page.shown(why), room, page), theme.dim())
            }
            None => pen.put(row.about, style),
        };
    }
}

/// A reason for so many cells: where it is too long for them, a path that it begins with keeps its
/// end only, so that what is wrong with it can be read.
fn reason<'t>(why: &'t str, room: usize, page: &Page<'_>) -> Cow<'t, str> {
    match why.split_once(' ') {
        Some((path, rest)) if why.width() > room && path.contains('/') => {
            Cow::Owned(format!("{} {rest}", page.tail(path, PATH)))
        }
        _ => Cow::Borrowed(why),
    }
}

/// The cells of a path before a reason that is too long.
const PATH: usize = 12;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::theme::{Depth, Theme};

    /// At 60 columns nothing was left of the reason behind the path of a certificate.
    #[test]
    fn a_path_leaves_room_for_the_reason() {
        let theme = Theme::named("mono", Depth::None, false).unwrap();
        let page = Page::new(&theme);
        let cut = theme.glyphs().cut;
        let long = "/etc/ssl/private/www.example.net.pem: nothing here renews it";
        let short = format!("{cut}le.net.pem: nothing here renews it");
        assert_eq!(reason(long, 36, &page), short);
        for (why, room) in [
            (long, 80),
            ("/a.pem: nothing here renews it", 10),
            ("api.example.net renews by itself, and is not due", 10),
            ("/etc/ssl/private/www.example.net.pem", 10),
        ] {
            assert_eq!(reason(why, room, &page), why);
        }
    }
}
