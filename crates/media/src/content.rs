//! Prompts and music: what a file must be, and the digest that names it everywhere.

use hound::{SampleFormat, WavReader, WavSpec};
use sha2::{Digest as _, Sha256};
use strowger_audio::{RATE_HZ, g711};
use strowger_model::{Digest, Law};

/// Longest piece, in bytes: 30 minutes, which still fits into one message of the link.
pub const MAX_PIECE_BYTES: usize = 30 * 60 * 8000;

/// Audio as relays take it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Content {
    /// SHA-256 of `bytes`.
    pub digest: Digest,
    /// G.711 µ-law, 8 kHz.
    pub bytes: Vec<u8>,
}

/// Why a file is no content. Whoever read the file knows its name.
#[derive(Debug, thiserror::Error)]
pub enum ContentError {
    /// With what the reader says of it.
    #[error("not a WAV file: {0}")]
    Unreadable(#[from] hound::Error),
    /// Another coding, rate or count of channels: named in words.
    #[error(
        "it is {found}; prompts and music are WAV files with 16-bit PCM, one channel, 8000 Hz. Convert it, for \
         example: sox in.wav -b 16 -c 1 -r 8000 out.wav"
    )]
    Format {
        /// What the file's header says.
        found: String,
    },
    /// A header alone.
    #[error("it has no samples; a prompt needs at least one")]
    Empty,
    /// Beyond [`MAX_PIECE_BYTES`].
    #[error("it is longer than {} minutes; cut it, music repeats by itself", MAX_PIECE_BYTES / 8000 / 60)]
    TooLong,
}

/// The digest under which content is known everywhere: SHA-256 of its µ-law bytes.
pub fn digest(bytes: &[u8]) -> Digest {
    Digest(Sha256::digest(bytes).into())
}

/// Reads the bytes of a WAV file.
pub fn from_wav(wav: &[u8]) -> Result<Content, ContentError> {
    let mut reader = WavReader::new(wav)?;
    let spec = reader.spec();
    if !fits(spec) {
        return Err(ContentError::Format { found: describe(spec) });
    }
    if reader.len() == 0 {
        return Err(ContentError::Empty);
    }
    if reader.len() as usize > MAX_PIECE_BYTES {
        return Err(ContentError::TooLong);
    }
    let bytes = reader.samples::<i16>().map(|sample| sample.map(|sample| g711::encode(Law::Mu, sample)));
    Ok(from_mu_law(bytes.collect::<Result<_, _>>()?))
}

/// Audio that is µ-law at 8 kHz already.
pub fn from_mu_law(bytes: Vec<u8>) -> Content {
    Content { digest: digest(&bytes), bytes }
}

fn fits(spec: WavSpec) -> bool {
    (spec.channels, spec.sample_rate, spec.bits_per_sample, spec.sample_format) == (1, RATE_HZ, 16, SampleFormat::Int)
}

fn describe(spec: WavSpec) -> String {
    let kind = match spec.sample_format {
        SampleFormat::Int => "PCM",
        SampleFormat::Float => "floating point",
    };
    let channels = if spec.channels == 1 { "one channel".to_owned() } else { format!("{} channels", spec.channels) };
    format!("{}-bit {kind}, {channels}, {} Hz", spec.bits_per_sample, spec.sample_rate)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wav(spec: WavSpec, samples: &[i16]) -> Vec<u8> {
        let mut bytes = std::io::Cursor::new(Vec::new());
        let mut writer = hound::WavWriter::new(&mut bytes, spec).unwrap();
        samples.iter().for_each(|&sample| writer.write_sample(sample).unwrap());
        writer.finalize().unwrap();
        bytes.into_inner()
    }

    const GOOD: WavSpec =
        WavSpec { channels: 1, sample_rate: RATE_HZ, bits_per_sample: 16, sample_format: SampleFormat::Int };

    #[test]
    fn a_good_file_becomes_mu_law() {
        let content = from_wav(&wav(GOOD, &[0, 32000, -32000])).unwrap();
        assert_eq!(content.bytes, [0xff, 0x80, 0x00]);
        assert_eq!(content.digest, digest(&content.bytes));
    }

    #[test]
    fn a_bad_file_says_what_to_do() {
        let stereo = WavSpec { channels: 2, sample_rate: 44_100, ..GOOD };
        let text = from_wav(&wav(stereo, &[0, 0])).unwrap_err().to_string();
        assert!(text.contains("16-bit PCM, 2 channels, 44100 Hz") && text.contains("sox"), "{text}");
        assert!(matches!(from_wav(&wav(GOOD, &[])), Err(ContentError::Empty)));
        assert!(matches!(from_wav(b"no such thing"), Err(ContentError::Unreadable(_))));
    }
}
