//! `repoint`.

use super::card;
use super::certbot::is_exact;
use super::plan::{Command, Expect, Promise};
use super::server::{self, Serving};
use super::{Choice, Chosen, Kind, Offer, Plan, Refusal, Subject, Target, Tier, Why, script};
use crate::fleet::{Certificate, Load, Place, human};
use crate::inventory::Impact;
use crate::text::SafeText;

pub(super) const KIND: Kind = Kind {
    name: "repoint",
    keys: "a p",
    title: "repoint",
    about: "let a server load another lineage",
    tier: Tier::Risky,
    subject: Subject::Place,
    choices: &[
        Choice {
            name: "to",
            value: "LINEAGE",
            about: "the lineage of the same host whose files should be loaded",
            is_required: true,
            offers,
        },
        Choice {
            name: "server",
            value: "SERVER",
            about: "`nginx` or `apache`; without it, those that load the wrong files",
            is_required: false,
            offers: server::offers,
        },
    ],
    plan,
};

fn plan(target: &Target<'_>, chosen: &Chosen) -> Result<Plan, Refusal> {
    let host = target.host;
    let wanted = chosen.get("to").unwrap_or_default();
    let Some(to) = host.places.iter().find(|it| it.name.as_str() == wanted) else {
        let text = format!("{} has no lineage `{}`", host.name, SafeText::new(wanted));
        return Err(Refusal::new(Why::BadRequest, text));
    };
    let files = Files::of(to)?;
    let left = files.leaf.left(target.now);
    if left <= 0 {
        let text = format!("{} expired {} ago", to.name, human(-left));
        return Err(Refusal::new(Why::Pointless, text).hint("`renew` it first"));
    }
    let edits = edits(target, to, &files, chosen.get("server"))?;
    let stamp = script::stamp(target.now);
    let mut commands = Vec::new();
    let mut effect = Vec::new();
    let mut servings: Vec<Serving<'_>> = Vec::new();
    for edit in &edits {
        let mut argv: Vec<String> = ["/bin/sh", "-c"].map(str::to_owned).into();
        let text = [POINT.trim_start(), REPOINT.trim_start()].concat();
        argv.extend([script::with_files(&text), "repoint".to_owned(), stamp.clone()]);
        argv.push(edit.file.clone());
        argv.extend(edit.pairs.iter().flatten().cloned());
        argv.extend(server::test(edit.serving.server)?.argv);
        commands.push(Command { argv, env: Vec::new() });
        effect.extend(edit.told());
        if servings.iter().all(|it| !std::ptr::eq(it.server, edit.serving.server)) {
            servings.push(edit.serving.clone());
        }
    }
    effect.push(
        "the configuration is tested; if that fails, the file from before is put back".to_owned(),
    );
    let (reload, told) = server::reload(&servings)?;
    commands.extend(reload);
    effect.extend(told);
    let endpoints = server::endpoints(target, &servings, Some(files.leaf));
    let place = target.place;
    let leaf = place.and_then(|it| it.layers.disk.as_ref()).map(|it| it.chain.leaf.sha256);
    Ok(Plan {
        place: place.map(|it| it.name.clone()),
        source: place.map(|it| it.source),
        effect,
        cost: "nothing at the CA".to_owned(),
        undo: script::undo(&stamp),
        proof: card::proof(
            &format!("the configuration is sound, and {} is served", to.name),
            &endpoints,
        ),
        notes: vec![format!(
            "{} is valid until {} ({} left)",
            to.name,
            files.leaf.not_after,
            human(left)
        )],
        files: edits.into_iter().map(|it| it.file).collect(),
        commands,
        expect: leaf.map_or(Expect::Anything, Expect::Leaf),
        promise: Promise::Serves(files.leaf.sha256),
        impact: Impact::Reload,
        endpoints,
        ..card::blank(&KIND, target, None)
    })
}

/// The files of the lineage that should be loaded.
struct Files<'a> {
    leaf: &'a Certificate,
    paths: Paths<'a>,
}

/// Where they are.
#[derive(Debug, Clone, Copy)]
pub(super) struct Paths<'a> {
    pub(super) certificate: &'a str,
    pub(super) key: &'a str,
    pub(super) folder: &'a str,
}

impl<'a> Files<'a> {
    fn of(place: &'a Place) -> Result<Self, Refusal> {
        let unknown = |what: &str| {
            Refusal::new(Why::Unknown, format!("{what} of {} could not be read", place.name))
        };
        let disk = place.layers.disk.as_ref().ok_or_else(|| unknown("the certificate"))?;
        let key = place.key.as_ref().ok_or_else(|| unknown("the key"))?;
        if place.key_matches() == Some(false) {
            let text = format!("the key of {} does not belong to its certificate", place.name);
            return Err(Refusal::new(Why::Pointless, text));
        }
        if let Some(odd) = [&disk.location, &key.path].into_iter().find(|it| !is_plain(it)) {
            let text = format!("`{odd}` has characters that mean something in a configuration");
            return Err(Refusal::new(Why::Unknown, text));
        }
        let certificate = disk.location.as_str();
        Ok(Self {
            leaf: &disk.chain.leaf,
            paths: Paths {
                certificate,
                key: key.path.as_str(),
                folder: certificate.rsplit_once('/').map_or("", |it| it.0),
            },
        })
    }
}

/// A change of one file of a server's configuration.
#[derive(Debug, Clone)]
pub(super) struct Edit<'a> {
    pub(super) serving: Serving<'a>,
    pub(super) file: String,
    /// What is there, and what will be: certificate, key, and the file of Apache's with the chain
    /// alone. Empty where there is none.
    pub(super) pairs: [[String; 2]; 3],
}

impl Edit<'_> {
    /// What becomes what, line by line.
    pub(super) fn told(&self) -> Vec<String> {
        let [certificate, key, _] = &self.pairs;
        let pairs = [certificate, key].into_iter().filter(|it| !it[0].is_empty());
        pairs.map(|[old, new]| format!("{}: {old} becomes {new}", self.file)).collect()
    }
}

fn edits<'a>(
    target: &'a Target<'a>,
    to: &Place,
    files: &Files<'_>,
    wanted: Option<&str>,
) -> Result<Vec<Edit<'a>>, Refusal> {
    let host = target.host;
    let is_same = target.place.is_some_and(|it| it.name == to.name && it.source == to.source);
    let mut edits: Vec<Edit<'a>> = Vec::new();
    for serving in server::named(host, wanted) {
        let sites = serving.server.sites.iter();
        let loads = sites.flat_map(|site| site.loads.iter().map(move |it| (site, it)));
        let wrong = loads.filter(|(site, load)| {
            let path = load.certificate.as_str();
            let covers = || site.names.iter().any(|it| files.leaf.covers(it.as_str()));
            !to.has_file(path)
                && if is_same { covers() } else { target.place.is_some_and(|it| it.has_file(path)) }
        });
        for (site, load) in wrong {
            // Names that no certificate has stand for whatever comes.
            let is_name = |it: &&SafeText| !it.as_str().starts_with(['~', '_', '*', '.']);
            let mut names = site.names.iter().filter(is_name);
            if let Some(lost) = names.find(|it| !files.leaf.covers(it.as_str())) {
                let text = format!(
                    "{} does not cover {lost}, which is served with {}",
                    to.name, load.certificate
                );
                return Err(
                    Refusal::new(Why::Pointless, text).hint("`issue` it with that name, too")
                );
            }
            let edit = edit(serving.clone(), load, &files.paths)?;
            if edits.iter().all(|it| (&it.file, &it.pairs) != (&edit.file, &edit.pairs)) {
                edits.push(edit);
            }
        }
    }
    if edits.is_empty() {
        let text = format!(
            "no server on {} is known to load other files where {} should be loaded",
            host.name, to.name
        );
        return Err(Refusal::new(Why::Pointless, text));
    }
    Ok(edits)
}

/// The change that lets a server load these files where it loads others.
pub(super) fn edit<'a>(
    serving: Serving<'a>,
    load: &Load,
    files: &Paths<'_>,
) -> Result<Edit<'a>, Refusal> {
    let kind = serving.server.kind;
    if !["nginx", "apache"].contains(&kind) {
        let text = format!("{kind} loads {} as one file, which a hook makes", load.certificate);
        return Err(Refusal::new(Why::Pointless, text).hint("`hook` runs it again"));
    }
    let Some((file, _)) = load.told_at.as_str().rsplit_once(':').filter(|it| it.0.starts_with('/'))
    else {
        let text = format!("which line names {} is not known", load.certificate);
        return Err(Refusal::new(Why::Unknown, text));
    };
    let all = [&load.certificate, &load.told_at].into_iter().chain(&load.key);
    if let Some(odd) = all.into_iter().find(|it| !is_plain(it)) {
        let text = format!("`{odd}` has characters that cannot be given on");
        return Err(Refusal::new(Why::Unknown, text).hint("change it on the host itself"));
    }
    let old = load.certificate.as_str();
    let old_folder = old.rsplit_once('/').map_or("", |it| it.0);
    let key = load.key.as_ref().filter(|it| **it != load.certificate);
    let alone = |folder: &str| format!("{folder}/chain.pem");
    // Apache may be told of the leaf alone, with the chain in a file of its own.
    let certificate = match old.rsplit('/').next() {
        Some("cert.pem") => format!("{}/cert.pem", files.folder),
        _ => files.certificate.to_owned(),
    };
    let pair = |old: &str, new: &str| [old.to_owned(), new.to_owned()];
    Ok(Edit {
        file: file.to_owned(),
        pairs: [
            pair(old, &certificate),
            key.map_or_else(Default::default, |it| pair(it.as_str(), files.key)),
            if kind == "apache" {
                [alone(old_folder), alone(files.folder)]
            } else {
                Default::default()
            },
        ],
        serving,
    })
}

/// Whether a path stands in a configuration as it is.
fn is_plain(path: &SafeText) -> bool {
    let is_plain = |it: u8| it.is_ascii_alphanumeric() || b"/._-@+:=,%~".contains(&it);
    is_exact(path) && path.as_str().bytes().all(is_plain)
}

fn offers(target: &Target<'_>) -> Vec<Offer> {
    let Some(leaf) = target.place.and_then(Place::leaf) else { return Vec::new() };
    let about = |it: &Place| {
        let left = it.layers.disk.as_ref()?.chain.leaf.left(target.now);
        (left > 0).then(|| format!("{} left", human(left)))
    };
    let covers = |it: &&Place| {
        it.leaf().is_some_and(|other| leaf.names.iter().all(|name| other.names.contains(name)))
    };
    let places = target.host.places.iter().filter(covers);
    places.filter_map(|it| Some(Offer::new(it.name.as_str(), about(it)?))).collect()
}

/// Arguments: the stamp, the file, three pairs of what is there and what will be, and the command
/// that tests the configuration.
const REPOINT: &str = r#"
wrong() { refuse "$@"; }
begin
shift
point "$1" "$2" "$3" "$4" "$5" "$6" "$7"
shift 7
"$@" || back "the configuration is not sound"
"#;

/// `point FILE OLD NEW KEY NEWKEY CHAIN NEWCHAIN` after [`script::with_files`]: lets a
/// configuration name other files. Only whole words are changed, and only in lines that name a
/// certificate or a key. Calls `wrong WHY` where that cannot be.
pub(super) const POINT: &str = r#"
point() {
  file=$(readlink -f "$1") leaf=$2 new=$3 key=$4 newkey=$5 chain=$6 newchain=$7
  [ -f "$file" ] && [ -w "$file" ] || wrong "$file is no file that can be written"
  [ -r "$new" ] && { [ -z "$key" ] || [ -r "$newkey" ]; } || wrong "$new or its key cannot be read"
  if [ -n "$key" ] && command -v openssl >/dev/null; then
    fits "$new" "$newkey" || wrong "$newkey does not belong to $new"
  fi
  export leaf new key newkey chain newchain
  edit >"$B/edited" || wrong "$file does not name $leaf and its key in full"
  diff "$file" "$B/edited"
  swap "$file" cat "$B/edited"
  rm -f "$B/edited"
}
edit() { awk '
  function change(text, old, new, at, out, before, after) {
    out = ""
    while (old != "" && (at = index(text, old))) {
      before = at > 1 ? substr(text, at - 1, 1) : substr(out, length(out), 1)
      after = substr(text, at + length(old), 1)
      if (before ~ /^[ \t"\047]$/ && after ~ /^[ \t\r"\047;]?$/) { out = out substr(text, 1, at - 1) new; changed[old]++ }
      else out = out substr(text, 1, at + length(old) - 1)
      text = substr(text, at + length(old))
    }
    return out text
  }
  /^[ \t]*#/ || tolower($0) !~ /ssl_?certificate/ { print; next }
  { text = change($0, ENVIRON["leaf"], ENVIRON["new"])
    text = change(text, ENVIRON["key"], ENVIRON["newkey"])
    print change(text, ENVIRON["chain"], ENVIRON["newchain"]) }
  END { if (!changed[ENVIRON["leaf"]] || (ENVIRON["key"] != "" && !changed[ENVIRON["key"]])) exit 1 }
' "$file"; }
"#;

#[cfg(test)]
mod tests {
    use super::super::sample::{NOW, Sample, certificate, place, sample, serving, sighting};
    use super::*;
    use crate::fleet::{DAY, KeySight, Seen, Server};

    const OLD: &str = "/etc/letsencrypt/live/www.example.net/fullchain.pem";
    const NEW: &str = "/etc/letsencrypt/live/new/fullchain.pem";

    /// A second lineage, newer than the one that is loaded.
    fn newer() -> Place {
        let mut other = place();
        other.name = SafeText::new("new");
        let leaf = certificate(3, -DAY, 89 * DAY);
        other.key = Some(KeySight {
            path: SafeText::new("/etc/letsencrypt/live/new/privkey.pem"),
            stamp: None,
            spki: Some(leaf.spki_sha256),
        });
        other.layers.disk = Some(sighting(leaf, NEW));
        other
    }

    fn with(servers: Vec<Server>, other: Place) -> Sample {
        let mut fleet = sample();
        fleet.see("web-01", Seen { places: vec![place(), other], servers, ..Seen::default() });
        fleet
    }

    fn nginx(path: &str, name: &str) -> Server {
        let mut it = serving("nginx", path, name, 443);
        it.sites[0].loads[0].key = Some(SafeText::new(&path.replace("fullchain", "privkey")));
        it
    }

    const TO: &[(&str, &str)] = &[("to", "new")];

    #[test]
    fn the_lines_that_name_the_files_are_changed() {
        let fleet = with(vec![nginx(OLD, "www.example.net")], newer());
        let plan = fleet.plan("repoint", "web-01/www.example.net", TO).unwrap();
        let [edit, test, reload] = &plan.commands[..] else { panic!("{:?}", plan.commands) };
        let stamp = script::stamp(NOW);
        let key = OLD.replace("fullchain", "privkey");
        let new_key = NEW.replace("fullchain", "privkey");
        let expect = ["repoint", &stamp, "/etc/nginx/nginx.conf", OLD, NEW, &key, &new_key, "", ""];
        assert_eq!(edit.argv[3..12], expect);
        assert_eq!(edit.argv[12..], ["/usr/sbin/nginx", "-t"]);
        assert_eq!(
            (test.line(), reload.line()),
            ("/usr/sbin/nginx -t".to_owned(), "systemctl reload nginx.service".to_owned())
        );
        assert_eq!(plan.promise, Promise::Serves(certificate(3, -DAY, 89 * DAY).sha256));
        assert_eq!((plan.tier, plan.name()), (Tier::Risky, "www.example.net"));
    }

    #[test]
    fn a_file_that_nobody_renews_is_left_for_the_lineage_itself() {
        let pinned = "/etc/letsencrypt/archive/www.example.net/fullchain1.pem";
        let fleet = with(vec![nginx(pinned, "www.example.net")], newer());
        let own = [("to", "www.example.net")];
        let plan = fleet.plan("repoint", "web-01/www.example.net", &own).unwrap();
        assert_eq!(plan.commands[0].argv[6..8], [pinned, OLD]);
    }

    #[test]
    fn what_would_break_something_is_refused() {
        let refused = |fleet: &Sample, why, text: &str| fleet.refuses("repoint", TO, why, text);
        let good = vec![nginx(OLD, "www.example.net")];
        refused(&sample(), Why::BadRequest, "no lineage `new`");
        let mut expired = newer();
        expired.layers.disk = Some(sighting(certificate(3, -90 * DAY, -DAY), NEW));
        refused(&with(good.clone(), expired), Why::Pointless, "expired 24h ago");
        let mut odd = newer();
        odd.key.as_mut().unwrap().spki = Some(certificate(9, 0, 1).spki_sha256);
        refused(&with(good, odd), Why::Pointless, "does not belong");
        let other = with(vec![nginx(OLD, "shop.example.net")], newer());
        refused(&other, Why::Pointless, "does not cover shop.example.net");
        let haproxy = with(vec![serving("haproxy", OLD, "www.example.net", 443)], newer());
        refused(&haproxy, Why::Pointless, "as one file");
        refused(&with(Vec::new(), newer()), Why::Pointless, "no server on web-01");
    }
}
