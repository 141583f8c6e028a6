//! Wrong passwords: counted here, told to the other nodes, and in the end left without an answer.

use std::net::IpAddr;
use std::sync::{MutexGuard, PoisonError};

use strowger_agent::{Account, Guesses, Quiet, SILENCE, Silenced};
use strowger_link::{Class, seal};
use strowger_model::PeerId;
use strowger_model::config::Tenant;

use crate::context::{Context, shard_of};
use crate::wire::{Guessed, Lifted};

/// Somebody who claims to be an agent, at the address that he speaks from.
#[derive(Clone, Copy)]
pub(crate) struct Claimant {
    account: Account,
    from: IpAddr,
    /// One of the agent's phones is there.
    is_registered: bool,
}

impl Claimant {
    pub fn new(context: &Context, tenant: &Tenant, user: &str, from: IpAddr) -> Self {
        let is_registered = is_registered(context, tenant, user, from).unwrap_or(false);
        Self { account: Account::new(tenant.id, user), from, is_registered }
    }

    /// False: he gets no answer.
    pub fn is_heard(self, context: &Context) -> bool {
        let is_heard = lock(context).is_heard(self.account, self.from, self.is_registered, context.now());
        if !is_heard {
            context.figures.silenced();
        }
        is_heard
    }

    /// What he said was wrong, which every node hears within the time of a message.
    pub fn was_wrong(self, context: &Context) {
        let Account { tenant, user } = self.account;
        tell_others(context, seal(&Guessed { tenant, user, from: self.from }));
        count(context, self.account, self.from);
    }

    pub fn was_right(self, context: &Context) {
        lock(context).right(self.account, self.from);
    }
}

impl Context {
    /// Addresses that hear nothing because somebody there guessed at passwords, as this node knows.
    pub fn silenced(&self) -> Vec<Quiet> {
        lock(self).quiet(self.now())
    }

    /// All nodes that are up hear an address again.
    pub fn lift_silence(&self, from: IpAddr) {
        tell_others(self, seal(&Lifted { from }));
        lifted(self, from);
    }
}

/// A node that is out of reach goes by what it had itself.
fn tell_others(context: &Context, body: Vec<u8>) {
    for peer in context.other_nodes() {
        let _lost = context.link.cast(PeerId::Node(peer), Class::Sip, body.clone());
    }
}

/// Here, or at another node, somebody said so.
pub(crate) fn lifted(context: &Context, from: IpAddr) {
    tracing::info!(%from, "an address that was silenced is heard again");
    lock(context).lift(from);
}

/// Another node had a wrong password.
pub(crate) fn heard(context: &Context, Guessed { tenant, user, from }: Guessed) {
    count(context, Account { tenant, user }, from);
}

fn count(context: &Context, account: Account, from: IpAddr) {
    context.figures.wrong_password();
    let silenced = lock(context).wrong(account, from, context.now());
    let (minutes, tenant) = (SILENCE.as_secs() / 60, account.tenant);
    match silenced {
        None => {}
        Some(Silenced::Account) => {
            tracing::warn!(%from, %tenant, minutes, "somebody guesses at an agent's password, and hears nothing of it any more");
        }
        Some(Silenced::Address) => {
            tracing::warn!(%from, %tenant, minutes, "somebody guesses at many passwords, and hears nothing any more");
        }
    }
}

/// None: there is no such agent.
fn is_registered(context: &Context, tenant: &Tenant, user: &str, from: IpAddr) -> Option<bool> {
    let agent = context.directory().agent_named(tenant, user)?;
    let view = context.shard_view(tenant.shard)?;
    let mut bindings = shard_of(&view)?.agent(agent)?.bindings.iter();
    Some(bindings.any(|binding| binding.flow.addr.ip().to_canonical() == from.to_canonical()))
}

fn lock(context: &Context) -> MutexGuard<'_, Guesses> {
    context.guesses.lock().unwrap_or_else(PoisonError::into_inner)
}
