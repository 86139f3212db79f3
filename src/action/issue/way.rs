//! How control of names is proven, by what is chosen, known of the lineage, or told in the inventory.

use super::super::order::{Proof, Prover, Webroot};
use super::super::{Chosen, Refusal, Target, Why};
use super::checked_path;
use crate::fleet::{HostName, Place, Renewal};
use crate::inventory::DnsZone;
use crate::text::SafeText;

/// How control of the names is proven.
#[derive(Debug, Clone)]
pub enum Way<'a> {
    /// By files in this folder, which is served at port 80.
    Webroot(String),
    /// By records that this provider writes.
    Dns(&'a DnsZone),
}

impl<'a> Way<'a> {
    /// What is chosen, else that of the lineage, else what is known of the host and of the zones.
    ///
    /// # Errors
    /// Where none fits, or several could.
    pub fn of(
        target: &Target<'a>,
        chosen: &Chosen,
        renewal: Option<&Renewal>,
        names: &[String],
    ) -> Result<Self, Refusal> {
        let bad = |text: String, hint: &str| Err(Refusal::new(Why::BadRequest, text).hint(hint));
        let is_wild = names.iter().any(|it| it.starts_with("*."));
        let own = renewal.and_then(|it| it.authenticator.as_ref()).map(SafeText::as_str);
        let meant = chosen.get("webroot").map(|_| WEBROOT);
        let wanted = chosen.get("authenticator").or(meant).or(own);
        let folder = match chosen.get("webroot") {
            Some(folder) => Some(checked_path(folder)?),
            None => webroot(target, renewal),
        };
        match wanted {
            Some(WEBROOT) if is_wild => bad(
                "webroot cannot prove a wildcard: the CA asks for a record in the DNS".to_owned(),
                "--authenticator NAME, a [[dns]] of the inventory",
            ),
            Some(WEBROOT) => match folder {
                Some(folder) => Ok(Self::Webroot(folder)),
                None => bad(
                    "webroot needs a folder".to_owned(),
                    "--webroot /var/www/html, or `webroot` of the [[host]]",
                ),
            },
            Some(name) => match zone_named(target, name) {
                Some(zone) if chosen.get("webroot").is_none() => Ok(Self::Dns(zone)),
                Some(_) => bad(format!("{name} uses no webroot"), "leave --webroot out"),
                None => {
                    let text = format!("certdeck cannot order by `{}`", SafeText::new(name));
                    bad(text, "webroot, or a [[dns]] of the inventory; --by certbot has others")
                }
            },
            None => match (folder, covering(target, names)) {
                (Some(folder), _) if !is_wild => Ok(Self::Webroot(folder)),
                (_, Some(zone)) => Ok(Self::Dns(zone)),
                _ => bad(
                    "by which method? No webroot is known, and no [[dns]] covers the names"
                        .to_owned(),
                    "--webroot FOLDER, or --authenticator NAME, a [[dns]] of the inventory",
                ),
            },
        }
    }

    pub(super) fn title(&self) -> String {
        match self {
            Self::Webroot(folder) => format!("webroot in {folder}"),
            Self::Dns(zone) => format!("records in the DNS ({}, {})", zone.name, zone.kind),
        }
    }

    pub(super) fn method(&self) -> String {
        match self {
            Self::Webroot(_) => WEBROOT.to_owned(),
            Self::Dns(zone) => format!("{DNS}{}", zone.name),
        }
    }

    pub(super) fn webroot(&self) -> Option<&str> {
        match self {
            Self::Webroot(folder) => Some(folder),
            Self::Dns(_) => None,
        }
    }

    /// What proves each name. Whoever answers for a name may be asked: every host that is known
    /// to be behind it gets the file.
    pub(super) fn proofs(
        &self,
        target: &Target<'_>,
        names: &[String],
        port: u16,
        notes: &mut Vec<String>,
    ) -> Vec<Proof> {
        let mut prover = |name: &String| match self {
            Self::Dns(zone) => Prover::Dns(zone.name.clone()),
            Self::Webroot(folder) => {
                let here = &target.host.name;
                let mut spots = vec![Webroot { host: here.clone(), folder: folder.clone() }];
                let (beside, unknown) = webroots_beside(target, name);
                spots.extend(beside);
                notes.extend(unknown.iter().map(|host| format!(
                    "{host} is behind {name}, too, and its webroot is not known: if the CA asks there, it is refused; `webroot` of the [[host]] tells it"
                )));
                Prover::Webroots { spots, port }
            }
        };
        names.iter().map(|it| Proof { name: it.clone(), prover: prover(it) }).collect()
    }
}

/// The webroots of other hosts that serve a name, and those of these hosts of which none is known.
pub fn webroots_beside(target: &Target<'_>, name: &str) -> (Vec<Webroot>, Vec<HostName>) {
    let (mut spots, mut unknown) = (Vec::new(), Vec::new());
    for host in behind(target, name) {
        match webroot_of(target, &host) {
            Some(folder) => spots.push(Webroot { host, folder }),
            None => unknown.push(host),
        }
    }
    (spots, unknown)
}

/// Other hosts that serve a name.
fn behind(target: &Target<'_>, name: &str) -> Vec<HostName> {
    let hosts = target.inventory.hosts.iter().filter(|it| it.name != target.host.name);
    let is_behind = |it: &&crate::inventory::Host| {
        let mut sites = target.fleet.host(&it.name).into_iter().flat_map(|it| &it.servers);
        it.endpoints.iter().any(|it| it.name.eq_ignore_ascii_case(name))
            || sites.any(|it| {
                let mut names = it.sites.iter().flat_map(|it| &it.names);
                names.any(|it| it.as_str().eq_ignore_ascii_case(name))
            })
    };
    hosts.filter(is_behind).map(|it| it.name.clone()).collect()
}

/// The webroot of another host: what the inventory says, or what a client there uses.
fn webroot_of(target: &Target<'_>, host: &HostName) -> Option<String> {
    let told = target.inventory.host(host.as_str())?.webroot.clone();
    told.or_else(|| used(target.fleet.host(host)?.places.iter()))
}

fn webroot(target: &Target<'_>, renewal: Option<&Renewal>) -> Option<String> {
    let own = renewal.and_then(|it| it.webroot.as_ref()).map(ToString::to_string);
    own.or_else(|| target.told.webroot.clone()).or_else(|| used(target.host.places.iter()))
}

/// The one webroot that lineages of a host are renewed with.
fn used<'p>(places: impl Iterator<Item = &'p Place>) -> Option<String> {
    let all = places.filter_map(|it| it.renewal.as_ref()?.webroot.as_ref());
    let mut all: Vec<_> = all.map(SafeText::as_str).collect();
    all.sort_unstable();
    all.dedup();
    match all.as_slice() {
        [only] => checked_path(only).ok(),
        _ => None,
    }
}

/// A `[[dns]]` by its name, with or without `dns-` before it.
fn zone_named<'a>(target: &Target<'a>, name: &str) -> Option<&'a DnsZone> {
    let zones = &target.inventory.dns;
    let short = name.strip_prefix(DNS).unwrap_or(name);
    zones.iter().find(|it| it.name == name).or_else(|| zones.iter().find(|it| it.name == short))
}

/// The first `[[dns]]` whose zones hold all names.
fn covering<'a>(target: &Target<'a>, names: &[String]) -> Option<&'a DnsZone> {
    let has_all = |it: &&DnsZone| names.iter().all(|name| it.holds(name));
    target.inventory.dns.iter().find(has_all)
}

const WEBROOT: &str = "webroot";
const DNS: &str = "dns-";
