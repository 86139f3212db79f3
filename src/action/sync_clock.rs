//! `sync-clock`.

use super::card;
use super::plan::{Command, Promise};
use super::{Chosen, Kind, Plan, Refusal, Subject, Target, Tier, Why};
use crate::fleet::human;
use crate::inventory::Impact;

pub(super) const KIND: Kind = Kind {
    name: "sync-clock",
    keys: "a y",
    title: "set clock",
    about: "set a clock that is off",
    tier: Tier::Risky,
    subject: Subject::Host,
    choices: &[],
    plan,
};

fn plan(target: &Target<'_>, _chosen: &Chosen) -> Result<Plan, Refusal> {
    let target = &Target { lineage: None, place: None, ..*target };
    let host = &target.host.name;
    let Some(offset) = target.host.clock_offset else {
        let text = format!("how far the clock of {host} is off is not known");
        return Err(Refusal::new(Why::Unknown, text).hint(format!("`certdeck scan host:{host}`")));
    };
    if offset.saturating_abs() <= card::CLOCK {
        let text = format!("the clock of {host} is right, give or take {offset} s");
        return Err(Refusal::new(Why::Pointless, text));
    }
    let direction = if offset > 0 { "ahead" } else { "behind" };
    let size = human(offset.saturating_abs());
    let mut effect = vec![
        format!("the clock of {host} is {size} {direction} of ours, and is set to ours or better"),
        "the first of these that the host has and that works: chronyc makestep, systemd-timesyncd, ntpd -gq; else date -s with our time".to_owned(),
        "time jumps for everything on the host: timers may fire, sessions and leases may end".to_owned(),
    ];
    if offset > 0 {
        effect.push(
            "it jumps back: what relies on time that only grows, as databases do, may mind"
                .to_owned(),
        );
    }
    let words = [offset.to_string(), card::CLOCK.to_string()];
    let argv = ["/bin/sh", "-c", SYNC, "sync-clock"].map(str::to_owned).into_iter().chain(words);
    Ok(Plan {
        what: format!("the clock of {host}"),
        effect,
        cost: "nothing".to_owned(),
        undo: "there is none, and no use for one".to_owned(),
        proof: format!("the clock is at most {} s off ours", card::CLOCK),
        notes: vec![
            "our clock is the measure: if several hosts are off by the same, ours is wrong"
                .to_owned(),
            "a clock that is set once goes off again unless a time service keeps it".to_owned(),
        ],
        commands: vec![Command { argv: argv.collect(), env: Vec::new() }],
        promise: Promise::ClockRight,
        impact: Impact::None,
        ..card::blank(&KIND, target, None)
    })
}

/// Arguments: by how many seconds the host is ahead of us, and how many do not matter. What is
/// right is counted from there by the time since the boot, which no setting of the clock changes.
const SYNC: &str = r#"
off=$1 near=$2
up() { if read -r u _ <"${CERTDECK_ROOT:-}/proc/uptime" || read -r u _ </proc/uptime; then echo "${u%%.*}"; else echo 0; fi; } 2>/dev/null
from=$(up) at=$(date +%s)
right() { echo $((at - off + $(up) - from)); }
good() {
  d=$(($(date +%s) - $(right)))
  [ "$d" -ge "-$near" ] && [ "$d" -le "$near" ]
}
wait_good() { n=0; until good; do n=$((n+1)); [ $n -lt "$1" ] || return 1; sleep 1; done; }
has() { command -v "$1" >/dev/null 2>&1; }
say() { echo "sync-clock: $*"; }
if has chronyc && chronyc -n tracking >/dev/null 2>&1; then
  chronyc -a makestep && wait_good 10 && { say "set by chronyd"; exit 0; }
  say "chronyd did not set it"
fi
if has timedatectl && [ -d /run/systemd/system ]; then
  timedatectl set-ntp true && systemctl restart systemd-timesyncd && wait_good 20 && { say "set by systemd-timesyncd"; exit 0; }
  say "systemd did not set it"
fi
if has ntpd; then
  ntpd -gq && wait_good 5 && { say "set by ntpd"; exit 0; }
  say "ntpd did not set it"
fi
date -s "@$(right)" >/dev/null || { say "the clock cannot be set"; exit 1; }
good || { say "the clock is still off"; exit 1; }
say "set by date to the time of who asked; no time service keeps it"
"#;

#[cfg(test)]
mod tests {
    use super::super::sample::{Sample, place, sample};
    use super::*;
    use crate::fleet::{HOUR, Seen};

    fn with(offset: Option<i64>) -> Sample {
        let mut fleet = sample();
        let seen = Seen { clock_offset: offset, places: vec![place()], ..Seen::default() };
        fleet.see("web-01", seen);
        fleet
    }

    #[test]
    fn a_clock_that_is_off_is_set_by_what_the_host_has() {
        let plan = with(Some(48 * HOUR)).plan("sync-clock", "web-01", &[]).unwrap();
        assert_eq!((plan.target().as_str(), plan.tier), ("web-01", Tier::Risky));
        assert_eq!(plan.commands[0].argv[3..], ["sync-clock", "172800", "60"]);
        assert_eq!(plan.promise, Promise::ClockRight);
        assert!(plan.effect.iter().any(|it| it.contains("jumps back")));
        let behind = with(Some(-120)).plan("sync-clock", "web-01", &[]).unwrap();
        assert!(!behind.effect.iter().any(|it| it.contains("jumps back")));
    }

    #[test]
    fn a_clock_that_is_right_is_left_alone() {
        with(Some(-60)).refuses("sync-clock", &[], Why::Pointless, "is right");
        with(None).refuses("sync-clock", &[], Why::Unknown, "not known");
    }
}
