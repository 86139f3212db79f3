//! Certificates by how much of their life is left.

use super::{EDGE, Kind, PRODUCTION, STAGING};
use crate::fleet::{DAY, HOUR};
use crate::practice::authority::{Ca, KeyKind};
use crate::practice::certbot::{self, Authenticator, Certbot, HookFile, Lineage};
use crate::practice::stage::Stage;
use crate::practice::words::Failure;
use crate::practice::{Error, nginx};

pub(super) const FINE: Kind = Kind {
    name: "fine",
    about: "nothing to do: a wildcard and two names, renewed in good time",
    host: "edge-fra-1",
    groups: EDGE,
    build: |stage| {
        install(
            stage,
            vec![
                Lineage {
                    left: 68 * DAY,
                    ..Lineage::new(&["*.cdn.example.net", "cdn.example.net"])
                },
                Lineage { left: 51 * DAY, ..Lineage::new(&["www.example.net", "example.net"]) },
            ],
        )?;
        certbot::endpoint(stage, "www.example.net", nginx::PORT, certbot::ON_THE_HOST);
        Ok(())
    },
};

pub(super) const OVERDUE: Kind = Kind {
    name: "overdue",
    about: "renewal has failed for weeks: the CA cannot fetch the challenge",
    host: "edge-fra-2",
    groups: EDGE,
    build: |stage| {
        install(
            stage,
            vec![
                Lineage {
                    left: 39 * HOUR,
                    failure: Some(Failure::NotFound),
                    ..Lineage::new(&["api.example.net"])
                },
                Lineage { left: 72 * DAY, ..Lineage::new(&["status.example.net"]) },
            ],
        )
    },
};

pub(super) const EXPIRED: Kind = Kind {
    name: "expired",
    about: "expired this night: the name has no address any more",
    host: "edge-ams-1",
    groups: EDGE,
    build: |stage| {
        install(
            stage,
            vec![
                Lineage {
                    left: -5 * HOUR,
                    failure: Some(Failure::NoSuchName),
                    ..Lineage::new(&["legacy.example.org"])
                },
                Lineage { left: 44 * DAY, ca: Ca::Second, ..Lineage::new(&["www.example.org"]) },
            ],
        )
    },
};

pub(super) const DUE: Kind = Kind {
    name: "due",
    about: "inside its renewal window; one attempt has met a busy port",
    host: "mail-hel-1",
    groups: PRODUCTION,
    build: |stage| {
        Certbot {
            service: "postfix",
            hooks: &[HookFile {
                path: "deploy/10-reload-postfix.sh",
                mode: 0o755,
                text: "#!/bin/sh\nsystemctl reload postfix\n",
            }],
            ..Certbot::new(vec![
                Lineage {
                    left: 27 * DAY + 21 * HOUR,
                    authenticator: Authenticator::Standalone,
                    failure: Some(Failure::PortBusy),
                    ..Lineage::new(&["smtp.example.com"])
                },
                Lineage {
                    left: 29 * DAY + 20 * HOUR,
                    authenticator: Authenticator::Standalone,
                    ..Lineage::new(&["imap.example.com", "pop.example.com"])
                },
            ])
        }
        .install(stage)
    },
};

pub(super) const FORTY_FIVE_DAYS: Kind = Kind {
    name: "45 days",
    about: "certificates that live for 45 days; nginx will not reload, so hooks will fail",
    host: "edge-sin-1",
    groups: EDGE,
    build: |stage| {
        let short = |names: &[&str], left: i64| Lineage {
            life: 45 * DAY,
            left,
            versions: 4,
            ..Lineage::new(names)
        };
        // Somebody deleted the lineage and not the site.
        let gone = ["fullchain", "privkey"]
            .map(|it| format!("{}/live/old.example.sg/{it}.pem", certbot::ETC));
        nginx::add_site(stage, "old", &["old.example.sg".into()], nginx::PORT, &gone)?;
        install(
            stage,
            vec![
                short(&["shop.example.sg"], 34 * DAY + 12 * HOUR),
                short(&["pay.example.sg", "checkout.example.sg"], 19 * DAY),
            ],
        )?;
        certbot::endpoint(stage, "pay.example.sg", nginx::PORT, certbot::ON_THE_HOST);
        Ok(())
    },
};

pub(super) const SIX_DAYS: Kind = Kind {
    name: "6 days",
    about: "certificates that live for 160 hours, and a certbot that is too old for them",
    host: "edge-iad-1",
    groups: EDGE,
    build: |stage| {
        let short = |names: &[&str], left: i64| Lineage {
            life: 160 * HOUR,
            left,
            versions: 6,
            ..Lineage::new(names)
        };
        install(
            stage,
            vec![
                short(&["live.example.net"], 131 * HOUR),
                // Became due since the timer's last run.
                short(&["push.example.net"], 77 * HOUR),
            ],
        )
    },
};

pub(super) const NOT_YET_VALID: Kind = Kind {
    name: "not yet valid",
    about: "a certificate whose life begins in six hours",
    host: "stage-fra-2",
    groups: STAGING,
    build: |stage| {
        install(
            stage,
            vec![
                Lineage {
                    left: 90 * DAY + 6 * HOUR,
                    versions: 1,
                    ..Lineage::new(&["next.stage.example.net"])
                },
                Lineage { left: 63 * DAY, ..Lineage::new(&["stage.example.net"]) },
            ],
        )
    },
};

pub(super) const RSA: Kind = Kind {
    name: "rsa",
    about: "nothing to do: an RSA key, and a CA that is down for whoever tries",
    host: "web-fra-1",
    groups: PRODUCTION,
    build: |stage| {
        install(
            stage,
            vec![
                Lineage { left: 75 * DAY, key: KeyKind::Rsa, ..Lineage::new(&["old.example.com"]) },
                Lineage {
                    left: 57 * DAY,
                    ca: Ca::Second,
                    failure: Some(Failure::CaDown),
                    ..Lineage::new(&["shop.example.de", "shop.example.fr", "shop.example.nl"])
                },
                Lineage { left: 33 * DAY, ..Lineage::new(&["news.example.com"]) },
            ],
        )
    },
};

fn install(stage: &mut Stage<'_>, lineages: Vec<Lineage>) -> Result<(), Error> {
    Certbot::new(lineages).install(stage)
}
