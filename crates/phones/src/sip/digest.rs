//! The client's half of digest authentication (RFC 7616, RFC 8760).

use md5::{Digest, Md5};
use sha2::Sha256;

use super::message::split_list;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Algorithm {
    Md5,
    Sha256,
}

#[derive(Clone, Debug)]
pub(crate) struct Challenge {
    algorithm: Algorithm,
    realm: String,
    nonce: String,
    opaque: Option<String>,
    with_qop: bool,
}

pub(crate) struct Login<'a> {
    pub user: &'a str,
    pub password: &'a str,
    pub method: &'a str,
    pub uri: &'a str,
    pub cnonce: &'a str,
}

impl Challenge {
    /// The strongest of the challenges that can be met.
    pub fn strongest<'a>(headers: impl Iterator<Item = &'a str>) -> Option<Challenge> {
        headers.filter_map(Challenge::parse).max_by_key(|challenge| challenge.algorithm)
    }

    /// The value of the Authorization header.
    pub fn answer(&self, login: &Login<'_>) -> String {
        const FIRST_USE: &str = "00000001";
        let Login { user, password, method, uri, cnonce } = login;
        let (realm, nonce) = (&self.realm, &self.nonce);
        let secret = self.hash(&format!("{user}:{realm}:{password}"));
        let request = self.hash(&format!("{method}:{uri}"));
        let response = if self.with_qop {
            self.hash(&format!("{secret}:{nonce}:{FIRST_USE}:{cnonce}:auth:{request}"))
        } else {
            self.hash(&format!("{secret}:{nonce}:{request}"))
        };
        let algorithm = match self.algorithm {
            Algorithm::Md5 => "MD5",
            Algorithm::Sha256 => "SHA-256",
        };
        let mut text = format!(
            "Digest username=\"{user}\", realm=\"{realm}\", nonce=\"{nonce}\", uri=\"{uri}\", \
             response=\"{response}\", algorithm={algorithm}"
        );
        if self.with_qop {
            text += &format!(", qop=auth, nc={FIRST_USE}, cnonce=\"{cnonce}\"");
        }
        if let Some(opaque) = &self.opaque {
            text += &format!(", opaque=\"{opaque}\"");
        }
        text
    }

    fn parse(header: &str) -> Option<Challenge> {
        let (scheme, rest) = header.trim().split_once(' ')?;
        if !scheme.eq_ignore_ascii_case("Digest") {
            return None;
        }
        let fields: Vec<(String, String)> = split_list(rest)
            .into_iter()
            .filter_map(|field| field.split_once('='))
            .map(|(name, value)| (name.trim().to_ascii_lowercase(), value.trim().trim_matches('"').to_owned()))
            .collect();
        let field = |name: &str| fields.iter().find(|(n, _)| n == name).map(|(_, value)| value.clone());
        let algorithm = match field("algorithm").unwrap_or_else(|| "MD5".into()).to_ascii_uppercase().as_str() {
            "MD5" => Algorithm::Md5,
            "SHA-256" => Algorithm::Sha256,
            _ => return None,
        };
        let qop = field("qop");
        let with_qop = qop.as_ref().is_some_and(|qop| qop.split(',').any(|one| one.trim() == "auth"));
        if qop.is_some() && !with_qop {
            return None;
        }
        Some(Challenge { algorithm, realm: field("realm")?, nonce: field("nonce")?, opaque: field("opaque"), with_qop })
    }

    fn hash(&self, text: &str) -> String {
        match self.algorithm {
            Algorithm::Md5 => hex(&Md5::digest(text)),
            Algorithm::Sha256 => hex(&Sha256::digest(text)),
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONCE: &str = "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v";

    fn challenge(algorithm: &str) -> String {
        format!(
            "Digest realm=\"http-auth@example.org\", qop=\"auth, auth-int\", algorithm={algorithm}, \
             nonce=\"{NONCE}\", opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\""
        )
    }

    /// RFC 7616 section 3.9.1.
    fn login() -> Login<'static> {
        Login {
            user: "Mufasa",
            password: "Circle of Life",
            method: "GET",
            uri: "/dir/index.html",
            cnonce: "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
        }
    }

    #[test]
    fn the_vectors_of_rfc_7616() {
        for (algorithm, expected) in [
            ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
            ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
        ] {
            let text = challenge(algorithm);
            let answer = Challenge::strongest(std::iter::once(text.as_str())).unwrap().answer(&login());
            assert!(answer.contains(&format!("response=\"{expected}\"")), "{answer}");
            assert!(answer.contains("opaque=\"FQhe") && answer.contains("nc=00000001"));
        }
    }

    #[test]
    fn the_stronger_challenge_is_taken_and_foreign_ones_left() {
        let (md5, sha256, other) = (challenge("MD5"), challenge("SHA-256"), challenge("SHA-512-256"));
        let headers = [md5.as_str(), sha256.as_str(), other.as_str(), "Basic realm=\"x\"", ""];
        let answer = Challenge::strongest(headers.into_iter()).unwrap().answer(&login());
        assert!(answer.contains("algorithm=SHA-256"));
        assert!(Challenge::strongest(["Digest realm=\"x\""].into_iter()).is_none());
    }

    #[test]
    fn a_challenge_without_qop_gets_the_old_answer() {
        // RFC 2069: no qop, no count, no nonce of the client.
        let header = "Digest realm=\"r\", nonce=\"n\"";
        let answer = Challenge::strongest(std::iter::once(header)).unwrap().answer(&login());
        assert!(!answer.contains("qop") && answer.contains("algorithm=MD5"));
    }
}
