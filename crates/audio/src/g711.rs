//! G.711: µ-law and A-law to 16-bit linear and to each other, by tables.

use std::sync::LazyLock;

use audio_codec_algorithms::{convert_alaw_to_ulaw, convert_ulaw_to_alaw};
use audio_codec_algorithms::{decode_alaw, decode_ulaw, encode_alaw, encode_ulaw};
use strowger_model::Law;

static MU_TO_A: LazyLock<[u8; 256]> = LazyLock::new(|| std::array::from_fn(|byte| convert_ulaw_to_alaw(byte as u8)));
static A_TO_MU: LazyLock<[u8; 256]> = LazyLock::new(|| std::array::from_fn(|byte| convert_alaw_to_ulaw(byte as u8)));

/// The byte that means nothing is heard.
pub fn silence(law: Law) -> u8 {
    match law {
        Law::Mu => 0xff,
        Law::A => 0xd5,
    }
}

/// One sample to 16-bit linear.
pub fn decode(law: Law, byte: u8) -> i16 {
    match law {
        Law::Mu => decode_ulaw(byte),
        Law::A => decode_alaw(byte),
    }
}

/// One sample from 16-bit linear.
pub fn encode(law: Law, sample: i16) -> u8 {
    match law {
        Law::Mu => encode_ulaw(sample),
        Law::A => encode_alaw(sample),
    }
}

/// Changes a payload from one law to the other in place (ITU-T G.711, tables 3 and 4).
pub fn transcode(from: Law, to: Law, payload: &mut [u8]) {
    let table = match (from, to) {
        (Law::Mu, Law::A) => &*MU_TO_A,
        (Law::A, Law::Mu) => &*A_TO_MU,
        _ => return,
    };
    for byte in payload {
        *byte = table[usize::from(*byte)];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_samples() {
        // ITU-T G.711: decision values at the ends and in the middle, scaled to 16 bits.
        assert_eq!(decode(Law::Mu, 0xff), 0);
        assert_eq!(decode(Law::Mu, 0x80), 32124);
        assert_eq!(decode(Law::Mu, 0x00), -32124);
        assert_eq!(decode(Law::A, 0xd5), 8);
        assert_eq!(decode(Law::A, 0xaa), 32256);
        assert_eq!(decode(Law::A, 0x2a), -32256);
        assert_eq!(encode(Law::Mu, 0), silence(Law::Mu));
        assert_eq!(encode(Law::A, 0), silence(Law::A));
    }

    #[test]
    fn each_byte_survives_its_own_law() {
        for byte in 0..=255u8 {
            assert_eq!(encode(Law::A, decode(Law::A, byte)), byte);
            // 0x7f is the second name of zero.
            if byte != 0x7f {
                assert_eq!(encode(Law::Mu, decode(Law::Mu, byte)), byte);
            }
        }
    }

    #[test]
    fn the_other_law_is_near() {
        for byte in 0..=255u8 {
            let mut there = [byte];
            transcode(Law::Mu, Law::A, &mut there);
            let (before, after) = (i32::from(decode(Law::Mu, byte)), i32::from(decode(Law::A, there[0])));
            assert!((before - after).abs() <= before.abs() / 16 + 16, "{byte:#x}: {before} became {after}");
            transcode(Law::A, Law::Mu, &mut there);
            let back = i32::from(decode(Law::Mu, there[0]));
            assert!((before - back).abs() <= before.abs() / 16 + 16);
        }
        let mut same = [1, 2, 3];
        transcode(Law::A, Law::A, &mut same);
        assert_eq!(same, [1, 2, 3]);
    }
}
