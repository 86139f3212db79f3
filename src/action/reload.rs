//! `reload`.

use super::card::{self, Lineage};
use super::plan::{Expect, Promise};
use super::{Choice, Chosen, Kind, Plan, Refusal, Subject, Target, Tier, Why, certbot, server};
use crate::fleet::Place;
use crate::inventory::Impact;

pub(super) const KIND: Kind = Kind {
    name: "reload",
    keys: "a l",
    title: "reload",
    about: "let a server load what is on disk, once it is tested",
    tier: Tier::Change,
    subject: Subject::Any,
    choices: &[Choice {
        name: "server",
        value: "SERVER",
        about: "`nginx`, `apache`, `haproxy` or a unit; without it, the server that loads the files",
        is_required: false,
        offers: server::offers,
    }],
    plan,
};

fn plan(target: &Target<'_>, chosen: &Chosen) -> Result<Plan, Refusal> {
    let lineage = target.place.map(|_| Lineage::of(target)).transpose()?;
    if target.place.and_then(Place::key_matches) == Some(false) {
        let text =
            "the private key on disk does not belong to the certificate: no server can load them";
        let hint = "`rollback` leads the links to a version that is whole, `transplant` brings one";
        return Err(Refusal::new(Why::Pointless, text).hint(hint));
    }
    let wanted = chosen.get("server");
    let mut notes: Vec<_> = lineage.iter().flat_map(Lineage::notes).collect();
    let servings = match server::choose(target, wanted) {
        Ok(servings) => servings,
        Err(refusal) => match wanted.and_then(server::unit) {
            Some(command) => return Ok(unit(target, lineage.as_ref(), command, notes)),
            None => return Err(refusal),
        },
    };
    let (commands, effect) = server::reload(&servings)?;
    let leaf = lineage.as_ref().map(|it| it.leaf);
    let endpoints = server::endpoints(target, &servings, leaf);
    if let Some(place) = target.place.filter(|it| server::loading(target.host, it).is_empty()) {
        notes.push(format!("it is not known to load the files of {}", place.name));
    }
    let files = match leaf {
        Some(_) => {
            "the configuration is sound, and the certificate on disk is the one that is served"
        }
        None => "the configuration is sound, and what is served lies in the files that are loaded",
    };
    Ok(Plan {
        effect,
        proof: card::proof(files, &endpoints),
        commands,
        endpoints,
        notes,
        ..blank(target, lineage.as_ref())
    })
}

/// Reloads a unit of systemd of which nothing else is known.
fn unit(
    target: &Target<'_>,
    lineage: Option<&Lineage<'_>>,
    command: super::Command,
    mut notes: Vec<String>,
) -> Plan {
    let endpoints = lineage.map(|it| card::endpoints(target, &it.leaf.names)).unwrap_or_default();
    notes.push(
        "how its configuration is tested is not known: systemd is only told to reload it"
            .to_owned(),
    );
    Plan {
        effect: vec![format!("{} is run", command.line())],
        proof: card::proof("it ends with 0", &endpoints),
        commands: vec![command],
        endpoints,
        notes,
        ..blank(target, lineage)
    }
}

/// What is the same for every reload.
fn blank(target: &Target<'_>, lineage: Option<&Lineage<'_>>) -> Plan {
    let place = lineage.map(|it| it.place);
    Plan {
        place: place.map(|it| it.name.clone()),
        source: place.map(|it| it.source),
        // Under the lock of the lineage: not while its links are changed.
        config_dir: place.and_then(|_| certbot::folder(target)).map(str::to_owned),
        cost: "nothing at the CA".to_owned(),
        undo: "none is needed: what lies on disk is what a restart would load anyway".to_owned(),
        expect: lineage.map_or(Expect::Anything, |it| Expect::Leaf(it.leaf.sha256)),
        promise: if place.is_some() { Promise::SameLeaf } else { Promise::Served },
        impact: Impact::Reload,
        ..card::blank(&KIND, target, None)
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::super::sample::{Sample, sample, serving};
    use super::*;
    use crate::fleet::{Fingerprint, Seen, Server};

    fn with(servers: Vec<Server>) -> Sample {
        let mut fleet = sample();
        let places = vec![super::super::sample::place()];
        fleet.see("web-01", Seen { places, servers, ..Seen::default() });
        fleet
    }

    const LIVE: &str = "/etc/letsencrypt/live/www.example.net/fullchain.pem";

    #[test]
    fn the_server_that_loads_the_files_is_reloaded() {
        let fleet = with(vec![
            serving("haproxy", "/etc/haproxy/www.pem", "www.example.net", 8443),
            serving("nginx", LIVE, "www.example.net", 443),
        ]);
        assert_snapshot!(fleet.card("reload", &[]), @"
        web-01/www.example.net Change Reload SameLeaf
        What   www.example.net on web-01 (serial 049ad2c3…, 39h left of 90.0d; also example.net)
        Effect nginx tests its configuration (/etc/nginx/nginx.conf); if that fails, nothing is reloaded
        Effect nginx.service is reloaded: connections stay, workers are replaced
        Effect it loads /etc/letsencrypt/live/www.example.net/fullchain.pem (/etc/nginx/nginx.conf:7)
        Cost   nothing at the CA
        Undo   none is needed: what lies on disk is what a restart would load anyway
        Proof  the configuration is sound, and the certificate on disk is the one that is served; TLS with www.example.net:443 (on the host)
        Runs   /usr/sbin/nginx -t
        Runs   systemctl reload nginx.service
        ");
        let plan = fleet.plan("reload", "web-01/www.example.net", &[]).unwrap();
        assert_eq!(plan.lock(), "/etc/letsencrypt/www.example.net");
        assert_eq!(plan.endpoints.len(), 1);
    }

    #[test]
    fn a_host_is_reloaded_without_a_lineage() {
        let fleet = with(vec![serving("nginx", LIVE, "www.example.net", 8443)]);
        let plan = fleet.plan("reload", "web-01", &[]).unwrap();
        assert_eq!((plan.target().as_str(), plan.lock().as_str()), ("web-01", "host"));
        assert_eq!(plan.promise, Promise::Served);
        let unit = fleet.plan("reload", "web-01", &[("server", "postfix.service")]).unwrap();
        assert_eq!(unit.commands[0].line(), "systemctl reload postfix.service");
    }

    #[test]
    fn what_cannot_be_reloaded_is_refused() {
        let refused = |fleet: &Sample, choices: &[(&'static str, &str)], why, text: &str| {
            fleet.refuses("reload", choices, why, text);
        };
        refused(&with(Vec::new()), &[], Why::Unknown, "no server on web-01 is known to load");
        let other = with(vec![serving("nginx", "/etc/ssl/other.pem", "other.test", 443)]);
        refused(&other, &[], Why::Unknown, "choose with --server: nginx");
        refused(&other, &[("server", "caddy")], Why::BadRequest, "no server `caddy` is known");
        let key = sample().with(|it| {
            it.key.as_mut().unwrap().spki = Some(Fingerprint::of(b"another"));
        });
        refused(&key, &[], Why::Pointless, "does not belong");
        let mut two = sample();
        let servers =
            [("nginx", 443), ("apache", 444)].map(|it| serving(it.0, LIVE, "a.test", it.1)).into();
        two.see("web-01", Seen { servers, ..Seen::default() });
        let refusal = two.plan("reload", "web-01", &[]).unwrap_err();
        assert_eq!(refusal.why, Why::BadRequest, "{refusal:?}");
    }
}
