//! Images as bytes: a header that says what follows and in which layout, then the image.

use rkyv::api::high::{HighDeserializer, HighSerializer, HighValidator};
use rkyv::bytecheck::CheckBytes;
use rkyv::rancor;
use rkyv::ser::allocator::ArenaHandle;
use rkyv::util::AlignedVec;
use rkyv::{Archive, Deserialize, Serialize};

use super::{Kind, LATEST, LayoutFault};

/// Layout u16, kind u16, hash of the layout's text u32, little endian. As many as the widest word has, so that what
/// follows is aligned with them.
pub const HEADER_BYTES: usize = 8;
/// What most entries fit in.
const ENTRY_BYTES: usize = 512;

pub(crate) trait Image:
    Archive<
        Archived: for<'a> CheckBytes<HighValidator<'a, rancor::Error>>
                      + Deserialize<Self, HighDeserializer<rancor::Error>>,
    > + for<'a> Serialize<HighSerializer<Vec<u8>, ArenaHandle<'a>, rancor::Error>>
    + Sized
{
}

impl<T> Image for T where
    T: Archive<
            Archived: for<'a> CheckBytes<HighValidator<'a, rancor::Error>>
                          + Deserialize<T, HighDeserializer<rancor::Error>>,
        > + for<'a> Serialize<HighSerializer<Vec<u8>, ArenaHandle<'a>, rancor::Error>>
{
}

/// One layout, as a header says it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Layout {
    pub number: u16,
    pub schema: u32,
}

pub(super) fn write(kind: Kind, layout: Layout, image: &impl Image) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(ENTRY_BYTES);
    bytes.extend_from_slice(&layout.number.to_le_bytes());
    bytes.extend_from_slice(&(kind as u16).to_le_bytes());
    bytes.extend_from_slice(&layout.schema.to_le_bytes());
    // Only an image of 2 GiB, where its offsets end, has no bytes. A shard of a million rows has less.
    rkyv::api::high::to_bytes_in::<_, rancor::Error>(image, bytes).expect("an image is below 2 GiB")
}

/// The layout that bytes are in, if they are of this kind.
pub(super) fn layout_of(kind: Kind, bytes: &[u8]) -> Result<u16, LayoutFault> {
    let Some([l0, l1, k0, k1, ..]) = bytes.first_chunk::<HEADER_BYTES>() else {
        return Err(LayoutFault::Short { found: bytes.len() });
    };
    match u16::from_le_bytes([*k0, *k1]) {
        found if found == kind as u16 => Ok(u16::from_le_bytes([*l0, *l1])),
        found => Err(LayoutFault::Kind { found, wanted: kind as u16 }),
    }
}

pub(super) fn read<T: Image>(layout: Layout, bytes: &[u8]) -> Result<T, LayoutFault> {
    with_body(layout, bytes, |body| rkyv::from_bytes::<T, rancor::Error>(body))
}

/// Whether `read` would read it, without making it.
pub(super) fn check<T: Image>(layout: Layout, bytes: &[u8]) -> Result<(), LayoutFault> {
    with_body(layout, bytes, |body| rkyv::access::<T::Archived, rancor::Error>(body).map(drop))
}

fn with_body<T>(
    layout: Layout,
    bytes: &[u8],
    read: impl FnOnce(&[u8]) -> Result<T, rancor::Error>,
) -> Result<T, LayoutFault> {
    let Some(([.., s0, s1, s2, s3], body)) = bytes.split_first_chunk::<HEADER_BYTES>() else {
        return Err(LayoutFault::Short { found: bytes.len() });
    };
    let found = u32::from_le_bytes([*s0, *s1, *s2, *s3]);
    if found != layout.schema {
        return Err(LayoutFault::Text { layout: layout.number, found, known: layout.schema });
    }
    let value = if body.as_ptr().addr().is_multiple_of(HEADER_BYTES) {
        read(body)
    } else {
        let mut aligned = AlignedVec::<HEADER_BYTES>::with_capacity(body.len());
        aligned.extend_from_slice(body);
        read(&aligned)
    };
    value.map_err(|fault| LayoutFault::Body { layout: layout.number, why: fault.to_string() })
}

impl LayoutFault {
    pub(super) fn unknown(found: u16) -> Self {
        LayoutFault::Unknown { found, latest: LATEST }
    }
}
