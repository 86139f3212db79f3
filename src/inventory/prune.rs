//! Reads a document into one type and complains about everything in it that does not fit. serde
//! stops at the first error, so what fails as a whole is tried again in parts: a table key by
//! key, an array element by element.

use serde::de::DeserializeOwned;
use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

use crate::spanned::{self, Diagnostic};

/// Reads what fits into `T`, all of whose parts may be left out, and complains about the rest.
pub(super) fn read<T: DeserializeOwned + Default>(
    value: Spanned<DeValue<'_>>,
    complaints: &mut Vec<Diagnostic>,
) -> T {
    let fits = |it: Spanned<DeValue<'_>>| spanned::read::<T>(it).map(drop);
    let read = prune(value, &fits, complaints).map(spanned::read).transpose();
    read.unwrap_or_else(|complaint| {
        complaints.push(complaint);
        None
    })
    .unwrap_or_default()
}

/// Whether a value fits in its place.
type Fits<'f> = &'f dyn Fn(Spanned<DeValue<'_>>) -> Result<(), Diagnostic>;

/// What is left of a value when everything that does not fit is taken out of it.
fn prune<'t>(
    value: Spanned<DeValue<'t>>,
    fits: Fits<'_>,
    complaints: &mut Vec<Diagnostic>,
) -> Option<Spanned<DeValue<'t>>> {
    if complaints.len() >= MAX_COMPLAINTS {
        return None;
    }
    let Err(complaint) = fits(value.clone()) else { return Some(value) };
    let span = value.span();
    let is_for_table = fits(Spanned::new(span.clone(), DeValue::Table(DeTable::new()))).is_ok();
    let pruned = match value.into_inner() {
        DeValue::Table(table) if is_for_table => {
            let mut kept = DeTable::new();
            for (key, part) in table {
                let within = |part: Spanned<DeValue<'_>>| {
                    let mut alone = DeTable::new();
                    let name = key.get_ref().to_string().into();
                    alone.insert(Spanned::new(key.span(), name), part);
                    fits(Spanned::new(span.clone(), DeValue::Table(alone)))
                };
                if let Some(part) = prune(part, &within, complaints) {
                    kept.insert(key, part);
                }
            }
            DeValue::Table(kept)
        }
        // serde would take its parts for the values of the keys, in their order.
        DeValue::Array(_) if is_for_table => {
            let hint = "write its name in single brackets, and its keys below";
            let complaint = Diagnostic::new("expected a table, found an array", span);
            complaints.push(complaint.with_hint(hint));
            return None;
        }
        DeValue::Array(array)
            if fits(Spanned::new(span.clone(), DeValue::Array(DeArray::new()))).is_ok() =>
        {
            let mut kept = DeArray::new();
            for part in array {
                let within = |part: Spanned<DeValue<'_>>| {
                    let mut alone = DeArray::new();
                    alone.push(part);
                    fits(Spanned::new(span.clone(), DeValue::Array(alone)))
                };
                if let Some(part) = prune(part, &within, complaints) {
                    kept.push(part);
                }
            }
            DeValue::Array(kept)
        }
        _ => {
            complaints.push(complaint);
            return None;
        }
    };
    Some(Spanned::new(span, pruned))
}

/// More than anybody mends at once, and few enough that no file takes long to read.
pub(super) const MAX_COMPLAINTS: usize = 1000;
