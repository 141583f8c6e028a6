//! The little RTCP a relay needs (RFC 3550, 6): its own reports, and what the far end's say.

/// What a compound packet of ours says: SR if something was sent, else RR; then the CNAME; then BYE.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Report<'a> {
    /// Whose report it is.
    pub ssrc: u32,
    /// None makes it a receiver report.
    pub sender: Option<SenderInfo>,
    /// None while nothing was received.
    pub reception: Option<Reception>,
    /// At most `CNAME_MAX_BYTES` are written.
    pub cname: &'a str,
    /// The source leaves (RFC 3550, 6.6).
    pub bye: bool,
}

/// What a source has sent so far (RFC 3550, 6.4.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SenderInfo {
    /// NTP time, 32.32 fixed point, seconds since 1900.
    pub ntp: u64,
    /// The same instant in units of the RTP clock.
    pub rtp_timestamp: u32,
    /// Since the source began.
    pub packets: u32,
    /// Of payload, without headers.
    pub octets: u32,
}

/// A report block: how one source was received.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Reception {
    /// The source that was received.
    pub ssrc: u32,
    /// Of 256, since the report before.
    pub fraction_lost: u8,
    /// 24 bits signed: duplicates can make it negative.
    pub cumulative_lost: i32,
    /// With the count of its wraps in the upper 16 bits.
    pub highest_sequence: u32,
    /// In units of the RTP clock.
    pub jitter: u32,
    /// Middle 32 bits of the last SR's NTP time, 0 if there was none.
    pub last_sr: u32,
    /// Since that SR, in 1/65536 s.
    pub delay_since_last_sr: u32,
}

/// One packet of a compound that somebody sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Item {
    /// From a source that sends (RFC 3550, 6.4.1).
    SenderReport {
        /// Of the sender.
        ssrc: u32,
        /// How much it has sent.
        info: SenderInfo,
        /// How it receives us; none without a block.
        reception: Option<Reception>,
    },
    /// From one that only receives (RFC 3550, 6.4.2).
    ReceiverReport {
        /// Of the receiver.
        ssrc: u32,
        /// How it receives us; none without a block.
        reception: Option<Reception>,
    },
    /// A source leaves (RFC 3550, 6.6).
    Bye {
        /// The first that is named; none if none is.
        ssrc: Option<u32>,
    },
    /// SDES, APP, feedback: not read.
    Other {
        /// As IANA registers them.
        packet_type: u8,
    },
}

/// Longest CNAME written, in bytes: keeps a report within `MAX_BYTES`.
pub const CNAME_MAX_BYTES: usize = 32;
/// Longest compound written, in bytes: SR with one block, SDES, BYE.
pub const MAX_BYTES: usize = 52 + 8 + 2 + CNAME_MAX_BYTES + 4 + 8;

const SR: u8 = 200;
const RR: u8 = 201;
const SDES: u8 = 202;
const BYE: u8 = 203;
const CNAME: u8 = 1;

impl Report<'_> {
    /// Writes the compound packet and gives its length.
    pub fn write(&self, out: &mut [u8; MAX_BYTES]) -> usize {
        let mut pen = Pen { out, at: 0 };
        let blocks = u8::from(self.reception.is_some());
        let start = pen.open(if self.sender.is_some() { SR } else { RR }, blocks);
        pen.word(self.ssrc);
        if let Some(sender) = self.sender {
            pen.word((sender.ntp >> 32) as u32);
            pen.word(sender.ntp as u32);
            pen.word(sender.rtp_timestamp);
            pen.word(sender.packets);
            pen.word(sender.octets);
        }
        if let Some(block) = self.reception {
            pen.reception(&block);
        }
        pen.close(start);
        let start = pen.open(SDES, 1);
        pen.word(self.ssrc);
        let cname = &self.cname.as_bytes()[..self.cname.len().min(CNAME_MAX_BYTES)];
        pen.put(&[CNAME, cname.len() as u8]);
        pen.put(cname);
        // A chunk ends with one to four zeros, at a word's border (RFC 3550, 6.5).
        let filled = 4 - pen.at % 4;
        pen.put(&[0; 4][..filled]);
        pen.close(start);
        if self.bye {
            let start = pen.open(BYE, 1);
            pen.word(self.ssrc);
            pen.close(start);
        }
        pen.at
    }
}

/// Reads a compound packet; stops at the first thing that cannot be read. Gives nothing for what is not RTCP.
pub fn items(bytes: &[u8]) -> Items<'_> {
    // A compound starts with SR or RR (RFC 3550, A.2); reduced-size RTCP (RFC 5506) is let through as well.
    Items { rest: bytes }
}

/// The packets of a compound, one by one; ends at what cannot be read.
pub struct Items<'a> {
    rest: &'a [u8],
}

impl Iterator for Items<'_> {
    type Item = Item;

    fn next(&mut self) -> Option<Item> {
        let head: &[u8; 4] = self.rest.first_chunk()?;
        let length = (usize::from(u16::from_be_bytes([head[2], head[3]])) + 1) * 4;
        if head[0] >> 6 != 2 || !(192..=223).contains(&head[1]) || length > self.rest.len() {
            self.rest = &[];
            return None;
        }
        let (packet, rest) = self.rest.split_at(length);
        self.rest = rest;
        Some(item(head[1], head[0] & 0x1f, &packet[4..]))
    }
}

fn item(packet_type: u8, count: u8, body: &[u8]) -> Item {
    let other = Item::Other { packet_type };
    match packet_type {
        SR => sender_report(body, count).unwrap_or(other),
        RR => match word(body, 0) {
            Some(ssrc) => Item::ReceiverReport { ssrc, reception: reception(body, 4, count) },
            None => other,
        },
        BYE => Item::Bye { ssrc: word(body, 0).filter(|_| count > 0) },
        _ => other,
    }
}

fn sender_report(body: &[u8], count: u8) -> Option<Item> {
    let info = SenderInfo {
        ntp: u64::from(word(body, 4)?) << 32 | u64::from(word(body, 8)?),
        rtp_timestamp: word(body, 12)?,
        packets: word(body, 16)?,
        octets: word(body, 20)?,
    };
    Some(Item::SenderReport { ssrc: word(body, 0)?, info, reception: reception(body, 24, count) })
}

/// The first report block; a two-party leg has no other.
fn reception(body: &[u8], at: usize, count: u8) -> Option<Reception> {
    if count == 0 {
        return None;
    }
    let loss = word(body, at + 4)?;
    Some(Reception {
        ssrc: word(body, at)?,
        fraction_lost: (loss >> 24) as u8,
        cumulative_lost: (loss << 8) as i32 >> 8,
        highest_sequence: word(body, at + 8)?,
        jitter: word(body, at + 12)?,
        last_sr: word(body, at + 16)?,
        delay_since_last_sr: word(body, at + 20)?,
    })
}

fn word(body: &[u8], at: usize) -> Option<u32> {
    body.get(at..)?.first_chunk().map(|bytes| u32::from_be_bytes(*bytes))
}

struct Pen<'a> {
    out: &'a mut [u8; MAX_BYTES],
    at: usize,
}

impl Pen<'_> {
    fn open(&mut self, packet_type: u8, count: u8) -> usize {
        let start = self.at;
        self.put(&[2 << 6 | count, packet_type, 0, 0]);
        start
    }

    fn close(&mut self, start: usize) {
        let words = (self.at - start) / 4 - 1;
        self.out[start + 2..start + 4].copy_from_slice(&(words as u16).to_be_bytes());
    }

    fn reception(&mut self, block: &Reception) {
        let lost = block.cumulative_lost.clamp(-0x80_0000, 0x7f_ffff) as u32 & 0xff_ffff;
        self.word(block.ssrc);
        self.word(u32::from(block.fraction_lost) << 24 | lost);
        self.word(block.highest_sequence);
        self.word(block.jitter);
        self.word(block.last_sr);
        self.word(block.delay_since_last_sr);
    }

    fn word(&mut self, value: u32) {
        self.put(&value.to_be_bytes());
    }

    fn put(&mut self, bytes: &[u8]) {
        self.out[self.at..self.at + bytes.len()].copy_from_slice(bytes);
        self.at += bytes.len();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn full() -> Report<'static> {
        Report {
            ssrc: 7,
            sender: Some(SenderInfo { ntp: 0x0102_0304_0506_0708, rtp_timestamp: 9, packets: 10, octets: 11 }),
            reception: Some(Reception {
                ssrc: 8,
                fraction_lost: 64,
                cumulative_lost: -2,
                highest_sequence: 0x1_0005,
                jitter: 3,
                last_sr: 4,
                delay_since_last_sr: 5,
            }),
            cname: "0123456789abcdef0123456789abcdef",
            bye: true,
        }
    }

    #[test]
    fn reads_what_it_writes() {
        let report = full();
        let mut out = [0; MAX_BYTES];
        let length = report.write(&mut out);
        assert_eq!((length % 4, length), (0, MAX_BYTES - 2));
        let read: Vec<Item> = items(&out[..length]).collect();
        assert_eq!(
            read,
            [
                Item::SenderReport { ssrc: 7, info: report.sender.unwrap(), reception: report.reception },
                Item::Other { packet_type: SDES },
                Item::Bye { ssrc: Some(7) },
            ]
        );
    }

    #[test]
    fn a_receiver_report_of_a_silent_leg_is_well_formed() {
        let mut out = [0; MAX_BYTES];
        let length = Report { sender: None, reception: None, cname: "ab", bye: false, ..full() }.write(&mut out);
        assert_eq!(
            out[..length],
            [
                0x80, 201, 0, 1, 0, 0, 0, 7, // RR
                0x81, 202, 0, 3, 0, 0, 0, 7, 1, 2, b'a', b'b', 0, 0, 0, 0, // SDES
            ]
        );
        let read: Vec<Item> = items(&out[..length]).collect();
        assert_eq!(read[0], Item::ReceiverReport { ssrc: 7, reception: None });
    }

    #[test]
    fn a_cut_compound_never_panics() {
        let mut out = [0; MAX_BYTES];
        let length = full().write(&mut out);
        for end in 0..length {
            assert!(items(&out[..end]).count() <= 3);
        }
        assert_eq!(items(&[0; 40]).count(), 0);
        assert_eq!(items(&[0x81, 200, 0, 0]).next(), Some(Item::Other { packet_type: 200 }));
    }
}
