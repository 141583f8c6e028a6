//! Session descriptions of one G.711 stream (RFC 4566, RFC 3264), read leniently and written strictly.

use std::net::{IpAddr, SocketAddr};

use crate::law::Law;

/// What a phone offers RFC 4733 under.
pub(crate) const EVENT_PAYLOAD_TYPE: u8 = 101;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    SendRecv,
    SendOnly,
    RecvOnly,
    Inactive,
}

impl Direction {
    pub fn sends(self) -> bool {
        matches!(self, Self::SendRecv | Self::SendOnly)
    }

    pub fn receives(self) -> bool {
        matches!(self, Self::SendRecv | Self::RecvOnly)
    }

    /// What is left of one's own direction when the other side says `theirs`.
    pub fn meets(self, theirs: Self) -> Self {
        match (self.sends() && theirs.receives(), self.receives() && theirs.sends()) {
            (true, true) => Self::SendRecv,
            (true, false) => Self::SendOnly,
            (false, true) => Self::RecvOnly,
            (false, false) => Self::Inactive,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::SendRecv => "sendrecv",
            Self::SendOnly => "sendonly",
            Self::RecvOnly => "recvonly",
            Self::Inactive => "inactive",
        }
    }

    fn from_name(name: &str) -> Option<Self> {
        [Self::SendRecv, Self::SendOnly, Self::RecvOnly, Self::Inactive].into_iter().find(|d| d.name() == name)
    }
}

/// What the other side said about its audio.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sdp {
    pub remote: SocketAddr,
    /// In its order of preference.
    pub laws: Vec<Law>,
    pub event_payload_type: Option<u8>,
    pub direction: Direction,
}

impl Sdp {
    /// `None`: there is no audio stream in it that these phones could speak with.
    pub fn parse(body: &[u8]) -> Option<Sdp> {
        let text = std::str::from_utf8(body).ok()?;
        let (mut ip, mut direction) = (None, Direction::SendRecv);
        let mut audio: Option<(u16, Vec<u8>)> = None;
        let mut event_payload_type = None;
        let mut sections = 0;
        for line in text.lines() {
            let Some((kind, value)) = line.trim_end().split_once('=') else { continue };
            if kind == "m" {
                sections += 1;
                if audio.is_some() {
                    break;
                }
                audio = parse_media(value);
                continue;
            }
            // Lines of a section that is not ours say nothing about ours.
            if sections > 0 && audio.is_none() {
                continue;
            }
            match kind {
                "c" => ip = value.split_whitespace().nth(2).and_then(|ip| ip.split('/').next()?.parse().ok()).or(ip),
                "a" => match value.split_once(':') {
                    None => direction = Direction::from_name(value).unwrap_or(direction),
                    Some(("rtpmap", map)) => event_payload_type = event_type(map).or(event_payload_type),
                    Some(_) => {}
                },
                _ => {}
            }
        }
        let (port, payload_types) = audio?;
        let ip: IpAddr = ip?;
        if ip.is_unspecified() {
            // The hold of RFC 2543.
            direction = Direction::Inactive;
        }
        Some(Sdp {
            remote: SocketAddr::new(ip, port),
            laws: payload_types.iter().filter_map(|pt| Law::from_payload_type(*pt)).collect(),
            event_payload_type: event_payload_type.filter(|pt| payload_types.contains(pt)),
            direction,
        })
    }

    /// The law to speak: one's own if they know it, else theirs.
    pub fn agree(&self, preferred: Law) -> Option<Law> {
        if self.laws.contains(&preferred) { Some(preferred) } else { self.laws.first().copied() }
    }
}

/// What a phone says about its own.
pub(crate) struct SdpText<'a> {
    pub address: SocketAddr,
    /// Number of the session; its version grows with every change (RFC 3264 section 8).
    pub number: u64,
    pub version: u32,
    pub laws: &'a [Law],
    pub event_payload_type: Option<u8>,
    pub direction: Direction,
}

impl SdpText<'_> {
    pub fn print(&self) -> String {
        let (ip, port) = (self.address.ip(), self.address.port());
        let family = if ip.is_ipv4() { "IP4" } else { "IP6" };
        let mut formats: Vec<String> = self.laws.iter().map(|law| law.payload_type().to_string()).collect();
        let mut maps = String::new();
        for law in self.laws {
            maps += &format!("a=rtpmap:{} {}/8000\r\n", law.payload_type(), law.name());
        }
        if let Some(event) = self.event_payload_type {
            formats.push(event.to_string());
            maps += &format!("a=rtpmap:{event} telephone-event/8000\r\na=fmtp:{event} 0-15\r\n");
        }
        format!(
            "v=0\r\no=- {} {} IN {family} {ip}\r\ns=-\r\nc=IN {family} {ip}\r\nt=0 0\r\n\
             m=audio {port} RTP/AVP {}\r\n{maps}a=ptime:20\r\na={}\r\n",
            self.number,
            self.version,
            formats.join(" "),
            self.direction.name()
        )
    }
}

/// Port and payload types of an audio stream that is not switched off.
fn parse_media(value: &str) -> Option<(u16, Vec<u8>)> {
    let mut words = value.split_whitespace();
    if words.next()? != "audio" {
        return None;
    }
    let port: u16 = words.next()?.split('/').next()?.parse().ok()?;
    let profile = words.next()?;
    (port != 0 && profile == "RTP/AVP").then(|| (port, words.filter_map(|word| word.parse().ok()).collect()))
}

fn event_type(map: &str) -> Option<u8> {
    let (payload_type, name) = map.split_once(' ')?;
    name.trim().to_ascii_lowercase().starts_with("telephone-event/8000").then(|| payload_type.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_offer_is_read_as_it_was_meant() {
        let address = "127.0.0.1:14000".parse().unwrap();
        let laws = [Law::Pcma, Law::Pcmu];
        let text = SdpText {
            address,
            number: 1,
            version: 2,
            laws: &laws,
            event_payload_type: Some(EVENT_PAYLOAD_TYPE),
            direction: Direction::SendOnly,
        };
        let sdp = Sdp::parse(text.print().as_bytes()).unwrap();
        let expected = Sdp {
            remote: address,
            laws: laws.to_vec(),
            event_payload_type: Some(EVENT_PAYLOAD_TYPE),
            direction: Direction::SendOnly,
        };
        assert_eq!(sdp, expected);
        assert_eq!(sdp.agree(Law::Pcmu), Some(Law::Pcmu));
    }

    #[test]
    fn other_sections_and_old_holds_are_understood() {
        let sdp = Sdp::parse(
            b"v=0\r\nc=IN IP4 10.0.0.9\r\nm=video 4000 RTP/AVP 96\r\na=inactive\r\nm=audio 4002 RTP/AVP 9 8 97\r\n\
              c=IN IP4 0.0.0.0\r\na=rtpmap:97 telephone-event/8000\r\nm=audio 4004 RTP/AVP 0\r\n",
        )
        .unwrap();
        assert_eq!(sdp.remote, "0.0.0.0:4002".parse().unwrap());
        assert_eq!((sdp.direction, sdp.event_payload_type), (Direction::Inactive, Some(97)));
        assert_eq!(sdp.agree(Law::Pcmu), Some(Law::Pcma));
        for bad in ["", "v=0\r\nm=audio 0 RTP/AVP 0\r\nc=IN IP4 1.1.1.1", "m=audio 9", "m=audio x RTP/AVP 0"] {
            assert_eq!(Sdp::parse(bad.as_bytes()), None, "{bad}");
        }
    }
}
