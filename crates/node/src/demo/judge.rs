//! The verdict: what callers, agents and called parties saw, joined with the records on the SIP Call-ID.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use serde::Serialize;
use serde_json::Value;
use strowger_phones::{AgentReport, CalledReport, CallerReport, EndedBy, Report};

use super::stage::RELAYS;
use super::tenants::WRAP_UP_MS;

/// What must have been heard of the other side's tone, each way, for a call to count as checked.
const CHECKED: Duration = Duration::from_secs(1);
/// Callers that came, as a share of those that were due.
const OFFERED_SHARE: f64 = 0.95;

pub struct Judge {
    callers: Vec<CallerReport>,
    agents: HashMap<String, AgentReport>,
    agent_legs: Vec<AgentReport>,
    pub(super) called: Vec<CalledReport>,
    due: f64,
    pub(super) killed: u32,
    pids: Vec<u32>,
}

/// One object, as `--json` prints it.
#[derive(Serialize, Debug, Default)]
pub struct Verdict {
    /// Of the nodes and relays that run at the end.
    pub pids: Vec<u32>,
    /// Callers that the rate asks for.
    pub due: u64,
    /// Callers that came. Each is in one of the next six, as it saw its call end.
    pub offered: u64,
    pub answered: u64,
    pub served_by_flow: u64,
    pub abandoned: u64,
    pub rejected: u64,
    pub failed: u64,
    /// Whose phone had not come to rest.
    pub still_here: u64,
    /// Of all these, the ones whose record says so.
    pub overflowed: u64,
    /// Calls that ended as no caller wanted, or without a record.
    pub lost: u64,
    /// Agents who were called while they rang or talked, and callers who heard two.
    pub double_booked: u64,
    /// Far ends, calls, agents or leases that did not come to rest.
    pub stuck: u64,
    /// Conversations in which each side heard the other for long enough, and nobody else.
    pub audio_checked: u64,
    /// Conversations in which not.
    pub audio_bad: u64,
    /// Answered and connected calls whose two legs were on different relays, by the ports that voice came from.
    pub on_two_relays: u64,
    /// Outbound calls that reached the carrier.
    pub dialled: u64,
    /// Of those, where the called party heard an agent.
    pub connected: u64,
    /// Calls to a number that had been called before: no lead of the demo is to be called again.
    pub dialled_twice: u64,
    /// Calls that the cluster kept a record of.
    pub records: u64,
    /// Callers whose record says what they saw.
    pub records_matched: u64,
    /// Of answered calls, as their records have it.
    pub wait_p50_ms: u64,
    pub wait_p99_ms: u64,
    /// From an agent's coming free, where a call waited, to the INVITE at the phone.
    pub offer_p50_ms: u64,
    pub offer_p99_ms: u64,
    pub offers_measured: u64,
    pub nodes_killed: u32,
    /// Up to ten faults, in words.
    pub faults: Vec<String>,
}

impl Verdict {
    pub fn is_good(&self) -> bool {
        self.all_came()
            && self.lost + self.double_booked + self.stuck + self.audio_bad == 0
            && self.records_matched == self.offered
            && self.audio_checked == self.answered + self.connected
            && self.dialled_twice == 0
            && self.connected > 0
            && self.on_two_relays > 0
    }

    fn seen_to_end(&self) -> u64 {
        self.answered + self.served_by_flow + self.abandoned + self.rejected + self.failed + self.still_here
    }

    fn all_came(&self) -> bool {
        self.offered as f64 >= OFFERED_SHARE * self.due as f64
    }

    pub(super) fn fault(&mut self, text: String) {
        if self.faults.len() < 10 {
            self.faults.push(text);
        }
    }
}

impl Judge {
    pub fn new(seconds: u64, rate: f64, reports: Vec<Report>, killed: u32, pids: Vec<u32>) -> Self {
        let (mut callers, mut agent_legs, mut called) = (Vec::new(), Vec::new(), Vec::new());
        for report in reports {
            match report {
                Report::Caller(caller) => callers.push(caller),
                Report::Agent(agent) => agent_legs.push(agent),
                Report::Called(report) => called.push(report),
            }
        }
        let agents = agent_legs.iter().map(|agent| (agent.call_id.clone(), agent.clone())).collect();
        Self { callers, agents, agent_legs, called, due: seconds as f64 * rate, killed, pids }
    }

    pub fn has_all(&self, records: &[Value]) -> bool {
        let by_call_id = index(records);
        let callers = self.callers.iter().map(|caller| caller.call_id.as_str());
        callers.chain(self.called.iter().map(|called| called.call_id.as_str())).all(|id| by_call_id.contains_key(id))
    }

    pub fn verdict(&self, records: &[Value], status: &Value) -> Verdict {
        let mut verdict = Verdict {
            pids: self.pids.clone(),
            due: self.due as u64,
            offered: self.callers.len() as u64,
            records: records.len() as u64,
            nodes_killed: self.killed,
            ..Verdict::default()
        };
        let by_call_id = index(records);
        let mut waits = Vec::new();
        for caller in &self.callers {
            let record = by_call_id.get(caller.call_id.as_str()).copied();
            self.judge_call(&mut verdict, caller, record, &mut waits);
        }
        debug_assert_eq!(verdict.seen_to_end(), verdict.offered, "each caller saw one end");
        if !verdict.all_came() {
            verdict.fault(format!("only {} of {} callers came", verdict.offered, verdict.due));
        }
        self.judge_dialled(&mut verdict, records, &by_call_id);
        self.judge_agents(&mut verdict);
        verdict.stuck += stuck_in(status, &mut verdict.faults);
        let mut offers = self.offer_times(&by_call_id);
        (verdict.wait_p50_ms, verdict.wait_p99_ms) = percentiles(&mut waits);
        verdict.offers_measured = offers.len() as u64;
        (verdict.offer_p50_ms, verdict.offer_p99_ms) = percentiles(&mut offers);
        verdict
    }

    fn judge_call(&self, verdict: &mut Verdict, caller: &CallerReport, record: Option<&Value>, waits: &mut Vec<u64>) {
        let saw = outcome_seen(caller);
        match saw {
            "answered" => verdict.answered += 1,
            "abandoned" => verdict.abandoned += 1,
            "served_by_flow" => verdict.served_by_flow += 1,
            "rejected" => verdict.rejected += 1,
            "still_here" => verdict.still_here += 1,
            _ => verdict.failed += 1,
        }
        if caller.stuck {
            verdict.stuck += 1;
            verdict.fault(format!("{}: the caller's phone never came to rest", caller.call_id));
        }
        let Some(record) = record else {
            verdict.lost += 1;
            return verdict.fault(format!("{}: {saw}, but there is no record", caller.call_id));
        };
        let says = record["outcome"].as_str().unwrap_or_default();
        if says == "overflowed" {
            verdict.overflowed += 1;
        }
        // A caller who gives up in the very moment an agent answers has heard no tone yet: the record may say answered.
        let agrees = says == saw
            || (saw == "abandoned" && says == "answered")
            || (saw == "abandoned" && says == "served_by_flow");
        if agrees {
            verdict.records_matched += 1;
        } else {
            verdict.fault(format!("{}: the caller saw {saw}, the record says {says}", caller.call_id));
        }
        if !matches!(saw, "answered" | "abandoned" | "served_by_flow") {
            verdict.lost += 1;
            verdict.fault(format!(
                "{}: {saw}: status {}, ended by {:?}, record {says}",
                caller.call_id, caller.final_status, caller.ended_by
            ));
        }
        if saw == "answered" {
            waits.extend(record["wait_ms"].as_u64());
            self.judge_audio(verdict, &FarEnd::from(caller), record);
        }
    }

    pub(super) fn judge_audio(&self, verdict: &mut Verdict, caller: &FarEnd<'_>, record: &Value) {
        let agent = record["agent_sip_call_id"].as_str().and_then(|call_id| self.agents.get(call_id));
        let Some(agent) = agent else {
            verdict.audio_bad += 1;
            return verdict.fault(format!("{}: no agent's phone knows its agent leg", caller.call_id));
        };
        // Agents' tones are odd, and wrap around like the phones' table does.
        let heard = |tones: &[(u16, Duration)], wanted: u16| {
            let wanted = strowger_phones::tone_hz(wanted);
            let own = tones
                .iter()
                .filter(|(tone, _)| strowger_phones::tone_hz(*tone) == wanted)
                .map(|(_, long)| *long)
                .sum::<Duration>();
            let others = tones.iter().filter(|(tone, _)| strowger_phones::tone_hz(*tone) != wanted).count();
            (own, others)
        };
        let (by_caller, wrong_to_caller) = heard(caller.heard, agent.my_tone);
        let (by_agent, wrong_to_agent) = heard(&agent.heard, caller.tone);
        let relays = [caller.heard_from, agent.rtp.from].map(|from| from.and_then(relay_at));
        if let [Some(one), Some(other)] = relays
            && one != other
        {
            verdict.on_two_relays += 1;
        }
        if wrong_to_caller + wrong_to_agent > 0 || by_caller < CHECKED || by_agent < CHECKED {
            verdict.audio_bad += 1;
            verdict.fault(format!(
                "{}: caller heard {:?} of tone {}, agent {} heard {:?} of tone {}",
                caller.call_id, caller.heard, agent.my_tone, agent.user, agent.heard, caller.tone
            ));
        } else {
            verdict.audio_checked += 1;
        }
    }

    fn judge_agents(&self, verdict: &mut Verdict) {
        for agent in &self.agent_legs {
            if agent.overlapped {
                verdict.double_booked += 1;
                verdict.fault(format!("agent {}: a second INVITE while {} was going on", agent.user, agent.call_id));
            }
            if agent.stuck {
                verdict.stuck += 1;
                verdict.fault(format!("agent {}: the phone never came to rest in {}", agent.user, agent.call_id));
            }
        }
        for caller in &self.callers {
            if caller.heard.len() > 1 {
                verdict.double_booked += 1;
                verdict.fault(format!("{}: the caller heard more than one agent", caller.call_id));
            }
        }
    }

    /// From the moment an agent came free (the last call's end and the wrap-up) to the next INVITE at the phone,
    /// where the call that came had been waiting since before.
    fn offer_times(&self, records: &HashMap<&str, &Value>) -> Vec<u64> {
        let waits: HashMap<&str, u64> = records
            .values()
            .filter_map(|record| Some((record["agent_sip_call_id"].as_str()?, record["wait_ms"].as_u64()?)))
            .collect();
        let mut by_agent: BTreeMap<&str, Vec<&AgentReport>> = BTreeMap::new();
        self.agent_legs.iter().for_each(|leg| by_agent.entry(&leg.user).or_default().push(leg));
        let mut times = Vec::new();
        for legs in by_agent.values_mut() {
            legs.sort_by_key(|leg| leg.invited_at);
            for pair in legs.windows(2) {
                let [before, after] = pair else { continue };
                let (Some(_), Some(answered)) = (before.answered_at, after.answered_at) else { continue };
                let Some(wait) = waits.get(after.call_id.as_str()).map(|wait| Duration::from_millis(*wait)) else {
                    continue;
                };
                let free: Instant = before.ended_at + Duration::from_millis(WRAP_UP_MS);
                let waited_before = answered.checked_sub(wait).is_some_and(|enqueued| enqueued < free);
                if waited_before {
                    times.push(after.invited_at.saturating_duration_since(free).as_millis() as u64);
                }
            }
        }
        times
    }
}

/// The other side of an agent's call, as it saw it.
pub(super) struct FarEnd<'a> {
    call_id: &'a str,
    heard: &'a [(u16, Duration)],
    tone: u16,
    heard_from: Option<SocketAddr>,
}

impl<'a> From<&'a CallerReport> for FarEnd<'a> {
    fn from(report: &'a CallerReport) -> Self {
        let CallerReport { call_id, heard, my_tone, rtp, .. } = report;
        FarEnd { call_id, heard, tone: *my_tone, heard_from: rtp.from }
    }
}

impl<'a> From<&'a CalledReport> for FarEnd<'a> {
    fn from(report: &'a CalledReport) -> Self {
        let CalledReport { call_id, heard, my_tone, rtp, .. } = report;
        FarEnd { call_id, heard, tone: *my_tone, heard_from: rtp.from }
    }
}

/// Which relay has that port.
fn relay_at(address: SocketAddr) -> Option<usize> {
    RELAYS.iter().position(|relay| relay.ports.contains(&address.port()))
}

/// What became of a call, by the caller's own eyes and ears.
fn outcome_seen(caller: &CallerReport) -> &'static str {
    if caller.stuck {
        "still_here"
    } else if caller.first_agent_tone_at.is_some() {
        // Cut off by us while both still talked: the caller always hangs up in the demo.
        if caller.ended_by == EndedBy::Caller { "answered" } else { "failed" }
    } else if caller.abandoned {
        "abandoned"
    } else if caller.answered_at.is_none() {
        "rejected"
    } else {
        "failed"
    }
}

fn index(records: &[Value]) -> HashMap<&str, &Value> {
    records.iter().filter_map(|record| Some((record["sip_call_id"].as_str()?, record))).collect()
}

/// No live call, no busy agent.
pub fn at_rest(status: &Value) -> bool {
    let count = |of: &str, names: &[&str]| -> u64 { names.iter().filter_map(|name| status[of][name].as_u64()).sum() };
    count("calls", &["admitted", "flow", "dialling", "queued", "offered", "talking"]) == 0
        && count("agents", &["reserved", "offered", "talking", "wrap_up", "releasing"]) == 0
}

fn stuck_in(status: &Value, faults: &mut Vec<String>) -> u64 {
    let leases = status["stuck"].as_u64().unwrap_or_default();
    if leases > 0 {
        faults.push(format!("{leases} leases outlived their deadline"));
    }
    if !at_rest(status) {
        faults.push(format!("not at rest: calls {}, agents {}", status["calls"], status["agents"]));
        return leases + 1;
    }
    leases
}

fn percentiles(times: &mut [u64]) -> (u64, u64) {
    times.sort_unstable();
    let at = |percent: usize| {
        times.get((times.len() * percent / 100).min(times.len().saturating_sub(1))).copied().unwrap_or(0)
    };
    (at(50), at(99))
}
