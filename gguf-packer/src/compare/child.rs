//! The process that measures: both models read the same chunks, and of each chunk only some tokens' predictions
//! are held at once. An abort of llama.cpp's is then an error message of ours.

use std::io::Write;
use std::process::ExitCode;
use std::thread;

use super::llama::{self, Model, Refusal};
use super::statistics::{Prediction, Sums};
use super::{CHUNK, FEWEST, News, Task};

/// Tokens that are read at once; with a large vocabulary their predictions take a hundred megabytes.
const AT_ONCE: usize = 128;

/// Bytes of text that are read for a chunk; a token has four or five.
const BYTES_OF_CHUNK: usize = 64 * CHUNK;

/// What the child of [`crate::COMPARER`] does; `argument` is a [`Task`].
#[must_use]
pub fn main(argument: Option<String>) -> ExitCode {
    let task = argument.and_then(|argument| serde_json::from_str(&argument).ok());
    let Some(task) = task else {
        say(&News::Refused("only gguf-packer itself starts this command".to_owned(), None));
        return ExitCode::FAILURE;
    };
    match measure(&task) {
        Ok(Some(outcome)) => say(&News::Outcome(outcome)),
        Ok(None) => {}
        Err((what, hint)) => {
            say(&News::Refused(what, hint));
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

/// Who asked may be gone; then this process is, too.
fn say(news: &News) {
    let text = serde_json::to_string(news).expect("what we say is JSON");
    let _ = writeln!(std::io::stdout().lock(), "{text}");
}

fn measure(task: &Task) -> Result<Option<super::Outcome>, Refusal> {
    llama::begin();
    let text = text(task)?;
    let mut before = Model::load(&task.base, CHUNK, AT_ONCE, task.threads)?;
    let mut tokens = before.tokens(&text)?;
    let chunks = task.chunks.min(tokens.len() / CHUNK);
    if tokens.len() < FEWEST * CHUNK {
        let (has, needs) = (tokens.len(), FEWEST * CHUNK);
        return Err((
            format!("{} is too short: it has {has} tokens, a comparison needs {needs}", task.text),
            Some("use a longer text".to_owned()),
        ));
    }
    tokens.truncate(chunks * CHUNK);
    let Some(other) = &task.other else { return Ok(None) };
    let mut after = Model::load(other, CHUNK, AT_ONCE, task.threads)?;
    before.same_vocabulary(&after).map_err(|difference| {
        let what = format!("{} and {other} have different vocabularies: {difference}", task.base);
        (what, Some("compare a model only with its own quantizations".to_owned()))
    })?;
    let mut sums = Sums::default();
    for (at, chunk) in tokens.chunks(CHUNK).enumerate() {
        chunk_of(&mut before, &mut after, chunk, task, &mut sums)?;
        say(&News::Measured(at + 1, chunks));
    }
    Ok(Some(sums.outcome(CHUNK, chunks)))
}

/// As much of the text as can be needed, without the line's end at its end, as llama.cpp's tool reads it.
fn text(task: &Task) -> Result<String, Refusal> {
    use std::io::Read;
    let unreadable = |e: std::io::Error| (format!("cannot read {}: {e}", task.text), None);
    let file = std::fs::File::open(&task.text).map_err(unreadable)?;
    let most = task.chunks.max(FEWEST).saturating_mul(BYTES_OF_CHUNK) as u64;
    let mut bytes = Vec::new();
    file.take(most).read_to_end(&mut bytes).map_err(unreadable)?;
    // The cut may go through a letter.
    let cut = bytes.len() as u64 == most;
    let text = match String::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) if cut && error.utf8_error().error_len().is_none() => {
            String::from_utf8_lossy(error.as_bytes()).trim_end_matches('\u{fffd}').to_owned()
        }
        Err(error) => {
            let at = error.utf8_error().valid_up_to();
            let hint = "use a plain text file".to_owned();
            return Err((format!("{} is not UTF-8 at byte {at}", task.text), Some(hint)));
        }
    };
    Ok(text.strip_suffix('\n').unwrap_or(&text).to_owned())
}

/// Measures the second half of one chunk.
fn chunk_of(
    before: &mut Model,
    after: &mut Model,
    chunk: &[i32],
    task: &Task,
    sums: &mut Sums,
) -> Result<(), Refusal> {
    let mut input = chunk.to_vec();
    if let Some(begin) = before.begin_of_text() {
        input[0] = begin;
    }
    before.forget();
    after.forget();
    // What comes after the last token is not in the chunk.
    for (start, piece) in (0..CHUNK - 1).step_by(AT_ONCE).zip(input[..CHUNK - 1].chunks(AT_ONCE)) {
        let wanted: Vec<bool> = (start..).take(piece.len()).map(|at| at >= CHUNK / 2).collect();
        before.read(piece, &wanted)?;
        after.read(piece, &wanted)?;
        let places: Vec<usize> = (0..piece.len()).filter(|&at| wanted[at]).collect();
        let target = |at: usize| chunk[start + at + 1];
        for prediction in predictions(before, after, &places, &target, task.threads) {
            let prediction = prediction.ok_or_else(|| {
                let what = format!(
                    "{} or {} makes predictions that are not finite numbers",
                    task.base,
                    other(task)
                );
                (what, Some("one of the two files is damaged: quantize it again".to_owned()))
            })?;
            sums.add(&prediction);
        }
    }
    Ok(())
}

fn other(task: &Task) -> &str {
    task.other.as_deref().unwrap_or_default()
}

/// The predictions at `places` of what was read last, in their order.
fn predictions(
    before: &Model,
    after: &Model,
    places: &[usize],
    target: &(dyn Fn(usize) -> i32 + Sync),
    threads: usize,
) -> Vec<Option<Prediction>> {
    let rows: Vec<_> = places
        .iter()
        .map(|&at| (before.logits(at), after.logits(at), usize::try_from(target(at)).ok()))
        .collect();
    let one = |row: &(Option<&[f32]>, Option<&[f32]>, Option<usize>)| {
        let (before, after, token) = (row.0?, row.1?, row.2?);
        (token < before.len()).then(|| Prediction::of(before, after, token))?
    };
    let share = rows.len().div_ceil(threads.max(1)).max(1);
    thread::scope(|scope| {
        let parts: Vec<_> = rows
            .chunks(share)
            .map(|part| scope.spawn(move || part.iter().map(one).collect::<Vec<_>>()))
            .collect();
        parts.into_iter().flat_map(|part| part.join().expect("arithmetic does not panic")).collect()
    })
}
