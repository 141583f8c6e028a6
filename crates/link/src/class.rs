//! Classes of traffic and what each may hold.

/// One kind of traffic: its own stream, its own order, its own limits, so that none waits for another.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum Class {
    /// Who is alive. Sent ahead of all others.
    Heartbeat = 0,
    /// Consensus, snapshots included.
    Raft = 1,
    /// Proposals and reads that a person or a call waits for.
    Command = 2,
    /// SIP messages forwarded to their owner.
    Sip = 3,
    /// Commands to relays and their events.
    Relay = 4,
    /// Prompts, music, recordings. Sent behind all others.
    Content = 5,
}

/// What one peer may have waiting in one class. Beyond it the sender is told at once instead of memory growing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Largest body of one message.
    pub body_bytes: usize,
    /// Messages not yet handed to QUIC.
    pub backlog_messages: usize,
    /// Bytes not yet handed to QUIC; a single message may exceed it when nothing else waits.
    pub backlog_bytes: usize,
    /// Asks without an answer yet.
    pub open_asks: usize,
}

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

/// An old heartbeat is worth nothing: six seconds of them at ten a second.
const HEARTBEAT: Limits =
    Limits { body_bytes: 16 * KIB, backlog_messages: 64, backlog_bytes: 256 * KIB, open_asks: 64 };
/// One snapshot part of 64 MiB beside the entries that arrive while it leaves.
const RAFT: Limits = Limits { body_bytes: 64 * MIB, backlog_messages: 8192, backlog_bytes: 128 * MIB, open_asks: 8192 };
/// A second of the largest load planned (20 000 entries/s) is refused rather than kept: callers retry by then.
const COMMAND: Limits =
    Limits { body_bytes: 4 * MIB, backlog_messages: 16_384, backlog_bytes: 16 * MIB, open_asks: 16_384 };
/// A SIP message over UDP has at most 64 KiB, over TCP we take four times that.
const SIP: Limits =
    Limits { body_bytes: 256 * KIB, backlog_messages: 16_384, backlog_bytes: 16 * MIB, open_asks: 16_384 };
/// A relay's answer to "what do you hold" lists thousands of flows.
const RELAY: Limits =
    Limits { body_bytes: 4 * MIB, backlog_messages: 16_384, backlog_bytes: 16 * MIB, open_asks: 16_384 };
/// Few and large; whoever moves content waits for answers and so paces itself.
const CONTENT: Limits = Limits { body_bytes: 16 * MIB, backlog_messages: 256, backlog_bytes: 32 * MIB, open_asks: 256 };

impl Class {
    /// In the order of their bytes on the wire.
    pub const ALL: [Class; 6] =
        [Class::Heartbeat, Class::Raft, Class::Command, Class::Sip, Class::Relay, Class::Content];

    /// The same for every peer.
    pub const fn limits(self) -> Limits {
        match self {
            Class::Heartbeat => HEARTBEAT,
            Class::Raft => RAFT,
            Class::Command => COMMAND,
            Class::Sip => SIP,
            Class::Relay => RELAY,
            Class::Content => CONTENT,
        }
    }

    /// QUIC serves higher ones first and equal ones in turn. Only the two ends are set apart: a snapshot above
    /// commands would silence them while it lasts.
    pub(crate) const fn priority(self) -> i32 {
        match self {
            Class::Heartbeat => 1,
            Class::Raft | Class::Command | Class::Sip | Class::Relay => 0,
            Class::Content => -1,
        }
    }

    pub(crate) const fn index(self) -> usize {
        self as usize
    }

    /// The class that a stream's first byte names.
    pub(crate) fn from_wire(byte: u8) -> Option<Class> {
        Class::ALL.get(usize::from(byte)).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_stands_in_wire_order() {
        for (index, class) in Class::ALL.into_iter().enumerate() {
            assert_eq!(class.index(), index);
            assert_eq!(Class::from_wire(index as u8), Some(class));
        }
        assert_eq!(Class::from_wire(Class::ALL.len() as u8), None);
    }
}
