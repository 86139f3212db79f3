//! A certificate that was read on a host, into a store of secrets; and what became of one that
//! nobody has seen the end of. The host is given nothing to do for it.

use serde_json::Value;

use super::case::{Case, leaf};
use super::judge::explanation;
use super::record::lock;
use super::{Ending, Report, Tools, conclude};
use crate::action::Delivery;
use crate::audit::Permit;
use crate::audit::read::Record;
use crate::fleet::{Fingerprint, Held, Place};
use crate::job::Secret;
use crate::secret_store::{Fault, Found, Parcel, Store};
use crate::text::SafeText;

/// Delivers what was read.
pub(super) async fn deliver(
    tools: &Tools,
    delivery: &Delivery,
    input: &Secret,
    (case, place): (&Case, Option<&Place>),
    permit: &Permit,
) -> Report {
    let Some(leaf) = leaf(place) else {
        return conclude::refused(case, "the certificate on the host is gone", None);
    };
    let store = match open(tools, &delivery.store).await {
        Ok(store) => store,
        Err(fault) => return not_delivered(case, &fault),
    };
    let lineage = case.lineage.as_deref().unwrap_or_default();
    let parcel = Parcel::new(input.text(), leaf, case.host.as_str(), lineage);
    let delivered = match store.deliver(&delivery.path, &parcel, permit).await {
        Ok(delivered) => delivered,
        Err(fault) => return not_delivered(case, &fault),
    };
    let (version, Delivery { store: name, path }) = (&delivered.version, delivery);
    if let Some(held) = &delivered.instead {
        return instead(case, held, &format!("version {version} of {path} in {name}"));
    }
    let summary = if delivered.is_new {
        format!("version {version} of {path} in {name} holds the certificate, read back")
    } else {
        format!("version {version} of {path} in {name} holds it already; nothing was written")
    };
    let mut state = vec![format!("valid until {}", leaf.not_after)];
    let key =
        if delivered.has_key { "its private key is there, too" } else { "no private key is there" };
    state.push(key.to_owned());
    if let Some(former) = &delivered.former {
        state.push(format!("version {former} was there before, and stays"));
    }
    if let Some(way) = store.way_back(path, &delivered) {
        state.push(format!("to go back to it: {way}"));
    }
    let state: Vec<_> = state.iter().map(String::as_str).collect();
    let report = conclude::report(case, Ending::Ok, &summary, &state, None);
    Report { after: Some(leaf.sha256), ..report }
}

/// What stays where another host has delivered a certificate that serves as well.
fn instead(case: &Case, held: &Held, version: &str) -> Report {
    let host = held.host.clone().unwrap_or_default();
    let summary =
        format!("{version} holds that of {host}, which ends no sooner; nothing was written");
    let until = held.until.map(|it| format!("that one is valid until {it}, for all of the names"));
    let state = [
        until.unwrap_or_default(),
        "to have this one there, take that version away in the store first".to_owned(),
    ];
    let state: Vec<_> = state.iter().map(String::as_str).collect();
    let report = conclude::report(case, Ending::Ok, &summary, &state, None);
    Report { after: held.chain.first().copied(), ..report }
}

/// Looks into the store for what a run that was cut off may have brought there. Whatever cannot be
/// told is no reason to leave the host alone: a delivery writes nothing twice.
pub(super) async fn settle(
    tools: &Tools,
    intent: &Record,
    case: &Case,
    wanted: Fingerprint,
) -> Report {
    let text = |key: &str| intent.text(key).unwrap_or_default();
    let (name, path) = (text("store"), text("path"));
    let found = match open(tools, name).await {
        Ok(store) => store.look(path).await,
        Err(fault) => Err(fault),
    };
    let again = "deliver it again: nothing is written twice";
    let chain = intent.body.get("chain").and_then(Value::as_array);
    let chain: Option<Vec<_>> = chain.map(|it| it.iter().filter_map(Value::as_str).collect());
    let is_wanted = |found: &Found| {
        let kept = found.kept.as_ref().map(|it| it.chain.iter().map(ToString::to_string));
        let is_same = |chain: &Vec<&str>| kept.is_some_and(|it| it.eq(chain.iter().copied()));
        found.leaf() == Some(wanted) && chain.as_ref().is_none_or(is_same)
    };
    match found {
        Ok(found) if is_wanted(&found) => {
            let version = found.version.unwrap_or_default();
            let summary = format!("version {version} of {path} in {name} holds the certificate");
            let report = conclude::report(case, Ending::Ok, &summary, &[], None);
            Report { after: Some(wanted), ..report }
        }
        Ok(_) => {
            let why = explanation("cut-off", "the run was cut off before it was written", again);
            let summary = format!("{path} in {name} does not hold the certificate");
            conclude::report(case, Ending::Failed, &summary, &[], Some(why))
        }
        Err(fault) => {
            let why = explanation("cut-off", fault.cause, again);
            let summary = format!("whether it was delivered is not known: {fault}");
            conclude::report(case, Ending::Unknown, &summary, &[], Some(why))
        }
    }
}

/// Opens a store of the inventory, and keeps what it is opened with out of the log.
async fn open(tools: &Tools, name: &str) -> Result<Store, Fault> {
    let told = tools.inventory.secret_store(name).ok_or_else(|| {
        let name = SafeText::capped(name, 80);
        Fault::settings(&SafeText::new(&format!("there is no [[secret-store]] `{name}`")))
    })?;
    let store = Store::open(told, tools.clock).await?;
    for guard in store.guards() {
        lock(&tools.log).protect(guard);
    }
    Ok(store)
}

fn not_delivered(case: &Case, fault: &Fault) -> Report {
    let why = explanation(fault.name, fault.cause, fault.next);
    let (ending, state) = if fault.is_written {
        (Ending::Unknown, "a version may have been written; nothing was changed on the host")
    } else {
        (Ending::Failed, "nothing was changed, neither in the store nor on the host")
    };
    conclude::report(case, ending, fault.text.as_str(), &[state], Some(why))
}
