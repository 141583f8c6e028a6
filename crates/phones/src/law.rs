//! G.711, both laws: written here so that the product's audio code does not check itself.

use std::sync::LazyLock;

/// What a phone offers, and speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Law {
    /// µ-law.
    Pcmu,
    /// A-law.
    Pcma,
}

impl Law {
    pub(crate) fn payload_type(self) -> u8 {
        match self {
            Law::Pcmu => 0,
            Law::Pcma => 8,
        }
    }

    pub(crate) fn from_payload_type(payload_type: u8) -> Option<Law> {
        match payload_type {
            0 => Some(Law::Pcmu),
            8 => Some(Law::Pcma),
            _ => None,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Law::Pcmu => "PCMU",
            Law::Pcma => "PCMA",
        }
    }

    pub(crate) fn other(self) -> Law {
        match self {
            Law::Pcmu => Law::Pcma,
            Law::Pcma => Law::Pcmu,
        }
    }

    /// The code word of a linear sample of 16 bits.
    pub fn encode(self, sample: i16) -> u8 {
        match self {
            Law::Pcmu => encode_pcmu(sample),
            Law::Pcma => encode_pcma(sample),
        }
    }

    /// All 256 code words as samples between -1 and 1.
    pub(crate) fn samples(self) -> &'static [f32; 256] {
        static PCMU: LazyLock<[f32; 256]> = LazyLock::new(|| table(decode_pcmu));
        static PCMA: LazyLock<[f32; 256]> = LazyLock::new(|| table(decode_pcma));
        match self {
            Law::Pcmu => &PCMU,
            Law::Pcma => &PCMA,
        }
    }
}

/// Added before the search for the segment (G.711, table 2a, in 16 bit terms).
const PCMU_BIAS: i32 = 132;
const PCMU_CLIP: i32 = 32_635;

fn table(decode: fn(u8) -> i16) -> [f32; 256] {
    std::array::from_fn(|code| f32::from(decode(code as u8)) / 32_768.0)
}

fn encode_pcmu(sample: i16) -> u8 {
    let sign = if sample < 0 { 0x80 } else { 0 };
    let magnitude = i32::from(sample).abs().min(PCMU_CLIP) + PCMU_BIAS;
    let segment = 31 - magnitude.leading_zeros() - 7;
    let step = (magnitude >> (segment + 3)) & 0x0F;
    !(sign | (segment << 4) as u8 | step as u8)
}

fn decode_pcmu(code: u8) -> i16 {
    let code = !code;
    let magnitude = (((i32::from(code & 0x0F) << 3) + PCMU_BIAS) << ((code & 0x70) >> 4)) - PCMU_BIAS;
    (if code & 0x80 == 0 { magnitude } else { -magnitude }) as i16
}

fn encode_pcma(sample: i16) -> u8 {
    let (sign, magnitude) =
        if sample >= 0 { (0x80, i32::from(sample) >> 4) } else { (0, (-1 - i32::from(sample)) >> 4) };
    let code = if magnitude < 32 {
        // The two lowest segments have the same step.
        magnitude
    } else {
        let segment = 31 - magnitude.leading_zeros() as i32 - 3;
        (segment << 4) | ((magnitude >> (segment - 1)) & 0x0F)
    };
    (sign | code as u8) ^ 0x55
}

fn decode_pcma(code: u8) -> i16 {
    let code = code ^ 0x55;
    let segment = i32::from((code & 0x70) >> 4);
    let step = (i32::from(code & 0x0F) << 4) + 8;
    let magnitude = if segment == 0 { step } else { (step + 0x100) << (segment - 1) };
    (if code & 0x80 == 0 { -magnitude } else { magnitude }) as i16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_code_words() {
        assert_eq!(Law::Pcmu.encode(0), 0xFF);
        assert_eq!(Law::Pcma.encode(0), 0xD5);
        assert_eq!(Law::Pcmu.encode(i16::MAX), 0x80);
        assert_eq!(Law::Pcmu.encode(i16::MIN), 0x00);
        assert_eq!(Law::Pcma.encode(i16::MAX), 0xAA);
        assert_eq!(Law::Pcma.encode(i16::MIN), 0x2A);
        assert_eq!(decode_pcmu(0xFF), 0);
        assert_eq!(decode_pcma(0xD5), 8);
    }

    #[test]
    fn every_code_word_survives_the_way_there_and_back() {
        for code in 0..=255u8 {
            assert_eq!(encode_pcma(decode_pcma(code)), code, "A-law {code:#x}");
            // µ-law has two zeros; the negative one comes back as the positive.
            let expected = if code == 0x7F { 0xFF } else { code };
            assert_eq!(encode_pcmu(decode_pcmu(code)), expected, "µ-law {code:#x}");
        }
    }
}
