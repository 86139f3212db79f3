//! Programs that answer for a practice host, first in its PATH, and the folders by which a host
//! shows what runs its timed work.

use std::fmt::Write as _;

use super::certbot::{Timer, VERSION};
use super::stage::Stage;
use super::{Error, journal};
use crate::fleet::{DAY, HOUR, Moment};

/// Writes the programs, and the units that systemctl tells of.
pub(super) fn install(stage: &Stage<'_>, timer: Timer, has_failed: bool) -> Result<(), Error> {
    let certbot = CERTBOT.replace("VERSION", VERSION);
    for (name, text) in [("certbot", certbot.as_str()), ("nginx", NGINX)] {
        stage.shared_file(&format!("bin/{name}"), 0o755, text)?;
    }
    stage.folder(&format!("usr/lib/python3/dist-packages/certbot-{VERSION}.egg-info"))?;
    // Debian's package brings it in any case; it stands aside where systemd runs.
    stage.shared_file("etc/cron.d/certbot", 0o644, CRON)?;
    if timer == Timer::Cron {
        stage.shared_file("run/crond.pid", 0o644, "412\n")?;
        return stage.shared_file("proc/412/comm", 0o644, "cron\n");
    }
    stage.folder("run/systemd/system")?;
    stage.shared_file("bin/systemctl", 0o755, SYSTEMCTL)?;
    let (clock, service) = units(stage.now, timer, has_failed);
    stage.shared_file("units/certbot.timer", 0o644, &clock)?;
    stage.shared_file("units/certbot.service", 0o644, &service)?;
    stage.shared_file("units/nginx.service", 0o644, NGINX_SERVICE)
}

/// Writes a `date` for a clock that is off.
pub(super) fn set_clock(stage: &Stage<'_>, offset: i64) -> Result<(), Error> {
    stage.shared_file("bin/date", 0o755, &DATE.replace("OFFSET", &offset.to_string()))
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

const SYSTEMCTL: &str = r#"#!/bin/sh
# systemctl of a practice host: tells what the files in ../units say, and starts nothing.
here=${0%/*}/../units
verb= units= wanted= style=pretty bare=
while [ $# -gt 0 ]; do
    case $1 in
        -p|--property) wanted=$wanted,$2; shift ;;
        --property=*) wanted=$wanted,${1#*=} ;;
        -p*) wanted=$wanted,${1#-p} ;;
        --timestamp) style=$2; shift ;;
        --timestamp=*) style=${1#*=} ;;
        --value) bare=1 ;;
        -*) ;;
        *) if [ -z "$verb" ]; then verb=$1; else units="$units $1"; fi ;;
    esac
    shift
done

tell() {
    case ,$wanted, in
        ,,|*,"$1",*) if [ "$bare" ]; then echo "$2"; else echo "$1=$2"; fi ;;
    esac
}

value() {
    while IFS='=' read -r key rest; do
        [ "$key" != "$2" ] || { echo "$rest"; return; }
    done <"$here/$1"
}

show() {
    tell Id "$1"
    if ! [ -f "$here/$1" ]; then
        tell LoadState not-found
        tell ActiveState inactive
        tell SubState dead
        return
    fi
    while IFS='=' read -r key rest; do
        case $style:$rest in
            unix*:@*) rest=${rest%% *} ;;
            *:@*) rest=${rest#* } ;;
        esac
        tell "$key" "$rest"
    done <"$here/$1"
}

case $verb in
    show)
        gap=
        for unit in $units; do
            [ -z "$gap" ] || echo
            gap=1
            show "$unit"
        done ;;
    is-active|is-enabled)
        key=ActiveState good=active
        [ "$verb" = is-active ] || { key=UnitFileState good=enabled; }
        failed=0
        for unit in $units; do
            state=
            [ ! -f "$here/$unit" ] || state=$(value "$unit" $key)
            echo "${state:-not-found}"
            [ "$state" = "$good" ] || failed=3
        done
        exit $failed ;;
    is-system-running) echo running ;;
    *)
        echo "a practice host cannot do this: systemctl $verb" >&2
        exit 1 ;;
esac
"#;

const CERTBOT: &str = "#!/bin/sh
case $1 in
    --version) echo 'certbot VERSION' ;;
    *) echo 'a practice host has no CA to ask' >&2; exit 1 ;;
esac
";

const NGINX: &str = "#!/bin/sh
case $1 in
    -t) echo 'nginx: configuration file /etc/nginx/nginx.conf test is successful' >&2 ;;
    -v) echo 'nginx version: nginx/1.22.1' >&2 ;;
    *) exit 1 ;;
esac
";

const DATE: &str = "#!/bin/sh
at=$(($(/bin/date +%s) + OFFSET))
# GNU's way, then BSD's.
/bin/date -d \"@$at\" \"$@\" 2>/dev/null || exec /bin/date -r \"$at\" \"$@\"
";

const NGINX_SERVICE: &str = "LoadState=loaded
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
