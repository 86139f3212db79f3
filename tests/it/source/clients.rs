//! The stores of clients other than certbot, made here as the clients make them, with every shell.

use std::collections::BTreeSet;

use certdeck::fleet::{NeedState, ProblemKind, Seen};

use super::tree::{Authority, Tree, forget_stamps, place, shells, visit_below};

/// Reads a host with every shell; all must see the same.
#[track_caller]
fn look(tree: &Tree, source: &str) -> Seen {
    let mut all: Vec<_> = shells().iter().map(|it| visit_below(it, tree, source)).collect();
    all.iter_mut().for_each(forget_stamps);
    let told: BTreeSet<_> =
        all.iter().map(|it| format!("{:?}", (&it.automation, &it.places, &it.problems))).collect();
    assert_eq!(told.len(), 1, "{told:#?}");
    all.remove(0)
}

fn kinds(seen: &Seen, name: &str) -> Vec<ProblemKind> {
    place(seen, name).problems.iter().map(|it| it.kind).collect()
}

fn text(it: Option<&certdeck::text::SafeText>) -> &str {
    it.map(certdeck::text::SafeText::as_str).unwrap_or_default()
}

#[test]
fn copies_that_acme_sh_installed_are_what_is_on_disk() {
    let authority = Authority::new();
    let tree = Tree::new();
    let home = tree.text("acme");
    let write = |folder: &str, name: &str, more: &str| {
        let issued = authority.issue(&[&format!("{name}.test")]);
        tree.write(&format!("acme/{folder}/{name}.cer"), &issued.cert);
        tree.write(&format!("acme/{folder}/fullchain.cer"), issued.fullchain());
        tree.write(&format!("acme/{folder}/{name}.key"), &issued.key);
        let conf = format!(
            "Le_Domain='{name}'\nLe_Webroot='{home}/www'\nSAVED_FTP_PASSWORD='hush'\n{more}"
        );
        tree.write(&format!("acme/{folder}/{name}.conf"), conf);
        issued
    };
    tree.write("acme/acme.sh", "#!/usr/bin/env sh\n\nVER=3.1.3\n");
    tree.write("acme/account.conf", "SAVED_CF_Token='hush'\n");
    let old = authority.issue(&["shop.test"]);
    let paths = format!(
        "Le_RealFullChainPath='{home}/tls/shop.pem'\nLe_RealKeyPath='{home}/tls/shop.key'\n"
    );
    let new = write("shop.test_ecc", "shop.test", &paths);
    tree.write("acme/tls/shop.pem", old.fullchain());
    tree.write("acme/tls/shop.key", &new.key);
    write("plain.test", "plain.test", "");
    write("plain.test_ecc", "plain.test", "");
    write("gone.test", "gone.test", "Le_RealCertPath='/nowhere/gone.pem'\n");
    write("off.test", "off.test", "");
    std::fs::rename(tree.path("acme/off.test/off.test.conf"), tree.path("acme/off.test/x.removed"))
        .unwrap();
    tree.write(
        "root/var/spool/cron/crontabs/root",
        "7 4 * * * \"/root/.acme.sh\"/acme.sh --cron --home \"/root/.acme.sh\" > /dev/null\n",
    );

    let seen = look(&tree, &format!("kind = 'acme-sh'\nhome = '{home}'\n"));
    let names: Vec<_> = seen.places.iter().map(|it| it.name.as_str()).collect();
    assert_eq!(names, ["gone.test", "plain.test", "plain.test_ecc", "shop.test"]);
    let shop = place(&seen, "shop.test");
    let layers = &shop.layers;
    let (disk, issued) = (layers.disk.as_ref().unwrap(), layers.issued.as_ref().unwrap());
    assert_eq!(disk.location.as_str(), format!("{home}/tls/shop.pem"));
    assert_ne!(disk.chain.leaf.sha256, issued.chain.leaf.sha256, "the copy is an older one");
    assert_eq!(shop.key_matches(), Some(false), "and its key a newer");
    assert_eq!(place(&seen, "plain.test").key_matches(), Some(true));
    assert_eq!(place(&seen, "plain.test_ecc").key_matches(), Some(true));
    assert_eq!(kinds(&seen, "plain.test"), []);
    assert_eq!(kinds(&seen, "gone.test"), [ProblemKind::Missing]);
    let renewal = shop.renewal.as_ref().unwrap();
    assert_eq!(renewal.needs[0].state, NeedState::Missing, "there is no webroot");
    let automation = &seen.automation[0];
    assert_eq!((text(automation.version.as_ref()), automation.is_installed), ("3.1.3", true));
    let trigger = &automation.schedule.triggers[0];
    assert_eq!(text(trigger.calendar.as_ref()), "7 4 * * *");
}

#[test]
fn secrets_of_settings_stay_on_the_host() {
    let authority = Authority::new();
    let tree = Tree::new();
    let issued = authority.issue(&["a.test"]);
    tree.write("acme/a.test/fullchain.cer", issued.fullchain());
    tree.write("acme/a.test/a.test.key", &issued.key);
    tree.write("acme/a.test/a.test.conf", "Le_Domain='a.test'\nSAVED_FTP_PASSWORD='hush'\n");
    tree.write("acme/account.conf", "SAVED_CF_Token='hush'\n");
    tree.write("dehydrated/config", "CA=https://x\nexport CF_KEY=hush\n");
    tree.write("dehydrated/certs/a.test/config", "export PASSWORD=hush\nHOOK=/hook\n");
    tree.write("dehydrated/certs/a.test/fullchain.pem", issued.fullchain());
    tree.write("dehydrated/certs/a.test/privkey.pem", &issued.key);
    tree.write("lego/certificates/a.test.crt", issued.fullchain());
    tree.write("lego/certificates/a.test.key", &issued.key);
    for source in [
        format!("kind = 'acme-sh'\nhome = '{}'\n", tree.text("acme")),
        format!("kind = 'dehydrated'\nconfig = '{}'\n", tree.text("dehydrated/config")),
        format!("kind = 'lego'\npath = '{}'\n", tree.text("lego")),
    ] {
        let (answer, _) = super::tree::answer(&["sh"], &source, &super::tree::host());
        let answer = String::from_utf8_lossy(&answer);
        assert!(answer.contains("BEGIN CERTIFICATE"), "{source}");
        assert!(!answer.contains("hush"), "{source}: {answer}");
        assert!(!answer.contains("PRIVATE"), "{source}: {answer}");
    }
}

#[test]
fn what_dehydrated_leaves_behind_is_understood() {
    let authority = Authority::new();
    let tree = Tree::new();
    let base = tree.text("base");
    let write = |name: &str, at: u32| {
        let issued = authority.issue(&[&format!("{name}.test")]);
        let dir = format!("base/certs/{name}");
        tree.write(&format!("{dir}/cert-{at}.pem"), &issued.cert);
        tree.write(&format!("{dir}/chain-{at}.pem"), &issued.chain);
        tree.write(&format!("{dir}/fullchain-{at}.pem"), issued.fullchain());
        tree.write(&format!("{dir}/privkey-{at}.pem"), &issued.key);
    };
    let point = |name: &str, kind: &str, at: u32| {
        tree.link(&format!("base/certs/{name}/{kind}.pem"), &format!("{kind}-{at}.pem"));
    };
    let whole = |name: &str, at: u32| {
        write(name, at);
        for kind in ["cert", "chain", "fullchain", "privkey"] {
            point(name, kind, at);
        }
    };
    tree.write("etc/config", format!("BASEDIR={base}\nCONFIG_D={}\n", tree.text("etc/conf.d")));
    tree.write("etc/conf.d/own.sh", "WELLKNOWN=\"${BASEDIR}/www\"\nHOOK=${BASEDIR}/hook.sh\n");
    tree.write("base/www/x", "");
    tree.write("base/hook.sh", "#!/bin/sh\n");
    tree.chmod("base/hook.sh", 0o644);
    tree.write("base/domains.txt", "a www.a\n# no\nfailing.test > failing\n*.never.test > never\n");
    whole("a", 1_795_000_000);
    whole("a", 1_795_468_930);
    whole("failing", 1_795_000_000);
    tree.write("base/certs/failing/cert-1795468939.pem", "");
    whole("mixed", 1_795_000_000);
    write("mixed", 1_795_468_930);
    point("mixed", "fullchain", 1_795_468_930);
    tree.write("base/certs/nothing/privkey-1795468939.pem", "x");

    let source = format!("kind = 'dehydrated'\nconfig = '{}'\n", tree.text("etc/config"));
    let seen = look(&tree, &source);
    let a = place(&seen, "a");
    assert_eq!((kinds(&seen, "a"), a.key_matches()), (vec![], Some(true)));
    let numbers: Vec<_> =
        a.versions.iter().map(|it| (it.number, it.certificate.is_some())).collect();
    assert_eq!(numbers, [(1, true), (2, true)]);
    let leaf = &a.layers.disk.as_ref().unwrap().chain.leaf;
    let renewal = a.renewal.as_ref().unwrap();
    assert_eq!(renewal.planned, Some(leaf.not_after.plus(-30 * 86_400)));
    assert_eq!(renewal.last_success.unwrap().unix(), 1_795_468_930);
    assert!(renewal.is_enabled && renewal.last_failure.is_none());
    let needs: Vec<_> = renewal.needs.iter().map(|it| it.state).collect();
    assert_eq!(needs, [NeedState::There, NeedState::NotExecutable]);

    let failing = place(&seen, "failing").renewal.as_ref().unwrap();
    let failure = failing.last_failure.as_ref().unwrap();
    assert_eq!(failure.at.unwrap().unix(), 1_795_468_939);
    assert_eq!(kinds(&seen, "mixed"), [ProblemKind::MixedVersions]);
    assert_eq!(place(&seen, "mixed").key_matches(), Some(false));
    assert!(!place(&seen, "mixed").renewal.as_ref().unwrap().is_enabled, "domains.txt lacks it");
    assert_eq!(kinds(&seen, "never"), [ProblemKind::Missing]);
    assert_eq!(kinds(&seen, "nothing"), [ProblemKind::Missing]);
    assert!(seen.automation[0].lock.is_none() && seen.problems.is_empty(), "{:?}", seen.problems);

    tree.write("base/lock", "x");
    assert!(look(&tree, &source).automation[0].lock.is_some());
    let old = std::process::Command::new("touch")
        .args(["-d", "2020-01-01"])
        .arg(tree.path("base/lock"))
        .status();
    assert!(old.unwrap().success());
    let seen = look(&tree, &source);
    assert!(seen.automation[0].lock.is_none());
    assert_eq!(seen.problems[0].kind, ProblemKind::BrokenConf);
}

#[test]
fn lego_is_known_by_what_starts_it() {
    let authority = Authority::new();
    let tree = Tree::new();
    let write = |name: &str| {
        let issued = authority.issue(&[&name.replace('_', "*")]);
        tree.write(&format!("lego/certificates/{name}.crt"), issued.fullchain());
        tree.write(&format!("lego/certificates/{name}.issuer.crt"), &issued.chain);
        tree.write(&format!("lego/certificates/{name}.key"), &issued.key);
    };
    write("a.test");
    write("_.b.test");
    write("c.test");
    let www = tree.text("www");
    tree.write(
        "root/etc/cron.d/lego",
        format!(
            "# certificates\n5 4 * * * root lego --http --http.webroot {www} -d a.test renew \
             --days 20 --renew-hook \"/no/such/hook x\"\n\
             6 4 * * * root lego --no-random-sleep --dns ovh -d '*.b.test' renew\n"
        ),
    );
    let source = format!("kind = 'lego'\npath = '{}'\n", tree.text("lego"));
    let seen = look(&tree, &source);
    let renewal = |name| place(&seen, name).renewal.as_ref().unwrap();
    let a = renewal("a.test");
    assert_eq!(text(a.authenticator.as_ref()), "webroot");
    let needs: Vec<_> = a.needs.iter().map(|it| (it.path.as_str(), it.state)).collect();
    let missing = NeedState::Missing;
    assert_eq!(needs, [(www.as_str(), missing), ("/no/such/hook", missing)]);
    let leaf = &place(&seen, "a.test").layers.disk.as_ref().unwrap().chain.leaf;
    assert_eq!(a.planned, Some(leaf.not_after.plus(-20 * 86_400)));
    assert_eq!(text(renewal("_.b.test").authenticator.as_ref()), "dns-ovh");
    assert!(!renewal("c.test").is_enabled, "no line names it");
    assert_eq!(place(&seen, "a.test").key_matches(), Some(true));
    let jitter: Vec<_> =
        seen.automation[0].schedule.triggers.iter().map(|it| it.jitter.unwrap()).collect();
    assert_eq!(jitter, [480, 0]);
    assert!(seen.problems.is_empty(), "{:?}", seen.problems);

    std::fs::remove_dir_all(tree.path("lego")).unwrap();
    assert_eq!(look(&tree, &source).problems[0].kind, ProblemKind::Missing);
}
