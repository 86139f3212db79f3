//! `transplant`.

use super::card;
use super::certbot::{self, Certbot, checked_name, is_exact};
use super::plan::{Bring, Command, Expect, Promise};
use super::share::same_names;
use super::{
    Choice, Chosen, Kind, Offer, Plan, Refusal, Subject, Target, Tier, Why, chain, cluster, hook,
    issue, rollback, script, server, share,
};
use crate::fleet::{Certificate, HookStage, Host, HostName, OWN, Place, PlaceName, Reach, human};
use crate::inventory::Impact;
use crate::text::SafeText;

pub(super) const KIND: Kind = Kind {
    name: "transplant",
    keys: "a t",
    title: "transplant",
    about: "bring the certificate of a sibling, its key if it must",
    tier: Tier::Risky,
    subject: Subject::Lineage,
    choices: &[Choice {
        name: super::FROM,
        value: "PLACE",
        about: "`HOST/LINEAGE` that has a good one for the same names; without it, the one that lasts longest",
        is_required: false,
        offers,
    }],
    plan,
};

fn plan(target: &Target<'_>, chosen: &Chosen) -> Result<Plan, Refusal> {
    let Some(place) = target.place else { return newcomer(target, chosen) };
    let spot = choose(target, place, chosen.get(super::FROM))?;
    let leaf = check(target, place, spot)?;
    let is_kept = place.key.as_ref().and_then(|it| it.spki) == Some(leaf.spki_sha256);
    let bring = bring(spot, leaf, is_kept)?;
    if place.is_own() {
        return issue::brought_plan(&KIND, target, (leaf, bring), spot.place);
    }
    let stamp = script::stamp(target.now);
    let from = chain::name(spot.host, spot.place);
    let mut effect = vec![format!(
        "the certificate of {from} comes here: valid until {} ({} left)",
        leaf.not_after,
        human(leaf.left(target.now))
    )];
    effect.push(if is_kept {
        "the private key here fits it and stays; none moves".to_owned()
    } else {
        card::moved_key(&spot.host.name, &target.host.name)
    });
    let (install, certbot) = match place.source {
        certbot::KIND => {
            let certbot = Certbot::of(target)?;
            (of_certbot(target, &certbot, leaf, is_kept, &mut effect)?, Some(certbot))
        }
        "pem" => (of_files(place, leaf, is_kept, &stamp, &mut effect)?, None),
        cluster::KIND => return Err(cluster::only_there(place)),
        other => {
            let text =
                format!("{} is kept by {other}, whose own files would not know of it", place.name);
            let hint = "renew it there, or transplant into the files that the server loads";
            return Err(Refusal::new(Why::Pointless, text).hint(hint));
        }
    };
    let mut commands = install.commands;
    let hooks = certbot.as_ref().map(|it| it.hooks(HookStage::Deploy)).unwrap_or_default();
    if let Some(certbot) = &certbot {
        let live = certbot.live(place.name.as_str());
        commands.extend(hook::commands(&hooks, &live, leaf)?);
        effect.extend(card::effect_of(&hooks));
    }
    let after = if card::reloads(&hooks) {
        server::Afterwards::default()
    } else {
        server::afterwards(target, leaf)
    };
    let is_reloaded = !after.commands.is_empty();
    commands.extend(after.commands);
    effect.extend(after.effect);
    if hooks.is_empty() && !is_reloaded {
        effect.push("services go on with what they have loaded until they are reloaded".to_owned());
    }
    let endpoints = match (hooks.is_empty(), is_reloaded) {
        (true, false) => Vec::new(),
        (true, true) => after.endpoints,
        (false, _) => card::endpoints(target, &leaf.names),
    };
    let own = if is_reloaded { Impact::Reload } else { Impact::None };
    let live = place.layers.disk.as_ref().map(|it| it.chain.leaf.sha256);
    let mut notes = vec!["that key and certificate belong together is checked on this host with openssl first; without it nothing is changed".to_owned()];
    if place.renewal.is_some() {
        notes.push("it still renews on its own account here: find out why it did not".to_owned());
    }
    notes.extend(card::clock(target));
    Ok(Plan {
        place: Some(place.name.clone()),
        source: Some(place.source),
        config_dir: certbot::folder(target).map(str::to_owned),
        tier: if is_kept { Tier::Change } else { KIND.tier },
        effect,
        cost: "nothing at the CA".to_owned(),
        undo: install.undo,
        proof: card::proof(
            &format!("the files hold {}…, and the key fits", leaf.sha256.short()),
            &endpoints,
        ),
        notes,
        files: install.files,
        commands,
        expect: live.map_or(Expect::Anything, Expect::Leaf),
        promise: Promise::Leaf(leaf.sha256),
        impact: own.max(card::impact_of(&hooks)),
        endpoints,
        phrase: (!is_kept).then(|| format!("move key {}", place.name)),
        brings: Some(bring),
        ..card::blank(&KIND, target, None)
    })
}

/// A lineage that another host has, into our store, where the host has none of that name.
fn newcomer(target: &Target<'_>, chosen: &Chosen) -> Result<Plan, Refusal> {
    let name = checked_name(target.lineage.unwrap_or_default())?;
    let Some(wanted) = chosen.get(super::FROM) else {
        let text = format!("{} has no lineage {name}: whose should come?", target.host.name);
        return Err(Refusal::new(Why::BadRequest, text).hint("--from HOST/LINEAGE"));
    };
    let spot = named(target, wanted)?;
    let nobody = Place::new(OWN, PlaceName::new(name));
    let leaf = check(target, &nobody, spot)?;
    issue::brought_plan(&KIND, target, (leaf, bring(spot, leaf, false)?), spot.place)
}

/// What a lineage that others share is renewed by: a newer certificate for its key, if one of them
/// has it. One of them orders it: the one whose host comes first by name.
pub(super) fn of_sharers(
    kind: &'static Kind,
    target: &Target<'_>,
    leaf: &Certificate,
) -> Result<Option<Plan>, Refusal> {
    let sharing = share::sharing(target, leaf);
    let until = |place: &Place| place.layers.disk.as_ref().map(|it| it.chain.leaf.not_after);
    let newer = sharing.iter().filter(|it| until(it.1) > Some(leaf.not_after));
    if let Some((host, place)) = newer.max_by_key(|it| until(it.1)) {
        let own = target.place.unwrap_or(place);
        let spot = Spot { host, place };
        let leaf = check(target, own, spot)?;
        let plan = issue::brought_plan(kind, target, (leaf, bring(spot, leaf, true)?), place)?;
        return Ok(Some(plan));
    }
    let first = sharing.iter().map(|it| it.0).min_by(|a, b| a.name.cmp(&b.name));
    match first.filter(|it| it.name < target.host.name) {
        Some(first) => {
            let text = format!("its key is shared, and {} orders the next certificate", first.name);
            let hint = "`renew` it there; then `renew` here brings it, and no key moves";
            Err(Refusal::new(Why::Pointless, text).hint(hint))
        }
        None => Ok(None),
    }
}

/// A place with its host.
#[derive(Debug, Clone, Copy)]
struct Spot<'a> {
    host: &'a Host,
    place: &'a Place,
}

/// The sibling that was chosen, or the one that lasts longest.
fn choose<'a>(
    target: &Target<'a>,
    place: &Place,
    wanted: Option<&str>,
) -> Result<Spot<'a>, Refusal> {
    let Some(wanted) = wanted else {
        let good =
            siblings(target, place).into_iter().filter(|it| check(target, place, *it).is_ok());
        let until = |it: &Spot<'_>| it.place.layers.disk.as_ref().map(|it| it.chain.leaf.not_after);
        return good.max_by_key(until).ok_or_else(|| {
            let text = format!("no other host is known to have a better one than {}", place.name);
            Refusal::new(Why::Pointless, text).hint("`renew` orders one")
        });
    };
    named(target, wanted)
}

fn named<'a>(target: &Target<'a>, wanted: &str) -> Result<Spot<'a>, Refusal> {
    let found = wanted.split_once('/').and_then(|(host, name)| {
        let host = target.fleet.host(&HostName::new(host))?;
        let place = host.places.iter().find(|it| it.name.as_str() == name)?;
        Some(Spot { host, place })
    });
    found.ok_or_else(|| {
        let text = format!("there is no `{}`", SafeText::new(wanted));
        Refusal::new(Why::BadRequest, text).hint("--from HOST/LINEAGE")
    })
}

/// The places of other hosts for the same names.
fn siblings<'a>(target: &Target<'a>, place: &Place) -> Vec<Spot<'a>> {
    let Some(leaf) = place.layers.disk.as_ref().map(|it| &it.chain.leaf) else { return Vec::new() };
    let hosts = target.fleet.hosts().filter(|it| it.name != target.host.name);
    let spots = hosts.flat_map(|host| host.places.iter().map(move |place| Spot { host, place }));
    let has_names = |it: &Spot<'_>| {
        it.place.layers.disk.as_ref().is_some_and(|it| same_names(&it.chain.leaf, leaf))
    };
    spots.filter(has_names).collect()
}

/// The leaf of a sibling, if it is better than what is here.
fn check<'a>(
    target: &Target<'_>,
    place: &Place,
    spot: Spot<'a>,
) -> Result<&'a Certificate, Refusal> {
    let from = chain::name(spot.host, spot.place);
    let refuse = |why, text: String| Err(Refusal::new(why, text));
    if spot.host.name == target.host.name {
        return refuse(Why::BadRequest, format!("{from} is on the same host"));
    }
    if spot.host.reach != Reach::Up {
        return refuse(Why::Unknown, format!("{from} could not be read the last time"));
    }
    let Some(disk) = &spot.place.layers.disk else {
        return refuse(Why::Unknown, format!("the certificate of {from} could not be read"));
    };
    let leaf = &*disk.chain.leaf;
    if leaf.not_after <= target.now || leaf.not_before > target.now {
        return refuse(Why::Pointless, format!("the certificate of {from} is not valid now"));
    }
    if leaf.is_of_staging() || leaf.is_self_issued() || disk.chain.fault.is_some() {
        return refuse(Why::Pointless, format!("no client would trust the certificate of {from}"));
    }
    if spot.place.key_matches() == Some(false) {
        return refuse(
            Why::Pointless,
            format!("the key of {from} does not belong to its certificate"),
        );
    }
    let Some(own) = place.layers.disk.as_ref().map(|it| &it.chain.leaf) else { return Ok(leaf) };
    if !same_names(own, leaf) {
        let names: Vec<_> = leaf.names.iter().map(SafeText::as_str).collect();
        return refuse(Why::Pointless, format!("{from} is for other names: {}", names.join(", ")));
    }
    let is_whole = place.key_matches() != Some(false)
        && place.layers.disk.as_ref().is_none_or(|it| it.chain.fault.is_none());
    if is_whole && (own.sha256 == leaf.sha256 || own.not_after >= leaf.not_after) {
        let what = if own.sha256 == leaf.sha256 { "has the same" } else { "has no better one" };
        let refusal = Refusal::new(Why::Pointless, format!("{from} {what}"));
        return Err(refusal.hint("if it is not served here, `reload` lets the server load it"));
    }
    Ok(leaf)
}

/// What is read on the host of the sibling.
fn bring(spot: Spot<'_>, leaf: &Certificate, is_kept: bool) -> Result<Bring, Refusal> {
    let from = chain::name(spot.host, spot.place);
    let Some(disk) = &spot.place.layers.disk else {
        return Err(Refusal::new(Why::Unknown, format!("the files of {from} are not known")));
    };
    let key = match (&spot.place.key, is_kept) {
        (_, true) => None,
        (Some(key), false) => Some(&key.path),
        (None, false) => {
            let text = format!("where the private key of {from} lies is not known");
            return Err(Refusal::new(Why::Unknown, text));
        }
    };
    if let Some(odd) = [&disk.location].into_iter().chain(key).find(|it| !is_exact(it)) {
        let text = format!("`{odd}` has characters that cannot be given on");
        return Err(Refusal::new(Why::Unknown, text));
    }
    Ok(Bring {
        host: spot.host.name.clone(),
        certificate: disk.location.to_string(),
        key: key.map(ToString::to_string),
        leaf: leaf.sha256,
    })
}

/// How what was brought is put in place.
struct Install {
    commands: Vec<Command>,
    files: Vec<String>,
    undo: String,
}

/// As the next version in the archive, to which the links are led as a roll-back leads them.
fn of_certbot(
    target: &Target<'_>,
    certbot: &Certbot<'_>,
    leaf: &Certificate,
    is_kept: bool,
    effect: &mut Vec<String>,
) -> Result<Install, Refusal> {
    let name = checked_name(target.lineage.unwrap_or_default())?;
    let (live, archive) = (certbot.live(name), certbot.archive(name));
    let versions = target.place.map(|it| it.versions.as_slice()).unwrap_or_default();
    let number = versions.iter().map(|it| it.number).max().unwrap_or_default() + 1;
    effect.push(format!(
        "it becomes version {number} in {archive}, and the four links in {live} lead to it"
    ));
    let how = if is_kept { "keep" } else { "move" };
    let mut argv: Vec<String> = ["/bin/sh", "-c", ADD, "transplant"].map(str::to_owned).into();
    argv.extend([
        live.clone(),
        archive.clone(),
        number.to_string(),
        leaf.sha256.to_string(),
        how.to_owned(),
    ]);
    let old = target.place.and_then(|place| {
        let leaf = &place.layers.disk.as_ref()?.chain.leaf;
        let is_it = |it: &&crate::fleet::Version| {
            it.certificate.as_ref().is_some_and(|it| it.sha256 == leaf.sha256)
        };
        place.versions.iter().find(is_it).map(|it| it.number)
    });
    Ok(Install {
        commands: vec![
            Command { argv, env: Vec::new() },
            rollback::relink(&live, &archive, number, leaf),
        ],
        files: vec![format!("{archive}/*{number}.pem"), format!("{live}/*.pem")],
        undo: old.map_or_else(
            || "the old version stays in the archive".to_owned(),
            |it| format!("roll back to version {it}"),
        ),
    })
}

/// Into the files themselves.
fn of_files(
    place: &Place,
    leaf: &Certificate,
    is_kept: bool,
    stamp: &str,
    effect: &mut Vec<String>,
) -> Result<Install, Refusal> {
    let unknown = |what: &str| {
        Refusal::new(Why::Unknown, format!("where the {what} of {} lies is not known", place.name))
    };
    let certificate = place.layers.disk.as_ref().ok_or_else(|| unknown("certificate"))?;
    let key = place.key.as_ref().ok_or_else(|| unknown("private key"))?;
    if let Some(odd) = [&certificate.location, &key.path].into_iter().find(|it| !is_exact(it)) {
        let text = format!("`{odd}` has characters that cannot be given on");
        return Err(Refusal::new(Why::Unknown, text));
    }
    let (certificate, key) = (certificate.location.to_string(), key.path.to_string());
    let how = if is_kept { "keep" } else { "move" };
    let mut files = vec![certificate.clone()];
    if !is_kept && key != certificate {
        files.push(key.clone());
    }
    effect.extend(files.iter().map(|it| format!("{it} is written, its mode and owner kept")));
    let mut argv: Vec<String> = ["/bin/sh", "-c"].map(str::to_owned).into();
    argv.extend([script::with_files(WRITE), "transplant".to_owned(), stamp.to_owned()]);
    argv.extend([certificate, key, leaf.sha256.to_string(), how.to_owned()]);
    Ok(Install {
        commands: vec![Command { argv, env: Vec::new() }],
        files,
        undo: script::undo(stamp),
    })
}

fn offers(target: &Target<'_>) -> Vec<Offer> {
    let Some(place) = target.place else { return Vec::new() };
    let good = siblings(target, place).into_iter();
    good.filter_map(|it| {
        let leaf = check(target, place, it).ok()?;
        let about = format!("{} left, serial {}", human(leaf.left(target.now)), leaf.serial);
        Some(Offer::new(chain::name(it.host, it.place), about))
    })
    .collect()
}

/// Arguments: the live folder, the archive, the number of the new version, SHA-256 of the leaf,
/// and `keep` where the key in place stays. What was brought is in the file that the environment
/// names. Four new files, whole or none of them.
const ADD: &str = r#"
live=$1 archive=$2 n=$3 want=$4 how=$5 in=$CERTDECK_INPUT
say() { printf 'transplant: %s\n' "$*" >&2; }
away() { rm -f "$archive/cert$n.pem" "$archive/chain$n.pem" "$archive/fullchain$n.pem" "$archive/privkey$n.pem"; }
refuse() { say "$*; nothing was changed"; exit 3; }
undo() { away; refuse "$*"; }
[ -f "$in" ] || refuse "nothing was brought"
command -v openssl >/dev/null || refuse "there is no openssl"
for k in cert chain fullchain privkey; do
  [ -e "$archive/$k$n.pem" ] || [ -L "$archive/$k$n.pem" ] && refuse "$archive/$k$n.pem is there already"
done
[ -d "$archive" ] && [ -w "$archive" ] || refuse "$archive may not be written"
trap 'undo "told to stop"' TERM INT HUP
blocks() { awk -v from="$1" -v to="$2" '/^-----BEGIN CERTIFICATE-----/ { n++; on = n >= from && n <= to } on { print } /^-----END CERTIFICATE-----/ { on = 0 }' "$in"; }
umask 022
blocks 1 1 >"$archive/cert$n.pem" && blocks 2 99 >"$archive/chain$n.pem" && blocks 1 99 >"$archive/fullchain$n.pem" || undo "$archive cannot be written"
umask 077
old=$(readlink -f "$live/privkey.pem")
if [ "$how" = keep ]; then
  case $old in "$(readlink -f "$archive")"/*) ln -s "${old##*/}" "$archive/privkey$n.pem";; *) cp -p "$old" "$archive/privkey$n.pem";; esac
else
  [ ! -f "$old" ] || cp -p "$old" "$archive/privkey$n.pem"
  awk '/^-----BEGIN .*PRIVATE KEY-----/ { on = 1 } on { print } /^-----END .*PRIVATE KEY-----/ { on = 0 }' "$in" >"$archive/privkey$n.pem"
fi || undo "the key cannot be written"
spki=$(openssl x509 -in "$archive/cert$n.pem" -noout -pubkey 2>/dev/null)
own=$(openssl pkey -in "$archive/privkey$n.pem" -pubout -passin pass: </dev/null 2>/dev/null)
[ -n "$spki" ] && [ "$spki" = "$own" ] || undo "the key does not belong to the certificate"
got=$(openssl x509 -in "$archive/cert$n.pem" -noout -fingerprint -sha256 | sed 's/.*=//; s/://g' | tr A-F a-f)
[ "$got" = "$want" ] || undo "it is not the certificate that was reviewed"
sync
"#;

/// Arguments: the stamp, the file of the certificate, that of the key, which may be the same,
/// SHA-256 of the leaf, and `keep` where the key in place stays.
const WRITE: &str = r#"
file=$(readlink -f "$2") key=$(readlink -f "$3") want=$4 how=$5 in=$CERTDECK_INPUT
[ -f "$in" ] || refuse "nothing was brought"
need openssl
[ "$(digest "$in")" = "$want" ] || refuse "it is not the certificate that was reviewed"
for f in "$file" "$key"; do
  [ -f "$f" ] && [ -w "$f" ] || refuse "$f is no file that can be written"
done
if [ "$how" = keep ]; then fits "$in" "$key"; else fits "$in" "$in"; fi || refuse "the key does not belong to the certificate"
begin
umask 077
only() { awk -v what="$1" '
  /^-----BEGIN / { on = /CERTIFICATE-----/ ? what == "certificates" : /PRIVATE KEY-----/ ? what == "key" : 0 }
  on { print }
  /^-----END / { on = 0 }' "$2"; }
both() { only certificates "$in" && only key "$1"; }
from=$in
[ "$how" = keep ] && from=$key
if [ "$file" = "$key" ]; then
  # What is read is replaced: it stays readable in the copy that is kept.
  cp -p "$file" "$B/before" && [ "$how" = keep ] && from=$B/before
  swap "$file" both "$from"
else
  [ "$how" = keep ] || swap "$key" only key "$in"
  swap "$file" only certificates "$in"
fi
rm -f "$B/before"
fits "$file" "$key" || back "the pair does not fit"
"#;

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::sample::{NOW, Sample, certificate, place, sample, sighting};
    use super::super::{Answer, Ask, Review};
    use super::*;
    use crate::fleet::{DAY, Fingerprint, KeySight, Seen};

    const LIVE: &str = "/srv/le/live/www.example.net/fullchain.pem";

    /// `web-02` has a newer version than `web-01`, with that key.
    fn with(number: u32, change: impl FnOnce(&mut Place)) -> Sample {
        let mut fleet = sample();
        let mut other = place();
        let leaf = certificate(number, -DAY, 89 * DAY);
        other.key = Some(KeySight {
            path: SafeText::new("/srv/le/live/www.example.net/privkey.pem"),
            stamp: None,
            spki: Some(leaf.spki_sha256),
        });
        other.layers.disk = Some(sighting(leaf, LIVE));
        change(&mut other);
        fleet.see("web-02", Seen { places: vec![other], ..Seen::default() });
        fleet
    }

    const HERE: &str = "web-01/www.example.net";
    const FROM: &[(&str, &str)] = &[("from", "web-02/www.example.net")];

    #[test]
    fn a_better_one_comes_with_its_key() {
        let fleet = with(3, |_| ());
        let plan = fleet.plan("transplant", HERE, FROM).unwrap();
        let leaf = certificate(3, 0, 1).sha256;
        let bring = plan.brings.clone().unwrap();
        assert_eq!((bring.host.as_str(), bring.certificate.as_str()), ("web-02", LIVE));
        assert_eq!(bring.key.as_deref(), Some("/srv/le/live/www.example.net/privkey.pem"));
        let [add, relink, reload] = &plan.commands[..] else { panic!("{:?}", plan.commands) };
        assert_eq!(add.argv[6..], ["3", &leaf.to_string(), "move"]);
        assert_eq!(relink.argv[6], "3");
        assert_eq!(reload.argv[2], "nginx -t && systemctl reload nginx");
        assert_eq!((plan.promise.clone(), plan.tier), (Promise::Leaf(leaf), Tier::Risky));
        assert_eq!(fleet.plan("transplant", HERE, &[]).unwrap().commands, plan.commands);
    }

    #[test]
    fn a_key_moves_only_by_its_own_words() {
        let review = || Review::new(vec![with(3, |_| ()).plan("transplant", HERE, FROM).unwrap()]);
        assert_eq!(review().ask(), Ask::Type("move key www.example.net".to_owned()));
        let fleet = with(3, |_| ());
        let confirm = |answer| review().confirm(answer, &fleet.fleet, NOW).is_ok();
        for wrong in ["www.example.net", "1", HERE, ""] {
            assert!(!confirm(Answer::Yes(wrong)) && !confirm(Answer::Typed(wrong)), "{wrong}");
        }
        assert!(confirm(Answer::Yes("move key www.example.net")));
        assert!(confirm(Answer::Typed("move key www.example.net")));
        // What was to come has been replaced meanwhile.
        assert!(review().stale(&with(4, |_| ()).fleet).is_some());
    }

    #[test]
    fn a_key_that_fits_stays() {
        let fleet = with(3, |other| {
            // Renewed with the same key.
            let spki = certificate(2, 0, 1).spki_sha256;
            let disk = other.layers.disk.as_mut().unwrap();
            Arc::make_mut(&mut Arc::make_mut(&mut disk.chain).leaf).spki_sha256 = spki;
            other.key.as_mut().unwrap().spki = Some(spki);
        });
        let plan = fleet.plan("transplant", HERE, FROM).unwrap();
        assert_eq!((plan.tier, plan.phrase.as_deref()), (Tier::Change, None));
        assert_eq!(plan.brings.unwrap().key, None);
        assert_eq!(plan.commands[0].argv[8], "keep");
    }

    #[test]
    fn what_is_not_better_is_refused() {
        let refused =
            |fleet: &Sample, why, text: &str| fleet.refuses("transplant", FROM, why, text);
        let disk = |other: &mut Place, leaf| other.layers.disk = Some(sighting(leaf, LIVE));
        refused(&sample(), Why::Pointless, "has the same");
        refused(
            &with(3, |it| disk(it, certificate(3, -DAY, 3600))),
            Why::Pointless,
            "no better one",
        );
        refused(&with(3, |it| disk(it, certificate(3, -DAY, -1))), Why::Pointless, "not valid now");
        refused(
            &with(3, |it| it.key.as_mut().unwrap().spki = Some(Fingerprint::of(b"x"))),
            Why::Pointless,
            "does not belong",
        );
        let mut other = certificate(3, -DAY, 89 * DAY);
        other.names = vec![SafeText::new("shop.example.net")];
        refused(&with(3, |it| disk(it, other)), Why::Pointless, "for other names");
        refused(&with(3, |it| it.key = None), Why::Unknown, "is not known");
        let here = [("from", HERE)];
        sample().refuses("transplant", &here, Why::BadRequest, "on the same host");
        sample().refuses("transplant", &[("from", "x")], Why::BadRequest, "there is no `x`");
    }
}
