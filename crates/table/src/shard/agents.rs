//! Agents: phones that come and go, states that are asked for, wrap-up.

use strowger_model::config::Phone;
use strowger_model::{AgentId, CallId, LogTime};

use super::Shard;
use super::apply::Entry;
use super::life::record_of;
use crate::{Agent, AgentState, Contact, Refusal, Stage};

impl Shard {
    pub(super) fn register(&mut self, entry: Entry, id: AgentId, contact: &Contact) -> Result<(), Refusal> {
        let ready_at_login = self.agent_config(id)?.ready_at_login;
        let mut agent = self.agent_row(id)?;
        agent.contact = Some(contact.clone());
        if agent.state == AgentState::LoggedOut {
            agent.not_ready_next = (!ready_at_login).then(|| "log-in".to_owned());
            agent.come_free(entry.now());
        }
        self.put_agent(agent);
        Ok(())
    }

    pub(super) fn unregister(&mut self, entry: Entry, id: AgentId) -> Result<(), Refusal> {
        let mut agent = self.agent_row(id)?;
        agent.lose_phone(entry.now());
        self.put_agent(agent);
        Ok(())
    }

    pub(super) fn ready(&mut self, entry: Entry, id: AgentId) -> Result<(), Refusal> {
        let mut agent = self.agent_row(id)?;
        agent.not_ready_next = None;
        match agent.state {
            AgentState::LoggedOut => return Err(Refusal::AgentBusy),
            AgentState::WrapUp { .. } => {
                self.put_agent(agent);
                return self.end_wrap_up(entry, id, None);
            }
            AgentState::NotReady { .. } | AgentState::Paused { .. } => agent.come_free(entry.now()),
            AgentState::Idle
            | AgentState::Reserved { .. }
            | AgentState::Offered { .. }
            | AgentState::Talking { .. } => {}
        }
        self.put_agent(agent);
        Ok(())
    }

    pub(super) fn not_ready(&mut self, entry: Entry, id: AgentId, reason: &str) -> Result<(), Refusal> {
        let mut agent = self.agent_row(id)?;
        match agent.state {
            AgentState::LoggedOut => return Err(Refusal::AgentBusy),
            AgentState::Idle | AgentState::NotReady { .. } | AgentState::Paused { .. } => {
                agent.enter(AgentState::NotReady { reason: reason.to_owned() }, entry.now());
            }
            AgentState::Reserved { .. }
            | AgentState::Offered { .. }
            | AgentState::Talking { .. }
            | AgentState::WrapUp { .. } => {
                agent.not_ready_next = Some(reason.to_owned());
            }
        }
        self.put_agent(agent);
        Ok(())
    }

    pub(super) fn dispose(&mut self, entry: Entry, id: AgentId, call: CallId, code: &str) -> Result<(), Refusal> {
        match self.agent_row(id)?.state {
            AgentState::WrapUp { call: wrapping, .. } if wrapping == call => {
                self.end_wrap_up(entry, id, Some(code.to_owned()))
            }
            _ => Err(Refusal::WrongStage),
        }
    }

    /// Wrap-up is over: the agent comes free, and the call's record gets its second writing.
    pub(super) fn end_wrap_up(
        &mut self,
        entry: Entry,
        id: AgentId,
        disposition: Option<String>,
    ) -> Result<(), Refusal> {
        let mut agent = self.agent_row(id)?;
        let AgentState::WrapUp { call, .. } = agent.state else { return Err(Refusal::WrongStage) };
        let wrap_ms = entry.now().since(agent.since).as_millis() as u64;
        agent.come_free(entry.now());
        self.put_agent(agent);
        let Some(call) = self.calls.get(&call) else { return Ok(()) };
        if let Stage::Ended { outcome, ended } = call.stage {
            let mut record = record_of(call, outcome, ended);
            record.wrap_ms = Some(wrap_ms);
            record.disposition = disposition;
            self.write(record);
        }
        Ok(())
    }

    /// Makes the row of an agent that the configuration names, or brings it up to date.
    pub(super) fn configure_agent(
        &mut self,
        entry: Entry,
        tenant: strowger_model::TenantId,
        config: &strowger_model::config::Agent,
    ) {
        let mut agent = self.agents.get(&config.id).map_or_else(
            || Agent {
                id: config.id,
                tenant,
                name: config.name.clone(),
                queues: Vec::new(),
                state: AgentState::LoggedOut,
                since: entry.now(),
                idle_since: entry.now(),
                misses: 0,
                contact: None,
                not_ready_next: None,
                answered: 0,
            },
            |agent| (**agent).clone(),
        );
        agent.name.clone_from(&config.name);
        agent.queues.clone_from(&config.queues);
        match &config.phone {
            Phone::Static { uri, far } => {
                agent.contact = Some(Contact { uri: uri.clone(), far: *far, expires: LogTime::MAX });
                if agent.state == AgentState::LoggedOut {
                    agent.not_ready_next = (!config.ready_at_login).then(|| "log-in".to_owned());
                    agent.come_free(entry.now());
                }
            }
            // The phone was always there and must register from now on.
            Phone::Registers { .. } if agent.contact.as_ref().is_some_and(|old| old.expires == LogTime::MAX) => {
                agent.lose_phone(entry.now());
            }
            Phone::Registers { .. } => {}
        }
        self.put_agent(agent);
    }

    /// The agent left the configuration: gone at once when free, else when the work is over.
    pub(super) fn dismiss_agent(&mut self, id: AgentId) {
        let Some(mut agent) = self.agents.get(&id).map(|agent| (**agent).clone()) else { return };
        if agent.is_at_work() {
            agent.contact = None;
            agent.queues.clear();
            self.put_agent(agent);
        } else {
            self.remove_agent(id);
        }
    }

    pub(super) fn agent_row(&self, id: AgentId) -> Result<Agent, Refusal> {
        self.agents.get(&id).map(|agent| (**agent).clone()).ok_or(Refusal::NoSuchAgent)
    }

    fn agent_config(&self, id: AgentId) -> Result<&strowger_model::config::Agent, Refusal> {
        let tenant = self.agents.get(&id).ok_or(Refusal::NoSuchAgent)?.tenant;
        self.tenant(tenant).and_then(|tenant| tenant.agent(id)).ok_or(Refusal::NoSuchAgent)
    }
}
