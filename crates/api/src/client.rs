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
const WAIT: Duration = limit::CONFIG_REQUEST.saturating_add(Duration::from_secs(10));

const JSON: &str = "application/json";
/// RFC 4180.
const CSV: &str = "text/csv";

/// Asks one node; a connection for each request.
#[derive(Clone)]
pub struct Client {
    /// `HOST:PORT`
    pub address: String,
    /// Not needed for `/metrics` and `/health`.
    pub token: Option<String>,
}

/// Why there is no answer, or that it is a refusal.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say what each is")]
pub enum ClientError {
    #[error("nobody answers at {address}: is a node running there? It must be its `listen` under [http]")]
    NoNode { address: String },
    #[error("cannot reach {address}: {source}; check the address, which is HOST:PORT, and the network")]
    Unreachable { address: String, source: std::io::Error },
    #[error("{address} did not answer {path} within {seconds} s; see the log of that node")]
    TooSlow { address: String, path: String, seconds: u64 },
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

impl Client {
    /// `address` is `HOST:PORT`; nothing is asked yet.
    pub fn new(address: impl Into<String>, token: Option<String>) -> Self {
        Self { address: address.into(), token }
    }

    /// A path with its query; the answer is JSON.
    pub async fn get(&self, path: &str) -> Result<Value, ClientError> {
        let (status, bytes) = self.ask(Method::GET, path, JSON, Bytes::new()).await?;
        self.read(path, status, &bytes)
    }

    /// Sends JSON, and takes some.
    pub async fn post(&self, path: &str, body: &Value) -> Result<Value, ClientError> {
        let (status, bytes) = self.ask(Method::POST, path, JSON, body.to_string().into()).await?;
        self.read(path, status, &bytes)
    }

    /// A part of a list of leads.
    pub async fn post_csv(&self, path: &str, lines: String) -> Result<Value, ClientError> {
        let (status, bytes) = self.ask(Method::POST, path, CSV, lines.into()).await?;
        self.read(path, status, &bytes)
    }

    /// For `/metrics`.
    pub async fn get_text(&self, path: &str) -> Result<String, ClientError> {
        let (status, bytes) = self.ask(Method::GET, path, JSON, Bytes::new()).await?;
        if !status.is_success() {
            return Err(self.refusal(path, status, &bytes));
        }
        String::from_utf8(bytes.into()).map_err(|_| self.strange(path, status))
    }

    fn read(&self, path: &str, status: StatusCode, bytes: &[u8]) -> Result<Value, ClientError> {
        if !status.is_success() {
            return Err(self.refusal(path, status, bytes));
        }
        serde_json::from_slice(bytes).map_err(|_| self.strange(path, status))
    }

    async fn ask(
        &self,
        method: Method,
        path: &str,
        content_type: &str,
        body: Bytes,
    ) -> Result<(StatusCode, Bytes), ClientError> {
        if body.len() > limit::CONFIG_BODY_BYTES {
            return Err(ClientError::TooLarge { bytes: body.len() });
        }
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, &self.address)
            .header(header::CONTENT_TYPE, content_type)
            .body(Full::new(body))
            .map_err(|_| ClientError::Unsendable { path: path.to_owned() })?;
        if let Some(token) = &self.token {
            let value = HeaderValue::from_str(&format!("Bearer {token}"));
            let mut value = value.map_err(|_| ClientError::Unsendable { path: path.to_owned() })?;
            value.set_sensitive(true);
            request.headers_mut().insert(header::AUTHORIZATION, value);
        }
        let stream = self.connect().await?;
        let answer = tokio::time::timeout(WAIT, exchange(stream, request)).await;
        let answer = answer.map_err(|_| ClientError::TooSlow {
            address: self.address.clone(),
            path: path.to_owned(),
            seconds: WAIT.as_secs(),
        })?;
        answer.map_err(|why| ClientError::Broken {
            address: self.address.clone(),
            path: path.to_owned(),
            why: why.to_string(),
        })
    }

    async fn connect(&self) -> Result<TcpStream, ClientError> {
        let connecting = tokio::time::timeout(limit::CONNECT, TcpStream::connect(&self.address));
        let connected = connecting.await.unwrap_or_else(|_| Err(ErrorKind::TimedOut.into()));
        connected.map_err(|source| {
            let address = self.address.clone();
            match source.kind() {
                ErrorKind::ConnectionRefused => ClientError::NoNode { address },
                _ => ClientError::Unreachable { address, source },
            }
        })
    }

    fn refusal(&self, path: &str, status: StatusCode, bytes: &[u8]) -> ClientError {
        let body: Value = serde_json::from_slice(bytes).unwrap_or_default();
        let error = &body["error"];
        let text = |field: &str| error[field].as_str().map(str::to_owned);
        let (Some(code), Some(what), Some(advice)) = (text("code"), text("what"), text("do")) else {
            return self.strange(path, status);
        };
        let faults = error["faults"].as_array().into_iter().flatten().map(fault_line).collect();
        ClientError::Refused { address: self.address.clone(), status: status.as_u16(), code, what, advice, faults }
    }

    fn strange(&self, path: &str, status: StatusCode) -> ClientError {
        ClientError::Strange { address: self.address.clone(), path: path.to_owned(), status: status.as_u16() }
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
