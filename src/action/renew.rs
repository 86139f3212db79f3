//! `renew`.

use super::card::{self, Lineage};
use super::certbot::{Certbot, checked_name};
use super::following::Following;
use super::gate::{Gate, OVER};
use super::plan::{Expect, Promise};
use super::{
    Chosen, Kind, Plan, Refusal, Subject, Target, Tier, Why, cluster, cost, issue, transplant,
};
use crate::budget::Account;
use crate::budget::authority::of_directory;
use crate::fleet::{HookStage, Place, ProblemKind, human};

pub(super) const KIND: Kind = Kind {
    name: "renew",
    keys: "a r",
    title: "renew",
    about: "renew what is due, as the timer would",
    tier: Tier::Change,
    subject: Subject::Place,
    choices: &[OVER],
    plan,
};

fn plan(target: &Target<'_>, chosen: &Chosen) -> Result<Plan, Refusal> {
    if is_own(target) {
        let lineage = Lineage::of(target)?;
        refuse_cheaper(&lineage)?;
        refuse_early(&lineage)?;
        if let Some(plan) = transplant::of_sharers(&KIND, target, lineage.leaf)? {
            return Ok(plan);
        }
        return issue::renewal_plan(&KIND, target, chosen);
    }
    if cluster::holds(target) {
        let lineage = cluster::lineage(target)?;
        refuse_early(&lineage)?;
        cluster::refuse_impatient(&lineage)?;
        return cluster::renewal_plan(&KIND, &lineage, chosen);
    }
    let certbot = Certbot::of(target)?;
    let lineage = Lineage::of(target)?;
    refuse_cheaper(&lineage)?;
    let renewal = lineage.renewal()?;
    let name = &lineage.place.name;
    if !renewal.is_enabled {
        let text = format!("the renewal of {name} is switched off: certbot renew skips it");
        let hint = "`force-renew` renews it all the same; autorenew stays off";
        return Err(Refusal::new(Why::Pointless, text).hint(hint));
    }
    refuse_early(&lineage)?;
    let mut plan = renewal_plan(&KIND, &lineage, &certbot, &[], chosen)?;
    plan.notes.push(
        "certbot judges by itself whether it is due; if it does not think so, nothing is renewed and that is told".to_owned(),
    );
    Ok(plan)
}

/// Whether the lineage is one that certdeck has ordered itself.
pub(super) fn is_own(target: &Target<'_>) -> bool {
    target.place.is_some_and(Place::is_own)
}

/// Refuses what is not due yet.
fn refuse_early(lineage: &Lineage<'_>) -> Result<(), Refusal> {
    let (target, name) = (lineage.target, &lineage.place.name);
    let opens = lineage.place.renewal_opens(lineage.leaf);
    if target.now < opens {
        let (wait, left) = (opens.since(target.now), lineage.leaf.left(target.now));
        let text = format!("{name} is not due: {} left, due in {}", human(left), human(wait));
        let hint = "`force-renew` renews it all the same, and counts against the CA's limits";
        return Err(Refusal::new(Why::Pointless, text).hint(hint));
    }
    Ok(())
}

/// Refuses where another action mends it without an order.
fn refuse_cheaper(lineage: &Lineage<'_>) -> Result<(), Refusal> {
    let name = &lineage.place.name;
    let back = |text: String, hint: &str| Err(Refusal::new(Why::Pointless, text).hint(hint));
    let now = lineage.target.now;
    if let Some(newer) = lineage.place.newer().filter(|it| it.chain.leaf.not_after > now) {
        let until = newer.chain.leaf.not_after;
        let text =
            format!("a newer certificate of {name} is on the host already, valid until {until}");
        return back(text, "`rollback` leads the links to it, without an order");
    }
    if lineage.place.key_matches() == Some(false) {
        let text = format!("the private key in place does not belong to the certificate of {name}");
        return back(
            text,
            "`rollback` leads the links to a pair that fits; `force-renew` orders a new one",
        );
    }
    match lineage.problem(ProblemKind::MixedVersions) {
        Some(mixed) => {
            let text = format!("{}: certbot may trip over it", mixed.text);
            back(text, "`rollback` leads all four links to one version first")
        }
        None => Ok(()),
    }
}

/// A plan that renews: the same for what is due and by force.
pub(super) fn renewal_plan(
    kind: &'static Kind,
    lineage: &Lineage<'_>,
    certbot: &Certbot<'_>,
    more: &[&str],
    chosen: &Chosen,
) -> Result<Plan, Refusal> {
    let target = lineage.target;
    let renewal = lineage.renewal()?;
    let name = checked_name(lineage.place.name.as_str())?;
    let server = renewal.server.as_ref().map_or("", |it| it.as_str());
    let account = renewal.account.clone().map_or(Account::Unknown, Account::Client);
    let wanted = cost::wanted(server, &lineage.leaf.names, account);
    let gate = Gate::open(target, &wanted, chosen)?;
    let hooks: Vec<_> = HookStage::ALL.into_iter().flat_map(|it| certbot.hooks(it)).collect();
    let names = &lineage.leaf.names;
    let Following { commands, effect: follows, impact, endpoints, .. } =
        Following::of(target, &hooks, names);
    let method = renewal.authenticator.as_ref().map_or("", |it| it.as_str());
    let authority = authority(server);
    let mut effect = vec![format!("a new certificate from {authority}, by {method}")];
    effect.extend(follows);
    Ok(gate.put(Plan {
        effect,
        undo: lineage.undo(),
        proof: card::proof("the live files hold another certificate, and its key fits", &endpoints),
        notes: lineage.notes(),
        files: certbot.written(name),
        commands: [vec![certbot.renew(name, more)], commands].concat(),
        expect: Expect::Leaf(lineage.leaf.sha256),
        promise: Promise::NewLeaf,
        impact,
        endpoints,
        ..card::blank(kind, target, Some(certbot))
    }))
}

/// Whom a directory belongs to, for a line.
pub(super) fn authority(server: &str) -> String {
    match of_directory(server) {
        Some(it) if it.is_staging => format!("{}, which no client trusts", it.name),
        Some(it) => it.name.to_owned(),
        None if server.is_empty() => "certbot's own CA".to_owned(),
        None => server.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use insta::assert_snapshot;

    use super::super::sample::{NOW, Sample, certificate, sample, sighting};
    use super::*;
    use crate::fleet::{DAY, Failure, Fingerprint, HOUR, Lock, Problem, Version};
    use crate::text::SafeText;

    #[test]
    fn what_is_due_is_renewed() {
        assert_snapshot!(sample().card("renew", &[]), @"
        web-01/www.example.net Change Restart NewLeaf
        What   www.example.net on web-01 (serial 049ad2c3…, 39h left of 90.0d; also example.net)
        Effect a new certificate from Let's Encrypt, by webroot
        Effect pre hook runs: /etc/letsencrypt/renewal-hooks/pre/10-note
        Effect deploy hook runs: nginx -t && systemctl reload nginx (reload)
        Cost   1 of 5 for this exact set of names in 7 days; it comes back in 33h 36m
        Undo   version 2 stays in the archive: roll back to it until 2026-11-24T18:12:44Z
        Proof  the live files hold another certificate, and its key fits; TLS with www.example.net:443 (on the host, from here)
        Note   certbot judges by itself whether it is due; if it does not think so, nothing is renewed and that is told
        Writes /etc/letsencrypt/archive/www.example.net/*.pem
        Writes /etc/letsencrypt/live/www.example.net/*.pem
        Writes /etc/letsencrypt/renewal/www.example.net.conf
        Writes /var/log/letsencrypt/letsencrypt.log
        Runs   certbot renew -n --no-random-sleep-on-renew --cert-name www.example.net
        ");
    }

    #[test]
    fn folders_of_ones_own_are_given() {
        let plan = sample().plan("renew", "web-02/www.example.net", &[]);
        assert_eq!(
            plan.unwrap().commands[0].line(),
            "certbot renew -n --no-random-sleep-on-renew --cert-name www.example.net --config-dir /srv/le"
        );
        let old = sample().automated(|it| it.version = Some(SafeText::new("0.31.0")));
        let plan = old.plan("renew", "web-01/www.example.net", &[]);
        assert_eq!(
            plan.unwrap().commands[0].line(),
            "certbot renew -n --cert-name www.example.net"
        );
    }

    #[test]
    fn renewing_is_refused_where_it_is_the_wrong_remedy() {
        let place = |change: fn(&mut Place)| sample().with(change);
        let refused = |change, text| place(change).refuses("renew", &[], Why::Pointless, text);
        refused(
            |it| it.layers.disk = Some(sighting(certificate(2, -DAY, 89 * DAY), "/x")),
            "not due: 89.0d left, due in 59.0d\n`force-renew`",
        );
        refused(
            |it| it.layers.issued = Some(sighting(certificate(3, -DAY, 89 * DAY), "/x")),
            "on the host already, valid until",
        );
        refused(
            |it| it.key.as_mut().unwrap().spki = Some(Fingerprint::of(b"x")),
            "does not belong",
        );
        refused(
            |it| {
                let (kind, text) = (ProblemKind::MixedVersions, SafeText::new("x links apart"));
                it.problems.push(Problem { kind, text, path: None });
            },
            "x links apart",
        );
        refused(
            |it| {
                let (kind, text) = (ProblemKind::BrokenConf, SafeText::new("x is broken"));
                it.problems.push(Problem { kind, text, path: None });
            },
            "x is broken\n`issue`",
        );
        refused(|it| it.renewal.as_mut().unwrap().is_enabled = false, "switched off");
        refused(|it| it.renewal.as_mut().unwrap().is_unattended = false, "by hand");
        place(|it| it.layers.disk = None).refuses("renew", &[], Why::Unknown, "could not be read");

        let at_work = sample().automated(|it| {
            it.lock = Some(Lock { path: SafeText::new("/x"), pid: Some(812) });
        });
        at_work.refuses("renew", &[], Why::Pointless, "at work on web-01 (process 812)");
        let gone = sample().automated(|it| it.is_installed = false);
        gone.refuses("renew", &[], Why::Pointless, "certbot was not found");
        let venv = sample().automated(|it| it.program = Some(SafeText::new("/srv/le/bin/certbot")));
        let line = |fleet: &Sample| {
            fleet.plan("renew", "web-01/www.example.net", &[]).unwrap().commands[0].line()
        };
        assert!(line(&venv).starts_with("/srv/le/bin/certbot renew -n "), "{}", line(&venv));
        let pem = sample().with(|it| it.source = "pem");
        pem.refuses("renew", &[], Why::Pointless, "no client renews it");
    }

    #[test]
    fn a_limit_that_is_used_up_is_not_tried() {
        let many = sample().with(|it| {
            it.versions = (1..=5)
                .map(|number| {
                    let leaf = certificate(number, -HOUR * 2, 40 * HOUR);
                    Version { number, certificate: Some(Arc::new(leaf)) }
                })
                .collect();
        });
        many.refuses("force-renew", &[], Why::OverBudget, "the CA takes it after 2026-11-2");
    }

    #[test]
    fn the_last_failure_is_told() {
        let failed = sample().with(|it| {
            let text = SafeText::new("deploy-hook failed with exit code 7");
            it.renewal.as_mut().unwrap().last_failure = Some(Failure { at: Some(NOW), text });
        });
        let card = failed.card("force-renew", &[]);
        assert!(card.contains("last renewal failed at 2026-11-23T"), "{card}");
        assert!(card.contains("`hook` runs it again"), "{card}");
        assert!(card.contains("--force-renewal"), "{card}");
    }
}
