//! What a check says: how it is, by what that was seen, and what to do.

use crate::text::SafeText;

/// How something is, from good to bad. What is not known is worse than what can be lived with:
/// it may be anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// It does not matter to this certificate.
    NotNeeded,
    /// It is as it should be.
    Ok,
    /// The CA would issue, and something should be mended all the same.
    Warning,
    /// It could not be told.
    Unknown,
    /// The order would fail, or what comes of it would be of no use.
    Failed,
}

impl Outcome {
    /// All of them, from bad to good.
    pub const ALL: [Self; 5] =
        [Self::Failed, Self::Unknown, Self::Warning, Self::Ok, Self::NotNeeded];

    /// Its name in JSON and on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::NotNeeded => "not-needed",
            Self::Ok => "ok",
            Self::Unknown => "unknown",
            Self::Warning => "warning",
        }
    }
}

/// What a check says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// How it is.
    pub outcome: Outcome,
    /// What matters of the evidence, in one line.
    pub text: SafeText,
    /// All of it, line by line, the worst first.
    pub evidence: Vec<SafeText>,
    /// What to do, line by line.
    pub fix: Vec<SafeText>,
}

impl Verdict {
    pub(super) fn new(outcome: Outcome, text: impl AsRef<str>) -> Self {
        let text = SafeText::new(text.as_ref());
        Self { outcome, text, evidence: Vec::new(), fix: Vec::new() }
    }

    /// It does not matter; why.
    pub(super) fn not_needed(why: impl AsRef<str>) -> Self {
        Self::new(Outcome::NotNeeded, why)
    }

    /// It could not be told; why.
    pub fn unknown(why: impl AsRef<str>) -> Self {
        Self::new(Outcome::Unknown, why)
    }

    #[must_use]
    pub(super) fn evidence(mut self, line: impl AsRef<str>) -> Self {
        self.evidence.push(SafeText::new(line.as_ref()));
        self
    }

    #[must_use]
    pub(super) fn fix(mut self, line: impl AsRef<str>) -> Self {
        self.fix.push(SafeText::new(line.as_ref()));
        self
    }
}

/// What was seen of many things, of which the worst decides.
#[derive(Debug, Default)]
pub(super) struct Tally {
    seen: Vec<(Outcome, String)>,
    fix: Vec<String>,
}

impl Tally {
    pub(super) const fn is_empty(&self) -> bool {
        self.seen.is_empty()
    }

    /// Something that was seen.
    pub(super) fn add(&mut self, outcome: Outcome, line: impl Into<String>) {
        self.seen.push((outcome, line.into()));
    }

    /// Something that was seen, and what to do about it.
    pub(super) fn mend(
        &mut self,
        outcome: Outcome,
        line: impl Into<String>,
        fix: impl Into<String>,
    ) {
        self.add(outcome, line);
        let fix = fix.into();
        if !self.fix.contains(&fix) {
            self.fix.push(fix);
        }
    }

    /// What comes of it; `good` is said where nothing is wrong.
    pub(super) fn verdict(mut self, good: impl AsRef<str>) -> Verdict {
        // The order in which things were seen stays among those that are as bad.
        self.seen.sort_by_key(|it| std::cmp::Reverse(it.0));
        let Some((worst, first)) = self.seen.first() else {
            return Verdict::not_needed(good);
        };
        let text = if *worst <= Outcome::Ok {
            good.as_ref().to_owned()
        } else {
            let alike = self.seen.iter().filter(|it| it.0 == *worst).count();
            let more = if alike > 1 { format!(" (and {} more)", alike - 1) } else { String::new() };
            format!("{first}{more}")
        };
        let verdict = Verdict::new(*worst, text);
        let evidence = self.seen.iter().take(MAX_LINES).map(|it| SafeText::new(&it.1)).collect();
        let fix = self.fix.iter().take(MAX_LINES).map(|it| SafeText::new(it)).collect();
        Verdict { evidence, fix, ..verdict }
    }
}

/// A certificate has a hundred names at the most, each with some addresses.
const MAX_LINES: usize = 400;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_decides_and_comes_first() {
        let mut tally = Tally::default();
        tally.add(Outcome::Ok, "a: fine");
        tally.mend(Outcome::Failed, "b: gone", "leave it out");
        tally.mend(Outcome::Failed, "c: gone", "leave it out");
        tally.add(Outcome::Unknown, "d: silent");
        let verdict = tally.verdict("all fine");
        assert_eq!(
            (verdict.outcome, verdict.text.as_str()),
            (Outcome::Failed, "b: gone (and 1 more)")
        );
        let lines: Vec<_> = verdict.evidence.iter().map(SafeText::as_str).collect();
        assert_eq!(lines, ["b: gone", "c: gone", "d: silent", "a: fine"]);
        assert_eq!(verdict.fix, [SafeText::new("leave it out")]);
    }

    #[test]
    fn what_was_not_looked_at_is_not_good() {
        assert_eq!(Tally::default().verdict("nothing to see").outcome, Outcome::NotNeeded);
        let mut tally = Tally::default();
        tally.add(Outcome::Ok, "a");
        tally.add(Outcome::Unknown, "b");
        assert_eq!(tally.verdict("fine").outcome, Outcome::Unknown);
    }
}
