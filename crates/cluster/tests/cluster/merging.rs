//! Two calls become one, one of those in it leaves, another goes to a row of its own and comes back. Nobody can ask for
//! that yet: the owner is made to say the commands. Who is with whom is what the phones hear.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use strowger_model::{CallId, LegKey, NodeId, RelayId};
use strowger_phones::{CallRef, CallSpec, EndedBy, Phones, Report};
use strowger_table::{Call, Command, LegRole, Outcome};

use crate::rig::{PATIENCE, RELAYS, Rig, caller};

/// What each plays: two callers, and the agents who took their calls.
const ALICE: u16 = 4;
const ANNA: u16 = 11;
const BOB: u16 = 30;
const BERT: u16 = 51;
/// For a command to be in the log.
const COMMIT: Duration = Duration::from_secs(5);
const THREE_RELAYS: [RelayId; 3] = [RelayId(RELAYS[0].0), RelayId(RELAYS[1].0), RelayId(RELAYS[2].0)];

/// Alice talks with Anna, Bob with Bert.
struct Two {
    rig: Rig,
    phones: Phones,
    calls: [CallRef; 2],
    rows: [CallId; 2],
    alice: LegKey,
    anna: LegKey,
    bob: LegKey,
    bert: LegKey,
}

impl Two {
    /// With the relays of Alice, Bob and Bert.
    async fn on([alice, bob, bert]: [RelayId; 3]) -> Two {
        let rig = Rig::start(3, 1).await;
        let phones = rig.phones_that_hear(&[ALICE, ANNA, BOB, BERT]);
        let place = |tone| phones.place_call(CallSpec { hangs_up: false, ..caller(tone) });
        rig.staff_with(&phones, "1000", ANNA).await;
        let first = place(ALICE);
        until_heard(&rig, &phones, &[(ALICE, &[ANNA]), (ANNA, &[ALICE])]).await;
        let (one, alice_leg, anna_leg) = talk(&rig.only_call().expect("a call"));
        rig.staff_with(&phones, "1001", BERT).await;
        let second = place(BOB);
        let both: [(u16, &[u16]); 4] = [(ALICE, &[ANNA]), (ANNA, &[ALICE]), (BOB, &[BERT]), (BERT, &[BOB])];
        until_heard(&rig, &phones, &both).await;
        let row = rig.calls().into_iter().find(|row| row.id != one).expect("another call");
        let (other, bob_leg, bert_leg) = talk(&row);
        let two = Two {
            rig,
            phones,
            calls: [first, second],
            rows: [one, other],
            alice: alice_leg,
            anna: anna_leg,
            bob: bob_leg,
            bert: bert_leg,
        };
        two.say(one, Command::Rehome { legs: vec![(alice_leg, alice)] }).await;
        two.say(other, Command::Rehome { legs: vec![(bob_leg, bob), (bert_leg, bert)] }).await;
        let is_at = |key: LegKey, relay| {
            let row = two.row_of(key);
            row.is_some_and(|row| row.leg(key).is_some_and(|leg| (leg.relay, leg.next_relay) == (Some(relay), None)))
        };
        let all = [(alice_leg, alice), (bob_leg, bob), (bert_leg, bert)];
        two.rig.until("each is at a relay of its own", || all.iter().all(|(key, relay)| is_at(*key, *relay))).await;
        until_heard(&two.rig, &two.phones, &both).await;
        two
    }

    /// The row in which that leg stands.
    fn row_of(&self, key: LegKey) -> Option<Arc<Call>> {
        self.rig.calls().into_iter().find(|row| row.leg(key).is_some())
    }

    fn row(&self, id: CallId) -> Option<Arc<Call>> {
        self.rig.calls().into_iter().find(|row| row.id == id)
    }

    fn owner(&self, id: CallId) -> NodeId {
        self.row(id).expect("a row").owner.node
    }

    /// Of the owner of that row.
    async fn say(&self, id: CallId, command: Command) -> Outcome {
        let owner = self.row(id).expect("a row").owner;
        let node = self.rig.nodes.iter().find(|node| node.context.owns(owner)).expect("its owner runs");
        node.context.command(id.shard(), command, COMMIT).await.expect("it is carried out")
    }

    async fn hears(&self, whom: &[(u16, &[u16])]) {
        until_heard(&self.rig, &self.phones, whom).await;
    }

    /// By Anna or Bert, who leaves. The row of `stays` goes on.
    async fn merge(&self, from: CallId, stays: CallId, by: LegKey) {
        let row = self.row_of(by).expect("the row of who asks").id;
        let merge = Command::Merge { from, into: stays, by, cseq: 1 };
        assert_eq!(self.say(row, merge).await, Outcome::Done);
    }

    /// Its owner hears of nothing more. Another goes on.
    async fn kill_owner(&mut self, of: CallId) {
        self.rig.until("all know the row", || self.row(of).is_some()).await;
        let owner = self.owner(of);
        self.rig.kill(owner);
        self.rig.until("another owns the call", || self.row(of).is_some_and(|row| row.owner.node != owner)).await;
    }

    fn hang_up(&self, caller: usize) {
        self.phones.hang_up(self.calls[caller]);
    }

    /// Everybody has gone, as the two callers' SIP Call-IDs say; nobody was cut off, and nobody ever heard himself.
    async fn reports(&self, ended: [EndedBy; 2]) -> [String; 2] {
        self.rig.until("both callers are gone", || self.phones.live().calls_ended == 2).await;
        let reports = self.phones.finish(Duration::from_secs(5));
        assert_eq!(reports.len(), 4, "{reports:#?}");
        for report in &reports {
            let (mine, heard, stuck) = match report {
                Report::Caller(caller) => (caller.my_tone, &caller.heard, caller.stuck),
                Report::Agent(agent) => (agent.my_tone, &agent.heard, agent.stuck || agent.overlapped),
                Report::Called(called) => panic!("nobody was called: {called:?}"),
            };
            assert!(!stuck && heard.iter().all(|(tone, _)| *tone != mine), "{report:#?}");
        }
        let of = |tone| {
            reports.iter().find_map(|report| match report {
                Report::Caller(caller) if caller.my_tone == tone => Some((caller.ended_by, caller.call_id.clone())),
                _ => None,
            })
        };
        let [alice, bob] = [ALICE, BOB].map(|tone| of(tone).expect("a caller's report"));
        assert_eq!([alice.0, bob.0], ended);
        [alice.1, bob.1]
    }

    /// Both calls were answered, and the row that was not to stay says where it went.
    async fn records(&self, [alice, bob]: &[String; 2]) {
        let (one, other) = (self.rig.record(alice).await, self.rig.record(bob).await);
        let [first, second] = self.rows.map(|row| row.to_string());
        assert_eq!((one.call, one.outcome.as_str(), one.agent.as_deref()), (first, "answered", Some("1000")));
        assert_eq!((other.call.as_str(), other.outcome.as_str()), (second.as_str(), "answered"));
        assert_eq!((one.into, other.into), (Some(second), None));
        assert_eq!(other.agent.as_deref(), Some("1001"));
        self.rig.until("both agents are idle again", || self.rig.agents_in("idle") == 2).await;
    }
}

/// A call's row, its customer's leg and that of the agent who serves.
fn talk(row: &Call) -> (CallId, LegKey, LegKey) {
    (row.id, row.customer().expect("a customer").key, row.serving.expect("an agent"))
}

/// Who hears whom: these, and nobody else anybody.
async fn until_heard(rig: &Rig, phones: &Phones, whom: &[(u16, &[u16])]) {
    let whom: BTreeMap<u16, Vec<u16>> = whom.iter().map(|(who, whom)| (*who, whom.to_vec())).collect();
    let begun = Instant::now();
    while phones.live().hears != whom {
        assert!(begun.elapsed() < PATIENCE, "{:?} instead of {whom:?}\n{:#?}", phones.live().hears, rig.calls());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

const ALL_THREE: [(u16, &[u16]); 3] = [(ALICE, &[BOB, BERT]), (BOB, &[ALICE, BERT]), (BERT, &[ALICE, BOB])];

/// All three talk, then the two who are left.
async fn three_become_one_call(dies: bool) {
    let mut two = Two::on(THREE_RELAYS).await;
    let [first, second] = two.rows;
    two.merge(first, second, two.anna).await;
    if dies {
        two.kill_owner(second).await;
    }
    two.hears(&ALL_THREE).await;
    two.hang_up(0);
    two.hears(&[(BOB, &[BERT]), (BERT, &[BOB])]).await;
    two.hang_up(1);
    let callers = two.reports([EndedBy::Caller, EndedBy::Caller]).await;
    two.records(&callers).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn three_parties_on_three_relays_hear_each_other() {
    three_become_one_call(false).await;
}

/// Its heir knows of the merge from the row alone, and of who asked for it that the phone may not know yet.
#[tokio::test(flavor = "multi_thread")]
async fn three_parties_go_on_when_the_owner_dies_as_they_become_one_call() {
    three_become_one_call(true).await;
}

/// Alice goes to a row of her own, where nobody is, and comes back when Bert leaves.
async fn one_goes_and_comes_back(relays: [RelayId; 3], dies: bool) {
    let mut two = Two::on(relays).await;
    let [first, second] = two.rows;
    two.merge(first, second, two.anna).await;
    two.hears(&ALL_THREE).await;
    let Outcome::Split { call: own } = two.say(second, Command::Split { leg: two.alice }).await else {
        panic!("not split")
    };
    if dies {
        two.kill_owner(own).await;
    }
    two.hears(&[(BOB, &[BERT]), (BERT, &[BOB])]).await;
    let alone = two.row(own).expect("her row");
    assert!(alone.is_served() && alone.legs.len() == 1 && alone.leg(two.alice).is_some_and(|leg| leg.is_up()));
    assert_eq!(alone.leg(two.alice).map(|leg| leg.role), Some(LegRole::Party));
    two.merge(own, second, two.bert).await;
    two.hears(&[(ALICE, &[BOB]), (BOB, &[ALICE])]).await;
    two.hang_up(0);
    let callers = two.reports([EndedBy::Caller, EndedBy::Far]).await;
    two.records(&callers).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_goes_to_a_row_of_its_own_comes_back() {
    one_goes_and_comes_back(THREE_RELAYS, false).await;
}

/// Bob's leg and Bert's were born in one call and are at one relay, which obeys two owners now: of each leg its own.
#[tokio::test(flavor = "multi_thread")]
async fn of_two_born_in_one_call_at_one_relay_one_goes_to_a_row_of_its_own() {
    let two = Two::on([THREE_RELAYS[1]; 3]).await;
    let [first, second] = two.rows;
    two.merge(second, first, two.anna).await;
    two.hears(&ALL_THREE).await;
    let Outcome::Split { call: own } = two.say(first, Command::Split { leg: two.bob }).await else {
        panic!("not split")
    };
    two.hears(&[(ALICE, &[BERT]), (BERT, &[ALICE])]).await;
    two.merge(own, first, two.bert).await;
    two.hears(&[(ALICE, &[BOB]), (BOB, &[ALICE])]).await;
    two.hang_up(1);
    two.reports([EndedBy::Far, EndedBy::Caller]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_goes_to_a_row_of_its_own_comes_back_though_the_owner_dies() {
    one_goes_and_comes_back(THREE_RELAYS, true).await;
}
