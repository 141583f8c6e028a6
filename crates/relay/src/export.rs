//! Legs whose voice is heard elsewhere: on another relay, or on another thread of this one.

use strowger_media::{Refusal, RelayAnswer};
use strowger_model::{LegKey, RelayId};

use crate::hop::parcel::{Packet, Sound};
use crate::leg::Voice;
use crate::worker::Worker;

/// One relay a leg's voice is sent to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Export {
    pub(crate) to: RelayId,
    /// Its place in the thread's outlet; none for this relay itself while it has one thread.
    pub(crate) line: Option<usize>,
    /// Nothing was sent yet since it began or went on after a hold.
    pub(crate) fresh: bool,
}

/// Relays one leg's voice is sent to: one for each other leg of the largest call.
const MAX_EXPORTS: usize = strowger_media::MAX_SOURCES;

impl Worker {
    /// Takes the place of the exports before; those that stay go on without a break.
    pub(crate) fn export(&mut self, key: LegKey, mut to: Vec<RelayId>) -> Result<RelayAnswer, Refusal> {
        let slot = self.slot(key)?;
        to.sort_unstable();
        to.dedup();
        if to.len() > MAX_EXPORTS {
            return Err(Refusal::BadRelay);
        }
        let open = |to| Ok(Export { to, line: self.outlet.line(to)?, fresh: true });
        let mut exports = to.into_iter().map(open).collect::<Result<Vec<Export>, Refusal>>()?;
        let leg = self.legs.get_mut(slot).ok_or(Refusal::NoSuchLeg)?;
        for export in &mut exports {
            let before = leg.exports.iter().find(|before| before.to == export.to);
            export.fresh = before.is_none_or(|before| before.fresh);
        }
        leg.exports = exports;
        Ok(RelayAnswer::Done)
    }
}

impl Export {
    /// What a leg's voice is on its way.
    pub(crate) fn packet<'a>(&mut self, source: LegKey, voice: &Voice, bytes: &'a [u8]) -> Packet<'a> {
        let fresh = std::mem::replace(&mut self.fresh, false);
        let sound = if voice.event { Sound::Event } else { Sound::Voice(voice.law) };
        Packet { source, sound, fresh, header: voice.header, payload: &bytes[voice.payload.clone()] }
    }
}
