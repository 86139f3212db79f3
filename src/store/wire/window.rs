//! Renewal windows in the snapshot.

use serde::{Deserialize, Serialize};

use super::{Text, safe, text_if};
use crate::fleet::{Fingerprint, Moment, Window};

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct WireWindow {
    of: [u8; 32],
    start: i64,
    end: i64,
    explanation: Option<Text>,
    asked_at: i64,
}

impl WireWindow {
    pub(super) fn of(it: &Window) -> Self {
        Self {
            of: *it.of.digest(),
            start: it.start.unix(),
            end: it.end.unix(),
            explanation: text_if(it.explanation.as_ref()),
            asked_at: it.asked_at.unix(),
        }
    }

    pub(super) fn window(self) -> Window {
        Window {
            of: Fingerprint::from_digest(self.of),
            start: Moment::from_unix(self.start),
            end: Moment::from_unix(self.end),
            explanation: safe(self.explanation),
            asked_at: Moment::from_unix(self.asked_at),
        }
    }
}
