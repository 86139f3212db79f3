//! dehydrated's certificates: a folder for each, where links lead to files with the time of their
//! order in the name. Its settings are bash; of these only the lines that are needed are sent,
//! since hooks find passwords there too.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;

use super::assign::Assignments;
use super::found::{folders, problem};
use super::key::known_keys;
use super::need::{self, Needs};
use super::schedule::{self, Watch};
use super::script::{number, split_word};
use super::sight::{ASK_KEYS, Sight};
use super::{AbsolutePath, Kind, Reading, Script, Section, Source};
use crate::fleet::{
    Automation, ConfHook, DAY, Failure, HookStage, Host, Layers, Lock, Moment, NeedKind, Place,
    ProblemKind, Renewal, Seen, Version,
};
use crate::text::SafeText;

pub(super) const KIND: Kind = Kind {
    name: "dehydrated",
    about: "dehydrated's certificates, its settings, and the timer or cron line that runs it",
    schema: |generator| generator.subschema_for::<Dehydrated>(),
    build: |table| Ok(Arc::new(table.read::<Dehydrated>()?)),
};

/// Where dehydrated keeps its settings on a host.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub(super) struct Dehydrated {
    /// The main file of its settings; folders that it names are found from there.
    config: AbsolutePath,
}

impl Default for Dehydrated {
    fn default() -> Self {
        Self { config: AbsolutePath::new("/etc/dehydrated/config") }
    }
}

/// What starts it.
const WATCH: Watch = Watch {
    pattern: "dehydrated",
    units: &["dehydrated.timer", "dehydrated.service"],
    sleep: 0,
    no_sleep: "",
    only: |_| Vec::new(),
};

impl Source for Dehydrated {
    fn kind(&self) -> &'static Kind {
        &KIND
    }

    fn ask(&self, script: &mut Script, known: &Host) {
        script.push(&format!("c={}", self.config.quoted()));
        script.push(&known_keys(KIND.name, known));
        script.push(need::ASK);
        script.push(ASK);
        schedule::ask(script, &WATCH);
        script.push(ASK_KEYS);
    }

    fn read(&self, section: &Section<'_>, reading: &Reading<'_>, seen: &mut Seen) {
        let sight = Sight::new(&KIND, section, reading);
        let needs = Needs::new(section);
        let base = String::from_utf8_lossy(section.key("base").unwrap_or_default());
        let settings = Assignments::read(section.body("settings").unwrap_or_default());
        let domains = section.body("domains").map(Domains::read);
        let mut told = told(section);
        // What is to be ordered and never was is a certificate too.
        let certs = String::from_utf8_lossy(section.key("certs").unwrap_or_default());
        for name in domains.iter().flat_map(|it| it.0.keys()) {
            told.entry(format!("{certs}/{name}")).or_default();
        }
        for (folder, told) in told {
            let mut settings = settings.clone();
            settings.overlay(Assignments::read(told.settings));
            let mut place = kept(&folder, &told, &sight);
            let mut renewal = renewal(&settings, &base, &needs);
            let days = settings.get("RENEW_DAYS").and_then(|it| number(it.as_bytes()));
            let days = days.unwrap_or(RENEW_DAYS).clamp(0, 3650);
            renewal.planned = place.leaf().map(|it| it.not_after.plus(-days * DAY));
            renewal.is_enabled =
                domains.as_ref().is_none_or(|it| it.0.contains_key(place.name.as_str()));
            renewal.last_success = told.versions.last().copied();
            renewal.last_failure = told.failure();
            place.renewal = Some(renewal);
            seen.places.push(place);
        }
        seen.problems.extend(folders(section));
        let version = section.body("version").map(|it| {
            let text = String::from_utf8_lossy(it);
            SafeText::capped(text.trim().trim_start_matches("VERSION=").trim_matches('"'), 32)
        });
        let lock = section.with("lock").find_map(|it| {
            let (at, path) = split_word(it.key);
            Some((Moment::from_unix(number(at)?), path))
        });
        let clock = section.clock.unwrap_or(reading.now);
        let is_stale = lock.is_some_and(|(at, _)| clock.since(at) > STALE);
        if let Some((_, path)) = lock.filter(|_| is_stale) {
            // It goes away with the run, but for one that was killed.
            let text = "is left over: dehydrated does not start as long as it is there";
            seen.problems.push(problem(ProblemKind::BrokenConf, text, path));
        }
        let held = lock.filter(|_| !is_stale);
        seen.automation.push(Automation {
            source: KIND.name,
            is_installed: version.is_some(),
            program: None,
            version: version.filter(|it| !it.as_str().is_empty()),
            schedule: WATCH.read(section).schedule,
            hooks: Vec::new(),
            lock: held.map(|(_, path)| Lock { path: SafeText::from_bytes(path), pid: None }),
            last_run: None,
            unproven: Vec::new(),
        });
    }
}

/// Asks for it. `$b` is the base folder: that of the settings unless they name another.
const ASK: &str = r#"
S='^ *(export +)?(BASEDIR|CERTDIR|CONFIG_D|DOMAINS_TXT|DOMAINS_D|LOCKFILE|CA|CHALLENGETYPE|WELLKNOWN|HOOK|KEY_ALGO|RENEW_DAYS)='
b=${c%/*} certs= more= domains= each= lock= wk= hook= G=
here() { v=${1#*=}; v=${v#[\"\']}; v=${v%[\"\']}
case $v in '${BASEDIR}'*) v=$b${v#'${BASEDIR}'};; '$BASEDIR'*) v=$b${v#'$BASEDIR'};; esac; }
assign() {
set -f
IFS=$NL
for f in $1; do
unset IFS
here "$f"
case $f in
*BASEDIR=*) b=${v%/};; *CERTDIR=*) certs=$v;; *CONFIG_D=*) more=$v;; *DOMAINS_TXT=*) domains=$v;;
*DOMAINS_D=*) each=$v;; *LOCKFILE=*) lock=$v;; *WELLKNOWN=*) wk=$v;; *HOOK=*) hook=$v;;
esac
done
unset IFS
set +f
}
if want "$c"; then
G=$(grep -E "$S" "$c")
assign "$G"
if [ "$more" ]; then
set --
for f in "$more"/*.sh; do [ -f "$f" ] && [ -r "$f" ] && set -- "$@" "$f"; done
[ $# -eq 0 ] || G=$G$NL$(grep -hE "$S" "$@")
assign "$G"
fi
else look "$c"
fi
certs=${certs:-$b/certs} domains=${domains:-$b/domains.txt} lock=${lock:-$b/lock} wk=${wk:-/var/www/dehydrated}
mark frame base "$b"
mark frame certs "$certs"
mark frame settings
printf '%.16384s' "$G"
X="p $wk${NL}h $hook"
if want "$domains"; then mark frame domains; head -c 262144 "$domains"; fi
look "$certs"
set --
for d in "$certs"/*/; do
d=${d%/}
n=${d##*/}
[ -d "$d" ] || continue
case $n in *"$NL"*) mark frame state newline "${d%%"$NL"*}"; continue;; esac
list= top= last=
for f in "$d"/cert-[1-9]*.pem; do
v=${f##*/cert-}
v=${v%.pem}
case $v in *[!0-9]*|????????????*) continue;; esac
last=$v
[ -s "$f" ] && list="$list $v" top=$v
done
mark frame dir "$d"
mark frame versions "$list"
[ "$last" = "$top" ] || mark frame failed "$last"
for k in cert chain fullchain privkey; do
r=
for v in $list; do [ "$d/$k.pem" -ef "$d/$k-$v.pem" ] && r=$v; done
[ "$r" ] && mark frame link "$k $r"
done
f=${each:-$d}/config
[ "$each" ] && f=$each/$n
if [ -f "$f" ] && [ -r "$f" ]; then
mark frame own
G=$(grep -E "$S" "$f")
printf '%.4096s' "$G"
wk= hook=
assign "$G"
X="$X${NL}p $wk${NL}h $hook"
fi
want "$d/fullchain.pem" && set -- "$@" "$Z$d/fullchain.pem"
[ -z "$top" ] || [ "$d/fullchain.pem" -ef "$d/fullchain-$top.pem" ] || { want "$d/fullchain-$top.pem" && set -- "$@" "$Z$d/fullchain-$top.pem"; }
i=0
for v in $list; do i=$((i+1)); done
for v in $list; do
[ $i -gt 10 ] || [ "$d/cert.pem" -ef "$d/cert-$v.pem" ] || set -- "$@" "$Z$d/cert-$v.pem"
i=$((i-1))
done
[ $# -lt 128 ] || { heads "$@"; set --; }
done
heads "$@"
needs
K=$(stamps "$certs"/*/privkey.pem)
mark frame stamps
printf '%s\n' "$K"
[ -e "$lock" ] && mark frame lock "$(stat -c '%Y %n' "$lock")"
if f=$(command -v dehydrated) && [ -r "$f" ]; then mark frame version; head -c 8192 "$f" | grep '^VERSION='; fi
"#;

/// What a folder shows.
#[derive(Debug, Default)]
struct Told<'a> {
    is_there: bool,
    /// The times of orders that gave a certificate, oldest first.
    versions: Vec<Moment>,
    /// The time of the last order, if that one gave none.
    failed: Option<Moment>,
    /// Which order each link leads to.
    links: BTreeMap<&'a [u8], Moment>,
    /// Settings of this certificate alone.
    settings: &'a [u8],
}

impl Told<'_> {
    /// dehydrated keeps no log; what it leaves is an empty file.
    fn failure(&self) -> Option<Failure> {
        let text = "an order was begun and gave no certificate; dehydrated keeps no log of why";
        self.failed.map(|at| Failure { at: Some(at), text: SafeText::new(text) })
    }
}

/// Sorts what a section tells by folder: each begins with a frame `dir`.
fn told<'a>(section: &Section<'a>) -> BTreeMap<String, Told<'a>> {
    let time = |it: &[u8]| number(it).map(Moment::from_unix);
    let mut all: BTreeMap<String, Told<'a>> = BTreeMap::new();
    let mut dir = String::new();
    for frame in &section.frames {
        if frame.word == b"dir" {
            dir = String::from_utf8_lossy(frame.key).into_owned();
            all.insert(dir.clone(), Told { is_there: true, ..Told::default() });
        }
        let Some(told) = all.get_mut(&dir) else { continue };
        match frame.word {
            b"versions" => {
                told.versions = frame.key.split(|it| *it == b' ').filter_map(time).collect();
                told.versions.sort_unstable();
            }
            b"failed" => told.failed = time(frame.key),
            b"link" => {
                let (kind, version) = split_word(frame.key);
                told.links.extend(time(version).map(|it| (kind, it)));
            }
            b"own" => told.settings = frame.body,
            _ => {}
        }
    }
    all
}

fn kept(folder: &str, told: &Told<'_>, sight: &Sight<'_, '_>) -> Place {
    let name = folder.rsplit('/').next().unwrap_or(folder);
    let mut place = Place::new(KIND.name, SafeText::new(name));
    if !told.is_there {
        let text = "was never ordered: domains.txt names it, and there is no certificate";
        place.problems.push(problem(ProblemKind::Missing, text, folder.as_bytes()));
        return place;
    }
    let disk = sight.chain(&format!("{folder}/fullchain.pem"), &mut place.problems);
    let live = told.links.get(b"fullchain".as_slice());
    let issued = match told.versions.last() {
        Some(top) if live != Some(top) => {
            sight.chain(&format!("{folder}/fullchain-{}.pem", top.unix()), &mut place.problems)
        }
        _ => disk.clone(),
    };
    // The key may be older: PRIVATE_KEY_RENEW=no keeps it.
    let chain: BTreeSet<_> =
        told.links.iter().filter(|it| *it.0 != b"privkey").map(|it| it.1).collect();
    if chain.len() > 1 {
        let text = "links to files of different orders";
        place.problems.push(problem(ProblemKind::MixedVersions, text, folder.as_bytes()));
    }
    let leaf = |it: &Option<crate::fleet::Sighting>| it.as_ref().map(|it| it.chain.leaf.clone());
    let numbered = (1..).zip(&told.versions);
    let versions = numbered.map(|(number, at)| Version {
        number,
        certificate: if told.links.get(b"cert".as_slice()) == Some(at) {
            leaf(&disk)
        } else {
            sight.leaf(&format!("{folder}/cert-{}.pem", at.unix())).map(Arc::new)
        },
    });
    place.versions = versions.collect();
    place.layers = Layers { issued, disk, ..Layers::default() };
    sight.key(&format!("{folder}/privkey.pem"), &mut place);
    place
}

/// What `domains.txt` asks for: the name of each folder, and the names in the certificate.
#[derive(Debug, Default, PartialEq, Eq)]
struct Domains(BTreeMap<String, Vec<String>>);

impl Domains {
    /// Reads lines of `NAME OTHER… > ALIAS` as dehydrated does, in lower case.
    fn read(text: &[u8]) -> Self {
        let text = String::from_utf8_lossy(text).to_lowercase();
        let mut domains = BTreeMap::new();
        for line in text.lines().map(str::trim).filter(|it| !it.starts_with('#')) {
            let (names, alias) = line.split_once('>').unwrap_or((line, ""));
            let names: Vec<_> = names.split_whitespace().map(str::to_owned).collect();
            let alias = alias.trim();
            let folder =
                if alias.is_empty() { names.first().map(String::as_str) } else { Some(alias) };
            let is_plain = |it: &&str| !it.contains('/');
            if let Some(folder) = folder.filter(is_plain).map(str::to_owned)
                && domains.len() < MAX_DOMAINS
            {
                domains.insert(folder, names);
            }
        }
        Self(domains)
    }
}

fn renewal(settings: &Assignments, base: &str, needs: &Needs<'_>) -> Renewal {
    let way = settings.get("CHALLENGETYPE").unwrap_or("http-01");
    let hook = settings.path("HOOK", base);
    let is_dns = way == "dns-01";
    let webroot = settings.path("WELLKNOWN", base).unwrap_or_else(|| WELLKNOWN.to_owned());
    let webroot = Some(webroot).filter(|_| way == "http-01");
    let server = settings.get("CA").unwrap_or("letsencrypt");
    let preset = PRESETS.iter().find(|it| it.0 == server).map(|it| it.1);
    let mut needed = Vec::new();
    needed.extend(webroot.as_deref().and_then(|it| needs.path(NeedKind::Webroot, it)));
    // One program is called for everything: for proof, and after an order.
    let kind = if is_dns { NeedKind::ProofHook } else { NeedKind::Hook(HookStage::Deploy) };
    needed.extend(hook.as_deref().and_then(|it| needs.program(kind, it)));
    let deploy =
        hook.as_deref().map(|it| ConfHook { stage: HookStage::Deploy, command: SafeText::new(it) });
    Renewal {
        authenticator: Some(SafeText::new(way)),
        webroot: webroot.as_deref().map(SafeText::new),
        server: Some(SafeText::new(preset.unwrap_or(server))),
        key_type: settings.get("KEY_ALGO").map(SafeText::new),
        // Without a hook dehydrated refuses dns-01.
        is_unattended: !is_dns || hook.is_some(),
        hooks: deploy.into_iter().collect(),
        needs: needed,
        ..Renewal::default()
    }
}

/// The words for `CA` (dehydrated 0.7.0, `load_config`).
const PRESETS: [(&str, &str); 5] = [
    ("letsencrypt", "https://acme-v02.api.letsencrypt.org/directory"),
    ("letsencrypt-test", "https://acme-staging-v02.api.letsencrypt.org/directory"),
    ("zerossl", "https://acme.zerossl.com/v2/DV90"),
    ("buypass", "https://api.buypass.com/acme/directory"),
    ("buypass-test", "https://api.test4.buypass.no/acme/directory"),
];

const WELLKNOWN: &str = "/var/www/dehydrated";

/// Days before the end, unless settings say otherwise (dehydrated 0.7.0, `load_config`).
const RENEW_DAYS: i64 = 30;

/// A run with many names takes minutes, not hours.
const STALE: i64 = 6 * 3600;

const MAX_DOMAINS: usize = 1000;

/// Reads settings and a list of names for [`super::PARSERS`].
pub(super) fn read_conf(bytes: &[u8]) {
    drop(renewal(&Assignments::read(bytes), "/", &Needs::default()));
    drop(Domains::read(bytes));
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEBIAN: &[u8] = include_bytes!("../../tests/fixtures/dehydrated/config-0.7.0-debian12");
    const LAB: &[u8] = include_bytes!("../../tests/fixtures/dehydrated/config-lab-0.7.0-debian12");

    fn read(text: &[u8]) -> Renewal {
        renewal(&Assignments::read(text), "/var/lib/dehydrated", &Needs::default())
    }

    #[test]
    fn settings_are_read() {
        let text = |it: &Option<SafeText>| it.as_ref().map(ToString::to_string).unwrap_or_default();
        let debian = read(DEBIAN);
        assert_eq!(text(&debian.authenticator), "http-01");
        assert_eq!(text(&debian.webroot), "/var/lib/dehydrated/acme-challenges");
        assert_eq!(text(&debian.server), "https://acme-v02.api.letsencrypt.org/directory");
        assert!(debian.hooks.is_empty() && debian.is_unattended);
        let lab = read(LAB);
        assert_eq!(text(&lab.server), "https://acme.lab.test:14000/dir");
        assert_eq!(text(&lab.webroot), "/var/www/dehydrated");
        assert_eq!(lab.hooks[0].command, "/etc/dehydrated/hook.sh");
        let dns = |more: &str| read([LAB, more.as_bytes()].concat().as_slice()).is_unattended;
        assert!(dns("CHALLENGETYPE=dns-01\n"));
        assert!(!dns("CHALLENGETYPE=dns-01\nHOOK=\n"), "somebody has to publish the record");
    }

    #[test]
    fn domains_are_read_as_dehydrated_reads_them() {
        let Domains(domains) = Domains::read(
            b"# comment\n\nDeh.h002.lab.test www.deh.h002.lab.test\r\n\
              *.service.example.com service.example.com >star\n../x\n",
        );
        let folders: Vec<_> = domains.keys().map(String::as_str).collect();
        assert_eq!(folders, ["deh.h002.lab.test", "star"]);
        assert_eq!(domains["star"], ["*.service.example.com", "service.example.com"]);
    }
}
