//! Digest authentication, the server's side (RFC 7616 and its use in SIP, RFC 8760): MD5, SHA-256 where it
//! is asked for, `qop=auth`, or none at all as clients of RFC 2069 answer.

use hmac::{Hmac, Mac};
use md5::Md5;
use sha2::{Digest, Sha256};

use crate::message::Message;
use crate::text::split;

/// Seconds a nonce is taken. Nonces are not remembered; who carries a request out remembers its answer ([`Proof`]), so that
/// it counts once.
pub const NONCE_LIFE_S: u64 = 30;
/// Hexadecimal digits of the time in a nonce.
const TIME_DIGITS: usize = 12;
/// Hexadecimal digits that make each nonce another one: phones of one host that are challenged within a second would have
/// the same, and those that know no `qop` would then give the same answer.
const SALT_DIGITS: usize = 16;
/// Where the seal in a nonce begins.
const SEALED_DIGITS: usize = TIME_DIGITS + SALT_DIGITS;
/// Hexadecimal digits of the seal in a nonce: 128 bits cannot be guessed within its life.
const SEAL_DIGITS: usize = 32;

/// A digest algorithm that we offer and take.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Algorithm {
    /// RFC 8760; some phones give up when it stands beside MD5.
    Sha256,
    /// What every phone knows.
    Md5,
}

impl Algorithm {
    /// In the order in which challenges offer them (RFC 8760 section 2.4: the one we like best is topmost).
    pub const ALL: [Algorithm; 2] = [Algorithm::Sha256, Algorithm::Md5];

    /// As `algorithm=` has it.
    pub fn as_str(self) -> &'static str {
        match self {
            Algorithm::Sha256 => "SHA-256",
            Algorithm::Md5 => "MD5",
        }
    }

    fn hash(self, text: &str) -> String {
        match self {
            Algorithm::Sha256 => hex(&Sha256::digest(text)),
            Algorithm::Md5 => hex(&Md5::digest(text)),
        }
    }
}

/// Why credentials do not count. Missing, Stale and Wrong are answered with a challenge (Stale with `stale=true`,
/// so the phone does not ask its user again).
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum DigestFault {
    /// Answered with a challenge.
    #[error("no credentials for this realm")]
    Missing,
    /// The password is right, and the nonce older than [`NONCE_LIFE_S`], not ours or not for this address; answered with
    /// a challenge that says `stale=true` (RFC 7616 section 3.3).
    #[error("the nonce has run out, or is not for this address")]
    Stale,
    /// Answered with a challenge.
    #[error("wrong password")]
    Wrong,
    /// `ha1_for` knows no such user, or not for this algorithm; what is answered is the caller's to say.
    #[error("no such user")]
    Unknown,
    /// A field is missing or not as RFC 7616 section 3.4 has it, or another algorithm or `qop`.
    #[error("credentials that cannot be read")]
    Malformed,
}

/// Values for WWW-Authenticate, one line for each algorithm, in this order. `salt` is random, another for each challenge.
pub fn challenge(
    realm: &str,
    algorithms: &[Algorithm],
    key: &[u8],
    now_secs: u64,
    salt: u64,
    source: &str,
    stale: bool,
) -> Vec<String> {
    let nonce = nonce(key, now_secs, salt, source);
    let stale = if stale { ", stale=true" } else { "" };
    let value = |algorithm: &Algorithm| {
        let algorithm = algorithm.as_str();
        format!(r#"Digest realm="{realm}", nonce="{nonce}", algorithm={algorithm}, qop="auth"{stale}"#)
    };
    algorithms.iter().map(value).collect()
}

/// What a good Authorization proves.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Proof {
    /// Whose password made it.
    pub user: String,
    /// `response`, in lower case. It hangs on nonce, nc and cnonce, and without the password nobody makes another: one that
    /// comes a second time was overheard (RFC 7616 section 3.4: the server keeps its own copy of nc).
    pub answer: String,
}

/// Whose password made the request's Authorization. `ha1_for` knows users by name and gives H(A1) as lower-case
/// hexadecimal, one for each form of the name that a client may have hashed; `source` is the text the challenge was made
/// for, under one of `keys`.
pub fn verify(
    request: &Message,
    realm: &str,
    ha1_for: impl Fn(&str, Algorithm) -> Vec<String>,
    keys: &[&[u8]],
    now_secs: u64,
    source: &str,
) -> Result<Proof, DigestFault> {
    let credentials = Credentials::of(request, realm)?;
    let known = ha1_for(&credentials.user, credentials.algorithm);
    if known.is_empty() {
        return Err(DigestFault::Unknown);
    }
    let answer = credentials.response.to_ascii_lowercase();
    let made = |ha1: &String| same(credentials.response_for(ha1, request.method()).as_bytes(), answer.as_bytes());
    if !known.iter().any(made) {
        return Err(DigestFault::Wrong);
    }
    // Afterwards: only who has the password is told that nothing but the nonce was wrong, and does not ask its user again.
    let is_good = is_good(&credentials.nonce, keys, now_secs, source);
    if is_good { Ok(Proof { user: credentials.user, answer }) } else { Err(DigestFault::Stale) }
}

/// Whom a request's credentials for `realm` claim to be, before anybody looks at the password.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Claim {
    /// As the client names itself.
    pub user: String,
    /// It answers a challenge that was sent to `source`, however long ago. Of any other nothing is learnt, and its
    /// password need not be looked at.
    pub answers_us: bool,
}

/// None without credentials, or with such as cannot be read. `keys` and `source` as for [`verify`].
pub fn claim(request: &Message, realm: &str, keys: &[&[u8]], source: &str) -> Option<Claim> {
    let Credentials { user, nonce, .. } = Credentials::of(request, realm).ok()?;
    let answers_us =
        nonce.split_at_checked(SEALED_DIGITS).is_some_and(|(text, seal)| is_ours(keys, text, seal, source));
    Some(Claim { user, answers_us })
}

/// H(A1) as it may be stored instead of the password (RFC 7616 section 3.4.2).
pub fn ha1(algorithm: Algorithm, user: &str, realm: &str, password: &str) -> String {
    algorithm.hash(&format!("{user}:{realm}:{password}"))
}

/// One Authorization value.
struct Credentials {
    algorithm: Algorithm,
    /// Without the domain that some phones write behind it.
    user: String,
    nonce: String,
    uri: String,
    /// None of who does not know `qop` (RFC 2617 section 3.2.2 leaves it to the client).
    auth: Option<Auth>,
    response: String,
}

/// What goes with `qop=auth`.
struct Auth {
    cnonce: String,
    nc: String,
}

impl Credentials {
    /// The best of the request's credentials for `realm`.
    fn of(request: &Message, realm: &str) -> Result<Credentials, DigestFault> {
        let mut best: Result<Credentials, DigestFault> = Err(DigestFault::Missing);
        for line in request.headers("Authorization") {
            match Self::parse(line, realm) {
                Some(Ok(found)) if found.algorithm == Algorithm::Sha256 => return Ok(found),
                Some(Ok(found)) => best = Ok(found),
                Some(Err(fault)) if best.is_err() => best = Err(fault),
                _ => {}
            }
        }
        best
    }

    /// `None` if the value is for another scheme or realm.
    fn parse(line: &str, realm: &str) -> Option<Result<Credentials, DigestFault>> {
        let (scheme, rest) = line.split_once(' ')?;
        if !scheme.eq_ignore_ascii_case("Digest") {
            return None;
        }
        let fields: Vec<(&str, String)> = split(rest, b',')
            .into_iter()
            .filter_map(|part| part.split_once('='))
            .map(|(name, value)| (name.trim(), unquoted(value.trim())))
            .collect();
        let field =
            |name: &str| fields.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, v)| v.clone());
        if field("realm")? != realm {
            return None;
        }
        let algorithm = match field("algorithm").as_deref() {
            // Absent means MD5 (RFC 7616 section 3.3).
            None => Some(Algorithm::Md5),
            Some(name) => Algorithm::ALL.into_iter().find(|known| known.as_str().eq_ignore_ascii_case(name)),
        };
        let auth = || {
            // Eight digits by the RFC; what counts is that both sides hash the same.
            let nc = field("nc").filter(|nc| (1..=8).contains(&nc.len()))?;
            let is_count = nc.bytes().all(|byte| byte.is_ascii_hexdigit());
            is_count.then_some(Auth { cnonce: field("cnonce")?, nc })
        };
        let read = || {
            let auth = match field("qop") {
                None => None,
                Some(qop) => Some(auth().filter(|_| qop.eq_ignore_ascii_case("auth"))?),
            };
            Some(Credentials {
                algorithm: algorithm?,
                user: field("username")?.split('@').next().unwrap_or_default().to_owned(),
                nonce: field("nonce")?,
                uri: field("uri")?,
                auth,
                response: field("response")?,
            })
        };
        Some(read().ok_or(DigestFault::Malformed))
    }

    /// RFC 7616 section 3.4.1. The URI hashed is the one the client wrote: proxies may have changed the
    /// Request-URI since (RFC 3261 section 22.4), and the nonce already binds the answer to its sender.
    fn response_for(&self, ha1: &str, method: &str) -> String {
        let ha2 = self.algorithm.hash(&format!("{method}:{}", self.uri));
        let counted = match &self.auth {
            Some(Auth { cnonce, nc }) => format!("{nc}:{cnonce}:auth:"),
            None => String::new(),
        };
        self.algorithm.hash(&format!("{ha1}:{}:{counted}{ha2}", self.nonce))
    }
}

/// Time, salt and their seal. Any node of the cluster can check it, none has to remember it.
fn nonce(key: &[u8], now_secs: u64, salt: u64, source: &str) -> String {
    let text = format!("{now_secs:0TIME_DIGITS$x}{salt:0SALT_DIGITS$x}");
    let seal = seal(key, &text, source);
    text + &seal
}

/// Whether a node of the cluster made it for this address, not long ago.
fn is_good(nonce: &str, keys: &[&[u8]], now_secs: u64, source: &str) -> bool {
    if nonce.len() != SEALED_DIGITS + SEAL_DIGITS || !nonce.is_ascii() {
        return false;
    }
    let (text, sealed) = nonce.split_at(SEALED_DIGITS);
    // A little ahead is fine: another node's clock made it.
    is_ours(keys, text, sealed, source)
        && u64::from_str_radix(&text[..TIME_DIGITS], 16).is_ok_and(|made| now_secs.abs_diff(made) <= NONCE_LIFE_S)
}

/// Under any of the cluster's keys: while they change, nodes make nonces with different ones.
fn is_ours(keys: &[&[u8]], text: &str, sealed: &str, source: &str) -> bool {
    keys.iter().any(|key| same(seal(key, text, source).as_bytes(), sealed.as_bytes()))
}

fn seal(key: &[u8], text: &str, source: &str) -> String {
    // HMAC takes keys of any length.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return String::new() };
    mac.update(text.as_bytes());
    mac.update(b" ");
    mac.update(source.as_bytes());
    let mut seal = hex(&mac.finalize().into_bytes());
    seal.truncate(SEAL_DIGITS);
    seal
}

/// Equality in a time that does not depend on where two texts differ.
fn same(one: &[u8], other: &[u8]) -> bool {
    one.len() == other.len() && one.iter().zip(other).fold(0, |differing, (a, b)| differing | (a ^ b)) == 0
}

fn unquoted(value: &str) -> String {
    let Some(inner) = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else { return value.to_owned() };
    let mut out = String::with_capacity(inner.len());
    let mut letters = inner.chars();
    while let Some(letter) = letters.next() {
        out.extend(if letter == '\\' { letters.next() } else { Some(letter) });
    }
    out
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut out, byte| {
        for nibble in [byte >> 4, byte & 15] {
            out.push(char::from_digit(u32::from(nibble), 16).unwrap_or('0'));
        }
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7616 section 3.9.1, both algorithms.
    #[test]
    fn the_vectors_of_the_rfc() {
        for (algorithm, response) in [
            (Algorithm::Sha256, "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
            (Algorithm::Md5, "8ca523f5e9506fed4657c9700eebdbec"),
        ] {
            let credentials = Credentials {
                algorithm,
                user: "Mufasa".to_owned(),
                nonce: "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v".to_owned(),
                uri: "/dir/index.html".to_owned(),
                auth: Some(Auth {
                    cnonce: "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ".to_owned(),
                    nc: "00000001".to_owned(),
                }),
                response: String::new(),
            };
            let ha1 = ha1(algorithm, "Mufasa", "http-auth@example.org", "Circle of Life");
            assert_eq!(credentials.response_for(&ha1, "GET"), response);
        }
    }

    const KEY: &[u8] = b"cluster key";
    /// The other one that nodes have while they change it.
    const OTHER_KEY: &[u8] = b"newer cluster key";

    fn register(authorization: &[String]) -> Message {
        let lines: String = authorization.iter().map(|value| format!("Authorization: {value}\r\n")).collect();
        let text = format!(
            "REGISTER sip:pbx.example.com SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.4;branch=z9hG4bKr\r\n\
             From: <sip:7@pbx.example.com>;tag=1\r\nTo: <sip:7@pbx.example.com>\r\nCall-ID: r\r\nCSeq: 2 REGISTER\r\n\
             Max-Forwards: 70\r\n{lines}Content-Length: 0\r\n\r\n"
        );
        Message::parse(text.as_bytes()).unwrap()
    }

    fn answer(algorithm: Algorithm, nonce: &str, password: &str) -> String {
        answer_by(Some("00000001"), algorithm, nonce, password)
    }

    /// `nc`: none of a client that knows no `qop`.
    fn answer_by(nc: Option<&str>, algorithm: Algorithm, nonce: &str, password: &str) -> String {
        answer_as("7", nc, algorithm, nonce, password)
    }

    /// `user`: the name as it is hashed and written.
    fn answer_as(user: &str, nc: Option<&str>, algorithm: Algorithm, nonce: &str, password: &str) -> String {
        let mut credentials = Credentials {
            algorithm,
            user: user.to_owned(),
            nonce: nonce.to_owned(),
            uri: "sip:pbx.example.com".to_owned(),
            auth: nc.map(|nc| Auth { cnonce: "abc".to_owned(), nc: nc.to_owned() }),
            response: String::new(),
        };
        let counted = nc.map(|nc| format!(r#"qop=auth, nc={nc}, cnonce="abc", "#)).unwrap_or_default();
        credentials.response = credentials.response_for(&ha1(algorithm, user, "pbx", password), "REGISTER");
        format!(
            r#"Digest username="{user}", realm="pbx", nonce="{nonce}", uri="sip:pbx.example.com", algorithm={}, {counted}response="{}""#,
            algorithm.as_str(),
            credentials.response
        )
    }

    fn check(lines: &[String], now: u64, source: &str) -> Result<String, DigestFault> {
        let known = |user: &str, algorithm| {
            let names = if user == "7" { &["7", "7@pbx"][..] } else { &[] };
            names.iter().map(|name| ha1(algorithm, name, "pbx", "secret")).collect()
        };
        verify(&register(lines), "pbx", known, &[OTHER_KEY, KEY], now, source).map(|proof| proof.user)
    }

    #[test]
    fn a_phone_that_answers_its_challenge_is_known() {
        let challenges = challenge("pbx", &Algorithm::ALL, KEY, 1000, 5, "192.0.2.4", false);
        assert!(challenges[0].contains("algorithm=SHA-256"));
        assert!(challenges[1].contains("algorithm=MD5"));
        let plain = challenge("pbx", &[Algorithm::Md5], KEY, 1000, 5, "192.0.2.4", false);
        assert_eq!(plain, challenges[1..]);
        let other = challenge("pbx", &Algorithm::ALL, KEY, 1000, 6, "192.0.2.4", false);
        assert!(
            other[0] != challenges[0] && other[1] != challenges[1],
            "another phone of that host, in the same second"
        );
        let nonce = nonce(KEY, 1000, 5, "192.0.2.4");
        for algorithm in Algorithm::ALL {
            assert_eq!(check(&[answer(algorithm, &nonce, "secret")], 1010, "192.0.2.4"), Ok("7".to_owned()));
        }
    }

    #[test]
    fn everything_else_is_refused_for_its_reason() {
        let nonce = nonce(KEY, 1000, 5, "192.0.2.4");
        let good = answer(Algorithm::Sha256, &nonce, "secret");
        assert_eq!(check(&[], 1000, "192.0.2.4"), Err(DigestFault::Missing));
        assert_eq!(check(&["Basic abc".to_owned()], 1000, "192.0.2.4"), Err(DigestFault::Missing));
        assert_eq!(check(&[good.replace("\"pbx\"", "\"other\"")], 1000, "192.0.2.4"), Err(DigestFault::Missing));
        assert_eq!(check(std::slice::from_ref(&good), 1031, "192.0.2.4"), Err(DigestFault::Stale));
        assert_eq!(check(std::slice::from_ref(&good), 1010, "192.0.2.5"), Err(DigestFault::Stale));
        assert_eq!(check(&[answer(Algorithm::Md5, "forged", "secret")], 1010, "192.0.2.4"), Err(DigestFault::Stale));
        for (nonce, now) in [(nonce.as_str(), 1010), (nonce.as_str(), 1031), ("forged", 1010)] {
            assert_eq!(check(&[answer(Algorithm::Md5, nonce, "guess")], now, "192.0.2.4"), Err(DigestFault::Wrong));
        }
        assert_eq!(
            check(&[good.replace("username=\"7\"", "username=\"8\"")], 1010, "192.0.2.4"),
            Err(DigestFault::Unknown)
        );
        // It says that it hashed as clients of RFC 2069 do, and did not.
        assert_eq!(check(&[good.replace("qop=auth, ", "")], 1010, "192.0.2.4"), Err(DigestFault::Wrong));
        for broken in ["qop=auth-int, ", "qop=\"\", "] {
            assert_eq!(check(&[good.replace("qop=auth, ", broken)], 1010, "192.0.2.4"), Err(DigestFault::Malformed));
        }
        for broken in ["", "nc=, ", "nc=000000001, ", "nc=x, "] {
            assert_eq!(check(&[good.replace("nc=00000001, ", broken)], 1010, "192.0.2.4"), Err(DigestFault::Malformed));
        }
        assert_eq!(check(&[good.replace("SHA-256", "TIGER")], 1010, "192.0.2.4"), Err(DigestFault::Malformed));
    }

    /// Old phones and exchanges: RFC 2617 section 3.2.2 lets `qop` be left out.
    #[test]
    fn older_ways_to_answer_are_taken() {
        let nonce = nonce(KEY, 1000, 5, "192.0.2.4");
        for algorithm in Algorithm::ALL {
            for nc in [None, Some("1"), Some("0000002a")] {
                let good = answer_by(nc, algorithm, &nonce, "secret");
                assert_eq!(check(std::slice::from_ref(&good), 1010, "192.0.2.4"), Ok("7".to_owned()), "{good}");
                let named = good.replace("username=\"7\"", "username=\"7@pbx.example.com\"");
                assert_eq!(check(&[named], 1010, "192.0.2.4"), Ok("7".to_owned()));
                let guess = answer_by(nc, algorithm, &nonce, "guess");
                assert_eq!(check(&[guess], 1010, "192.0.2.4"), Err(DigestFault::Wrong));
            }
        }
    }

    /// The hash is over the name as the client writes it (RFC 7616 section 3.4.2); such a phone was told that its password is
    /// wrong, and its host was silenced after ten tries.
    #[test]
    fn a_name_may_be_hashed_with_its_realm() {
        let nonce = nonce(KEY, 1000, 5, "192.0.2.4");
        for algorithm in Algorithm::ALL {
            let by = |name: &str, password: &str| answer_as(name, Some("00000001"), algorithm, &nonce, password);
            assert_eq!(check(&[by("7@pbx", "secret")], 1010, "192.0.2.4"), Ok("7".to_owned()));
            assert_eq!(check(&[by("7@pbx", "guess")], 1010, "192.0.2.4"), Err(DigestFault::Wrong));
            assert_eq!(check(&[by("7@other", "secret")], 1010, "192.0.2.4"), Err(DigestFault::Wrong));
            assert_eq!(check(&[by("8@pbx", "secret")], 1010, "192.0.2.4"), Err(DigestFault::Unknown));
        }
    }

    #[test]
    fn an_answer_is_the_same_however_it_is_written_and_another_for_each_count() {
        let nonce = nonce(KEY, 1000, 5, "192.0.2.4");
        let proof = |line: String| {
            let known = |_: &str, algorithm| vec![ha1(algorithm, "7", "pbx", "secret")];
            verify(&register(&[line]), "pbx", known, &[KEY], 1010, "192.0.2.4").unwrap().answer
        };
        let by = |nc: Option<&str>| answer_by(nc, Algorithm::Md5, &nonce, "secret");
        let (first, response) = (by(Some("00000001")), proof(by(Some("00000001"))));
        assert_eq!(proof(first.replace(&response, &response.to_uppercase())), response);
        assert_ne!(proof(by(Some("00000002"))), response);
        assert_ne!(proof(by(None)), response);
    }

    #[test]
    fn only_an_answer_to_a_challenge_of_ours_to_that_address_is_a_claim_that_counts() {
        let nonce = nonce(KEY, 1000, 5, "192.0.2.4");
        let claimed = |nonce: &str, source: &str| {
            let request = register(&[answer(Algorithm::Md5, nonce, "guess")]);
            claim(&request, "pbx", &[OTHER_KEY, KEY], source).map(|claim| (claim.user, claim.answers_us))
        };
        let is = |answers_us: bool| Some(("7".to_owned(), answers_us));
        assert_eq!(claimed(&nonce, "192.0.2.4"), is(true), "whatever the password, and the time");
        assert_eq!(claimed(&nonce, "192.0.2.5"), is(false));
        for forged in ["forged", "", &format!("{:027}é", 0), &format!("{}0", &nonce[..nonce.len() - 1])] {
            assert_eq!(claimed(forged, "192.0.2.4"), is(forged == nonce), "{forged}");
        }
        assert_eq!(claim(&register(&[]), "pbx", &[KEY], "192.0.2.4"), None);
    }

    #[test]
    fn sha_256_is_preferred_over_md5() {
        let nonce = nonce(KEY, 1000, 5, "192.0.2.4");
        let lines = [answer(Algorithm::Md5, &nonce, "guess"), answer(Algorithm::Sha256, &nonce, "secret")];
        assert_eq!(check(&lines, 1000, "192.0.2.4"), Ok("7".to_owned()));
    }
}
