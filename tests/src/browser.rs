//! A real browser, driven through [WebDriver](https://www.w3.org/TR/webdriver2/): a handful of requests
//! to ChromeDriver.

use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::http;
use crate::process::{KilledOnDrop, command, wait_for};
use crate::server::free_port;

/// The key of a web element's reference, fixed by the standard.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// No sandbox: it needs a user namespace, which containers do not have, and the page is our own. No
/// background networking either: nothing here is anybody else's.
const ARGS: &[&str] = &[
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-proxy-server",
    "--window-size=1280,900",
];

/// A headless Chromium with one window, gone when this is dropped.
#[derive(Debug)]
pub struct Browser {
    session: String,
    _driver: KilledOnDrop,
}

impl Browser {
    /// Starts `chromium` through `driver`, with `profile` for its files.
    ///
    /// # Panics
    /// When it does not start.
    pub fn start(driver: &Path, chromium: &Path, profile: &Path) -> Self {
        let port = free_port();
        let mut command = command(driver);
        let driver = command.arg(format!("--port={port}")).spawn().expect("it can be started");
        let driver = KilledOnDrop(driver);
        let url = format!("http://127.0.0.1:{port}");
        wait_for("ChromeDriver", || {
            let answer = http::try_get(&format!("{url}/status"), None)?;
            (answer.body["value"]["ready"] == true).then_some(())
        });
        let profile = format!("--user-data-dir={}", profile.display());
        let args: Vec<&str> = ARGS.iter().copied().chain([profile.as_str()]).collect();
        let options = json!({ "binary": chromium, "args": args });
        let wanted = json!({ "alwaysMatch": { "goog:chromeOptions": options } });
        let body = json!({ "capabilities": wanted });
        let session = http::post(&format!("{url}/session"), &body).ok();
        let id = session["value"]["sessionId"].as_str().expect("a session has a name");
        Self { session: format!("{url}/session/{id}"), _driver: driver }
    }

    /// Opens a page.
    ///
    /// # Panics
    /// When it cannot be loaded.
    pub fn open(&self, url: &str) {
        self.post("url", &json!({ "url": url }));
    }

    /// The first element that a CSS selector finds, when there is one.
    #[must_use]
    pub fn find(&self, selector: &str) -> Option<String> {
        let body = json!({ "using": "css selector", "value": selector });
        let answer = http::post(&format!("{}/element", self.session), &body);
        answer.body["value"][ELEMENT].as_str().map(str::to_owned)
    }

    /// Clicks on an element and types into it; `\u{e007}` is the Enter key.
    ///
    /// # Panics
    /// When a person could not do that.
    pub fn type_into(&self, element: &str, text: &str) {
        self.post(&format!("element/{element}/click"), &json!({}));
        self.post(&format!("element/{element}/value"), &json!({ "text": text }));
    }

    /// The text that the page shows.
    ///
    /// # Panics
    /// When the browser is gone.
    #[must_use]
    pub fn text(&self) -> String {
        let script = json!({ "script": "return document.body.innerText", "args": [] });
        self.post("execute/sync", &script).as_str().unwrap_or_default().to_owned()
    }

    /// What the window shows, as a PNG.
    #[must_use]
    pub fn picture(&self) -> Option<Vec<u8>> {
        let answer = http::try_get(&format!("{}/screenshot", self.session), None)?;
        STANDARD.decode(answer.body["value"].as_str()?).ok()
    }

    fn post(&self, command: &str, body: &Value) -> Value {
        http::post(&format!("{}/{command}", self.session), body).ok()["value"].take()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Ends Chromium; ChromeDriver alone would leave it behind.
        http::try_delete(&self.session);
    }
}
