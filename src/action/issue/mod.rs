//! `issue`: by the certbot of the host, or by this program itself.

mod certbot;
mod loading;
mod native;
mod placed;
mod way;

use std::collections::BTreeSet;

use super::card::Lineage;
use super::certbot::KIND as CERTBOT;
use super::gate::OVER;
use super::{
    Choice, Chosen, KeyType, Kind, Offer, Plan, Refusal, Subject, Target, Tier, Why, names,
};
use crate::fleet::{OWN, Renewal};
use crate::inventory::Issuer;
use crate::source::Client;
use crate::text::SafeText;

pub use certbot::meant_method;
pub use way::{Way, webroots_beside};

pub(super) use certbot::method;
pub(super) use native::{rehearsal_plan, renewal_plan};
pub(super) use placed::{again_plan, brought_plan, kept_plan};

pub(super) const KIND: Kind = Kind {
    name: "issue",
    keys: "a i",
    title: "issue",
    about: "order a certificate for a set of names",
    tier: Tier::Risky,
    subject: Subject::Lineage,
    choices: &[
        choice(
            "by",
            "WHOM",
            "certbot of the host, or certdeck itself; certbot, if the host has it",
            orderers,
        ),
        choice(
            "names",
            "NAMES",
            "the names, with commas between them; those it has, if it exists",
            names_offered,
        ),
        choice(
            "authenticator",
            "METHOD",
            "webroot, standalone, dns-PLUGIN, or a [[dns]] of the inventory; that of the lineage, if it exists",
            authenticators,
        ),
        choice("webroot", "FOLDER", "the folder that is served at port 80, for webroot", none),
        choice("credentials", "FILE", "for dns-PLUGIN: its file of credentials on the host", none),
        choice("key-type", "TYPE", "ecdsa, ecdsa-384, rsa or rsa-4096", key_types),
        choice(
            "issuer",
            "NAME",
            "an [[issuer]] of the inventory; else the CA of the lineage, or that of the host",
            issuers,
        ),
        choice("staging", "yes", "order from the staging twin: no client trusts what comes", yes),
        choice(
            "deploy-hook",
            "HOOK",
            "a [[hook]] of the inventory that runs after each renewal",
            deploy_hooks,
        ),
        choice(
            "email",
            "ADDRESS",
            "where the host has no account at the CA: makes one, and agrees to the CA's terms",
            none,
        ),
        choice("profile", "PROFILE", "by certdeck: the profile that the CA should issue by", none),
        choice(
            "precheck",
            "no",
            "by certdeck: the CA is asked without a look over HTTP from here first",
            no,
        ),
        choice("serve", "no", "by certdeck: no server is told to load it", no),
        OVER,
    ],
    plan,
};

const fn choice(
    name: &'static str,
    value: &'static str,
    about: &'static str,
    offers: fn(&Target<'_>) -> Vec<Offer>,
) -> Choice {
    Choice { name, value, about, is_required: false, offers }
}

fn plan(target: &Target<'_>, chosen: &Chosen) -> Result<Plan, Refusal> {
    match orderer(target, chosen)? {
        OWN => native::plan(target, chosen),
        _ => certbot::plan(target, chosen),
    }
}

/// By whom it is ordered, as its source is named: by whoever is chosen; whoever has the lineage
/// goes on with it; a new one is certbot's, if the host has it.
///
/// # Errors
/// Where nobody of the chosen name orders certificates.
pub fn orderer(target: &Target<'_>, chosen: &Chosen) -> Result<&'static str, Refusal> {
    match (chosen.get("by"), target.place.map(|it| it.source)) {
        (Some(CERTBOT), _) => return Ok(CERTBOT),
        (Some(OWN), _) | (None, Some(OWN | "pem")) => return Ok(OWN),
        (Some(other), _) => {
            let text = format!("nobody called `{}` orders certificates", SafeText::new(other));
            return Err(Refusal::new(Why::BadRequest, text).hint("--by certbot or --by certdeck"));
        }
        (None, Some(source)) => return Ok(source),
        (None, None) => {}
    }
    let automation = target.host.automation.iter().find(|it| it.source == CERTBOT);
    let is_gone = automation.is_some_and(|it| !it.is_installed);
    let mut clients = target.told.sources.iter().filter_map(|it| it.client());
    let has_certbot = clients.any(|it| matches!(it, Client::Certbot { .. })) && !is_gone;
    Ok(if has_certbot { CERTBOT } else { OWN })
}

fn wanted_names(old: Option<Lineage<'_>>, wanted: Option<&str>) -> Result<Vec<String>, Refusal> {
    if let Some(wanted) = wanted {
        return names::read(wanted);
    }
    let Some(old) = old else {
        let text = "which names? the lineage does not exist yet";
        return Err(Refusal::new(Why::BadRequest, text).hint("--names www.example.net,example.net"));
    };
    let names: Vec<_> = old.leaf.names.iter().map(SafeText::as_str).collect();
    names::read(&names.join(","))
}

/// The `[[issuer]]` of that name.
///
/// # Errors
/// Where there is none.
pub fn issuer_named<'i>(issuers: &'i [Issuer], wanted: &str) -> Result<&'i Issuer, Refusal> {
    issuers.iter().find(|it| it.name == wanted).ok_or_else(|| {
        let text = format!("the inventory has no issuer `{}`", SafeText::new(wanted));
        let known: Vec<_> = issuers.iter().map(|it| it.name.as_str()).collect();
        Refusal::new(Why::BadRequest, text).hint(format!("there are: {}", known.join(", ")))
    })
}

fn renewal<'a>(target: &Target<'a>) -> Option<&'a Renewal> {
    target.place?.renewal.as_ref()
}

fn same_set(old: &[SafeText], new: &[String]) -> bool {
    let old: BTreeSet<_> = old.iter().map(|it| it.as_str().to_ascii_lowercase()).collect();
    old == new.iter().cloned().collect()
}

/// What becomes of the names of a lineage that exists.
fn changes(old: &Lineage<'_>, new: &[String]) -> Vec<String> {
    let has = |it: &&str| old.leaf.names.iter().any(|name| name == *it);
    let added: Vec<_> = new.iter().map(String::as_str).filter(|it| !has(it)).collect();
    let is_kept = |it: &&str| new.iter().any(|name| name == *it);
    let lost: Vec<_> =
        old.leaf.names.iter().map(SafeText::as_str).filter(|it| !is_kept(it)).collect();
    let mut lines = Vec::new();
    if !added.is_empty() {
        lines.push(format!("names that are new: {}", added.join(", ")));
    }
    if !lost.is_empty() {
        lines.push(format!("names that it covers no more: {}", lost.join(", ")));
    }
    lines
}

fn list(names: &[String]) -> String {
    match names {
        [first, second, third, rest @ ..] if !rest.is_empty() => {
            format!("{first}, {second}, {third} and {} more", rest.len())
        }
        names => names.join(", "),
    }
}

fn checked_path(path: &str) -> Result<String, Refusal> {
    let is_plain =
        path.starts_with('/') && path.chars().all(|it| !it.is_control()) && path.len() < 4096;
    if is_plain {
        return Ok(path.to_owned());
    }
    let text = format!("`{}` is no path from the root", SafeText::new(path));
    Err(Refusal::new(Why::BadRequest, text))
}

fn checked_address(address: &str) -> Result<&str, Refusal> {
    let is_plain = address.bytes().all(|it| matches!(it, b'!'..=b'~')) && address.len() < 255;
    match address.split_once('@') {
        Some((user, host))
            if is_plain && !user.is_empty() && !user.starts_with('-') && host.contains('.') =>
        {
            Ok(address)
        }
        _ => Err(Refusal::new(
            Why::BadRequest,
            format!("`{}` is no mail address", SafeText::new(address)),
        )),
    }
}

fn is_word(text: &str) -> bool {
    !text.starts_with('-') && text.bytes().all(|it| it.is_ascii_alphanumeric() || it == b'-')
}

fn none(_target: &Target<'_>) -> Vec<Offer> {
    Vec::new()
}

fn no(_target: &Target<'_>) -> Vec<Offer> {
    vec![Offer::new("no", "it is done otherwise")]
}

fn orderers(_target: &Target<'_>) -> Vec<Offer> {
    vec![
        Offer::new(CERTBOT, "certbot on the host orders it and renews it there"),
        Offer::new(OWN, "certdeck orders it and renews it from here; the key stays on the host"),
    ]
}

fn yes(_target: &Target<'_>) -> Vec<Offer> {
    vec![Offer::new("yes", "a test certificate")]
}

fn names_offered(target: &Target<'_>) -> Vec<Offer> {
    let leaf = target.place.and_then(|it| Some(&it.layers.disk.as_ref()?.chain.leaf));
    let names = leaf.map(|it| it.names.iter().map(SafeText::as_str).collect::<Vec<_>>().join(","));
    names.into_iter().map(|it| Offer::new(it, "those it has")).collect()
}

fn authenticators(target: &Target<'_>) -> Vec<Offer> {
    let seen =
        target.host.places.iter().filter_map(|it| it.renewal.as_ref()?.authenticator.clone());
    let own = renewal(target).filter(|it| it.is_unattended).and_then(|it| it.authenticator.clone());
    let mut offers: Vec<Offer> =
        own.map(|it| Offer::new(it.as_str(), "as it is")).into_iter().collect();
    let seen: BTreeSet<_> = seen.filter(|it| it.as_str().starts_with("dns-")).collect();
    let seen =
        seen.iter().map(|it| Offer::new(it.as_str(), "used by another lineage of this host"));
    let others = [
        Offer::new("webroot", "files in a folder that a server serves at port 80"),
        Offer::new("standalone", "certbot's own server at port 80, which must be free"),
    ];
    let own_zones = target.inventory.dns.iter();
    let own_zones =
        own_zones.map(|it| Offer::new(it.name.as_str(), format!("{}, written from here", it.kind)));
    for it in others.into_iter().chain(seen).chain(own_zones) {
        if offers.iter().all(|other| other.value != it.value) {
            offers.push(it);
        }
    }
    offers
}

fn key_types(_target: &Target<'_>) -> Vec<Offer> {
    KEY_TYPES.iter().map(|it| Offer::new(it.name, it.about)).collect()
}

pub(super) fn issuers(target: &Target<'_>) -> Vec<Offer> {
    target.inventory.issuers.iter().map(|it| Offer::new(&it.name, &it.directory)).collect()
}

fn deploy_hooks(target: &Target<'_>) -> Vec<Offer> {
    target.inventory.hooks.iter().map(|it| Offer::new(&it.name, &it.run)).collect()
}

/// A kind of key that can be asked for.
struct Key {
    name: &'static str,
    about: &'static str,
    kind: KeyType,
    /// As options of certbot beside `--key-type`, with its word for the kind first.
    certbot: &'static [&'static str],
}

static KEY_TYPES: [Key; 4] = [
    Key { name: "ecdsa", about: "P-256", kind: KeyType::Ecdsa256, certbot: &["ecdsa"] },
    Key {
        name: "ecdsa-384",
        about: "P-384",
        kind: KeyType::Ecdsa384,
        certbot: &["ecdsa", "--elliptic-curve", "secp384r1"],
    },
    Key { name: "rsa", about: "2048 bits", kind: KeyType::Rsa2048, certbot: &["rsa"] },
    Key {
        name: "rsa-4096",
        about: "4096 bits",
        kind: KeyType::Rsa4096,
        certbot: &["rsa", "--rsa-key-size", "4096"],
    },
];

impl Key {
    fn named(name: &str) -> Option<&'static Self> {
        KEY_TYPES.iter().find(|it| it.name == name)
    }

    fn chosen(name: &str) -> Result<&'static Self, Refusal> {
        Self::named(name).ok_or_else(|| {
            let text = format!("there is no key type `{}`", SafeText::new(name));
            let names: Vec<_> = KEY_TYPES.iter().map(|it| it.name).collect();
            Refusal::new(Why::BadRequest, text).hint(names.join(", "))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample::{place, sample};
    use super::*;

    #[test]
    fn what_can_be_chosen_is_offered() {
        let fleet = sample();
        let mut other = place();
        other.renewal.as_mut().unwrap().authenticator = Some(SafeText::new("dns-rfc2136"));
        let mut host = fleet.fleet.hosts().next().unwrap().clone();
        host.places.push(other);
        let place = host.places.first();
        let target = Target {
            inventory: &fleet.inventory,
            fleet: &fleet.fleet,
            history: &crate::budget::History::default(),
            told: &fleet.inventory.hosts[0],
            host: &host,
            lineage: Some("www.example.net"),
            place,
            now: super::super::sample::NOW,
        };
        let values =
            |offers: Vec<Offer>| -> Vec<_> { offers.into_iter().map(|it| it.value).collect() };
        assert_eq!(values(authenticators(&target)), ["webroot", "standalone", "dns-rfc2136"]);
        assert_eq!(values(names_offered(&target)), ["example.net,www.example.net"]);
        assert_eq!(values(issuers(&target)), ["letsencrypt", "house"]);
    }
}
