//! The control group: who lives, and which configuration is in force.

use std::time::Duration;

use strowger_model::config::{NextIds, Tenant};
use strowger_model::{GroupId, Incarnation, LogTime, NodeId, TenantId, Wall};
use strowger_table::{
    Act, ActResult, At, Body, Content, Control, ControlCommand, Grant, Machine, Outcome, Proposal, Proposer, Refusal,
    TenantRef, layout, limit,
};

use crate::sample::*;

const A: NodeId = NodeId(1);
const B: NodeId = NodeId(2);
const C: NodeId = NodeId(3);
const FIRST: Incarnation = Incarnation(1);
const SECOND: Incarnation = Incarnation(2);

/// Three voters, all of whom have started once.
struct Cluster {
    control: Control,
    seq: u64,
}

impl Cluster {
    fn new() -> Self {
        let mut cluster = Self { control: Control::default(), seq: 0 };
        cluster.say(ControlCommand::Found { voters: vec![A, B, C], shards: 4 });
        for node in [A, B, C] {
            cluster.say(ControlCommand::Hello { node, incarnation: FIRST });
        }
        cluster
    }

    fn try_say(&mut self, command: ControlCommand) -> Outcome {
        self.seq += 1;
        self.repeat(self.seq, command)
    }

    fn repeat(&mut self, seq: u64, command: ControlCommand) -> Outcome {
        let index = self.control.last().index + 1;
        let at = At { index, time: LogTime::from_millis(index), wall: Wall(index) };
        self.control.apply(at, &Proposal { from: ONE, seq, body: Body::Control(command) }).outcome
    }

    fn say(&mut self, command: ControlCommand) {
        assert_eq!(self.try_say(command), Outcome::Done);
    }

    fn silent(&mut self, voter: NodeId, node: NodeId, incarnation: Incarnation) {
        self.say(ControlCommand::Silent { voter, node, incarnation });
    }

    fn is_down(&self, node: NodeId) -> bool {
        self.control.node(node).unwrap().down
    }

    fn configure(&mut self, version: u64, tenants: Vec<Tenant>) -> Outcome {
        let next_ids = NextIds::default().above(&tenants, &[trunk()]);
        let reference = |tenant: &Tenant| TenantRef {
            tenant: tenant.id,
            shard: tenant.shard,
            digest: Content::of(tenant, layout::FIRST).unwrap().digest,
        };
        let tenants = tenants.iter().map(reference).collect();
        self.try_say(ControlCommand::Configure { version, tenants, trunks: vec![trunk()], next_ids })
    }
}

#[test]
fn a_cluster_is_founded_once() {
    let mut cluster = Cluster::new();
    cluster.say(ControlCommand::Found { voters: vec![C], shards: 9 });
    assert_eq!((cluster.control.voters(), cluster.control.shards()), (&[A, B, C][..], 4));
}

#[test]
fn a_node_is_down_when_a_majority_of_the_voters_says_so() {
    let mut cluster = Cluster::new();
    cluster.silent(A, C, FIRST);
    cluster.silent(A, C, FIRST);
    assert!(!cluster.is_down(C), "one voter is no majority, however often it says so");
    cluster.silent(NodeId(9), C, FIRST);
    assert!(!cluster.is_down(C), "who is no voter has no say");
    cluster.silent(B, C, SECOND);
    assert!(!cluster.is_down(C), "another incarnation is another matter");
    cluster.silent(B, C, FIRST);
    assert!(cluster.is_down(C));
    assert_eq!(cluster.control.live(), [(A, FIRST), (B, FIRST)]);
}

#[test]
fn a_voter_that_hears_the_node_again_withdraws_its_report() {
    let mut cluster = Cluster::new();
    cluster.silent(A, C, FIRST);
    assert!(cluster.control.is_silent(C, FIRST, A));
    cluster.say(ControlCommand::Heard { voter: A, node: C, incarnation: FIRST });
    assert!(!cluster.control.is_silent(C, FIRST, A));
    cluster.silent(B, C, FIRST);
    assert!(!cluster.is_down(C));

    // Once down, an incarnation stays down.
    cluster.silent(A, C, FIRST);
    cluster.say(ControlCommand::Heard { voter: A, node: C, incarnation: FIRST });
    assert!(cluster.is_down(C));
}

#[test]
fn a_node_comes_back_as_a_new_incarnation_only() {
    let mut cluster = Cluster::new();
    cluster.silent(A, C, FIRST);
    cluster.silent(B, C, FIRST);
    let hello = |incarnation| ControlCommand::Hello { node: C, incarnation };
    assert_eq!(cluster.try_say(hello(FIRST)), Refusal::Fenced.into());
    cluster.say(hello(SECOND));
    assert!(!cluster.is_down(C));
    assert_eq!(cluster.try_say(hello(FIRST)), Refusal::Fenced.into(), "older");
    cluster.say(hello(SECOND));

    // Reports about the first say nothing about the second.
    cluster.silent(A, C, FIRST);
    cluster.silent(B, C, FIRST);
    assert!(!cluster.is_down(C));
}

#[test]
fn a_configuration_needs_the_next_version() {
    let mut cluster = Cluster::new();
    assert_eq!(cluster.configure(2, vec![]), Refusal::OldVersion.into());
    assert_eq!(cluster.configure(1, vec![tenant()]), Outcome::Done);
    assert_eq!(cluster.configure(1, vec![]), Refusal::OldVersion.into());
    assert_eq!(cluster.configure(3, vec![]), Refusal::OldVersion.into());
    assert_eq!((cluster.control.version(), cluster.control.tenants().len()), (1, 1));
    assert_eq!(cluster.control.trunks()[..], [trunk()]);
}

#[test]
fn each_tenant_knows_in_which_version_it_changed() {
    let mut cluster = Cluster::new();
    let globex = || Tenant { id: TenantId(2), name: "globex".into(), ..tenant() };
    cluster.configure(1, vec![tenant(), globex()]);
    let mut renamed = globex();
    renamed.realm = "globex.example".into();
    cluster.configure(2, vec![tenant(), renamed.clone()]);
    assert_eq!(cluster.control.changed(ACME), Some(1));
    assert_eq!(cluster.control.changed(renamed.id), Some(2));
    cluster.configure(3, vec![renamed.clone()]);
    assert_eq!(cluster.control.changed(ACME), None);
    assert!(cluster.control.tenant(ACME).is_none());
    assert_eq!(cluster.control.changed(renamed.id), Some(2));
    cluster.configure(4, vec![tenant(), renamed]);
    assert_eq!(cluster.control.changed(ACME), Some(4), "back again is a change");
}

#[test]
fn tokens_are_granted_by_their_hash() {
    let mut cluster = Cluster::new();
    assert!(!cluster.control.has_tokens());
    cluster.say(grant("admin", None));
    let role = |of: u8| cluster.control.token(&[of; 32]).map(|token| token.role.as_str());
    assert_eq!((role(1), role(2)), (Some("admin"), None));
    assert!(cluster.control.has_tokens());
}

fn grant(role: &str, tenant: Option<TenantId>) -> ControlCommand {
    let token_sha256 = [1; 32];
    ControlCommand::Grant(Box::new(Grant {
        token_sha256,
        name: "one".into(),
        role: role.into(),
        tenant,
        lasts_ms: None,
    }))
}

#[test]
fn a_token_is_for_a_tenant_that_is_there_and_goes_by_its_name() {
    let mut cluster = Cluster::new();
    let refused = |outcome: Outcome| outcome.refusal();
    assert_eq!(refused(cluster.try_say(grant("admin", Some(ACME)))), Some(Refusal::NoSuchTenant));
    cluster.configure(1, vec![tenant()]);
    cluster.say(grant("admin", Some(ACME)));
    let revoke = |tenant| ControlCommand::Revoke { tenant, name: "one".into() };
    assert_eq!(refused(cluster.try_say(revoke(None))), Some(Refusal::NoSuchToken));
    cluster.say(revoke(Some(ACME)));
    assert!(cluster.control.token(&[1; 32]).is_none());
}

#[test]
fn an_act_is_there_from_its_entry_on_and_has_what_it_came_to() {
    let mut cluster = Cluster::new();
    let Outcome::Begun { act } = cluster.try_say(ControlCommand::Begin(Box::new(intent()))) else { panic!("begun") };
    let found = |cluster: &Cluster| cluster.control.acts(0).map(|(_, act)| (**act).clone()).collect::<Vec<_>>();
    let begun = Act { id: act, at: Wall(act), intent: intent(), result: None };
    assert_eq!(found(&cluster), std::slice::from_ref(&begun));
    let result = ActResult { status: 409, told: "stopped".into() };
    cluster.say(ControlCommand::End { act, result: Box::new(result.clone()) });
    assert_eq!(found(&cluster), [Act { result: Some(result), ..begun }]);
    assert_eq!(cluster.control.acts(act).count(), 1, "who has read the beginning reads the end");
}

#[test]
fn a_repeat_gets_the_first_answer() {
    let mut cluster = Cluster::new();
    cluster.configure(1, vec![tenant()]);
    let again = ControlCommand::Configure { version: 1, tenants: vec![], trunks: vec![], next_ids: NextIds::default() };
    assert_eq!(cluster.repeat(cluster.seq, again), Outcome::Done);
    assert_eq!(cluster.control.tenants().len(), 1);
}

#[test]
fn a_snapshot_holds_everything() {
    let mut cluster = Cluster::new();
    cluster.configure(1, vec![tenant()]);
    cluster.say(grant("admin", Some(ACME)));
    cluster.say(ControlCommand::Used { token_sha256: [1; 32] });
    cluster.try_say(ControlCommand::Begin(Box::new(intent())));
    cluster.silent(A, C, FIRST);
    let bytes = cluster.control.snapshot();
    let Machine::Control(restored) = Machine::restore(GroupId::CONTROL, &bytes).unwrap() else { panic!("control") };
    let mut copy = Cluster { control: restored, seq: cluster.seq };
    assert_eq!((copy.control.snapshot(), copy.control.hash()), (bytes, cluster.control.hash()));

    // One more voter makes the majority, on both.
    for cluster in [&mut cluster, &mut copy] {
        cluster.silent(B, C, FIRST);
        assert!(cluster.is_down(C));
    }
    assert_eq!(copy.control.snapshot(), cluster.control.snapshot());
    assert!(Machine::restore(GroupId::CONTROL, b"not a snapshot").is_err());
}

#[test]
fn the_last_versions_can_be_gone_back_to_and_ids_never_go_back() {
    let mut cluster = Cluster::new();
    let high = Tenant { id: TenantId(700), name: "brief".into(), ..tenant() };
    cluster.configure(1, vec![tenant(), high]);
    let ids = cluster.control.next_ids();
    assert_eq!(ids.tenant, 701);
    for version in 2..30 {
        assert_eq!(cluster.configure(version, vec![tenant()]), Outcome::Done);
    }
    assert_eq!(cluster.control.next_ids(), ids, "an id that was given names nothing else");
    let kept: Vec<u64> = cluster.control.versions().map(|config| config.version).collect();
    assert_eq!(kept, (10..30).collect::<Vec<_>>());
    assert_eq!(
        cluster.control.config(10).unwrap().tenants[0].digest,
        Content::of(&tenant(), layout::FIRST).unwrap().digest
    );
    assert!(cluster.control.config(9).is_none());
}

#[test]
fn the_hash_covers_trunks_and_tokens() {
    let mut cluster = Cluster::new();
    cluster.configure(1, vec![]);
    let before = cluster.control.hash();
    cluster.say(grant("admin", None));
    assert_ne!(cluster.control.hash(), before);
}

#[test]
fn a_token_that_is_granted_again_may_do_what_was_said_last() {
    let mut cluster = Cluster::new();
    for role in ["admin", "viewer"] {
        cluster.say(grant(role, None));
        assert_eq!(cluster.control.token(&[1; 32]).unwrap().role, role);
    }
}

fn enter(cluster: &mut Cluster, from: Proposer, seq: u64, time: LogTime, command: ControlCommand) -> Outcome {
    let at = At { index: cluster.control.last().index + 1, time, wall: Wall(0) };
    cluster.control.apply(at, &Proposal { from, seq, body: Body::Control(command) }).outcome
}

/// No repeat travels longer: what a life was answered that is over need not be known for ever.
#[test]
fn answers_to_a_life_that_is_over_are_kept_for_a_while() {
    let mut cluster = Cluster::new();
    let first = Proposer { node: A, incarnation: FIRST };
    let configure =
        || ControlCommand::Configure { version: 1, tenants: vec![], trunks: vec![], next_ids: NextIds::default() };
    let over = LogTime::from_millis(5000);
    assert_eq!(enter(&mut cluster, first, 1, over, configure()), Outcome::Done);
    let hello = ControlCommand::Hello { node: A, incarnation: SECOND };
    assert_eq!(enter(&mut cluster, ONE, 0, over, hello), Outcome::Done);
    let forgotten = over + limit::SESSION_LINGER;
    enter(&mut cluster, ONE, 0, forgotten - Duration::from_millis(1), ControlCommand::Tick);
    assert_eq!(enter(&mut cluster, first, 1, over, configure()), Outcome::Done, "the first answer");
    enter(&mut cluster, ONE, 0, forgotten, ControlCommand::Tick);
    assert_eq!(enter(&mut cluster, first, 1, forgotten, configure()), Refusal::OldVersion.into(), "judged anew");
}

#[test]
fn what_a_life_that_goes_on_was_answered_is_not_forgotten() {
    let mut cluster = Cluster::new();
    cluster.configure(1, vec![]);
    let said = cluster.seq;
    // Its own Hello, said again, ends nothing.
    cluster.say(ControlCommand::Hello { node: ONE.node, incarnation: ONE.incarnation });
    cluster.say(ControlCommand::Hello { node: ONE.node, incarnation: ONE.incarnation });
    let later = LogTime::from_millis(1000) + 2 * limit::SESSION_LINGER;
    enter(&mut cluster, ONE, 0, later, ControlCommand::Tick);
    let again = ControlCommand::Configure { version: 1, tenants: vec![], trunks: vec![], next_ids: NextIds::default() };
    assert_eq!(cluster.repeat(said, again), Outcome::Done);
}

#[test]
fn who_starts_again_is_reported_by_nobody_and_reports_of_others_stay() {
    let mut cluster = Cluster::new();
    cluster.silent(A, C, FIRST);
    cluster.silent(A, B, FIRST);
    cluster.say(ControlCommand::Hello { node: C, incarnation: SECOND });
    assert!(!cluster.control.is_silent(C, FIRST, A));
    assert!(cluster.control.is_silent(B, FIRST, A));
    cluster.silent(C, B, FIRST);
    assert!(cluster.is_down(B));
}

/// Of four voters two are no majority, of five three are one.
#[test]
fn half_of_the_voters_are_no_majority() {
    for (voters, enough) in [(4, 3), (5, 3), (1, 1)] {
        let mut cluster = Cluster { control: Control::default(), seq: 0 };
        let all: Vec<NodeId> = (1..=voters).map(NodeId).collect();
        cluster.say(ControlCommand::Found { voters: all.clone(), shards: 4 });
        let node = NodeId(77);
        cluster.silent(NodeId(1), node, FIRST);
        assert_eq!(cluster.control.node(node), None, "who never said Hello is not known to be anything");
        cluster.say(ControlCommand::Hello { node, incarnation: FIRST });
        for (said, voter) in all.into_iter().enumerate() {
            assert_eq!(cluster.is_down(node), said >= enough, "{said} of {voters}");
            cluster.silent(voter, node, FIRST);
        }
        assert!(cluster.is_down(node));
    }
}

#[test]
fn a_voter_takes_back_its_own_report_and_no_other() {
    let mut cluster = Cluster::new();
    cluster.silent(A, C, FIRST);
    for (voter, node, incarnation) in [(B, C, FIRST), (A, B, FIRST), (A, C, SECOND)] {
        cluster.say(ControlCommand::Heard { voter, node, incarnation });
        assert!(cluster.control.is_silent(C, FIRST, A));
    }
}

#[test]
fn tenants_are_found_whatever_the_order_in_which_they_are_named() {
    let mut cluster = Cluster::new();
    let named = |id: u32| Tenant { id: TenantId(id), name: format!("tenant-{id}"), ..tenant() };
    cluster.configure(1, [5, 2, 9, 1].map(named).to_vec());
    let ids: Vec<u32> = cluster.control.tenants().iter().map(|tenant| tenant.tenant.0).collect();
    assert_eq!(ids, [1, 2, 5, 9]);
    assert!([1, 2, 5, 9].iter().all(|id| cluster.control.tenant(TenantId(*id)).is_some()));
    assert!(cluster.control.tenant(TenantId(3)).is_none());
    // To live on another shard is a change.
    let moved = Tenant { shard: strowger_model::ShardId(SHARD.0 + 1), ..named(5) };
    cluster.configure(2, vec![named(1), named(2), moved, named(9)]);
    let changed = [1, 2, 5, 9].map(|id| cluster.control.changed(TenantId(id)));
    assert_eq!(changed, [Some(1), Some(1), Some(2), Some(1)]);
}

#[test]
fn each_version_has_its_own_trunks() {
    let mut cluster = Cluster::new();
    cluster.configure(1, vec![]);
    let faster = strowger_model::config::Trunk { max_dials_per_second: 99, ..trunk() };
    let configure =
        |version, trunks| ControlCommand::Configure { version, tenants: vec![], trunks, next_ids: NextIds::default() };
    cluster.say(configure(2, vec![faster.clone()]));
    assert_eq!((cluster.control.version(), &cluster.control.trunks()[..]), (2, &[faster][..]));
    assert_eq!(cluster.control.config(1).map(|config| config.trunks.to_vec()), Some(vec![trunk()]));
    cluster.say(configure(3, vec![]));
    assert!(cluster.control.trunks().is_empty());
}

#[test]
fn neither_clock_of_the_control_group_goes_back() {
    let mut control = Control::default();
    let tick = Proposal { from: ONE, seq: 0, body: Body::Control(ControlCommand::Tick) };
    for (index, said, is) in [(1, (5, 7), (5, 7)), (2, (4, 6), (5, 7)), (3, (6, 8), (6, 8))] {
        let at = |(time, wall)| At { index, time: LogTime(time), wall: Wall(wall) };
        control.apply(at(said), &tick);
        assert_eq!(control.last(), at(is));
    }
}
