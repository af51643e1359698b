//! A running server of a distribution, asked over plain HTTP, with all of its log.

use std::ffi::OsString;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use llama_server_bin::{Launch, Server};
use serde_json::Value;

/// Longest wait for a model to be loaded, and for one answer: some GPUs are made of software.
const PATIENCE: Duration = Duration::from_secs(900);

/// A server that is ready. Dropping it ends it.
pub(super) struct Running {
    server: Server,
    lines: Receiver<String>,
}

/// Starts `program` with `model` and `args`, and nothing of this user's settings for it.
///
/// # Errors
/// When it does not get ready.
pub(super) fn start(program: &Path, model: &Path, args: &[&str]) -> Result<Running> {
    let mut all: Vec<OsString> = vec!["-m".into(), model.into(), "--offline".into()];
    all.extend(args.iter().map(OsString::from));
    let mut launch = Launch::new(all);
    launch.program = Some(program.to_owned());
    launch.ready_within = PATIENCE;
    let ours = |name: &OsString| {
        let name = name.to_string_lossy();
        name.starts_with("LLAMA_ARG_") || name == "LLAMA_API_KEY"
    };
    let settings = std::env::vars_os().map(|(name, _)| name).filter(ours);
    launch.env = settings.map(|name| (name, None)).collect();
    let (sender, lines) = mpsc::channel();
    // Nobody listens any more once the log has been read.
    launch.on_line = Some(Box::new(move |line| drop(sender.send(line.to_owned()))));
    Ok(Running { server: launch.start()?, lines })
}

impl Running {
    /// What it has logged since the last call.
    pub(super) fn log(&self) -> Vec<String> {
        self.lines.try_iter().collect()
    }

    /// The answer to `POST /completion`.
    ///
    /// # Errors
    /// When it gives none.
    pub(super) fn complete(&self, body: &Value) -> Result<Value> {
        let ask = || -> Result<Value> {
            let authority =
                self.server.url().strip_prefix("http://").context("only plain HTTP here")?;
            let mut stream = TcpStream::connect(authority)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            let body = body.to_string();
            write!(
                stream,
                "POST /completion HTTP/1.0\r\nHost: {authority}\r\nContent-Type: application/json\r\n\
                 Content-Length: {}\r\n\r\n{body}",
                body.len()
            )?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer)?;
            parse(&answer)
        };
        ask().with_context(|| {
            let log = self.server.log();
            let last = log.last().map(|line| format!(" (its last line: {line})"));
            format!("llama-server does not complete{}", last.unwrap_or_default())
        })
    }
}

/// The body of a whole HTTP answer that is a success.
fn parse(answer: &str) -> Result<Value> {
    let status = answer.lines().next().context("no answer")?;
    let (_, body) = answer.split_once("\r\n\r\n").context("the answer was cut")?;
    if !status.contains(" 200 ") {
        bail!("{status}: {body}");
    }
    serde_json::from_str(body).context("the answer is no JSON")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_its_body_or_an_error() {
        let good = "HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n{\"a\":1}";
        assert_eq!(parse(good).unwrap()["a"], 1);
        let error = |answer: &str| parse(answer).unwrap_err().to_string();
        assert_eq!(error("HTTP/1.1 401 Unauthorized\r\n\r\n{}"), "HTTP/1.1 401 Unauthorized: {}");
        assert_eq!(error(""), "no answer");
        assert_eq!(error("HTTP/1.1 200 OK\r\n"), "the answer was cut");
        assert_eq!(error("HTTP/1.1 200 OK\r\n\r\n{"), "the answer is no JSON");
    }
}
