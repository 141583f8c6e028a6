//! An agent with two phones: both are bound, the one of the higher rank is rung, and each comes and goes alone.

mod rig;

use std::time::Duration;

use rig::desk::Desk;
use rig::far::Caller;
use rig::{House, Plan, Rig, until};

const AGENT: &str = "1001";
/// Longer than a message needs on this machine.
const A_MOMENT: Duration = Duration::from_millis(700);

struct Stage {
    rig: Rig,
    desk: Desk,
    mobile: Desk,
}

fn contact(desk: &Desk, name: u8, q: &str) -> String {
    format!("<sip:{AGENT}@{}>;+sip.instance=\"<urn:uuid:{name}>\";q={q}", desk.wire.address())
}

impl Stage {
    fn new() -> Stage {
        let mut house = House::new().registers(AGENT, true);
        house.digest = "sha-256";
        let rig = Rig::start(Plan::of(1, 1), &house);
        Stage { rig, desk: Desk::new(), mobile: Desk::new() }
    }

    fn bound(&self, of_desk: &str, of_mobile: &str) -> (String, String) {
        (contact(&self.desk, 1, of_desk), contact(&self.mobile, 2, of_mobile))
    }

    /// A caller comes and gives up once a phone rings.
    fn rings(&mut self, name: &str, is_desk: bool) {
        until("the agent is free", || self.rig.agent(AGENT)["state"] == "idle");
        let node = self.rig.own(1);
        let mut caller = Caller::new(&self.rig, name);
        caller.connect(node);
        let (rung, silent) =
            if is_desk { (&mut self.desk, &mut self.mobile) } else { (&mut self.mobile, &mut self.desk) };
        rung.rung();
        rung.answer(node, 180, "Ringing");
        assert!(silent.wire.is_quiet(A_MOMENT, |message| message.is_request("INVITE")), "both phones ring");
        let bye = caller.bye(node);
        caller.wire.expect("200 to the BYE", |message| message.answers(200, &bye));
        let cancel = rung.wire.comes("CANCEL", |message| message.is_request("CANCEL"));
        rung.reply(node, &cancel, 200, "OK", "");
        rung.answer(node, 487, "Request Terminated");
        self.rig.until_at_rest();
    }
}

#[test]
fn the_phone_of_the_higher_rank_is_rung_until_it_goes() {
    let mut stage = Stage::new();
    let node = stage.rig.own(1);
    let (desk, mobile) = stage.bound("0.5", "0.9");
    let ok = stage.mobile.register(node, AGENT, &mobile, 600);
    assert_eq!(ok.all("contact").count(), 1);
    let ok = stage.desk.register(node, AGENT, &desk, 600);
    let listed: Vec<&str> = ok.all("contact").collect();
    assert_eq!(listed.len(), 2, "{listed:?}");
    for phone in [&stage.desk, &stage.mobile] {
        let at = phone.wire.address().to_string();
        assert!(listed.iter().any(|contact| contact.contains(&at)), "{at} is not among {listed:?}");
    }
    stage.rings("first", false);
    let ok = stage.mobile.register(node, AGENT, &mobile, 0);
    assert_eq!(ok.all("contact").count(), 1, "one went, one is left");
    stage.rings("second", true);
    stage.mobile.register(node, AGENT, &mobile, 600);
    stage.rings("third", false);
    let ok = stage.desk.register(node, AGENT, "*", 0);
    assert_eq!(ok.all("contact").count(), 0);
    until("the agent has no phone", || stage.rig.agent(AGENT)["state"] == "logged_out");
}

#[test]
fn of_equals_the_newest_is_rung_and_a_refresh_makes_none_newer() {
    let mut stage = Stage::new();
    let node = stage.rig.own(1);
    let (desk, mobile) = stage.bound("1", "1");
    stage.mobile.register(node, AGENT, &mobile, 600);
    stage.desk.register(node, AGENT, &desk, 600);
    stage.rings("newest", true);
    // Longer than what is left, so that it is an entry.
    stage.mobile.register(node, AGENT, &mobile, 3600);
    stage.rings("still", true);
}
