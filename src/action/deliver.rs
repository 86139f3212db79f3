//! `deliver`.

use super::card::{self, Lineage};
use super::certbot::is_exact;
use super::plan::{Bring, Delivery, Expect, Promise};
use super::{Choice, Chosen, Kind, Offer, Plan, Refusal, Subject, Target, Tier, Why, onward};
use crate::fleet::{PlaceName, human};
use crate::inventory::SecretStore;
use crate::text::SafeText;

pub(super) const KIND: Kind = Kind {
    name: "deliver",
    keys: "a s",
    title: "deliver",
    about: "bring the certificate into a store of secrets",
    tier: Tier::Change,
    subject: Subject::Place,
    choices: &[
        Choice {
            name: TO,
            value: "STORE",
            about: "the `[[secret-store]]` of the inventory; without it, those that `deliver` names for \
                    the host, or the only one",
            is_required: false,
            offers,
        },
        Choice {
            name: WITH_KEY,
            value: "yes",
            about: "deliver the private key as well; has to be typed",
            is_required: false,
            offers: |_| vec![Offer::new("yes", "its private key as well")],
        },
    ],
    plan,
};

fn plan(target: &Target<'_>, chosen: &Chosen) -> Result<Plan, Refusal> {
    let Lineage { place, leaf, .. } = Lineage::of(target)?;
    let moves_key = match chosen.get(WITH_KEY) {
        None => false,
        Some("yes") => true,
        Some(_) => {
            let text = format!("--{WITH_KEY} takes no other value than `yes`");
            let hint = "leave it out to deliver the certificate alone";
            return Err(Refusal::new(Why::BadRequest, text).hint(hint));
        }
    };
    let (store, others) = stores(target, chosen.get(TO), moves_key)?;
    let path = store.path_of(target.host.name.as_str(), place.name.as_str()).map_err(|it| {
        Refusal::new(Why::BadRequest, it).hint("the `path` of the store in the inventory makes it")
    })?;
    let refuse = |text: &str, hint: &str| {
        Err(Refusal::new(Why::Pointless, format!("{}: {text}", place.name)).hint(hint))
    };
    let Some(disk) = &place.layers.disk else {
        return refuse("its certificate could not be read", "scan the host again");
    };
    if !disk.location.as_str().starts_with('/') {
        return refuse(
            "it lies in no file of the host",
            "it is kept in a store already: take it from there",
        );
    }
    if leaf.not_after <= target.now {
        return refuse("it has expired", "`renew` it first, then deliver what comes of it");
    }
    if leaf.is_of_staging() {
        return refuse(
            "no client trusts a certificate of a staging authority",
            "`issue` a real one",
        );
    }
    if disk.chain.fault.is_some() {
        return refuse("its chain is not whole", "`replace-chain` mends it first");
    }
    if moves_key && place.key_matches() != Some(true) {
        return refuse(
            "whether its private key belongs to it is not known",
            "deliver the certificate alone, or find out what is wrong with the key",
        );
    }
    let key = place.key.as_ref().filter(|_| moves_key).map(|it| &it.path);
    if let Some(odd) = [&disk.location].into_iter().chain(key).find(|it| !is_exact(it)) {
        let text = format!("`{odd}` has characters that cannot be given on");
        return Err(Refusal::new(Why::Unknown, text));
    }
    let mut effect = vec![
        format!("{path} in {} ({}) gets a new version", store.name, store.kind.name()),
        format!(
            "it holds the certificate with its chain: valid until {} ({} left)",
            leaf.not_after,
            human(leaf.left(target.now))
        ),
    ];
    effect.push(if moves_key {
        format!(
            "its PRIVATE KEY is read on {} and goes through the memory of this program into the \
             store: on no disk here, in no log; whoever may read {path} has it",
            target.host.name
        )
    } else {
        "no private key leaves the host".to_owned()
    });
    let plan = Plan {
        place: Some(place.name.clone()),
        source: Some(place.source),
        tier: if moves_key { Tier::Risky } else { KIND.tier },
        effect,
        cost: "nothing at the CA".to_owned(),
        undo: "the version before stays in the store; how it comes back is told with its number"
            .to_owned(),
        proof: format!("the store is read back, and holds {}…", leaf.sha256.short()),
        notes: vec![
            "nothing is written if it is there already, or if somebody else writes in between"
                .to_owned(),
        ],
        expect: Expect::Leaf(leaf.sha256),
        promise: Promise::Delivered(leaf.sha256),
        phrase: moves_key.then(|| phrase(&place.name)),
        brings: Some(Bring {
            host: target.host.name.clone(),
            certificate: disk.location.to_string(),
            key: key.map(ToString::to_string),
            leaf: leaf.sha256,
        }),
        delivers: Some(Delivery { store: store.name.clone(), path }),
        ..card::blank(&KIND, target, None)
    };
    Ok(others.into_iter().fold(plan, onward::then))
}

/// The store that was chosen. Without a choice, those that the host names, of which the others
/// follow; or the only one that there is. A key goes to one that is named.
fn stores<'a>(
    target: &Target<'a>,
    wanted: Option<&str>,
    moves_key: bool,
) -> Result<(&'a SecretStore, Vec<&'a SecretStore>), Refusal> {
    let all = target.inventory.secret_stores.as_slice();
    let refuse = |text: String, hint: String| Err(Refusal::new(Why::BadRequest, text).hint(hint));
    let names: Vec<_> = all.iter().map(|it| it.name.as_str()).collect();
    let there = || format!("there are: {}", names.join(", "));
    if all.is_empty() {
        let text = "the inventory names no store to deliver to";
        return Err(Refusal::new(Why::Pointless, text).hint("add a [[secret-store]] to it"));
    }
    if let Some(wanted) = wanted {
        return match target.inventory.secret_store(wanted) {
            Some(store) => Ok((store, Vec::new())),
            None => refuse(format!("there is no store `{}`", SafeText::new(wanted)), there()),
        };
    }
    let told = target.told.deliver.iter().filter_map(|it| target.inventory.secret_store(it));
    let told: Vec<_> = told.collect();
    match (told.as_slice(), all) {
        ([], [only]) => Ok((only, Vec::new())),
        ([store, others @ ..], _) if others.is_empty() || !moves_key => {
            Ok((store, others.to_vec()))
        }
        _ => refuse("to which store?".to_owned(), format!("--{TO} STORE; {}", there())),
    }
}

fn offers(target: &Target<'_>) -> Vec<Offer> {
    let all = target.inventory.secret_stores.iter();
    all.map(|it| Offer::new(&it.name, format!("{} at {}", it.kind.name(), it.url))).collect()
}

/// What is typed to let a key go: the same as wherever one moves.
fn phrase(name: &PlaceName) -> String {
    format!("move key {name}")
}

/// The choice of a store.
pub(super) const TO: &str = "to";
const WITH_KEY: &str = "with-key";

#[cfg(test)]
mod tests {
    use super::super::sample::{certificate, place, sample, sighting};
    use super::super::{Answer, Ask, Review};
    use super::*;
    use crate::fleet::{DAY, Fingerprint};

    const HERE: &str = "web-01/www.example.net";
    const TO_VAULT: &[(&str, &str)] = &[("to", "vault-main")];
    const WITH: &[(&str, &str)] = &[("to", "vault-main"), ("with-key", "yes")];

    #[test]
    fn a_certificate_goes_alone() {
        insta::assert_snapshot!(sample().card("deliver", TO_VAULT), @r"
        web-01/www.example.net Change None Delivered(bac57df66fe6368188d1d4521bcffaecee76a03a50ff297a13439f7164de0a5f)
        What   www.example.net on web-01 (serial 049ad2c3…, 39h left of 90.0d; also example.net)
        Effect certdeck/web-01/www.example.net in vault-main (vault-kv2) gets a new version
        Effect it holds the certificate with its chain: valid until 2026-11-24T18:12:44Z (39h left)
        Effect no private key leaves the host
        Cost   nothing at the CA
        Undo   the version before stays in the store; how it comes back is told with its number
        Proof  the store is read back, and holds bac57df6…
        Note   nothing is written if it is there already, or if somebody else writes in between
        ");
        let plan = sample().plan("deliver", HERE, &[("to", "edge")]).unwrap();
        let leaf = place().layers.disk.unwrap().chain.leaf.sha256;
        assert_eq!(plan.expect, Expect::Leaf(leaf));
        let path = "tls/www.example.net".to_owned();
        assert_eq!(plan.delivers, Some(Delivery { store: "edge".to_owned(), path }));
        let bring = plan.brings.unwrap();
        assert_eq!((bring.host.as_str(), bring.key, bring.leaf), ("web-01", None, leaf));
        // The host is given nothing to do.
        assert!(plan.commands.is_empty() && plan.files.is_empty() && plan.phrase.is_none());
    }

    #[test]
    fn a_key_goes_only_by_its_own_words() {
        let fleet = sample();
        let review = || Review::new(vec![sample().plan("deliver", HERE, WITH).unwrap()]);
        assert_eq!(review().ask(), Ask::Type("move key www.example.net".to_owned()));
        let confirm = |it| review().confirm(it, &fleet.fleet, super::super::sample::NOW).is_ok();
        for wrong in ["www.example.net", "1", HERE, ""] {
            assert!(!confirm(Answer::Yes(wrong)) && !confirm(Answer::Typed(wrong)), "{wrong}");
        }
        assert!(!confirm(Answer::Key));
        assert!(confirm(Answer::Typed("move key www.example.net")));
        let plan = sample().plan("deliver", HERE, WITH).unwrap();
        let key = "/etc/letsencrypt/live/www.example.net/privkey.pem";
        assert_eq!(plan.brings.unwrap().key.as_deref(), Some(key));
        assert_eq!(plan.tier, Tier::Risky);
    }

    #[test]
    fn what_would_harm_is_refused() {
        let refuses = |it: super::super::sample::Sample, choices, why, text| {
            it.refuses("deliver", choices, why, text);
        };
        let leaf = |change: fn(&mut crate::fleet::Certificate)| {
            sample().with(|it| {
                let mut leaf = certificate(2, -DAY, 89 * DAY);
                change(&mut leaf);
                it.layers.disk = Some(sighting(leaf, "/etc/letsencrypt/live/x/fullchain.pem"));
            })
        };
        let gone = leaf(|it| it.not_after = super::super::sample::NOW);
        refuses(gone, TO_VAULT, Why::Pointless, "it has expired");
        let staging = leaf(|it| it.issuer = SafeText::new("CN=(STAGING) Riddling Rhubarb R12"));
        refuses(staging, TO_VAULT, Why::Pointless, "staging authority");
        let odd = sample().with(|it| {
            it.key.as_mut().unwrap().spki = Some(Fingerprint::of(b"another"));
        });
        refuses(odd, WITH, Why::Pointless, "whether its private key belongs to it");
        let unknown = sample().with(|it| it.key = None);
        refuses(unknown, WITH, Why::Pointless, "whether its private key belongs to it");
        let strange = sample().with(|it| it.name = PlaceName::new("*.example.net"));
        let told = strange.plan("deliver", "web-01/*.example.net", TO_VAULT).unwrap_err();
        assert!(told.text.contains("would hold `*`"), "{told:?}");
    }

    #[test]
    fn a_store_is_one_of_the_inventory() {
        let it = sample();
        it.refuses("deliver", &[], Why::BadRequest, "there are: vault-main, edge");
        it.refuses("deliver", &[("to", "valt")], Why::BadRequest, "there is no store `valt`");
        let choices = [("to", "edge"), ("with-key", "please")];
        it.refuses("deliver", &choices, Why::BadRequest, "no other value than `yes`");
        let mut it = sample();
        it.inventory.secret_stores.truncate(1);
        assert_eq!(it.plan("deliver", HERE, &[]).unwrap().delivers.unwrap().store, "vault-main");
        // Those that the host names go before.
        let mut both = sample();
        let deliver = |it: &mut super::super::sample::Sample, names: [&str; 2]| {
            let host = it.inventory.hosts.iter_mut().find(|it| it.name.as_str() == "web-01");
            host.unwrap().deliver = names.map(str::to_owned).into();
        };
        deliver(&mut both, ["edge", "vault-main"]);
        let plan = both.plan("deliver", HERE, &[]).unwrap();
        assert_eq!(
            (plan.delivers.unwrap().store, plan.then[0].store.as_str()),
            ("edge".into(), "vault-main")
        );
        assert_eq!(both.plan("deliver", HERE, TO_VAULT).unwrap().then, []);
        let told = "then delivered to vault-main (vault-kv2) at certdeck/web-01/www.example.net, without its key";
        assert_eq!(plan.effect.last().unwrap(), told);
        both.refuses("deliver", &[("with-key", "yes")], Why::BadRequest, "to which store?");
        it.inventory.secret_stores.clear();
        it.refuses("deliver", &[], Why::Pointless, "add a [[secret-store]]");
    }
}
