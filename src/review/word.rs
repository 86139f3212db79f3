//! What somebody says in a review and what stays of it: about a finding, or that the review is done.

use super::mark::Mark;
use crate::diagnose::{Ack, AckKind, FindingId};
use crate::text::SafeText;

/// Something that is said in a review, to be put on record and kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Word {
    /// This is known, or put off.
    Ack(Ack),
    /// The review is done: what the fleet is now, and the review in one line.
    SignOff(Box<Mark>, SafeText),
    /// What was said about this counts no more.
    TakeBack(FindingId),
}

impl Word {
    /// What it is called in the audit log.
    pub const fn what(&self) -> &'static str {
        match self {
            Self::Ack(it) => match it.kind {
                AckKind::Acknowledged => "finding-acknowledged",
                AckKind::Snoozed => "finding-snoozed",
            },
            Self::SignOff(..) => "review-signed-off",
            Self::TakeBack(_) => "finding-taken-back",
        }
    }

    /// What was done by it, for people.
    pub fn told(&self) -> String {
        match self {
            Self::Ack(it) => format!("{}: {}", it.id, it),
            Self::SignOff(mark, summary) => {
                format!("review {} is signed off: {summary}", mark.number)
            }
            Self::TakeBack(id) => format!("{id}: nothing counts about it any more"),
        }
    }
}
