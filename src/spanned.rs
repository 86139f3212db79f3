//! Tables of a TOML file that remember where they stand, and complaints that point there.
//! Knows nothing of hosts or certificates.

use std::fmt;
use std::ops::Range;

use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};
use serde::de::DeserializeOwned;
use toml::Spanned;
use toml::de::{DeTable, DeValue, ValueDeserializer};

/// Something wrong in a text that a person wrote, and the place it is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// What is wrong, in one sentence.
    pub message: String,
    /// Where, in bytes.
    pub span: Range<usize>,
    /// What to do about it.
    pub hint: Option<String>,
}

impl Diagnostic {
    /// A complaint about that part of the text.
    pub fn new(message: impl Into<String>, span: Range<usize>) -> Self {
        Self { message: message.into(), span, hint: None }
    }

    /// Adds what to do about it.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Draws the complaint as `error: …`, `file:line:column` and the culprit with a caret below.
    pub fn render(&self, path: &str, text: &str, is_colored: bool) -> String {
        let renderer = if is_colored { Renderer::styled() } else { Renderer::plain() };
        let span = self.clamped(text);
        // Only the lines in question: there may be many complaints in a long file.
        let (before, rest) = text.split_at(span.start);
        let start = before.rfind('\n').map_or(0, |it| it + 1);
        let after = rest.get(span.len()..).unwrap_or_default();
        let end = span.end + after.find('\n').unwrap_or(after.len());
        let line = 1 + before.matches('\n').count();
        if end - start > MAX_DRAWN {
            let column = 1 + before.get(start..).unwrap_or_default().chars().count();
            let origin = Origin::path(path).line(line).char_column(column);
            let report = Level::ERROR.primary_title(self.message.as_str()).element(origin);
            return self.finish(&renderer, report);
        }
        let lines = without_secrets(text.get(start..end).unwrap_or_default());
        let snippet = Snippet::source(lines)
            .line_start(line)
            .path(path)
            .annotation(AnnotationKind::Primary.span(span.start - start..span.end - start));
        let report = Level::ERROR.primary_title(self.message.as_str()).element(snippet);
        self.finish(&renderer, report)
    }

    /// Adds the hint.
    fn finish(&self, renderer: &Renderer, report: Group<'_>) -> String {
        match &self.hint {
            None => renderer.render(&[report]),
            Some(hint) => renderer.render(&[report.element(Level::HELP.message(hint.as_str()))]),
        }
    }

    /// The span, cut to what the text has, and never empty where there is a character to show.
    fn clamped(&self, text: &str) -> Range<usize> {
        let start = floor(text, self.span.start);
        let end = floor(text, self.span.end.max(start));
        start..end
    }
}

/// Longer lines than people write are named and not drawn.
const MAX_DRAWN: usize = 4096;

/// Stars in place of what follows a key that looks as if a secret stood behind it, so that a
/// complaint about a misplaced secret does not spread it. Every byte keeps its place.
fn without_secrets(lines: &str) -> String {
    let mut shown = String::with_capacity(lines.len());
    for line in lines.split_inclusive(['\n', ',']) {
        let (key, value) = line.split_once('=').unwrap_or((line, ""));
        shown.push_str(key);
        if key.len() < line.len() {
            shown.push('=');
        }
        if !looks_secret(key) {
            shown.push_str(value);
            continue;
        }
        for c in value.chars() {
            match c {
                ' ' | '\t' | '\r' | '\n' | ',' | '"' | '\'' | '}' | ']' => shown.push(c),
                _ => shown.extend(std::iter::repeat_n('*', c.len_utf8())),
            }
        }
    }
    shown
}

/// Whether a key looks as if a secret stood behind it, and not the place of one.
pub fn looks_secret(key: &str) -> bool {
    const WORDS: [&str; 7] =
        ["secret", "token", "password", "passwd", "passphrase", "apikey", "credential"];
    const PLACES: [&str; 3] = ["secretfile", "secretenv", "secretcommand"];
    let key = key.to_ascii_lowercase().replace(['_', '-'], "");
    WORDS.iter().any(|it| key.contains(it)) && !PLACES.iter().any(|it| key.contains(it))
}

/// The next character boundary at or before `at`.
fn floor(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|it| text.is_char_boundary(*it)).unwrap_or(0)
}

/// Picks the known word that is nearest to a mistyped one, if one is near at all.
pub fn did_you_mean<'a>(typed: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // Comparing costs the product of both lengths, and no known word is that long.
    if typed.len() > 64 {
        return None;
    }
    known
        .into_iter()
        .map(|it| (strsim::damerau_levenshtein(typed, it), it))
        .filter(|(distance, it)| *distance <= 1 + it.len() / 4)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, it)| it)
}

/// A table whose meaning belongs to another room; it keeps its place in the file.
#[derive(Debug, Clone)]
pub struct Table<'t> {
    kind: Spanned<String>,
    rest: Spanned<DeTable<'t>>,
}

impl<'t> Table<'t> {
    /// Takes a table that has a `kind` key.
    pub fn new(value: Spanned<DeValue<'t>>) -> Result<Self, Diagnostic> {
        let span = value.span();
        let DeValue::Table(mut rest) = value.into_inner() else {
            return Err(Diagnostic::new("expected a table", span));
        };
        match rest.remove("kind") {
            Some(kind) => match kind.get_ref().as_str() {
                Some(name) => Ok(Self {
                    kind: Spanned::new(kind.span(), name.to_owned()),
                    rest: Spanned::new(span, rest),
                }),
                None => Err(Diagnostic::new("`kind` must be a string", kind.span())),
            },
            None => Err(Diagnostic::new("missing `kind`", span)),
        }
    }

    /// The value of the `kind` key.
    pub fn kind(&self) -> &str {
        self.kind.get_ref()
    }

    /// Reads the other keys into the owner's own struct.
    pub fn read<T: DeserializeOwned>(self) -> Result<T, Diagnostic> {
        let span = self.rest.span();
        let value = Spanned::new(span, DeValue::Table(self.rest.into_inner()));
        read(value)
    }

    /// A complaint about the `kind` key itself.
    pub fn unknown_kind(&self, known: &[&str]) -> Diagnostic {
        let complaint = Diagnostic::new(
            format!("unknown kind `{}`, expected one of {}", self.kind(), known.join(", ")),
            self.kind.span(),
        );
        match did_you_mean(self.kind(), known.iter().copied()) {
            Some(near) => complaint.with_hint(format!("did you mean `{near}`?")),
            None => complaint,
        }
    }
}

/// Reads a value with its place into a struct; the complaint points at the culprit inside, and
/// says which key was probably meant.
pub fn read<T: DeserializeOwned>(value: Spanned<DeValue<'_>>) -> Result<T, Diagnostic> {
    let span = value.span();
    T::deserialize(ValueDeserializer::from(value)).map_err(|it| complain(&it, span))
}

/// Turns an error of the TOML reader into a complaint; `fallback` is used where it has no place.
pub fn complain(error: &toml::de::Error, fallback: Range<usize>) -> Diagnostic {
    let message = error.message().to_owned();
    let hint = guess(&message);
    Diagnostic { message, span: error.span().unwrap_or(fallback), hint }
}

/// What was probably meant, from serde's "unknown field `x`, expected one of `a`, `b`".
fn guess(message: &str) -> Option<String> {
    let rest = message
        .strip_prefix("unknown field `")
        .or_else(|| message.strip_prefix("unknown variant `"))?;
    let (typed, expected) = rest.split_once('`')?;
    let near = did_you_mean(typed, expected.split('`').skip(1).step_by(2))?;
    Some(format!("did you mean `{near}`?"))
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_words_are_found() {
        assert_eq!(did_you_mean("certbt", ["certbot", "pem"]), Some("certbot"));
        assert_eq!(did_you_mean("haproxy", ["certbot", "pem"]), None);
        assert_eq!(
            guess("unknown field `adress`, expected one of `name`, `address`").as_deref(),
            Some("did you mean `address`?")
        );
    }

    #[test]
    fn complaints_point_at_the_culprit() {
        let text = "[[host]]\nnmae = 'a'\n";
        let complaint =
            Diagnostic::new("unknown field `nmae`", 9..13).with_hint("did you mean `name`?");
        let shown = complaint.render("inventory.toml", text, false);
        assert!(shown.contains("inventory.toml:2:1"), "{shown}");
        assert!(shown.contains("^^^^"), "{shown}");
    }

    #[test]
    fn secrets_are_not_repeated() {
        let text = "name = 'a'\napi-token = \"s3cr3t é\" # s3cr3t\n";
        let shown = Diagnostic::new("unknown key", 11..20).render("f", text, false);
        assert!(shown.contains("f:2:1") && !shown.contains("s3cr3t"), "{shown}");
        let text = "dns = [{ name = 'a', Password = 's3cr3t' }]";
        let shown = Diagnostic::new("unknown key", 21..29).render("f", text, false);
        assert!(shown.contains("'a'") && !shown.contains("s3cr3t"), "{shown}");
        assert!(looks_secret("TSIG_SECRET") && looks_secret("api-key") && !looks_secret("key"));
        assert!(!looks_secret("secret-file") && !looks_secret("identity-file"));
    }

    #[test]
    fn long_lines_are_named_and_not_drawn() {
        let text = format!("a = 1\nb = '{}'\n", "x".repeat(10_000));
        let shown = Diagnostic::new("wrong", 10..14).with_hint("mend it").render("f", &text, false);
        assert!(shown.contains("f:2:5") && shown.contains("mend it"), "{shown}");
        assert!(shown.len() < 200);
    }

    #[test]
    fn a_span_outside_the_text_does_no_harm() {
        Diagnostic::new("x", 5..900).render("f", "ä", false);
        Diagnostic::new("x", 1..1).render("f", "ä", false);
        Diagnostic::new("x", 0..0).render("f", "", false);
    }
}
