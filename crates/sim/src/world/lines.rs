//! TCP between far ends and nodes: connections that come and break, with or without a word to either end. What travels on
//! one comes in order and once, or not at all.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use strowger_model::{Far, Line, Mono};

use super::World;
use super::wire::{Home, far};
use crate::far::{FarOut, Sip};
use crate::happening::{Happening, Task, Who};
use crate::seen::Thing;
use crate::trace::About;

/// The ports that far ends connect from.
const FIRST_PORT: u16 = 20_000;
/// Of a thousand connections whose process dies, those whose far ends learn of it at once.
const TOLD: u64 = 700;
/// When a far end finds out by its keep-alive that nobody is there any more, in milliseconds.
const FOUND_OUT_MS: (u64, u64) = (2000, 12_000);
/// Who finds nobody to connect to tries again after this.
const AGAIN_MS: (u64, u64) = (300, 800);
/// Of a thousand lines, those that break when some do.
const BREAKS: u64 = 400;

/// Whose end of a line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum End {
    Node,
    Far,
}

pub(crate) struct Connection {
    /// The process that has the cluster's end.
    pub who: Who,
    /// Where the far end listens, and where it speaks from.
    pub home: SocketAddr,
    pub peer: SocketAddr,
    /// Who takes it for open.
    at_node: bool,
    at_far: bool,
    /// Nothing comes through any more, and nobody was told.
    is_dead: bool,
    /// When what was said last comes to the node, and to the far end.
    inward: Mono,
    outward: Mono,
}

/// All lines of a world, by number: none is ever given twice.
#[derive(Default)]
pub(crate) struct Lines {
    all: BTreeMap<u64, Connection>,
    /// The one that each far end speaks on.
    current: BTreeMap<SocketAddr, u64>,
}

impl Lines {
    pub fn get(&self, line: Line) -> Option<&Connection> {
        self.all.get(&line.number)
    }

    /// As a process finds it: by the line that is named if that is its own and lives, else by any that leads there.
    pub fn of(&self, who: Who, to: Far) -> Option<u64> {
        let is_open = |connection: &Connection| connection.at_node && connection.who == who;
        let named = to.line.filter(|line| self.get(*line).is_some_and(is_open)).map(|line| line.number);
        let leads = |connection: &Connection| is_open(connection) && connection.peer == to.addr;
        named.or_else(|| self.all.iter().rfind(|(_, connection)| leads(connection)).map(|(number, _)| *number))
    }

    fn open(&mut self, who: Who, home: SocketAddr, peer: Option<SocketAddr>, at: Mono) -> u64 {
        let number = self.all.len() as u64 + 1;
        let peer = peer.unwrap_or(SocketAddr::new(home.ip(), FIRST_PORT + number as u16));
        let connection =
            Connection { who, home, peer, at_node: true, at_far: true, is_dead: false, inward: at, outward: at };
        self.all.insert(number, connection);
        number
    }

    fn is_open_at_far(&self, number: u64) -> bool {
        self.all.get(&number).is_some_and(|connection| connection.at_far)
    }
}

impl World {
    /// A far end says something: an answer by the line that asked, if that lives, all else by its own.
    pub(crate) fn by_line(&mut self, home: SocketAddr, bytes: Vec<u8>, over: Option<u64>) {
        let current = self.lines.current.get(&home).copied();
        let open = over.into_iter().chain(current).find(|number| self.lines.is_open_at_far(*number));
        let Some(number) = open.or_else(|| self.connect(home)) else {
            let at = self.now + self.rng.millis(AGAIN_MS.0, AGAIN_MS.1);
            return self.timeline.plan(at, Happening::ConnectAgain { home, bytes });
        };
        self.speak(number, End::Far, bytes);
    }

    /// To whatever node the shared address leads to.
    fn connect(&mut self, home: SocketAddr) -> Option<u64> {
        let up: Vec<usize> = (0..self.nodes.len()).filter(|node| self.nodes[*node].up).collect();
        let node = self.rng.pick(&up)?;
        let at = self.now + self.rng.millis(1, 5);
        let number = self.lines.open(self.nodes[node].who, home, None, at);
        if self.lines.current.insert(home, number).is_some() {
            self.seen.add(Thing::ConnectedAgain, 1);
        }
        self.say(About::World, || format!("{home} connects to n{} by line {number}", node + 1));
        Some(number)
    }

    /// A node connects to a far end. None: it is not there.
    pub(crate) fn dial_line(&mut self, node: usize, home: SocketAddr) -> Option<u64> {
        if !self.is_at_home(home) {
            return None;
        }
        let at = self.now + self.rng.millis(1, 5);
        let number = self.lines.open(self.nodes[node].who, home, Some(home), at);
        self.lines.current.entry(home).or_insert(number);
        self.seen.add(Thing::LineDialled, 1);
        self.say(About::World, || format!("n{} connects to {home} by line {number}", node + 1));
        Some(number)
    }

    /// Says something on a line that this end takes for open.
    pub(crate) fn speak(&mut self, number: u64, from: End, bytes: Vec<u8>) {
        let (low, high) = self.scenario.wire.delay_ms;
        let at = self.now + self.rng.millis(low, high);
        let Some(line) = self.lines.all.get_mut(&number) else { return };
        let last = if from == End::Far { &mut line.inward } else { &mut line.outward };
        *last = at.max(*last);
        self.timeline.plan(*last, Happening::OnLine { line: number, from, bytes });
    }

    /// Who gets something on a line that it knows not to be open says so.
    pub(crate) fn on_line(&mut self, number: u64, from: End, bytes: Vec<u8>) {
        let Some(line) = self.lines.all.get_mut(&number).filter(|line| !line.is_dead) else { return };
        let (who, home, peer) = (line.who, line.home, line.peer);
        match from {
            End::Far if line.at_node => {
                let source = Far { line: Some(Line { node: who.id(), number }), ..Far::tcp(peer) };
                if !self.mistakes(home, &bytes) {
                    self.happen(Happening::In(who, Task::Message { source, bytes }));
                }
            }
            End::Far => self.line_over(number),
            End::Node if line.at_far => self.at_far_end(home, &bytes, Some(number)),
            End::Node => line.at_node = false,
        }
    }

    /// The far end closes its end, and goes on by another line.
    pub(crate) fn line_over(&mut self, number: u64) {
        let Some(line) = self.lines.all.get_mut(&number) else { return };
        let home = line.home;
        if !std::mem::take(&mut line.at_far) {
            return;
        }
        if self.lines.current.get(&home) == Some(&number) {
            self.seen.add(Thing::LineLost, 1);
        }
        self.say(About::World, || format!("line {number} of {home} is over"));
        let outs = self.begins_again(home);
        self.far_does(home, About::World, outs, None);
    }

    /// What a far end does whose line is gone: says again what is not answered, registers anew.
    fn begins_again(&mut self, home: SocketAddr) -> Vec<FarOut> {
        match far(home) {
            Some(Home::Caller(at)) => self.callers[at].begins_again(),
            Some(Home::Agent(at)) if self.phones[at].is_at(home) => self.phones[at].begins_again(self.now),
            _ => Vec::new(),
        }
    }

    /// The process at the cluster's ends is gone.
    pub(crate) fn lines_lost(&mut self, who: Who) {
        let lost = |line: &Connection| line.who == who && line.at_node;
        let lost: Vec<u64> = self.lines.all.iter().filter(|(_, line)| lost(line)).map(|(number, _)| *number).collect();
        for number in lost {
            self.close_at_node(number);
            let at = if self.rng.chance(TOLD) { self.soon() } else { self.found_out() };
            self.timeline.plan(at, Happening::LineOver { line: number });
        }
    }

    fn close_at_node(&mut self, number: u64) {
        self.lines.all.get_mut(&number).into_iter().for_each(|line| line.at_node = false);
    }

    /// Some lines break: both ends are told, one of them, or none.
    pub(crate) fn break_lines(&mut self) {
        let open = |line: &Connection| line.at_node && line.at_far && !line.is_dead;
        let open: Vec<u64> = self.lines.all.iter().filter(|(_, line)| open(line)).map(|(number, _)| *number).collect();
        for number in open {
            if !self.rng.chance(BREAKS) {
                continue;
            }
            let (tells_node, tells_far) = (self.rng.chance(500), self.rng.chance(500));
            self.cut_line(number);
            if tells_node {
                self.close_at_node(number);
            }
            let at = if tells_far { self.soon() } else { self.found_out() };
            self.timeline.plan(at, Happening::LineOver { line: number });
            self.seen.add(if tells_node || tells_far { Thing::LineBroke } else { Thing::LineDied }, 1);
        }
    }

    /// Nothing comes through any more.
    fn cut_line(&mut self, number: u64) {
        self.say(About::World, || format!("line {number} breaks"));
        self.lines.all.get_mut(&number).into_iter().for_each(|line| line.is_dead = true);
    }

    /// The far end is somewhere else, or has no power: the node hears nothing of that.
    pub(crate) fn leaves_lines(&mut self, home: SocketAddr) {
        self.lines.current.remove(&home);
        for line in self.lines.all.values_mut().filter(|line| line.home == home) {
            (line.at_far, line.is_dead) = (false, true);
        }
    }

    fn soon(&mut self) -> Mono {
        self.now + self.rng.millis(1, 20)
    }

    fn found_out(&mut self) -> Mono {
        self.now + self.rng.millis(FOUND_OUT_MS.0, FOUND_OUT_MS.1)
    }

    fn is_at_home(&self, home: SocketAddr) -> bool {
        match far(home) {
            Some(Home::Caller(at)) => self.callers.get(at).is_some_and(|caller| caller.addr == home),
            Some(Home::Agent(at)) => self.phones.get(at).is_some_and(|phone| phone.is_at(home)),
            Some(Home::Called(_)) | None => false,
        }
    }

    /// Whether a far end speaks TCP.
    pub(crate) fn is_over_tcp(&self, home: SocketAddr) -> bool {
        match far(home) {
            Some(Home::Caller(at)) => self.callers[at].way.is_reliable(),
            Some(Home::Agent(at)) => self.phones[at].phone.way.is_reliable(),
            Some(Home::Called(_)) | None => false,
        }
    }
}

/// What a far end says by the line that asked it.
pub(crate) fn is_answer(bytes: &[u8]) -> bool {
    Sip::parse(bytes).is_some_and(|sip| sip.status() != 0)
}
