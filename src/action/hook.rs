//! `hook`.

use super::card::{self, Lineage};
use super::certbot::{Certbot, Hook, environment, is_exact};
use super::plan::{Command, Expect};
use super::{Choice, Chosen, Kind, Offer, Plan, Refusal, Subject, Target, Tier, Why, server};
use crate::fleet::HookStage;
use crate::inventory::Impact;
use crate::text::SafeText;

pub(super) const KIND: Kind = Kind {
    name: "hook",
    keys: "a h",
    title: "hook",
    about: "run a hook again",
    tier: Tier::Change,
    subject: Subject::Place,
    choices: &[Choice {
        name: "hook",
        value: "HOOK",
        about: "`deploy` for all deploy hooks, a script, `conf:STAGE`, or a hook of the inventory",
        is_required: false,
        offers,
    }],
    plan,
};

fn plan(target: &Target<'_>, chosen: &Chosen) -> Result<Plan, Refusal> {
    let certbot = Certbot::of(target)?;
    let lineage = Lineage::of(target)?;
    let hooks = choose(&certbot, chosen.get("hook"))?;
    let impact = card::impact_of(&hooks);
    let mut effect = card::effect_of(&hooks);
    if hooks.iter().any(|it| it.impact.is_none()) {
        effect.push(
            "what it does to services is not known here: it is taken for a restart".to_owned(),
        );
    }
    if hooks.len() > 1 {
        effect.push(
            "it ends with the first that fails; certbot would run the others, too".to_owned(),
        );
    }
    let mut commands = commands(&hooks, &certbot, &lineage)?;
    let is_deploy = hooks.iter().all(|it| it.stage == HookStage::Deploy);
    if is_deploy && !card::reloads(&hooks) {
        let after = server::afterwards(target, lineage.leaf);
        commands.extend(after.commands);
        effect.extend(after.effect);
    }
    let endpoints = card::endpoints(target, &lineage.leaf.names);
    Ok(Plan {
        tier: if impact == Impact::Restart { Tier::Risky } else { KIND.tier },
        effect,
        cost: "nothing at the CA".to_owned(),
        undo: "what a hook has done stays done; running it twice must do no harm".to_owned(),
        proof: card::proof(
            "every hook ends with 0, and the live certificate is the same",
            &endpoints,
        ),
        notes: lineage.notes(),
        commands,
        expect: Expect::Leaf(lineage.leaf.sha256),
        impact,
        endpoints,
        ..card::blank(&KIND, target, Some(&certbot))
    })
}

/// Every hook as certbot starts it: through `/bin/sh -c` (certbot 2.1.0,
/// `misc.execute_command_status`), with its environment.
pub(super) fn commands(
    hooks: &[Hook],
    certbot: &Certbot<'_>,
    lineage: &Lineage<'_>,
) -> Result<Vec<Command>, Refusal> {
    let live = certbot.live(lineage.place.name.as_str());
    if let Some(odd) = lineage.leaf.names.iter().find(|it| !is_exact(it)) {
        let text = format!("the name {odd} in the certificate cannot be given to a hook as it is");
        return Err(Refusal::new(Why::Unknown, text));
    }
    let command = |hook: &Hook| {
        if !is_exact(&hook.command) {
            let text =
                format!("the hook `{}` has characters that cannot be given on", hook.command);
            return Err(Refusal::new(Why::Unknown, text).hint("run it on the host itself"));
        }
        let argv = ["/bin/sh", "-c", hook.command.as_str()].map(str::to_owned).into();
        Ok(Command { argv, env: environment(hook.stage, &live, lineage.leaf) })
    };
    hooks.iter().map(command).collect()
}

/// The hooks that a choice stands for; without one, all deploy hooks.
pub(super) fn choose(certbot: &Certbot<'_>, wanted: Option<&str>) -> Result<Vec<Hook>, Refusal> {
    let wanted = wanted.unwrap_or(DEPLOY);
    let named = certbot.named();
    if let Some(stage) = wanted.strip_prefix("conf:") {
        let stage = STAGES.into_iter().find(|it| it.to_string() == stage);
        let own: Vec<_> = stage.into_iter().flat_map(|it| certbot.own_hooks(it)).collect();
        if !own.is_empty() {
            return Ok(own);
        }
    } else if wanted == DEPLOY {
        let deploy = certbot.hooks(HookStage::Deploy);
        if !deploy.is_empty() {
            return Ok(deploy);
        }
        let text = "certbot runs no deploy hook for this lineage".to_owned();
        let names: Vec<_> = named.iter().map(|it| it.0).collect();
        return Err(Refusal::new(Why::BadRequest, text).hint(match names.as_slice() {
            [] => "a [[hook]] in the inventory could be run instead".to_owned(),
            names => format!("choose one with --hook: {}", names.join(", ")),
        }));
    }
    if let Some((_, hook)) = named.into_iter().find(|it| it.0 == wanted) {
        return Ok(vec![hook]);
    }
    let mut scripts = STAGES.into_iter().flat_map(|it| certbot.hooks(it)).filter(|it| it.is_script);
    let is_it =
        |path: &SafeText| path == wanted || path.as_str().rsplit('/').next() == Some(wanted);
    if let Some(script) = scripts.find(|it| is_it(&it.command)) {
        return Ok(vec![script]);
    }
    let mut all = certbot.automation.iter().flat_map(|it| &it.hooks);
    if let Some(dead) = all.find(|it| is_it(&it.path)) {
        let text = format!("{} has mode {:04o}: certbot skips it", dead.path, dead.mode);
        let hint = "make it executable on the host, then run it";
        return Err(Refusal::new(Why::Pointless, text).hint(hint));
    }
    let text = format!("there is no hook `{}` for this lineage", SafeText::new(wanted));
    let hint = "`deploy`, a script of renewal-hooks, `conf:pre`, `conf:deploy`, `conf:post`, or a [[hook]] of the inventory";
    Err(Refusal::new(Why::BadRequest, text).hint(hint))
}

pub(super) fn offers(target: &Target<'_>) -> Vec<Offer> {
    let Ok(certbot) = Certbot::of(target) else { return Vec::new() };
    let mut offers = Vec::new();
    let deploy = certbot.hooks(HookStage::Deploy);
    if !deploy.is_empty() {
        let count = deploy.len();
        offers.push(Offer::new(DEPLOY, format!("all {count} deploy hooks, as after a renewal")));
    }
    for (name, hook) in certbot.named() {
        offers.push(Offer::new(name, format!("{}{}", hook.command, card::does(hook.impact))));
    }
    for stage in STAGES {
        let about = format!("{stage} hook, a script on the host");
        let scripts = certbot.hooks(stage).into_iter().filter(|it| it.is_script);
        offers.extend(scripts.map(|it| Offer::new(it.command.as_str(), about.as_str())));
        if let Some(own) = certbot.own_hooks(stage).first() {
            let about = format!("{stage} hook of the lineage: {}", own.command);
            offers.push(Offer::new(format!("conf:{stage}"), about));
        }
    }
    offers
}

const STAGES: [HookStage; 3] = [HookStage::Deploy, HookStage::Pre, HookStage::Post];

/// All deploy hooks.
const DEPLOY: &str = "deploy";

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::super::Find;
    use super::super::sample::{hook, sample};
    use super::*;
    use crate::fleet::HostName;

    #[test]
    fn deploy_hooks_run_as_after_a_renewal() {
        let fleet = sample().automated(|it| it.hooks.push(hook(HookStage::Deploy, "20-mail")));
        assert_snapshot!(fleet.card("hook", &[]), @"
        web-01/www.example.net Risky Restart SameLeaf
        What   www.example.net on web-01 (serial 049ad2c3…, 39h left of 90.0d; also example.net)
        Effect deploy hook runs: /etc/letsencrypt/renewal-hooks/deploy/20-mail
        Effect deploy hook runs: nginx -t && systemctl reload nginx (reload)
        Effect what it does to services is not known here: it is taken for a restart
        Effect it ends with the first that fails; certbot would run the others, too
        Cost   nothing at the CA
        Undo   what a hook has done stays done; running it twice must do no harm
        Proof  every hook ends with 0, and the live certificate is the same; TLS with www.example.net:443 (on the host, from here)
        Runs   RENEWED_DOMAINS='www.example.net example.net' RENEWED_LINEAGE=/etc/letsencrypt/live/www.example.net /bin/sh -c /etc/letsencrypt/renewal-hooks/deploy/20-mail
        Runs   RENEWED_DOMAINS='www.example.net example.net' RENEWED_LINEAGE=/etc/letsencrypt/live/www.example.net /bin/sh -c 'nginx -t && systemctl reload nginx'
        ");
    }

    #[test]
    fn the_tier_is_that_of_the_impact() {
        let fleet = sample().automated(|it| it.hooks.push(hook(HookStage::Post, "x")));
        let tier = |wanted: &str| {
            fleet.plan("hook", "web-01/www.example.net", &[("hook", wanted)]).unwrap().tier
        };
        assert_eq!(tier("note"), Tier::Change);
        assert_eq!(tier("reload-nginx"), Tier::Change);
        assert_eq!(tier("conf:deploy"), Tier::Change);
        assert_eq!(tier("x"), Tier::Risky);
        assert_eq!(tier("/etc/letsencrypt/renewal-hooks/pre/10-note"), Tier::Risky);
    }

    #[test]
    fn the_environment_is_certbots() {
        let fleet = sample().automated(|it| it.hooks.push(hook(HookStage::Post, "x")));
        let line = |wanted: &str| {
            let plan = fleet.plan("hook", "web-01/www.example.net", &[("hook", wanted)]);
            plan.unwrap().commands[0].line()
        };
        // The common name first, as certbot has it.
        let env = "RENEWED_DOMAINS='www.example.net example.net' \
            RENEWED_LINEAGE=/etc/letsencrypt/live/www.example.net /bin/sh -c";
        assert_eq!(line("conf:deploy"), format!("{env} 'nginx -t && systemctl reload nginx'"));
        let post = "/etc/letsencrypt/renewal-hooks/post/x";
        assert_eq!(line("x"), format!("FAILED_DOMAINS='' {env} {post}"));
        let pre = "/etc/letsencrypt/renewal-hooks/pre/10-note";
        assert_eq!(line("10-note"), format!("/bin/sh -c {pre}"));
    }

    #[test]
    fn hooks_that_are_not_there_are_refused() {
        let refused = |why, wanted, text| sample().refuses("hook", &[("hook", wanted)], why, text);
        refused(Why::BadRequest, "x", "there is no hook `x`");
        refused(Why::BadRequest, "conf:post", "there is no hook `conf:post`");
        let none = sample().with(|it| it.renewal.as_mut().unwrap().hooks.clear());
        none.refuses("hook", &[], Why::BadRequest, "choose one with --hook: reload-nginx, note");
        let dead = sample().automated(|it| it.hooks[0].is_executable = false);
        dead.refuses("hook", &[("hook", "10-note")], Why::Pointless, "mode 0755: certbot skips it");
        let odd = sample().with(|it| {
            it.renewal.as_mut().unwrap().hooks[0].command = SafeText::new("a\tb");
        });
        odd.refuses("hook", &[], Why::Unknown, "cannot be given on");
    }

    #[test]
    fn everything_there_is_is_offered() {
        let fleet = sample();
        let find = Find {
            inventory: &fleet.inventory,
            fleet: &fleet.fleet,
            now: super::super::sample::NOW,
        };
        let target = find.target(&HostName::new("web-01"), Some("www.example.net")).unwrap();
        let values: Vec<_> = offers(&target).into_iter().map(|it| it.value).collect();
        let pre = "/etc/letsencrypt/renewal-hooks/pre/10-note";
        assert_eq!(values, ["deploy", "reload-nginx", "note", "conf:deploy", pre]);
    }
}
