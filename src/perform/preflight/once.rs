//! What several certificates want to know of the same thing, looked at once.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::OnceCell;

/// What was seen of things, or is being looked at.
pub(super) struct Once<K, V>(Mutex<BTreeMap<K, Arc<OnceCell<V>>>>);

// Not derived: that would ask for keys and values that have a default.
impl<K, V> Default for Once<K, V> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Ord, V: Clone> Once<K, V> {
    /// What was seen; looks, unless somebody has, and waits for whoever does.
    pub(super) async fn see(&self, key: K, look: impl Future<Output = V>) -> V {
        let cell = {
            let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(all.entry(key).or_default())
        };
        cell.get_or_init(|| look).await.clone()
    }
}
