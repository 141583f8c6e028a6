//! How QUIC is set up for a local network of few, known, mutually proven peers.

use std::net::SocketAddr;
use std::sync::{Arc, Weak};
use std::time::Duration;

use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use quinn::{
    AckFrequencyConfig, AsyncUdpSocket, ClientConfig, ConnectionError, ConnectionId, ConnectionIdGenerator, Endpoint,
    EndpointConfig, ServerConfig, TransportConfig,
};
use ring::rand::SecureRandom;

use crate::class::Class;
use crate::identity::{Identity, client_verifier, provider};
use crate::link::LinkError;
use crate::media::MediaOptions;
use crate::steady::Steady;

/// Other protocols and later, incompatible links are refused in the handshake.
const ALPN: &[u8] = b"strowger-link/1";
/// Of connections for media.
const MEDIA_ALPN: &[u8] = b"strowger-media/1";
/// The first bytes of the connection id that a media dialler invents for the other side. A server has to choose its
/// settings before it can read the ALPN, so this tells; who lies about it fails by the ALPN.
const MEDIA_MARK: [u8; 8] = *b"SLNKmed1";
/// Random bytes after the mark; the whole is as long as such an id may be.
const MEDIA_RANDOM_BYTES: usize = 12;
/// Packets that are acknowledged together. Nothing is sent again, so acknowledgements only serve round trip and loss counts.
const MEDIA_ACK_EVERY: u32 = 32;
/// Packets of the command link that are acknowledged together: each acknowledgement of its own wakes both processes, and
/// most packets are answered by another message soon, which carries it.
const ACK_EVERY: u32 = 10;
/// How long an acknowledgement waits for company; a lost packet is found by those behind it, or this much later.
const ACK_DELAY: Duration = Duration::from_millis(20);
/// Silence after which a connection is given up. Who is dead is decided by heartbeats above, sooner than this.
const IDLE_TIMEOUT_MS: u32 = 2_000;
/// Eight of them may be lost before the idle time-out.
const KEEP_ALIVE: Duration = Duration::from_millis(250);
/// QUIC assumes 333 ms until it has measured, and waits three times that for the first lost packet.
const INITIAL_RTT: Duration = Duration::from_millis(5);
/// A stream's window: 1 Gbit/s at 32 ms.
const STREAM_WINDOW_BYTES: u32 = 4 * 1024 * 1024;
/// A stream each way for each class, and the hello; with some to spare.
const STREAMS: u32 = 2 * Class::ALL.len() as u32;
/// Room for every stream to be full at once: else a class that the peer does not read would stop the others.
const SEND_WINDOW_BYTES: u64 = STREAM_WINDOW_BYTES as u64 * 2 * Class::ALL.len() as u64;
/// Length of our connection ids; a guess hits one of a thousand connections once in 10^16.
const CONNECTION_ID_BYTES: usize = 8;

/// Diallers of whom nobody has decided yet: they are judged as they come, so these are of a moment in which the process stood still.
const MAX_INCOMING: usize = 1024;
/// What these may have said meanwhile, together.
const INCOMING_BYTES: u64 = 1024 * 1024;

/// Both sides of media connections; those of commands are the endpoint's own.
pub struct MediaSides {
    pub client: ClientConfig,
    pub server: Arc<ServerConfig>,
}

/// A socket that quinn holds: it is open as long as this can be upgraded.
pub type Held = Weak<dyn AsyncUdpSocket>;

/// Opens the one socket that both dials and answers.
pub fn endpoint(
    listen: SocketAddr,
    identity: &Identity,
    media: MediaOptions,
) -> Result<(Endpoint, Held, MediaSides), LinkError> {
    let bind = |source| LinkError::Bind { address: listen, source };
    let (client, server) = sides(identity).map_err(LinkError::Tls)?;
    let media = media_sides(identity, media).map_err(LinkError::Tls)?;

    let socket = std::net::UdpSocket::bind(listen).map_err(bind)?;
    let runtime = quinn::default_runtime().ok_or(LinkError::NoRuntime)?;
    let socket = runtime.wrap_udp_socket(socket).map_err(bind)?;
    let held = Arc::downgrade(&socket);
    let endpoint = Endpoint::new_with_abstract_socket(resets(identity), Some(server), socket, runtime);
    let mut endpoint = endpoint.map_err(bind)?;
    endpoint.set_default_client_config(client);
    Ok((endpoint, held, media))
}

/// Both sides of command connections.
fn sides(identity: &Identity) -> Result<(ClientConfig, ServerConfig), String> {
    let transport = Arc::new(transport());
    let mut server = ServerConfig::with_crypto(Arc::new(server_tls(identity, ALPN)?));
    server.transport_config(transport.clone()).max_incoming(MAX_INCOMING).incoming_buffer_size_total(INCOMING_BYTES);
    let mut client = ClientConfig::new(Arc::new(client_tls(identity, ALPN)?));
    client.transport_config(transport);
    Ok((client, server))
}

/// What is connected from now on is proved by another identity; the media sides come back.
pub fn renew(endpoint: &mut Endpoint, identity: &Identity, media: MediaOptions) -> Result<MediaSides, LinkError> {
    let (client, server) = sides(identity).map_err(LinkError::Tls)?;
    let media = media_sides(identity, media).map_err(LinkError::Tls)?;
    endpoint.set_server_config(Some(server));
    endpoint.set_default_client_config(client);
    Ok(media)
}

/// Whether a dialler wants a media connection.
pub fn is_media(first_id: ConnectionId) -> bool {
    first_id.starts_with(&MEDIA_MARK)
}

/// Whether a connection failed because one side does not trust the other's certificate: TLS alerts (RFC 8446 section 6.2)
/// about certificates, as QUIC carries them (RFC 9001 section 4.8).
pub fn is_distrust(fault: &ConnectionError) -> bool {
    const TLS: u64 = 0x100;
    const BAD_CERTIFICATE: u64 = TLS + 42;
    const ACCESS_DENIED: u64 = TLS + 49;
    const DECRYPT_ERROR: u64 = TLS + 51;
    const CERTIFICATE_REQUIRED: u64 = TLS + 116;
    let code = match fault {
        ConnectionError::TransportError(fault) => fault.code,
        ConnectionError::ConnectionClosed(close) => close.error_code,
        _ => return false,
    };
    matches!(u64::from(code), BAD_CERTIFICATE..=ACCESS_DENIED | DECRYPT_ERROR | CERTIFICATE_REQUIRED)
}

fn media_sides(identity: &Identity, options: MediaOptions) -> Result<MediaSides, String> {
    let transport = Arc::new(media_transport(options));
    let mut server = ServerConfig::with_crypto(Arc::new(server_tls(identity, MEDIA_ALPN)?));
    server.transport_config(transport.clone());
    let mut client = ClientConfig::new(Arc::new(client_tls(identity, MEDIA_ALPN)?));
    client.transport_config(transport);
    client.initial_dst_cid_provider(Arc::new(marked_id));
    Ok(MediaSides { client, server: Arc::new(server) })
}

fn media_transport(options: MediaOptions) -> TransportConfig {
    let mut acks = AckFrequencyConfig::default();
    acks.ack_eliciting_threshold(MEDIA_ACK_EVERY.into());
    let mut transport = TransportConfig::default();
    transport
        .max_idle_timeout(Some(quinn::VarInt::from_u32(IDLE_TIMEOUT_MS).into()))
        .keep_alive_interval(Some(KEEP_ALIVE))
        .initial_rtt(INITIAL_RTT)
        .mtu_discovery_config(None)
        // The hello.
        .max_concurrent_bidi_streams(1u32.into())
        .max_concurrent_uni_streams(0u32.into())
        .ack_frequency_config(Some(acks))
        .congestion_controller_factory(Arc::new(Steady::new(options.window_bytes())))
        .datagram_send_buffer_size(options.buffer_bytes())
        .datagram_receive_buffer_size(Some(options.buffer_bytes()));
    transport
}

/// Unpredictable, as RFC 9000, 7.2 wants it, beside the mark.
fn marked_id() -> ConnectionId {
    let mut id = [0; MEDIA_MARK.len() + MEDIA_RANDOM_BYTES];
    id[..MEDIA_MARK.len()].copy_from_slice(&MEDIA_MARK);
    fill_random(&mut id[MEDIA_MARK.len()..]);
    ConnectionId::new(&id)
}

fn fill_random(bytes: &mut [u8]) {
    ring::rand::SystemRandom::new().fill(bytes).expect("the system gives random bytes");
}

fn transport() -> TransportConfig {
    let mut acks = AckFrequencyConfig::default();
    acks.ack_eliciting_threshold(ACK_EVERY.into()).max_ack_delay(Some(ACK_DELAY));
    let mut transport = TransportConfig::default();
    transport
        .max_idle_timeout(Some(quinn::VarInt::from_u32(IDLE_TIMEOUT_MS).into()))
        .keep_alive_interval(Some(KEEP_ALIVE))
        .initial_rtt(INITIAL_RTT)
        .stream_receive_window(STREAM_WINDOW_BYTES.into())
        .send_window(SEND_WINDOW_BYTES)
        .max_concurrent_bidi_streams(STREAMS.into())
        .max_concurrent_uni_streams(0u32.into())
        .ack_frequency_config(Some(acks))
        .datagram_receive_buffer_size(None);
    transport
}

/// A restarted process answers packets of its predecessor's connections by a reset that the peer believes, because
/// the reset key follows from the process's own key; without that the peer would wait for the idle time-out.
fn resets(identity: &Identity) -> EndpointConfig {
    let own = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, identity.key.secret_der());
    let derived = ring::hmac::sign(&own, b"strowger link: stateless resets");
    let mut config = EndpointConfig::new(Arc::new(ring::hmac::Key::new(ring::hmac::HMAC_SHA256, derived.as_ref())));
    config.cid_generator(|| Box::new(PlainIds));
    config
}

/// quinn's own generator refuses ids of an earlier process before a reset is thought of.
struct PlainIds;

impl ConnectionIdGenerator for PlainIds {
    fn generate_cid(&mut self) -> ConnectionId {
        let mut id = [0; CONNECTION_ID_BYTES];
        fill_random(&mut id);
        ConnectionId::new(&id)
    }

    fn cid_len(&self) -> usize {
        CONNECTION_ID_BYTES
    }

    fn cid_lifetime(&self) -> Option<Duration> {
        None
    }
}

fn server_tls(identity: &Identity, alpn: &[u8]) -> Result<QuicServerConfig, String> {
    let verifier = client_verifier(identity.roots.clone())?;
    let mut tls = rustls::ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(text)?
        .with_client_cert_verifier(verifier)
        .with_single_cert(identity.chain.clone(), identity.key.clone_key())
        .map_err(text)?;
    tls.alpn_protocols = vec![alpn.to_vec()];
    // A peer reconnects rarely and proves itself anew each time.
    tls.send_tls13_tickets = 0;
    QuicServerConfig::try_from(tls).map_err(text)
}

fn client_tls(identity: &Identity, alpn: &[u8]) -> Result<QuicClientConfig, String> {
    let mut tls = rustls::ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(text)?
        .with_root_certificates(identity.roots.clone())
        .with_client_auth_cert(identity.chain.clone(), identity.key.clone_key())
        .map_err(text)?;
    tls.alpn_protocols = vec![alpn.to_vec()];
    tls.resumption = rustls::client::Resumption::disabled();
    QuicClientConfig::try_from(tls).map_err(text)
}

fn text(why: impl std::fmt::Display) -> String {
    why.to_string()
}
