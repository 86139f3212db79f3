//! What the TOML reader complains about, in words for people, with what to do about it.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::shape;
use crate::spanned::{self, Diagnostic, did_you_mean, looks_secret};
use crate::text::SafeText;

/// Puts what the TOML reader says into words for people.
pub(super) fn plain(complaint: Diagnostic) -> Diagnostic {
    let Diagnostic { message, span, hint } = complaint;
    if let Some((key, expected)) = quoted_after("unknown field `", &message) {
        let message = format!("unknown key `{}`", SafeText::capped(key, MAX_SHOWN));
        let known: Vec<_> = expected.split('`').skip(1).step_by(2).collect();
        let near = did_you_mean(key, known.iter().copied());
        let hint = match (near, known.as_slice()) {
            (Some(near), _) => format!("did you mean `{near}`?"),
            _ if is_key_of_host(key) => BELOW.to_owned(),
            (None, _) if looks_secret(key) => SECRETS.to_owned(),
            (None, []) => "nothing can be set here".to_owned(),
            (None, known) => format!("the keys here are {}", known.join(", ")),
        };
        return Diagnostic { message, span, hint: Some(hint) };
    }
    if message.starts_with("string values must be quoted") && span.is_empty() {
        let hint = Some("write one, or take the line out".to_owned());
        return Diagnostic { message: "there is no value after this `=`".into(), span, hint };
    }
    if let Some((word, expected)) = quoted_after("unknown variant `", &message) {
        let message = format!("unknown value `{}`, {expected}", SafeText::capped(word, MAX_SHOWN));
        return Diagnostic { message, span, hint };
    }
    if let Some((key, _)) = quoted_after("missing field `", &message) {
        let (message, hint) =
            (format!("there is no `{key}` here"), format!("add a line `{key} = …`"));
        return Diagnostic::new(message, span).with_hint(hint);
    }
    let Some((found, expected)) =
        message.strip_prefix("invalid type: ").and_then(|it| it.rsplit_once(", expected "))
    else {
        return Diagnostic { message, span, hint };
    };
    let hint = match (found, expected) {
        ("map", "a sequence") => Some("write its name in double brackets, as in `[[host]]`".into()),
        (_, "a sequence") => Some("put it into brackets, as in `[\"…\"]`".into()),
        ("sequence", "a table") => Some("write its name in single brackets".into()),
        _ => hint,
    };
    let word = |it: &str| match it {
        "map" => "a table".to_owned(),
        "sequence" | "a sequence" => "an array".to_owned(),
        "i64" => "a number".to_owned(),
        it => it.to_owned(),
    };
    Diagnostic {
        message: format!("expected {}, found {}", word(expected), word(found)),
        span,
        hint,
    }
}

/// Whether `[[host]]` takes that key. TOML puts what follows a `[[host.endpoint]]` into it, and
/// it is easily overlooked.
fn is_key_of_host(key: &str) -> bool {
    let mut alone = DeTable::new();
    alone.insert(Spanned::new(0..0, key.to_owned().into()), nothing());
    match spanned::read::<shape::Host>(Spanned::new(0..0, DeValue::Table(alone))) {
        Ok(_) => true,
        Err(it) => !it.message.starts_with("unknown field"),
    }
}

fn nothing<'t>() -> Spanned<DeValue<'t>> {
    Spanned::new(0..0, DeValue::Boolean(false))
}

/// What stands in backticks after `start`, and what follows.
fn quoted_after<'m>(start: &str, message: &'m str) -> Option<(&'m str, &'m str)> {
    // The name may hold a backtick itself, the list of known names may not.
    let rest = message.strip_prefix(start)?;
    rest.split_once("`, ").or_else(|| rest.split_once('`'))
}

/// The most characters that are repeated of a word that is not known.
pub(super) const MAX_SHOWN: usize = 80;

pub(super) const BELOW: &str = "a key of `[[host]]` must stand above its `[[host.source]]` and \
                     `[[host.endpoint]]`";
pub(super) const SECRETS: &str = "secrets never stand in this file: keep it elsewhere and name the place with \
                       `secret-file`, `secret-env` or `secret-command`";
