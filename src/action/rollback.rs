//! `rollback`.

use super::card::{self, Lineage};
use super::certbot::{Certbot, checked_name};
use super::plan::{Command, Expect, Plan, Promise};
use super::{Choice, Chosen, Kind, Offer, Refusal, Subject, Target, Tier, Why};
use super::{hook, issue, server};
use crate::fleet::{Certificate, HookStage, Moment, Place, ProblemKind, human};
use crate::inventory::Impact;
use crate::text::SafeText;

pub(super) const KIND: Kind = Kind {
    name: "rollback",
    keys: "a b",
    title: "roll back",
    about: "link another archived version live; needs no CA",
    tier: Tier::Risky,
    subject: Subject::Place,
    choices: &[
        Choice {
            name: "to",
            value: "VERSION",
            about: "the number of the version; without it, the one that lasts longest",
            is_required: false,
            offers,
        },
        Choice {
            name: "hook",
            value: "HOOK",
            about: "the hooks that run afterwards, as for `hook`; `none` for none; without it, all deploy hooks",
            is_required: false,
            offers: hook::offers,
        },
    ],
    plan,
};

fn plan(target: &Target<'_>, chosen: &Chosen) -> Result<Plan, Refusal> {
    let Some(place) = target.place else {
        return Err(Refusal::new(Why::BadRequest, "rollback needs a lineage"));
    };
    if place.is_own() {
        let (number, leaf) = choose(place, target.now, chosen.get("to"))?;
        return issue::kept_plan(&KIND, target, number, leaf);
    }
    let certbot = Certbot::of(target)?;
    let name = checked_name(place.name.as_str())?;
    let (number, leaf) = choose(place, target.now, chosen.get("to"))?;
    let lineage = Lineage::of(target).ok();
    let (live, archive) = (certbot.live(name), certbot.archive(name));
    let mut commands = vec![relink(&live, &archive, number, leaf)];
    let mut effect = vec![format!(
        "the four links in {live} lead to version {number}, valid until {} ({} left)",
        leaf.not_after,
        human(leaf.left(target.now))
    )];

    // The hooks are told of the certificate that is live by then.
    let hooks = match chosen.get("hook") {
        Some("none") => Vec::new(),
        None => certbot.hooks(HookStage::Deploy),
        wanted => hook::choose(&certbot, wanted)?,
    };
    commands.extend(hook::commands(&hooks, &live, leaf)?);
    effect.extend(card::effect_of(&hooks));
    let after = if card::reloads(&hooks) {
        server::Afterwards::default()
    } else {
        server::afterwards(target, leaf)
    };
    let is_reloaded = !after.commands.is_empty();
    commands.extend(after.commands);
    effect.extend(after.effect);
    let endpoints = match (hooks.is_empty(), is_reloaded) {
        (true, false) => {
            let text = "no hook runs afterwards: services go on with what they have loaded";
            effect.push(text.to_owned());
            Vec::new()
        }
        (true, true) => after.endpoints,
        (false, _) => card::endpoints(target, &leaf.names),
    };
    let own = if is_reloaded { Impact::Reload } else { Impact::None };

    let mut notes = vec![format!(
        "that key and certificate of version {number} belong together is checked on the host with openssl first; without it nothing is changed"
    )];
    let newest = place.versions.iter().map(|it| it.number).max();
    // `RenewableCert.ensure_deployed` in certbot 2.1.0, dry runs included.
    notes.extend(newest.filter(|it| *it > number).map(|newest| format!(
        "it lasts until the next `certbot renew`, also that of a timer: certbot leads the links to version {newest} again, due or not"
    )));
    notes.extend(lineage.iter().flat_map(|it| differences(it.leaf, leaf)));
    notes.extend(card::clock(target));
    Ok(Plan {
        effect,
        cost: "nothing at the CA".to_owned(),
        undo: match lineage.and_then(|it| it.version()) {
            Some(live) if live != number => format!("roll back to version {live}"),
            _ => "roll back to another version".to_owned(),
        },
        proof: card::proof(
            &format!(
                "the live files hold version {number} ({}…), and its key fits",
                leaf.sha256.short()
            ),
            &endpoints,
        ),
        notes,
        files: vec![format!("{live}/*.pem")],
        commands,
        expect: lineage.map_or(Expect::Anything, |it| Expect::Leaf(it.leaf.sha256)),
        promise: Promise::Leaf(leaf.sha256),
        impact: own.max(card::impact_of(&hooks)),
        endpoints,
        ..card::blank(&KIND, target, Some(&certbot))
    })
}

/// The version that was chosen, or the best there is.
fn choose<'a>(
    place: &'a Place,
    now: Moment,
    wanted: Option<&str>,
) -> Result<(u32, &'a Certificate), Refusal> {
    let candidates = candidates(place, now);
    let Some(wanted) = wanted else {
        return candidates.first().copied().ok_or_else(|| {
            let text =
                format!("no other version of {} that is valid is in its archive", place.name);
            Refusal::new(Why::Pointless, text).hint("`renew` or `issue` order a new one")
        });
    };
    if let Some(found) = candidates.iter().find(|it| it.0.to_string() == wanted) {
        return Ok(*found);
    }
    let version = place.versions.iter().find(|it| it.number.to_string() == wanted);
    let (why, text) = match version.map(|it| it.certificate.as_ref()) {
        None => {
            (Why::BadRequest, format!("{} has no version {}", place.name, SafeText::new(wanted)))
        }
        Some(None) => (Why::Unknown, format!("version {wanted} could not be read")),
        Some(Some(it)) if it.not_after <= now => (
            Why::Pointless,
            format!("version {wanted} expired {} ago", human(now.since(it.not_after))),
        ),
        Some(Some(it)) if it.not_before > now => {
            (Why::Pointless, format!("version {wanted} is not valid before {}", it.not_before))
        }
        Some(Some(_)) => (Why::Pointless, format!("the links lead to version {wanted} already")),
    };
    let numbers: Vec<_> = candidates.iter().map(|it| it.0.to_string()).collect();
    let refusal = Refusal::new(why, text);
    Err(match numbers.as_slice() {
        [] => refusal.hint("no other version is valid: `renew` or `issue` order a new one"),
        numbers => refusal.hint(format!("there are: {}", numbers.join(", "))),
    })
}

/// The versions that are valid now, the longest first. That to which the links lead is one of
/// them only where something is wrong with the links, or with the key in place.
fn candidates(place: &Place, now: Moment) -> Vec<(u32, &Certificate)> {
    let is_wrong = |kind: ProblemKind| {
        let kinds = [
            ProblemKind::BrokenLink,
            ProblemKind::Empty,
            ProblemKind::Missing,
            ProblemKind::MixedVersions,
        ];
        kinds.contains(&kind)
    };
    let is_whole =
        place.key_matches() != Some(false) && !place.problems.iter().any(|it| is_wrong(it.kind));
    let live = place.layers.disk.as_ref().map(|it| it.chain.leaf.sha256).filter(|_| is_whole);
    let valid =
        |it: &Certificate| it.not_before <= now && it.not_after > now && Some(it.sha256) != live;
    let mut found: Vec<_> = place
        .versions
        .iter()
        .filter_map(|it| Some((it.number, it.certificate.as_deref()?)))
        .filter(|(_, it)| valid(it))
        .collect();
    found.sort_by_key(|(number, it)| std::cmp::Reverse((it.not_after, *number)));
    found
}

fn offers(target: &Target<'_>) -> Vec<Offer> {
    let Some(place) = target.place else { return Vec::new() };
    let about = |it: &Certificate| {
        let left = human(it.left(target.now));
        format!("{left} left, serial {}, from {}", it.serial, it.authority())
    };
    let found = candidates(place, target.now).into_iter();
    found.map(|(number, it)| Offer::new(number.to_string(), about(it))).collect()
}

/// How another version differs from the live one in what clients notice.
fn differences(live: &Certificate, other: &Certificate) -> Vec<String> {
    let mut notes = Vec::new();
    let lacks = |a: &Certificate, b: &Certificate| {
        let missing = a.names.iter().filter(|it| !b.names.contains(it));
        missing.map(SafeText::as_str).collect::<Vec<_>>().join(", ")
    };
    let (lost, gained) = (lacks(live, other), lacks(other, live));
    if !lost.is_empty() {
        notes.push(format!("it does not cover {lost}"));
    }
    if !gained.is_empty() {
        notes.push(format!("it also covers {gained}"));
    }
    if other.is_of_staging() {
        notes.push("it is of a staging authority, which no client trusts".to_owned());
    }
    if live.key != other.key {
        notes.push(format!("its key is {}, that in place {}", other.key, live.key));
    }
    notes
}

/// Leads the four links to a version, whole or not at all.
pub(super) fn relink(live: &str, archive: &str, number: u32, leaf: &Certificate) -> Command {
    let words = [live, archive, &number.to_string(), &leaf.sha256.to_string()].map(str::to_owned);
    let argv = ["/bin/sh", "-c", RELINK, "relink"].map(str::to_owned).into_iter().chain(words);
    Command { argv: argv.collect(), env: Vec::new() }
}

/// Arguments: the live folder, the archive folder, the number, SHA-256 of the certificate in DER.
///
/// Nothing is touched before all four files are there, the key belongs to the certificate and
/// the certificate is the one that was reviewed. Each link is replaced by a rename. The key and
/// the chain that services load come last and next to each other, so that they disagree for as
/// short as possible. If a step fails, or the job is told to stop, the links lead back.
const RELINK: &str = r#"
live=$1 archive=$2 n=$3 want=$4 was=
say() { printf 'relink: %s\n' "$*" >&2; }
refuse() { say "$*; nothing was changed"; exit 3; }
spki() { openssl x509 -in "$1" -noout -pubkey 2>/dev/null; }
own() { openssl pkey -in "$1" -pubout -passin pass: </dev/null 2>/dev/null; }
fits() { c=$(spki "$1") && k=$(own "$2") && [ "$c" ] && [ "$c" = "$k" ]; }
digest() { openssl x509 -in "$1" -noout -fingerprint -sha256 2>/dev/null | sed 's/.*=//; s/://g' | tr A-F a-f; }
point() { rm -f "$live/.$1.new" && ln -s "$2" "$live/.$1.new" && mv -f "$live/.$1.new" "$live/$1.pem"; }
back() {
  trap '' TERM INT HUP
  say "$1; the links lead back to where they led"
  for b in $was; do
    case $b in
    *=) rm -f "$live/${b%%=*}.pem";;
    *) point "${b%%=*}" "${b#*=}";;
    esac
  done
  exit "$2"
}
command -v openssl >/dev/null || refuse "there is no openssl, so nobody can tell whether key and certificate fit"
for k in cert chain privkey fullchain; do
  f=$archive/$k$n.pem
  [ -f "$f" ] && [ -s "$f" ] && [ -r "$f" ] || refuse "$f is missing, empty or not readable"
  f=$live/$k.pem
  if [ -L "$f" ] && ! [ -d "$f" ]; then
    t=$(readlink "$f") || refuse "$f cannot be read"
    case $t in *[!A-Za-z0-9/._@+-]*) refuse "$f leads to a path with odd characters";; esac
    was="$k=$t $was"
  elif [ -e "$f" ] || [ -L "$f" ]; then refuse "$f is not a link to a file"
  else was="$k= $was"
  fi
done
fits "$archive/cert$n.pem" "$archive/privkey$n.pem" || refuse "key and certificate of version $n do not belong together"
for k in cert fullchain; do
  [ "$(digest "$archive/$k$n.pem")" = "$want" ] || refuse "$archive/$k$n.pem is not the certificate that was reviewed"
done
openssl x509 -in "$archive/cert$n.pem" -noout -checkend 0 >/dev/null || refuse "version $n has expired"
[ -w "$live" ] || refuse "$live may not be written"
trap 'back "told to stop" 143' TERM INT HUP
for k in cert chain privkey fullchain; do
  point "$k" "../../archive/${archive##*/}/$k$n.pem" || back "$live/$k.pem could not be replaced" 1
done
fits "$live/cert.pem" "$live/privkey.pem" && [ "$(digest "$live/fullchain.pem")" = "$want" ] \
  || back "the pair does not fit" 1
echo "relink: $live leads to version $n"
"#;

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use insta::assert_snapshot;

    use super::super::sample::{Sample, certificate, sample};
    use super::*;
    use crate::fleet::{DAY, Fingerprint, Problem, Version};

    /// Four versions: expired, live, longer, and one that was not read.
    fn fleet() -> Sample {
        sample().with(|it| {
            let mut longer = certificate(3, -DAY, 80 * DAY);
            longer.names.remove(0);
            it.versions.push(Version { number: 3, certificate: Some(Arc::new(longer)) });
            it.versions.push(Version { number: 4, certificate: None });
        })
    }

    #[test]
    fn the_best_version_is_taken() {
        assert_snapshot!(fleet().card("rollback", &[]), @"
        web-01/www.example.net Risky Reload Leaf(ca6e6588d55d58a70e0b4de60c2dab1e4574bb97d68fa88679852a5daaa9db02)
        What   www.example.net on web-01 (serial 049ad2c3…, 39h left of 90.0d; also example.net)
        Effect the four links in /etc/letsencrypt/live/www.example.net lead to version 3, valid until 2027-02-11T03:12:44Z (80.0d left)
        Effect deploy hook runs: nginx -t && systemctl reload nginx (reload)
        Cost   nothing at the CA
        Undo   roll back to version 2
        Proof  the live files hold version 3 (ca6e6588…), and its key fits; TLS with www.example.net:443 (on the host, from here)
        Note   that key and certificate of version 3 belong together is checked on the host with openssl first; without it nothing is changed
        Note   it lasts until the next `certbot renew`, also that of a timer: certbot leads the links to version 4 again, due or not
        Note   it does not cover example.net
        Writes /etc/letsencrypt/live/www.example.net/*.pem
        Runs   /bin/sh -c <script of 46 lines> relink /etc/letsencrypt/live/www.example.net /etc/letsencrypt/archive/www.example.net 3 ca6e6588d55d58a70e0b4de60c2dab1e4574bb97d68fa88679852a5daaa9db02
        Runs   RENEWED_DOMAINS=www.example.net RENEWED_LINEAGE=/etc/letsencrypt/live/www.example.net /bin/sh -c 'nginx -t && systemctl reload nginx'
        ");
    }

    #[test]
    fn the_script_is_told_what_was_reviewed() {
        let plan = fleet().plan("rollback", "web-01/www.example.net", &[("hook", "none")]).unwrap();
        let [command] = plan.commands.as_slice() else { panic!("{:?}", plan.commands) };
        let digest = Fingerprint::of(b"leaf 3");
        let words = [
            "/etc/letsencrypt/live/www.example.net",
            "/etc/letsencrypt/archive/www.example.net",
            "3",
            &digest.to_string(),
        ];
        assert_eq!(command.argv[4..], words.map(str::to_owned));
        assert_eq!(plan.promise, Promise::Leaf(digest));
        assert!(plan.endpoints.is_empty());
    }

    #[test]
    fn versions_that_help_nobody_are_refused() {
        let refused = |to, why, text| fleet().refuses("rollback", &[("to", to)], why, text);
        refused("1", Why::Pointless, "version 1 expired 58");
        refused("2", Why::Pointless, "the links lead to version 2 already\nthere are: 3");
        refused("4", Why::Unknown, "could not be read");
        refused("5", Why::BadRequest, "has no version 5");
        refused("x;y", Why::BadRequest, "has no version x;y");
        sample().refuses("rollback", &[], Why::Pointless, "no other version");
        fleet().refuses("rollback", &[("hook", "x")], Why::BadRequest, "there is no hook");
    }

    #[test]
    fn links_that_are_wrong_are_led_back_to_the_same_version() {
        let mixed = sample().with(|it| {
            let (kind, text) = (ProblemKind::MixedVersions, SafeText::new("x links apart"));
            it.problems.push(Problem { kind, text, path: None });
        });
        let plan = mixed.plan("rollback", "web-01/www.example.net", &[]).unwrap();
        assert_eq!(plan.promise, Promise::Leaf(Fingerprint::of(b"leaf 2")));
        let gone = sample().with(|it| it.layers.disk = None);
        let plan = gone.plan("rollback", "web-01/www.example.net", &[]).unwrap();
        assert_eq!(
            (plan.expect, plan.promise),
            (Expect::Anything, Promise::Leaf(Fingerprint::of(b"leaf 2")))
        );
    }
}
