//! Certificates that no client on the host renews: PEM files that somebody put there.

use super::{INTERNAL, Kind, PRODUCTION};
use crate::fleet::DAY;
use crate::practice::authority::Ca;
use crate::practice::stage::Stage;

pub(super) const PRIVATE_CA: Kind = Kind {
    name: "private CA",
    about: "haproxy's combined files, from the company's own CA, for 398 days",
    host: "lb-fra-1",
    groups: INTERNAL,
    build: |stage| {
        for (name, left) in [("intranet.corp.example", 211), ("vault.corp.example", 352)] {
            let issued = stage.issue(Ca::Private, &[name], 398 * DAY, left * DAY)?;
            let all = format!("{}{}{}", issued.certificate, issued.chain, issued.key);
            stage.file(&format!("etc/haproxy/certs/{name}.pem"), 0o600, all)?;
        }
        add_source(stage, "etc/haproxy/certs/*.pem");
        Ok(())
    },
};

pub(super) const NO_INTERMEDIATE: Kind = Kind {
    name: "no intermediate",
    about: "bought certificates; one file lacks the intermediate, so some clients refuse it",
    host: "vpn-hel-1",
    groups: PRODUCTION,
    build: |stage| {
        let vpn = stage.issue(Ca::Second, &["vpn.example.com"], 398 * DAY, 174 * DAY)?;
        stage.file("etc/ssl/practice/vpn.example.com.pem", 0o644, &vpn.certificate)?;
        let radius = stage.issue(Ca::Second, &["radius.example.com"], 200 * DAY, 139 * DAY)?;
        let full = format!("{}{}", radius.certificate, radius.chain);
        stage.file("etc/ssl/practice/radius.example.com.pem", 0o644, full)?;
        add_source(stage, "etc/ssl/practice/*.pem");
        Ok(())
    },
};

fn add_source(stage: &mut Stage<'_>, glob: &str) {
    let source = format!(
        "\n  [[host.source]]\n  kind = \"pem\"\n  paths = [\"{}/{glob}\"]\n",
        stage.root.display()
    );
    stage.inventory(&source);
}
