//! Phones of agents, up to the answer: media, INVITE, ringing, a miss.

use std::collections::btree_map::Entry;
use std::net::SocketAddr;

use strowger_media::Op;
use strowger_model::{Cause, Far, LegKey, LogNow, Mono};
use strowger_sip::{Leg, Outgoing, Reached, offer_sdp};
use strowger_table as table;
use strowger_table::{Command, Miss, Reach};

use crate::limit;
use crate::machine::Machine;
use crate::side::{Side, ringing_time_left};

impl Machine {
    /// Rings the phone of an offer, once.
    pub(crate) fn begin_ringing(&mut self, key: LegKey, now: Mono) {
        if let Entry::Vacant(side) = self.sides.entry(key) {
            side.insert(Box::new(Side::opening(now + limit::MEDIA_OPEN)));
            self.media_of(key, Op::Open { leg: key.leg });
        }
    }

    pub(crate) fn ring(&mut self, leg: &table::Leg, rtp: SocketAddr, log_now: LogNow, now: Mono) {
        let ring = ringing_time_left(leg, log_now);
        let Some(invite) = self.invite(leg, offer_sdp(&self.local_media(leg.key, rtp, 1), "")) else { return };
        // A port that came too late: the offer is missed already, or about to be.
        let waits = |side: &&mut Box<Side>| side.sip.is_none() && !side.reported;
        let Some(side) = self.sides.get_mut(&leg.key).filter(waits) else { return };
        let (sip, outs) = Leg::outgoing(leg.key, invite, &self.setting.local, now);
        side.sip = Some(sip.reached(reached(leg)));
        side.give_up = Some(now + ring);
        self.sent(leg.key, outs, LogNow::default(), now);
    }

    /// The INVITE to whom we call. It follows from the row alone, so that an adopter sends a phone the same one, and the
    /// phone takes it for a repetition.
    pub(crate) fn invite(&self, leg: &table::Leg, sdp: String) -> Option<Outgoing> {
        let host = &self.setting.local.contact_host;
        let call_id = self.call_id(leg.key);
        let (uri, from, destination, headers) = match &leg.reach {
            Reach::Binding { uri, far, .. } => {
                let header = ("X-Strowger-Call".to_owned(), leg.key.call.to_string());
                (uri.clone(), user_part(self.rows.call.from()), *far, vec![header])
            }
            Reach::Trunk { number, caller_id, destination, .. } => {
                let Far { transport, addr, .. } = *destination;
                let uri = format!("sip:{number}@{addr}{}", transport.uri_parameter());
                (uri, caller_id.to_string(), *destination, Vec::new())
            }
            Reach::Inbound | Reach::Socket { .. } => return None,
        };
        Some(Outgoing {
            request_uri: uri.clone(),
            to_uri: uri,
            from_uri: format!("sip:{from}@{host}"),
            from_display: String::new(),
            call_id,
            destination,
            route_set: Vec::new(),
            sdp,
            headers,
        })
    }

    pub(crate) fn call_id(&self, key: LegKey) -> String {
        self.setting.local.tokens.call_id(key, &self.setting.local.contact_host)
    }

    /// The phone did not take it: back to the queue, once. `hang_up`: not what the phone said but what we decided.
    pub(crate) fn missed(&mut self, key: LegKey, status: u16, cause: Cause, hang_up: bool, log_now: LogNow) {
        let is_ringing = self.row_leg(key).is_some_and(table::Leg::is_ringing);
        let Some(side) = self.sides.get_mut(&key).filter(|side| is_ringing && !side.reported) else { return };
        side.reported = true;
        side.give_up = None;
        // Without a leg of ours the phone may still ring for an earlier owner.
        let unheard = side.inherited && side.sip.is_none();
        let (status, cause) = if unheard { (408, Cause::NO_ANSWER) } else { (status, cause) };
        let miss = Miss { status, cause, hang_up };
        self.say_of(key, Command::Missed { leg: key, miss, observed: log_now.at_most });
    }
}

/// Where the requests of a leg's dialog go. To a phone that is not where it says it is only the way that it registered by
/// leads, and to no phone anything on another host than it is called on.
pub(crate) fn reached(leg: &table::Leg) -> Reached {
    match &leg.reach {
        Reach::Binding { uri, far, .. } if strowger_sip::names(uri, *far) => Reached::OnItsHost,
        Reach::Binding { .. } => Reached::ByFlow,
        Reach::Inbound | Reach::Trunk { .. } | Reach::Socket { .. } => Reached::AsItSays,
    }
}

/// A caller's number as the user part of a URI; what does not belong there is left out.
fn user_part(number: &str) -> String {
    let user: String = number.chars().filter(|c| c.is_ascii_alphanumeric() || "+-_.*#".contains(*c)).collect();
    if user.is_empty() { "anonymous".to_owned() } else { user }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a carrier writes into From is hostile until it stands in a URI of ours.
    #[test]
    fn a_callers_number_is_safe_in_a_uri_and_never_empty() {
        assert_eq!(user_part("+49 (30) 123-456"), "+4930123-456");
        assert_eq!(user_part("Alice.B_7*#"), "Alice.B_7*#");
        assert_eq!(user_part("a@evil;x=\"<>\r\n"), "aevilx");
        assert_eq!(user_part("müller"), "mller");
        assert_eq!((user_part(""), user_part("@@")), ("anonymous".to_owned(), "anonymous".to_owned()));
    }
}
