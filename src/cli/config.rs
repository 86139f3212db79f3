//! The operator's settings: `config.toml` in the folder of settings. Every key has a default, and
//! a key that is not known is a complaint.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use toml::Spanned;

use super::{Failure, open};
use crate::spanned::{self, Diagnostic, did_you_mean};
use crate::tui::theme;

/// What the settings say.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Config {
    theme: Option<Spanned<String>>,
    /// Whether the mouse is left to the terminal.
    pub no_mouse: bool,
    /// Whether to draw with ASCII characters only.
    pub ascii: bool,
    keys: BTreeMap<Spanned<String>, Spanned<String>>,
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

    /// The theme, by name.
    pub fn theme(&self) -> Option<&str> {
        self.theme.as_ref().map(|it| it.get_ref().as_str())
    }
}

fn parse(text: &str) -> (Config, Vec<Diagnostic>) {
    match toml::from_str::<Config>(text) {
        Err(error) => (Config::default(), vec![spanned::complain(&error, 0..text.len())]),
        Ok(config) => {
            let complaints = config.complaints();
            (config, complaints)
        }
    }
}

impl Config {
    fn complaints(&self) -> Vec<Diagnostic> {
        self.theme.iter().filter_map(unknown_theme).collect()
    }
}

fn unknown_theme(theme: &Spanned<String>) -> Option<Diagnostic> {
    let names = || theme::ALL.iter().map(|it| it.name);
    let name = theme.get_ref().as_str();
    if name == "auto" || names().any(|it| it == name) {
        return None;
    }
    let known: Vec<&str> = names().collect();
    let message = format!("unknown theme `{name}`, expected one of auto, {}", known.join(", "));
    let complaint = Diagnostic::new(message, theme.span());
    Some(match did_you_mean(name, names()) {
        Some(near) => complaint.with_hint(format!("did you mean `{near}`?")),
        None => complaint,
    })
}
