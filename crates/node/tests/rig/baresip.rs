//! baresip as an agent's telephone: other people's SIP, SDP and RTP. It plays a tone from a WAV file and records what
//! it hears into another; keys are pressed on its standard input.

use std::f64::consts::TAU;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use strowger_phones::{tone_hz, tones_in};

use super::house::{PASSWORD, REALM};
use super::{Rig, until};

const RATE_HZ: u32 = 8000;
/// baresip hangs up when its file is at its end: longer than any test talks.
const TONE_S: u32 = 120;
/// About -12 dBFS, as the other phones.
const AMPLITUDE: f64 = 8000.0;

/// Where packages put its modules; it does not look there by itself.
const MODULES: [&str; 2] = ["/usr/lib/baresip/modules", "/usr/local/lib/baresip/modules"];

fn modules() -> Option<&'static str> {
    MODULES.into_iter().find(|path| Path::new(path).is_dir())
}

/// Whether there is a baresip; says so if there is none.
pub fn is_installed() -> bool {
    let runs = Command::new("baresip").arg("-h").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok();
    let there = runs && modules().is_some();
    if !there {
        eprintln!("SKIPPED for want of baresip");
    }
    there
}

/// A baresip process; ended with the test.
pub struct Baresip {
    child: Child,
    dir: PathBuf,
}

impl Baresip {
    /// Registers as this agent, by way of the shared address, and answers at once, in µ-law.
    pub fn start(rig: &Rig, agent: &str, tone: u16) -> Baresip {
        let dir = rig.dir.join(format!("baresip-{agent}"));
        std::fs::create_dir_all(&dir).expect("a directory for baresip");
        write_tone(&dir.join("tone.wav"), tone);
        std::fs::write(dir.join("config"), config(&dir, rig.media_port())).expect("writing");
        let account = format!(
            "<sip:{agent}@{REALM};transport=udp>;auth_user={agent};auth_pass={PASSWORD};outbound=\"sip:{}\";\
             answermode=auto;regint=60;audio_codecs=PCMU/8000/1\n",
            rig.shared()
        );
        std::fs::write(dir.join("accounts"), account).expect("writing");
        std::fs::write(dir.join("contacts"), "").expect("writing");
        let log = File::create(dir.join("log")).expect("a log");
        let mut command = Command::new("baresip");
        // -s writes every SIP message into the log.
        command.arg("-f").arg(&dir).arg("-s").stdin(Stdio::piped());
        command.stdout(log.try_clone().expect("a log")).stderr(log);
        let child = command.spawn().expect("starting baresip");
        let phone = Baresip { child, dir };
        until("baresip has registered", || rig.agent(agent)["state"] == "idle");
        phone
    }

    /// A command of its menu, as `hangup`.
    pub fn press(&mut self, command: &str) {
        let keys = self.child.stdin.as_mut().expect("a pipe");
        writeln!(keys, "/{command}").expect("baresip reads its keys");
    }

    /// Everything it said and heard so far, with its SIP messages.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(self.dir.join("log")).expect("its log")).into_owned()
    }

    /// The tones it heard, over all calls that are over.
    pub fn heard(&self) -> Vec<(u16, Duration)> {
        let files = std::fs::read_dir(&self.dir).expect("its directory").filter_map(|entry| Some(entry.ok()?.path()));
        // The module names its files dump-<time>-dec.wav: decoded, so what came in.
        let heard = files.filter(|path| path.to_string_lossy().ends_with("-dec.wav"));
        heard.filter_map(|path| samples(&path)).flat_map(|samples| tones_in(&samples)).collect()
    }

    /// As a user ends it: it takes its registration back.
    pub fn quit(mut self) {
        self.press("quit");
        until("baresip ends", || self.child.try_wait().expect("its state").is_some());
    }
}

impl Drop for Baresip {
    fn drop(&mut self) {
        // Already gone is as good.
        let _ = (self.child.kill(), self.child.wait());
    }
}

fn write_tone(path: &Path, tone: u16) {
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: RATE_HZ,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut file = hound::WavWriter::create(path, spec).expect("a WAV file");
    let radians = TAU * f64::from(tone_hz(tone)) / f64::from(RATE_HZ);
    for n in 0..RATE_HZ * TONE_S {
        file.write_sample((AMPLITUDE * (radians * f64::from(n)).sin()) as i16).expect("writing");
    }
    file.finalize().expect("writing");
}

/// None while baresip still writes it.
fn samples(path: &Path) -> Option<Vec<i16>> {
    let file = hound::WavReader::open(path).ok()?;
    assert_eq!((file.spec().sample_rate, file.spec().channels), (RATE_HZ, 1));
    file.into_samples::<i16>().collect::<Result<_, _>>().ok()
}

/// No sound card: the microphone is a file, the loudspeaker a bridge to nowhere, and `sndfile` records.
fn config(dir: &Path, media: u16) -> String {
    let (dir, modules) = (dir.display(), modules().expect("its modules"));
    format!(
        "sip_listen 127.0.0.1:0\nnet_interface 127.0.0.1\nrtp_ports {}-{}\n\
         audio_source aufile,{dir}/tone.wav\naudio_player aubridge,ear\naudio_alert aubridge,bell\n\
         ausrc_srate {RATE_HZ}\nauplay_srate {RATE_HZ}\nausrc_channels 1\nauplay_channels 1\nsnd_path {dir}\n\
         module_path {modules}\nmodule stdio.so\nmodule g711.so\nmodule aufile.so\nmodule aubridge.so\nmodule sndfile.so\n\
         module_tmp account.so\nmodule_app menu.so\n",
        // Above the ports that the other phones of this rig begin with.
        media + 100,
        media + 140,
    )
}
