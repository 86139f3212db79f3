//! Certificates of a cluster, as the real kubectl sees them in a small API server of the lab's own.

use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use certdeck::clock::Clock;
use certdeck::fleet::{ProblemKind, Seen};
use serde_json::{Value, json};

use super::tree::{Authority, Issued, Tree, place, shells, visit_below};
use crate::lab::cluster::{Cluster, Held};
use crate::lab::{Lab, are_here, scan_json};

fn fixture(text: &str) -> Vec<Value> {
    let list: Value = serde_json::from_str(text).unwrap();
    list["items"].as_array().unwrap().clone()
}

const CERTIFICATES: &str = include_str!("../../fixtures/cert-manager/certificates-made.json");
const ATTEMPTS: &str = include_str!("../../fixtures/cert-manager/attempts-made.json");

fn secret(space: &str, name: &str, issued: &Issued) -> Value {
    let base64 = |it: &str| STANDARD.encode(it);
    json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "kubernetes.io/tls",
        "metadata": { "namespace": space, "name": name },
        "data": { "tls.crt": base64(&issued.fullchain()), "tls.key": base64(&issued.key) },
    })
}

/// The request that brought a revision of a Certificate, a moment ago.
fn request(space: &str, name: &str, revision: u32, issued: &Issued) -> Value {
    let owner = json!({ "apiVersion": "cert-manager.io/v1", "kind": "Certificate", "name": name,
        "uid": "0d3e7a1c-90b1-4c61-9c3b-6f1d8a1b2c3d", "controller": true });
    json!({
        "apiVersion": "cert-manager.io/v1",
        "kind": "CertificateRequest",
        "metadata": { "namespace": space, "name": format!("{name}-{revision}"),
            "creationTimestamp": Clock::default().now().to_string(), "ownerReferences": [owner],
            "annotations": { "cert-manager.io/certificate-revision": revision.to_string() } },
        "status": {
            "certificate": STANDARD.encode(issued.fullchain()),
            "conditions": [{ "type": "Ready", "status": "True", "reason": "Issued" }],
        },
    })
}

/// A cluster with what is in the fixture, of which one has its secret.
fn cluster() -> Option<(Cluster, Issued)> {
    if !are_here(&["kubectl"]) {
        return None;
    }
    let cluster = Cluster::start();
    let issued = Authority::new().issue(&["www.example.net"]);
    let secrets = vec![secret("web", "www-tls", &issued), json!({ "metadata": { "name": "x" } })];
    cluster.held().certificates = fixture(CERTIFICATES);
    cluster.held().attempts = fixture(ATTEMPTS);
    let young = Authority::new().issue(&["www.example.net"]);
    cluster.held().attempts.push(request("web", "www", 2, &young));
    cluster.held().secrets = secrets;
    Some((cluster, issued))
}

fn kinds(seen: &Seen, name: &str) -> Vec<ProblemKind> {
    place(seen, name).problems.iter().map(|it| it.kind).collect()
}

#[test]
fn every_shell_asks_the_cluster_and_no_key_leaves_it() {
    let Some((cluster, issued)) = cluster() else { return };
    let tree = Tree::new();
    tree.write("config", "");
    cluster.kubeconfig(&tree.path("config"));
    let source = format!("kind = 'cert-manager'\nkubeconfig = '{}'\n", tree.text("config"));
    for shell in shells() {
        let seen = visit_below(&shell, &tree, &source);
        let names: Vec<_> = seen.places.iter().map(|it| it.name.as_str()).collect();
        assert_eq!(names, ["web/www", "web/shop", "mail/new", "mail/young"], "{shell:?}");
        assert_eq!(seen.problems, [], "{shell:?}");
        let www = place(&seen, "web/www");
        let disk = www.layers.disk.as_ref().unwrap();
        assert!(disk.chain.leaf.covers("www.example.net") && disk.chain.rest.len() == 1);
        // The fixture tells of another end than what was issued here has.
        assert_eq!(kinds(&seen, "web/www"), [ProblemKind::NotReady]);
        let shop = kinds(&seen, "web/shop");
        assert_eq!(shop[..2], [ProblemKind::Missing, ProblemKind::NotReady], "{shell:?}");
        // The revision before is known by its request, whose certificate is young.
        let versions: Vec<_> = www.versions.iter().map(|it| it.number).collect();
        assert_eq!(versions, [2, 3], "{shell:?}");
        assert!(www.versions.iter().all(|it| it.certificate.is_some()), "{shell:?}");
    }
    let (answer, _) = super::tree::answer(&["sh"], &source, &super::tree::host());
    let answer = String::from_utf8_lossy(&answer);
    let key = STANDARD.encode(&issued.key);
    assert!(!answer.contains(&key) && !answer.contains("canary-token"), "{answer}");

    // Whoever may not see secrets still sees how certificates fare.
    cluster.held().closed = vec!["secrets"];
    let seen = visit_below(&["sh"], &tree, &source);
    assert_eq!(kinds(&seen, "web/www"), [ProblemKind::Unreadable]);
    let text = place(&seen, "web/www").problems[0].text.as_str();
    assert!(text.contains("forbidden"), "{text}");
    cluster.held().closed.clear();

    // Why it is not ready is told by what was made for it, and by whom that may be seen.
    let lowest = |seen: &Seen, name| place(seen, name).problems.last().unwrap().text.to_string();
    cluster.held().closed = vec!["challenges"];
    let seen = visit_below(&["sh"], &tree, &source);
    let texts: Vec<_> =
        place(&seen, "web/shop").problems.iter().map(|it| it.text.as_str()).collect();
    assert!(texts.iter().any(|it| it.starts_with("Order shop-1-4021 is invalid")), "{texts:#?}");
    assert!(texts.iter().any(|it| it.contains("challenges is forbidden")), "{texts:#?}");
    cluster.held().closed.clear();
    let seen = visit_below(&["sh"], &tree, &source);
    let why = lowest(&seen, "web/shop");
    assert!(why.starts_with("Challenge for shop.example.net, by http-01 is invalid"), "{why}");
    let why = lowest(&seen, "mail/new");
    assert!(why.contains("DNS record for \"mail.example.net\"^[[31m not yet propagated"), "{why}");
    assert_eq!(seen.problems, []);

    // Some namespaces alone.
    let some = format!("{source}namespaces = ['mail', 'web']\ncontext = 'lab'\n");
    let seen = visit_below(&["sh"], &tree, &some);
    let names: Vec<_> = seen.places.iter().map(|it| it.name.as_str()).collect();
    assert_eq!(names, ["mail/new", "mail/young", "web/www", "web/shop"]);

    // A cluster that is away is told of, in the words of kubectl.
    drop(cluster);
    let seen = visit_below(&["sh"], &tree, &source);
    assert!(seen.places.is_empty());
    assert_eq!(seen.problems[0].kind, ProblemKind::Unreadable, "{:?}", seen.problems);
    assert!(seen.problems[0].text.as_str().contains("refused"), "{:?}", seen.problems);
    let wrong = source.replace("config'", "gone'");
    let seen = visit_below(&["sh"], &tree, &wrong);
    assert_eq!(seen.problems[0].kind, ProblemKind::Unreadable, "{:?}", seen.problems);
}

#[test]
fn a_scan_over_ssh_shows_what_cert_manager_says() {
    let Some(mut lab) = Lab::new() else { return };
    let Some((cluster, issued)) = cluster() else { return };
    cluster.kubeconfig(&lab.path("kubeconfig"));
    let sshd = lab.sshd("");
    let inventory = format!(
        "[[host]]\nname = 'k8s'\naddress = '127.0.0.1'\nport = {}\ndiscover = false\n\
         [[host.source]]\nkind = 'cert-manager'\nkubeconfig = '{}'\n",
        sshd.port,
        lab.path("kubeconfig").display()
    );
    let seen = scan_json(&lab, &inventory);
    let places = seen["hosts"][0]["places"].as_array().unwrap();
    assert_eq!(places.len(), 4, "{seen:#}");
    let www = places.iter().find(|it| it["name"] == "web/www").unwrap();
    assert_eq!(www["source"], "cert-manager");
    let leaf = issued.cert.lines().nth(1).unwrap();
    assert!(!leaf.is_empty() && www["layers"]["disk"]["path"] == "secret web/www-tls", "{www:#}");
    let text = seen["findings"].to_string();
    for said in ["it is not ready: DoesNotExist", "it has been issuing since", "4 in a row"] {
        assert!(text.contains(said), "{said}: {text}");
    }
    let told = lab.certdeck(&inventory).args(["plan", "dry-run", "k8s/web/www"]).output().unwrap();
    let said = String::from_utf8_lossy(&told.stdout);
    assert_eq!(told.status.code(), Some(2), "{said}");
    assert!(said.contains("has no dry run"), "{said}");
}

/// Forces a renewal of `web/www` at a host, whose cluster is made ready for it first; what the
/// cluster holds then, how it ended, and what was said.
fn force(ready: impl FnOnce(&mut Held)) -> Option<(Cluster, i32, String)> {
    let mut lab = Lab::new()?;
    let (cluster, _) = cluster()?;
    cluster.held().certificates[0]["metadata"]["resourceVersion"] = "812".into();
    ready(&mut cluster.held());
    cluster.kubeconfig(&lab.path("kubeconfig"));
    let sshd = lab.sshd("");
    let inventory = format!(
        "[[host]]\nname = 'k8s'\naddress = '127.0.0.1'\nport = {}\ndiscover = false\n\
         [[host.source]]\nkind = 'cert-manager'\nkubeconfig = '{}'\ncontext = 'lab'\n",
        sshd.port,
        lab.path("kubeconfig").display()
    );
    let words = ["run", "force-renew", "k8s/web/www", "--yes", "web/www"];
    let told = lab.certdeck(&inventory).args(words).output().unwrap();
    let said = [told.stdout, told.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    if !patches_a_status() {
        assert!(said.contains("it takes kubectl 1.24, or cmctl; nothing was changed"), "{said}");
        assert!(!cluster.held().asked.iter().any(|it| it.starts_with("PATCH")), "{said}");
        return None;
    }
    Some((cluster, told.status.code().unwrap(), said))
}

/// Whether the kubectl of this machine can do what `cmctl renew` does. That of Debian 12 cannot:
/// then what is said of that is all that can be tried.
fn patches_a_status() -> bool {
    let told = Command::new("kubectl").args(["patch", "--help"]).output().unwrap();
    String::from_utf8_lossy(&told.stdout).contains("--subresource")
}

#[test]
fn a_renewal_is_begun_in_the_cluster_and_proven_by_its_secret() {
    let next = Authority::new().issue(&["www.example.net"]);
    let secret = secret("web", "www-tls", &next);
    let told = force(|it| {
        it.issues = Some(Ok(secret));
        // Somebody else changes the Certificate meanwhile: nothing of that is lost.
        it.races = 1;
    });
    let Some((cluster, code, said)) = told else { return };
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("a new certificate is in place"), "{said}");
    let held = cluster.held();
    let patches = held.asked.iter().filter(|it| it.starts_with("PATCH"));
    assert_eq!(patches.count(), 2, "{:?}", held.asked);
    let status = &held.certificates[0]["status"];
    assert_eq!(
        (&status["revision"], &status["conditions"][0]["type"]),
        (&json!(4), &json!("Ready"))
    );
    assert_eq!(status["conditions"].as_array().unwrap().len(), 1, "{status:#}");
}

#[test]
fn this_machine_reads_and_renews_with_its_own_context() {
    let Some(lab) = Lab::new() else { return };
    let Some((cluster, _)) = cluster() else { return };
    let next = Authority::new().issue(&["www.example.net"]);
    cluster.held().certificates[0]["metadata"]["resourceVersion"] = "812".into();
    cluster.held().issues = Some(Ok(secret("web", "www-tls", &next)));
    cluster.kubeconfig(&lab.path("kubeconfig"));
    std::fs::create_dir_all(lab.path("state-home")).unwrap();
    let inventory = "[[host]]\nname = 'admin'\nconnection = 'local'\ndiscover = false\n\
                     [[host.source]]\nkind = 'cert-manager'\n";
    // As people have it: in the folder where they are, told by a variable, with a context.
    let run = |words: &[&str]| {
        let mut command = lab.certdeck(inventory);
        command.env("KUBECONFIG", "kubeconfig").env("XDG_STATE_HOME", lab.path("state-home"));
        command.env("CERTDECK_ROOT", lab.path("root"));
        let output = command.current_dir(lab.path("")).args(words).output().unwrap();
        let said =
            String::from_utf8_lossy(&[&output.stdout[..], &output.stderr].concat()).into_owned();
        (output.status.code().unwrap(), said)
    };
    let (_, said) = run(&["scan"]);
    for part in ["web/www", "mail/young", "it is not ready: DoesNotExist"] {
        assert!(said.contains(part), "{part}: {said}");
    }
    if !patches_a_status() {
        return;
    }
    let (code, said) = run(&["run", "force-renew", "admin/web/www", "--yes", "web/www"]);
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("a new certificate is in place"), "{said}");
    assert_eq!(cluster.held().certificates[0]["status"]["revision"], 4);
}

/// By its own tool, of which only what it is told and what it then does is made here
/// (`pkg/renew/renew.go` of cmctl 2).
#[test]
fn its_own_tool_marks_it_where_there_is_one() {
    let Some(lab) = Lab::new() else { return };
    let Some((cluster, _)) = cluster() else { return };
    if !patches_a_status() {
        return;
    }
    let next = Authority::new().issue(&["www.example.net"]);
    cluster.held().certificates[0]["metadata"]["resourceVersion"] = "812".into();
    cluster.held().issues = Some(Ok(secret("web", "www-tls", &next)));
    let config = lab.path("kubeconfig");
    cluster.kubeconfig(&config);
    let bin = lab.path("bin");
    std::fs::create_dir_all(&bin).unwrap();
    let told = lab.path("told");
    let condition = r#"{"type":"Issuing","status":"True","reason":"ManuallyTriggered","message":"Certificate re-issuance manually triggered"}"#;
    // The first time somebody else has been quicker.
    let script = format!(
        "#!/bin/sh\necho \"$*\" >>{0}\nif [ $(wc -l <{0}) -eq 1 ]; then\n\
         echo 'failed to trigger issuance of Certificate web/www: the object has been modified' >&2\n\
         exit 1\nfi\nkubectl --kubeconfig={1} -n web patch certificates.cert-manager.io www \
         --subresource=status --type=json \
         -p '[{{\"op\":\"add\",\"path\":\"/status/conditions/-\",\"value\":{condition}}}]' >&2 &&\n\
         echo 'Manually triggered issuance of Certificate web/www'\n",
        told.display(),
        config.display()
    );
    std::fs::write(bin.join("cmctl"), script).unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(bin.join("cmctl"), mode).unwrap();
    let inventory = format!(
        "[[host]]\nname = 'admin'\nconnection = 'local'\ndiscover = false\n\
         [[host.source]]\nkind = 'cert-manager'\nkubeconfig = '{}'\ncontext = 'lab'\n",
        config.display()
    );
    let mut command = lab.certdeck(&inventory);
    command.env("PATH", format!("{}:/usr/bin:/bin", bin.display()));
    command.env("CERTDECK_ROOT", lab.path("root"));
    command.args(["run", "force-renew", "admin/web/www", "--yes", "web/www"]);
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&[&output.stdout[..], &output.stderr].concat()).into_owned();
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.contains("a new certificate is in place"), "{said}");
    let line = format!(
        "renew www --request-timeout=8s -n web --kubeconfig={} --context=lab\n",
        config.display()
    );
    assert_eq!(std::fs::read_to_string(told).unwrap(), line.repeat(2));
}

#[test]
fn an_issuer_that_fails_is_quoted() {
    let why = "The certificate request has failed to complete: acme: too many failed";
    let told = force(|it| it.issues = Some(Err(why.to_owned())));
    let Some((cluster, code, said)) = told else { return };
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("cause  cert-manager could not issue it: Failed: "), "{said}");
    assert!(said.contains(why) && said.contains("its CertificateRequest"), "{said}");
    let held = cluster.held();
    let conditions = held.certificates[0]["status"]["conditions"].as_array().unwrap();
    let (ready, issuing) = (&conditions[0], &conditions[1]);
    assert_eq!((&ready["type"], &issuing["type"]), (&json!("Ready"), &json!("Issuing")));
    assert_eq!(issuing["observedGeneration"], 1, "{issuing:#}");
    assert!(issuing["lastTransitionTime"].as_str().unwrap().ends_with('Z'), "{issuing:#}");
}

#[test]
fn a_cluster_of_thousands_is_read_in_part_and_that_is_said() {
    let Some((cluster, issued)) = cluster() else { return };
    let (tree, many) = (Tree::new(), 5000);
    tree.write("config", "");
    cluster.kubeconfig(&tree.path("config"));
    let huge = format!("\u{1b}]0;x\u{7}{}", "no end of words ".repeat(2000));
    let name = |it: u32| (format!("team-{}", it % 40), format!("n{it}"));
    let certificate = |it| {
        let (space, name) = name(it);
        let mut made = fixture(CERTIFICATES)[1].clone();
        made["metadata"] = json!({ "namespace": space, "name": name });
        made["spec"]["secretName"] = name.into();
        // A few say so much that the others would not be seen for it.
        if it % 500 == 0 {
            made["status"]["conditions"][1]["message"] = huge.as_str().into();
        }
        made
    };
    let certificates = (0..many).map(certificate).collect();
    let secrets = (0..many).map(|it| secret(&name(it).0, &name(it).1, &issued)).collect();
    let attempts = (0..many).map(|it| request(&name(it).0, &name(it).1, 1, &issued)).collect();
    cluster.held().certificates = certificates;
    cluster.held().secrets = secrets;
    cluster.held().attempts = attempts;
    let source = format!("kind = 'cert-manager'\nkubeconfig = '{}'\n", tree.text("config"));
    let begin = std::time::Instant::now();
    let seen = visit_below(&["sh"], &tree, &source);
    eprintln!("{} of {many} in {:?}", seen.places.len(), begin.elapsed());
    assert!(seen.places.len() > 500 && seen.places.len() <= 1000, "{}", seen.places.len());
    assert_eq!(seen.problems.len(), 1, "{:?}", seen.problems);
    assert_eq!(seen.problems[0].kind, ProblemKind::TooLarge);
    for it in &seen.places {
        assert!(it.problems.iter().all(|it| it.kind != ProblemKind::Missing), "{:?}", it.problems);
        assert!(it.problems.iter().all(|it| it.text.as_str().len() < 1500), "{:?}", it.problems);
    }
}
