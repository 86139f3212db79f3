//! `dry-run`.

use super::card::{self, Lineage};
use super::certbot::{Certbot, checked_name};
use super::{Chosen, Kind, Plan, Refusal, Subject, Target, Tier, Why, cluster, issue, renew};
use crate::budget::authority::of_directory;
use crate::fleet::HookStage;

pub(super) const KIND: Kind = Kind {
    name: "dry-run",
    keys: "d",
    title: "dry run",
    about: "ask the CA's staging twin whether a renewal would work",
    tier: Tier::Safe,
    subject: Subject::Place,
    choices: &[],
    plan,
};

fn plan(target: &Target<'_>, _chosen: &Chosen) -> Result<Plan, Refusal> {
    if renew::is_own(target) {
        return issue::rehearsal_plan(&KIND, target);
    }
    if cluster::holds(target) {
        return Err(cluster::no_rehearsal(target));
    }
    let certbot = Certbot::of(target)?;
    let lineage = Lineage::of(target)?;
    let renewal = lineage.renewal()?;
    let name = checked_name(lineage.place.name.as_str())?;
    if let Some(newest) = lineage.pending() {
        let text = format!(
            "it would not only be dry: certbot leads the links of {name} to version {newest} first"
        );
        let hint =
            format!("`rollback --to {newest}` leads them there, with a look at key and hooks");
        return Err(Refusal::new(Why::Pointless, text).hint(hint));
    }
    let server = renewal.server.as_ref().map_or("", |it| it.as_str());
    let twin = twin(target, server);

    let mut more = vec!["--dry-run"];
    let (order, cost) = match twin {
        Twin::Known => (
            "a test order at Let's Encrypt staging, with an account there".to_owned(),
            "nothing in production; staging has limits of its own".to_owned(),
        ),
        Twin::Told(directory) => {
            more.extend(["--server", directory]);
            (
                format!("a test order at the staging twin of the inventory, {directory}"),
                "nothing in production".to_owned(),
            )
        }
        Twin::None => {
            more.extend(["--server", server]);
            (
                format!(
                    "a test order at {server} itself: no staging twin of it is known, and certbot would ask Let's Encrypt instead"
                ),
                format!("an order at {server}, whose limits count it if there are any"),
            )
        }
    };
    let mut effect = vec![order];
    for stage in [HookStage::Pre, HookStage::Post] {
        let hooks = certbot.hooks(stage);
        effect.extend(hooks.iter().map(|it| {
            format!("{stage} hook runs for real: {}{}", it.command, card::does(it.impact))
        }));
    }
    effect.push(match certbot.hooks(HookStage::Deploy).len() {
        0 => "no certificate is written".to_owned(),
        1 => "no certificate is written; the deploy hook is skipped".to_owned(),
        many => format!("no certificate is written; {many} deploy hooks are skipped"),
    });
    let real = [HookStage::Pre, HookStage::Post].map(|it| certbot.hooks(it));
    Ok(Plan {
        effect,
        cost,
        undo: "nothing to undo".to_owned(),
        proof: "certbot says that the simulated renewal succeeded, and the live certificate is the same as before".to_owned(),
        notes: lineage.notes(),
        files: vec![certbot.log()],
        commands: vec![certbot.renew(name, &more)],
        impact: card::impact_of(real.iter().flatten()),
        ..card::blank(&KIND, target, Some(&certbot))
    })
}

/// The dry run of a lineage, for another action that is proven by it.
pub(super) fn command(
    target: &Target<'_>,
    certbot: &Certbot<'_>,
    name: &str,
    server: &str,
) -> super::Command {
    let more = match twin(target, server) {
        Twin::Known => vec!["--dry-run"],
        Twin::Told(directory) => vec!["--dry-run", "--server", directory],
        Twin::None => vec!["--dry-run", "--server", server],
    };
    certbot.renew(name, &more)
}

/// Where a dry run is ordered.
enum Twin<'a> {
    /// certbot knows it: that of Let's Encrypt.
    Known,
    /// The inventory names it.
    Told(&'a str),
    /// Nobody knows one. certbot 2.1.0 would take Let's Encrypt's for a directory that stands only
    /// in the renewal configuration, so the directory itself is given to it.
    None,
}

fn twin<'a>(target: &Target<'a>, server: &str) -> Twin<'a> {
    if of_directory(server).is_some() || server.is_empty() {
        return Twin::Known;
    }
    let issuer = target.inventory.issuer_at(server).filter(|it| !it.1);
    issuer.and_then(|it| it.0.staging.as_deref()).map_or(Twin::None, Twin::Told)
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::super::Why;
    use super::super::sample::sample;
    use crate::fleet::Version;
    use crate::text::SafeText;

    #[test]
    fn what_is_real_about_it_is_told() {
        assert_snapshot!(sample().card("dry-run", &[]), @"
        web-01/www.example.net Safe Restart SameLeaf
        What   www.example.net on web-01 (serial 049ad2c3…, 39h left of 90.0d; also example.net)
        Effect a test order at Let's Encrypt staging, with an account there
        Effect pre hook runs for real: /etc/letsencrypt/renewal-hooks/pre/10-note
        Effect no certificate is written; the deploy hook is skipped
        Cost   nothing in production; staging has limits of its own
        Undo   nothing to undo
        Proof  certbot says that the simulated renewal succeeded, and the live certificate is the same as before
        Writes /var/log/letsencrypt/letsencrypt.log
        Runs   certbot renew -n --no-random-sleep-on-renew --cert-name www.example.net --dry-run
        ");
    }

    /// After a roll back, a dry run led services back to what was rolled back from.
    #[test]
    fn it_never_moves_links() {
        let newer = sample().with(|it| it.versions.push(Version { number: 9, certificate: None }));
        newer.refuses(
            "dry-run",
            &[],
            Why::Pointless,
            "leads the links of www.example.net to version 9",
        );
    }

    #[test]
    fn a_ca_of_ones_own_is_asked_itself() {
        let server = |it: &'static str| {
            sample().with(|place| place.renewal.as_mut().unwrap().server = Some(SafeText::new(it)))
        };
        let runs = |it: &'static str| {
            let plan = server(it).plan("dry-run", "web-01/www.example.net", &[]).unwrap();
            plan.commands[0].line()
        };
        let usual =
            "certbot renew -n --no-random-sleep-on-renew --cert-name www.example.net --dry-run";
        assert_eq!(runs("https://acme-v02.api.letsencrypt.org/directory"), usual);
        assert_eq!(runs("https://acme-staging-v02.api.letsencrypt.org/directory"), usual);
        let own = runs("https://ca.example.net/dir");
        assert_eq!(own, format!("{usual} --server https://ca.example.net/dir"));

        let mut twin = server("https://ca.example.net/dir");
        twin.inventory.issuers[1].staging = Some("https://ca.example.net/test".to_owned());
        let plan = twin.plan("dry-run", "web-01/www.example.net", &[]).unwrap();
        assert!(plan.commands[0].line().ends_with("--server https://ca.example.net/test"));
    }

    #[test]
    fn what_cannot_renew_by_itself_is_refused() {
        let manual = sample().with(|it| it.renewal.as_mut().unwrap().is_unattended = false);
        manual.refuses("dry-run", &[], Why::Pointless, "issued by hand");
    }

    #[test]
    fn what_is_ordered_from_here_is_rehearsed() {
        assert_snapshot!(sample().own(|_| ()).card("dry-run", &[]), @"
        web-01/www.example.net Safe None SameLeaf
        What   www.example.net on web-01 (serial 049ad2c3…, 39h left of 90.0d; also example.net)
        Effect a test order at the staging twin of letsencrypt, https://acme-staging-v02.api.letsencrypt.org/directory, with an account there
        Effect control of example.net, www.example.net is proven to it, by webroot in /var/www/html
        Effect what answers it is taken away again; nothing else is changed
        Effect no key is made, no certificate is written, and no hook runs
        Cost   nothing in production; staging has limits of its own
        Undo   nothing to undo
        Proof  the staging twin says that control of every name is proven, and the live certificate is the same as before
        Writes /var/www/html/.well-known/acme-challenge/*
        ");
        let plan = sample().own(|_| ()).plan("dry-run", "web-01/www.example.net", &[]).unwrap();
        let order = plan.order.unwrap();
        assert!(order.is_rehearsal && !order.is_staging && plan.commands.is_empty());
        assert_eq!(order.names, ["example.net", "www.example.net"]);
        let of_dns = sample().own(|it| {
            let renewal = it.renewal.as_mut().unwrap();
            (renewal.authenticator, renewal.webroot) = (Some(SafeText::new("dns-zone")), None);
        });
        of_dns.refuses("dry-run", &[], Why::BadRequest, "cannot order by `dns-zone`");
    }

    #[test]
    fn without_a_twin_nothing_is_rehearsed() {
        let house = sample().own(|it| {
            let renewal = it.renewal.as_mut().unwrap();
            renewal.account = Some(SafeText::new("house"));
            renewal.server = Some(SafeText::new("https://ca.example.net/dir"));
        });
        let text = "no staging twin of house is known";
        house.refuses("dry-run", &[], Why::Pointless, text);
        house.refuses("dry-run", &[], Why::Pointless, "give the [[issuer]] its `staging`");
        let lost = sample().own(|it| it.renewal = None);
        lost.refuses("dry-run", &[], Why::Unknown, "its renewal file is missing");
    }
}
