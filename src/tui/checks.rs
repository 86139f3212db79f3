//! What was looked at before an order, as far as it is known: kept for the screen that shows it.

use crate::fleet::{Moment, Weight};
use crate::guide::Looked;
use crate::perform::preflight::Progress;
use crate::preflight::{ALL, Case, Client, Kind, Outcome, Verdict, worst};
use crate::text::SafeText;

use super::rows::RowId;

/// Which look it is, counted in this console.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChecksId(u64);

/// The looks of this console, as many of the last as anybody goes back to.
#[derive(Debug, Default)]
pub struct Looks {
    all: Vec<Checks>,
    next: u64,
}

/// One look: the checks of one certificate.
#[derive(Debug)]
pub struct Checks {
    /// Which it is.
    pub id: ChecksId,
    /// The certificate.
    pub row: RowId,
    /// Its host and lineage, as commands take them.
    pub target: String,
    /// When it began.
    pub began: Moment,
    /// What would be ordered, from whom.
    pub about: Option<SafeText>,
    /// Why nothing could be looked at.
    pub refused: Option<SafeText>,
    /// Whether all is done.
    pub is_over: bool,
    verdicts: Vec<(&'static Kind, Verdict)>,
}

impl Looks {
    /// A look begins.
    pub fn begin(&mut self, row: RowId, target: String, began: Moment) -> ChecksId {
        let id = ChecksId(self.next);
        self.next += 1;
        if self.all.len() == MOST {
            self.all.remove(0);
        }
        let verdicts = Vec::new();
        let checks =
            Checks { id, row, target, began, about: None, refused: None, is_over: false, verdicts };
        self.all.push(checks);
        id
    }

    /// The look of that number, as long as it is kept.
    pub fn find(&self, id: ChecksId) -> Option<&Checks> {
        self.all.iter().find(|it| it.id == id)
    }

    /// The look of that number as guided runs know it.
    pub(super) fn looked(&self, about: &str, id: ChecksId) -> Option<Looked> {
        let Checks { refused, is_over, verdicts, .. } = self.find(id)?;
        let (about, refused) = (about.to_owned(), refused.clone());
        Some(Looked { about, refused, verdicts: verdicts.clone(), is_over: *is_over })
    }

    /// Takes in what a look tells.
    pub fn take(&mut self, id: ChecksId, progress: Progress) {
        let Some(checks) = self.all.iter_mut().find(|it| it.id == id) else { return };
        match progress {
            Progress::Began { case, .. } => checks.about = Some(about(&case)),
            Progress::Checked { kind, verdict, .. } => checks.verdicts.push((kind, verdict)),
            Progress::Refused { refusal, .. } => {
                let text = format!("{}; {}", refusal.text, refusal.hint);
                checks.refused = Some(SafeText::new(&text));
                checks.is_over = true;
            }
            Progress::Ended { .. } => checks.is_over = true,
            Progress::Visited(_) => {}
        }
    }

    /// Nothing more comes of a look.
    pub fn end(&mut self, id: ChecksId) {
        if let Some(checks) = self.all.iter_mut().find(|it| it.id == id) {
            checks.is_over = true;
        }
    }

    /// Whether something is being looked at.
    pub fn is_busy(&self) -> bool {
        self.all.iter().any(|it| !it.is_over)
    }
}

impl Checks {
    /// What a check says, once it says something.
    pub fn verdict(&self, kind: &Kind) -> Option<&Verdict> {
        self.verdicts.iter().find(|it| it.0.name == kind.name).map(|it| &it.1)
    }

    /// How it is altogether, in words.
    pub fn summary(&self) -> String {
        if let Some(why) = &self.refused {
            return why.to_string();
        }
        let count = |outcome| self.verdicts.iter().filter(|it| it.1.outcome == outcome).count();
        let told = Outcome::ALL.iter().filter_map(|it| {
            let count = count(*it);
            (count > 0).then(|| format!("{count} {}", word(*it)))
        });
        let told = told.collect::<Vec<_>>().join(", ");
        let open = ALL.len().saturating_sub(self.verdicts.len());
        match (self.is_over, open) {
            (false, 1..) => format!("looking at {open} more: {told}"),
            _ => told,
        }
    }

    /// How it is altogether, for a sign.
    pub fn weight(&self) -> Weight {
        match (&self.refused, self.verdicts.is_empty()) {
            (Some(_), _) | (None, true) => Weight::Unknown,
            (None, false) => weight(worst(self.verdicts.iter().map(|it| &it.1))),
        }
    }
}

/// The word for an outcome.
pub const fn word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::NotNeeded => "not needed",
        other => other.name(),
    }
}

/// How an outcome is drawn.
pub const fn weight(outcome: Outcome) -> Weight {
    match outcome {
        Outcome::Failed => Weight::Wrong,
        Outcome::NotNeeded | Outcome::Ok => Weight::Fine,
        Outcome::Unknown => Weight::Unknown,
        Outcome::Warning => Weight::Due,
    }
}

fn about(case: &Case) -> SafeText {
    let by = match case.client {
        Client::OnHost(source) => source,
        Client::Us => "certdeck",
    };
    let first = case.names().next().unwrap_or_default();
    let more = case.proofs.len().saturating_sub(1);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    SafeText::new(&format!("{first}{more}; by {by} from {}", case.ca.host()))
}

/// So many looks are kept.
const MOST: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::HostName;

    fn row() -> RowId {
        RowId::Host(HostName::new("web-01"))
    }

    #[test]
    fn a_look_fills_and_is_forgotten_after_many_others() {
        let mut looks = Looks::default();
        let first = looks.begin(row(), "web-01/a".to_owned(), Moment::default());
        let kind = &ALL[0];
        let verdict = Verdict::unknown("nobody answers");
        looks.take(first, Progress::Checked { at: 0, kind, verdict });
        let checks = looks.find(first).unwrap();
        assert_eq!(checks.summary(), format!("looking at {} more: 1 unknown", ALL.len() - 1));
        assert_eq!(checks.weight(), Weight::Unknown);
        assert!(looks.is_busy());
        looks.end(first);
        assert_eq!(looks.find(first).unwrap().summary(), "1 unknown");
        assert!(!looks.is_busy());
        for _ in 0..MOST {
            looks.begin(row(), String::new(), Moment::default());
        }
        assert!(looks.find(first).is_none());
    }
}
