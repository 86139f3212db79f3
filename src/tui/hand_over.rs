//! The hand-over of an incident, written to a file for the console.

use std::path::{Path, PathBuf};

use super::console::outside;
use super::msg::HandOver;
use crate::audit::{Extract, Selection};
use crate::fleet::Moment;
use crate::inventory::Inventory;
use crate::report::incident::{self, Incident};
use crate::text::SafeText;

/// Writes the hand-over where it is wanted; where it is, and what to say in the chat.
pub(super) fn write(
    wanted: &HandOver,
    state_dir: &Path,
    inventory: &Inventory,
    now: Moment,
) -> Result<(PathBuf, String), SafeText> {
    let since = (wanted.seconds < i64::MAX).then(|| now.plus(-wanted.seconds));
    let selection = Selection { since, ..Selection::default() };
    let mut extract = Extract::read(state_dir, &selection);
    if let Some(only) = &wanted.only {
        extract.chosen.retain(|it| only.contains(it));
    }
    let extract = extract.with_tails(state_dir);
    let asked = match since {
        Some(since) => format!("since {since}"),
        None => "what was searched for in the console".to_owned(),
    };
    let fleet = inventory.fleet();
    let incident = Incident { extract: &extract, asked: &asked, fleet: &fleet, now };
    let mut text = Vec::new();
    if let Some(format) = incident::FORMATS.first() {
        (format.write)(&incident, &mut text).map_err(|it| SafeText::of_error(&it))?;
    }
    let text = String::from_utf8_lossy(&text);
    let cannot =
        |path: &Path, it: &std::io::Error| SafeText::new(&format!("{}: {it}", path.display()));
    let path = match wanted.path.as_deref() {
        None => {
            let stamp: String = now.to_string().chars().filter(|it| it.is_alphanumeric()).collect();
            let path = state_dir.join(format!("hand-over-{stamp}.md"));
            outside::keep(&path, &text).map_err(|it| cannot(&path, &it))?;
            path
        }
        Some(file) => {
            let path = match (file.strip_prefix("~/"), std::env::home_dir()) {
                (Some(rest), Some(home)) => home.join(rest),
                _ => PathBuf::from(file),
            };
            outside::keep_new(&path, &text).map_err(|it| cannot(&path, &it))?;
            path
        }
    };
    Ok((path, incident.status().join("\n")))
}
