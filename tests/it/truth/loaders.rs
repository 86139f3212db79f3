//! Other servers than nginx that are given what certdeck orders, and files at fixed paths: what is
//! ordered is on the wire afterwards, and what was there before can be had again.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use super::authority::{Authority, Life};
use super::node::{self, Apache, Haproxy};
use super::shop::Shop;
use crate::certificate;

const NAME: &str = "pay.example.test";

fn at(port: u16) -> String {
    format!("127.0.0.1:{port}")
}

/// What is in a file, as openssl sees it.
fn leaf(file: &Path) -> Option<String> {
    certificate::openssl(file).map(|it| it.sha256)
}

/// A lineage of the shop's host that another server loads.
struct Lineage<'a> {
    shop: &'a Shop,
    port: u16,
}

impl Lineage<'_> {
    fn served(&self) -> Option<String> {
        node::served(&at(self.port), NAME)
    }

    fn live(&self) -> Option<String> {
        leaf(&self.shop.store("live/pay/fullchain.pem"))
    }

    /// Orders it, orders it again, and goes back: each time what is live is what is served.
    #[track_caller]
    fn check(&self, issue: &str) {
        let mut had = vec![self.served()];
        assert!(had[0].is_some());
        for line in
            [issue, "certdeck run force-renew shop-1/pay", "certdeck run rollback shop-1/pay"]
        {
            let said = self.shop.scene.repair(line, "pay");
            assert!(said.contains("and is served"), "{line}: {said}");
            let served = self.served();
            assert!(served.is_some() && served == self.live(), "{line}: {said}");
            had.push(served);
        }
        assert!(had[1] == had[3] && had[1] != had[2] && had[0] != had[1], "{had:?}");
        assert_eq!(self.shop.ca.issued().len(), 2);
        self.shop.assert_clear();
    }

    /// Orders while something is wrong: all is as it was, and goes on once that is mended.
    #[track_caller]
    fn fails(&self, file: &Path, wrong: &str, words: &str) {
        let (before, kept) = (self.served(), fs::read(file).unwrap());
        fs::write(file, [kept.as_slice(), wrong.as_bytes()].concat()).unwrap();
        let output = self.shop.scene.shell("certdeck run force-renew shop-1/pay --yes pay");
        let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains("the configuration is not sound") && said.contains(words), "{said}");
        assert_eq!(self.served(), before, "{said}");
        assert_eq!(self.live(), before, "{said}");
        fs::write(file, kept).unwrap();
        self.shop.scene.repair("certdeck run rollback shop-1/pay", "pay");
        assert_ne!(self.served(), before);
        assert_eq!(self.served(), self.live());
    }
}

const ISSUE: &str = "certdeck run issue shop-1/pay --names pay.example.test";

/// Certificate, chain and key in one file.
#[test]
fn haproxy_is_given_one_file() {
    let Some(mut shop) = Shop::open() else { return };
    let old = Authority::new("Old House").issue(&[NAME], Life(80, 3));
    let file = shop.host.path(&format!("tls/{NAME}.pem"));
    fs::write(&file, old.full() + &old.key).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
    let Some(haproxy) = Haproxy::start(&shop.host, NAME) else { return };
    shop.scene.endpoint(NAME, haproxy.port, "probe = ['loopback']");
    let it = Lineage { shop: &shop, port: haproxy.port };
    it.check(ISSUE);
    assert_eq!(leaf(&file), it.live());
    let text = fs::read_to_string(&file).unwrap();
    assert_eq!(text.matches("PRIVATE KEY-----").count(), 2, "{text}");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o640);
    it.fails(
        &shop.host.path("root/etc/haproxy/haproxy.cfg"),
        "\nnonsense on\n",
        "unknown keyword 'nonsense'",
    );
}

#[test]
fn apache_is_led_to_the_store() {
    let Some(mut shop) = Shop::open() else { return };
    shop.host.put(NAME, &Authority::new("Old House").issue(&[NAME], Life(80, 3)));
    let Some(apache) = Apache::start(&shop.host, NAME) else { return };
    shop.scene.endpoint(NAME, apache.port, "probe = ['loopback']");
    let it = Lineage { shop: &shop, port: apache.port };
    it.check(ISSUE);
    let conf = shop.host.path("apache/apache2.conf");
    let text = fs::read_to_string(&conf).unwrap();
    assert!(text.contains("certdeck/live/pay/privkey.pem"), "{text}");
    it.fails(&conf, "\nNonsense on\n", "Invalid command 'Nonsense'");
}

/// Files that something loads are written anew where they are.
#[test]
fn files_at_fixed_paths_are_written_where_they_are() {
    let Some(mut shop) = Shop::open() else { return };
    shop.host.put(NAME, &Authority::new("Old House").issue(&[NAME], Life(80, 3)));
    let [file, key] = ["pem", "key"].map(|it| shop.host.path(&format!("tls/{NAME}.{it}")));
    shop.nginx.serve(NAME, &file, &key);
    let dir = shop.host.path("tls");
    shop.scene.tell(&format!(
        "[[host.source]]\nkind = 'pem'\npaths = ['{0}/{NAME}.pem']\nkey = '{0}/{{name}}.key'",
        dir.display()
    ));
    shop.scene.endpoint(NAME, shop.nginx.tls_port, "probe = ['loopback']");
    let port = shop.nginx.tls_port;
    let before = node::served(&at(port), NAME);
    let line = format!("certdeck run issue shop-1/{}", file.display());
    let said = shop.scene.repair(&line, NAME);
    assert!(said.contains("and is served"), "{said}");
    let after = node::served(&at(port), NAME);
    assert!(after != before && after == leaf(&file), "{said}");
    let live =
        |kind: &str| fs::read_to_string(shop.store(&format!("live/{NAME}/{kind}.pem"))).unwrap();
    assert_eq!(fs::read_to_string(&file).unwrap(), live("fullchain"));
    assert_eq!(fs::read_to_string(&key).unwrap(), live("privkey"));
    // The server goes on with its own lines.
    let conf = fs::read_to_string(shop.host.path(&format!("nginx/sites/{NAME}.conf"))).unwrap();
    assert!(conf.contains(file.to_str().unwrap()), "{conf}");
    shop.scene.repair(&format!("certdeck run force-renew shop-1/{NAME}"), NAME);
    assert_ne!(node::served(&at(port), NAME), after);
    shop.scene.repair(&format!("certdeck run rollback shop-1/{NAME}"), NAME);
    assert_eq!(node::served(&at(port), NAME), after);
    assert_eq!(leaf(&file), after);
    shop.assert_clear();
}
