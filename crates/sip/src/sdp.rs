//! Offers and answers (RFC 3264) for one G.711 audio stream with telephone-event.

use std::fmt::Write;
use std::net::{IpAddr, SocketAddr};

use strowger_model::{Codec, Law, MediaAddr};

use crate::description::{Description, Stream};

/// Milliseconds of audio in a packet; 20 is the default for G.711 (RFC 3551, table 1).
const PTIME_MS: u32 = 20;
/// G.711's two, in the order of their numbers.
const LAWS: [Law; 2] = [Law::Mu, Law::A];
/// Most m= lines answered. Each is repeated in the answer; real offers have one to four.
const MAX_STREAMS: usize = 16;

/// A stream's direction, as the side that wrote it means it (RFC 8866 section 6.7). An address of zero, by which old phones
/// hold, means that they do not listen (RFC 3264 section 8.4, RFC 2543 appendix B.5).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Direction {
    /// Both ways; also what no attribute means.
    SendRecv,
    /// It sends and does not listen: hold with music.
    SendOnly,
    /// It listens and does not send.
    RecvOnly,
    /// Neither.
    Inactive,
}

impl Direction {
    /// What an answer to it says when the answerer itself wants everything (RFC 3264 section 6.1).
    pub fn mirrored(self) -> Direction {
        match self {
            Direction::SendOnly => Direction::RecvOnly,
            Direction::RecvOnly => Direction::SendOnly,
            same => same,
        }
    }

    /// As the attribute is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Direction::SendRecv => "sendrecv",
            Direction::SendOnly => "sendonly",
            Direction::RecvOnly => "recvonly",
            Direction::Inactive => "inactive",
        }
    }

    /// The same without listening.
    fn deaf(self) -> Direction {
        match self {
            Direction::SendRecv | Direction::SendOnly => Direction::SendOnly,
            Direction::RecvOnly | Direction::Inactive => Direction::Inactive,
        }
    }

    fn of(attribute: &str) -> Option<Direction> {
        [Direction::SendRecv, Direction::SendOnly, Direction::RecvOnly, Direction::Inactive]
            .into_iter()
            .find(|direction| direction.as_str().eq_ignore_ascii_case(attribute))
    }
}

/// Our side of the stream.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LocalMedia {
    /// Where we receive; RTCP is on the next port.
    pub rtp: SocketAddr,
    /// In order of preference.
    pub laws: Vec<Law>,
    /// Of the o= line: the same for all descriptions of a leg.
    pub session_id: u64,
    /// Of the o= line: one more with every change (RFC 3264 section 8).
    pub version: u32,
}

/// What the far end's SDP says of its audio stream.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RemoteMedia {
    /// Its codec law is the first the far end lists.
    pub addr: MediaAddr,
    /// As the far end means it: `SendOnly` says that it does not listen.
    pub direction: Direction,
    /// The laws it listed, in its order.
    pub laws: Vec<Law>,
}

impl RemoteMedia {
    /// Whether the far end does not listen (RFC 3264 section 8.4).
    pub fn on_hold(&self) -> bool {
        matches!(self.direction, Direction::SendOnly | Direction::Inactive)
    }
}

/// Why an SDP cannot be used. All are answered with 488.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SdpFault {
    /// Anything else, or nothing.
    #[error("it does not begin with v=0")]
    Malformed,
    /// None at all, or with port 0, or over another profile.
    #[error("it has no audio stream over plain RTP")]
    NoAudio,
    /// RFC 8866 allows names; nothing of ours looks names up. Multicast is no far end.
    #[error("its media address is a name, multicast or missing")]
    NoAddress,
    /// Ours has one IP version, and nothing translates (RFC 6157 leaves that to ICE).
    #[error("its media address is of the other IP version")]
    OtherVersion,
    /// Neither PCMU nor PCMA.
    #[error("it has no G.711 law in common with us")]
    NoCommonLaw,
    /// Each would be repeated in the answer.
    #[error("it has more than {MAX_STREAMS} streams")]
    TooManyStreams,
}

/// The far end's audio stream, out of a description that was found good before.
pub fn parse_sdp(body: &[u8]) -> Result<RemoteMedia, SdpFault> {
    audio(&read(body)?, None, &LAWS).map(|(_, remote)| remote)
}

/// The same, out of an answer to an offer of ours that named the address `ours`.
pub fn parse_answer(body: &[u8], ours: SocketAddr) -> Result<RemoteMedia, SdpFault> {
    audio(&read(body)?, Some(ours.ip()), &LAWS).map(|(_, remote)| remote)
}

/// An offer of our own. In a dialog that has one it follows `before`, our description that is agreed on (else empty): each
/// stream keeps its place (RFC 3264 section 8), and key presses their number (section 8.3.2).
pub fn offer_sdp(local: &LocalMedia, before: &str) -> String {
    let before = read(before.as_bytes()).map(|read| read.streams).unwrap_or_default();
    let ours = before.iter().position(|stream| stream.port != 0);
    let event = ours.and_then(|at| event_type(&before[at])).unwrap_or(Codec::OFFERED_EVENT_TYPE);
    let mut out = head(local);
    for (at, theirs) in before.iter().enumerate() {
        if Some(at) == ours {
            stream(&mut out, local, &local.laws, Some(event), Direction::SendRecv);
        } else {
            refused(&mut out, theirs);
        }
    }
    if ours.is_none() {
        stream(&mut out, local, &local.laws, Some(event), Direction::SendRecv);
    }
    out
}

/// The answer to `offer`: the first law the far end lists that we speak, its own telephone-event number, the hold
/// it asked for, and every other stream refused in its place (RFC 3264 section 6). With it comes what the offer says of the
/// far end, whose law is the one that was chosen.
pub fn answer_sdp(offer: &[u8], local: &LocalMedia) -> Result<(String, RemoteMedia), SdpFault> {
    let read = read(offer)?;
    let (chosen, remote) = audio(&read, Some(local.rtp.ip()), &local.laws)?;
    let (law, direction) = (remote.addr.codec.law, remote.direction.mirrored());
    let mut out = head(local);
    for (at, theirs) in read.streams.iter().enumerate() {
        if at == chosen {
            stream(&mut out, local, &[law], remote.addr.codec.dtmf_payload_type, direction);
        } else {
            refused(&mut out, theirs);
        }
    }
    Ok((out, remote))
}

/// The version in the o= line of an SDP of ours.
pub(crate) fn version(sdp: &str) -> u32 {
    sdp.lines().find_map(|line| line.strip_prefix("o=")?.split(' ').nth(2)?.parse().ok()).unwrap_or_default()
}

fn read(body: &[u8]) -> Result<Description, SdpFault> {
    let read = Description::read(body).ok_or(SdpFault::Malformed)?;
    if read.streams.len() > MAX_STREAMS { Err(SdpFault::TooManyStreams) } else { Ok(read) }
}

/// The first audio stream over plain RTP that is not refused and can be used, and its place; else why the first of them
/// cannot. A far end that offers both IP versions, or one law a stream, has several.
fn audio(read: &Description, ours: Option<IpAddr>, laws: &[Law]) -> Result<(usize, RemoteMedia), SdpFault> {
    let plain = |stream: &Stream| {
        stream.kind.eq_ignore_ascii_case("audio") && stream.protocol.eq_ignore_ascii_case("RTP/AVP") && stream.port != 0
    };
    let mut fault = None;
    for (at, stream) in read.streams.iter().enumerate().filter(|(_, stream)| plain(stream)) {
        match remote(read, stream, ours, laws) {
            Ok(remote) => return Ok((at, remote)),
            Err(why) => fault = fault.or(Some(why)),
        }
    }
    Err(fault.unwrap_or(SdpFault::NoAudio))
}

fn remote(read: &Description, stream: &Stream, ours: Option<IpAddr>, laws: &[Law]) -> Result<RemoteMedia, SdpFault> {
    let ip = address(read.address(stream).ok_or(SdpFault::NoAddress)?, ours)?;
    let theirs: Vec<Law> = numbers(stream).filter_map(|number| law(stream, number)).collect();
    let common = *theirs.iter().find(|law| laws.contains(law)).ok_or(SdpFault::NoCommonLaw)?;
    let written = read.attributes(stream).find_map(|(name, _)| Direction::of(name)).unwrap_or(Direction::SendRecv);
    let direction = if ip.is_unspecified() { written.deaf() } else { written };
    let addr = MediaAddr {
        rtp: SocketAddr::new(ip, stream.port),
        rtcp: rtcp(stream, ip),
        codec: Codec { law: common, dtmf_payload_type: event_type(stream) },
    };
    Ok(RemoteMedia { addr, direction, laws: theirs })
}

fn address(written: &str, ours: Option<IpAddr>) -> Result<IpAddr, SdpFault> {
    // A "/ttl" belongs to multicast, which nobody calls us from.
    let ip: IpAddr = written.parse().map_err(|_| SdpFault::NoAddress)?;
    match ours {
        _ if ip.is_multicast() => Err(SdpFault::NoAddress),
        Some(ours) if ours.is_ipv4() != ip.is_ipv4() => Err(SdpFault::OtherVersion),
        _ => Ok(ip),
    }
}

fn numbers(stream: &Stream) -> impl Iterator<Item = u8> {
    stream.formats.iter().filter_map(|number| number.parse().ok())
}

/// Only the static numbers count as G.711 (RFC 3551, table 4), unless an rtpmap says they are something else.
fn law(stream: &Stream, number: u8) -> Option<Law> {
    let law = LAWS.into_iter().find(|law| law.payload_type() == number)?;
    let agrees = |map: &str| begins_with(map, &format!("{}/8000", name(law)));
    rtpmap(stream, number).is_none_or(agrees).then_some(law)
}

fn name(law: Law) -> &'static str {
    match law {
        Law::Mu => "PCMU",
        Law::A => "PCMA",
    }
}

/// The number that key presses have (RFC 4733), if the stream has any.
fn event_type(stream: &Stream) -> Option<u8> {
    let is_event = |number: &u8| rtpmap(stream, *number).is_some_and(|map| begins_with(map, "telephone-event/8000"));
    numbers(stream).find(is_event)
}

fn rtpmap(stream: &Stream, number: u8) -> Option<&str> {
    let maps = stream.values("rtpmap").filter_map(|map| map.split_once(char::is_whitespace));
    maps.filter(|(listed, _)| listed.parse() == Ok(number)).map(|(_, map)| map.trim()).next()
}

fn begins_with(map: &str, wanted: &str) -> bool {
    map.get(..wanted.len()).is_some_and(|map| map.eq_ignore_ascii_case(wanted))
}

/// `a=rtcp:port [IN IP4 address]` (RFC 3605), else the port above RTP's.
fn rtcp(stream: &Stream, ip: IpAddr) -> SocketAddr {
    let given = stream.values("rtcp").next().and_then(|value| {
        let mut words = value.split_whitespace();
        let port: u16 = words.next()?.parse().ok()?;
        let named = words.nth(2).and_then(|word| word.parse().ok());
        let ip = named.filter(|named: &IpAddr| named.is_ipv4() == ip.is_ipv4()).unwrap_or(ip);
        Some(SocketAddr::new(ip, port))
    });
    given.unwrap_or(SocketAddr::new(ip, stream.port.saturating_add(1)))
}

fn head(local: &LocalMedia) -> String {
    let mut out = String::with_capacity(320);
    let family = if local.rtp.is_ipv4() { "IP4" } else { "IP6" };
    let ip = local.rtp.ip();
    line(&mut out, format_args!("v=0"));
    line(&mut out, format_args!("o=- {} {} IN {family} {ip}", local.session_id, local.version));
    line(&mut out, format_args!("s=-"));
    line(&mut out, format_args!("c=IN {family} {ip}"));
    line(&mut out, format_args!("t=0 0"));
    out
}

fn stream(out: &mut String, local: &LocalMedia, laws: &[Law], event: Option<u8>, direction: Direction) {
    let numbers: Vec<String> = laws.iter().map(|law| law.payload_type()).chain(event).map(|n| n.to_string()).collect();
    line(out, format_args!("m=audio {} RTP/AVP {}", local.rtp.port(), numbers.join(" ")));
    for law in laws {
        line(out, format_args!("a=rtpmap:{} {}/8000", law.payload_type(), name(*law)));
    }
    if let Some(event) = event {
        line(out, format_args!("a=rtpmap:{event} telephone-event/8000"));
        // The sixteen DTMF digits (RFC 4733 section 3.2).
        line(out, format_args!("a=fmtp:{event} 0-15"));
    }
    line(out, format_args!("a=ptime:{PTIME_MS}"));
    line(out, format_args!("a={}", direction.as_str()));
}

/// A stream that we do not take, in its place (RFC 3264 section 6).
fn refused(out: &mut String, theirs: &Stream) {
    line(out, format_args!("m={} 0 {} {}", theirs.kind, theirs.protocol, theirs.formats.join(" ")));
}

fn line(out: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _ = write!(out, "{text}\r\n");
}
