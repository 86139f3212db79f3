//! What a failure says about itself, for the words that explain it.

use crate::fleet::Moment;

/// The gaps in the words of a rule, filled from the output.
#[derive(Debug)]
pub(super) struct Facts<'o> {
    output: &'o str,
}

impl<'o> Facts<'o> {
    pub(super) fn of(output: &'o str) -> Self {
        Self { output }
    }

    /// Fills the gaps of a text.
    pub(super) fn fill(&self, text: &str) -> String {
        let mut filled = String::new();
        for (at, part) in text.split(['{', '}']).enumerate() {
            // What stands between braces is every second part.
            if at % 2 == 0 {
                filled.push_str(part);
            } else {
                filled.push_str(&self.gap(part));
            }
        }
        filled
    }

    fn gap(&self, name: &str) -> String {
        let told = match name {
            "domain" => self.domain(),
            "quoted" => self.between("\"", "\"").or_else(|| self.domain()),
            "retry" => self.after("retry after ").map(|it| until(it, &[": see", ")"])),
            "visit" => self.after("visit: ").map(|it| it.trim_end_matches('.')),
            "code" => {
                // The log of a host is kept with the command behind it, which `noise` tells.
                let kept = || Some(until(self.after("failed with exit code ")?, &[": "]));
                self.after("reported error code ").or_else(kept)
            }
            "noise" => return self.noise(),
            "option" => self.after("unrecognized arguments: "),
            "host" => self.host(),
            "lineage" => self.after("found with name ").map(|it| until(it, &[" (expected"])),
            "conf" => {
                self.after("onfiguration file ").map(|it| until(it, &[" is broken", " produced"]))
            }
            "path" => self.after("] Permission denied: ").or_else(|| self.after("on device: ")),
            "plugin" => self.after("The requested ").map(|it| until(it, &[" plugin"])),
            _ => None,
        };
        let told = told.map(|it| it.trim().trim_matches('\'')).filter(|it| !it.is_empty());
        told.or_else(|| default(name)).unwrap_or_default().to_owned()
    }

    /// What follows those words on their line.
    fn after(&self, words: &str) -> Option<&'o str> {
        self.output.split_once(words)?.1.lines().next()
    }

    fn between(&self, start: &str, end: &str) -> Option<&'o str> {
        Some(self.after(start)?.split_once(end)?.0)
    }

    /// The name that the CA could not verify: as certbot prints it, or as the log of a host is
    /// kept, `NAME: TYPE: DETAIL`.
    fn domain(&self) -> Option<&'o str> {
        let paused = || Some(until(self.after("requesting certificates for ")?, &[" and "]));
        self.after("Domain: ").or_else(paused).or_else(|| {
            let (name, rest) = self.output.split_once(": ")?;
            let is_name = name.contains('.') && !name.contains([' ', '/', '\'']);
            (is_name && rest.contains(": ")).then_some(name)
        })
    }

    /// The name or domain for which a limit is used up.
    pub(super) fn limited(&self) -> Option<&'o str> {
        let paused = || self.after("requesting certificates for ")?.split_whitespace().next();
        self.between("issued for \"", "\"")
            .or_else(|| self.between("authorizations (", "\" in").and_then(quoted))
            .or_else(paused)
            .map(|it| it.trim().trim_end_matches(['.', ',']))
            .filter(|it| !it.is_empty())
    }

    /// When the CA takes the next, as Boulder writes it: `retry after 2026-11-25 12:00:00 UTC`.
    pub(super) fn retry(&self) -> Option<Moment> {
        let words = self.after("retry after ")?;
        let mut words = words.split_whitespace();
        let (day, time) = (words.next()?, words.next()?);
        Moment::parse(&format!("{day}T{}Z", time.get(..8)?))
    }

    /// The first line of what a hook printed when it failed, with a colon before it.
    fn noise(&self) -> String {
        let printed = self.output.split_once("ran with error output:").map(|it| it.1);
        let command =
            self.after("failed with exit code ").and_then(|it| Some(it.split_once(": ")?.1));
        let first =
            printed.and_then(|it| it.lines().find(|line| !line.trim().is_empty())).or(command);
        first.map_or_else(String::new, |it| format!(": {}", it.trim()))
    }

    /// The host of the CA.
    fn host(&self) -> Option<&'o str> {
        self.between("(host='", "'").or_else(|| self.between("for url: https://", "/"))
    }
}

/// What stands behind the first quote.
fn quoted(text: &str) -> Option<&str> {
    Some(text.split_once('"')?.1)
}

/// A text up to the first of these words.
fn until<'t>(text: &'t str, words: &[&str]) -> &'t str {
    let ends = words.iter().filter_map(|it| text.find(it));
    text.get(..ends.min().unwrap_or(text.len())).unwrap_or(text)
}

/// What is said where the output does not tell.
fn default(name: &str) -> Option<&'static str> {
    Some(match name {
        "domain" | "quoted" => "one of the names",
        "retry" => "the time that the CA tells",
        "code" => "other than 0",
        "host" => "the CA",
        "conf" => "a renewal configuration",
        "path" => "a file",
        "plugin" => "authenticator",
        "visit" => "the page that the CA names",
        _ => return None,
    })
}
