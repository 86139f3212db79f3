//! The live links lead to an older version than the newest that the CA gave.

use super::sight::{is_placeholder, is_valid, told_sighting};
use super::{Finding, Kind, Subject};
use crate::fleet::{Moment, Severity, Verdict, human};

pub(super) const KIND: Kind = Kind {
    name: "moved-back",
    about: "the live links lead to an older version than the newest",
    advice: "Do not renew: the newest version is in the archive and needs no CA. See first whether somebody rolled back on purpose: the audit log and the history of the host tell. Else lead the links to the newest version again and reload. Do not delete anything below `live` or `archive`.",
    is_about_reach: false,
    check,
};

fn check(subject: &Subject<'_>, now: Moment) -> Option<Finding> {
    let place = subject.place?;
    let disk = place.layers.disk.as_ref()?;
    let issued = place.layers.issued.as_ref()?;
    let (live, newest) = (&disk.chain.leaf, &issued.chain.leaf);
    let is_better = newest.not_after > live.not_after || !is_valid(live, now);
    let is_usable = is_valid(newest, now) && (!is_placeholder(newest) || is_placeholder(live));
    if newest.sha256 == live.sha256 || !is_better || !is_usable {
        return None;
    }
    let (verdict, severity) = if live.not_after < now {
        (Verdict::Expired, Severity::Critical)
    } else if now >= live.renewal_closes() {
        (Verdict::Overdue, Severity::Critical)
    } else {
        (Verdict::Unloaded, Severity::Warning)
    };
    let left = live.left(now);
    let state = if left < 0 {
        format!("expired {} ago", human(-left))
    } else {
        format!("{} left", human(left))
    };
    let is_newest = |it: &&crate::fleet::Version| {
        it.certificate.as_ref().is_some_and(|it| it.sha256 == newest.sha256)
    };
    let number = place.versions.iter().rev().find(is_newest).map(|it| it.number);
    let which = number.map_or_else(|| "a newer version".to_owned(), |it| format!("version {it}"));
    let mut found = Finding::new(
        subject,
        verdict,
        severity,
        format!("the live links lead to an older version ({state}); {which} was issued and is not in use"),
    )
    .evidence(format!("live: {}", told_sighting(disk)))
    .evidence(format!("newest: {}", told_sighting(issued)));
    if let Some(loaded) = &place.layers.loaded {
        found = found.evidence(format!("served: {}", told_sighting(loaded)));
    }
    let cause = match place.last_failure() {
        Some(failure) => {
            found = found.evidence(format!("the client's log: {}", failure.text));
            "A renewal failed after the certificate had come, and the links were moved back."
        }
        None => "The links were moved back, by hand or by something that failed.",
    };
    let rollback = subject.remedy("rollback").why("the newest version is kept here; no order");
    let rollback = match number {
        Some(number) => rollback.choose("to", number.to_string()),
        None => rollback,
    };
    let found = found.cause(cause).remedy(rollback);
    Some(super::unloaded::then_reload(found, subject, now))
}

#[cfg(test)]
mod tests {
    use super::super::sample::*;

    const NAMES: &[&str] = &["www.example.net"];

    #[test]
    fn links_that_were_moved_back_are_led_forward() {
        let (old, new) = (signed(leaf("old", NAMES, 90, 5)), signed(leaf("new", NAMES, 90, 89)));
        let mut it = renewed("www", &old, new.clone());
        it.layers.disk = Some(sighting(&live("www"), old.clone()));
        let mut host = host("web-01", vec![it]);
        nginx(&mut host, NAMES, &live("www"), &old);
        let expected = "moved-back critical overdue web-01/www: rollback web-01/www --to 2; reload web-01/www --server nginx";
        check([host.clone()], expected);
        // Whether the process has the old one or still the new one, it is one cause.
        let mut before = host.clone();
        serve(&mut before, probe(NAMES[0], "127.0.0.1:443", new));
        check([before], expected);
        serve(&mut host, probe(NAMES[0], "127.0.0.1:443", old));
        check([host], expected);
    }

    #[test]
    fn a_test_certificate_is_not_newer() {
        let old = signed(leaf("old", NAMES, 90, 80));
        let mut test = leaf("test", NAMES, 90, 89);
        test.issuer = crate::text::SafeText::new("CN=(STAGING) Puzzling Parsnip E7");
        let mut it = renewed("www", &old, signed(test));
        it.layers.disk = Some(sighting(&live("www"), old));
        check([host("web-01", vec![it])], "");
    }
}
