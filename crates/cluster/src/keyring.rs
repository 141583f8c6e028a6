//! The data keys that this node has at present, and what SIP messages say under them. Keys are exchanged while it runs.

use std::sync::{Arc, PoisonError, RwLock};

use strowger_sip::Local;

use crate::data_keys::DataKeys;

/// Both are of the same keys.
#[derive(Clone)]
struct Kept {
    data_keys: Arc<DataKeys>,
    local: Arc<Local>,
}

/// Asked for whenever something is sealed, opened, made or begun.
pub(crate) struct Keyring(RwLock<Kept>);

impl Keyring {
    pub fn new(data_keys: DataKeys, local: Local) -> Self {
        Self(RwLock::new(Kept { data_keys: Arc::new(data_keys), local: Arc::new(local) }))
    }

    pub fn data_keys(&self) -> Arc<DataKeys> {
        self.read(|kept| kept.data_keys.clone())
    }

    /// A call keeps the one that it began with: our tags and branches must not change within a dialog.
    pub fn local(&self) -> Arc<Local> {
        self.read(|kept| kept.local.clone())
    }

    pub fn put(&self, data_keys: DataKeys) {
        let local = Local { tokens: data_keys.token_keys(), ..(*self.local()).clone() };
        let kept = Kept { data_keys: Arc::new(data_keys), local: Arc::new(local) };
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = kept;
    }

    fn read<T>(&self, look: impl FnOnce(&Kept) -> T) -> T {
        look(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }
}
