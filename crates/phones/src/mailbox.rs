//! The way into the SIP thread, which sleeps in epoll: a backlog and a bell.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

use rustix::event::{EventfdFlags, eventfd};
use rustix::fd::OwnedFd;

use crate::media::MediaEvent;
use crate::options::{AgentSpec, CallSpec};

pub(crate) enum Letter {
    AddAgent(Box<AgentSpec>),
    PlaceCall(u64, Box<CallSpec>),
    Media(MediaEvent),
    /// End every leg the polite way and mark it stuck.
    HangUpAll,
    /// Close the books of whatever is left, with no word on the wire.
    Abort,
    Stop,
}

#[derive(Clone)]
pub(crate) struct Mailbox {
    letters: Sender<Letter>,
    bell: Arc<OwnedFd>,
}

pub(crate) struct Letters {
    pub letters: Receiver<Letter>,
    pub bell: Arc<OwnedFd>,
}

impl Mailbox {
    pub fn open() -> io::Result<(Mailbox, Letters)> {
        let bell = Arc::new(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?);
        let (sender, letters) = channel();
        Ok((Mailbox { letters: sender, bell: bell.clone() }, Letters { letters, bell }))
    }

    pub fn post(&self, letter: Letter) {
        // A thread that has stopped reads no letters, and a bell that cannot take another stroke is ringing already.
        if self.letters.send(letter).is_ok() {
            let _ = rustix::io::write(&self.bell, &1u64.to_ne_bytes());
        }
    }
}

impl Letters {
    pub fn silence_bell(&self) {
        let _ = rustix::io::read(&self.bell, &mut [0u8; 8]);
    }
}
