//! The only reader of the wall clock.

use crate::fleet::Moment;

/// What time it is: the machine's clock, or one fixed moment for tests and pictures.
#[derive(Debug, Clone, Copy, Default)]
pub struct Clock(Option<Moment>);

impl Clock {
    /// A clock that stands still at `moment`.
    pub fn fixed(moment: Moment) -> Self {
        Self(Some(moment))
    }

    /// The time to the microsecond, in RFC 3339 and UTC, as the audit log has it.
    #[expect(clippy::disallowed_methods, reason = "this is the one place that asks")]
    pub fn stamp(self) -> String {
        match self.0.map(|it| jiff::Timestamp::from_second(it.unix())) {
            Some(fixed) => format!("{:.6}", fixed.unwrap_or_default()),
            None => format!("{:.6}", jiff::Timestamp::now()),
        }
    }

    /// The time, to the second.
    #[expect(clippy::disallowed_methods, reason = "this is the one place that asks")]
    pub fn now(self) -> Moment {
        self.0.unwrap_or_else(|| Moment::from_unix(jiff::Timestamp::now().as_second()))
    }
}
