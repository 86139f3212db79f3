//! Certificates that reach their stores by themselves: once they are in service, under the
//! confirmation of whatever brought them there, and as actions of their own.

use serde_json::{Value, json};

use super::deliver::{DELIVER, PATH, renew, world};
use super::{Record, Told, World};
use crate::lab::vault::Vault;
use crate::lab::wait_for;

/// A host with `a.test`, whose certificates go to a Vault.
fn delivering() -> Option<(World, Vault)> {
    let (mut it, vault) = world()?;
    it.web.reload_on_deploy();
    it.groups = format!("[defaults]\ndeliver = ['main']\n{}", it.groups);
    Some((it, vault))
}

fn force_renew(it: &World, more: &[&str]) -> Told {
    let words = ["run", "force-renew", "web-01/a.test", "--yes", "a.test"];
    it.certdeck(&[&words[..], more].concat())
}

/// The actions of the last run, each as its intent and its outcome.
#[track_caller]
fn last_run(it: &World) -> Vec<(Value, Value)> {
    let records = it.verified();
    let intents = || records.iter().filter(|it| it.kind() == "intent");
    let run = &intents().next_back().unwrap().0["run"];
    let end = |intent: &Record| {
        let op = &intent.0["op"];
        let end = records.iter().find(|it| it.kind() == "outcome" && it.0["op"] == *op);
        (intent.0.clone(), end.unwrap().0.clone())
    };
    intents().filter(|it| it.0["run"] == *run).map(end).collect()
}

#[test]
fn a_renewed_certificate_is_delivered_as_an_action_of_its_own() {
    let Some((it, vault)) = delivering() else { return };
    let card = it.certdeck(&["plan", "force-renew", "web-01/a.test"]);
    let told = format!("then delivered to main (vault-kv2) at {PATH}, without its key");
    card.check(0, &[&told]);
    assert_eq!(vault.state().asked.len(), 0);

    let told = force_renew(&it, &[]);
    told.check(0, &["version 1 of certdeck/web-01/a.test in main holds the certificate"]);
    let kept = vault.newest(PATH);
    assert_eq!(kept["sha256"], it.web.on_disk("a.test"));
    assert_eq!(kept.get("private_key"), None);
    let all = last_run(&it);
    let [(renewal, renewed), (delivery, delivered)] = all.as_slice() else { panic!("{all:#?}") };
    assert_eq!((&renewal["action"], &renewal.get("of")), (&json!("force-renew"), &None));
    assert_eq!((&delivery["action"], &delivery["of"]), (&json!("deliver"), &renewal["op"]));
    assert_eq!(delivery["confirmed"], renewal["confirmed"]);
    assert_eq!((&delivery["moves-key"], &delivery["store"]), (&json!(false), &json!("main")));
    // It is begun once the renewal has its outcome.
    assert!(renewed["seq"].as_u64() < delivery["seq"].as_u64());
    let ends = [&renewed["ending"], &delivered["ending"]];
    assert_eq!(ends, [&json!("ok"), &json!("ok")]);
    assert_eq!(delivered["after"], renewed["after"]);

    // For programs, too, it is a result of its own.
    let told = force_renew(&it, &["--format", "json"]);
    told.check(0, &[]);
    let results: Value = serde_json::from_str(&told.stdout).unwrap();
    let results = results["results"].as_array().unwrap();
    let [renewal, delivery] = results.as_slice() else { panic!("{results:#?}") };
    assert_eq!((&delivery["action"], &delivery["of"]), (&json!("deliver"), &renewal["op"]));
    assert_eq!((&delivery["ending"], &delivery["path"]), (&json!("ok"), &json!(PATH)));
    assert_eq!(vault.versions(PATH), 2);

    // Whatever is in service, the store follows; a rehearsal brings nothing there.
    it.certdeck(&["run", "dry-run", "web-01/a.test"]).check(0, &[]);
    assert_eq!(vault.versions(PATH), 2);
    let back = it.certdeck(&["run", "rollback", "web-01/a.test", "--to", "2", "--yes", "a.test"]);
    back.check(0, &["version 3 of certdeck/web-01/a.test in main"]);
    assert_eq!(vault.newest(PATH)["sha256"], it.web.on_disk("a.test"));
}

#[test]
fn a_store_that_fails_leaves_the_renewal_a_success() {
    let Some((it, vault)) = delivering() else { return };
    force_renew(&it, &[]).check(0, &[]);
    vault.state().is_sealed = true;
    let told = force_renew(&it, &[]);
    let again = "to deliver it again: certdeck run deliver 'web-01/a.test' --to main";
    told.check(1, &["Vault is sealed", "neither in the store nor on the host", again]);
    let ends: Vec<_> = last_run(&it).into_iter().map(|it| it.1["ending"].clone()).collect();
    assert_eq!(ends, ["ok", "failed"]);
    assert_ne!(vault.newest(PATH)["sha256"], it.web.on_disk("a.test"));

    // What failed is what is done again, by the command that was told or by its run.
    let op = last_run(&it)[0].0["run"].as_str().unwrap().to_owned();
    vault.state().is_sealed = false;
    let repeat = ["run", "renew", "--failed-of", &op, "--yes", "a.test"];
    it.certdeck(&repeat).check(2, &["is `deliver`, not `renew`"]);
    let repeat = ["run", "deliver", "--failed-of", &op, "--yes", "a.test"];
    it.certdeck(&repeat).check(0, &["version 2 of"]);
    assert_eq!(vault.newest(PATH)["sha256"], it.web.on_disk("a.test"));

    // What may have been written is said to be unknown.
    vault.state().seals_at_write = true;
    let told = force_renew(&it, &[]);
    told.check(3, &["a version may have been written", again]);
    assert_eq!(last_run(&it)[1].1["ending"], "unknown");
    vault.state().is_sealed = false;
    it.certdeck(&[&DELIVER[..], &["a.test"]].concat()).check(0, &["nothing was written"]);
    assert_eq!(vault.versions(PATH), 3);
}

/// What was renewed by its own client, or whose delivery was cut off, is found by a look, and
/// delivering it is what mends it. A store that cannot be asked says nothing about the certificate.
#[test]
fn a_store_that_lags_is_found() {
    let Some((mut it, vault)) = delivering() else { return };
    let findings = |it: &World| {
        let told = it.certdeck(&["scan", "--format", "json"]);
        let scan: Value = serde_json::from_str(&told.stdout).expect(&told.stderr);
        let all = scan["findings"].as_array().unwrap().clone();
        let all = all.into_iter().filter(|it| it["rule"] == "not-delivered").collect::<Vec<_>>();
        let place = scan["hosts"][0]["places"][0].clone();
        (all, place, told.stderr)
    };
    let (found, place, _) = findings(&it);
    assert_eq!(found[0]["summary"], "main does not hold it", "{found:#?}");
    assert_eq!(place["stores"][0]["holds"], false);
    let mend = |it: &World, found: &[Value]| {
        let line = found[0]["repairs"][0]["command"].as_str().unwrap();
        assert_eq!(line, "certdeck run deliver web-01/a.test --to main");
        let words: Vec<_> = line.split(' ').skip(1).chain(["--yes", "a.test"]).collect();
        it.certdeck(&words).check(0, &[]);
    };
    mend(&it, &found);
    let (found, place, _) = findings(&it);
    assert_eq!((found.len(), &place["stores"][0]["holds"]), (0, &json!(true)), "{found:#?}");

    // A timer of the host renews.
    renew(&it);
    let (found, place, _) = findings(&it);
    assert_eq!(found[0]["summary"], "main still holds another one");
    assert_eq!((&found[0]["severity"], &found[0]["verdict"]), (&json!("warning"), &json!("drift")));
    assert_eq!((&place["verdict"], &place["stores"][0]["version"]), (&json!("drift"), &json!("1")));
    it.certdeck(&["check"]).check(1, &["main still holds another one"]);
    // So does a run with nobody there, though nothing is due.
    let alone = ["run", "renew", "due", "--unattended"];
    it.certdeck(&alone).check(0, &["version 2 of certdeck/web-01/a.test in main"]);
    assert_eq!(
        last_run(&it)[0].0["confirmed"].as_str().unwrap().split(',').next(),
        Some("unattended")
    );
    it.certdeck(&alone).check(0, &["nothing is to be renewed"]);
    renew(&it);

    // Nobody knows: it is said, and the certificate is no worse for it.
    vault.state().is_sealed = true;
    let (found, place, said) = findings(&it);
    assert_eq!((found.len(), &place["stores"][0]["holds"]), (0, &Value::Null));
    let told = "warning: what main holds is not known, or not all of it: secret-store main";
    assert!(said.contains(told) && said.contains("sealed"), "{said}");
    assert_eq!(said.matches("is not known").count(), 1, "{said}");
    vault.state().is_sealed = false;
    let right = it.groups.clone();
    it.groups = right.replace("secret-file", "secret-env = 'NOBODY_SETS_THIS' #");
    let (found, _, said) = findings(&it);
    assert!(found.is_empty() && said.contains("what main holds is not known"), "{said}");

    // A run that was killed after its renewal leaves what the next look finds.
    it.groups = right;
    mend(&it, &findings(&it).0);
    vault.state().throttled = 100;
    vault.state().asked.clear();
    let run = it.begin(&["run", "force-renew", "web-01/a.test", "--yes", "a.test"]);
    wait_for("the store to be asked", || !vault.state().asked.is_empty());
    drop(run);
    vault.state().throttled = 0;
    let (found, _, _) = findings(&it);
    assert_eq!(found[0]["summary"], "main still holds another one");
    mend(&it, &found);
    assert_eq!(vault.newest(PATH)["sha256"], it.web.on_disk("a.test"));
    let records = it.verified();
    let settled = records.iter().rfind(|it| it.kind() == "reconcile").unwrap();
    assert_eq!(settled.0["ending"], "failed", "{settled:?}");
}

/// Hosts may share a path of a store, each with a certificate of its own: the one that ends last
/// stays, and nobody delivers for ever.
#[test]
fn what_another_host_has_delivered_stays_if_it_ends_no_sooner() {
    let Some((mut it, vault)) = delivering() else { return };
    it.groups = it.groups.replace("kind =", "path = 'tls/{name}'\nkind =");
    let path = "tls/a.test";
    let deliver = |it: &World| it.certdeck(&[&DELIVER[..], &["a.test"]].concat());
    deliver(&it).check(0, &["version 1 of tls/a.test"]);
    let ours = vault.newest(path);
    renew(&it);
    let theirs = |names: &str, until: &str| {
        let mut it = ours.clone();
        it["host"] = json!("web-02");
        it["names"] = json!(names);
        it["not_after"] = json!(until);
        vault.state().held.get_mut(path).unwrap().push(Some(it));
    };
    let found = |it: &World| {
        let told = it.certdeck(&["scan", "--format", "json"]);
        let scan: Value = serde_json::from_str(&told.stdout).expect(&told.stderr);
        let all = scan["findings"].as_array().unwrap();
        let of = &scan["hosts"][0]["places"][0]["stores"][0]["host"];
        (all.iter().filter(|it| it["rule"] == "not-delivered").count(), of.clone())
    };
    theirs("a.test", "2099-01-01T00:00:00Z");
    assert_eq!(found(&it), (0, json!("web-02")));
    deliver(&it).check(0, &["holds that of web-02, which ends no sooner; nothing was written"]);
    it.certdeck(&["run", "renew", "due", "--unattended"]).check(0, &["nothing is to be renewed"]);
    // A renewal is followed by no delivery that would only be in its way.
    force_renew(&it, &[]).check(0, &["nothing was written"]);
    assert_eq!(vault.versions(path), 2);

    theirs("b.test", "2099-01-01T00:00:00Z");
    assert_eq!(found(&it).0, 1);
    deliver(&it).check(1, &["holds the certificate of web-02, for other names"]);
    assert_eq!(vault.versions(path), 3);

    theirs("a.test", "2026-01-01T00:00:00Z");
    assert_eq!(found(&it).0, 1);
    deliver(&it).check(0, &["version 5 of tls/a.test"]);
    assert_eq!(vault.newest(path)["sha256"], it.web.on_disk("a.test"));
}

/// Where the host names several stores, each gets it, whatever becomes of the others.
#[test]
fn every_store_of_a_host_is_delivered_to() {
    let Some((mut it, vault)) = delivering() else { return };
    let other = Vault::start();
    let second = it.groups.split_once("[[secret-store]]").unwrap().1;
    let second = second.replace("'main'", "'other'").replace(&vault.url, &other.url);
    it.groups = it.groups.replace("deliver = ['main']", "deliver = ['main', 'other']");
    it.groups = format!("{}[[secret-store]]{second}", it.groups);
    let run = || it.certdeck(&["run", "deliver", "web-01/a.test", "--yes", "a.test"]);
    run().check(0, &["version 1 of certdeck/web-01/a.test in main", "in other holds"]);
    assert_eq!((vault.versions(PATH), other.versions(PATH)), (1, 1));
    renew(&it);
    vault.state().is_sealed = true;
    let told = run();
    told.check(1, &["is sealed", "version 2 of certdeck/web-01/a.test in other", "--to main"]);
    let told = force_renew(&it, &[]);
    told.check(1, &["is sealed", "version 3 of certdeck/web-01/a.test in other"]);
    vault.state().is_sealed = false;
    run().check(0, &["version 2 of certdeck/web-01/a.test in main", "in other holds it already"]);
}
