//! The text format of Prometheus (version 0.0.4): made once from what a scan saw, written at any
//! later moment. What counts seconds until something goes on counting between two scans.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, Write};
use std::time::Duration;

use super::{Metric, Scanned};
use crate::fleet::Moment;

/// Metrics of one complete scan. The same ones give the same bytes at the same moment.
#[derive(Debug, Clone, Default)]
pub struct Exposition {
    /// Text, and between it what depends on the moment at which it is written.
    pieces: Vec<Piece>,
}

impl Exposition {
    /// The metrics of what was scanned, in the order of the table, and the samples of each in the
    /// order of their labels.
    pub fn of(scanned: &Scanned<'_>) -> Self {
        let mut made = Self::default();
        for metric in super::ALL {
            let mut samples = Samples { metric, all: BTreeMap::new() };
            (metric.collect)(scanned, &mut samples);
            made.push(metric, samples.all);
        }
        made
    }

    /// Writes them as they are at that moment.
    pub fn write(&self, now: Moment, out: &mut dyn Write) -> io::Result<()> {
        self.pieces.iter().try_for_each(|it| match it {
            Piece::Text(text) => out.write_all(text.as_bytes()),
            Piece::Value(value) => value.write(now, out),
        })
    }

    /// The same in one piece.
    pub fn bytes(&self, now: Moment) -> Vec<u8> {
        let room = |it: &Piece| match it {
            Piece::Text(text) => text.len(),
            Piece::Value(_) => LONGEST_VALUE,
        };
        let mut bytes = Vec::with_capacity(self.pieces.iter().map(room).sum());
        // Memory takes whatever is written to it.
        self.write(now, &mut bytes).ok();
        bytes
    }

    fn push(&mut self, metric: &Metric, samples: BTreeMap<String, Value>) {
        let Metric { name, help, .. } = metric;
        self.text(&format!("# HELP {name} {help}\n# TYPE {name} gauge\n"));
        for (labels, value) in samples {
            self.text(name);
            self.text(&labels);
            self.text(" ");
            match value {
                Value::Number(number) => self.text(&number.to_string()),
                Value::Span(span) => self.text(&span.as_secs_f64().to_string()),
                moving => self.pieces.push(Piece::Value(moving)),
            }
            self.text("\n");
        }
    }

    /// Adds text to the last piece, so that most of a page is one piece.
    fn text(&mut self, more: &str) {
        match self.pieces.last_mut() {
            Some(Piece::Text(text)) => text.push_str(more),
            _ => self.pieces.push(Piece::Text(more.to_owned())),
        }
    }
}

#[derive(Debug, Clone)]
enum Piece {
    Text(String),
    Value(Value),
}

/// What a metric has to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Value {
    /// Seconds until a moment; negative afterwards.
    Left(Moment),
    /// Which part of the time from one moment to another has passed.
    Lived(Moment, Moment),
    /// A number.
    Number(i64),
    /// Seconds that something took.
    Span(Duration),
}

impl Value {
    #[expect(clippy::cast_precision_loss, reason = "a ratio of years in seconds")]
    fn write(self, now: Moment, out: &mut dyn Write) -> io::Result<()> {
        match self {
            Self::Left(end) => write!(out, "{}", end.since(now)),
            Self::Lived(from, to) => {
                write!(out, "{:.6}", now.since(from) as f64 / to.since(from).max(1) as f64)
            }
            Self::Number(number) => write!(out, "{number}"),
            Self::Span(span) => write!(out, "{}", span.as_secs_f64()),
        }
    }
}

/// The samples of one metric.
pub(super) struct Samples<'m> {
    metric: &'m Metric,
    /// By their labels, as they are written.
    all: BTreeMap<String, Value>,
}

impl Samples<'_> {
    /// Takes in a sample. Of two with the same labels the smaller one stays: of what is seen
    /// twice, what ends first matters.
    pub(super) fn add(&mut self, values: &[&str], value: Value) {
        let labels = labels(self.metric.labels, values);
        self.all.entry(labels).and_modify(|it| *it = value.min(*it)).or_insert(value);
    }

    /// The same for a number.
    pub(super) fn number(&mut self, values: &[&str], number: i64) {
        self.add(values, Value::Number(number));
    }

    /// The same for a moment, as seconds since 1970.
    pub(super) fn moment(&mut self, values: &[&str], moment: Moment) {
        self.number(values, moment.unix());
    }
}

/// The labels of a sample; nothing where it has none.
fn labels(names: &[&str], values: &[&str]) -> String {
    let mut text = String::new();
    for (name, value) in names.iter().zip(values) {
        text.push(if text.is_empty() { '{' } else { ',' });
        // Writing to a string does not fail.
        write!(text, "{name}=\"").ok();
        push_escaped(&mut text, value);
        text.push('"');
    }
    if !text.is_empty() {
        text.push('}');
    }
    text
}

/// Label values escape backslash, quote and line feed (Prometheus, "Exposition formats").
fn push_escaped(text: &mut String, value: &str) {
    for c in value.chars() {
        match c {
            '\\' => text.push_str("\\\\"),
            '"' => text.push_str("\\\""),
            '\n' => text.push_str("\\n"),
            c => text.push(c),
        }
    }
}

/// Digits of the farthest moment, with a sign.
const LONGEST_VALUE: usize = 20;

#[cfg(test)]
mod tests {
    use super::*;

    const METRIC: Metric = Metric {
        name: "cert_seconds",
        help: "Of a test.",
        labels: &["a", "b"],
        collect: |_, _| {},
    };

    fn written(samples: &[(&[&str], Value)], now: i64) -> String {
        let mut all = Samples { metric: &METRIC, all: BTreeMap::new() };
        for (values, value) in samples {
            all.add(values, *value);
        }
        let mut made = Exposition::default();
        made.push(&METRIC, all.all);
        let text = String::from_utf8(made.bytes(Moment::from_unix(now))).unwrap();
        text.lines().skip(2).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn what_depends_on_the_moment_goes_on() {
        let at = Moment::from_unix;
        let samples: &[(&[&str], Value)] = &[
            (&["x", "1"], Value::Left(at(100))),
            (&["x", "2"], Value::Lived(at(0), at(200))),
            (&["x", "3"], Value::Number(7)),
            (&["x", "4"], Value::Span(Duration::from_millis(1500))),
        ];
        let line =
            |number: &str, value: &str| format!("cert_seconds{{a=\"x\",b=\"{number}\"}} {value}");
        let fixed = [line("3", "7"), line("4", "1.5")].join("\n");
        let early = [line("1", "50"), line("2", "0.250000"), fixed.clone()].join("\n");
        assert_eq!(written(samples, 50), early);
        let late = [line("1", "-100"), line("2", "1.000000"), fixed].join("\n");
        assert_eq!(written(samples, 200), late);
    }

    #[test]
    fn of_two_with_the_same_labels_the_first_to_end_counts() {
        let left = |it| Value::Left(Moment::from_unix(it));
        let samples: &[(&[&str], Value)] =
            &[(&["x", "1"], left(900)), (&["x", "1"], left(-5)), (&["x", "1"], left(7))];
        assert_eq!(written(samples, 0), "cert_seconds{a=\"x\",b=\"1\"} -5");
    }

    #[test]
    fn labels_are_escaped_and_stand_in_order() {
        let one = Value::Number(1);
        let samples: &[(&[&str], Value)] = &[(&["b", "2"], one), (&["a\\b\"c\nd", "1"], one)];
        let text = "cert_seconds{a=\"a\\\\b\\\"c\\nd\",b=\"1\"} 1\ncert_seconds{a=\"b\",b=\"2\"} 1";
        assert_eq!(written(samples, 0), text);
    }
}
