//! Plain HTTP with JSON: one request, one answer.

use std::time::Duration;

use serde_json::Value;

use crate::process::PATIENCE;

/// Status and body; a body that is not JSON comes as a JSON string.
#[derive(Debug)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Body.
    pub body: Value,
}

impl Answer {
    /// The body of a success.
    ///
    /// # Panics
    /// For any other status.
    pub fn ok(self) -> Value {
        assert_eq!(self.status, 200, "{}", self.body);
        self.body
    }
}

/// `GET url`; `None` when nobody answers.
pub fn try_get(url: &str, key: Option<&str>) -> Option<Answer> {
    let mut request = agent().get(url);
    if let Some(key) = key {
        request = request.header("Authorization", format!("Bearer {key}"));
    }
    request.call().ok().map(answer)
}

/// `GET url`.
///
/// # Panics
/// When nobody answers.
pub fn get(url: &str) -> Answer {
    try_get(url, None).unwrap_or_else(|| panic!("no answer from {url}"))
}

/// The status of `GET url` within `most`; `None` when nobody answers in that time.
pub fn status(url: &str, most: Duration) -> Option<u16> {
    let agent: ureq::Agent = config().timeout_global(Some(most)).build().into();
    agent.get(url).call().ok().map(|response| response.status().as_u16())
}

/// `DELETE url`, whatever comes of it.
pub fn try_delete(url: &str) {
    let _ = agent().delete(url).call();
}

/// `POST url` with a JSON body.
///
/// # Panics
/// When nobody answers.
pub fn post(url: &str, body: &Value) -> Answer {
    post_with_key(url, body, None)
}

/// The same with a key.
///
/// # Panics
/// When nobody answers.
pub fn post_with_key(url: &str, body: &Value, key: Option<&str>) -> Answer {
    let mut request = agent().post(url);
    if let Some(key) = key {
        request = request.header("Authorization", format!("Bearer {key}"));
    }
    let sent = request.send_json(body);
    answer(sent.unwrap_or_else(|error| panic!("no answer from {url}: {error}")))
}

/// `POST url` with a body of JSON that no [`Value`] can hold.
///
/// # Panics
/// When nobody answers.
pub fn post_text(url: &str, body: &str) -> Answer {
    let request = agent().post(url).header("Content-Type", "application/json");
    answer(request.send(body).unwrap_or_else(|error| panic!("no answer from {url}: {error}")))
}

fn agent() -> ureq::Agent {
    config().timeout_global(Some(PATIENCE)).build().into()
}

fn config() -> ureq::config::ConfigBuilder<ureq::typestate::AgentScope> {
    // Statuses are what the tests look at, and no proxy stands before this machine itself.
    ureq::Agent::config_builder().http_status_as_error(false).proxy(None)
}

fn answer(mut response: ureq::http::Response<ureq::Body>) -> Answer {
    let status = response.status().as_u16();
    let text = response.body_mut().read_to_string().unwrap_or_default();
    let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
    Answer { status, body }
}
