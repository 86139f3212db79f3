//! Which keys a `[[dns]]` has, by its kind.

use std::ops::Range;

use toml::Spanned;
use toml::de::DeString;

use super::grammar::{Checked, LabelText};
use super::plain::MAX_SHOWN;
use crate::dns::{self, Kind, Wanted};
use crate::spanned::{Diagnostic, did_you_mean};
use crate::text::SafeText;

/// A table, as it stands in the file.
pub(super) struct Told<'d, 't> {
    /// Where it is.
    pub(super) table: Range<usize>,
    /// Its keys.
    pub(super) keys: Vec<&'d Spanned<DeString<'t>>>,
    /// Whether the syntax of the file is right: if it is not, nothing can be called missing.
    pub(super) is_whole: bool,
    /// Whether it says where its secret is.
    pub(super) has_secret: bool,
}

/// The kind of a DNS provider; complains unless its table has the keys of that kind and no others.
pub(super) fn kind(
    name: &Spanned<Checked<LabelText>>,
    told: &Told<'_, '_>,
    complaints: &mut Vec<Diagnostic>,
) -> Option<&'static Kind> {
    let (span, name) = (name.span(), name.get_ref().as_str());
    let Some(kind) = dns::named(name) else {
        let shown = SafeText::capped(name, MAX_SHOWN);
        let known: Vec<_> = dns::kinds().map(|it| it.name).collect();
        let hint = match did_you_mean(name, known.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None if !cfg!(feature = "dns-providers") => format!(
                "this certdeck is built without `dns-providers`, and knows {} only",
                known.join(", ")
            ),
            None => format!("the kinds are {}", known.join(", ")),
        };
        complaints.push(Diagnostic::new(format!("unknown kind `{shown}`"), span).with_hint(hint));
        return None;
    };
    let taken: Vec<_> = kind.needs.iter().chain(kind.takes).copied().collect();
    for key in &told.keys {
        let word: &str = key.get_ref();
        if dns::KEYS.contains(&word) && !taken.contains(&word) {
            let message = format!("a `[[dns]]` of the kind `{name}` takes no `{word}`");
            let hint = match taken.as_slice() {
                [] => "take the line out".to_owned(),
                taken => format!("its own keys are {}", taken.join(", ")),
            };
            complaints.push(Diagnostic::new(message, key.span()).with_hint(hint));
        }
    }
    if !told.is_whole {
        return Some(kind);
    }
    let has = |it: &str| told.keys.iter().any(|key| *key.get_ref() == it);
    for key in kind.needs.iter().filter(|it| !has(it)) {
        let message = format!("this `[[dns]]` has no `{key}`");
        let hint = format!("a `[[dns]]` of the kind `{name}` needs it: {}", kind.about);
        complaints.push(Diagnostic::new(message, told.table.clone()).with_hint(hint));
    }
    let what = match kind.secret {
        Wanted::Perhaps(_) => return Some(kind),
        Wanted::Text(what) => what.to_owned(),
        Wanted::Parts(parts) => format!("lines `name = value` of {}", parts.join(", ")),
    };
    if !told.has_secret {
        let message = "this `[[dns]]` does not say where its secret is";
        let places = "`secret-file`, `secret-env` or `secret-command`";
        let hint = format!("name the place with {places}: {what}");
        complaints.push(Diagnostic::new(message, told.table.clone()).with_hint(hint));
    }
    Some(kind)
}
