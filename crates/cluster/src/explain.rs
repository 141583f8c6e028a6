//! What became of calls, step by step, as this node saw the log go by; and why each offer went where it went.
//!
//! The log keeps of a plan only its basis and scores. Every voter applies the same entries, so every voter can keep the
//! long form: it computes it again from the state that the plan was made on, which it still has when the plan arrives.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use strowger_acd::{Field, Why, ahead, fields};
use strowger_model::config::StepNo;
use strowger_model::{
    AgentId, CallId, CampaignId, DialResult, Ended, LeadId, LogTime, NodeId, QueueId, RelayId, ShardId, Wall,
};
use strowger_raft::{AppliedEntry, View};
use strowger_table::{
    AgentState, At, Body, Call, Command, Dial, DialFailure, DialTo, LeadState, Miss, Offer, Outcome, Shard,
};

use crate::context::{Context, shard_of};

/// Calls remembered, the youngest: an hour at 3 a second, in some 20 MiB.
const CALLS: usize = 10_000;
/// Steps kept of one call. A caller who is offered to agent after agent must not push the others out.
const STEPS: usize = 64;
/// Views of a shard kept: a plan comes back a commit after its basis, and a busy shard publishes some between.
const VIEWS: usize = 8;

/// Something that happened to a call.
#[derive(Clone, Debug)]
pub struct Step {
    /// Log index.
    pub index: u64,
    pub time: LogTime,
    pub wall: Wall,
    pub what: What,
}

#[derive(Clone, Debug)]
pub enum What {
    Admitted {
        owner: NodeId,
    },
    Answered {
        relay: RelayId,
    },
    Flow {
        step: StepNo,
    },
    Enqueued {
        queue: QueueId,
    },
    Offered {
        agent: AgentId,
        plan: Arc<Plan>,
    },
    Missed {
        miss: Miss,
    },
    /// An outbound call was begun.
    Dialled(Arc<Dialled>),
    /// The agent who asked for an outbound call came to the phone: now the number is called.
    AgentThere,
    /// The called party answered; the agent who was kept for it is rung, or there already.
    Reached {
        ringing: Option<AgentId>,
    },
    NotReached(DialFailure),
    Connected,
    Adopted {
        owner: NodeId,
    },
    Expired,
    Ended {
        ended: Ended,
        result: Option<DialResult>,
    },
}

/// Why an outbound call was begun, as far as the state before it says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Dialled {
    pub campaign: CampaignId,
    pub agent: AgentId,
    /// Who drives it.
    pub owner: NodeId,
    /// None: the agent asked for a number that is on no list.
    pub lead: Option<LeadId>,
    /// Whether the agent asked for it; else it was the lead's turn.
    pub asked: bool,
    /// Since when the lead waited for its turn.
    pub due: Option<Wall>,
    /// Calls to the lead before this one.
    pub attempts: u8,
    /// The lead's time zone.
    pub zone: Option<String>,
    /// How long the agent had been idle.
    pub idle: Option<Duration>,
}

/// A plan that came through the log.
#[derive(Debug)]
pub struct Plan {
    pub basis: u64,
    pub offers: Vec<Offer>,
    /// Made beside the log's way, a moment after the plan was applied; none until then.
    pub survey: OnceLock<Survey>,
}

/// What there was to choose from.
#[derive(Debug)]
pub struct Survey {
    /// Log index and time of the state it was computed on; the basis itself, unless that was gone here.
    pub index: u64,
    pub time: LogTime,
    pub fields: Vec<Field>,
    /// For each offer: how many calls waited before it.
    pub ahead: Vec<Option<usize>>,
}

impl What {
    /// Kept of however long a story.
    fn is_final_news(&self) -> bool {
        matches!(self, What::Connected | What::NotReached(_) | What::Ended { .. })
    }
}

#[derive(Default)]
pub(crate) struct Chronicle(Mutex<Memory>);

#[derive(Default)]
struct Memory {
    stories: HashMap<CallId, Vec<Step>>,
    /// In the order in which the calls came.
    order: VecDeque<CallId>,
    views: HashMap<ShardId, VecDeque<Arc<View>>>,
}

impl Context {
    /// The steps of a call that this node remembers; none if it came too long ago, or before this process.
    pub fn story(&self, call: CallId) -> Option<Vec<Step>> {
        self.chronicle.memory().stories.get(&call).cloned()
    }

    /// Why a waiting call waits, as of now.
    pub fn why(&self, call: CallId) -> Option<Why> {
        let view = self.shard_view(call.shard())?;
        strowger_acd::why(shard_of(&view)?, call)
    }
}

impl Chronicle {
    fn memory(&self) -> std::sync::MutexGuard<'_, Memory> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Called in the log's way, so it only notes; what takes longer than that happens in a task.
    pub fn hear(&self, shard: ShardId, view: &Arc<View>, entries: &[AppliedEntry]) {
        let Some(table) = shard_of(view) else { return };
        let mut memory = self.memory();
        // A repeat of an entry, and an entry that was refused, touch nothing.
        for entry in entries.iter().filter(|entry| !entry.applied.touched.is_empty()) {
            if let (Body::Shard(Command::Plan(plan)), Outcome::Planned { granted }) =
                (&entry.proposal.body, &entry.applied.outcome)
            {
                memory.offered(entry.at, plan, *granted, shard);
                continue;
            }
            if let (Body::Shard(Command::Dial(dial)), Outcome::Dialled { call }) =
                (&entry.proposal.body, &entry.applied.outcome)
            {
                let before = memory.views.get(&shard).and_then(|views| views.back()).cloned();
                let dialled = dialled(before.as_deref().and_then(shard_of), entry.at, dial, table.call(*call));
                memory.note(*call, entry.at, What::Dialled(Arc::new(dialled)));
                continue;
            }
            for call in &entry.applied.touched {
                if let Some(what) = what(&entry.proposal.body, *call, table.call(*call)) {
                    memory.note(*call, entry.at, what);
                }
            }
        }
        let views = memory.views.entry(shard).or_default();
        views.push_back(view.clone());
        if views.len() > VIEWS {
            views.pop_front();
        }
    }
}

/// None for what is no step in a person's eyes.
fn what(body: &Body, call: CallId, row: Option<&Arc<Call>>) -> Option<What> {
    let Body::Shard(command) = body else { return None };
    match command {
        Command::Admit { .. } => row.map(|row| What::Admitted { owner: row.owner.node }),
        Command::Answer { relay, .. } => Some(What::Answered { relay: *relay }),
        Command::Step { step, .. } => Some(What::Flow { step: *step }),
        Command::Enqueue { queue, .. } => Some(What::Enqueued { queue: *queue }),
        Command::Missed { miss, .. } => Some(What::Missed { miss: *miss }),
        Command::Connect { call: named, .. } if *named == call => {
            let calls_now = row.is_some_and(|row| row.outbound().is_some() && row.caller.is_none());
            Some(if calls_now { What::AgentThere } else { What::Connected })
        }
        Command::Reached { .. } => {
            let ringing = row.and_then(|row| row.ringing_agent()).map(|leg| leg.agent);
            Some(What::Reached { ringing })
        }
        Command::NotReached { failure, .. } => Some(What::NotReached(failure.clone())),
        Command::End { call: named, ended, .. } if *named == call => {
            Some(What::Ended { ended: *ended, result: row.and_then(|row| row.outbound()?.result) })
        }
        Command::Adopt { .. } => row.map(|row| What::Adopted { owner: row.owner.node }),
        // It also drops rows whose time is past, which is no step.
        Command::Expire => row.map(|_| What::Expired),
        _ => None,
    }
}

/// `before` is the newest state known from before the entry: a lead that came in the same batch of entries is not in it.
fn dialled(before: Option<&Shard>, at: At, dial: &Dial, row: Option<&Arc<Call>>) -> Dialled {
    let of_row = row.and_then(|row| row.outbound()?.lead);
    let (lead, asked) = match dial.to {
        DialTo::Lead(lead) => (Some(lead), false),
        DialTo::Number { .. } => (of_row, true),
    };
    let lead_row = before.zip(lead).and_then(|(table, lead)| table.lead(lead));
    let zone =
        before.zip(lead_row).and_then(|(table, row)| table.campaign(dial.campaign)?.zones.get(usize::from(row.zone)));
    let agent = before.and_then(|table| table.agent(dial.agent)).filter(|agent| agent.state == AgentState::Idle);
    Dialled {
        campaign: dial.campaign,
        agent: dial.agent,
        owner: dial.owner.0,
        lead,
        asked,
        due: lead_row.and_then(|row| match row.state {
            LeadState::Due { at } => Some(at),
            LeadState::Dialling { .. } | LeadState::Done => None,
        }),
        attempts: lead_row.map_or(0, |row| row.attempts),
        zone: zone.cloned(),
        idle: agent.map(|agent| at.time.since(agent.idle_since)),
    }
}

impl Memory {
    fn note(&mut self, call: CallId, at: At, what: What) {
        let step = Step { index: at.index, time: at.time, wall: at.wall, what };
        if let Some(story) = self.stories.get_mut(&call) {
            if story.len() < STEPS || step.what.is_final_news() {
                story.push(step);
            }
            return;
        }
        self.stories.insert(call, vec![step]);
        self.order.push_back(call);
        if self.order.len() > CALLS
            && let Some(oldest) = self.order.pop_front()
        {
            self.stories.remove(&oldest);
        }
    }

    fn offered(&mut self, at: At, plan: &strowger_table::Plan, granted: u64, shard: ShardId) {
        let offers = plan.offers.clone();
        let kept = Arc::new(Plan { basis: plan.basis, offers, survey: OnceLock::new() });
        for (bit, offer) in plan.offers.iter().enumerate().filter(|(bit, _)| granted >> bit & 1 == 1) {
            debug_assert!(bit < 64, "a plan has no more offers than bits");
            self.note(offer.call, at, What::Offered { agent: offer.agent, plan: kept.clone() });
        }
        let Some(view) = self.view_at(shard, plan.basis) else { return };
        tokio::spawn(async move {
            if let Some(table) = shard_of(&view) {
                // Set here and nowhere else.
                let _first = kept.survey.set(survey(table, &kept.offers));
            }
        });
    }

    /// The newest state that is not newer than the basis, or the oldest there is.
    fn view_at(&self, shard: ShardId, basis: u64) -> Option<Arc<View>> {
        let views = self.views.get(&shard)?;
        let is_old_enough = |view: &&Arc<View>| view.machine.last().index <= basis;
        views.iter().rev().find(is_old_enough).or_else(|| views.front()).cloned()
    }
}

fn survey(table: &Shard, offers: &[Offer]) -> Survey {
    let mut queues: Vec<QueueId> = offers.iter().map(|offer| offer.queue).collect();
    queues.sort_unstable();
    queues.dedup();
    Survey {
        index: table.last().index,
        time: table.last().time,
        fields: fields(table, &queues),
        ahead: offers.iter().map(|offer| ahead(table, offer.queue, offer.call)).collect(),
    }
}
