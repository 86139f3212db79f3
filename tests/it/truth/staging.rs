//! A certificate of a test authority where a public one belongs.

use std::fs;

use super::authority::{Authority, Life, lineage};
use super::node;
use super::scene::{Fault, Scene};
use crate::lab::certbot_host::CertbotHost;

/// A host that serves what a dry run left.
pub(super) fn staged() -> Option<(Scene, CertbotHost)> {
    let mut scene = Scene::new()?;
    let web = node::certbot(&mut scene, "web-01")?;
    web.reload_on_deploy();
    let words = ["register", "--agree-tos", "--register-unsafely-without-email"];
    assert!(web.certbot(&words).status.success());
    let test = Authority::new("(STAGING) Fjord");
    let conf = format!(
        "authenticator = webroot\nserver = {STAGING}\nwebroot_path = {},\n",
        web.nginx.webroot().display()
    );
    lineage(&web.path("le"), "a.test", &[&test.issue(&["a.test"], Life(1, 89))], 1, &conf);
    let file = |kind| web.live("a.test", kind);
    web.nginx.serve("a.test", &file("fullchain"), &file("privkey"));
    scene.trust(&fs::read_to_string(web.ca.root()).unwrap());
    scene.default(&format!("resolvers = ['127.0.0.1:{}']\n", web.ca.names));
    scene.tell(&format!(
        "[[issuer]]\nname = 'lab'\ndirectory = '{}'\nstaging = '{STAGING}'\nroots = ['{}']\n\
         http-port = {}",
        web.ca.directory(),
        web.ca.trust().display(),
        web.nginx.http_port,
    ));
    scene.tell(&(web.inventory() + &web.endpoint("a.test")));
    Some((scene, web))
}

#[test]
fn a_staging_certificate_is_served() {
    let Some((scene, web)) = staged() else { return };
    scene.check(&Fault {
        host: "web-01",
        place: Some("a.test"),
        verdict: "staging",
        rule: "staging",
        cause: "no client trusts its authority",
        remedy: "issue",
        yes: "a.test",
    });
    let leaf = crate::certificate::openssl(&web.live("a.test", "cert")).unwrap();
    assert!(leaf.issuer.contains("Pebble"), "{}", leaf.issuer);
    assert_eq!(web.nginx.served("a.test"), Some(leaf.sha256));
    scene.scan().assert_clean();
}

const STAGING: &str = "https://acme-staging-v02.api.letsencrypt.org/directory";
