//! What nodes say to each other besides consensus. Version 1, frozen.

use std::net::IpAddr;

use strowger_link::{Wire, schema};
use strowger_model::{Digest, Far, GroupId, Incarnation, KeyId, LogTime, TenantId, TrunkId};

/// To every voter, ten times a second.
#[derive(Clone, PartialEq, Debug, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
pub struct Heartbeat {
    pub incarnation: Incarnation,
    pub number: u64,
    /// Calls let in since the process began, of the trunks that sent one lately.
    pub let_in: Vec<(TrunkId, u64)>,
}

/// A voter's answer: the number it answers, how far its groups have come, and what time it is in those that it leads.
#[derive(Clone, PartialEq, Debug, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
pub struct HeartbeatAck {
    pub number: u64,
    /// Applied index by group, starting with control.
    pub applied: Vec<u64>,
    pub led: Vec<(GroupId, LogTime)>,
}

/// Beside each beat of a process that was told to stop: it lives, and takes no lead any more.
#[derive(Clone, Copy, PartialEq, Debug, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
pub struct Ends {
    pub incarnation: Incarnation,
}

/// A SIP message that belongs to a call of the receiver.
#[derive(Clone, PartialEq, Debug, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
pub struct Forward {
    pub source: Far,
    pub datagram: Vec<u8>,
}

/// A REGISTER of an agent whose owner the receiver is.
#[derive(Clone, PartialEq, Debug, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
pub struct Registering {
    pub source: Far,
    pub message: Vec<u8>,
}

/// A SIP message for a far end whose connection the receiver holds.
#[derive(Clone, PartialEq, Debug, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
pub struct SendSip {
    pub to: Far,
    pub message: Vec<u8>,
}

/// A wrong password came to the sender.
#[derive(Clone, Copy, PartialEq, Debug, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
pub struct Guessed {
    pub tenant: TenantId,
    /// A fingerprint of the name of who was guessed at.
    pub user: u64,
    pub from: IpAddr,
}

/// Whoever was silenced there for guessing is heard again.
#[derive(Clone, Copy, PartialEq, Debug, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
pub struct Lifted {
    pub from: IpAddr,
}

/// Asks a node for content it may have; answered by the relay protocol's `ContentPut`, empty if it has not.
#[derive(Clone, Copy, PartialEq, Debug, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
pub struct ContentWanted {
    pub digest: Digest,
}

/// Asks a node whether it has the data keys that a configuration is sealed under.
#[derive(Clone, PartialEq, Debug, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
pub struct KeysWanted {
    pub keys: Vec<KeyId>,
}

/// Those that it does not have.
#[derive(Clone, PartialEq, Debug, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
pub struct KeysMissing {
    pub keys: Vec<KeyId>,
}

impl Wire for Guessed {
    const TYPE: u16 = 0x0609;
    const SCHEMA: u32 = schema("GuessedV1{tenant:u32,user:u64,from:IpAddr}");
}

impl Wire for Lifted {
    const TYPE: u16 = 0x060a;
    const SCHEMA: u32 = schema("LiftedV1{from:IpAddr}");
}

impl Wire for KeysWanted {
    const TYPE: u16 = 0x0607;
    const SCHEMA: u32 = schema("KeysWantedV1{keys:Vec<u32>}");
}

impl Wire for KeysMissing {
    const TYPE: u16 = 0x0608;
    const SCHEMA: u32 = schema("KeysMissingV1{keys:Vec<u32>}");
}

impl Wire for Heartbeat {
    const TYPE: u16 = 0x0601;
    const SCHEMA: u32 = schema("BeatV1{incarnation:u64,number:u64,let_in:Vec<(u32,u64)>}");
}

impl Wire for HeartbeatAck {
    const TYPE: u16 = 0x0602;
    const SCHEMA: u32 = schema("PulseV1{number:u64,applied:Vec<u64>,led:Vec<(u16,u64)>}");
}

impl Wire for Ends {
    const TYPE: u16 = 0x060b;
    const SCHEMA: u32 = schema("EndsV1{incarnation:u64}");
}

impl Wire for Forward {
    const TYPE: u16 = 0x0603;
    const SCHEMA: u32 = schema(
        "ForwardV1{source:Far{transport:u8,addr:SocketAddr,line:Option<{node:u16,number:u64}>},datagram:Vec<u8>}",
    );
}

impl Wire for SendSip {
    const TYPE: u16 = 0x0605;
    const SCHEMA: u32 =
        schema("PostV1{to:Far{transport:u8,addr:SocketAddr,line:Option<{node:u16,number:u64}>},message:Vec<u8>}");
}

impl Wire for Registering {
    const TYPE: u16 = 0x0606;
    const SCHEMA: u32 = schema(
        "RegisteringV1{source:Far{transport:u8,addr:SocketAddr,line:Option<{node:u16,number:u64}>},message:Vec<u8>}",
    );
}

impl Wire for ContentWanted {
    const TYPE: u16 = 0x0604;
    const SCHEMA: u32 = schema("ContentWantedV1{digest:[u8;32]}");
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use strowger_link::{open, seal};
    use strowger_model::{Line, NodeId, Transport};

    use super::*;

    /// One with all that may be there.
    fn far() -> Far {
        let line = Line { node: NodeId(2), number: 3 };
        Far { transport: Transport::Tcp, addr: SocketAddr::from(([192, 0, 2, 1], 5060)), line: Some(line) }
    }

    fn print_of<T: Wire + Clone + PartialEq + std::fmt::Debug>(message: &T) -> (u16, u64) {
        let bytes = seal(message);
        assert_eq!(open::<T>(&bytes).as_ref(), Ok(message), "it comes back as it went");
        // FNV-1a over the sealed bytes.
        let print = bytes
            .iter()
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3));
        (T::TYPE, print)
    }

    /// If one moves, nodes of different builds no longer understand each other: make a v2 of that message. A field that is
    /// left out of a message's `SCHEMA` moves it too.
    #[test]
    fn golden_bytes() {
        let v6 = "2001:db8::1".parse().expect("an address");
        let prints = [
            print_of(&Heartbeat {
                incarnation: Incarnation(11),
                number: 12,
                let_in: vec![(TrunkId(13), 14), (TrunkId(15), 16)],
            }),
            print_of(&HeartbeatAck {
                number: 12,
                applied: vec![17, 18],
                led: vec![(GroupId(1), LogTime::from_millis(19))],
            }),
            print_of(&Forward { source: far(), datagram: b"INVITE".to_vec() }),
            print_of(&ContentWanted { digest: Digest([20; 32]) }),
            print_of(&SendSip { to: far(), message: b"OPTIONS".to_vec() }),
            print_of(&Registering { source: Far { line: None, ..far() }, message: b"REGISTER".to_vec() }),
            print_of(&KeysWanted { keys: vec![KeyId(21), KeyId(22)] }),
            print_of(&KeysMissing { keys: vec![KeyId(23)] }),
            print_of(&Guessed { tenant: TenantId(24), user: 25, from: [192, 0, 2, 2].into() }),
            print_of(&Lifted { from: v6 }),
            print_of(&Ends { incarnation: Incarnation(11) }),
        ];
        let golden = [
            (1537, 9333215859758287746),
            (1538, 3233445799591924348),
            (1539, 9592179917823178265),
            (1540, 11063500664341200908),
            (1541, 899291893207237151),
            (1542, 824671655387493481),
            (1543, 15488838555055778350),
            (1544, 15656908508692608499),
            (1545, 1498384380509950957),
            (1546, 14060332273104618574),
            (1547, 2230943707252637385),
        ];
        assert_eq!(prints, golden);
    }
}
