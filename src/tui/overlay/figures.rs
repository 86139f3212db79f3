//! What this program costs.

use std::time::Duration;

use crossterm::event::KeyEvent;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::{Answer, Overlay, Under, sheet};
use crate::tui::desk::Desk;

/// Figures that the loop takes.
#[derive(Debug, Clone, Copy, Default)]
pub struct Meter {
    /// How long the last frame took to draw and write.
    pub frame: Duration,
    /// How long the last judging of the fleet took.
    pub judge: Duration,
    /// How many frames were drawn.
    pub frames: u64,
    /// How many bytes were written to the terminal.
    pub bytes: u64,
    /// Resident memory in KiB; 0 where it is not known.
    pub memory: u64,
}

/// The overlay with the figures.
#[derive(Debug)]
pub(in crate::tui) struct Figures;

impl Overlay for Figures {
    fn key(&mut self, _key: KeyEvent, _desk: &mut Desk, _under: &Under<'_>) -> Answer {
        Answer::Close
    }

    fn draw(&self, desk: &Desk, under: &Under<'_>, area: Rect, buf: &mut Buffer) {
        let meter = under.meter;
        let lines = [
            ("version", env!("CARGO_PKG_VERSION").to_owned()),
            ("last frame", format!("{:.2} ms", millis(meter.frame))),
            ("last judging", format!("{:.2} ms", millis(meter.judge))),
            ("frames", meter.frames.to_string()),
            ("written", format!("{} bytes", meter.bytes)),
            ("memory", format!("{:.1} MiB", mebibytes(meter.memory))),
            ("hosts", desk.fleet.hosts().len().to_string()),
            ("rows", format!("{} of {}", desk.rows.shown(), desk.rows.total())),
            ("findings", desk.diagnosis.findings.len().to_string()),
        ];
        let height = u16::try_from(lines.len()).unwrap_or(u16::MAX).saturating_add(2);
        let room = sheet::lay("Figures", (46, height), &desk.theme, area, buf);
        for (row, (name, value)) in (0..).zip(&lines) {
            let line = Line::from(vec![
                sheet::column(name, 14, desk.theme.dim()),
                Span::styled(value.clone(), desk.theme.text()),
            ]);
            sheet::put(row, &line, room, buf);
        }
    }
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

#[expect(clippy::cast_precision_loss, reason = "no machine has 2^52 KiB")]
fn mebibytes(kibibytes: u64) -> f64 {
    kibibytes as f64 / 1024.0
}
