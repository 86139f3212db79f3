//! The client would renew, but it cannot prove control with nobody at the keyboard.

use super::remedy::Remedy;
use super::{Finding, Kind, Subject};
use crate::fleet::{Moment, Place, Renewal, Severity, Verdict};
use crate::text::SafeText;

pub(super) const KIND: Kind = Kind {
    name: "authenticator",
    about: "the certificate cannot be renewed unattended",
    advice: "It will not renew by itself, and the emergency in which it was made is the next one's cause. Convert it to a method that needs nobody, and prove it with a dry run. Do not order it by hand again.",
    is_about_reach: false,
    check,
};

fn check(subject: &Subject<'_>, _now: Moment) -> Option<Finding> {
    let renewal = subject.place?.renewal.as_ref()?;
    let finding = |text: &str| Finding::new(subject, Verdict::Automation, Severity::Warning, text);
    if !renewal.is_unattended {
        let method = renewal.authenticator.clone().unwrap_or_default();
        return Some(
            finding("it was issued by hand and cannot renew by itself")
                .evidence(format!("authenticator = {method}, without a hook that answers for it"))
                .cause("A certificate made in an emergency was never handed over to automation.")
                .remedy(convert(subject))
                .remedies(&["issue"]),
        );
    }
    (!renewal.is_enabled).then(|| {
        finding("its renewal is switched off")
            .evidence("autorenew = False in its renewal configuration")
            .cause("The client skips this certificate.")
    })
}

/// Hands it over to the method by which another lineage of the host renews, or to one that needs
/// nothing, if that is free. Else somebody must choose.
fn convert(subject: &Subject<'_>) -> Remedy {
    let remedy = subject.remedy("convert");
    let Some(place) = subject.place else { return remedy };
    let leaf = place.layers.disk.as_ref().map(|it| &it.chain.leaf);
    let is_wild = leaf.is_some_and(|it| it.names.iter().any(|it| it.as_str().starts_with("*.")));
    let others = subject.host.places.iter().filter(|it| it.source == place.source);
    let unattended = others.filter_map(|it| Some((it, it.renewal.as_ref()?)));
    let fits = |it: &&(&Place, &Renewal)| {
        let method = it.1.authenticator.as_ref().map_or("", SafeText::as_str);
        // Wildcards can be proven in the DNS only (RFC 8555, section 7.1.3, and the CA's rules).
        let can_prove = !is_wild || method.starts_with("dns-");
        let is_whole = method != "webroot" || it.1.webroot.is_some();
        it.1.is_unattended && it.1.is_enabled && !method.is_empty() && can_prove && is_whole
    };
    if let Some((other, renewal)) = unattended.into_iter().find(|it| fits(&it)) {
        let method = renewal.authenticator.as_ref().map_or("", SafeText::as_str);
        let why = format!("{} renews like that on this host; proven by a dry run", other.name);
        let remedy = remedy.choose("authenticator", method).why(why);
        return match renewal.webroot.as_ref().filter(|_| method == "webroot") {
            Some(folder) => remedy.choose("webroot", folder.as_str()),
            None => remedy,
        };
    }
    let listeners = &subject.host.listeners;
    let is_free = !listeners.is_empty() && listeners.iter().all(|it| it.port != HTTP);
    if is_free && !is_wild {
        let why = "nothing listens at port 80 of the host; proven by a dry run";
        return remedy.choose("authenticator", "standalone").why(why);
    }
    remedy
}

/// Where the CA looks (RFC 8555, section 8.3).
const HTTP: u16 = 80;

#[cfg(test)]
mod tests {
    use super::super::sample::*;
    use crate::fleet::{Listen, Place};
    use crate::text::SafeText;

    fn manual(names: &[&str]) -> Place {
        let mut it = place("www", signed(leaf("www", names, 90, 80)));
        let renewal = it.renewal.as_mut().unwrap();
        renewal.authenticator = Some(SafeText::new("manual"));
        renewal.is_unattended = false;
        it
    }

    #[test]
    fn what_was_issued_by_hand_is_handed_over() {
        let names = &["www.example.net"];
        let mut host = host("web-01", vec![manual(names)]);
        let expected = |more: &str| {
            format!(
                "authenticator warning automation web-01/www: convert web-01/www{more}; issue web-01/www"
            )
        };
        check([host.clone()], &expected(""));
        host.listeners = vec![Listen { address: "192.0.2.1".parse().unwrap(), port: 443 }];
        check([host.clone()], &expected(" --authenticator standalone"));
        let mut other = place("shop", signed(leaf("shop", &["shop.example.net"], 90, 80)));
        other.renewal.as_mut().unwrap().webroot = Some(SafeText::new("/var/www/html"));
        host.places.push(other);
        check([host.clone()], &expected(" --authenticator webroot --webroot /var/www/html"));
        host.places[0] = manual(&["*.example.net"]);
        check([host], &expected(""));
    }
}
