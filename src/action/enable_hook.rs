//! `enable-hook`.

use super::card;
use super::certbot::is_exact;
use super::plan::{Command, Promise};
use super::{Choice, Chosen, Kind, Offer, Plan, Refusal, Subject, Target, Tier, Why};
use crate::fleet::{Hook, Host};
use crate::inventory::Impact;
use crate::text::SafeText;

pub(super) const KIND: Kind = Kind {
    name: "enable-hook",
    keys: "a k",
    title: "enable hook",
    about: "make a hook executable that the client skips",
    tier: Tier::Change,
    subject: Subject::Host,
    choices: &[Choice {
        name: "hook",
        value: "PATH",
        about: "the hook; without it, the only one that is skipped",
        is_required: false,
        offers,
    }],
    plan,
};

fn plan(target: &Target<'_>, chosen: &Chosen) -> Result<Plan, Refusal> {
    let target = &Target { lineage: None, place: None, ..*target };
    let hook = choose(target.host, chosen.get("hook"))?;
    let path = hook.path.as_str();
    if !is_exact(&hook.path) || !path.starts_with('/') {
        let text = format!("`{path}` has characters that cannot be given on");
        return Err(Refusal::new(Why::Unknown, text).hint("make it executable on the host itself"));
    }
    if hook.mode & OTHERS_WRITE != 0 {
        let text = format!(
            "{path} has mode {:04o}: others can write it, and it would run with the client's rights",
            hook.mode
        );
        let hint = format!("read it on the host, then `chmod go-w {path}`");
        return Err(Refusal::new(Why::Pointless, text).hint(hint));
    }
    let argv = ["/bin/sh", "-c", ENABLE, "enable-hook", path].map(str::to_owned).into();
    Ok(Plan {
        what: format!("{path} on {}", target.host.name),
        effect: vec![
            format!("{path} becomes executable for its owner; it has mode {:04o} now", hook.mode),
            format!(
                "the client runs it as a {} hook from now on; it is not run by this",
                hook.stage
            ),
        ],
        cost: "nothing at the CA".to_owned(),
        undo: format!("chmod u-x {path}"),
        proof: format!("{path} is there and executable"),
        notes: vec![
            "what is in it is printed first; a scan does not read it, and neither did this plan"
                .to_owned(),
        ],
        files: vec![path.to_owned()],
        commands: vec![Command { argv, env: Vec::new() }],
        promise: Promise::Executable(path.to_owned()),
        impact: Impact::None,
        ..card::blank(&KIND, target, None)
    })
}

/// The hook that was chosen, or the only one that is skipped.
fn choose<'a>(host: &'a Host, wanted: Option<&str>) -> Result<&'a Hook, Refusal> {
    let skipped: Vec<_> = skipped(host).collect();
    let names = || skipped.iter().map(|it| it.path.as_str()).collect::<Vec<_>>().join(", ");
    let Some(wanted) = wanted else {
        return match skipped.as_slice() {
            [only] => Ok(only),
            [] => {
                let text = format!("no hook on {} is skipped", host.name);
                Err(Refusal::new(Why::Pointless, text))
            }
            _ => {
                let text = format!("several hooks on {} are skipped", host.name);
                Err(Refusal::new(Why::BadRequest, text).hint(format!("--hook: {}", names())))
            }
        };
    };
    let is_it =
        |it: &Hook| it.path == wanted || it.path.as_str().rsplit('/').next() == Some(wanted);
    if let Some(found) = skipped.iter().find(|it| is_it(it)) {
        return Ok(found);
    }
    let mut all = host.automation.iter().flat_map(|it| &it.hooks);
    let (why, text) = match all.find(|it| is_it(it)) {
        Some(it) if it.path.as_str().ends_with('~') => {
            (Why::Pointless, format!("{} is skipped for its name, which ends in ~", it.path))
        }
        Some(it) => (Why::Pointless, format!("{} is executable already", it.path)),
        None => (Why::BadRequest, format!("there is no hook `{}`", SafeText::new(wanted))),
    };
    let refusal = Refusal::new(why, text);
    Err(if skipped.is_empty() {
        refusal
    } else {
        refusal.hint(format!("skipped are: {}", names()))
    })
}

/// The hooks that a client skips for their mode.
fn skipped(host: &Host) -> impl Iterator<Item = &Hook> {
    let all = host.automation.iter().flat_map(|it| &it.hooks);
    all.filter(|it| !it.is_executable && !it.path.as_str().ends_with('~'))
}

fn offers(target: &Target<'_>) -> Vec<Offer> {
    let about = |it: &Hook| format!("{} hook, mode {:04o}", it.stage, it.mode);
    skipped(target.host).map(|it| Offer::new(it.path.as_str(), about(it))).collect()
}

/// `go+w`.
const OTHERS_WRITE: u32 = 0o022;

/// Shows the hook before it may run.
const ENABLE: &str = r#"
[ -f "$1" ] || { echo "$1 is no file" >&2; exit 3; }
echo "$1:"
head -c 65536 "$1"
echo
case $(ls -lLd "$1") in ?????w*|????????w*) echo "others can write it: nothing was changed" >&2; exit 3;; esac
chmod u+x "$1" && [ -x "$1" ]
"#;

#[cfg(test)]
mod tests {
    use super::super::sample::{Sample, hook, sample};
    use super::*;
    use crate::fleet::HookStage;

    fn with(hooks: &[(&str, u32)]) -> Sample {
        sample().automated(|it| {
            it.hooks = hooks
                .iter()
                .map(|(name, mode)| {
                    let is_executable = mode & 0o100 != 0 && !name.ends_with('~');
                    Hook { mode: *mode, is_executable, ..hook(HookStage::Deploy, name) }
                })
                .collect();
        })
    }

    const FOLDER: &str = "/etc/letsencrypt/renewal-hooks/deploy";

    #[test]
    fn a_hook_that_is_skipped_becomes_executable() {
        let fleet = with(&[("10-ok", 0o755), ("20-reload", 0o644)]);
        let plan = fleet.plan("enable-hook", "web-01", &[]).unwrap();
        assert_eq!(plan.promise, Promise::Executable(format!("{FOLDER}/20-reload")));
        assert_eq!(plan.commands[0].argv[3..], ["enable-hook", &format!("{FOLDER}/20-reload")]);
        let named = fleet.plan("enable-hook", "web-01", &[("hook", "20-reload")]).unwrap();
        assert_eq!(named.commands, plan.commands);
        assert_eq!(plan.undo, format!("chmod u-x {FOLDER}/20-reload"));
    }

    #[test]
    fn what_would_hand_over_rights_or_do_nothing_is_refused() {
        let refused = |hooks: &[(&str, u32)], choices: &[(&'static str, &str)], why, text: &str| {
            with(hooks).refuses("enable-hook", choices, why, text);
        };
        refused(&[("a", 0o755)], &[], Why::Pointless, "no hook on web-01 is skipped");
        refused(&[("a", 0o755)], &[("hook", "a")], Why::Pointless, "executable already");
        refused(&[("a~", 0o755)], &[("hook", "a~")], Why::Pointless, "ends in ~");
        refused(&[("a", 0o644), ("b", 0o644)], &[], Why::BadRequest, "several");
        refused(&[("a", 0o644)], &[("hook", "x")], Why::BadRequest, "no hook `x`");
        refused(&[("a", 0o666)], &[], Why::Pointless, "others can write it");
    }
}
