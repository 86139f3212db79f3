//! `replace-chain`.

use super::card::{self, Lineage};
use super::certbot::{self, is_exact};
use super::plan::{Command, Expect, Promise};
use super::{
    Choice, Chosen, Kind, Offer, Plan, Refusal, Subject, Target, Tier, Why, chain, script, server,
};
use crate::inventory::Impact;
use crate::text::SafeText;

pub(super) const KIND: Kind = Kind {
    name: "replace-chain",
    keys: "a c",
    title: "replace chain",
    about: "write other intermediates behind the same leaf",
    tier: Tier::Change,
    subject: Subject::Place,
    choices: &[Choice {
        name: super::FROM,
        value: "PLACE",
        about: "`HOST/LINEAGE` that has the right ones, or the SHA-256 of an intermediate; without it, those that last longest",
        is_required: false,
        offers,
    }],
    plan,
};

fn plan(target: &Target<'_>, chosen: &Chosen) -> Result<Plan, Refusal> {
    let lineage = Lineage::of(target)?;
    let Lineage { place, leaf, .. } = lineage;
    let found = chain::choose(target, leaf, chosen.get(super::FROM))?;
    let disk = place.layers.disk.as_ref().map(|it| &it.chain);
    let is_there = disk.is_some_and(|it| {
        let there = it.rest.iter().map(|it| it.sha256);
        there.eq(found.all.iter().map(|it| it.sha256))
    });
    let Some(first) = found.all.first().filter(|_| !is_there) else {
        let text = format!("{} has these intermediates already", place.name);
        let hint = "if they are not served, `reload` lets the server load them";
        return Err(Refusal::new(Why::Pointless, text).hint(hint));
    };
    let files = files(target, &lineage)?;
    let pem = found.pem();
    if pem.len() > MOST_BYTES {
        let text =
            format!("the intermediates have {} bytes, which is more than is sent", pem.len());
        return Err(Refusal::new(Why::Pointless, text));
    }
    let stamp = script::stamp(target.now);
    let mut argv: Vec<String> = ["/bin/sh", "-c"].map(str::to_owned).into();
    argv.extend([script::with_files(REPLACE), "replace-chain".to_owned()]);
    argv.extend([stamp.clone(), pem, leaf.sha256.to_string()]);
    argv.extend(files.iter().flat_map(|it| [it.part.to_owned(), it.path.clone()]));
    let mut commands = vec![Command { argv, env: Vec::new() }];
    let mut effect: Vec<_> = found
        .all
        .iter()
        .map(|it| format!("{} follows the leaf, valid until {}", it.subject, it.not_after))
        .collect();
    effect.push(format!("they are taken from {}", found.seen_at));
    let after = server::afterwards(target, leaf);
    let is_reloaded = !after.commands.is_empty();
    commands.extend(after.commands);
    effect.extend(after.effect);
    if !is_reloaded {
        effect.push("services go on with what they have loaded until they are reloaded".to_owned());
    }
    Ok(Plan {
        place: Some(place.name.clone()),
        source: Some(place.source),
        config_dir: certbot::folder(target).map(str::to_owned),
        effect,
        cost: "nothing at the CA".to_owned(),
        undo: script::undo(&stamp),
        proof: card::proof(
            "the leaf is the same, and each certificate is signed by the next",
            &after.endpoints,
        ),
        notes: {
            let mut notes = lineage.notes();
            notes.push("that the first of them signed the leaf is checked on the host with openssl first; without it nothing is changed".to_owned());
            notes
        },
        files: files.into_iter().map(|it| it.path).collect(),
        commands,
        expect: Expect::Leaf(leaf.sha256),
        promise: Promise::Chain(first.sha256),
        impact: if is_reloaded { Impact::Reload } else { Impact::None },
        endpoints: after.endpoints,
        ..card::blank(&KIND, target, None)
    })
}

/// A file that holds intermediates.
struct File {
    /// `full`: behind the leaf; `chain`: alone, if the file is there.
    part: &'static str,
    path: String,
}

/// The file of the place, the file with the chain alone that its client keeps beside it, and
/// copies that servers load.
fn files(target: &Target<'_>, lineage: &Lineage<'_>) -> Result<Vec<File>, Refusal> {
    let place = lineage.place;
    let Some(disk) = &place.layers.disk else { return Ok(Vec::new()) };
    let own = disk.location.as_str();
    let mut files = vec![File { part: "full", path: own.to_owned() }];
    let (folder, name) = own.rsplit_once('/').unwrap_or(("", own));
    let alone = match name {
        "fullchain.pem" => Some(format!("{folder}/chain.pem")),
        "fullchain.cer" => Some(format!("{folder}/ca.cer")),
        _ => own.strip_suffix(".crt").map(|it| format!("{it}.issuer.crt")),
    };
    files.extend(alone.map(|path| File { part: "chain", path }));
    for serving in server::loading(target.host, place) {
        for (_, load) in serving.sites {
            let path = load.certificate.as_str();
            if !place.has_file(path) && files.iter().all(|it| it.path != path) {
                files.push(File { part: "full", path: path.to_owned() });
            }
        }
    }
    match files.iter().find(|it| !is_exact(&SafeText::new(&it.path))) {
        None => Ok(files),
        Some(odd) => {
            let text =
                format!("`{}` has characters that cannot be given on", SafeText::new(&odd.path));
            Err(Refusal::new(Why::Unknown, text).hint("mend it on the host itself"))
        }
    }
}

fn offers(target: &Target<'_>) -> Vec<Offer> {
    let Ok(lineage) = Lineage::of(target) else { return Vec::new() };
    let mut offers: Vec<Offer> = Vec::new();
    for it in chain::known(target.fleet, lineage.leaf) {
        let Some(first) = it.all.first() else { continue };
        let value =
            if it.seen_at.contains(" on ") { first.sha256.to_string() } else { it.seen_at.clone() };
        if offers.len() < MOST_OFFERS && offers.iter().all(|it| it.value != value) {
            let about = format!("{}, until {}", first.subject, first.not_after);
            offers.push(Offer::new(value, about));
        }
    }
    offers
}

/// A record of the audit log takes 16 KiB, and holds the script, too.
const MOST_BYTES: usize = 8000;
const MOST_OFFERS: usize = 20;

/// Arguments: the stamp, the intermediates as PEM, SHA-256 of the leaf, then pairs of `full` or
/// `chain` and a file.
const REPLACE: &str = r#"
pem=$2 want=$3
shift 3
need openssl
begin
printf '%s' "$pem" >"$B/new-chain" || refuse "$B cannot be written"
n=$#
while [ "$n" -gt 0 ]; do
  part=$1 f=$(readlink -f "$2") g=$2
  shift 2; n=$((n-2))
  if [ "$part" = chain ] && ! [ -e "$g" ]; then continue; fi
  [ -f "$f" ] && [ -w "$f" ] || refuse "$g is no file that can be written"
  if [ "$part" = full ]; then
    [ "$(digest "$f")" = "$want" ] || refuse "$g does not begin with the certificate that was reviewed"
    openssl x509 -in "$f" -out "$B/leaf" 2>/dev/null || refuse "$g cannot be read"
  fi
  set -- "$@" "$part" "$f"
done
openssl verify -no_check_time -partial_chain -trusted "$B/new-chain" "$B/leaf" >/dev/null ||
  refuse "the intermediate has not signed the leaf"
while [ $# -gt 0 ]; do
  if [ "$1" = chain ]; then swap "$2" cat "$B/new-chain"
  else swap "$2" awk -v chain="$B/new-chain" '
    /^-----BEGIN CERTIFICATE-----/ { n++; skip = n > 1 }
    !skip { print }
    /^-----END CERTIFICATE-----/ {
      if (n == 1) while ((getline line < chain) > 0) print line
      skip = 0
    }' "$2"
  fi
  [ "$1" = chain ] || [ "$(digest "$2")" = "$want" ] || back "$2 has lost its leaf"
  shift 2
done
rm -f "$B/leaf" "$B/new-chain"
"#;

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::sample::{Sample, certificate, place, sample, serving, sighting};
    use super::*;
    use crate::fleet::{Certificate, DAY, Moment, Place, Seen, Server};

    /// An intermediate of the sample's issuer.
    fn intermediate(number: u32, ends: i64) -> Arc<Certificate> {
        Arc::new(Certificate {
            subject: SafeText::new("CN=YE1,O=Let's Encrypt,C=US"),
            issuer: SafeText::new("CN=Root YE"),
            is_ca: true,
            der: Some(Arc::from(number.to_be_bytes().as_slice())),
            ..certificate(number, -900 * DAY, ends)
        })
    }

    fn behind(mut place: Place, rest: Vec<Arc<Certificate>>) -> Place {
        let disk = place.layers.disk.as_mut().unwrap();
        Arc::make_mut(&mut disk.chain).rest = rest;
        place
    }

    /// `web-01` has an expired intermediate, `web-02` a good one.
    fn with(servers: Vec<Server>) -> Sample {
        let mut fleet = sample();
        let bad = behind(place(), vec![intermediate(10, -DAY)]);
        let good = behind(place(), vec![intermediate(11, 900 * DAY)]);
        fleet.see("web-01", Seen { places: vec![bad], servers, ..Seen::default() });
        fleet.see("web-02", Seen { places: vec![good], ..Seen::default() });
        fleet
    }

    #[test]
    fn the_intermediates_that_last_longest_are_written() {
        let path = "/etc/letsencrypt/live/www.example.net/fullchain.pem";
        let fleet = with(vec![serving("nginx", path, "www.example.net", 443)]);
        let plan = fleet.plan("replace-chain", "web-01/www.example.net", &[]).unwrap();
        let [replace, test, reload] = &plan.commands[..] else { panic!("{:?}", plan.commands) };
        let pem = "-----BEGIN CERTIFICATE-----\nAAAACw==\n-----END CERTIFICATE-----\n";
        assert_eq!(replace.argv[5], pem);
        let chain = path.replace("fullchain", "chain");
        assert_eq!(replace.argv[7..], ["full", path, "chain", &chain]);
        assert!(test.line().ends_with("-t") && reload.line().contains("reload"));
        assert_eq!(plan.promise, Promise::Chain(intermediate(11, 0).sha256));
        for from in ["web-02/www.example.net", &intermediate(11, 0).sha256.to_string()] {
            let same = fleet.plan("replace-chain", "web-01/www.example.net", &[("from", from)]);
            assert_eq!(same.unwrap().commands, plan.commands);
        }
    }

    #[test]
    fn what_does_not_help_is_refused() {
        let refused = |fleet: &Sample, from: &[(&'static str, &str)], why, text: &str| {
            fleet.refuses("replace-chain", from, why, text);
        };
        refused(&sample(), &[], Why::Unknown, "no valid intermediate of CN=YE1");
        let from = [("from", "web-01/www.example.net")];
        refused(&with(Vec::new()), &from, Why::Pointless, "have expired");
        refused(&with(Vec::new()), &[("from", "web-09/x")], Why::BadRequest, "has no intermediate");
        let mut same = sample();
        let good = behind(place(), vec![intermediate(11, 900 * DAY)]);
        same.see("web-01", Seen { places: vec![good], ..Seen::default() });
        refused(&same, &[], Why::Pointless, "has these intermediates already");
    }

    #[test]
    fn copies_that_servers_load_are_written_too() {
        let mut fleet = with(Vec::new());
        let host = fleet.fleet.hosts().next().unwrap();
        let places = host.places.clone();
        let path = "/etc/haproxy/www.pem";
        let leaf = places[0].layers.disk.as_ref().unwrap().chain.leaf.as_ref().clone();
        let chain = sighting(leaf, path).chain;
        let loaded = vec![crate::fleet::Loaded {
            path: SafeText::new(path),
            chain: Ok(chain),
            changed: None::<Moment>,
        }];
        let servers = vec![serving("haproxy", path, "www.example.net", 443)];
        fleet.see("web-01", Seen { places, servers, loaded, ..Seen::default() });
        let plan = fleet.plan("replace-chain", "web-01/www.example.net", &[]).unwrap();
        assert_eq!(plan.files.last().unwrap(), path);
    }
}
