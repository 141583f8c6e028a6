//! Identities: made by many at once, kept, and refused when they prove nothing.

mod bench;

use std::collections::HashSet;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::{Arc, Barrier};

use bench::{PATIENCE, connected, fault, node, relay, start_any};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use strowger_link::{Class, Identity, IdentityError, Link, LinkError, Options};
use strowger_model::PeerId;

#[tokio::test(flavor = "multi_thread")]
async fn processes_that_start_at_once_share_one_ca() {
    const STARTS: u16 = 16;
    let dir = tempfile::tempdir().unwrap();
    let shared = dir.path().join("not/there/yet");
    let barrier = Arc::new(Barrier::new(usize::from(STARTS)));
    let starts: Vec<_> = (0..STARTS)
        .map(|number| {
            let (shared, barrier) = (shared.clone(), barrier.clone());
            std::thread::spawn(move || {
                barrier.wait();
                // Pairs of threads are the same peer, as after a supervisor's mistake.
                Identity::development(&shared, node(number / 2)).unwrap();
            })
        })
        .collect();
    starts.into_iter().for_each(|start| start.join().unwrap());

    let names: HashSet<_> =
        std::fs::read_dir(&shared).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    assert_eq!(names.len(), 2 + 2 * usize::from(STARTS / 2), "drafts stayed behind: {names:?}");
    for name in names.iter().filter(|name| name.ends_with("-key.pem")) {
        let mode = std::fs::metadata(shared.join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    let (two, _) = start_any(&shared, node(2), &[]).await;
    let (one, _) = start_any(&shared, node(1), &[(node(2), two.local_addr())]).await;
    connected(&one, node(2)).await;
}

#[test]
fn an_identity_is_kept_over_restarts() {
    let dir = tempfile::tempdir().unwrap();
    let read = |name: &str| std::fs::read_to_string(dir.path().join(name)).unwrap();
    Identity::development(dir.path(), relay(1)).unwrap();
    let before = ["ca.pem", "ca-key.pem", "relay-1.pem", "relay-1-key.pem"].map(read);
    Identity::development(dir.path(), relay(1)).unwrap();
    assert_eq!(before, ["ca.pem", "ca-key.pem", "relay-1.pem", "relay-1-key.pem"].map(read));
    // Died between key and certificate.
    std::fs::remove_file(dir.path().join("ca.pem")).unwrap();
    std::fs::remove_file(dir.path().join("relay-1.pem")).unwrap();
    Identity::development(dir.path(), relay(1)).unwrap();
}

#[test]
fn faults_say_what_where_and_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let other = tempfile::tempdir().unwrap();
    let at = |dir: &Path, name: &str| dir.join(name);
    for (dir, me) in [(&dir, node(1)), (&dir, node(2)), (&other, node(1))] {
        Identity::development(dir.path(), me).unwrap();
    }
    let (ca, cert) = (at(dir.path(), "ca.pem"), at(dir.path(), "node-1.pem"));
    let load = |ca: &Path, cert: &Path, key: &Path| Identity::load(ca, cert, key).err().unwrap().to_string();

    let missing = load(&ca, &cert, &at(dir.path(), "no.pem"));
    assert!(missing.contains("no.pem") && missing.contains("check the path"), "{missing}");
    let stranger = load(&ca, &at(other.path(), "node-1.pem"), &at(other.path(), "node-1-key.pem"));
    assert!(stranger.contains("refused") && stranger.contains("issue it anew"), "{stranger}");
    let mixed = load(&ca, &cert, &at(dir.path(), "node-2-key.pem"));
    assert!(mixed.contains("do not work together"), "{mixed}");

    std::fs::remove_file(at(dir.path(), "ca-key.pem")).unwrap();
    Identity::development(dir.path(), node(1)).unwrap();
    let no_key = Identity::development(dir.path(), node(3)).err().unwrap();
    assert!(matches!(no_key, IdentityError::NoCaKey { me, .. } if me == node(3)), "{no_key}");
}

/// Clusters went into production with a CA whose key lay beside every certificate.
#[test]
fn in_production_nothing_is_made_and_the_development_ca_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let faulty = || Identity::in_production(dir.path(), node(1)).err().unwrap();
    assert!(matches!(faulty(), IdentityError::NoCertificates { me, .. } if me == node(1)));
    assert!(Identity::production_data_keys(dir.path()).is_err());
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "nothing is made");

    Identity::development(dir.path(), node(1)).unwrap();
    let said = faulty().to_string();
    assert!(said.contains("for development") && said.contains("development = true"), "{said}");
    // Nor where its key was taken away.
    std::fs::remove_file(dir.path().join("ca-key.pem")).unwrap();
    assert!(matches!(faulty(), IdentityError::DevelopmentCa { .. }));

    let (own, key) = (tempfile::tempdir().unwrap(), rcgen::KeyPair::generate().unwrap());
    let mut ca = rcgen::CertificateParams::default();
    ca.distinguished_name.push(rcgen::DnType::CommonName, "Acme CA");
    ca.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let place = |name: &str, pem: String| std::fs::write(own.path().join(name), pem).unwrap();
    place("ca.pem", ca.self_signed(&key).unwrap().pem());
    let issuer = rcgen::Issuer::new(ca, key);
    let key = rcgen::KeyPair::generate().unwrap();
    let leaf = rcgen::CertificateParams::new(["node-1.strowger".to_owned()]).unwrap();
    place("node-1.pem", leaf.signed_by(&key, &issuer).unwrap().pem());
    place("node-1-key.pem", key.serialize_pem());
    Identity::in_production(own.path(), node(1)).unwrap();
}

#[tokio::test]
async fn a_link_needs_its_own_name() {
    let dir = tempfile::tempdir().unwrap();
    let identity = Identity::development(dir.path(), node(1)).unwrap();
    let options = Options { me: node(2), listen: bench::loopback(), identity, layout: 0, peers: vec![] };
    let refused = Link::start(options, Arc::new(bench::Probe::default())).await.err().unwrap();
    assert!(matches!(refused, LinkError::Identity(IdentityError::WrongName { .. })), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_ca_is_refused_by_both_sides() {
    let (ours, theirs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (two, _) = start_any(ours.path(), node(2), &[]).await;
    let (one, _) = start_any(theirs.path(), node(1), &[(node(2), two.local_addr())]).await;
    fault(&one, node(2), "certificate").await;
    assert!(one.stats()[0].is_distrusted, "{:?}", one.stats());
    let noticed = async {
        while two.distrusted() != [two.local_addr().ip()] {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, noticed).await.expect("who was dialled notices it, too");
    // Trusting them is not enough: they must trust us.
    let mixed = tempfile::tempdir().unwrap();
    for name in ["node-3.pem", "node-3-key.pem"] {
        Identity::development(theirs.path(), node(3)).unwrap();
        std::fs::copy(theirs.path().join(name), mixed.path().join(name)).unwrap();
    }
    let quic = raw(ours.path(), theirs.path(), node(3), &two).await;
    let closed = quic.closed().await.to_string();
    assert!(closed.contains("certificate") || closed.contains("UnknownIssuer"), "{closed}");
    assert!(two.peers().is_empty() && one.peers().is_empty());
}

/// The certificates of a cluster are changed while it runs: first all trust the new CA, too.
#[tokio::test(flavor = "multi_thread")]
async fn another_identity_counts_for_what_is_connected_from_then_on() {
    let (old, new) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (two, _) = start_any(old.path(), node(2), &[]).await;
    let (one, _) = start_any(old.path(), node(1), &[(node(2), two.local_addr())]).await;
    connected(&one, node(2)).await;
    two.renew(&Identity::development(new.path(), node(2)).unwrap()).unwrap();
    assert_eq!(one.ask(node(2), Class::Command, "as before", PATIENCE).await.unwrap(), "as before");
    Identity::development(new.path(), node(3)).unwrap();
    let quic = raw(new.path(), new.path(), node(3), &two).await;
    let (mut send, mut receive) = quic.open_bi().await.unwrap();
    send.write_all(b"SLNK\x01\x00\x00\x03\x00\x00\x00").await.unwrap();
    assert_eq!(receive.read_to_end(100).await.unwrap(), b"SLNK\x01\x00\x00\x00");
    let stranger = two.renew(&Identity::development(new.path(), node(3)).unwrap());
    assert!(matches!(stranger, Err(LinkError::Identity(IdentityError::WrongName { .. }))), "{stranger:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_answers_must_be_who_was_meant() {
    let dir = tempfile::tempdir().unwrap();
    let (three, _) = start_any(dir.path(), node(3), &[]).await;
    let (one, _) = start_any(dir.path(), node(1), &[(node(2), three.local_addr())]).await;
    fault(&one, node(2), "not valid for").await;
    assert!(one.peers().is_empty() && three.peers().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_calls_must_be_who_it_says() {
    let dir = tempfile::tempdir().unwrap();
    let (two, _) = start_any(dir.path(), node(2), &[]).await;
    Identity::development(dir.path(), node(9)).unwrap();
    for (hello, words) in [
        (&b"SLNK\x01\x00\x00\x01\x00\x00\x00"[..], "certificate says otherwise"),
        (&b"SLNK\x01\x00\x00\x02\x00\x00\x00"[..], "as this process does"),
        (&b"SLNK\x09\x00\x00\x09\x00\x00\x00"[..], "link version 9"),
        (&b"SLNK\x01\x00\x07\x09\x00\x00\x00"[..], "no words of a Strowger link"),
        (&b"GET / HTTP/1.1"[..], "no words of a Strowger link"),
    ] {
        let quic = raw(dir.path(), dir.path(), node(9), &two).await;
        let (mut send, _receive) = quic.open_bi().await.unwrap();
        send.write_all(hello).await.unwrap();
        let closed = quic.closed().await.to_string();
        assert!(closed.contains(words), "expected `{words}`, got `{closed}`");
        assert!(two.peers().is_empty());
    }
}

/// A proven peer that then speaks nonsense loses its connection, and the process goes on.
#[tokio::test(flavor = "multi_thread")]
async fn nonsense_costs_the_connection_only() {
    let dir = tempfile::tempdir().unwrap();
    let (two, _) = start_any(dir.path(), node(2), &[]).await;
    let (one, _) = start_any(dir.path(), node(1), &[(node(2), two.local_addr())]).await;
    Identity::development(dir.path(), node(9)).unwrap();
    for (stream, words) in [
        (&b"\x63"[..], "unknown class 99"),
        (&b"\x02\x00\x00\x00\x00\x07\x00\x00\x00\x00\x00\x00\x00\x00"[..], "unknown kind 7"),
        (&b"\x02\x00\x00\x00\x00\x02\x00\x00\x00\x00\x00\x00\x00\x00"[..], "Answer where casts and asks belong"),
        (&b"\x02\xff\xff\xff\xff\x00\x00\x00\x00\x00\x00\x00\x00\x00"[..], "this class takes"),
    ] {
        let quic = raw(dir.path(), dir.path(), node(9), &two).await;
        let (mut send, mut receive) = quic.open_bi().await.unwrap();
        send.write_all(b"SLNK\x01\x00\x00\x09\x00\x00\x00").await.unwrap();
        assert_eq!(receive.read_to_end(100).await.unwrap(), b"SLNK\x01\x00\x00\x00");
        let (mut send, _receive) = quic.open_bi().await.unwrap();
        send.write_all(stream).await.unwrap();
        let closed = quic.closed().await.to_string();
        assert!(closed.contains(words), "expected `{words}`, got `{closed}`");
    }
    connected(&one, node(2)).await;
    assert_eq!(one.ask(node(2), Class::Command, "still", PATIENCE).await.unwrap(), "still");
}

/// A caller with the certificate of `me` below `own` that trusts `trusts` and is not one of our links.
async fn raw(trusts: &Path, own: &Path, me: PeerId, to: &Link) -> quinn::Connection {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(trusts.join("ca.pem")).unwrap()).unwrap();
    let chain = vec![CertificateDer::from_pem_file(own.join(format!("{me}.pem"))).unwrap()];
    let key = PrivateKeyDer::from_pem_file(own.join(format!("{me}-key.pem"))).unwrap();
    let mut tls = rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_root_certificates(roots)
        .with_client_auth_cert(chain, key)
        .unwrap();
    tls.alpn_protocols = vec![b"strowger-link/1".to_vec()];
    let crypto = quinn::crypto::rustls::QuicClientConfig::try_from(tls).unwrap();
    let endpoint = quinn::Endpoint::client(bench::loopback()).unwrap();
    let config = quinn::ClientConfig::new(Arc::new(crypto));
    endpoint.connect_with(config, to.local_addr(), &strowger_link::server_name(to.me())).unwrap().await.unwrap()
}
