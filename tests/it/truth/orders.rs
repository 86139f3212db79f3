//! A host with nginx and no ACME client: certdeck orders for it, from the console's machine.

use std::fs;
use std::io::{BufRead as _, BufReader};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use super::node::Plain;
use super::shop::{NAME, Shop, files};
use crate::dns::Named;
use crate::lab::ca::{Ca, Checks};
use crate::lab::end_processes_with;
use crate::order::proxy::{Fault, Proxy, Strike, What};

#[test]
fn a_host_without_a_client_gets_its_certificate_on_the_wire() {
    let Some(shop) = Shop::open() else { return };
    let before = shop.served();
    let said = shop.scene.repair(Shop::ISSUE.split_once(" --yes").unwrap().0, "shop");
    assert!(said.contains("and is served"), "{said}");
    let after = shop.served();
    assert_ne!(before, after, "{said}");
    let live = fs::read_to_string(shop.store("live/shop/fullchain.pem")).unwrap();
    assert!(fs::symlink_metadata(shop.store("live/shop/fullchain.pem")).unwrap().is_symlink());
    let key = fs::read_to_string(shop.store("live/shop/privkey.pem")).unwrap();
    assert!(live.contains("BEGIN CERTIFICATE") && key.contains("PRIVATE KEY"));
    shop.assert_clear();
    // The key is nowhere on this machine but on the host.
    let key = key.lines().nth(1).unwrap();
    for file in files(&shop.scene.lab.path("state")) {
        let bytes = fs::read(&file).unwrap();
        assert!(!String::from_utf8_lossy(&bytes).contains(key), "{}", file.display());
    }
    // What answered the CA is on record, by its hash alone.
    let log = fs::read_to_string(shop.scene.lab.path("state/audit/000001.jsonl")).unwrap();
    for what in ["challenges are answered", "answers are taken away"] {
        assert!(log.contains(what), "{log}");
    }
    // Again, by what the host keeps of it.
    let said = shop.scene.repair("certdeck run force-renew shop-1/shop", "shop");
    assert_ne!(shop.served(), after, "{said}");
    let versions = fs::read_dir(shop.store("archive/shop")).unwrap().count();
    assert_eq!(versions, 2, "{said}");
    assert_eq!(shop.ca.issued().len(), 2);
    shop.assert_clear();
}

#[test]
fn a_wrong_webroot_costs_no_validation() {
    let Some(mut shop) = Shop::open() else { return };
    shop.scene.resolve(NAME, "127.0.0.1");
    let elsewhere = shop.host.path("home");
    let line = format!("{} --webroot '{}'", Shop::ISSUE, elsewhere.display());
    let output = shop.scene.shell(&line);
    let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(
        said.contains("answers 404") && said.contains("the webroot is another folder"),
        "{said}"
    );
    assert!(shop.ca.issued().is_empty() && !said.contains("looks at"), "{said}");
    assert!(files(&elsewhere).is_empty());
    shop.assert_clear();
}

/// The console is killed at each thing that it tells; the next one goes on with the same order.
#[test]
fn whoever_comes_next_goes_on_with_an_order() {
    let Some(shop) = Shop::open() else { return };
    let mut killed = 0;
    for at in 1.. {
        let issued = shop.ca.issued().len();
        let lineage = format!("shop{at}");
        let line = format!(
            "exec certdeck run issue shop-1/{lineage} --names shop.example.test --serve no --yes {lineage}"
        );
        let mut child = shop.scene.spawn(&line);
        let told = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut told = told.map_while(Result::ok).filter(|it| it.starts_with("shop-1/"));
        let is_cut = told.by_ref().nth(at).is_some();
        child.kill().ok();
        child.wait().unwrap();
        if !is_cut {
            break;
        }
        killed += 1;
        // It is settled before anything else is done there.
        let output = shop.scene.shell("certdeck run reload shop-1 --yes shop-1");
        let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        let count = shop.ca.issued().len() - issued;
        assert!(count <= 1, "{count} certificates of one order, killed at {at}\n{said}");
        let live = shop.store(&format!("live/{lineage}/fullchain.pem"));
        assert!(live.exists(), "killed at {at}\n{said}");
        shop.assert_clear();
    }
    assert!(killed >= 5, "{killed}");
    let verified = shop.scene.shell("certdeck audit verify");
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stdout));
}

/// A CA may ask any host behind a name, so all of them have the answer: this one asks the other.
#[test]
fn every_host_behind_a_name_has_the_answer() {
    let Some(mut shop) = Shop::open() else { return };
    let second = Plain::start(&mut shop.scene, "shop-2");
    let nginx = second.nginx(&[]);
    shop.scene.tell(&format!(
        "[[host]]\nname = 'shop-2'\naddress = '127.0.0.1'\nport = {}\nwebroot = '{}'",
        second.ssh_port(),
        nginx.webroot().display(),
    ));
    shop.scene.endpoint(NAME, nginx.tls_port, "probe = []");
    let ca = Ca::start(&shop.scene.lab.path("other"), Checks::Http(nginx.http_port), 90);
    shop.scene.edit(&shop.ca.directory(), &ca.directory());
    shop.scene.edit(shop.ca.trust().to_str().unwrap(), ca.trust().to_str().unwrap());
    let said = shop.scene.repair(Shop::ISSUE.split_once(" --yes").unwrap().0, "shop");
    for (host, nginx) in [("shop-1", &shop.nginx), ("shop-2", &nginx)] {
        let words = format!("the answer lies in {} on {host}", nginx.webroot().display());
        assert!(said.contains(&words), "{said}");
        assert!(files(&nginx.webroot()).is_empty(), "{host}");
    }
    shop.assert_clear();
    // Where one of them cannot have it, nobody is asked to look.
    shop.scene.lab.stop(second.ssh_port());
    end_processes_with(&shop.scene.lab.path("run"));
    let output = shop.scene.shell("certdeck run force-renew shop-1/shop --yes shop");
    let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("shop-2") && !said.contains(" looks at "), "{said}");
    assert_eq!(ca.issued().len(), 1, "{said}");
    let left = [shop.nginx.webroot(), shop.store("orders")].map(|it| files(&it));
    assert!(left.iter().all(Vec::is_empty), "{left:?}");
}

/// The key moves once, and is used again from then on: afterwards the chain alone goes from host
/// to host.
#[test]
fn a_lineage_of_two_hosts_is_ordered_once() {
    let Some(mut shop) = Shop::open() else { return };
    let second = Plain::start(&mut shop.scene, "shop-2");
    let folder = second.path("certdeck");
    shop.scene.tell(&format!(
        "[[host]]\nname = 'shop-2'\naddress = '127.0.0.1'\nport = {}\n\
         [[host.source]]\nkind = 'certdeck'\ndir = '{}'",
        second.ssh_port(),
        folder.display(),
    ));
    let live = |file: &str| {
        let [first, second] = [shop.store("live/shop"), folder.join("live/shop")];
        [first, second].map(|it| fs::read_to_string(it.join(file)).unwrap())
    };
    shop.scene.repair(Shop::ISSUE.split_once(" --yes").unwrap().0, "shop");
    let bring = "certdeck run transplant shop-2/shop --from shop-1/shop";
    let output = shop.scene.shell(&format!("{bring} --yes shop"));
    let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    assert!(said.contains("it would be --yes 'move key shop'"), "{said}");
    shop.scene.repair(bring, "move key shop");
    let [first, second] = live("privkey.pem");
    assert_eq!(first, second);
    let key = first;

    let said = shop.scene.repair("certdeck run force-renew shop-1/shop", "shop");
    assert!(said.contains("the same key is used again"), "{said}");
    let [first, second] = live("fullchain.pem");
    assert_ne!(first, second);
    let said = shop.scene.repair(bring, "shop");
    assert!(said.contains("none moves"), "{said}");
    let [first, second] = live("fullchain.pem");
    assert_eq!(first, second);
    assert_eq!(live("privkey.pem"), [key.clone(), key]);
    assert_eq!(shop.ca.issued().len(), 2);
    // And back, where the newer one is no good.
    shop.scene.repair("certdeck run rollback shop-2/shop", "shop");
    let [first, second] = live("fullchain.pem");
    assert_ne!(first, second);
    shop.assert_clear();
}

fn answer(status: &str, headers: &str, body: &str) -> What {
    let length = body.len();
    What::Answer(format!(
        "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n{headers}\r\n{body}"
    ))
}

/// A zone that forbids the CA is known before the CA is asked.
#[test]
fn a_zone_that_forbids_the_ca_stops_the_order() {
    let Some(mut shop) = Shop::open() else { return };
    // The zone of `a.test` names `ca.test` and nobody else.
    let Some(named) = Named::primary() else { return };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let proxy = runtime.block_on(Proxy::start(&shop.ca, Strike::Never));
    let url = proxy.directory();
    let at = url.strip_suffix("/dir").unwrap();
    let directory = |identity: &str| {
        let text = format!(
            r#"{{"newNonce": "{at}/nonce-plz", "newAccount": "{at}/sign-me-up",
                "newOrder": "{at}/order-plz", "revokeCert": "{at}/revoke-cert",
                "keyChange": "{at}/rollover-account-key",
                "meta": {{"caaIdentities": ["{identity}"]}}}}"#
        );
        vec![Fault { at: "GET /dir", times: 99, what: answer("200 OK", "", &text) }]
    };
    shop.scene.edit(&shop.ca.directory(), &url);
    shop.scene.default(&format!("resolvers = ['127.0.0.1:{}']", named.port));
    let line = "certdeck run issue shop-1/a --names a.test --serve no --yes a";
    proxy.spoil(directory("other.test"));
    let output = shop.scene.shell(line);
    let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("a.test: CAA of a.test: issue \"ca.test\""), "{said}");
    assert!(said.contains("publish `a.test CAA 0 issue \"other.test\"`"), "{said}");
    assert!(proxy.seen().iter().all(|it| it.line != "POST /order-plz"));
    shop.assert_clear();
    proxy.mend();
    proxy.spoil(directory("ca.test"));
    shop.scene.repair(line.split_once(" --yes").unwrap().0, "a");
}

/// A CA that tells renewal windows asks for a certificate to be replaced: that is found and said,
/// and the order says what it replaces, and goes on where that is not taken.
#[test]
fn a_certificate_that_its_ca_recalls_is_replaced() {
    let Some(mut shop) = Shop::open() else { return };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let proxy = runtime.block_on(Proxy::start(&shop.ca, Strike::Never));
    let url = proxy.directory();
    let at = url.strip_suffix("/dir").unwrap();
    let directory = format!(
        r#"{{"newNonce": "{at}/nonce-plz", "newAccount": "{at}/sign-me-up", "newOrder": "{at}/order-plz",
            "revokeCert": "{at}/revoke-cert", "keyChange": "{at}/rollover-account-key",
            "renewalInfo": "{at}/ari"}}"#
    );
    let window = r#"{"suggestedWindow": {"start": "2026-01-01T00:00:00Z", "end": "2026-01-02T00:00:00Z"},
        "explanationURL": "https://ca.test/why"}"#;
    let ari = answer("200 OK", "Retry-After: 21600\r\n", window);
    proxy.spoil(vec![
        Fault { at: "GET /dir", times: 99, what: answer("200 OK", "", &directory) },
        Fault { at: "GET /ari/", times: 99, what: ari },
    ]);
    shop.scene.edit(&shop.ca.directory(), &url);
    shop.scene.repair(Shop::ISSUE.split_once(" --yes").unwrap().0, "shop");
    let scan = shop.scene.shell("certdeck scan --format json");
    let scan: Value = serde_json::from_slice(&scan.stdout).unwrap();
    let place = scan["hosts"][0]["places"].as_array().unwrap();
    let place = place.iter().find(|it| it["name"] == "shop").unwrap();
    assert_eq!(place["verdict"], "revoked", "{place:#}");
    assert_eq!(place["renewal-window"]["start"], "2026-01-01T00:00:00Z", "{place:#}");
    let findings = scan["findings"].to_string();
    assert!(findings.contains("https://ca.test/why"), "{findings}");

    let said = shop.scene.repair("certdeck run renew shop-1/shop", "shop");
    assert!(said.contains("does not take it as a replacement"), "{said}");
    let orders: Vec<Value> = proxy
        .seen()
        .iter()
        .filter(|it| it.line == "POST /order-plz")
        .filter_map(|it| {
            let text = String::from_utf8_lossy(&it.request).into_owned();
            let body: Value = serde_json::from_str(text.split_once("\r\n\r\n")?.1).ok()?;
            let payload = URL_SAFE_NO_PAD.decode(body["payload"].as_str()?).ok()?;
            serde_json::from_slice(&payload).ok()
        })
        .collect();
    let replaces = |it: &&Value| it["replaces"].as_str().is_some_and(|it| it.contains('.'));
    assert_eq!(orders.iter().filter(replaces).count(), 1, "{orders:#?}");
    assert!(orders.last().unwrap()["replaces"].is_null(), "{orders:#?}");
    assert_eq!(shop.ca.issued().len(), 2);
}

/// What a CA on a bad day says is told with its cause and the next step, and it is left alone for
/// as long as it asks.
#[test]
fn a_ca_that_is_busy_is_told_and_left_alone() {
    let Some(mut shop) = Shop::open() else { return };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let body = r#"{"type": "urn:ietf:params:acme:error:rateLimited", "detail": "too many certificates (5) already issued for this exact set of identifiers in the last 168h0m0s, retry after 2037-01-01 00:00:00 UTC: see the docs\u001b[2J"}"#;
    let page = "<html>Bad Gateway</html>";
    let cases = [
        (answer("502 Bad Gateway", "", page), "answers with a page for people", 6),
        (
            answer(
                "403 Forbidden",
                "",
                "{\"type\": \"urn:ietf:params:acme:error:caa\", \"detail\": \"CAA record for shop.example.test prevents issuance\"}",
            ),
            "the CAA records of",
            1,
        ),
        (
            answer("429 Too Many Requests", "Retry-After: 3600\r\n", body),
            "this exact set of names is used up",
            1,
        ),
    ];
    let direct = shop.ca.directory();
    let mut url = direct.clone();
    for (what, words, most) in cases {
        let fault = Fault { at: "POST /order-plz", times: 99, what };
        let proxy = runtime.block_on(Proxy::start_with(&shop.ca, Strike::Never, vec![fault]));
        shop.scene.edit(&url, &proxy.directory());
        url = proxy.directory();
        // An account belongs to the address at which it was made.
        fs::remove_dir_all(shop.scene.lab.path("state/accounts")).ok();
        let output = shop.scene.shell(Shop::ISSUE);
        let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains(words) && said.contains("  next   "), "{words}: {said}");
        assert!(!said.contains('\u{1b}') && !said.contains("panicked"), "{said}");
        let asked = proxy.seen().iter().filter(|it| it.line == "POST /order-plz").count();
        assert!((1..=most).contains(&asked), "{words}: asked {asked} times\n{said}");
        shop.assert_clear();
        if most == 1 && words.contains("exact set") {
            let before = proxy.seen().len();
            let output = shop.scene.shell(Shop::ISSUE);
            let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
            assert_eq!(output.status.code(), Some(2), "{said}");
            let told = "localhost would refuse: it has asked to be left alone\n  hint: the CA takes it after 2037-01-01T00:00:00Z";
            assert!(said.contains(told), "{said}");
            assert_eq!(proxy.seen().len(), before, "{said}");
        }
    }
    assert!(shop.ca.issued().is_empty());
    shop.scene.edit(&url, &direct);
    fs::remove_dir_all(shop.scene.lab.path("state/accounts")).ok();
    shop.scene.repair(Shop::ISSUE.split_once(" --yes").unwrap().0, "shop");
}

/// What would be over the limit is refused with the time at which it is not, and goes through once
/// somebody has typed that it is to be so; both are on record.
#[test]
fn who_types_it_orders_over_the_budget() {
    let Some(mut shop) = Shop::open() else { return };
    shop.scene.edit("http-port", "order-limit = '1/2h'\nhttp-port");
    shop.scene.repair(Shop::ISSUE.split_once(" --yes").unwrap().0, "shop");
    let run = |shop: &Shop, line: &str| {
        let output = shop.scene.shell(line);
        let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        (output.status.code(), said)
    };
    let again = "certdeck run force-renew shop-1/shop";
    let (code, said) = run(&shop, &format!("{again} --yes shop"));
    let used_up = "the limit for orders of an account (certdeck's own account) is used up";
    assert!(code == Some(2) && said.contains(used_up), "{said}");
    assert!(said.contains("hint: the CA takes it after 20") && said.contains("Z, in "), "{said}");
    // Its name alone does not do, nor does the choice where nobody types anything.
    let (code, said) = run(&shop, &format!("{again} --over-budget --yes shop"));
    assert!(code == Some(2) && said.contains("--yes 'over budget shop'"), "{said}");
    assert_eq!(shop.ca.issued().len(), 1);
    let typed = format!("{again} --over-budget --yes 'over budget shop'");
    let (code, said) = run(&shop, &typed);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains(&format!("all the same: localhost would refuse: {used_up}")), "{said}");
    assert_eq!(shop.ca.issued().len(), 2, "{said}");

    // A CA that has asked to be left alone is asked all the same, by whoever was told of it.
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let busy = answer(
        "429 Too Many Requests",
        "Retry-After: 7200\r\n",
        r#"{"type": "urn:ietf:params:acme:error:rateLimited", "detail": "busy"}"#,
    );
    let fault = Fault { at: "POST /order-plz", times: 1, what: busy };
    let proxy = runtime.block_on(Proxy::start_with(&shop.ca, Strike::Never, vec![fault]));
    shop.scene.edit(&shop.ca.directory(), &proxy.directory());
    shop.scene.edit("order-limit = '1/2h'\n", "");
    fs::remove_dir_all(shop.scene.lab.path("state/accounts")).ok();
    let issue = "certdeck run issue shop-1/shop --issuer lab";
    assert_eq!(run(&shop, &format!("{issue} --yes shop")).0, Some(1));
    let (code, said) = run(&shop, &format!("{issue} --yes shop"));
    let left_alone = "localhost would refuse: it has asked to be left alone";
    assert!(code == Some(2) && said.contains(left_alone) && said.contains("Z, in "), "{said}");
    let (code, said) = run(&shop, &format!("{issue} --over-budget --yes 'over budget shop'"));
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains(&format!("all the same: {left_alone}; that is over after 20")), "{said}");
    assert_eq!(shop.ca.issued().len(), 3, "{said}");

    let log = fs::read_to_string(shop.scene.lab.path("state/audit/000001.jsonl")).unwrap();
    let records = log.lines().map(|it| serde_json::from_str::<Value>(it).unwrap());
    let over: Vec<_> = records.filter(|it| it["over"].is_array()).collect();
    assert_eq!(over.len(), 2, "{over:#?}");
    for (record, why) in over.iter().zip([used_up, left_alone]) {
        assert!(record["over"][0].as_str().unwrap().contains(why), "{record:#}");
        assert!(record["confirmed"].as_str().unwrap().contains("over budget shop"), "{record:#}");
        assert_eq!(record["chosen"]["over-budget"], "yes");
        assert_eq!(record["orders"]["names"], serde_json::json!([NAME]));
    }
    assert!(shop.scene.shell("certdeck audit verify").status.success());
    shop.assert_clear();

    // Each certificate counts once, wherever it is known from, and also where only this machine's
    // own log knows of it.
    let counted = || -> Vec<Value> {
        let output = shop.scene.shell("certdeck budget --scan --format json");
        let told: Value = serde_json::from_slice(&output.stdout).unwrap();
        let all = told["buckets"].as_array().unwrap().clone();
        let sets = all.into_iter().filter(|it| it["kind"] == "exact-set");
        sets.flat_map(|it| it["counted"].as_array().unwrap().clone()).collect()
    };
    let before = counted();
    assert_eq!(before.len(), 3, "{before:#?}");
    for it in &before {
        let from = it["from"].to_string();
        let all = ["audit log", "ledger of this machine"];
        assert!(all.iter().all(|it| from.contains(it)), "{before:#?}");
    }
    let is_kept = |it: &&Value| it["from"].to_string().contains("shop-1/shop version");
    assert!(before.iter().filter(is_kept).count() >= 2, "{before:#?}");
    fs::remove_dir_all(shop.host.path("certdeck")).unwrap();
    fs::remove_dir_all(shop.scene.lab.path("state/ledger")).unwrap();
    let after = counted();
    assert_eq!(after.len(), 3, "{after:#?}");
    assert!(after.iter().all(|it| it["from"].to_string().contains("audit log")), "{after:#?}");
}

/// After a failure the twin is asked first; what comes of that costs nothing and leaves nothing.
#[test]
fn after_a_failure_it_is_rehearsed() {
    let Some(mut shop) = Shop::open() else { return };
    shop.give_twin();
    let empty = shop.host.path("home");
    let wrong = format!("{} --precheck no --webroot '{}'", Shop::ISSUE, empty.display());
    let run = |shop: &Shop, line: &str| {
        let output = shop.scene.shell(line);
        let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        (output.status.code(), said)
    };
    let (code, said) = run(&shop, &wrong);
    assert!(code == Some(1) && !said.contains("twin is asked first"), "{said}");
    // Still wrong: it fails at the twin, and the CA itself is not asked.
    let (code, said) = run(&shop, &wrong);
    assert!(code == Some(1) && said.contains("twin is asked first"), "{said}");
    shop.assert_clear();
    // What has failed twice for the same cause is done once more by whoever says that it is mended.
    let (code, said) = run(&shop, Shop::ISSUE);
    assert!(code == Some(2) && said.contains("has failed 2 times in a row"), "{said}");
    let mended = Shop::ISSUE.replace("--yes shop", "--over-budget --yes 'over budget shop'");
    let (code, said) = run(&shop, &mended);
    assert!(code == Some(0) && said.contains("twin is asked first"), "{said}");
    assert_eq!(shop.ca.issued().len(), 1, "{said}");
    shop.assert_clear();
    let (code, said) = run(&shop, "certdeck run force-renew shop-1/shop --yes shop");
    assert!(code == Some(0) && !said.contains("twin is asked first"), "{said}");
}

/// Killed at the twin: whoever comes next ends the rehearsal and goes on to the order.
#[test]
fn whoever_comes_next_goes_on_with_a_rehearsal() {
    let Some(mut shop) = Shop::open() else { return };
    shop.give_twin();
    let empty = shop.host.path("home");
    let wrong = format!("{} --precheck no --webroot '{}'", Shop::ISSUE, empty.display());
    assert_eq!(shop.scene.shell(&wrong).status.code(), Some(1));
    let mut child = shop.scene.spawn(&format!("exec {}", Shop::ISSUE));
    let told = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
    let told: Vec<_> = told.take_while(|it| !it.contains("the answer lies in")).collect();
    child.kill().ok();
    child.wait().unwrap();
    assert!(told.iter().any(|it| it.contains("twin is asked first")), "{told:#?}");
    assert!(!files(&shop.nginx.webroot()).is_empty(), "{told:#?}");

    let output = shop.scene.shell("certdeck run reload shop-1 --yes shop-1");
    let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    assert!(shop.store("live/shop/fullchain.pem").exists(), "{said}");
    assert_eq!(shop.ca.issued().len(), 1, "{said}");
    shop.assert_clear();
}

/// What could not be taken away when an order ended is taken away by whoever comes next.
#[test]
fn what_was_left_in_place_goes_at_the_next_start() {
    let Some(shop) = Shop::open() else { return };
    let folder = shop.nginx.webroot().join(".well-known/acme-challenge");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("token"), "token.thumb").unwrap();
    let op = "0193a1b2-0000-7000-8000-000000000001";
    let kept = serde_json::json!({
        "version": 1, "op": op, "issuer": "lab", "is-staging": false, "names": [NAME],
        "profile": null, "replaces": null, "stage": "placed", "url": null, "chain": null, "job": null,
        "placed": [{"file": {"host": "shop-1", "webroot": shop.nginx.webroot(), "token": "token",
                             "content": "token.thumb"}}],
    });
    let orders = shop.scene.lab.path("state/orders");
    fs::create_dir_all(&orders).unwrap();
    fs::write(orders.join(format!("{op}.json")), kept.to_string()).unwrap();
    shop.scene.shell("certdeck run reload shop-1 --yes shop-1");
    shop.assert_clear();
    let log = shop.scene.shell("certdeck audit list");
    let log = String::from_utf8(log.stdout).unwrap();
    assert!(log.contains("remove-challenges"), "{log}");
    assert!(shop.scene.shell("certdeck audit verify").status.success());
}

/// Twice wrong, and then nothing is asked for a while.
#[test]
fn what_failed_twice_is_not_asked_a_third_time() {
    let Some(shop) = Shop::open() else { return };
    // The CA finds nobody at its port, and nobody here knows the name.
    let empty = shop.host.path("home");
    let line = format!("{} --precheck no --webroot '{}'", Shop::ISSUE, empty.display());
    let mut said = Vec::new();
    // The third is refused when it is planned.
    for code in [1, 1, 2] {
        let output = shop.scene.shell(&line);
        assert_eq!(output.status.code(), Some(code));
        said.push(String::from_utf8([output.stdout, output.stderr].concat()).unwrap());
    }
    assert!(said[0].contains("could not verify shop.example.test"), "{}", said[0]);
    assert!(said[1].contains("could not verify shop.example.test"), "{}", said[1]);
    assert!(said[2].contains("has failed 2 times in a row"), "{}", said[2]);
    assert!(!said[2].contains("is asked for an order"), "{}", said[2]);
    shop.assert_clear();
}

/// A dry run asks the twin and nobody else, and leaves everything as it was; where it fails, it
/// says what a renewal would say.
#[test]
fn a_dry_run_is_a_rehearsal_at_the_twin() {
    let Some(mut shop) = Shop::open() else { return };
    let run = |shop: &Shop, line: &str| {
        let output = shop.scene.shell(line);
        let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        (output.status.code(), said)
    };
    shop.scene.repair(Shop::ISSUE.split_once(" --yes").unwrap().0, "shop");
    let (code, said) = run(&shop, "certdeck run dry-run shop-1/shop");
    assert!(code == Some(2) && said.contains("no staging twin of lab is known"), "{code:?} {said}");
    shop.give_twin();
    let (before, store) = (shop.served(), files(&shop.store("")));
    let (code, said) = run(&shop, "certdeck run dry-run shop-1/shop");
    assert_eq!(code, Some(0), "{said}");
    for told in [
        "a test order at the staging twin of lab",
        "the answer lies in",
        "control of every name is proven, and the certificate is the one from before",
    ] {
        assert!(said.contains(told), "{told}: {said}");
    }
    assert_eq!((shop.served(), files(&shop.store(""))), (before, store), "{said}");
    assert_eq!(shop.ca.issued().len(), 1, "{said}");
    let jobs = files(&shop.host.path("state"));
    assert!(!jobs.iter().any(|it| it.to_string_lossy().contains("dry-run")), "{jobs:?}");
    shop.assert_clear();
    let log = run(&shop, "certdeck audit list").1;
    assert!(log.contains("dry-run"), "{log}");

    // The webroot is another one by now: what the CA would see is told.
    shop.scene.resolve(NAME, "127.0.0.1");
    let conf = shop.store("renewal/shop.conf");
    let text = fs::read_to_string(&conf).unwrap();
    let folder = shop.nginx.webroot().display().to_string();
    let elsewhere = shop.host.path("home").display().to_string();
    fs::write(&conf, text.replace(&folder, &elsewhere)).unwrap();
    let again = || run(&shop, "certdeck run dry-run shop-1/shop");
    let (code, said) = match again() {
        // Pebble believes what was proven before in one of a hundred orders, also when it is told
        // never to.
        (Some(0), said) if !said.contains("the answer lies in") => again(),
        it => it,
    };
    assert!(code == Some(1) && said.contains("the webroot is another folder"), "{said}");
    assert!(said.contains("nothing was changed on the host"), "{said}");
    shop.assert_clear();
    assert!(shop.scene.shell("certdeck audit verify").status.success());
}

/// Killed in a dry run: whoever comes next takes away what answered the twin, and says so.
#[test]
fn a_dry_run_that_is_killed_leaves_nothing() {
    let Some(mut shop) = Shop::open() else { return };
    shop.scene.repair(Shop::ISSUE.split_once(" --yes").unwrap().0, "shop");
    shop.give_twin();
    let mut child = shop.scene.spawn("exec certdeck run dry-run shop-1/shop");
    let told = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
    let told: Vec<_> = told.take_while(|it| !it.contains("the answer lies in")).collect();
    child.kill().ok();
    child.wait().unwrap();
    assert!(!files(&shop.nginx.webroot()).is_empty(), "{told:#?}");
    let output = shop.scene.shell("certdeck run hook shop-1/shop --yes shop");
    let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    assert!(said.contains("it was cut off before the staging twin had answered"), "{said}");
    assert_eq!(shop.ca.issued().len(), 1);
    shop.assert_clear();
}

/// All that follows when a version becomes live is done again: a server that was never told loads
/// it, and a hook that fails is told with its own words.
#[test]
fn a_hook_of_our_store_runs_again() {
    let Some(mut shop) = Shop::open() else { return };
    shop.scene.repair(Shop::ISSUE.split_once(" --yes").unwrap().0, "shop");
    let first = shop.served();
    let mark = shop.host.path("home/mark");
    shop.scene.tell(&format!(
        "[[hook]]\nname = 'mark'\nrun = 'echo \"$RENEWED_LINEAGE $RENEWED_DOMAINS\" > {mark}'\n\
         impact = 'none'\n[[hook]]\nname = 'broken'\nrun = 'echo no such site >&2; exit 7'\n\
         impact = 'none'",
        mark = mark.display()
    ));
    // A newer one is led to, and nobody is told.
    let keep = "certdeck run issue shop-1/shop --names shop.example.test --deploy-hook mark";
    shop.scene.repair(keep, "shop");
    assert_ne!(shop.served(), first);
    let live = shop.store("live/shop/current");
    let newer = fs::read_link(&live).unwrap();
    shop.scene.repair("certdeck run rollback shop-1/shop", "shop");
    assert_eq!(shop.served(), first);
    fs::remove_file(&live).unwrap();
    std::os::unix::fs::symlink(&newer, &live).unwrap();
    fs::remove_file(&mark).unwrap();
    assert_eq!(shop.served(), first);

    let said = shop.scene.repair("certdeck run hook shop-1/shop", "shop");
    assert_ne!(shop.served(), first, "{said}");
    assert!(said.contains("the certificate is the one from before, and is served"), "{said}");
    let told = fs::read_to_string(&mark).unwrap();
    assert_eq!(told.trim(), format!("{} {NAME}", shop.store("live/shop").display()));
    fs::remove_file(&mark).unwrap();
    shop.scene.repair("certdeck run hook shop-1/shop --hook mark", "shop");
    assert!(mark.exists());

    let output = shop.scene.shell("certdeck run hook shop-1/shop --hook broken --yes shop");
    let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    assert!(output.status.code() == Some(1) && said.contains("no such site"), "{said}");
    assert_eq!(fs::read_link(&live).unwrap(), newer);
    shop.assert_clear();
}

/// Somebody stops it while the CA is being asked: nothing is left, and the same goes on with the
/// same order. So for an interrupt at the keyboard.
#[test]
fn an_order_is_stopped_and_gone_on_with() {
    let Some(mut shop) = Shop::open() else { return };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let proxy = runtime.block_on(Proxy::start(&shop.ca, Strike::Never));
    shop.scene.edit(&shop.ca.directory(), &proxy.directory());
    // What answers it is in place, and the CA is silent when it is told to look.
    let silent = || vec![Fault { at: "POST /chalZ", times: 99, what: What::Silence }];
    let orders = || proxy.seen().iter().filter(|it| it.line == "POST /order-plz").count();
    for is_interrupted in [false, true] {
        let ordered = orders();
        proxy.spoil(silent());
        let mut child = shop.scene.spawn(&format!("exec {}", Shop::ISSUE));
        let told = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
        let mut told = told.peekable();
        let op = told.find_map(|it| Some(it.split_once("begun as job ")?.1.to_owned())).unwrap();
        assert!(told.any(|it| it.contains("looks at shop.example.test")));
        if is_interrupted {
            let pid = child.id().to_string();
            assert!(shop.scene.shell(&format!("kill -INT {pid}")).status.success());
        } else {
            let output = shop.scene.shell(&format!("certdeck jobs stop {op} --yes"));
            let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
            assert!(output.status.success() && said.contains("was asked to stop"), "{said}");
        }
        let rest: Vec<_> = told.collect();
        let code = child.wait().unwrap().code();
        assert_eq!(code, Some(if is_interrupted { 130 } else { 1 }), "{rest:#?}");
        assert!(rest.iter().any(|it| it.contains(": cancelled")), "{rest:#?}");
        assert!(files(&shop.nginx.webroot()).is_empty() && files(&shop.store("orders")).is_empty());
        let log = fs::read_to_string(shop.scene.lab.path("state/audit/000001.jsonl")).unwrap();
        let mut ends = log.lines().filter(|it| it.contains(&op) && it.contains("\"outcome\""));
        assert!(ends.any(|it| it.contains("cancelled") && it.contains("the order was stopped")));
        assert!(shop.ca.issued().len() == usize::from(is_interrupted), "{rest:#?}");

        proxy.mend();
        let again = if is_interrupted {
            "certdeck run force-renew shop-1/shop"
        } else {
            Shop::ISSUE.split_once(" --yes").unwrap().0
        };
        let said = shop.scene.repair(again, "shop");
        assert!(said.contains("the order is taken up at"), "{said}");
        assert_eq!(orders(), ordered + 1, "{said}");
        shop.assert_clear();
    }
    assert_eq!(shop.ca.issued().len(), 2);
    assert!(shop.scene.shell("certdeck audit verify").status.success());
}

/// A dry run that is stopped leaves nothing at all.
#[test]
fn a_dry_run_is_stopped() {
    let Some(mut shop) = Shop::open() else { return };
    shop.scene.repair(Shop::ISSUE.split_once(" --yes").unwrap().0, "shop");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let proxy = runtime.block_on(Proxy::start(&shop.ca, Strike::Never));
    shop.scene.edit("http-port", &format!("staging = '{}'\nhttp-port", proxy.directory()));
    proxy.spoil(vec![Fault { at: "POST /chalZ", times: 99, what: What::Silence }]);
    let mut child = shop.scene.spawn("exec certdeck run dry-run shop-1/shop");
    let mut told = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
    assert!(told.any(|it| it.contains("looks at shop.example.test")));
    let pid = child.id().to_string();
    assert!(shop.scene.shell(&format!("kill -INT {pid}")).status.success());
    let rest: Vec<_> = told.collect();
    assert_eq!(child.wait().unwrap().code(), Some(130), "{rest:#?}");
    assert!(rest.iter().any(|it| it.contains(": cancelled")), "{rest:#?}");
    shop.assert_clear();
}
