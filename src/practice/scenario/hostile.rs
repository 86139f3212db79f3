//! A host that attacks whoever looks at it: with its banner, its login, its names and its log.

use super::{INTERNAL, Kind};
use crate::fleet::DAY;
use crate::practice::certbot::{Certbot, HookFile, Lineage};
use crate::practice::words::{ATTACK, Failure};

pub(super) const KIND: Kind = Kind {
    name: "hostile",
    about: "escape sequences, clipboard writes and turned-around text wherever a host has a say",
    host: "guest-rio-1",
    groups: INTERNAL,
    build: |stage| {
        stage.manner.banner = Some(format!("{ATTACK}\r\nwelcome\r\n"));
        stage.manner.noise = ATTACK.repeat(FLOOD / ATTACK.len()).into_bytes();
        let name = format!("{ATTACK}.pem").replace('/', "|");
        stage.file(&format!("etc/letsencrypt/live/{name}/cert.pem"), 0o644, ATTACK)?;
        stage.file(&format!("etc/letsencrypt/renewal/{name}.conf"), 0o644, ATTACK)?;
        Certbot {
            hooks: &[HookFile { path: HOOK, mode: 0o755, text: "#!/bin/sh\n" }],
            ..Certbot::new(vec![Lineage {
                left: 24 * DAY,
                subject: Some(ATTACK),
                failure: Some(Failure::Hostile),
                ..Lineage::new(&["guest.example.net"])
            }])
        }
        .install(stage)
    },
};

const HOOK: &str = "deploy/10-\u{1b}]52;c;b3duZWQ=\u{7}\u{202e}.sh";

/// How much a login prints on each of stdout and stderr.
const FLOOD: usize = 64 * 1024;
