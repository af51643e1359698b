//! What all clients of the web agree on: whom they trust, where they follow, when they try again.

use std::time::{Duration, SystemTime};

use reqwest::StatusCode;
use reqwest::header::{CONTENT_RANGE, HeaderMap, HeaderName, RETRY_AFTER};
use reqwest::redirect::Policy;
use rustls::RootCertStore;

/// Most addresses that lead to another one.
const REDIRECTS: usize = 10;

/// What is left of a limit (draft-ietf-httpapi-ratelimit-headers).
const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");

/// The system's certificates (a company's proxy is only known there; `SSL_CERT_FILE` names others) and
/// Mozilla's (a bare container has none).
pub(crate) fn roots() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    roots
}

/// Not from `https` to `http` unless `insecure`: credentials and names would be readable.
pub(crate) fn redirects(insecure: bool) -> Policy {
    Policy::custom(move |attempt| {
        let secure = attempt.previous().last().is_some_and(|from| from.scheme() == "https");
        if secure && attempt.url().scheme() != "https" && !insecure {
            let to = attempt.url().to_string();
            attempt.error(format!("redirected to {to}, which is not https"))
        } else if attempt.previous().len() > REDIRECTS {
            attempt.error(format!("more than {REDIRECTS} redirects"))
        } else {
            attempt.follow()
        }
    })
}

/// Whether `url` is on the host of `base`, with the same scheme and port.
pub(crate) fn is_same_host(url: &str, base: &str) -> bool {
    let origin = |text: &str| url::Url::parse(text).ok().map(|url| url.origin());
    origin(url).is_some_and(|own| Some(own) == origin(base))
}

/// Whether a later try may have another answer.
pub(crate) fn is_passing(status: StatusCode) -> bool {
    status.is_server_error() && status != StatusCode::NOT_IMPLEMENTED
        || status == StatusCode::TOO_MANY_REQUESTS
        || status == StatusCode::REQUEST_TIMEOUT
}

/// How long a busy server asks a client to wait.
pub(crate) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = |name: HeaderName| headers.get(name)?.to_str().ok().map(str::trim);
    let Some(text) = text(RETRY_AFTER) else { return window_of(text(RATE_LIMIT)?) };
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).ok()?;
    wait_of(text, now)
}

/// How long until more may be asked, of `"api";r=0;t=55`; Hugging Face says nothing else.
fn window_of(limit: &str) -> Option<Duration> {
    let value = |name: &str| limit.split(';').find_map(|part| part.trim().strip_prefix(name));
    let spent = value("r=")? == "0";
    let seconds = value("t=")?.parse().ok()?;
    spent.then_some(Duration::from_secs(seconds))
}

/// Seconds; a date of HTTP, which is none that is past; or, from some registries, a time in seconds since 1970.
fn wait_of(text: &str, now: Duration) -> Option<Duration> {
    let Ok(seconds) = text.parse() else {
        return Some(date_of(text)?.saturating_sub(now));
    };
    let asked = Duration::from_secs(seconds);
    Some(if asked > now / 2 { asked.saturating_sub(now) } else { asked })
}

/// Reads `Sun, 06 Nov 1994 08:49:37 GMT`.
fn date_of(text: &str) -> Option<Duration> {
    let months = "JanFebMarAprMayJunJulAugSepOctNovDec";
    let words: Vec<&str> = text.split_once(", ")?.1.split(' ').collect();
    let [day, month, year, time, "GMT"] = words[..] else { return None };
    let month = months.find(month).filter(|at| at % 3 == 0 && month.len() == 3)? / 3 + 1;
    let date = format!("{year}-{month:02}-{day}T{time}Z");
    let date = humantime::parse_rfc3339(&date).ok()?;
    date.duration_since(SystemTime::UNIX_EPOCH).ok()
}

/// Where the part of a file begins that an answer has.
pub(crate) fn begins_at(headers: &HeaderMap) -> Option<u64> {
    let range = headers.get(CONTENT_RANGE)?.to_str().ok()?;
    range.strip_prefix("bytes ")?.split('-').next()?.trim().parse().ok()
}

/// The innermost reason: the outer ones repeat the address.
pub(crate) fn root_cause(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_said_in_seconds_or_as_a_time() {
        let now = Duration::from_secs(784_111_777);
        let wait = |text| wait_of(text, now).map(|wait| wait.as_secs());
        assert_eq!(wait("30"), Some(30));
        assert_eq!(wait("784111787"), Some(10));
        assert_eq!(wait("Sun, 06 Nov 1994 08:50:07 GMT"), Some(30));
        assert_eq!(wait("Sun, 06 Nov 1994 08:49:07 GMT"), Some(0), "it is past");
        for text in ["", "soon", "Sun, 06 anF 1994 08:50:07 GMT", "Sun, 06 Nov 1994 08:50:07 CET"] {
            assert_eq!(wait(text), None, "{text}");
        }
        let window = |text| window_of(text).map(|wait| wait.as_secs());
        assert_eq!(window("\"api\";r=0;t=55"), Some(55));
        assert_eq!(window("\"resolvers\"; r=0; t=7"), Some(7));
        for text in ["\"api\";r=3;t=55", "\"api\";r=0", "", "r=0;t=x"] {
            assert_eq!(window(text), None, "{text}");
        }
    }
}
