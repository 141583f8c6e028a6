//! Agents: phones that come and go, what is asked for, how they become known.

use strowger_model::config::{self, Phone};
use strowger_model::{AgentId, CallId, HIGHEST_Q, Instance, LogTime, TenantId};

use super::Shard;
use super::apply::Entry;
use crate::row::story::Piece;
use crate::{Agent, Binding, BindingKind, How, Presence, Refusal, Segment, SegmentKind, SlotState, limit};

impl Shard {
    /// The newest phone is the last: of equals it is rung. One that only renews what is bound is no newer.
    pub(super) fn bind(&mut self, entry: Entry, id: AgentId, binding: &Binding) -> Result<(), Refusal> {
        let ready_at_login = self.agent_config(id)?.ready_at_login;
        let mut agent = self.agent_row(id)?;
        let renews =
            |old: &Binding| (old.instance, &old.uri, old.flow) == (binding.instance, &binding.uri, binding.flow);
        let binding = Binding { lost: None, ..binding.clone() };
        match agent.bindings.iter_mut().find(|old| renews(old) && old.lost.is_none()) {
            Some(old) => *old = binding.clone(),
            None => {
                agent.bindings.retain(|old| old.instance != binding.instance);
                if agent.bindings.len() >= limit::BINDINGS {
                    agent.bindings.remove(0);
                }
                agent.bindings.push(binding.clone());
            }
        }
        if binding.flow.line.is_some_and(|line| line.node == entry.from.node) {
            agent.owner = Some((entry.from.node, entry.from.incarnation));
        }
        if agent.presence == Presence::Out {
            log_in(&mut agent, ready_at_login, entry.now());
        }
        self.put_agent(agent);
        Ok(())
    }

    pub(super) fn unbind(&mut self, entry: Entry, id: AgentId, instance: Option<Instance>) -> Result<(), Refusal> {
        let mut agent = self.agent_row(id)?;
        agent.bindings.retain(|binding| instance.is_some_and(|gone| gone != binding.instance));
        if agent.bindings.is_empty() {
            agent.lose_phones(entry.now());
        }
        self.put_agent(agent);
        Ok(())
    }

    pub(super) fn presence(&mut self, entry: Entry, id: AgentId, presence: &Presence) -> Result<(), Refusal> {
        match presence {
            Presence::Out => self.unbind(entry, id, None),
            Presence::Ready => self.ready(entry, id),
            Presence::NotReady { reason } => self.not_ready(entry, id, reason),
        }
    }

    fn ready(&mut self, entry: Entry, id: AgentId) -> Result<(), Refusal> {
        let mut agent = self.agent_row(id)?;
        if agent.presence == Presence::Out {
            return Err(Refusal::AgentBusy);
        }
        agent.next = None;
        agent.end_pauses(entry.now());
        if agent.presence != Presence::Ready {
            agent.be(Presence::Ready, entry.now());
            for slot in agent.slots.iter_mut().filter(|slot| !slot.state.is_work()) {
                slot.idle_since = entry.now();
            }
        }
        let wraps: Vec<_> = agent.wraps().collect();
        self.put_agent(agent);
        for wrap in wraps {
            self.end_wrap_up(entry, id, wrap, None)?;
        }
        Ok(())
    }

    fn not_ready(&mut self, entry: Entry, id: AgentId, reason: &str) -> Result<(), Refusal> {
        let mut agent = self.agent_row(id)?;
        let presence = Presence::NotReady { reason: reason.to_owned() };
        if agent.presence == Presence::Out {
            return Err(Refusal::AgentBusy);
        }
        if agent.is_at_work() {
            agent.next = Some(presence);
        } else {
            agent.end_pauses(entry.now());
            agent.be(presence, entry.now());
        }
        self.put_agent(agent);
        Ok(())
    }

    pub(super) fn dispose(&mut self, entry: Entry, id: AgentId, call: CallId, code: &str) -> Result<(), Refusal> {
        let wrap = self.agent_row(id)?.wraps().find(|(wrapped, _)| *wrapped == call);
        match wrap {
            Some(wrap) => self.end_wrap_up(entry, id, wrap, Some(code.to_owned())),
            None => self.dispose_beside_wrap_up(id, call, code),
        }
    }

    /// Who still talks, or whose time for it is over, says it all the same: it is kept with the agent's last piece of the
    /// call. Of a call that is over whose agent had no wrap-up, one of no length is made: a record's later writings are
    /// told by it.
    fn dispose_beside_wrap_up(&mut self, id: AgentId, call: CallId, code: &str) -> Result<(), Refusal> {
        let mut call = self.calls.get(&call).map(|call| (**call).clone()).ok_or(Refusal::NoSuchCall)?;
        let work = |piece: &&Segment| matches!(piece.kind, SegmentKind::Talk | SegmentKind::Wrap);
        let last = call.segments.iter().rev().filter(work).find(|piece| piece.agent == Some(id));
        let last = last.ok_or(Refusal::WrongStage)?.clone();
        let mut no = last.no;
        if call.is_over() && last.kind == SegmentKind::Talk {
            let from = last.to.unwrap_or(last.from);
            no = call.begin(Piece {
                kind: SegmentKind::Wrap,
                leg: last.leg,
                queue: last.queue,
                agent: last.agent,
                from,
            })?;
            call.finish_pieces(from, How::Over, |piece| piece.no == no);
        }
        call.say_code(no, code.to_owned());
        if call.is_over() && call.has_record() {
            self.write(self.record_of(&call));
        }
        self.put_call(call);
        Ok(())
    }

    /// Makes the row of an agent that the configuration names, or brings it up to date.
    pub(super) fn configure_agent(&mut self, entry: Entry, tenant: TenantId, config: &config::Agent) {
        let mut agent =
            self.agents.get(&config.id).map_or_else(|| new_agent(entry, tenant, config), |agent| (**agent).clone());
        agent.name.clone_from(&config.name);
        agent.queues.clone_from(&config.queues);
        let stays = |binding: &Binding| binding.expires == LogTime::MAX;
        match &config.phone {
            Phone::Static { uri, far } => {
                agent.bindings = vec![Binding {
                    instance: Instance(0),
                    kind: BindingKind::Sip,
                    uri: uri.clone(),
                    flow: *far,
                    // It is always there.
                    q: HIGHEST_Q,
                    expires: LogTime::MAX,
                    lost: None,
                }];
                if agent.presence == Presence::Out {
                    log_in(&mut agent, config.ready_at_login, entry.now());
                }
            }
            // The phone was always there and must register from now on.
            Phone::Registers { .. } if agent.bindings.iter().any(stays) => agent.lose_phones(entry.now()),
            Phone::Registers { .. } => {}
        }
        self.put_agent(agent);
    }

    /// The agent left the configuration: gone at once when free, else when the work is over.
    pub(super) fn dismiss_agent(&mut self, id: AgentId) {
        let Ok(mut agent) = self.agent_row(id) else { return };
        if agent.is_at_work() {
            agent.bindings.clear();
            agent.owner = None;
            agent.queues.clear();
            self.put_agent(agent);
        } else {
            self.remove_agent(id);
        }
    }

    pub(super) fn agent_row(&self, id: AgentId) -> Result<Agent, Refusal> {
        self.agents.get(&id).map(|agent| (**agent).clone()).ok_or(Refusal::NoSuchAgent)
    }

    fn agent_config(&self, id: AgentId) -> Result<&config::Agent, Refusal> {
        let tenant = self.agents.get(&id).ok_or(Refusal::NoSuchAgent)?.tenant;
        self.tenant(tenant).and_then(|tenant| tenant.agent(id)).ok_or(Refusal::NoSuchAgent)
    }
}

fn new_agent(entry: Entry, tenant: TenantId, config: &config::Agent) -> Agent {
    Agent {
        id: config.id,
        tenant,
        name: config.name.clone(),
        queues: Vec::new(),
        owner: None,
        presence: Presence::Out,
        next: None,
        since: entry.now(),
        bindings: Vec::new(),
        slots: vec![Agent::voice_slot(entry.now())],
        misses: 0,
        answered: 0,
        #[cfg(feature = "next-layout")]
        mark: crate::Later::default(),
    }
}

/// The first phone is there: idle from now on, or not ready.
fn log_in(agent: &mut Agent, ready: bool, now: LogTime) {
    let not_ready = || Presence::NotReady { reason: "log-in".to_owned() };
    agent.next = None;
    agent.be(if ready { Presence::Ready } else { not_ready() }, now);
    for slot in agent.slots.iter_mut().filter(|slot| !slot.state.is_work()) {
        (slot.since, slot.idle_since) = (now, now);
    }
}

impl Agent {
    /// The wrap-ups that the agent is in: the call, and its segment.
    fn wraps(&self) -> impl Iterator<Item = (CallId, u16)> {
        self.slots.iter().filter_map(|slot| match slot.state {
            SlotState::Wrap { call, segment, .. } => Some((call, segment)),
            _ => None,
        })
    }
}
