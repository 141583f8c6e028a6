//! What a type with a frozen layout says of itself. The envelope around its bytes is the link's.

use rkyv::api::high::{HighDeserializer, HighSerializer, HighValidator};
use rkyv::bytecheck::CheckBytes;
use rkyv::rancor;
use rkyv::ser::allocator::ArenaHandle;
use rkyv::util::AlignedVec;
use rkyv::{Archive, Deserialize, Serialize};

/// A type with a frozen layout that may travel or lie on a disk. A released one is never edited: a new layout is a
/// new type with a new number.
pub trait Wire:
    Archive<Archived: for<'a> CheckBytes<HighValidator<'a, rancor::Error>> + Deserialize<Self, Fallible>>
    + for<'a> Serialize<HighSerializer<AlignedVec, ArenaHandle<'a>, rancor::Error>>
    + Sized
{
    /// Number of the type, unique in the product.
    const TYPE: u16;
    /// [`schema`] of the layout's text.
    const SCHEMA: u32;
}

type Fallible = HighDeserializer<rancor::Error>;

/// Hash of a layout's text (FNV-1a, white space left out), to freeze it:
/// `const SCHEMA: u32 = schema("ProposalV1{seq:u64,row:u32}");`
pub const fn schema(layout: &str) -> u32 {
    let bytes = layout.as_bytes();
    let mut hash: u32 = 0x811c_9dc5;
    let mut at = 0;
    while at < bytes.len() {
        if !bytes[at].is_ascii_whitespace() {
            hash = (hash ^ bytes[at] as u32).wrapping_mul(0x0100_0193);
        }
        at += 1;
    }
    hash
}
