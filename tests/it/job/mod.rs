//! Detached jobs: the shell text in every shell, and on real sshd.

mod command_line;
mod contest;
mod hostile;
mod kills;
mod local;
mod perform;
mod stage;
mod sudo;

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use certdeck::job::{self, Expect, Listed, Look, Request, State};
use certdeck::source::Nonce;
use tempfile::TempDir;
use uuid::Uuid;

use crate::lab::wait_for;

/// A host without ssh: a folder that scripts take for the root of the system, and the shell in
/// which they and the jobs run.
pub(crate) struct Local {
    pub(crate) dir: TempDir,
}

impl Local {
    /// `None` where there is no such shell.
    pub(crate) fn new(shell: &str) -> Option<Self> {
        let program = ["/bin", "/usr/bin"].iter().map(|it| Path::new(it).join(shell));
        let program = program.into_iter().find(|it| it.exists())?;
        let dir = TempDir::new().unwrap();
        let local = Self { dir };
        fs::create_dir_all(local.path("bin")).unwrap();
        // A root that no quoting may stumble over.
        fs::create_dir_all(local.root()).unwrap();
        symlink(program, local.path("bin/sh")).unwrap();
        local.boot("boot-1");
        Some(local)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn root(&self) -> PathBuf {
        self.path("it's a \"root\"")
    }

    /// Starts the host anew, as far as a job can see it.
    pub(crate) fn boot(&self, id: &str) {
        let dir = self.root().join("proc/sys/kernel/random");
        fs::create_dir_all(&dir).unwrap();
        fs::write(dir.join("boot_id"), format!("{id}\n")).unwrap();
    }

    /// The folder of a job.
    pub(crate) fn job(&self, op: Uuid) -> PathBuf {
        self.root().join(format!("var/lib/certdeck/jobs/{op}"))
    }

    pub(crate) fn run(&self, script: &str) -> Vec<u8> {
        let mut child = Command::new(self.path("bin/sh"))
            .arg("-s")
            .env_clear()
            .env("PATH", format!("{}:/usr/bin:/bin", self.path("bin").display()))
            .env("HOME", self.dir.path())
            .env("CERTDECK_ROOT", self.root())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
        child.wait_with_output().unwrap().stdout
    }

    pub(crate) fn start(&self, request: &Request) -> Look {
        let nonce = nonce();
        job::read(&self.run(&job::start(request, &nonce)), &nonce).unwrap()
    }

    pub(crate) fn look(&self, op: Uuid, from: u64) -> Look {
        let nonce = nonce();
        job::read(&self.run(&job::look(op, from, &nonce)), &nonce).unwrap()
    }

    pub(crate) fn void(&self, op: Uuid) -> Look {
        let nonce = nonce();
        job::read(&self.run(&job::void(op, &nonce)), &nonce).unwrap()
    }

    pub(crate) fn stop(&self, op: Uuid) -> Look {
        let nonce = nonce();
        job::read(&self.run(&job::stop(op, &nonce)), &nonce).unwrap()
    }

    pub(crate) fn list(&self) -> Vec<Listed> {
        let nonce = nonce();
        job::read_list(&self.run(&job::list(&nonce)), &nonce).unwrap()
    }

    pub(crate) fn clean(&self, ops: &[Uuid]) -> Vec<Uuid> {
        let nonce = nonce();
        job::read_removed(&self.run(&job::clean(ops, &nonce)), &nonce).unwrap()
    }

    /// Waits until a job has ended, one way or the other.
    #[track_caller]
    pub(crate) fn ended(&self, op: Uuid) -> Look {
        let mut last = None;
        wait_for("the end of a job", || {
            let look = self.look(op, 0);
            let is_over = !matches!(look.status.state, State::Starting | State::Running);
            last = Some(look);
            is_over
        });
        last.unwrap()
    }
}

/// How many rounds something is tried; `CERTDECK_LAB_ROUNDS` makes it more or fewer.
pub(crate) fn rounds(usual: usize) -> usize {
    std::env::var("CERTDECK_LAB_ROUNDS").map_or(usual, |it| it.parse().unwrap())
}

pub(crate) fn nonce() -> Nonce {
    Nonce::new(Uuid::new_v4().into_bytes())
}

/// A job of these commands, with a lock of its own.
pub(crate) fn request(commands: &[&[&str]]) -> Request {
    let op = Uuid::now_v7();
    Request {
        op,
        title: "force-renew www.example.com".to_owned(),
        who: "anna@laptop".to_owned(),
        witness: (7, "ab".repeat(32)),
        lock: op.to_string(),
        leaf: None,
        expect: Expect::Anything,
        input: None,
        commands: commands
            .iter()
            .map(|it| (Vec::new(), it.iter().map(|it| (*it).to_owned()).collect()))
            .collect(),
    }
}

pub(crate) fn sh(text: &str) -> Request {
    request(&[&["sh", "-c", text]])
}
