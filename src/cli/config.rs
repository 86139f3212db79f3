//! The operator's settings: `config.toml` in the folder of settings. Every key has a default, and
//! a key that is not known is a complaint.

use std::path::Path;

use serde::Deserialize;
use serde::de::IgnoredAny;
use toml::Spanned;

use super::console::AUTO;
use super::{Failure, open};
use crate::spanned::{self, Diagnostic, did_you_mean};
use crate::tui::bell::{self, Bell};
use crate::tui::{keys, theme};

/// What the settings say.
#[derive(Debug, Clone, Default)]
pub struct Config {
    theme: Option<String>,
    /// Whether the console listens to the mouse from the start.
    pub mouse: bool,
    /// Whether to draw with ASCII characters only.
    pub ascii: bool,
    bell: Option<Bell>,
    /// Commands of the console on other keys.
    pub keys: Vec<(keys::Command, Vec<keys::Chord>)>,
}

/// The file. The keys are read by the room that has them.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
struct Shape {
    theme: Option<Spanned<String>>,
    mouse: bool,
    ascii: bool,
    bell: Option<Spanned<String>>,
    #[serde(rename = "keys")]
    _keys: IgnoredAny,
}

impl Config {
    /// Reads the settings in this folder; without a file, everything is as by default.
    pub fn read(folder: &Path, is_colored: bool) -> Result<Self, Failure> {
        let path = folder.join("config.toml");
        let Some(text) = open::text_if_any(&path)? else { return Ok(Self::default()) };
        let (config, complaints) = parse(&text);
        open::draw(&complaints, &path, &text, is_colored)?;
        Ok(config)
    }

    /// How the terminal tells that something long has ended, if it is not left to its kind.
    pub fn bell(&self) -> Option<Bell> {
        self.bell
    }

    /// The theme, by name.
    pub fn theme(&self) -> Option<&str> {
        self.theme.as_deref()
    }
}

fn parse(text: &str) -> (Config, Vec<Diagnostic>) {
    let shape = match toml::from_str::<Shape>(text) {
        Err(error) => {
            return (Config::default(), vec![spanned::complain(&error, 0..text.len())]);
        }
        Ok(it) => it,
    };
    let (keys, mut complaints) = keys::parse_overrides(text);
    complaints.extend(shape.theme.iter().filter_map(unknown_theme));
    let bell = shape.bell.as_ref().filter(|it| it.get_ref() != AUTO);
    let bell = bell.and_then(|it| known_bell(it).map_err(|it| complaints.push(it)).ok());
    complaints.sort_by_key(|it| it.span.start);
    let theme = shape.theme.map(Spanned::into_inner);
    (Config { theme, mouse: shape.mouse, ascii: shape.ascii, bell, keys }, complaints)
}

fn known_bell(name: &Spanned<String>) -> Result<Bell, Diagnostic> {
    let known = bell::ALL.iter().find(|it| it.0 == name.get_ref());
    known.map(|it| it.1).ok_or_else(|| {
        let names: Vec<&str> = bell::ALL.iter().map(|it| it.0).collect();
        let (name, span) = (name.get_ref(), name.span());
        let message =
            format!("unknown bell `{name}`, expected one of {AUTO}, {}", names.join(", "));
        Diagnostic::new(message, span)
    })
}

fn unknown_theme(theme: &Spanned<String>) -> Option<Diagnostic> {
    let names = || theme::ALL.iter().map(|it| it.name);
    let name = theme.get_ref().as_str();
    if name == AUTO || names().any(|it| it == name) {
        return None;
    }
    let known: Vec<&str> = names().collect();
    let message = format!("unknown theme `{name}`, expected one of {AUTO}, {}", known.join(", "));
    let complaint = Diagnostic::new(message, theme.span());
    Some(match did_you_mean(name, names()) {
        Some(near) => complaint.with_hint(format!("did you mean `{near}`?")),
        None => complaint,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn complains(text: &str, message: &str, at: &str) {
        let (_, complaints) = parse(text);
        let found: Vec<_> =
            complaints.iter().map(|it| (it.message.as_str(), &text[it.span.clone()])).collect();
        assert_eq!(found, [(message, at)]);
    }

    #[test]
    fn settings_are_read() {
        let (config, complaints) =
            parse("theme = 'light'\nmouse = true\n[keys]\nhelp = ['?', 'f1']\n");
        assert_eq!(complaints, []);
        assert_eq!((config.theme(), config.mouse, config.ascii), (Some("light"), true, false));
        assert_eq!(config.keys.len(), 1);
        assert_eq!(parse("").1, []);
    }

    #[test]
    fn complaints_point_at_the_culprit() {
        complains(
            "theem = 'dark'",
            "unknown field `theem`, expected one of `theme`, `mouse`, `ascii`, `bell`, `keys`",
            "theem",
        );
        complains(
            "theme = 'drak'",
            "unknown theme `drak`, expected one of auto, dark, light, mono, high-contrast",
            "'drak'",
        );
        complains(
            "bell = 'osc8'",
            "unknown bell `osc8`, expected one of auto, off, bell, osc9, osc777",
            "'osc8'",
        );
        complains("mouse = 'yes'", "invalid type: string \"yes\", expected a boolean", "'yes'");
        complains("[keys]\nhlep = '?'", "unknown command `hlep`", "hlep");
    }
}
