//! Our own store, for certificates that this program orders itself:
//!
//! ```text
//! live/NAME/current -> ../../archive/NAME/0003    the one link that is led to another version
//! live/NAME/{cert,chain,fullchain,privkey}.pem -> current/…   made once
//! archive/NAME/0001 0002 0003/                    the versions, each with its four files
//! renewal/NAME.conf                               how it is ordered again
//! orders/OP/                                      key and request of an order that has begun
//! ```
//!
//! Nothing on the host renews what is there: whoever runs this program does.

use std::collections::BTreeMap;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;

use super::found::{folders, problem};
use super::key::known_keys;
use super::need::{self, Needs};
use super::script::number;
use super::sight::{ASK_KEYS, Sight};
use super::{AbsolutePath, Client, Kind, Reading, Script, Section, Source, quote};
use crate::fleet::{
    ConfHook, HookStage, Host, Install, InstallKind, Layers, NeedKind, OWN, Place, ProblemKind,
    Renewal, Seen, Version,
};
use crate::text::SafeText;

pub(super) const KIND: Kind = Kind {
    name: OWN,
    about: "certificates that certdeck orders itself, in its store on the host",
    schema: |generator| generator.subschema_for::<Certdeck>(),
    build: |table| Ok(Arc::new(table.read::<Certdeck>()?)),
};

/// Where the store of a host is.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub(super) struct Certdeck {
    /// The folder with `live`, `archive` and `renewal`; default "/etc/certdeck".
    dir: Option<AbsolutePath>,
}

impl Certdeck {
    fn dir(&self) -> &str {
        self.dir.as_ref().map_or(DIR, AbsolutePath::as_str)
    }
}

/// Where it is unless the inventory says otherwise.
pub(super) const DIR: &str = "/etc/certdeck";

impl Source for Certdeck {
    fn kind(&self) -> &'static Kind {
        &KIND
    }

    fn client(&self) -> Option<Client<'_>> {
        Some(Client::Certdeck { dir: self.dir() })
    }

    fn ask(&self, script: &mut Script, known: &Host) {
        script.push(&match &self.dir {
            Some(dir) => format!("c={}", dir.quoted()),
            None => format!("c=$R{}", quote(DIR)),
        });
        script.push("mark frame store \"$c\"\nif [ -e \"$c\" ]; then");
        script.push(&known_keys(KIND.name, known));
        script.push(ASK);
        script.push(need::ASK);
        script.push(NEEDS);
        script.push(ASK_KEYS);
        script.push("fi");
    }

    fn read(&self, section: &Section<'_>, reading: &Reading<'_>, seen: &mut Seen) {
        let Some(root) = section.key("store") else { return };
        let store = Store {
            root: &String::from_utf8_lossy(root),
            sight: Sight::new(&KIND, section, reading),
            needs: Needs::new(section),
            versions: versions(section),
            current: section
                .with("current")
                .filter_map(|it| {
                    let (number, name) = numbered(it.key)?;
                    Some((name, number))
                })
                .collect(),
        };
        let names = section.with("lineage").map(|it| String::from_utf8_lossy(it.key));
        seen.places.extend(names.map(|it| store.place(&it)));
        seen.problems.extend(folders(section).filter(|it| it.kind != ProblemKind::Missing));
    }
}

/// Asks for every lineage, from whichever folder has it.
const ASK: &str = r#"
for d in "$c" "$c/live" "$c/archive" "$c/renewal"; do look "$d"; done
set --
L=$NL
for f in "$c"/renewal/*.conf "$c"/live/*/ "$c"/archive/*/; do
[ -e "$f" ] || [ -L "$f" ] || continue
case $f in *.conf) n=${f%.conf};; *) n=${f%/};; esac
n=${n##*/}
case $n in *"$NL"*) mark frame state newline "${f%%"$NL"*}"; continue;; esac
case $L in *"$NL$n$NL"*) continue;; esac
L=$L$n$NL
[ ${#L} -lt 30000 ] || break
mark frame lineage "$n"
f=$c/renewal/$n.conf
want "$f" && set -- "$@" "$Z$f"
f=$c/live/$n/fullchain.pem
want "$f" && set -- "$@" "$Z$f"
a= b=
for d in "$c/archive/$n"/[0-9]*/; do
d=${d%/}
[ -d "$d" ] || continue
mark frame version "${d##*/} $n"
[ "$c/live/$n/current" -ef "$d" ] && mark frame current "${d##*/} $n"
a=$b b=$d
done
for d in "$a" "$b"; do
[ "$d" ] && want "$d/fullchain.pem" && set -- "$@" "$Z$d/fullchain.pem"
done
[ $# -lt 128 ] || { heads "$@"; set --; }
done
heads "$@"
K=$(stamps "$c"/live/*/privkey.pem)
mark frame stamps
printf '%s\n' "$K"
"#;

/// The webroots and hooks of the renewal configurations.
const NEEDS: &str = r#"
set --
for f in "$c"/renewal/*.conf; do [ -f "$f" ] && [ -r "$f" ] && [ $# -lt 500 ] && set -- "$@" "$f"; done
if [ $# -gt 0 ]; then
X=$(sed -n -e 's/^webroot = /p /p' -e 's/^deploy-hook = /h /p' "$@" | sort -u)
needs
fi
"#;

/// `0003 www.example.net`.
fn numbered(key: &[u8]) -> Option<(u32, &[u8])> {
    let (first, name) = super::script::split_word(key);
    Some((number(first)?, name))
}

/// The numbers of all versions, by lineage.
fn versions<'a>(section: &Section<'a>) -> BTreeMap<&'a [u8], Vec<u32>> {
    let mut all: BTreeMap<&[u8], Vec<u32>> = BTreeMap::new();
    for (number, name) in section.with("version").filter_map(|it| numbered(it.key)) {
        all.entry(name).or_default().push(number);
    }
    for it in all.values_mut() {
        it.sort_unstable();
    }
    all
}

/// What a section tells of the store.
struct Store<'a, 'r> {
    root: &'r str,
    sight: Sight<'a, 'r>,
    needs: Needs<'a>,
    versions: BTreeMap<&'a [u8], Vec<u32>>,
    /// Which version is live.
    current: BTreeMap<&'a [u8], u32>,
}

impl Store<'_, '_> {
    fn place(&self, name: &str) -> Place {
        let mut place = Place::new(KIND.name, SafeText::new(name));
        let live = format!("{}/live/{name}", self.root);
        let disk = self.sight.chain(&format!("{live}/fullchain.pem"), &mut place.problems);
        let numbers = self.versions.get(name.as_bytes()).map(Vec::as_slice).unwrap_or_default();
        let current = self.current.get(name.as_bytes());
        let path = |number: u32| format!("{}/archive/{name}/{number:04}/fullchain.pem", self.root);
        let newest = numbers.last().filter(|it| Some(*it) != current);
        let issued = newest.and_then(|it| self.sight.chain(&path(*it), &mut Vec::new()));
        let issued = issued.or_else(|| disk.clone());
        place.versions = numbers
            .iter()
            .map(|number| Version {
                number: *number,
                certificate: match &disk {
                    Some(disk) if current == Some(number) => Some(Arc::clone(&disk.chain.leaf)),
                    _ => self.sight.leaf(&path(*number)).map(Arc::new),
                },
            })
            .collect();
        place.layers = Layers { issued, disk, ..Layers::default() };
        self.sight.key(&format!("{live}/privkey.pem"), &mut place);
        let conf = format!("{}/renewal/{name}.conf", self.root);
        place.renewal = self.sight.file(&conf).map(|it| renewal(it, &self.needs));
        if place.renewal.is_none() {
            let text = "is missing or cannot be read: how it is renewed is not known";
            place.problems.push(problem(ProblemKind::BrokenConf, text, conf.as_bytes()));
        }
        place
    }
}

/// Reads a renewal configuration: `key = value`, one a line. What is not known is left alone, so
/// that a newer program may add to it.
fn renewal(text: &[u8], needs: &Needs<'_>) -> Renewal {
    let text = String::from_utf8_lossy(text);
    let mut it = Renewal { is_enabled: true, is_unattended: true, ..Renewal::default() };
    for line in text.lines().take(MAX_LINES) {
        let Some((key, value)) = line.split_once(" = ") else { continue };
        let value = value.trim();
        let safe = Some(SafeText::new(value)).filter(|_| !value.is_empty());
        match key.trim() {
            "issuer" => it.account = safe,
            "server" => it.server = safe,
            "method" => it.authenticator = safe,
            "webroot" => {
                it.needs.extend(needs.path(NeedKind::Webroot, value));
                it.webroot = safe;
            }
            "key" => it.key_type = safe,
            "key-is-shared" => it.keeps_key = value == "yes",
            "profile" => it.profile = safe,
            "autorenew" => it.is_enabled = value != "no",
            "deploy-hook" => {
                it.needs.extend(needs.program(NeedKind::Hook(HookStage::Deploy), value));
                let hook = |command| ConfHook { stage: HookStage::Deploy, command };
                it.hooks.extend(safe.map(hook));
            }
            "install" => {
                let copy = value.split_once(' ').and_then(|(kind, path)| {
                    let kind = InstallKind::ALL.into_iter().find(|it| it.word() == kind)?;
                    Some(Install { kind, path: SafeText::new(path) })
                });
                it.installs.extend(copy.filter(|_| it.installs.len() < MAX_INSTALLS));
            }
            _ => {}
        }
    }
    it.is_unattended = it.authenticator.is_some();
    it
}

/// More than this program writes.
const MAX_LINES: usize = 200;

/// More services than one lineage has that want files of their own.
const MAX_INSTALLS: usize = 16;

/// Reads a renewal configuration for [`super::PARSERS`].
pub(super) fn read_conf(bytes: &[u8]) {
    drop(renewal(bytes, &Needs::default()));
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONF: &[u8] = include_bytes!("../../tests/fixtures/certdeck/renewal.conf");

    #[test]
    fn a_configuration_is_read() {
        let it = renewal(CONF, &Needs::default());
        let text = |it: &Option<SafeText>| it.as_ref().map(ToString::to_string).unwrap_or_default();
        assert_eq!(text(&it.account), "letsencrypt");
        assert_eq!(text(&it.server), "https://acme-v02.api.letsencrypt.org/directory");
        assert_eq!(
            (text(&it.authenticator), text(&it.webroot)),
            ("webroot".into(), "/var/www/html".into())
        );
        assert_eq!((text(&it.key_type), text(&it.profile)), ("ecdsa".into(), "shortlived".into()));
        assert_eq!(it.hooks[0].command, "nginx -t && systemctl reload nginx");
        let installs: Vec<_> = it.installs.iter().map(|it| (it.kind, it.path.as_str())).collect();
        let (certificate, key) = ("/etc/haproxy/site.pem", "/etc/haproxy/site.pem.key");
        assert_eq!(installs, [(InstallKind::Certificate, certificate), (InstallKind::Key, key)]);
        assert!(it.is_enabled && it.is_unattended && !it.keeps_key);
    }

    #[test]
    fn what_is_missing_or_unknown_does_no_harm() {
        let read = |text: &str| renewal(text.as_bytes(), &Needs::default());
        assert!(!read("issuer = x\n").is_unattended);
        assert!(!read("method = dns-main\nautorenew = no\n").is_enabled);
        assert!(read("method = dns-main\nkey-is-shared = yes\nnew = 1\nx\n").keeps_key);
        assert!(read("install = tape /dev/st0\ninstall = key\n").installs.is_empty());
    }
}
