//! Standard output: what a command was asked for, and nothing else. Standard error: the rest. No text of a model, of a
//! registry or of an archive moves the cursor of a terminal, colours it, or turns what follows.

use std::borrow::Cow;
use std::io::{ErrorKind, Write};

use serde::Serialize;

use crate::Error;

/// `text` with each character that a terminal obeys written as `\u001b`, ends of lines excepted. A JSON text stays one
/// with the same meaning: these characters are in its strings only, and it writes them so too.
pub(super) fn shown(text: &str) -> Cow<'_, str> {
    escaped(text, |char| is_obeyed(char) && !matches!(char, '\n' | '\t'))
}

/// As [`shown`], for a text that has one line.
pub(super) fn cell(text: &str) -> Cow<'_, str> {
    escaped(text, is_obeyed)
}

fn escaped(text: &str, is_bad: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.contains(&is_bad) {
        return Cow::Borrowed(text);
    }
    let written = |char: char| match char {
        bad if is_bad(bad) => format!("\\u{:04x}", u32::from(bad)),
        good => good.to_string(),
    };
    text.chars().map(written).collect::<String>().into()
}

/// Control characters, those from U+0080 on included, and those that turn the direction of a text.
fn is_obeyed(char: char) -> bool {
    char.is_control() || matches!(char, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Prints `text`. Who reads may have had enough: `gguf-packer list | head -1`.
pub(super) fn print(text: &str) -> Result<(), Error> {
    bytes(shown(text).as_bytes())
}

/// Prints what is no text.
pub(super) fn bytes(bytes: &[u8]) -> Result<(), Error> {
    let mut out = std::io::stdout().lock();
    written(out.write_all(bytes).and_then(|()| out.flush()))
}

/// Whether something was written. A reader who has gone is no error.
pub(super) fn written(result: std::io::Result<()>) -> Result<(), Error> {
    match result {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(Error::new(format!("cannot write the result: {error}")))
        }
        _ => Ok(()),
    }
}

/// Says something on standard error; nobody may be there to read it.
pub(super) fn say(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{}", shown(text));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_obeys_is_written_out() {
        let text = "a\u{1b}[31mred\u{7}\r\n\tb\u{7f}\u{85}\u{9b}1m\u{202e}c\u{2066}d\u{2069}é…";
        let lines =
            "a\\u001b[31mred\\u0007\\u000d\n\tb\\u007f\\u0085\\u009b1m\\u202ec\\u2066d\\u2069é…";
        assert_eq!(shown(text), lines);
        assert_eq!(cell(text), lines.replace('\n', "\\u000a").replace('\t', "\\u0009"));
        assert!(matches!(shown("plain\n"), Cow::Borrowed("plain\n")));
    }

    #[test]
    fn json_keeps_its_meaning() {
        let value = serde_json::json!({ "a": "\u{1b}\\\u{9b}\u{202e}\n\t\"" });
        let text = serde_json::to_string_pretty(&value).unwrap();
        assert!(text.contains(['\u{9b}', '\u{202e}']));
        let printed = shown(&text);
        assert!(!printed.contains(['\u{9b}', '\u{202e}']), "{printed}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&printed).unwrap(), value);
    }
}
