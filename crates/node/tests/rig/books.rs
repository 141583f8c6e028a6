//! What the phones report once a test is over, and what must be in it.

use std::collections::HashMap;
use std::time::Duration;

use serde_json::Value;
use strowger_phones::{AgentReport, AgentSpec, CalledReport, CallerReport, EndedBy, Phones, Report, tone_hz};

use super::house::{PASSWORD, REALM};
use super::{Rig, SOON, until_within};

/// Audio heard for this long proves a connection.
pub const HEARD: Duration = Duration::from_millis(600);

/// The legs of all callers and called parties, and those of agents by Call-ID.
#[derive(Default)]
pub struct Books {
    pub callers: Vec<CallerReport>,
    pub agents: HashMap<String, AgentReport>,
    /// Parties that the product called.
    pub called: Vec<CalledReport>,
}

impl Books {
    pub fn enter(&mut self, reports: Vec<Report>) {
        for report in reports {
            match report {
                Report::Caller(caller) => self.callers.push(caller),
                Report::Agent(agent) => {
                    assert!(!agent.overlapped, "agent {} was booked twice", agent.user);
                    assert!(self.agents.insert(agent.call_id.clone(), agent).is_none(), "one report a leg");
                }
                Report::Called(called) => self.called.push(called),
            }
        }
    }

    pub fn of(reports: Vec<Report>) -> Books {
        let mut books = Books::default();
        books.enter(reports);
        books
    }

    /// Each heard the other and nobody else, to the goodbye of `by`; the record says the same. Returns the agent's leg.
    pub fn served(&self, rig: &Rig, caller: &CallerReport, by: EndedBy) -> (&AgentReport, Value) {
        let record = rig.record_of(&caller.call_id);
        let leg = record["agent_sip_call_id"].as_str().unwrap_or_else(|| panic!("no agent: {record:#}\n{caller:#?}"));
        let agent = self.agents.get(leg).unwrap_or_else(|| panic!("no phone knows {leg}"));
        // Who did not hang up sees the product do it.
        let ends = |side: EndedBy| if by == side { side } else { EndedBy::Far };
        let ended = (caller.ended_by, agent.ended_by);
        assert_eq!(ended, (ends(EndedBy::Caller), ends(EndedBy::Agent)), "{caller:#?}\n{agent:#?}");
        assert!(!caller.stuck && !caller.abandoned && !agent.stuck, "{caller:#?}\n{agent:#?}");
        let side = if by == EndedBy::Caller { "caller" } else { "agent" };
        assert_eq!((&record["outcome"], &record["by"]), (&"answered".into(), &side.into()), "{record:#}");
        for (heard, tone) in [(&caller.heard, agent.my_tone), (&agent.heard, caller.my_tone)] {
            assert!(hears_only(heard, tone), "{}: heard {heard:?} where {tone} was due", caller.call_id);
        }
        (agent, record)
    }
}

/// That tone and no other, for long enough.
pub fn hears_only(heard: &[(u16, Duration)], tone: u16) -> bool {
    let only = heard.iter().all(|(other, _)| tone_hz(*other) == tone_hz(tone));
    let long: Duration = heard.iter().map(|(_, long)| *long).sum();
    only && long >= HEARD
}

/// Agents' phones with these names, tones 1, 3, 5 and so on; returns once all are registered.
pub fn register(rig: &Rig, phones: &Phones, names: &[String], hangs_up_after: impl Fn(usize) -> Option<Duration>) {
    for (at, name) in names.iter().enumerate() {
        let mut spec = AgentSpec::new(name, PASSWORD, REALM, (2 * at + 1) as u16);
        (spec.ring, spec.hangs_up_after) = (Duration::from_millis(200), hangs_up_after(at));
        phones.add_agent(spec);
    }
    until_within(SOON, "all agents are registered", || {
        phones.registered() == names.len() && names.iter().all(|name| rig.agent(name)["state"] != "logged_out")
    });
}
