//! The shard's leader: runs the switch's rules on virtual time, keeps the log's time.

use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::Duration;

use strowger_acd::RelayChoice;
use strowger_model::Mono;
use strowger_switch::{Heard, Leader, Led, Look, What};
use strowger_table::{Body, Command, Medium, Offer, Outcome, Plan, Proposal, RowKey, limit};

use crate::happening::{Happening, Task, node_id};
use crate::log::{Errand, Waiter};
use crate::plant::Plant;
use crate::tenant::SHARD;
use crate::trace::About;
use crate::world::World;

/// The node that the lead belongs to.
const HOME: usize = 1;
/// How long the cluster is without a leader when the lead is handed on.
const HANDED_MS: (u64, u64) = (5, 50);
/// Phones that ring beside the first, where a world rings all.
const RING_MORE: usize = 2;

/// A node's rules, what they have not heard, and when they look next.
pub(crate) struct Lead {
    pub rules: Leader,
    pub heard: Heard,
    armed: Option<Mono>,
}

impl Lead {
    pub fn new(node: usize) -> Self {
        let rules = Leader::new(SHARD, node_id(node), node_id(HOME));
        Self { rules, heard: Heard::default(), armed: None }
    }
}

impl World {
    pub(crate) fn leads(&self, node: usize) -> bool {
        self.log.seat().is_some_and(|(leader, _)| leader == self.nodes[node].who) && !self.is_passive(node)
    }

    /// The leader's rules look, and what they say is done.
    pub(crate) fn look_as_leader(&mut self, node: usize) {
        let seat = self.log.seat().filter(|_| self.leads(node));
        let led = seat.map(|(_, seat)| Led { term: self.log.term, since: seat.since });
        let log_now = seat.map(|(_, seat)| seat.log_now(self.now)).unwrap_or_default();
        let place = &mut self.nodes[node];
        let (changed, shard) = (std::mem::take(&mut place.lead.heard), &place.replica.shard);
        let control = &place.control.table;
        let (relays, now, wall) = (&self.usable, self.now, self.log.wall(self.now));
        // A process that is told to stop is modelled as one that ends at once.
        let leaving = &strowger_switch::Leaving::new();
        let look = Look { led, shard, control, leaving, relays, now, log_now, wall };
        let (errands, again) = place.lead.rules.look(&changed, &look);
        if let Some(at) = again.filter(|again| place.lead.armed.is_none_or(|armed| *again < armed)) {
            place.lead.armed = Some(at);
            self.timeline.plan(at, Happening::In(place.who, Task::LeadAt { at }));
        }
        for errand in errands {
            self.run_errand(node, errand);
        }
    }

    pub(crate) fn lead_at(&mut self, node: usize, at: Mono) {
        let armed = &mut self.nodes[node].lead.armed;
        if *armed == Some(at) {
            *armed = None;
        }
        self.look_as_leader(node);
    }

    fn run_errand(&mut self, node: usize, errand: strowger_switch::Errand) {
        let strowger_switch::Errand { term, task, what } = errand;
        match what {
            What::Propose(command) if self.withholds_errand(&command) => {}
            What::Propose(mut command) => {
                if let Command::Plan(plan) = &mut *command {
                    self.rings_more(node, plan);
                    self.spoil(node, plan);
                }
                self.lead(node, Errand::Rule(task), *command);
            }
            What::HandOver(home) => {
                self.hand_over(usize::from(home.0) - 1);
                self.nodes[node].lead.rules.answered(term, task, None, self.now);
                self.look_as_leader(node);
            }
            What::Fetch(what) => {
                let content = self.content(what.digest);
                self.nodes[node].lead.rules.fetched(term, content, self.now);
                self.look_as_leader(node);
            }
        }
    }

    /// What the leader's rule proposed is applied here.
    pub(crate) fn errand_answered(&mut self, node: usize, task: strowger_switch::Task, outcome: &Outcome) {
        self.nodes[node].lead.rules.answered(self.log.term, task, Some(outcome), self.now);
        self.look_as_leader(node);
    }

    /// Planted bugs: leases are never ended, agents or campaigns never sent where they belong.
    fn withholds_errand(&self, command: &Command) -> bool {
        match command {
            Command::Expire => self.plant == Some(Plant::NoExpire),
            Command::Assign { row: RowKey::Campaign(id), .. } => {
                let has_owner = self.truth.campaign(*id).is_some_and(|ledger| ledger.owner.is_some());
                has_owner && self.plant == Some(Plant::CampaignsStay)
            }
            Command::Assign { .. } => self.plant == Some(Plant::NoAssign),
            _ => false,
        }
    }

    /// What moves by itself: the time of the shard.
    pub(crate) fn pulse_leader(&mut self) {
        let (now, Some((leader, seat))) = (self.now, self.log.seat()) else { return };
        let (node, is_due) = (leader.node, seat.ticks.due() <= now);
        if self.leads(node) && is_due {
            self.lead(node, Errand::Tick, Command::Tick);
            if let Some(seat) = self.log.seat_mut() {
                seat.ticks.ticked(now);
            }
        }
    }

    /// The leader's own proposal, once: what only a leader may say is worth nothing after it.
    pub(crate) fn lead(&mut self, node: usize, errand: Errand, command: Command) {
        if self.log.seat().is_none() {
            return;
        }
        let proposal = Proposal { from: self.nodes[node].who.proposer(), seq: 0, body: Body::Shard(command) };
        self.write(Some(Rc::new(proposal)), Waiter::Errand(errand));
    }

    /// The longest idle of the queue ring, too, where a world rings all.
    fn rings_more(&mut self, node: usize, plan: &mut Plan) {
        if !self.scenario.rings_all {
            return;
        }
        let shard = &self.nodes[node].replica.shard;
        let mut taken: BTreeSet<_> = plan.offers.iter().map(|offer| offer.agent).collect();
        let mut offers = Vec::new();
        for offer in std::mem::take(&mut plan.offers) {
            let idle = shard.idle(offer.queue, Medium::Voice).filter(|(_, agent, _)| !taken.contains(agent));
            let more: Vec<_> = idle.take(RING_MORE).map(|(_, agent, slot)| (agent, slot)).collect();
            taken.extend(more.iter().map(|(agent, _)| *agent));
            offers.push(Offer { ring_all: !more.is_empty(), ..offer });
            for (agent, slot) in more {
                let site = self.asked.agent(agent).map_or("", |agent| agent.site.as_str());
                let relay = RelayChoice::new(shard, &self.usable).choose(site, None).unwrap_or(offer.relay);
                offers.push(Offer { agent, slot, relay, ring_all: true, ..offer });
            }
        }
        offers.truncate(limit::OFFERS_PER_PLAN);
        plan.offers = offers;
    }

    /// The planner's planted bug: calls that were adopted are offered last first.
    fn spoil(&mut self, node: usize, plan: &mut Plan) {
        if self.plant != Some(Plant::OrderLost) {
            return;
        }
        let shard = &self.nodes[node].replica.shard;
        let adopted = |call| shard.call(call).is_some_and(|row| row.was_adopted());
        for offer in &mut plan.offers {
            let call = shard.place(offer.place).and_then(|place| place.call);
            if call.is_some_and(adopted)
                && let Some(last) = shard.waiting(offer.queue).last()
            {
                offer.place = last.id;
            }
        }
    }

    /// Whoever led is gone; what was written but not committed may be, too.
    pub(crate) fn lose_leader(&mut self, why: &str) {
        if self.log.leader.is_none() {
            return;
        }
        let survive = self.rng.below(self.log.under_way() + 1);
        self.log.lose(survive, self.now);
        let term = self.log.term;
        self.say(About::World, || format!("no leader ({why}), {survive} entries survive"));
        let at = self.now + self.rng.millis(150, 1000);
        self.timeline.plan(at, Happening::Elect { term });
    }

    /// All that was written is there before the lead goes.
    fn hand_over(&mut self, home: usize) {
        if !self.nodes[home].is_sound() || self.is_passive(home) {
            return;
        }
        self.log.lose(self.log.under_way(), self.now);
        self.log.heir = Some(home);
        let term = self.log.term;
        self.say(About::World, || format!("the lead is handed to n{}", home + 1));
        let at = self.now + self.rng.millis(HANDED_MS.0, HANDED_MS.1);
        self.timeline.plan(at, Happening::Elect { term });
    }

    pub(crate) fn elect(&mut self, term: u64) {
        if term != self.log.term || self.log.leader.is_some() {
            return;
        }
        let sound = self.sound_nodes();
        let fit: Vec<usize> = sound.iter().copied().filter(|node| !self.is_passive(*node)).collect();
        if sound.len() * 2 <= self.nodes.len() || fit.is_empty() {
            let at = self.now + Duration::from_millis(200);
            return self.timeline.plan(at, Happening::Elect { term });
        }
        let heir = self.log.heir.take().filter(|heir| fit.contains(heir));
        let node = heir.or_else(|| self.rng.pick(&fit)).unwrap_or_default();
        let who = self.nodes[node].who;
        self.say(About::World, || format!("n{} is elected in term {term}", node + 1));
        while self.log.under_way() > 0 {
            self.commit_one();
        }
        self.log.leader = Some(crate::log::Leader { who, seated: None });
        self.write(None, Waiter::Seat);
    }

    /// The new leader has applied its own first entry.
    pub(crate) fn seat(&mut self, node: usize) {
        let replica = &self.nodes[node].replica;
        let anchor: (_, Mono) = (replica.shard.last().time, replica.received);
        let now = self.now;
        if let Some(leader) = &mut self.log.leader {
            leader.seated = Some(crate::log::Seat::new(anchor, now));
        }
        self.say(About::World, || format!("n{} leads", node + 1));
        self.look_as_leader(node);
    }
}
