//! Changing things, end to end: the real program against a real sshd with the real certbot, a
//! real CA and a real nginx. What is claimed is checked with openssl and with the audit log.

mod actions;
mod console;
mod deliver;
mod guards;
mod killed;
mod noisy;
mod onward;
mod repairs;
mod rollout;
mod waves;

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Output};

use serde_json::Value;

use crate::lab::Lab;
use crate::lab::certbot_host::CertbotHost;

/// A host with the lineage `a.test`, served by nginx, and the operator's machine.
struct World {
    web: CertbotHost,
    /// Lines of the inventory before its hosts.
    groups: String,
    /// Last, so that what is in it ends first.
    lab: Lab,
}

impl World {
    /// `None`, said on stderr, where the programs for it are missing and not required.
    fn new() -> Option<Self> {
        Self::with(90, "")
    }

    /// The same with another life of certificates, and more lines for the inventory.
    fn with(days: u32, groups: &str) -> Option<Self> {
        let mut lab = Lab::new()?;
        let web = CertbotHost::start_with(&mut lab, "web-01", days, "")?;
        web.issue("a.test", &[]);
        Some(Self { web, groups: groups.to_owned(), lab })
    }

    fn inventory(&self) -> String {
        let mut host = self.web.inventory();
        if self.groups.contains("[[group]]") {
            host = host.replace("\n[[host.source]]", "\ngroups = ['guarded']\n[[host.source]]");
        }
        let issuer =
            format!("[[issuer]]\nname = 'lab'\ndirectory = '{}'\n", self.web.ca.directory());
        format!("{}\n{issuer}{host}{}", self.groups, self.web.endpoint("a.test"))
    }

    /// certdeck with these arguments, on the operator's machine.
    fn command(&self, words: &[&str]) -> Command {
        let mut command = self.lab.certdeck(&self.inventory());
        command.args(words);
        command
    }

    /// Runs certdeck.
    fn certdeck(&self, words: &[&str]) -> Told {
        Told::new(self.command(words).output().unwrap())
    }

    /// Starts certdeck, which goes on beside the test; what it says goes to the file `said`.
    fn begin(&self, words: &[&str]) -> Running {
        let mut command = self.command(words);
        let said = fs::File::create(self.lab.path("said")).unwrap();
        Running(command.stdout(said.try_clone().unwrap()).stderr(said).spawn().unwrap())
    }

    /// The records of the audit log, once both verifiers say that nobody has changed it and that
    /// nothing is open.
    #[track_caller]
    fn verified(&self) -> Vec<Record> {
        verified(&self.lab)
    }

    /// The last action of which the audit log tells: its intent and its outcome.
    #[track_caller]
    fn last_action(&self) -> (Value, Value) {
        let records = self.verified();
        let intent = records.iter().rfind(|it| it.kind() == "intent").expect("no intent");
        let ended: Vec<_> = records
            .iter()
            .filter(|it| it.0["op"] == intent.0["op"])
            .filter(|it| matches!(it.kind(), "outcome" | "reconcile"))
            .collect();
        assert_eq!(ended.len(), 1, "{ended:#?}");
        (intent.0.clone(), ended[0].0.clone())
    }
}

/// A program that goes on, at most until it is dropped.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// A record of the audit log.
#[derive(Debug)]
struct Record(Value);

impl Record {
    fn kind(&self) -> &str {
        self.0["kind"].as_str().unwrap()
    }
}

/// The records of a lab's audit log, once both verifiers have nothing to say against it.
#[track_caller]
fn verified(lab: &Lab) -> Vec<Record> {
    let told = Told::new(lab.certdeck("").args(["audit", "verify"]).output().unwrap());
    told.check(0, &[]);
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/verify_audit.py");
    let other = Command::new("python3").arg(script).arg(audit(lab)).output().unwrap();
    Told::new(other).check(0, &[]);
    records(lab)
}

/// The records of a lab's audit log, as they stand there.
fn records(lab: &Lab) -> Vec<Record> {
    let mut files: Vec<_> = fs::read_dir(audit(lab))
        .unwrap()
        .map(|it| it.unwrap().path())
        .filter(|it| it.extension().is_some_and(|it| it == "jsonl"))
        .collect();
    files.sort();
    let texts: Vec<_> = files.iter().map(|it| fs::read_to_string(it).unwrap()).collect();
    // A last line without an end is being written.
    let lines =
        texts.iter().flat_map(|it| it.split_inclusive('\n')).filter(|it| it.ends_with('\n'));
    lines.map(|it| Record(serde_json::from_str(it).unwrap())).collect()
}

fn audit(lab: &Lab) -> PathBuf {
    lab.path("state/audit")
}

/// What a program said, and how it ended.
#[derive(Debug)]
struct Told {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Told {
    fn new(output: Output) -> Self {
        let text = |it: Vec<u8>| String::from_utf8(it).unwrap();
        Self {
            code: output.status.code(),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        }
    }

    /// Stops with an assertion unless it ended with that code and said all of these.
    #[track_caller]
    fn check(&self, code: i32, said: &[&str]) {
        let all = format!("{}\n--- stderr\n{}", self.stdout, self.stderr);
        assert_eq!(self.code, Some(code), "{all}");
        for it in said {
            assert!(all.contains(it), "{it:?} is not in:\n{all}");
        }
    }
}
