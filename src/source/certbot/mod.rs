//! certbot's lineages: what is in `live/`, `archive/` and `renewal/`, and whether certbot runs by
//! itself. Reads only; certbot itself is never started, it takes most of a second to say a word.

mod automation;
mod conf;
mod lineage;
mod log;
mod scope;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;

use self::lineage::Lineages;
use self::log::Log;
use super::found::{Found, folders};
use super::key::{Keys, known_keys, places};
use super::need::Needs;
use super::script::number;
use super::{AbsolutePath, Client, Kind, Reading, Script, Section, Source, need, quote, schedule};
use crate::fleet::{Host, ProblemKind, Seen};
use crate::text::SafeText;

pub(super) const KIND: Kind = Kind {
    name: "certbot",
    about: "certbot's lineages, with archive, hooks, log and timers",
    schema: |generator| generator.subschema_for::<Certbot>(),
    build: |table| Ok(Arc::new(table.read::<Certbot>()?)),
};

/// Where certbot keeps things on a host.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
#[expect(clippy::struct_field_names, reason = "the names of certbot's own options")]
pub(super) struct Certbot {
    /// The folder with `live`, `archive` and `renewal`.
    config_dir: AbsolutePath,
    /// The folder with `letsencrypt.log`.
    logs_dir: AbsolutePath,
    /// The folder with certbot's lock and backups.
    work_dir: AbsolutePath,
}

impl Default for Certbot {
    fn default() -> Self {
        Self {
            config_dir: AbsolutePath::new("/etc/letsencrypt"),
            logs_dir: AbsolutePath::new("/var/log/letsencrypt"),
            work_dir: AbsolutePath::new("/var/lib/letsencrypt"),
        }
    }
}

impl Source for Certbot {
    fn kind(&self) -> &'static Kind {
        &KIND
    }

    fn client(&self) -> Option<Client<'_>> {
        Some(Client::Certbot {
            config_dir: self.config_dir.as_str(),
            work_dir: self.work_dir.as_str(),
            logs_dir: self.logs_dir.as_str(),
        })
    }

    fn ask(&self, script: &mut Script, known: &Host) {
        script.push(&format!("c={} l={}", self.config_dir.quoted(), self.logs_dir.quoted()));
        script.push(&known_keys(KIND.name, known));
        script.push(&known_versions(known));
        script.push(lineage::ASK);
        script.push(&format!("P={}", quote(log::PATTERN)));
        script.push(automation::ASK);
        schedule::ask(script, &automation::WATCH);
        script.push(need::ASK);
        script.push(NEEDS);
        // Public keys last: each costs the host a process.
        script.push(KEYS);
    }

    fn read(&self, section: &Section<'_>, reading: &Reading<'_>, seen: &mut Seen) {
        let Reading { known, roots, now } = *reading;
        let zone = section.key("zone").and_then(zone).unwrap_or_default();
        let log = Log::read(section.body("log").unwrap_or_default(), zone);
        let lineages = Lineages {
            root: self.config_dir.as_str(),
            told: lineage::told(section),
            found: Found::new(section),
            keys: Keys::new(section),
            needs: Needs::new(section),
            accounts: lineage::Accounts::new(section),
            known,
            log: &log,
            roots,
            now,
        };
        let mut places = lineages.places();
        // certbot makes the folders below the first with its first certificate.
        let root = SafeText::new(self.config_dir.as_str());
        seen.problems.extend(
            folders(section)
                .filter(|it| it.kind != ProblemKind::Missing || it.path.as_ref() == Some(&root)),
        );
        seen.automation.push(automation::read(section, &lineages, &log, &places));
        seen.places.append(&mut places);
    }
}

/// Which versions are known of each lineage, as `W`: one line each, and not read again as long
/// as the key of the lineage stays.
fn known_versions(known: &Host) -> String {
    let mut lines = String::from("\n");
    for place in places(KIND.name, known) {
        let read = place.versions.iter().filter(|it| it.certificate.is_some());
        let numbers: BTreeSet<_> = read.map(|it| it.number).collect();
        if !numbers.is_empty() {
            let _ = write!(lines, "{}/ ", place.name);
            for number in numbers {
                let _ = write!(lines, "{number} ");
            }
            lines.push('\n');
        }
    }
    format!("W={}\n", quote(&lines))
}

/// Collects what renewal configurations name, and tells what is there. The map of webroots ends
/// with its file: with `[renewalparams]` or the `version` of the next.
const NEEDS: &str = r#"
for f in "$c"/renewal-hooks/pre/* "$c"/renewal-hooks/deploy/* "$c"/renewal-hooks/post/*; do
[ -L "$f" ] && ! [ -e "$f" ] && want "$f"
done
set --
for f in "$c"/renewal/*.conf; do [ -f "$f" ] && [ -r "$f" ] && [ $# -lt 500 ] && set -- "$@" "$f"; done
if [ $# -gt 0 ]; then
X=$(sed -n -e 's/^ *[a-z0-9_]*credentials *= *["'"'"']*\([^"'"'"']*\).*/p \1/p' \
-e 's/^ *[a-z_]*_hook *= */h /p' \
-e '/^ *webroot_path *=/{' -e 's/^[^=]*= */p /' -e 's/ *, */\
p /g' -e p -e '}' \
-e '/^ *\[\[webroot_map\]\]/,/^ *[[v][re][er][ns]/s/^[^=[]*= */p /p' "$@" | sort -u)
needs
fi
for f in "$c"/accounts/*/*/*/private_key.json "$c"/accounts/*/*/*/*/private_key.json "$c"/accounts/*/*/*/*/*/private_key.json; do
[ -f "$f" ] && mark frame account "$f"
done
for f in "$c/accounts" "$c"/accounts/*/; do [ -d "$f" ] && ! [ -x "$f" ] && mark frame noaccounts; done
"#;

/// Sends the public key of every private key that is new.
const KEYS: &str = r#"
set -f
IFS=$NL
for line in $K; do
unset IFS
case $line in *"$c"/renewal-hooks/*|*/.certbot.lock) continue;; esac
same "$line" || public "$line"
done
unset IFS
set +f
"#;

/// Reads a log for [`super::PARSERS`].
pub(super) fn read_log(bytes: &[u8]) {
    drop(Log::read(bytes, 0));
}

/// Reads a renewal configuration for [`super::PARSERS`].
pub(super) fn read_conf(bytes: &[u8]) {
    drop(conf::Conf::read(bytes).renewal());
}

/// Reads what systemctl prints for [`super::PARSERS`].
pub(super) fn read_units(bytes: &[u8]) {
    let word = b"units".as_slice();
    let frames = vec![super::Frame { word, key: b"", body: bytes }];
    drop(automation::WATCH.read(&Section { clock: None, frames }));
}

/// Seconds that `+0130` is ahead of UTC.
fn zone(text: &[u8]) -> Option<i64> {
    let value: i64 = number(text)?;
    (value.abs() <= 2400).then(|| (value / 100) * 3600 + (value % 100) * 60)
}
