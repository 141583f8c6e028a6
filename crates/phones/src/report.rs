//! The books: one entry for every leg that ended, and the counters of a live table.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::called::CalledRole;

/// A leg that ended, as its far end saw it.
#[derive(Clone, Debug)]
pub enum Report {
    /// Of a call placed here.
    Caller(CallerReport),
    /// Of a call to an agent's phone.
    Agent(AgentReport),
    /// Of a call to the carrier's numbers.
    Called(CalledReport),
}

/// Who ended a leg.
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

/// Packets of one leg, RTCP not among them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RtpCounts {
    /// By this phone.
    pub sent: u64,
    /// From where SDP said.
    pub received: u64,
    /// By sequence number; a change of SSRC begins a new count and is no loss.
    pub lost: u64,
    /// Behind one with a higher sequence number.
    pub out_of_order: u64,
    /// With a sequence number that was there already.
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

/// How a caller fared.
#[derive(Clone, Debug)]
pub struct CallerReport {
    /// As [`Phones::place_call`](crate::Phones::place_call) returned it.
    pub call_ref: u64,
    /// SIP Call-ID.
    pub call_id: String,
    /// Who called, as in its spec.
    pub from: String,
    /// What it dialled.
    pub number: String,
    /// When the first INVITE went out.
    pub placed_at: Instant,
    /// When the 200 came.
    pub answered_at: Option<Instant>,
    /// 200 for an answered call, else the refusal; 487 after a CANCEL, 408 when nobody answered the INVITE,
    /// 0 when the phone itself could not place it.
    pub final_status: u16,
    /// Begin of the first 200 ms window in which an agent's tone was certain.
    pub first_agent_tone_at: Option<Instant>,
    /// When the first of both sides hung up, refused or gave up.
    pub ended_at: Instant,
    /// For a refusal: who refused.
    pub ended_by: EndedBy,
    /// The caller lost patience before it heard an agent.
    pub abandoned: bool,
    /// Every tone heard, in order of first hearing, with how long.
    pub heard: Vec<(u16, Duration)>,
    /// How much audio was looked at (whole windows).
    pub checked_audio: Duration,
    /// What it played, by number.
    pub my_tone: u16,
    /// Its packets.
    pub rtp: RtpCounts,
    /// SIP messages this phone had to send again.
    pub retransmits: u32,
    /// Longest silence on the wire while a stream was due: after the first agent tone if there was one, else from
    /// the first packet; holds are left out, the time to the hang-up counts.
    pub longest_gap_ms: u32,
    /// Was still going on when `finish` ran out of time.
    pub stuck: bool,
}

/// How a call went at an agent's phone.
#[derive(Clone, Debug)]
pub struct AgentReport {
    /// Whose phone.
    pub user: String,
    /// SIP Call-ID.
    pub call_id: String,
    /// When the INVITE came.
    pub invited_at: Instant,
    /// When the 200 went out.
    pub answered_at: Option<Instant>,
    /// 200 when answered, else what the phone answered: 486, 487, 480, 488.
    pub final_status: u16,
    /// When the first of both sides hung up, refused or gave up.
    pub ended_at: Instant,
    /// For a refusal: who refused.
    pub ended_by: EndedBy,
    /// Every tone heard, in order of first hearing, with how long.
    pub heard: Vec<(u16, Duration)>,
    /// How much audio was looked at (whole windows).
    pub checked_audio: Duration,
    /// What it played, by number.
    pub my_tone: u16,
    /// Its packets.
    pub rtp: RtpCounts,
    /// A second INVITE (neither a re-INVITE nor a repetition) arrived while this leg rang or talked: a double
    /// offer. The second has a report of its own with 486.
    pub overlapped: bool,
    /// User part of From.
    pub caller_id: String,
    /// The INVITE's `X-…` headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// SIP messages this phone had to send again.
    pub retransmits: u32,
    /// As in [`CallerReport`].
    pub longest_gap_ms: u32,
    /// Was still going on when `finish` ran out of time.
    pub stuck: bool,
}

/// A call that the product placed, as the carrier and the person it reached saw it.
#[derive(Clone, Debug)]
pub struct CalledReport {
    /// Which was called.
    pub number: String,
    /// SIP Call-ID.
    pub call_id: String,
    /// User part of From.
    pub from: String,
    /// What the plan said.
    pub role: CalledRole,
    /// Calls to this number when this one came, with this one: INVITEs with another Call-ID or branch. A repetition
    /// is none.
    pub invites: u32,
    /// When the INVITE came.
    pub invited_at: Instant,
    /// When the 180 went out.
    pub rang_at: Option<Instant>,
    /// When the 200 went out.
    pub answered_at: Option<Instant>,
    /// 200 when answered, else the refusal; 487 after a CANCEL, 0 for a dead number.
    pub final_status: u16,
    /// Begin of the first 200 ms window in which an agent's tone was certain.
    pub first_agent_tone_at: Option<Instant>,
    /// For a dead number when its INVITE came for the last time.
    pub ended_at: Instant,
    /// For a refusal: who refused.
    pub ended_by: EndedBy,
    /// Every tone heard, in order of first hearing, with how long.
    pub heard: Vec<(u16, Duration)>,
    /// How much audio was looked at (whole windows).
    pub checked_audio: Duration,
    /// What it played, by number.
    pub my_tone: u16,
    /// Its packets.
    pub rtp: RtpCounts,
    /// Another call came to this number while this one rang or talked, or this is that other one, which gets 486.
    pub overlapped: bool,
    /// SIP messages this side had to send again.
    pub retransmits: u32,
    /// As in [`CallerReport`].
    pub longest_gap_ms: u32,
    /// Was still going on when `finish` ran out of time.
    pub stuck: bool,
}

/// What goes on now; refreshed about ten times a second.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Live {
    /// Phones added.
    pub agents: usize,
    /// Whose registration has not run out.
    pub agents_registered: usize,
    /// Legs that ring.
    pub agents_ringing: usize,
    /// Legs that are answered.
    pub agents_talking: usize,
    /// Since the start.
    pub calls_placed: u64,
    /// Of those, the ones reported.
    pub calls_ended: u64,
    /// Calls that have not heard an agent yet, answered or not.
    pub callers_waiting: usize,
    /// Calls that have heard an agent.
    pub callers_talking: usize,
    /// Called parties whose phone rings.
    pub called_ringing: usize,
    /// Called parties who answered and have not heard an agent yet.
    pub called_waiting: usize,
    /// Called parties who have heard an agent.
    pub called_talking: usize,
    /// Calls to the carrier's numbers that are over, reached or not.
    pub called_ended: u64,
    /// What each leg that is up hears now, of [`PhonesOptions::voices`](crate::PhonesOptions), by its own tone; who
    /// hears none of them is left out.
    pub hears: BTreeMap<u16, Vec<u16>>,
    /// How late the RTP thread was at worst since the start: tells a slow test machine from a gap of the product.
    pub media_lag_max_ms: u32,
}
