//! Plain HTTP with JSON: one request, one answer.

use std::time::Duration;

use reqwest::blocking::{Client, ClientBuilder, RequestBuilder};
use reqwest::header::CONTENT_TYPE;
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
    answer(with_key(client(PATIENCE).get(url), key)).ok()
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
    client(most).get(url).send().ok().map(|response| response.status().as_u16())
}

/// `DELETE url`, whatever comes of it.
pub fn try_delete(url: &str) {
    let _ = client(PATIENCE).delete(url).send();
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
    send(url, body.to_string(), key)
}

/// The same; `None` when nobody answers or takes the connection within two seconds.
pub fn try_post(url: &str, body: &Value, key: Option<&str>) -> Option<Answer> {
    let client = client_for(builder(PATIENCE).connect_timeout(Duration::from_secs(2)));
    let request = client.post(url).header(CONTENT_TYPE, "application/json").body(body.to_string());
    answer(with_key(request, key)).ok()
}

/// `POST url` to a server whose certificate is nobody's.
///
/// # Panics
/// When nobody answers.
pub fn post_to_anybody(url: &str, body: &Value) -> Answer {
    let client = client_for(builder(PATIENCE).tls_danger_accept_invalid_certs(true));
    let request = client.post(url).header(CONTENT_TYPE, "application/json").body(body.to_string());
    answer(request).unwrap_or_else(|error| panic!("no answer from {url}: {error}"))
}

/// `POST url` with a body of JSON that no [`Value`] can hold.
///
/// # Panics
/// When nobody answers.
pub fn post_text(url: &str, body: &str) -> Answer {
    send(url, body.to_owned(), None)
}

fn send(url: &str, body: String, key: Option<&str>) -> Answer {
    let request = client(PATIENCE).post(url).header(CONTENT_TYPE, "application/json").body(body);
    answer(with_key(request, key)).unwrap_or_else(|error| panic!("no answer from {url}: {error}"))
}

fn client(patience: Duration) -> Client {
    client_for(builder(patience))
}

fn builder(patience: Duration) -> ClientBuilder {
    // No proxy stands before this machine itself.
    Client::builder().no_proxy().timeout(patience)
}

fn client_for(builder: ClientBuilder) -> Client {
    // reqwest asks for it as it can speak TLS too. An error says that there is one already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    builder.build().expect("nothing of the system is asked for")
}

fn with_key(request: RequestBuilder, key: Option<&str>) -> RequestBuilder {
    match key {
        Some(key) => request.bearer_auth(key),
        None => request,
    }
}

fn answer(request: RequestBuilder) -> reqwest::Result<Answer> {
    let response = request.send()?;
    let status = response.status().as_u16();
    let text = response.text().unwrap_or_default();
    let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
    Ok(Answer { status, body })
}
