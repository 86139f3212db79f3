//! The next hundred days as a picture: renewals by day as they are due and as a spread would have
//! them, and below the axis what ends. Drawn from data into SVG; colours are the page's.

use std::fmt::Write as _;

use super::html::escaped;
use crate::fleet::{DAY, Weight};
use crate::review::{DAYS, EndingKind, Review, date};

/// The picture.
pub(super) fn svg(review: &Review) -> String {
    let (expected, spread) = (review.herd.expected(), review.herd.spread());
    let most = expected.iter().chain(&spread).copied().max().unwrap_or(0).max(1);
    let total: usize = expected.iter().sum();
    let mut out = String::new();
    let told = format!(
        "Renewals by day from {} on: {total} in {DAYS} days, at most {most} on one day",
        date(review.herd.from)
    );
    let _ = writeln!(
        out,
        "<svg class=\"timeline\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" \
         aria-label=\"{0}\"><title>{0}</title>",
        escaped(&told)
    );
    scale(most, &mut out);
    for (day, count) in expected.iter().enumerate().filter(|it| *it.1 > 0) {
        let high = height(*count, most);
        let _ = writeln!(
            out,
            "<rect class=\"due\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{high}\"><title>{}: {count} due</title></rect>",
            x(day) + 1,
            BASE - high,
            CELL - 2,
            date(review.herd.day(day)),
        );
    }
    line(&spread, most, &mut out);
    axis(review, &mut out);
    ends(review, &mut out);
    out.push_str("</svg>\n");
    out
}

/// Lines for the most and for half of it.
fn scale(most: usize, out: &mut String) {
    let mut marks = vec![most];
    if most > 1 {
        marks.push(most / 2);
    }
    for count in marks {
        let y = BASE - height(count, most);
        let _ = writeln!(
            out,
            "<path class=\"grid\" d=\"M{LEFT} {y}H{}\"/><text x=\"{}\" y=\"{}\" text-anchor=\"end\">{count}</text>",
            x(DAYS),
            LEFT - 6,
            y + 4,
        );
    }
}

/// The spread, as a line of steps.
fn line(spread: &[usize], most: usize, out: &mut String) {
    let mut path = format!("M{LEFT} {BASE}");
    for (day, count) in spread.iter().enumerate() {
        let _ = write!(path, "V{}H{}", BASE - height(*count, most), x(day + 1));
    }
    let _ = writeln!(out, "<path class=\"spread\" d=\"{path}V{BASE}\"/>");
}

fn axis(review: &Review, out: &mut String) {
    let _ = writeln!(out, "<path class=\"axis\" d=\"M{LEFT} {BASE}H{}\"/>", x(DAYS));
    for day in (0..=DAYS).step_by(20) {
        let anchor = match day {
            0 => "start",
            DAYS => "end",
            _ => "middle",
        };
        let _ = writeln!(
            out,
            "<path class=\"axis\" d=\"M{0} {BASE}v6\"/><text x=\"{0}\" y=\"{1}\" text-anchor=\"{anchor}\">{2}</text>",
            x(day),
            BASE + 20,
            date(review.herd.day(day)),
        );
    }
    for day in (0..DAYS).step_by(5) {
        let _ = writeln!(out, "<path class=\"axis\" d=\"M{} {BASE}v3\"/>", x(day));
    }
}

/// What ends: a row for certificates, one for all else.
fn ends(review: &Review, out: &mut String) {
    let rows = [("certificates", EndingKind::Leaf), ("all else", EndingKind::Told)];
    for (title, kind) in rows {
        let y = if kind == EndingKind::Leaf { LEAVES } else { OTHERS };
        let _ = writeln!(
            out,
            "<text class=\"label\" x=\"{LEFT}\" y=\"{}\">{title} end</text>\
             <path class=\"grid\" d=\"M{LEFT} {y}H{}\"/>",
            y - 10,
            x(DAYS)
        );
    }
    for it in &review.endings {
        let day = it.on.since(review.herd.from).div_euclid(DAY).max(0);
        let Ok(day) = usize::try_from(day) else { continue };
        let y = if it.kind == EndingKind::Leaf { LEAVES } else { OTHERS };
        let is_renewed = it.renews.is_some_and(|it| it > review.at);
        let (class, size) = match (it.on <= review.at, is_renewed) {
            (true, _) => (class(Weight::Expired), 6),
            (false, true) => (class(Weight::Fine), 3),
            (false, false) => (class(Weight::Due), 5),
        };
        let center = x(day.min(DAYS)) + CELL / 2;
        // A shape for each, so that nothing is said by colour alone.
        let shape = match class {
            "fine" => format!("<circle class=\"{class}\" cx=\"{center}\" cy=\"{y}\" r=\"{size}\">"),
            "expired" => format!(
                "<path class=\"{class}\" d=\"M{0} {1}l{2} {2}m0 -{2}l-{2} {2}\">",
                center - size,
                y - size,
                2 * size,
            ),
            _ => format!(
                "<path class=\"{class}\" d=\"M{center} {}l{size} {}h-{}z\">",
                y - size,
                2 * size,
                2 * size,
            ),
        };
        let end = if shape.starts_with("<circle") { "circle" } else { "path" };
        let _ = writeln!(
            out,
            "{shape}<title>{} {} {}</title></{end}>",
            date(it.on),
            it.kind.word(),
            escaped(it.name.as_str()),
        );
    }
}

/// The class of what weighs so much.
pub(super) const fn class(weight: Weight) -> &'static str {
    match weight {
        Weight::Fine => "fine",
        Weight::Due => "warn",
        Weight::Unknown => "unknown",
        Weight::Wrong => "wrong",
        Weight::Expired => "expired",
    }
}

/// Where a day begins.
const fn x(day: usize) -> usize {
    LEFT + day * CELL
}

fn height(count: usize, most: usize) -> usize {
    count * (BASE - TOP) / most
}

const WIDTH: usize = 980;
const HEIGHT: usize = 300;
const LEFT: usize = 50;
const TOP: usize = 16;
/// Where the axis is.
const BASE: usize = 190;
const LEAVES: usize = 242;
const OTHERS: usize = 282;
/// How wide a day is.
const CELL: usize = 9;

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    #[test]
    fn every_day_with_a_renewal_has_a_bar() {
        let review = sample::review();
        let picture = svg(&review);
        let days = review.herd.expected().iter().filter(|it| **it > 0).count();
        assert!(days > 2);
        assert_eq!(picture.matches("<rect class=\"due\"").count(), days);
        let drawn = ["class=\"fine\"", "class=\"warn\"", "class=\"expired\""];
        let marks: usize = drawn.iter().map(|it| picture.matches(it).count()).sum();
        assert_eq!(marks, review.endings.len());
    }

    #[test]
    fn nothing_is_drawn_outside_and_an_empty_fleet_has_an_axis() {
        for review in [sample::review(), sample::first()] {
            let picture = svg(&review);
            assert!(picture.contains("class=\"axis\""));
            let numbers = |key: &str, most: usize| {
                for part in picture.split(key).skip(1) {
                    let number: usize = part.split('"').next().unwrap().parse().unwrap();
                    assert!(number <= most, "{key}{number}");
                }
            };
            for (key, most) in [(" x=\"", WIDTH), (" cx=\"", WIDTH), (" y=\"", HEIGHT)] {
                numbers(key, most);
            }
        }
    }

    #[test]
    fn it_is_sound_xml() {
        for review in [sample::review(), sample::first(), sample::hostile()] {
            let picture = svg(&review);
            let opened = picture.matches("<title>").count();
            assert_eq!(opened, picture.matches("</title>").count());
            assert!(!picture.contains("<script"), "{picture}");
        }
    }
}
