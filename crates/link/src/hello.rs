//! The first words on a connection: the dialler names itself, the other side checks the name against the
//! certificate and welcomes it. Only then is the connection used by either.

use std::time::Duration;

use quinn::{Connection, RecvStream, SendStream, VarInt};
use rustls::pki_types::CertificateDer;
use strowger_model::{NodeId, PeerId, RelayId};

use crate::identity::proves;

/// Version of everything on the streams except the bodies.
const LINK_VERSION: u16 = 1;
/// "SLNK" as it stands in the bytes.
const MAGIC: [u8; 4] = *b"SLNK";
/// Magic, version u16, kind of peer u8, its number u16, the newest layout it reads u16, little endian.
const HELLO_BYTES: usize = 11;
const NODE: u8 = 0;
const RELAY: u8 = 1;
/// Magic, version, the newest layout the welcoming side reads u16.
const WELCOME_BYTES: usize = 8;
/// From the end of the handshake to the end of the hello; on a local network it takes a millisecond.
const HELLO_TIMEOUT: Duration = Duration::from_secs(2);

/// Close codes, for packet captures: people read the reason that goes with them.
pub const CLOSE_ENDING: VarInt = VarInt::from_u32(0);
pub const CLOSE_REPLACED: VarInt = VarInt::from_u32(1);
pub const CLOSE_REFUSED: VarInt = VarInt::from_u32(2);
pub const CLOSE_FAULT: VarInt = VarInt::from_u32(3);

/// Why a hello came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum HelloFault {
    #[error("{0}")]
    Connection(#[from] quinn::ConnectionError),
    #[error("it broke off: {0}")]
    Broken(String),
    #[error("no hello within {} s", HELLO_TIMEOUT.as_secs())]
    Late,
    #[error("these are no words of a Strowger link")]
    Foreign,
    #[error("the peer speaks link version {0}, and this build speaks {LINK_VERSION}")]
    Version(u16),
    #[error("the peer calls itself {claimed}, and its certificate says otherwise: {why}")]
    Unproven { claimed: PeerId, why: String },
    #[error("a peer calls itself {0}, as this process does; two processes must not share an id")]
    Twin(PeerId),
}

/// Who speaks, and the newest layout of the log that it reads. The link makes nothing of the latter: who leads a group
/// does. Relays have no log and say 0.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Speaker {
    pub peer: PeerId,
    pub layout: u16,
}

/// The dialler's part; returns the other side's newest layout. Whom it reached, the handshake has proved already.
pub async fn greet(connection: &Connection, me: Speaker) -> Result<u16, HelloFault> {
    in_time(connection, async {
        let (mut send, mut receive) = connection.open_bi().await?;
        send.write_all(&encode(me)).await.map_err(broken)?;
        send.finish().map_err(broken)?;
        let mut welcome = [0; WELCOME_BYTES];
        receive.read_exact(&mut welcome).await.map_err(broken)?;
        check_version(&welcome)?;
        Ok(u16::from_le_bytes([welcome[6], welcome[7]]))
    })
    .await
}

/// The other side's part, up to the welcome: who it is, and the stream to welcome it on.
pub async fn recognize(connection: &Connection, me: PeerId) -> Result<(Speaker, SendStream), HelloFault> {
    in_time(connection, async {
        let (send, receive) = connection.accept_bi().await?;
        let claimed = read_hello(receive).await?;
        if claimed.peer == me {
            return Err(HelloFault::Twin(me));
        }
        let chain = connection.peer_identity().and_then(|any| any.downcast::<Vec<CertificateDer<'static>>>().ok());
        let leaf = chain.as_ref().and_then(|chain| chain.first());
        let proven = leaf.map_or(Err("it sent none".to_owned()), |leaf| proves(leaf, claimed.peer));
        proven.map_err(|why| HelloFault::Unproven { claimed: claimed.peer, why })?;
        Ok((claimed, send))
    })
    .await
}

/// Says that the connection stands.
pub async fn welcome(mut send: SendStream, layout: u16) -> Result<(), HelloFault> {
    let mut words = [0; WELCOME_BYTES];
    words[..4].copy_from_slice(&MAGIC);
    words[4..6].copy_from_slice(&LINK_VERSION.to_le_bytes());
    words[6..].copy_from_slice(&layout.to_le_bytes());
    send.write_all(&words).await.map_err(broken)?;
    send.finish().map_err(broken)
}

/// The peer's close says more than the stream error that follows from it, so it is what gets reported.
async fn in_time<T>(
    connection: &Connection,
    hello: impl Future<Output = Result<T, HelloFault>>,
) -> Result<T, HelloFault> {
    match tokio::time::timeout(HELLO_TIMEOUT, hello).await {
        Err(_) => Err(HelloFault::Late),
        Ok(Err(HelloFault::Broken(why))) => Err(connection.close_reason().map_or(HelloFault::Broken(why), Into::into)),
        Ok(other) => other,
    }
}

async fn read_hello(mut receive: RecvStream) -> Result<Speaker, HelloFault> {
    let mut hello = [0; HELLO_BYTES];
    receive.read_exact(&mut hello).await.map_err(broken)?;
    check_version(&hello)?;
    decode(&hello).ok_or(HelloFault::Foreign)
}

fn check_version(words: &[u8]) -> Result<(), HelloFault> {
    match words {
        [m0, m1, m2, m3, v0, v1, ..] if [*m0, *m1, *m2, *m3] == MAGIC => match u16::from_le_bytes([*v0, *v1]) {
            LINK_VERSION => Ok(()),
            other => Err(HelloFault::Version(other)),
        },
        _ => Err(HelloFault::Foreign),
    }
}

fn encode(me: Speaker) -> [u8; HELLO_BYTES] {
    let (kind, number) = match me.peer {
        PeerId::Node(NodeId(number)) => (NODE, number),
        PeerId::Relay(RelayId(number)) => (RELAY, number),
    };
    let mut hello = [0; HELLO_BYTES];
    hello[..4].copy_from_slice(&MAGIC);
    hello[4..6].copy_from_slice(&LINK_VERSION.to_le_bytes());
    hello[6] = kind;
    hello[7..9].copy_from_slice(&number.to_le_bytes());
    hello[9..].copy_from_slice(&me.layout.to_le_bytes());
    hello
}

fn decode(hello: &[u8; HELLO_BYTES]) -> Option<Speaker> {
    let number = u16::from_le_bytes([hello[7], hello[8]]);
    let peer = match hello[6] {
        NODE => PeerId::Node(NodeId(number)),
        RELAY => PeerId::Relay(RelayId(number)),
        _ => return None,
    };
    Some(Speaker { peer, layout: u16::from_le_bytes([hello[9], hello[10]]) })
}

fn broken(why: impl std::fmt::Display) -> HelloFault {
    HelloFault::Broken(why.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hello_survives_the_wire() {
        for peer in [PeerId::Node(NodeId(1)), PeerId::Relay(RelayId(u16::MAX))] {
            let speaker = Speaker { peer, layout: 3 };
            let hello = encode(speaker);
            check_version(&hello).unwrap();
            assert_eq!(decode(&hello), Some(speaker));
        }
        let relay = Speaker { peer: PeerId::Relay(RelayId(0x0102)), layout: 0x0304 };
        assert_eq!(encode(relay), *b"SLNK\x01\x00\x01\x02\x01\x04\x03");
    }

    #[test]
    fn foreign_words_are_refused() {
        assert!(matches!(check_version(b"GET / HTTP"), Err(HelloFault::Foreign)));
        assert!(matches!(check_version(b"SLNK\x02\x00"), Err(HelloFault::Version(2))));
        assert_eq!(decode(b"SLNK\x01\x00\x02\x02\x01\x00\x00"), None);
    }
}
