//! Whether certbot renews by itself on a host: the program, its hooks, its lock, its schedule.

use super::lineage::Lineages;
use super::log::Log;
use super::{KIND, schedule};
use crate::fleet::{Automation, Hook, HookStage, Lock, Place};
use crate::source::Section;
use crate::text::SafeText;

/// Asks for it. The version is the name of a metadata folder: starting certbot to ask it costs
/// the host 0.7 s.
pub(super) const ASK: &str = r#"
mark frame zone "${T#* }"
if command -v certbot >/dev/null || [ -x "$R/opt/certbot/bin/certbot" ]; then mark frame installed; fi
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
# certbot begins a new file with each run, and after 1 MiB, which is where a hook talks a lot.
for n in 1 2 3 4 5 6 7; do
head -c 200 "$1" | grep -q 'certbot version: ' && break
g=$l/letsencrypt.log.$n
[ -f "$g" ] && [ -s "$g" ] && [ -r "$g" ] && [ "$g" != "$f" ] && set -- "$g" "$@"
done
for g; do tail -c 4194304 "$g"; done | grep -E "$P" | tail -c 65536
fi
"#;

/// Reads what came.
pub(super) fn read(
    section: &Section<'_>,
    lineages: &Lineages<'_, '_>,
    log: &Log,
    places: &[Place],
) -> Automation {
    let packaged = section.with("version").find_map(|it| packaged(it.key));
    let snap = lineages.found.file(SNAP).and_then(snap_version);
    let is_installed =
        section.with("installed").next().is_some() || packaged.is_some() || snap.is_some();
    // What renews is what wrote last, where nothing is packaged: an own virtual environment.
    let written = places.iter().filter_map(|it| it.renewal.as_ref()?.client_version.clone()).max();
    Automation {
        source: KIND.name,
        version: packaged.or(snap).or_else(|| log.version.clone()).or(written),
        is_installed,
        schedule: schedule::read(section),
        hooks: hooks(lineages),
        lock: lock(lineages),
        last_run: log.last_run,
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
            let (stage, name) = path.strip_prefix(&root)?.split_once('/')?;
            let stage = match stage {
                "pre" => HookStage::Pre,
                "deploy" => HookStage::Deploy,
                "post" => HookStage::Post,
                _ => return None,
            };
            let mode = stamp_mode(stamp)?;
            (mode & FILE_TYPE == FILE).then(|| Hook {
                stage,
                path: SafeText::new(&path),
                mode: mode & 0o7777,
                is_executable: mode & 0o111 != 0 && !name.ends_with('~'),
            })
        })
        .collect();
    // certbot runs them in the order of their names.
    hooks.sort_by(|a, b| (a.stage, &a.path).cmp(&(b.stage, &b.path)));
    hooks.truncate(MAX_HOOKS);
    hooks
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
