//! One leg: its sockets, who may send to them, and what its far end hears.

use std::net::{IpAddr, SocketAddr};
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use strowger_audio::dtmf::DtmfReceiver;
use strowger_audio::rtp::{self, HEADER_BYTES, Header};
use strowger_audio::rtp_stats::{Arrival, RtpStats};
use strowger_audio::{FRAME_SAMPLES, g711};
use strowger_model::{CallId, Codec, Law, LegNo, MediaAddr, Mono};

use crate::clock;
use crate::counters::Counters;
use crate::joins::Far;
use crate::outbound::Outbound;
use crate::ports::Pair;
use crate::protocol::{LegSnapshot, LegStats, What};
use crate::reports::Reports;
use crate::roster::Slot;
use crate::socket::DATAGRAM_BYTES;

pub(crate) struct Leg {
    pub(crate) call: CallId,
    pub(crate) no: LegNo,
    pub(crate) pair: Pair,
    pub(crate) remote: Option<Remote>,
    /// The leg whose far end hears this one's, in the same roster.
    pub(crate) bridge: Option<Slot>,
    /// The same on another relay; never beside a bridge.
    pub(crate) far: Option<Far>,
    play: Option<Play>,
    /// Id of the newest play, also after its end: a command repeated, or late behind a newer one, starts nothing.
    last_play: Option<u64>,
    /// A play whose content is on its way.
    awaited: Option<u64>,
    pub(crate) out: Outbound,
    pub(crate) stats: RtpStats,
    dtmf: DtmfReceiver,
    pub(crate) reports: Reports,
    /// Last RTP or RTCP, or since when some is due.
    heard: Mono,
    pub(crate) last_rtp: Option<Mono>,
    dead: bool,
    /// Highest loss already in the counters.
    lost_counted: u64,
}

/// The far end as the dialog says, and what was learned of it since.
#[derive(Clone, Debug)]
pub(crate) struct Remote {
    pub(crate) media: MediaAddr,
    pub(crate) send: bool,
    pub(crate) receive: bool,
    /// Where RTP really comes from. Only the port may differ from the signalled address, and only once: that is how media
    /// passes a NAT without letting strangers in.
    pub(crate) latched: Option<SocketAddr>,
}

/// Music or a prompt on its way out. Each leg has a position of its own.
struct Play {
    id: u64,
    /// µ-law, never empty.
    content: Arc<[u8]>,
    at: usize,
    repeat: bool,
}

/// A voice packet in the receive buffer, good to be forwarded.
pub(crate) struct Voice {
    pub(crate) header: Header,
    pub(crate) payload: Range<usize>,
    pub(crate) law: Law,
    pub(crate) event: bool,
}

/// What a thread notes down while it works.
#[derive(Default)]
pub(crate) struct Tally {
    pub(crate) counters: Counters,
    /// Facts that are not yet events.
    pub(crate) news: Vec<(CallId, LegNo, What)>,
}

/// A frame on its way out: header and 20 ms.
pub(crate) type Frame = [u8; HEADER_BYTES + FRAME_SAMPLES];

/// Comfort noise (RFC 3389): a sign of life, not forwarded.
const COMFORT_NOISE: u8 = 13;

impl Leg {
    pub(crate) fn new(call: CallId, no: LegNo, pair: Pair, out: Outbound, reports: Reports, now: Mono) -> Self {
        Self {
            call,
            no,
            pair,
            remote: None,
            bridge: None,
            far: None,
            play: None,
            last_play: None,
            awaited: None,
            out,
            stats: RtpStats::default(),
            dtmf: DtmfReceiver::default(),
            reports,
            heard: now,
            last_rtp: None,
            dead: false,
            lost_counted: 0,
        }
    }

    /// Sets where the far end is. The same address again changes direction only; another one latches anew.
    pub(crate) fn point(&mut self, media: MediaAddr, send: bool, receive: bool, now: Mono) {
        let before = self.remote.take();
        let latched = before.as_ref().filter(|old| old.media.rtp == media.rtp).and_then(|old| old.latched);
        if receive && !before.is_some_and(|old| old.receive) {
            // Silence before this moment was agreed upon.
            self.heard = now;
            self.dead = false;
        }
        if !send {
            self.out.pause();
        }
        self.reports.aim(media.rtcp);
        self.remote = Some(Remote { media, send, receive, latched });
    }

    /// Judges a datagram on the RTP port. Gives it back if the other leg may hear it.
    pub(crate) fn accept(&mut self, bytes: &[u8], from: SocketAddr, now: Mono, tally: &mut Tally) -> Option<Voice> {
        let Some(remote) = self.remote.as_ref().filter(|remote| remote.expects(from)) else {
            tally.counters.strangers += 1;
            return None;
        };
        if rtp::is_rtcp(bytes) {
            self.accept_rtcp(bytes, from, now, tally);
            return None;
        }
        let Ok(packet) = rtp::parse(bytes) else {
            tally.counters.malformed += 1;
            return None;
        };
        let codec = remote.media.codec;
        let kind = packet.header.payload_type;
        let event = Some(kind) == codec.dtmf_payload_type;
        // Either law is taken whichever was agreed on: their types are static (RFC 3551, table 4), and far ends that were
        // offered both send both.
        let law = [Law::Mu, Law::A].into_iter().find(|law| law.payload_type() == kind);
        if law.is_none() && !event && kind != COMFORT_NOISE {
            tally.counters.malformed += 1;
            return None;
        }
        let receive = remote.receive;
        self.latch(from, tally);
        self.alive(now, tally);
        self.last_rtp = Some(now);
        tally.counters.packets_in += 1;
        if self.stats.receive(&packet.header, clock::rtp_units(now)) == Arrival::Late {
            tally.counters.late += 1;
        }
        if !receive || (law.is_none() && !event) {
            return None;
        }
        if event {
            let digit = self.dtmf.receive(packet.header.ssrc, packet.header.timestamp, &bytes[packet.payload.clone()]);
            if let Some(digit) = digit {
                tally.news.push((self.call, self.no, What::Digit { digit }));
            }
        }
        Some(Voice { header: packet.header, payload: packet.payload, law: law.unwrap_or(codec.law), event })
    }

    /// Takes a datagram of the RTCP port: a sign of life, and the time of the far end's last report.
    pub(crate) fn accept_rtcp(&mut self, bytes: &[u8], from: SocketAddr, now: Mono, tally: &mut Tally) {
        let expected = self.remote.as_ref().map(|remote| remote.media.rtcp.ip());
        if expected != Some(from.ip()) {
            tally.counters.strangers += 1;
        } else if self.reports.read(bytes, now) {
            self.alive(now, tally);
        } else {
            tally.counters.malformed += 1;
        }
    }

    /// Lets the far end hear a packet that the other leg accepted. It is changed in place; no payload is copied.
    pub(crate) fn forward(&mut self, buffer: &mut [u8; DATAGRAM_BYTES], voice: Voice, now: Mono, tally: &mut Tally) {
        let Some((to, codec)) = self.destination() else {
            self.out.pause();
            return;
        };
        if self.play.is_some() {
            return;
        }
        let payload_type = match codec.dtmf_payload_type {
            _ if !voice.event => codec.law.payload_type(),
            Some(payload_type) => payload_type,
            None => {
                self.out.left_out();
                return;
            }
        };
        let Some(header) = self.out.relayed(&voice.header, payload_type, now) else { return };
        if !voice.event {
            g711::transcode(voice.law, codec.law, &mut buffer[voice.payload.clone()]);
        }
        self.transmit(header.write_before(buffer, voice.payload), to, tally);
    }

    /// Starts a play, in place of another. The content is never empty: the shelf keeps no such piece.
    pub(crate) fn play(&mut self, id: u64, content: Arc<[u8]>, repeat: bool) {
        debug_assert!(!content.is_empty());
        self.last_play = Some(id);
        self.play = Some(Play { id, content, at: 0, repeat });
    }

    pub(crate) fn plays(&self) -> bool {
        self.play.is_some()
    }

    pub(crate) fn has_played(&self, id: u64) -> bool {
        self.last_play >= Some(id)
    }

    pub(crate) fn await_content(&mut self, id: u64) {
        self.awaited = Some(id);
    }

    /// Ends what plays, and what would once its content is there.
    pub(crate) fn stop(&mut self) {
        self.play = None;
        self.last_play = self.last_play.max(self.awaited.take());
    }

    /// Sends the next 20 ms of what plays; false when nothing plays any more. Time passes for a far end on hold, too.
    pub(crate) fn play_frame(&mut self, frame: &mut Frame, now: Mono, tally: &mut Tally) -> bool {
        let Some(play) = self.play.as_mut() else { return false };
        let samples = &mut frame[HEADER_BYTES..];
        let over = play.fill(samples);
        let id = play.id;
        match self.destination() {
            Some((to, codec)) => {
                g711::transcode(Law::Mu, codec.law, samples);
                let header = self.out.own(codec.law.payload_type(), now);
                self.transmit(header.write_before(frame, HEADER_BYTES..HEADER_BYTES + FRAME_SAMPLES), to, tally);
            }
            None => self.out.pause(),
        }
        if over {
            self.play = None;
            tally.news.push((self.call, self.no, What::PlayDone { id }));
        }
        !over
    }

    /// What has to be looked at about once a second: dead media, reports, loss.
    pub(crate) fn mind(&mut self, now: Mono, dead_after: Duration, cname: &str, tally: &mut Tally) {
        tally.counters.lost += self.uncounted_loss();
        let Some(remote) = &self.remote else { return };
        let silent = now.since(self.heard);
        if remote.receive && !self.dead && silent >= dead_after {
            self.dead = true;
            tally.counters.dead_media += 1;
            let since_ms = silent.as_millis() as u64;
            tally.news.push((self.call, self.no, What::DeadMedia { since_ms }));
        }
        self.reports.send_if_due(&self.pair.rtcp, &self.out, &mut self.stats, cname, now);
    }

    /// Loss since the last time this was asked; late packets never take any back.
    pub(crate) fn uncounted_loss(&mut self) -> u64 {
        let lost = self.stats.lost();
        let fresh = lost.saturating_sub(self.lost_counted);
        self.lost_counted += fresh;
        fresh
    }

    pub(crate) fn snapshot(&self, advertised: IpAddr, bridged_to: Option<LegNo>, now: Mono) -> LegSnapshot {
        let remote = self.remote.as_ref();
        LegSnapshot {
            leg: self.no,
            local: SocketAddr::new(advertised, self.pair.port),
            remote: remote.map(|remote| remote.media),
            latched: remote.and_then(|remote| remote.latched),
            send: remote.is_some_and(|remote| remote.send),
            receive: remote.is_some_and(|remote| remote.receive),
            bridged_to,
            playing: self.play.as_ref().map(|play| play.id),
            dead: self.dead,
            packets_in: self.stats.received(),
            packets_out: self.out.packets(),
            quiet_ms: self.quiet_ms(now),
        }
    }

    pub(crate) fn sums(&self, now: Mono) -> LegStats {
        LegStats {
            leg: self.no,
            received: self.stats.received(),
            sent: self.out.packets(),
            lost: self.stats.lost(),
            jitter_us: u64::from(self.stats.jitter()) * clock::MICROS_PER_UNIT,
            quiet_ms: self.quiet_ms(now),
        }
    }

    /// When somebody was last heard: its far end, or the one on another relay.
    pub(crate) fn last_life(&self) -> Option<Mono> {
        self.last_rtp.max(self.far.and_then(|far| far.heard))
    }

    fn quiet_ms(&self, now: Mono) -> Option<u64> {
        self.last_rtp.map(|at| now.since(at).as_millis() as u64)
    }

    /// Where its voice goes and how it is coded; none on hold.
    fn destination(&self) -> Option<(SocketAddr, Codec)> {
        let remote = self.remote.as_ref().filter(|remote| remote.send)?;
        Some((remote.latched.unwrap_or(remote.media.rtp), remote.media.codec))
    }

    fn transmit(&mut self, datagram: &[u8], to: SocketAddr, tally: &mut Tally) {
        if self.pair.rtp.send(datagram, to) {
            self.out.sent(datagram.len() - HEADER_BYTES);
            tally.counters.packets_out += 1;
        } else {
            tally.counters.send_failures += 1;
        }
    }

    fn latch(&mut self, from: SocketAddr, tally: &mut Tally) {
        let Some(remote) = self.remote.as_mut().filter(|remote| remote.latched.is_none()) else { return };
        remote.latched = Some(from);
        if from != remote.media.rtp {
            tally.news.push((self.call, self.no, What::Latched { addr: from }));
        }
    }

    fn alive(&mut self, now: Mono, tally: &mut Tally) {
        self.heard = now;
        if self.dead {
            self.dead = false;
            tally.news.push((self.call, self.no, What::MediaBack));
        }
    }
}

impl Remote {
    fn expects(&self, from: SocketAddr) -> bool {
        match self.latched {
            Some(latched) => latched == from,
            None => self.media.rtp.ip() == from.ip(),
        }
    }
}

impl Play {
    /// The next samples; true when they were the last. What is missing at the end is silence.
    fn fill(&mut self, mut samples: &mut [u8]) -> bool {
        loop {
            let take = samples.len().min(self.content.len() - self.at);
            let (now, later) = samples.split_at_mut(take);
            now.copy_from_slice(&self.content[self.at..self.at + take]);
            self.at += take;
            samples = later;
            let end = self.at == self.content.len();
            if end && self.repeat {
                self.at = 0;
            }
            if samples.is_empty() || (end && !self.repeat) {
                samples.fill(g711::silence(Law::Mu));
                return end && !self.repeat;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leg_is_small() {
        // A call may take 10 KB with its two legs, its journal and the maps around it.
        assert!(size_of::<Leg>() <= 768, "{}", size_of::<Leg>());
    }

    #[test]
    fn a_play_fills_frames_over_its_end() {
        let content: Arc<[u8]> = (1..=100).collect();
        let mut music = Play { id: 1, content: content.clone(), at: 0, repeat: true };
        let mut frame = [0; FRAME_SAMPLES];
        assert!(!music.fill(&mut frame));
        assert_eq!((frame[99], frame[100], frame[159]), (100, 1, 60));
        assert!(!music.fill(&mut frame));
        assert_eq!((frame[0], frame[39], frame[40]), (61, 100, 1));
        let mut prompt = Play { id: 1, content, at: 0, repeat: false };
        assert!(prompt.fill(&mut frame));
        assert_eq!((frame[99], frame[100], frame[159]), (100, 0xff, 0xff));
        let mut exact = Play { id: 1, content: vec![7; FRAME_SAMPLES].into(), at: 0, repeat: false };
        assert!(exact.fill(&mut frame));
        assert_eq!(frame, [7; FRAME_SAMPLES]);
    }
}
