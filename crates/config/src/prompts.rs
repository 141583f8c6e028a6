//! The WAV files that tenants point to, loaded once each.

use std::cell::RefCell;
use std::collections::BTreeMap;

use strowger_model::Digest;

use crate::Files;
use crate::fault::Faults;
use crate::page::Written;

/// Turns the bytes of a WAV file into what a relay plays, and its address.
pub(crate) type Load<'a> = dyn Fn(&[u8]) -> Result<(Vec<u8>, Digest), String> + 'a;

pub(crate) struct Prompts<'a> {
    files: &'a Files,
    load: &'a Load<'a>,
    faults: &'a Faults,
    /// Many flows share one music file; decoding it again for each would be minutes.
    loaded: RefCell<BTreeMap<String, Result<Digest, String>>>,
    contents: RefCell<BTreeMap<Digest, Vec<u8>>>,
}

impl<'a> Prompts<'a> {
    pub(crate) fn new(files: &'a Files, load: &'a Load<'a>, faults: &'a Faults) -> Self {
        Self { files, load, faults, loaded: RefCell::default(), contents: RefCell::default() }
    }

    /// The content at a path, relative to the directory. A fault makes the draft void, so any digest stands in then.
    pub(crate) fn find(&self, path: &Written<String>) -> Digest {
        match self.look_up(&path.value) {
            Ok(digest) => digest,
            Err((what, fix)) => {
                self.faults.add(&path.at, what, fix);
                Digest::default()
            }
        }
    }

    pub(crate) fn into_contents(self) -> BTreeMap<Digest, Vec<u8>> {
        self.contents.into_inner()
    }

    fn look_up(&self, path: &str) -> Result<Digest, (String, String)> {
        if !path.to_ascii_lowercase().ends_with(".wav") {
            let fix = "name a .wav file, relative to the configuration directory".to_owned();
            return Err((format!("`{path}` is no WAV file"), fix));
        }
        let Some(bytes) = self.files.0.get(path) else {
            let fix = "put it there, or correct the path; paths are relative to the configuration directory".to_owned();
            return Err((format!("there is no file `{path}`"), fix));
        };
        let mut loaded = self.loaded.borrow_mut();
        let result = loaded.entry(path.to_owned()).or_insert_with(|| {
            let (samples, digest) = (self.load)(bytes)?;
            self.contents.borrow_mut().insert(digest, samples);
            Ok(digest)
        });
        result.clone().map_err(|why| (format!("`{path}` cannot be played: {why}"), "convert or replace it".to_owned()))
    }
}
