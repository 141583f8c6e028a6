//! Callers and agents who talk with each other: the peer passes their offers and answers on and stays out of the
//! audio, so that what is measured here is the phones' own RTP thread.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::peer::{PATIENCE, Peer, Text, wait};
use strowger_phones::{AgentSpec, CallSpec, EndedBy, Law, Live, Phones, PhonesOptions, Report};

/// The least back-to-back user agent that can connect a caller `c<n>` with an agent `a<n>`.
struct Exchange {
    peer: Peer,
    invites: HashMap<String, Text>,
    agents: SocketAddr,
}

impl Exchange {
    fn serve_until(&mut self, end: Instant) {
        self.peer.socket.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
        let mut buffer = [0u8; 4096];
        while Instant::now() < end {
            let Ok((length, from)) = self.peer.socket.recv_from(&mut buffer) else { continue };
            let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
            let (head, body) = text.split_once("\r\n\r\n").unwrap();
            self.take(Text { head: head.to_owned(), body: body.to_owned(), from });
        }
    }

    fn take(&mut self, message: Text) {
        let call_id = message.header("Call-ID");
        let from = "<sip:x@acd>;tag=x";
        if message.head.starts_with("INVITE") {
            let number = message.head["INVITE sip:".len()..].split('@').next().unwrap().to_owned();
            let agent = format!("a{number}");
            self.peer.answer(&message, "100 Trying", "", "", "");
            let to = format!("<sip:{agent}@acd>");
            self.peer.request("INVITE", &agent, self.agents, (&number, 1), (from, &to), &number, &message.body);
            self.invites.insert(number, message);
        } else if message.head.starts_with("SIP/2.0 200") && message.header("CSeq").ends_with("INVITE") {
            let to = message.header("To");
            let branch = format!("{call_id}a");
            self.peer.request("ACK", "x", self.agents, (&branch, 1), (from, &to), &call_id, "");
            let invite = &self.invites[&call_id];
            self.peer.answer(invite, "200 OK", "t", &self.peer.contact(), &message.body);
        } else if message.head.starts_with("BYE") {
            self.peer.answer(&message, "200 OK", "", "", "");
        }
    }
}

fn run(pairs: u16, talk: Duration, media_ports: std::ops::RangeInclusive<u16>) -> (Phones, Vec<Report>) {
    let peer = Peer::new();
    let mut options = PhonesOptions::new(peer.address(), "127.0.0.1".parse().unwrap(), 0, 0);
    options.media_ports = media_ports;
    let phones = Phones::start(options).unwrap();
    for n in 0..pairs {
        let mut spec = AgentSpec::new(&format!("a{n}"), "", "acd", 2 * n + 1);
        (spec.registers, spec.ring, spec.law) = (false, Duration::from_millis(20), Law::Pcmu);
        spec.hangs_up_after = Some(talk);
        phones.add_agent(spec);
    }
    wait(&phones, |live| live.agents == usize::from(pairs));
    let mut exchange = Exchange { peer, invites: HashMap::new(), agents: phones.agent_addresses()[0] };
    for n in 0..pairs {
        let mut spec = CallSpec::new(&format!("c{n}"), &n.to_string(), 2 * n);
        spec.talk = talk;
        phones.place_call(spec);
        exchange.serve_until(Instant::now() + Duration::from_millis(2));
    }
    let until = Instant::now() + talk + PATIENCE;
    let talking = |live: Live| live.agents_talking + live.agents_ringing > 0;
    while (phones.calls_in_progress() > 0 || talking(phones.live())) && Instant::now() < until {
        exchange.serve_until(Instant::now() + Duration::from_millis(20));
    }
    let reports = phones.finish(PATIENCE);
    (phones, reports)
}

#[test]
fn three_pairs_hear_each_other_and_nobody_else() {
    let (phones, reports) = run(3, Duration::from_secs(2), 24_000..=24_198);
    assert_eq!(reports.len(), 6);
    for report in &reports {
        let (heard, expected, rtp, lasted) = match report {
            Report::Caller(r) => (&r.heard, r.my_tone + 1, &r.rtp, r.ended_at - r.answered_at.unwrap()),
            Report::Agent(r) => (&r.heard, r.my_tone - 1, &r.rtp, r.ended_at - r.answered_at.unwrap()),
            Report::Called(r) => panic!("nobody is called: {r:?}"),
        };
        assert_eq!(heard.len(), 1, "{report:?}");
        assert_eq!(heard[0].0, expected);
        assert!(heard[0].1 >= Duration::from_secs(1), "{heard:?}");
        assert_eq!((rtp.lost, rtp.out_of_order, rtp.streams), (0, 0, 1));
        // 50 packets a second; the machine may be busy, and legs end a little apart.
        let due = lasted.as_millis() as u64 / 20;
        assert!((due * 8 / 10..=due + 15).contains(&rtp.sent), "{} of {due}", rtp.sent);
        assert!(rtp.received * 10 >= due * 7, "{} of {due}", rtp.received);
    }
    assert_eq!(phones.live().calls_placed, 3);
    phones.stop();
}

/// Not a test but a measurement: `cargo test --release -p strowger-phones --test scenarios -- --ignored --nocapture`.
#[test]
#[ignore = "takes most of a core for half a minute"]
fn the_price_of_450_talking_calls() {
    let ticks = || {
        let mut threads = Vec::new();
        for task in std::fs::read_dir("/proc/self/task").unwrap().flatten() {
            let stat = std::fs::read_to_string(task.path().join("stat")).unwrap_or_default();
            let name = stat.split(['(', ')']).nth(1).unwrap_or_default().to_owned();
            let fields: Vec<&str> = stat.rsplit(") ").next().unwrap_or_default().split(' ').collect();
            if name.starts_with("phones") {
                let time: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
                threads.push((name, time));
            }
        }
        threads
    };
    let talk = Duration::from_secs(20);
    let (sample, done) = std::sync::mpsc::channel();
    let meter = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_secs(8));
        let (before, start) = (ticks(), Instant::now());
        std::thread::sleep(Duration::from_secs(8));
        sample.send((before, ticks(), start.elapsed())).unwrap();
    });
    let (phones, reports) = run(450, talk, 14_000..=19_998);
    meter.join().unwrap();
    let (before, after, elapsed) = done.recv().unwrap();
    for ((name, then), (_, now)) in before.iter().zip(&after) {
        // 100 ticks a second on every Linux there is.
        eprintln!("{name}: {:.1} % of a core", (now - then) as f64 / elapsed.as_secs_f64());
    }
    let (mut lost, mut wrong, mut gap) = (0, 0, 0);
    for report in &reports {
        let (rtp, heard, longest) = match report {
            Report::Caller(r) => (&r.rtp, &r.heard, r.longest_gap_ms),
            Report::Agent(r) => (&r.rtp, &r.heard, r.longest_gap_ms),
            Report::Called(r) => panic!("nobody is called: {r:?}"),
        };
        lost += rtp.lost;
        wrong += u32::from(heard.len() != 1);
        gap = gap.max(longest);
        assert!(!matches!(report, Report::Caller(r) if r.ended_by == EndedBy::Timeout));
    }
    eprintln!("{} legs, lost {lost}, heard wrongly {wrong}, longest gap {gap} ms, {:?}", reports.len(), phones.live());
}
