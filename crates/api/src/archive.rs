//! A configuration directory on its way: JSON with each file in base64.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Value, json};
use strowger_config::Files;

use crate::error::Problem;

/// The body of `POST /api/v1/config`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Archive {
    /// Path relative to the directory, with `/`, to content in base64.
    files: BTreeMap<String, String>,
    /// Check and compare only.
    #[serde(default)]
    pub dry_run: bool,
    /// Only if that version is in force: what was shown by a dry run is what comes.
    #[serde(default)]
    pub against: Option<u64>,
}

/// The body that applies these files.
pub fn archive(files: &Files, dry_run: bool) -> Value {
    let files: BTreeMap<&String, String> = files.0.iter().map(|(path, bytes)| (path, STANDARD.encode(bytes))).collect();
    json!({ "files": files, "dry_run": dry_run })
}

impl Archive {
    /// The files, which stay in memory: their paths are names here and never meet a disk.
    pub fn unpack(self) -> Result<Files, Problem> {
        let mut files = Files::default();
        for (path, text) in self.files {
            let bytes = STANDARD.decode(&text).map_err(|fault| {
                let advice = "encode each file in base64 with padding, or use `strowger apply`";
                Problem::bad_request(format!("the content of `{path}` is not base64: {fault}"), advice)
            })?;
            files.0.insert(path, bytes);
        }
        Ok(files)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_arrive_as_they_were() {
        let files = Files([("a/b.toml".to_owned(), b"x = 1".to_vec()), ("c.wav".to_owned(), vec![0, 255])].into());
        let packed: Archive = serde_json::from_value(archive(&files, true)).unwrap();
        assert!(packed.dry_run);
        assert_eq!(packed.unpack().unwrap(), files);
        let bad: Archive = serde_json::from_str(r#"{"files": {"a": "?"}}"#).unwrap();
        assert!(bad.unpack().is_err());
    }
}
