//! Real servers on loopback, and what is read of them by every shell.

use std::fs;

use certdeck::fleet::{Seen, Server};

use super::tree::{Authority, Tree, host, shells, visit};
use crate::lab::are_here;
use crate::lab::nginx::{self, Nginx};

/// Reads with every shell and gives what all of them saw of the server with that configuration.
#[track_caller]
fn look(source: &str, conf: &str) -> (Seen, Server) {
    let mut all: Vec<_> = shells()
        .iter()
        .map(|it| {
            let seen = visit(it, source, &host());
            let of = |it: &&Server| it.conf == *conf;
            let server = seen.servers.iter().find(of).cloned();
            (server.unwrap_or_else(|| panic!("{it:?}: {seen:#?}")), seen)
        })
        .collect();
    let (first, seen) = all.remove(0);
    for (other, _) in all {
        assert_eq!(format!("{first:#?}"), format!("{other:#?}"));
    }
    (seen, first)
}

fn texts<T: ToString>(all: impl IntoIterator<Item = T>) -> Vec<String> {
    all.into_iter().map(|it| it.to_string()).collect()
}

#[test]
fn what_a_running_nginx_loads_is_read() {
    if !are_here(&[nginx::NGINX]) {
        return;
    }
    let tree = Tree::new();
    let authority = Authority::new();
    let nginx = Nginx::start(&tree.path("web"));
    for name in ["a.test", "b.test"] {
        let issued = authority.issue(&[name]);
        tree.lineage(name, &issued);
        let file = |kind| tree.path(&format!("le/live/{name}/{kind}.pem"));
        nginx.serve(name, &file("fullchain"), &file("privkey"));
    }
    let (seen, server) = look("kind = 'servers'\n", &tree.text("web/nginx.conf"));

    assert_eq!((server.kind, server.problems.as_slice()), ("nginx", &[][..]));
    assert_eq!(server.program.as_ref().unwrap().as_str(), "/usr/sbin/nginx");
    assert_eq!(server.args[..2], ["-p", &*tree.text("web")]);
    let pid = fs::read_to_string(tree.path("web/pid")).unwrap();
    assert_eq!(server.pid.unwrap().to_string(), pid.trim());
    assert_eq!(server.sites.len(), 2);
    for (site, name) in server.sites.iter().zip(["a.test", "b.test"]) {
        let listens: Vec<_> = site.listens.iter().map(|it| (it.address, it.port)).collect();
        assert_eq!(listens, [("127.0.0.1".parse().unwrap(), nginx.tls_port)]);
        let load = &site.loads[0];
        let live = |kind| tree.text(&format!("le/live/{name}/{kind}.pem"));
        assert_eq!(texts(&site.names), [name]);
        assert_eq!(load.certificate.as_str(), live("fullchain"));
        assert_eq!(load.key.as_ref().unwrap().as_str(), live("privkey"));
        assert_eq!(load.told_at.as_str(), tree.text(&format!("web/sites/{name}.conf:1")));
        let loaded = seen.loaded.iter().find(|it| it.path == load.certificate).unwrap();
        assert_eq!(texts(&loaded.chain.as_ref().unwrap().leaf.names), [name]);
        let changed = loaded.changed.unwrap();
        assert!(changed.since(server.read_by.unwrap()).abs() < 60, "{server:?} {changed:?}");
    }
    let listens = |port| seen.listeners.iter().any(|it| it.port == port);
    assert!(listens(nginx.tls_port) && listens(nginx.http_port));
    assert!(seen.addresses.contains(&"127.0.0.1".parse().unwrap()));
    assert!(seen.machine.is_some());
}
