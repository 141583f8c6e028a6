//! Where planted bugs reach into what passes between the parts: proposals on their way to the log, entries as the
//! tables get them, rows as actors get them, orders, packets, tasks.

use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use strowger_media::{Hears, Op};
use strowger_model::config::Tenant;
use strowger_model::{
    AgentId, CallId, DialResult, E164, Far, Incarnation, Instance, LegKey, Line, LogNow, LogTime, Mono, RelayId,
    TrunkId, Wall,
};
use strowger_switch::{Begin, Due};
use strowger_table::{
    BarList, Binding, Body, Call, Command, ControlCommand, DialTo, Duty, DutyKind, Leg, LegRole, LegState, Medium,
    Offer, Plan, Presence, Proposal, Proposer, Reach, Scope, Shard, SlotState, ToldBy, VOICE_SLOT, WITH_CUSTOMER,
};

use super::{World, Wrong};
use crate::far::{Media, Sip, described};
use crate::happening::Task;
use crate::node::relay_of;
use crate::plant::Plant;
use crate::scenario::Limits;
use crate::trace::About;

/// So much longer does a node go on that nobody answers.
const PASSIVE_LATE: Duration = Duration::from_secs(3);

impl World {
    /// A proposal as its proposer's shell passes it on.
    pub(crate) fn misproposed(&mut self, proposal: Rc<Proposal>) -> Rc<Proposal> {
        let Some(plant) = self.plant else { return proposal };
        let Body::Shard(command) = &proposal.body else { return proposal };
        let mut command = command.clone();
        if let Some(from) = self.taken_for(plant, &proposal) {
            return Rc::new(Proposal { from, ..(*proposal).clone() });
        }
        let changed = match &mut command {
            Command::Plan(plan) => self.misplanned(plant, plan),
            Command::Admit(admit) if plant == Plant::AdmittedTwice => {
                admit.key.from_tag = format!("{}{}", admit.key.from_tag, proposal.from.node.0);
                true
            }
            Command::Enqueue { queue, .. } if plant == Plant::WrongQueue => {
                let tenant = self.asked.tenant_of_queue(*queue).and_then(|tenant| self.asked.tenant(tenant));
                let mut queues = tenant.iter().flat_map(|tenant| &tenant.queues).map(|queue| queue.id);
                let Some(other) = queues.find(|other| other != queue) else { return proposal };
                *queue = other;
                true
            }
            Command::Adopt { heirs, .. } if plant == Plant::NoHeirs => {
                heirs.clear();
                true
            }
            other => misreported(plant, &self.truth, other),
        };
        if !changed {
            return proposal;
        }
        Rc::new(Proposal { body: Body::Shard(command), ..(*proposal).clone() })
    }

    /// Whom a stranger is taken for.
    fn taken_for(&self, plant: Plant, proposal: &Proposal) -> Option<Proposer> {
        match (plant, self.wrong_with(proposal)?) {
            (Plant::OwnerUnchecked, Wrong::NotOwner { call, .. }) => {
                let owner = self.truth.call(call)?.owner;
                Some(Proposer { node: owner.node, incarnation: owner.incarnation })
            }
            (Plant::FenceUnchecked, Wrong::Over { by }) => Some(Proposer { incarnation: Incarnation(u64::MAX), ..by }),
            _ => None,
        }
    }

    /// Acknowledged, and lost.
    pub(crate) fn is_lost_after_answer(&self, proposal: &Proposal) -> bool {
        let ready = matches!(
            proposal.body,
            Body::Shard(Command::Presence { presence: Presence::Ready, .. } | Command::Done { .. })
        );
        self.plant == Some(Plant::LostAfterAnswer) && ready
    }

    /// What a node takes the log's time to be.
    pub(crate) fn mistimed(&self, log_now: LogNow) -> LogNow {
        if self.plant == Some(Plant::OutageCounted) { LogNow::exactly(log_now.at_most) } else { log_now }
    }

    fn misplanned(&self, plant: Plant, plan: &mut Plan) -> bool {
        let mut changed = false;
        let mut taken: Vec<_> = plan.offers.iter().map(|offer| offer.agent).collect();
        let offered: Vec<_> = plan.offers.iter().map(|offer| offer.place).collect();
        let mut more = Vec::new();
        for offer in &mut plan.offers {
            match plant {
                Plant::SiteIgnored => offer.relay = RelayId((offer.relay.0 + 1) % self.relays.len() as u16),
                Plant::ShortestIdle => {
                    let idle = self.truth.idle(offer.queue, Medium::Voice).map(|(_, agent, _)| agent);
                    let Some(other) = idle.filter(|agent| !taken.contains(agent)).last() else { continue };
                    offer.agent = other;
                    taken.push(other);
                }
                Plant::TwoPhones => {
                    offer.ring_all = true;
                    let idle = self.truth.idle(offer.queue, Medium::Voice).find(|(_, agent, _)| !taken.contains(agent));
                    let Some((_, agent, slot)) = idle else { continue };
                    taken.push(agent);
                    more.push(Offer { agent, slot, ..*offer });
                }
                Plant::SharedUnfair => {
                    let served = self.asked.agent(offer.agent).map(|agent| agent.queues.clone()).unwrap_or_default();
                    let others = served.into_iter().filter(|queue| *queue != offer.queue);
                    let waits = others.flat_map(|queue| self.truth.waiting(queue));
                    let Some(place) = waits.filter(|place| !offered.contains(&place.id)).last() else { continue };
                    (offer.queue, offer.place) = (place.queue, place.id);
                }
                _ => return false,
            }
            changed = true;
        }
        plan.offers.extend(more);
        changed
    }

    /// The row an actor is told, which a bug may have changed on its way.
    pub(crate) fn tampered(&mut self, node: usize, row: Arc<Call>) -> Arc<Call> {
        if self.plant == Some(Plant::MergedForgotten) {
            let mut row = (*row).clone();
            let own = row.id;
            row.legs.retain(|leg| leg.key.call == own);
            return Arc::new(row);
        }
        if self.plant != Some(Plant::DoubleOffer) || !row.is_waiting() {
            return row;
        }
        if let Some(made_up) = self.made_up.get(&row.id) {
            return made_up.clone();
        }
        let shard = &self.nodes[node].replica.shard;
        let busy =
            shard.agents().find(|agent| agent.voice().is_some_and(|slot| matches!(slot.state, SlotState::Busy { .. })));
        let Some((agent, phone)) = busy.and_then(|agent| Some((agent.id, agent.phone()?.clone()))) else {
            return row;
        };
        let until = shard.last().time + Duration::from_secs(10);
        let made_up = Arc::new(offered(&row, agent, &phone, until));
        self.made_up.insert(row.id, made_up.clone());
        made_up
    }

    /// The configuration as the tables get it.
    pub(crate) fn configuration(&self, version: u64) -> Vec<Tenant> {
        let mut tenants = self.version(version).tenants.clone();
        if let Some(plant) = self.plant {
            tenants.iter_mut().for_each(|tenant| misconfigured(plant, tenant));
            mixed_up(plant, &mut tenants);
        }
        tenants
    }

    /// The entry as the tables get it.
    pub(crate) fn entered(&self, proposal: Rc<Proposal>) -> Rc<Proposal> {
        let (Some(plant), Body::Shard(command)) = (self.plant, &proposal.body) else { return proposal };
        let mut command = command.clone();
        let changed = match &mut command {
            Command::Dispose { code, .. } if plant == Plant::DispositionMixed => {
                code.push('?');
                true
            }
            Command::Dispose { agent, .. } if plant == Plant::DispositionLost => {
                command = Command::Presence { agent: *agent, presence: Presence::Ready };
                true
            }
            Command::Bind { binding, .. } if plant == Plant::BindingForEver => {
                binding.expires = LogTime::MAX;
                true
            }
            Command::Bind { binding, .. } if plant == Plant::ConnectionForgotten => binding.flow.line.take().is_some(),
            Command::Bind { binding, .. } if plant == Plant::DatagramMovesAgent && binding.flow.line.is_none() => {
                binding.flow.line = Some(Line { node: proposal.from.node, number: 0 });
                true
            }
            Command::Redialog { holds, .. } if plant == Plant::HeldForEver && !*holds => {
                *holds = true;
                true
            }
            Command::Unbind { instance, .. } if plant == Plant::UnbindForgotten => {
                *instance = Some(Instance(1));
                true
            }
            Command::Bind { binding, .. } if plant == Plant::BindingTooShort => {
                // Two seconds of the shortest one are left.
                binding.expires = LogTime(binding.expires.0.saturating_sub(18_000_000));
                true
            }
            Command::Dial(dial) if plant == Plant::HoursAskedOnce && matches!(dial.to, DialTo::Number { .. }) => {
                dial.not_after = Wall(u64::MAX);
                true
            }
            Command::Bar { list: BarList::DoNotCall, scope, .. } if plant == Plant::BarForAll => {
                *scope = Scope::Everyone;
                true
            }
            Command::Bar { list: BarList::Callers, lift, .. } if plant == Plant::CallerBarForgotten => {
                *lift = true;
                true
            }
            Command::Bar { list: BarList::Callers, numbers, .. } if plant == Plant::WrongCallerBarred => {
                numbers.iter_mut().for_each(|number| *number = next_number(*number));
                true
            }
            Command::Bar { list: BarList::DoNotCall, lift, .. } if plant == Plant::BarForgotten => {
                *lift = true;
                true
            }
            Command::Run { running, .. } if plant == Plant::StopIgnored && self.calm_since.is_none() => {
                *running = true;
                true
            }
            Command::Import { leads, .. } if plant == Plant::WrongNumber => {
                leads.iter_mut().for_each(|lead| lead.number = next_number(lead.number));
                true
            }
            _ => false,
        };
        if !changed {
            return proposal;
        }
        Rc::new(Proposal { body: Body::Shard(command), ..(*proposal).clone() })
    }

    /// Whether an order to the relay of an agent's leg is kept from it.
    /// `call`: the one that the leg was born in.
    pub(crate) fn withholds(&self, row: &Call, relay: RelayId, call: CallId, op: &Op) -> bool {
        let other_side = relay_of(row) != Some(relay);
        match op {
            Op::Hear { what: Hears::Legs(_), .. } if self.plant == Some(Plant::MergedUnheard) => call != row.id,
            Op::Hear { what: Hears::Legs(_), .. } if self.plant == Some(Plant::HearForgotten) => true,
            Op::Hear { what: Hears::Legs(_), .. } => self.plant == Some(Plant::HearOneSide) && other_side,
            Op::Export { .. } => self.plant == Some(Plant::ExportOneSide) && other_side,
            Op::CloseLeg { .. } => self.plant == Some(Plant::CloseOneSide) && other_side,
            _ => false,
        }
    }

    /// What a node reads of the trunks' limits.
    pub(crate) fn limits_at_door(&self) -> [Limits; 2] {
        let of = |limits: Limits| match self.plant {
            Some(Plant::DoorWide) => Limits { calls: Limits::OPEN.calls, ..limits },
            Some(Plant::DoorNarrow) => Limits { calls: limits.calls / 2, ..limits },
            _ => limits,
        };
        self.scenario.trunk_limits.map(of)
    }

    /// What a node says in its beats of the calls that it has let in.
    pub(crate) fn says_let_in(&self, node: usize) -> Vec<(TrunkId, u64)> {
        if self.plant == Some(Plant::LetInUntold) { Vec::new() } else { self.nodes[node].intake.let_in(self.now) }
    }

    /// Whether a node keeps to itself what it would say.
    pub(crate) fn is_silent(&self, node: usize) -> bool {
        self.is_passive(node) && self.plant != Some(Plant::PassiveSends)
    }

    /// A voter's word that never comes to the control group.
    pub(crate) fn is_unsaid(&self, proposal: &Proposal) -> bool {
        match proposal.body {
            Body::Control(ControlCommand::Silent { .. }) => self.plant == Some(Plant::SilentUnsaid),
            Body::Control(ControlCommand::Heard { .. }) => self.plant == Some(Plant::HeardUnsaid),
            _ => false,
        }
    }

    /// Until when a node takes itself for active, of what the switch says.
    pub(crate) fn taken_for_active(&self, node: usize, until: Option<Mono>) -> Mono {
        match self.plant {
            Some(Plant::PassiveLate) => until.map_or(self.nodes[node].active_until, |until| until + PASSIVE_LATE),
            _ => until.unwrap_or_default(),
        }
    }

    /// What the switch says is due for a row, as the node hears it.
    pub(crate) fn misjudged(&self, row: &Call, due: Due) -> Due {
        match (self.plant, due) {
            (Some(Plant::RingingForgotten), Due::Begin(Begin::Adopted)) if row.rung_leg().is_some() => Due::Nothing,
            (Some(Plant::HeirDials), Due::Begin(Begin::Adopted)) if row.is_dialling() => Due::Begin(Begin::Dialled),
            (Some(Plant::InviteForgotten), Due::Begin(Begin::Admitted(_))) => Due::Begin(Begin::Adopted),
            (_, due) => due,
        }
    }

    /// A task that never comes to its process.
    pub(crate) fn forgets(&self, task: &Task) -> bool {
        match self.plant {
            Some(Plant::NoTimers) => matches!(task, Task::Tick { .. }),
            Some(Plant::RelayUnheard) => matches!(task, Task::RelayEvent { .. }),
            Some(Plant::OrdersOnce) => matches!(task, Task::CourierAgain { .. }),
            Some(Plant::NeverAgain) => matches!(task, Task::Retry { .. }),
            _ => false,
        }
    }

    /// A packet as it really leaves; none if it does not.
    pub(crate) fn missent(&mut self, bytes: Vec<u8>) -> Option<Vec<u8>> {
        match self.plant {
            Some(Plant::ByeUnsent) if bytes.starts_with(b"BYE") => None,
            Some(Plant::AnswerEarly) if bytes.starts_with(b"SIP/2.0 100") => answered_early(&self.truth, bytes),
            Some(Plant::RungTwice) if bytes.starts_with(b"INVITE") => Some(self.renamed(bytes)),
            _ => Some(bytes),
        }
    }

    /// A repetition gets a Call-ID of its own.
    fn renamed(&mut self, bytes: Vec<u8>) -> Vec<u8> {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let Some(id) = Sip::parse(&bytes).map(|sip| sip.call_id().to_owned()) else { return bytes };
        let sent = self.sent_invites.entry(id.clone()).or_default();
        *sent += 1;
        if *sent == 1 { bytes } else { text.replace(&id, &format!("{id}.{sent}")).into_bytes() }
    }

    /// Whether a packet of a far end is lost on a node's doorstep, or answered by the doorkeeper.
    pub(crate) fn mistakes(&mut self, from: SocketAddr, bytes: &[u8]) -> bool {
        if self.plant == Some(Plant::AckEarly)
            && let Some(sip) = Sip::parse(bytes)
            && (sip.status(), sip.method()) == (200, "INVITE")
            && let Some(node) = (0..self.nodes.len()).find(|node| self.nodes[*node].is_sound())
        {
            let ack = sip.acknowledged();
            self.send(node, About::World, Far::udp(from), ack);
        }
        self.plant == Some(Plant::ByeUnheard) && bytes.starts_with(b"BYE")
    }

    /// An entry that one replica leaves out.
    pub(crate) fn skips(&self, node: usize, index: u64) -> bool {
        self.plant == Some(Plant::EntrySkipped) && node == 1 && index.is_multiple_of(53)
    }
}

/// The row as if the call were offered to that agent.
fn offered(row: &Call, agent: AgentId, phone: &Binding, until: LogTime) -> Call {
    let mut row = row.clone();
    let key = LegKey { call: row.id, leg: row.next.leg };
    row.legs.push(Leg {
        key,
        role: LegRole::Agent(agent, VOICE_SLOT),
        reach: Reach::Binding { agent, instance: phone.instance, uri: phone.uri.clone(), far: phone.flow },
        relay: relay_of(&row),
        next_relay: None,
        state: LegState::Ringing { until },
        unreachable: None,
        room: Some(WITH_CUSTOMER),
        holds: false,
        muted: false,
        queue: row.queue(),
        asked: None,
        takeovers: 0,
    });
    row.duties.push(Duty { id: row.next.duty, kind: DutyKind::Ring { leg: key }, until });
    row.next.duty += 1;
    row
}

/// What an owner says of its far ends, said wrong.
fn misreported(plant: Plant, truth: &Shard, command: &mut Command) -> bool {
    match (plant, command) {
        (Plant::BusyAsNoAnswer, Command::NotReached { failure, .. }) if failure.result == DialResult::Busy => {
            failure.result = DialResult::NoAnswer;
            failure.status = 480;
        }
        (Plant::SentAsUnsent, Command::NotReached { failure, .. }) => failure.result = DialResult::NotDialled,
        (Plant::UnsentAsNoAnswer, Command::NotReached { failure, .. }) if failure.result == DialResult::NotDialled => {
            failure.result = DialResult::NoAnswer;
        }
        (Plant::HangUpSwapped, Command::Left { leg, .. }) => {
            let customer = truth.call_of_leg(*leg).and_then(|row| row.customer()).map(|leg| leg.key);
            let Some(customer) = customer.filter(|customer| customer != leg) else { return false };
            *leg = customer;
        }
        (Plant::HangUpAsFailure, Command::Left { told_by, .. }) => *told_by = ToldBy::Silence,
        (Plant::AnswerOfAnother, Command::Answered { leg, .. }) => {
            let row = truth.call_of_leg(*leg);
            let other = row.and_then(|row| row.ringing().find(|other| other.key != *leg).map(|other| other.key));
            let Some(other) = other else { return false };
            *leg = other;
        }
        (Plant::LongAgo, Command::Answered { observed, .. }) => *observed = LogTime::ZERO,
        _ => return false,
    }
    true
}

/// A rule of the configuration that the tables do not get as it was asked for.
fn misconfigured(plant: Plant, tenant: &mut Tenant) {
    let all: Vec<_> = tenant.queues.iter().map(|queue| queue.id).collect();
    for queue in &mut tenant.queues {
        match plant {
            Plant::WrapUpIgnored => queue.wrap_up_ms = 0,
            Plant::WrapUpLong => queue.wrap_up_ms += 8000,
            Plant::PauseIgnored => queue.miss_pause_ms = 0,
            Plant::MissesIgnored => queue.max_misses = 0,
            Plant::NeverFull => queue.max_waiting = u32::MAX,
            Plant::FullTooSoon => queue.max_waiting -= 1,
            Plant::WaitTooLong => queue.max_wait_ms += 5000,
            Plant::WaitTooShort => queue.max_wait_ms -= 3000,
            Plant::RingTooLong => queue.ring_timeout_ms += 20_000,
            _ => {}
        }
    }
    for campaign in &mut tenant.campaigns {
        match plant {
            Plant::DialTooLong => campaign.ring_timeout_ms += 20_000,
            Plant::AttemptsIgnored => campaign.max_attempts = u8::MAX,
            Plant::RetryAtOnce => campaign.retries.iter_mut().for_each(|retry| retry.after_s = 0),
            Plant::KeepIdleIgnored => campaign.keep_idle = 0,
            Plant::HoursLate => campaign.hours.iter_mut().for_each(|hours| hours.from_min += 1),
            Plant::HoursIgnored => campaign.hours.iter_mut().for_each(|hours| {
                (hours.from_min, hours.to_min) = (0, 24 * 60);
            }),
            _ => {}
        }
    }
    tenant.takes_anonymous |= plant == Plant::AnonymousTaken;
    if plant == Plant::EveryQueue {
        tenant.agents.iter_mut().for_each(|agent| agent.queues.clone_from(&all));
    }
}

/// What is one tenant's given to the other.
fn mixed_up(plant: Plant, tenants: &mut [Tenant]) {
    let [first, second] = tenants else { return };
    match plant {
        Plant::OtherTenantsMusic => {
            let music = first.queues.first().map(|queue| queue.music).unwrap_or_default();
            second.queues.iter_mut().for_each(|queue| queue.music = music);
        }
        Plant::OtherTenantsAgents => {
            let queues: Vec<_> = first.queues.iter().map(|queue| queue.id).collect();
            second.agents.iter_mut().for_each(|agent| agent.queues.extend(&queues));
        }
        _ => {}
    }
}

fn next_number(number: E164) -> E164 {
    format!("+{}", number.digits() ^ 1).parse().unwrap_or(number)
}

/// The 100 made a 200, with a tag and a description that mean something to nobody.
fn answered_early(truth: &Shard, bytes: Vec<u8>) -> Option<Vec<u8>> {
    let sip = Sip::parse(&bytes)?;
    let row = truth.calls().find(|row| row.key().is_some_and(|key| key.call_id == sip.call_id()))?;
    let tag = format!("c{:x}-0-early", row.id.0);
    Some(sip.answer(
        200,
        &tag,
        Some("sip:cluster@10.0.0.1:5060"),
        &described(([10, 9, 0, 0], 9).into(), Media::Both, 1),
    ))
}
