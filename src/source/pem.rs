//! PEM files, wherever they are. A file may hold a private key too, as haproxy wants it: the host
//! sends its certificates and nothing else of it.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;

use super::bundle::read_chain;
use super::found::{Found, problem};
use super::key::{Keys, known_keys};
use super::sight::ASK_KEYS;
use super::{AbsolutePath, Kind, Reading, Script, Section, Source, quote};
use crate::fleet::{Host, Layers, Place, ProblemKind, Seen, Sighting};
use crate::text::SafeText;

pub(super) const KIND: Kind = Kind {
    name: "pem",
    about: "PEM files found by globs",
    schema: |generator| generator.subschema_for::<Pem>(),
    build: |table| Ok(Arc::new(table.read::<Pem>()?)),
};

/// Which files hold certificates, and where their keys are.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Pem {
    /// Globs, as in `/etc/haproxy/certs/*.pem`.
    paths: Vec<AbsolutePath>,
    /// Where the private key of a file is: `{dir}` stands for its folder, `{name}` for its name
    /// without the extension. Left out, a file that holds a key holds its own.
    key: Option<KeyPath>,
}

/// The path of a key, with words for what differs from file to file; from the root, as the
/// folder of a file is.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
struct KeyPath(String);

impl TryFrom<String> for KeyPath {
    type Error = String;

    fn try_from(path: String) -> Result<Self, String> {
        if path.starts_with("{dir}/") && !path.contains(['\0', '\n']) {
            return Ok(Self(path));
        }
        AbsolutePath::try_from(path).map(|it| Self(it.0))
    }
}

impl Source for Pem {
    fn kind(&self) -> &'static Kind {
        &KIND
    }

    fn ask(&self, script: &mut Script, known: &Host) {
        let globs: Vec<_> = self.paths.iter().map(|it| glob(it.as_str())).collect();
        script.push(&known_keys(KIND.name, known));
        script.push(FILTER);
        script.push(&format!("for f in {}; do", globs.join(" ")));
        script.push(FILES);
        script.push(KEY_PATHS);
        match &self.key {
            Some(key) => script.push(&format!("k={}", template(&key.0))),
            None => script.push("k=$f\ncase $NL$H in *\"$NL$Z$f$NL\"*) ;; *) continue;; esac"),
        }
        script.push(KEYS);
        script.push(ASK_KEYS);
        script.push("}");
    }

    fn read(&self, section: &Section<'_>, reading: &Reading<'_>, seen: &mut Seen) {
        let Reading { known, roots, now } = *reading;
        let (found, keys) = (Found::new(section), Keys::new(section));
        for (path, text) in found.files() {
            let path = String::from_utf8_lossy(path);
            let mut place = Place::new(KIND.name, SafeText::new(&path));
            let chain = read_chain(&path, text, roots, &mut place.problems);
            if let Some(chain) = chain {
                let is_trust_store = chain.leaf.is_self_issued()
                    && chain.rest.len() > 1
                    && chain.leaf.is_ca
                    && chain.rest.iter().all(|it| it.is_ca);
                if is_trust_store {
                    // No service loads it as its own, so there is nothing to renew and to judge.
                    let text = "is a bundle of authorities, not read as a place";
                    seen.problems.push(problem(ProblemKind::TooLarge, text, path.as_bytes()));
                    continue;
                }
                let location = SafeText::new(&path);
                let disk = Some(Sighting { chain, location, at: now });
                place.layers = Layers { disk, ..Layers::default() };
            }
            let was =
                known.places.iter().find(|it| it.source == KIND.name && it.name == place.name);
            let key = key_path(self.key.as_ref().map(|it| it.0.as_str()), &path);
            let known_key = was.and_then(|it| it.key.as_ref());
            place.key = keys.sight(&key, known_key, &mut place.problems);
            seen.places.push(place);
        }
        for (path, problem) in found.odd() {
            let mut place = Place::new(KIND.name, SafeText::from_bytes(path));
            place.problems.push(problem);
            seen.places.push(place);
        }
        if let Some(count) = section.key("toomany") {
            let count = String::from_utf8_lossy(count);
            let text = format!("more than {count} files fit the globs; the rest are not read");
            seen.problems.push(problem(ProblemKind::TooLarge, &text, b"pem:"));
        }
        for pattern in section.with("nothing") {
            let text = "fits no file";
            seen.problems.push(problem(ProblemKind::Missing, text, pattern.key));
        }
    }
}

/// The shell words for a glob: everything is quoted but `*`, `?` and `[…]`.
fn glob(pattern: &str) -> String {
    let mut shell = String::new();
    let mut plain = String::new();
    let flush = |plain: &mut String, shell: &mut String| {
        if !plain.is_empty() {
            shell.push_str(&quote(plain));
            plain.clear();
        }
    };
    let mut rest = pattern.chars();
    while let Some(c) = rest.next() {
        match c {
            '*' | '?' => {
                flush(&mut plain, &mut shell);
                shell.push(c);
            }
            '[' => match rest.as_str().split_once(']') {
                // Only what is plain in every shell; anything else is a bracket in a name.
                Some((set, after)) if is_plain_set(set) => {
                    flush(&mut plain, &mut shell);
                    shell.push('[');
                    shell.push_str(set);
                    shell.push(']');
                    rest = after.chars();
                }
                _ => plain.push(c),
            },
            _ => plain.push(c),
        }
    }
    flush(&mut plain, &mut shell);
    shell
}

/// Whether it can stand between brackets with no quotes around it.
fn is_plain_set(set: &str) -> bool {
    let members = set.strip_prefix('!').unwrap_or(set);
    !members.is_empty()
        && members.chars().all(|it| it.is_ascii_alphanumeric() || matches!(it, '-' | '_' | '.'))
}

/// The shell word for the path of a key, from `$d` and `$n`.
fn template(key: &str) -> String {
    let mut shell = quote(key);
    for (word, variable) in VARIABLES {
        shell = shell.replace(word, &format!("'\"${variable}\"'"));
    }
    shell
}

/// The same path, made here.
fn key_path(key: Option<&str>, path: &str) -> String {
    let Some(key) = key else { return path.to_owned() };
    let (dir, file) = path.rsplit_once('/').unwrap_or_default();
    let name = file.rsplit_once('.').map_or(file, |(name, _)| name);
    let mut out = String::new();
    let mut rest = key;
    while let Some(at) = rest.find('{') {
        let (before, after) = rest.split_at(at);
        out.push_str(before);
        let word = VARIABLES.iter().find(|(word, _)| after.starts_with(word));
        let (taken, value) = match word {
            Some(("{dir}", _)) => (5, dir),
            Some((word, _)) => (word.len(), name),
            None => (1, "{"),
        };
        out.push_str(value);
        rest = after.get(taken..).unwrap_or_default();
    }
    out + rest
}

const VARIABLES: [(&str, &str); 2] = [("{dir}", "d"), ("{name}", "n")];

/// The program of `awk` that lets the lines of certificates through and the headers of files;
/// everything else is dropped on the host, whatever it is. What was dropped leaves a word: `#text`
/// for a file that is not empty, `#key`, `#binary`. A file with a key is named on stderr, too. No
/// more than 20 certificates and one that tells of more are passed per file, no more than 2 MiB in
/// all.
pub(super) const FILTER: &str = r##"A='
index($0, z) == 1 { print ""; print; f = substr($0, 5, length($0) - 8); first = 1; open = n = named = 0; next }
f == "" { next }
first { if ($0 == "") next
first = 0; print "#text"
if (sent >= 2097152) { print "#full"; f = ""; next }
if (index($0, "\357\273\277") == 1) $0 = substr($0, 4)
if ($0 ~ /^0[\200-\204]/) { print "#binary"; f = ""; next } }
/PRIVATE KEY-----/ && !named { named = 1; print "#key"; print f > "/dev/stderr" }
/^-----BEGIN (X509 |TRUSTED )?CERTIFICATE-----[ \t\r]*$/ { n++; open = n <= 21 && sent < 2097152
if (open) { print "-----BEGIN CERTIFICATE-----"; sent += 28 }
next }
/-----/ { if (open && $0 ~ /^-----END (X509 |TRUSTED )?CERTIFICATE-----/) print "-----END CERTIFICATE-----"
open = 0; next }
open && length($0) < 131072 && /^[A-Za-z0-9+\/= \t\r]*$/ { print; sent += length($0) }
'
F=
set --
"##;

const FILES: &str = r#"
if ! [ -e "$f" ] && ! [ -L "$f" ]; then mark frame nothing "$f"; continue; fi
[ $# -lt 500 ] || { mark frame toomany 500; break; }
case $NL$F in *"$NL$f$NL"*) continue;; esac
F=$F$f$NL
want "$f" && set -- "$@" "$Z$f"
done
"#;

const KEY_PATHS: &str = r#"
mark frame heads
H=$( [ $# -eq 0 ] || { head -c 262144 /dev/null "$@" | awk -v z="==> $Z" "$A" >&3; } 2>&1 )$NL
set -f
IFS=$NL
set --
for f in $F; do
unset IFS
d=${f%/*}
n=${f##*/}
n=${n%.*}
"#;

const KEYS: &str = r#"
[ -f "$k" ] && set -- "$@" "$k"
done
unset IFS
set +f
[ $# -eq 0 ] || {
K=$(stamps "$@")
mark frame stamps
printf '%s\n' "$K"
"#;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs_are_quoted_but_for_their_marks() {
        let cases = [
            ("/etc/*.pem", r"'/etc/'*'.pem'"),
            ("/a?/[a-c]*", r"'/a'?'/'[a-c]*"),
            ("/$(x)/*'", r"'/$(x)/'*''\'''"),
            ("/[$(x)]", r"'/[$(x)]'"),
            ("/[", r"'/['"),
            ("/[!0-9]", r"'/'[!0-9]"),
        ];
        for (pattern, expect) in cases {
            assert_eq!(glob(pattern), expect);
        }
    }

    #[test]
    fn a_key_may_be_beside_its_file() {
        let is_taken = |key: &str| KeyPath::try_from(key.to_owned()).is_ok();
        assert!(is_taken("{dir}/privkey.pem") && is_taken("/keys/{name}.key"));
        assert!(!is_taken("{name}.key") && !is_taken("{dir}x") && !is_taken("{dir}/a\nb"));
    }

    #[test]
    fn key_paths_are_the_same_here_and_there() {
        let key = |key| key_path(Some(key), "/etc/ssl/a.b.pem");
        assert_eq!(key("/keys/{name}.key"), "/keys/a.b.key");
        assert_eq!(key("/x{dir}/{name}{y}"), "/x/etc/ssl/a.b{y}");
        assert_eq!(key_path(None, "/a.pem"), "/a.pem");
        assert_eq!(key("{dir}/{name}.key"), "/etc/ssl/a.b.key");
        assert_eq!(template("/keys/{name}.key"), "'/keys/'\"$n\"'.key'");
    }
}
