//! One instruction as it is written: name, flags, words, heredocs. Nothing has its value yet.

use super::keyword::{FlagKind, Keyword};
use super::lexer::{Lexer, Line};
use super::list;
use super::source::{MOST, Problem, Source};
use super::words::{self, Mark, Word};

/// An instruction as it is written.
#[derive(Debug, Clone)]
pub(super) struct Statement {
    pub(super) keyword: Keyword,
    /// Its name, as it is written.
    pub(super) written: String,
    pub(super) line: Line,
    pub(super) flags: Vec<Flag>,
    pub(super) args: Vec<Word>,
    /// Whether the arguments are a JSON list.
    pub(super) json: bool,
    pub(super) heredocs: Vec<Heredoc>,
}

/// `--name` or `--name=value`.
#[derive(Debug, Clone)]
pub(super) struct Flag {
    pub(super) name: &'static str,
    pub(super) value: Option<Word>,
}

/// A text in the file, named by an argument.
#[derive(Debug, Clone)]
pub(super) struct Heredoc {
    /// Which argument names it.
    pub(super) arg: usize,
    pub(super) mark: Mark,
    pub(super) text: String,
    /// Where it begins in the file.
    pub(super) at: usize,
}

impl Statement {
    /// Reads the instruction of `line` and takes its heredocs from `lexer`.
    pub(super) fn read(
        line: Line,
        lexer: &mut Lexer<'_>,
        escape: char,
        source: &Source,
        problems: &mut Vec<Problem>,
    ) -> Option<Self> {
        let end = line.text.find(char::is_whitespace).unwrap_or(line.text.len());
        let written = line.text[..end].to_owned();
        let Some(keyword) = Keyword::named(&written) else {
            problems.push(Keyword::unknown(source, line.place(0), &written));
            // What belongs to it is no instruction.
            let (args, _) = words::split(&line.text, end, escape);
            heredocs(&args, &line, lexer, source, problems);
            return None;
        };
        let (mut args, open) = words::split(&line.text, end, escape);
        let flags = take_flags(keyword, &mut args, &line, source, problems);
        let list = args.first().filter(|_| keyword.takes_lists());
        let list = list.map_or(Ok(None), |first| list::read(keyword, first.at, &line, source));
        let open = open.filter(|_| matches!(list, Ok(None))).map(|(at, sign)| {
            let problem = source.problem(line.place(at), format!("this `{sign}` is not closed"));
            problem.hint(format!("close it, or write {escape}{sign} for a literal {sign}"))
        });
        let list = match (list, open) {
            (Ok(list), None) => list,
            (Err(problem), _) | (_, Some(problem)) => {
                problems.push(problem);
                return None;
            }
        };
        let mut found = Vec::new();
        if list.is_none() && keyword.takes_heredocs() {
            found = heredocs(&args, &line, lexer, source, problems);
        }
        let (json, args) = (list.is_some(), list.unwrap_or(args));
        Some(Self { keyword, written, line, flags, args, json, heredocs: found })
    }

    /// Where it stands in the file.
    pub(super) fn place(&self) -> usize {
        self.line.place(0)
    }

    /// The heredoc that an argument names.
    pub(super) fn heredoc(&self, arg: usize) -> Option<&Heredoc> {
        let found = self.heredocs.binary_search_by_key(&arg, |heredoc| heredoc.arg);
        found.ok().map(|index| &self.heredocs[index])
    }

    /// What is written behind the first argument.
    pub(super) fn behind_first(&self) -> Option<Word> {
        let first = self.args.first()?;
        let from = first.at + first.text.len();
        let rest = self.line.text.get(from..)?;
        let at = from + (rest.len() - rest.trim_start().len());
        let text = rest.trim().to_owned();
        (!text.is_empty()).then_some(Word { text, at })
    }
}

/// Takes the words at the beginning that start with `--`; `--` alone ends them.
fn take_flags(
    keyword: Keyword,
    args: &mut Vec<Word>,
    line: &Line,
    source: &Source,
    problems: &mut Vec<Problem>,
) -> Vec<Flag> {
    let count = args.iter().take_while(|arg| arg.text.starts_with("--")).count();
    let end = args.iter().position(|arg| arg.text == "--").filter(|end| *end < count);
    let words: Vec<Word> = args.drain(..end.map_or(count, |end| end + 1)).collect();
    let mut flags: Vec<Flag> = Vec::new();
    for word in words.iter().filter(|word| word.text != "--") {
        match flag(keyword, word, &flags) {
            Ok(flag) => flags.push(flag),
            Err(_) if problems.len() >= MOST => break,
            Err((what, hint)) => {
                problems.push(source.problem(line.place(word.at), what).hint(hint));
            }
        }
    }
    flags
}

fn flag(keyword: Keyword, word: &Word, before: &[Flag]) -> Result<Flag, (String, String)> {
    let (written, value) = match word.text[2..].split_once('=') {
        Some((name, value)) => (name, Some(value)),
        None => (&word.text[2..], None),
    };
    let Some((name, kind)) = keyword.flag(written) else {
        return Err(keyword.unknown_flag(written));
    };
    if kind != FlagKind::Many && before.iter().any(|flag| flag.name == name) {
        return Err((format!("duplicate flag `--{name}`"), "remove one of them".to_owned()));
    }
    let empty = value.is_none_or(str::is_empty);
    if empty && (kind != FlagKind::Switch || value.is_some()) {
        let example = if kind == FlagKind::Switch { "true" } else { "VALUE" };
        return Err((format!("`--{name}` needs a value"), format!("--{name}={example}")));
    }
    let value = value.map(|value| {
        let at = word.at + word.text.len() - value.len();
        Word { text: value.to_owned(), at }
    });
    Ok(Flag { name, value })
}

/// Takes the texts that the arguments name.
fn heredocs(
    args: &[Word],
    line: &Line,
    lexer: &mut Lexer<'_>,
    source: &Source,
    problems: &mut Vec<Problem>,
) -> Vec<Heredoc> {
    let mut found = Vec::new();
    for (arg, word) in args.iter().enumerate() {
        let Some(mark) = words::heredoc(&word.text) else { continue };
        match heredoc(arg, mark, lexer) {
            Ok(heredoc) => found.push(heredoc),
            Err(name) => {
                let what = format!("unterminated heredoc `<<{name}`");
                let hint = format!("end it with a line that contains only `{name}`");
                problems.push(source.problem(line.place(word.at), what).hint(hint));
                break;
            }
        }
    }
    found
}

fn heredoc(arg: usize, mark: Mark, lexer: &mut Lexer<'_>) -> Result<Heredoc, String> {
    let (mut text, mut start) = (String::new(), None);
    while let Some((at, raw)) = lexer.raw() {
        start.get_or_insert(at);
        let line = if mark.strip { raw.trim_start_matches('\t') } else { raw };
        if line.trim_end_matches(['\r', '\n']) == mark.name {
            return Ok(Heredoc { arg, mark, text, at: start.unwrap_or_default() });
        }
        text.push_str(line);
    }
    Err(mark.name)
}
