//! What a committed row keeps of a SIP dialog: enough for any node to go on with it.

use crate::Far;

/// Which side of the INVITE we are on.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
pub enum Role {
    /// We received the INVITE.
    Uas,
    /// We sent it.
    Uac,
}

/// How far a dialog is (RFC 3261, section 12).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
pub enum DialogState {
    /// No 2xx yet.
    Early,
    /// Answered with a 2xx.
    Confirmed,
    /// Over by BYE, CANCEL or a final refusal.
    Ended,
}

/// A dialog (RFC 3261, section 12) and the INVITE transaction that may still be open in it.
#[derive(Clone, PartialEq, Eq, Hash, Debug, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
pub struct Dialog {
    /// Who sent the INVITE that began it.
    pub role: Role,
    /// How far it is.
    pub state: DialogState,
    /// Its Call-ID; for those we begin, made from the leg's key.
    pub call_id: String,
    /// Our From (or To) URI without tag, and the tag.
    pub local_uri: String,
    /// Made from the leg's key.
    pub local_tag: String,
    /// The far end's URI without tag.
    pub remote_uri: String,
    /// Empty until the far end gave one.
    pub remote_tag: String,
    /// The Contact we gave: its user part carries the token of call and leg.
    pub local_contact: String,
    /// Where in-dialog requests go: the far end's newest Contact.
    pub remote_target: String,
    /// Record-Route, in the order in which we must use it.
    pub route_set: Vec<String>,
    /// The last CSeq we sent. An adopter goes on at + 100 (gaps are legal, RFC 3261 12.2.2).
    pub local_cseq: u32,
    /// The last CSeq we accepted; 0 before the first.
    pub remote_cseq: u32,
    /// Where the far end's packets come from and ours go when its Contact is not reachable. Over TCP the line it came by,
    /// and where it listens.
    pub far: Far,
    /// What we described last; empty before, and once the row needs it no more.
    pub local_sdp: String,
    /// What the far end described last; empty likewise.
    pub remote_sdp: String,
    /// Version in the o= line of our last SDP.
    pub sdp_version: u32,
    /// The INVITE that is still open in it, the first or a re-INVITE.
    pub pending: Option<PendingInvite>,
}

/// An INVITE transaction that is not over, as the row of a call keeps it.
#[derive(Clone, PartialEq, Eq, Hash, Debug, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
pub enum PendingInvite {
    /// We owe the answer, or its repetition until the ACK.
    Server {
        /// CSeq of the INVITE.
        cseq: u32,
        /// The whole Via stack, topmost first, with received and rport filled in.
        via: Vec<String>,
        /// Record-Route as it came, for the responses.
        record_route: Vec<String>,
        /// Status of the final response we sent; 0 while there is none.
        status: u16,
    },
    /// We wait for the far end's final response.
    Client {
        /// The INVITE as it was sent; ACK and CANCEL are derived from it.
        request: Vec<u8>,
        /// Where it was sent.
        destination: Far,
    },
}
