//! A headless Chromium, driven over its DevTools protocol: <https://chromedevtools.github.io/devtools-protocol/>.

use serde_json::{Value, json};
use std::ffi::OsString;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

/// Longest wait for an answer.
const PATIENCE: Duration = Duration::from_secs(60);

/// A browser with one tab.
pub(crate) struct Browser {
    process: Child,
    input: ChildStdin,
    messages: Receiver<Value>,
    calls: u64,
    session: Option<String>,
    /// What happened in the tab since the page at hand was opened: method and parameters.
    events: Vec<(String, Value)>,
}

impl Browser {
    /// Starts the browser of `METRICOPT_BROWSER`, or a Chromium in `PATH`; none, with a message, where there is none.
    pub(crate) fn start(profile: &Path) -> Option<Self> {
        let Some(program) = program() else {
            skipped();
            return None;
        };
        // The browser speaks on descriptors 3 and 4, where a shell puts its own standard input and output.
        let mut process = Command::new("sh")
            .args(["-c", "exec \"$@\" 3<&0 4>&1 </dev/null >/dev/null", "sh"])
            .arg(program)
            .args([
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--no-first-run",
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
                "--remote-debugging-pipe",
            ])
            .arg(format!("--user-data-dir={}", profile.display()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let input = process.stdin.take().unwrap();
        let mut output = BufReader::new(process.stdout.take().unwrap());
        let (sender, messages) = channel();
        std::thread::spawn(move || {
            let mut message = Vec::new();
            while output
                .read_until(0, &mut message)
                .is_ok_and(|length| length > 0)
            {
                let text = message.strip_suffix(&[0]).unwrap_or(&message);
                let parsed = serde_json::from_slice(text);
                if parsed.is_ok_and(|message| sender.send(message).is_err()) {
                    return;
                }
                message.clear();
            }
        });
        let mut browser = Self {
            process,
            input,
            messages,
            calls: 0,
            session: None,
            events: Vec::new(),
        };
        let tab = browser.call("Target.createTarget", json!({ "url": "about:blank" }));
        let tab = json!({ "targetId": tab["targetId"], "flatten": true });
        let attached = browser.call("Target.attachToTarget", tab);
        browser.session = attached["sessionId"].as_str().map(str::to_owned);
        for domain in ["Page", "Runtime", "Log", "Network"] {
            browser.call(&format!("{domain}.enable"), json!({}));
        }
        Some(browser)
    }

    /// Opens a file in a window of the given width, on light or dark paper.
    pub(crate) fn open(&mut self, page: &Path, width: u32, scheme: &str) {
        let size =
            json!({ "width": width, "height": 900, "deviceScaleFactor": 1, "mobile": false });
        self.call("Emulation.setDeviceMetricsOverride", size);
        let scheme = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        self.call("Emulation.setEmulatedMedia", scheme);
        self.events.clear();
        let url = format!("file://{}", page.display());
        let opened = self.call("Page.navigate", json!({ "url": url }));
        assert!(opened["errorText"].is_null(), "{opened}");
        while self
            .events
            .iter()
            .all(|(method, _)| method != "Page.loadEventFired")
        {
            let message = self.message();
            self.keep(message);
        }
    }

    /// The value of an expression.
    pub(crate) fn evaluate(&mut self, expression: &str) -> Value {
        let script =
            json!({ "expression": expression, "returnByValue": true, "awaitPromise": true });
        let found = self.call("Runtime.evaluate", script);
        assert!(found["exceptionDetails"].is_null(), "{found}");
        found["result"]["value"].clone()
    }

    /// Presses the tabulator key.
    pub(crate) fn press_tab(&mut self) {
        for kind in ["keyDown", "keyUp"] {
            let key =
                json!({ "type": kind, "key": "Tab", "code": "Tab", "windowsVirtualKeyCode": 9 });
            self.call("Input.dispatchKeyEvent", key);
        }
    }

    /// What was fetched beside the page, and every word of the console.
    pub(crate) fn noise(&self, page: &Path) -> Vec<String> {
        let page = format!("file://{}", page.display());
        self.events
            .iter()
            .filter_map(|(method, event)| match method.as_str() {
                "Network.requestWillBeSent" => {
                    let url = event["request"]["url"].as_str().unwrap_or_default();
                    let own = url == page || url.starts_with("data:");
                    (!own).then(|| format!("asks for {url}"))
                }
                "Runtime.exceptionThrown" | "Runtime.consoleAPICalled" | "Log.entryAdded" => {
                    Some(format!("{method}: {event}"))
                }
                _ => None,
            })
            .collect()
    }

    fn call(&mut self, method: &str, params: Value) -> Value {
        self.calls += 1;
        let mut message = json!({ "id": self.calls, "method": method, "params": params });
        if let Some(session) = &self.session {
            message["sessionId"] = json!(session);
        }
        write!(self.input, "{message}\0").unwrap();
        self.input.flush().unwrap();
        loop {
            let mut answer = self.message();
            if answer["id"] == self.calls {
                assert!(answer["error"].is_null(), "{method}: {answer}");
                return answer["result"].take();
            }
            self.keep(answer);
        }
    }

    fn message(&self) -> Value {
        self.messages.recv_timeout(PATIENCE).unwrap()
    }

    fn keep(&mut self, mut message: Value) {
        if let Some(method) = message["method"].as_str().map(str::to_owned) {
            self.events.push((method, message["params"].take()));
        }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // It ends by itself once asked; where it does not hear any more, it is ended.
        let asked = write!(
            self.input,
            "{}\0",
            json!({ "id": 0, "method": "Browser.close" })
        );
        let closes = asked.and_then(|()| self.input.flush()).is_ok();
        while closes && self.messages.recv_timeout(PATIENCE).is_ok() {}
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn program() -> Option<PathBuf> {
    if let Some(chosen) = std::env::var_os("METRICOPT_BROWSER") {
        return Some(chosen.into());
    }
    let path: OsString = std::env::var_os("PATH")?;
    ["chromium", "chromium-browser", "google-chrome"]
        .iter()
        .flat_map(|name| std::env::split_paths(&path).map(move |folder| folder.join(name)))
        .find(|program| program.is_file())
}

#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
fn skipped() {
    eprintln!("SKIPPED: there is no chromium in PATH, and METRICOPT_BROWSER is not set");
}
