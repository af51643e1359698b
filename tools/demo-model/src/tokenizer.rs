//! The vocabulary, made from text, and the encoder, which splits text as llama.cpp's `llama`
//! tokenizer does with the same vocabulary.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap};

/// Stands for what the vocabulary lacks; never produced, since any byte has a token.
pub const UNKNOWN: u32 = 0;
/// Opens every text.
pub const BEGIN: u32 = 1;
/// Closes a plain text.
pub const END: u32 = 2;
/// Opens a chat message.
pub const MESSAGE: u32 = 3;
/// Closes a chat message.
pub const END_OF_MESSAGE: u32 = 4;

const CONTROL: [&str; 5] = ["<unk>", "<s>", "</s>", "<|im_start|>", "<|im_end|>"];
const FIRST_BYTE: u32 = CONTROL.len() as u32;
const FIRST_NORMAL: u32 = FIRST_BYTE + 256;
/// How the vocabulary writes a space.
const SPACE: char = '\u{2581}';

/// What a token is, as GGUF numbers it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Text.
    Normal = 1,
    /// The token for unknown text.
    Unknown = 2,
    /// Structure: never shown, never found in a user's text.
    Control = 3,
    /// One byte.
    Byte = 6,
}

/// A vocabulary with byte fallback.
#[derive(Debug, Clone)]
pub struct Tokenizer {
    tokens: Vec<String>,
    ids: HashMap<String, u32>,
}

impl Tokenizer {
    /// A vocabulary of `size` tokens for `texts`: control tokens, bytes, ASCII and the pieces of
    /// words that are seen most often. Less than `size` when the texts run out of pairs.
    #[must_use]
    pub fn train<'a>(texts: impl IntoIterator<Item = &'a str>, size: usize) -> Self {
        let mut tokens: Vec<String> = CONTROL.map(str::to_owned).into();
        tokens.extend((0..=255).map(|byte| format!("<0x{byte:02X}>")));
        tokens.push(SPACE.to_string());
        tokens.extend((b'!'..=b'~').map(|c| char::from(c).to_string()));
        let mut words = count_words(texts);
        while tokens.len() < size {
            let Some((left, right)) = best_pair(&words) else { break };
            let token = left.clone() + &right;
            words.iter_mut().for_each(|(pieces, _)| merge(pieces, &left, &right, &token));
            tokens.push(token);
        }
        let ids = tokens.iter().cloned().zip(0..).collect();
        Self { tokens, ids }
    }

    /// All tokens' texts, by id.
    #[must_use]
    pub fn tokens(&self) -> &[String] {
        &self.tokens
    }

    /// What the token `id` is.
    #[must_use]
    pub fn kind(&self, id: u32) -> Kind {
        match id {
            UNKNOWN => Kind::Unknown,
            id if id < FIRST_BYTE => Kind::Control,
            id if id < FIRST_NORMAL => Kind::Byte,
            _ => Kind::Normal,
        }
    }

    /// How early the token `id` is made of its parts: the higher, the earlier.
    #[must_use]
    pub fn score(&self, id: u32) -> f32 {
        if self.kind(id) == Kind::Normal { -((id - FIRST_NORMAL) as f32) } else { 0.0 }
    }

    /// The tokens of `text`, in which control tokens may be spelt out.
    #[must_use]
    pub fn encode(&self, text: &str) -> Vec<u32> {
        let mut tokens = Vec::new();
        let mut rest = text;
        loop {
            let found = (1..).zip(&CONTROL[1..]).filter_map(|(id, c)| Some((rest.find(c)?, id, c)));
            let Some((at, id, control)) = found.min_by_key(|(at, ..)| *at) else { break };
            self.encode_plain(&rest[..at], &mut tokens);
            tokens.push(id);
            rest = &rest[at + control.len()..];
        }
        self.encode_plain(rest, &mut tokens);
        tokens
    }

    /// The text of `tokens`; control tokens have none.
    #[must_use]
    pub fn decode(&self, tokens: &[u32]) -> String {
        let mut bytes = Vec::new();
        for &id in tokens {
            match self.kind(id) {
                Kind::Byte => bytes.push((id - FIRST_BYTE) as u8),
                Kind::Normal => bytes.extend(self.tokens[id as usize].replace(SPACE, " ").bytes()),
                Kind::Unknown | Kind::Control => {}
            }
        }
        String::from_utf8_lossy(&bytes).into_owned()
    }

    fn encode_plain(&self, text: &str, tokens: &mut Vec<u32>) {
        let text = text.replace(' ', &SPACE.to_string());
        for piece in self.pieces(&text) {
            match self.ids.get(piece) {
                Some(id) => tokens.push(*id),
                None => tokens.extend(piece.bytes().map(|b| FIRST_BYTE + u32::from(b))),
            }
        }
    }

    /// Joins characters to pieces, always the pair with the best score, of equals the first.
    fn pieces<'a>(&self, text: &'a str) -> Vec<&'a str> {
        let starts: Vec<usize> = text.char_indices().map(|(at, _)| at).collect();
        // `ends[i]` is the end of the piece that starts at character `i`, 0 once it is joined.
        let mut ends: Vec<usize> = starts.iter().skip(1).copied().chain([text.len()]).collect();
        let mut queue = BinaryHeap::new();
        let join = |left: usize, ends: &[usize], queue: &mut BinaryHeap<_>| {
            let right = starts.binary_search(&ends[left]).ok()?;
            let id = self.ids.get(&text[starts[left]..ends[right]])?;
            queue.push((Reverse(*id), Reverse(left), right, ends[right]));
            Some(())
        };
        for left in 0..starts.len() {
            join(left, &ends, &mut queue);
        }
        while let Some((_, Reverse(left), right, end)) = queue.pop() {
            if ends[left] != starts[right] || ends[right] != end {
                continue;
            }
            ends[left] = end;
            ends[right] = 0;
            if let Some(before) = (0..left).rev().find(|&i| ends[i] != 0) {
                join(before, &ends, &mut queue);
            }
            join(left, &ends, &mut queue);
        }
        let pieces = starts.iter().zip(&ends).filter(|(_, end)| **end != 0);
        pieces.map(|(start, end)| &text[*start..*end]).collect()
    }
}

/// Words with their number, each as the characters from which merging starts. A word is a run of
/// letters, a run of signs or one digit, together with the space before it.
fn count_words<'a>(texts: impl IntoIterator<Item = &'a str>) -> Vec<(Vec<String>, usize)> {
    let class = |c: char| match c {
        'a'..='z' | 'A'..='Z' | '\'' => 'a',
        '0'..='9' => '0',
        '!'..='~' => '!',
        SPACE => ' ',
        _ => '\n',
    };
    let mut words = BTreeMap::<String, usize>::new();
    for text in texts {
        let text = text.replace(' ', &SPACE.to_string());
        let mut word = String::new();
        for c in text.chars() {
            let goes_on = word.chars().last().is_some_and(|last| match class(last) {
                ' ' => class(c) != ' ',
                '0' | '\n' => false,
                same => class(c) == same,
            });
            if !goes_on {
                *words.entry(std::mem::take(&mut word)).or_default() += 1;
            }
            word.push(c);
        }
        *words.entry(word).or_default() += 1;
    }
    let pieces = |word: String| word.chars().map(String::from).collect();
    words.into_iter().map(|(word, count)| (pieces(word), count)).collect()
}

/// The most frequent pair of neighbours that is seen more than once.
fn best_pair(words: &[(Vec<String>, usize)]) -> Option<(String, String)> {
    let mut pairs = BTreeMap::<(&str, &str), usize>::new();
    for (pieces, count) in words {
        for pair in pieces.windows(2).filter(|pair| pair.iter().all(|p| mergeable(p))) {
            *pairs.entry((&pair[0], &pair[1])).or_default() += count;
        }
    }
    let best = pairs.into_iter().max_by_key(|(pair, count)| (*count, Reverse(*pair)));
    best.filter(|(_, count)| *count > 1).map(|((l, r), _)| (l.to_owned(), r.to_owned()))
}

/// Whether the vocabulary holds all characters of `piece`.
fn mergeable(piece: &str) -> bool {
    piece.chars().all(|c| c == SPACE || c.is_ascii_graphic())
}

fn merge(pieces: &mut Vec<String>, left: &str, right: &str, both: &str) {
    let mut at = 0;
    while at + 1 < pieces.len() {
        if pieces[at] == left && pieces[at + 1] == right {
            both.clone_into(&mut pieces[at]);
            pieces.remove(at + 1);
        }
        at += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frequent_words_become_tokens() {
        let tokenizer = Tokenizer::train(["the server and the model", "the server"], 400);
        let text = "the server";
        assert_eq!(tokenizer.encode(text).len(), 2, "{:?}", tokenizer.encode(text));
    }

    #[test]
    fn any_text_comes_back() {
        let tokenizer = Tokenizer::train(["grüße the server\n"], 400);
        for text in ["the  server\n\n x", "Größe 🦀 ▁".trim_end_matches('▁'), "", " ", "a\tb\r\0"]
        {
            assert_eq!(tokenizer.decode(&tokenizer.encode(text)), text);
        }
    }

    #[test]
    fn control_tokens_are_found_in_text() {
        let tokenizer = Tokenizer::train([], 400);
        let tokens = tokenizer.encode("<s><|im_start|>a<|im_end|>\n");
        let (a, newline) = (FIRST_NORMAL + 1 + u32::from(b'a' - b'!'), FIRST_BYTE + 10);
        assert_eq!(tokens, [BEGIN, MESSAGE, a, END_OF_MESSAGE, newline]);
        assert_eq!(tokenizer.decode(&tokens), "a\n");
    }
}
