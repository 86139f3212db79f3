//! What starts certbot by itself: systemd timers and cron lines.

use std::collections::BTreeMap;

use crate::fleet::{Moment, Schedule, Scheduler, Trigger};
use crate::source::Section;
use crate::source::script::number;
use crate::text::SafeText;

/// Asks for it with one `grep` and, where systemd runs, one `systemctl`. Of cron files only the
/// lines with the word are sent: other people's lines may hold anything.
pub(super) const ASK: &str = r#"
set --
for f in "$R"/etc/crontab "$R"/etc/cron.d/* "$R"/etc/cron.hourly/* "$R"/etc/cron.daily/* "$R"/etc/cron.weekly/* \
"$R"/etc/cron.monthly/* "$R"/etc/periodic/hourly/* "$R"/etc/periodic/daily/* "$R"/etc/periodic/weekly/* \
"$R"/var/spool/cron/crontabs/root "$R"/var/spool/cron/root "$R"/etc/crontabs/root \
"$R"/etc/systemd/system/*.timer "$R"/etc/systemd/system/*.service; do
[ -f "$f" ] && [ -r "$f" ] && set -- "$@" "$f"
done
G=$(grep -n certbot /dev/null "$@")
[ -z "$R" ] || G=$(printf '%s' "$G" | sed "s|^$R||")
mark frame mentions
printf '%.65536s' "$G"
for f; do
f=${f#"$R"}
case $f in /etc/cron.d/*|*/crontab|*/root|*.timer|*.service) ;; *) [ -x "$R$f" ] || mark frame plain "$f";; esac
done
p= s=stopped
for f in "$R"/run/crond.pid "$R"/run/cron.pid "$R"/run/fcron.pid "$R"/var/run/crond.pid \
"$R"/var/run/cron.pid; do
[ -f "$f" ] && [ -r "$f" ] && { read -r p <"$f"; [ "$p" ] && [ -d "$R/proc/$p" ] && s=running && break; }
done
[ $s = running ] || for f in "$R"/proc/[0-9]*/comm; do
{ read -r p <"$f"; } && case $p in cron|crond|fcron|dcron) s=running; break;; esac
done
mark frame cron $s
if [ -d "$R/run/systemd/system" ]; then
U=' '
set -f
IFS=$NL
for f in $G; do
unset IFS
f=${f%%:*}
case $f in /etc/systemd/system/*) f=${f##*/}; f=${f%.*};; *) continue;; esac
case $U in *" $f.timer "*) ;; *) [ ${#U} -gt 2000 ] || U="$U$f.timer $f.service ";; esac
done
unset IFS
mark frame units
TZ=UTC systemctl show $U certbot.timer certbot.service snap.certbot.renew.timer \
snap.certbot.renew.service certbot-renew.timer certbot-renew.service \
-p Id,LoadState,ActiveState,UnitFileState,Result,LastTriggerUSec,NextElapseUSecRealtime
set +f
else
mark frame nosystemd
fi
"#;

/// Reads what came.
pub(super) fn read(section: &Section<'_>) -> Schedule {
    let has_systemd = section.with("units").next().is_some();
    let cron = section.key("cron");
    let scheduler = match (has_systemd, cron) {
        (true, _) => Scheduler::Systemd,
        (false, Some(b"running")) => Scheduler::Cron,
        (false, Some(_)) => Scheduler::None,
        (false, None) => Scheduler::Unknown,
    };
    let mut triggers = timers(section.body("units").unwrap_or_default());
    let plain: Vec<_> = section.with("plain").map(|it| it.key).collect();
    let host = CronHost { has_systemd, is_running: cron == Some(b"running"), plain };
    triggers.extend(host.lines(section.body("mentions").unwrap_or_default()));
    triggers.truncate(MAX_TRIGGERS);
    Schedule { scheduler, triggers }
}

/// The timers of `systemctl show`: blocks of `KEY=VALUE`, parted by empty lines.
fn timers(text: &[u8]) -> Vec<Trigger> {
    let text = String::from_utf8_lossy(text);
    let units: BTreeMap<_, _> = text
        .split("\n\n")
        .map(|it| it.lines().filter_map(|line| line.split_once('=')).collect::<BTreeMap<_, _>>())
        .filter_map(|it| Some(((*it.get("Id")?).to_owned(), it)))
        .collect();
    units.iter().filter_map(|(id, unit)| timer(id, unit, &units)).collect()
}

type Unit<'a> = BTreeMap<&'a str, &'a str>;

fn timer(id: &str, unit: &Unit<'_>, units: &BTreeMap<String, Unit<'_>>) -> Option<Trigger> {
    let service = units.get(&format!("{}.service", id.strip_suffix(".timer")?));
    let value = |key| unit.get(key).copied().unwrap_or_default();
    let (load, active, file) = (value("LoadState"), value("ActiveState"), value("UnitFileState"));
    if !matches!(load, "loaded" | "masked" | "bad-setting" | "error") {
        return None;
    }
    // A timer that runs and is disabled is gone after the next boot.
    let stays = !matches!(file, "disabled" | "masked" | "masked-runtime" | "bad");
    let state = match (load, file) {
        ("loaded", "") => active.to_owned(),
        ("loaded", _) => format!("{active}, {file}"),
        _ => load.to_owned(),
    };
    let result = service.and_then(|it| it.get("Result")).filter(|it| !it.is_empty());
    let last = moment(value("LastTriggerUSec"));
    Some(Trigger {
        name: SafeText::new(id),
        is_armed: load == "loaded" && active == "active" && stays,
        state: SafeText::new(&state),
        last,
        next: moment(value("NextElapseUSecRealtime")),
        // A service that never ran is said to have succeeded.
        result: result.filter(|it| last.is_some() || **it != "success").map(|it| SafeText::new(it)),
    })
}

/// A time as systemctl prints it: `Mon 2026-11-23 03:12:44 UTC`, `@1795403564`, `n/a`. It was
/// asked for in UTC.
fn moment(text: &str) -> Option<Moment> {
    if let Some(seconds) = text.strip_prefix('@') {
        return number(seconds.split('.').next()?.as_bytes()).map(Moment::from_unix);
    }
    let mut words = text.split(' ').skip(1);
    let (date, time) = (words.next()?, words.next()?);
    format!("{date}T{time}").parse().ok().map(Moment::from_civil)
}

/// What decides whether a cron line does anything.
struct CronHost<'a> {
    has_systemd: bool,
    is_running: bool,
    /// Scripts that may not be executed.
    plain: Vec<&'a [u8]>,
}

impl CronHost<'_> {
    /// The lines of `grep -n` that start certbot; of a script, the first.
    fn lines(&self, text: &[u8]) -> Vec<Trigger> {
        let mut triggers: Vec<Trigger> = Vec::new();
        for line in text.split(|it| *it == b'\n') {
            let line = String::from_utf8_lossy(line);
            let mut parts = line.splitn(3, ':');
            let (Some(path), Some(number), Some(command)) =
                (parts.next(), parts.next(), parts.next())
            else {
                continue;
            };
            if path.starts_with("/etc/systemd/") || command.trim_start().starts_with('#') {
                continue;
            }
            let is_script = is_script(path);
            let name = if is_script { path.to_owned() } else { format!("{path}:{number}") };
            if triggers.iter().all(|it| it.name != *name) {
                triggers.push(self.trigger(path, &name, command));
            }
        }
        triggers
    }

    fn trigger(&self, path: &str, name: &str, command: &str) -> Trigger {
        // Debian's own line (certbot 2.1.0-4, /etc/cron.d/certbot) leaves the work to the timer.
        let yields = self.has_systemd && command.contains("-d /run/systemd/system");
        let state = if self.plain.contains(&path.as_bytes()) {
            "not executable, so it is skipped"
        } else if yields {
            "does nothing where systemd runs"
        } else if !self.is_running {
            "no cron daemon is running"
        } else {
            "armed"
        };
        Trigger {
            name: SafeText::new(name),
            is_armed: state == "armed",
            state: SafeText::new(state),
            last: None,
            next: None,
            result: None,
        }
    }
}

/// Whether cron runs the file as a whole, instead of reading lines from it.
fn is_script(path: &str) -> bool {
    ["hourly", "daily", "weekly", "monthly"].iter().any(|it| {
        path.starts_with(&format!("/etc/cron.{it}/"))
            || path.starts_with(&format!("/etc/periodic/{it}/"))
    })
}

const MAX_TRIGGERS: usize = 50;
