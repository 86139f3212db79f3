//! Somebody at a console in front of some hosts, who believes what is said and does it.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;

use serde_json::Value;

use super::fifty::Crowd;
use super::node::Plain;
use crate::lab::Lab;
use crate::serve;

/// A lab, and the inventory of what is in it.
pub(super) struct Scene {
    inventory: String,
    defaults: String,
    names: String,
    roots: String,
    /// Hosts that nobody asks any more.
    kept: Vec<Plain>,
    /// The healthy hosts of the fleet.
    crowd: Option<Arc<Crowd>>,
    pub(super) lab: Lab,
}

impl Scene {
    /// `None`, said on stderr, where there is no sshd and none is required.
    pub(super) fn new() -> Option<Self> {
        let scene = Self::alone()?;
        let crowd = Crowd::shared()?;
        crowd.let_in(&scene.lab);
        Some(Self { crowd: Some(crowd), ..scene })
    }

    /// The same without a fleet around it.
    pub(super) fn alone() -> Option<Self> {
        let lab = Lab::new()?;
        let [inventory, defaults, names, roots] = [(); 4].map(|()| String::new());
        Some(Self { inventory, defaults, names, roots, kept: Vec::new(), crowd: None, lab })
    }

    /// Lets chains end at these authorities.
    pub(super) fn trust(&mut self, roots: &str) {
        self.roots.push_str(roots);
        fs::write(self.lab.path("roots.pem"), &self.roots).unwrap();
    }

    /// Adds an endpoint of the host that was told last.
    pub(super) fn endpoint(&mut self, name: &str, port: u16, more: &str) {
        self.tell(&format!("[[host.endpoint]]\nname = '{name}'\nport = {port}\n{more}"));
    }

    /// Keeps a host until the end.
    pub(super) fn keep(&mut self, host: Plain) {
        self.kept.push(host);
    }

    /// Adds lines to the inventory.
    pub(super) fn tell(&mut self, lines: &str) {
        self.inventory.push_str(lines);
        self.inventory.push('\n');
    }

    /// Adds a line to the defaults of the inventory.
    pub(super) fn default(&mut self, line: &str) {
        self.defaults.push_str(line);
    }

    /// Changes the inventory where that stands.
    #[track_caller]
    pub(super) fn edit(&mut self, from: &str, to: &str) {
        assert!(self.inventory.contains(from), "{from}");
        self.inventory = self.inventory.replacen(from, to, 1);
    }

    /// Lets a name have an address, as the console resolves it.
    pub(super) fn resolve(&mut self, name: &str, address: &str) {
        writeln!(self.names, "{address} {name}").unwrap();
        fs::write(self.lab.path("names"), &self.names).unwrap();
    }

    /// A scan in JSON.
    #[track_caller]
    pub(super) fn scan(&self) -> Scan {
        let output = self.shell("certdeck scan --format json");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(matches!(output.status.code(), Some(0 | 1 | 3)), "{}: {said}", output.status);
        Scan(serde_json::from_slice(&output.stdout).unwrap())
    }

    /// What a scan of the whole fleet shows on the first screen of a terminal with 24 lines.
    #[track_caller]
    pub(super) fn screen(&self) -> String {
        let crowd = self.crowd.iter().map(|it| &it.scene);
        let scenes: Vec<_> = std::iter::once(self).chain(crowd).collect();
        let output = self.shell_in(&scenes, "certdeck scan");
        let text = String::from_utf8(output.stdout).unwrap();
        text.lines().take(24).map(|it| it.trim().to_owned() + " ").collect()
    }

    /// Runs the line that was shown, confirmed by that word, and stops with an assertion unless
    /// it is done and proven.
    #[track_caller]
    pub(super) fn repair(&self, line: &str, yes: &str) -> String {
        let output = self.shell(&format!("{line} --yes '{yes}'"));
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8(said).unwrap();
        assert_eq!(output.status.code(), Some(0), "{line}\n{said}");
        said
    }

    /// Runs a line as the operator types it.
    pub(super) fn shell(&self, line: &str) -> Output {
        self.shell_in(&[self], line)
    }

    /// Starts a line, whose words on stderr can be read as they come.
    pub(super) fn spawn(&self, line: &str) -> Child {
        let mut command = self.command(&[self], line);
        command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// Starts a line that is talked to: what it asks comes on stdout, what else it says goes to a
    /// file.
    pub(super) fn talk(&self, line: &str) -> Child {
        let said = fs::File::create(self.lab.path("said")).unwrap();
        let mut command = self.command(&[self], line);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(said).spawn().unwrap()
    }

    /// What a program finds in its environment that is started here.
    pub(super) fn environment(&self) -> Vec<(String, String)> {
        let command = self.command(&[self], "");
        let text = |it: &std::ffi::OsStr| it.to_str().unwrap().to_owned();
        command.get_envs().filter_map(|(name, it)| Some((text(name), text(it?)))).collect()
    }

    /// The same with the hosts of all of these.
    fn shell_in(&self, scenes: &[&Self], line: &str) -> Output {
        self.command(scenes, line).output().unwrap()
    }

    fn command(&self, scenes: &[&Self], line: &str) -> Command {
        let file = self.lab.path("inventory.toml");
        let trusting = scenes.iter().filter(|it| !it.roots.is_empty());
        let roots: Vec<_> = trusting.map(|it| it.lab.path("roots.pem")).collect();
        let mut text = format!("[defaults]\nroots = {roots:?}\n{}\n", self.defaults);
        text.extend(scenes.iter().map(|it| it.inventory.as_str()));
        fs::write(&file, text).unwrap();
        let folder = serve::binary().parent().unwrap().display().to_string();
        let mut command = Command::new("/bin/sh");
        command
            .args(["-c", line])
            .env_clear()
            .env("PATH", folder + ":/usr/bin:/bin")
            .env("HOME", self.lab.path("home"))
            .env("XDG_RUNTIME_DIR", self.lab.path("run"))
            .env("CERTDECK_STATE_DIR", self.lab.path("state"))
            .env("CERTDECK_SSH_CONFIG", self.lab.path("ssh_config"))
            .env("CERTDECK_INVENTORY", file)
            .stdin(Stdio::null());
        if !self.names.is_empty() {
            command.env("LD_PRELOAD", "libnss_wrapper.so");
            command.env("NSS_WRAPPER_HOSTS", self.lab.path("names"));
        }
        command
    }

    /// Says that a fault is found, that its cause is on the first screen, and that what is named
    /// first mends it.
    #[track_caller]
    pub(super) fn check(&self, fault: &Fault<'_>) -> String {
        let finding = self.scan().finding(fault);
        let cause = finding["cause"].as_str().unwrap();
        let screen = self.screen();
        // Lines are broken between words.
        let begin: Vec<_> = cause.split(' ').take(5).collect();
        assert!(screen.contains(&begin.join(" ")), "{cause}\nis not in {screen}");
        let first = &finding["repairs"][0];
        assert_eq!(first["action"], fault.remedy, "{finding:#}");
        let line = first["command"].as_str().unwrap();
        let said = self.repair(line, fault.yes);
        let after = self.scan();
        let left = after.about(fault.host, fault.place);
        let is_left = left.iter().any(|it| it["rule"] == fault.rule);
        assert!(!is_left, "after {line}\n{said}\n{left:#?}");
        said
    }
}

/// What must be said of a fault.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fault<'a> {
    pub(super) host: &'a str,
    pub(super) place: Option<&'a str>,
    pub(super) verdict: &'a str,
    pub(super) rule: &'a str,
    /// Words of the cause.
    pub(super) cause: &'a str,
    /// The action that is named first.
    pub(super) remedy: &'a str,
    /// What confirms it.
    pub(super) yes: &'a str,
}

/// What a scan says in JSON.
pub(super) struct Scan(pub(super) Value);

impl Scan {
    /// What is said of a place, or of a host as a whole; what is only worth knowing aside.
    pub(super) fn about(&self, host: &str, place: Option<&str>) -> Vec<&Value> {
        self.0["findings"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|it| it["host"] == host && it["place"].as_str() == place)
            .filter(|it| it["severity"] != "info")
            .collect()
    }

    /// The first thing that is said of a whole fleet.
    #[track_caller]
    pub(super) fn finding(&self, fault: &Fault<'_>) -> Value {
        let found = self.about(fault.host, fault.place);
        let first = found.first().unwrap_or_else(|| panic!("not found: {fault:?}\n{:#}", self.0));
        for (key, value) in [("verdict", fault.verdict), ("rule", fault.rule)] {
            assert_eq!(first[key], value, "{first:#}");
        }
        let cause = first["cause"].as_str().unwrap();
        assert!(cause.contains(fault.cause), "{:?} is not in {first:#}", fault.cause);
        (*first).clone()
    }

    /// Stops with an assertion unless nothing is found at all.
    #[track_caller]
    pub(super) fn assert_clean(&self) {
        let found = self.0["findings"].as_array().unwrap();
        let told: Vec<_> = found.iter().map(|it| &it["summary"]).collect();
        assert!(found.is_empty(), "{told:#?}\n{found:#?}\n{:#}", self.0["hosts"]);
    }
}

/// Writes a program of a host.
pub(super) fn program(path: &Path, text: &str) -> PathBuf {
    use std::os::unix::fs::PermissionsExt as _;
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    path.to_owned()
}
