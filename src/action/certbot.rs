//! certbot as actions use it: its command lines, its folders, the hooks it would run. Facts are
//! those of certbot 2.1.0 where nothing else is said.

use super::plan::Command;
use super::{Refusal, Target, Why, cluster};
use crate::fleet::{Automation, Certificate, HookStage, Place};
use crate::inventory::{Impact, Inventory, NamedHook};
use crate::source::Client;
use crate::text::SafeText;

/// The certbot that a target belongs to, on its host.
#[derive(Debug, Clone, Copy)]
pub(super) struct Certbot<'a> {
    target: &'a Target<'a>,
    pub(super) config_dir: &'a str,
    work_dir: &'a str,
    logs_dir: &'a str,
    pub(super) automation: Option<&'a Automation>,
}

/// A hook that certbot would run for a lineage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Hook {
    pub(super) stage: HookStage,
    /// The shell command: a path, where it is a script of a folder.
    pub(super) command: SafeText,
    /// Whether it is a script of `renewal-hooks`.
    pub(super) is_script: bool,
    /// What it does to services; `None` where nobody can tell from here.
    pub(super) impact: Option<Impact>,
}

impl<'a> Certbot<'a> {
    /// The certbot of the target, or why there is none or it should be left alone.
    pub(super) fn of(target: &'a Target<'a>) -> Result<Self, Refusal> {
        let it = Self::find(target)?;
        if let Some(lock) = it.automation.and_then(|it| it.lock.as_ref()) {
            let process = lock.pid.map(|it| format!(" (process {it})")).unwrap_or_default();
            let text = format!("certbot is at work on {}{process}", target.host.name);
            let hint = "wait until it has ended, and scan the host again";
            return Err(Refusal::new(Why::Pointless, text).hint(hint));
        }
        Ok(it)
    }

    fn find(target: &'a Target<'a>) -> Result<Self, Refusal> {
        let host = &target.host.name;
        if let Some(place) = target.place.filter(|it| it.source == cluster::KIND) {
            return Err(cluster::only_there(place));
        }
        if let Some(place) = target.place.filter(|it| it.source != KIND) {
            let text = format!(
                "{} was found by the source `{}`: no client renews it",
                place.name, place.source
            );
            let hint = "change it where it comes from; actions are for lineages of certbot";
            return Err(Refusal::new(Why::Pointless, text).hint(hint));
        }
        let clients = target.told.sources.iter().filter_map(|it| it.client());
        let folders: Vec<_> = clients.filter_map(Folders::of).collect();
        let Folders { config: config_dir, work: work_dir, logs: logs_dir } =
            match folders.as_slice() {
                [] => {
                    let text = format!("{host} has no source of kind `certbot` in the inventory");
                    return Err(Refusal::new(Why::BadRequest, text));
                }
                [only] => *only,
                [first, ..] => match target.place {
                    None => *first,
                    Some(place) => {
                        let mut theirs = folders.iter().filter(|it| holds(**it, place));
                        *theirs.next().ok_or_else(|| {
                            let text = format!(
                                "{host} has several certbots, and whose {} is not known",
                                place.name
                            );
                            Refusal::new(Why::Unknown, text)
                        })?
                    }
                },
            };
        let automation = target.host.automation.iter().find(|it| it.source == KIND);
        if automation.is_some_and(|it| !it.is_installed) {
            let text = format!("certbot was not found on {host}");
            let hint = "its certificates come from elsewhere, or certbot lies where nobody looks";
            return Err(Refusal::new(Why::Pointless, text).hint(hint));
        }
        Ok(Self { target, config_dir, work_dir, logs_dir, automation })
    }

    /// `certbot renew` of one lineage and nothing else. A bare `--force-renewal` would renew
    /// every lineage of the host, and without a terminal certbot sleeps for up to 480 s.
    pub(super) fn renew(&self, name: &str, more: &[&str]) -> Command {
        let mut argv = words(&[self.program(), "renew", "-n"]);
        if self.knows_no_sleep() {
            argv.push("--no-random-sleep-on-renew".to_owned());
        }
        argv.extend(words(&["--cert-name", name]));
        argv.extend(words(more));
        argv.extend(self.folders());
        Command { argv, env: Vec::new() }
    }

    /// `certbot reconfigure` of one lineage: tries it dry, and writes it if that goes well.
    pub(super) fn reconfigure(&self, name: &str, more: Vec<String>) -> Command {
        let mut argv = words(&[self.program(), "reconfigure", "-n", "--cert-name", name]);
        argv.extend(more);
        argv.extend(self.folders());
        Command { argv, env: Vec::new() }
    }

    /// `certbot renew` of whatever is due, for a timer, which spreads its runs by itself.
    pub(super) fn renew_all(&self) -> Command {
        let mut argv = words(&[self.program(), "-q", "renew", "--no-random-sleep-on-renew"]);
        argv.extend(self.folders());
        Command { argv, env: Vec::new() }
    }

    /// `certbot certonly` for one lineage.
    pub(super) fn certonly(&self, name: &str, more: Vec<String>) -> Command {
        let mut argv = words(&[self.program(), "certonly", "-n", "--cert-name", name]);
        argv.extend(more);
        argv.extend(self.folders());
        Command { argv, env: Vec::new() }
    }

    /// Its program: by its name, where a shell finds it.
    fn program(&self) -> &'a str {
        let odd = self.automation.and_then(|it| it.program.as_ref()).filter(|it| is_exact(it));
        odd.map_or("certbot", SafeText::as_str)
    }

    /// The folders, where they are not certbot's own.
    fn folders(&self) -> Vec<String> {
        let all = [
            ("--config-dir", self.config_dir, CONFIG_DIR),
            ("--work-dir", self.work_dir, WORK_DIR),
            ("--logs-dir", self.logs_dir, LOGS_DIR),
        ];
        let odd = all.into_iter().filter(|(_, folder, usual)| folder != usual);
        odd.flat_map(|(option, folder, _)| words(&[option, folder])).collect()
    }

    /// The option came with certbot 0.35 (its changelog, 2019-06-05); before, only a terminal
    /// kept it from sleeping.
    fn knows_no_sleep(&self) -> bool {
        self.version().is_none_or(|it| it >= (0, 35))
    }

    /// Major and minor version, if they are known.
    pub(super) fn version(&self) -> Option<(u32, u32)> {
        let text = self.automation?.version.as_ref()?;
        let mut numbers = text.as_str().split('.').map(|it| it.parse().ok());
        Some((numbers.next()??, numbers.next()??))
    }

    /// The folder of the four links.
    pub(super) fn live(&self, name: &str) -> String {
        format!("{}/live/{name}", self.config_dir)
    }

    /// The folder of all versions.
    pub(super) fn archive(&self, name: &str) -> String {
        format!("{}/archive/{name}", self.config_dir)
    }

    /// The renewal configuration.
    pub(super) fn conf(&self, name: &str) -> String {
        format!("{}/renewal/{name}.conf", self.config_dir)
    }

    /// What a renewal writes.
    pub(super) fn written(&self, name: &str) -> Vec<String> {
        vec![
            format!("{}/*.pem", self.archive(name)),
            format!("{}/*.pem", self.live(name)),
            self.conf(name),
            self.log(),
        ]
    }

    /// certbot's log.
    pub(super) fn log(&self) -> String {
        format!("{}/letsencrypt.log", self.logs_dir)
    }

    /// The hooks that `certbot renew` runs at that stage, in its order: scripts of the folder by
    /// name, then those of the lineage, and none twice (`hooks.renew_hook`).
    pub(super) fn hooks(&self, stage: HookStage) -> Vec<Hook> {
        let scripts = self.automation.iter().flat_map(|it| &it.hooks);
        let scripts = scripts.filter(|it| it.stage == stage && it.is_executable);
        let mut hooks: Vec<_> = scripts.map(|it| self.hook(stage, &it.path, true)).collect();
        for own in self.own_hooks(stage) {
            if hooks.iter().all(|it| it.command != own.command) {
                hooks.push(own);
            }
        }
        hooks
    }

    /// The hooks of the lineage's own configuration at that stage, none twice.
    pub(super) fn own_hooks(&self, stage: HookStage) -> Vec<Hook> {
        let renewal = self.target.place.and_then(|it| it.renewal.as_ref());
        let mut own: Vec<Hook> = Vec::new();
        for it in renewal.iter().flat_map(|it| &it.hooks).filter(|it| it.stage == stage) {
            if own.iter().all(|other| other.command != it.command) {
                own.push(self.hook(stage, &it.command, false));
            }
        }
        own
    }

    /// The hooks that the inventory names, which run as deploy hooks.
    pub(super) fn named(&self) -> Vec<(&'a str, Hook)> {
        let hooks = self.target.inventory.hooks.iter();
        let hook = |it: &'a NamedHook| {
            let command = SafeText::new(&it.run);
            let stage = HookStage::Deploy;
            (it.name.as_str(), Hook { stage, command, is_script: false, impact: Some(it.impact) })
        };
        hooks.map(hook).collect()
    }

    fn hook(&self, stage: HookStage, command: &SafeText, is_script: bool) -> Hook {
        let hook = Hook::deploy(self.target.inventory, command.clone());
        Hook { stage, is_script, ..hook }
    }
}

impl Hook {
    /// A command that runs as a deploy hook.
    pub(super) fn deploy(inventory: &Inventory, command: SafeText) -> Self {
        let mut named = inventory.hooks.iter();
        let named = named.find(|it| it.run == command.as_str()).map(|it| it.impact);
        let impact = named.or_else(|| guess(command.as_str()));
        Self { stage: HookStage::Deploy, command, is_script: false, impact }
    }
}

/// The folder of the certbot that renews the place of a target, if one does.
pub(super) fn folder<'a>(target: &'a Target<'a>) -> Option<&'a str> {
    target.place.filter(|it| it.source == KIND)?;
    Some(Certbot::find(target).ok()?.config_dir)
}

/// The folders of a certbot.
#[derive(Debug, Clone, Copy)]
struct Folders<'a> {
    config: &'a str,
    work: &'a str,
    logs: &'a str,
}

impl<'a> Folders<'a> {
    const fn of(client: Client<'a>) -> Option<Self> {
        match client {
            Client::Certbot { config_dir, work_dir, logs_dir } => {
                Some(Self { config: config_dir, work: work_dir, logs: logs_dir })
            }
            Client::Certdeck { .. } | Client::CertManager { .. } => None,
        }
    }
}

/// Whether a lineage was read from the folders of that certbot.
fn holds(folders: Folders<'_>, place: &Place) -> bool {
    let config_dir = folders.config;
    let disk = place.layers.disk.as_ref().map(|it| &it.location);
    let key = place.key.as_ref().map(|it| &it.path);
    let is_inside = |path: &SafeText| {
        path.as_str().strip_prefix(config_dir).is_some_and(|it| it.starts_with('/'))
    };
    disk.into_iter().chain(key).any(is_inside)
}

/// The environment that certbot gives to hooks after a renewal: the live folder, and the names
/// as `RenewableCert.names` has them, the common name first. certbot 2.1 sets the same for deploy
/// hooks and leaves it to the post hooks that follow; newer versions tell those of failed names
/// too, of which there are none.
pub(super) fn environment(
    stage: HookStage,
    live: &str,
    leaf: &Certificate,
) -> Vec<(String, String)> {
    let common = leaf.subject.as_str().split(',').find_map(|it| it.strip_prefix("CN="));
    let others = leaf.names.iter().map(SafeText::as_str).filter(|it| Some(*it) != common);
    let names: Vec<_> = common.into_iter().chain(others).collect();
    let mut env = vec![
        ("RENEWED_DOMAINS".to_owned(), names.join(" ")),
        ("RENEWED_LINEAGE".to_owned(), live.to_owned()),
    ];
    match stage {
        HookStage::Pre => env.clear(),
        HookStage::Deploy => {}
        HookStage::Post => env.insert(0, ("FAILED_DOMAINS".to_owned(), String::new())),
    }
    env
}

/// What a command does to services, where it is one that everybody knows.
fn guess(command: &str) -> Option<Impact> {
    let words: Vec<_> = command.split_whitespace().collect();
    match words.as_slice() {
        ["systemctl", "reload", _]
        | ["service", _, "reload"]
        | ["nginx", "-s", "reload"]
        | ["apachectl" | "apache2ctl", "graceful"] => Some(Impact::Reload),
        ["systemctl", "restart", _] | ["service", _, "restart"] => Some(Impact::Restart),
        ["true" | ":"] => Some(Impact::None),
        _ => None,
    }
}

/// Whether a foreign text is what stands on the host, letter by letter, and not a picture of it.
pub(super) fn is_exact(text: &SafeText) -> bool {
    let text = text.as_str();
    let is_caret = |at: usize| {
        let next = text.get(at + 1..).and_then(|it| it.chars().next());
        next.is_some_and(|it| matches!(it, '@'..='_' | '?'))
    };
    !text.contains("<U+")
        && !text.contains("\\x")
        && !text.ends_with('…')
        && !text.match_indices('^').any(|(at, _)| is_caret(at))
}

/// Refuses a lineage whose name is not the one on the host, or would be taken for an option.
pub(super) fn checked_name(name: &str) -> Result<&str, Refusal> {
    let is_plain = name.bytes().all(|it| matches!(it, b'!'..=b'~')) && !name.contains('/');
    if name.is_empty() || name.starts_with(['-', '.']) || name.len() > 200 || !is_plain {
        let text = format!("`{}` is no name that can be given to certbot", SafeText::new(name));
        let hint =
            "letters, digits, dots, dashes and underscores; not beginning with a dash or a dot";
        return Err(Refusal::new(Why::BadRequest, text).hint(hint));
    }
    Ok(name)
}

fn words(all: &[&str]) -> Vec<String> {
    all.iter().map(|it| (*it).to_owned()).collect()
}

/// The name of the source, as in [`crate::source::ALL`].
pub(super) const KIND: &str = "certbot";

/// certbot's own folders (certbot 2.1.0, `constants.CLI_DEFAULTS`).
const CONFIG_DIR: &str = "/etc/letsencrypt";
const WORK_DIR: &str = "/var/lib/letsencrypt";
const LOGS_DIR: &str = "/var/log/letsencrypt";
