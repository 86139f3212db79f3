//! Buffers as texts that can be compared and as pictures that can be looked at.

use std::fmt::Write as _;
use std::sync::LazyLock;

use certdeck::fleet::Fingerprint;
use certdeck::tui::theme::Theme;
use ratatui::buffer::{Buffer, Cell};
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier};
use resvg::{tiny_skia, usvg};

/// The text of a buffer, and below it where which style is. insta on its own drops styles.
pub(crate) fn dump(buf: &Buffer) -> String {
    let mut text = String::new();
    let mut styles = String::new();
    for y in buf.area.top()..buf.area.bottom() {
        let line: String = row(buf, y).map(Cell::symbol).collect();
        let _ = writeln!(text, "{}", line.trim_end());
        let runs: Vec<String> = runs(buf, y)
            .into_iter()
            .filter(|it| it.text.trim() != "" || it.cell.modifier.contains(Modifier::REVERSED))
            .map(|it| format!("{}-{} {}", it.from, it.to, style(&it.cell)))
            .filter(|it| !it.ends_with(' '))
            .collect();
        if !runs.is_empty() {
            let _ = writeln!(styles, "{y:>2}: {}", runs.join(", "));
        }
    }
    format!("{text}\n{styles}")
}

/// The buffer as a drawing, in the colours of the theme.
pub(crate) fn svg(buf: &Buffer, theme: &Theme) -> String {
    let Rect { width, height, .. } = buf.area;
    let base = theme.base();
    let paper = base.bg.and_then(hex).unwrap_or_else(|| "#16191f".to_owned());
    let ink = base.fg.and_then(hex).unwrap_or_else(|| "#d8dde6".to_owned());
    let (wide, high) =
        (u32::from(width) * CELL.0 + 2 * MARGIN, u32::from(height) * CELL.1 + 2 * MARGIN);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{wide}\" height=\"{high}\" viewBox=\"0 0 {wide} {high}\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"{paper}\"/>\n\
         <g font-family=\"{FONT}\" font-size=\"15\" xml:space=\"preserve\">\n",
    );
    for y in buf.area.top()..buf.area.bottom() {
        for run in runs(buf, y) {
            push_run(&mut out, &run, y, &ink, &paper);
        }
    }
    out.push_str("</g>\n</svg>\n");
    out
}

/// The font: plain, complete, and packaged everywhere (Debian: `fonts-dejavu-core`).
pub(crate) const FONT: &str = "DejaVu Sans Mono";
/// The size of a cell in pixels: what the font needs at 15 pixels.
const CELL: (u32, u32) = (9, 20);
/// Empty pixels around the picture.
const MARGIN: u32 = 10;

fn push_run(out: &mut String, run: &Run, y: u16, ink: &str, paper: &str) {
    let cell = &run.cell;
    let mut fg = hex(cell.fg).unwrap_or_else(|| ink.to_owned());
    let mut bg = hex(cell.bg).unwrap_or_else(|| paper.to_owned());
    if cell.modifier.contains(Modifier::REVERSED) {
        std::mem::swap(&mut fg, &mut bg);
    }
    let x = u32::from(run.from) * CELL.0 + MARGIN;
    let top = u32::from(y) * CELL.1 + MARGIN;
    let wide = u32::from(run.to - run.from) * CELL.0;
    if bg != paper {
        let _ = writeln!(
            out,
            "<rect x=\"{x}\" y=\"{top}\" width=\"{wide}\" height=\"{}\" fill=\"{bg}\"/>",
            CELL.1
        );
    }
    let is_bold = cell.modifier.contains(Modifier::BOLD);
    let bold = if is_bold { " font-weight=\"bold\"" } else { "" };
    let base = top + 15;
    let mut at = x;
    for part in words(&run.text) {
        let cells = u32::try_from(unicode_width::UnicodeWidthStr::width(part)).unwrap_or(0);
        if let Some(drawn) = strokes(part, at, top, &fg) {
            out.push_str(&drawn);
        } else if !part.trim().is_empty() {
            let text = part.replace('&', "&amp;").replace('<', "&lt;");
            let length = cells * CELL.0;
            let _ = writeln!(
                out,
                "<text x=\"{at}\" y=\"{base}\" textLength=\"{length}\" fill=\"{fg}\"{bold}>{text}</text>",
            );
        }
        at += cells * CELL.0;
    }
    if cell.modifier.contains(Modifier::UNDERLINED) {
        let _ = writeln!(
            out,
            "<rect x=\"{x}\" y=\"{}\" width=\"{wide}\" height=\"1\" fill=\"{fg}\"/>",
            base + 2
        );
    }
}

/// Pieces of a run: words as they are, every sign outside of ASCII for itself, and each gap.
fn words(text: &str) -> Vec<&str> {
    let kind = |c: char| match c {
        ' ' => 0,
        '!'..='~' => 1,
        _ => 2,
    };
    let mut parts = Vec::new();
    let mut start = 0;
    let mut last = None;
    for (at, c) in text.char_indices() {
        if last.is_some_and(|it| it != kind(c) || kind(c) == 2) {
            parts.push(&text[start..at]);
            start = at;
        }
        last = Some(kind(c));
    }
    parts.push(&text[start..]);
    parts
}

/// Lines are drawn as lines, so that they join whatever the font does.
fn strokes(text: &str, x: u32, top: u32, fg: &str) -> Option<String> {
    // Left, right, up and down: 0 nothing, 1 light, 2 heavy.
    let [left, right, up, down] = match text {
        "─" => [1, 1, 0, 0],
        "━" => [2, 2, 0, 0],
        "╴" => [1, 0, 0, 0],
        "╶" => [0, 1, 0, 0],
        "╸" => [2, 0, 0, 0],
        "╺" => [0, 2, 0, 0],
        "╼" => [1, 2, 0, 0],
        "┿" => [2, 2, 1, 1],
        "┫" => [2, 0, 2, 2],
        "╋" => [2, 2, 2, 2],
        _ => return None,
    };
    let (middle, half) = (top + CELL.1 / 2, CELL.0 / 2);
    let mut out = String::new();
    let mut line = |x: u32, y: u32, wide: u32, high: u32| {
        let _ = writeln!(
            out,
            "<rect x=\"{x}\" y=\"{y}\" width=\"{wide}\" height=\"{high}\" fill=\"{fg}\"/>"
        );
    };
    let thick = |it: u32| if it == 2 { 3 } else { 1 };
    if left > 0 {
        line(x, middle - left / 2, half + 1, thick(left));
    }
    if right > 0 {
        line(x + half, middle - right / 2, CELL.0 - half, thick(right));
    }
    let (from, to) =
        (if up > 0 { top + 3 } else { middle }, if down > 0 { top + CELL.1 - 3 } else { middle });
    if up.max(down) > 0 {
        line(x + half - up / 2, from, thick(up) - up / 2, to - from);
    }
    Some(out)
}

/// Neighbouring cells with the same style.
struct Run {
    from: u16,
    to: u16,
    text: String,
    cell: Cell,
}

fn runs(buf: &Buffer, y: u16) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for (x, cell) in (0..).zip(row(buf, y)) {
        match runs.last_mut() {
            Some(run) if run.cell.style() == cell.style() => {
                run.text.push_str(cell.symbol());
                run.to = x + 1;
            }
            _ => runs.push(Run {
                from: x,
                to: x + 1,
                text: cell.symbol().to_owned(),
                cell: cell.clone(),
            }),
        }
    }
    runs
}

fn row(buf: &Buffer, y: u16) -> impl Iterator<Item = &Cell> {
    (buf.area.left()..buf.area.right()).map(move |x| &buf[(x, y)])
}

fn style(cell: &Cell) -> String {
    let mut parts = Vec::new();
    parts.extend(hex(cell.fg));
    parts.extend(hex(cell.bg).map(|it| format!("on {it}")));
    parts.extend(cell.modifier.iter_names().map(|(name, _)| name.to_lowercase()));
    parts.join(" ")
}

fn hex(color: Color) -> Option<String> {
    match color {
        Color::Reset => None,
        Color::Rgb(r, g, b) => Some(format!("#{r:02x}{g:02x}{b:02x}")),
        other => Some(other.to_string()),
    }
}

/// The drawing as a PNG that says from which drawing it was made, so that nobody needs the font
/// to see whether it is the right one.
pub(crate) fn png(svg: &str) -> Vec<u8> {
    let tree = usvg::Tree::from_str(svg, &OPTIONS).unwrap();
    let size = tree.size().to_int_size();
    let mut pixmap = tiny_skia::Pixmap::new(size.width(), size.height()).unwrap();
    resvg::render(&tree, tiny_skia::Transform::default(), &mut pixmap.as_mut());
    let plain = pixmap.encode_png().unwrap();
    let (head, rest) = plain.split_at(PNG_HEAD);
    [head, &origin(svg), rest].concat()
}

/// With every font of the system, which takes long to find.
static OPTIONS: LazyLock<usvg::Options<'_>> = LazyLock::new(|| {
    let mut options = usvg::Options::default();
    options.fontdb_mut().load_system_fonts();
    options
});

/// Whether the PNG was made from that drawing.
pub(crate) fn is_made_from(png: &[u8], svg: &str) -> bool {
    png.get(PNG_HEAD..).is_some_and(|it| it.starts_with(&origin(svg)))
}

/// The signature of eight bytes and the IHDR chunk of 25 (PNG specification, 5.2 and 11.2.2).
const PNG_HEAD: usize = 33;

/// A tEXt chunk (PNG specification, 11.3.4.3) with the SHA-256 of the drawing.
fn origin(svg: &str) -> Vec<u8> {
    let data = format!("tEXtsvg-sha256\0{}", Fingerprint::of(svg.as_bytes()));
    let length = u32::try_from(data.len() - 4).unwrap();
    let sum = crc32(data.as_bytes());
    [&length.to_be_bytes(), data.as_bytes(), &sum.to_be_bytes()].concat()
}

/// PNG specification, annex D.
fn crc32(bytes: &[u8]) -> u32 {
    let step = |crc: u32| if crc & 1 == 1 { 0xedb8_8320 ^ (crc >> 1) } else { crc >> 1 };
    !bytes.iter().fold(u32::MAX, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), |it, _| step(it)))
}
