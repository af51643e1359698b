//! Standard output: what a command was asked for, and nothing else. Standard error: the rest.

use std::io::{ErrorKind, Write};

use serde::Serialize;

use crate::Error;

/// Prints `text` as it is. Who reads may have had enough: `gguf-packer list | head -1`.
pub(super) fn print(text: &str) -> Result<(), Error> {
    bytes(text.as_bytes())
}

/// Prints what is no text.
pub(super) fn bytes(bytes: &[u8]) -> Result<(), Error> {
    let mut out = std::io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(Error::new(format!("cannot write the result: {error}")))
        }
        _ => Ok(()),
    }
}

/// Says something on standard error; nobody may be there to read it.
pub(super) fn say(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
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
