//! The certificate can no longer stand for a client, as its predecessor could.

use super::sight::told_leaf;
use super::{Finding, Kind, Subject};
use crate::fleet::{Moment, Severity, Verdict};

pub(super) const KIND: Kind = Kind {
    name: "usage",
    about: "the certificate lost its usage for clients",
    advice: "Services that log in elsewhere with this certificate (mutual TLS between servers, SMTP relays, XMPP) are refused since the renewal. A renewal brings nothing back: public authorities do not issue this usage any more. Use a certificate of your own authority for such connections.",
    is_about_reach: false,
    check,
};

fn check(subject: &Subject<'_>, _now: Moment) -> Option<Finding> {
    let place = subject.place?;
    let disk = place.layers.disk.as_ref()?;
    let leaf = &disk.chain.leaf;
    if leaf.is_for_clients {
        return None;
    }
    let kept = place.versions.iter().filter_map(|it| it.certificate.as_deref());
    let before =
        kept.filter(|it| it.not_before < leaf.not_before).max_by_key(|it| it.not_before)?;
    before.is_for_clients.then(|| {
        Finding::new(
            subject,
            Verdict::Ok,
            Severity::Info,
            "the last renewal took away its usage for clients",
        )
        .evidence(format!("before: {}, for servers and clients", told_leaf(before)))
        .evidence(format!("now: {}, for servers alone", told_leaf(leaf)))
        .cause("Public authorities stopped to issue certificates for clients in 2026.")
    })
}

#[cfg(test)]
mod tests {
    use super::super::sample::*;

    #[test]
    fn only_the_renewal_that_took_it_away_is_told() {
        let names = &["www.example.net"];
        let mut old = leaf("old", names, 90, 20);
        old.is_for_clients = true;
        let new = signed(leaf("new", names, 90, 85));
        check(
            [host("web-01", vec![renewed("www", &signed(old), new.clone())])],
            "usage info ok web-01/www:",
        );
        let old = signed(leaf("old", names, 90, 20));
        check([host("web-01", vec![renewed("www", &old, new)])], "");
    }
}
