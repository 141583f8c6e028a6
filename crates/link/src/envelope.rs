//! The versioned envelope around rkyv bytes.
//!
//! rkyv reads the bytes of another layout as garbage and says Ok, so the header names the type and the hash of its
//! frozen layout, and what does not match is refused before rkyv sees it. Pure: no IO, no clock.

use std::cell::Cell;

use rkyv::rancor;
use rkyv::util::AlignedVec;
use strowger_model::Wire;

/// Version of the header below; it moves only when the header itself does.
pub const WIRE_VERSION: u16 = 1;

/// Bytes before the body: magic u32, version u16, type u16, schema u32, length u32, crc32 u32, little endian.
pub const HEADER_BYTES: usize = 20;

/// "STRW" as it stands in the bytes.
const MAGIC: [u8; 4] = *b"STRW";
/// The crc stands last and covers all header bytes before it and the body.
const CRC_AT: usize = 16;
/// rkyv's offsets hold for a body that starts at this alignment; it is the one `AlignedVec` has.
const BODY_ALIGNMENT: usize = 16;
/// What a thread keeps to work in: the entries of one message to a follower (1 MiB), and their ids.
const SCRATCH_KEPT_BYTES: usize = 2 << 20;

thread_local! {
    /// A body is written here first, or aligned here: a buffer that grows from nothing for each message costs more than
    /// the encoding.
    static SCRATCH: Cell<AlignedVec<BODY_ALIGNMENT>> = Cell::default();
}

/// What an envelope says about its body.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Header {
    /// [`Wire::TYPE`]: which message it is.
    pub type_id: u16,
    /// [`Wire::SCHEMA`]: hash of the layout it was written in.
    pub schema: u32,
    /// Length of what follows the header.
    pub body_bytes: u32,
    crc: u32,
}

/// Why bytes were not opened.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say what each is")]
pub enum EnvelopeFault {
    #[error("{found} bytes are too few for an envelope, whose header alone has {HEADER_BYTES}")]
    Short { found: usize },
    #[error("not an envelope: it starts with {found:02x?}, not with \"STRW\"")]
    Magic { found: [u8; 4] },
    #[error("envelope version {found}, and this build reads version {WIRE_VERSION}")]
    Version { found: u16 },
    #[error("message type {found}, where type {wanted} was expected")]
    Type { found: u16, wanted: u16 },
    #[error("type {type_id} with layout {found:08x}, and this build knows layout {wanted:08x}")]
    Schema { type_id: u16, found: u32, wanted: u32 },
    #[error("the header says {said} body bytes, there are {found}")]
    Length { said: u32, found: usize },
    #[error("checksum {found:08x}, and the header says {said:08x}: the bytes were damaged")]
    Crc { said: u32, found: u32 },
    #[error("the body is no valid value of type {type_id}")]
    Body { type_id: u16 },
}

/// Puts a value into an envelope.
///
/// # Panics
/// On a body of 2 GiB or more: rkyv's 32-bit offsets end there, and no message or chunk comes near.
pub fn seal<T: Wire>(value: &T) -> Vec<u8> {
    let body = rkyv::api::high::to_bytes_in::<_, rancor::Error>(value, scratch());
    let body = body.expect("a frozen layout serializes below 2 GiB");
    let length = u32::try_from(body.len()).expect("a body is below 2 GiB");
    let mut bytes = Vec::with_capacity(HEADER_BYTES + body.len());
    bytes.extend_from_slice(&MAGIC);
    bytes.extend_from_slice(&WIRE_VERSION.to_le_bytes());
    bytes.extend_from_slice(&T::TYPE.to_le_bytes());
    bytes.extend_from_slice(&T::SCHEMA.to_le_bytes());
    bytes.extend_from_slice(&length.to_le_bytes());
    let crc = checksum(&bytes, &body);
    bytes.extend_from_slice(&crc.to_le_bytes());
    bytes.extend_from_slice(&body);
    keep(body);
    bytes
}

fn scratch() -> AlignedVec<BODY_ALIGNMENT> {
    let mut scratch = SCRATCH.take();
    scratch.clear();
    scratch
}

fn keep(scratch: AlignedVec<BODY_ALIGNMENT>) {
    if scratch.capacity() <= SCRATCH_KEPT_BYTES {
        SCRATCH.set(scratch);
    }
}

/// Takes a value out of its envelope; every doubt is an error.
pub fn open<T: Wire>(bytes: &[u8]) -> Result<T, EnvelopeFault> {
    let value = with_body::<T, _>(bytes, |body| rkyv::from_bytes::<T, rancor::Error>(body))?;
    value.map_err(|_| EnvelopeFault::Body { type_id: T::TYPE })
}

/// Whether [`open`] would take a value out, without making it.
pub fn check<T: Wire>(bytes: &[u8]) -> Result<(), EnvelopeFault> {
    let value = with_body::<T, _>(bytes, |body| rkyv::access::<T::Archived, rancor::Error>(body).map(drop))?;
    value.map_err(|_| EnvelopeFault::Body { type_id: T::TYPE })
}

/// Shows the aligned body of an envelope whose header fits.
fn with_body<T: Wire, R>(bytes: &[u8], read: impl FnOnce(&[u8]) -> R) -> Result<R, EnvelopeFault> {
    let header = peek(bytes)?;
    if header.type_id != T::TYPE {
        return Err(EnvelopeFault::Type { found: header.type_id, wanted: T::TYPE });
    }
    if header.schema != T::SCHEMA {
        return Err(EnvelopeFault::Schema { type_id: T::TYPE, found: header.schema, wanted: T::SCHEMA });
    }
    let (head, body) = bytes.split_at(HEADER_BYTES);
    if header.body_bytes as usize != body.len() {
        return Err(EnvelopeFault::Length { said: header.body_bytes, found: body.len() });
    }
    let crc = checksum(&head[..CRC_AT], body);
    if crc != header.crc {
        return Err(EnvelopeFault::Crc { said: header.crc, found: crc });
    }
    if body.as_ptr().addr().is_multiple_of(BODY_ALIGNMENT) {
        return Ok(read(body));
    }
    let mut aligned = scratch();
    aligned.extend_from_slice(body);
    let read = read(&aligned);
    keep(aligned);
    Ok(read)
}

/// Reads the header alone, to choose the type to open by.
pub fn peek(bytes: &[u8]) -> Result<Header, EnvelopeFault> {
    let Some(head) = bytes.first_chunk::<HEADER_BYTES>() else {
        return Err(EnvelopeFault::Short { found: bytes.len() });
    };
    let [m0, m1, m2, m3, v0, v1, t0, t1, s0, s1, s2, s3, l0, l1, l2, l3, c0, c1, c2, c3] = *head;
    let magic = [m0, m1, m2, m3];
    if magic != MAGIC {
        return Err(EnvelopeFault::Magic { found: magic });
    }
    let version = u16::from_le_bytes([v0, v1]);
    if version != WIRE_VERSION {
        return Err(EnvelopeFault::Version { found: version });
    }
    Ok(Header {
        type_id: u16::from_le_bytes([t0, t1]),
        schema: u32::from_le_bytes([s0, s1, s2, s3]),
        body_bytes: u32::from_le_bytes([l0, l1, l2, l3]),
        crc: u32::from_le_bytes([c0, c1, c2, c3]),
    })
}

fn checksum(head: &[u8], body: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(head);
    hasher.update(body);
    hasher.finalize()
}
