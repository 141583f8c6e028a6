//! The history of a call: its steps in the order of the log, each with what there was to choose from.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use strowger_acd::{Field, ahead, fields};
use strowger_model::config::StepNo;
use strowger_model::{AgentId, CampaignId, DialResult, Ended, LeadId, LegKey, LogTime, NodeId, QueueId, RelayId, Wall};
use strowger_table::{At, Body, Call, Command, Dial, DialFailure, DialTo, Miss, Offer, Shard};

/// Something that happened to a call.
#[derive(Clone, Debug)]
pub struct Step {
    /// Log index.
    pub index: u64,
    /// Log time of the entry.
    pub time: LogTime,
    /// Calendar time of the entry, as its proposer had it.
    pub wall: Wall,
    /// What happened.
    pub what: What,
}

/// What happened to a call in one step.
#[derive(Clone, Debug)]
pub enum What {
    /// Its INVITE is in the log.
    Admitted {
        /// Who drives it.
        owner: NodeId,
    },
    /// The 200 to the caller went out.
    Answered {
        /// Who holds its media.
        relay: RelayId,
    },
    /// It came to a step of its flow.
    Flow {
        /// Which.
        step: StepNo,
    },
    /// It waits.
    Enqueued {
        /// Where.
        queue: QueueId,
    },
    /// An agent's phone is rung for it.
    Offered {
        /// Whose.
        agent: AgentId,
        /// The plan that granted it.
        plan: Arc<Plan>,
    },
    /// The agent's phone did not take it.
    Missed {
        /// Why.
        miss: Miss,
    },
    /// An outbound call was begun.
    Dialled(Arc<Dialled>),
    /// The agent who asked for an outbound call came to the phone: now the number is called.
    AgentThere,
    /// The called party answered; the agent who was kept for it is rung, or there already.
    Reached {
        /// The agent who is rung; none is there already.
        ringing: Option<AgentId>,
    },
    /// The called party was not reached.
    NotReached(DialFailure),
    /// Customer and agent talk.
    Connected,
    /// Its owner was declared dead.
    Adopted {
        /// Who goes on with it.
        owner: NodeId,
    },
    /// A deadline of it passed.
    Expired,
    /// It is over.
    Ended {
        /// By whom and why.
        ended: Ended,
        /// What an outbound call was to its campaign.
        result: Option<DialResult>,
    },
}

/// Why an outbound call was begun, as far as the state before it says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Dialled {
    /// Whose call it is.
    pub campaign: CampaignId,
    /// Who was kept for it.
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
    /// Log index of the state it was made on.
    pub basis: u64,
    /// As they were proposed; which were granted says the outcome.
    pub offers: Vec<Offer>,
    /// Computed a moment after the plan was applied; none until then.
    pub candidates: OnceLock<Candidates>,
}

/// What a plan had to choose from.
#[derive(Debug)]
pub struct Candidates {
    /// Log index and time of the state it was computed on; the basis itself, unless that was gone here.
    pub index: u64,
    /// Log time of that state.
    pub time: LogTime,
    /// One for each queue that had callers.
    pub fields: Vec<Field>,
    /// For each offer: how many waited before it.
    pub ahead: Vec<Option<usize>>,
}

impl What {
    /// None for what is no step in a person's eyes.
    pub(crate) fn of(body: &Body, row: Option<&Call>) -> Option<Self> {
        let Body::Shard(command) = body else { return None };
        match command {
            Command::Admit { .. } => row.map(|row| What::Admitted { owner: row.owner.node }),
            Command::Answer { relay, .. } => Some(What::Answered { relay: *relay }),
            Command::Step { step, .. } => Some(What::Flow { step: *step }),
            Command::Enqueue { queue, .. } => Some(What::Enqueued { queue: *queue }),
            Command::Missed { miss, .. } => Some(What::Missed { miss: *miss }),
            Command::Answered { leg, .. } => row.and_then(|row| answered(row, *leg)),
            Command::NotReached { failure, .. } => Some(What::NotReached(failure.clone())),
            // A far end that left may have been one of several: the call goes on.
            Command::End { .. } | Command::Left { .. } => {
                let row = row?;
                Some(What::Ended { ended: row.ended()?, result: row.dial_result() })
            }
            // Who clears away what is left of a call that is over is nobody's news.
            Command::Adopt { .. } => {
                row.filter(|row| row.ended().is_none()).map(|row| What::Adopted { owner: row.owner.node })
            }
            // It also drops rows whose time is past, which is no step.
            Command::Expire => row.map(|_| What::Expired),
            _ => None,
        }
    }

    /// Kept of however long a history.
    pub(crate) fn is_final_news(&self) -> bool {
        matches!(self, What::Connected | What::NotReached(_) | What::Ended { .. })
    }
}

/// What the answer of a leg is to its call.
fn answered(row: &Call, leg: LegKey) -> Option<What> {
    let is_customer = row.leg(leg)?.is_customer();
    Some(match row.outbound() {
        Some(_) if is_customer => What::Reached { ringing: row.rung_agent() },
        Some(_) if !row.has_customer() => What::AgentThere,
        _ => What::Connected,
    })
}

impl Dialled {
    /// `before` is the newest state known from before the entry: a lead that came in the same batch of entries is not in
    /// it.
    pub(crate) fn new(before: Option<&Shard>, at: At, dial: &Dial, row: Option<&Call>) -> Self {
        let of_row = row.and_then(|row| row.outbound()?.lead);
        let (lead, asked) = match dial.to {
            DialTo::Lead(lead) => (Some(lead), false),
            DialTo::Number { .. } => (of_row, true),
        };
        let lead_row = before.zip(lead).and_then(|(table, lead)| table.lead(lead));
        let zone = before
            .zip(lead_row)
            .and_then(|(table, row)| table.campaign(dial.campaign)?.zones.get(usize::from(row.zone)));
        let free_since = before.and_then(|table| table.agent(dial.agent)?.free_since());
        Self {
            campaign: dial.campaign,
            agent: dial.agent,
            owner: dial.owner.0,
            lead,
            asked,
            due: before.zip(lead_row).and_then(|(table, row)| table.turn(row).due()),
            attempts: lead_row.map_or(0, |row| row.attempts),
            zone: zone.cloned(),
            idle: free_since.map(|since| at.time.since(since)),
        }
    }
}

impl Candidates {
    pub(crate) fn new(table: &Shard, offers: &[Offer]) -> Self {
        let mut queues: Vec<QueueId> = offers.iter().map(|offer| offer.queue).collect();
        queues.sort_unstable();
        queues.dedup();
        Self {
            index: table.last().index,
            time: table.last().time,
            fields: fields(table, &queues),
            ahead: offers.iter().map(|offer| ahead(table, offer.queue, offer.place)).collect(),
        }
    }
}
