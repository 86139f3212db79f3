//! Accounts at a real CA: `certdeck issuer` against Pebble.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Output;

use serde_json::Value;

use crate::lab::ca::{Ca, Checks, Habits};
use crate::lab::{are_here, free_port};
use crate::serve::{Home, binary};

const PROGRAMS: &[&str] = &["pebble", "pebble-challtestsrv", "curl"];

/// A home whose inventory names that CA, with more lines for its `[[issuer]]`.
fn home(ca: &Ca, more: &str) -> Home {
    let home = Home::new();
    let folder = home.path().join(".config/certdeck");
    fs::create_dir_all(&folder).unwrap();
    let [url, root] = [ca.directory(), ca.trust().display().to_string()];
    let inventory = format!(
        "[[issuer]]\nname = \"lab\"\ndirectory = \"{url}\"\nstaging = \"{url}?twin\"\n\
         roots = [\"{root}\"]\n{more}\n"
    );
    fs::write(folder.join("inventory.toml"), inventory).unwrap();
    home
}

fn ca(folder: &Path, habits: Habits<'_>) -> Option<Ca> {
    are_here(PROGRAMS).then(|| Ca::start_with(folder, Checks::Believed, 90, habits))
}

#[track_caller]
fn run(home: &Home, arguments: &[&str]) -> String {
    let output = home.certdeck(arguments);
    assert!(output.status.success(), "{}", text(&output));
    text(&output)
}

/// Runs what must fail with that code.
#[track_caller]
fn refused(home: &Home, arguments: &[&str], code: i32) -> String {
    let output = home.certdeck(arguments);
    assert_eq!(output.status.code(), Some(code), "{}", text(&output));
    text(&output)
}

fn text(output: &Output) -> String {
    let both = [&output.stdout[..], &output.stderr].concat();
    String::from_utf8(both).unwrap()
}

fn show(home: &Home) -> Value {
    let output = home.certdeck(&["issuer", "show", "lab", "--format", "json"]);
    serde_json::from_slice(&output.stdout).unwrap()
}

fn state(home: &Home) -> std::path::PathBuf {
    home.path().join(".local/state/certdeck")
}

#[test]
fn an_account_is_made_given_a_new_key_lost_and_restored() {
    let folder = tempfile::tempdir().unwrap();
    let Some(ca) = ca(folder.path(), Habits::default()) else { return };
    let home = home(&ca, "contact = \"ops@example.net\"");
    let before = show(&home);
    assert_eq!((&before["account"], &before["reached"]), (&Value::Null, &true.into()));
    assert_eq!(before["external-account"], "not-needed");
    let asked = refused(&home, &["issuer", "register", "lab"], 2);
    assert!(asked.contains("`--yes lab` says that you mean it"), "{asked}");

    run(&home, &["issuer", "register", "lab", "--yes", "lab"]);
    let made = show(&home);
    assert_eq!(
        (&made["account-valid"], &made["contact"][0]),
        (&true.into(), &"ops@example.net".into())
    );
    let file = state(&home).join("accounts/lab.json");
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&file), mode(file.parent().unwrap())), (0o600, 0o700));
    assert!(run(&home, &["issuer", "register", "lab", "--yes", "lab"]).contains("already"));
    assert_eq!(show(&home), made);

    // The key before is worth nothing after.
    let backup = home.path().join("old.json");
    let backup = backup.to_str().unwrap();
    run(&home, &["issuer", "backup", "lab", backup, "--yes", "lab"]);
    assert_eq!(mode(Path::new(backup)), 0o600);
    refused(&home, &["issuer", "backup", "lab", backup, "--yes", "lab"], 1);
    run(&home, &["issuer", "roll", "lab", "--yes", "lab"]);
    let rolled = show(&home);
    assert_eq!((&rolled["account"], &rolled["account-valid"]), (&made["account"], &true.into()));
    assert_ne!(rolled["thumbprint"], made["thumbprint"]);
    let old = refused(&home, &["issuer", "restore", "lab", backup, "--yes", "lab"], 1);
    assert!(old.contains("accountDoesNotExist"), "{old}");
    assert_eq!(show(&home), rolled);

    // All is lost but the backup.
    let backup = home.path().join("new.json");
    let backup = backup.to_str().unwrap();
    run(&home, &["issuer", "backup", "lab", backup, "--yes", "lab"]);
    fs::remove_dir_all(state(&home).join("accounts")).unwrap();
    assert_eq!(show(&home)["account"], Value::Null);
    run(&home, &["issuer", "restore", "lab", backup, "--yes", "lab"]);
    assert_eq!(show(&home), rolled);

    // An account is not carried to another directory.
    let twin = ["issuer", "restore", "lab", backup, "--staging", "--yes", "lab"];
    assert!(refused(&home, &twin, 2).contains("belongs to"));
    fs::set_permissions(&file, Permissions::from_mode(0o644)).unwrap();
    assert!(show(&home)["account-error"].as_str().unwrap().contains("others can read its key"));
    fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();

    run(&home, &["issuer", "deactivate", "lab", "--yes", "lab"]);
    assert_eq!(show(&home)["account"], Value::Null);
    assert!(state(&home).join("accounts/lab.json.closed").exists());
    refused(&home, &["issuer", "restore", "lab", backup, "--yes", "lab"], 1);

    // Everything is on record, and nothing stays open.
    assert!(run(&home, &["audit", "verify"]).contains("good"));
    let records = run(&home, &["audit", "list"]);
    for action in ["register", "roll", "backup", "restore", "deactivate"] {
        assert!(records.contains(&format!("issuer-{action}")), "{records}");
    }
}

#[test]
fn a_ca_that_refuses_nine_nonces_of_ten_is_talked_to() {
    let folder = tempfile::tempdir().unwrap();
    let Some(ca) = ca(folder.path(), Habits { refused_nonces: 90, ..Habits::default() }) else {
        return;
    };
    let home = home(&ca, "");
    run(&home, &["issuer", "register", "lab", "--yes", "lab"]);
    let first = show(&home)["thumbprint"].clone();
    run(&home, &["issuer", "roll", "lab", "--yes", "lab"]);
    assert_ne!(show(&home)["thumbprint"], first);
    run(&home, &["issuer", "deactivate", "lab", "--yes", "lab"]);
    assert_eq!(show(&home)["account"], Value::Null);
}

#[test]
fn customers_are_known_by_a_key_that_nobody_else_sees() {
    const KEY: &str = "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W";
    let folder = tempfile::tempdir().unwrap();
    let habits = Habits { customer: Some(("kid-1", KEY)), ..Habits::default() };
    let Some(ca) = ca(folder.path(), habits) else { return };

    let stranger = home(&ca, "");
    let told = refused(&stranger, &["issuer", "register", "lab", "--yes", "lab"], 2);
    assert!(told.contains("set `eab-kid` and `secret-file`"), "{told}");
    assert_eq!(show(&stranger)["external-account"], "missing");

    let customer = home(&ca, "eab-kid = \"kid-1\"\nsecret-file = \"~/eab\"");
    let file = customer.path().join("eab");
    fs::write(&file, format!("{KEY}\n")).unwrap();
    let told = refused(&customer, &["issuer", "register", "lab", "--yes", "lab"], 1);
    assert!(told.contains("others can read"), "{told}");
    fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
    assert_eq!(show(&customer)["external-account"], "ready");
    let mut said = run(&customer, &["issuer", "register", "lab", "--yes", "lab"]);
    assert_eq!(show(&customer)["account-valid"], true);
    said += &run(&customer, &["audit", "export", "--format", "json"]);
    assert!(!said.contains(KEY));
    let found = customer.command("grep").args(["-rlF", KEY, ".local"]).output().unwrap();
    assert!(found.stdout.is_empty(), "{}", text(&found));
}

#[test]
fn what_cannot_be_reached_is_said_with_what_else_there_is() {
    let home = Home::new();
    let folder = home.path().join(".config/certdeck");
    fs::create_dir_all(&folder).unwrap();
    let url = format!("http://127.0.0.1:{}/dir", free_port());
    let inventory = format!(
        "[[issuer]]\nname = \"a\"\ndirectory = \"{url}\"\n[[issuer]]\nname = \"b\"\ndirectory = \"{url}\"\n"
    );
    fs::write(folder.join("inventory.toml"), inventory).unwrap();
    let told = refused(&home, &["issuer", "register", "a", "--yes", "a"], 3);
    assert!(told.contains("cannot be reached") && told.contains("other issuers: b"), "{told}");
    let told = refused(&home, &["issuer", "show", "c"], 2);
    assert!(told.contains("there are: a, b"), "{told}");
    // Nothing was begun, so nothing is on record.
    assert!(!state(&home).join("audit").exists());
    let output = home.command(binary()).args(["issuer", "--help"]).output().unwrap();
    assert!(output.status.success());
}

/// A CA whose root this machine trusts needs no `roots` in the inventory.
#[test]
fn what_the_machine_trusts_is_trusted() {
    let folder = tempfile::tempdir().unwrap();
    let Some(ca) = ca(folder.path(), Habits::default()) else { return };
    let home = Home::new();
    let settings = home.path().join(".config/certdeck");
    fs::create_dir_all(&settings).unwrap();
    let url = ca.directory();
    let issuer = format!("[[issuer]]\nname = \"lab\"\ndirectory = \"{url}\"\n");
    fs::write(settings.join("inventory.toml"), &issuer).unwrap();
    let is_reached = |trusted: Option<&Path>| {
        let mut command = home.command(binary());
        command.args(["issuer", "show", "lab", "--format", "json"]);
        if let Some(file) = trusted {
            command.env("SSL_CERT_FILE", file);
        }
        let output = command.output().unwrap();
        let told: Value = serde_json::from_slice(&output.stdout).unwrap();
        told["reached"] == true
    };
    assert!(!is_reached(None));
    assert!(is_reached(Some(&ca.trust())));
    // And so does one that ends all other chains of the fleet.
    let defaults = format!("[defaults]\nroots = [\"{}\"]\n{issuer}", ca.trust().display());
    fs::write(settings.join("inventory.toml"), defaults).unwrap();
    assert!(is_reached(None));
}
