//! Files of shell assignments, as dehydrated and acme.sh keep their settings. They are read, not
//! run: what only a shell could work out is left as it stands there.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// The settings of a file, by name; the last assignment of a name counts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Assignments(BTreeMap<String, String>);

impl Assignments {
    /// Reads lines of `NAME=value`, `NAME="value"`, `export NAME='value'`.
    pub(super) fn read(text: &[u8]) -> Self {
        let mut all = Self::default();
        for line in String::from_utf8_lossy(text).lines() {
            all.add(line);
        }
        all
    }

    /// Adds one line.
    pub(super) fn add(&mut self, line: &str) {
        let line = line.trim();
        let line = line.strip_prefix("export ").unwrap_or(line).trim_start();
        let Some((name, value)) = line.split_once('=') else { return };
        let is_name = |it: &str| {
            it.chars().all(|it| it.is_ascii_alphanumeric() || it == '_') && !it.is_empty()
        };
        if is_name(name) && self.0.len() < MAX_ASSIGNMENTS {
            self.0.insert(name.to_owned(), plain(value));
        }
    }

    /// The value of that name, unless it is empty.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|it| !it.is_empty())
    }

    /// The same, with the folder put in for a variable at its beginning.
    pub(super) fn path(&self, name: &str, base: &str) -> Option<String> {
        let value = self.get(name)?;
        let rest = ["${BASEDIR}", "$BASEDIR"].iter().find_map(|it| value.strip_prefix(it));
        Some(rest.map_or_else(|| value.to_owned(), |rest| format!("{base}{rest}")))
    }

    /// Takes over what `other` sets.
    pub(super) fn overlay(&mut self, other: Self) {
        self.0.extend(other.0);
    }
}

/// A value without quotes; acme.sh wraps what may hold any character.
fn plain(value: &str) -> String {
    for quote in ['"', '\''] {
        if let Some((inner, _)) = value.strip_prefix(quote).and_then(|it| it.rsplit_once(quote)) {
            return unwrapped(inner).unwrap_or_else(|| inner.to_owned());
        }
    }
    value.split([' ', '\t', ';']).next().unwrap_or_default().to_owned()
}

/// What stands in base64 between the two words (acme.sh 3.1.4, `_save_conf`).
fn unwrapped(value: &str) -> Option<String> {
    let inner = value.strip_prefix("__ACME_BASE64__START_")?.strip_suffix("__ACME_BASE64__END_")?;
    Some(String::from_utf8_lossy(&STANDARD.decode(inner).ok()?).into_owned())
}

/// More than any of these files has.
const MAX_ASSIGNMENTS: usize = 200;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_taken_out_of_their_quotes() {
        let all = Assignments::read(
            b"# CA=no\nCA=https://x/dir # y\nHOOK=\"${BASEDIR}/hook.sh\"\n export A='b c'\nEMPTY=\n\
              WELLKNOWN=$BASEDIR/www\nTWICE=1\nTWICE=2\nno line\n\
              R='__ACME_BASE64__START_c3lzdGVtY3RsIHJlbG9hZCBuZ2lueA==__ACME_BASE64__END_'\n\
              BAD='__ACME_BASE64__START_!__ACME_BASE64__END_'\nIT='it'\\''s'\n",
        );
        for (name, expect) in [
            ("CA", Some("https://x/dir")),
            ("A", Some("b c")),
            ("EMPTY", None),
            ("TWICE", Some("2")),
            ("R", Some("systemctl reload nginx")),
            ("BAD", Some("__ACME_BASE64__START_!__ACME_BASE64__END_")),
            ("no line", None),
        ] {
            assert_eq!(all.get(name), expect, "{name}");
        }
        assert_eq!(all.path("HOOK", "/base").as_deref(), Some("/base/hook.sh"));
        assert_eq!(all.path("WELLKNOWN", "/base").as_deref(), Some("/base/www"));
        assert_eq!(all.path("A", "/base").as_deref(), Some("b c"));
    }
}
