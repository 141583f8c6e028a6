//! A WAV file in memory, turned into what relays play.

use hound::{SampleFormat, WavReader, WavSpec};
use strowger_audio::{RATE_HZ, g711};
use strowger_model::{Digest, Law};
use strowger_relay::content::from_mu_law;
use strowger_relay::shelf::MAX_PIECE_BYTES;

const SPEC: WavSpec =
    WavSpec { channels: 1, sample_rate: RATE_HZ, bits_per_sample: 16, sample_format: SampleFormat::Int };

/// The audio and its address. The fault does not name the file: whoever asks knows it.
pub fn load(wav: &[u8]) -> Result<(Vec<u8>, Digest), String> {
    let mut reader = WavReader::new(wav).map_err(|fault| format!("it is no WAV file: {fault}"))?;
    let spec = reader.spec();
    if spec != SPEC {
        let (bits, channels, rate) = (spec.bits_per_sample, spec.channels, spec.sample_rate);
        let kind = if spec.sample_format == SampleFormat::Int { "PCM" } else { "floating point" };
        return Err(format!(
            "it is {bits}-bit {kind}, {channels} channel(s), {rate} Hz, and must be 16-bit PCM, one channel, \
             {RATE_HZ} Hz; for example: sox IN.wav -b 16 -c 1 -r {RATE_HZ} OUT.wav"
        ));
    }
    match reader.len() as usize {
        0 => return Err("it has no samples".to_owned()),
        samples if samples > MAX_PIECE_BYTES => {
            let minutes = MAX_PIECE_BYTES / RATE_HZ as usize / 60;
            return Err(format!("it is longer than {minutes} minutes; cut it, music repeats by itself"));
        }
        _ => {}
    }
    let samples = reader.samples::<i16>().map(|sample| sample.map(|sample| g711::encode(Law::Mu, sample)));
    let bytes = samples.collect::<Result<_, _>>().map_err(|fault| format!("it is damaged: {fault}"))?;
    let content = from_mu_law(bytes);
    Ok((content.bytes, content.digest))
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

    #[test]
    fn what_relays_play_comes_out() {
        let (bytes, digest) = load(&wav(SPEC, &[0, 32000, -32000])).unwrap();
        assert_eq!(bytes, [0xff, 0x80, 0x00]);
        assert_eq!(digest, from_mu_law(bytes).digest);
    }

    #[test]
    fn faults_say_what_to_do() {
        let stereo = wav(WavSpec { channels: 2, sample_rate: 44_100, ..SPEC }, &[0, 0]);
        assert!(load(&stereo).unwrap_err().contains("2 channel(s), 44100 Hz"));
        assert!(load(&wav(SPEC, &[])).unwrap_err().contains("no samples"));
        assert!(load(b"RIFF").unwrap_err().contains("no WAV file"));
        let whole = wav(SPEC, &[1, 2, 3, 4]);
        // Every cut is a fault or shorter audio, never a panic.
        for length in 0..whole.len() {
            let _any = load(&whole[..length]);
        }
    }
}
