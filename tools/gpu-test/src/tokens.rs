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
    read(&answer).with_context(|| format!("no tokens in the answer of llama-server: {answer}"))
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

/// Where the two first differ, in words; `None`: nowhere.
pub(super) fn difference(prompt: &str, cpu: &Answer, gpu: &Answer) -> Option<String> {
    let length = cpu.tokens.len().max(gpu.tokens.len());
    let at = (0..length).find(|at| cpu.tokens.get(*at) != gpu.tokens.get(*at))?;
    let token = |answer: &Answer| match answer.tokens.get(at) {
        Some(token) => token.to_string(),
        None => "missing".to_owned(),
    };
    let margin = cpu.margins.get(at).map_or(String::new(), |margin| {
        format!(", which preferred it to the next best by {margin:.4} nats")
    });
    let prompt = prompt.lines().next().unwrap_or_default();
    let (gpu, cpu) = (token(gpu), token(cpu));
    Some(format!("after `{prompt}` token {at} is {gpu} on the GPU and {cpu} on the CPU{margin}"))
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
        assert_eq!(
            difference("Hello\nyou", &cpu, &answer(&[1, 9, 3])).unwrap(),
            "after `Hello` token 1 is 9 on the GPU and 2 on the CPU, which preferred it to the next best \
             by 1.5000 nats"
        );
        assert_eq!(
            difference("Hello", &cpu, &answer(&[1, 2, 3, 4])).unwrap(),
            "after `Hello` token 3 is 4 on the GPU and missing on the CPU"
        );
    }
}
