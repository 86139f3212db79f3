//! The real binary in a home of its own, and the practice fleet that it can be pointed at.

use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use tempfile::TempDir;

/// A home in which nothing of the machine is seen.
pub(crate) struct Home {
    folder: TempDir,
}

impl Home {
    pub(crate) fn new() -> Self {
        Self { folder: TempDir::new().unwrap() }
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Any program, with this home and with `certdeck` on its path.
    pub(crate) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let folder = binary().parent().unwrap().to_owned();
        let mut path = folder.into_os_string();
        path.push(":/usr/local/bin:/usr/bin:/bin:/usr/sbin");
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("PATH", path)
            .env("HOME", self.path())
            .env("XDG_RUNTIME_DIR", self.path().join("run"))
            .env("TERM", "xterm-256color")
            .env("LANG", "C.UTF-8")
            .current_dir(self.path())
            .stdin(Stdio::null());
        command
    }

    /// Runs certdeck.
    pub(crate) fn certdeck(&self, arguments: &[&str]) -> Output {
        self.command(binary()).args(arguments).output().unwrap()
    }
}

/// stdout, stderr and status of a run, for one snapshot.
pub(crate) fn shown(output: &Output) -> String {
    let mut text = String::new();
    for (name, bytes) in [("stdout", &output.stdout), ("stderr", &output.stderr)] {
        if !bytes.is_empty() {
            text += &["-- ", name, "\n", &String::from_utf8_lossy(bytes)].concat();
        }
    }
    format!("{text}-- {}", output.status)
}

pub(crate) fn binary() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_certdeck"))
}

/// `certdeck demo --serve` while it runs.
#[cfg(feature = "practice")]
pub(crate) struct Serve {
    home: Home,
    server: Child,
    exports: Vec<(String, String)>,
}

#[cfg(feature = "practice")]
impl Serve {
    /// Starts the fleet with these options, and waits until it is there.
    pub(crate) fn start(options: &[&str]) -> Self {
        let home = Home::new();
        let mut server = home
            .command(binary())
            .args(["demo", "--serve"])
            .args(options)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut exports = Vec::new();
        for line in BufReader::new(server.stdout.take().unwrap()).lines() {
            let line = line.unwrap();
            if let Some((name, value)) =
                line.trim().strip_prefix("export ").and_then(|it| it.split_once('='))
            {
                exports.push((name.to_owned(), value.to_owned()));
            }
            if line.trim_start().starts_with("ssh ") {
                break;
            }
        }
        Self { home, server, exports }
    }

    pub(crate) fn home(&self) -> &Path {
        self.home.path()
    }

    pub(crate) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = self.home.command(program);
        command.envs(self.exports.iter().map(|(name, value)| (name, value)));
        command
    }

    pub(crate) fn certdeck(&self, arguments: &[&str]) -> Output {
        self.command(binary()).args(arguments).output().unwrap()
    }
}

#[cfg(feature = "practice")]
impl Drop for Serve {
    fn drop(&mut self) {
        let pid = rustix::process::Pid::from_child(&self.server);
        // Asked, so that it takes its folder with it.
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).ok();
        self.server.wait().ok();
    }
}
