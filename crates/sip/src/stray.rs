//! A phone that answers an INVITE nobody remembers: its owner died and the offer went elsewhere. Left alone it would
//! repeat its 2xx for half a minute and hold a dialog nobody ends.

use strowger_model::Transport;

use crate::compose::{MAX_FORWARDS, Writer};
use crate::leg::Local;
use crate::message::Message;

/// What brings such a phone to rest: an ACK and a BYE (RFC 3261 section 13.2.2.4, as for a fork that is not wanted).
/// Nothing for any other response. Both go to where the answer came from, over `transport` as it did.
pub fn dismiss(response: &Message, transport: Transport, local: &Local) -> Vec<Vec<u8>> {
    let succeeded = (200..300).contains(&response.status()) && response.cseq_method() == "INVITE";
    let Some(target) = response.contact_uri().filter(|_| succeeded) else { return Vec::new() };
    let mut route = response.record_routes();
    route.reverse();
    let request = |method: &str, cseq: u32| {
        let mut out = Writer::request(method, target);
        // The same request for the same answer, whichever node sends it.
        let branch = format!("{}.{}", response.top_branch(), method.to_ascii_lowercase());
        out.header("Via", &format!("SIP/2.0/{} {};branch={branch};rport", transport.name(), local.contact_host));
        out.header("Max-Forwards", &MAX_FORWARDS.to_string());
        out.headers("Route", &route);
        out.header("From", response.header("From").unwrap_or_default());
        out.header("To", response.header("To").unwrap_or_default());
        out.header("Call-ID", response.call_id());
        out.header("CSeq", &format!("{cseq} {method}"));
        out.finish(None)
    };
    vec![request("ACK", response.cseq()), request("BYE", response.cseq().saturating_add(1))]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: &str) -> Message {
        let text = format!(
            "SIP/2.0 {status}\r\nVia: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKc01-2.x\r\n\
             Record-Route: <sip:a.example;lr>\r\nRecord-Route: <sip:b.example;lr>\r\n\
             From: <sip:1@192.0.2.1>;tag=ours\r\nTo: <sip:7@192.0.2.4>;tag=theirs\r\nCall-ID: lost\r\n\
             CSeq: 1 INVITE\r\nContact: <sip:7@192.0.2.4:5070>\r\nContent-Length: 0\r\n\r\n"
        );
        Message::parse(text.as_bytes()).expect("well-formed")
    }

    fn local() -> Local {
        let tokens = crate::TokenKeys::new(&[7; 32], &[]);
        Local { contact_host: "192.0.2.1:5060".into(), user_agent: String::new(), tokens }
    }

    #[test]
    fn a_forgotten_success_is_acknowledged_and_ended() {
        let sent: Vec<Message> = dismiss(&answer("200 OK"), Transport::Tcp, &local())
            .iter()
            .map(|bytes| Message::parse(bytes).expect("we write what we can read"))
            .collect();
        assert_eq!(sent.iter().map(|request| request.method()).collect::<Vec<_>>(), ["ACK", "BYE"]);
        assert_eq!(sent.iter().map(Message::cseq).collect::<Vec<_>>(), [1, 2]);
        assert!(sent.iter().all(|request| request.vias()[0].starts_with("SIP/2.0/TCP 192.0.2.1:5060;branch=")));
        assert_eq!(sent[1].request_uri(), "sip:7@192.0.2.4:5070");
        assert_eq!(sent[1].to_tag(), "theirs");
        assert_eq!(sent[1].headers("Route").collect::<Vec<_>>(), ["<sip:b.example;lr>", "<sip:a.example;lr>"]);
    }

    #[test]
    fn other_answers_need_nothing() {
        assert!(dismiss(&answer("180 Ringing"), Transport::Udp, &local()).is_empty());
        assert!(dismiss(&answer("486 Busy Here"), Transport::Udp, &local()).is_empty());
    }
}
