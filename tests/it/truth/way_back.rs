//! A certificate that cannot be put in place: what was there before is in place again and served,
//! and what happened is said with its next step.

use std::fmt::Write as _;
use std::fs;

use super::authority::{Authority, Life};
use super::killed::issued;
use super::scene::program;
use super::shop::{NAME, Shop};
use crate::order::proxy::{Fault, Proxy, Strike, What};

/// A shop that was given its certificate once, with a deploy hook that a fault can be put into.
struct Renewing {
    shop: Shop,
    /// What is served.
    before: String,
}

impl Renewing {
    fn open() -> Option<Self> {
        let mut shop = Shop::open()?;
        let hook = program(&shop.host.path("hook.sh"), "#!/bin/sh\nexit 0\n");
        shop.scene.tell(&format!(
            "[[hook]]\nname = 'guard'\nrun = '{}'\nimpact = 'none'",
            hook.display()
        ));
        shop.scene.repair(
            &format!("{} --deploy-hook guard", Shop::ISSUE.split_once(" --yes").unwrap().0),
            "shop",
        );
        let before = shop.served();
        Some(Self { shop, before })
    }

    /// Lets the hook do that, once.
    fn once(&self, what: &str) {
        let flag = self.shop.host.path("flag");
        fs::write(&flag, "").unwrap();
        let flag = flag.display();
        let text = format!("#!/bin/sh\n[ -e '{flag}' ] || exit 0\nrm '{flag}'\n{what}\n");
        program(&self.shop.host.path("hook.sh"), &text);
    }

    /// Renews, which fails; what was there is there again. Tells what was said.
    #[track_caller]
    fn fails(&self, words: &[&str]) -> String {
        let shop = &self.shop;
        let live =
            || issued(&shop.store("live/shop/fullchain.pem"), &shop.store("live/shop/privkey.pem"));
        let was = live();
        let conf = || fs::read_to_string(shop.store("renewal/shop.conf")).unwrap();
        let conf_was = conf();
        let output = shop.scene.shell("certdeck run force-renew shop-1/shop --yes shop");
        let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        assert_eq!(output.status.code(), Some(1), "{said}");
        for it in words {
            assert!(said.contains(it), "{it:?} is not in\n{said}");
        }
        let now = live();
        assert!(now.leaf == was.leaf && now.key == was.key, "{said}");
        assert_eq!(conf(), conf_was, "{said}");
        crate::lab::wait_for("the old one", || shop.served() == self.before);
        shop.assert_clear();
        said
    }

    /// The way out that was named, which needs no order.
    #[track_caller]
    fn goes_on(&self) {
        let count = self.shop.ca.issued().len();
        self.shop.scene.repair(ROLLBACK, "shop");
        assert_ne!(self.shop.served(), self.before);
        assert_eq!(self.shop.ca.issued().len(), count);
    }
}

const ROLLBACK: &str = "certdeck run rollback shop-1/shop";

#[test]
fn a_configuration_that_is_not_sound_leads_all_of_it_back() {
    let Some(it) = Renewing::open() else { return };
    let wrong = it.shop.host.path("nginx/sites/zz.conf");
    fs::write(&wrong, "nonsense on;\n").unwrap();
    it.fails(&["the configuration is not sound", "unknown directive \"nonsense\"", ROLLBACK]);
    fs::remove_file(wrong).unwrap();
    it.goes_on();
}

#[test]
fn a_hook_that_fails_leads_all_of_it_back() {
    let Some(it) = Renewing::open() else { return };
    it.once("echo the vault is sealed >&2; exit 7");
    it.fails(&["the deploy hook failed with 7", "the vault is sealed", ROLLBACK]);
    it.goes_on();
}

#[test]
fn a_reload_that_fails_leads_all_of_it_back() {
    let Some(it) = Renewing::open() else { return };
    // nginx does not know its own process any more, until the hook is run the second time.
    let pid = it.shop.host.path("nginx/pid");
    let text = format!(
        "#!/bin/sh\ncd '{0}' || exit\nif [ -e away ]; then mv away pid; else mv pid away; fi\n",
        pid.parent().unwrap().display()
    );
    program(&it.shop.host.path("hook.sh"), &text);
    it.fails(&["the reload failed with 1", ROLLBACK]);
    assert!(pid.exists());
    program(&it.shop.host.path("hook.sh"), "#!/bin/sh\n");
    it.goes_on();
}

/// The reload ends well, and does nothing.
#[test]
fn what_is_not_served_leads_all_of_it_back() {
    let Some(it) = Renewing::open() else { return };
    let text = format!(
        "#!/bin/sh\ncd '{0}' || exit\n\
         if [ -e away ]; then mv away pid; exit; fi\nmv pid away\n\
         setsid sleep 60 <&- >/dev/null 2>&1 & echo $! >pid\n",
        it.shop.host.path("nginx").display()
    );
    program(&it.shop.host.path("hook.sh"), &text);
    it.fails(&["does not serve it", ROLLBACK]);
    program(&it.shop.host.path("hook.sh"), "#!/bin/sh\n");
    it.goes_on();
}

/// The first time, the server is led to the store as well, and from it.
#[test]
fn a_first_certificate_that_is_not_served_leaves_the_server_as_it_was() {
    let Some(shop) = Shop::open() else { return };
    let before = shop.served();
    let site = shop.host.path(&format!("nginx/sites/{NAME}.conf"));
    let text = fs::read_to_string(&site).unwrap();
    let wrong = shop.host.path("nginx/sites/zz.conf");
    fs::write(&wrong, "nonsense on;\n").unwrap();
    let output = shop.scene.shell(Shop::ISSUE);
    let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("the configuration is not sound"), "{said}");
    assert!(said.contains(ROLLBACK), "{said}");
    assert_eq!(fs::read_to_string(&site).unwrap(), text);
    assert_eq!(shop.served(), before);
    shop.assert_clear();
    fs::remove_file(wrong).unwrap();
    shop.scene.repair(ROLLBACK, "shop");
    assert_ne!(shop.served(), before);
    assert_eq!(shop.ca.issued().len(), 1);
}

/// What the CA signs is for another key.
#[test]
fn a_certificate_for_another_key_is_used_by_nobody() {
    let Some(it) = Renewing::open() else { return };
    let Renewing { mut shop, before } = it;
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let proxy = runtime.block_on(Proxy::start(&shop.ca, Strike::Never));
    let chain = Authority::new("Stranger").issue(&[NAME], Life(1, 89)).full();
    let mut answer =
        String::from("HTTP/1.1 200 OK\r\nContent-Type: application/pem-certificate-chain\r\n");
    write!(answer, "Content-Length: {}\r\nConnection: close\r\n\r\n{chain}", chain.len()).unwrap();
    proxy.spoil(vec![Fault { at: "POST /certZ/", times: 99, what: What::Answer(answer) }]);
    shop.scene.edit(&shop.ca.directory(), &proxy.directory());
    fs::remove_dir_all(shop.scene.lab.path("state/accounts")).unwrap();
    let it = Renewing { shop, before };
    it.fails(&["for another key", "is not what was ordered"]);
    assert!(proxy.seen().iter().any(|it| it.line.starts_with("POST /certZ/")));
}
