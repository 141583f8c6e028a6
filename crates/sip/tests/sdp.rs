//! Offer and answer as RFC 3264 wants them.

use strowger_model::{Law, MediaAddr};
use strowger_sip::{Direction, LocalMedia, SdpFault, answer_sdp, offer_sdp, parse_answer, parse_sdp};

fn local() -> LocalMedia {
    LocalMedia { rtp: "192.0.2.9:20000".parse().unwrap(), laws: vec![Law::A, Law::Mu], session_id: 77, version: 3 }
}

fn offer(streams: &str) -> Vec<u8> {
    format!("v=0\r\no=x 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n{streams}").into_bytes()
}

fn lines<'a>(sdp: &'a str, kind: &str) -> Vec<&'a str> {
    sdp.lines().filter_map(|line| line.strip_prefix(kind)).collect()
}

#[test]
fn our_offer_reads_back_as_what_we_meant() {
    let sdp = offer_sdp(&local(), "");
    let media = parse_sdp(sdp.as_bytes()).unwrap();
    assert_eq!(media.laws, [Law::A, Law::Mu]);
    assert_eq!(media.direction, Direction::SendRecv);
    assert_eq!(media.addr.rtp, local().rtp);
    assert_eq!(media.addr.rtcp, "192.0.2.9:20001".parse::<std::net::SocketAddr>().unwrap());
    assert_eq!(media.addr.codec.dtmf_payload_type, Some(101));
    assert_eq!(lines(&sdp, "o="), ["- 77 3 IN IP4 192.0.2.9"]);
    assert_eq!(lines(&sdp, "a=fmtp:"), ["101 0-15"]);
    assert_eq!(lines(&sdp, "a=ptime:"), ["20"]);
}

#[test]
fn the_far_ends_first_law_wins_and_keeps_its_event_number() {
    let offer = offer(
        "m=audio 4000 RTP/AVP 18 0 8 96\r\na=rtpmap:18 G729/8000\r\na=rtpmap:0 PCMU/8000\r\n\
         a=rtpmap:96 telephone-event/8000\r\na=fmtp:96 0-15\r\n",
    );
    let (answer, media) = answer_sdp(&offer, &local()).unwrap();
    let (MediaAddr { rtp, codec, .. }, direction) = (media.addr, media.direction);
    assert_eq!(lines(&answer, "m="), ["audio 20000 RTP/AVP 0 96"]);
    assert_eq!((codec.law, codec.dtmf_payload_type), (Law::Mu, Some(96)));
    assert_eq!(rtp, "192.0.2.1:4000".parse::<std::net::SocketAddr>().unwrap());
    assert_eq!(direction, Direction::SendRecv);
    let only_a = LocalMedia { laws: vec![Law::A], ..local() };
    assert_eq!(answer_sdp(&offer, &only_a).unwrap().1.addr.codec.law, Law::A);
}

#[test]
fn other_streams_are_refused_in_place() {
    let offer =
        offer("m=video 5000 RTP/AVP 31\r\nm=audio 4000 RTP/AVP 8\r\nm=audio 4002 RTP/AVP 0\r\nm=image 6 udptl t38\r\n");
    let (answer, ..) = answer_sdp(&offer, &local()).unwrap();
    assert_eq!(
        lines(&answer, "m="),
        ["video 0 RTP/AVP 31", "audio 20000 RTP/AVP 8", "audio 0 RTP/AVP 0", "image 0 udptl t38"]
    );
}

/// What the far end does not want to hear is not said to it, and the answer tells so; whoever holds by an address of zero
/// was answered that we go on sending.
/// RFC 3264 section 8: a far end that offered video beside audio is offered as many streams, in their places.
#[test]
fn a_later_offer_of_ours_keeps_each_stream_and_number_in_its_place() {
    let theirs = offer(
        "m=video 5000 RTP/AVP 31\r\nm=audio 4000 RTP/AVP 8 96\r\na=rtpmap:96 telephone-event/8000\r\nm=audio 4002 RTP/AVP 0\r\n",
    );
    let (agreed, _) = answer_sdp(&theirs, &local()).unwrap();
    let again = offer_sdp(&LocalMedia { version: 4, ..local() }, &agreed);
    let streams = ["video 0 RTP/AVP 31", "audio 20000 RTP/AVP 8 0 96", "audio 0 RTP/AVP 0"];
    assert_eq!(lines(&again, "m="), streams);
    assert_eq!(lines(&again, "a=rtpmap:"), ["8 PCMA/8000", "0 PCMU/8000", "96 telephone-event/8000"]);
    assert_eq!((lines(&again, "o="), lines(&again, "a=sendrecv").len()), (vec!["- 77 4 IN IP4 192.0.2.9"], 1));
    assert_eq!(lines(&offer_sdp(&local(), &again), "m="), streams);
    assert_eq!(lines(&offer_sdp(&local(), "nonsense"), "m="), ["audio 20000 RTP/AVP 8 0 101"]);
}

#[test]
fn hold_is_mirrored_in_all_its_forms() {
    use Direction::{Inactive, RecvOnly, SendOnly, SendRecv};
    for (written, theirs, ours, hold) in [
        ("a=sendonly", SendOnly, RecvOnly, true),
        ("a=inactive", Inactive, Inactive, true),
        ("a=recvonly", RecvOnly, SendOnly, false),
        ("a=sendrecv", SendRecv, SendRecv, false),
        ("c=IN IP4 0.0.0.0", SendOnly, RecvOnly, true),
        ("c=IN IP4 0.0.0.0\r\na=sendrecv", SendOnly, RecvOnly, true),
        ("c=IN IP4 0.0.0.0\r\na=sendonly", SendOnly, RecvOnly, true),
        ("c=IN IP4 0.0.0.0\r\na=recvonly", Inactive, Inactive, true),
        ("c=IN IP4 0.0.0.0\r\na=inactive", Inactive, Inactive, true),
        ("c=IN IP4 192.0.2.9", SendRecv, SendRecv, false),
    ] {
        let offer = offer(&format!("m=audio 4000 RTP/AVP 8\r\n{written}\r\n"));
        let (answer, media) = answer_sdp(&offer, &local()).unwrap();
        assert_eq!((media.direction, media.on_hold()), (theirs, hold), "{written}");
        assert_eq!(parse_sdp(&offer).unwrap().direction, theirs, "{written}");
        assert!(answer.contains(&format!("a={}\r\n", ours.as_str())), "{written}: {answer}");
    }
    for session in ["a=sendonly", "a=inactive"] {
        let offer = format!(
            "v=0\r\no=x 1 1 IN IP4 1.1.1.1\r\ns=-\r\nc=IN IP4 1.1.1.1\r\nt=0 0\r\n{session}\r\nm=audio 4 RTP/AVP 0\r\n"
        );
        assert!(parse_sdp(offer.as_bytes()).unwrap().on_hold(), "{session} of the session");
    }
}

#[test]
fn rtcp_goes_where_the_attribute_says() {
    let port = offer("m=audio 4000 RTP/AVP 8\r\na=rtcp:4011\r\n");
    assert_eq!(parse_sdp(&port).unwrap().addr.rtcp, "192.0.2.1:4011".parse::<std::net::SocketAddr>().unwrap());
    let address = offer("m=audio 4000 RTP/AVP 8\r\na=rtcp:4011 IN IP4 192.0.2.3\r\n");
    assert_eq!(parse_sdp(&address).unwrap().addr.rtcp, "192.0.2.3:4011".parse::<std::net::SocketAddr>().unwrap());
}

#[test]
fn ipv6_is_spoken() {
    let v6 = LocalMedia { rtp: "[2001:db8::5]:20000".parse().unwrap(), ..local() };
    let sdp = offer_sdp(&v6, "");
    assert_eq!(lines(&sdp, "c="), ["IN IP6 2001:db8::5"]);
    assert_eq!(parse_sdp(sdp.as_bytes()).unwrap().addr.rtp, v6.rtp);
}

/// An offer of the other version was answered, and its call was silent (RFC 3264 section 6, RFC 6157).
#[test]
fn the_other_ip_version_is_refused_and_of_two_streams_the_one_we_speak_is_taken() {
    let (v4, v6) = ("c=IN IP4 192.0.2.1\r\n", "c=IN IP6 2001:db8::1\r\n");
    let stream = |port: u16, address: &str| format!("m=audio {port} RTP/AVP 8\r\n{address}");
    let ours: std::net::SocketAddr = "192.0.2.5:20000".parse().unwrap();
    for (address, fault) in [
        (v6, SdpFault::OtherVersion),
        ("c=IN IP6 ::\r\n", SdpFault::OtherVersion),
        ("c=IN IP4 239.0.0.1\r\n", SdpFault::NoAddress),
        ("c=IN IP4 239.0.0.1/127\r\n", SdpFault::NoAddress),
    ] {
        let offer = offer(&stream(4000, address));
        assert_eq!(answer_sdp(&offer, &local()), Err(fault.clone()), "{address}");
        assert_eq!(parse_answer(&offer, ours), Err(fault), "{address}");
    }
    let six = LocalMedia { rtp: "[2001:db8::5]:20000".parse().unwrap(), ..local() };
    assert_eq!(answer_sdp(&offer(&stream(4000, v4)), &six), Err(SdpFault::OtherVersion));
    assert!(answer_sdp(&offer(&stream(4000, v6)), &six).is_ok());
    let both = offer(&(stream(4000, v6) + &stream(4002, v4)));
    let (answer, media) = answer_sdp(&both, &local()).unwrap();
    assert_eq!(media.addr.rtp, "192.0.2.1:4002".parse::<std::net::SocketAddr>().unwrap());
    assert_eq!(lines(&answer, "m="), ["audio 0 RTP/AVP 8", "audio 20000 RTP/AVP 8"]);
    let rtcp = offer(&(stream(4000, v4) + "a=rtcp:4011 IN IP6 2001:db8::1\r\n"));
    let media = parse_answer(&rtcp, ours).unwrap();
    assert_eq!(media.addr.rtcp, "192.0.2.1:4011".parse::<std::net::SocketAddr>().unwrap());
}

/// Other readers take these; a hold was taken for talk because of a space behind it.
#[test]
fn what_phones_leave_out_or_write_too_much_changes_nothing() {
    let usual = [
        "v=0",
        "o=- 1 1 IN IP4 192.0.2.1",
        "s=-",
        "c=IN IP4 192.0.2.1",
        "t=0 0",
        "m=audio 4000 RTP/AVP 8 96",
        "a=rtpmap:96 telephone-event/8000",
        "a=sendonly",
    ];
    let expected = parse_sdp((usual.join("\r\n") + "\r\n").as_bytes()).unwrap();
    assert_eq!((expected.direction, expected.addr.codec.dtmf_payload_type), (Direction::SendOnly, Some(96)));
    let reads = |lines: &[String], end: &str| {
        for line_end in ["\r\n", "\n", " \r\n", "\t\n", "\r\n\r\n"] {
            let text = lines.join(line_end) + end;
            assert_eq!(parse_sdp(text.as_bytes()), Ok(expected.clone()), "{text:?}");
        }
    };
    let with = |at: usize, line: &str| {
        let mut lines = usual.map(str::to_owned).to_vec();
        lines[at] = line.to_owned();
        lines
    };
    for end in
        ["", "\r\n", "\r\n\r\n  \r\n", "\r\n\0", "\0\0", " ", "\r\nb=AS", "\r\nm=", "\r\n=x\r\na", "\r\na=\r\nz=0 0"]
    {
        reads(&with(0, "v=0"), end);
    }
    for (at, line) in [
        (1, "o=My Phone 1 1 IN IP4 192.0.2.1"),
        (1, "o=- 99999999999999999999 -1 IN IP4 pbx.example.com"),
        (1, "o="),
        (1, "i=no origin at all"),
        (2, "s="),
        (2, "b=X-YZ:64.5"),
        (3, "c=IN  IP4  192.0.2.1 "),
        (4, "t=0"),
        (4, "t=now forever"),
        (4, "y=0100000001"),
        (5, "m=Audio 4000/1 rtp/avp  8  96"),
        (6, "a=rtpmap:96\tTELEPHONE-EVENT/8000/1"),
        (6, "a=rtpmap: 96 telephone-event/8000"),
        (7, "a=SENDONLY"),
        (7, "a= sendonly "),
    ] {
        reads(&with(at, line), "\r\n");
    }
    // What stands behind a stream that cannot be read is not the one's before.
    let unread = offer("m=audio 4000 RTP/AVP 8\r\nm=audio many RTP/AVP 0\r\na=inactive\r\nc=IN IP4 192.0.2.77\r\n");
    let media = parse_sdp(&unread).unwrap();
    assert_eq!((media.direction, media.addr.rtp.ip().to_string()), (Direction::SendRecv, "192.0.2.1".to_owned()));
}

#[test]
fn what_cannot_be_used_says_why() {
    for none in [b"".as_slice(), b"\xff\xfe\0", b"hello", b"v=1\r\n", b"m=audio 4 RTP/AVP 0\r\nv=0\r\n"] {
        assert_eq!(parse_sdp(none), Err(SdpFault::Malformed));
    }
    assert_eq!(parse_sdp(&offer("m=video 4 RTP/AVP 31\r\n")), Err(SdpFault::NoAudio));
    assert_eq!(parse_sdp(&offer("m=audio 4 RTP/SAVP 0\r\n")), Err(SdpFault::NoAudio));
    assert_eq!(parse_sdp(&offer("m=audio 4 RTP/AVP 18\r\n")), Err(SdpFault::NoCommonLaw));
    assert_eq!(parse_sdp(&offer("m=audio 4 RTP/AVP 0\r\nc=IN IP4 host.example.com\r\n")), Err(SdpFault::NoAddress));
    let many = "m=audio 4 RTP/AVP 0\r\n".repeat(17);
    assert_eq!(parse_sdp(&offer(&many)), Err(SdpFault::TooManyStreams));
    let only_mu = LocalMedia { laws: vec![Law::Mu], ..local() };
    assert_eq!(answer_sdp(&offer("m=audio 4 RTP/AVP 8\r\n"), &only_mu), Err(SdpFault::NoCommonLaw));
    // A number that is G.711 by table but something else by rtpmap is not G.711.
    assert_eq!(parse_sdp(&offer("m=audio 4 RTP/AVP 0\r\na=rtpmap:0 L16/8000\r\n")), Err(SdpFault::NoCommonLaw));
}
