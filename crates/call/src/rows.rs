//! What the table has of one call: its row, and what stands beside it.

use std::collections::BTreeMap;
use std::sync::Arc;

use strowger_model::{CallId, Dialog, Digest, LegKey, PlaceId, QueueId, RelayId};
use strowger_table::{Call, DutyKind, Leg, Place, Shard};

/// The rows as the machine last heard of them.
#[derive(Debug)]
pub(crate) struct Rows {
    pub call: Arc<Call>,
    /// Where it waits, or is served from.
    pub place: Option<Arc<Place>>,
    dialogs: BTreeMap<LegKey, Arc<Dialog>>,
    /// The music of the queue that the call is in, or was in last, as it was when it came there.
    music: Option<(QueueId, Digest)>,
}

impl Rows {
    /// A row that nothing stands beside yet, as far as is known.
    pub fn alone(call: Arc<Call>) -> Self {
        Self { call, place: None, dialogs: BTreeMap::new(), music: None }
    }

    pub fn of(call: Arc<Call>, table: &Shard) -> Self {
        let mut rows = Self::alone(call.clone());
        rows.become_newer(call, table);
        rows
    }

    pub fn become_newer(&mut self, call: Arc<Call>, table: &Shard) {
        let dialog = |leg: &Leg| Some((leg.key, table.dialog(leg.key)?.clone()));
        self.dialogs = call.legs.iter().filter_map(dialog).collect();
        self.place = table.place_of(call.id).cloned();
        if self.music.map(|(queue, _)| queue) != call.queue() {
            self.music = table.queue(&call).map(|queue| (queue.id, queue.music));
        }
        self.call = call;
    }

    pub fn dialog(&self, leg: LegKey) -> Option<&Dialog> {
        self.dialogs.get(&leg).map(|dialog| &**dialog)
    }

    /// A leg of the call that has not left it.
    pub fn live(&self, leg: LegKey) -> Option<&Leg> {
        self.call.leg(leg).filter(|leg| leg.is_live())
    }

    pub fn is_live(&self, leg: LegKey) -> bool {
        self.live(leg).is_some()
    }

    pub fn customer(&self) -> Option<LegKey> {
        self.call.customer().map(|leg| leg.key)
    }

    pub fn has_duty(&self, kind: DutyKind) -> bool {
        self.call.duty_to(kind).is_some()
    }

    pub fn music(&self) -> Option<Digest> {
        self.music.map(|(_, digest)| digest)
    }

    /// What numbers the playing of the queue's music: who is in a queue anew hears it anew.
    pub fn music_play(&self) -> u64 {
        self.call.place.map_or(self.call.id.index(), PlaceId::index)
    }

    /// The relays that hold legs which have not left, each with the calls that those were born in.
    pub fn held_by(&self) -> Vec<(RelayId, CallId)> {
        let relays = |leg: &Leg| leg.relay.into_iter().chain(leg.next_relay);
        let born_in = |leg: &Leg| relays(leg).map(|relay| (relay, leg.key.call)).collect::<Vec<_>>();
        let mut held: Vec<_> = self.call.live_legs().flat_map(born_in).collect();
        held.sort_unstable();
        held.dedup();
        held
    }

    /// Whether the row says that this relay has a port for the leg, to use or to close.
    pub fn names(&self, relay: RelayId, leg: LegKey) -> bool {
        let uses = |leg: &Leg| leg.relay == Some(relay) || leg.next_relay == Some(relay);
        self.live(leg).is_some_and(uses) || self.has_duty(DutyKind::Close { relay, leg })
    }
}
