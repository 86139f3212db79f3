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
        ..Trigger::default()
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
            ..Trigger::default()
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Frame;

    /// A timer and its service in the form of `systemctl show` (made, not recorded).
    const UNITS: &[u8] = include_bytes!("../../../tests/fixtures/certbot/systemctl-made.txt");

    #[test]
    fn timers_are_read() {
        let timers = timers(UNITS);
        let [timer] = timers.as_slice() else { panic!("{timers:?}") };
        assert_eq!((timer.name.as_str(), timer.is_armed), ("certbot.timer", true));
        assert_eq!(timer.state, "active, enabled");
        assert_eq!(timer.last, Moment::parse("2026-11-23T03:12:44Z"));
        assert_eq!(timer.next, Moment::parse("2026-11-23T18:40:01Z"));
        assert_eq!(*timer.result.as_ref().unwrap(), "exit-code");
    }

    #[track_caller]
    fn check(from: &str, to: &str, state: &str) {
        let text = String::from_utf8_lossy(UNITS).replace(from, to);
        let timer = timers(text.as_bytes()).remove(0);
        assert_eq!((timer.is_armed, timer.state.as_str()), (false, state));
    }

    #[test]
    fn timers_that_will_not_fire_are_told() {
        check("ActiveState=active", "ActiveState=inactive", "inactive, enabled");
        check("UnitFileState=enabled", "UnitFileState=disabled", "active, disabled");
        check("LoadState=loaded", "LoadState=masked", "masked");
    }

    #[test]
    fn times_are_read_in_both_forms() {
        let at = Moment::parse("2026-11-23T03:12:44Z");
        assert_eq!(moment("Mon 2026-11-23 03:12:44 UTC"), at);
        assert_eq!(moment("@1795403564"), at);
        for text in ["", "n/a", "0", "Mon", "Mon 2026-11-23", "@", "Mon x y"] {
            assert_eq!(moment(text), None, "{text}");
        }
    }

    /// Debian's own file (certbot 2.1.0-4).
    const DEBIAN: &[u8] = b"/etc/cron.d/certbot:1:# /etc/cron.d/certbot: crontab entries\n\
        /etc/cron.d/certbot:16:0 */12 * * * root test -x /usr/bin/certbot -a \\! -d \
        /run/systemd/system && perl -e 'sleep int(rand(43200))' && certbot -q renew\n";

    fn schedule(has_systemd: bool, cron: &'static str, mentions: &'static [u8]) -> Schedule {
        let frame = |word: &'static str, key: &'static str, body| Frame {
            word: word.as_bytes(),
            key: key.as_bytes(),
            body,
        };
        let mut frames = vec![frame("mentions", "", mentions), frame("cron", cron, b"")];
        frames.push(frame(if has_systemd { "units" } else { "nosystemd" }, "", b""));
        frames.push(frame("plain", "/etc/cron.daily/off", b""));
        read(&Section { frames, ..Section::default() })
    }

    #[test]
    fn cron_lines_are_understood() {
        let armed = |it: &Schedule| -> Vec<_> {
            it.triggers.iter().map(|it| (it.name.to_string(), it.is_armed)).collect()
        };
        let line = |is| vec![("/etc/cron.d/certbot:16".to_owned(), is)];
        let with = schedule(true, "running", DEBIAN);
        assert_eq!((with.scheduler, armed(&with)), (Scheduler::Systemd, line(false)));
        let without = schedule(false, "running", DEBIAN);
        assert_eq!((without.scheduler, armed(&without)), (Scheduler::Cron, line(true)));
        let neither = schedule(false, "stopped", DEBIAN);
        assert_eq!((neither.scheduler, armed(&neither)), (Scheduler::None, line(false)));
        let scripts = schedule(
            true,
            "running",
            b"/etc/cron.daily/on:2:certbot renew\n/etc/cron.daily/on:3:# certbot\n\
              /etc/cron.daily/off:2:certbot renew\n/etc/systemd/system/x.service:5:certbot\n",
        );
        let expect = [("/etc/cron.daily/on", true), ("/etc/cron.daily/off", false)];
        assert_eq!(armed(&scripts), expect.map(|(name, is)| (name.to_owned(), is)));
        assert_eq!(read(&Section::default()).scheduler, Scheduler::Unknown);
    }
}
