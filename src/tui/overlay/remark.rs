//! What is to be said in a review: about findings, with a reason and an end, or that it is done.
//! The word that confirms it is typed.

use crossterm::event::{KeyCode, KeyEvent};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::field::Field;
use super::{Answer, Overlay, READING, Under, sheet};
use crate::diagnose::{Ack, AckKind, Finding, FindingId};
use crate::fleet::{DAY, Moment, Severity, Verdict, Weight, seconds};
use crate::review::{Mark, Review, Word};
use crate::text::SafeText;
use crate::tui::desk::Desk;
use crate::tui::part::detail;

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::tui) enum Asked {
    /// To say that findings are known.
    Acknowledge,
    /// To sign off the review.
    SignOff,
    /// To put off findings.
    Snooze,
    /// To take back what was said.
    TakeBack,
}

impl Asked {
    /// What is typed to confirm it.
    pub(in crate::tui) const fn word(self) -> &'static str {
        match self {
            Self::Acknowledge => "acknowledge",
            Self::SignOff => "sign off",
            Self::Snooze => "snooze",
            Self::TakeBack => "take back",
        }
    }

    const fn title(self) -> &'static str {
        match self {
            Self::Acknowledge => "Acknowledge",
            Self::SignOff => "Sign off the review",
            Self::Snooze => "Snooze",
            Self::TakeBack => "Take back what was said",
        }
    }
}

/// What is being said.
#[derive(Debug)]
pub(in crate::tui) struct Remark {
    asked: Asked,
    findings: Vec<About>,
    /// The fields above the confirmation.
    entries: Vec<Entry>,
    /// Which of them is typed into; one more is the confirmation.
    at: usize,
    typed: Field,
}

/// A finding as it was when it was asked about.
#[derive(Debug)]
struct About {
    id: FindingId,
    severity: Severity,
    verdict: Verdict,
    summary: SafeText,
}

#[derive(Debug)]
struct Entry {
    title: &'static str,
    about: &'static str,
    field: Field,
}

impl Remark {
    /// Asks for what is to be said about these findings, or about the whole review.
    pub(in crate::tui) fn new(asked: Asked, findings: &[&Finding]) -> Self {
        let entry = |title, about, text: &str| Entry { title, about, field: Field::new(text) };
        let entries = match asked {
            Asked::Acknowledge | Asked::Snooze => vec![
                entry("Reason", "why", ""),
                entry("Until", "a day, 2027-01-10, or for how long: 3d, 2w", "1w"),
            ],
            Asked::SignOff => vec![entry("Note", "what is to be said of it", "")],
            Asked::TakeBack => Vec::new(),
        };
        let chosen = findings.iter().filter(|it| asked != Asked::TakeBack || it.ack.is_some());
        let about = |it: &&Finding| About {
            id: it.id(),
            severity: it.severity,
            verdict: it.verdict,
            summary: it.summary.clone(),
        };
        let findings = match asked {
            Asked::SignOff => Vec::new(),
            _ => chosen.map(about).collect(),
        };
        Self { asked, findings, entries, at: 0, typed: Field::default() }
    }

    fn text(&self, title: &str) -> &str {
        let entry = self.entries.iter().find(|it| it.title == title);
        entry.map_or("", |it| it.field.text().trim())
    }

    /// Until when it counts, or what is wrong with that.
    fn until(&self, now: Moment) -> Result<Moment, String> {
        let text = self.text("Until");
        let length = || seconds(text).map(|it| now.plus(it));
        let until = Moment::parse(text).or_else(length);
        let until = until.ok_or_else(|| format!("until: `{text}` is no time"))?;
        if (1..=YEAR).contains(&until.since(now)) {
            Ok(until)
        } else {
            Err(format!("until: {until} is not within the next year"))
        }
    }

    /// What would be put on record now, or what is missing.
    fn words(&self, desk: &Desk) -> Result<Vec<Word>, String> {
        let now = desk.now;
        let kind = match self.asked {
            Asked::Acknowledge => AckKind::Acknowledged,
            Asked::Snooze => AckKind::Snoozed,
            Asked::TakeBack => {
                return Ok(self.findings.iter().map(|it| Word::TakeBack(it.id.clone())).collect());
            }
            Asked::SignOff => {
                let number = desk.mark.as_ref().map_or(0, |it| it.number) + 1;
                let mark = Mark::of(&desk.fleet, number, now, &desk.who, self.text("Note"));
                let summary = desk.review.as_ref().map(Review::summary).unwrap_or_default();
                return Ok(vec![Word::SignOff(Box::new(mark), summary)]);
            }
        };
        let reason = self.text("Reason");
        if reason.is_empty() {
            return Err("a reason is missing".to_owned());
        }
        let until = self.until(now)?;
        let word = |it: &About| {
            Word::Ack(Ack {
                id: it.id.clone(),
                kind,
                until,
                reason: SafeText::new(reason),
                who: SafeText::new(&desk.who),
                at: now,
                severity: it.severity,
                verdict: it.verdict,
            })
        };
        Ok(self.findings.iter().map(word).collect())
    }

    /// Why nothing can be confirmed now.
    fn closed(desk: &Desk, under: &Under<'_>) -> Option<String> {
        if under.arming.is_armed(desk.now) {
            return None;
        }
        Some(under.arming.bar().map_or_else(
            || "read-only: esc, then :arm 15m lets things be changed".to_owned(),
            |bar| format!("nothing can be changed: {bar}"),
        ))
    }

    fn type_in(&mut self, key: KeyEvent, desk: &Desk, under: &Under<'_>) -> Answer {
        if let Some(entry) = self.entries.get_mut(self.at) {
            entry.field.key(key);
            return Answer::Stay;
        }
        if let Some(why) = Self::closed(desk, under) {
            return Answer::Say(why);
        }
        if !self.typed.key(key) || self.typed.text() != self.asked.word() {
            return Answer::Stay;
        }
        let words = if under.seen < READING {
            Err("that was faster than anybody reads: the last key once more".to_owned())
        } else {
            self.words(desk)
        };
        match words {
            Ok(words) => Answer::Put(self.asked, words),
            Err(why) => {
                self.typed = Field::default();
                Answer::Say(why)
            }
        }
    }

    fn lines(&self, desk: &Desk) -> Vec<Line<'static>> {
        let page = desk.page();
        let plain =
            |text: &str| Line::from(vec![Span::raw(" "), Span::raw(page.shown(text).into_owned())]);
        let mut lines: Vec<_> = self
            .findings
            .iter()
            .take(FEW)
            .map(|it| plain(&format!("{}: {}", it.id, it.summary)))
            .collect();
        if let more @ 1.. = self.findings.len().saturating_sub(FEW) {
            lines.push(plain(&format!("and {more} more")));
        }
        lines.push(plain(match self.asked {
            Asked::Acknowledge | Asked::Snooze => {
                "It stays what it is and where it is, marked with this, until then or until it \
                 gets worse."
            }
            Asked::SignOff => {
                "The next review is compared with the fleet as it is now. It is on record who has \
                 signed off."
            }
            Asked::TakeBack => "It counts no more.",
        }));
        if let Some(review) = desk.review.as_ref().filter(|_| self.asked == Asked::SignOff) {
            lines.push(plain(review.summary().as_str()));
        }
        lines
    }

    fn field_line(&self, number: usize, entry: &Entry, desk: &Desk) -> Line<'static> {
        let theme = &desk.theme;
        let is_at = number == self.at;
        let mark = if is_at { theme.glyphs().selected } else { " " };
        let style = if is_at { theme.title() } else { theme.text() };
        let mut line =
            Line::from(vec![Span::styled(mark, theme.key()), sheet::column(entry.title, 8, style)]);
        let text = entry.field.text();
        if is_at {
            line.extend(entry.field.line(None, theme).spans);
        } else {
            line.push_span(Span::styled(desk.page().shown(text).into_owned(), theme.text()));
        }
        if text.is_empty() {
            line.push_span(Span::styled(format!("  {}", entry.about), theme.dim()));
        }
        line
    }

    fn question(&self, desk: &Desk, under: &Under<'_>) -> Line<'static> {
        let theme = &desk.theme;
        if let Some(why) = Self::closed(desk, under) {
            let why = desk.page().shown(&why).into_owned();
            return Line::styled(format!(" {why}"), theme.weight(Weight::Wrong));
        }
        let is_at = self.at >= self.entries.len();
        let mark = if is_at { theme.glyphs().selected } else { " " };
        let mut line = Line::from(vec![
            Span::styled(mark, theme.key()),
            Span::styled("Type  ", theme.text()),
            Span::styled(self.asked.word(), theme.title()),
            Span::styled("  to go on:  ", theme.text()),
        ]);
        if is_at {
            line.extend(self.typed.line(None, theme).spans);
        }
        line
    }
}

impl Overlay for Remark {
    fn key(&mut self, key: KeyEvent, desk: &mut Desk, under: &Under<'_>) -> Answer {
        match key.code {
            KeyCode::Esc => return Answer::CloseAnd("nothing was said".to_owned()),
            KeyCode::Enter | KeyCode::Down | KeyCode::Tab => {
                self.at = (self.at + 1).min(self.entries.len());
            }
            KeyCode::Up | KeyCode::BackTab => self.at = self.at.saturating_sub(1),
            _ => return self.type_in(key, desk, under),
        }
        Answer::Stay
    }

    fn paste(&mut self, text: &str, _desk: &mut Desk) -> bool {
        // A confirmation is typed.
        self.entries.get_mut(self.at).map(|it| it.field.paste(text)).is_some()
    }

    fn is_guarded(&self) -> bool {
        true
    }

    fn hints(&self) -> &'static [(&'static str, &'static str)] {
        &[("enter", "next field"), ("up", "back"), ("esc", "say nothing")]
    }

    fn draw(&self, desk: &Desk, under: &Under<'_>, area: Rect, buf: &mut Buffer) {
        let theme = &desk.theme;
        let width = area.width.min(90);
        let lines = self.lines(desk);
        let fields = u16::try_from(self.entries.len()).unwrap_or(u16::MAX);
        let taken = detail::height(&lines, width.saturating_sub(2));
        let size = (width, taken.saturating_add(fields).saturating_add(4));
        let title = match self.findings.len() {
            0 | 1 => self.asked.title().to_owned(),
            many => format!("{} {many} findings", self.asked.title()),
        };
        let room = sheet::lay(&title, size, theme, area, buf);
        // What is typed is seen in the smallest window as well.
        let below = fields.saturating_add(2).min(room.height);
        let text = Rect { height: room.height - below, ..room };
        detail::draw(&lines, 0, &desk.page(), text, buf);
        let first = room.height.saturating_sub(below.saturating_sub(1));
        for (row, (number, entry)) in (first..).zip(self.entries.iter().enumerate()) {
            sheet::put(row, &self.field_line(number, entry, desk), room, buf);
        }
        sheet::put(room.height.saturating_sub(1), &self.question(desk, under), room, buf);
    }
}

/// The findings that are named.
const FEW: usize = 4;
/// The longest that something counts, in seconds.
const YEAR: i64 = 366 * DAY;
