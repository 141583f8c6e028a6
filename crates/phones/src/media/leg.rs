//! One leg's audio: plays its tone, presses its keys, listens, counts.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::keys::Keys;
use super::packet::{HEADER, Header, parse};
use super::stream::{Arrival, Stream};
use super::{MediaLegSpec, MediaPlan, MediaStats};
use crate::ear::ToneEar;
use crate::law::Law;
use crate::report::RtpCounts;
use crate::tone::{FRAME, ToneFrames, is_agent_tone};

/// The largest packet a phone sends: 20 ms of G.711.
pub(super) const PACKET: usize = HEADER + FRAME;

/// Longer than packets are late on a busy machine, in a stream that goes on.
const UNFED: Duration = Duration::from_millis(500);

pub(super) struct MediaLeg {
    pub key: u64,
    /// Which of the sub-ticks it sends in.
    pub group: usize,
    plan: MediaPlan,
    /// Where the media came from before the last re-INVITE: its last packets are no strangers.
    former_remote: Option<SocketAddr>,
    heard_from: Option<SocketAddr>,
    tone: u16,
    half: usize,
    ssrc: u32,
    sequence: u16,
    timestamp: u32,
    talk_spurt: bool,
    keys: Keys,
    keys_after: Duration,
    first_audio_at: Option<Instant>,
    ear: ToneEar,
    stream: Stream,
    sent: u64,
    strangers: u64,
    agent_heard: bool,
    /// What it was last said to hear.
    hears: Vec<u16>,
    last_at: Option<Instant>,
    longest_gap: Duration,
}

impl MediaLeg {
    pub fn new(spec: MediaLegSpec, group: usize, voices: Arc<[u16]>) -> Self {
        Self {
            key: spec.key,
            group,
            plan: spec.plan,
            former_remote: None,
            heard_from: None,
            tone: spec.tone,
            half: 0,
            ssrc: spec.ssrc,
            sequence: spec.ssrc as u16,
            timestamp: spec.ssrc.rotate_left(16),
            talk_spurt: true,
            keys: Keys::new(&spec.digits),
            keys_after: spec.digits_after,
            first_audio_at: None,
            ear: ToneEar::new(voices),
            stream: Stream::default(),
            sent: 0,
            strangers: 0,
            agent_heard: false,
            hears: Vec::new(),
            last_at: None,
            longest_gap: Duration::ZERO,
        }
    }

    pub fn follow(&mut self, plan: MediaPlan, now: Instant) {
        if plan.remote != self.plan.remote {
            self.former_remote = self.plan.remote;
        }
        if plan.sends && !self.plan.sends {
            self.talk_spurt = true;
        }
        if plan.receives != self.plan.receives {
            // A hold is no gap: what came before it is closed, what comes after begins anew.
            if self.plan.receives {
                self.measure_gap(now);
            }
            self.last_at = None;
        }
        self.plan = plan;
    }

    /// Fills `packet` with what is due now and says how long it is and where to; called every 20 ms.
    pub fn tick(
        &mut self,
        frames: &ToneFrames,
        packet: &mut [u8; PACKET],
        now: Instant,
    ) -> Option<(usize, SocketAddr)> {
        let now_timestamp = self.timestamp;
        self.timestamp = now_timestamp.wrapping_add(FRAME as u32);
        let remote = self.plan.remote.filter(|_| self.plan.sends)?;
        let key = match self.plan.event_payload_type {
            Some(_) if self.keys_due(now) => self.keys.tick(now_timestamp),
            _ => None,
        };
        let (head, body) = packet.split_at_mut(HEADER);
        let mut header = Header {
            marker: self.talk_spurt,
            payload_type: self.plan.law.payload_type(),
            sequence: self.sequence,
            timestamp: now_timestamp,
            ssrc: self.ssrc,
        };
        let length = if let Some(key) = key {
            header.payload_type = self.plan.event_payload_type.unwrap_or_default();
            header.timestamp = key.timestamp;
            header.marker = key.marker;
            body[..4].copy_from_slice(&key.payload);
            HEADER + 4
        } else {
            self.talk_spurt = false;
            body.copy_from_slice(frames.frame(self.plan.law, self.tone, self.half));
            PACKET
        };
        self.half ^= 1;
        if let Ok(head) = head.try_into() {
            header.write(head);
        }
        self.sequence = self.sequence.wrapping_add(1);
        self.sent += 1;
        Some((length, remote))
    }

    /// Takes a datagram. Returns since when an agent is heard, once, when that becomes certain.
    pub fn receive(&mut self, datagram: &[u8], from: SocketAddr, now: Instant) -> Option<Instant> {
        if self.plan.remote != Some(from) && self.former_remote != Some(from) {
            self.strangers += 1;
            return None;
        }
        let (header, payload) = parse(datagram)?;
        let arrival = self.stream.receive(header.ssrc, header.sequence);
        if self.plan.receives {
            self.measure_gap(now);
            self.last_at = Some(now);
        }
        self.heard_from = Some(from);
        let law = Law::from_payload_type(header.payload_type)?;
        self.first_audio_at.get_or_insert(now);
        match arrival {
            Arrival::Late => return None,
            Arrival::AfterHole => self.ear.interrupt(),
            Arrival::Next => {}
        }
        let news = self.ear.hear(law, payload, now);
        let (_, since) = news.into_iter().find(|(tone, _)| is_agent_tone(*tone))?;
        if self.agent_heard || is_agent_tone(self.tone) {
            return None;
        }
        self.agent_heard = true;
        // From here on a gap is one in the conversation; those of menus and music do not count any more.
        self.longest_gap = Duration::ZERO;
        Some(since)
    }

    /// What it hears now, of the voices that may sound together, if that has changed. Who gets no packets hears nothing.
    pub fn change(&mut self, now: Instant) -> Option<Vec<u16>> {
        let is_fed = self.last_at.is_some_and(|last| now.saturating_duration_since(last) < UNFED);
        let hears = if is_fed { self.ear.now() } else { &[] };
        if self.hears == hears {
            return None;
        }
        self.hears = hears.to_vec();
        Some(self.hears.clone())
    }

    pub fn close(mut self, now: Instant) -> MediaStats {
        if self.plan.receives {
            self.measure_gap(now);
        }
        let mut rtp = RtpCounts {
            sent: self.sent,
            strangers: self.strangers,
            digits_sent: self.keys.sent,
            from: self.heard_from,
            ..RtpCounts::default()
        };
        self.stream.count_into(&mut rtp);
        MediaStats {
            rtp,
            heard: self.ear.heard(),
            checked: self.ear.checked(),
            longest_gap_ms: self.longest_gap.as_millis() as u32,
        }
    }

    fn keys_due(&self, now: Instant) -> bool {
        !self.keys.is_empty() && self.first_audio_at.is_some_and(|first| now >= first + self.keys_after)
    }

    fn measure_gap(&mut self, now: Instant) {
        if let Some(last) = self.last_at {
            self.longest_gap = self.longest_gap.max(now.saturating_duration_since(last));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leg(tone: u16, digits: &str, remote: SocketAddr) -> MediaLeg {
        let plan = MediaPlan {
            remote: Some(remote),
            law: Law::Pcmu,
            event_payload_type: Some(101),
            sends: true,
            receives: true,
        };
        let digits_after = Duration::from_millis(100);
        MediaLeg::new(
            MediaLegSpec { key: 1, tone, digits: digits.into(), digits_after, ssrc: 9, plan },
            0,
            Arc::default(),
        )
    }

    /// Five seconds between two legs on a wire that loses what `loses` says.
    fn converse(caller: &mut MediaLeg, agent: &mut MediaLeg, loses: impl Fn(u32) -> bool) -> Option<Instant> {
        let (frames, start, mut packet) = (ToneFrames::new(), Instant::now(), [0u8; PACKET]);
        let (here, there) = ("127.0.0.1:4000".parse().unwrap(), "127.0.0.1:5000".parse().unwrap());
        let mut heard = None;
        for n in 0..250 {
            let now = start + Duration::from_millis(20) * n;
            let (length, _) = agent.tick(&frames, &mut packet, now).unwrap();
            if !loses(n) {
                heard = caller.receive(&packet[..length], there, now).or(heard);
            }
            let (length, _) = caller.tick(&frames, &mut packet, now).unwrap();
            agent.receive(&packet[..length], here, now);
        }
        heard
    }

    #[test]
    fn two_legs_hear_each_other_and_count_what_was_lost() {
        let mut caller = leg(2, "12", "127.0.0.1:5000".parse().unwrap());
        let mut agent = leg(3, "", "127.0.0.1:4000".parse().unwrap());
        assert!(converse(&mut caller, &mut agent, |n| (100..150).contains(&n)).is_some());
        caller.receive(b"x", "127.0.0.1:6000".parse().unwrap(), Instant::now());
        let end = Instant::now() + Duration::from_millis(4_980);
        let (caller, agent) = (caller.close(end), agent.close(end));
        assert_eq!(caller.heard, [(3, Duration::from_secs(4))]);
        assert_eq!((caller.rtp.sent, caller.rtp.received, caller.rtp.lost, caller.rtp.strangers), (250, 200, 50, 1));
        assert_eq!(caller.longest_gap_ms, 1020);
        assert_eq!(caller.rtp.digits_sent, 2);
        assert_eq!((agent.rtp.received, agent.rtp.lost), (250, 0));
        assert_eq!(agent.heard[0].0, 2);
        assert_eq!(agent.heard.len(), 1);
    }

    #[test]
    fn a_hold_is_no_gap() {
        let mut caller = leg(2, "", "127.0.0.1:5000".parse().unwrap());
        let mut agent = leg(3, "", "127.0.0.1:4000".parse().unwrap());
        converse(&mut caller, &mut agent, |_| false);
        let now = Instant::now() + Duration::from_secs(5);
        let mut plan = caller.plan.clone();
        plan.receives = false;
        caller.follow(plan.clone(), now);
        plan.receives = true;
        caller.follow(plan, now + Duration::from_secs(60));
        assert!(caller.close(now + Duration::from_secs(60)).longest_gap_ms < 200);
    }
}
