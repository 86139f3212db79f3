//! `hook`.

use super::card::{self, Lineage};
use super::certbot::{Certbot, Hook, checked_name, environment, is_exact};
use super::plan::{Command, Expect};
use super::store::{self, Store};
use super::{
    Choice, Chosen, Kind, Offer, Plan, Refusal, Subject, Target, Tier, Why, issue, renew, server,
};
use crate::fleet::{Certificate, HookStage};
use crate::inventory::{Impact, Inventory, NamedHook};
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
    let wanted = chosen.get("hook");
    if renew::is_own(target) {
        return of_store(target, wanted);
    }
    let certbot = Certbot::of(target)?;
    let lineage = Lineage::of(target)?;
    let hooks = choose(&certbot, wanted)?;
    let live = certbot.live(lineage.place.name.as_str());
    let mut plan = run(&hooks, &lineage, &live, card::blank(&KIND, target, Some(&certbot)))?;
    if hooks.len() > 1 {
        plan.effect.push(
            "it ends with the first that fails; certbot would run the others, too".to_owned(),
        );
    }
    Ok(plan)
}

/// The same for a lineage of our store: all that follows when a version of it becomes live, or a
/// hook of the inventory.
fn of_store(target: &Target<'_>, wanted: Option<&str>) -> Result<Plan, Refusal> {
    let lineage = Lineage::of(target)?;
    let Some(wanted) = wanted.filter(|it| *it != DEPLOY) else {
        return issue::again_plan(&KIND, &lineage);
    };
    let store = Store::of(target)?;
    let name = checked_name(lineage.place.name.as_str())?;
    let named = named(target.inventory, wanted).map_err(|it| {
        it.hint("`deploy` is all that follows when a version becomes live: its hook, and reloads")
    })?;
    let hook = Hook::deploy(target.inventory, SafeText::new(&named.run));
    run(&[hook], &lineage, &store.live(name), store::blank(&KIND, &store, name))
}

/// A hook of the inventory.
pub(super) fn named<'a>(inventory: &'a Inventory, wanted: &str) -> Result<&'a NamedHook, Refusal> {
    inventory.hooks.iter().find(|it| it.name == wanted).ok_or_else(|| {
        let text = format!("the inventory has no hook `{}`", SafeText::new(wanted));
        Refusal::new(Why::BadRequest, text)
    })
}

/// A plan that runs these hooks, and lets servers load what is live where the hooks do not.
fn run(hooks: &[Hook], lineage: &Lineage<'_>, live: &str, blank: Plan) -> Result<Plan, Refusal> {
    let target = lineage.target;
    let impact = card::impact_of(hooks);
    let mut effect = card::effect_of(hooks);
    if hooks.iter().any(|it| it.impact.is_none()) {
        effect.push(
            "what it does to services is not known here: it is taken for a restart".to_owned(),
        );
    }
    let mut commands = commands(hooks, live, lineage.leaf)?;
    let is_deploy = hooks.iter().all(|it| it.stage == HookStage::Deploy);
    if is_deploy && !card::reloads(hooks) {
        let after = server::afterwards(target, lineage.leaf);
        commands.extend(after.commands);
        effect.extend(after.effect);
    }
    let endpoints = card::endpoints(target, &lineage.leaf.names);
    Ok(Plan {
        tier: if impact == Impact::Restart { Tier::Risky } else { KIND.tier },
        effect,
        cost: "nothing at the CA".to_owned(),
        undo: UNDO.to_owned(),
        proof: card::proof(
            "every hook ends with 0, and the live certificate is the same",
            &endpoints,
        ),
        notes: lineage.notes(),
        commands,
        expect: Expect::Leaf(lineage.leaf.sha256),
        impact,
        endpoints,
        ..blank
    })
}

/// Every hook as certbot starts it: through `/bin/sh -c` (certbot 2.1.0,
/// `misc.execute_command_status`), with its environment.
pub(super) fn commands(
    hooks: &[Hook],
    live: &str,
    leaf: &Certificate,
) -> Result<Vec<Command>, Refusal> {
    if let Some(odd) = leaf.names.iter().find(|it| !is_exact(it)) {
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
        Ok(Command { argv, env: environment(hook.stage, live, leaf) })
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
    let mut offers = Vec::new();
    if renew::is_own(target) {
        offers.push(Offer::new(DEPLOY, "its hook and the reloads, as after a renewal"));
        let named = target.inventory.hooks.iter();
        offers.extend(named.map(|it| {
            let about = format!("{}{}", SafeText::new(&it.run), card::does(Some(it.impact)));
            Offer::new(&it.name, about)
        }));
        return offers;
    }
    let Ok(certbot) = Certbot::of(target) else { return offers };
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

/// How hooks that are run again are undone.
pub(super) const UNDO: &str = "what a hook has done stays done; running it twice must do no harm";

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::super::Find;
    use super::super::sample::{hook, sample};
    use super::*;
    use crate::fleet::{HostName, Seen};

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
            history: &crate::budget::History::default(),
            now: super::super::sample::NOW,
        };
        let target = find.target(&HostName::new("web-01"), Some("www.example.net")).unwrap();
        let values: Vec<_> = offers(&target).into_iter().map(|it| it.value).collect();
        let pre = "/etc/letsencrypt/renewal-hooks/pre/10-note";
        assert_eq!(values, ["deploy", "reload-nginx", "note", "conf:deploy", pre]);
    }

    #[test]
    fn what_follows_in_our_store_is_done_again() {
        let own = sample().own(|_| ());
        let card = own.card("hook", &[]);
        // How long the script is, is its own matter.
        let (told, runs) = card.split_once("Runs ").unwrap();
        assert!(
            runs.ends_with(
                "back '' 0002 hook 'nginx -t && systemctl reload nginx' \
                 served 127.0.0.1:443 www.example.net\n"
            ),
            "{runs}"
        );
        assert_snapshot!(told, @"
        web-01/www.example.net Change Reload SameLeaf
        What   www.example.net on web-01 (serial 049ad2c3…, 39h left of 90.0d; also example.net)
        Effect version 2 stays live, and is put in place once more
        Effect deploy hook runs: nginx -t && systemctl reload nginx (reload)
        Effect 127.0.0.1:443 is asked for www.example.net on the host until it shows the certificate
        Effect if one of these fails, all of it is led back, and services load what was there before
        Cost   nothing at the CA
        Undo   what a hook has done stays done; running it twice must do no harm
        Proof  every step ends with 0, and the live certificate is the same; TLS with www.example.net:443 (on the host, from here)
        ");
        assert_snapshot!(own.card("hook", &[("hook", "note")]), @"
        web-01/www.example.net Change None SameLeaf
        What   www.example.net on web-01 (serial 049ad2c3…, 39h left of 90.0d; also example.net)
        Effect deploy hook runs: logger renewed (no impact)
        Effect nginx tests its configuration (/etc/nginx/nginx.conf); if that fails, nothing is reloaded
        Effect nginx.service is reloaded: connections stay, workers are replaced
        Effect it loads /etc/certdeck/live/www.example.net/fullchain.pem (/etc/nginx/nginx.conf:7)
        Cost   nothing at the CA
        Undo   what a hook has done stays done; running it twice must do no harm
        Proof  every hook ends with 0, and the live certificate is the same; TLS with www.example.net:443 (on the host, from here)
        Runs   RENEWED_DOMAINS='www.example.net example.net' RENEWED_LINEAGE=/etc/certdeck/live/www.example.net /bin/sh -c 'logger renewed'
        Runs   /usr/sbin/nginx -t
        Runs   systemctl reload nginx.service
        ");
        let kept = sample().own(|it| it.renewal.as_mut().unwrap().hooks.clear());
        assert!(kept.card("hook", &[]).contains("nginx"), "{}", kept.card("hook", &[]));
        own.refuses("hook", &[("hook", "x")], Why::BadRequest, "the inventory has no hook `x`");
        let mut alone = sample().own(|it| it.renewal.as_mut().unwrap().hooks.clear());
        let host = alone.fleet.host(&HostName::new("web-01")).unwrap();
        let places = host.places.clone();
        alone.see("web-01", Seen { places, ..Seen::default() });
        alone.refuses("hook", &[], Why::BadRequest, "no hook, no server\n`--hook NAME`");
        let lost = sample().own(|it| it.versions.clear());
        lost.refuses("hook", &[], Why::Unknown, "which version of www.example.net is live");
    }
}
