//! Lines of a page of details: labels, values, headings, broken between words where they are drawn.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

use super::Page;
use super::header::clock;
use super::pen::{self, Pen};
use crate::fleet::{Moment, human};

/// A page of details that is being written.
pub(in crate::tui) struct Sheet<'a> {
    page: &'a Page<'a>,
    lines: Vec<Line<'static>>,
}

impl<'a> Sheet<'a> {
    pub(in crate::tui) const fn new(page: &'a Page<'a>) -> Self {
        Self { page, lines: Vec::new() }
    }

    /// The finished lines.
    pub(in crate::tui) fn lines(self) -> Vec<Line<'static>> {
        self.lines
    }

    /// Whether nothing was written.
    pub(in crate::tui) const fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// A heading, with an empty line before it unless it is the first line.
    pub(in crate::tui) fn heading(&mut self, text: &str) -> &mut Self {
        if !self.lines.is_empty() {
            self.lines.push(Line::default());
        }
        self.text(0, text, self.page.theme.title())
    }

    /// A value with its label.
    pub(in crate::tui) fn field(&mut self, label: &str, value: &str) -> &mut Self {
        self.styled_field(label, value, self.page.theme.text())
    }

    /// A value with its label, if there is one.
    pub(in crate::tui) fn maybe(
        &mut self,
        label: &str,
        value: Option<impl AsRef<str>>,
    ) -> &mut Self {
        if let Some(value) = value {
            self.field(label, value.as_ref());
        }
        self
    }

    /// A value with its label, in a style of its own.
    pub(in crate::tui) fn styled_field(
        &mut self,
        label: &str,
        value: &str,
        style: Style,
    ) -> &mut Self {
        let label = format!(" {label:<0$}", usize::from(LABEL));
        let value = self.page.shown(value).into_owned();
        self.lines.push(Line::from(vec![
            Span::styled(label, self.page.theme.dim()),
            Span::styled(value, style),
        ]));
        self
    }

    /// Text, set in by so many cells.
    pub(in crate::tui) fn text(&mut self, inset: u16, text: &str, style: Style) -> &mut Self {
        let gap = " ".repeat(usize::from(1 + inset));
        let text = self.page.shown(text).into_owned();
        self.lines.push(Line::from(vec![Span::raw(gap), Span::styled(text, style)]));
        self
    }

    /// Text after a head of its own style; what goes on below stands right of the head.
    pub(in crate::tui) fn pair(
        &mut self,
        (head, head_style): (&str, Style),
        (text, style): (&str, Style),
    ) -> &mut Self {
        let head = Span::styled(format!(" {}", self.page.shown(head)), head_style);
        let text = self.page.shown(text).into_owned();
        self.lines.push(Line::from(vec![head, Span::styled(text, style)]));
        self
    }

    /// A label and cells of the same width each, cut off rather than broken.
    pub(in crate::tui) fn cells(
        &mut self,
        label: &str,
        (label_width, width): (u16, u16),
        cells: impl IntoIterator<Item = (String, Style)>,
    ) -> &mut Self {
        let label = format!(" {label:<0$}", usize::from(label_width));
        let mut line = Line::from(vec![Span::styled(label, self.page.theme.dim())]);
        for (text, style) in cells {
            let text = self.page.shown(&text);
            let (kept, is_cut) = pen::cut(&text, width.saturating_sub(1));
            let mut kept = kept.to_owned();
            if is_cut {
                kept.push_str(self.page.theme.glyphs().cut);
            }
            let gap = usize::from(width).saturating_sub(kept.width());
            kept.extend(std::iter::repeat_n(' ', gap));
            line.push_span(Span::styled(kept, style));
        }
        // Two pieces would be taken for a label with a text that is broken.
        line.push_span(Span::raw(""));
        self.lines.push(line);
        self
    }

    /// How many lines were written.
    pub(in crate::tui) const fn len(&self) -> usize {
        self.lines.len()
    }

    /// Why there is nothing here.
    pub(in crate::tui) fn nothing(&mut self, text: &str) -> &mut Self {
        self.text(0, text, self.page.theme.dim())
    }
}

/// Draws lines from `first` on. What is too long goes on below, set in as far as its first part.
pub fn draw(lines: &[Line<'_>], first: usize, page: &Page<'_>, area: Rect, buf: &mut Buffer) {
    let mut y = 0;
    for line in lines.iter().skip(first) {
        if y >= area.height {
            return;
        }
        y = y.saturating_add(draw_line(line, y, page, area, buf));
    }
}

/// Draws each line into one row, cut at its end: where there is little room, the beginning of all
/// is worth more than all of the beginning.
pub fn draw_cut(lines: &[Line<'_>], page: &Page<'_>, area: Rect, buf: &mut Buffer) {
    for (y, line) in (0..area.height).zip(lines) {
        let mut pen = Pen::new(buf, area, y, page);
        for span in line {
            pen.put(&span.content, page.theme.text().patch(line.style).patch(span.style));
        }
    }
}

/// Draws one line and tells how many it took.
fn draw_line(line: &Line<'_>, y: u16, page: &Page<'_>, area: Rect, buf: &mut Buffer) -> u16 {
    let style = |span: &Span<'_>| page.theme.text().patch(line.style).patch(span.style);
    let mut pen = Pen::new(buf, area, y, page);
    let [head, rest] = line.spans.as_slice() else {
        for span in line {
            pen.put(&span.content, style(span));
        }
        return 1;
    };
    pen.put(&head.content, style(head));
    let inset = u16::try_from(head.content.width()).unwrap_or(u16::MAX);
    let parts = wrapped(&rest.content, area.width.saturating_sub(inset).max(1));
    let mut taken = 0;
    for part in &parts {
        Pen::new(buf, area, y.saturating_add(taken), page).skip(inset).put(part, style(rest));
        taken = taken.saturating_add(1);
    }
    taken
}

/// How many rows these lines take in so many columns.
pub fn height(lines: &[Line<'_>], width: u16) -> u16 {
    let rows = lines.iter().map(|it| rows(it, width)).sum::<usize>();
    u16::try_from(rows).unwrap_or(u16::MAX)
}

/// The first line to draw, so that no room is left below while there are lines above.
pub fn settled(first: usize, lines: &[Line<'_>], area: Rect) -> usize {
    let mut room = usize::from(area.height);
    let fit = lines.iter().rev().take_while(|line| {
        let rows = rows(line, area.width);
        let fits = rows <= room;
        room = room.saturating_sub(rows);
        fits
    });
    first.min(lines.len() - fit.count())
}

/// How many rows [`draw`] takes for a line.
fn rows(line: &Line<'_>, width: u16) -> usize {
    let [head, rest] = line.spans.as_slice() else { return 1 };
    let inset = u16::try_from(head.content.width()).unwrap_or(u16::MAX);
    wrapped(&rest.content, width.saturating_sub(inset).max(1)).len()
}

/// A moment with its distance: `2026-11-24 18:42:44Z (in 39h)`.
pub(in crate::tui) fn when(moment: Moment, now: Moment) -> String {
    let away = moment.since(now);
    let size = human(away.saturating_abs());
    let distance = match away {
        0 => "now".to_owned(),
        ..0 => format!("{size} ago"),
        _ => format!("in {size}"),
    };
    format!("{} ({distance})", clock(moment))
}

/// The width of a label with the gap after it.
const LABEL: u16 = 12;

/// Breaks text after spaces where possible; a word that is too long is broken anywhere.
fn wrapped(text: &str, room: u16) -> Vec<String> {
    let room = usize::from(room);
    let mut lines = Vec::new();
    let mut line = String::new();
    let mut used = 0;
    for word in text.split_inclusive(' ') {
        if used > 0 && used + word.trim_end().width() > room {
            lines.push(std::mem::take(&mut line));
            used = 0;
        }
        for c in word.chars() {
            let cells = c.width().unwrap_or(0);
            if used + cells > room && c != ' ' && used > 0 {
                lines.push(std::mem::take(&mut line));
                used = 0;
            }
            line.push(c);
            used += cells;
        }
    }
    lines.push(line);
    for line in &mut lines {
        line.truncate(line.trim_end().len());
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, room: u16, expect: &[&str]) {
        assert_eq!(wrapped(text, room), expect);
    }

    #[test]
    fn text_is_broken_between_words() {
        check("the timer is disabled", 12, &["the timer is", "disabled"]);
        check("", 5, &[""]);
        check("abcdefgh ij", 4, &["abcd", "efgh", "ij"]);
        check("証明書", 5, &["証明", "書"]);
    }
}
