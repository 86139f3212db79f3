//! What starts a client by itself: systemd timers and cron lines.

use std::collections::BTreeMap;

use super::script::number;
use super::{Script, Section, quote};
use crate::fleet::{self, Moment, Schedule, Scheduler, Scope, Trigger};
use crate::text::SafeText;

/// How to tell that something starts a client.
#[derive(Debug, Clone, Copy)]
pub(super) struct Watch {
    /// What its command lines hold, for `grep -E`.
    pub(super) pattern: &'static str,
    /// Units that packages bring, timers and services by pairs.
    pub(super) units: &'static [&'static str],
    /// How long the client itself waits at random where nobody is at the keyboard, in seconds.
    pub(super) sleep: i64,
    /// The option that keeps it from that.
    pub(super) no_sleep: &'static str,
    /// What a command renews, if no more than it names; empty if that cannot be told.
    pub(super) only: fn(&str) -> Vec<Scope>,
}

/// What was found out.
#[derive(Debug)]
pub(super) struct Started {
    /// The schedule.
    pub(super) schedule: Schedule,
    /// The command of each trigger, those of armed ones first, as it stands there: it may hold
    /// anything, and none of it is kept.
    pub(super) commands: Vec<String>,
}

/// Asks for it with one `grep`, another for scripts that cron lines and units name, and, where
/// systemd runs, one `systemctl`. Of cron files only the lines with the word are sent: other
/// people's lines may hold anything.
pub(super) fn ask(script: &mut Script, watch: &Watch) {
    script.push(&format!("w={} U={}", quote(watch.pattern), quote(&watch.units.join(" "))));
    script.push(ASK);
}

const ASK: &str = r#"
set --
for f in "$R"/etc/crontab "$R"/etc/cron.d/* "$R"/etc/cron.hourly/* "$R"/etc/cron.daily/* "$R"/etc/cron.weekly/* \
"$R"/etc/cron.monthly/* "$R"/etc/periodic/hourly/* "$R"/etc/periodic/daily/* "$R"/etc/periodic/weekly/* \
"$R"/var/spool/cron/crontabs/* "$R"/var/spool/cron/* "$R"/etc/crontabs/* \
"$R"/usr/local/lib/systemd/system/*.service "$R"/etc/systemd/system/*.timer "$R"/etc/systemd/system/*.service; do
[ -f "$f" ] && [ -r "$f" ] && set -- "$@" "$f"
done
G=$(grep -nE -e "$w" /dev/null "$@")
set -f
IFS=$NL
n=0
for f in $(grep -hoE '(^|[ =;&])/(usr/local|opt|root|srv|home|etc)/[^] ;&|<>()"$*?[]+' /dev/null "$@" | sort -u); do
unset IFS
f=${f#[!/]}
[ -f "$R$f" ] && [ -r "$R$f" ] || continue
n=$((n+1))
[ $n -le 50 ] || break
head -c 65536 "$R$f" | grep -qE -e "$w" && G=$G$NL$(grep -nF -e "$f" /dev/null "$@")
done
unset IFS
set +f
[ -z "$R" ] || G=$(printf '%s' "$G" | sed "s|^$R||")
mark frame mentions
printf '%.65536s' "$G"
for f; do
f=${f#"$R"}
case $f in /etc/cron.d/*|*/crontab|*/spool/cron/*|/etc/crontabs/*|*.timer|*.service) ;;
*) [ -x "$R$f" ] || mark frame plain "$f";; esac
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
U=" $U "
set -f
IFS=$NL
for f in $G; do
unset IFS
f=${f%%:*}
case $f in */systemd/system/*) f=${f##*/}; f=${f%.*};; *) continue;; esac
case $U in *" $f.timer "*) ;; *) [ ${#U} -gt 2000 ] || U="$U$f.timer $f.service ";; esac
done
unset IFS
mark frame asked "$U"
mark frame units
TZ=UTC systemctl show $U '*.timer' -p Id,Unit,LoadState,ActiveState,UnitFileState,Result,LastTriggerUSec,\
NextElapseUSecRealtime,RandomizedDelayUSec,TimersCalendar,TimersMonotonic,ExecStart,ExecMainStatus,ExecMainCode,\
ExecMainExitTimestamp,ConditionResult,ConditionTimestamp
set +f
else
mark frame nosystemd
fi
"#;

impl Watch {
    /// Reads what came.
    pub(super) fn read(&self, section: &Section<'_>) -> Started {
        let has_systemd = section.with("units").next().is_some();
        let cron = section.key("cron");
        let scheduler = match (has_systemd, cron) {
            (true, _) => Scheduler::Systemd,
            (false, Some(b"running")) => Scheduler::Cron,
            (false, Some(_)) => Scheduler::None,
            (false, None) => Scheduler::Unknown,
        };
        let asked = String::from_utf8_lossy(section.key("asked").unwrap_or_default());
        let asked: Vec<_> = asked.split_whitespace().chain(self.units.iter().copied()).collect();
        let plain: Vec<_> = section.with("plain").map(|it| it.key).collect();
        let host = CronHost { has_systemd, is_running: cron == Some(b"running"), plain };
        let mut found = self.timers(section.body("units").unwrap_or_default(), &asked);
        found.extend(self.lines(&host, section.body("mentions").unwrap_or_default()));
        found.truncate(MAX_TRIGGERS);
        let (armed, rest): (Vec<_>, Vec<_>) = found.iter().partition(|(it, _)| it.is_armed);
        let commands = armed.into_iter().chain(rest).map(|(_, command)| command.clone()).collect();
        let triggers = found.into_iter().map(|(trigger, _)| trigger).collect();
        Started { schedule: Schedule { scheduler, triggers }, commands }
    }

    /// The timers of `systemctl show`: blocks of `KEY=VALUE`, parted by empty lines. Of all timers
    /// that are loaded, those count that were asked for by name, and those that start a service
    /// that was.
    fn timers(&self, text: &[u8], asked: &[&str]) -> Vec<(Trigger, String)> {
        let text = String::from_utf8_lossy(text);
        let units: BTreeMap<_, _> = text
            .split("\n\n")
            .map(Unit::read)
            .filter_map(|it| Some(((*it.get("Id")?).to_owned(), it)))
            .collect();
        let timers =
            units.iter().filter_map(|(id, unit)| Some((id, id.strip_suffix(".timer")?, unit)));
        timers
            .filter_map(|(id, stem, unit)| {
                let starts = unit.get("Unit").filter(|it| !it.is_empty());
                let service = starts.map_or_else(|| format!("{stem}.service"), ToString::to_string);
                let is_asked = [id, &service].iter().any(|it| asked.contains(&it.as_str()));
                is_asked.then(|| self.timer(id, unit, (&service, units.get(&service))))?
            })
            .collect()
    }

    fn timer(
        &self,
        id: &str,
        unit: &Unit<'_>,
        (service_id, service): (&str, Option<&Unit<'_>>),
    ) -> Option<(Trigger, String)> {
        let value = |key| unit.get(key).copied().unwrap_or_default();
        let (load, active, file) =
            (value("LoadState"), value("ActiveState"), value("UnitFileState"));
        if !matches!(load, "loaded" | "masked" | "bad-setting" | "error") {
            return None;
        }
        // A timer that runs and is disabled is gone after the next boot.
        let stays = !matches!(file, "disabled" | "masked" | "masked-runtime" | "bad");
        let service_load = service.and_then(|it| it.get("LoadState")).copied().unwrap_or("loaded");
        let mut state = match (load, file) {
            ("loaded", "") => active.to_owned(),
            ("loaded", _) => format!("{active}, {file}"),
            _ => load.to_owned(),
        };
        if service_load != "loaded" {
            state = format!("{state}; {service_id} is {service_load}");
        }
        let command = service.map(|it| exec_start(it)).unwrap_or_default();
        let fired = moment(value("LastTriggerUSec"));
        let run = service.map(|it| Run::of(it, fired)).unwrap_or_default();
        let delay = unit.get("RandomizedDelayUSec").and_then(|it| span(it));
        let trigger = Trigger {
            name: SafeText::new(id),
            is_armed: load == "loaded" && active == "active" && stays && service_load == "loaded",
            state: SafeText::new(&state),
            last: run.ended.max(fired),
            next: moment(value("NextElapseUSecRealtime")),
            result: run.result.map(SafeText::new),
            exit: run.exit,
            calendar: calendar(value("TimersCalendar"))
                .or_else(|| calendar(value("TimersMonotonic")))
                .map(|it| SafeText::capped(it, MAX_CALENDAR)),
            jitter: delay.map(|it| it + waits(&command) + self.waits(&command)),
            only: (self.only)(&command),
        };
        Some((trigger, command))
    }

    /// How long the client waits at random when it is started like that.
    fn waits(&self, command: &str) -> i64 {
        let is_told_not_to = !self.no_sleep.is_empty() && command.contains(self.no_sleep);
        if is_told_not_to { 0 } else { self.sleep }
    }

    /// The lines of `grep -n` that start the client; of a script, the first.
    fn lines(&self, host: &CronHost<'_>, text: &[u8]) -> Vec<(Trigger, String)> {
        let mut found: Vec<(Trigger, String)> = Vec::new();
        for line in text.split(|it| *it == b'\n') {
            let line = String::from_utf8_lossy(line);
            let mut parts = line.splitn(3, ':');
            let (Some(path), Some(number), Some(command)) =
                (parts.next(), parts.next(), parts.next())
            else {
                continue;
            };
            if path.contains("/systemd/system/") || command.trim_start().starts_with('#') {
                continue;
            }
            let is_script = is_script(path);
            let name = if is_script { path.to_owned() } else { format!("{path}:{number}") };
            let only = (self.only)(command);
            if let Some((it, _)) = found.iter_mut().find(|(it, _)| it.name == *name) {
                // A script with one line that is not understood may renew anything.
                let is_told = !it.only.is_empty() && !only.is_empty();
                it.only = if is_told { [&*it.only, &only].concat() } else { Vec::new() };
            } else {
                let state = host.state(path, command);
                let trigger = Trigger {
                    name: SafeText::new(&name),
                    is_armed: state == "armed",
                    state: SafeText::new(state),
                    calendar: cron_calendar(path, command)
                        .map(|it| SafeText::capped(&it, MAX_CALENDAR)),
                    jitter: Some(waits(command) + self.waits(command)),
                    only,
                    ..Trigger::default()
                };
                found.push((trigger, command.to_owned()));
            }
        }
        found
    }
}

/// A unit as systemd shows it.
struct Unit<'a> {
    values: BTreeMap<&'a str, &'a str>,
    /// Each line that starts something: there may be several.
    starts: Vec<&'a str>,
}

impl<'a> Unit<'a> {
    fn read(block: &'a str) -> Self {
        let lines = || block.lines().filter_map(|it| it.split_once('='));
        let starts = lines().filter(|it| it.0 == "ExecStart").map(|it| it.1).collect();
        Self { values: lines().collect(), starts }
    }

    fn get(&self, key: &str) -> Option<&&'a str> {
        self.values.get(key)
    }
}

/// The last run of a service.
#[derive(Debug, Default)]
struct Run<'a> {
    ended: Option<Moment>,
    result: Option<&'a str>,
    exit: Option<i32>,
}

impl<'a> Run<'a> {
    fn of(service: &Unit<'a>, fired: Option<Moment>) -> Self {
        let value = |key| service.get(key).copied().unwrap_or_default();
        let ended = moment(value("ExecMainExitTimestamp"));
        // A service that did not run since the host booted is said to have succeeded.
        let has_run = match service.get("ExecMainCode") {
            Some(code) => *code != "0",
            None => fired.is_some(),
        };
        let is_skipped =
            value("ConditionResult") == "no" && moment(value("ConditionTimestamp")).is_some();
        let result = match value("Result") {
            _ if is_skipped => Some("condition"),
            "" => None,
            "success" if !has_run => None,
            result => Some(result),
        };
        let exit = number(value("ExecMainStatus").as_bytes()).filter(|_| has_run);
        Self { ended, result, exit }
    }
}

/// The words of `{ path=/usr/bin/certbot ; argv[]=/usr/bin/certbot -q renew ; ignore_errors=no ; … }`,
/// of several one after the other.
fn exec_start(service: &Unit<'_>) -> String {
    let words = service.starts.iter().filter_map(|it| {
        let told = it.split_once("argv[]=")?.1;
        Some(told.split(" ; ignore_errors=").next().unwrap_or(told))
    });
    words.collect::<Vec<_>>().join(" ; ")
}

/// The expression in `{ OnCalendar=*-*-* 00,12:00:00 ; next_elapse=… }`.
fn calendar(text: &str) -> Option<&str> {
    let inner = text.strip_prefix("{ ")?.split(" ; ").next()?;
    Some(inner.strip_prefix("OnCalendar=").unwrap_or(inner).trim())
}

/// When cron runs a line: its five fields, or the word that stands for them.
fn cron_calendar(path: &str, line: &str) -> Option<String> {
    if is_script(path) {
        return path.rsplit('/').nth(1)?.rsplit('.').next().map(str::to_owned);
    }
    let mut words = line.split_whitespace();
    let first = words.next()?;
    if first.starts_with('@') {
        return Some(first.to_owned());
    }
    let fields: Vec<_> = std::iter::once(first).chain(words.take(4)).collect();
    let is_field = |it: &&str| {
        it.chars().all(|it| it.is_ascii_alphanumeric() || matches!(it, '*' | '/' | ',' | '-'))
    };
    (fields.len() == 5 && fields.iter().all(is_field)).then(|| fields.join(" "))
}

/// The seconds that a command line sleeps at random: `sleep int(rand(43200))` of Debian's line
/// for certbot, `sleep $((RANDOM % 3600))` of many others, where cron wants `\%`.
fn waits(command: &str) -> i64 {
    if !command.contains("sleep") {
        return 0;
    }
    let upto = |word: &str| -> Option<i64> {
        let rest = command.split_once(word)?.1;
        let digits = rest.trim_start_matches([' ', '\\', '%', '(']);
        let end = digits.find(|it: char| !it.is_ascii_digit()).unwrap_or(digits.len());
        digits.get(..end)?.parse().ok()
    };
    let longest = [upto("rand("), upto("RANDOM")].into_iter().flatten().max();
    longest.filter(|it| *it <= MAX_WAIT).unwrap_or(0)
}

/// A span of time that nobody waits for longer than.
fn span(text: &str) -> Option<i64> {
    fleet::span(text).filter(|it| *it <= MAX_WAIT)
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
    fn state(&self, path: &str, command: &str) -> &'static str {
        // Debian's own line (certbot 2.1.0-4, /etc/cron.d/certbot) leaves the work to the timer.
        let yields = self.has_systemd && command.contains("-d /run/systemd/system");
        if self.plain.contains(&path.as_bytes()) {
            "not executable, so it is skipped"
        } else if yields {
            "does nothing where systemd runs"
        } else if !self.is_running {
            "no cron daemon is running"
        } else {
            "armed"
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

/// Longer than any expression that people write.
const MAX_CALENDAR: usize = 80;

/// Nobody waits longer than a month; what says so was misread.
const MAX_WAIT: i64 = 31 * 86_400;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Frame;

    /// A timer and its service in the form of `systemctl show` (made, not recorded).
    const UNITS: &[u8] = include_bytes!("../../tests/fixtures/certbot/systemctl-made.txt");

    const WATCH: Watch = Watch {
        pattern: "certbot",
        units: &[
            "certbot.timer",
            "certbot.service",
            "certbot-renew.timer",
            "certbot-renew.service",
        ],
        sleep: 480,
        no_sleep: "--no-sleep",
        only: |command| {
            let named = command.split_once("--only ").map(|it| SafeText::new(it.1));
            named.map(Scope::Lineage).into_iter().collect()
        },
    };

    fn timers(text: &[u8]) -> Vec<Trigger> {
        WATCH.timers(text, WATCH.units).into_iter().map(|it| it.0).collect()
    }

    #[test]
    fn timers_are_read() {
        let timers = timers(UNITS);
        let [timer] = timers.as_slice() else { panic!("{timers:?}") };
        assert_eq!((timer.name.as_str(), timer.is_armed), ("certbot.timer", true));
        assert_eq!(timer.state, "active, enabled");
        assert_eq!(timer.last, Moment::parse("2026-11-23T03:12:44Z"));
        assert_eq!(timer.next, Moment::parse("2026-11-23T18:40:01Z"));
        assert_eq!(*timer.result.as_ref().unwrap(), "exit-code");
        assert_eq!(timer.exit, Some(1));
        assert_eq!(*timer.calendar.as_ref().unwrap(), "*-*-* 00,12:00:00");
        // The timer waits for up to 12 h, and certbot for 8 min.
        assert_eq!(timer.jitter, Some(43_200 + 480));
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
        check(
            "LoadState=loaded\nActiveState=active",
            "LoadState=masked\nActiveState=inactive",
            "masked",
        );
        let service = "Id=certbot.service\nLoadState=loaded";
        let masked = "active, enabled; certbot.service is masked";
        check(service, "Id=certbot.service\nLoadState=masked", masked);
    }

    #[track_caller]
    fn check_run(from: &str, to: &str, result: Option<&str>, exit: Option<i32>) {
        let text = String::from_utf8_lossy(UNITS).replace(from, to);
        let timer = timers(text.as_bytes()).remove(0);
        assert_eq!((timer.result.as_ref().map(SafeText::as_str), timer.exit), (result, exit));
    }

    #[test]
    fn a_run_that_was_not_is_no_success() {
        check_run("", "", Some("exit-code"), Some(1));
        let clean = "Result=exit-code\nExecMainCode=1\nExecMainStatus=1";
        check_run(
            clean,
            "Result=success\nExecMainCode=1\nExecMainStatus=0",
            Some("success"),
            Some(0),
        );
        check_run(clean, "Result=success\nExecMainCode=0\nExecMainStatus=0", None, None);
        check_run("ConditionResult=yes", "ConditionResult=no", Some("condition"), Some(1));
    }

    #[test]
    fn a_timer_of_another_name_is_known_by_what_it_starts() {
        let text = String::from_utf8_lossy(UNITS).replace("Id=certbot.timer", "Id=nightly.timer");
        let found = WATCH.timers(text.as_bytes(), WATCH.units);
        let [(timer, command)] = found.as_slice() else { panic!("{found:?}") };
        assert_eq!((timer.name.as_str(), timer.is_armed), ("nightly.timer", true));
        assert_eq!(command, "/usr/bin/certbot -q renew");
        let other = text.replace("Unit=certbot.service", "Unit=apt.service");
        assert!(WATCH.timers(other.as_bytes(), WATCH.units).is_empty());
    }

    #[test]
    fn every_command_of_a_unit_and_every_line_of_a_script_counts() {
        let only = |it: &Trigger| it.only.iter().map(ToString::to_string).collect::<Vec<_>>();
        let line = "ExecStart={ path=/usr/bin/certbot ; argv[]=/usr/bin/certbot -q renew";
        let text = String::from_utf8_lossy(UNITS);
        assert!(text.contains(line), "{text}");
        let one = text.replace("certbot -q renew", "certbot --only a");
        assert_eq!(only(&timers(one.as_bytes())[0]), ["a"]);
        let first =
            one.replace("ExecStart=", "ExecStart={ argv[]=true ; ignore_errors=no }\nExecStart=");
        let found = WATCH.timers(first.as_bytes(), WATCH.units);
        assert_eq!(found[0].1, "true ; /usr/bin/certbot --only a");
        let script = |text: &'static [u8]| only(&schedule(true, "running", text).triggers[0]);
        let two = b"/etc/cron.daily/on:2:certbot --only a\n/etc/cron.daily/on:3:certbot --only b\n";
        assert_eq!(script(two), ["a", "b"]);
        let mixed = b"/etc/cron.daily/on:2:certbot --only a\n/etc/cron.daily/on:3:certbot renew\n";
        assert!(script(mixed).is_empty());
    }

    #[test]
    fn spans_and_waits_are_read() {
        for (text, expect) in [
            ("12h", Some(43_200)),
            ("1h 30min", Some(5400)),
            ("0", Some(0)),
            ("1min 40.500s", Some(100)),
            ("infinity", None),
            ("99999999999999999999y", None),
            ("400d", None),
        ] {
            assert_eq!(span(text), expect, "{text}");
        }
        for (command, expect) in [
            ("perl -e 'sleep int(rand(43200))' && certbot -q renew", 43_200),
            ("sleep $((RANDOM \\% 3600)) && certbot renew", 3600),
            ("sleep $(( RANDOM % 600 )); certbot renew", 600),
            ("certbot renew --rand(7)", 0),
            ("sleep 5; certbot renew", 0),
        ] {
            assert_eq!(waits(command), expect, "{command}");
        }
    }

    #[test]
    fn cron_says_when() {
        let at = |path: &str, line: &str| cron_calendar(path, line).unwrap_or_default();
        assert_eq!(at("/etc/cron.d/x", "0 */12 * * * root certbot"), "0 */12 * * *");
        assert_eq!(at("/etc/crontab", "@daily root certbot"), "@daily");
        assert_eq!(
            at("/var/spool/cron/crontabs/root", "30 4 * * mon,thu certbot"),
            "30 4 * * mon,thu"
        );
        assert_eq!(at("/etc/cron.weekly/certbot", "certbot renew"), "weekly");
        assert_eq!(at("/etc/periodic/daily/certbot", "certbot renew"), "daily");
        assert_eq!(at("/etc/cron.d/x", "MAILTO=certbot@example.net"), "");
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
        WATCH.read(&Section { frames, ..Section::default() }).schedule
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
        assert_eq!(WATCH.read(&Section::default()).schedule.scheduler, Scheduler::Unknown);
    }
}
