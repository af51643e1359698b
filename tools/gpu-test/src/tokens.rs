//! Greedy tokens of the GPU beside those of the CPU.

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::server::Running;

/// Short and long ones: a prompt of one token is computed by other kernels than one of many.
pub(super) const PROMPTS: &[&str] = &[
    "Hello",
    "The ship",
    "Why is the sky blue?",
    "<|im_start|>user\nWhat can you do?<|im_end|>\n<|im_start|>assistant\n",
    "One day a small boat left the harbour. The sea was calm and the wind was warm, and nobody on board \
     knew how far the island was. They took bread, water and a lamp, and they began to row. After an \
     hour the youngest of them asked",
];
/// Tokens that are asked for after each prompt.
const COUNT: u32 = 32;

/// A GPU adds in another order and rounds to other types than a CPU: it may choose the other of two tokens that the CPU
/// has less than this apart, in nats. An H100 did at 0.026 (2026-11-27); wrong kernels differ where the CPU is sure.
const TIE: f64 = 0.1;

/// The greedy continuation of a prompt.
#[derive(Debug, PartialEq)]
pub(super) struct Answer {
    pub(super) tokens: Vec<u64>,
    /// By token: how much more probable it was than the next best, in nats.
    margins: Vec<f64>,
}

/// Asks for the continuation of `prompt`, computed anew.
///
/// # Errors
/// When the server does not give it.
pub(super) fn ask(server: &Running, prompt: &str) -> Result<Answer> {
    let answer = server.complete(&json!({
        "prompt": prompt, "n_predict": COUNT, "temperature": 0, "seed": 1,
        "cache_prompt": false, "return_tokens": true, "n_probs": 2,
    }))?;
    read(&answer).with_context(|| format!("llama-server's answer contains no tokens: {answer}"))
}

fn read(answer: &Value) -> Option<Answer> {
    let tokens = answer["tokens"].as_array()?.iter().map(Value::as_u64).collect::<Option<_>>()?;
    let margin = |row: &Value| {
        let best = |at: usize| row["top_logprobs"][at]["logprob"].as_f64();
        Some(best(0)? - best(1)?)
    };
    let rows = answer["completion_probabilities"].as_array()?;
    Some(Answer { tokens, margins: rows.iter().map(margin).collect::<Option<_>>()? })
}

/// Where two answers first differ.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Difference {
    /// Two tokens were as good as equal to the CPU: nothing after them can be compared.
    Tie,
    /// In words.
    Wrong(String),
}

/// Where the two first differ; `None`: nowhere.
pub(super) fn difference(prompt: &str, cpu: &Answer, gpu: &Answer) -> Option<Difference> {
    let length = cpu.tokens.len().max(gpu.tokens.len());
    let at = (0..length).find(|at| cpu.tokens.get(*at) != gpu.tokens.get(*at))?;
    if gpu.tokens.len() > at && cpu.margins.get(at).is_some_and(|margin| *margin < TIE) {
        return Some(Difference::Tie);
    }
    let token = |answer: &Answer| match answer.tokens.get(at) {
        Some(token) => token.to_string(),
        None => "missing".to_owned(),
    };
    let margin = cpu.margins.get(at).map_or(String::new(), |margin| {
        format!(", which preferred it to the next best by {margin:.4} nats")
    });
    let prompt = prompt.lines().next().unwrap_or_default();
    let (gpu, cpu) = (token(gpu), token(cpu));
    Some(Difference::Wrong(format!(
        "token {at} after `{prompt}` is {gpu} on the GPU, but {cpu} on the CPU{margin}"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(tokens: &[u64]) -> Answer {
        Answer { tokens: tokens.to_vec(), margins: vec![1.5; tokens.len()] }
    }

    #[test]
    fn tokens_and_margins_are_read() {
        let said = json!({
            "tokens": [7, 8],
            "completion_probabilities": [
                { "id": 7, "top_logprobs": [{ "logprob": -0.5 }, { "logprob": -2.0 }] },
                { "id": 8, "top_logprobs": [{ "logprob": 0.0 }, { "logprob": -1.5 }] },
            ],
        });
        assert_eq!(read(&said), Some(answer(&[7, 8])));
        assert_eq!(read(&json!({ "error": "no" })), None);
    }

    #[test]
    fn the_first_difference_is_told_with_its_margin() {
        let cpu = answer(&[1, 2, 3]);
        assert_eq!(difference("Hello", &cpu, &answer(&[1, 2, 3])), None);
        let wrong = |prompt, gpu: &[u64]| match difference(prompt, &cpu, &answer(gpu)) {
            Some(Difference::Wrong(text)) => text,
            other => panic!("{other:?}"),
        };
        assert_eq!(
            wrong("Hello\nyou", &[1, 9, 3]),
            "token 1 after `Hello` is 9 on the GPU, but 2 on the CPU, which preferred it to the \
            next best by 1.5000 nats"
        );
        assert_eq!(
            wrong("Hello", &[1, 2, 3, 4]),
            "token 3 after `Hello` is 4 on the GPU, but missing on the CPU"
        );
    }

    #[test]
    fn a_tie_is_nobodys_fault() {
        let mut cpu = answer(&[1, 2, 3]);
        cpu.margins[1] = 0.0262;
        assert_eq!(difference("Hello", &cpu, &answer(&[1, 9, 4])), Some(Difference::Tie));
        assert!(matches!(
            difference("Hello", &cpu, &answer(&[9, 2, 3])),
            Some(Difference::Wrong(_))
        ));
        // A shorter answer is no choice between two tokens.
        assert!(matches!(difference("Hello", &cpu, &answer(&[1])), Some(Difference::Wrong(_))));
    }
}
