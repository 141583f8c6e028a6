//! One leg: its far end's packets in, our one stream out, and who hears whom.

use std::net::{IpAddr, SocketAddr};
use std::ops::Range;
use std::time::Duration;

use strowger_audio::rtp::{self, HEADER_BYTES, Header};
use strowger_audio::{FRAME_SAMPLES, g711};
use strowger_media::{Codec, Hearing, Law, LegSnapshot, LegStats, MediaAddr, SPOKEN, What};
use strowger_model::{LegKey, Mono};

use crate::audience::Audience;
use crate::clock;
use crate::counters::Counters;
use crate::engine::Limits;
use crate::export::Export;
use crate::heard::Heard;
use crate::intake::Intake;
use crate::origin::Whose;
use crate::outbound::Outbound;
use crate::ports::Pair;
use crate::reports::{Reports, Said};
use crate::socket::DATAGRAM_BYTES;
use crate::transport::{Remote, Transport};

pub(crate) struct Leg {
    pub(crate) key: LegKey,
    pub(crate) transport: Transport,
    pub(crate) intake: Intake,
    pub(crate) out: Outbound,
    pub(crate) reports: Reports,
    /// What its far end was ordered to hear, and how it does.
    pub(crate) hearing: Hearing,
    pub(crate) heard: Heard,
    /// Last voice of another leg.
    fed: Option<Mono>,
    /// Who hears it on the same thread.
    pub(crate) audience: Audience,
    /// Where else its voice goes.
    pub(crate) exports: Vec<Export>,
}

/// A voice packet in the receive buffer, good to be forwarded.
#[derive(Clone)]
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
    pub(crate) news: Vec<(LegKey, What)>,
}

/// A frame on its way out: header and 20 ms.
pub(crate) type Frame = [u8; HEADER_BYTES + FRAME_SAMPLES];

/// Comfort noise (RFC 3389): a sign of life, not forwarded.
const COMFORT_NOISE: u8 = 13;

impl Leg {
    pub(crate) fn new(key: LegKey, pair: Pair, out: Outbound, reports: Reports, now: Mono) -> Self {
        Self {
            key,
            transport: Transport::new(pair),
            intake: Intake::new(now),
            out,
            reports,
            hearing: Hearing::default(),
            heard: Heard::default(),
            fed: None,
            audience: Audience::default(),
            exports: Vec::new(),
        }
    }

    /// `ours` are the ports at its address that it cannot be at.
    pub(crate) fn point(&mut self, (media, ours): (MediaAddr, Range<u16>), send: bool, receive: bool, now: Mono) {
        if self.transport.point((media, ours), send, receive) {
            self.intake.expect(now);
        }
        if !send {
            self.out.pause();
        }
        self.reports.aim(media.rtcp);
    }

    /// Judges a datagram on the RTP port. Gives it back if other far ends may hear it.
    pub(crate) fn accept(&mut self, bytes: &[u8], from: SocketAddr, now: Mono, tally: &mut Tally) -> Option<Voice> {
        let Some(remote) = self.transport.near(from) else {
            tally.counters.strangers += 1;
            return None;
        };
        if rtp::is_rtcp(bytes) {
            match remote.is_there(from) {
                true => self.accept_rtcp(bytes, from, now, tally),
                false => tally.counters.strangers += 1,
            }
            return None;
        }
        let Ok(packet) = rtp::parse(bytes) else {
            tally.counters.malformed += 1;
            return None;
        };
        let (codec, receive) = (remote.media.codec, remote.receive);
        let kind = packet.header.payload_type;
        let event = codec.is_event(kind);
        // Either law is taken whichever was agreed on: their types are static (RFC 3551, table 4), and far ends that were
        // offered both send both.
        let law = SPOKEN.into_iter().find(|law| law.payload_type() == kind);
        let latched = match self.transport.judge(from, &packet.header, now) {
            Whose::Stranger => {
                tally.counters.strangers += 1;
                return None;
            }
            Whose::FarEnd => None,
            Whose::Moved(addr) => Some(What::Latched { addr }),
        };
        let back = self.intake.receive(&packet.header, now, &mut tally.counters);
        tally.news.extend(latched.into_iter().chain(back).map(|what| (self.key, what)));
        if law.is_none() && !event {
            // Any type that was not agreed on may keep a NAT open (RFC 6263, 4.6): whoever sends it is there, and says nothing.
            tally.counters.malformed += u64::from(kind != COMFORT_NOISE);
            return None;
        }
        if !receive {
            return None;
        }
        if event {
            let digit = self.intake.digit(&packet.header, &bytes[packet.payload.clone()]);
            tally.news.extend(digit.map(|what| (self.key, what)));
        }
        Some(Voice { header: packet.header, payload: packet.payload, law: law.unwrap_or(codec.law), event })
    }

    /// Takes a datagram of the RTCP port: of the source whose RTP was heard it is a sign of life, for some far ends
    /// suppress silence. Alone it is none.
    pub(crate) fn accept_rtcp(&mut self, bytes: &[u8], from: SocketAddr, now: Mono, tally: &mut Tally) {
        if !self.transport.expects_rtcp(from) {
            tally.counters.strangers += 1;
            return;
        }
        match self.reports.read(bytes, self.transport.source(), now) {
            Said::ByFarEnd => tally.news.extend(self.intake.alive(now).map(|what| (self.key, what))),
            Said::BySomebody => {}
            Said::Garbage => tally.counters.malformed += 1,
        }
    }

    /// Another leg's voice, for this one's far end. One that is heard alone is changed in place and sent; no payload is
    /// copied.
    pub(crate) fn hear(
        &mut self,
        source: LegKey,
        voice: Voice,
        buffer: &mut [u8; DATAGRAM_BYTES],
        now: Mono,
        tally: &mut Tally,
    ) {
        self.fed = Some(now);
        match &mut self.heard {
            Heard::Voice(of) if *of == source => self.forward(buffer, voice, now, tally),
            // A key press is no sound: who hears it among others sees nothing of it.
            Heard::Mix(mix) if !voice.event => mix.take(source, &voice.header, voice.law, &buffer[voice.payload]),
            _ => {}
        }
    }

    /// The source's packets were left out on purpose (hold) before what comes next.
    pub(crate) fn interrupt(&mut self, source: LegKey) {
        match &mut self.heard {
            Heard::Voice(of) if *of == source => self.out.pause(),
            Heard::Mix(mix) => mix.interrupt(source),
            _ => {}
        }
    }

    fn forward(&mut self, buffer: &mut [u8; DATAGRAM_BYTES], voice: Voice, now: Mono, tally: &mut Tally) {
        let Some((to, codec)) = self.transport.destination() else {
            self.out.pause();
            return;
        };
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

    /// Sends the next 20 ms of what plays or is mixed; false when no more will come. Time passes for a far end on hold, too.
    pub(crate) fn tick(&mut self, frame: &mut Frame, now: Mono, tally: &mut Tally) -> bool {
        let destination = self.transport.destination();
        let law = destination.map_or(Law::Mu, |(_, codec)| codec.law);
        let samples = &mut frame[HEADER_BYTES..];
        let (sounds, over) = match &mut self.heard {
            Heard::Play(play) => {
                let over = play.fill(samples);
                g711::transcode(Law::Mu, law, samples);
                (true, over)
            }
            Heard::Mix(mix) => (mix.frame(law, samples), false),
            _ => return false,
        };
        match destination.filter(|_| sounds) {
            Some((to, codec)) => self.send_own(frame, codec, to, now, tally),
            None => self.out.pause(),
        }
        if over {
            self.heard = Heard::Nothing;
            tally.news.extend(self.hearing.finish().map(|play| (self.key, What::PlayDone { play })));
        }
        !over
    }

    fn send_own(&mut self, frame: &mut Frame, codec: Codec, to: SocketAddr, now: Mono, tally: &mut Tally) {
        let header = self.out.own(codec.law.payload_type(), now);
        self.transmit(header.write_before(frame, HEADER_BYTES..HEADER_BYTES + FRAME_SAMPLES), to, tally);
    }

    /// What has to be looked at about once a second: dead media, reports, loss.
    pub(crate) fn mind(&mut self, now: Mono, dead_after: Duration, cname: &str, tally: &mut Tally) {
        tally.counters.lost += self.intake.uncounted_loss();
        let Some(remote) = self.transport.remote() else { return };
        let dead = remote.receive.then(|| self.intake.silent(now, dead_after)).flatten();
        tally.counters.dead_media += u64::from(dead.is_some());
        tally.news.extend(dead.map(|what| (self.key, what)));
        self.reports.send_if_due(&self.transport.pair.rtcp, &self.out, &mut self.intake.stats, cname, now);
    }

    /// The last report, which says goodbye.
    pub(crate) fn part(&mut self, cname: &str, now: Mono) {
        self.reports.send(&self.transport.pair.rtcp, &self.out, &mut self.intake.stats, cname, now, true);
    }

    pub(crate) fn snapshot(&self, advertised: IpAddr, now: Mono) -> LegSnapshot {
        let remote = self.transport.remote();
        LegSnapshot {
            leg: self.key.leg,
            local: SocketAddr::new(advertised, self.transport.pair.port),
            remote: remote.map(|remote| remote.media),
            latched: remote.and_then(Remote::latched),
            send: remote.is_some_and(|remote| remote.send),
            receive: remote.is_some_and(|remote| remote.receive),
            hears: self.hearing.what().clone(),
            no: self.hearing.no(),
            play: self.hearing.play(),
            exports: self.exports.iter().map(|export| export.to).collect(),
            dead: self.intake.dead,
            packets_in: self.intake.stats.received(),
            packets_out: self.out.packets(),
            quiet_ms: self.intake.quiet_ms(now),
        }
    }

    pub(crate) fn sums(&self, now: Mono) -> LegStats {
        LegStats {
            leg: self.key.leg,
            received: self.intake.stats.received(),
            sent: self.out.packets(),
            lost: self.intake.stats.lost(),
            jitter_us: u64::from(self.intake.stats.jitter()) * clock::MICROS_PER_UNIT,
            quiet_ms: self.intake.quiet_ms(now),
        }
    }

    /// Whether nobody has been heard for too long: neither its far end, nor one that it hears.
    pub(crate) fn is_quiet(&self, now: Mono, limits: &Limits) -> bool {
        // Who should speak and does not is told of before, or, as its relay is configured, may be silent for longer.
        let is_told = limits.dead_media <= limits.orphan;
        let is_to_speak = self.transport.remote().is_none_or(|remote| remote.receive && is_told);
        let lease = if is_to_speak { limits.orphan } else { limits.agreed_silence };
        now.since(self.intake.heard.max(self.fed.unwrap_or_default())) >= lease
    }

    fn transmit(&mut self, datagram: &[u8], to: SocketAddr, tally: &mut Tally) {
        if self.transport.pair.rtp.send(datagram, to) {
            self.out.sent(datagram.len() - HEADER_BYTES);
            tally.counters.packets_out += 1;
        } else {
            tally.counters.send_failures += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leg_is_small() {
        // A call may take 10 KB with its two legs, their journals and the maps around it.
        assert!(size_of::<Leg>() <= 768, "{}", size_of::<Leg>());
    }
}
