//! How an agent's phone is found: it registers with a password, or it is always at one address.

use std::net::{IpAddr, SocketAddr};

use md5::Md5;
use sha2::{Digest, Sha256};
use strowger_model::config::Phone;
use strowger_model::{Far, Ha1, Hashes, Sealed, Transport, Whose};

use crate::agent::{NAME_MARK, Team};
use crate::page::Written;
use crate::section::Section;

/// Registrars are searched for short passwords all day long, and each one found pays for calls.
const MIN_PASSWORD_CHARS: usize = 8;
const MAX_PASSWORD_CHARS: usize = 128;
/// RFC 3261 section 19.1.2.
const SIP_PORT: u16 = 5060;

/// Seals a secret of the user that it belongs to.
pub type Seal<'a> = dyn Fn(Whose<'_>, &Ha1) -> Sealed + 'a;

/// For a check where there is no data key: as long as what is sealed, and nothing of the secret.
pub fn sealed_for_check(_: Whose<'_>, ha1: &Ha1) -> Sealed {
    Sealed { bytes: vec![0; ha1.to_bytes().len() + Sealed::OVERHEAD], ..Sealed::default() }
}

/// As written. In a range, `{name}` stands for each agent's name.
pub(crate) enum PhoneText {
    Password { text: Written<String>, of_range: bool },
    Hashes(Hashes),
    Contact { text: Written<String>, of_range: bool },
}

impl PhoneText {
    /// None after a fault.
    pub(crate) fn read(section: &Section<'_>, of_range: bool) -> Option<Self> {
        let password = section.optional_text("password", "password = \"PASSWORD\"");
        let sha256 = read_hash(section, "ha1_sha256");
        let md5 = read_hash(section, "ha1_md5");
        let contact = section.optional_text("contact", "contact = \"sip:1001@192.0.2.20:5060\"");
        let hashes = section.has("ha1_sha256") || section.has("ha1_md5");
        let ways: Vec<_> = [
            ("password", section.has("password")),
            ("ha1_sha256 and ha1_md5", hashes),
            ("contact", section.has("contact")),
        ]
        .into_iter()
        .filter_map(|(way, there)| there.then_some(way))
        .collect();
        if ways.len() != 1 {
            let has = if ways.is_empty() { "no phone".to_owned() } else { ways.join(" as well as ") };
            let fix = "write one of password, ha1_sha256 with ha1_md5, or contact";
            section.fault(format!("this agent has {has}"), fix);
            return None;
        }
        if hashes && of_range {
            let fix = format!("write password, with {NAME_MARK} in it, or each agent alone");
            section.fault("a hash belongs to one name and cannot serve a range", fix);
            return None;
        }
        if hashes && !(section.has("ha1_sha256") && section.has("ha1_md5")) {
            section.fault("this agent has one of two hashes", "write ha1_sha256 and ha1_md5");
            return None;
        }
        if let Some(text) = password {
            return check_password(section, &text).then_some(PhoneText::Password { text, of_range });
        }
        if let Some(text) = contact {
            return Some(PhoneText::Contact { text, of_range });
        }
        Some(PhoneText::Hashes(Hashes { md5: md5?, sha256: Some(sha256?) }))
    }

    /// The phone of one agent. Passwords end here: only hashes go on, sealed, and only those that its tenant offers.
    pub(crate) fn of(&self, section: &Section<'_>, name: &str, team: &Team<'_>) -> Option<Phone> {
        match self {
            PhoneText::Password { text, of_range } => {
                let password = fill(&text.value, name, *of_range);
                let hashed = |user: &str| {
                    let a1 = format!("{user}:{}:{password}", team.realm);
                    Hashes { md5: Md5::digest(&a1).into(), sha256: Some(Sha256::digest(&a1).into()) }
                };
                Some(registers(team, name, hashed(name), Some(hashed(&format!("{name}@{}", team.realm)))))
            }
            PhoneText::Hashes(alone) => Some(registers(team, name, alone.clone(), None)),
            PhoneText::Contact { text, of_range } => {
                let uri = fill(&text.value, name, *of_range);
                let Some(far) = far(&uri) else {
                    let fix = "write sip:USER@ADDRESS:PORT, where ADDRESS is an IP address; ;transport=tcp may follow";
                    section.fault_at(&text.at, format!("`{uri}` is no contact"), fix);
                    return None;
                };
                Some(Phone::Static { uri, far })
            }
        }
    }
}

fn registers(team: &Team<'_>, user: &str, alone: Hashes, at_realm: Option<Hashes>) -> Phone {
    let offered = |hashes: Hashes| Hashes { sha256: hashes.sha256.filter(|_| team.sha256), ..hashes };
    let ha1 = Ha1 { alone: offered(alone), at_realm: at_realm.map(offered) };
    Phone::Registers { ha1: (team.seal)(Whose { realm: team.realm, user }, &ha1) }
}

fn read_hash<const N: usize>(section: &Section<'_>, key: &'static str) -> Option<[u8; N]> {
    let digits = 2 * N;
    let hash = section.optional_text(key, &format!("{key} = \"{digits} hexadecimal digits\""))?;
    let read = from_hex(&hash.value);
    if read.is_none() {
        let fix = format!("write {digits} hexadecimal digits: the hash of NAME:REALM:PASSWORD");
        section.fault_at(&hash.at, format!("`{key}` is no such hash"), fix);
    }
    read
}

fn from_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digit = |byte: &u8| char::from(*byte).to_digit(16).map(|digit| digit as u8);
    let digits: Vec<u8> = text.as_bytes().iter().map(digit).collect::<Option<_>>()?;
    let bytes: Vec<u8> = digits.chunks(2).map(|pair| pair.iter().fold(0, |byte, digit| byte << 4 | digit)).collect();
    bytes.try_into().ok().filter(|_| digits.len() == 2 * N)
}

fn check_password(section: &Section<'_>, text: &Written<String>) -> bool {
    let chars = text.value.chars().count();
    let good = (MIN_PASSWORD_CHARS..=MAX_PASSWORD_CHARS).contains(&chars) && !text.value.chars().any(char::is_control);
    if !good {
        // The password itself stays out of logs and terminals.
        let fix = format!("choose {MIN_PASSWORD_CHARS} to {MAX_PASSWORD_CHARS} characters without control characters");
        section.fault_at(&text.at, format!("a password of {chars} characters is refused"), fix);
    }
    good
}

fn fill(text: &str, name: &str, of_range: bool) -> String {
    if of_range { text.replace(NAME_MARK, name) } else { text.to_owned() }
}

/// Where packets for a contact go. A name would need a resolver, and a phone that is always there has an address.
/// Of transports only those we speak: a phone that wants TLS would never ring.
fn far(uri: &str) -> Option<Far> {
    let plain = |c: char| c.is_ascii_graphic() && !matches!(c, '<' | '>' | '"' | '{' | '}' | '?' | ',');
    let (user, rest) = uri.strip_prefix("sip:").filter(|rest| rest.chars().all(plain))?.split_once('@')?;
    let mut parts = rest.split(';');
    let host = parts.next()?;
    let transport =
        match parts.filter_map(|part| part.split_once('=')).find(|(key, _)| key.eq_ignore_ascii_case("transport")) {
            Some((_, name)) if name.eq_ignore_ascii_case("tcp") => Transport::Tcp,
            Some((_, name)) if !name.eq_ignore_ascii_case("udp") => return None,
            _ => Transport::Udp,
        };
    let addr = match host.parse() {
        Ok(addr) => addr,
        Err(_) => SocketAddr::new(ip(host)?, SIP_PORT),
    };
    (!user.is_empty() && addr.port() != 0 && !addr.ip().is_unspecified()).then_some(Far { transport, addr, line: None })
}

/// IPv6 addresses stand in brackets in a URI (RFC 3261 section 25.1).
fn ip(host: &str) -> Option<IpAddr> {
    match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(v6) => v6.parse().ok().map(IpAddr::V6),
        None => host.parse().ok().map(IpAddr::V4),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_read_in_either_case_and_whole() {
        assert_eq!(from_hex("00aF10"), Some([0, 0xaf, 0x10]));
        for bad in ["00af1", "00af100", "00af1g", "+0af10", "00af100000", ""] {
            assert_eq!(from_hex::<3>(bad), None, "{bad}");
        }
    }

    #[test]
    fn contacts_have_addresses() {
        let v6 = |text: &str| Some(Far::udp(text.parse::<SocketAddr>().unwrap()));
        assert_eq!(far("sip:1001@192.0.2.20:5070"), Some(Far::udp(([192, 0, 2, 20], 5070))));
        assert_eq!(far("sip:1001@192.0.2.20;transport=udp"), Some(Far::udp(([192, 0, 2, 20], 5060))));
        assert_eq!(far("sip:1001@192.0.2.20:5070;ob;transport=TCP"), Some(Far::tcp(([192, 0, 2, 20], 5070))));
        assert_eq!(far("sip:1001@192.0.2.20;transport=tls"), None);
        assert_eq!(far("sip:1001@[2001:db8::1]"), v6("[2001:db8::1]:5060"));
        assert_eq!(far("sip:1001@[2001:db8::1]:5062"), v6("[2001:db8::1]:5062"));
        for bad in
            ["sip:1001@pbx.example.com", "1001@192.0.2.20", "sip:@192.0.2.20", "sip:a@0.0.0.0", "sip:a@192.0.2.1:0"]
        {
            assert_eq!(far(bad), None, "{bad}");
        }
    }
}
