//! What nodes and far ends say to each other: by datagrams, which are lost, doubled, late, out of order, or by lines. And
//! hops inside the cluster.

use std::net::SocketAddr;

use strowger_model::{AgentId, Far, LegKey, Mono};

use super::World;
use super::lines::is_answer;
use crate::far::{FarOut, Habit, Sip};
use crate::happening::{Happening, Task};
use crate::relay::relay_of;
use crate::seen::Thing;
use crate::trace::About;

/// Who has an address.
#[derive(Clone, Copy)]
pub(crate) enum Home {
    Caller(usize),
    Agent(usize),
    Called(usize),
}

impl World {
    /// What a node says to a far end. A passive node keeps it to itself.
    pub(crate) fn send(&mut self, node: usize, about: About, to: Far, bytes: Vec<u8>) {
        let Some(bytes) = self.missent(bytes) else { return };
        let withheld = self.is_silent(node);
        if let Some(sip) = Sip::parse(&bytes) {
            let about = sip.key().filter(|_| about == About::World).map_or(about, |key| About::Call(key.call));
            let about = if about == About::World { self.about_caller(to.addr) } else { about };
            let how = if withheld { " (withheld)" } else { "" };
            self.say(about, || format!("n{} → {}: {}{how}", node + 1, name_of(to.addr), sip.summary()));
            self.promises.told.hung_up(&sip);
        }
        if to.transport.is_reliable() {
            return self.send_by_line(node, to, bytes);
        }
        if withheld {
            return;
        }
        let to = to.addr;
        self.leaves(node, to, &bytes);
        for at in self.crossings() {
            self.timeline.plan(at, Happening::AtFarEnd { to, bytes: bytes.clone() });
        }
    }

    /// A packet leaves a node.
    pub(crate) fn leaves(&mut self, node: usize, to: SocketAddr, bytes: &[u8]) {
        let Some(sip) = Sip::parse(bytes) else { return };
        self.promises.told.left(&self.truth, &sip, self.now);
        let Some(key) = sip.key().filter(|_| sip.is_first_invite()) else { return };
        self.promises.true_record.invited(key);
        if !matches!(far(to), Some(Home::Called(_))) {
            return;
        }
        self.promises.dialled_once.left(self.nodes[node].who, key.call, self.now);
        self.promises.barred.left(key.call);
    }

    /// Any node that runs may get it; one that is frozen keeps it for later.
    pub(crate) fn at_cluster(&mut self, from: SocketAddr, bytes: Vec<u8>) {
        let up: Vec<usize> = (0..self.nodes.len()).filter(|node| self.nodes[*node].up).collect();
        let Some(node) = self.rng.pick(&up) else { return };
        if self.mistakes(from, &bytes) {
            return;
        }
        let who = self.nodes[node].who;
        self.happen(Happening::In(who, Task::Message { source: Far::udp(from), bytes }));
    }

    /// `over`: the line that it came by.
    pub(crate) fn at_far_end(&mut self, to: SocketAddr, bytes: &[u8], over: Option<u64>) {
        let Some(sip) = Sip::parse(bytes) else { return };
        let (about, outs) = match far(to) {
            Some(Home::Caller(at)) if at < self.callers.len() => {
                self.turned_away(at, &sip);
                (About::Caller(at), self.callers[at].on_message(&sip, self.now))
            }
            Some(Home::Agent(at)) if self.phones.get(at).is_some_and(|phone| phone.is_at(to)) => {
                (about_leg(sip.key()), self.at_phone(at, &sip))
            }
            Some(Home::Called(at)) if at < self.called.len() => (about_leg(sip.key()), self.at_called(at, &sip)),
            _ => return,
        };
        self.far_does(to, about, outs, over);
    }

    pub(crate) fn far_timer(&mut self, addr: SocketAddr, at: Mono) {
        if self.far_armed.get(&addr) != Some(&at) {
            return;
        }
        self.far_armed.remove(&addr);
        let (about, outs) = match far(addr) {
            Some(Home::Caller(at)) => (About::Caller(at), self.callers[at].tick(self.now)),
            Some(Home::Agent(at)) => (About::World, self.phone_ticks(at)),
            Some(Home::Called(at)) => (About::World, self.called[at].phone.tick(self.now)),
            None => return,
        };
        // One that moved speaks from where it is now.
        let addr = if let Some(Home::Agent(at)) = far(addr) { self.phones[at].phone.addr } else { addr };
        self.far_does(addr, about, outs, None);
    }

    fn phone_ticks(&mut self, at: usize) -> Vec<FarOut> {
        let live = self.phones[at].phone.rings().iter().filter(|ring| ring.is_live());
        let live: Vec<LegKey> = live.filter_map(|ring| ring.key).collect();
        let in_call = !live.is_empty();
        let before = self.phones[at].phone.addr;
        let (outs, habit) = self.phones[at].tick(self.now, self.calm_since.is_some(), &mut self.rng);
        if matches!(habit, Some(Habit::Move | Habit::LosePower)) {
            self.leaves_lines(before);
        }
        if in_call && habit == Some(Habit::LosePower) {
            self.promises.survival.dark.extend(live);
            self.seen.add(Thing::PhoneLostInCall, 1);
        }
        if let Some(habit) = habit {
            self.seen.add(Thing::of_habit(habit), 1);
            self.say(About::World, || format!("phone-{}: {habit:?}", at + 1));
        }
        outs
    }

    pub(crate) fn arm_far(&mut self, addr: SocketAddr) {
        let deadline = match far(addr) {
            Some(Home::Caller(at)) => self.callers[at].deadline(),
            Some(Home::Agent(at)) => self.phones[at].deadline(),
            Some(Home::Called(at)) => self.called[at].phone.deadline(),
            None => None,
        };
        let Some(at) = deadline.map(|at| at.max(self.now)) else { return };
        if self.far_armed.get(&addr).is_none_or(|armed| at < *armed) {
            self.far_armed.insert(addr, at);
            self.timeline.plan(at, Happening::FarTimer { addr, at });
        }
    }

    /// When something sent to another process now arrives there.
    pub(crate) fn after_hop(&mut self) -> Mono {
        let (low, high) = self.scenario.log.hop_ms;
        self.now + self.rng.millis(low, high)
    }

    /// Whether something between processes is lost, with its connection.
    pub(crate) fn drops(&mut self) -> bool {
        self.rng.chance(self.scenario.log.lost_per_mille)
    }

    fn at_phone(&mut self, at: usize, sip: &Sip) -> Vec<FarOut> {
        let phone = &self.phones[at].phone;
        if phone.is_new(sip) {
            self.promises.apart.rung(&self.asked, AgentId(at as u32 + 1), sip.key());
            self.promises.slot.invited(&self.truth, at, sip.key(), phone);
        }
        self.phones[at].on_message(sip, self.now, &mut self.rng)
    }

    fn at_called(&mut self, at: usize, sip: &Sip) -> Vec<FarOut> {
        let called = &self.called[at];
        if called.phone.is_new(sip) {
            self.promises.dialled_once.rung(&self.truth, called, sip.key());
        }
        self.called[at].on_message(sip, self.now, &mut self.rng)
    }

    pub(crate) fn far_does(&mut self, addr: SocketAddr, about: About, outs: Vec<FarOut>, over: Option<u64>) {
        for out in outs {
            match out {
                FarOut::Send(bytes) => {
                    if let Some(sip) = Sip::parse(&bytes) {
                        self.promises.told.heard(&sip);
                        let agent = if let Some(Home::Agent(at)) = far(addr) { Some(at) } else { None };
                        self.promises.true_record.heard(&sip, agent);
                        let about = if about == About::World { about_leg(sip.key()) } else { about };
                        self.say(about, || format!("{} → cluster: {}", name_of(addr), sip.summary()));
                    }
                    if self.is_over_tcp(addr) {
                        let over = over.filter(|_| is_answer(&bytes));
                        self.by_line(addr, bytes, over);
                        continue;
                    }
                    for at in self.crossings() {
                        self.timeline.plan(at, Happening::AtCluster { from: addr, bytes: bytes.clone() });
                    }
                }
                FarOut::Vanish(leg) => {
                    self.say(about_leg(leg), || format!("{} is gone without a word", name_of(addr)));
                    self.promises.survival.dark.extend(leg);
                    self.seen.add(Thing::Vanished, 1);
                }
                FarOut::Press { rtp, digit } => {
                    self.say(about, || format!("{} presses {digit}", name_of(addr)));
                    let report = relay_of(rtp)
                        .and_then(|relay| self.relays.get_mut(relay))
                        .and_then(|relay| relay.on_digit(rtp.port(), digit));
                    self.relay_reports(report);
                }
            }
        }
        self.arm_far(addr);
    }

    /// When each copy of a datagram arrives; none, if it is lost.
    fn crossings(&mut self) -> Vec<Mono> {
        let wire = self.scenario.wire;
        if self.rng.chance(wire.lost_per_mille) {
            return Vec::new();
        }
        let copies = 1 + usize::from(self.rng.chance(wire.twice_per_mille));
        (0..copies).map(|_| self.now + self.rng.millis(wire.delay_ms.0, wire.delay_ms.1)).collect()
    }

    /// What a caller is told who does not come in.
    fn turned_away(&mut self, at: usize, sip: &Sip) {
        let caller = &self.callers[at];
        match (sip.status(), sip.method()) {
            (603, "INVITE") => {
                self.promises.unwanted.declined(&self.versions[0], &caller.user, caller.number, &mut self.seen);
            }
            (404, "INVITE") => self.seen.add(Thing::NumberGone, 1),
            _ => {}
        }
    }

    fn about_caller(&self, addr: SocketAddr) -> About {
        match far(addr) {
            Some(Home::Caller(at)) => About::Caller(at),
            _ => About::World,
        }
    }
}

pub(crate) fn far(addr: SocketAddr) -> Option<Home> {
    let SocketAddr::V4(v4) = addr else { return None };
    match v4.ip().octets() {
        [10, 1 | 4, high, low] => Some(Home::Caller(usize::from(high) * 250 + usize::from(low).checked_sub(1)?)),
        [10, 2, _, low] => Some(Home::Agent(usize::from(low).checked_sub(1)?)),
        [10, 3, 0, low] => Some(Home::Called(usize::from(low).checked_sub(1)?)),
        _ => None,
    }
}

fn about_leg(key: Option<LegKey>) -> About {
    key.map_or(About::World, |key| About::Call(key.call))
}

fn name_of(addr: SocketAddr) -> String {
    match far(addr) {
        Some(Home::Caller(at)) => format!("caller-{at}"),
        Some(Home::Agent(at)) => format!("phone-{}", at + 1),
        Some(Home::Called(at)) => format!("line-{at}"),
        None => addr.to_string(),
    }
}
