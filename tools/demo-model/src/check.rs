//! Proves that a file is the demo model of today's corpus: its metadata, its vocabulary, its tensors,
//! and that it answers.

use std::path::Path;

use llama_src::Error;

use crate::corpus::{self, Corpus};
use crate::export;
use crate::gguf::File;
use crate::model::{Model, Shape};
use crate::pass::Pass;
use crate::tokenizer::{END, END_OF_MESSAGE, Tokenizer};

/// Tokens that a checked answer may have, its question included.
const LENGTH: usize = 96;
const QUESTIONS: [&str; 3] =
    ["What is llama.cpp?", "How do I use a bigger model?", "Which backends are there?"];

/// Checks the file at `path`.
///
/// # Errors
/// When it cannot be read, or differs from what the corpus gives.
pub fn check(path: &Path) -> Result<(), Error> {
    let again = |error: Error| error.hint("train it again: cargo xtask demo-model");
    let file = File::read(path).map_err(again)?;
    let corpus = Corpus::load();
    let tokenizer = corpus.tokenizer();
    let shape = Shape::demo(tokenizer.tokens().len());
    same_metadata(&file, &File { metadata: export::metadata(&shape, &tokenizer), tensors: vec![] })
        .map_err(again)?;
    let model = export::model(&file, shape).map_err(again)?;
    for question in QUESTIONS {
        answers(&model, &tokenizer, &corpus, question).map_err(again)?;
    }
    Ok(())
}

/// What `model` says after `prompt`, most likely words first, until it stops or `length` tokens are
/// there.
#[must_use]
pub fn complete(model: &Model, tokenizer: &Tokenizer, prompt: &str, length: usize) -> String {
    let mut tokens = tokenizer.encode(prompt);
    let start = tokens.len();
    let mut pass = Pass::new(model, length);
    while tokens.len() < length {
        let scores = pass.forward(model, &tokens);
        let ranked = scores[scores.len() - model.shape.vocab..].iter().zip(0..);
        let best = ranked.max_by(|(a, _), (b, _)| a.total_cmp(b)).map_or(END, |(_, id)| id);
        if best == END || best == END_OF_MESSAGE {
            break;
        }
        tokens.push(best);
    }
    tokenizer.decode(&tokens[start.min(tokens.len())..])
}

fn same_metadata(found: &File, wanted: &File) -> Result<(), Error> {
    let pairs = found.metadata.iter().zip(&wanted.metadata);
    let different = pairs.clone().find(|(f, w)| f != w).map(|(_, (key, _))| key.as_str());
    match different {
        Some(key) => Err(Error::new(format!("the demo model's {key} does not match the corpus"))),
        None if found.metadata.len() != wanted.metadata.len() => {
            let (found, wanted) = (found.metadata.len(), wanted.metadata.len());
            Err(Error::new(format!("the demo model has {found} metadata keys instead of {wanted}")))
        }
        None => Ok(()),
    }
}

fn answers(
    model: &Model,
    tokenizer: &Tokenizer,
    corpus: &Corpus,
    question: &str,
) -> Result<(), Error> {
    let answer = complete(model, tokenizer, &corpus::prompt(question), LENGTH);
    let topic = corpus.topics.iter().find(|topic| topic.questions.contains(&question));
    if topic.is_some_and(|topic| topic.answers.contains(&answer.as_str())) {
        return Ok(());
    }
    Err(Error::new(format!("the demo model answers `{question}` with `{answer}`")))
}
