//! Standard output: what a command was asked for, and nothing else.

use std::io::{ErrorKind, Write};

use serde::Serialize;

use crate::Error;

/// Prints `text` as it is. Who reads may have had enough: `gguf-packer list | head -1`.
pub(super) fn print(text: &str) -> Result<(), Error> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(Error::new(format!("cannot write the result: {error}")))
        }
        _ => Ok(()),
    }
}

/// Prints one line.
pub(super) fn line(text: &str) -> Result<(), Error> {
    print(&format!("{text}\n"))
}

/// Prints `value` as JSON that a person can read too.
pub(super) fn json(value: &impl Serialize) -> Result<(), Error> {
    let text = serde_json::to_string_pretty(value).expect("what we print is JSON");
    line(&text)
}
