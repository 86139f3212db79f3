//! One lineage: its four links, its versions, its key and its renewal configuration.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::KIND;
use super::conf::{Conf, KINDS};
use super::log::Log;
use crate::fleet::{
    Certificate, Chain, FailedHook, Host, Layers, Moment, Need, NeedKind, NeedState, Place,
    Problem, ProblemKind, Roots, Sighting, Version,
};
use crate::source::Section;
use crate::source::bundle::{read_chain, read_leaf};
use crate::source::found::{Found, problem};
use crate::source::key::{Keys, places};
use crate::source::need::Needs;
use crate::source::script::{number, split_word};
use crate::text::SafeText;

/// Asks for all lineages: the union of `renewal/*.conf`, `live/*` and `archive/*`. Which version
/// a link leads to is told by `-ef`, which the shell does itself, instead of by `readlink`. Files
/// of several versions may be one and the same where a backup or a store of images has made hard
/// links of them, so the version of the link before is tried first.
pub(super) const ASK: &str = r#"
for d in "$c" "$c/live" "$c/archive" "$c/renewal"; do look "$d"; done
set --
X=
for f in "$c"/renewal/*.conf; do
n=${f##*/}
n=${n%.conf}
[ -e "$f" ] || [ -L "$f" ] || continue
mark frame conf "$n"
want "$f" || continue
[ -d "$c/live/$n" ] || [ ${#X} -gt 60000 ] || X=$X$f$NL
set -- "$@" "$Z$f"
[ $# -lt 128 ] || { heads "$@"; set --; }
done
for f in /proc/locks /snap/certbot/current/meta/snap.yaml; do want "$f" && set -- "$@" "$Z$f"; done
if [ "$X" ]; then
set -f
IFS=$NL
X=$(sed -n -e 's/^privkey *= *//p' -e 's/^fullchain *= *//p' $X)
Y=
for f in $X; do
unset IFS
case $f in "$c"/live/*) ;;
/*/fullchain.pem) want "$f" && set -- "$@" "$Z$f";;
/*/privkey.pem) Y=$Y$f$NL;; esac
done
unset IFS
set +f
X=$Y
fi
lineage_stamps() {
set -f
IFS=$NL
set -- $X
set +f
stamps "$@" "$c"/live/*/privkey.pem "$c"/renewal-hooks/*/* \
"$c/.certbot.lock" "$l/.certbot.lock" /var/lib/letsencrypt/.certbot.lock; }
K=$(lineage_stamps)
mark frame stamps
printf '%s\n' "$K"
read=0
for d in "$c"/live/*/ "$c"/archive/*/; do
d=${d%/}
n=${d##*/}
[ -d "$d" ] || continue
case $n in *"$NL"*) mark frame state newline "${d%%"$NL"*}"; continue;; esac
case $d in "$c"/archive/*) [ -d "$c/live/$n" ] && continue; mark frame nolive "$n";; esac
a=$c/archive/$n top=0 list=
for f in "$a"/cert[1-9]*.pem; do
v=${f##*/cert}
v=${v%.pem}
case $v in *[!0-9]*|?????????*) continue;; esac
list="$list $v"
[ "$v" -le $top ] || top=$v
done
mark frame versions "$n/$list"
at=0
for k in cert privkey chain fullchain; do
f=$c/live/$n/$k.pem r=other
if [ -L "$f" ]; then
if [ -e "$f" ]; then
for v in $at $list; do [ "$f" -ef "$a/$k$v.pem" ] && r=$v && break; done
elif [ -d "$c/archive" ] && ! [ -x "$c/archive" ]; then r=closed
else r=broken; fi
elif [ -f "$f" ]; then r=file
elif [ -e "$f" ]; then r=odd
else r=missing; fi
mark frame link "$k $r $n"
at=$r
done
for f in "$c/live/$n"/previous_*.pem; do [ -e "$f" ] || [ -L "$f" ] && mark frame previous "$n/${f##*/}"; done
f=$c/live/$n/fullchain.pem
want "$f" && set -- "$@" "$Z$f"
[ $top = 0 ] || [ $at = $top ] || { want "$a/fullchain$top.pem" && set -- "$@" "$Z$a/fullchain$top.pem"; }
skip=
case $W in *"$NL$n/ "*)
case $NL$B$NL in *" $c/live/$n/privkey.pem$NL"*)
b=${B%%" $c/live/$n/privkey.pem"*}
b=${b##*"$NL"}
case $NL$K$NL in *"$NL$b $c/live/$n/privkey.pem$NL"*)
skip=${W#*"$NL$n/ "}
skip=" ${skip%%"$NL"*}";;
esac;;
esac;;
esac
v=$top i=0
while [ $v -gt 0 ] && [ $i -lt 20 ] && [ $read -lt 400 ]; do
case $skip in *" $v "*) ;; *)
[ $v = $at ] || [ $v = $top ] || { want "$a/cert$v.pem" && set -- "$@" "$Z$a/cert$v.pem" && read=$((read+1)); };;
esac
v=$((v-1)) i=$((i+1))
done
[ $# -lt 128 ] || { heads "$@"; set --; }
done
heads "$@"
set --
"#;

/// All that was told of the lineages of a host.
pub(super) struct Lineages<'a, 's> {
    /// certbot's folder.
    pub(super) root: &'s str,
    pub(super) told: BTreeMap<&'a [u8], Told<'a>>,
    pub(super) found: Found<'a>,
    pub(super) keys: Keys<'a>,
    pub(super) needs: Needs<'a>,
    pub(super) accounts: Accounts<'a>,
    pub(super) known: &'s Host,
    pub(super) log: &'s Log,
    pub(super) roots: &'s Roots,
    pub(super) now: Moment,
}

impl Lineages<'_, '_> {
    /// Every lineage, from whichever folder has it.
    pub(super) fn places(&self) -> Vec<Place> {
        let mut places: Vec<_> =
            self.told.keys().map(|it| self.place(&String::from_utf8_lossy(it))).collect();
        mark_duplicates(&mut places);
        places
    }

    /// The place of a lineage.
    fn place(&self, name: &str) -> Place {
        let mut place = Place::new(KIND.name, SafeText::new(name));
        let known = places(KIND.name, self.known).find(|it| it.name == place.name);
        let conf = self.conf(name, &mut place);
        let path = |kind: &str| {
            let told = conf.as_ref().and_then(|it| it.path(kind));
            told.map_or_else(|| format!("{}/live/{name}/{kind}.pem", self.root), str::to_owned)
        };
        let (fullchain, privkey) = (path("fullchain"), path("privkey"));
        let links = self.links(name, &mut place.problems);
        let known_key = known.and_then(|it| it.key.as_ref());
        let is_same = self.keys.is_same(&privkey, known_key);
        place.layers = self.layers(name, &fullchain, &links, &mut place.problems);
        if let (Some(renewal), Some(disk)) = (&mut place.renewal, &place.layers.disk) {
            let before = conf.as_ref().and_then(Conf::renews_before);
            renewal.planned = before.map(|it| disk.chain.leaf.not_after.plus(-it));
        }
        place.key = self.keys.sight(&privkey, known_key, &mut place.problems);
        let old = if is_same { known } else { None };
        place.versions = self.versions(name, &links, &place.layers, old);
        place
    }

    fn conf(&self, name: &str, place: &mut Place) -> Option<Conf> {
        let path = format!("{}/renewal/{name}.conf", self.root);
        let Some(text) = self.found.file(&path) else {
            let mut complaint = self.found.why_not(&path);
            // A lineage that is there and that certbot does not know is broken for certbot.
            if complaint.kind == ProblemKind::Missing {
                complaint.kind = ProblemKind::BrokenConf;
            }
            place.problems.push(complaint);
            return None;
        };
        let conf = Conf::read(text);
        if let Some(fault) = &conf.fault {
            let text = format!("cannot be used by certbot: {fault}");
            place.problems.push(problem(ProblemKind::BrokenConf, &text, path.as_bytes()));
        }
        let mut renewal = conf.renewal();
        renewal.last_failure = self.log.failure(name).cloned();
        renewal.last_success = self.log.success(name);
        renewal.last_dry_run = self.log.dry_run(name);
        renewal.failed_hook = self.log.failed_hook(name).map(|it| {
            let command = it.command.as_ref().map(SafeText::as_str);
            FailedHook { changed: command.and_then(|it| self.changed(it)), ..it.clone() }
        });
        renewal.needs = conf.needs(&self.needs);
        if let Some(id) = &renewal.account {
            renewal.needs.push(self.accounts.need(id, self.root));
        }
        place.renewal = Some(renewal);
        Some(conf)
    }

    /// When a file of which the stamp was asked was last changed.
    fn changed(&self, path: &str) -> Option<Moment> {
        let mut stamps = self.keys.stamps();
        let (_, stamp) = stamps.find(|it| it.0 == path.as_bytes())?;
        number(stamp.split(|it| *it == b' ').nth(CONTENT_TIME)?).map(Moment::from_unix)
    }

    /// Which version each of the four links leads to, and what is wrong with them.
    fn links(&self, name: &str, problems: &mut Vec<Problem>) -> BTreeMap<&'static str, u32> {
        let mut versions = BTreeMap::new();
        // Without a folder in `live`, the four files are not missed one by one.
        let Some(told) = self.told.get(name.as_bytes()).filter(|it| it.is_live) else {
            return versions;
        };
        for kind in KINDS {
            let path = format!("{}/live/{name}/{kind}.pem", self.root);
            let mut complain = |kind, text| problems.push(problem(kind, text, path.as_bytes()));
            match told.links.get(kind.as_bytes()).copied().unwrap_or_default() {
                b"broken" => complain(ProblemKind::BrokenLink, "is a link that leads nowhere"),
                b"closed" => {
                    complain(ProblemKind::Unreadable, "leads to a folder that may not be read");
                }
                b"file" => complain(
                    ProblemKind::BrokenConf,
                    "is a file, not a link: certbot will not renew this",
                ),
                // The chain is complained of where it is read.
                b"missing" if kind != "fullchain" => complain(ProblemKind::Missing, "is missing"),
                version => versions.extend(number(version).map(|it| (kind, it))),
            }
        }
        if versions.values().collect::<BTreeSet<_>>().len() > 1 {
            let told: Vec<_> = versions.iter().map(|(kind, it)| format!("{kind} {it}")).collect();
            let text = format!("links to different versions: {}", told.join(", "));
            let path = format!("{}/live/{name}", self.root);
            problems.push(problem(ProblemKind::MixedVersions, &text, path.as_bytes()));
        }
        if let Some(file) = told.leftover {
            let path = [self.root.as_bytes(), b"/live/", name.as_bytes(), b"/", file].concat();
            let text = "is left over from a renewal that was cut off";
            problems.push(problem(ProblemKind::MixedVersions, text, &path));
        }
        versions
    }

    fn layers(
        &self,
        name: &str,
        fullchain: &str,
        links: &BTreeMap<&str, u32>,
        problems: &mut Vec<Problem>,
    ) -> Layers {
        let disk = if let Some(text) = self.found.file(fullchain) {
            read_chain(fullchain, text, self.roots, problems)
        } else {
            // A broken link has been told already.
            let complaint = self.found.why_not(fullchain);
            problems.extend(Some(complaint).filter(|it| it.kind != ProblemKind::BrokenLink));
            None
        };
        let sighting = |chain: &Arc<Chain>, location: &str| Sighting {
            chain: Arc::clone(chain),
            location: SafeText::new(location),
            at: self.now,
        };
        let top = self.told.get(name.as_bytes()).and_then(|it| it.versions.last().copied());
        let issued = top.and_then(|top| {
            let path = format!("{}/archive/{name}/fullchain{top}.pem", self.root);
            if links.get("fullchain") == Some(&top) {
                return disk.as_ref().map(|it| sighting(it, &path));
            }
            let chain = read_chain(&path, self.found.file(&path)?, self.roots, problems)?;
            // The same file under another name is the same chain.
            let chain =
                disk.clone().filter(|it| it.leaf.sha256 == chain.leaf.sha256).unwrap_or(chain);
            Some(sighting(&chain, &path))
        });
        Layers { issued, disk: disk.map(|it| sighting(&it, fullchain)), ..Layers::default() }
    }

    fn versions(
        &self,
        name: &str,
        links: &BTreeMap<&str, u32>,
        layers: &Layers,
        known: Option<&Place>,
    ) -> Vec<Version> {
        let Some(Told { versions: numbers, .. }) = self.told.get(name.as_bytes()) else {
            return Vec::new();
        };
        let top = numbers.last().copied();
        let leaf = |it: &Option<Sighting>| it.as_ref().map(|it| Arc::clone(&it.chain.leaf));
        let certificate = |number| -> Option<Arc<Certificate>> {
            if links.get("fullchain") == Some(&number) {
                return leaf(&layers.disk);
            }
            if top == Some(number) {
                return leaf(&layers.issued);
            }
            let path = format!("{}/archive/{name}/cert{number}.pem", self.root);
            match self.found.file(&path) {
                Some(text) => read_leaf(text).map(Arc::new),
                None => known?.versions.iter().find(|it| it.number == number)?.certificate.clone(),
            }
        };
        numbers
            .iter()
            .copied()
            .map(|number| Version { number, certificate: certificate(number) })
            .collect()
    }
}

/// The accounts whose keys are on the host.
#[derive(Debug)]
pub(super) struct Accounts<'a> {
    keys: Vec<&'a [u8]>,
    /// Whether all of them could be seen.
    is_whole: bool,
}

impl<'a> Accounts<'a> {
    /// Collects them from a section.
    pub(super) fn new(section: &Section<'a>) -> Self {
        let is_whole = section.with("noaccounts").next().is_none();
        Self { keys: section.with("account").map(|it| it.key).collect(), is_whole }
    }

    /// The account of that name. certbot refuses to renew with one that is not there (certbot
    /// 2.1.0, `account.AccountFileStorage`).
    fn need(&self, id: &SafeText, root: &str) -> Need {
        let end = format!("/{id}/private_key.json");
        let path = self.keys.iter().find(|it| it.ends_with(end.as_bytes()));
        let state = match path {
            Some(_) => NeedState::There,
            None if self.is_whole => NeedState::Missing,
            None => NeedState::Unseen,
        };
        let path = path.map_or_else(
            || SafeText::new(&format!("{root}/accounts/*{end}")),
            |it| SafeText::from_bytes(it),
        );
        Need { kind: NeedKind::Account, path, state, mode: None }
    }
}

/// What the folders show of a lineage.
#[derive(Debug, Default)]
pub(super) struct Told<'a> {
    /// Whether there is a folder in `live`.
    is_live: bool,
    /// What each link leads to: a version, or a word for what is wrong.
    links: BTreeMap<&'a [u8], &'a [u8]>,
    /// The versions in the archive.
    versions: BTreeSet<u32>,
    /// A file that certbot keeps only while it renews.
    leftover: Option<&'a [u8]>,
}

/// Sorts what a section tells by lineage.
pub(super) fn told<'a>(section: &Section<'a>) -> BTreeMap<&'a [u8], Told<'a>> {
    let mut told: BTreeMap<_, Told<'a>> = BTreeMap::new();
    for frame in &section.frames {
        match frame.word {
            b"conf" => {
                told.entry(frame.key).or_default();
            }
            b"versions" => {
                let (lineage, numbers) = split_slash(frame.key);
                let it = told.entry(lineage).or_default();
                it.is_live = true;
                it.versions = numbers.split(|it| *it == b' ').filter_map(number).collect();
            }
            b"link" => {
                let (kind, rest) = split_word(frame.key);
                let (result, lineage) = split_word(rest);
                told.entry(lineage).or_default().links.insert(kind, result);
            }
            b"previous" => {
                let (lineage, file) = split_slash(frame.key);
                told.entry(lineage).or_default().leftover = Some(file);
            }
            _ => {}
        }
    }
    for frame in section.with("nolive") {
        told.entry(frame.key).or_default().is_live = false;
    }
    told
}

/// What stands before the first slash and after it.
fn split_slash(key: &[u8]) -> (&[u8], &[u8]) {
    match key.iter().position(|it| *it == b'/') {
        Some(at) => (key.get(..at).unwrap_or_default(), key.get(at + 1..).unwrap_or_default()),
        None => (key, &[]),
    }
}

/// Complains of lineages for the same names. certbot makes a second one, `NAME-0001`, where a
/// folder of that name was already there, and services go on to load the first.
fn mark_duplicates(places: &mut [Place]) {
    let known: BTreeSet<_> = places.iter().map(|it| it.name.clone()).collect();
    let mut first: BTreeMap<Vec<SafeText>, SafeText> = BTreeMap::new();
    for place in places {
        let mut names = place.leaf().map(|it| it.names.clone()).unwrap_or_default();
        names.sort();
        let twin = match first.get(&names) {
            Some(other) => Some(format!("has the same names as {other}")),
            None => original(place.name.as_str())
                .filter(|it| known.contains(*it))
                .map(|it| format!("was made beside {it}, which was there already")),
        };
        if let Some(text) = twin {
            let text = SafeText::new(&text);
            place.problems.push(Problem { kind: ProblemKind::Duplicate, text, path: None });
        } else if !names.is_empty() {
            first.insert(names, place.name.clone());
        }
    }
}

/// The name before `-0001`.
fn original(name: &str) -> Option<&str> {
    let (original, number) = name.rsplit_once('-')?;
    (number.len() == 4 && number.bytes().all(|it| it.is_ascii_digit())).then_some(original)
}

/// Where a stamp has the time of the last change of content.
const CONTENT_TIME: usize = 3;
