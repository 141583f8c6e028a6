//! What this process is told by signals, and by the end of whoever started it.

use std::process::ExitCode;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;

/// Set by the demo, whose processes must not outlive it however it ends: they end when their standard input does.
const LEASH_VARIABLE: &str = "STROWGER_ENDS_WITH_STDIN";

/// Listens from its making on: what is told while the process starts is not lost.
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
    user_1: Signal,
    user_2: Signal,
    /// None without a leash, and when it has ended.
    leash: Option<oneshot::Receiver<()>>,
    /// What SIGHUP does; nothing while the process starts.
    reload: Box<dyn FnMut() + Send>,
}

impl Signals {
    pub fn new() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
            user_1: signal(SignalKind::user_defined1())?,
            user_2: signal(SignalKind::user_defined2())?,
            leash: leash(),
            reload: Box::new(|| tracing::info!("SIGHUP is ignored: the process is about to start, or to end")),
        })
    }

    /// From now on SIGHUP does this.
    pub fn reload_by(&mut self, reload: impl FnMut() + Send + 'static) {
        self.reload = Box::new(reload);
    }

    /// Comes back when the process is to end: SIGTERM, SIGINT, or the end of its leash. The other signals with which
    /// people tell programs to do something would end it, and with it calls that live here, if nobody took them.
    pub async fn end(&mut self) {
        loop {
            let ignored = tokio::select! {
                _ = self.terminate.recv() => return,
                _ = self.interrupt.recv() => return,
                () = let_go(&mut self.leash) => return,
                _ = self.hang_up.recv() => {
                    (self.reload)();
                    continue;
                }
                _ = self.user_1.recv() => "SIGUSR1",
                _ = self.user_2.recv() => "SIGUSR2",
            };
            tracing::info!("{ignored} is ignored: the log goes to standard error, and SIGHUP reads files again");
        }
    }

    /// Does this, unless the process is told to end meanwhile.
    pub async fn unless_ended<T>(&mut self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            done = work => Some(done),
            () = self.end() => None,
        }
    }

    /// Ends in order; who tells it again has no time for that.
    pub async fn end_in_order(&mut self, work: impl Future<Output = ()>) -> ExitCode {
        match self.unless_ended(work).await {
            Some(()) => ExitCode::SUCCESS,
            None => {
                tracing::warn!("told to stop again: it ends at once, and its calls are for the other nodes to find");
                ExitCode::FAILURE
            }
        }
    }
}

/// Never without a leash.
async fn let_go(leash: &mut Option<oneshot::Receiver<()>>) {
    match leash {
        None => std::future::pending().await,
        Some(held) => {
            let _over = held.await;
            *leash = None;
        }
    }
}

fn leash() -> Option<oneshot::Receiver<()>> {
    std::env::var_os(LEASH_VARIABLE)?;
    let (over, ended) = oneshot::channel();
    // A thread of its own: a read of standard input cannot be called off, and must not hold up the runtime's end.
    std::thread::spawn(move || {
        let _read = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        let _gone = over.send(());
    });
    Some(ended)
}
