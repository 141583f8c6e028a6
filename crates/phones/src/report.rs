//! The books: one entry for every leg that ended, and the counters of a live table.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::called::CalledRole;

#[derive(Clone, Debug)]
pub enum Report {
    Caller(CallerReport),
    Agent(AgentReport),
    Called(CalledReport),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndedBy {
    /// The caller hung up or gave up.
    Caller,
    /// The agent hung up or declined.
    Agent,
    /// The called party hung up, or it or its network refused.
    Called,
    /// The product ended or refused it.
    Far,
    /// The product did not answer a request in time, or did not acknowledge an answer.
    Timeout,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RtpCounts {
    pub sent: u64,
    pub received: u64,
    /// By sequence number; a change of SSRC begins a new count and is no loss.
    pub lost: u64,
    pub out_of_order: u64,
    pub duplicates: u64,
    /// Packets from an address the far end never named in SDP: not heard, not counted above.
    pub strangers: u64,
    /// How many streams (SSRCs) were received one after the other.
    pub streams: u32,
    /// RFC 4733 keys sent to their end.
    pub digits_sent: u32,
    /// Where the last packet came from that was heard.
    pub from: Option<SocketAddr>,
}

#[derive(Clone, Debug)]
pub struct CallerReport {
    pub call_ref: u64,
    /// SIP Call-ID.
    pub call_id: String,
    pub from: String,
    pub number: String,
    pub placed_at: Instant,
    pub answered_at: Option<Instant>,
    /// 200 for an answered call, else the refusal; 487 after a CANCEL, 408 when nobody answered the INVITE,
    /// 0 when the phone itself could not place it.
    pub final_status: u16,
    /// Begin of the first 200 ms window in which an agent's tone was certain.
    pub first_agent_tone_at: Option<Instant>,
    pub ended_at: Instant,
    pub ended_by: EndedBy,
    /// The caller lost patience before it heard an agent.
    pub abandoned: bool,
    /// Every tone heard, in order of first hearing, with how long.
    pub heard: Vec<(u16, Duration)>,
    /// How much audio was looked at (whole windows).
    pub checked_audio: Duration,
    pub my_tone: u16,
    pub rtp: RtpCounts,
    /// SIP messages this phone had to send again.
    pub retransmits: u32,
    /// Longest silence on the wire while a stream was due: after the first agent tone if there was one, else from
    /// the first packet; holds are left out, the time to the hang-up counts.
    pub longest_gap_ms: u32,
    /// Was still going on when `finish` ran out of time.
    pub stuck: bool,
}

#[derive(Clone, Debug)]
pub struct AgentReport {
    pub user: String,
    /// SIP Call-ID.
    pub call_id: String,
    pub invited_at: Instant,
    pub answered_at: Option<Instant>,
    /// 200 when answered, else what the phone answered: 486, 487, 480, 488.
    pub final_status: u16,
    pub ended_at: Instant,
    pub ended_by: EndedBy,
    pub heard: Vec<(u16, Duration)>,
    pub checked_audio: Duration,
    pub my_tone: u16,
    pub rtp: RtpCounts,
    /// A second INVITE (neither a re-INVITE nor a repetition) arrived while this leg rang or talked: a double
    /// offer. The second has a report of its own with 486.
    pub overlapped: bool,
    /// User part of From.
    pub caller_id: String,
    /// The INVITE's `X-…` headers, names in lower case.
    pub headers: Vec<(String, String)>,
    pub retransmits: u32,
    pub longest_gap_ms: u32,
    pub stuck: bool,
}

/// A call that the product placed, as the carrier and the person it reached saw it.
#[derive(Clone, Debug)]
pub struct CalledReport {
    pub number: String,
    /// SIP Call-ID.
    pub call_id: String,
    /// User part of From.
    pub from: String,
    pub role: CalledRole,
    /// Calls to this number when this one came, with this one: INVITEs with another Call-ID or branch. A repetition
    /// is none.
    pub invites: u32,
    pub invited_at: Instant,
    /// When the 180 went out.
    pub rang_at: Option<Instant>,
    pub answered_at: Option<Instant>,
    /// 200 when answered, else the refusal; 487 after a CANCEL, 0 for a dead number.
    pub final_status: u16,
    /// Begin of the first 200 ms window in which an agent's tone was certain.
    pub first_agent_tone_at: Option<Instant>,
    /// For a dead number when its INVITE came for the last time.
    pub ended_at: Instant,
    pub ended_by: EndedBy,
    /// Every tone heard, in order of first hearing, with how long.
    pub heard: Vec<(u16, Duration)>,
    pub checked_audio: Duration,
    pub my_tone: u16,
    pub rtp: RtpCounts,
    /// Another call came to this number while this one rang or talked, or this is that other one, which gets 486.
    pub overlapped: bool,
    pub retransmits: u32,
    pub longest_gap_ms: u32,
    pub stuck: bool,
}

/// What goes on now; refreshed about ten times a second.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Live {
    pub agents: usize,
    pub agents_registered: usize,
    pub agents_ringing: usize,
    pub agents_talking: usize,
    pub calls_placed: u64,
    pub calls_ended: u64,
    /// Calls that have not heard an agent yet, answered or not.
    pub callers_waiting: usize,
    pub callers_talking: usize,
    pub called_ringing: usize,
    /// Called parties who answered and have not heard an agent yet.
    pub called_waiting: usize,
    pub called_talking: usize,
    /// Calls to the carrier's numbers that are over, reached or not.
    pub called_ended: u64,
    /// What each leg that is up hears now, of [`PhonesOptions::voices`](crate::PhonesOptions), by its own tone; who
    /// hears none of them is left out.
    pub hears: BTreeMap<u16, Vec<u16>>,
    /// How late the RTP thread was at worst since the start: tells a slow test machine from a gap of the product.
    pub media_lag_max_ms: u32,
}
