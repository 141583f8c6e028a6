//! Layouts: which one is in force, who may raise it, and what a build of another layout makes of bytes.

use strowger_model::{Incarnation, NodeId};
use strowger_table::layout::{FIRST, LATEST};
use strowger_table::{
    At, Body, Command, ControlCommand, LayoutFault, Machine, Outcome, Proposal, Refusal, Shard, Written,
};

use crate::bench::Bench;
use crate::sample::*;
use crate::storm::Storm;

const OTHER: NodeId = NodeId(2);

fn raise(layout: u16, members: &[(NodeId, u16)]) -> Command {
    Command::Raise { layout, members: members.to_vec() }
}

#[test]
fn a_layout_is_raised_upwards_and_only_to_what_every_member_reads() {
    let mut bench = Bench::new();
    assert_eq!(bench.shard.layout(), FIRST);
    let members = [(ONE.node, 3), (OTHER, 2)];
    assert_eq!(bench.say(raise(3, &members)), Outcome::Refused(Refusal::TooEarly), "one reads no later than 2");
    assert_eq!(bench.say(raise(2, &[])), Outcome::Refused(Refusal::TooEarly), "nobody is known");
    assert_eq!(bench.say(raise(FIRST, &members)), Outcome::Refused(Refusal::OldVersion));
    assert_eq!(bench.shard.layout(), FIRST);
    let before = bench.shard.hash();
    assert_eq!(bench.say(raise(2, &members)), Outcome::Done);
    assert_eq!(bench.shard.layout(), 2);
    assert_ne!(bench.shard.hash(), before, "replicas that differ in it differ");
    assert_eq!(bench.say(raise(FIRST, &members)), Outcome::Refused(Refusal::OldVersion));
}

#[test]
fn the_next_layout_is_what_all_members_read() {
    let next = |from, members: &[Option<u16>]| {
        let members: Vec<_> = members.iter().zip(1..).map(|(can, node)| (NodeId(node), *can)).collect();
        strowger_table::layout::next(from, &members).map(|(layout, _)| layout)
    };
    assert_eq!(next(1, &[Some(1), Some(1)]), None);
    assert_eq!(next(1, &[Some(2), Some(1)]), None, "an old member");
    assert_eq!(next(1, &[Some(2), None]), None, "one is away");
    assert_eq!(next(1, &[]), None);
    assert_eq!(next(1, &[Some(3), Some(2)]), Some(2));
    assert_eq!(next(2, &[Some(3), Some(2)]), None, "in force already");
}

#[test]
fn control_is_raised_when_every_voter_is_named() {
    let mut machine = Machine::new(strowger_model::GroupId::CONTROL);
    let mut index = 0;
    let mut say = |machine: &mut Machine, command| {
        index += 1;
        let at = strowger_table::At { index, ..Default::default() };
        machine.apply(at, &Proposal { from: ONE, seq: 0, body: Body::Control(command) }).outcome
    };
    say(&mut machine, ControlCommand::Found { voters: vec![ONE.node, OTHER], shards: 1 });
    let raise = |members: &[(NodeId, u16)]| ControlCommand::Raise { layout: 2, members: members.to_vec() };
    assert_eq!(say(&mut machine, raise(&[(ONE.node, 2)])), Outcome::Refused(Refusal::TooEarly), "a voter is away");
    assert_eq!(say(&mut machine, raise(&[(ONE.node, 2), (OTHER, 1)])), Outcome::Refused(Refusal::TooEarly));
    assert_eq!(machine.layout(), FIRST);
    assert_eq!(say(&mut machine, raise(&[(ONE.node, 2), (OTHER, 2)])), Outcome::Done);
    assert_eq!(machine.layout(), 2);
}

#[test]
fn an_unknown_layout_is_named_and_nothing_is_read() {
    let proposal = Proposal { from: ONE, seq: 1, body: Body::Shard(Command::Tick) };
    let unknown = LayoutFault::Unknown { found: LATEST + 1, latest: LATEST };
    assert_eq!(proposal.to_bytes(LATEST + 1), Err(unknown.clone()));
    let mut bytes = proposal.to_bytes(FIRST).unwrap();
    bytes[..2].copy_from_slice(&(LATEST + 1).to_le_bytes());
    assert_eq!(Proposal::from_bytes(&bytes), Err(unknown.clone()));
    assert_eq!(Proposal::check(&bytes), Err(unknown.clone()));
    let said = unknown.to_string();
    assert!(said.contains(&format!("layout {}", LATEST + 1)) && said.contains("put a build"), "{said}");

    let mut snapshot = Bench::new().shard.snapshot();
    snapshot[..2].copy_from_slice(&(LATEST + 1).to_le_bytes());
    assert_eq!(Shard::restore(&snapshot).map(drop), Err(unknown));
}

#[test]
fn bytes_of_another_kind_text_or_content_are_refused() {
    let proposal = Proposal { from: ONE, seq: 1, body: Body::Shard(Command::Split { leg: Default::default() }) };
    let bytes = proposal.to_bytes(FIRST).unwrap();
    assert!(matches!(Outcome::from_bytes(&bytes), Err(LayoutFault::Kind { found: 1, wanted: 2 })));
    assert!(matches!(Proposal::from_bytes(&bytes[..7]), Err(LayoutFault::Short { found: 7 })));
    let mut other = bytes.clone();
    other[4] ^= 1;
    assert!(matches!(Proposal::from_bytes(&other), Err(LayoutFault::Text { layout: FIRST, .. })));
    assert!(matches!(Proposal::from_bytes(&bytes[..9]), Err(LayoutFault::Body { layout: FIRST, .. })));
}

/// From wherever they lie: messages carry them at any place.
#[test]
fn bytes_need_not_be_aligned() {
    let heirs = vec![(OTHER, Incarnation(11))];
    let adopt = Command::Adopt { node: ONE.node, incarnation: ONE.incarnation, heirs };
    let proposal = Proposal { from: ONE, seq: 1, body: Body::Shard(adopt) };
    let bytes = proposal.to_bytes(FIRST).unwrap();
    for shift in 0..9 {
        let mut moved = vec![0; shift];
        moved.extend_from_slice(&bytes);
        assert_eq!(Proposal::from_bytes(&moved[shift..]), Ok(proposal.clone()));
    }
}

#[test]
fn outcomes_and_configurations_return_as_they_were() {
    for outcome in [Outcome::Done, Outcome::Refused(Refusal::TooEarly), Outcome::Planned { granted: 5 }] {
        assert_eq!(Outcome::from_bytes(&outcome.to_bytes(FIRST).unwrap()), Ok(outcome));
    }
    let tenant = tenant();
    let bytes = tenant.to_bytes(FIRST).unwrap();
    assert_eq!(strowger_model::config::Tenant::from_bytes(&bytes), Ok(tenant));
}

/// Where builds leave for each other what they write; `./two-builds` sets it.
fn exchange(file: &str) -> std::path::PathBuf {
    let directory = std::env::var("STROWGER_EXCHANGE").expect("STROWGER_EXCHANGE: a directory, see ./two-builds");
    std::path::Path::new(&directory).join(file)
}

/// A log and where it led, in layout 1.
fn written() -> (Vec<(At, Vec<u8>)>, Shard) {
    let mut storm = Storm::new(45);
    (0..STORM).for_each(|_| storm.blow());
    let log = storm.bench.log.iter().map(|(at, proposal)| (*at, proposal.to_bytes(FIRST).unwrap())).collect();
    (log, storm.bench.shard)
}

/// Commands of the storm whose log is exchanged.
const STORM: usize = 2000;

#[test]
#[ignore = "one half of ./two-builds"]
fn write() {
    let (log, shard) = written();
    let entries: Vec<u8> =
        log.iter().flat_map(|(_, bytes)| [&(bytes.len() as u64).to_le_bytes()[..], bytes].concat()).collect();
    std::fs::write(exchange("log"), entries).unwrap();
    std::fs::write(exchange("snapshot"), shard.snapshot()).unwrap();
    std::fs::write(exchange("hash"), shard.hash().to_le_bytes()).unwrap();
}

/// The same storm blows in both builds, so stamps need not travel.
#[test]
#[ignore = "the other half of ./two-builds"]
fn read() {
    let (log, mine) = written();
    let hash = u64::from_le_bytes(std::fs::read(exchange("hash")).unwrap().try_into().unwrap());
    let (snapshot, entries) = (std::fs::read(exchange("snapshot")).unwrap(), std::fs::read(exchange("log")).unwrap());
    let (mut rest, mut replayed) = (&entries[..], Shard::new(SHARD));
    for (at, bytes) in &log {
        let (length, behind) = rest.split_first_chunk::<8>().expect("as many entries as here");
        let (entry, behind) = behind.split_at(u64::from_le_bytes(*length) as usize);
        assert_eq!(entry, bytes, "one entry, two builds, two texts");
        replayed.apply(*at, &Proposal::from_bytes(entry).unwrap());
        rest = behind;
    }
    let restored = Shard::restore(&snapshot).unwrap();
    assert_eq!([replayed.hash(), restored.hash(), mine.hash()], [hash; 3]);
    assert_eq!((rest.len(), restored.snapshot()), (0, snapshot));
}

/// The build that has one field and one command more than layout 1.
#[cfg(feature = "next-layout")]
mod next {
    use strowger_model::AgentId;

    use super::*;

    fn mark(agent: AgentId, mark: u32) -> Command {
        Command::Mark { agent, mark }
    }

    #[test]
    fn what_the_next_layout_brings_waits_for_it() {
        let mut bench = Bench::new();
        let early = Proposal { from: ONE, seq: 1, body: Body::Shard(mark(ANNA, 7)) };
        assert_eq!(early.to_bytes(FIRST), Err(LayoutFault::Early { layout: FIRST, since: 2 }));
        assert_eq!(bench.say(mark(ANNA, 7)), Outcome::Refused(Refusal::TooEarly));
        assert_eq!(bench.say(raise(2, &[(ONE.node, 2), (OTHER, 2)])), Outcome::Done);
        assert_eq!(bench.say(mark(ANNA, 7)), Outcome::Done);
        assert_eq!(bench.shard.agent(ANNA).unwrap().mark.0, 7);
        assert_eq!(Proposal::from_bytes(&early.to_bytes(2).unwrap()), Ok(early));

        let restored = Shard::restore(&bench.shard.snapshot()).unwrap();
        assert_eq!(restored.agent(ANNA).unwrap().mark.0, 7);
        assert_eq!((restored.hash(), restored.layout()), (bench.shard.hash(), 2));
    }

    /// Until it is used, a field is not in the hash; then it is, whatever its value was before.
    #[test]
    fn a_later_field_enters_the_hash_when_it_has_a_value() {
        let mut bench = Bench::new();
        bench.say(raise(2, &[(ONE.node, 2)]));
        let without = bench.shard.hash();
        let mut marked = |value| {
            let proposal = Proposal { from: ONE, seq: 0, body: Body::Shard(mark(ANNA, value)) };
            assert_eq!(bench.enter(proposal).outcome, Outcome::Done);
            bench.shard.hash()
        };
        let hashes = [without, marked(7), marked(8)];
        assert!(hashes[0] != hashes[1] && hashes[1] != hashes[2] && hashes[2] != hashes[0], "{hashes:?}");
        assert_eq!(marked(0), without, "a build that does not know the field has this hash");
    }

    /// Two replicas of one log: one carries every entry in layout 1, one in layout 2, each is restored half way from a
    /// snapshot of the other layout.
    #[test]
    fn one_log_in_two_layouts_gives_one_state() {
        let mut storm = Storm::new(44);
        (0..2000).for_each(|_| storm.blow());
        let log = storm.bench.log;
        let mut replicas = [Shard::new(SHARD), Shard::new(SHARD)];
        let apply = |shard: &mut Shard, layout: u16, at: At, proposal: &Proposal| {
            let carried = Proposal::from_bytes(&proposal.to_bytes(layout).unwrap()).unwrap();
            assert_eq!(&carried, proposal);
            shard.apply(at, &carried).outcome
        };
        for (no, (at, proposal)) in log.iter().enumerate() {
            let [first, second] = &mut replicas;
            let outcomes = (apply(first, 1, *at, proposal), apply(second, 2, *at, proposal));
            assert_eq!(outcomes.0, outcomes.1);
            if no % 500 == 250 {
                let snapshots = [1, 2].map(|layout| first.snapshot_in(layout).unwrap());
                *second = Shard::restore(&snapshots[0]).unwrap();
                *first = Shard::restore(&snapshots[1]).unwrap();
                assert_eq!(second.snapshot_in(2).unwrap(), snapshots[1]);
            }
            assert_eq!(first.hash(), second.hash());
        }
    }
}
