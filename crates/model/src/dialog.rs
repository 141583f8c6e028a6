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

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
pub enum DialogState {
    Early,
    Confirmed,
    Ended,
}

/// A dialog (RFC 3261, section 12) and the INVITE transaction that may still be open in it.
#[derive(Clone, PartialEq, Eq, Hash, Debug, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
pub struct Dialog {
    pub role: Role,
    pub state: DialogState,
    pub call_id: String,
    /// Our From (or To) URI without tag, and the tag.
    pub local_uri: String,
    pub local_tag: String,
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
    pub local_sdp: String,
    pub remote_sdp: String,
    /// Version in the o= line of our last SDP.
    pub sdp_version: u32,
    pub pending: Option<PendingInvite>,
}

/// An INVITE transaction that is not over, as the row of a call keeps it.
#[derive(Clone, PartialEq, Eq, Hash, Debug, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
pub enum PendingInvite {
    /// We owe the answer, or its repetition until the ACK.
    Server {
        cseq: u32,
        /// The whole Via stack, topmost first, with received and rport filled in.
        via: Vec<String>,
        record_route: Vec<String>,
        /// Status of the final response we sent; 0 while there is none.
        status: u16,
    },
    /// We wait for the far end's final response.
    Client {
        /// The INVITE as it was sent; ACK and CANCEL are derived from it.
        request: Vec<u8>,
        destination: Far,
    },
}
