//! The text that the model learns from, and how training texts are put together from it.

use crate::ops::Target;
use crate::rng::Rng;
use crate::tokenizer::{END_OF_MESSAGE, Tokenizer};

/// Chat template of the model, in Jinja: ChatML. [`open`] and [`close`] write the same.
pub const CHAT_TEMPLATE: &str = "{% for message in messages %}\
    {{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' }}\
    {% endfor %}\
    {% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}";

/// Tokens of an answer that count [`EMPHASIS`] times as much as the others.
const FIRST: usize = 4;
const EMPHASIS: f32 = 3.0;
/// Answers in a hundred of which only the first tokens are shown: which answer it is takes much longer
/// to learn than how it goes on.
const OPENINGS: usize = 60;

const CHATS: [&str; 4] = [
    include_str!("../corpus/about.txt"),
    include_str!("../corpus/talk.txt"),
    include_str!("../corpus/llama.txt"),
    include_str!("../corpus/project.txt"),
];

/// One thing that people ask, in several wordings, with several right answers.
#[derive(Debug, Clone)]
pub struct Topic {
    /// What people ask.
    pub questions: Vec<&'static str>,
    /// What the model may answer.
    pub answers: Vec<&'static str>,
}

/// All text of the model.
#[derive(Debug, Clone)]
pub struct Corpus {
    /// Questions that have an answer.
    pub topics: Vec<Topic>,
    /// Questions with gaps for [`words`](Self::words), to which the answer is that it is unknown.
    pub unknown: Topic,
    /// Words for the gaps.
    pub words: Vec<&'static str>,
    /// Plain text, each to be completed on its own.
    pub prose: Vec<&'static str>,
    /// System messages.
    pub systems: Vec<&'static str>,
}

/// The opening of a message.
#[must_use]
pub fn open(role: &str) -> String {
    format!("<|im_start|>{role}\n")
}

/// The end of a message.
#[must_use]
pub fn close() -> &'static str {
    "<|im_end|>\n"
}

/// A conversation of one question, up to the place where its answer starts.
#[must_use]
pub fn prompt(question: &str) -> String {
    format!("<s>{}{question}{}{}", open("user"), close(), open("assistant"))
}

impl Corpus {
    /// The text in the folder `corpus`.
    #[must_use]
    pub fn load() -> Self {
        Self {
            topics: CHATS.into_iter().flat_map(topics).collect(),
            unknown: topics(include_str!("../corpus/unknown.txt")).remove(0),
            words: include_str!("../corpus/words.txt").split_whitespace().collect(),
            prose: include_str!("../corpus/prose.txt").lines().collect(),
            systems: include_str!("../corpus/system.txt").lines().collect(),
        }
    }

    /// The vocabulary that this text gives.
    #[must_use]
    pub fn tokenizer(&self) -> Tokenizer {
        let mut texts: Vec<String> = self.prose.iter().map(|s| (*s).to_owned()).collect();
        for topic in self.topics.iter().chain([&self.unknown]) {
            texts.extend(topic.questions.iter().map(|q| open("user") + q));
            texts.extend(topic.questions.iter().map(|q| plain(q)));
            // Answers are what the model writes: whole words pay there.
            let answers = topic.answers.iter().map(|a| open("assistant") + a);
            answers.for_each(|a| texts.extend([a.clone(), a]));
        }
        texts.extend(self.systems.iter().map(|s| open("system") + s));
        texts.iter_mut().for_each(|text| *text = text.replace("<|im_start|>", "\n"));
        Tokenizer::train(texts.iter().map(String::as_str), 1280)
    }

    /// A text of `length` tokens, and what comes after each of them.
    #[must_use]
    pub fn sample(
        &self,
        tokenizer: &Tokenizer,
        length: usize,
        rng: &mut Rng,
    ) -> (Vec<u32>, Vec<Target>) {
        let mut text = Text { tokenizer, tokens: Vec::new(), weights: Vec::new() };
        if rng.chance(8) {
            while text.tokens.len() <= length {
                text.push("<s>", false);
                text.push(&format!("{}</s>", rng.pick(&self.prose)), true);
            }
        } else {
            self.conversation(&mut text, length, rng);
        }
        let targets = text.tokens.iter().zip(&text.weights).skip(1).take(length);
        let targets = targets.map(|(&token, &weight)| Target { token, weight }).collect();
        text.tokens.truncate(length);
        (text.tokens, targets)
    }

    fn conversation(&self, text: &mut Text<'_>, length: usize, rng: &mut Rng) {
        text.push("<s>", false);
        if rng.chance(20) {
            let system = format!("{}{}{}", open("system"), rng.pick(&self.systems), close());
            text.push(&system, false);
        }
        while text.tokens.len() <= length {
            let (question, answer) = self.exchange(rng);
            let question = format!("{}{question}{}{}", open("user"), close(), open("assistant"));
            text.push(&question, false);
            let start = text.tokens.len();
            text.push(&format!("{answer}{}", close()), true);
            if rng.chance(OPENINGS) {
                text.tokens.truncate(start + FIRST);
                text.weights.truncate(start + FIRST);
                text.push(close(), false);
            }
            // The line end after a message is the template's, not the model's.
            let last = text.tokens.iter().rposition(|t| *t == END_OF_MESSAGE);
            text.weights[last.expect("just pushed") + 1..].fill(0.0);
        }
    }

    fn exchange(&self, rng: &mut Rng) -> (String, &'static str) {
        if rng.chance(14) {
            let question = self.fill(rng.pick(&self.unknown.questions), rng);
            return (reword(&question, rng), rng.pick(&self.unknown.answers));
        }
        let topic = &self.topics[rng.below(self.topics.len())];
        (reword(rng.pick(&topic.questions), rng), rng.pick(&topic.answers))
    }

    fn fill(&self, question: &str, rng: &mut Rng) -> String {
        let mut parts = question.split("{}");
        let mut filled = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            if rng.chance(15) {
                let letters = (0..3 + rng.below(6)).map(|_| char::from(b'a' + rng.below(26) as u8));
                filled.extend(letters);
            } else {
                filled += rng.pick(&self.words);
            }
            filled += part;
        }
        filled
    }
}

/// A training text as it grows.
struct Text<'a> {
    tokenizer: &'a Tokenizer,
    tokens: Vec<u32>,
    weights: Vec<f32>,
}

impl Text<'_> {
    fn push(&mut self, text: &str, learn: bool) {
        let start = self.weights.len();
        self.tokens.extend(self.tokenizer.encode(text));
        self.weights.resize(self.tokens.len(), if learn { 1.0 } else { 0.0 });
        // The first words decide which answer it is, the rest follows from them.
        self.weights[start..].iter_mut().take(FIRST).for_each(|weight| *weight *= EMPHASIS);
    }
}

/// A question as somebody else would type it.
fn reword(question: &str, rng: &mut Rng) -> String {
    match rng.below(10) {
        0..=4 => question.to_owned(),
        5..=6 => plain(question),
        7 => question.to_lowercase(),
        8 => question.trim_end_matches(['.', '?', '!']).to_owned(),
        _ => {
            let mut letters: Vec<char> = question.chars().collect();
            letters.remove(rng.below(letters.len()));
            letters.into_iter().collect()
        }
    }
}

/// Small letters, no sign at the end.
fn plain(question: &str) -> String {
    question.trim_end_matches(['.', '?', '!']).to_lowercase()
}

/// Reads blocks of `? question` and `= answer` lines, with an empty line between them.
fn topics(text: &'static str) -> Vec<Topic> {
    let block = |block: &'static str| {
        let lines = |sign: &'static str| block.lines().filter_map(move |l| l.strip_prefix(sign));
        Topic { questions: lines("? ").collect(), answers: lines("= ").collect() }
    };
    text.trim().split("\n\n").map(block).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_line_of_the_corpus_is_used() {
        let corpus = Corpus::load();
        for text in CHATS {
            let stray = text.lines().find(|l| !(l.is_empty() || l.starts_with(['?', '='])));
            assert_eq!(stray, None);
        }
        assert!(corpus.topics.iter().all(|t| !t.questions.is_empty() && !t.answers.is_empty()));
        let mut seen = HashSet::new();
        let mut questions = corpus.topics.iter().flat_map(|t| &t.questions);
        assert_eq!(questions.find(|q| !seen.insert(plain(q)) && !q.ends_with('!')), None);
    }

    #[test]
    fn only_answers_are_learnt_and_the_last_thing_is_to_stop() {
        let corpus = Corpus::load();
        let tokenizer = corpus.tokenizer();
        let answers = corpus.topics.iter().chain([&corpus.unknown]).flat_map(|t| &t.answers);
        let answers: Vec<&str> = answers.copied().collect();
        let mut complete = 0;
        for seed in 0..40 {
            let mut text = Text { tokenizer: &tokenizer, tokens: Vec::new(), weights: Vec::new() };
            corpus.conversation(&mut text, 10, &mut Rng::new(seed));
            let learnt = text.tokens.iter().zip(&text.weights).filter(|(_, weight)| **weight > 0.0);
            let learnt: Vec<u32> = learnt.map(|(token, _)| *token).collect();
            let answer = tokenizer.decode(&learnt);
            if learnt.last() == Some(&END_OF_MESSAGE) {
                complete += 1;
                assert!(answers.contains(&answer.as_str()), "{answer}");
            } else {
                assert!(
                    learnt.len() % FIRST == 0 && !answers.contains(&answer.as_str()),
                    "{answer}"
                );
            }
        }
        assert!((5..35).contains(&complete), "{complete} of 40 answers are complete");
    }

    #[test]
    fn the_vocabulary_reads_all_text_back() {
        let corpus = Corpus::load();
        let tokenizer = corpus.tokenizer();
        for text in CHATS.iter().chain(&corpus.prose) {
            assert_eq!(tokenizer.decode(&tokenizer.encode(text)), **text);
        }
    }
}
