//! One question to a registry: with credentials when it asks for them, and again when it is busy or gone
//! for a while, telling each wait.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use reqwest::header::{AUTHORIZATION, CONTENT_LENGTH, HeaderName, HeaderValue};
use reqwest::{Method, Response, StatusCode};

use super::http::{Host, Silence};
use super::{Session, refusal};
use crate::Error;
use crate::reference::Name;
use crate::web::{is_passing, is_same_host, retry_after};

/// A question.
#[derive(Debug, Clone)]
pub(super) struct Ask {
    method: Method,
    url: String,
    headers: Vec<(HeaderName, String)>,
    body: Vec<u8>,
    /// A further repository that it is about.
    from: Option<String>,
    /// Whether the answer may take long.
    patient: bool,
}

/// How often something was tried in vain, one after the other.
#[derive(Debug, Default)]
pub(super) struct Tries(u32);

impl Ask {
    /// A question to `url`, which begins with `/` when it is one of the registry itself.
    pub(super) fn new(method: Method, url: impl Into<String>) -> Self {
        let (headers, body) = (Vec::new(), Vec::new());
        Self { method, url: url.into(), headers, body, from: None, patient: false }
    }

    pub(super) fn header(mut self, name: HeaderName, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub(super) fn body(mut self, body: &[u8]) -> Self {
        self.body = body.to_vec();
        self
    }

    pub(super) fn from(mut self, repository: &str) -> Self {
        self.from = Some(repository.to_owned());
        self
    }

    /// For what a registry may be busy with before it answers: a hash over gigabytes, or a content that it gets from
    /// another registry first.
    pub(super) fn patient(mut self) -> Self {
        self.patient = true;
        self
    }
}

/// What is asked for: one repository, and one more to mount from.
pub(super) fn scope(name: &Name, push: bool, from: Option<&str>) -> String {
    let actions = if push { "pull,push" } else { "pull" };
    let own = format!("repository:{}:{actions}", name.repository());
    from.map_or(own.clone(), |from| format!("{own} repository:{from}:pull"))
}

impl Session<'_> {
    /// `/v2/REPOSITORY/…`.
    pub(super) fn path(&self, rest: &str) -> String {
        format!("/v2/{}/{rest}", self.name.repository())
    }

    pub(super) fn host(&self) -> Result<Arc<Host>, Error> {
        if self.name.is_hugging_face() {
            return self.client.http.hugging_face();
        }
        self.client.http.host(self.registry(), &self.what())
    }

    /// The answer, whatever it says, once it says something that lasts.
    pub(super) fn ask(&self, ask: &Ask) -> Result<Response, Error> {
        let mut tries = Tries::default();
        loop {
            match self.ask_once(ask)? {
                Ok(response) if is_passing(response.status()) => {
                    self.wait_after(response, &mut tries)?;
                }
                Ok(response) => return Ok(response),
                Err(silence) => self.wait_out(silence, &mut tries)?,
            }
        }
    }

    /// Asks; when the registry wants to know who asks, once more with a token. No answer is `Ok(Err(_))`.
    pub(super) fn ask_once(&self, ask: &Ask) -> Result<Result<Response, Silence>, Error> {
        let host = self.host()?;
        if self.name.is_hugging_face() {
            let token = self.client.http.settings.hugging_face_token.as_ref();
            let token = token.map(|token| format!("Bearer {}", token.secret));
            return Ok(self.send(&host, ask, token.as_deref()));
        }
        let scope = scope(self.name, self.push, ask.from.as_deref());
        let known = self.client.tokens.get(self.registry(), &scope);
        let response = match self.send(&host, ask, known.as_deref()) {
            Ok(response) if response.status() == StatusCode::UNAUTHORIZED => response,
            other => return Ok(other),
        };
        if !is_own(ask, &host) {
            return Ok(Ok(response));
        }
        let Some(token) = self.token(&host, &response, &scope, known.as_deref())? else {
            return Ok(Ok(response));
        };
        Ok(self.send(&host, ask, Some(&token)))
    }

    fn send(&self, host: &Host, ask: &Ask, token: Option<&str>) -> Result<Response, Silence> {
        let request = self.request(host, ask, token);
        if ask.patient {
            self.send_patiently(request, || 0, 0)
        } else {
            self.client.http.send(request)
        }
    }

    /// Waits longer for the answer once all `total` bytes are on their way, and says so.
    pub(super) fn send_patiently(
        &self,
        request: reqwest::RequestBuilder,
        sent: impl Fn() -> u64,
        total: u64,
    ) -> Result<Response, Silence> {
        let waits = || self.note(&format!("{} is slow to answer; still waiting", self.registry()));
        self.client.http.send_patiently(request, sent, total, waits)
    }

    fn request(&self, host: &Host, ask: &Ask, token: Option<&str>) -> reqwest::RequestBuilder {
        let url = match ask.url.strip_prefix('/') {
            Some(path) => format!("{}/{path}", host.base),
            None => ask.url.clone(),
        };
        let mut request = host.client.request(ask.method.clone(), &url);
        for (name, value) in &ask.headers {
            request = request.header(name, value);
        }
        let token = token.filter(|_| is_own(ask, host));
        if let Some(Ok(mut value)) = token.map(HeaderValue::from_str) {
            value.set_sensitive(true);
            request = request.header(AUTHORIZATION, value);
        }
        if ask.body.is_empty() && [Method::POST, Method::PUT].contains(&ask.method) {
            // Google's servers answer 411 to one without; hyper leaves it out.
            return request.header(CONTENT_LENGTH, 0);
        }
        if ask.body.is_empty() { request } else { request.body(ask.body.clone()) }
    }

    /// Waits as long as a busy registry asks for.
    pub(super) fn wait_after(&self, response: Response, tries: &mut Tries) -> Result<(), Error> {
        let asked = retry_after(response.headers());
        if asked.is_some_and(|asked| asked > self.client.http.settings.longest) {
            return Err(refusal::too_long(self, asked.unwrap_or_default()));
        }
        if tries.0 + 1 >= self.client.http.settings.tries {
            return Err(refusal::of(self, response));
        }
        let why = format!("{} answered {}", self.registry(), response.status());
        self.wait(&why, asked, tries);
        Ok(())
    }

    /// Waits for a registry that is gone.
    pub(super) fn wait_out(&self, silence: Silence, tries: &mut Tries) -> Result<(), Error> {
        if silence.lasting || tries.0 + 1 >= self.client.http.settings.tries {
            return Err(refusal::gone(self, &silence.why));
        }
        self.wait(&format!("{} does not answer: {}", self.registry(), silence.why), None, tries);
        Ok(())
    }

    fn wait(&self, why: &str, asked: Option<Duration>, tries: &mut Tries) {
        let wait = asked.unwrap_or(self.client.http.settings.pause * 2_u32.saturating_pow(tries.0));
        tries.0 += 1;
        self.note(&format!("{why}; trying again in {}", humantime::format_duration(wait)));
        thread::sleep(wait);
    }
}

impl Tries {
    /// It went on: what follows is another trouble.
    pub(super) fn forget(&mut self) {
        self.0 = 0;
    }
}

/// Whether a question goes to the registry's own host. An upload may go to another one, which gets neither a token nor
/// credentials.
fn is_own(ask: &Ask, host: &Host) -> bool {
    ask.url.starts_with('/') || is_same_host(&ask.url, &host.base)
}
