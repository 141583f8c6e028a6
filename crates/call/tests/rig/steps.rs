//! The steps a scenario is written in.

use std::time::Duration;

use strowger_call::{Answer, MediaFact};
use strowger_media::What;
use strowger_model::{Cause, Digest, Ended, Far, HangupBy, LeadId, PlaceId, Wall};
use strowger_table::{Command, Dial, DialTo, NewLead, Offer, Outcome, Plan, RowKey, VOICE_SLOT};

use super::far::Extra;
use super::{LEADER, News, World, relay, sample};

impl World {
    /// Plays one step; returns what came of it.
    pub fn play(&mut self, step: &str) -> Vec<String> {
        if let Some((who, what)) = step.split_once(": ") {
            self.far_end(who, what);
        } else {
            let words: Vec<&str> = step.split_whitespace().collect();
            self.order(words[0], &words[1..]);
        }
        self.settle();
        std::mem::take(&mut self.log)
    }

    /// `anna: 200 INVITE sdp=hold`, `caller: BYE`; with `old` before it, to the node that was cut off.
    fn far_end(&mut self, who: &str, what: &str) {
        let (node, who) = match who.strip_prefix("old ") {
            Some(who) => (self.owner - 1, who),
            None => (self.owner, who),
        };
        let words: Vec<&str> = what.split_whitespace().collect();
        let split = if words[0].starts_with(char::is_numeric) { 2 } else { 1 };
        let (said, extra) = words.split_at(split);
        let far = self.fars.get_mut(who).unwrap_or_else(|| panic!("no far end is called {who}"));
        let (text, source) = (far.say(&said.join(" "), &Extra(extra)), far.far());
        self.hear(node, source, &text);
    }

    fn order(&mut self, word: &str, rest: &[&str]) {
        match word {
            "wait" => self.wait(Duration::from_millis(rest[0].parse().expect("milliseconds"))),
            "die" => self.adopt(true),
            "split" => self.adopt(false),
            // The next actor may be given another relay.
            "break" => self.begin_again(relay(rest.first())),
            "doubt" => self.doubt = Duration::from_millis(rest[0].parse().expect("milliseconds")),
            "stand-still" => self.ahead += Duration::from_millis(rest[0].parse().expect("milliseconds")),
            "hold" => self.holds = rest.iter().map(|word| (*word).to_owned()).collect(),
            "commit" => self.commit_held(rest),
            "lose" => self.lose_held(),
            "timeout" => self.time_out_held(),
            "leader" => self.leader_away = rest[0] == "away",
            "reports" => self.loses_reports = rest[0] == "lost",
            "restart" => self.relays.restart(),
            // May open a port that another does not.
            "another" => self.relays.another = Some(relay(rest.first())),
            "relay-dies" => self.relays.die(relay(rest.first())),
            "configure" => self.configure(),
            // A key that nobody hears, for the same reason.
            "unheard" if !rest.is_empty() => {
                let (leg, digit) = (self.leg(rest[1]), rest[0].as_bytes()[0]);
                self.relays.unheard(relay(rest.get(2)), leg, digit);
            }
            // Nobody hears that it is over: its owner is dead, and its relay has said so.
            "unheard" => drop(self.relays.played(0)),
            "relay" => self.relays.slow = rest[0] == "slow",
            "content" => self.relays.lacks_content = rest[0] == "missing",
            "offer" => self.offer(rest),
            "dial" => self.dial(rest),
            "end" => self.end_by_operator(),
            "withdraw" => self.withdraw(),
            "others" => self.others(rest[0].parse().expect("how many")),
            "retire" => self.retire(),
            "merge" => self.merge(rest[0]),
            _ => self.relay_says(word, rest),
        }
    }

    fn relay_says(&mut self, word: &str, rest: &[&str]) {
        let facts = match word {
            "port" => vec![self.relays.port(self.leg(rest[0]))],
            "no-port" => vec![self.relays.no_port(self.leg(rest[0]))],
            "played" => {
                vec![self.relays.played(rest.first().map_or(0, |before| before.parse().expect("how many before")))]
            }
            "digit" => {
                let what = What::Digit { digit: rest[0].as_bytes()[0] };
                vec![MediaFact::Told { relay: relay(rest.get(2)), leg: self.leg(rest[1]), what }]
            }
            "dead" => vec![self.relays.dead(relay(rest.get(1)), self.leg(rest[0]))],
            "adopted" => self.relays.adopted(relay(rest.first())),
            "met" => vec![self.relays.met(relay(rest.first()))],
            // The first has answered nothing for long, and the second is there.
            "gone" => vec![MediaFact::Gone { relay: relay(rest.first()), instead: relay(rest.get(1)) }],
            "closed" => self.relays.closed(relay(rest.first())),
            _ => panic!("no such step: {word}"),
        };
        self.news.extend(facts.into_iter().map(|fact| (self.owner, News::Media(fact))));
    }

    /// The oldest proposal that was held, or the oldest of that word, is committed. After `timeout` nobody waits for it.
    fn commit_held(&mut self, rest: &[&str]) {
        let is_meant = |words: String| rest.first().is_none_or(|word| words.split([' ', ',']).next() == Some(word));
        let at = self.held.iter().position(|held| is_meant(super::names::command(&held.command)));
        let held = at.and_then(|at| self.held.remove(at)).expect("a proposal is on its way");
        self.commit(held.node, held.number, held.command);
    }

    fn lose_held(&mut self) {
        let held = self.held.pop_front().expect("a proposal is on its way");
        self.news.push_back((held.node, News::Proposed { number: held.number, answer: Answer::Lost }));
    }

    /// Who waits for the oldest proposal is told that it is lost; it is committed later all the same.
    fn time_out_held(&mut self) {
        let held = self.held.front_mut().expect("a proposal is on its way");
        let number = std::mem::take(&mut held.number);
        let node = held.node;
        self.news.push_back((node, News::Proposed { number, answer: Answer::Lost }));
    }

    /// The leader's plan: `anna`, `anna relay-2`, or `anna bert` who are rung at once.
    fn offer(&mut self, rest: &[&str]) {
        let Some(call) = self.call else { return };
        let (relays, names): (Vec<&str>, Vec<&str>) = rest.iter().partition(|word| word.starts_with("relay-"));
        // The place that it has, or one that is gone.
        let place = self.shard.place_of(call).map_or(PlaceId(0), |place| place.id);
        let offer_to = |name: &&str| Offer {
            place,
            agent: sample::agent(name),
            slot: VOICE_SLOT,
            queue: sample::SALES,
            relay: relay(relays.first()),
            score: 0,
            ring_all: names.len() > 1,
        };
        self.commit(LEADER, 0, Command::Plan(Plan { basis: 0, offers: names.iter().map(offer_to).collect() }));
    }

    /// `dial lead anna` or `dial number anna`.
    fn dial(&mut self, rest: &[&str]) {
        let (campaign, to) = match rest[0] {
            "lead" => {
                let leads = vec![NewLead { number: sample::number(7), zone: "Europe/London".into(), line: 0 }];
                self.apply(LEADER, Command::Import { campaign: sample::SPRING, batch: Digest([9; 32]), leads });
                let pacer = sample::proposer(LEADER);
                let pacer = (pacer.node, pacer.incarnation);
                self.apply(LEADER, Command::Assign { row: RowKey::Campaign(sample::SPRING), to: pacer });
                (sample::SPRING, DialTo::Lead(LeadId::new(sample::SPRING, 0)))
            }
            _ => (sample::BY_HAND, DialTo::Number { number: sample::number(8) }),
        };
        let owner = sample::proposer(self.owner);
        let epoch = self.shard.campaign(campaign).and_then(|ledger| ledger.owner).map_or(0, |owner| owner.epoch);
        self.commit(
            LEADER,
            0,
            Command::Dial(Box::new(Dial {
                campaign,
                to,
                agent: sample::agent(rest[1]),
                owner: (owner.node, owner.incarnation),
                destination: Far::udp(sample::addr("party")),
                relay: super::RELAY,
                agent_relay: relay(rest.get(2)),
                epoch,
                not_after: Wall(u64::MAX),
            })),
        );
    }

    /// Another configuration comes into force: what apologised tells the news from now on.
    fn configure(&mut self) {
        for command in Command::configuring(2, &sample::tenant_of("news")) {
            let (outcome, _) = self.apply(LEADER, command);
            assert_eq!(outcome, Outcome::Done);
        }
        self.news.push_back((self.owner, News::Row));
    }

    /// The tenant leaves the configuration, with its queues.
    fn retire(&mut self) {
        let (outcome, _) = self.apply(LEADER, Command::Retire { version: 2, tenant: sample::ACME });
        assert_eq!(outcome, Outcome::Done);
        self.news.push_back((self.owner, News::Row));
    }

    fn end_by_operator(&mut self) {
        let Some(call) = self.call else { return };
        let ended = Ended { by: HangupBy::System, cause: Cause::NORMAL };
        let command = Command::End { call, ended, observed: self.log_now() };
        self.commit(self.owner, 0, command);
    }

    /// The edge gave up waiting for the call's `Admit` and has answered 503 itself.
    fn withdraw(&mut self) {
        let key = self.row().and_then(|row| row.key().cloned()).expect("an inbound call");
        self.commit(self.owner, 0, Command::Withdraw { key });
    }
}
