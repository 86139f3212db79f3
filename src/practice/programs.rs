//! Programs that answer for a practice host, first in its PATH, and the folders by which a host
//! shows what runs its timed work.

use std::fmt::Write as _;

use super::certbot::{Certbot, Timer, VERSION};
use super::stage::Stage;
use super::{Error, journal};
use crate::fleet::{DAY, HOUR, Moment};

/// Writes what belongs to certbot: the program, and the units that systemctl tells of.
pub(super) fn install(stage: &Stage<'_>, certbot: &Certbot, has_failed: bool) -> Result<(), Error> {
    let program = program(stage);
    stage.shared_file("bin/certbot", 0o755, &CERTBOT.replace("PROGRAM", &program))?;
    stage.folder(&format!("usr/lib/python3/dist-packages/certbot-{VERSION}.egg-info"))?;
    // Debian's package brings it in any case; it stands aside where systemd runs.
    stage.shared_file("etc/cron.d/certbot", 0o644, CRON)?;
    if certbot.service == "nginx" {
        install_nginx(stage)?;
    }
    if certbot.timer == Timer::Cron {
        stage.shared_file("bin/systemctl", 0o755, NO_SYSTEMCTL)?;
        stage.shared_file("run/crond.pid", 0o644, "412\n")?;
        return stage.shared_file("proc/412/comm", 0o644, "cron\n");
    }
    let (clock, service) = units(stage.now, certbot.timer, has_failed);
    stage.shared_file("units/certbot.timer", 0o644, &clock)?;
    stage.shared_file("units/certbot.service", 0o644, &service)?;
    install_systemd(stage, certbot.service)
}

/// Has systemd run a service on the host.
pub(super) fn install_systemd(stage: &Stage<'_>, service: &str) -> Result<(), Error> {
    stage.folder("run/systemd/system")?;
    stage.shared_file("bin/systemctl", 0o755, SYSTEMCTL)?;
    stage.shared_file(&format!("units/{service}.service"), 0o644, RUNNING_SERVICE)
}

/// Writes the program nginx.
pub(super) fn install_nginx(stage: &Stage<'_>) -> Result<(), Error> {
    stage.shared_file("bin/nginx", 0o755, &NGINX.replace("PROGRAM", &program(stage)))
}

/// The path of this very program, as it stands between single quotes in a shell script.
fn program(stage: &Stage<'_>) -> String {
    stage.program.to_string_lossy().replace('\'', "'\\''")
}

/// Writes what every host needs so that nothing reaches the machine by accident, and its clock.
pub(super) fn complete(stage: &Stage<'_>) -> Result<(), Error> {
    stage.shared_file("bin/logger", 0o755, LOGGER)?;
    // Time must be told, and must never be set, by this machine's own programs.
    stage.shared_file("bin/date", 0o755, DATE)?;
    stage.shared_file("bin/chronyc", 0o755, CHRONYC)?;
    stage.shared_file("clock.true", 0o644, &format!("{}\n", stage.true_offset))?;
    stage.file("clock", 0o644, format!("{}\n", stage.clock_offset))?;
    for name in OTHERS {
        let path = format!("bin/{name}");
        if !stage.root.join(&path).exists() {
            stage.shared_file(&path, 0o755, ABSENT)?;
        }
    }
    Ok(())
}

/// What systemctl shows of certbot's timer, and of the service that it starts.
fn units(now: Moment, timer: Timer, has_failed: bool) -> (String, String) {
    let last = match timer {
        Timer::Disabled => now.plus(-(47 * DAY)),
        _ => journal::last_run(now),
    };
    let next = (timer != Timer::Disabled).then(|| now.plus(6 * HOUR + 24 * 60));
    let (active, sub, file) = match timer {
        Timer::Disabled => ("inactive", "dead", "disabled"),
        _ => ("active", "waiting", "enabled"),
    };
    let mut clock = format!(
        "LoadState=loaded\nActiveState={active}\nSubState={sub}\nUnitFileState={file}\n\
         Result=success\nUnit=certbot.service\nTriggers=certbot.service\n\
         LastTriggerUSec={}\n",
        stamp(last)
    );
    let _ = writeln!(clock, "NextElapseUSecRealtime={}", next.map(stamp).unwrap_or_default());
    let (active, sub, result, status) = if has_failed {
        ("failed", "failed", "exit-code", 1)
    } else {
        ("inactive", "dead", "success", 0)
    };
    let service = format!(
        "LoadState=loaded\nActiveState={active}\nSubState={sub}\nUnitFileState=static\n\
         Result={result}\nExecMainStatus={status}\nExecMainStartTimestamp={}\n\
         ExecMainExitTimestamp={}\nTriggeredBy=certbot.timer\n",
        stamp(last),
        stamp(last.plus(9)),
    );
    (clock, service)
}

/// A time as the units hold it, for either form in which systemctl can be asked for it.
fn stamp(at: Moment) -> String {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    let day = usize::try_from(at.unix().div_euclid(DAY).rem_euclid(7)).unwrap_or_default();
    let day = DAYS.get(day).copied().unwrap_or_default();
    let text = at.to_string().replace('T', " ").replace('Z', " UTC");
    format!("@{} {day} {text}", at.unix())
}

const SYSTEMCTL: &str = include_str!("bin/systemctl.sh");

const NO_SYSTEMCTL: &str = "#!/bin/sh
echo \"System has not been booted with systemd as init system (PID 1). Can't operate.\" >&2
echo 'Failed to connect to bus: Host is down' >&2
exit 1
";

/// The host's own time goes with it: its clock may be off.
const CERTBOT: &str = "#!/bin/sh
exec 'PROGRAM' practice-certbot \"$CERTDECK_ROOT\" \"$(date +%s)\" \"$@\"
";

const ABSENT: &str = "#!/bin/sh
echo \"sh: 1: ${0##*/}: not found\" >&2
exit 127
";

const LOGGER: &str = "#!/bin/sh
# What goes to the system's log stays on the host.
log=$CERTDECK_ROOT/var/log/syslog
mkdir -p \"${log%/*}\"
echo \"$(date '+%b %e %H:%M:%S') logger: $*\" >>\"$log\"
";

const NGINX: &str = "#!/bin/sh
exec 'PROGRAM' practice-nginx \"$CERTDECK_ROOT\" \"$@\"
";

const DATE: &str = include_str!("bin/date.sh");

const CHRONYC: &str = include_str!("bin/chronyc.sh");

/// Programs of this machine that could change something on it, or that would answer for a host
/// that has none of its own.
const OTHERS: [&str; 15] = [
    "apache2",
    "apache2ctl",
    "apachectl",
    "certbot",
    "haproxy",
    "httpd",
    "hwclock",
    "nginx",
    "ntpd",
    "ntpdate",
    "rc-service",
    "service",
    "sudo",
    "systemctl",
    "timedatectl",
];

const RUNNING_SERVICE: &str = "LoadState=loaded
ActiveState=active
SubState=running
UnitFileState=enabled
Result=success
";

const CRON: &str = "# Twice a day, at a random minute, unless systemd's timer does it.
SHELL=/bin/sh
PATH=/usr/local/sbin:/usr/local/bin:/sbin:/bin:/usr/sbin:/usr/bin

0 */12 * * * root test -x /usr/bin/certbot -a \\! -d /run/systemd/system && perl -e 'sleep int(rand(43200))' && certbot -q renew --no-random-sleep-on-renew
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_both_forms() {
        let at = Moment::from_unix(1_795_403_564);
        assert_eq!(stamp(at), "@1795403564 Mon 2026-11-23 03:12:44 UTC");
    }
}
