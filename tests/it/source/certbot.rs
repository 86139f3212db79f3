//! certbot's folders, whole and broken.

use std::collections::BTreeSet;
use std::sync::Arc;

use certdeck::fleet::{HookStage, Place, ProblemKind, Seen};

use super::tree::{
    Authority, Issued, Tree, after, answer, forget_stamps, host, place, read, shells, visit,
};

const KINDS: [&str; 4] = ["cert", "privkey", "chain", "fullchain"];

/// Reads the tree with every shell; all must see the same.
#[track_caller]
fn look(tree: &Tree) -> Seen {
    let mut all: Vec<_> = shells().iter().map(|it| visit(it, &tree.certbot(), &host())).collect();
    all.iter_mut().for_each(forget_stamps);
    let told: BTreeSet<_> =
        all.iter().map(|it| format!("{:?}", (&it.places, &it.problems))).collect();
    assert_eq!(told.len(), 1, "shells differ: {told:#?}");
    all.remove(0)
}

fn kinds(place: &Place) -> Vec<ProblemKind> {
    place.problems.iter().map(|it| it.kind).collect()
}

/// A lineage `a` that is as it should be, and whatever `change` does to it.
#[track_caller]
fn check(change: impl Fn(&Tree), expect: &[ProblemKind]) -> Place {
    let tree = Tree::new();
    tree.lineage("a", &issue());
    change(&tree);
    let seen = look(&tree);
    let place = place(&seen, "a").clone();
    assert_eq!(kinds(&place), expect, "{:#?}", place.problems);
    place
}

fn issue() -> Issued {
    Authority::new().issue(&["a.test"])
}

#[test]
fn a_lineage_is_read_whole() {
    let authority = Authority::new();
    let (old, new) = (authority.issue(&["a.test"]), authority.issue(&["a.test", "b.test"]));
    let tree = Tree::new();
    tree.lineage("a.test", &old);
    tree.archive("a.test", 2, &new);
    for kind in KINDS {
        tree.point("a.test", kind, 2);
    }
    tree.write("le/renewal-hooks/deploy/10-reload", "#!/bin/sh\n");
    tree.chmod("le/renewal-hooks/deploy/10-reload", 0o755);
    tree.write("le/renewal-hooks/deploy/20-off", "#!/bin/sh\n");
    tree.chmod("le/renewal-hooks/deploy/20-off", 0o644);
    let seen = look(&tree);
    assert_eq!(seen.problems, []);
    let a = place(&seen, "a.test");
    assert_eq!(a.problems, []);
    assert_eq!(a.key_matches(), Some(true));
    let disk = a.layers.disk.as_ref().unwrap();
    assert_eq!(disk.chain.leaf.names, ["a.test", "b.test"]);
    assert_eq!(disk.location, *tree.text("le/live/a.test/fullchain.pem"));
    assert_eq!(disk.chain.rest.len(), 1);
    assert!(Arc::ptr_eq(&a.layers.issued.as_ref().unwrap().chain, &disk.chain));
    let versions: Vec<_> =
        a.versions.iter().map(|it| (it.number, it.certificate.is_some())).collect();
    assert_eq!(versions, [(1, true), (2, true)]);
    let renewal = a.renewal.as_ref().unwrap();
    assert!(renewal.is_enabled && renewal.is_unattended);
    let hooks = &seen.automation[0].hooks;
    let hooks: Vec<_> = hooks.iter().map(|it| (it.stage, it.mode, it.is_executable)).collect();
    assert_eq!(hooks, [(HookStage::Deploy, 0o755, true), (HookStage::Deploy, 0o644, false)]);
}

#[test]
fn what_is_wrong_with_links_is_told() {
    check(|_| {}, &[]);
    let place = check(
        |it| std::fs::remove_file(it.path("le/archive/a/fullchain1.pem")).unwrap(),
        &[ProblemKind::BrokenLink],
    );
    assert!(place.layers.disk.is_none());
    check(
        |it| std::fs::remove_file(it.path("le/live/a/chain.pem")).unwrap(),
        &[ProblemKind::Missing],
    );
    check(
        |it| std::fs::remove_file(it.path("le/live/a/fullchain.pem")).unwrap(),
        &[ProblemKind::Missing],
    );
    let mixed = check(
        |it| {
            it.archive("a", 2, &issue());
            it.point("a", "privkey", 2);
        },
        &[ProblemKind::MixedVersions],
    );
    assert_eq!(mixed.key_matches(), Some(false));
    check(
        |it| {
            std::fs::remove_file(it.path("le/live/a/fullchain.pem")).unwrap();
            it.write("le/live/a/fullchain.pem", issue().fullchain());
        },
        &[ProblemKind::BrokenConf],
    );
    check(
        |it| it.write("le/live/a/previous_cert.pem", issue().cert),
        &[ProblemKind::MixedVersions],
    );
    // A backup by hard links makes one file of chains that never change; all four links led to
    // version 2, and the chain was said to be of version 1.
    check(
        |it| {
            it.archive("a", 2, &issue());
            std::fs::remove_file(it.path("le/archive/a/chain2.pem")).unwrap();
            std::fs::hard_link(
                it.path("le/archive/a/chain1.pem"),
                it.path("le/archive/a/chain2.pem"),
            )
            .unwrap();
            ["cert", "privkey", "chain", "fullchain"]
                .iter()
                .for_each(|kind| it.point("a", kind, 2));
        },
        &[],
    );
}

#[test]
fn what_is_wrong_with_files_is_told() {
    check(|it| it.write("le/archive/a/fullchain1.pem", ""), &[ProblemKind::Empty]);
    check(|it| it.write("le/archive/a/fullchain1.pem", "garbage"), &[ProblemKind::BadCertificate]);
    let cut = check(
        |it| {
            let text = issue().cert + "-----BEGIN CERTIFICATE-----\nMIIB\n";
            it.write("le/archive/a/fullchain1.pem", text);
        },
        &[ProblemKind::BadCertificate],
    );
    assert!(cut.layers.disk.is_some(), "the leaf is known all the same");
    let key = check(|it| it.write("le/archive/a/privkey1.pem", issue().key), &[]);
    assert_eq!(key.key_matches(), Some(false));
}

#[test]
fn what_is_wrong_with_the_configuration_is_told() {
    for text in ["", "garbage\n", "version = 2.1.0\n[renewalparams]\nauthenticator = webroot\n"] {
        let place = check(|it| it.write("le/renewal/a.conf", text), &[ProblemKind::BrokenConf]);
        assert!(place.layers.disk.is_some(), "the certificate is shown all the same");
    }
    check(
        |it| std::fs::remove_file(it.path("le/renewal/a.conf")).unwrap(),
        &[ProblemKind::BrokenConf],
    );
    let gone =
        check(|it| std::fs::remove_dir_all(it.path("le/live/a")).unwrap(), &[ProblemKind::Missing]);
    assert!(gone.layers.issued.is_some(), "the archive still has it");
}

#[test]
fn paths_of_the_configuration_win() {
    let issued = issue();
    let tree = Tree::new();
    tree.write("srv/le/fullchain.pem", issued.fullchain());
    tree.write("srv/le/privkey.pem", &issued.key);
    let mut conf = String::new();
    for kind in KINDS {
        conf += &[kind, " = ", &tree.text(&format!("srv/le/{kind}.pem")), "\n"].concat();
    }
    tree.write("le/renewal/far.conf", conf + "[renewalparams]\nauthenticator = nginx\n");
    let seen = look(&tree);
    let far = place(&seen, "far");
    assert_eq!(far.layers.disk.as_ref().unwrap().location, *tree.text("srv/le/fullchain.pem"));
    assert_eq!(far.key_matches(), Some(true));
}

#[test]
fn keys_that_cannot_be_compared_are_unknown() {
    let encrypted = check(
        |it| {
            let plain = it.text("le/archive/a/privkey1.pem");
            let out = it.text("encrypted");
            let made = std::process::Command::new("openssl")
                .args(["pkcs8", "-topk8", "-passout", "pass:x", "-in", &plain, "-out", &out])
                .status()
                .unwrap();
            assert!(made.success());
            std::fs::rename(out, plain).unwrap();
        },
        &[ProblemKind::KeyUnchecked],
    );
    assert_eq!(encrypted.key_matches(), None);
    assert!(encrypted.problems[0].text.as_str().contains("encrypted"));
    let garbage =
        check(|it| it.write("le/archive/a/privkey1.pem", "no key"), &[ProblemKind::KeyUnchecked]);
    assert_eq!(garbage.key_matches(), None);
}

#[test]
fn second_lineages_for_the_same_names_are_told() {
    let authority = Authority::new();
    let tree = Tree::new();
    tree.lineage("a", &authority.issue(&["a.test", "b.test"]));
    tree.lineage("a-0001", &authority.issue(&["a.test"]));
    tree.lineage("other", &authority.issue(&["b.test", "a.test"]));
    let seen = look(&tree);
    assert_eq!(kinds(place(&seen, "a")), []);
    assert_eq!(kinds(place(&seen, "a-0001")), [ProblemKind::Duplicate]);
    assert_eq!(kinds(place(&seen, "other")), [ProblemKind::Duplicate]);
}

#[test]
fn what_has_not_changed_is_not_read_again() {
    let authority = Authority::new();
    let tree = Tree::new();
    tree.lineage("a", &authority.issue(&["a.test"]));
    for version in 2..=3 {
        tree.archive("a", version, &authority.issue(&["a.test"]));
        for kind in KINDS {
            tree.point("a", kind, version);
        }
    }
    for shell in shells() {
        let source = tree.certbot();
        tree.settle("le/archive/a/privkey3.pem");
        let first = visit(&shell, &source, &host());
        let known = after(first.clone());
        let (text, nonce) = answer(&shell, &source, &known);
        let count = |text: &[u8], word: &str| {
            text.windows(word.len()).filter(|it| *it == word.as_bytes()).count()
        };
        assert_eq!(count(&text, "frame key"), 0, "{shell:?}: no key is read twice");
        assert_eq!(count(&text, "/cert2.pem <=="), 0, "{shell:?}: no old version is read twice");
        let second = read(&text, &nonce, &source, &known);
        assert_eq!(format!("{:?}", first.places), format!("{:?}", second.places));

        // Whatever touches the key makes everything of it be read again.
        let issued = authority.issue(&["a.test"]);
        tree.write("le/archive/a/privkey3.pem", &issued.key);
        let (text, nonce) = answer(&shell, &source, &known);
        assert_eq!(count(&text, "frame key"), 1, "{shell:?}");
        assert_eq!(count(&text, "/cert2.pem <=="), 1, "{shell:?}");
        let third = read(&text, &nonce, &source, &known);
        assert_eq!(place(&third, "a").key_matches(), Some(false));
    }
}

#[test]
fn a_host_without_certbot_says_so() {
    let tree = Tree::new();
    let seen = look(&tree);
    assert!(seen.places.is_empty());
    assert!(seen.problems.iter().any(|it| it.kind == ProblemKind::Missing
        && it.path.as_ref().is_some_and(|path| *path == *tree.text("le"))));
}

#[test]
fn the_log_tells_of_failures() {
    let tree = Tree::new();
    tree.lineage("shop.h001.lab.test", &issue());
    let log = include_bytes!(
        "../../fixtures/certbot/letsencrypt-success-then-failures-2.1.0-debian12.log"
    );
    tree.write("log/letsencrypt.log", log);
    let seen = look(&tree);
    let place = place(&seen, "shop.h001.lab.test");
    let failure = place.renewal.as_ref().unwrap().last_failure.as_ref().unwrap();
    assert!(failure.text.as_str().contains("connection refused"), "{failure:?}");
    assert!(seen.automation[0].last_run.is_some());
}

/// As a user who may see the configuration but neither `live` nor `archive`, as without sudo.
#[test]
fn what_may_not_be_read_is_told() {
    let tree = Tree::new();
    tree.lineage("a", &issue());
    tree.chmod("", 0o755);
    for shell in shells() {
        let user = if rustix::process::geteuid().is_root() {
            vec!["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
        } else {
            vec![]
        };
        tree.chmod("le/live", 0o000);
        tree.chmod("le/archive", 0o000);
        let seen = visit(&[user, shell.clone()].concat(), &tree.certbot(), &host());
        tree.chmod("le/live", 0o755);
        tree.chmod("le/archive", 0o755);
        let closed: Vec<_> = seen.problems.iter().map(|it| it.text.as_str()).collect();
        let text = |folder| format!("{} cannot be read: no permission", tree.text(folder));
        assert_eq!(closed, [text("le/live"), text("le/archive")], "{shell:?}");
        let a = place(&seen, "a");
        assert_eq!(kinds(a), [ProblemKind::Unreadable], "{shell:?}");
        assert!(a.renewal.is_some());
    }
}

#[test]
fn a_certbot_at_work_is_told() {
    let tree = Tree::new();
    tree.lineage("a", &issue());
    tree.write("le/.certbot.lock", "");
    assert_eq!(look(&tree).automation[0].lock, None);
    let file = std::fs::File::options().write(true).open(tree.path("le/.certbot.lock")).unwrap();
    let lock = rustix::fs::FlockOperation::NonBlockingLockExclusive;
    rustix::fs::fcntl_lock(&file, lock).unwrap();
    let seen = look(&tree);
    let lock = seen.automation[0].lock.as_ref().unwrap();
    assert_eq!(lock.path, *tree.text("le/.certbot.lock"));
    assert_eq!(lock.pid, Some(std::process::id()));
}

/// A host with very many lineages is read in the time of one with few, keys aside: those are
/// compared 64 at a time, and what is not yet compared says so.
#[test]
fn many_lineages_are_read_over_several_visits() {
    let authority = Authority::new();
    let tree = Tree::new();
    for number in 0..200 {
        tree.lineage(&format!("l{number}"), &authority.issue(&[&format!("l{number}.test")]));
    }
    tree.settle("le/archive/l199/privkey1.pem");
    let mut known = host();
    for expect in [64, 128, 192, 200] {
        let seen = visit(&["sh"], &tree.certbot(), &known);
        assert_eq!(seen.places.len(), 200);
        assert!(seen.places.iter().all(|it| it.layers.disk.is_some()));
        let compared = seen.places.iter().filter(|it| it.key_matches() == Some(true)).count();
        assert_eq!(compared, expect);
        let later = seen.places.iter().filter(|it| kinds(it) == [ProblemKind::KeyUnchecked]);
        assert_eq!(later.count(), 200 - expect);
        known = after(seen);
    }
}
