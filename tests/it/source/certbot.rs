//! certbot's folders, whole and broken.

use certdeck::fleet::{HookStage, ProblemKind};

use super::tree::{Authority, Tree, after, answer, host, place, read, shells, visit};

#[test]
fn a_lineage_is_read_whole() {
    let authority = Authority::new();
    let (old, new) = (authority.issue(&["a.test"]), authority.issue(&["a.test", "b.test"]));
    for shell in shells() {
        let tree = Tree::new();
        tree.lineage("a.test", &old);
        tree.archive("a.test", 2, &new);
        for kind in ["cert", "privkey", "chain", "fullchain"] {
            tree.point("a.test", kind, 2);
        }
        tree.write("le/renewal-hooks/deploy/10-reload", "#!/bin/sh\n");
        tree.chmod("le/renewal-hooks/deploy/10-reload", 0o755);
        tree.write("le/renewal-hooks/deploy/20-off", "#!/bin/sh\n");
        let seen = visit(&shell, &tree.certbot(), &host());
        assert_eq!(seen.problems, [], "{shell:?}");
        let a = place(&seen, "a.test");
        assert_eq!(a.problems, [], "{shell:?}");
        assert_eq!(a.key_matches(), Some(true), "{shell:?}");
        let disk = a.layers.disk.as_ref().unwrap();
        assert_eq!(disk.chain.leaf.names, ["a.test", "b.test"]);
        assert_eq!(disk.location, *tree.text("le/live/a.test/fullchain.pem"));
        assert_eq!(disk.chain.rest.len(), 1);
        let issued = a.layers.issued.as_ref().unwrap();
        assert!(std::sync::Arc::ptr_eq(&issued.chain, &disk.chain));
        let versions: Vec<_> =
            a.versions.iter().map(|it| (it.number, it.certificate.is_some())).collect();
        assert_eq!(versions, [(1, true), (2, true)]);
        let renewal = a.renewal.as_ref().unwrap();
        assert!(renewal.is_enabled && renewal.is_unattended);
        let hooks: Vec<_> = seen.automation[0]
            .hooks
            .iter()
            .map(|it| (it.stage, it.mode, it.is_executable))
            .collect();
        assert_eq!(hooks, [(HookStage::Deploy, 0o755, true), (HookStage::Deploy, 0o644, false)]);
    }
}
