//! What comes from one far end: how much, how regularly, which keys, and whether anything comes at all.

use std::time::Duration;

use strowger_audio::dtmf::DtmfReceiver;
use strowger_audio::rtp::Header;
use strowger_audio::rtp_stats::{Arrival, RtpStats};
use strowger_media::What;
use strowger_model::Mono;

use crate::clock;
use crate::counters::Counters;

pub(crate) struct Intake {
    pub(crate) stats: RtpStats,
    dtmf: DtmfReceiver,
    /// Last RTP or RTCP, or since when some is due.
    pub(crate) heard: Mono,
    last_rtp: Option<Mono>,
    pub(crate) dead: bool,
    /// Highest loss already in the counters.
    lost_counted: u64,
}

impl Intake {
    pub(crate) fn new(now: Mono) -> Self {
        Self {
            stats: RtpStats::default(),
            dtmf: DtmfReceiver::default(),
            heard: now,
            last_rtp: None,
            dead: false,
            lost_counted: 0,
        }
    }

    /// Something is due from now on: silence before was agreed upon.
    pub(crate) fn expect(&mut self, now: Mono) {
        self.heard = now;
        self.dead = false;
    }

    /// Counts an RTP packet; a fact if it ends a silence.
    pub(crate) fn receive(&mut self, header: &Header, now: Mono, counters: &mut Counters) -> Option<What> {
        self.last_rtp = Some(now);
        counters.packets_in += 1;
        if self.stats.receive(header, clock::rtp_units(now)) == Arrival::Late {
            counters.late += 1;
        }
        self.alive(now)
    }

    /// A key, once for each press.
    pub(crate) fn digit(&mut self, header: &Header, payload: &[u8]) -> Option<What> {
        let digit = self.dtmf.receive(header.ssrc, header.timestamp, header.marker, payload)?;
        Some(What::Digit { digit })
    }

    /// A sign of life; a fact if it ends a silence.
    pub(crate) fn alive(&mut self, now: Mono) -> Option<What> {
        self.heard = now;
        std::mem::take(&mut self.dead).then_some(What::MediaBack)
    }

    /// A fact if nothing has come for too long since the last time that was said.
    pub(crate) fn silent(&mut self, now: Mono, dead_after: Duration) -> Option<What> {
        let silent = now.since(self.heard);
        if self.dead || silent < dead_after {
            return None;
        }
        self.dead = true;
        Some(What::DeadMedia { since_ms: silent.as_millis() as u64 })
    }

    /// Loss since the last time this was asked; late packets never take any back.
    pub(crate) fn uncounted_loss(&mut self) -> u64 {
        let lost = self.stats.lost();
        let fresh = lost.saturating_sub(self.lost_counted);
        self.lost_counted += fresh;
        fresh
    }

    pub(crate) fn quiet_ms(&self, now: Mono) -> Option<u64> {
        self.last_rtp.map(|at| now.since(at).as_millis() as u64)
    }
}
