//! Findings with the same cause, gathered across the fleet: one intermediate, seven places.

use std::collections::HashMap;

use super::Finding;
use crate::fleet::{Severity, Verdict};
use crate::text::SafeText;

/// Findings with the same cause.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause {
    /// The rule that found it, as in [`super::ALL`].
    pub rule: &'static str,
    /// How soon somebody must act: the soonest of all.
    pub severity: Severity,
    /// What it makes of the places.
    pub verdict: Verdict,
    /// What they have in common.
    pub shared: SafeText,
    /// The cause in plain words.
    pub cause: SafeText,
    /// The findings, by their position.
    pub findings: Vec<usize>,
}

/// Gathers findings by what they share, in the order of the findings.
pub fn gather(findings: &[Finding]) -> Vec<Cause> {
    let mut causes: Vec<Cause> = Vec::new();
    let mut known: HashMap<(Severity, Verdict, &str, &str), usize> = HashMap::new();
    for (position, it) in findings.iter().enumerate() {
        let key = (it.severity, it.verdict, it.rule, it.shared.as_str());
        let index = *known.entry(key).or_insert_with(|| {
            causes.push(Cause {
                rule: it.rule,
                severity: it.severity,
                verdict: it.verdict,
                shared: it.shared.clone(),
                cause: it.cause.clone(),
                findings: Vec::new(),
            });
            causes.len() - 1
        });
        if let Some(cause) = causes.get_mut(index) {
            cause.findings.push(position);
        }
    }
    causes
}
