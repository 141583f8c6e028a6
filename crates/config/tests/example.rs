//! Everything in `config/` is loaded, so that what it says about the product stays true.

use std::fs;
use std::path::{Path, PathBuf};

use strowger_config::process::{NodeConfig, RelayConfig};
use strowger_config::{LIMITS, NextIds, parse, read_dir, resolve, sealed_for_check};
use strowger_model::{Digest, NodeId};

const MAX_AUDIO_BYTES: u64 = 400 << 10;

fn config() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config")
}

fn text(fault: impl IntoIterator<Item = impl ToString>) -> String {
    fault.into_iter().map(|fault| fault.to_string()).collect::<Vec<_>>().join("\n")
}

/// As strict as relays are: 16 bits, mono, 8000 Hz.
fn load(bytes: &[u8]) -> Result<(Vec<u8>, Digest), String> {
    let mut wav = hound::WavReader::new(bytes).map_err(|why| why.to_string())?;
    let spec = wav.spec();
    if (spec.channels, spec.sample_rate, spec.bits_per_sample) != (1, 8000, 16) {
        return Err(format!("{spec:?}"));
    }
    let samples: Vec<i16> = wav.samples().collect::<Result<_, _>>().map_err(|why| why.to_string())?;
    let mut digest = [0; 32];
    digest[..8]
        .copy_from_slice(&(samples.iter().map(|sample| u64::from(sample.unsigned_abs())).sum::<u64>()).to_le_bytes());
    Ok((samples.iter().flat_map(|sample| sample.to_le_bytes()).collect(), Digest(digest)))
}

#[test]
fn the_directory_applies() {
    let dir = config().join("example");
    let draft =
        parse(&read_dir(&dir).unwrap(), &load, &sealed_for_check).unwrap_or_else(|faults| panic!("{}", text(faults)));
    assert_eq!(draft.contents().len(), 5);
    let resolved = resolve(&draft, &[], &[], 3, NextIds::default());
    assert_eq!(
        text(&resolved.changes),
        "+ tenant acme: 2 numbers, 1 flow, 2 queues, 53 agents, 1 campaign\n+ trunk carrier\n+ trunk loopback"
    );
}

#[test]
fn the_processes_start() {
    for id in 1..=3 {
        let node = NodeConfig::load(&config().join(format!("node-{id}.toml")));
        let node = node.unwrap_or_else(|faults| panic!("{}", text(faults)));
        assert_eq!(node.id, NodeId(id));
        assert_eq!(node.cluster.voters.iter().find(|voter| voter.id == node.id).unwrap().link, node.cluster.listen);
        assert_eq!(node.sip.advertised, node.sip.shared);
    }
    let relay = RelayConfig::load(&config().join("relay-1.toml")).unwrap_or_else(|faults| panic!("{}", text(faults)));
    assert_eq!((relay.media.ports, relay.media.dead_media_ms), (20_000..=29_999, 10_000));
    assert!(relay.content_dir.starts_with(config()), "relative to the file");
}

/// Each number an operator may set is in the example, with its range and default beside it.
#[test]
fn every_limit_is_explained() {
    let files = ["node-1.toml", "relay-1.toml", "example/trunks.toml", "example/tenants/acme.toml"];
    let text: String = files.map(|file| fs::read_to_string(config().join(file)).unwrap()).concat();
    for limit in LIMITS {
        let range = format!("{} to {}", limit.min, limit.max);
        let explained =
            text.split("\n\n").flat_map(|part| part.split('\n').scan(String::new(), said_of)).any(|(key, comment)| {
                key == limit.key && comment.contains(&range) && comment.contains(&limit.default.to_string())
            });
        assert!(explained, "{} with {range} and its default {}", limit.key, limit.default);
    }
}

/// A line's key and the comment above it.
fn said_of(comment: &mut String, line: &str) -> Option<(String, String)> {
    if line.starts_with('#') {
        comment.push_str(line.trim_start_matches('#'));
        return Some(Default::default());
    }
    let key = line.split([' ', '=']).next().unwrap_or_default().to_owned();
    Some((key, std::mem::take(comment)))
}

#[test]
fn the_recordings_are_small() {
    let bytes: u64 = ["prompts", "music"]
        .iter()
        .flat_map(|dir| fs::read_dir(config().join("example").join(dir)).unwrap())
        .map(|entry| entry.unwrap().metadata().unwrap().len())
        .sum();
    assert!(bytes < MAX_AUDIO_BYTES, "{bytes}");
}
