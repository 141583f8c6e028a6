//! Two links in one process: round-trip time of one asker, then throughput and CPU with many.
//! `cargo run --release -p strowger-link --example pingpong`
#![allow(clippy::print_stdout, reason = "printing is what it is for")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use strowger_link::{Class, Handler, Identity, Link, Options, Reply};
use strowger_model::{NodeId, PeerId};

const ALONE: usize = 20_000;
const ASKERS: usize = 64;
const ASKS_EACH: usize = 5_000;
const BODY: Bytes = Bytes::from_static(&[7; 232]);
const TIMEOUT: Duration = Duration::from_secs(5);

struct Echo;

impl Handler for Echo {
    fn on_cast(&self, _: PeerId, _: Class, _: Bytes) {}

    fn on_ask(&self, _: PeerId, _: Class, body: Bytes, reply: Reply) {
        reply.send(body);
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let dir = tempfile::tempdir()?;
    let (one, two) = (PeerId::Node(NodeId(1)), PeerId::Node(NodeId(2)));
    let options = |me, peers| -> Result<Options, Box<dyn std::error::Error>> {
        let identity = Identity::development(dir.path(), me)?;
        Ok(Options { me, listen: "127.0.0.1:0".parse()?, identity, layout: 0, peers })
    };
    let far = Link::start(options(two, vec![])?, Arc::new(Echo)).await?;
    let near = Link::start(options(one, vec![(two, far.local_addr())])?, Arc::new(Echo)).await?;
    while !near.connected(two) {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }

    let cpu = cpu_time();
    let mut times = Vec::with_capacity(ALONE);
    for _ in 0..ALONE {
        let began = Instant::now();
        near.ask(two, Class::Command, BODY, TIMEOUT).await?;
        times.push(began.elapsed());
    }
    let cpu = (cpu_time() - cpu) / ALONE as u32;
    times.sort_unstable();
    let (p50, p99) = (times[ALONE / 2], times[ALONE * 99 / 100]);
    println!("one asker: p50 {p50:?}, p99 {p99:?}, {cpu:?} CPU per ask, both ends");

    let (began, cpu) = (Instant::now(), cpu_time());
    let askers: Vec<_> = (0..ASKERS)
        .map(|_| {
            let near = near.clone();
            tokio::spawn(async move {
                for _ in 0..ASKS_EACH {
                    near.ask(two, Class::Command, BODY, TIMEOUT).await?;
                }
                Ok::<_, strowger_link::AskFault>(())
            })
        })
        .collect();
    for asker in askers {
        asker.await??;
    }
    let (asks, wall, cpu) = ((ASKERS * ASKS_EACH) as u32, began.elapsed(), cpu_time() - cpu);
    println!(
        "{ASKERS} askers: {:.0} asks/s, {:?} CPU per ask, both ends",
        f64::from(asks) / wall.as_secs_f64(),
        cpu / asks
    );
    Ok(())
}

/// User and system time of this process so far, in the kernel's ticks of 10 ms.
fn cpu_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    // Fields 14 and 15 of proc(5); the third is the first after the name.
    let ticks: u64 = after_name.split_whitespace().skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 10)
}
