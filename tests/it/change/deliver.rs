//! Certificates of a real certbot, into stores of secrets: a small Vault of the lab's own, and
//! Secrets Manager as moto has it.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use super::{Told, World};
use crate::lab::vault::{ROLE, TOKEN, Vault};
use crate::lab::{are_here, free_port, wait_for};

/// Writes a secret as the inventory wants it, and says where.
fn secret(it: &World, text: &str) -> String {
    let path = it.lab.path("secret");
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
    path.display().to_string()
}

/// A host with `a.test`, and a Vault that it can be delivered to.
pub(super) fn world() -> Option<(World, Vault)> {
    let mut it = World::new()?;
    let vault = Vault::start();
    let token = secret(&it, TOKEN);
    it.groups = format!(
        "[[secret-store]]\nname = 'main'\nkind = 'vault-kv2'\nurl = '{}'\nnamespace = 'edge'\n\
         secret-file = '{token}'\n",
        vault.url
    );
    Some((it, vault))
}

/// Renews as a timer would.
pub(super) fn renew(it: &World) {
    let words = ["renew", "--force-renewal", "--no-random-sleep-on-renew", "--cert-name", "a.test"];
    assert!(it.web.certbot(&words).status.success());
}

pub(super) const PATH: &str = "certdeck/web-01/a.test";
pub(super) const DELIVER: [&str; 6] = ["run", "deliver", "web-01/a.test", "--to", "main", "--yes"];

fn deliver(it: &World, more: &[&str]) -> Told {
    it.certdeck(&[&DELIVER[..], more].concat())
}

/// That the words stand nowhere in the state of the console, nor in what it said.
#[track_caller]
fn assert_not_written(it: &World, told: &Told, words: &str) {
    assert!(!format!("{told:?}").contains(words));
    let found =
        Command::new("grep").args(["-rlF", words]).arg(it.lab.path("state")).output().unwrap();
    assert_eq!(String::from_utf8(found.stdout).unwrap(), "");
}

#[test]
fn a_vault_gets_each_certificate_once() {
    let Some((it, vault)) = world() else { return };
    let told = deliver(&it, &["a.test"]);
    told.check(0, &["version 1 of certdeck/web-01/a.test in main holds the certificate"]);
    let kept = vault.newest(PATH);
    assert_eq!(kept["sha256"], it.web.on_disk("a.test"));
    let chain = fs::read_to_string(it.web.live("a.test", "fullchain")).unwrap();
    assert_eq!(kept["certificate"], chain);
    assert_eq!((&kept["host"], &kept["lineage"]), (&json!("web-01"), &json!("a.test")));
    assert_eq!(kept.get("private_key"), None);
    assert!(vault.state().namespaces.contains("edge"));
    let (intent, outcome) = it.last_action();
    assert_eq!((&intent["store"], &intent["path"]), (&json!("main"), &json!(PATH)));
    assert_eq!((&intent["moves-key"], &outcome["ending"]), (&json!(false), &json!("ok")));
    assert_eq!(outcome["after"], kept["sha256"]);
    assert_not_written(&it, &told, TOKEN);

    // The same is not written twice.
    deliver(&it, &["a.test"]).check(0, &["holds it already; nothing was written"]);
    assert_eq!(vault.versions(PATH), 1);

    // The next goes above it, and the way back is told.
    renew(&it);
    vault.state().throttled = 1;
    let back = "vault kv rollback -mount=secret -version=1 certdeck/web-01/a.test";
    deliver(&it, &["a.test"]).check(0, &["version 2 of", back]);
    assert_eq!(vault.newest(PATH)["sha256"], it.web.on_disk("a.test"));

    // What somebody has deleted is counted on.
    vault.state().held.get_mut(PATH).unwrap().push(None);
    deliver(&it, &["a.test"]).check(0, &["version 4 of"]);

    // An answer that is lost on its way does not make two.
    renew(&it);
    vault.state().lost = 1;
    deliver(&it, &["a.test"]).check(0, &["version 5 of"]);
    assert_eq!(vault.versions(PATH), 5);
}

#[test]
fn a_key_goes_to_a_vault_only_if_it_is_typed() {
    let Some((it, vault)) = world() else { return };
    let key = fs::read_to_string(it.web.live("a.test", "privkey")).unwrap();
    let with = |yes: &str| deliver(&it, &[yes, "--with-key"]);
    with("a.test").check(2, &["move key a.test"]);
    assert_eq!(vault.state().asked.len(), 0);
    let told = with("move key a.test");
    told.check(0, &["its private key is there, too"]);
    assert_eq!(vault.newest(PATH)["private_key"], key);
    let (intent, _) = it.last_action();
    assert_eq!(intent["moves-key"], true);
    assert_not_written(&it, &told, key.lines().nth(1).unwrap());

    // A certificate alone does not take the place of one with its key.
    renew(&it);
    deliver(&it, &["a.test"]).check(1, &["holds a private key", "--with-key"]);
    assert_eq!(vault.versions(PATH), 1);
    with("move key a.test").check(0, &["version 2 of"]);
}

#[test]
fn what_is_wrong_with_a_vault_is_told_in_plain_words() {
    let Some((mut it, vault)) = world() else { return };
    let fails = |it: &World, said: &[&str]| {
        let told = deliver(it, &["a.test"]);
        told.check(1, said);
        assert_eq!(it.last_action().1["ending"], "failed", "{told:?}");
        told
    };
    vault.state().is_sealed = true;
    fails(&it, &["Vault is sealed", "unseal", "nothing was changed"]);
    vault.state().is_sealed = false;
    vault.state().is_first_version = true;
    fails(&it, &["first version", "enable-versioning"]);
    vault.state().is_first_version = false;
    vault.state().rival = Some(json!({ "certificate": "x", "lineage": "a.test", "sha256": "00" }));
    fails(&it, &["check-and-set", "somebody else"]);
    assert_eq!(vault.newest(PATH)["certificate"], "x");

    // What others keep there stays.
    for (foreign, said) in [
        (json!({ "password": "hunter2" }), "holds `password`, which certdeck does not write"),
        (json!({ "certificate": 5 }), "that certdeck has not written"),
        (json!({ "lineage": "b.test", "certificate": "x" }), "another lineage, b.test"),
    ] {
        vault.state().held.get_mut(PATH).unwrap().push(Some(foreign.clone()));
        let told = fails(&it, &[said]);
        assert_eq!(vault.newest(PATH), foreign);
        assert_not_written(&it, &told, "hunter2");
    }

    let right = it.groups.clone();
    it.groups = right.replace("namespace", "mount = 'kv'\nnamespace");
    fails(&it, &["no handler for route", "vault secrets list"]);
    secret(&it, "hvs.wrong");
    it.groups = right.clone();
    fails(&it, &["permission denied", "valid one"]);
    fs::remove_file(it.lab.path("secret")).unwrap();
    fails(&it, &["secret-store main", "cannot read"]);

    // With a role, the secret is its secret-id.
    secret(&it, ROLE.1);
    it.groups = right.replace("namespace", &format!("role-id = '{}'\nnamespace", ROLE.0));
    vault.state().held.clear();
    deliver(&it, &["a.test"]).check(0, &["version 1 of"]);
    secret(&it, "wrong");
    fails(&it, &["invalid role or secret"]);
    drop(vault);
    secret(&it, TOKEN);
    it.groups = right;
    fails(&it, &["cannot be reached"]);
}

/// Whoever is cut off while a store is asked has its end written by the next start.
#[test]
fn a_delivery_that_was_cut_off_is_settled_by_what_the_store_holds() {
    let Some((it, vault)) = world() else { return };
    deliver(&it, &["a.test"]).check(0, &[]);
    // The log of a console that died after it had written.
    let segment = it.lab.path("state/audit/000001.jsonl");
    let text = fs::read_to_string(&segment).unwrap();
    let is_end = |line: &str| {
        let record: Value = serde_json::from_str(line).unwrap();
        record["kind"] == "outcome"
    };
    let at = text.lines().position(is_end).unwrap();
    let kept: Vec<_> = text.lines().take(at).collect();
    fs::write(&segment, kept.join("\n") + "\n").unwrap();
    fs::remove_file(it.lab.path("state/audit/head")).unwrap();
    let told = it.certdeck(&["jobs", "list"]);
    told.check(0, &[]);
    let told = deliver(&it, &["a.test"]);
    told.check(0, &["nothing was written"]);
    let records = it.verified();
    let settled = records.iter().find(|it| it.kind() == "reconcile").unwrap();
    assert_eq!(settled.0["ending"], "ok", "{settled:?}");
    assert_eq!(vault.versions(PATH), 1);
}

/// Secrets Manager as moto has it, which checks every signature with the code of AWS's own client.
struct Moto {
    port: u16,
    key: (String, String),
    child: Child,
}

impl Moto {
    fn start() -> Option<Self> {
        if !are_here(&["moto_server", "curl"]) {
            return None;
        }
        let port = free_port();
        let child = Command::new("moto_server")
            .args(["-H", "127.0.0.1", "-p", &port.to_string()])
            // These are not checked: those with which somebody is let in.
            .env("INITIAL_NO_AUTH_ACTION_COUNT", "3")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut it = Self { port, key: Default::default(), child };
        wait_for("moto to answer", || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok());
        it.iam("CreateUser");
        let policy = json!({ "Version": "2012-10-17", "Statement": [
            { "Effect": "Allow", "Action": "secretsmanager:*", "Resource": "*" },
        ] });
        let allowed = format!("PutUserPolicy&PolicyName=all&PolicyDocument={policy}");
        it.iam(&allowed.replace(' ', ""));
        let made = it.iam("CreateAccessKey");
        let part = |name: &str| {
            let (_, rest) = made.split_once(&format!("<{name}>")).expect(&made);
            rest.split('<').next().unwrap().to_owned()
        };
        it.key = (part("AccessKeyId"), part("SecretAccessKey"));
        Some(it)
    }

    fn iam(&self, action: &str) -> String {
        self.ask("iam", &["-d", &format!("Version=2010-05-08&UserName=lab&Action={action}")])
    }

    fn ask(&self, service: &str, more: &[&str]) -> String {
        let scope = format!("Credential=x/20260101/eu-west-1/{service}/aws4_request");
        let told = Command::new("curl")
            .args(["-s", "-H"])
            .arg(format!(
                "Authorization: AWS4-HMAC-SHA256 {scope}, SignedHeaders=host, Signature=0"
            ))
            .args(more)
            .arg(format!("http://127.0.0.1:{}/", self.port))
            .output()
            .unwrap();
        String::from_utf8(told.stdout).unwrap()
    }

    fn inventory(&self, it: &World, key: &str) -> String {
        let lines = format!("access-key-id = {}\nsecret-access-key = {key}\n", self.key.0);
        format!(
            "[[secret-store]]\nname = 'main'\nkind = 'aws-secrets-manager'\nurl = \
             'http://127.0.0.1:{}'\nregion = 'eu-west-1'\npath = 'tls/{{name}}'\n\
             secret-file = '{}'\n",
            self.port,
            secret(it, &lines)
        )
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

#[test]
fn secrets_manager_gets_each_certificate_once() {
    let Some(mut it) = World::new() else { return };
    let Some(moto) = Moto::start() else { return };
    it.groups = moto.inventory(&it, &moto.key.1);
    let told = deliver(&it, &["a.test"]);
    told.check(0, &["of tls/a.test in main holds the certificate, read back"]);
    let first = it.last_action().0["op"].as_str().unwrap().to_owned();
    assert!(told.stdout.contains(&first) || told.stderr.contains(&first), "{told:?}");
    assert_not_written(&it, &told, &moto.key.1);
    deliver(&it, &["a.test"]).check(0, &["holds it already; nothing was written"]);

    renew(&it);
    let back = format!("--move-to-version-id {first} --remove-from-version-id");
    deliver(&it, &["a.test"]).check(0, &["read back", &back]);
    deliver(&it, &["a.test"]).check(0, &["nothing was written"]);

    let key = fs::read_to_string(it.web.live("a.test", "privkey")).unwrap();
    let told = deliver(&it, &["move key a.test", "--with-key"]);
    told.check(0, &["its private key is there, too"]);
    assert_not_written(&it, &told, key.lines().nth(1).unwrap());
    renew(&it);
    deliver(&it, &["a.test"]).check(1, &["holds a private key"]);

    it.groups = moto.inventory(&it, "wrong");
    deliver(&it, &["a.test"]).check(1, &["is refused (HTTP 403)", "put a valid one"]);
}
