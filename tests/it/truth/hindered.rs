//! Something stands in the way of an order: the guide says so before anything is attempted, and
//! offers what still works.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use super::authority::{Authority, Life};
use super::files;
use super::guided::{Asked, Followed, Walk, is_found};
use super::node::Plain;
use super::scene::Scene;
use crate::dns::{Named, SECRET};
use crate::lab::ca::{Ca, Checks};
use crate::lab::certbot_host::CertbotHost;
use crate::lab::{are_here, free_port};
use crate::order::proxy::{Fault, Proxy, Strike, What};
use crate::pty::Pty;

const LETS_ENCRYPT: &str = "https://acme-v02.api.letsencrypt.org/directory";
const BEFORE: &str = "Before an order: will it work?";

/// A host whose certificate has expired after that many that were issued today, renewed by
/// certbot from that CA; Pebble is the second issuer.
fn expired(versions: usize, directory: &str) -> Option<(Scene, CertbotHost)> {
    let ca = Authority::new("Fjord");
    let all: Vec<_> = (0..versions).map(|_| ca.issue_briefly(&["a.test"], 9, -1)).collect();
    let (mut scene, web) = files::with(&all.iter().collect::<Vec<_>>(), versions, &ca)?;
    let conf = web.path("le/renewal/a.test.conf");
    let text = fs::read_to_string(&conf).unwrap();
    fs::write(&conf, text.replace(&web.ca.directory(), directory)).unwrap();
    scene.trust(&fs::read_to_string(web.ca.root()).unwrap());
    Some((scene, web))
}

/// Adds the second issuer, and a store of our own for what comes from it.
fn give_second(scene: &mut Scene, web: &CertbotHost) {
    let folder = web.path("certdeck");
    scene.tell(&format!("[[host.source]]\nkind = 'certdeck'\ndir = '{}'", folder.display()));
    is_found(scene, web);
}

/// Follows the guide up to the first question that would order something, and says that nothing
/// was ordered before; then to the end.
#[track_caller]
fn follow(scene: &Scene, ca: &Ca, words: &[&str]) -> Followed {
    let mut walk = Walk::begin(scene, "a.test --plain");
    loop {
        match walk.asked() {
            Asked::Step(title) if title == "Order at one place" => break,
            Asked::Step(_) => walk.answer("y"),
            other => panic!("{other:?}\n{}", walk.said),
        }
    }
    for word in words {
        assert!(walk.said.contains(word), "{word:?} is not in\n{}", walk.said);
    }
    assert!(ca.issued().is_empty(), "{}", walk.said);
    walk.answer("y");
    let followed = walk.follow();
    assert_eq!(followed.code, Some(0), "{}", followed.said);
    assert_eq!(ca.issued().len(), 1, "{}", followed.said);
    followed
}

#[test]
fn a_budget_that_is_used_up_is_told_with_its_end_and_the_second_issuer_serves() {
    let Some((mut scene, web)) = expired(5, LETS_ENCRYPT) else { return };
    give_second(&mut scene, &web);
    let before = web.nginx.served("a.test");
    let told = [
        "not possible now: renew web-01/a.test",
        "the limit for this exact set of names is used up",
        "the CA takes it after ",
        "certdeck preflight web-01/a.test --by certdeck --issuer lab --names a.test",
    ];
    follow(&scene, &web.ca, &told);
    assert_ne!(web.nginx.served("a.test"), before);
}

#[test]
fn where_no_order_is_possible_that_is_said_and_nothing_is_tried() {
    let Some((scene, web)) = expired(5, LETS_ENCRYPT) else { return };
    let followed = Walk::begin(&scene, "a.test --plain").follow();
    assert_eq!(followed.code, Some(1), "{}", followed.said);
    for word in ["NO ORDER IS POSSIBLE NOW for web-01/a.test", "the CA takes it after "] {
        assert!(followed.said.contains(word), "{word:?} is not in\n{}", followed.said);
    }
    assert!(followed.offers.is_empty() && web.ca.issued().is_empty(), "{}", followed.said);
}

#[test]
fn a_sibling_that_is_good_comes_before_every_order() {
    let Some((mut scene, web)) = expired(5, LETS_ENCRYPT) else { return };
    let good = Authority::new("Harbour");
    let other = Plain::start(&mut scene, "web-02");
    other.put("a.test", &good.issue(&["a.test"], Life(1, 80)));
    let nginx = other.nginx(&["a.test"]);
    scene.trust(&good.root());
    scene.tell(&other.inventory());
    scene.endpoint("a.test", nginx.tls_port, "probe = ['loopback']");
    let mut walk = Walk::begin(&scene, "a.test --plain");
    loop {
        match walk.asked() {
            Asked::Step(title) if title == "Repair without an order" => break,
            Asked::Step(title) if title != BEFORE => walk.answer("y"),
            other => panic!("{other:?}\n{}", walk.said),
        }
    }
    assert!(walk.last().contains("offer  transplant"), "{}", walk.said);
    assert!(web.ca.issued().is_empty());
}

#[test]
fn a_ca_that_is_down_is_told_and_the_second_issuer_serves() {
    let away = format!("https://localhost:{}/dir", free_port());
    let Some((mut scene, web)) = expired(1, &away) else { return };
    give_second(&mut scene, &web);
    let told = [
        "FAILED   ca: ",
        "what still works, maybe (y leaves this one for it): certdeck run issue web-01/a.test --by",
        "y: leave this way, look at the other",
    ];
    follow(&scene, &web.ca, &told);
    let log = scene.shell("certdeck audit list");
    let log = String::from_utf8(log.stdout).unwrap();
    assert!(log.contains("preflight other") && log.contains("failed checks: "), "{log}");
}

/// The same by keyboard, in a terminal; whoever leaves then leaves a run that is open.
#[test]
fn keys_alone_lead_past_a_ca_that_is_down() {
    let away = format!("https://localhost:{}/dir", free_port());
    let Some((mut scene, web)) = expired(1, &away) else { return };
    give_second(&mut scene, &web);
    fs::create_dir_all(scene.lab.path("home")).unwrap();
    let mut console = Pty::with(&["emergency", "a.test"], &scene.environment());
    console.wait_for("YES:");
    console.send(":arm 15m\r");
    console.wait_for("ARMED");
    for step in ["Which cause?  (2", "How wide?  (3", "Before an order: will it work?  (5"] {
        console.send("\r");
        console.wait_for(step);
    }
    console.send("\r");
    console.wait_for("FAILED   ca: ");
    console.wait_for("leave this way, look at the other");
    console.send("\r");
    console.wait_for("certdeck preflight web-01/a.test --by certdeck --issuer lab");
    console.send("\r");
    console.wait_for("ok: ");
    console.wait_for("enter: go on");
    assert!(web.ca.issued().is_empty());
    console.send("\r");
    console.wait_for("Order at one place  (7");
    console.send("\r");
    console.wait_for("Keep as is");
    // Nothing counts that comes faster than anybody reads.
    console.wait_until_quiet();
    console.send("a.test");
    console.wait_for("Happened");
    console.wait_for("Audit");
    console.send("q");
    console.wait_for("PROVEN");
    console.send("\x03\x03");
    assert_eq!(console.end(), 0);
    assert_eq!(web.ca.issued().len(), 1);
    let log = scene.shell("certdeck audit list");
    let log = String::from_utf8(log.stdout).unwrap();
    for word in ["guide", "left", "preflight other"] {
        assert!(log.contains(word), "{word:?} is not in\n{log}");
    }
}

#[test]
fn a_ca_that_wants_to_be_left_alone_is_and_the_time_is_told() {
    let Some((mut scene, web)) = expired(1, "https://ca.invalid/dir") else { return };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let proxy = runtime.block_on(Proxy::start(&web.ca, Strike::Never));
    let body = r#"{"type":"urn:ietf:params:acme:error:rateLimited","detail":"too many requests"}"#;
    let busy = format!(
        "HTTP/1.1 429 Too Many Requests\r\nRetry-After: 5400\r\nConnection: close\r\n\
         Content-Type: application/problem+json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    proxy.spoil(vec![Fault { at: "GET /dir", times: 99, what: What::Answer(busy) }]);
    let conf = web.path("le/renewal/a.test.conf");
    let text = fs::read_to_string(&conf).unwrap();
    fs::write(&conf, text.replace("https://ca.invalid/dir", &proxy.directory())).unwrap();
    give_second(&mut scene, &web);
    let (first, roots) = (proxy.directory(), web.ca.trust());
    let roots = roots.display();
    scene.tell(&format!("[[issuer]]\nname = 'first'\ndirectory = '{first}'\nroots = ['{roots}']"));
    follow(&scene, &web.ca, &["FAILED   ca: ", "ask again after "]);
    // Nothing but the directory was asked for.
    let seen = proxy.seen();
    assert!(seen.iter().all(|it| it.line == "GET /dir"), "{seen:?}");
}

/// The secret is not the one that the name server knows; another provider has it.
#[test]
fn a_token_that_is_dead_is_told_and_another_provider_proves_it() {
    if !are_here(&["named", "pebble", "pebble-challtestsrv", "openssl"]) {
        return;
    }
    let Some(named) = Named::primary() else { return };
    let Some(mut scene) = Scene::alone() else { return };
    let host = Plain::start(&mut scene, "web-01");
    let old = Authority::new("Old House");
    host.put("www.a.test", &old.issue(&["www.a.test"], Life(80, -1)));
    let nginx = host.nginx(&["www.a.test"]);
    let ca = Ca::start(&scene.lab.path("ca"), Checks::Zone(named.port), 90);
    scene.trust(&old.root());
    scene.trust(&fs::read_to_string(ca.root()).unwrap());
    let port = named.port;
    scene.default(&format!("resolvers = ['127.0.0.1:{port}']\n"));
    let secret = |file: &str, text: &str| {
        let path = scene.lab.path(file);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        path
    };
    let wrong = "d3Jvbmctc2VjcmV0LW9mLXRoaXMtdGVzdC0zMi1ieXQ=";
    let files = [("dead", secret("dead", wrong)), ("spare", secret("spare", SECRET))];
    for (name, path) in &files {
        scene.tell(&format!(
            "[[dns]]\nname = '{name}'\nkind = 'rfc2136'\nzones = ['a.test']\n\
             server = '127.0.0.1:{port}'\nnameservers = ['127.0.0.1:{port}']\n\
             key-name = 'acme'\nsecret-file = '{}'",
            path.display()
        ));
    }
    let (directory, roots) = (ca.directory(), ca.trust());
    scene.tell(&format!(
        "[[issuer]]\nname = 'lab'\ndirectory = '{directory}'\nroots = ['{}']\n{}\
         [[host.source]]\nkind = 'certdeck'\ndir = '{}'",
        roots.display(),
        host.inventory(),
        host.path("certdeck").display(),
    ));
    scene.endpoint("www.a.test", nginx.tls_port, "probe = ['loopback']");
    let before = nginx.served("www.a.test");
    let mut walk = Walk::begin(&scene, "www.a.test --plain");
    loop {
        match walk.asked() {
            Asked::Step(title) if title == "Order at one place" => break,
            Asked::Step(_) => walk.answer("y"),
            other => panic!("{other:?}\n{}", walk.said),
        }
    }
    for word in ["FAILED   dns-01: www.a.test", "proven by spare", "y: leave this way"] {
        assert!(walk.said.contains(word), "{word:?} is not in\n{}", walk.said);
    }
    assert!(ca.issued().is_empty(), "{}", walk.said);
    assert!(!walk.said.contains(wrong) && !walk.said.contains(SECRET), "{}", walk.said);
    walk.answer("y");
    let followed = walk.follow();
    assert_eq!(followed.code, Some(0), "{}", followed.said);
    assert_eq!(ca.issued().len(), 1, "{}", followed.said);
    assert_ne!(nginx.served("www.a.test"), before);
}
