//! SIP over TCP: callers and agents' phones by connections, which belong to one node each, while calls belong to any.

mod rig;

use std::net::SocketAddr;
use std::time::Duration;

use rig::desk::Desk;
use rig::far::Caller;
use rig::sip::with_body;
use rig::sipp::{Sipp, free_port, has_sipp};
use rig::{House, Plan, Rig, until};

/// Long enough for a request to come twice if it were repeated (RFC 3261, table 4).
const TWO_REPEATS: Duration = Duration::from_millis(1700);
const CALLS: u32 = 6;
/// One for each call: none waits.
const AGENTS: usize = 24;

#[test]
fn sipp_calls_and_is_called_over_tcp() {
    if !has_sipp() {
        return;
    }
    let phones = free_port();
    let house = (0..AGENTS).fold(House::new(), |house, at| house.tcp_phone_at(&(1001 + at).to_string(), phones));
    let rig = Rig::start(Plan::of(3, 3), &house);
    let all = (4 * CALLS).to_string();
    let mut agents = Sipp::start(&rig.dir, "answers", phones.port(), &["-t", "t1", "-m", &all]);
    let stay = Duration::from_millis(1500);
    let call = |transport, to| Sipp::callers_over(transport, &rig, to, "caller", CALLS, 3, stay);
    // One connection for all calls at the nodes, one a call at the address they share.
    let mut callers = vec![call("tn", rig.shared())];
    callers.extend((1..=3).map(|node| call("t1", rig.own(node))));
    let repeats: u32 = callers.iter_mut().map(|callers| callers.is_content(CALLS)).sum();
    assert_eq!(repeats + agents.is_content(4 * CALLS), 0, "nothing is sent twice over TCP");
    rig.until_at_rest();
    for record in rig.all_records(4 * CALLS as usize) {
        assert_eq!((&record["outcome"], &record["by"]), (&"answered".into(), &"caller".into()), "{record:#}");
        assert_eq!(record["offers"], 1, "{record:#}");
    }
}

/// A caller by a line to node 1, which drives the call, and an agent's phone that registered by a line to node 2.
struct Stage {
    rig: Rig,
    caller: Caller,
    desk: Desk,
    /// Where the phone's line leads.
    home: SocketAddr,
}

impl Stage {
    fn talking() -> Stage {
        let mut desk = Desk::over_tcp();
        let mut house = House::new().registers("1001", true);
        house.digest = "sha-256";
        let rig = Rig::start(Plan::of(3, 3), &house);
        let home = rig.own(2);
        desk.takes_media_of(&rig);
        let at = desk.wire.address();
        desk.register(home, "1001", &format!("<sip:1001@{at};transport=tcp>"), 600);
        until("the phone is known", || rig.agent("1001")["state"] == "idle");
        let mut caller = Caller::over_tcp(&rig, "tcp");
        caller.connect(rig.own(1));
        desk.rung();
        desk.answer(home, 180, "Ringing");
        desk.answer(home, 200, "OK");
        let ack = desk.wire.comes("ACK to the agent", |message| message.is_request("ACK"));
        assert!(ack.vias().all(|via| via.starts_with("SIP/2.0/TCP ")));
        assert_eq!(owner(&rig), 1);
        assert_eq!(desk.wire.connections_accepted(), 0, "the phone is called by the line it registered on");
        assert_eq!(caller.wire.connections_accepted(), 0, "and the caller answered on his own");
        Stage { rig, caller, desk, home }
    }

    /// Ends well: one record, of an answered call that this side ended.
    fn ended_by(self, side: &str) {
        let record = self.rig.record_of(&self.caller.call_id);
        assert_eq!((&record["outcome"], &record["by"]), (&"answered".into(), &side.into()), "{record:#}");
        self.rig.until_at_rest();
        self.rig.all_records(1);
    }
}

fn owner(rig: &Rig) -> u64 {
    rig.live_calls()[0]["owner"]["node"].as_u64().expect("an owner")
}

/// Kills the node that drives the call and has the caller's line. The caller acknowledged its answer, and the log has
/// that: the adopter does not say the 200 again, but asks whether he still has the dialog, where he listens, for his line
/// is gone. Returns the survivor that does not drive the call.
fn kill_and_adopt(rig: &mut Rig, caller: &mut Caller) -> SocketAddr {
    until("the ACK is in the log", || rig.live_calls()[0]["duties"].as_array().is_some_and(Vec::is_empty));
    rig.kill(1);
    let probe = caller.wire.comes("OPTIONS of the adopter", |message| message.is_request("OPTIONS"));
    assert_eq!(caller.wire.connections_accepted(), 1);
    let stranger = rig.own(if owner(rig) == 2 { 3 } else { 2 });
    agree(caller, stranger, &probe);
    assert!(
        caller.wire.is_quiet(TWO_REPEATS, |message| message.status() == 200),
        "what was acknowledged is said again"
    );
    stranger
}

#[test]
fn a_call_between_lines_of_two_nodes_is_held_and_ended() {
    let Stage { rig, mut caller, mut desk, home } = Stage::talking();
    let cseq = desk.reinvite(home, "sendonly");
    let ok = desk.wire.expect("200 to the agent's re-INVITE", |message| message.answers(200, &cseq));
    assert!(ok.has_line("a=recvonly") && ok.contact().ends_with(";transport=tcp"), "{ok:?}");
    desk.ack(home);
    let bye = desk.bye(home);
    desk.wire.expect("200 to the agent's BYE", |message| message.answers(200, &bye));
    let end = caller.wire.comes("BYE to the caller", |message| message.is_request("BYE"));
    assert_eq!(caller.wire.connections_accepted(), 0, "by the line of his INVITE");
    assert!(caller.wire.is_quiet(TWO_REPEATS, |message| message.is_request("BYE")), "a BYE is repeated over TCP");
    agree(&caller, rig.own(1), &end);
    Stage { rig, caller, desk, home }.ended_by("agent");
}

#[test]
fn a_caller_whose_node_died_hangs_up_by_a_new_line_to_any_node() {
    let Stage { mut rig, mut caller, mut desk, home } = Stage::talking();
    let stranger = kill_and_adopt(&mut rig, &mut caller);
    let bye = caller.bye(stranger);
    caller.wire.expect("200 to the BYE", |message| message.answers(200, &bye));
    let end = desk.wire.comes("BYE to the agent", |message| message.is_request("BYE"));
    assert_eq!(desk.wire.connections_accepted(), 0, "the phone's line is that of a node that lives");
    desk.reply(home, &end, 200, "OK", "");
    Stage { rig, caller, desk, home }.ended_by("caller");
}

#[test]
fn a_hang_up_passed_on_to_a_node_that_has_just_died_is_not_lost() {
    let Stage { mut rig, mut caller, mut desk, home } = Stage::talking();
    rig.kill(1);
    // Nobody knows of the death yet, and over TCP the caller says it once.
    let bye = caller.bye(rig.own(3));
    caller.wire.expect("200 to the BYE", |message| message.answers(200, &bye));
    let end = desk.wire.comes("BYE to the agent", |message| message.is_request("BYE"));
    desk.reply(home, &end, 200, "OK", "");
    Stage { rig, caller, desk, home }.ended_by("caller");
}

#[test]
fn a_caller_whose_line_died_is_called_where_he_listens() {
    let Stage { mut rig, mut caller, mut desk, home } = Stage::talking();
    let stranger = kill_and_adopt(&mut rig, &mut caller);
    let bye = desk.bye(home);
    desk.wire.expect("200 to the agent's BYE", |message| message.answers(200, &bye));
    let end = caller.wire.comes("BYE to the caller", |message| message.is_request("BYE"));
    assert_eq!(caller.wire.connections_accepted(), 1, "by the line the adopter has opened already");
    agree(&caller, stranger, &end);
    Stage { rig, caller, desk, home }.ended_by("agent");
}

#[test]
fn a_phone_whose_line_died_is_called_where_it_listens() {
    let Stage { mut rig, mut caller, mut desk, home } = Stage::talking();
    rig.kill(2);
    // Nobody knows of the death yet: what is handed to the dead node for the phone is lost with it.
    let bye = caller.bye(rig.own(1));
    caller.wire.expect("200 to the BYE", |message| message.answers(200, &bye));
    let end = desk.wire.comes("BYE to the agent", |message| message.is_request("BYE"));
    assert_eq!(desk.wire.connections_accepted(), 1);
    desk.reply(rig.own(1), &end, 200, "OK", "");
    Stage { rig, caller, desk, home }.ended_by("caller");
}

#[test]
fn a_trunk_is_known_by_its_address_whatever_port_a_connection_comes_from() {
    let mut house = House::new();
    house.sources = "\"127.0.0.1:5999\"".to_owned();
    let rig = Rig::start(Plan::of(1, 1), &house);
    let mut stranger = Caller::new(&rig, "stranger");
    stranger.invite(rig.own(1));
    assert!(stranger.wire.is_quiet(TWO_REPEATS, |_| true), "over UDP the port counts");
    let mut caller = Caller::over_tcp(&rig, "carrier");
    caller.connect(rig.own(1));
    let bye = caller.bye(rig.own(1));
    caller.wire.expect("200 to the BYE", |message| message.answers(200, &bye));
    rig.record_of(&caller.call_id);
}

/// A caller's 200 to a BYE or OPTIONS.
fn agree(caller: &Caller, node: SocketAddr, request: &rig::sip::Message) {
    let via: String = request.vias().map(|via| format!("Via: {via}\r\n")).collect();
    let text = format!(
        "SIP/2.0 200 OK\r\n{via}From: {}\r\nTo: {}\r\nCall-ID: {}\r\nCSeq: {}\r\n",
        request.header("from"),
        request.header("to"),
        request.header("call-id"),
        request.header("cseq"),
    );
    caller.wire.send(node, &with_body(&text, ""));
}
