//! A page in Chromium, driven by the DevTools protocol over pipes: messages are JSON, each ended by a zero byte.

use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout};

const NAMES: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];
/// What it takes to show something, on a machine that builds and tests at the same time.
const PATIENCE: Duration = Duration::from_secs(60);

/// The one that is installed; says so if there is none.
pub fn chromium() -> Option<&'static str> {
    let runs = |name: &&str| Command::new(name).arg("--version").stdout(Stdio::null()).status().is_ok();
    let found = NAMES.into_iter().find(runs);
    if found.is_none() {
        eprintln!("skipped: no chromium is installed");
    }
    found
}

pub struct Page {
    /// Ends when this is dropped: its pipes are closed.
    _browser: Child,
    _profile: TempDir,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
    asked: u64,
    session: Option<Value>,
}

impl Page {
    pub async fn open(browser: &str, url: &str) -> Page {
        let profile = TempDir::new().unwrap();
        let mut command = tokio::process::Command::new("sh");
        // It hears on descriptor 3 and speaks on 4.
        command
            .args(["-c", "exec \"$@\" 3<&0 4>&1 </dev/null >/dev/null 2>&1", "sh", browser, "--headless=new"])
            .args(["--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--remote-debugging-pipe"])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true);
        let mut browser = command.spawn().unwrap();
        let (to, from) = (browser.stdin.take().unwrap(), BufReader::new(browser.stdout.take().unwrap()));
        let mut page = Page { _browser: browser, _profile: profile, to, from, asked: 0, session: None };
        let target = page.ask("Target.createTarget", json!({ "url": url })).await["targetId"].clone();
        let attached = page.ask("Target.attachToTarget", json!({ "targetId": target, "flatten": true })).await;
        page.session = Some(attached["sessionId"].clone());
        page
    }

    /// In CSS pixels.
    pub async fn resize(&mut self, width: u32, height: u32) {
        let size = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.ask("Emulation.setDeviceMetricsOverride", size).await;
    }

    /// What an expression of JavaScript comes to.
    pub async fn evaluate(&mut self, expression: &str) -> Value {
        let answer = self.ask("Runtime.evaluate", json!({ "expression": expression, "returnByValue": true })).await;
        assert!(answer.get("exceptionDetails").is_none(), "{expression}: {answer}");
        answer["result"]["value"].clone()
    }

    pub async fn until(&mut self, condition: &str) {
        let holds = async {
            while self.evaluate(condition).await != true {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(PATIENCE, holds).await.unwrap_or_else(|_| panic!("not in time: {condition}"));
    }

    async fn ask(&mut self, method: &str, params: Value) -> Value {
        self.asked += 1;
        let id = self.asked;
        let mut message = json!({ "id": id, "method": method, "params": params });
        if let Some(session) = &self.session {
            message["sessionId"] = session.clone();
        }
        self.to.write_all(format!("{message}\0").as_bytes()).await.unwrap();
        let answered = async {
            loop {
                let mut bytes = Vec::new();
                self.from.read_until(0, &mut bytes).await.unwrap();
                assert_eq!(bytes.pop(), Some(0), "the browser is gone");
                let answer: Value = serde_json::from_slice(&bytes).unwrap();
                if answer["id"] == id {
                    assert!(answer.get("error").is_none(), "{message}: {answer}");
                    return answer["result"].clone();
                }
            }
        };
        tokio::time::timeout(PATIENCE, answered).await.unwrap_or_else(|_| panic!("no answer to {method}"))
    }
}
