//! Certificates that are fine today and will not renew by themselves.

use super::{INTERNAL, Kind, PRODUCTION};
use crate::fleet::DAY;
use crate::practice::certbot::{Authenticator, Certbot, Flaw, HookFile, Lineage, RELOAD, Timer};
use crate::practice::words::Failure;

pub(super) const TIMER_DISABLED: Kind = Kind {
    name: "timer disabled",
    about: "somebody switched certbot's timer off and forgot it; one webroot is gone as well",
    host: "web-ams-1",
    groups: PRODUCTION,
    build: |stage| {
        Certbot {
            timer: Timer::Disabled,
            runs: 0,
            ..Certbot::new(vec![
                Lineage { left: 41 * DAY, ..Lineage::new(&["blog.example.com"]) },
                Lineage {
                    left: 48 * DAY,
                    flaw: Some(Flaw::WebrootGone),
                    ..Lineage::new(&["docs.example.com"])
                },
            ])
        }
        .install(stage)
    },
};

pub(super) const SERVICE_FAILED: Kind = Kind {
    name: "service failed",
    about: "the timer fires, but its last run failed: port 80 is closed",
    host: "web-ams-2",
    groups: PRODUCTION,
    build: |stage| {
        Certbot::new(vec![
            Lineage {
                left: 26 * DAY,
                failure: Some(Failure::Refused),
                ..Lineage::new(&["jobs.example.com"])
            },
            Lineage { left: 66 * DAY, ..Lineage::new(&["press.example.com"]) },
        ])
        .install(stage)
    },
};

pub(super) const HOOK_NOT_EXECUTABLE: Kind = Kind {
    name: "hook not executable",
    about: "the hook that reloads nginx has lost its execute bit, so certbot skips it",
    host: "web-fra-2",
    groups: PRODUCTION,
    build: |stage| {
        Certbot {
            hooks: &[HookFile { path: "deploy/10-reload-nginx.sh", mode: 0o644, text: RELOAD }],
            ..Certbot::new(vec![Lineage { left: 70 * DAY, ..Lineage::new(&["app.example.com"]) }])
        }
        .install(stage)
    },
};

pub(super) const MANUAL: Kind = Kind {
    name: "manual",
    about: "no systemd, cron starts certbot; one name needs somebody at the keyboard",
    host: "build-hel-1",
    groups: INTERNAL,
    build: |stage| {
        Certbot {
            timer: Timer::Cron,
            hooks: &[HookFile {
                path: "deploy/10-reload-nginx.sh",
                mode: 0o755,
                text: "#!/bin/sh\nnginx -t && nginx -s reload\n",
            }],
            ..Certbot::new(vec![
                Lineage {
                    left: 47 * DAY,
                    authenticator: Authenticator::Manual,
                    ..Lineage::new(&["*.build.example.net"])
                },
                Lineage { left: 55 * DAY, ..Lineage::new(&["git.example.net"]) },
            ])
        }
        .install(stage)
    },
};
