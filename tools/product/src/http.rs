//! A server on this machine, asked over plain HTTP.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use ureq::Body;
use ureq::http::{Response, header};

pub use ureq::Agent;

/// Waits for each part of an answer as long as `patience`.
pub fn client(patience: Duration) -> Agent {
    Agent::config_builder()
        .proxy(None)
        .http_status_as_error(false)
        .timeout_connect(Some(patience))
        .timeout_recv_response(Some(patience))
        .timeout_per_read(Some(patience))
        .build()
        .into()
}

/// `POST` with a JSON body. The answer's body is still to be read.
///
/// # Errors
/// When nobody is there, or the answer is no success.
pub fn post(client: &Agent, url: &str, body: &Value) -> Result<Response<Body>> {
    let request = client.post(url).header(header::CONTENT_TYPE, "application/json");
    let mut answer = request.send(body.to_string())?;
    let status = answer.status();
    ensure!(
        status.is_success(),
        "{status}: {}",
        answer.body_mut().read_to_string().unwrap_or_default()
    );
    Ok(answer)
}

/// The JSON of an answer.
///
/// # Errors
/// When it is cut, or something else.
pub fn json(mut answer: Response<Body>) -> Result<Value> {
    serde_json::from_str(&answer.body_mut().read_to_string()?).context("the answer is not JSON")
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;

    use super::*;

    /// What becomes of `answer`.
    fn of(answer: &'static str) -> Result<Value> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/x", listener.local_addr().unwrap());
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut asked = [0; 1024];
            let read = stream.read(&mut asked).unwrap();
            stream.write_all(answer.as_bytes()).unwrap();
            String::from_utf8_lossy(&asked[..read]).into_owned()
        });
        let client = client(Duration::from_secs(10));
        let value = post(&client, &url, &Value::from(1)).and_then(json);
        let asked = server.join().unwrap().to_ascii_lowercase();
        assert!(asked.starts_with("post /x http/1.1\r\n"), "{asked}");
        assert!(asked.contains("content-type: application/json\r\n"), "{asked}");
        value
    }

    #[test]
    fn an_answer_is_its_body_or_an_error() {
        assert_eq!(of("HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n{\"a\":1}").unwrap()["a"], 1);
        let error = |answer| of(answer).unwrap_err().to_string();
        assert_eq!(
            error("HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n\r\n{}"),
            "401 Unauthorized: {}"
        );
        assert!(of("").is_err());
        assert!(of("HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n{").is_err());
        assert_eq!(
            error("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n{"),
            "the answer is not JSON"
        );
    }
}
