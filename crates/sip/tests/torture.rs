//! Messages after RFC 4475: what must be understood is, what is broken is answered, nothing panics.

mod far;

use far::{Bench, OFFER, local};
use strowger_model::Mono;
use strowger_sip::{
    Contacts, ContactsFault, Leg, Message, Problem, contacts, reply, reply_destination, screen, verify,
};

/// `\n` for line ends; headers every request needs, unless given.
fn wire(text: &str) -> Vec<u8> {
    text.replace("\r\n", "\n").replace('\n', "\r\n").into_bytes()
}

fn options(start: &str, changes: &[(&str, &str)]) -> Vec<u8> {
    let mut text = format!(
        "{start}\nTo: sip:user@example.com\nFrom: sip:caller@example.org;tag=33242\nMax-Forwards: 3\n\
         Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKkdjuw\nCall-ID: torture.0ha0isndaksdj\nCSeq: 8 OPTIONS\nl: 0\n\n"
    );
    for (from, to) in changes {
        assert!(text.contains(from), "{from}");
        text = text.replacen(from, to, 1);
    }
    wire(&text)
}

const PLAIN: &str = "OPTIONS sip:user@example.com SIP/2.0";

/// 3.1.1.1
const WSINV: &str = "INVITE sip:vivekg@chair-dnrc.example.com;unknownparam SIP/2.0
TO :
 sip:vivekg@chair-dnrc.example.com ;   tag    = 1918181833n
from   : \"J Rosenberg \\\\\\\"\"       <sip:jdrosen@example.com>
  ;
  tag = 98asjd8
MaX-fOrWaRdS: 0068
Call-ID: wsinv.ndaksdj@192.0.2.1
Content-Length   : 0
cseq: 0009
  INVITE
Via  : SIP  /   2.0
 /UDP
    192.0.2.2;branch=390skdjuw
s :
NewFangledHeader:   newfangled value
 continued newfangled value
UnknownHeaderWithUnusualValue: ;;,,;;,;
Route:
 <sip:services.example.com;lr;unknownwith=value;unknown-no-value>
v:  SIP  / 2.0  / TCP     spindle.example.com   ;
  branch  =   z9hG4bK9ikj8  ,
 SIP  /    2.0   / UDP  192.168.255.111   ; branch=
 z9hG4bK30239
m:\"Quoted string \\\"\\\"\" <sip:jdrosen@example.com> ; newparam =
      newvalue ;
  secondparam ; q = 0.33

";

#[test]
fn a_short_tortuous_invite_is_read_to_the_last_fold() {
    let message = Message::parse(&wire(WSINV)).unwrap();
    assert_eq!((message.method(), message.cseq()), ("INVITE", 9));
    assert_eq!((message.from_tag(), message.to_tag()), ("98asjd8", "1918181833n"));
    assert_eq!((message.from_user(), message.request_uri_user()), ("jdrosen", "vivekg"));
    assert_eq!(message.vias().len(), 3);
    assert_eq!(message.top_branch(), "390skdjuw");
    assert_eq!(message.contact_uri(), Some("sip:jdrosen@example.com"));
    assert_eq!(message.max_forwards(), Some(68));
    assert_eq!(message.header("newfangledheader"), Some("newfangled value continued newfangled value"));
    let source = far::addr("192.0.2.2:5060");
    assert_eq!(reply_destination(&message, source), source);
    let again = Message::parse(&message.bytes()).unwrap();
    assert_eq!(again.vias(), message.vias());
}

#[test]
fn odd_but_legal_messages_are_read() {
    let intmeth = "!interesting-Method0123456789_*+`.%indeed'~ sip:1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*:\
                   &it+has=1,weird!*pas$wo~d_too.(doesn't-it)@example.com SIP/2.0";
    let odd = [
        // 3.1.1.2
        options(intmeth, &[("8 OPTIONS", "139122385 !interesting-Method0123456789_*+`.%indeed'~")]),
        // 3.1.1.3, 3.1.1.4, 3.1.1.5
        options("OPTIONS sip:sips%3Auser%40example.com@example.net SIP/2.0", &[]),
        options(PLAIN, &[("sip:caller@example.org", "sip:null-%00-null@example.com")]),
        options("RE%47IST%45R sip:registrar.example.com SIP/2.0", &[("8 OPTIONS", "29344 RE%47IST%45R")]),
        // 3.1.1.6
        options(PLAIN, &[("sip:caller@example.org", "caller<sip:caller@example.com>")]),
        // 3.1.1.7
        options(
            PLAIN,
            &[
                (
                    "sip:caller@example.org;tag=33242",
                    &format!(
                        "\"{}\" <sip:{}@example.net>;tag=12{}424",
                        "I have a user name ".repeat(20),
                        "amazinglylongcallername".repeat(5),
                        "982".repeat(50)
                    ),
                ),
                ("torture.0ha0isndaksdj", &format!("longreq.one{}longcallid", "really".repeat(20))),
            ],
        ),
        // 3.1.1.9
        options("OPTIONS sip:user;par=u%40example.net@example.com SIP/2.0", &[]),
        // 3.1.1.10
        options(
            PLAIN,
            &[("Via: ", "Via: SIP/2.0/UNKNOWN t5.example.com;branch=z9hG4bKun\nVia: SIP/2.0/SCTP t3;branch=z9\nVia: ")],
        ),
    ];
    for datagram in odd {
        let shown = String::from_utf8_lossy(&datagram).into_owned();
        let message = Message::parse(&datagram).unwrap_or_else(|fault| panic!("{fault}\n{shown}"));
        assert_eq!(message.bytes(), datagram, "{shown}");
    }
    // 3.1.1.8: what follows the body is noise.
    let mut doubled = options(PLAIN, &[]);
    let one = doubled.clone();
    doubled.extend_from_slice(b"INVITE sip:joe@example.com SIP/2.0\r\n\r\n");
    assert_eq!(Message::parse(&doubled).unwrap().bytes(), one);
    // Section 7.5 of RFC 3261 says it of streams; gateways do it in datagrams, too, and their calls were dropped.
    for blank in [&b"\r\n"[..], b"\r\n\r\n", b"\n"] {
        assert_eq!(Message::parse(&[blank, &one].concat()).unwrap().bytes(), one);
    }
}

#[test]
fn a_response_may_have_an_empty_or_foreign_reason() {
    // 3.1.1.13 and 3.1.1.12
    for (start, status, reason) in [
        ("SIP/2.0 100 ", 100, ""),
        ("SIP/2.0 200 = 2**3 * 5**2 но сто девяносто девять", 200, "= 2**3 * 5**2 но сто девяносто девять"),
    ] {
        let message = Message::parse(&options(start, &[])).unwrap();
        assert_eq!((message.status(), message.reason()), (status, reason));
    }
}

#[test]
fn broken_messages_are_refused_and_answered_when_they_can_be() {
    let cases: Vec<(&str, Vec<u8>, Option<u16>)> = vec![
        ("badinv01", options(PLAIN, &[("192.0.2.1;", "192.0.2.1;;,;,,;")]), Some(400)),
        ("clerr", options(PLAIN, &[("l: 0", "l: 9999")]), Some(400)),
        ("ncl", options(PLAIN, &[("l: 0", "l: -999")]), Some(400)),
        ("scalar02", options(PLAIN, &[("8 OPTIONS", "36893488147419103232 OPTIONS")]), Some(400)),
        ("quotbal", options(PLAIN, &[("To: sip", "To: \"Mr. J. User <sip:j.user@example.com>\nX: sip")]), Some(400)),
        ("ltgtruri", options("OPTIONS <sip:user@example.com> SIP/2.0", &[]), Some(400)),
        ("lwsruri", options("OPTIONS sip:user@example.com; lr SIP/2.0", &[]), Some(400)),
        ("lwsstart", options("OPTIONS  sip:user@example.com  SIP/2.0", &[]), Some(400)),
        ("trws", options("OPTIONS sip:user@example.com SIP/2.0 ", &[]), Some(400)),
        ("escruri", options("OPTIONS sip:user@example.com?Route=%3Csip:x%3E SIP/2.0", &[]), Some(400)),
        (
            "badaspec",
            options(PLAIN, &[("To: sip:user@example.com", "To: \"W\" < sip:t.watson@example.org > junk")]),
            Some(400),
        ),
        ("badvers", options("OPTIONS sip:t.watson@example.org SIP/7.0", &[]), Some(505)),
        ("mismatch01", options(PLAIN, &[("8 OPTIONS", "8 INVITE")]), Some(400)),
        ("mismatch02", options("NEWMETHOD sip:user@example.com SIP/2.0", &[("8 OPTIONS", "8 INVITE")]), Some(400)),
        ("bigcode", options("SIP/2.0 4294967301 better not break the receiver", &[]), None),
        ("multi01", options(PLAIN, &[("CSeq:", "CSeq: 5 OPTIONS\nCSeq:")]), Some(400)),
        ("mcl01", options(PLAIN, &[("l: 0", "l: 0\nContent-Length: 5")]), Some(400)),
        ("inv2543", options(PLAIN, &[(";tag=33242", "")]), Some(400)),
        ("no Via", options(PLAIN, &[("Via:", "Vie:")]), None),
        ("insuf", options(PLAIN, &[("To:", "Tu:")]), None),
        ("an ACK", options("ACK sip:user@example.com SIP/2.0", &[("8 OPTIONS", "8 INVITE")]), None),
        ("a response", options("SIP/7.0 200 OK", &[]), None),
        ("too many headers", options(PLAIN, &[("l: 0", &format!("{}l: 0", "X: y\n".repeat(200)))]), Some(513)),
        ("too large", vec![b'x'; 70_000], None),
        ("nothing", Vec::new(), None),
        ("no lines", b"\0\xff\xfe rubbish".to_vec(), None),
    ];
    for (name, datagram, status) in cases {
        let fault = Message::parse(&datagram).err().unwrap_or_else(|| panic!("{name} was accepted"));
        // A reply to a request whose own From, To or CSeq is broken repeats what was broken: only its start counts.
        let start = fault.reply().map(|bytes| String::from_utf8_lossy(&bytes)[8..11].parse().unwrap());
        assert_eq!(start, status, "{name}: {fault}");
    }
    let version = Message::parse(&options("OPTIONS sip:a@b SIP/7.0", &[])).unwrap_err();
    assert_eq!(version.problem, Problem::Version);
}

/// Who calls, and by what calls are told apart, goes into rows, records and lists of every node: what is as long as in
/// longreq is taken, what had 8 KiB was taken as well.
#[test]
fn what_goes_into_rows_is_bounded_and_a_refusal_says_what_was_too_long() {
    let caller = |text: &str| ("sip:caller@example.org;tag", format!("<sip:{text}@example.net>;tag"));
    let from_tag = |text: &str| ("tag=33242", format!("tag={text}"));
    let to_tag = |text: &str| ("To: sip:user@example.com", format!("To: sip:user@example.com;tag={text}"));
    let call_id = |text: &str| ("torture.0ha0isndaksdj", text.to_owned());
    type Place<'a> = &'a dyn Fn(&str) -> (&'static str, String);
    let places: [(Place<'_>, &str, usize); 4] = [
        (&caller, "the caller's number", 128),
        (&from_tag, "the tag of From", 256),
        (&to_tag, "the tag of To", 256),
        (&call_id, "Call-ID", 256),
    ];
    for (place, what, most) in places {
        for (length, is_taken) in [(115, true), (most, true), (most + 1, false), (7000, false)] {
            let (from, to) = place(&"7".repeat(length));
            let read = Message::parse(&options(PLAIN, &[(from, &to)]));
            assert_eq!(read.is_ok(), is_taken, "{what}: {length} bytes");
            let Err(fault) = read else { continue };
            assert_eq!(fault.problem, Problem::TooLong { what, most });
            let answer = String::from_utf8(fault.reply().unwrap()).unwrap();
            let reason = format!("SIP/2.0 400 Bad Request: {what} has more than {most} bytes\r\n");
            assert!(answer.starts_with(&reason), "{}", &answer[..80]);
        }
    }
}

#[test]
fn what_is_legal_but_not_ours_gets_the_right_refusal() {
    let parse = |datagram: &[u8]| Message::parse(datagram).unwrap();
    // bext01
    let extension =
        parse(&options(PLAIN, &[("l: 0", "Require: nothingSupportsThis, nothingSupportsThisEither\nl: 0")]));
    let refusal = screen(&extension).unwrap();
    assert_eq!(refusal.status, 420);
    assert_eq!(refusal.headers, [("Unsupported", "nothingSupportsThis, nothingSupportsThisEither".to_owned())]);
    // zeromf: answered where it ends, stopped where it would go on.
    assert_eq!(screen(&parse(&options(PLAIN, &[("Max-Forwards: 3", "Max-Forwards: 0")]))), None);
    let looping =
        options("INVITE sip:a@b SIP/2.0", &[("Max-Forwards: 3", "Max-Forwards: 0"), ("8 OPTIONS", "8 INVITE")]);
    assert_eq!(screen(&parse(&looping)).map(|refusal| refusal.status), Some(483));
    let unknown = parse(&options("NEWMETHOD sip:a@b SIP/2.0", &[("8 OPTIONS", "8 NEWMETHOD")]));
    assert_eq!(screen(&unknown).map(|refusal| refusal.status), Some(405));
    assert_eq!(screen(&parse(&options(PLAIN, &[]))), None);
    // regbadct
    let register = options(
        "REGISTER sip:example.com SIP/2.0",
        &[("8 OPTIONS", "8 REGISTER"), ("l: 0", "Contact: sip:user@example.com?Route=%3Csip:x\nContact: <>\nl: 0")],
    );
    assert_eq!(contacts(&parse(&register)), Err(ContactsFault::Malformed));
    // cparam02
    let register = options(
        "REGISTER sip:example.com SIP/2.0",
        &[("8 OPTIONS", "8 REGISTER"), ("l: 0", "Contact: <sip:+19725552222@gw1.example.net;unknownparam>\nl: 0")],
    );
    assert!(matches!(contacts(&parse(&register)), Ok(Contacts::List(list)) if list[0].uri.ends_with("unknownparam")));
    // unkscm, novelsc
    for uri in ["nobodyKnowsThisScheme:totallyopaquecontent", "soap.beep://192.0.2.103:3002"] {
        let unknown = parse(&options(&format!("OPTIONS {uri} SIP/2.0"), &[]));
        assert_eq!((unknown.request_uri_user(), unknown.called_number()), ("", ""));
        assert_eq!(screen(&unknown).map(|refusal| refusal.status), Some(416), "{uri}");
    }
    assert_eq!(screen(&parse(&options("OPTIONS tel:+4930123457 SIP/2.0", &[]))), None);
}

#[test]
fn a_stateless_reply_repeats_what_it_must_and_is_the_same_each_time() {
    let mut request =
        Message::parse(&options(PLAIN, &[("Via: ", "Via: SIP/2.0/UDP 10.0.0.1:5062;rport;branch=z9hG4bKtop, ")]))
            .unwrap();
    let source = far::addr("203.0.113.4:4444");
    request.fill_received(source.addr);
    assert_eq!(reply_destination(&request, source), source);
    let extra = [("Retry-After", "7".to_owned())];
    let bytes = reply(&request, 503, "Service Unavailable", &extra, None, None);
    assert_eq!(bytes, reply(&request, 503, "Service Unavailable", &extra, None, None));
    let answer = Message::parse(&bytes).unwrap();
    assert_eq!((answer.status(), answer.cseq(), answer.call_id()), (503, 8, request.call_id()));
    assert_eq!(answer.vias(), request.vias());
    assert_eq!(answer.vias().len(), 2);
    assert!(answer.vias()[0].contains("rport=4444"));
    assert_eq!(answer.header("Retry-After"), Some("7"));
    assert!(!answer.to_tag().is_empty());
    let forwarded = Message::parse(&request.bytes()).unwrap();
    assert_eq!(forwarded.vias(), request.vias());
    let trying = Message::parse(&reply(&request, 100, "Trying", &[], None, None)).unwrap();
    assert_eq!(trying.to_tag(), "");
    let tagged = reply(&request, 200, "OK", &[], Some("mine"), Some(("application/sdp", OFFER.as_bytes())));
    let tagged = Message::parse(&tagged).unwrap();
    assert_eq!((tagged.to_tag(), tagged.body()), ("mine", OFFER.as_bytes()));
}

/// A small generator with a seed (Steele, Lea and Flood's SplitMix64), so a failure can be run again.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % sides as u64) as usize
    }
}

const SPLINTERS: [&[u8]; 14] = [
    b"\r\n",
    b"\r\n ",
    b"\"",
    b"<",
    b">",
    b";",
    b",",
    b"=",
    b":",
    b"\0",
    b"\xff\xfe",
    b"%",
    b"99999999999",
    b"\r\n\r\n",
];

fn mutated(seed: &[u8], dice: &mut Dice) -> Vec<u8> {
    let mut bytes = seed.to_vec();
    for _ in 0..1 + dice.roll(6) {
        let at = dice.roll(bytes.len() + 1);
        let end = (at + dice.roll(12)).min(bytes.len());
        match dice.roll(4) {
            0 => drop(bytes.splice(at..at, SPLINTERS[dice.roll(SPLINTERS.len())].iter().copied())),
            1 => drop(bytes.drain(at..end)),
            2 => bytes.get_mut(at).into_iter().for_each(|byte| *byte = dice.roll(256) as u8),
            _ => {
                let piece: Vec<u8> = bytes[at..end].to_vec();
                let to = dice.roll(bytes.len() + 1);
                bytes.splice(to..to, piece);
            }
        }
    }
    bytes
}

/// Everything a node does with a message it got.
fn handle(datagram: &[u8], legs: &mut [Leg]) -> bool {
    let source = far::far();
    let Ok(mut message) = Message::parse(datagram) else { return false };
    message.fill_received(source.addr);
    let _ = (message.from_uri(), message.to_user(), message.expires(), message.record_routes(), message.reason());
    let _ = (far::tokens().leg_of(&message), contacts(&message), strowger_sip::q850(&message), message.bytes());
    let _ = strowger_sip::parse_sdp(message.body());
    let _ = verify(&message, "pbx", |_, _| Vec::new(), &[b"key"], 0, "source");
    if message.is_request() {
        let _ = (screen(&message), reply(&message, 400, "Bad Request", &[], None, None));
        let mut leg = Leg::incoming(far::key(), &message, source, &local());
        let _ = (leg.ring(Mono::ZERO), leg.accept(OFFER.to_owned(), Mono::ZERO), leg.hang_up(None, Mono::ZERO));
    }
    for leg in legs {
        let _ = leg.on_message(&message, source, Mono::ZERO);
    }
    true
}

#[test]
fn ten_thousand_mutations_panic_nowhere() {
    let (confirmed, tag) = far::confirmed_call();
    let (dialled, invite) = far::confirmed_dial();
    let (calling, first) = Bench::calling();
    let authorization = r#"Authorization: Digest username="7", realm="pbx", nonce="0", uri="sip:x", qop=auth, nc=00000001, cnonce="a", response="b""#;
    let seeds: Vec<Vec<u8>> = vec![
        wire(WSINV),
        options(PLAIN, &[]),
        far::invite().into_bytes(),
        far::request("INVITE", 11, "z9hG4bKre", &tag, &[], OFFER).into_bytes(),
        far::request("BYE", 12, "z9hG4bKbye", &tag, &["Reason: Q.850;cause=16"], "").into_bytes(),
        far::request("REGISTER", 13, "z9hG4bKreg", "", &[authorization, "Expires: 60"], "").into_bytes(),
        far::answer(&first, 200, "bob", &[far::BOB, "Record-Route: <sip:a;lr>, <sip:b;lr>"], OFFER).into_bytes(),
        far::callee_request(&invite, "UPDATE", 3, "z9hG4bKup", &[], OFFER).into_bytes(),
    ];
    let mut dice = Dice(1889);
    let mut understood = 0;
    for turn in 0..10_000 {
        // Fresh legs now and then, or the first BYE would end them for good.
        let mut legs = [confirmed.leg.clone(), dialled.leg.clone(), calling.leg.clone()];
        let datagram = mutated(&seeds[turn % seeds.len()], &mut dice);
        understood += usize::from(handle(&datagram, &mut legs));
    }
    assert!((1000..10_000).contains(&understood), "mutations should spoil some messages and spare some: {understood}");
}

#[test]
fn ten_thousand_mutated_sdps_panic_nowhere() {
    let local = strowger_sip::LocalMedia {
        rtp: far::addr("192.0.2.10:20000").addr,
        laws: vec![strowger_model::Law::A],
        session_id: 1,
        version: 1,
    };
    let seed = format!(
        "{OFFER}a=rtpmap:8 PCMA/8000\r\na=rtcp:4001 IN IP4 192.0.2.1\r\na=sendonly\r\nm=video 0 RTP/AVP 31\r\n"
    );
    let mut dice = Dice(4);
    for _ in 0..10_000 {
        let _ = strowger_sip::answer_sdp(&mutated(seed.as_bytes(), &mut dice), &local);
    }
}
