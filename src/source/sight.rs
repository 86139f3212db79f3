//! What one source sees of the files of a host: chains and keys, with the reason where it cannot.

use super::bundle::{read_chain, read_leaf};
use super::found::Found;
use super::key::{Keys, places};
use super::{Kind, Reading, Section};
use crate::fleet::{Certificate, Place, Problem, ProblemKind, Sighting};
use crate::text::SafeText;

/// Sends the public key of every private key in `$K`, lines of `stamps`, that is new.
pub(super) const ASK_KEYS: &str = r#"
set -f
IFS=$NL
for line in $K; do
unset IFS
same "$line" || public "$line"
done
unset IFS
set +f
"#;

/// The files of a section.
#[derive(Debug)]
pub(super) struct Sight<'a, 'r> {
    kind: &'static Kind,
    found: Found<'a>,
    keys: Keys<'a>,
    reading: &'r Reading<'r>,
}

impl<'a, 'r> Sight<'a, 'r> {
    /// Collects them.
    pub(super) fn new(
        kind: &'static Kind,
        section: &Section<'a>,
        reading: &'r Reading<'r>,
    ) -> Self {
        Self { kind, found: Found::new(section), keys: Keys::new(section), reading }
    }

    /// The beginning of that file, if it was read.
    pub(super) fn file(&self, path: &str) -> Option<&'a [u8]> {
        self.found.file(path)
    }

    /// The first certificate of that file.
    pub(super) fn leaf(&self, path: &str) -> Option<Certificate> {
        read_leaf(self.file(path)?)
    }

    /// The chain in that file.
    pub(super) fn chain(&self, path: &str, problems: &mut Vec<Problem>) -> Option<Sighting> {
        let Some(text) = self.file(path) else {
            problems.push(self.found.why_not(path));
            return None;
        };
        let chain = read_chain(path, text, self.reading.roots, problems)?;
        Some(Sighting { chain, location: SafeText::new(path), at: self.reading.now })
    }

    /// Adds what is known of the private key at that path.
    pub(super) fn key(&self, path: &str, place: &mut Place) {
        let known = places(self.kind.name, self.reading.known).find(|it| it.name == place.name);
        let known = known.and_then(|it| it.key.as_ref());
        place.key = self.keys.sight(path, known, &mut place.problems);
        let is_odd = place.key.is_none() && place.layers.disk.is_some();
        if is_odd {
            let why = self.found.why_not(path);
            place.problems.extend(Some(why).filter(|it| it.kind == ProblemKind::Missing));
        }
    }
}
