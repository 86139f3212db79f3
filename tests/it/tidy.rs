//! House rules that no compiler checks: who may use whom, that nothing is forgotten, and that
//! nothing grows out of hand.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

/// Every room with the rooms it may use. A deeper path is a room of its own, and a room may use
/// the rooms in it.
const ROOMS: &[(&str, &[&str])] = &[
    // Pure.
    ("text", &[]),
    ("spanned", &[]),
    ("fleet", &["text"]),
    ("source", &["fleet", "spanned", "text"]),
    // Kinds of DNS providers say which keys they take.
    ("inventory", &["budget", "dns", "fleet", "source", "spanned", "text"]),
    // The words of a log, in plain words.
    ("diagnose", &["explain", "fleet", "text"]),
    ("filter", &["fleet", "spanned", "text"]),
    // Plans tell where a certificate should be served, and in which waves. A hand-over is made of
    // records, which are values once they are read.
    (
        "report",
        &[
            "action",
            "audit",
            "budget",
            "diagnose",
            "explain",
            "filter",
            "fleet",
            "inventory",
            "preflight",
            "review",
            "rollout",
            "text",
        ],
    ),
    // Lifetimes are tried on schedules, and crowds on the limits of CAs.
    ("review", &["budget", "diagnose", "fleet", "inventory", "text"]),
    ("explain", &["fleet", "text"]),
    // What logs tell of limits.
    ("budget", &["explain", "fleet", "text"]),
    // Commands as a shell reads them, and where a client keeps things.
    ("action", &["budget", "fleet", "inventory", "source", "text"]),
    // Which step is next is a matter of what is wrong and of what could be done.
    (
        // What is looked at before an order.
        "guide",
        &["action", "budget", "diagnose", "filter", "fleet", "inventory", "preflight", "text"],
    ),
    // What was done in a drill is what the audit log has of it.
    ("drill", &["action", "audit", "diagnose", "fleet", "guide", "text"]),
    // How wide a wave is, is a matter of groups.
    ("rollout", &["action", "fleet", "inventory", "text"]),
    // What was looked at, as those saw it who did: CAA records are judged where they are read.
    ("preflight", &["action", "budget", "fleet", "inventory", "resolve", "source", "text"]),
    // Frames are those of a visit.
    ("job", &["fleet", "source", "text"]),
    // Effects.
    ("clock", &["fleet"]),
    ("audit", &["clock", "fleet", "text"]),
    // Adding a key to known_hosts takes a permit.
    ("remote", &["audit", "fleet", "inventory", "text"]),
    ("scan", &["clock", "fleet", "gather", "inventory", "remote", "source", "text", "wire"]),
    // Guided runs and roll-outs that are under way; what is said in a review, on record before it
    // is kept.
    ("store", &["audit", "diagnose", "fleet", "guide", "review", "rollout", "source", "text"]),
    // What a drill is to its scorer, it is to whoever makes the trouble.
    ("practice", &["clock", "drill", "fleet"]),
    // What is handed out is made elsewhere.
    ("export", &["clock", "fleet", "report"]),
    // Redirects are followed by the names that a CA would find.
    ("wire", &["fleet", "inventory", "remote", "resolve", "text"]),
    ("secret", &["audit", "inventory", "text"]),
    // Writing takes a permit.
    ("secret_store", &["audit", "clock", "fleet", "https", "inventory", "secret", "text"]),
    ("https", &["fleet", "secret", "text"]),
    (
        "acme",
        &[
            "audit",
            "budget",
            "clock",
            "dns",
            "fleet",
            "https",
            "inventory",
            "resolve",
            "secret",
            "text",
        ],
    ),
    // What is critical is told as it was found.
    ("notice", &["clock", "diagnose", "fleet", "https", "inventory", "secret", "text"]),
    // Providers know nothing of the inventory, which knows their kinds.
    ("dns", &["clock", "resolve", "text"]),
    ("resolve", &["text"]),
    // Tokens are read as other secrets are; what the metrics are called is known where they are made.
    ("gather", &["fleet", "https", "inventory", "secret", "source", "text"]),
    (
        "perform",
        &[
            "acme",
            "action",
            "audit",
            "budget",
            "clock",
            "dns",
            "explain",
            "fleet",
            // What was done in a guided run, as the log has it.
            "guide",
            "inventory",
            "job",
            "preflight",
            "remote",
            "resolve",
            "rollout",
            "scan",
            "secret_store",
            "source",
            // What is still to be done of a roll-out.
            "store",
            "text",
            "wire",
        ],
    ),
    // Shells.
    (
        "tui",
        &[
            "acme",
            "action",
            "audit",
            "budget",
            "clock",
            "diagnose",
            "drill",
            "filter",
            "fleet",
            "gather",
            "guide",
            "inventory",
            "job",
            "notice",
            "perform",
            "preflight",
            "remote",
            "report",
            "review",
            // Those that were left.
            "rollout",
            "scan",
            // What stores hold.
            "secret_store",
            "source",
            "spanned",
            "store",
            "text",
        ],
    ),
    // Screens and parts draw what they are given.
    (
        "tui/screen",
        &[
            "budget",
            "diagnose",
            "fleet",
            "guide",
            "perform",
            "preflight",
            "review",
            "text",
            "tui",
            "tui/part",
        ],
    ),
    (
        "tui/part",
        &[
            "action",
            "budget",
            "diagnose",
            "filter",
            "fleet",
            "perform",
            "preflight",
            "review",
            "text",
            "tui",
        ],
    ),
    (
        "cli",
        &[
            "acme",
            "action",
            "audit",
            "budget",
            "clock",
            "diagnose",
            "dns",
            "drill",
            "explain",
            "export",
            "filter",
            "fleet",
            "guide",
            "inventory",
            "job",
            "notice",
            "perform",
            "practice",
            "preflight",
            "remote",
            "report",
            "review",
            "rollout",
            "scan",
            "secret",
            // What stores hold is asked after a look at the hosts.
            "secret_store",
            "source",
            "spanned",
            "store",
            "text",
            "tui",
        ],
    ),
    ("main", &["cli"]),
    // Hidden: the way of the fuzzer to parsers, some of which nobody else may reach.
    (FUZZ, &["filter", "inventory", "source"]),
    ("lib", &[]),
];

/// The room that only the fuzzer and its test enter.
const FUZZ: &str = "fuzz";

/// Folders of similar things, where a thing does nothing until `ALL` lists it.
const REGISTRIES: &[&str] = &[
    "action",
    "budget",
    "diagnose",
    "dns",
    "guide",
    "inventory/import",
    "practice/drill",
    "practice/scenario",
    "preflight",
    "report",
    "report/review",
    "source",
    "tui/screen",
];

#[test]
fn rooms_use_what_they_may_and_nothing_else() {
    let mut wrong = Vec::new();
    let mut used = BTreeSet::new();
    for (path, text) in rust_files("src").into_iter().filter(|it| !it.0.contains("/tests/")) {
        let room = room_of(&path);
        let may = ROOMS.iter().find(|it| it.0 == room).map_or(&[][..], |it| it.1);
        for other in used_by(&text) {
            let is_inside = other.starts_with(&format!("{room}/"));
            let is_free = other.is_empty() || other == room || is_inside;
            if !is_free && !may.contains(&other) {
                wrong.push(format!("{path}: `{room}` may not use `{other}`"));
            }
            used.insert((room, other));
        }
    }
    // The program itself is another crate, which sees the library by its name.
    for (room, may) in ROOMS.iter().filter(|it| it.0 != "main") {
        for other in may.iter().filter(|it| !used.contains(&(*room, **it))) {
            wrong.push(format!("ROOMS: `{room}` does not use `{other}`"));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// What changes a host is text that is sent there, so it matters who makes and who sends text.
#[test]
fn only_perform_changes_hosts() {
    let mut wrong = Vec::new();
    for (path, text) in rust_files("src") {
        let code = without_tests(&text);
        let may_send = ["scan", "perform", "remote"].contains(&room_of(&path));
        if code.contains(".visit(") && !may_send {
            wrong.push(format!("{path}: sends text to a host"));
        }
        let makes = ["start", "stop", "void", "clean", "csr"].map(|it| format!("job::{it}("));
        if makes.iter().any(|it| code.contains(it)) && room_of(&path) != "perform" {
            wrong.push(format!("{path}: makes text that changes a host"));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// The rooms that a file names, its tests aside.
fn used_by(text: &str) -> BTreeSet<&'static str> {
    let code = without_tests(text).lines().filter(|it| !it.trim_start().starts_with("//"));
    let names = code.flat_map(|it| it.split("crate::").skip(1));
    names.map(|it| room_of(&it.replace("::", "/"))).collect()
}

#[test]
fn every_room_is_known_here_and_on_the_crate_page() {
    let page = fs::read_to_string("src/lib.rs").unwrap();
    for (path, _) in rust_files("src") {
        assert!(!room_of(&path).is_empty(), "{path} lies in no room");
    }
    for room in page.lines().filter_map(|it| it.strip_prefix("pub mod ")) {
        let room = room.trim_end_matches(';');
        let is_told = room == FUZZ || page.contains(&format!("[`{room}`]"));
        assert!(is_told, "the crate page lacks {room}");
        let count = ROOMS.iter().filter(|it| it.0 == room).count();
        assert_eq!(count, 1, "ROOMS has {room} {count} times");
    }
}

#[test]
fn every_kind_is_registered() {
    let mut wrong = Vec::new();
    for registry in REGISTRIES {
        let list = fs::read_to_string(format!("src/{registry}/mod.rs")).unwrap();
        assert!(list.contains("static ALL: &[Kind]"), "{registry} is no registry");
        for entry in fs::read_dir(format!("src/{registry}")).unwrap() {
            let path = entry.unwrap().path();
            let stem = path.file_stem().unwrap().to_str().unwrap().to_owned();
            // Beside the things may lie what their tests have written down.
            if stem == "snapshots" {
                continue;
            }
            let face = if path.is_dir() { path.join("mod.rs") } else { path };
            let text = fs::read_to_string(&face).unwrap();
            if stem != "mod" && text.contains("const KIND: Kind") {
                let is_listed = list.contains(&format!("{stem}::KIND"));
                if !is_listed {
                    wrong.push(format!("src/{registry}/mod.rs: ALL lacks {stem}::KIND"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn every_source_is_tried_and_explained() {
    let readme = fs::read_to_string("README.md").unwrap();
    for kind in certdeck::source::ALL {
        assert!(readme.contains(&format!("| `{}` |", kind.name)), "README lacks {}", kind.name);
        // Of plain files there is no client whose output could be recorded.
        if kind.name != "pem" {
            let folder = format!("tests/fixtures/{}", kind.name);
            let recorded = fs::read_dir(&folder).is_ok_and(|mut it| it.next().is_some());
            assert!(recorded, "{folder} holds nothing");
        }
    }
}

#[test]
fn the_readme_explains_what_there_is() {
    let readme = fs::read_to_string("README.md").unwrap();
    for verdict in certdeck::fleet::Verdict::ALL {
        assert!(readme.contains(&format!("| `{verdict}` |")), "README lacks {verdict}");
    }
    for field in certdeck::filter::FIELDS {
        assert!(readme.contains(field.name), "README lacks the field {}", field.name);
    }
    for kind in certdeck::report::ALL {
        assert!(readme.contains(kind.name), "README lacks the format {}", kind.name);
    }
    for metric in certdeck::report::prometheus::ALL {
        let labels = metric.labels.join(",");
        let labels = if labels.is_empty() { labels } else { format!("{{{labels}}}") };
        let told = format!("`{}{labels}`", metric.name);
        assert!(readme.contains(&told), "README lacks {told}");
    }
    for kind in certdeck::preflight::ALL {
        assert!(readme.contains(&format!("| `{}` |", kind.name)), "README lacks {}", kind.name);
    }
    for kind in certdeck::report::review::ALL {
        let format = format!("`{}`", kind.name);
        assert!(readme.contains(&format), "README lacks the format {} of reviews", kind.name);
    }
}

#[test]
fn every_remedy_is_an_action() {
    for rank in certdeck::diagnose::RANKS {
        let is_action = certdeck::action::named(rank.action).is_some();
        assert!(is_action, "no action `{}`", rank.action);
    }
    let mut named = 0;
    for (path, text) in rust_files("src/diagnose") {
        let text = without_tests(&text);
        let lists = text.split("remedies(&[").skip(1).filter_map(|it| it.split(']').next());
        let single = text.split(".remedy(\"").skip(1).filter_map(|it| it.split('"').next());
        for remedy in lists.chain(single).flat_map(|it| it.split([',', '"'])) {
            let remedy = remedy.trim();
            if !remedy.is_empty() {
                assert!(
                    certdeck::diagnose::rank(remedy).is_some(),
                    "{path}: `{remedy}` has no rank"
                );
                named += 1;
            }
        }
    }
    assert!(named > 20, "{named}");
    let readme = fs::read_to_string("README.md").unwrap();
    for kind in certdeck::action::ALL {
        assert!(readme.contains(&format!("| `{}` |", kind.name)), "README lacks {}", kind.name);
    }
}

#[test]
fn files_stay_small_and_say_what_they_hold() {
    let mut wrong = Vec::new();
    for (path, text) in rust_files("src") {
        let lines = without_tests(&text).lines().count();
        if lines > 600 {
            wrong.push(format!("{path}: {lines} lines"));
        }
        if !text.starts_with("//!") {
            wrong.push(format!("{path}: does not begin with what it holds"));
        }
        if ["utils", "helpers", "common", "misc"].iter().any(|it| path.contains(it)) {
            wrong.push(format!("{path}: a line that has not found its room"));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn there_is_one_provider_of_cryptography() {
    let lock = fs::read_to_string("Cargo.lock").unwrap();
    for name in ["openssl-sys", "native-tls"] {
        assert!(!lock.contains(&format!("name = \"{name}\"")), "Cargo.lock has {name}");
    }
    let tree = Command::new(env!("CARGO"))
        .args(["tree", "--locked", "--offline", "--edges", "normal", "--prefix", "none"])
        .output()
        .unwrap();
    assert!(tree.status.success(), "{}", String::from_utf8_lossy(&tree.stderr));
    let tree = String::from_utf8_lossy(&tree.stdout);
    assert!(tree.contains("aws-lc-rs "), "{tree}");
    assert!(!tree.lines().any(|it| it.starts_with("ring ")), "ring is built in");
}

/// The deepest room that a path lies in.
fn room_of(path: &str) -> &'static str {
    let inside = |room: &str| {
        let rest = path.strip_prefix(room);
        rest.is_some_and(|it| !it.starts_with(|c: char| c.is_alphanumeric() || c == '_'))
    };
    ROOMS
        .iter()
        .map(|it| it.0)
        .filter(|it| inside(it))
        .max_by_key(|it| it.len())
        .unwrap_or_default()
}

/// A file up to its tests, which stand at its end.
fn without_tests(text: &str) -> &str {
    let tests = text.find("#[cfg(test)]\nmod tests {");
    tests.map_or(text, |it| &text[..it])
}

/// Every Rust file below `folder`, as a path inside `src/`, with its text.
fn rust_files(folder: &str) -> Vec<(String, String)> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.to_str().unwrap();
        if path.is_dir() {
            files.extend(rust_files(name));
        } else if Path::new(name).extension().is_some_and(|it| it == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            files.push((name.trim_start_matches("src/").to_owned(), text));
        }
    }
    files
}
