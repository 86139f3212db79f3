//! acme.sh's store: one folder per certificate, `NAME` or `NAME_ecc`, and the copies that
//! `--install-cert` made for services. The copies are what is on disk; the store is what was
//! issued. Of configurations only the lines that are needed are sent: others may hold passwords.

use std::collections::BTreeMap;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;

use super::assign::Assignments;
use super::found::folders;
use super::key::known_keys;
use super::need::{self, Needs};
use super::schedule::{self, Watch};
use super::script::number;
use super::sight::{ASK_KEYS, Sight};
use super::{AbsolutePath, Kind, Reading, Script, Section, Source};
use crate::fleet::{
    Automation, ConfHook, HookStage, Host, Layers, Moment, NeedKind, Place, Renewal, Seen,
};
use crate::text::SafeText;

pub(super) const KIND: Kind = Kind {
    name: "acme-sh",
    about: "acme.sh's store, the copies that it installed, and its cron line",
    schema: |generator| generator.subschema_for::<AcmeSh>(),
    build: |table| Ok(Arc::new(table.read::<AcmeSh>()?)),
};

/// Where acme.sh keeps things on a host.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub(super) struct AcmeSh {
    /// Its home, with the program and the certificates.
    home: AbsolutePath,
    /// The folder with the certificates, if it is another (`--cert-home`).
    cert_home: Option<AbsolutePath>,
}

impl Default for AcmeSh {
    fn default() -> Self {
        Self { home: AbsolutePath::new("/root/.acme.sh"), cert_home: None }
    }
}

/// What starts it. It waits for nothing: its cron line is given a random minute when it is made.
/// The units are those of its wiki ("Using systemd units instead of cron").
const WATCH: Watch = Watch {
    pattern: "acme[.]sh",
    units: &[
        "acme.sh.timer",
        "acme.sh.service",
        "acme_letsencrypt.timer",
        "acme_letsencrypt.service",
    ],
    sleep: 0,
    no_sleep: "",
    only: |_| Vec::new(),
};

impl AcmeSh {
    fn cert_home(&self) -> &AbsolutePath {
        self.cert_home.as_ref().unwrap_or(&self.home)
    }
}

impl Source for AcmeSh {
    fn kind(&self) -> &'static Kind {
        &KIND
    }

    fn ask(&self, script: &mut Script, known: &Host) {
        script.push(&format!("a={} c={}", self.home.quoted(), self.cert_home().quoted()));
        script.push(&known_keys(KIND.name, known));
        script.push(need::ASK);
        script.push(ASK);
        schedule::ask(script, &WATCH);
        script.push(ASK_KEYS);
    }

    fn read(&self, section: &Section<'_>, reading: &Reading<'_>, seen: &mut Seen) {
        let sight = Sight::new(&KIND, section, reading);
        let needs = Needs::new(section);
        let confs = confs(section);
        for folder in section.with("cert").map(|it| String::from_utf8_lossy(it.key)) {
            let Some(name) = name(&folder) else { continue };
            let is_twin = folder.ends_with(ECC) && confs.contains_key(&*folder.replace(ECC, ""));
            // RSA and ECDSA side by side are two places.
            let called = folder.rsplit('/').next().filter(|_| is_twin).unwrap_or(name);
            let mut place = Place::new(KIND.name, SafeText::new(called));
            let conf = confs.get(&*folder).cloned().unwrap_or_default();
            let store = format!("{folder}/fullchain.cer");
            let issued = sight.chain(&store, &mut place.problems);
            let installed = ["Le_RealFullChainPath", "Le_RealCertPath"];
            let disk = match installed.iter().find_map(|it| conf.get(it)) {
                Some(path) if path != store => sight.chain(path, &mut place.problems),
                _ => issued.clone(),
            };
            place.layers = Layers { issued, disk, ..Layers::default() };
            let own_key = format!("{folder}/{name}.key");
            sight.key(conf.get("Le_RealKeyPath").unwrap_or(&own_key), &mut place);
            place.renewal = Some(renewal(&conf, &needs));
            seen.places.push(place);
        }
        seen.problems.extend(folders(section));
        let version = section.body("version").map(|it| {
            let text = String::from_utf8_lossy(it);
            SafeText::capped(text.trim().trim_start_matches("VER="), MAX_VERSION)
        });
        seen.automation.push(Automation {
            source: KIND.name,
            is_installed: version.is_some(),
            program: None,
            version: version.filter(|it| !it.as_str().is_empty()),
            schedule: WATCH.read(section).schedule,
            hooks: Vec::new(),
            lock: None,
            last_run: None,
            unproven: Vec::new(),
        });
    }
}

/// Asks for it. acme.sh renews what has a dot or a colon in its name and a configuration.
const ASK: &str = r#"
look "$c"
set --
for d in "$c"/*.*/ "$c"/*:*/; do
d=${d%/}
n=${d##*/}
n=${n%_ecc}
case $n in *"$NL"*) continue;; esac
want "$d/$n.conf" || continue
mark frame cert "$d"
set -- "$@" "$d/$n.conf"
[ $# -lt 500 ] || break
done
X= Y=
if [ $# -gt 0 ]; then
mark frame confs
grep -E '^Le_(Domain|Alt|Webroot|PreHook|PostHook|RenewHook|API|Keylength|CertCreateTime|NextRenewTime|RealCertPath|RealKeyPath|ReloadCmd|RealFullChainPath|Valid_To|DeployHook)=' /dev/null "$@"
X=$(sed -n -e "s/^Le_Webroot='\(\/[^',]*\).*/p \1/p" "$@" | sort -u)
Y=$(sed -n -e "s/^Le_RealFullChainPath='\(\/[^']*\)'.*/c \1/p" -e "s/^Le_RealCertPath='\(\/[^']*\)'.*/c \1/p" \
-e "s/^Le_RealKeyPath='\(\/[^']*\)'.*/k \1/p" "$@")
needs
fi
set --
for d in "$c"/*.*/ "$c"/*:*/; do
f=${d}fullchain.cer
[ -d "$d" ] && [ $# -lt 500 ] && want "$f" && set -- "$@" "$Z$f"
done
set -f
IFS=$NL
for f in $Y; do
unset IFS
case $f in 'c '*) want "${f#c }" && set -- "$@" "$Z${f#c }";; esac
done
unset IFS
set +f
heads "$@"
acme_stamps() {
set -f
set --
IFS=$NL
for f in $Y; do
case $f in 'k '*) set -- "$@" "${f#k }";; esac
done
unset IFS
set +f
stamps "$@" "$c"/*.*/*.key "$c"/*:*/*.key; }
K=$(acme_stamps)
mark frame stamps
printf '%s\n' "$K"
if [ -f "$a/acme.sh" ] && [ -r "$a/acme.sh" ]; then mark frame version; head -c 400 "$a/acme.sh" | grep '^VER='; fi
"#;

/// What stands before the settings of each folder.
const ECC: &str = "_ecc";

/// The name of the certificate in a folder.
fn name(folder: &str) -> Option<&str> {
    let name = folder.rsplit('/').next()?;
    Some(name.strip_suffix(ECC).unwrap_or(name))
}

/// The settings of each folder, from lines of `grep`: `FOLDER/NAME.conf:KEY='VALUE'`.
fn confs(section: &Section<'_>) -> BTreeMap<String, Assignments> {
    let text = String::from_utf8_lossy(section.body("confs").unwrap_or_default());
    let mut confs: BTreeMap<String, Assignments> = BTreeMap::new();
    for frame in section.with("cert") {
        confs.entry(String::from_utf8_lossy(frame.key).into_owned()).or_default();
    }
    for line in text.lines() {
        // A colon may stand in the path, as in the name of an IPv6 address.
        let Some((path, _)) = line.split_once(".conf:Le_") else { continue };
        let Some((folder, _)) = path.rsplit_once('/') else { continue };
        let rest = line.get(path.len() + ".conf:".len()..).unwrap_or_default();
        if let Some(conf) = confs.get_mut(folder) {
            conf.add(rest);
        }
    }
    confs
}

fn renewal(conf: &Assignments, needs: &Needs<'_>) -> Renewal {
    let text = |key| conf.get(key).map(SafeText::new);
    let moment = |key| conf.get(key).and_then(|it| number(it.as_bytes())).map(Moment::from_unix);
    // Several names may have several ways, parted by commas; the first is told.
    let way = conf.get("Le_Webroot").and_then(|it| it.split(',').find(|it| !it.is_empty()));
    let is_folder = way.is_some_and(|it| it.starts_with('/'));
    let authenticator = match way {
        Some("no") => Some("standalone"),
        Some("dns") => Some("manual"),
        Some(_) if is_folder => Some("webroot"),
        way => way,
    };
    let webroot = way.filter(|_| is_folder);
    let hooks = [
        (HookStage::Pre, "Le_PreHook"),
        (HookStage::Deploy, "Le_RenewHook"),
        (HookStage::Deploy, "Le_ReloadCmd"),
        (HookStage::Deploy, "Le_DeployHook"),
        (HookStage::Post, "Le_PostHook"),
    ];
    let hooks = hooks
        .into_iter()
        .filter_map(|(stage, key)| Some((stage, conf.get(key)?)))
        .filter(|(_, command)| *command != "no")
        .map(|(stage, command)| ConfHook { stage, command: SafeText::new(command) });
    Renewal {
        authenticator: authenticator.map(SafeText::new),
        webroot: webroot.map(SafeText::new),
        server: text("Le_API"),
        key_type: text("Le_Keylength"),
        // With a fixed end it is not renewed (acme.sh 3.1.4, wiki "Validity").
        is_enabled: conf.get("Le_Valid_To").is_none_or(|it| it.starts_with('+')),
        is_unattended: way != Some("dns"),
        hooks: hooks.collect(),
        needs: webroot.and_then(|it| needs.path(NeedKind::Webroot, it)).into_iter().collect(),
        planned: moment("Le_NextRenewTime"),
        last_success: moment("Le_CertCreateTime"),
        ..Renewal::default()
    }
}

const MAX_VERSION: usize = 32;

/// Reads a configuration for [`super::PARSERS`].
pub(super) fn read_conf(bytes: &[u8]) {
    drop(renewal(&Assignments::read(bytes), &Needs::default()));
}

#[cfg(test)]
mod tests {
    use super::*;

    const WEBROOT: &[u8] = include_bytes!("../../tests/fixtures/acme-sh/webroot-made-3.1.4.conf");
    const DNS: &[u8] = include_bytes!("../../tests/fixtures/acme-sh/dns-made-3.1.4.conf");

    fn read(text: &[u8]) -> Renewal {
        renewal(&Assignments::read(text), &Needs::default())
    }

    #[test]
    fn a_configuration_is_read() {
        let renewal = read(WEBROOT);
        let text = |it: &Option<SafeText>| it.as_ref().map(ToString::to_string).unwrap_or_default();
        assert_eq!(text(&renewal.authenticator), "webroot");
        assert_eq!(text(&renewal.webroot), "/var/www/html");
        assert_eq!(text(&renewal.server), "https://acme-v02.api.letsencrypt.org/directory");
        assert_eq!(text(&renewal.key_type), "ec-256");
        assert_eq!(renewal.planned, Moment::parse("2027-01-22T03:12:44Z"));
        assert_eq!(renewal.last_success, Moment::parse("2026-11-23T03:12:44Z"));
        let [hook] = renewal.hooks.as_slice() else { panic!("{renewal:?}") };
        assert_eq!(
            (hook.stage, hook.command.as_str()),
            (HookStage::Deploy, "systemctl reload nginx")
        );
        assert!(renewal.is_enabled && renewal.is_unattended);
        let renewal = read(DNS);
        assert_eq!(text(&renewal.authenticator), "dns_cf");
        assert!(renewal.webroot.is_none() && renewal.is_unattended);
    }

    #[track_caller]
    fn check(from: &str, to: &str, expect: impl Fn(&Renewal) -> bool) {
        let text = String::from_utf8_lossy(WEBROOT).replace(from, to);
        let renewal = read(text.as_bytes());
        assert!(expect(&renewal), "{renewal:?}");
    }

    #[test]
    fn settings_mean_what_they_mean_to_acme_sh() {
        let way = "Le_Webroot='/var/www/html'";
        check(way, "Le_Webroot='no'", |it| *it.authenticator.as_ref().unwrap() == "standalone");
        check(way, "Le_Webroot='dns'", |it| !it.is_unattended);
        check(way, "Le_Webroot=',,dns_ovh'", |it| *it.authenticator.as_ref().unwrap() == "dns_ovh");
        check(way, "", |it| it.authenticator.is_none());
        check(way, "Le_Valid_To='2027-01-01T00:00:00Z'", |it| !it.is_enabled);
        check(way, "Le_Valid_To='+30d'", |it| it.is_enabled);
        check("Le_ReloadCmd=", "Le_Nothing=", |it| it.hooks.is_empty());
    }
}
