//! A whole file, read: its directives and its instructions, none of them with values yet. What is
//! wrong whatever the values are is told here.

use super::directives::{Check, Directives};
use super::keyword::Keyword;
use super::lexer::Lexer;
use super::source::{Errors, MOST, Problem, Source};
use super::statement::Statement;

/// The longest file, in bytes.
const LONGEST: usize = 1 << 20;
/// The most instructions.
const INSTRUCTIONS: usize = 10_000;

/// A file that has been read.
#[derive(Debug, Clone)]
pub struct Script {
    pub(super) source: Source,
    pub(super) directives: Directives,
    pub(super) statements: Vec<Statement>,
}

impl Script {
    /// The file's name, as the person gave it.
    #[must_use]
    pub fn file(&self) -> &str {
        self.source.file()
    }

    /// The file's text.
    #[must_use]
    pub fn text(&self) -> &str {
        self.source.text()
    }

    /// `# syntax=`.
    #[must_use]
    pub fn syntax(&self) -> Option<&str> {
        self.directives.syntax.as_deref()
    }

    /// Checks as `check` says, whatever the file says.
    pub fn set_check(&mut self, check: Check) {
        self.directives.check = check;
    }

    /// `# check=`.
    #[must_use]
    pub fn check(&self) -> &Check {
        &self.directives.check
    }
}

/// Reads the text of a file; errors call it `file`.
///
/// # Errors
/// Everything that is wrong in it, in its order.
pub fn parse(text: &str, file: &str) -> Result<Script, Errors> {
    let mut problems = Vec::new();
    if text.len() > LONGEST {
        let what = format!(
            "the file is larger than {} MiB, which is too large for a GGUFPackerfile",
            LONGEST >> 20
        );
        let problem = Source::new(file, "").problem(0, what);
        problems.push(problem.hint("-f GGUFPackerfile"));
        Errors::check(std::mem::take(&mut problems))?;
    }
    let source = Source::new(file, text);
    if let Some(zero) = text.find('\0') {
        let problem = source.problem(zero, "not a text file: it contains a zero byte");
        Errors::check(vec![problem.hint("-f GGUFPackerfile")])?;
    }
    let directives = Directives::read(&source, &mut problems);
    let mut lexer = Lexer::new(source.text(), directives.escape);
    let mut statements = Vec::new();
    let mut lines = 0;
    while let Some(line) = lexer.line() {
        lines += 1;
        let place = line.place(0);
        if lines > INSTRUCTIONS {
            let what = format!("the file has more than {INSTRUCTIONS} instructions");
            problems.push(
                source
                    .problem(place, what)
                    .hint("split it: build a part as an image, and use that image in FROM"),
            );
        }
        if lines > INSTRUCTIONS || problems.len() >= MOST {
            break;
        }
        let escape = directives.escape;
        let read = Statement::read(line, &mut lexer, escape, &source, &mut problems);
        if let Some(statement) = read {
            problems.extend(form(&statement, &source));
            statements.push(statement);
        }
    }
    if lines == 0 {
        problems.push(source.problem(0, "the file has no instructions").hint("FROM scratch"));
    } else if problems.is_empty() {
        problems.extend(order(&statements, &source));
    }
    Errors::check(problems)?;
    Ok(Script { source, directives, statements })
}

/// What is wrong with the order of instructions: `FROM` begins a stage, `ARG` alone may stand before.
fn order(statements: &[Statement], source: &Source) -> Option<Problem> {
    let first = statements.iter().find(|statement| statement.keyword != Keyword::Arg);
    match first {
        Some(first) if first.keyword == Keyword::From => None,
        Some(first) => {
            let what = format!("{} comes before the first FROM", first.keyword.name());
            Some(source.problem(first.place(), what).hint("FROM scratch"))
        }
        None => {
            let place = statements.last().map_or(0, Statement::place);
            Some(source.problem(place, "the file has no FROM").hint("FROM scratch"))
        }
    }
}

/// What is wrong with the form of an instruction.
fn form(statement: &Statement, source: &Source) -> Option<Problem> {
    let name = statement.keyword.name();
    let count = statement.args.len();
    let problem = |what: String, hint: &str| {
        let at = statement.args.first().map_or(statement.line.text.len(), |arg| arg.at);
        Some(source.problem(statement.line.place(at), what).hint(hint))
    };
    match statement.keyword {
        Keyword::Add | Keyword::Cat | Keyword::Copy if count < 2 => {
            let hint = match statement.keyword {
                Keyword::Cat => "CAT <<EOF system-prompt.txt",
                Keyword::Add => "ADD https://host/model.gguf model.gguf",
                _ => "COPY model.gguf .",
            };
            problem(format!("{name} needs a source and a destination"), hint)
        }
        Keyword::Add | Keyword::Cat | Keyword::Copy => {
            let heredoc = statement.heredoc(count - 1)?;
            let at = statement.line.place(statement.args[heredoc.arg].at);
            let what =
                format!("the last argument of {name} must be its destination, not a heredoc");
            Some(source.problem(at, what).hint(format!("{name} <<EOF file.txt")))
        }
        Keyword::Convert | Keyword::Quantize if count != 2 => {
            let hint = match statement.keyword {
                Keyword::Convert => "CONVERT --type=F16 model-folder model.F16.gguf",
                _ => "QUANTIZE --type=Q5_K_M model.F16.gguf model.Q5_K_M.gguf",
            };
            let words = if count == 1 { "word" } else { "words" };
            problem(format!("{name} takes a source and a destination, not {count} {words}"), hint)
        }
        Keyword::Cmd if !statement.json => {
            problem("CMD takes a JSON list of strings".to_owned(), r#"CMD ["-m", "model.gguf"]"#)
        }
        Keyword::From => from(statement, source),
        Keyword::Arg => arg(statement, source),
        Keyword::Label => label(statement, source),
        _ => None,
    }
}

fn from(statement: &Statement, source: &Source) -> Option<Problem> {
    let words = &statement.args;
    if words.len() != 1 && !(words.len() == 3 && words[1].text.eq_ignore_ascii_case("as")) {
        let at = words.get(1).map_or(statement.line.text.len(), |word| word.at);
        let problem =
            source.problem(statement.line.place(at), "FROM takes IMAGE, or IMAGE AS NAME");
        return Some(problem.hint("FROM scratch AS name"));
    }
    let name = words.get(2)?;
    let lower = name.text.to_lowercase();
    let good = lower.starts_with(|c: char| c.is_ascii_lowercase())
        && lower.chars().all(|c| matches!(c, 'a'..='z' | '0'..='9' | '-' | '_' | '.'));
    if good {
        return None;
    }
    let problem = source.problem(
        statement.line.place(name.at),
        format!("invalid name for a build stage: `{}`", name.text),
    );
    Some(problem.hint("begin with a letter; then use letters, digits, `-`, `_` and `.`"))
}

fn arg(statement: &Statement, source: &Source) -> Option<Problem> {
    let at = |offset| statement.line.place(offset);
    if statement.args.is_empty() {
        let problem = source.problem(at(statement.line.text.len()), "ARG needs a name");
        return Some(problem.hint("ARG NAME=value"));
    }
    let blank = statement.args.iter().find(|word| word.text.starts_with('='))?;
    Some(source.problem(at(blank.at), "ARG has a value without a name").hint("ARG NAME=value"))
}

fn label(statement: &Statement, source: &Source) -> Option<Problem> {
    let at = |offset| statement.line.place(offset);
    let Some(first) = statement.args.first() else {
        let problem =
            source.problem(at(statement.line.text.len()), "LABEL needs a name and a value");
        return Some(problem.hint("LABEL name=value"));
    };
    if !first.text.contains('=') {
        if statement.args.len() > 1 {
            return None;
        }
        let problem =
            source.problem(at(first.at), format!("the label `{}` needs a value", first.text));
        return Some(problem.hint(format!("LABEL {}=value", first.text)));
    }
    for word in &statement.args {
        let what = match word.text.split_once('=') {
            None => format!("`{}` has no `=`", word.text),
            Some((name, _)) if name.trim_matches(['"', '\'']).is_empty() => {
                "LABEL has a value without a name".to_owned()
            }
            Some(_) => continue,
        };
        let problem = source.problem(at(word.at), what);
        return Some(problem.hint(r#"LABEL name=value other="value with spaces""#));
    }
    None
}

#[cfg(test)]
#[path = "script_tests.rs"]
mod tests;
