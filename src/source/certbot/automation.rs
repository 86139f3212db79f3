//! Whether certbot renews by itself on a host: the program, its hooks, its lock, its schedule.

use super::KIND;
use super::lineage::Lineages;
use super::log::Log;
use super::scope;
use crate::fleet::{Automation, Hook, HookStage, Lock, Place, ProblemKind};
use crate::source::Section;
use crate::source::schedule::{Started, Watch};
use crate::text::SafeText;

/// Asks for it. The version is the name of a metadata folder: starting certbot to ask it costs
/// the host 0.7 s.
pub(super) const ASK: &str = r#"
mark frame zone "${T#* }"
f=$R/opt/certbot/bin/certbot
if command -v certbot >/dev/null; then mark frame installed
elif [ -x "$f" ]; then mark frame installed; mark frame program "$f"; fi
for f in "$R"/usr/lib/python3*/dist-packages/certbot-[0-9]* "$R"/usr/lib/python3*/site-packages/certbot-[0-9]* \
"$R"/usr/local/lib/python3*/*-packages/certbot-[0-9]* "$R"/opt/certbot/lib*/python3*/site-packages/certbot-[0-9]* \
"$R"/opt/pipx/venvs/certbot/lib/python3*/site-packages/certbot-[0-9]* \
"$R"/root/.local/share/pipx/venvs/certbot/lib/python3*/site-packages/certbot-[0-9]*; do
[ -e "$f" ] && mark frame version "${f##*/}"
done
f=$l/letsencrypt.log
[ -s "$f" ] || f=$l/letsencrypt.log.1
if want "$f"; then
mark frame log "$f"
set -- "$f"
# certbot begins a new file with each run, and after 1 MiB, which is where a hook talks a lot: two
# runs a day are 15 days here.
for n in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30; do
g=$l/letsencrypt.log.$n
[ -f "$g" ] && [ -s "$g" ] && [ -r "$g" ] && [ "$g" != "$f" ] && set -- "$g" "$@"
done
tail -q -c 4194304 "$@" | grep -E "$P" | tail -c 65536
fi
"#;

/// What starts it. certbot sleeps up to 8 minutes before the first renewal of a run with no
/// terminal (certbot 2.1.0, `renewal.handle_renewal_request`).
pub(super) const WATCH: Watch = Watch {
    pattern: "certbot",
    units: &[
        "certbot.timer",
        "certbot.service",
        "snap.certbot.renew.timer",
        "snap.certbot.renew.service",
        "certbot-renew.timer",
        "certbot-renew.service",
    ],
    sleep: 8 * 60,
    no_sleep: "--no-random-sleep-on-renew",
    only: scope::read,
};

/// The program that a command line starts, if it lies where no shell looks by itself, as in a virtual
/// environment. Of what else stands there nothing is kept.
fn program(command: &str) -> Option<&str> {
    let is_plain = |it: u8| it.is_ascii_alphanumeric() || b"/._-".contains(&it);
    let mut words =
        command.split_whitespace().map(|it| it.trim_matches(['\'', '"', ';', '(', ')']));
    words.find(|it| {
        let folder = it.strip_suffix("/certbot").filter(|it| it.ends_with("/bin"));
        folder.is_some_and(|folder| folder.starts_with('/') && !FOLDERS.contains(&folder))
            && it.bytes().all(is_plain)
    })
}

/// Where every script of ours looks, and packages of the system put their programs.
const FOLDERS: [&str; 4] = ["/usr/local/bin", "/usr/bin", "/bin", "/snap/bin"];

/// Reads what came.
pub(super) fn read(
    section: &Section<'_>,
    lineages: &Lineages<'_, '_>,
    log: &Log,
    places: &[Place],
) -> Automation {
    let packaged = section.with("version").find_map(|it| packaged(it.key));
    let snap = lineages.found.file(SNAP).and_then(snap_version);
    let Started { schedule, commands } = WATCH.read(section);
    let started = commands.iter().find_map(|it| program(it)).map(SafeText::new);
    let program = started.or_else(|| section.key("program").map(SafeText::from_bytes));
    let is_installed = section.with("installed").next().is_some()
        || packaged.is_some()
        || snap.is_some()
        || program.is_some();
    // What renews is what wrote last, where nothing is packaged: an own virtual environment.
    let written = places.iter().filter_map(|it| it.renewal.as_ref()?.client_version.clone()).max();
    Automation {
        source: KIND.name,
        version: packaged.or(snap).or_else(|| log.version.clone()).or(written),
        is_installed,
        program,
        schedule,
        hooks: hooks(lineages),
        lock: lock(lineages),
        last_run: log.last_run,
        unproven: log.unproven.clone(),
    }
}

/// The version in `certbot-2.1.0.egg-info` or `certbot-5.1.0.dist-info`.
fn packaged(name: &[u8]) -> Option<SafeText> {
    let name = std::str::from_utf8(name).ok()?.strip_prefix("certbot-")?;
    let version = name.strip_suffix(".egg-info").or_else(|| name.strip_suffix(".dist-info"))?;
    // Eggs may name the interpreter too: `certbot-2.1.0-py3.11.egg-info`.
    Some(SafeText::capped(version.split('-').next().unwrap_or(version), MAX_VERSION))
}

fn snap_version(text: &[u8]) -> Option<SafeText> {
    let text = String::from_utf8_lossy(text);
    let version = text.lines().find_map(|it| it.strip_prefix("version:"))?;
    Some(SafeText::capped(version.trim().trim_matches(['\'', '"']), MAX_VERSION))
}

fn hooks(lineages: &Lineages<'_, '_>) -> Vec<Hook> {
    let root = format!("{}/renewal-hooks/", lineages.root);
    let mut hooks: Vec<_> = lineages
        .keys
        .stamps()
        .filter_map(|(path, stamp)| {
            let path = String::from_utf8_lossy(path);
            let (folder, name) = path.strip_prefix(&root)?.split_once('/')?;
            let stage = stage(folder)?;
            let mode = stamp_mode(stamp)?;
            (mode & FILE_TYPE == FILE).then(|| Hook {
                stage,
                path: SafeText::new(&path),
                mode: mode & 0o7777,
                is_executable: mode & 0o111 != 0 && !name.ends_with('~'),
            })
        })
        .collect();
    for (path, problem) in lineages.found.odd() {
        let path = String::from_utf8_lossy(path);
        let stage =
            path.strip_prefix(&root).and_then(|it| it.split_once('/')).and_then(|it| stage(it.0));
        // certbot passes over a link that leads nowhere as it does over a file that may not be run.
        if let Some(stage) = stage.filter(|_| problem.kind == ProblemKind::BrokenLink) {
            hooks.push(Hook { stage, path: SafeText::new(&path), mode: 0, is_executable: false });
        }
    }
    // certbot runs them in the order of their names.
    hooks.sort_by(|a, b| (a.stage, &a.path).cmp(&(b.stage, &b.path)));
    hooks.truncate(MAX_HOOKS);
    hooks
}

fn stage(folder: &str) -> Option<HookStage> {
    HookStage::ALL.into_iter().find(|it| it.to_string() == folder)
}

fn stamp_mode(stamp: &[u8]) -> Option<u32> {
    let word = stamp.split(|it| *it == b' ').next()?;
    u32::from_str_radix(std::str::from_utf8(word).ok()?, 16).ok()
}

/// Who holds a lock of certbot, by the kernel's list: `1: POSIX  ADVISORY  WRITE 812 fe:01:131 0 EOF`.
fn lock(lineages: &Lineages<'_, '_>) -> Option<Lock> {
    let held = String::from_utf8_lossy(lineages.found.file(LOCKS)?);
    let files = lineages.keys.stamps().filter(|(path, _)| path.ends_with(b"/.certbot.lock"));
    for (path, stamp) in files {
        let stamp = String::from_utf8_lossy(stamp);
        let Some(inode) = stamp.split(' ').nth(1) else { continue };
        for line in held.lines() {
            let words: Vec<_> = line.split_whitespace().collect();
            if let [_, "POSIX", _, "WRITE", pid, file, ..] = words.as_slice()
                && file.rsplit(':').next() == Some(inode)
            {
                return Some(Lock { path: SafeText::from_bytes(path), pid: pid.parse().ok() });
            }
        }
    }
    None
}

const SNAP: &str = "/snap/certbot/current/meta/snap.yaml";
const LOCKS: &str = "/proc/locks";

/// `S_IFMT` and `S_IFREG` of inode(7).
const FILE_TYPE: u32 = 0o170_000;
const FILE: u32 = 0o100_000;

const MAX_VERSION: usize = 32;
const MAX_HOOKS: usize = 200;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_no_shell_finds_is_taken_from_what_starts_it() {
        let cron = "0 3 * * * root perl -e 'sleep 9' && /root/venv/bin/certbot -q renew";
        assert_eq!(program(cron), Some("/root/venv/bin/certbot"));
        assert_eq!(program("/srv/le/bin/certbot; true"), Some("/srv/le/bin/certbot"));
        for usual in ["/usr/bin/certbot -q renew", "certbot renew", "/snap/bin/certbot"] {
            assert_eq!(program(usual), None);
        }
        for other in ["run-parts /etc/certbot", "/opt/$x/bin/certbot", "opt/bin/certbot"] {
            assert_eq!(program(other), None, "{other}");
        }
    }
}
