//! Directives: `# syntax=`, `# escape=` and `# check=` at the top of a file.

use super::lexer::Lexer;
use super::source::{Problem, Source};

/// What the top of a file says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Directives {
    /// `# syntax=`: the image that understands the file.
    pub(super) syntax: Option<String>,
    /// `# escape=`: a backslash unless it is a backtick.
    pub(super) escape: char,
    /// `# check=`.
    pub(super) check: Check,
}

impl Default for Directives {
    fn default() -> Self {
        Self { syntax: None, escape: '\\', check: Check::default() }
    }
}

/// How a file wants to be checked: `# check=skip=RULE,RULE;error=true`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Check {
    /// `skip=all`.
    pub skip_all: bool,
    /// Rules of which nothing is told.
    pub skip: Vec<String>,
    /// `error=true`: a warning fails the build.
    pub error: bool,
}

impl Check {
    /// Reads `skip=…;error=…`.
    ///
    /// # Errors
    /// The part that is neither.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut check = Self::default();
        for part in text.split(';').map(str::trim).filter(|part| !part.is_empty()) {
            let (key, value) = part.split_once('=').unwrap_or((part, ""));
            match (key.trim(), value.trim()) {
                ("skip", "all") => check.skip_all = true,
                ("skip", rules) if !rules.is_empty() => {
                    check.skip.extend(rules.split(',').map(|rule| rule.trim().to_owned()));
                }
                ("error", value) => check.error = truth(value).ok_or_else(|| part.to_owned())?,
                // Docker has it; it switches on rules that we do not have.
                ("experimental", value) if !value.is_empty() => {}
                _ => return Err(part.to_owned()),
            }
        }
        Ok(check)
    }
}

fn truth(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

impl Directives {
    /// The image that a text names in `# syntax=`, whatever else is wrong with the text.
    pub(super) fn syntax_of(text: &str) -> Option<String> {
        Self::read(&Source::new("", text), &mut Vec::new()).syntax
    }

    pub(super) fn read(source: &Source, problems: &mut Vec<Problem>) -> Self {
        let mut read = Self::default();
        let mut seen = Vec::new();
        let mut lexer = Lexer::new(source.text(), '\\');
        while let Some((at, line)) = lexer.raw() {
            if seen.is_empty() && line.starts_with("#!") {
                continue;
            }
            let Some((key, value)) = directive(line) else { break };
            let at = at + (line.len() - line.trim_start().len());
            if seen.contains(&key) {
                let what = format!("duplicate directive `# {key}=`");
                problems.push(source.problem(at, what).hint("remove one of them"));
                continue;
            }
            if let Err(problem) = read.set(&key, value, source, at) {
                problems.push(problem);
            }
            seen.push(key);
        }
        read
    }

    fn set(&mut self, key: &str, value: &str, source: &Source, at: usize) -> Result<(), Problem> {
        match (key, value) {
            ("syntax", value) => {
                self.syntax = value.split_whitespace().next().map(str::to_owned);
            }
            ("escape", "\\" | "`") => self.escape = value.chars().next().unwrap_or('\\'),
            ("escape", _) => {
                let problem =
                    source.problem(at, format!("`{value}` cannot be the escape character"));
                return Err(problem.hint("# escape=\\").hint("# escape=`"));
            }
            _ => {
                let check = Check::parse(value).map_err(|part| {
                    let problem = source.problem(at, format!("unknown check option `{part}`"));
                    problem.hint("# check=skip=StageNameCasing,FromAsCasing;error=true")
                })?;
                self.check = check;
            }
        }
        Ok(())
    }
}

/// The key, lower case, and the value of `# key=value`; `None` when the line is none of ours, which
/// ends the directives.
fn directive(line: &str) -> Option<(String, &str)> {
    let (key, value) = line.trim_start().strip_prefix('#')?.split_once('=')?;
    let key = key.trim().to_ascii_lowercase();
    let known = ["syntax", "escape", "check"].contains(&key.as_str());
    (known && !value.trim().is_empty()).then_some((key, value.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (Directives, Vec<String>) {
        let mut problems = Vec::new();
        let directives = Directives::read(&Source::new("F", text), &mut problems);
        (directives, problems.into_iter().map(|problem| problem.what).collect())
    }

    #[test]
    fn directives_stand_at_the_top() {
        let (read_, problems) =
            read("\u{feff}#Syntax = a/b:c more\r\n  # escape=`\n#check=skip=A, B;error=true\n");
        assert!(problems.is_empty());
        assert_eq!(read_.syntax.as_deref(), Some("a/b:c"));
        assert_eq!(read_.escape, '`');
        let skip = vec!["A".to_owned(), "B".to_owned()];
        assert_eq!(read_.check, Check { skip_all: false, skip, error: true });
        for late in [
            "\n# escape=`",
            "# a comment\n# escape=`",
            "# other=1\n# escape=`",
            "FROM x\n# escape=`",
        ] {
            assert_eq!(read(late).0, Directives::default(), "{late:?}");
        }
        assert_eq!(read("#!/usr/bin/env x\n# escape=`").0.escape, '`');
        assert!(read("# check=skip=all").0.check.skip_all);
        assert_eq!(Directives::syntax_of("# syntax=x\n# syntax=y").as_deref(), Some("x"));
    }

    #[test]
    fn bad_directives_are_told() {
        for (text, expected) in [
            ("# escape=x", "`x` cannot be the escape character"),
            ("# syntax=x\n# SYNTAX=y", "duplicate directive `# syntax=`"),
            ("# check=skp=A", "unknown check option `skp=A`"),
            ("# check=error=maybe", "unknown check option `error=maybe`"),
        ] {
            assert_eq!(read(text).1, [expected], "{text:?}");
        }
    }
}
