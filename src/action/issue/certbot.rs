//! `issue` by the certbot of the host.

use super::super::card::{self, Lineage};
use super::super::certbot::{Certbot, Hook, checked_name, is_exact};
use super::super::cost;
use super::super::following::{self, Following};
use super::super::gate::Gate;
use super::super::plan::{Expect, Plan, Promise};
use super::super::renew::authority;
use super::super::{Chosen, Refusal, Target, Why};
use super::{
    KIND, Key, changes, checked_address, checked_path, is_word, issuer_named, list, renewal,
    same_set, wanted_names,
};
use crate::budget::Account;
use crate::budget::authority::{LETS_ENCRYPT, LETS_ENCRYPT_STAGING, of_directory};
use crate::fleet::{HookStage, Place, ProblemKind};
use crate::text::SafeText;

pub(super) fn plan(target: &Target<'_>, chosen: &Chosen) -> Result<Plan, Refusal> {
    if let Some(name) =
        ["profile", "precheck", "serve"].into_iter().find(|it| chosen.get(it).is_some())
    {
        let text = format!("--{name} is for what certdeck orders itself");
        return Err(Refusal::new(Why::BadRequest, text).hint("--by certdeck, or leave it out"));
    }
    let certbot = Certbot::of(target)?;
    let name = checked_name(target.lineage.unwrap_or_default())?;
    let old = target.place.map(|it| usable(target, it)).transpose()?;
    let names = wanted_names(old, chosen.get("names"))?;
    let is_wild = names.iter().any(|it| it.starts_with("*."));
    let method = method(target, chosen, is_wild)?;
    let ca = authority_of(target, chosen)?;
    if let Some(old) = old.filter(|it| ca.is_staging && !it.leaf.is_of_staging()) {
        let text = format!(
            "{} is in use, and would become a test certificate that no client trusts",
            old.place.name
        );
        let hint =
            "`dry-run` tests it without writing; or give a lineage name of its own, as test.NAME";
        return Err(Refusal::new(Why::Pointless, text).hint(hint));
    }

    let safe: Vec<_> = names.iter().map(|it| SafeText::new(it)).collect();
    let whose = account_at(target, &ca.directory);
    let wanted = cost::wanted(&ca.directory, &safe, whose);
    let gate = Gate::open(target, &wanted, chosen)?;

    let hooks = Hooks::of(&certbot, old.is_some(), chosen)?;
    let mut argv: Vec<String> = names.iter().flat_map(|it| ["-d".to_owned(), it.clone()]).collect();
    argv.extend(method.argv);
    argv.extend(ca.argv);
    argv.extend(key_type(target, chosen)?);
    argv.extend(hooks.argv);
    argv.extend(old.map(|it| installs(it.place)).transpose()?.unwrap_or_default());
    if let Some(address) = chosen.get("email") {
        argv.extend(["--agree-tos", "-m", checked_address(address)?].map(str::to_owned));
    }
    if let Some(old) = old {
        // certbot keeps what it has otherwise, and says that all is well.
        let is_same = same_set(&old.leaf.names, &names);
        let option = if is_same { "--force-renewal" } else { "--renew-with-new-domains" };
        argv.push(option.to_owned());
    }

    let mut effect =
        vec![format!("a certificate for {} from {}, by {}", list(&names), ca.title, method.title)];
    effect.extend(old.iter().flat_map(|it| changes(it, &names)));
    effect.extend(hooks.idle);
    let Following { commands, effect: follows, impact, endpoints, is_loaded } =
        Following::of(target, &hooks.runs, &safe);
    effect.extend(follows);
    let mut notes = old.map(|it| it.notes()).unwrap_or_default();
    notes.extend(method.notes);
    notes.extend(ca.notes);
    notes.extend(account(target, chosen, &ca.directory));
    // Nothing serves what nothing loads.
    let endpoints = if is_loaded { endpoints } else { Vec::new() };
    let blank = card::blank(&KIND, target, Some(&certbot));
    Ok(gate.put(Plan {
        what: match old {
            Some(_) => blank.what.clone(),
            None => format!("{} (a new lineage)", blank.what),
        },
        effect,
        undo: old.map_or_else(
            || format!("nothing loads it yet; `certbot delete --cert-name {name}` on the host removes it"),
            |it| it.undo(),
        ),
        proof: card::proof("the live files hold a new certificate, and its key fits", &endpoints),
        notes,
        files: certbot.written(name),
        commands: [vec![certbot.certonly(name, argv)], commands].concat(),
        expect: old.map_or(Expect::NoLineage, |it| Expect::Leaf(it.leaf.sha256)),
        promise: Promise::NewLeaf,
        impact,
        endpoints,
        ..blank
    }))
}

/// The lineage that is there, if certbot can go on with it. If not, certbot 2.1.0 orders a
/// certificate and then fails to write it, or writes it as `NAME-0001` (`storage.new_lineage`).
fn usable<'a>(target: &'a Target<'a>, place: &Place) -> Result<Lineage<'a>, Refusal> {
    let lineage = Lineage::of(target);
    let broken = place.problems.iter().find(|it| {
        matches!(it.kind, ProblemKind::BrokenConf | ProblemKind::BrokenLink | ProblemKind::Missing)
    });
    match (lineage, broken) {
        (Ok(lineage), None) => Ok(lineage),
        (_, Some(broken)) => {
            let text = format!("what is left of {} is in the way: {}", place.name, broken.text);
            let hint = "mend it on the host, or issue under another lineage name";
            Err(Refusal::new(Why::Pointless, text).hint(hint))
        }
        (Err(refusal), None) => Err(refusal),
    }
}

/// How control is proven.
pub(in crate::action) struct Method {
    pub(in crate::action) title: String,
    /// As options of certbot, each with its value.
    pub(in crate::action) argv: Vec<String>,
    pub(in crate::action) notes: Vec<String>,
}

/// By which method a client of the host is to prove control, with the folder that goes with it:
/// what is chosen, else that of the lineage.
pub fn meant_method<'a>(
    target: &Target<'a>,
    chosen: &'a Chosen,
) -> (Option<&'a str>, Option<&'a str>) {
    let own = renewal(target).and_then(|it| it.authenticator.as_ref()).map(SafeText::as_str);
    // Whoever names a folder means the method that needs one.
    let meant = chosen.get("webroot").map(|_| WEBROOT);
    let name = chosen.get("authenticator").or(meant).or(own);
    let kept = renewal(target).and_then(|it| it.webroot.as_ref()).map(SafeText::as_str);
    (name, chosen.get("webroot").or_else(|| kept.filter(|_| name == Some(WEBROOT))))
}

pub(in crate::action) fn method(
    target: &Target<'_>,
    chosen: &Chosen,
    is_wild: bool,
) -> Result<Method, Refusal> {
    let bad = |text: String, hint: &str| Err(Refusal::new(Why::BadRequest, text).hint(hint));
    let own =
        renewal(target).filter(|it| it.is_unattended).and_then(|it| it.authenticator.as_ref());
    let own = own.map(SafeText::as_str);
    let (name, folder) = meant_method(target, chosen);
    let is_chosen = chosen.get("authenticator").is_some() || chosen.get("webroot").is_some();
    let Some(name) = name.filter(|it| is_chosen || Some(*it) == own) else {
        return bad(
            "by which method?".to_owned(),
            "--webroot FOLDER, or --authenticator standalone or dns-PLUGIN",
        );
    };
    let is_dns = name.strip_prefix("dns-").is_some_and(|it| {
        !it.is_empty()
            && it.bytes().all(|it| it.is_ascii_lowercase() || it.is_ascii_digit() || it == b'-')
    });
    let is_known = is_dns || Some(name) == own || [WEBROOT, "standalone"].contains(&name);
    if !is_known || !is_word(name) {
        let text = format!("there is no method `{}`", SafeText::new(name));
        return bad(text, "webroot, standalone or dns-PLUGIN");
    }
    if is_wild && !is_dns {
        let text = format!("{name} cannot prove a wildcard: the CA asks for a record in the DNS");
        return bad(text, "--authenticator dns-PLUGIN");
    }
    let mut argv = vec!["--authenticator".to_owned(), name.to_owned()];
    let mut title = name.to_owned();
    let mut notes = Vec::new();
    match (name, folder) {
        (WEBROOT, Some(folder)) => {
            argv.extend(["--webroot-path".to_owned(), checked_path(folder)?]);
            title = format!("webroot in {folder}");
        }
        (WEBROOT, None) => {
            return bad("webroot needs a folder".to_owned(), "--webroot /var/www/html");
        }
        (_, Some(_)) => return bad(format!("{name} uses no webroot"), "leave --webroot out"),
        ("standalone", None) => notes.push(
            "standalone needs port 80 to itself: while a server holds it, the order fails"
                .to_owned(),
        ),
        (_, None) => {}
    }
    match chosen.get("credentials") {
        Some(file) if is_dns => {
            argv.extend([format!("--{name}-credentials"), checked_path(file)?]);
        }
        Some(_) => return bad(format!("{name} uses no credentials"), "leave --credentials out"),
        None if is_dns => notes.push(format!(
            "no --credentials: {name} takes what the host's environment or cli.ini gives it"
        )),
        None => {}
    }
    let is_seen = target.host.places.iter().any(|it| {
        let method = it.renewal.as_ref().and_then(|it| it.authenticator.as_ref());
        method.is_some_and(|it| it == name)
    });
    if is_dns && !is_seen {
        notes.push(format!(
            "no lineage of this host uses {name}: whether the plugin is installed is not known"
        ));
    }
    Ok(Method { title, argv, notes })
}

/// From whom it is ordered.
struct Ca {
    title: String,
    directory: String,
    argv: Vec<String>,
    is_staging: bool,
    notes: Vec<String>,
}

fn authority_of(target: &Target<'_>, chosen: &Chosen) -> Result<Ca, Refusal> {
    let bad = |text: String, hint: String| Err(Refusal::new(Why::BadRequest, text).hint(hint));
    let issuers = &target.inventory.issuers;
    let is_staging = match chosen.get("staging") {
        None => false,
        Some("yes") => true,
        Some(_) => {
            return bad(
                "--staging takes no other value than `yes`".to_owned(),
                "leave it out to order for real".to_owned(),
            );
        }
    };
    let server = renewal(target).and_then(|it| it.server.as_ref()).map(SafeText::as_str);
    let mut notes = Vec::new();
    let real = match (chosen.get("issuer"), server, issuers.as_slice()) {
        (Some(wanted), ..) => issuer_named(issuers, wanted)?.directory.clone(),
        // A test that is made real goes to the CA of which it was the twin.
        (None, Some(server), _) => {
            let twin = issuers.iter().find(|it| it.staging.as_deref() == Some(server));
            match (twin, of_directory(server)) {
                (Some(issuer), _) => issuer.directory.clone(),
                (None, Some(known)) if known.is_staging => LETS_ENCRYPT.directory.to_owned(),
                _ => server.to_owned(),
            }
        }
        (None, None, [only]) => only.directory.clone(),
        (None, None, []) => {
            notes.push(
                "no CA was chosen and the inventory names none: it is Let's Encrypt".to_owned(),
            );
            LETS_ENCRYPT.directory.to_owned()
        }
        (None, None, _) => {
            let known: Vec<_> = issuers.iter().map(|it| it.name.as_str()).collect();
            return bad(
                "from which CA?".to_owned(),
                format!("--issuer {}", known.join(" or --issuer ")),
            );
        }
    };
    if !real.bytes().all(|it| matches!(it, b'!'..=b'~')) {
        return bad(
            format!("{} is no URL", SafeText::new(&real)),
            "choose another with --issuer".to_owned(),
        );
    }
    let directory = match (is_staging, issuers.iter().find(|it| it.directory == real)) {
        (false, _) => real,
        (true, Some(issuer)) if issuer.staging.is_some() => {
            issuer.staging.clone().unwrap_or_default()
        }
        (true, _) if of_directory(&real) == Some(&LETS_ENCRYPT) => {
            LETS_ENCRYPT_STAGING.directory.to_owned()
        }
        (true, _) => {
            return bad(
                format!("no staging twin of {real} is known"),
                "give the [[issuer]] its `staging` in the inventory".to_owned(),
            );
        }
    };
    Ok(Ca {
        title: if is_staging { format!("staging ({directory})") } else { authority(&directory) },
        argv: ["--server", &directory].map(str::to_owned).into(),
        directory,
        is_staging,
        notes,
    })
}

/// The hooks that run, and those that the renewal configuration keeps: `certonly` writes it
/// anew, and what is not said again is gone (certbot 2.1.0, `storage.update_configuration`).
struct Hooks {
    argv: Vec<String>,
    runs: Vec<Hook>,
    /// A word about those that do not run this time.
    idle: Option<String>,
}

impl Hooks {
    fn of(certbot: &Certbot<'_>, is_old: bool, chosen: &Chosen) -> Result<Self, Refusal> {
        let named = |wanted: &str| {
            let hook = certbot.named().into_iter().find(|it| it.0 == wanted);
            hook.map(|it| it.1).ok_or_else(|| {
                let text = format!("the inventory has no hook `{}`", SafeText::new(wanted));
                Refusal::new(Why::BadRequest, text)
            })
        };
        let new = chosen.get("deploy-hook").map(named).transpose()?;
        let mut said = Vec::new();
        for stage in HookStage::ALL {
            match &new {
                Some(hook) if stage == HookStage::Deploy => said.push(hook.clone()),
                _ => said.extend(certbot.own_hooks(stage).into_iter().take(1)),
            }
        }
        if let Some(odd) = said.iter().find(|it| !is_exact(&it.command)) {
            let text = format!("the hook `{}` has characters that cannot be given on", odd.command);
            return Err(Refusal::new(Why::Unknown, text));
        }
        let argv = said
            .iter()
            .flat_map(|it| [format!("--{}-hook", it.stage), it.command.to_string()])
            .collect();
        // Scripts of the folder run for a lineage that is renewed, not for a new one
        // (certbot 2.1.0, `main._get_and_save_cert`).
        let scripts = certbot.hooks(HookStage::Deploy).into_iter().filter(|it| it.is_script);
        let (running, idle): (Vec<_>, Vec<_>) = scripts.partition(|_| is_old);
        let idle = (!idle.is_empty()).then(|| "deploy scripts of renewal-hooks do not run for a new lineage, only when it is renewed".to_owned());
        Ok(Self { argv, runs: running.into_iter().chain(said).collect(), idle })
    }
}

/// The plugin that installs what the lineage renews, as options of certbot: like hooks, it is
/// gone from the renewal configuration if it is not said again.
fn installs(place: &Place) -> Result<Vec<String>, Refusal> {
    let Some(plugin) = following::installer(place) else { return Ok(Vec::new()) };
    if !is_word(plugin.as_str()) {
        let text = format!("the installer `{plugin}` cannot be given on as it is");
        return Err(Refusal::new(Why::Unknown, text).hint("issue it on the host itself"));
    }
    Ok(vec!["--installer".to_owned(), plugin.to_string()])
}

/// As options of certbot.
fn key_type(target: &Target<'_>, chosen: &Chosen) -> Result<Vec<String>, Refusal> {
    let own = renewal(target).and_then(|it| it.key_type.as_ref()).map(SafeText::as_str);
    let key = match chosen.get("key-type") {
        Some(kind) => Some(Key::chosen(kind)?),
        None => own.and_then(Key::named),
    };
    let words =
        key.into_iter().flat_map(|it| ["--key-type"].into_iter().chain(it.certbot.iter().copied()));
    Ok(words.map(str::to_owned).collect())
}

/// The account of that CA that the certbot of the host has, if that is seen.
fn account_at(target: &Target<'_>, directory: &str) -> Account {
    let renewals = target.host.places.iter().filter(|it| it.source == super::CERTBOT);
    let mut there = renewals
        .filter_map(|it| it.renewal.as_ref())
        .filter(|it| it.server.as_ref().is_some_and(|it| it.as_str() == directory));
    let id = there.find_map(|it| it.account.clone());
    id.map_or(Account::Unknown, Account::Client)
}

/// A warning where nobody has seen an account of that CA on the host.
fn account(target: &Target<'_>, chosen: &Chosen, directory: &str) -> Option<String> {
    let has_account = target
        .host
        .places
        .iter()
        .filter_map(|it| it.renewal.as_ref())
        .any(|it| it.account.is_some() && it.server.as_ref().is_some_and(|it| it == directory));
    let is_told = has_account || chosen.get("email").is_some();
    (!is_told).then(|| "no account at that CA is seen on the host: if there is none, certbot refuses until --email is given".to_owned())
}

const WEBROOT: &str = "webroot";

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::super::super::sample::{Sample, sample};
    use super::*;
    use crate::fleet::Problem;

    const NEW: &[(&str, &str)] = &[
        ("names", "shop.example.net,pay.example.net"),
        ("authenticator", "webroot"),
        ("webroot", "/var/www/html"),
        ("issuer", "letsencrypt"),
    ];

    fn runs(fleet: &Sample, target: &str, choices: &[(&'static str, &str)]) -> String {
        fleet.plan("issue", target, choices).unwrap().commands[0].line()
    }

    fn with<'c>(more: &[(&'static str, &'c str)]) -> Vec<(&'static str, &'c str)> {
        NEW.iter()
            .copied()
            .filter(|it| more.iter().all(|other| other.0 != it.0))
            .chain(more.iter().copied())
            .collect()
    }

    #[test]
    fn a_new_lineage_is_ordered() {
        assert_eq!(
            runs(&sample(), "web-01/shop", NEW),
            "certbot certonly -n --cert-name shop -d shop.example.net -d pay.example.net \
             --authenticator webroot --webroot-path /var/www/html \
             --server https://acme-v02.api.letsencrypt.org/directory"
        );
        let plan = sample()
            .plan(
                "issue",
                "web-01/shop",
                &with(&[("deploy-hook", "reload-nginx"), ("email", "ops@example.net")]),
            )
            .unwrap();
        assert_eq!(plan.expect, Expect::NoLineage);
        assert!(plan.commands[0].line().ends_with(
            "--deploy-hook 'nginx -t && systemctl reload nginx' --agree-tos -m ops@example.net"
        ));
        assert_eq!(plan.what, "shop on web-01 (a new lineage)");
        assert!(plan.cost.contains("1 of 50"), "{}", plan.cost);
    }

    #[test]
    fn a_lineage_gets_other_names() {
        let choices = [("names", "www.example.net,shop.example.net"), ("webroot", "/srv/www")];
        assert_snapshot!(sample().card("issue", &choices), @"
        web-01/www.example.net Risky Reload NewLeaf
        What   www.example.net on web-01 (serial 049ad2c3…, 39h left of 90.0d; also example.net)
        Effect a certificate for www.example.net, shop.example.net from Let's Encrypt, by webroot in /srv/www
        Effect names that are new: shop.example.net
        Effect names that it covers no more: example.net
        Effect deploy hook runs: nginx -t && systemctl reload nginx (reload)
        Cost   1 of 5 for this exact set of names in 7 days; it comes back in 33h 36m; 1 of 50 for example.net in 7 days
        Undo   version 2 stays in the archive: roll back to it until 2026-11-24T18:12:44Z
        Proof  the live files hold a new certificate, and its key fits; TLS with www.example.net:443 (on the host, from here)
        Note   no account at that CA is seen on the host: if there is none, certbot refuses until --email is given
        Writes /etc/letsencrypt/archive/www.example.net/*.pem
        Writes /etc/letsencrypt/live/www.example.net/*.pem
        Writes /etc/letsencrypt/renewal/www.example.net.conf
        Writes /var/log/letsencrypt/letsencrypt.log
        Runs   certbot certonly -n --cert-name www.example.net -d www.example.net -d shop.example.net --authenticator webroot --webroot-path /srv/www --server https://acme-v02.api.letsencrypt.org/directory --key-type ecdsa --deploy-hook 'nginx -t && systemctl reload nginx' --renew-with-new-domains
        ");
    }

    #[test]
    fn a_lineage_is_ordered_anew() {
        let line = runs(
            &sample(),
            "web-01/www.example.net",
            &[("authenticator", "standalone"), ("key-type", "rsa")],
        );
        assert_eq!(
            line,
            "certbot certonly -n --cert-name www.example.net -d example.net -d www.example.net \
             --authenticator standalone --server https://acme-v02.api.letsencrypt.org/directory \
             --key-type rsa --deploy-hook 'nginx -t && systemctl reload nginx' --force-renewal"
        );
    }

    #[test]
    fn the_folder_of_the_lineage_is_taken() {
        let mut fleet = sample();
        let mut host = fleet.fleet.hosts().next().unwrap().clone();
        let renewal = host.places[0].renewal.as_mut().unwrap();
        renewal.webroot = Some(SafeText::new("/srv/kept"));
        fleet.fleet.recall(host);
        let line = runs(&fleet, "web-01/www.example.net", &[]);
        assert!(line.contains(" --webroot-path /srv/kept "), "{line}");
    }

    #[test]
    fn methods_are_checked() {
        let refused = |more: &[(&'static str, &str)], text: &str| {
            let refusal = sample().plan("issue", "web-01/shop", &with(more)).unwrap_err();
            assert_eq!(refusal.why, Why::BadRequest, "{refusal:?}");
            assert!(refusal.text.contains(text), "{refusal:?}");
        };
        refused(&[("names", "")], "which names?");
        refused(&[("authenticator", ""), ("webroot", "")], "by which method?");
        refused(&[("authenticator", "manual")], "no method `manual`");
        refused(&[("authenticator", "--server")], "no method");
        refused(&[("authenticator", "standalone")], "uses no webroot");
        refused(&[("webroot", "")], "needs a folder");
        refused(&[("webroot", "www")], "no path from the root");
        refused(&[("names", "*.example.net")], "cannot prove a wildcard");
        refused(&[("credentials", "/x")], "uses no credentials");
        refused(&[("key-type", "dsa")], "no key type");
        refused(&[("issuer", "x")], "no issuer `x`");
        refused(&[("issuer", "")], "from which CA?");
        refused(&[("issuer", "house"), ("staging", "yes")], "no staging twin");
        refused(&[("staging", "no")], "than `yes`");
        refused(&[("deploy-hook", "x")], "no hook `x`");
        refused(&[("email", "-m@x.y")], "no mail address");
        let webroot = runs(&sample(), "web-01/shop", &with(&[("authenticator", "")]));
        assert!(
            webroot.contains(" --authenticator webroot --webroot-path /var/www/html "),
            "{webroot}"
        );
        let dns = [
            ("names", "*.example.net"),
            ("authenticator", "dns-rfc2136"),
            ("credentials", "/root/tsig.ini"),
            ("issuer", "house"),
        ];
        assert_eq!(
            runs(&sample(), "web-01/wild", &dns),
            "certbot certonly -n --cert-name wild -d '*.example.net' --authenticator dns-rfc2136 \
             --dns-rfc2136-credentials /root/tsig.ini --server https://ca.example.net/dir"
        );
    }

    #[test]
    fn tests_are_kept_apart_from_what_is_in_use() {
        let line = runs(&sample(), "web-01/shop", &with(&[("staging", "yes")]));
        assert!(
            line.ends_with("--server https://acme-staging-v02.api.letsencrypt.org/directory"),
            "{line}"
        );
        let staging = [("staging", "yes"), ("webroot", "/srv/www")];
        sample().refuses("issue", &staging, Why::Pointless, "no client trusts");
        // What was a test becomes real at the CA of which it was the twin.
        let test = sample().with(|it| {
            let url = SafeText::new("https://acme-staging-v02.api.letsencrypt.org/directory");
            it.renewal.as_mut().unwrap().server = Some(url);
        });
        let line = runs(&test, "web-01/www.example.net", &[("webroot", "/srv/www")]);
        assert!(line.contains("--server https://acme-v02.api.letsencrypt.org/directory"), "{line}");
    }

    #[test]
    fn remains_are_not_stepped_on() {
        let broken = sample().with(|it| {
            let text = SafeText::new("/etc/letsencrypt/renewal/x.conf is missing");
            it.problems.push(Problem { kind: ProblemKind::BrokenConf, text, path: None });
        });
        broken.refuses("issue", &[("webroot", "/srv/www")], Why::Pointless, "x.conf is missing");
        for name in ["-n", "a b", "..", "../x", "bücher"] {
            let refusal = sample().plan("issue", &format!("web-01/{name}"), NEW).unwrap_err();
            assert_eq!(refusal.why, Why::BadRequest, "{refusal:?}");
        }
    }
}
