//! What is changed elsewhere than on a host: asked for by its name, and on record from its
//! beginning to its end.

use std::io::{self, BufRead as _, IsTerminal as _};

use serde_json::{Map, Value};

use super::session::{open_log, refused};
use super::survey::note;
use super::{Context, Exit, Failure};
use crate::audit::{self, Log, Permit};
use crate::perform::Ending;
use crate::perform::errand;
use crate::text::SafeText;

/// Says what would be done, and asks for the name of what it is done to: how it was confirmed, for
/// the record; `None` if it was not. `kind` is what bears that name.
pub(super) fn confirm(
    warning: &str,
    (kind, name): (&str, &str),
    yes: Option<&str>,
) -> Result<Option<&'static str>, Failure> {
    say(warning);
    match yes {
        Some(typed) if typed == name => return Ok(Some("--yes with the name")),
        Some(typed) => {
            let text = format!("--yes says {typed}, and the {kind} is {name}");
            return Err(Failure::say(Exit::BadRequest, text));
        }
        None => {}
    }
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        let text = "nobody is here who could be asked; nothing was changed";
        let hint = format!("`--yes {name}` says that you mean it");
        return Err(Failure::say(Exit::BadRequest, text).with_hint(hint));
    }
    note(&format!("Type {} to go on: ", SafeText::new(name)));
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    Ok((answer.trim() == name).then_some("typed the name"))
}

/// An errand that is on record as begun.
pub(super) struct Errand {
    log: Log,
    errand: errand::Errand,
}

impl Errand {
    /// Writes down what is about to be done, after what was cut off before. The secret that it is
    /// done with never gets into the log.
    pub(super) fn begin(
        body: Map<String, Value>,
        secret: Option<&audit::Secret>,
        context: &Context,
    ) -> Result<Self, Failure> {
        let mut log = open_log(context)?;
        for line in errand::settle(&mut log).map_err(refused)? {
            say(line.as_str());
        }
        if let Some(secret) = secret {
            log.protect(secret);
        }
        let errand = errand::Errand::begin(&mut log, body).map_err(refused)?;
        Ok(Self { log, errand })
    }

    /// The permit to do it.
    pub(super) fn permit(&self) -> &Permit {
        self.errand.permit()
    }

    /// Writes down what became of it.
    pub(super) fn end(mut self, ending: Ending, summary: &SafeText) -> Result<(), Failure> {
        self.errand.end(&mut self.log, ending, summary).map_err(|it| {
            let error = anyhow::Error::new(it).context(format!("{summary}; that is not on record"));
            Failure::new(Exit::AuditRefused, error)
        })
    }
}

/// Says a line on stderr.
pub(super) fn say(text: &str) {
    note(&format!("{}\n", SafeText::new(text)));
}
