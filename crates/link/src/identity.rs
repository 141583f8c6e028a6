//! Who a process is: a certificate whose DNS name is its `PeerId`, and the roots it trusts.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::RootCertStore;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{ParsedCertificate, WebPkiClientVerifier};
use strowger_model::PeerId;

use crate::development;

/// Certificate chain, key and roots of one process.
pub struct Identity {
    pub(crate) chain: Vec<CertificateDer<'static>>,
    pub(crate) key: PrivateKeyDer<'static>,
    pub(crate) roots: Arc<RootCertStore>,
}

/// Why there is no identity: what, where, and what to do.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say what each is")]
pub enum IdentityError {
    #[error("cannot read {what} from {path}: {why}; check the path, the rights and that it is PEM")]
    Unreadable { what: &'static str, path: PathBuf, why: String },
    #[error("cannot write {path}: {source}; the directory must be writable for this user")]
    Unwritable { path: PathBuf, source: std::io::Error },
    #[error(
        "{dir} holds ca.pem without ca-key.pem, so no certificate can be issued for {me}: put {me}.pem and \
         {me}-key.pem there, or the CA's key, or remove ca.pem to start a new CA"
    )]
    NoCaKey { dir: PathBuf, me: PeerId },
    #[error(
        "{dir} lacks ca.pem, {me}.pem or {me}-key.pem: issue them by a CA of yours, for the DNS name {me}.strowger; for \
         development write development = true beside tls_dir, and what is missing is made"
    )]
    NoCertificates { dir: PathBuf, me: PeerId },
    #[error(
        "the CA in {dir} was made by a first start, for development: whoever reads that directory can be any process. Issue \
         ca.pem, {me}.pem and {me}-key.pem by a CA of yours; where nothing is at stake write development = true beside tls_dir"
    )]
    DevelopmentCa { dir: PathBuf, me: PeerId },
    #[error("the certificate in {path} is refused: {why}; issue it anew by the CA in {ca}")]
    Refused { path: PathBuf, ca: PathBuf, why: String },
    #[error("the certificate is not valid for the name {name}: {why}; issue one with that DNS name")]
    WrongName { name: String, why: String },
    #[error("certificate and key do not work together: {0}; both must come from one request")]
    KeyMismatch(String),
    #[error(
        "there are no data keys: name the file in data_keys under [cluster], or put data.keys into {dir}; it has 64 \
         hexadecimal digits a line, as `openssl rand -hex 32` makes them, and is the same on all nodes"
    )]
    NoDataKeys { dir: PathBuf },
    #[error("the system gives no random bytes for a data key")]
    NoRandomness,
    #[error("cannot make a certificate: {0}")]
    Issue(#[from] rcgen::Error),
}

/// The DNS name that proves a peer: `node-1.strowger`, `relay-2.strowger`.
pub fn server_name(peer: PeerId) -> String {
    format!("{peer}.strowger")
}

impl Identity {
    /// Reads what an operator made: a file of CA certificates, one of this process's chain, one of its key.
    pub fn load(ca_pem: &Path, cert_pem: &Path, key_pem: &Path) -> Result<Identity, IdentityError> {
        let mut roots = RootCertStore::empty();
        for root in certificates("the CA certificate", ca_pem)? {
            roots.add(root).map_err(|why| unreadable("the CA certificate", ca_pem, &why))?;
        }
        let chain = certificates("the certificate", cert_pem)?;
        let key = PrivateKeyDer::from_pem_file(key_pem).map_err(|why| unreadable("the key", key_pem, &why))?;
        let identity = Identity { chain, key, roots: Arc::new(roots) };
        identity.check_issuer().map_err(|why| IdentityError::Refused {
            path: cert_pem.to_owned(),
            ca: ca_pem.to_owned(),
            why,
        })?;
        rustls::sign::CertifiedKey::from_der(identity.chain.clone(), identity.key.clone_key(), &provider())
            .map_err(|why| IdentityError::KeyMismatch(why.to_string()))?;
        Ok(identity)
    }

    /// The identity of `me` below a directory into which somebody put `ca.pem`, its certificate and its key. Nothing is made,
    /// and the CA of a development directory is refused.
    pub fn in_production(dir: &Path, me: PeerId) -> Result<Identity, IdentityError> {
        let [ca, cert, key] =
            ["ca.pem".to_owned(), format!("{me}.pem"), format!("{me}-key.pem")].map(|name| dir.join(name));
        if [&ca, &cert, &key].into_iter().any(|file| !file.exists()) {
            return Err(IdentityError::NoCertificates { dir: dir.to_owned(), me });
        }
        let identity = Self::load(&ca, &cert, &key)?;
        identity.check_name(me)?;
        let is_of_development = |subject: &[u8]| {
            subject.windows(development::CA_NAME.len()).any(|name| name == development::CA_NAME.as_bytes())
        };
        match identity.roots.roots.iter().any(|root| is_of_development(root.subject.as_ref())) {
            true => Err(IdentityError::DevelopmentCa { dir: dir.to_owned(), me }),
            false => Ok(identity),
        }
    }

    /// The identity of `me` below one directory that the processes of a machine share; the first start makes a CA
    /// there. For development and demonstrations: whoever reads the directory can be any peer.
    pub fn development(dir: &Path, me: PeerId) -> Result<Identity, IdentityError> {
        development::identity(dir, me)
    }

    /// The file of data keys below such a directory, made if the CA was made there.
    pub fn development_data_keys(dir: &Path) -> Result<PathBuf, IdentityError> {
        development::data_keys(dir)
    }

    /// The file of data keys that somebody put below a directory.
    pub fn production_data_keys(dir: &Path) -> Result<PathBuf, IdentityError> {
        let path = dir.join(development::DATA_KEYS);
        if path.exists() { Ok(path) } else { Err(IdentityError::NoDataKeys { dir: dir.to_owned() }) }
    }

    /// That this identity proves `me`.
    pub(crate) fn check_name(&self, me: PeerId) -> Result<(), IdentityError> {
        let name = server_name(me);
        let proven = match self.chain.first() {
            Some(leaf) => proves(leaf, me),
            None => Err("there is no certificate".to_owned()),
        };
        proven.map_err(|why| IdentityError::WrongName { name, why })
    }

    fn check_issuer(&self) -> Result<(), String> {
        let verifier = client_verifier(self.roots.clone())?;
        let (leaf, rest) = self.chain.split_first().ok_or("the file holds no certificate")?;
        verifier.verify_client_cert(leaf, rest, UnixTime::now()).map_err(|why| why.to_string())?;
        Ok(())
    }
}

/// That a certificate is valid for a peer's name. Who issued it is the TLS handshake's matter.
pub fn proves(leaf: &CertificateDer<'_>, peer: PeerId) -> Result<(), String> {
    let name = ServerName::try_from(server_name(peer)).map_err(|why| why.to_string())?;
    let parsed = ParsedCertificate::try_from(leaf).map_err(|why| why.to_string())?;
    rustls::client::verify_server_name(&parsed, &name).map_err(|why| why.to_string())
}

/// Asks every peer that calls for a certificate below `roots`.
pub fn client_verifier(roots: Arc<RootCertStore>) -> Result<Arc<dyn ClientCertVerifier>, String> {
    WebPkiClientVerifier::builder_with_provider(roots, provider()).build().map_err(|why| why.to_string())
}

/// Named here rather than installed for the process: a library must not decide that for others.
pub fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

fn certificates(what: &'static str, path: &Path) -> Result<Vec<CertificateDer<'static>>, IdentityError> {
    let all = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|why| unreadable(what, path, &why))?;
    if all.is_empty() {
        return Err(unreadable(what, path, &"no certificate in it"));
    }
    Ok(all)
}

fn unreadable(what: &'static str, path: &Path, why: &dyn std::fmt::Display) -> IdentityError {
    IdentityError::Unreadable { what, path: path.to_owned(), why: why.to_string() }
}
