//! The client means to renew, and too late.

use super::{Finding, Kind, Subject};
use crate::fleet::{Certificate, Moment, Severity, Verdict, human};

pub(super) const KIND: Kind = Kind {
    name: "planned",
    about: "the client means to renew too late, or at every run",
    advice: "Set the client to renew with the last third of the lifetime, or take the setting out where the client knows that by itself. A number of days that was right for 90-day certificates is wrong for shorter ones.",
    is_about_reach: false,
    check,
};

fn check(subject: &Subject<'_>, now: Moment) -> Option<Finding> {
    let renewal = subject.place?.renewal.as_ref().filter(|it| it.is_enabled)?;
    let planned = renewal.planned?;
    let leaf = &subject.base()?.chain.leaf;
    if planned <= leaf.not_before {
        return Some(at_every_run(subject, leaf, planned));
    }
    // What should have happened by now is another rule's.
    if planned < leaf.renewal_closes() || now >= leaf.renewal_closes() {
        return None;
    }
    let left = leaf.not_after.since(planned);
    let summary = if left <= 0 {
        "the client means to renew it only after it has ended".to_owned()
    } else {
        format!(
            "the client means to renew it with {} left of {}",
            human(left),
            human(leaf.lifetime())
        )
    };
    Some(
        Finding::new(subject, Verdict::Automation, Severity::Warning, summary)
            .evidence(format!("renewal is planned for {planned}; the certificate ends at {}", leaf.not_after))
            .evidence(format!("it should be renewed by {}", leaf.renewal_closes()))
            .cause("Its configuration sets a time that does not fit the lifetime; a single failure is then an outage."),
    )
}

/// It is due from its first moment on, and so is the next.
fn at_every_run(subject: &Subject<'_>, leaf: &Certificate, planned: Moment) -> Finding {
    let lead = human(leaf.not_after.since(planned));
    let summary = format!(
        "the client means to renew it {lead} before its end, which is at every run: it lives {}",
        human(leaf.lifetime())
    );
    Finding::new(subject, Verdict::Automation, Severity::Warning, summary)
        .evidence(format!(
            "renewal is planned for {planned}; the certificate begins only at {}",
            leaf.not_before
        ))
        .cause(
            "Its configuration sets a time that is longer than the certificate lives: every run \
             orders another one, until the limits of the CA are used up.",
        )
}

#[cfg(test)]
mod tests {
    use super::super::sample::*;
    use crate::fleet::DAY;

    #[test]
    fn a_plan_that_leaves_no_time_is_told() {
        let with = |days| {
            let mut it = place("www", signed(leaf("www", &["www.example.net"], 90, 80)));
            it.renewal.as_mut().unwrap().planned = Some(NOW.plus(days * DAY));
            host("web-01", vec![it])
        };
        check([with(79)], "planned warning automation web-01/www:");
        check([with(81)], "planned warning automation web-01/www:");
        check([with(50)], "");
        // 90 days, of which 10 have passed.
        check([with(-9)], "");
        check([with(-10)], "planned warning automation web-01/www:");
        check([with(-60)], "planned warning automation web-01/www:");
    }
}
