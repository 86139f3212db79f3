//! The guide is followed, and nothing else: every fault is mended by answers to its questions, the
//! cheapest repair is offered first, and the CA is asked no more often than it must be.

use std::fs;
use std::io::{Read as _, Write as _};
use std::process::{Child, ChildStdin};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use super::authority::{Authority, Life};
use super::scene::Scene;
use super::{chain, files, names, node, reload, siblings, staging};
use crate::lab::certbot_host::CertbotHost;

/// Somebody who follows the guide with plain prompts.
pub(super) struct Walk {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: Receiver<u8>,
    pub(super) said: String,
    /// How much of it was answered.
    answered: usize,
}

/// What is asked.
#[derive(Debug, PartialEq)]
pub(super) enum Asked {
    /// An answer to the step with this heading.
    Step(String),
    /// This word.
    Word(String),
    /// Why something is left out.
    Reason,
    /// Nothing more: it has ended with this code.
    Nothing(Option<i32>),
}

impl Walk {
    pub(super) fn begin(scene: &Scene, line: &str) -> Self {
        let mut child = scene.talk(&format!("exec certdeck emergency {line}"));
        let (tell, stdout) = channel();
        let mut pipe = child.stdout.take().unwrap();
        std::thread::spawn(move || {
            let mut byte = [0];
            while pipe.read(&mut byte).is_ok_and(|it| it == 1) && tell.send(byte[0]).is_ok() {}
        });
        let stdin = child.stdin.take();
        Self { child, stdin, stdout, said: String::new(), answered: 0 }
    }

    /// What is asked next.
    pub(super) fn asked(&mut self) -> Asked {
        let mut bytes = Vec::new();
        loop {
            match self.stdout.recv_timeout(Duration::from_secs(60)) {
                Ok(byte) => bytes.push(byte),
                Err(RecvTimeoutError::Timeout) => {
                    panic!("nothing more came of\n{}{}", self.said, String::from_utf8_lossy(&bytes))
                }
                Err(RecvTimeoutError::Disconnected) => {
                    self.said.push_str(&String::from_utf8_lossy(&bytes));
                    return Asked::Nothing(self.child.wait().unwrap().code());
                }
            }
            if !bytes.ends_with(b": ") {
                continue;
            }
            let text = String::from_utf8_lossy(&bytes).into_owned();
            let last = text.rsplit('\n').next().unwrap();
            let word = last.strip_prefix("Type ").and_then(|it| it.split_once(" to do it"));
            let asked = if last.ends_with("quit, ?: ") {
                let mut steps = text.lines().filter_map(|it| it.strip_prefix("Step "));
                steps.next_back().map(|it| Asked::Step(it.split_once(": ").unwrap().1.to_owned()))
            } else if let Some((word, _)) = word {
                Some(Asked::Word(word.to_owned()))
            } else {
                last.starts_with("Why? ").then_some(Asked::Reason)
            };
            if let Some(asked) = asked {
                self.answered = self.said.len();
                self.said.push_str(&text);
                return asked;
            }
        }
    }

    /// What was said since the question before.
    pub(super) fn last(&self) -> &str {
        &self.said[self.answered..]
    }

    pub(super) fn answer(&mut self, line: &str) {
        self.said.push_str(line);
        self.said.push('\n');
        let stdin = self.stdin.as_mut().unwrap();
        stdin.write_all(format!("{line}\n").as_bytes()).ok();
    }

    /// The identity of the run.
    #[track_caller]
    pub(super) fn id(&self) -> String {
        let rest = self.said.split("--resume ").nth(1).expect("no word of how to go on");
        rest.split_whitespace().next().unwrap().to_owned()
    }

    /// Nothing more is typed: the line was dropped.
    pub(super) fn hang_up(&mut self) {
        self.stdin = None;
    }

    /// Ends it as nobody can prevent.
    pub(super) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Says yes to everything that is asked, to the end.
    pub(super) fn follow(mut self) -> Followed {
        let mut steps = Vec::new();
        let mut offers = Vec::new();
        loop {
            match self.asked() {
                Asked::Step(title) => {
                    let line = self.last().lines().find_map(|it| it.strip_prefix("offer  "));
                    offers.extend(line.map(|it| it.split_once(':').unwrap().0.to_owned()));
                    steps.push(title);
                    self.answer("y");
                }
                Asked::Word(word) => self.answer(&word),
                Asked::Reason => panic!("{}", self.said),
                Asked::Nothing(code) => {
                    let said = std::mem::take(&mut self.said);
                    return Followed { said, code, steps, offers };
                }
            }
            assert!(steps.len() < 20, "{}", self.said);
        }
    }
}

impl Drop for Walk {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// How following it went.
pub(super) struct Followed {
    pub(super) said: String,
    pub(super) code: Option<i32>,
    pub(super) steps: Vec<String>,
    pub(super) offers: Vec<String>,
}

impl Followed {
    /// Says that it ended well, after these offers.
    #[track_caller]
    fn check(&self, offers: &[&str]) {
        assert_eq!(self.offers, offers, "{}", self.said);
        assert_eq!(self.code, Some(0), "{}", self.said);
        assert!(
            self.said.contains("PROVEN") && self.said.contains("closed: proven"),
            "{}",
            self.said
        );
    }
}

#[track_caller]
fn follow(scene: &Scene, about: &str) -> Followed {
    let followed = Walk::begin(scene, &format!("{about} --plain")).follow();
    let words = [
        "Is it the certificate?",
        "YES:",
        "Why     ",
        "Command ",
        "Expect  ",
        "If not  ",
        "Undo    ",
    ];
    for word in words {
        assert!(followed.said.contains(word), "{word} is not in\n{}", followed.said);
    }
    followed
}

#[test]
fn a_renewal_that_nobody_loaded_takes_a_reload_and_no_order() {
    let Some((scene, web)) = reload::healthy() else { return };
    let after = reload::renew(&web);
    let issued = web.ca.issued().len();
    let followed = follow(&scene, "a.test");
    followed.check(&["reload"]);
    let steps = [
        "Is it the certificate?",
        "Which cause?",
        "How wide?",
        "Repair without an order",
        "Proof on every node",
        "Hand over",
    ];
    assert_eq!(followed.steps, steps, "{}", followed.said);
    assert_eq!(web.nginx.served("a.test"), Some(after));
    assert_eq!(web.ca.issued().len(), issued);
    // Everything of it is on record under one identity.
    let id = followed.said.split("--resume ").nth(1).unwrap().split_whitespace().next().unwrap();
    let log = scene.shell(&format!("certdeck audit list --op {id}"));
    let log = String::from_utf8(log.stdout).unwrap();
    for word in ["begin", "answer certificate yes", "begins: reload a.test", "ok:", "end proven"] {
        assert!(log.contains(word), "{word} is not in\n{log}");
    }
}

#[test]
fn a_deploy_hook_that_failed_takes_a_reload_and_then_the_hook() {
    let Some((scene, web)) = reload::healthy() else { return };
    web.hook("deploy", "10-nginx", "echo 'nginx: configuration test failed' >&2; exit 1");
    let after = reload::renew(&web);
    web.reload_on_deploy();
    let issued = web.ca.issued().len();
    let followed = follow(&scene, "a.test");
    assert_eq!(followed.offers.first().map(String::as_str), Some("reload"), "{}", followed.said);
    assert_eq!(followed.code, Some(0), "{}", followed.said);
    assert_eq!(web.nginx.served("a.test"), Some(after));
    assert_eq!(web.ca.issued().len(), issued);
}

#[test]
fn a_key_of_another_version_takes_a_way_back() {
    let ca = Authority::new("Fjord");
    let [old, new] = [Life(61, 29), Life(1, 89)].map(|it| ca.issue(&["a.test"], it));
    let Some((scene, web)) = files::with(&[&old, &new], 2, &ca) else { return };
    let key = web.live("a.test", "privkey");
    fs::remove_file(&key).unwrap();
    std::os::unix::fs::symlink("../../archive/a.test/privkey1.pem", &key).unwrap();
    follow(&scene, "web-01/a.test").check(&["roll back"]);
    web.assert_whole("a.test");
    assert!(web.ca.issued().is_empty());
}

#[test]
fn a_wrong_chain_takes_the_right_one_from_another_host() {
    let ca = Authority::new("Fjord");
    let [mut first, second] = ["a.test", "b.test"].map(|it| ca.issue(&[it], Life(20, 70)));
    first.chain = String::new();
    let Some((scene, _web, nginx, _shop)) = chain::two(&first, &second, &ca) else { return };
    follow(&scene, "a.test").check(&["replace chain"]);
    assert!(node::verifies(nginx.tls_port, "a.test", &ca.root()));
}

#[test]
fn a_host_that_was_missed_gets_what_its_siblings_have() {
    let Some((scene, hosts)) = siblings::five() else { return };
    let followed = follow(&scene, "a.test");
    followed.check(&["transplant"]);
    assert!(followed.said.contains("Type move key"), "{}", followed.said);
    let served: Vec<_> = hosts.iter().map(|it| it.1.served("a.test").unwrap()).collect();
    assert!(served.iter().all(|it| *it == served[0]), "{served:?}");
}

#[test]
fn a_lineage_that_falls_behind_takes_another_line_in_nginx() {
    let Some((scene, web)) = names::host() else { return };
    names::fall_behind(&web);
    let issued = web.ca.issued().len();
    let followed = follow(&scene, "a.test");
    assert_eq!(followed.offers.first().map(String::as_str), Some("repoint"), "{}", followed.said);
    assert_eq!(followed.code, Some(0), "{}", followed.said);
    assert_eq!(web.nginx.served("a.test"), Some(web.on_disk("a.test")));
    assert_eq!(web.ca.issued().len(), issued);
}

#[test]
fn a_staging_certificate_takes_one_order() {
    let Some((scene, web)) = staging::staged() else { return };
    let followed = follow(&scene, "a.test");
    assert_eq!(followed.code, Some(0), "{}", followed.said);
    assert!(followed.steps.contains(&"Order at one place".to_owned()), "{}", followed.said);
    let leaf = crate::certificate::openssl(&web.live("a.test", "cert")).unwrap();
    assert!(leaf.issuer.contains("Pebble"), "{}", leaf.issuer);
    assert_eq!(web.nginx.served("a.test"), Some(leaf.sha256));
    assert_eq!(web.ca.issued().len(), 1);
}

/// A host whose certificate has expired, and whose timer is off.
pub(super) fn expired() -> Option<(Scene, CertbotHost)> {
    let ca = Authority::new("Fjord");
    let (scene, web) = files::with(&[&ca.issue(&["a.test"], Life(91, -1))], 1, &ca)?;
    let mut scene = scene;
    scene.trust(&fs::read_to_string(web.ca.root()).unwrap());
    let words = ["register", "--agree-tos", "--register-unsafely-without-email"];
    assert!(web.certbot(&words).status.success());
    node::systemctl(&web, "disable --now certbot.timer");
    is_found(&mut scene, &web);
    Some((scene, web))
}

/// Lets the names be asked for where the CA does, and the files at the port at which it does.
pub(super) fn is_found(scene: &mut Scene, web: &CertbotHost) {
    scene.default(&format!("resolvers = ['127.0.0.1:{}']\n", web.ca.names));
    let (ca, port) = (&web.ca, web.nginx.http_port);
    let roots = ca.trust();
    scene.tell(&format!(
        "[[issuer]]\nname = 'lab'\ndirectory = '{}'\nroots = ['{}']\nhttp-port = {port}",
        ca.directory(),
        roots.display(),
    ));
}

#[test]
fn an_expired_certificate_takes_one_order_and_then_the_timer() {
    let Some((scene, web)) = expired() else { return };
    let followed = follow(&scene, "a.test");
    followed.check(&["renew", "enable timer"]);
    assert_eq!(web.nginx.served("a.test"), Some(web.on_disk("a.test")));
    assert_eq!(web.ca.issued().len(), 1);
    let unit = fs::read_to_string(web.path("units/certbot.timer")).unwrap();
    assert!(unit.contains("UnitFileState=enabled"), "{unit}");
}

/// certbot does not run at all; the inventory has an issuer, and certdeck orders itself.
#[test]
fn where_certbot_is_broken_certdeck_orders_itself() {
    let Some((mut scene, web)) = expired() else { return };
    super::scene::program(
        &web.path("bin/certbot"),
        "#!/bin/sh\necho 'ImportError: acme' >&2\nexit 1\n",
    );
    scene.tell(&format!(
        "[[host.source]]\nkind = 'certdeck'\ndir = '{}'",
        web.path("certdeck").display(),
    ));
    let before = web.nginx.served("a.test");
    let followed = follow(&scene, "a.test");
    assert_eq!(
        followed.offers.get(..2).unwrap_or_default(),
        ["renew", "issue"],
        "{}",
        followed.said
    );
    assert!(
        followed.said.contains("--by certdeck --names a.test --issuer lab"),
        "{}",
        followed.said
    );
    assert_ne!(web.nginx.served("a.test"), before, "{}", followed.said);
    assert_eq!(web.ca.issued().len(), 1);
    assert_eq!(followed.code, Some(0), "{}", followed.said);
}

#[test]
fn what_is_fine_is_said_to_be_fine_and_nothing_is_offered() {
    let Some((scene, web)) = reload::healthy() else { return };
    let followed = Walk::begin(&scene, "a.test --plain").follow();
    assert_eq!(followed.code, Some(0), "{}", followed.said);
    assert!(followed.said.contains("NO. Every address shows"), "{}", followed.said);
    assert!(followed.offers.is_empty(), "{}", followed.said);
    drop(web);
}
