//! Names made of several words, addresses, dialogs, ends of calls.

use std::net::SocketAddr;

use strowger_model::*;

use crate::layout::frozen::frozen;

frozen! {
    struct LegKeyV1 = LegKey {
        call: CallId,
        leg: LegNo,
    }
    struct OwnerV1 = Owner {
        node: NodeId,
        incarnation: Incarnation,
        epoch: u64,
    }
    enum TransportV1 = Transport {
        Udp,
        Tcp,
    }
    struct LineV1 = Line {
        node: NodeId,
        number: u64,
    }
    struct FarV1 = Far {
        transport: TransportV1,
        addr: SocketAddr,
        line: Option<LineV1>,
    }
    enum RoleV1 = Role {
        Uas,
        Uac,
    }
    enum DialogStateV1 = DialogState {
        Early,
        Confirmed,
        Ended,
    }
    struct DialogV1 = Dialog {
        role: RoleV1,
        state: DialogStateV1,
        call_id: String,
        local_uri: String,
        local_tag: String,
        remote_uri: String,
        remote_tag: String,
        local_contact: String,
        remote_target: String,
        route_set: Vec<String>,
        local_cseq: u32,
        remote_cseq: u32,
        far: FarV1,
        local_sdp: String,
        remote_sdp: String,
        sdp_version: u32,
        pending: Option<PendingInviteV1>,
    }
    enum PendingInviteV1 = PendingInvite {
        Server { cseq: u32, via: Vec<String>, record_route: Vec<String>, status: u16 },
        Client { request: Vec<u8>, destination: FarV1 },
    }
    enum CallOutcomeV1 = Outcome {
        Answered,
        ServedByFlow,
        Abandoned,
        Overflowed,
        Failed,
        Rejected,
        NotReached,
        CalledBack,
        Voicemail,
        TransferredOut,
        Merged,
    }
    enum DialResultV1 = DialResult {
        Connected,
        Abandoned,
        Busy,
        NoAnswer,
        Rejected,
        InvalidNumber,
        Unreachable,
        CarrierFailed,
        NotDialled,
        Unknown,
    }
    enum HangupByV1 = HangupBy {
        Caller,
        Agent,
        System,
        Party,
    }
    struct EndedV1 = Ended {
        by: HangupByV1,
        cause: Cause,
    }
}
