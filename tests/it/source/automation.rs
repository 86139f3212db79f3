//! What renews, and what a renewal needs, as every shell tells it.

use std::collections::BTreeSet;

use certdeck::fleet::NeedKind::{self, Credentials, Hook, ProofHook, Webroot};
use certdeck::fleet::{HookStage, NeedState, Seen};

use super::tree::{Authority, Tree, place, shells, visit_below};

/// Reads a host with every shell; all must see the same.
#[track_caller]
fn look(tree: &Tree, source: &str) -> Seen {
    let mut all: Vec<_> = shells().iter().map(|it| visit_below(it, tree, source)).collect();
    let told: BTreeSet<_> = all
        .iter()
        .map(|it| {
            let renewals: Vec<_> = it.places.iter().map(|it| &it.renewal).collect();
            format!("{:?}", (&it.automation, renewals, &it.problems))
        })
        .collect();
    assert_eq!(told.len(), 1, "{told:#?}");
    all.remove(0)
}

#[test]
fn what_a_renewal_needs_is_looked_for() {
    let tree = Tree::new();
    let authority = Authority::new();
    let root = tree.text("");
    let lineage = |name: &str, params: &str| {
        tree.lineage(name, &authority.issue(&[&format!("{name}.test")]));
        let conf = std::fs::read_to_string(tree.path(&format!("le/renewal/{name}.conf"))).unwrap();
        let (head, _) = conf.split_once("[renewalparams]").unwrap();
        let params = params.replace("ROOT/", &root);
        tree.write(
            &format!("le/renewal/{name}.conf"),
            format!("{head}[renewalparams]\naccount = a1\n{params}"),
        );
    };
    tree.write("le/accounts/ca.test/directory/a1/private_key.json", "{}");
    tree.write("www/index.html", "");
    tree.write("bin/reload", "");
    tree.chmod("bin/reload", 0o755);
    tree.write("bin/plain", "");
    tree.chmod("bin/plain", 0o644);
    tree.write("dns.ini", "");
    tree.chmod("dns.ini", 0o604);
    lineage(
        "a",
        "authenticator = webroot\npre_hook = true\nrenew_hook = ROOT/bin/reload --now\n\
         post_hook = \"ROOT/bin/plain a, b\"\nwebroot_path = ROOT/www, ROOT/gone,\n\
         [[webroot_map]]\na.test = ROOT/www\nwww.a.test = ROOT/gone\n",
    );
    lineage("b", "authenticator = webroot\nwebroot_path = ROOT/www, ROOT/dns.ini\n");
    lineage(
        "c",
        "authenticator = dns-rfc2136\ndns_rfc2136_credentials = ROOT/dns.ini\n\
         webroot_path = ROOT/old,\n",
    );
    lineage("d", "authenticator = dns-ovh\ndns_ovh_credentials = ROOT/no.ini\n");
    lineage("e", "authenticator = manual\nmanual_auth_hook = ROOT/bin/proof\n");
    lineage("f", "authenticator = standalone\nrenew_hook = no-such-program x\n");

    let seen = look(&tree, &tree.certbot());
    let check = |name: &str, expect: &[(NeedKind, &str, NeedState)]| {
        let needs = &place(&seen, name).renewal.as_ref().unwrap().needs;
        let told: Vec<_> = needs
            .iter()
            .filter(|it| it.kind != NeedKind::Account)
            .map(|it| (it.kind, it.path.as_str().trim_start_matches(&root).to_owned(), it.state))
            .collect();
        let expect: Vec<_> = expect.iter().map(|it| (it.0, it.1.to_owned(), it.2)).collect();
        assert_eq!(told, expect, "{name}");
        let account = needs.iter().find(|it| it.kind == NeedKind::Account).unwrap();
        assert_eq!(account.state, NeedState::There, "{name}");
    };
    check(
        "a",
        &[
            (Webroot, "gone", NeedState::Missing),
            (Webroot, "www", NeedState::There),
            (Hook(HookStage::Pre), "true", NeedState::There),
            (Hook(HookStage::Deploy), "bin/reload", NeedState::There),
            (Hook(HookStage::Post), "bin/plain", NeedState::NotExecutable),
        ],
    );
    check("b", &[(Webroot, "dns.ini", NeedState::Different), (Webroot, "www", NeedState::There)]);
    check("c", &[(Credentials, "dns.ini", NeedState::There)]);
    let needs = &place(&seen, "c").renewal.as_ref().unwrap().needs;
    assert_eq!(needs[0].mode, Some(0o604), "others may read it");
    check("d", &[(Credentials, "no.ini", NeedState::Missing)]);
    check("e", &[(ProofHook, "bin/proof", NeedState::Missing)]);
    check("f", &[(Hook(HookStage::Deploy), "no-such-program", NeedState::Missing)]);

    std::fs::remove_dir_all(tree.path("le/accounts")).unwrap();
    let seen = look(&tree, &tree.certbot());
    let needs = &place(&seen, "f").renewal.as_ref().unwrap().needs;
    let account = needs.iter().find(|it| it.kind == NeedKind::Account).unwrap();
    assert_eq!(account.state, NeedState::Missing);
}

#[test]
fn a_script_that_cron_starts_is_looked_into() {
    let tree = Tree::new();
    tree.write("root/etc/crontab", "17 * * * * root /usr/local/bin/backup /etc/passwd\n");
    tree.write("root/usr/local/bin/renew", "#!/bin/sh\nexec certbot renew -q\n");
    tree.write("root/usr/local/bin/backup", "#!/bin/sh\ntar c /home\n");
    tree.write(
        "root/var/spool/cron/crontabs/root",
        "# m h dom mon dow command\n5 3 * * * sleep $((RANDOM \\% 600)); /usr/local/bin/renew\n",
    );
    let seen = look(&tree, &tree.certbot());
    let triggers: Vec<_> = seen.automation[0]
        .schedule
        .triggers
        .iter()
        .map(|it| (it.name.as_str(), it.calendar.as_ref().unwrap().as_str(), it.jitter))
        .collect();
    // 10 minutes of cron, and 8 of certbot itself.
    let expect = ("/var/spool/cron/crontabs/root:2", "5 3 * * *", Some(600 + 480));
    assert_eq!(triggers, [expect]);
}

#[test]
fn a_line_for_one_lineage_starts_no_other() {
    let tree = Tree::new();
    for name in ["a.test", "b.test"] {
        tree.lineage(name, &Authority::new().issue(&[name]));
    }
    let starts = |line: &str| {
        tree.write("root/etc/cron.d/le", line);
        let seen = look(&tree, &tree.certbot());
        let schedule = &seen.automation[0].schedule;
        let place = |name| place(&seen, name);
        ["a.test", "b.test"].map(|it| schedule.triggers[0].renews(place(it)))
    };
    assert_eq!(starts("7 3 * * * root certbot -q renew\n"), [true, true]);
    assert_eq!(starts("7 3 * * * root certbot -q renew --cert-name a.test\n"), [true, false]);
    assert_eq!(starts("7 3 * * * root certbot certonly -n --nginx -d b.test\n"), [false, true]);
}

/// A program that lies where no shell looks, as in a virtual environment.
#[test]
fn what_starts_a_program_tells_where_it_lies() {
    let tree = Tree::new();
    let program = |seen: &Seen| {
        let it = &seen.automation[0];
        (it.is_installed, it.program.as_ref().map(ToString::to_string))
    };
    tree.write("root/etc/cron.d/le", "7 3 * * * root sleep 9; /srv/le/bin/certbot -q renew\n");
    let told = program(&look(&tree, &tree.certbot()));
    assert_eq!(told, (true, Some("/srv/le/bin/certbot".to_owned())));
}

#[test]
fn older_logs_tell_of_dry_runs() {
    let tree = Tree::new();
    tree.lineage("a", &Authority::new().issue(&["a.test"]));
    let run = |day: u32, arguments: &str, outcome: &str| {
        format!(
            "2026-11-{day:02} 03:00:00,001:DEBUG:certbot._internal.main:certbot version: 2.1.0\n\
             2026-11-{day:02} 03:00:00,002:DEBUG:certbot._internal.main:Arguments: [{arguments}]\n\
             2026-11-{day:02} 03:00:01,003:{outcome}\n"
        )
    };
    let nothing = "DEBUG:certbot._internal.display.obj:Notifying user: Certificate not yet due";
    let good =
        "DEBUG:certbot._internal.display.obj:Notifying user:   /le/live/a/fullchain.pem (success)";
    tree.write("log/letsencrypt.log", run(23, "'-q'", nothing));
    tree.write("log/letsencrypt.log.1", run(22, "'-q'", nothing));
    tree.write("log/letsencrypt.log.2.gz", [0x1f, 0x8b]);
    tree.write("log/letsencrypt.log.12", run(11, "'--dry-run'", good));
    let seen = look(&tree, &tree.certbot());
    let renewal = place(&seen, "a").renewal.as_ref().unwrap();
    let dry_run = renewal.last_dry_run.unwrap();
    assert_eq!((dry_run.at.to_string().get(..10), dry_run.is_ok), (Some("2026-11-11"), true));
    let last_run = seen.automation[0].last_run.unwrap().to_string();
    assert_eq!(last_run.get(..10), Some("2026-11-23"));
}
