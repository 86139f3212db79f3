//! What clients print when they fail, in plain words: the cause, and the next safe step.

use crate::text::SafeText;

/// What a failure means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// The name of the cause, for tests and filters.
    pub name: &'static str,
    /// The cause.
    pub cause: SafeText,
    /// What to do next, and what not.
    pub next: SafeText,
}

/// Explains what certbot printed, or the text of its log; `None` if nothing known stands in it.
pub fn certbot(output: &str) -> Option<Explanation> {
    let _ = output;
    None
}
