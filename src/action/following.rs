//! What follows once certbot has written another certificate: its hooks, the plugin that installs
//! it, or, where neither makes services load it, a reload of ours; and where it is then seen.

use super::certbot::Hook;
use super::plan::Command;
use super::{Target, card, server, store};
use crate::fleet::{HookStage, Place};
use crate::inventory::{Endpoint, Impact};
use crate::text::SafeText;

/// What makes services use it.
#[derive(Debug, Default)]
pub(super) struct Following {
    /// What certbot is not told to do, and this job does after it.
    pub(super) commands: Vec<Command>,
    pub(super) effect: Vec<String>,
    pub(super) impact: Impact,
    /// Where it should be served then, as the inventory and the servers' own files tell.
    pub(super) endpoints: Vec<Endpoint>,
    /// Whether anything makes services load it.
    pub(super) is_loaded: bool,
}

impl Following {
    /// What follows for a certificate with these names, if certbot runs these hooks.
    pub(super) fn of(target: &Target<'_>, hooks: &[Hook], names: &[SafeText]) -> Self {
        let servings = target.place.map(|it| server::loading(target.host, it)).unwrap_or_default();
        let mut it = Self {
            effect: card::effect_of(hooks),
            impact: card::impact_of(hooks),
            endpoints: store::endpoints(target, names, &servings),
            is_loaded: hooks.iter().any(may_load),
            ..Self::default()
        };
        if let Some(plugin) = target.place.and_then(installer) {
            it.effect
                .push(format!("{plugin} is reloaded by certbot itself, which installs with it"));
            it.impact = it.impact.max(Impact::Reload);
            it.is_loaded = true;
        }
        if it.is_loaded {
            return it;
        }
        let none = "no hook runs afterwards";
        match server::reload(&servings) {
            Ok((commands, effect)) if !commands.is_empty() => {
                it.effect.push(format!(
                    "{none}: what loads it is reloaded now, and by nobody when the timer renews it"
                ));
                it.effect.extend(effect);
                it.commands = commands;
                it.impact = it.impact.max(Impact::Reload);
                it.is_loaded = true;
            }
            Ok(_) => it.effect.push(format!("{none}: {}", goes_on(target))),
            Err(refusal) => {
                it.effect.push(format!("{none}: {}", goes_on(target)));
                it.effect.push(format!("no reload: {}", refusal.text));
            }
        }
        it
    }
}

/// The plugin by which certbot installs what it has renewed, if it is told one: it reloads that
/// server itself (certbot 2.1.0, `main.renew_cert`, `main.certonly`).
pub(super) fn installer(place: &Place) -> Option<&SafeText> {
    let installer = place.renewal.as_ref()?.installer.as_ref();
    installer.filter(|it| it.as_str() != "null")
}

/// Whether a hook may make services load a new certificate: what nobody knows may.
fn may_load(hook: &Hook) -> bool {
    hook.stage != HookStage::Pre && hook.impact != Some(Impact::None)
}

const fn goes_on(target: &Target<'_>) -> &'static str {
    match target.place {
        Some(_) => "services go on with the old certificate until they are reloaded",
        None => "nothing loads it until a service is told to",
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::super::sample::{Sample, automation, place, sample, serving};
    use super::*;
    use crate::fleet::{Renewal, Seen};

    const LIVE: &str = "/etc/letsencrypt/live/www.example.net/fullchain.pem";

    /// A lineage that nginx loads, with its renewal changed.
    fn loaded(change: impl FnOnce(&mut Renewal)) -> Sample {
        let mut fleet = sample();
        let mut place = place();
        change(place.renewal.as_mut().unwrap());
        let servers = vec![serving("nginx", LIVE, "www.example.net", 8443)];
        let automation = vec![automation()];
        fleet.see("web-01", Seen { places: vec![place], servers, automation, ..Seen::default() });
        fleet
    }

    /// How services come to it by a renewal, and how that is proven.
    fn follows(fleet: &Sample) -> String {
        let plan = fleet.plan("renew", "web-01/www.example.net", &[]).unwrap();
        let is_told = |it: &&(&str, String)| ["Effect", "Proof", "Runs"].contains(&it.0);
        let card: Vec<_> = plan.card().iter().filter(is_told).map(|it| it.1.clone()).collect();
        format!("{:?}\n{}", plan.impact, card[1..].join("\n"))
    }

    #[test]
    fn what_nothing_else_reloads_is_reloaded() {
        assert_snapshot!(follows(&loaded(|it| it.hooks.clear())), @"
        Restart
        pre hook runs: /etc/letsencrypt/renewal-hooks/pre/10-note
        no hook runs afterwards: what loads it is reloaded now, and by nobody when the timer renews it
        nginx tests its configuration (/etc/nginx/nginx.conf); if that fails, nothing is reloaded
        nginx.service is reloaded: connections stay, workers are replaced
        it loads /etc/letsencrypt/live/www.example.net/fullchain.pem (/etc/nginx/nginx.conf:7)
        the live files hold another certificate, and its key fits; TLS with www.example.net:443 (on the host, from here), www.example.net:8443 (on the host)
        certbot renew -n --no-random-sleep-on-renew --cert-name www.example.net
        /usr/sbin/nginx -t
        systemctl reload nginx.service
        ");
    }

    #[test]
    fn a_hook_or_an_installer_is_left_to_it_and_proven() {
        assert_snapshot!(follows(&loaded(|_| {})), @"
        Restart
        pre hook runs: /etc/letsencrypt/renewal-hooks/pre/10-note
        deploy hook runs: nginx -t && systemctl reload nginx (reload)
        the live files hold another certificate, and its key fits; TLS with www.example.net:443 (on the host, from here), www.example.net:8443 (on the host)
        certbot renew -n --no-random-sleep-on-renew --cert-name www.example.net
        ");
        let installed = loaded(|it| {
            it.hooks.clear();
            it.installer = Some(SafeText::new("nginx"));
        });
        assert_snapshot!(follows(&installed), @"
        Restart
        pre hook runs: /etc/letsencrypt/renewal-hooks/pre/10-note
        nginx is reloaded by certbot itself, which installs with it
        the live files hold another certificate, and its key fits; TLS with www.example.net:443 (on the host, from here), www.example.net:8443 (on the host)
        certbot renew -n --no-random-sleep-on-renew --cert-name www.example.net
        ");
    }

    #[test]
    fn an_installer_is_said_again_where_the_configuration_is_written_anew() {
        let line = |fleet: &Sample| {
            let choices = [("webroot", "/srv/www")];
            fleet.plan("issue", "web-01/www.example.net", &choices).map(|it| it.commands[0].line())
        };
        let with = |it| move |renewal: &mut Renewal| renewal.installer = Some(SafeText::new(it));
        let kept = line(&loaded(with("apache"))).unwrap();
        assert!(kept.contains(" --installer apache "), "{kept}");
        assert!(!line(&loaded(with("null"))).unwrap().contains("--installer"));
        let odd = line(&loaded(with("a b"))).unwrap_err();
        assert!(odd.text.contains("cannot be given on"), "{odd:?}");
    }
}
