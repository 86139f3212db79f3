//! Markdown, for a wiki or a chat: a heading and a table per section.

use std::io::{self, Write};

use super::Kind;
use crate::review::{Review, Row, Section, date};

pub(super) const KIND: Kind = Kind { name: "md", about: "Markdown, for a wiki or a chat", write };

fn write(review: &Review, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "# Certificate review, {}\n", date(review.at))?;
    let verdicts: Vec<_> =
        review.verdicts.iter().map(|(it, count)| format!("{count} {it}")).collect();
    writeln!(out, "{}\n", escaped(review.summary().as_str()))?;
    if !verdicts.is_empty() {
        writeln!(out, "Verdicts: {}\n", verdicts.join(", "))?;
    }
    for section in review.pages() {
        write_section(&section, out)?;
    }
    Ok(())
}

fn write_section(section: &Section, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "## {}\n\n{}.\n", section.title, escaped(section.about.as_str()))?;
    if section.rows.is_empty() {
        if !section.nothing.is_empty() {
            writeln!(out, "{}\n", section.nothing)?;
        }
        return Ok(());
    }
    let has_dates = section.rows.iter().any(|it| it.when.is_some());
    let (title, rule) = if has_dates { ("| when ", "|---") } else { ("", "") };
    writeln!(out, "{title}| what | where | |\n{rule}|---|---|---|")?;
    for row in &section.rows {
        write_row(row, has_dates, out)?;
    }
    writeln!(out)
}

fn write_row(row: &Row, has_dates: bool, out: &mut dyn Write) -> io::Result<()> {
    if has_dates {
        write!(out, "| {} ", row.when.map(date).unwrap_or_default())?;
    }
    let text = escaped(&row.told());
    let places = escaped(&row.places(PLACES));
    match &row.finding {
        // As it is named on the command line.
        Some(id) => writeln!(
            out,
            "| {} | {places} | {text} (`{}`) |",
            escaped(row.what.as_str()),
            id.to_string().replace(['`', '|'], "?"),
        ),
        None => writeln!(out, "| {} | {places} | {text} |", escaped(row.what.as_str())),
    }
}

/// The places that are named in a row.
const PLACES: usize = 4;

/// Text in which nothing is taken for a mark of Markdown, nor for HTML, which Markdown lets
/// through.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '#' | '~' | '!' => {
                out.push('\\');
                out.push(c);
            }
            _ => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    #[test]
    fn every_section_has_a_table() {
        insta::assert_snapshot!(sample::write(&KIND, &sample::review()));
    }

    #[test]
    fn the_first_review_says_that_it_is() {
        let text = sample::write(&KIND, &sample::first());
        assert!(
            text.contains("This is the first review: there is nothing to compare with"),
            "{text}"
        );
    }

    #[test]
    fn marks_of_others_are_only_text() {
        let text = sample::write(&KIND, &sample::hostile());
        assert!(!text.contains("<script"), "{text}");
        let table = text.lines().filter(|it| it.contains("script"));
        for line in table {
            let bars = line
                .match_indices('|')
                .filter(|(at, _)| *at == 0 || line.as_bytes()[at - 1] != b'\\');
            assert!((4..=5).contains(&bars.count()), "{line}");
        }
        assert_eq!(escaped("a|b_c*[x](y)<b>`"), "a\\|b\\_c\\*\\[x\\](y)&lt;b&gt;\\`");
    }
}
