//! The stretch of time that a timeline shows, and the ways to move it. Its width in cells is
//! given with each question, so that it survives a resize.

use crate::fleet::{DAY, HOUR, Moment};
use crate::tui::rows::Rows;

/// A stretch of time of one of the lengths of the ladder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    start: Moment,
    seconds: i64,
}

/// Which way to zoom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Zoom {
    /// Less time, more detail.
    In,
    /// More time.
    Out,
}

impl Window {
    /// Every length, the shortest first: from a day's work to the longest life of a public
    /// certificate before March 2026 (CA/Browser Forum baseline requirements, 6.3.2).
    pub const LADDER: [i64; 10] = [
        6 * HOUR,
        24 * HOUR,
        3 * DAY,
        7 * DAY,
        14 * DAY,
        30 * DAY,
        60 * DAY,
        100 * DAY,
        200 * DAY,
        398 * DAY,
    ];

    /// A window as long as the step of the ladder that holds `seconds`.
    pub fn new(start: Moment, seconds: i64) -> Self {
        let [.., longest] = Self::LADDER;
        let fits = Self::LADDER.into_iter().find(|it| *it >= seconds);
        Self { start, seconds: fits.unwrap_or(longest) }
    }

    /// What a console opens with: sixty days with the present at a quarter.
    pub fn around(now: Moment) -> Self {
        Self::new(now, 60 * DAY).now_at_quarter(now)
    }

    /// Its first moment.
    pub const fn start(&self) -> Moment {
        self.start
    }

    /// Its last moment.
    pub const fn end(&self) -> Moment {
        self.start.plus(self.seconds)
    }

    /// Its length in seconds.
    pub const fn seconds(&self) -> i64 {
        self.seconds
    }

    /// One step shorter or longer, with `around` staying where it is on the screen.
    #[must_use]
    pub fn zoom(self, zoom: Zoom, around: Moment) -> Self {
        let longer = Self::LADDER.into_iter().find(|it| *it > self.seconds);
        let shorter = Self::LADDER.into_iter().rev().find(|it| *it < self.seconds);
        let next = match zoom {
            Zoom::In => shorter,
            Zoom::Out => longer,
        };
        let Some(seconds) = next else { return self };
        let before = share(around.since(self.start), seconds, self.seconds);
        Self { start: around.plus(before.saturating_neg()), seconds }
    }

    /// The shortest window that shows the present and every end, as far as the ladder goes.
    #[must_use]
    pub fn fit(rows: &Rows, now: Moment) -> Self {
        let [.., longest] = Self::LADDER;
        let Some((first, last)) = rows.ends() else { return Self::around(now) };
        // What ended long ago or ends beyond the longest window does not decide.
        let first = first.min(now).max(now.plus(-longest / 4));
        let last = last.max(now).min(first.plus(longest));
        let needed = last.since(first).saturating_mul(9) / 8;
        let fitted = Self::new(first, needed.max(DAY));
        Self { start: first.plus(-fitted.seconds / 16), ..fitted }
    }

    /// With the present at a quarter of the width.
    #[must_use]
    pub const fn now_at_quarter(self, now: Moment) -> Self {
        Self { start: now.plus(-self.seconds / 4), seconds: self.seconds }
    }

    /// Moved by so many eighths of its length; to the past if negative.
    #[must_use]
    pub const fn pan(self, eighths: i64) -> Self {
        Self {
            start: self.start.plus((self.seconds / 8).saturating_mul(eighths)),
            seconds: self.seconds,
        }
    }

    /// Moved just as far as is needed to show that moment.
    #[must_use]
    pub fn showing(self, moment: Moment) -> Self {
        if moment < self.start {
            return Self { start: moment, ..self };
        }
        let beyond = moment.since(self.end()).saturating_add(1);
        if beyond > 0 { Self { start: self.start.plus(beyond), ..self } } else { self }
    }

    /// The moment at the left edge of a cell, when the window is `width` cells wide.
    pub fn moment_at(&self, column: u16, width: u16) -> Moment {
        self.start.plus(share(i64::from(column), self.seconds, i64::from(width.max(1))))
    }

    /// In which half of a cell a moment lies, counted from the left edge; negative before it.
    pub fn half_of(&self, moment: Moment, width: u16) -> i64 {
        share(moment.since(self.start), 2 * i64::from(width), self.seconds)
    }

    /// In which cell a moment lies, if it is one of the window's.
    pub fn column_of(&self, moment: Moment, width: u16) -> Option<u16> {
        let column = u16::try_from(self.half_of(moment, width).div_euclid(2)).ok()?;
        (column < width).then_some(column)
    }

    /// The labels of the axis: the cell where each begins, and the seconds from now it stands for.
    pub fn ticks(&self, now: Moment, width: u16) -> Vec<(u16, i64)> {
        if width == 0 {
            return Vec::new();
        }
        let cells = |step: i64| share(step, i64::from(width), self.seconds);
        let longer = (2..).map(|it| it * 90 * DAY);
        let Some(step) = STEPS.into_iter().chain(longer).find(|it| cells(*it) >= LABEL) else {
            return Vec::new();
        };
        let first = self.start.since(now).div_euclid(step);
        let count = self.seconds / step + 1;
        (0..=count)
            .map(|it| first.saturating_add(it).saturating_mul(step))
            .filter_map(|it| Some((self.column_of(now.plus(it), width)?, it)))
            .collect()
    }
}

/// How far apart labels of an axis may be; beyond, it is some quarters of a year.
const STEPS: [i64; 10] =
    [HOUR, 3 * HOUR, 6 * HOUR, 12 * HOUR, DAY, 2 * DAY, 7 * DAY, 14 * DAY, 30 * DAY, 90 * DAY];

/// How many cells a label needs with the room after it.
const LABEL: i64 = 9;

/// `part × of ÷ whole`, rounded down, whatever the size of the numbers.
fn share(part: i64, of: i64, whole: i64) -> i64 {
    let exact = (i128::from(part) * i128::from(of)).div_euclid(i128::from(whole.max(1)));
    i64::try_from(exact).unwrap_or(if exact < 0 { i64::MIN } else { i64::MAX })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::sample::NOW;

    fn window() -> Window {
        Window::around(NOW)
    }

    #[test]
    fn zooming_keeps_the_moment_where_it_is() {
        for width in [40, 97, 160] {
            let around = NOW.plus(9 * DAY);
            let mut zoomed = window();
            for zoom in [Zoom::In, Zoom::In, Zoom::Out, Zoom::In, Zoom::Out, Zoom::Out, Zoom::Out] {
                zoomed = zoomed.zoom(zoom, around);
                let moved = zoomed.half_of(around, width) - window().half_of(around, width);
                assert!(moved.abs() <= 1, "{moved} at {width}");
            }
            assert_eq!(zoomed.seconds(), 100 * DAY);
        }
    }

    #[test]
    fn the_ladder_ends_at_both_ends() {
        let step = |zoom| (0..20).fold(window(), |it, _| it.zoom(zoom, NOW)).seconds();
        assert_eq!(step(Zoom::In), 6 * HOUR);
        assert_eq!(step(Zoom::Out), 398 * DAY);
    }

    #[test]
    fn the_present_is_at_a_quarter() {
        assert_eq!(window().column_of(NOW, 80), Some(20));
        assert_eq!(window().pan(8).start(), window().end());
        assert_eq!(window().pan(-1).column_of(NOW, 80), Some(30));
        assert_eq!(window().pan(40).now_at_quarter(NOW), window());
    }

    #[test]
    fn a_moment_is_shown_by_the_smallest_move() {
        assert_eq!(window().showing(NOW), window());
        let late = window().end().plus(5 * DAY);
        assert_eq!(window().showing(late).column_of(late, 80), Some(79));
        let early = window().start().plus(-5 * DAY);
        assert_eq!(window().showing(early).column_of(early, 80), Some(0));
    }

    #[test]
    fn columns_and_moments_agree() {
        for width in [1, 7, 80, 250] {
            for column in 0..width {
                let moment = window().moment_at(column, width).plus(1);
                assert_eq!(window().column_of(moment, width), Some(column), "{width}");
            }
        }
    }

    #[test]
    fn labels_are_apart_and_count_from_now() {
        for seconds in Window::LADDER {
            for width in [30, 64, 160] {
                let window = Window::new(NOW, seconds).now_at_quarter(NOW);
                let ticks = window.ticks(NOW, width);
                assert!(ticks.iter().any(|it| it.1 == 0), "{seconds} {width} {ticks:?}");
                assert!(ticks.windows(2).all(|it| it[1].0 - it[0].0 >= 9), "{seconds} {ticks:?}");
            }
        }
    }

    #[test]
    fn no_moment_is_too_far() {
        for far in [i64::MIN, i64::MAX, 253_402_300_799] {
            let far = Moment::from_unix(far);
            assert_eq!(window().column_of(far, 80), None);
            let moved = window().zoom(Zoom::In, far).pan(i64::MAX / 8).showing(far);
            assert!(moved.ticks(NOW, 80).len() <= 10);
            assert!(moved.now_at_quarter(far).end() >= moved.now_at_quarter(far).start());
        }
    }
}
