//! Who takes calls.

use crate::{AgentId, Far, QueueId, Sealed};

/// Somebody who takes calls.
#[derive(Clone, PartialEq, Eq, Hash, Debug, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
pub struct Agent {
    /// Over all tenants.
    pub id: AgentId,
    /// SIP user and login name.
    pub name: String,
    /// Whose calls the agent takes.
    pub queues: Vec<QueueId>,
    /// How the agent's phone is found.
    pub phone: Phone,
    /// Takes calls as soon as the phone is there; else waits to be set ready.
    pub ready_at_login: bool,
    /// Relays of this site carry the agent's media when one is there; empty: any.
    pub site: String,
}

/// How an agent's phone is found.
#[derive(Clone, PartialEq, Eq, Hash, Debug, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
pub enum Phone {
    /// Registers with digest; only the hashes of RFC 7616 (`Ha1`) are kept, sealed.
    Registers {
        /// Opened where a REGISTER is judged.
        ha1: Sealed,
    },
    /// Always there.
    Static {
        /// What an INVITE asks for.
        uri: String,
        /// Where it goes.
        far: Far,
    },
}
