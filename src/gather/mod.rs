//! Fleets that are read elsewhere: what a Prometheus server holds of them. Asks servers of the
//! inventory only, and nothing of a host.

mod client;
mod read;

use std::sync::Arc;

use crate::fleet::Host;
use crate::inventory::{Elsewhere, Inventory};
use crate::secret::Secret;
use crate::text::SafeText;

use client::Client;

/// Why nothing is known of a fleet.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The answer is not what the query API says.
    #[error("{fleet}: {why}")]
    Answer {
        /// The fleet.
        fleet: SafeText,
        /// What is wrong with it.
        why: SafeText,
    },
    /// The server could not be asked.
    #[error("{fleet} cannot be asked: {why}")]
    Unreached {
        /// The fleet.
        fleet: SafeText,
        /// Why.
        why: SafeText,
    },
}

/// What was told of one fleet: its name, and its hosts or why there are none.
pub type Gathered = (SafeText, Result<Vec<Host>, Error>);

/// Asks for the hosts of a fleet of the inventory.
pub async fn gather(inventory: Arc<Inventory>, fleet: Elsewhere) -> Gathered {
    let by = SafeText::new(&fleet.name);
    let hosts = hosts(&inventory, &fleet, &by).await;
    (by, hosts)
}

async fn hosts(
    inventory: &Inventory,
    fleet: &Elsewhere,
    by: &SafeText,
) -> Result<Vec<Host>, Error> {
    let secret = match &fleet.secret {
        None => None,
        Some(place) => {
            let secret = Secret::read(place, &format!("fleet {by}")).await;
            Some(secret.map_err(|it| client::unreached(by, &it.to_string()))?)
        }
    };
    let client = Client::new(fleet, secret.as_ref(), &inventory.defaults.roots)?;
    let mut answers = Vec::new();
    for metric in read::METRICS {
        answers.push(client.query(metric).await?);
    }
    let told: Vec<_> = answers.iter().map(AsRef::as_ref).collect();
    read::hosts(by, &told).map_err(|why| Error::Answer { fleet: by.clone(), why })
}
