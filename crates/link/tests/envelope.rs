//! The envelope: golden bytes, and one test per way of being wrong.

use strowger_link::{EnvelopeFault, HEADER_BYTES, Wire, check, open, peek, schema, seal};

#[derive(Clone, PartialEq, Debug, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
struct OfferV1 {
    call: u64,
    agent: u32,
    skills: Vec<u16>,
    note: Option<String>,
}

impl Wire for OfferV1 {
    const TYPE: u16 = 7;
    const SCHEMA: u32 = schema("OfferV1{call:u64,agent:u32,skills:[u16],note:?string}");
}

/// The same type number with another layout, as after a forgotten freeze.
#[derive(rkyv::Archive, rkyv::Serialize, rkyv::Deserialize, Debug)]
struct OfferEdited {
    call: u64,
}

impl Wire for OfferEdited {
    const TYPE: u16 = 7;
    const SCHEMA: u32 = schema("OfferV1{call:u64}");
}

/// Layout and number of `OfferEdited`, except that not every byte pattern is a value.
#[derive(rkyv::Archive, rkyv::Serialize, rkyv::Deserialize, Debug)]
struct Flag(bool);

impl Wire for Flag {
    const TYPE: u16 = 8;
    const SCHEMA: u32 = schema("byte");
}

#[derive(rkyv::Archive, rkyv::Serialize, rkyv::Deserialize, Debug)]
struct Octet(u8);

impl Wire for Octet {
    const TYPE: u16 = 8;
    const SCHEMA: u32 = schema("byte");
}

/// Magic, version, type, schema, length, crc; then the body.
const GOLDEN: &str = concat!(
    "53545257",
    "0100",
    "0700",
    "4e464d77",
    "40000000",
    "554a5fa7",
    "01000200030061206e6f7465206f6620736f6d65206c656e",
    "67746800000000000807060504030201",
    "11000000d4ffffff030000000100000095000000ceffffff",
);

fn offer() -> OfferV1 {
    OfferV1 {
        call: 0x0102_0304_0506_0708,
        agent: 17,
        skills: vec![1, 2, 3],
        note: Some("a note of some length".into()),
    }
}

#[test]
fn golden_bytes_stay() {
    let hex: String = seal(&offer()).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(hex, GOLDEN);
}

#[test]
fn opens_at_every_alignment() {
    let sealed = seal(&offer());
    for shift in 0..16 {
        let mut shifted = vec![0; shift];
        shifted.extend_from_slice(&sealed);
        assert_eq!(open::<OfferV1>(&shifted[shift..]), Ok(offer()));
    }
    let header = peek(&sealed).unwrap();
    assert_eq!((header.type_id, header.schema), (OfferV1::TYPE, OfferV1::SCHEMA));
    assert_eq!(header.body_bytes as usize, sealed.len() - HEADER_BYTES);
}

#[test]
fn every_cut_is_refused() {
    let sealed = seal(&offer());
    for length in 0..HEADER_BYTES {
        assert_eq!(open::<OfferV1>(&sealed[..length]), Err(EnvelopeFault::Short { found: length }));
    }
    for length in HEADER_BYTES..sealed.len() {
        let fault = open::<OfferV1>(&sealed[..length]).unwrap_err();
        assert!(matches!(fault, EnvelopeFault::Length { .. }), "{fault}");
    }
}

#[test]
fn every_flipped_bit_is_refused() {
    let sealed = seal(&offer());
    for bit in 0..sealed.len() * 8 {
        let mut damaged = sealed.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        let fault = open::<OfferV1>(&damaged).unwrap_err();
        let expected = match bit / 8 {
            0..4 => matches!(fault, EnvelopeFault::Magic { .. }),
            4..6 => matches!(fault, EnvelopeFault::Version { .. }),
            6..8 => matches!(fault, EnvelopeFault::Type { .. }),
            8..12 => matches!(fault, EnvelopeFault::Schema { .. }),
            12..16 => matches!(fault, EnvelopeFault::Length { .. }),
            _ => matches!(fault, EnvelopeFault::Crc { .. }),
        };
        assert!(expected, "bit {bit}: {fault}");
    }
}

#[test]
fn an_edited_layout_is_refused_by_its_hash() {
    let fault = open::<OfferEdited>(&seal(&offer())).unwrap_err();
    assert_eq!(fault, EnvelopeFault::Schema { type_id: 7, found: OfferV1::SCHEMA, wanted: OfferEdited::SCHEMA });
}

#[test]
fn a_body_that_is_no_value_is_refused_by_validation() {
    assert!(open::<Flag>(&seal(&Octet(1))).unwrap().0);
    assert_eq!(open::<Flag>(&seal(&Octet(2))).unwrap_err(), EnvelopeFault::Body { type_id: 8 });
    assert_eq!(check::<Flag>(&seal(&Octet(1))), Ok(()));
    assert_eq!(check::<Flag>(&seal(&Octet(2))), Err(EnvelopeFault::Body { type_id: 8 }));
}

#[test]
fn white_space_does_not_change_a_schema() {
    const SPREAD: u32 = schema("A {\n  b: u8,\n}");
    assert_eq!(SPREAD, schema("A{b:u8,}"));
    assert_ne!(SPREAD, schema("A{b:u9,}"));
}
