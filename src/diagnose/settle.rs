//! One finding per cause: what is only a consequence of something that is said better is not said
//! again.

use super::Finding;

/// The rules that speak of a cause, each with those that then would only tell of its consequences
/// at the same place. A finding that is hidden hides nothing itself.
static HIDES: &[(&str, &[&str])] = &[
    ("key", &["moved-back", "half-done", "drift", "not-delivered"]),
    (
        "moved-back",
        &["expired", "overdue", "due", "unloaded", "drift", "half-done", "not-delivered"],
    ),
    (
        "wrong-lineage",
        &[
            "expired",
            "overdue",
            "due",
            "staging",
            "drift",
            "duplicate",
            "authenticator",
            "renewal-failed",
            "credential",
            "unloaded",
        ],
    ),
    ("staging", &["expired", "overdue", "due", "not-yet-valid", "chain", "drift"]),
    ("drift", &["expired", "overdue", "due"]),
    // Their cause is that failure.
    ("expired", &["renewal-failed"]),
    ("overdue", &["renewal-failed"]),
    ("unknown", &["renewal-failed"]),
    ("renewal-failed", &["due"]),
];

/// Drops the findings of one place that others stand for. The verdict stays the worst: what
/// stands for others has their verdict, if that is worse.
pub(super) fn settle(found: &mut Vec<Finding>) {
    for (cause, consequences) in HIDES {
        if !found.iter().any(|it| it.rule == *cause) {
            continue;
        }
        let worst = found
            .iter()
            .filter(|it| consequences.contains(&it.rule))
            .map(|it| (it.severity, it.verdict))
            .max_by_key(|it| it.1);
        found.retain(|it| !consequences.contains(&it.rule));
        let Some((severity, verdict)) = worst else { continue };
        if let Some(it) = found.iter_mut().find(|it| it.rule == *cause) {
            it.severity = it.severity.max(severity);
            it.verdict = it.verdict.max(verdict);
        }
    }
}
