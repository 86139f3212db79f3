//! What a job printed, line by line and bounded.

use crate::text::SafeText;

/// What a job printed, the newest part of it.
#[derive(Debug, Default)]
pub struct Output {
    pub(super) lines: Vec<SafeText>,
    /// The beginning of a line.
    rest: Vec<u8>,
    /// How many lines were left out at the beginning.
    pub left_out: usize,
}

impl Output {
    /// The lines.
    pub fn lines(&self) -> &[SafeText] {
        &self.lines
    }

    /// Whether nothing was printed.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty() && self.rest.is_empty()
    }

    pub(super) fn last(&self) -> Option<&SafeText> {
        self.lines.iter().rev().find(|it| !it.as_str().trim().is_empty())
    }

    /// Adds a line that is told from here.
    pub(super) fn say(&mut self, text: SafeText) {
        self.end();
        self.lines.push(text);
    }

    /// Takes in what was printed since.
    pub(super) fn take(&mut self, bytes: &[u8]) {
        for piece in bytes.split_inclusive(|it| *it == b'\n') {
            self.rest.extend_from_slice(piece);
            // A line without an end must not grow for ever.
            if piece.ends_with(b"\n") || self.rest.len() > MAX_LINE {
                self.end();
            }
        }
        if self.lines.len() > 2 * MAX_LINES {
            let many = self.lines.len() - MAX_LINES;
            self.lines.drain(..many);
            self.left_out += many;
        }
    }

    /// Ends a line that has no end.
    pub(super) fn end(&mut self) {
        if !self.rest.is_empty() {
            let line = std::mem::take(&mut self.rest);
            let line = line.strip_suffix(b"\n").unwrap_or(&line);
            self.lines.push(SafeText::from_bytes(line.strip_suffix(b"\r").unwrap_or(line)));
        }
    }
}

/// How many lines of output are kept; the whole of it is on the host and beside the audit log.
const MAX_LINES: usize = 5_000;
const MAX_LINE: usize = 8 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_is_cut_into_lines() {
        let mut output = Output::default();
        output.take(b"one\r\ntw");
        output.take(b"o\n\x1b[31mthree");
        assert_eq!(output.last().unwrap(), &"two");
        output.end();
        assert_eq!(output.last().unwrap(), &"^[[31mthree");
    }

    #[test]
    fn endless_output_is_bounded() {
        let mut output = Output::default();
        for _ in 0..100 {
            output.take(&[b'x'; 4096]);
            output.take("y\n".repeat(1000).as_bytes());
        }
        assert!(output.lines.len() <= 2 * MAX_LINES && output.left_out > 0);
        assert!(output.rest.len() <= MAX_LINE + 4096);
    }
}
