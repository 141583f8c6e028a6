//! Other calls of the same table: who waits beside the call, and whom it is merged with.

use strowger_media::Op;
use strowger_model::{CallId, Dialog, DialogState, Far, LegKey, LegNo, Role};
use strowger_table::{Admit, AdmitKey, Command, Offer, Outcome, Plan, Source, Target, Then, VOICE_SLOT};

use super::{LEADER, World, sample};

impl World {
    /// Other callers, of another node, wait in the queue already.
    pub(super) fn others(&mut self, count: u32) {
        for caller in 0..count {
            self.another(8, &format!("other-{caller}"));
        }
    }

    /// A caller of that node waits in the queue.
    fn another(&mut self, node: u16, name: &str) -> CallId {
        let key = AdmitKey { call_id: name.into(), from_tag: "other".into(), cseq: 1 };
        let dialog = dialog_with("party", Role::Uas, name);
        let admit = Admit {
            key,
            tenant: sample::ACME,
            source: Source::Trunk(sample::TRUNK),
            target: Target::Flow(sample::flow("+49800300").expect("a number of the sample")),
            from: "other".into(),
            to: "+49800300".into(),
            dialog: dialog.clone(),
            observed: self.log_now(),
        };
        let (outcome, _) = self.apply(node, Command::Admit(Box::new(admit)));
        let Outcome::Admitted { call, .. } = outcome else { panic!("not admitted") };
        let leg = LegKey { call, leg: LegNo(0) };
        self.apply(node, Command::Answer { leg, dialog: Box::new(dialog), relay: super::RELAY });
        self.apply(node, Command::Enqueue { call, step: 0, queue: sample::SALES, then: Then::End });
        let duties = self.shard.call(call).expect("it waits").duties.iter().map(|duty| (call, duty.id)).collect();
        self.apply(node, Command::Done { duties });
        call
    }

    /// A call of the party, whom Bert serves, becomes one with this one, whose agent asks for it: `merge in`, and it
    /// goes on here; `merge out`, and all go on there.
    pub(super) fn merge(&mut self, way: &str) {
        let ours = self.call.expect("there is a call");
        let other = self.another(self.owner, "other-call");
        let place = self.shard.place_of(other).expect("it waits").id;
        let bert = sample::agent("bert");
        let offer = Offer {
            place,
            agent: bert,
            slot: VOICE_SLOT,
            queue: sample::SALES,
            relay: super::RELAY,
            score: 0,
            ring_all: false,
        };
        self.apply(LEADER, Command::Plan(Plan { basis: 0, offers: vec![offer] }));
        let leg = self.shard.call(other).and_then(|row| row.leg_of(bert)).expect("it rings").key;
        let dialog = Box::new(dialog_with("bert", Role::Uac, "to-bert"));
        self.apply(self.owner, Command::Answered { leg, dialog, observed: self.log_now() });
        for leg in [LegNo(0), leg.leg] {
            self.relays.order(super::RELAY, other, &Op::Open { leg });
        }
        let by = self.row().and_then(|row| row.agent_leg().map(|leg| leg.key)).expect("an agent asks");
        let (from, into) = if way == "in" { (other, ours) } else { (ours, other) };
        self.commit(self.owner, 0, Command::Merge { from, into, by, cseq: 1 });
    }
}

/// What is agreed with a far end of another call.
fn dialog_with(far: &str, role: Role, call_id: &str) -> Dialog {
    let addr = sample::addr(far);
    let sdp =
        "v=0\r\no=far 1 1 IN IP4 198.51.100.99\r\ns=-\r\nc=IN IP4 198.51.100.99\r\nt=0 0\r\nm=audio 4000 RTP/AVP 8\r\n";
    Dialog {
        role,
        state: DialogState::Confirmed,
        call_id: call_id.into(),
        local_uri: "sip:other@192.0.2.100".into(),
        local_tag: "ours".into(),
        remote_uri: format!("sip:{far}@{addr}"),
        remote_tag: far.into(),
        local_contact: "sip:other@192.0.2.100:5060".into(),
        remote_target: format!("sip:{far}@{addr}"),
        route_set: Vec::new(),
        local_cseq: 0,
        remote_cseq: 0,
        far: Far::udp(addr),
        local_sdp: sdp.into(),
        remote_sdp: sdp.into(),
        sdp_version: 1,
        pending: None,
    }
}
