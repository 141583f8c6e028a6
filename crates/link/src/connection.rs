//! One live connection to one peer: a lane and a stream for each class that is used, whoever dialled.
//!
//! Each side opens its own stream of a class with the first message it sends there; casts and asks leave on it and
//! the answers to these asks come back on it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use quinn::{RecvStream, SendStream};
use strowger_model::PeerId;

use crate::asks::{AskFault, Asks};
use crate::class::{Class, Limits};
use crate::frame::{FrameReader, Kind};
use crate::handler::{Handler, Reply};
use crate::hello::{CLOSE_FAULT, Speaker};
use crate::lane::{Lane, SendFault};

pub struct Connection {
    pub peer: PeerId,
    /// The newest layout of the log that the peer reads.
    pub layout: u16,
    pub quic: quinn::Connection,
    ends: [End; Class::ALL.len()],
    refused: Arc<AtomicU64>,
    /// Why this side gave it up; QUIC would only say that it was this side.
    fault: OnceLock<String>,
}

/// This side's end of a class.
struct End {
    lane: Lane,
    asks: Asks,
}

impl Connection {
    pub fn new(speaker: Speaker, quic: quinn::Connection, refused: Arc<AtomicU64>) -> Self {
        let ends = Class::ALL.map(|class| {
            let limits = class.limits();
            End { lane: Lane::new(limits, refused.clone()), asks: Asks::new(limits.open_asks) }
        });
        Self { peer: speaker.peer, layout: speaker.layout, quic, ends, refused, fault: OnceLock::new() }
    }

    pub fn cast(&self, class: Class, body: Bytes) -> Result<(), SendFault> {
        self.ends[class.index()].lane.push(Kind::Cast, 0, body)
    }

    pub async fn ask(&self, class: Class, body: Bytes, timeout: Duration) -> Result<Bytes, AskFault> {
        let end = &self.ends[class.index()];
        let mut ask = end.asks.open().inspect_err(|fault| {
            if *fault == SendFault::BacklogFull {
                self.refused.fetch_add(1, Ordering::Relaxed);
            }
        })?;
        end.lane.push(Kind::Ask, ask.number, body)?;
        tokio::time::timeout(timeout, ask.answer()).await.unwrap_or(Err(AskFault::TimedOut))
    }

    /// Carries traffic until the connection ends, and says why it did.
    pub async fn run(self: &Arc<Self>, handler: Arc<dyn Handler>) -> String {
        for class in Class::ALL {
            tokio::spawn(self.clone().write(class));
        }
        let ended = loop {
            match self.quic.accept_bi().await {
                Ok((send, receive)) => {
                    tokio::spawn(self.clone().serve(send, receive, handler.clone()));
                }
                Err(ended) => break ended,
            }
        };
        self.let_go();
        self.fault.get().cloned().unwrap_or_else(|| ended.to_string())
    }

    pub fn close(&self, code: quinn::VarInt, why: &str) {
        // The first reason stands; later ones follow from it.
        let _earlier = self.fault.set(why.to_owned());
        self.quic.close(code, why.as_bytes());
        self.let_go();
    }

    /// Whoever waits for an answer learns now that there will be none.
    fn let_go(&self) {
        for end in &self.ends {
            end.lane.close();
            end.asks.close();
        }
    }

    /// Opens the class's stream with the first message and writes what callers push.
    async fn write(self: Arc<Self>, class: Class) {
        let guard = Guard::new(&self, class);
        let lane = &self.ends[class.index()].lane;
        let Some(mut batch) = lane.take().await else { return };
        let Ok((mut send, receive)) = self.quic.open_bi().await else { return };
        // Only a stream that has ended refuses its priority.
        let _ended = send.set_priority(class.priority());
        tokio::spawn(self.clone().read_answers(class, receive));
        batch.insert(0, Bytes::from(vec![class as u8]));
        let why = loop {
            if let Err(fault) = send.write_all_chunks(&mut batch).await {
                break format!("writing failed: {fault}");
            }
            match lane.take().await {
                Some(next) => batch = next,
                None => return,
            }
        };
        guard.end(why);
    }

    async fn read_answers(self: Arc<Self>, class: Class, receive: RecvStream) {
        let guard = Guard::new(&self, class);
        let asks = &self.ends[class.index()].asks;
        let mut frames = FrameReader::new(receive, class.limits().body_bytes);
        let why = loop {
            match frames.next().await {
                Ok(Some(frame)) => match frame.kind {
                    Kind::Answer => asks.settle(frame.number, Some(frame.body)),
                    Kind::NoAnswer => asks.settle(frame.number, None),
                    other => break format!("{other:?} where answers belong"),
                },
                Ok(None) => break "the peer ended its answers".to_owned(),
                Err(fault) => break fault.to_string(),
            }
        };
        guard.end(why);
    }

    /// Reads a stream that the peer opened and hands its messages to the handler.
    async fn serve(self: Arc<Self>, send: SendStream, mut receive: RecvStream, handler: Arc<dyn Handler>) {
        let mut first = [0];
        if receive.read_exact(&mut first).await.is_err() {
            return self.close(CLOSE_FAULT, "a stream without a class");
        }
        let Some(class) = Class::from_wire(first[0]) else {
            return self.close(CLOSE_FAULT, &format!("a stream of unknown class {}", first[0]));
        };
        let guard = Guard::new(&self, class);
        let _ended = send.set_priority(class.priority());
        let replies = Arc::new(Lane::new(reply_limits(class), self.refused.clone()));
        tokio::spawn(self.clone().write_replies(class, replies.clone(), send));
        let mut frames = FrameReader::new(receive, class.limits().body_bytes);
        let why = loop {
            match frames.next().await {
                Ok(Some(frame)) => match frame.kind {
                    Kind::Cast => handler.on_cast(self.peer, class, frame.body),
                    Kind::Ask => {
                        handler.on_ask(self.peer, class, frame.body, Reply::new(replies.clone(), frame.number));
                    }
                    other => break format!("{other:?} where casts and asks belong"),
                },
                Ok(None) => break "the peer ended its messages".to_owned(),
                Err(fault) => break fault.to_string(),
            }
        };
        guard.end(why);
        // After the reason is given: the writer of replies ends by this and would give a poorer one.
        replies.close();
    }

    async fn write_replies(self: Arc<Self>, class: Class, replies: Arc<Lane>, mut send: SendStream) {
        let guard = Guard::new(&self, class);
        while let Some(mut batch) = replies.take().await {
            if let Err(fault) = send.write_all_chunks(&mut batch).await {
                replies.close();
                return guard.end(format!("writing answers failed: {fault}"));
            }
        }
    }
}

/// Every open ask may be answered at once.
fn reply_limits(class: Class) -> Limits {
    let limits = class.limits();
    Limits { backlog_messages: limits.backlog_messages.max(limits.open_asks), ..limits }
}

/// Gives the whole connection up when one of its tasks ends, by a panic too: half a connection would look alive.
/// The dialler comes again at once.
struct Guard<'a> {
    connection: &'a Connection,
    class: Class,
    why: String,
}

impl<'a> Guard<'a> {
    fn new(connection: &'a Connection, class: Class) -> Self {
        Self { connection, class, why: "its task ended".to_owned() }
    }

    fn end(mut self, why: String) {
        self.why = why;
    }
}

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        if self.connection.quic.close_reason().is_none() {
            self.connection.close(CLOSE_FAULT, &format!("{:?}: {}", self.class, self.why));
        }
    }
}
