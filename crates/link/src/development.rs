//! The CA of a development directory, and the data key of whoever has none.
//!
//! Several processes may start on an empty directory at once, and any may die at any instruction. So there is no
//! lock: each file is written whole under a name of its own and hard-linked to its place, which exactly one process
//! can do. `ca-key.pem` comes first and decides; `ca.pem` follows from it, and any certificate that this key signs
//! for itself is the same trust anchor, so it does not matter whose is linked.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
};
use ring::rand::{SecureRandom, SystemRandom};
use strowger_model::PeerId;

use crate::identity::{Identity, IdentityError, server_name};

/// Read and written by the owner alone.
const KEY_MODE: u32 = 0o600;
const CERTIFICATE_MODE: u32 = 0o644;
/// Whose certificates count nowhere but in development: who reads the directory has the CA's key.
pub const CA_NAME: &str = "Strowger development CA";
/// Of the file of data keys, beside the certificates.
pub const DATA_KEYS: &str = "data.keys";
/// Of AES-256.
const DATA_KEY_BYTES: usize = 32;

/// Loads the identity of `me`, issuing what is not there yet. What is there stays: a restarted process keeps its
/// key, by which its peers learn at once that the old one is gone.
pub fn identity(dir: &Path, me: PeerId) -> Result<Identity, IdentityError> {
    fs::create_dir_all(dir).map_err(|source| IdentityError::Unwritable { path: dir.to_owned(), source })?;
    let ca = dir.join("ca.pem");
    let (cert, key) = (dir.join(format!("{me}.pem")), dir.join(format!("{me}-key.pem")));
    if !exists(&cert) || !exists(&key) {
        issue(dir, &ca, &cert, &key, me)?;
    }
    let identity = Identity::load(&ca, &cert, &key)?;
    identity.check_name(me)?;
    Ok(identity)
}

/// The file of data keys in the directory. It is made where the CA is: whoever brings certificates brings keys too.
pub fn data_keys(dir: &Path) -> Result<PathBuf, IdentityError> {
    let path = dir.join(DATA_KEYS);
    if !exists(&path) {
        if !exists(&dir.join("ca-key.pem")) {
            return Err(IdentityError::NoDataKeys { dir: dir.to_owned() });
        }
        let mut key = [0; DATA_KEY_BYTES];
        SystemRandom::new().fill(&mut key).map_err(|_| IdentityError::NoRandomness)?;
        let digits: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
        place(&path, format!("# Made at the first start, for development.\n{digits}\n").as_bytes(), KEY_MODE)?;
    }
    Ok(path)
}

fn issue(dir: &Path, ca: &Path, cert: &Path, key: &Path, me: PeerId) -> Result<(), IdentityError> {
    let issuer = issuer(dir, ca, me)?;
    // The key first: a certificate that is there says that its key is there too.
    let own = linked_key(key)?;
    let mut params = CertificateParams::new([server_name(me)])?;
    params.distinguished_name.push(DnType::CommonName, server_name(me));
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    let issued = params.signed_by(&own, &issuer)?;
    place(cert, issued.pem().as_bytes(), CERTIFICATE_MODE)
}

fn issuer(dir: &Path, ca: &Path, me: PeerId) -> Result<Issuer<'static, KeyPair>, IdentityError> {
    let ca_key = dir.join("ca-key.pem");
    // In this order: between the two looks another process may place the key, then the certificate.
    let certificate_there = exists(ca);
    if certificate_there && !exists(&ca_key) {
        return Err(IdentityError::NoCaKey { dir: dir.to_owned(), me });
    }
    let key = linked_key(&ca_key)?;
    let params = ca_params();
    if !certificate_there {
        place(ca, params.self_signed(&key)?.pem().as_bytes(), CERTIFICATE_MODE)?;
    }
    Ok(Issuer::new(params, key))
}

/// The same for every process: with the key they are all that a trust anchor is.
fn ca_params() -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, CA_NAME);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

/// The key at `path`: that of the process that placed it first.
fn linked_key(path: &Path) -> Result<KeyPair, IdentityError> {
    if !exists(path) {
        place(path, KeyPair::generate()?.serialize_pem().as_bytes(), KEY_MODE)?;
    }
    let unreadable = |why: String| IdentityError::Unreadable { what: "the key", path: path.to_owned(), why };
    let pem = fs::read_to_string(path).map_err(|why| unreadable(why.to_string()))?;
    KeyPair::from_pem(&pem).map_err(|why| unreadable(why.to_string()))
}

/// Puts a whole file to its place unless one is there.
fn place(path: &Path, content: &[u8], mode: u32) -> Result<(), IdentityError> {
    let draft = draft_path(path);
    let placed = write_draft(&draft, content, mode).and_then(|()| match fs::hard_link(&draft, path) {
        Err(taken) if taken.kind() == ErrorKind::AlreadyExists => Ok(()),
        other => other,
    });
    // A draft that stays behind after a crash is never read.
    let _gone = fs::remove_file(&draft);
    placed.map_err(|source| IdentityError::Unwritable { path: path.to_owned(), source })
}

fn write_draft(draft: &Path, content: &[u8], mode: u32) -> std::io::Result<()> {
    // A process of an earlier boot may have had our number.
    if exists(draft) {
        fs::remove_file(draft)?;
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(draft)?;
    file.write_all(content)?;
    file.sync_all()
}

/// A name of this thread's own, in the same directory because a hard link does not leave its file system.
fn draft_path(path: &Path) -> PathBuf {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{}-{count}", std::process::id()));
    PathBuf::from(name)
}

fn exists(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}
