//! A host that serves a shop without any ACME client, and the CA that is asked for it.

use std::fs;
use std::path::{Path, PathBuf};

use super::authority::{Authority, Life};
use super::node::Plain;
use super::scene::Scene;
use crate::lab::are_here;
use crate::lab::ca::{Ca, Checks};
use crate::lab::nginx::Nginx;

const PROGRAMS: &[&str] = &["pebble", "pebble-challtestsrv", "curl", "openssl"];
pub(super) const NAME: &str = "shop.example.test";

/// The host, what it serves, and a CA that looks at its webroot.
pub(super) struct Shop {
    pub(super) ca: Ca,
    pub(super) nginx: Nginx,
    pub(super) host: Plain,
    pub(super) scene: Scene,
}

impl Shop {
    pub(super) fn open() -> Option<Self> {
        Self::open_with("")
    }

    /// The same with more lines for its `sshd_config`, in which `DIR` is the folder of the host.
    pub(super) fn open_with(more: &str) -> Option<Self> {
        if !are_here(PROGRAMS) || !are_here(&[crate::lab::nginx::NGINX]) {
            return None;
        }
        let mut scene = Scene::alone()?;
        let more = more.replace("DIR", scene.lab.path("shop-1").to_str()?);
        let host = Plain::start_with(&mut scene, "shop-1", &more);
        // What is served until then.
        host.put(NAME, &Authority::new("Old House").issue(&[NAME], Life(80, 3)));
        let nginx = host.nginx(&[NAME]);
        let ca = Ca::start(&scene.lab.path("ca"), Checks::Http(nginx.http_port), 90);
        let port = host.ssh_port();
        scene.tell(&format!(
            "[[issuer]]\nname = 'lab'\ndirectory = '{}'\nroots = ['{}']\nhttp-port = {}\n\
             [[host]]\nname = 'shop-1'\naddress = '127.0.0.1'\nport = {port}\nwebroot = '{}'\n\
             [[host.source]]\nkind = 'certdeck'\ndir = '{}'",
            ca.directory(),
            ca.trust().display(),
            nginx.http_port,
            nginx.webroot().display(),
            host.path("certdeck").display(),
        ));
        scene.endpoint(NAME, nginx.tls_port, "probe = ['loopback']");
        Some(Self { ca, nginx, host, scene })
    }

    pub(super) const ISSUE: &str =
        "certdeck run issue shop-1/shop --names shop.example.test --yes shop";

    pub(super) fn served(&self) -> String {
        self.nginx.served(NAME).unwrap()
    }

    pub(super) fn store(&self, path: &str) -> PathBuf {
        self.host.path("certdeck").join(path)
    }

    /// Gives the issuer a staging twin: the same CA under another address.
    pub(super) fn give_twin(&mut self) {
        let twin = format!("{}?twin", self.ca.directory());
        self.scene.edit("http-port", &format!("staging = '{twin}'\nhttp-port"));
    }

    /// Stops with an assertion unless nothing is left of any order.
    #[track_caller]
    pub(super) fn assert_clear(&self) {
        let left = files(&self.nginx.webroot());
        assert!(left.is_empty(), "{left:?}");
        let left = files(&self.store("orders"));
        assert!(left.is_empty(), "{left:?}");
        let left = files(&self.scene.lab.path("state/orders"));
        assert!(left.is_empty(), "{left:?}");
    }
}

/// All files below a folder.
pub(super) fn files(folder: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for it in fs::read_dir(folder).into_iter().flatten().flatten() {
        if it.file_type().unwrap().is_dir() {
            all.extend(files(&it.path()));
        } else {
            all.push(it.path());
        }
    }
    all
}
