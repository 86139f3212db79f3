//! What would spoil each other is done by one after the other, within this process.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use tokio::sync::{Mutex, OwnedMutexGuard};

/// Waits for its turn at something; it is the next one's once this is dropped.
pub(super) async fn take(at: &str) -> OwnedMutexGuard<()> {
    static LOCKS: LazyLock<Mutex<BTreeMap<String, Arc<Mutex<()>>>>> = LazyLock::new(Mutex::default);
    let mut locks = LOCKS.lock().await;
    // Those that nobody holds any more go, so that the list does not grow with every name.
    locks.retain(|_, it| Arc::strong_count(it) > 1);
    let lock = Arc::clone(locks.entry(at.to_owned()).or_default());
    drop(locks);
    lock.lock_owned().await
}
