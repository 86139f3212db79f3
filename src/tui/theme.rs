//! Colours, emphasis and glyphs by what they mean. Screens ask for a role, never for a colour.
//! Every meaning has a glyph and a word beside its colour.
//!
//! # Adding a theme
//! One function that returns its [`Palette`] and one entry in [`ALL`]. The tests measure contrast
//! and what people with colour blindness can tell apart.

use ratatui::style::{Color, Modifier, Style};

use crate::fleet::Weight;

/// Every theme, the default first.
pub static ALL: &[Kind] = &[
    Kind { name: "dark", about: "for dark terminals", palette: dark },
    Kind { name: "light", about: "for light terminals", palette: light },
    Kind { name: "mono", about: "bold, reverse and underline only", palette: |_| MONO },
    Kind { name: "high-contrast", about: "pure black and bright colours", palette: high_contrast },
];

/// A theme that can be chosen.
#[derive(Debug)]
pub struct Kind {
    /// Its name in `--theme` and in the configuration.
    pub name: &'static str,
    /// One line for people.
    pub about: &'static str,
    palette: fn(Depth) -> Palette,
}

/// How many colours the terminal can show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// 24-bit colours.
    True,
    /// The sixteen colours that the terminal's owner has chosen.
    Ansi16,
    /// None at all, as with `NO_COLOR`.
    None,
}

/// How things look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Theme {
    /// Its name, as in [`ALL`].
    pub name: &'static str,
    palette: Palette,
    glyphs: &'static Glyphs,
}

impl Theme {
    /// The theme of that name; `None` if there is none. Without colours, every theme is the
    /// monochrome one.
    pub fn named(name: &str, depth: Depth, is_ascii: bool) -> Option<Self> {
        let kind = ALL.iter().find(|it| it.name == name)?;
        let palette = if depth == Depth::None { MONO } else { (kind.palette)(depth) };
        let glyphs = if is_ascii { &ASCII } else { &UNICODE };
        Some(Self { name: kind.name, palette, glyphs })
    }

    /// The glyphs.
    pub const fn glyphs(&self) -> &'static Glyphs {
        self.glyphs
    }

    /// What everything is drawn on: the style that a frame is filled with first.
    pub const fn base(&self) -> Style {
        self.palette.base
    }

    /// Ordinary text.
    pub const fn text(&self) -> Style {
        Style { bg: None, ..self.palette.base }
    }

    /// Text that matters less.
    pub const fn dim(&self) -> Style {
        self.palette.dim
    }

    /// Lines and ticks, which are seen rather than read.
    pub const fn faint(&self) -> Style {
        self.palette.faint
    }

    /// Headings and what is selected.
    pub const fn title(&self) -> Style {
        self.palette.title
    }

    /// The program's name in the header.
    pub const fn badge(&self) -> Style {
        self.palette.badge
    }

    /// That nothing can be changed now.
    pub const fn calm(&self) -> Style {
        self.palette.calm
    }

    /// That changes are possible now.
    pub const fn alarm(&self) -> Style {
        self.palette.alarm
    }

    /// That nothing here is real: no other part has these colours.
    pub const fn practice(&self) -> Style {
        self.palette.practice
    }

    /// A key that can be pressed.
    pub const fn key(&self) -> Style {
        self.palette.title
    }

    /// What is laid over the selected row.
    pub const fn selected(&self) -> Style {
        self.palette.selected
    }

    /// The line of the present.
    pub const fn now(&self) -> Style {
        self.palette.now
    }

    /// The part of a text that a complaint is about.
    pub const fn culprit(&self) -> Style {
        self.palette.culprit
    }

    /// Everything of that weight.
    pub const fn weight(&self, weight: Weight) -> Style {
        let palette = &self.palette;
        match weight {
            Weight::Fine => palette.fine,
            Weight::Due => palette.due,
            Weight::Unknown => palette.unknown,
            Weight::Wrong => palette.wrong,
            Weight::Expired => palette.expired,
        }
    }
}

/// The styles of a theme, by role.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Palette {
    base: Style,
    dim: Style,
    faint: Style,
    title: Style,
    badge: Style,
    calm: Style,
    alarm: Style,
    practice: Style,
    selected: Style,
    now: Style,
    culprit: Style,
    fine: Style,
    due: Style,
    unknown: Style,
    wrong: Style,
    expired: Style,
}

/// The characters things are drawn with; each is one cell wide.
#[derive(Debug, PartialEq, Eq)]
pub struct Glyphs {
    /// The part of a life that has passed: left half, right half, both.
    pub lived: [&'static str; 3],
    /// The part of a life that is left: left half, right half, both.
    pub left: [&'static str; 3],
    /// A life that passes into what is left within one cell.
    pub passing: &'static str,
    /// Time since the end: left half, right half, both.
    pub since: [&'static str; 3],
    /// Renewal is due from here.
    pub due: &'static str,
    /// The end.
    pub end: &'static str,
    /// The end of an intermediate, before that of the leaf.
    pub chain_end: &'static str,
    /// It goes on to the left.
    pub before: &'static str,
    /// It goes on to the right.
    pub after: &'static str,
    /// The present, where nothing else is.
    pub now: &'static str,
    /// The present on a life.
    pub now_on: &'static str,
    /// The cursor on the axis.
    pub cursor: &'static str,
    /// The cursor where nothing else is.
    pub cursor_line: &'static str,
    /// Before a text that stands where a life would be.
    pub silence: &'static str,
    /// Beside the selected row.
    pub selected: &'static str,
    /// Beside a marked row.
    pub marked: &'static str,
    /// Before a group that is folded.
    pub folded: &'static str,
    /// Before a group that is open.
    pub open: &'static str,
    /// Where text is cut off.
    pub cut: &'static str,
    /// A level line.
    pub rule: &'static str,
    /// Nothing to show here.
    pub none: &'static str,
    /// Between parts of a line.
    pub dot: &'static str,
    /// Between steps.
    pub arrow: &'static str,
    /// Between a width and a height.
    pub by: &'static str,
    /// Heights of a histogram; empty where digits stand instead.
    pub heights: &'static [&'static str],
    weights: [&'static str; 5],
}

impl Glyphs {
    /// The sign of a weight.
    pub const fn weight(&self, weight: Weight) -> &'static str {
        let [fine, due, unknown, wrong, expired] = self.weights;
        match weight {
            Weight::Fine => fine,
            Weight::Due => due,
            Weight::Unknown => unknown,
            Weight::Wrong => wrong,
            Weight::Expired => expired,
        }
    }
}

static UNICODE: Glyphs = Glyphs {
    lived: ["╴", "╶", "─"],
    left: ["╸", "╺", "━"],
    passing: "╼",
    since: ["╸", "╺", "╍"],
    due: "┿",
    end: "┫",
    chain_end: "╫",
    before: "‹",
    after: "›",
    now: "┊",
    now_on: "╋",
    cursor: "▼",
    cursor_line: "╎",
    silence: "┄┄┄",
    selected: "▌",
    marked: "✓",
    folded: "▸",
    open: "▾",
    cut: "…",
    rule: "─",
    none: "–",
    dot: "·",
    arrow: "→",
    by: "×",
    heights: &["▁", "▂", "▃", "▅", "▇"],
    weights: ["●", "▲", "?", "◆", "✖"],
};

static ASCII: Glyphs = Glyphs {
    lived: ["-", "-", "-"],
    left: ["=", "=", "="],
    passing: "=",
    since: [".", ".", "."],
    due: "+",
    end: "]",
    chain_end: "%",
    before: "<",
    after: ">",
    now: ":",
    now_on: "|",
    cursor: "v",
    cursor_line: ":",
    silence: "...",
    selected: ">",
    marked: "*",
    folded: "+",
    open: "-",
    cut: "~",
    rule: "-",
    none: "-",
    dot: "-",
    arrow: ">",
    by: "x",
    heights: &[],
    weights: ["=", "~", "?", "!", "X"],
};

const PLAIN: Style = Style::new();
const BOLD: Style = PLAIN.add_modifier(Modifier::BOLD);

const MONO: Palette = Palette {
    base: PLAIN,
    dim: PLAIN,
    faint: PLAIN,
    title: BOLD,
    badge: BOLD.add_modifier(Modifier::REVERSED),
    calm: BOLD,
    alarm: BOLD.add_modifier(Modifier::REVERSED),
    practice: BOLD.add_modifier(Modifier::REVERSED),
    selected: BOLD,
    now: PLAIN,
    culprit: PLAIN.add_modifier(Modifier::UNDERLINED),
    fine: PLAIN,
    due: BOLD,
    unknown: BOLD,
    wrong: BOLD,
    expired: BOLD,
};

const fn rgb(hex: u32) -> Color {
    Color::from_u32(hex)
}

fn dark(depth: Depth) -> Palette {
    if depth != Depth::True {
        return Palette {
            base: PLAIN,
            dim: PLAIN.fg(Color::Gray),
            faint: PLAIN.fg(Color::DarkGray),
            title: BOLD.fg(Color::White),
            badge: BOLD.fg(Color::Black).bg(Color::Gray),
            calm: BOLD.fg(Color::Cyan),
            alarm: BOLD.fg(Color::Black).bg(Color::LightRed),
            practice: BOLD.fg(Color::Black).bg(Color::LightGreen),
            selected: BOLD,
            now: PLAIN.fg(Color::White),
            culprit: PLAIN.fg(Color::LightRed).add_modifier(Modifier::UNDERLINED),
            fine: PLAIN.fg(Color::Cyan),
            due: PLAIN.fg(Color::LightYellow),
            unknown: PLAIN.fg(Color::White),
            wrong: PLAIN.fg(Color::LightMagenta),
            expired: BOLD.fg(Color::LightRed),
        };
    }
    let base = PLAIN.fg(rgb(0x00d5_dae3)).bg(rgb(0x0016_1a21));
    Palette {
        base,
        dim: PLAIN.fg(rgb(0x0093_9bab)),
        faint: PLAIN.fg(rgb(0x0058_6172)),
        title: BOLD.fg(rgb(0x00ff_ffff)),
        badge: BOLD.fg(rgb(0x0016_1a21)).bg(rgb(0x00d5_dae3)),
        calm: BOLD.fg(rgb(0x0062_c3ce)),
        alarm: BOLD.fg(rgb(0x0016_1a21)).bg(rgb(0x00ff_5f50)),
        practice: BOLD.fg(rgb(0x0016_1a21)).bg(rgb(0x00cc_79a7)),
        selected: BOLD.bg(rgb(0x0023_2936)),
        now: PLAIN.fg(rgb(0x00ff_ffff)),
        culprit: PLAIN.fg(rgb(0x00ff_5f50)).add_modifier(Modifier::UNDERLINED),
        fine: PLAIN.fg(rgb(0x0056_b4e9)),
        due: PLAIN.fg(rgb(0x00f0_e442)),
        unknown: PLAIN.fg(rgb(0x00cd_cdcd)),
        wrong: PLAIN.fg(rgb(0x00e6_8c14)),
        expired: BOLD.fg(rgb(0x00ff_5f50)),
    }
}

fn light(depth: Depth) -> Palette {
    if depth != Depth::True {
        return Palette {
            base: PLAIN,
            dim: PLAIN.fg(Color::DarkGray),
            faint: PLAIN.fg(Color::Gray),
            title: BOLD.fg(Color::Black),
            badge: BOLD.fg(Color::White).bg(Color::Black),
            calm: BOLD.fg(Color::Blue),
            alarm: BOLD.fg(Color::White).bg(Color::Red),
            practice: BOLD.fg(Color::White).bg(Color::Magenta),
            selected: BOLD,
            now: PLAIN.fg(Color::Black),
            culprit: PLAIN.fg(Color::Red).add_modifier(Modifier::UNDERLINED),
            fine: PLAIN.fg(Color::Blue),
            due: BOLD.fg(Color::Black),
            unknown: PLAIN.fg(Color::Magenta),
            wrong: PLAIN.fg(Color::Red),
            expired: BOLD.fg(Color::Red).add_modifier(Modifier::UNDERLINED),
        };
    }
    let base = PLAIN.fg(rgb(0x0024_2932)).bg(rgb(0x00ff_ffff));
    Palette {
        base,
        dim: PLAIN.fg(rgb(0x0060_6875)),
        faint: PLAIN.fg(rgb(0x00a4_aab4)),
        title: BOLD.fg(rgb(0x0000_0000)),
        badge: BOLD.fg(rgb(0x00ff_ffff)).bg(rgb(0x0024_2932)),
        calm: BOLD.fg(rgb(0x0000_6470)),
        alarm: BOLD.fg(rgb(0x00ff_ffff)).bg(rgb(0x00de_1433)),
        practice: BOLD.fg(rgb(0x00ff_ffff)).bg(rgb(0x006a_2c8f)),
        selected: BOLD.bg(rgb(0x00f3_f5f8)),
        now: PLAIN.fg(rgb(0x0000_0000)),
        culprit: PLAIN.fg(rgb(0x00de_1433)).add_modifier(Modifier::UNDERLINED),
        fine: PLAIN.fg(rgb(0x000d_3c4b)),
        due: PLAIN.fg(rgb(0x0059_5207)),
        unknown: PLAIN.fg(rgb(0x00b5_1ed0)),
        wrong: PLAIN.fg(rgb(0x0048_1f04)),
        expired: BOLD.fg(rgb(0x00de_1433)),
    }
}

fn high_contrast(depth: Depth) -> Palette {
    if depth != Depth::True {
        return Palette {
            base: PLAIN.fg(Color::White).bg(Color::Black),
            dim: PLAIN.fg(Color::White),
            faint: PLAIN.fg(Color::Gray),
            fine: PLAIN.fg(Color::LightCyan),
            selected: BOLD.add_modifier(Modifier::REVERSED),
            ..dark(depth)
        };
    }
    Palette {
        base: PLAIN.fg(rgb(0x00ff_ffff)).bg(rgb(0x0000_0000)),
        dim: PLAIN.fg(rgb(0x00dd_dddd)),
        faint: PLAIN.fg(rgb(0x0099_9999)),
        title: BOLD.fg(rgb(0x00ff_ffff)),
        badge: BOLD.fg(rgb(0x0000_0000)).bg(rgb(0x00ff_ffff)),
        calm: BOLD.fg(rgb(0x006f_e7f2)),
        alarm: BOLD.fg(rgb(0x0000_0000)).bg(rgb(0x00ff_8070)),
        practice: BOLD.fg(rgb(0x0000_0000)).bg(rgb(0x00f0_9cd0)),
        selected: BOLD.bg(rgb(0x0000_2d5c)),
        now: PLAIN.fg(rgb(0x00ff_ffff)),
        culprit: PLAIN.fg(rgb(0x00ff_8070)).add_modifier(Modifier::UNDERLINED),
        fine: PLAIN.fg(rgb(0x0063_c6ff)),
        due: PLAIN.fg(rgb(0x00ff_f25c)),
        unknown: PLAIN.fg(rgb(0x00ff_ffff)),
        wrong: PLAIN.fg(rgb(0x00ff_a82e)),
        expired: BOLD.fg(rgb(0x00ff_8070)),
    }
}

#[cfg(test)]
mod tests {
    use unicode_width::UnicodeWidthStr as _;

    use super::*;

    const WEIGHTS: [Weight; 5] =
        [Weight::Fine, Weight::Due, Weight::Unknown, Weight::Wrong, Weight::Expired];

    type Linear = [f64; 3];

    fn colored() -> impl Iterator<Item = Theme> {
        let all = ALL.iter().filter(|it| it.name != "mono");
        all.map(|it| Theme::named(it.name, Depth::True, false).unwrap())
    }

    /// sRGB to linear light (IEC 61966-2-1).
    fn linear(color: Option<Color>) -> Linear {
        let Some(Color::Rgb(r, g, b)) = color else { panic!("{color:?} is not RGB") };
        [r, g, b].map(|it| {
            let it = f64::from(it) / 255.0;
            if it <= 0.04045 { it / 12.92 } else { ((it + 0.055) / 1.055).powf(2.4) }
        })
    }

    /// WCAG 2.2, "contrast ratio".
    fn contrast(a: Linear, b: Linear) -> f64 {
        let luminance = |[r, g, b]: Linear| 0.2126 * r + 0.7152 * g + 0.0722 * b + 0.05;
        let (a, b) = (luminance(a), luminance(b));
        a.max(b) / a.min(b)
    }

    /// What nobody, and what people with protanopia, deuteranopia and tritanopia see: Machado,
    /// Oliveira and Fernandes (2009), severity 1.
    const EYES: [[[f64; 3]; 3]; 4] = [
        [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]],
        [
            [0.152_286, 1.052_583, -0.204_868],
            [0.114_503, 0.786_281, 0.099_216],
            [-0.003_882, -0.048_116, 1.051_998],
        ],
        [
            [0.367_322, 0.860_646, -0.227_968],
            [0.280_085, 0.672_501, 0.047_413],
            [-0.011_820, 0.042_940, 0.968_881],
        ],
        [
            [1.255_528, -0.076_749, -0.178_779],
            [-0.078_411, 0.930_809, 0.147_602],
            [0.004_733, 0.691_367, 0.303_900],
        ],
    ];

    fn seen(eyes: [[f64; 3]; 3], [r, g, b]: Linear) -> Linear {
        eyes.map(|[x, y, z]| (x * r + y * g + z * b).clamp(0.0, 1.0))
    }

    /// CIE 1976 L*a*b* for the white of sRGB, D65.
    fn lab([r, g, b]: Linear) -> [f64; 3] {
        let root = |it: f64| if it > 0.008_856 { it.cbrt() } else { 7.787 * it + 16.0 / 116.0 };
        let red = root((0.4124 * r + 0.3576 * g + 0.1805 * b) / 0.950_47);
        let green = root(0.2126 * r + 0.7152 * g + 0.0722 * b);
        let blue = root((0.0193 * r + 0.1192 * g + 0.9505 * b) / 1.088_83);
        [116.0 * green - 16.0, 500.0 * (red - green), 200.0 * (green - blue)]
    }

    /// Six times what is just noticeable, which is 2.3 (Sharma, 2003): signs are small.
    const APART: f64 = 15.0;

    fn difference(a: Linear, b: Linear) -> f64 {
        let ([l, a1, b1], [m, a2, b2]) = (lab(a), lab(b));
        ((l - m).powi(2) + (a1 - a2).powi(2) + (b1 - b2).powi(2)).sqrt()
    }

    #[test]
    fn everything_that_is_read_has_enough_contrast() {
        for theme in colored() {
            for paper in [theme.base().bg, theme.selected().bg] {
                let paper = linear(paper);
                let others = [theme.text(), theme.dim(), theme.title(), theme.calm()];
                for style in others.into_iter().chain(WEIGHTS.map(|it| theme.weight(it))) {
                    let contrast = contrast(linear(style.fg), paper);
                    assert!(contrast >= 4.5, "{} {style:?}: {contrast:.2}", theme.name);
                }
            }
            for style in [theme.badge(), theme.alarm(), theme.practice()] {
                let contrast = contrast(linear(style.fg), linear(style.bg));
                assert!(contrast >= 4.5, "{} {style:?}: {contrast:.2}", theme.name);
            }
            // WCAG 1.4.11 asks 3 for what is seen and not read; lines only accompany glyphs.
            let lines = contrast(linear(theme.faint().fg), linear(theme.base().bg));
            assert!(lines >= 2.0, "{}: lines {lines:.2}", theme.name);
        }
    }

    #[test]
    fn weights_differ_for_all_eyes() {
        let mut wrong = Vec::new();
        for theme in colored() {
            for (number, eyes) in EYES.into_iter().enumerate() {
                for (index, a) in WEIGHTS.into_iter().enumerate() {
                    for b in WEIGHTS.into_iter().skip(index + 1) {
                        let color = |it| seen(eyes, linear(theme.weight(it).fg));
                        let difference = difference(color(a), color(b));
                        if difference < APART {
                            wrong.push(format!(
                                "{} {number} {a:?} {b:?}: {difference:.1}",
                                theme.name
                            ));
                        }
                    }
                }
            }
        }
        assert!(wrong.is_empty(), "{wrong:#?}");
    }

    #[test]
    fn glyphs_take_one_cell_and_weights_differ() {
        for glyphs in [&UNICODE, &ASCII] {
            let ends = [glyphs.end, glyphs.chain_end, glyphs.due, glyphs.before, glyphs.after];
            let nows =
                [glyphs.now, glyphs.now_on, glyphs.cursor, glyphs.cursor_line, glyphs.passing];
            let signs = [glyphs.selected, glyphs.marked, glyphs.folded, glyphs.open, glyphs.cut];
            let rest = [glyphs.rule, glyphs.none, glyphs.dot, glyphs.arrow, glyphs.by];
            let all = [ends, nows, signs, rest, glyphs.weights].concat();
            let strokes = [glyphs.lived, glyphs.left, glyphs.since].concat();
            for it in all.into_iter().chain(strokes).chain(glyphs.heights.iter().copied()) {
                assert_eq!(it.width(), 1, "{it}");
            }
            let distinct: std::collections::BTreeSet<_> = glyphs.weights.into_iter().collect();
            assert_eq!(distinct.len(), glyphs.weights.len());
        }
    }

    #[test]
    fn an_unknown_theme_is_no_theme() {
        assert_eq!(Theme::named("solarized", Depth::True, false), None);
    }
}
