//! Rehearsals are about proof that is given now: what the CA still believes from an earlier time
//! is given back (RFC 8555, section 7.5.2), so that it asks anew. Dry runs of certbot do the same.

use std::collections::BTreeSet;

use instant_acme::{AuthorizationStatus, Order};
use tokio::sync::OwnedMutexGuard;

use super::{Failure, Kept, Passing, Tell, Work, say};
use crate::acme::nonce::until_taken;
use crate::acme::{Error, Stage, turns};

impl Work<'_> {
    /// Rehearsals with a name in common take turns: what one has just proven, the other would give
    /// back under its hands.
    pub(super) async fn take_turns(&self, names: &[String]) -> Vec<OwnedMutexGuard<()>> {
        let ca = self.account.ca();
        let mut turns = Vec::new();
        // All in the same order, so that no two wait for each other.
        for name in names.iter().collect::<BTreeSet<_>>() {
            turns.push(turns::take(&format!("rehearsal of {name} at {ca}")).await);
        }
        turns
    }

    /// The order of a rehearsal: one in which the CA asks for everything that it lets be asked.
    /// What it does not ask for all the same is kept as such.
    pub(super) async fn open_anew(
        &self,
        kept: &mut Kept,
        tell: &mut Tell<'_>,
    ) -> Result<Order, Failure> {
        let ca = self.account.ca();
        let mut order = self.open(kept, tell).await?;
        let mut given = BTreeSet::new();
        until_taken!(ca, give_back(&mut order, ca, &mut given).await)?;
        if !given.is_empty() {
            let names = joined(&given);
            let text = format!("control of {names} was proven earlier: {ca} is to ask anew");
            say(tell, kept.stage, &text);
            (kept.url, kept.stage, kept.passing) = (None, Stage::Begun, Passing::Own);
            order = self.open(kept, tell).await?;
        }
        let unasked = until_taken!(ca, proven(&mut order).await)?;
        if !unasked.is_empty() {
            let names = joined(&unasked);
            let text = format!("control of {names} was proven earlier, and is not asked for again");
            say(tell, kept.stage, &text);
        }
        kept.unasked = unasked.into_iter().collect();
        Ok(order)
    }
}

/// Gives back what the CA believes, as far as it takes it back, and adds the names to `given`.
async fn give_back(
    order: &mut Order,
    ca: &str,
    given: &mut BTreeSet<String>,
) -> Result<(), instant_acme::Error> {
    let mut all = order.authorizations();
    while let Some(next) = all.next().await {
        let mut one = next?;
        if one.status != AuthorizationStatus::Valid {
            continue;
        }
        let name = one.identifier().to_string();
        match until_taken!(ca, one.deactivate().await.map(drop)) {
            Ok(()) => drop(given.insert(name)),
            // Not every CA has such a thing: what it goes on believing is seen in the order.
            Err(Error::Problem { problem, .. }) if problem.status < 500 => {}
            Err(Error::Answer { status, .. }) if status < 500 => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// The names of which the CA believes that they are proven; a wildcard with its star.
async fn proven(order: &mut Order) -> Result<BTreeSet<String>, instant_acme::Error> {
    let mut all = order.authorizations();
    let mut names = BTreeSet::new();
    while let Some(next) = all.next().await {
        let one = next?;
        if one.status == AuthorizationStatus::Valid {
            names.insert(one.identifier().to_string());
        }
    }
    Ok(names)
}

fn joined(names: &BTreeSet<String>) -> String {
    names.iter().map(String::as_str).collect::<Vec<_>>().join(", ")
}
