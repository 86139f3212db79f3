//! `enable-timer`.

use super::card;
use super::certbot::Certbot;
use super::plan::{Command, Promise};
use super::{Choice, Chosen, Kind, Offer, Plan, Refusal, Subject, Target, Tier, Why};
use crate::fleet::{HookStage, Scheduler, Trigger};
use crate::source::quote;

pub(super) const KIND: Kind = Kind {
    name: "enable-timer",
    keys: "a m",
    title: "enable timer",
    about: "let certbot renew by itself again",
    tier: Tier::Change,
    subject: Subject::Host,
    choices: &[Choice {
        name: "write-unit",
        value: "yes",
        about: "write a timer where the host has none",
        is_required: false,
        offers,
    }],
    plan,
};

fn plan(target: &Target<'_>, chosen: &Chosen) -> Result<Plan, Refusal> {
    // What is done to the host is not about the lineage that happens to be selected.
    let target = &Target { lineage: None, place: None, ..*target };
    let certbot = Certbot::of(target)?;
    let host = &target.host.name;
    let unknown =
        || Refusal::new(Why::Unknown, format!("how certbot is started on {host} is not known"));
    let schedule = &certbot.automation.ok_or_else(unknown)?.schedule;
    // What renews one lineage leaves the others to this timer.
    if let Some(armed) = schedule.starting_all().next() {
        let text = format!("{} starts certbot on {host} already", armed.name);
        return Err(Refusal::new(Why::Pointless, text));
    }
    match schedule.scheduler {
        Scheduler::Systemd => {}
        Scheduler::Unknown => return Err(unknown()),
        Scheduler::Cron => {
            let text = format!("{host} has no systemd");
            let hint = format!("a line for root's crontab: {CRON}");
            return Err(Refusal::new(Why::Pointless, text).hint(hint));
        }
        Scheduler::None => {
            let text = format!("neither systemd nor cron runs on {host}, as in a container");
            let hint = "whatever starts this container must renew, too";
            return Err(Refusal::new(Why::Pointless, text).hint(hint));
        }
    }
    let mut timers: Vec<_> = schedule.triggers.iter().filter(|it| is_timer(it)).collect();
    timers.retain(|it| it.only.is_empty());
    // A timer that only waits to be enabled is better than one that somebody masked.
    timers.sort_by_key(|it| it.state == "masked");
    match (timers.first(), chosen.get("write-unit")) {
        (Some(timer), None) => Ok(enable(target, &certbot, timer)),
        (Some(timer), Some(_)) => {
            let text = format!("{host} has {} already, so no other is written", timer.name);
            Err(Refusal::new(Why::BadRequest, text).hint("leave --write-unit out"))
        }
        (None, Some("yes")) => write(target, &certbot),
        (None, Some(_)) => {
            Err(Refusal::new(Why::BadRequest, "--write-unit takes no other value than `yes`"))
        }
        (None, None) => {
            let text = format!("{host} has no timer for certbot");
            let hint = format!(
                "--write-unit writes {UNIT}.timer: twice a day, spread over 12 hours, made up for after a reboot; its plan shows the text"
            );
            Err(Refusal::new(Why::BadRequest, text).hint(hint))
        }
    }
}

/// Enables a timer that is there.
fn enable(target: &Target<'_>, certbot: &Certbot<'_>, timer: &Trigger) -> Plan {
    let name = timer.name.as_str();
    let mut commands = Vec::new();
    let mut effect = Vec::new();
    let is_masked = timer.state == "masked";
    if is_masked {
        commands.push(systemctl(&["unmask", name]));
        effect
            .push(format!("{name} is masked: somebody did that on purpose; the mask is taken off"));
    }
    effect.push(format!("{name} is enabled and started; it is {} now", timer.state));
    commands.push(systemctl(&["enable", "--now", name]));
    let undo = if is_masked { "mask" } else { "disable" };
    armed(
        target,
        certbot,
        name,
        Plan {
            effect,
            undo: format!("systemctl {undo} --now {name}"),
            files: vec![format!("/etc/systemd/system/timers.target.wants/{name}")],
            commands,
            ..card::blank(&KIND, target, None)
        },
    )
}

/// Writes a timer and its service, and enables it.
fn write(target: &Target<'_>, certbot: &Certbot<'_>) -> Result<Plan, Refusal> {
    let renew = certbot.renew_all();
    let is_plain =
        |it: &String| it.bytes().all(|it| it.is_ascii_alphanumeric() || b"/._-".contains(&it));
    if !renew.argv.iter().all(is_plain) {
        let text = "the folders of certbot have characters that mean something in a unit";
        return Err(Refusal::new(Why::BadRequest, text));
    }
    let service =
        format!("{SERVICE}ExecStart=/bin/sh -c {}\n", quote(&format!("exec {}", renew.line())));
    let name = format!("{UNIT}.timer");
    let units = [
        (format!("{FOLDER}/{UNIT}.service"), service),
        (format!("{FOLDER}/{name}"), TIMER.to_owned()),
    ];
    let mut argv: Vec<_> = ["/bin/sh", "-c", WRITE, "write"].map(str::to_owned).into();
    let mut effect = Vec::new();
    for (path, text) in &units {
        effect.push(format!("{path} is written:"));
        effect.extend(text.lines().filter(|it| !it.is_empty()).map(|it| format!("  {it}")));
        argv.extend([path.clone(), text.clone()]);
    }
    effect.push(format!("{name} is enabled and started"));
    let write = Command { argv, env: Vec::new() };
    let [(service, _), (timer, _)] = units;
    Ok(armed(
        target,
        certbot,
        &name,
        Plan {
            effect,
            undo: format!("systemctl disable --now {name}; rm {timer} {service}"),
            files: vec![service, timer, format!("{FOLDER}/timers.target.wants/{name}")],
            commands: vec![
                write,
                systemctl(&["daemon-reload"]),
                systemctl(&["enable", "--now", &name]),
            ],
            ..card::blank(&KIND, target, None)
        },
    ))
}

/// What is the same for every timer that begins to fire.
fn armed(target: &Target<'_>, certbot: &Certbot<'_>, name: &str, mut plan: Plan) -> Plan {
    plan.what = format!("{name} on {}", target.host.name);
    plan.effect.push("it may fire at once, to make up for a run that was missed: then what is due is renewed, and hooks run".to_owned());
    "nothing by itself; what is due is ordered when it fires".clone_into(&mut plan.cost);
    plan.proof = format!("{name} is active and enabled, and says when it fires next");
    plan.notes.extend(card::clock(target));
    plan.promise = Promise::TimerArmed;
    let hooks: Vec<_> = HookStage::ALL.into_iter().flat_map(|it| certbot.hooks(it)).collect();
    plan.impact = card::impact_of(&hooks);
    plan
}

fn is_timer(trigger: &Trigger) -> bool {
    let name = trigger.name.as_str();
    let is_plain = |it: char| it.is_ascii_alphanumeric() || "._-@".contains(it);
    name.strip_suffix(".timer").is_some() && !name.starts_with('-') && name.chars().all(is_plain)
}

fn systemctl(words: &[&str]) -> Command {
    let argv = ["systemctl"].iter().chain(words).map(|it| (*it).to_owned()).collect();
    Command { argv, env: Vec::new() }
}

fn offers(_target: &Target<'_>) -> Vec<Offer> {
    vec![Offer::new("yes", "write certbot.timer and certbot.service where the host has none")]
}

/// Writes each file whole or not at all, and none that is there already.
const WRITE: &str = r#"
while [ $# -gt 1 ]; do
  if [ -e "$1" ] || [ -L "$1" ]; then echo "$1 is there already" >&2; exit 3; fi
  printf '%s' "$2" >"$1.new" && chmod 644 "$1.new" && mv -f "$1.new" "$1" || exit 1
  shift 2
done
"#;

const FOLDER: &str = "/etc/systemd/system";
const UNIT: &str = "certbot";

/// Twice a day at a random second, as the integration guide of Let's Encrypt asks for (2026),
/// and as Debian's own unit has it (certbot 2.1.0-4).
const TIMER: &str = "\
[Unit]
Description=Run certbot twice a day

[Timer]
OnCalendar=*-*-* 00,12:00:00
RandomizedDelaySec=43200
Persistent=true

[Install]
WantedBy=timers.target
";

const SERVICE: &str = "\
[Unit]
Description=Renew certificates
Documentation=https://certbot.eff.org/docs

[Service]
Type=oneshot
PrivateTmp=true
";

/// The same for cron; without a terminal certbot waits for up to 480 s by itself.
const CRON: &str = "17 3,15 * * * certbot -q renew (at a minute and hours of your own)";

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::super::sample::{Sample, sample};
    use super::*;
    use crate::fleet::Scope;
    use crate::text::SafeText;

    fn with(scheduler: Scheduler, timers: &[(&str, &str)]) -> Sample {
        sample().automated(|it| {
            it.schedule.scheduler = scheduler;
            it.schedule.triggers = timers
                .iter()
                .map(|(name, state)| Trigger {
                    name: SafeText::new(name),
                    is_armed: *state == "armed",
                    state: SafeText::new(state),
                    ..Trigger::default()
                })
                .collect();
        })
    }

    fn runs(fleet: &Sample) -> Vec<String> {
        let plan = fleet.plan("enable-timer", "web-01", &[]).unwrap();
        assert_eq!((plan.target().as_str(), plan.lock().as_str()), ("web-01", "host"));
        plan.commands.iter().map(Command::line).collect()
    }

    #[test]
    fn a_timer_is_enabled() {
        let off = with(
            Scheduler::Systemd,
            &[("/etc/cron.d/certbot:16", "x"), ("certbot.timer", "inactive, disabled")],
        );
        assert_eq!(runs(&off), ["systemctl enable --now certbot.timer"]);
        let snap = with(
            Scheduler::Systemd,
            &[("certbot.timer", "masked"), ("snap.certbot.renew.timer", "inactive, disabled")],
        );
        assert_eq!(runs(&snap), ["systemctl enable --now snap.certbot.renew.timer"]);
        let masked = with(Scheduler::Systemd, &[("certbot.timer", "masked")]);
        assert_eq!(
            runs(&masked),
            ["systemctl unmask certbot.timer", "systemctl enable --now certbot.timer"]
        );
    }

    #[test]
    fn what_renews_one_lineage_stands_in_the_way_of_no_timer() {
        let of_one = |name, state: &str| {
            sample().automated(|it| {
                it.schedule.triggers = vec![
                    Trigger {
                        name: SafeText::new(name),
                        is_armed: true,
                        only: vec![Scope::Lineage(SafeText::new("a.test"))],
                        ..Trigger::default()
                    },
                    Trigger {
                        name: SafeText::new("certbot.timer"),
                        is_armed: state == "armed",
                        state: SafeText::new(state),
                        ..Trigger::default()
                    },
                ];
            })
        };
        let off = of_one("nightly.timer", "inactive, disabled");
        assert_eq!(runs(&off), ["systemctl enable --now certbot.timer"]);
        let refusal = of_one("nightly.timer", "armed").plan("enable-timer", "web-01", &[]);
        assert!(refusal.unwrap_err().text.starts_with("certbot.timer starts certbot"));
    }

    #[test]
    fn a_timer_is_written() {
        let bare = with(Scheduler::Systemd, &[]);
        assert_snapshot!(bare.card("enable-timer", &[("write-unit", "yes")]), @"
        web-01 Change Restart TimerArmed
        What   certbot.timer on web-01
        Effect /etc/systemd/system/certbot.service is written:
        Effect   [Unit]
        Effect   Description=Renew certificates
        Effect   Documentation=https://certbot.eff.org/docs
        Effect   [Service]
        Effect   Type=oneshot
        Effect   PrivateTmp=true
        Effect   ExecStart=/bin/sh -c 'exec certbot -q renew --no-random-sleep-on-renew'
        Effect /etc/systemd/system/certbot.timer is written:
        Effect   [Unit]
        Effect   Description=Run certbot twice a day
        Effect   [Timer]
        Effect   OnCalendar=*-*-* 00,12:00:00
        Effect   RandomizedDelaySec=43200
        Effect   Persistent=true
        Effect   [Install]
        Effect   WantedBy=timers.target
        Effect certbot.timer is enabled and started
        Effect it may fire at once, to make up for a run that was missed: then what is due is renewed, and hooks run
        Cost   nothing by itself; what is due is ordered when it fires
        Undo   systemctl disable --now certbot.timer; rm /etc/systemd/system/certbot.timer /etc/systemd/system/certbot.service
        Proof  certbot.timer is active and enabled, and says when it fires next
        Writes /etc/systemd/system/certbot.service
        Writes /etc/systemd/system/certbot.timer
        Writes /etc/systemd/system/timers.target.wants/certbot.timer
        Runs   /bin/sh -c <script of 6 lines> write /etc/systemd/system/certbot.service <script of 8 lines> /etc/systemd/system/certbot.timer <script of 10 lines>
        Runs   systemctl daemon-reload
        Runs   systemctl enable --now certbot.timer
        ");
    }

    #[track_caller]
    fn refused(fleet: &Sample, choices: &[(&'static str, &str)], why: Why, text: &str) {
        fleet.refuses("enable-timer", choices, why, text);
    }

    #[test]
    fn what_is_not_needed_or_cannot_be_is_refused() {
        let armed = with(Scheduler::Systemd, &[("certbot.timer", "armed")]);
        refused(&armed, &[], Why::Pointless, "certbot.timer starts certbot on web-01 already");
        refused(&with(Scheduler::Systemd, &[]), &[], Why::BadRequest, "--write-unit writes");
        refused(
            &with(Scheduler::Systemd, &[]),
            &[("write-unit", "no")],
            Why::BadRequest,
            "than `yes`",
        );
        let off = with(Scheduler::Systemd, &[("certbot.timer", "inactive, disabled")]);
        refused(&off, &[("write-unit", "yes")], Why::BadRequest, "has certbot.timer already");
        refused(
            &with(Scheduler::Cron, &[]),
            &[],
            Why::Pointless,
            "no systemd\na line for root's crontab",
        );
        refused(&with(Scheduler::None, &[]), &[], Why::Pointless, "container");
        refused(&with(Scheduler::Unknown, &[]), &[], Why::Unknown, "not known");
    }
}
