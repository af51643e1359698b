//! Arguments as a JSON list of strings.

use super::keyword::Keyword;
use super::lexer::Line;
use super::source::{Problem, Source};
use super::words::Word;

/// The strings of a list that begins at `from` and ends the line; `None` when it is not one.
pub(super) fn read(
    keyword: Keyword,
    from: usize,
    line: &Line,
    source: &Source,
) -> Result<Option<Vec<Word>>, Problem> {
    let text = line.text[from..].trim_end();
    if !text.starts_with('[') {
        return Ok(None);
    }
    let found = match serde_json::from_str::<Vec<serde_json::Value>>(text) {
        Ok(values) => words(values, text, from),
        // A pattern such as `[ab]*.gguf` begins like a list.
        Err(_) if keyword != Keyword::Cmd && !text[1..].trim_start().starts_with('"') => {
            return Ok(None);
        }
        Err(error) => Err(unread(&error, text, from)),
    };
    found.map(Some).map_err(|(at, what)| {
        let list = match keyword {
            Keyword::Cmd => r#"["-m", "model.gguf"]"#,
            _ => r#"["source", "destination"]"#,
        };
        source.problem(line.place(at), what).hint(format!("{} {list}", keyword.name()))
    })
}

fn words(
    values: Vec<serde_json::Value>,
    text: &str,
    from: usize,
) -> Result<Vec<Word>, (usize, String)> {
    let starts = starts(text);
    let word = |(index, value): (usize, serde_json::Value)| match value {
        serde_json::Value::String(text) => {
            let at = from + starts.get(index).copied().unwrap_or_default();
            Ok(Word { text, at })
        }
        other => Err((from, format!("a list holds strings only, not `{other}`"))),
    };
    values.into_iter().enumerate().map(word).collect()
}

/// Where a text is no JSON, and why.
fn unread(error: &serde_json::Error, text: &str, from: usize) -> (usize, String) {
    let at = error.column().saturating_sub(1).min(text.len());
    let at = (0..=at).rev().find(|at| text.is_char_boundary(*at)).unwrap_or_default();
    let why = error.to_string();
    let why = why.split(" at line").next().unwrap_or_default();
    (from + at, format!("this list is not JSON: {why}"))
}

/// Where the strings of a JSON list of strings begin, behind their quotes.
fn starts(text: &str) -> Vec<usize> {
    let (mut starts, mut inside) = (Vec::new(), false);
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' if inside => drop(chars.next()),
            '"' => {
                if !inside {
                    starts.push(at + 1);
                }
                inside = !inside;
            }
            _ => {}
        }
    }
    starts
}
