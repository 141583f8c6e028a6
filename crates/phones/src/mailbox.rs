//! The way into the SIP thread, which sleeps in epoll: a backlog and a bell.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::time::Duration;

use rustix::event::{EventfdFlags, eventfd};
use rustix::fd::OwnedFd;

use crate::carrier::Carrier;
use crate::media::MediaEvent;
use crate::options::{AgentSpec, CallSpec};

/// Says that a letter was read.
pub(crate) type Done = SyncSender<()>;

pub(crate) enum Letter {
    AddAgent(Box<AgentSpec>),
    PlaceCall(u64, Box<CallSpec>),
    OpenCarrier(Box<Carrier>, Done),
    /// Of the caller with that number.
    HangUp(u64),
    Media(MediaEvent),
    /// End every leg the polite way and mark it stuck.
    HangUpAll,
    /// Close the books of whatever is left, with no word on the wire.
    Abort,
    /// No more calls are taken, and those that were never answered go into the books.
    CloseCarrier(Done),
    Stop,
}

/// How long a letter may lie unread before nobody waits for it any more: the thread is dead then, or the machine is.
const READ_WITHIN: Duration = Duration::from_secs(1);

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

    /// What comes in after this meets what the letter made of the machine.
    pub fn post_and_wait(&self, letter: impl FnOnce(Done) -> Letter) {
        let (done, read) = sync_channel(1);
        self.post(letter(done));
        if read.recv_timeout(READ_WITHIN).is_err() {
            tracing::error!("the phones' SIP thread does not read its letters");
        }
    }
}

impl Letters {
    pub fn silence_bell(&self) {
        let _ = rustix::io::read(&self.bell, &mut [0u8; 8]);
    }
}
