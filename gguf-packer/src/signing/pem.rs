//! Keys as texts: base64 between two lines that say what it is.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// What the first block of a text is called, and its bytes.
pub(super) fn first(text: &str) -> Option<(String, Vec<u8>)> {
    let mut lines = text.lines().map(str::trim).skip_while(|line| !line.starts_with("-----BEGIN "));
    let label = lines.next()?.strip_prefix("-----BEGIN ")?.strip_suffix("-----")?.to_owned();
    let end = format!("-----END {label}-----");
    let mut body = String::new();
    for line in lines {
        if line == end {
            return Some((label, STANDARD.decode(body).ok()?));
        }
        body.push_str(line);
    }
    None
}
