//! Certificates that no client on the host renews: PEM files that somebody put there.

use super::{INTERNAL, Kind, PRODUCTION};
use crate::fleet::DAY;
use crate::practice::authority::{Ca, Issued};
use crate::practice::stage::Stage;
use crate::practice::{Error, nginx, programs};

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
        add_source(stage, "etc/haproxy/certs/*.pem", "");
        Ok(())
    },
};

pub(super) const NO_INTERMEDIATE: Kind = Kind {
    name: "no intermediate",
    about: "bought certificates; one file lacks the intermediate, so some clients refuse it",
    host: "vpn-hel-1",
    groups: PRODUCTION,
    build: |stage| {
        let mut vpn = stage.issue(Ca::Second, &["vpn.example.com"], 398 * DAY, 174 * DAY)?;
        vpn.chain.clear();
        put(stage, "vpn.example.com", &vpn)?;
        let radius = stage.issue(Ca::Second, &["radius.example.com"], 200 * DAY, 139 * DAY)?;
        put(stage, "radius.example.com", &radius)?;
        serve(stage, &["vpn.example.com", "radius.example.com"], nginx::PORT)
    },
};

pub(super) const EXPIRED_INTERMEDIATE: Kind = Kind {
    name: "expired intermediate",
    about: "the leaf is good for months; the intermediate in its file ended three days ago",
    host: "vpn-fra-1",
    groups: PRODUCTION,
    build: |stage| {
        let mut sso = stage.issue(Ca::Second, &["sso.example.com"], 398 * DAY, 151 * DAY)?;
        stage.lapsed_chain(Ca::Second).clone_into(&mut sso.chain);
        put(stage, "sso.example.com", &sso)?;
        serve(stage, &["sso.example.com"], nginx::PORT)
    },
};

/// Puts a certificate where PEM files lie, with its key beside it.
pub(in crate::practice) fn put(
    stage: &Stage<'_>,
    name: &str,
    issued: &Issued,
) -> Result<(), Error> {
    let full = format!("{}{}", issued.certificate, issued.chain);
    stage.file(&format!("{FOLDER}/{name}.pem"), 0o644, full)?;
    stage.file(&format!("{FOLDER}/{name}.key"), 0o600, &issued.key)
}

/// Has nginx serve these, and tells the inventory of the files.
pub(in crate::practice) fn serve(
    stage: &mut Stage<'_>,
    names: &[&str],
    port: u16,
) -> Result<(), Error> {
    programs::install_nginx(stage)?;
    programs::install_systemd(stage, "nginx")?;
    nginx::configure(stage)?;
    for name in names {
        let files = ["pem", "key"].map(|it| format!("{FOLDER}/{name}.{it}"));
        nginx::add_site(stage, name, &[(*name).to_owned()], port, &files)?;
    }
    nginx::start(stage)?;
    add_source(stage, &format!("{FOLDER}/*.pem"), "  key = \"{dir}/{name}.key\"\n");
    Ok(())
}

fn add_source(stage: &mut Stage<'_>, glob: &str, keys: &str) {
    let source = format!(
        "\n  [[host.source]]\n  kind = \"pem\"\n  paths = [\"{}/{glob}\"]\n{keys}",
        stage.root.display()
    );
    stage.inventory(&source);
}

const FOLDER: &str = "etc/ssl/practice";
