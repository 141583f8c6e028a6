//! The HTTP side of a process: REST for people and programs, metrics, health.
//!
//! A request from end to end: `listen` (sockets, limits) → `routes` (one table of all routes and who may use them) →
//! `auth` (token and role) → one file for each subject → [`strowger_cluster::Context`], the only door to the cluster.
//!
//! There is no TLS here: tokens travel as they are. Listen on a loopback or management address, and put a proxy that
//! ends TLS in front of everything else.
#![forbid(unsafe_code)]
#![warn(missing_docs, clippy::unwrap_used, clippy::disallowed_methods)]

mod agents;
mod archive;
mod audit;
mod auth;
mod bars;
mod body;
mod caller;
mod calls;
mod campaigns;
mod client;
mod configure;
mod dial;
mod error;
mod events;
mod explain;
mod health;
mod hosts;
mod import;
mod leads;
mod listen;
mod live;
mod openapi;
mod queues;
mod role;
mod routes;
mod seats;
mod seldom;
mod silenced;
mod status;
mod streams;
mod tokens;
mod touched;
mod turns;
mod version;
mod wallboard;
mod when;

use std::net::SocketAddr;
use std::sync::Arc;

use strowger_cluster::Context;

pub use archive::archive;
pub use auth::Of;
pub use client::{Client, ClientError};
pub use error::ApiError;
pub use health::{Stopping, Text, relay_router, serve_metrics};
pub use hosts::Hosts;
pub use listen::Running;
pub use role::Role;
pub use routes::{ROUTES, Route, router};
pub use strowger_dialer::{Part, Parts};
pub use tokens::bootstrap_token;

/// Limits of the HTTP side, each with its unit and reason.
pub mod limit {
    use std::time::Duration;

    /// Bytes of a request's body: commands are a few fields.
    pub const BODY_BYTES: usize = 64 << 10;
    /// Bytes of a configuration as JSON: 100 minutes of prompts, which are 16 kB a second and a third more in base64.
    pub const CONFIG_BODY_BYTES: usize = 128 << 20;
    /// Bytes of a part of a list of leads: as many leads as one import takes, of a kilobyte each.
    pub const LEADS_BODY_BYTES: usize = 1 << 20;
    /// Configurations in memory at once, as text and as files: two or three times their size each.
    pub const CONFIGS_AT_ONCE: usize = 1;
    /// Parts of lists in memory at once, of each tenant: what `strowger leads import` sends at once, twice.
    pub const LEADS_AT_ONCE: usize = 8;
    /// How long a large body waits for its turn.
    pub const TURN: Duration = Duration::from_secs(10);
    /// Leads of one part of a list: what the log takes in one entry.
    pub const LEADS_PER_IMPORT: usize = strowger_table::limit::LEADS_PER_IMPORT;
    /// Numbers of one change of a block list, for the same reason.
    pub const NUMBERS_PER_BAR: usize = strowger_table::limit::NUMBERS_PER_BAR;
    /// Bytes of what a part says besides numbers, with the columns' names in every line: the nodes send it to each other.
    pub const LEAD_FIELDS_BYTES: usize = 8 << 20;
    /// Number of a list's last line; no list is longer, and sums with it do not overflow.
    pub const LIST_LINES: u64 = 1 << 40;
    /// Leads in one answer to who does not say how many.
    pub const LEADS_DEFAULT: usize = 100;
    /// Leads in one answer at most: beyond it, page.
    pub const LEADS_MAX: usize = 10_000;
    /// Leads looked at for one answer: some 50 ms of a processor.
    pub const LEADS_LOOKED_AT: u32 = 100_000;
    /// Barred numbers in one answer to who does not say how many.
    pub const BARS_DEFAULT: usize = 1000;
    /// Barred numbers in one answer at most: beyond it, page.
    pub const BARS_MAX: usize = 100_000;
    /// Bytes of a request's head: a token and a long query fit ten times.
    pub const HEAD_BYTES: usize = 32 << 10;
    /// From the first byte to the end of a request's head. Keeps idle clients from holding connections.
    pub const HEAD: Duration = Duration::from_secs(15);
    /// How long the body of a refused request is still taken in, so that the client gets to reading the refusal.
    pub const REFUSED_BODY: Duration = Duration::from_secs(5);
    /// Bytes of it at most: what is larger than the largest body that is wanted is no mistake.
    pub const REFUSED_BODY_BYTES: usize = CONFIG_BODY_BYTES;
    /// For a request, its body included: longer than any commit may take.
    pub const REQUEST: Duration = Duration::from_secs(30);
    /// For applying a configuration: its prompts go over the network twice.
    pub const CONFIG_REQUEST: Duration = Duration::from_secs(180);
    /// How long the answer to a configuration waits for all shards to have it.
    pub const CONFIG_SPREAD: Duration = Duration::from_secs(10);
    /// Connections at once; for further ones those make room that are asked nothing. Dashboards and scrapers need tens.
    pub const CONNECTIONS: usize = 1024;
    /// What a request under way gets when the process ends.
    pub const CLOSE: Duration = Duration::from_secs(5);
    /// Event streams at once, one for each wallboard on show; a floor has a few. They hold connections, which commands
    /// need too.
    pub const STREAMS: usize = 64;
    /// Boards that a stream keeps for a client that does not read; then it ends.
    pub const STREAM_BACKLOG: usize = 4;
    /// Live calls in one answer to who does not say how many.
    pub const LIVE_DEFAULT: usize = 100;
    /// Live calls in one answer at most; the answer counts the others.
    pub const LIVE_MAX: usize = 1000;
    /// Characters of an agent's reason or disposition code: they go into the log and every record.
    pub const WORD: usize = 64;
    /// Characters of what an act was asked with that the audit log keeps: a reason, a token's name, some twenty numbers.
    pub const NOTED: usize = 300;
    /// The shortest time that a token can be made for: a node's clock and a person's hands differ by less.
    pub const TOKEN_LASTS_LEAST: Duration = Duration::from_secs(60);
    /// The longest: ten years. Who means for ever says nothing.
    pub const TOKEN_LASTS_MOST: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);
    /// Characters of a token somebody chose: shorter ones can be guessed.
    pub const TOKEN_MIN: usize = 16;
    /// Bytes of the files of a version that are shown in one answer; one tenant's are shown whatever they are.
    pub const SHOWN_BYTES: usize = 32 << 20;
    /// Bytes of an answer that the client takes.
    pub const ANSWER_BYTES: usize = 64 << 20;
    /// How long the client tries to connect.
    pub const CONNECT: Duration = Duration::from_secs(3);
    /// How long an operator's command waits for an answer to what only reads, when nothing else is said: nodes read from
    /// memory and their own disk, in milliseconds. Who asks at night has other nodes to ask.
    pub const READ: Duration = Duration::from_secs(3);
}

/// Who may read `/metrics`, which name tenants, queues and campaigns.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Metrics {
    /// Whoever reaches the address.
    #[default]
    Anyone,
    /// Who has a token for the whole cluster, as for everything else that is read.
    Token,
}

/// What the HTTP side of a node is told at its start.
#[derive(Clone, Debug)]
pub struct Options {
    /// TCP.
    pub listen: SocketAddr,
    /// Names by which it is asked, besides addresses and names that are only known inside; see [`Hosts`].
    pub hosts: Hosts,
    /// Who may read `/metrics`.
    pub metrics: Metrics,
    /// A token that becomes an admin's, for demonstrations and for operators who lost theirs. Usually none: the first
    /// token is made by [`bootstrap_token`].
    pub token: Option<String>,
}

/// Binds, then serves in the background until the answer is dropped or closed.
pub async fn serve(options: Options, context: Arc<Context>) -> Result<Running, ApiError> {
    if let Some(token) = options.token {
        tokens::check(&token)?;
        tokio::spawn(tokens::grant_fixed(context.clone(), token));
    }
    listen::serve(options.listen, options.hosts, routes::router(context, options.metrics)).await
}
