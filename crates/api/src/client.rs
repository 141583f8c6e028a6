//! The command line's way to a node.

use std::io::ErrorKind;
use std::time::Duration;

use axum::body::Bytes;
use axum::http::{HeaderValue, Method, Request, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

use crate::limit;

/// Somewhat longer than the node's own deadlines: the node's answer says more than ours.
const BEYOND: Duration = Duration::from_secs(10);
/// Where one asks whether a node runs at all.
const LIVE: &str = "/health/live";

const JSON: &str = "application/json";
/// RFC 4180.
const CSV: &str = "text/csv";

/// Asks the first of some nodes that answers; a connection for each request.
///
/// What only reads goes on to the next node when one is down, too slow or cannot say. What changes something is sent
/// once, to the first node that runs: whether a node that fell silent has done it nobody knows.
#[derive(Clone)]
pub struct Client {
    /// `HOST:PORT`, never empty.
    addresses: Vec<String>,
    /// Not needed for `/metrics` and `/health`.
    token: Option<String>,
    /// How long a node may take to answer what only reads, and to say that it runs.
    wait: Duration,
}

/// Why there is no answer, or that it is a refusal.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say what each is")]
pub enum ClientError {
    #[error("`{text}` is no address of a node: {why}; write HOST:PORT, several with commas between them")]
    Address { text: String, why: &'static str },
    #[error("none of {} nodes can answer:{}", .faults.len(), listed(&texts(.faults)))]
    NoneOf { faults: Vec<ClientError> },
    #[error("nobody answers at {address}: is a node running there? It must be its `listen` under [http]")]
    NoNode { address: String },
    #[error("cannot reach {address}: {source}; check the address, which is HOST:PORT, and the network")]
    Unreachable { address: String, source: std::io::Error },
    #[error("{address} did not answer {path} within {seconds} s; see the log of that node, ask another or wait longer")]
    TooSlow { address: String, path: String, seconds: u64 },
    #[error(
        "{address} did not say within {seconds} s what became of {path}; it may have been done: look before you repeat it"
    )]
    Unknown { address: String, path: String, seconds: u64 },
    #[error("the connection to {address} broke while asking for {path}: {why}; try again")]
    Broken { address: String, path: String, why: String },
    #[error("the path {path} or the token has characters that HTTP does not allow; correct it")]
    Unsendable { path: String },
    #[error(
        "the request has {bytes} bytes, more than the {} that a node takes; shorten the prompts or take out unused files",
        limit::CONFIG_BODY_BYTES
    )]
    TooLarge { bytes: usize },
    #[error("{address} answered {path} with {status}, but not as a Strowger node does: is it another server?")]
    Strange { address: String, path: String, status: u16 },
    #[error("{address}: {what}; {advice}{}", listed(.faults))]
    Refused { address: String, status: u16, code: String, what: String, advice: String, faults: Vec<String> },
}

fn listed(faults: &[String]) -> String {
    faults.iter().map(|fault| format!("\n  {fault}")).collect()
}

fn texts(faults: &[ClientError]) -> Vec<String> {
    faults.iter().map(ToString::to_string).collect()
}

impl ClientError {
    /// Whether it says of the node that it cannot answer, and nothing of what it was asked: another may do.
    pub fn is_of_the_node(&self) -> bool {
        match self {
            Self::NoNode { .. } | Self::Unreachable { .. } | Self::TooSlow { .. } | Self::Broken { .. } => true,
            Self::Refused { status, .. } => *status == StatusCode::SERVICE_UNAVAILABLE.as_u16(),
            Self::NoneOf { faults } => faults.iter().all(Self::is_of_the_node),
            Self::Address { .. }
            | Self::Unknown { .. }
            | Self::Unsendable { .. }
            | Self::TooLarge { .. }
            | Self::Strange { .. } => false,
        }
    }
}

impl Client {
    /// For a program, which has time. `address` is `HOST:PORT`; nothing is asked yet.
    pub fn new(address: impl Into<String>, token: Option<String>) -> Self {
        Self { addresses: vec![address.into()], token, wait: limit::REQUEST + BEYOND }
    }

    /// `list` is what a person writes: one node or several with commas, with `http://` before it or not. `wait` is how
    /// long each may take to answer what only reads. Nothing is asked yet.
    pub fn of(list: &str, token: Option<String>, wait: Duration) -> Result<Self, ClientError> {
        let addresses = list.split(',').map(address).collect::<Result<_, _>>()?;
        Ok(Self { addresses, token, wait })
    }

    /// Of the node that is asked first.
    pub fn address(&self) -> &str {
        self.addresses.first().map_or("", String::as_str)
    }

    /// A path with its query; the answer is JSON.
    pub async fn get(&self, path: &str) -> Result<Value, ClientError> {
        self.read(path, |node, status, bytes| node.json(path, status, bytes)).await
    }

    /// For `/metrics`.
    pub async fn get_text(&self, path: &str) -> Result<String, ClientError> {
        self.read(path, |node, status, bytes| String::from_utf8(bytes.to_vec()).map_err(|_| node.strange(path, status)))
            .await
    }

    /// Sends JSON, and takes some.
    pub async fn post(&self, path: &str, body: &Value) -> Result<Value, ClientError> {
        self.change(path, JSON, body.to_string().into()).await
    }

    /// A part of a list of leads.
    pub async fn post_csv(&self, path: &str, lines: String) -> Result<Value, ClientError> {
        self.change(path, CSV, lines.into()).await
    }

    fn nodes(&self) -> impl Iterator<Item = Node<'_>> {
        self.addresses.iter().map(|address| Node { address, token: self.token.as_deref() })
    }

    /// The first answer that says something of what is asked.
    async fn read<T>(
        &self,
        path: &str,
        answer: impl Fn(&Node<'_>, StatusCode, &[u8]) -> Result<T, ClientError>,
    ) -> Result<T, ClientError> {
        let mut faults = Vec::new();
        for node in self.nodes() {
            let told = node.ask(Method::GET, path, JSON, Bytes::new(), self.wait).await;
            match told.and_then(|(status, bytes)| answer(&node, node.success(path, status, &bytes)?, &bytes)) {
                Err(fault) if fault.is_of_the_node() => faults.push(fault),
                told => return told,
            }
        }
        Err(none_of(faults))
    }

    async fn change(&self, path: &str, content_type: &str, body: Bytes) -> Result<Value, ClientError> {
        if body.len() > limit::CONFIG_BODY_BYTES {
            return Err(ClientError::TooLarge { bytes: body.len() });
        }
        let node = self.first_that_runs().await?;
        let wait = deadline(path) + BEYOND;
        let (status, bytes) = node.ask(Method::POST, path, content_type, body, wait).await.map_err(uncertain)?;
        node.json(path, node.success(path, status, &bytes)?, &bytes)
    }

    async fn first_that_runs(&self) -> Result<Node<'_>, ClientError> {
        let mut faults = Vec::new();
        for node in self.nodes() {
            match node.ask(Method::GET, LIVE, JSON, Bytes::new(), self.wait).await {
                Ok(_) => return Ok(node),
                Err(fault) => faults.push(fault),
            }
        }
        Err(none_of(faults))
    }
}

/// One address as people write them.
fn address(text: &str) -> Result<String, ClientError> {
    let fault = |why| ClientError::Address { text: text.to_owned(), why };
    let bare = text.trim();
    if bare.starts_with("https://") {
        return Err(fault("nodes speak HTTP, and TLS ends at a proxy before them"));
    }
    let bare = bare.strip_prefix("http://").unwrap_or(bare);
    let bare = bare.strip_suffix('/').unwrap_or(bare);
    let (host, port) = bare.rsplit_once(':').ok_or_else(|| fault("the port is missing"))?;
    if host.is_empty() || host.contains(['/', '@', ' ']) {
        return Err(fault("before the port there is no host"));
    }
    match port.parse::<u16>() {
        Ok(1..) => Ok(bare.to_owned()),
        _ => Err(fault("what follows the last colon is no port")),
    }
}

/// How long the node itself takes at most.
fn deadline(path: &str) -> Duration {
    if path.starts_with("/api/v1/config") { limit::CONFIG_REQUEST } else { limit::REQUEST }
}

/// A change that was sent and not answered may have been made.
fn uncertain(fault: ClientError) -> ClientError {
    match fault {
        ClientError::TooSlow { address, path, seconds } => ClientError::Unknown { address, path, seconds },
        other => other,
    }
}

fn none_of(mut faults: Vec<ClientError>) -> ClientError {
    match (faults.len(), faults.pop()) {
        (1, Some(only)) => only,
        (_, last) => {
            faults.extend(last);
            ClientError::NoneOf { faults }
        }
    }
}

/// One of the nodes, with what it is told of who asks.
struct Node<'a> {
    address: &'a str,
    token: Option<&'a str>,
}

impl Node<'_> {
    async fn ask(
        &self,
        method: Method,
        path: &str,
        content_type: &str,
        body: Bytes,
        wait: Duration,
    ) -> Result<(StatusCode, Bytes), ClientError> {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, self.address)
            .header(header::CONTENT_TYPE, content_type)
            .body(Full::new(body))
            .map_err(|_| ClientError::Unsendable { path: path.to_owned() })?;
        if let Some(token) = self.token {
            let value = HeaderValue::from_str(&format!("Bearer {token}"));
            let mut value = value.map_err(|_| ClientError::Unsendable { path: path.to_owned() })?;
            value.set_sensitive(true);
            request.headers_mut().insert(header::AUTHORIZATION, value);
        }
        let stream = self.connect().await?;
        let answer = tokio::time::timeout(wait, exchange(stream, request)).await;
        let answer = answer.map_err(|_| ClientError::TooSlow {
            address: self.address.to_owned(),
            path: path.to_owned(),
            seconds: wait.as_secs(),
        })?;
        answer.map_err(|why| ClientError::Broken {
            address: self.address.to_owned(),
            path: path.to_owned(),
            why: why.to_string(),
        })
    }

    async fn connect(&self) -> Result<TcpStream, ClientError> {
        let connecting = tokio::time::timeout(limit::CONNECT, TcpStream::connect(self.address));
        let connected = connecting.await.unwrap_or_else(|_| Err(ErrorKind::TimedOut.into()));
        connected.map_err(|source| {
            let address = self.address.to_owned();
            match source.kind() {
                ErrorKind::ConnectionRefused => ClientError::NoNode { address },
                _ => ClientError::Unreachable { address, source },
            }
        })
    }

    fn success(&self, path: &str, status: StatusCode, bytes: &[u8]) -> Result<StatusCode, ClientError> {
        if status.is_success() { Ok(status) } else { Err(self.refusal(path, status, bytes)) }
    }

    fn json(&self, path: &str, status: StatusCode, bytes: &[u8]) -> Result<Value, ClientError> {
        serde_json::from_slice(bytes).map_err(|_| self.strange(path, status))
    }

    fn refusal(&self, path: &str, status: StatusCode, bytes: &[u8]) -> ClientError {
        let body: Value = serde_json::from_slice(bytes).unwrap_or_default();
        let error = &body["error"];
        let text = |field: &str| error[field].as_str().map(str::to_owned);
        let (Some(code), Some(what), Some(advice)) = (text("code"), text("what"), text("do")) else {
            return self.strange(path, status);
        };
        let faults = error["faults"].as_array().into_iter().flatten().map(fault_line).collect();
        ClientError::Refused { address: self.address.to_owned(), status: status.as_u16(), code, what, advice, faults }
    }

    fn strange(&self, path: &str, status: StatusCode) -> ClientError {
        ClientError::Strange { address: self.address.to_owned(), path: path.to_owned(), status: status.as_u16() }
    }
}

/// `FILE:LINE:COLUMN: what: fix`, as compilers write it and editors find it.
fn fault_line(fault: &Value) -> String {
    let text = |field: &str| fault[field].as_str().unwrap_or_default();
    let place = match (fault["line"].as_u64(), fault["column"].as_u64()) {
        (Some(line), Some(column)) => format!(":{line}:{column}"),
        _ => String::new(),
    };
    format!("{}{place}: {}: {}", text("file"), text("what"), text("fix"))
}

type Fault = Box<dyn std::error::Error + Send + Sync>;

async fn exchange(stream: TcpStream, request: Request<Full<Bytes>>) -> Result<(StatusCode, Bytes), Fault> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    // It ends with the sender, and the sender with this function.
    tokio::spawn(connection);
    let answer = sender.send_request(request).await?;
    let status = answer.status();
    let body = Limited::new(answer.into_body(), limit::ANSWER_BYTES).collect().await?;
    Ok((status, body.to_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(list: &str) -> Result<Vec<String>, String> {
        let client = Client::of(list, None, limit::READ).map_err(|fault| fault.to_string());
        client.map(|client| client.addresses)
    }

    #[test]
    fn nodes_are_named_as_people_write_them() {
        for (list, addresses) in [
            ("127.0.0.1:8081", vec!["127.0.0.1:8081"]),
            ("http://127.0.0.1:8081/", vec!["127.0.0.1:8081"]),
            ("[::1]:8081", vec!["[::1]:8081"]),
            ("node-1.example:80, http://node-2.example:80", vec!["node-1.example:80", "node-2.example:80"]),
        ] {
            assert_eq!(written(list).unwrap(), addresses, "{list}");
        }
    }

    #[test]
    fn what_is_no_address_is_told_with_what_to_write() {
        for (list, why) in [
            ("https://node-1:8081", "TLS ends at a proxy"),
            ("node-1", "the port is missing"),
            ("node-1:", "no port"),
            ("node-1:0", "no port"),
            ("node-1:65536", "no port"),
            (":8081", "no host"),
            ("node-1:8081/api:80", "no host"),
            ("node-1:8081,", "the port is missing"),
            ("", "the port is missing"),
        ] {
            let fault = written(list).unwrap_err();
            assert!(fault.contains(why) && fault.contains("HOST:PORT"), "{list}: {fault}");
        }
    }
}
