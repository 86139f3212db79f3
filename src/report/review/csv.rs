//! CSV: one line per row of every section, under the same columns.

use std::io::{self, Write};

use super::super::csv::guarded;
use super::Kind;
use crate::review::{Review, date};
use crate::text::SafeText;

pub(super) const KIND: Kind =
    Kind { name: "csv", about: "one line per row, for spreadsheets", write };

fn write(review: &Review, out: &mut dyn Write) -> io::Result<()> {
    let mut table = csv::Writer::from_writer(out);
    table.write_record(COLUMNS)?;
    for section in review.sections() {
        for row in &section.rows {
            let places: Vec<_> = row.at.iter().map(SafeText::as_str).collect();
            table.write_record([
                section.key,
                &row.when.map(date).unwrap_or_default(),
                &guarded(row.what.as_str()),
                &guarded(&places.join("; ")),
                &guarded(row.text.as_str()),
                &guarded(row.known.as_ref().map_or("", SafeText::as_str)),
                &guarded(&row.finding.as_ref().map(ToString::to_string).unwrap_or_default()),
            ])?;
        }
    }
    table.flush()
}

const COLUMNS: [&str; 7] = ["section", "when", "what", "where", "text", "known", "finding"];

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    #[test]
    fn every_row_has_a_line() {
        insta::assert_snapshot!(sample::write(&KIND, &sample::review()));
    }

    #[test]
    fn nothing_is_calculated() {
        let text = sample::write(&KIND, &sample::hostile());
        let mut rows = csv::Reader::from_reader(text.as_bytes());
        let mut seen = 0;
        for record in rows.records() {
            for cell in &record.unwrap() {
                assert!(!cell.starts_with(['=', '+', '-', '@']), "{cell}");
                seen += usize::from(cell.starts_with("'="));
            }
        }
        assert!(seen > 0, "{text}");
    }
}
