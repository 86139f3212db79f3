//! What stores of secrets hold, asked beside the loop: one look at a time, and nobody waits for it.

use std::sync::Arc;
use std::time::Duration;

use super::{Done, Work};
use crate::fleet::Fleet;
use crate::inventory::Inventory;
use crate::secret_store;
use crate::tui::msg::Msg;

/// Whether stores are being asked, and about what they are to be asked after that.
#[derive(Debug, Default)]
pub(super) struct Asking {
    is_asking: bool,
    next: Option<(Fleet, Arc<Inventory>)>,
}

impl Work {
    /// Asks stores what they hold of the certificates that go there.
    pub(in crate::tui) fn ask_stores(&mut self, fleet: Fleet, inventory: &Arc<Inventory>) {
        if inventory.hosts.iter().all(|it| it.deliver.is_empty()) {
            return;
        }
        let inventory = Arc::clone(inventory);
        if std::mem::replace(&mut self.stores.is_asking, true) {
            self.stores.next = Some((fleet, inventory));
            return;
        }
        let clock = self.clock;
        self.tasks.spawn(async move {
            let seen = secret_store::survey(&inventory, &fleet, clock, PATIENCE).await;
            Done::Asked(Msg::StoresSeen(Box::new(seen)))
        });
    }

    /// They have answered: asks again, if something has happened meanwhile.
    pub(super) fn asked(&mut self) {
        let next = std::mem::take(&mut self.stores).next;
        if let Some((fleet, inventory)) = next {
            self.ask_stores(fleet, &inventory);
        }
    }
}

/// How long stores are waited for.
const PATIENCE: Duration = Duration::from_secs(20);
