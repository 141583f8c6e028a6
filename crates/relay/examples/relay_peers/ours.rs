//! The relay's engine as a process: this program starts itself once more. The parent says where the far ends are, one port a
//! leg; the child opens the legs, lets them hear each other and says its own ports.

use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::sync::Arc;

use strowger_media::{Codec, Hears, Law, MediaAddr, Op, RelayAnswer, RelayCommand};
use strowger_model::{CallId, LegKey, LegNo, NodeId, PeerId, RelayId};
use strowger_relay::content_cache::ContentCache;
use strowger_relay::engine::{Engine, Limits, Options};

use crate::far::{Far, LEGS_A_SOCKET, LOOPBACK, sockets};
use crate::process::Process;
use crate::{Outcome, PORTS};

pub const AS_RELAY: &str = "--as-relay";

pub fn start(streams: usize) -> Outcome<(Process, Far)> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg(AS_RELAY).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut process = Process::new(command.spawn()?);
    let mut lines = BufReader::new(process.child().stdout.take().ok_or("a pipe was asked for")?).lines();
    lines.next().ok_or("the relay ended")??;
    process.note_idle();
    let sockets = sockets(streams);
    let socket_of = |leg: usize| sockets[leg / LEGS_A_SOCKET].clone();
    let mut ports = String::new();
    for leg in 0..streams {
        ports += &format!("{} ", socket_of(leg).local_addr()?.port());
    }
    writeln!(process.child().stdin.as_mut().ok_or("a pipe was asked for")?, "{ports}")?;
    let answer = lines.next().ok_or("the relay ended")??;
    let relay: Vec<u16> = answer.split_whitespace().map(str::parse).collect::<Result<_, _>>()?;
    let far = relay.iter().enumerate().map(|(leg, port)| (socket_of(leg), SocketAddr::new(LOOPBACK, *port))).collect();
    Ok((process, far))
}

/// The child; it ends with its input, or is killed.
pub fn serve() -> Outcome<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (events, _) = tokio::sync::mpsc::channel(1);
    let id = RelayId(1);
    let options = Options {
        id,
        address: LOOPBACK,
        advertise: None,
        ports: PORTS,
        others: Vec::new(),
        refused: Vec::new(),
        threads: 1,
        limits: Limits::default(),
    };
    let engine = Engine::start(options, Arc::new(ContentCache::open(None)?), events)?;
    let mut input = std::io::stdin().lines();
    println!("ready");
    let ports = input.next().ok_or("nobody said where the far ends are")??;
    let far: Vec<u16> = ports.split_whitespace().map(str::parse).collect::<Result<_, _>>()?;
    let mut own = String::new();
    for (call, legs) in far.chunks_exact(2).enumerate() {
        for (leg, port) in legs.iter().enumerate() {
            let at = runtime.block_on(open(&engine, call as u64, LegNo(leg as u16), *port))?;
            own += &format!("{} ", at.port());
        }
        for (leg, source) in [(0, 1), (1, 0)] {
            let what = Hears::leg(LegKey { call: CallId(call as u64), leg: LegNo(source) });
            runtime.block_on(order(&engine, call as u64, Op::Hear { leg: LegNo(leg), what, no: 1 }))?;
        }
    }
    println!("{own}");
    input.for_each(drop);
    Ok(())
}

async fn open(engine: &Engine, call: u64, leg: LegNo, port: u16) -> Outcome<SocketAddr> {
    let RelayAnswer::Opened { rtp, .. } = order(engine, call, Op::Open { leg }).await? else {
        return Err("a leg was not opened".into());
    };
    let codec = Codec { law: Law::Mu, dtmf_payload_type: None };
    let far = SocketAddr::new(LOOPBACK, port);
    // Nobody listens for RTCP at the discard port.
    let media = MediaAddr { rtp: far, rtcp: SocketAddr::new(LOOPBACK, 9), codec };
    order(engine, call, Op::Remote { leg, media, send: true, receive: true }).await?;
    Ok(rtp)
}

async fn order(engine: &Engine, call: u64, op: Op) -> Outcome<RelayAnswer> {
    let list = vec![RelayCommand { call: CallId(call), epoch: 1, op }];
    let answers = engine.submit(PeerId::Node(NodeId(1)), list).answers().await;
    answers.into_iter().next().ok_or_else(|| "no answer".into())
}
