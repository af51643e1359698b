//! A running server of a distribution, with all of its log.

use std::ffi::OsString;
use std::path::Path;
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use anyhow::{Context, Result};
use llama_server_bin::{Launch, Server};
use serde_json::Value;

use product::http;

/// Longest wait for a model to be loaded, and for one answer: some GPUs are made of software.
const PATIENCE: Duration = Duration::from_secs(900);

/// A server that is ready. Dropping it ends it.
pub struct Running {
    server: Server,
    lines: Receiver<String>,
}

/// Starts `program` with `model` and `args`, and nothing of this user's settings for it.
///
/// # Errors
/// When it does not get ready.
pub fn start(program: &Path, model: &Path, args: &[&str]) -> Result<Running> {
    let mut all: Vec<OsString> = vec!["-m".into(), model.into(), "--offline".into()];
    all.extend(args.iter().map(OsString::from));
    let mut launch = Launch::new(all);
    launch.program = Some(program.to_owned());
    launch.ready_within = PATIENCE;
    launch.env = own_settings().into_iter().map(|name| (name, None)).collect();
    let (sender, lines) = mpsc::channel();
    // Nobody listens any more once the log has been read.
    launch.on_line = Some(Box::new(move |line| drop(sender.send(line.to_owned()))));
    Ok(Running { server: launch.start()?, lines })
}

/// The variables with which this user sets a server of theirs.
pub fn own_settings() -> Vec<OsString> {
    let is_own = |name: &OsString| {
        let name = name.to_string_lossy();
        name.starts_with("LLAMA_ARG_") || name == "LLAMA_API_KEY"
    };
    std::env::vars_os().map(|(name, _)| name).filter(is_own).collect()
}

impl Running {
    /// Where it listens, without a slash at the end.
    pub fn url(&self) -> &str {
        self.server.url()
    }

    /// What it has logged since the last call.
    pub fn log(&self) -> Vec<String> {
        self.lines.try_iter().collect()
    }

    /// The answer to `POST /completion`.
    ///
    /// # Errors
    /// When it gives none.
    pub fn complete(&self, body: &Value) -> Result<Value> {
        let url = format!("{}/completion", self.server.url());
        let answer = http::post(&http::client(PATIENCE), &url, body);
        answer.and_then(http::json).with_context(|| {
            let log = self.server.log();
            let last = log.last().map(|line| format!(" (its last line: {line})"));
            format!("llama-server did not answer a completion{}", last.unwrap_or_default())
        })
    }
}
