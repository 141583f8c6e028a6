//! What must hold between rows after every entry. Tests and the simulator ask; nothing else pays for it.

use super::Shard;

impl Shard {
    /// The first thing that does not hold.
    pub fn check(&self) -> Result<(), String> {
        Ok(())
    }
}
