//! The errands of the shard's leader: plan, end leases, give away the rows of the dead, keep time.

use std::rc::Rc;
use std::time::Duration;

use strowger_model::{Incarnation, Mono, NodeId};
use strowger_table::{Body, Command, Plan, Proposal};

use crate::happening::{Happening, node_id};
use crate::log::{Errand, Waiter, wall};
use crate::plant::Plant;
use crate::trace::About;
use crate::world::World;

/// As the product's leader has them.
const EXPIRE_AFTER: Duration = Duration::from_secs(1);
const COMMIT: Duration = Duration::from_secs(2);
/// A quiet shard's time goes on with one entry in so long.
const TICK: Duration = Duration::from_secs(1);

impl World {
    pub(crate) fn leads(&self, node: usize) -> bool {
        self.log.seat().is_some_and(|(leader, _)| leader == self.nodes[node].who) && !self.is_passive(node)
    }

    /// At most one plan under way, the next on the state that the last one left.
    pub(crate) fn plan(&mut self, node: usize) {
        if !self.leads(node) || self.log.is_busy(Errand::Plan, self.now) {
            return;
        }
        let shard = &self.nodes[node].replica.shard;
        if !shard.anyone_waiting() {
            return;
        }
        let mut plan = strowger_acd::plan(shard, &self.usable);
        if plan.offers.is_empty() {
            return;
        }
        self.spoil(node, &mut plan);
        self.lead(node, Errand::Plan, Command::Plan(plan));
    }

    /// What a leader looks at again and again.
    pub(crate) fn run_errands(&mut self) {
        let Some((leader, seat)) = self.log.seat() else { return };
        let (node, since, stamped) = (leader.node, seat.since, seat.stamped);
        let log_now = seat.log_now(self.now);
        if !self.leads(node) {
            return;
        }
        self.plan(node);
        let shard = &self.nodes[node].replica.shard;
        let due = shard.next_lease().is_some_and(|lease| lease <= log_now);
        let rested = self.now.since(since) >= EXPIRE_AFTER;
        if due && rested && !self.log.is_busy(Errand::Expire, self.now) && self.plant != Some(Plant::NoExpire) {
            self.lead(node, Errand::Expire, Command::Expire);
        }
        if !self.log.is_busy(Errand::Other, self.now)
            && let Some(command) = self.due_adoption(node)
        {
            self.lead(node, Errand::Other, command);
        }
        self.pace(node);
        if self.now.since(stamped) >= TICK {
            self.lead(node, Errand::Other, Command::Tick);
        }
    }

    /// Begins calls to leads; the next round is judged on what this one left.
    fn pace(&mut self, node: usize) {
        if !self.dialling.is_on() || self.log.is_busy(Errand::Pace, self.now) {
            return;
        }
        let nodes = self.living();
        let means = self.dialling.means(wall(self.now), &nodes, &self.usable);
        let shard = self.nodes[node].replica.shard.clone();
        for dial in strowger_dialer::pace(&shard, &means) {
            let dial = self.dialling.routed(&shard, dial);
            self.lead(node, Errand::Pace, Command::Dial(Box::new(dial)));
        }
    }

    /// Processes that are not known to be gone.
    pub(crate) fn living(&self) -> Vec<(NodeId, Incarnation)> {
        let living = self.members.iter().enumerate().filter(|(_, member)| !member.down);
        living.map(|(at, member)| (node_id(at), member.life)).collect()
    }

    /// The leader's own proposal, once: what only a leader may say is worth nothing after it.
    pub(crate) fn lead(&mut self, node: usize, errand: Errand, command: Command) {
        let until = self.now + COMMIT;
        let Some(seat) = self.log.seat_mut() else { return };
        seat.busy.retain(|(busy, _)| *busy != errand);
        seat.busy.push((errand, until));
        let proposal = Proposal { from: self.nodes[node].who.proposer(), seq: 0, body: Body::Shard(command) };
        self.write(Some(Rc::new(proposal)), Waiter::Errand(errand));
    }

    fn due_adoption(&self, node: usize) -> Option<Command> {
        let over = |id: NodeId, life| {
            let known = self.members[usize::from(id.0) - 1];
            known.life > life || known.down
        };
        let (node, incarnation) = self.nodes[node].replica.shard.owners().find(|(id, life)| over(*id, *life))?;
        Some(Command::Adopt { node, incarnation, heirs: self.living() })
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

    pub(crate) fn elect(&mut self, term: u64) {
        if term != self.log.term || self.log.leader.is_some() {
            return;
        }
        let sound: Vec<usize> = (0..self.nodes.len()).filter(|node| self.nodes[*node].is_sound()).collect();
        let fit: Vec<usize> = sound.iter().copied().filter(|node| !self.is_passive(*node)).collect();
        if sound.len() * 2 <= self.nodes.len() || fit.is_empty() {
            let at = self.now + Duration::from_millis(200);
            return self.timeline.plan(at, Happening::Elect { term });
        }
        let node = self.rng.pick(&fit).unwrap_or_default();
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
    }
}
