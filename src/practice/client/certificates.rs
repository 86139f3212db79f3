//! `certbot certificates`: what there is.

use super::host::{Host, Mouth};
use super::lineage::Lineage;
use super::lineages;
use crate::fleet::{DAY, HOUR, Moment};
use crate::practice::authority::KeyKind;
use crate::practice::words::{RENEWAL_ERROR, Voice as _, clock};

/// Lists them.
pub(super) fn list(host: &Host, mouth: &mut Mouth) {
    let (mut found, mut broken) = (Vec::new(), Vec::new());
    for name in lineages(host) {
        if let Some(lineage) = Lineage::read(host, &name) {
            found.push(describe(&lineage, mouth.now()));
        } else {
            let conf = host.etc.join("renewal").join(format!("{name}.conf"));
            mouth.warn(
                RENEWAL_ERROR,
                &format!(
                    "Renewal configuration file {} produced an unexpected error: renewal config \
                     file {{}} is missing a required file reference. Skipping.",
                    conf.display()
                ),
            );
            broken.push(format!("\n  {}", conf.display()));
        }
    }
    let mut parts = Vec::new();
    if found.is_empty() && broken.is_empty() {
        parts.push("No certificates found.".to_owned());
    }
    if !found.is_empty() {
        parts.push(format!("Found the following certs:\n{}", found.join("\n")));
    }
    if !broken.is_empty() {
        let list = broken.concat();
        parts.push(format!("\nThe following renewal configurations were invalid:{list}"));
    }
    mouth.announce(&parts.join("\n"));
}

fn describe(lineage: &Lineage, now: Moment) -> String {
    let certificate = &lineage.certificate;
    let key = match lineage.key() {
        KeyKind::Ecdsa => "ECDSA",
        KeyKind::Rsa => "RSA",
    };
    let left = certificate.not_after.since(now);
    let is_test = certificate.issuer.as_str().contains("STAGING");
    let state = match left {
        _ if is_test => "INVALID: TEST_CERT".to_owned(),
        ..=0 => "INVALID: EXPIRED".to_owned(),
        1..DAY => format!("VALID: {} hour(s)", left / HOUR),
        _ if left < 2 * DAY => "VALID: 1 day".to_owned(),
        _ => format!("VALID: {} days", left / DAY),
    };
    format!(
        "  Certificate Name: {}\n    Serial Number: {}\n    Key Type: {key}\n    Domains: {}\n    \
         Expiry Date: {}+00:00 ({state})\n    Certificate Path: {}\n    Private Key Path: {}",
        lineage.files.name,
        certificate.serial,
        lineage.names.join(" "),
        clock(certificate.not_after),
        lineage.full_chain(),
        lineage.files.path("privkey"),
    )
}
