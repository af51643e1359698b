//! Files of the repository that are written from the code, as a whole or between two marks.

use std::fs;

use anyhow::{Context, Result, bail};

use workspace::cargo;

/// A file's path in the repository, and the text that the code gives it.
pub(super) type Written = (String, String);

/// What is in `file` now.
pub(super) fn read(file: &str) -> Result<String> {
    let text = fs::read_to_string(cargo::root().join(file));
    // Git may have given the file Windows' line ends.
    Ok(text.with_context(|| format!("cannot read {file}"))?.replace('\r', ""))
}

/// `file` with `new` between two marks, each a line of its own.
pub(super) fn between(file: &str, [start, end]: [&str; 2], new: &str) -> Result<Written> {
    replaced(file, &read(file)?, [start, end], new).map(|text| (file.to_owned(), text))
}

fn replaced(file: &str, text: &str, [start, end]: [&str; 2], new: &str) -> Result<String> {
    let missing = |mark: &str| format!("line `{mark}` not found in {file}");
    let (before, rest) = text.split_once(&format!("{start}\n")).with_context(|| missing(start))?;
    let (_, after) = rest.split_once(end).with_context(|| missing(end))?;
    Ok(format!("{before}{start}\n{new}{end}{after}"))
}

/// Where files differ from what the code gives them.
pub(super) fn stale(files: &[Written]) -> Vec<String> {
    let first = |(file, wanted): &Written| {
        // One that cannot be read has no lines.
        let line = difference(&read(file).unwrap_or_default(), wanted)?;
        Some(format!("{file}:{line} is not what `cargo xtask check --fix` writes"))
    };
    files.iter().filter_map(first).collect()
}

/// Fails when there is such a file.
pub(super) fn check(files: &[Written]) -> Result<()> {
    let stale = stale(files);
    if stale.is_empty() { Ok(()) } else { bail!(stale.join("\n")) }
}

/// Writes them.
pub(super) fn fix(files: &[Written]) -> Result<()> {
    for (file, text) in files {
        fs::write(cargo::root().join(file), text)
            .with_context(|| format!("cannot write {file}"))?;
    }
    Ok(())
}

/// The first line that differs, from 1.
fn difference(there: &str, wanted: &str) -> Option<usize> {
    let same = there.lines().zip(wanted.lines()).take_while(|(there, wanted)| there == wanted);
    (there != wanted).then(|| same.count() + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_between_the_marks_is_replaced() {
        let text = "a\n<!-- t -->\nold\n<!-- /t -->\nb\n";
        let marks = ["<!-- t -->", "<!-- /t -->"];
        let fixed = replaced("a.md", text, marks, "new\n").unwrap();
        assert_eq!(fixed, "a\n<!-- t -->\nnew\n<!-- /t -->\nb\n");
        assert_eq!(replaced("a.md", &fixed, marks, "new\n").unwrap(), fixed);
        for mark in marks {
            let error = replaced("a.md", &text.replace(mark, ""), marks, "").unwrap_err();
            assert_eq!(error.to_string(), format!("line `{mark}` not found in a.md"));
        }
    }

    #[test]
    fn the_first_line_that_differs_is_told() {
        assert_eq!(difference("a\nb\n", "a\nb\n"), None);
        assert_eq!(difference("a\nb\n", "a\nc\n"), Some(2));
        assert_eq!(difference("a\n", "a\nb\n"), Some(2));
        assert_eq!(difference("", "a\n"), Some(1));
        assert_eq!(difference("a", "a\n"), Some(2));
        let gone = vec![("docs/none.md".to_owned(), "a\n".to_owned())];
        assert_eq!(
            check(&gone).unwrap_err().to_string(),
            "docs/none.md:1 is not what `cargo xtask check --fix` writes"
        );
    }
}
