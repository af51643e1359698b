//! What a model's name says: `org/Base-1.5-0.5B-Instruct-v2`.

use std::sync::LazyLock;

use regex_lite::Regex;

/// The parts of a name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Id {
    pub(super) name: Option<String>,
    pub(super) organization: Option<String>,
    pub(super) basename: Option<String>,
    pub(super) finetune: Option<String>,
    pub(super) version: Option<String>,
    pub(super) size_label: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Is {
    Basename,
    SizeLabel,
    Finetune,
    Version,
    Type,
}

/// A piece of a name between two hyphens, and what it may be.
struct Piece {
    text: String,
    is: Vec<Is>,
}

impl Piece {
    fn may_be(&self, what: Is) -> bool {
        self.is.contains(&what)
    }
}

macro_rules! pattern {
    ($name:ident, $text:literal) => {
        static $name: LazyLock<Regex> = LazyLock::new(|| {
            Regex::new(concat!("(?i)^(?:", $text, ")$")).expect("it is a pattern")
        });
    };
}

pattern!(VERSION, r"(v|iter)?\d+([.]\d+)*");
pattern!(TYPE, r"i?q\d(_\w)*|b?fp?(16|32)");
pattern!(SIZE, r"(([A]|\d+[x])?\d+([._]\d+)?[KMBT][\d]?|small|mini|medium|large|x?xl)");
pattern!(FINETUNE, r"chat|instruct|vision|lora");

impl Id {
    /// Reads the name of a model of `total` parameters; below zero they are an adapter's.
    pub(super) fn parse(text: &str, total: i64) -> Self {
        if text.contains(' ') {
            // A sentence.
            return Self { name: Some(text.to_owned()), ..Self::default() };
        }
        let (organization, name) = match text.split_once('/') {
            Some((organization, name)) => (Some(organization), name),
            None => (None, text),
        };
        let organization = organization.filter(|text| !text.starts_with('.'));
        let mut pieces: Vec<Piece> = name
            .split('-')
            .filter(|part| !part.is_empty())
            .map(|part| Piece { text: part.to_owned(), is: Vec::new() })
            .collect();
        for (at, piece) in pieces.iter_mut().enumerate() {
            annotate(piece, at, total);
        }
        drop_words(&mut pieces);
        find_basename(&mut pieces);
        let join = |what: Is| {
            let found = pieces.iter().filter(|piece| piece.may_be(what));
            let mut texts: Vec<&str> = Vec::new();
            for piece in found {
                let again = what == Is::SizeLabel && texts.contains(&piece.text.as_str());
                let basename = what == Is::Version && piece.may_be(Is::Basename);
                if !again && !basename {
                    texts.push(&piece.text);
                }
            }
            Some(texts.join("-")).filter(|text| !text.is_empty())
        };
        let [size_label, finetune, version] = [Is::SizeLabel, Is::Finetune, Is::Version].map(join);
        // Too little to go by.
        let vague = size_label.is_none() && finetune.is_none() && version.is_none();
        Self {
            name: Some(name.to_owned()),
            organization: organization.map(str::to_owned),
            basename: join(Is::Basename).filter(|_| !vague),
            finetune,
            version,
            size_label,
        }
    }
}

fn annotate(piece: &mut Piece, at: usize, total: i64) {
    let text = piece.text.clone();
    if VERSION.is_match(&text) {
        piece.is.push(Is::Version);
    } else if TYPE.is_match(&text) {
        piece.is.push(Is::Type);
        piece.text = text.to_uppercase();
    } else if at > 0 && SIZE.is_match(&text) {
        size(piece, &text, total);
    } else if at > 0 && FINETUNE.is_match(&text) {
        let adapter = total < 0 && text.eq_ignore_ascii_case("lora");
        piece.is.push(if adapter { Is::Type } else { Is::Finetune });
    }
}

/// A size: `0.5b` becomes `0.5B`, bloom's `7b1` becomes `7.1B`; one that is far from the model's is a context's.
fn size(piece: &mut Piece, text: &str, total: i64) {
    let mut chars: Vec<char> = text.replace('_', ".").chars().collect();
    if chars.last().is_some_and(char::is_ascii_digit) && chars.len() > 1 {
        let (digit, unit) = (chars[chars.len() - 1], chars[chars.len() - 2]);
        chars.truncate(chars.len() - 2);
        chars.extend(['.', digit, unit]);
    }
    let last = chars.len() - 1;
    if last > 0 && chars[last - 1].is_ascii_digit() && "kmbt".contains(chars[last]) {
        chars[last] = chars[last].to_ascii_uppercase();
    }
    if total != 0 {
        let number: String = chars[..last].iter().collect();
        let power = " KMBT".find(chars[last]).map_or(-1, |at| i32::try_from(at).unwrap_or(0));
        if let Ok(number) = number.parse::<f64>() {
            let label = number * 1000_f64.powi(power);
            let of = total.unsigned_abs();
            let adapter = total < 0 && label < (of / 8) as f64;
            let model = total > 0 && (label - total as f64).abs() > (7 * of / 8) as f64;
            if adapter || model {
                piece.is.push(Is::Finetune);
                chars[last] = chars[last].to_ascii_lowercase();
            }
        }
    }
    if piece.is.is_empty() {
        piece.is.push(Is::SizeLabel);
    }
    piece.text = chars.into_iter().collect();
}

/// `small` is no size beside `7B`.
fn drop_words(pieces: &mut [Piece]) {
    let is_size = |piece: &Piece| piece.may_be(Is::SizeLabel);
    let numbered = |piece: &Piece| piece.text.chars().any(|c| c.is_ascii_digit());
    if pieces.iter().any(|piece| is_size(piece) && numbered(piece)) {
        for piece in pieces.iter_mut().filter(|piece| is_size(piece)) {
            if piece.text.chars().all(char::is_alphabetic) {
                piece.is.retain(|is| *is != Is::SizeLabel);
            }
        }
    }
}

fn find_basename(pieces: &mut [Piece]) {
    let mut at_start = true;
    for piece in pieces.iter_mut() {
        let word = piece.is.is_empty() && piece.text.starts_with(char::is_alphabetic);
        if at_start && (word || piece.may_be(Is::Version)) {
            piece.is.push(Is::Basename);
            continue;
        }
        at_start = false;
        if piece.is.is_empty() {
            piece.is.push(Is::Finetune);
        }
    }
    // A version at the end is the model's, not the name's.
    for piece in pieces.iter_mut().rev() {
        if !piece.may_be(Is::Basename) || piece.is.len() < 2 {
            break;
        }
        piece.is.retain(|is| *is != Is::Basename);
    }
}

/// A name as a title: `qwen2-instruct` becomes `Qwen2 Instruct`; acronyms and versions stay.
pub(super) fn title(text: &str) -> String {
    pattern!(PLAIN, r"v\d+(?:\.\d+)*|\d.*");
    let words = text.trim().replace('-', " ");
    let words = words.split_whitespace().map(|word| {
        // Only lower case is a version: `(?i)` does not matter for what is lower case anyway.
        let lower = word.chars().any(char::is_lowercase) && !word.chars().any(char::is_uppercase);
        if lower && !PLAIN.is_match(word) { capitalized(word) } else { word.to_owned() }
    });
    words.collect::<Vec<_>>().join(" ")
}

/// A capital wherever letters begin.
fn capitalized(word: &str) -> String {
    let mut inside = false;
    let mut out = String::new();
    for c in word.chars() {
        if inside || !c.is_alphabetic() {
            out.push(c)
        } else {
            out.extend(c.to_uppercase())
        }
        inside = c.is_alphabetic();
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(text: &str, total: i64) -> [String; 5] {
        let id = Id::parse(text, total);
        [id.organization, id.basename, id.finetune, id.version, id.size_label]
            .map(Option::unwrap_or_default)
    }

    #[test]
    fn a_name_says_what_the_model_is() {
        let few = 494_000_000;
        let qwen = parts("Qwen/Qwen2-0.5B-Instruct", few);
        assert_eq!(qwen, ["Qwen", "Qwen2", "Instruct", "", "0.5B"]);
        assert_eq!(
            parts("Mistral-7B-Instruct-v0.3", 7_000_000_000),
            ["", "Mistral", "Instruct", "v0.3", "7B"]
        );
        assert_eq!(
            parts("meta-llama/Llama-3.2-1b", 1_200_000_000),
            ["meta-llama", "Llama-3.2", "", "", "1B"]
        );
        // A context's size.
        assert_eq!(
            parts("Phi-3-mini-4k-instruct", 3_800_000_000),
            ["", "Phi-3", "4k-instruct", "", "mini"]
        );
        assert_eq!(parts("bloom-7b1", 7_100_000_000), ["", "bloom", "", "", "7.1B"]);
        assert_eq!(parts("model", 0), [""; 5]);
        assert_eq!(Id::parse("A fine model", 0).name.as_deref(), Some("A fine model"));
    }

    #[test]
    fn a_title_has_capitals_where_there_were_none() {
        assert_eq!(title("qwen2-0.5b-instruct-v2"), "Qwen2 0.5b Instruct v2");
        assert_eq!(title("Qwen2-0.5B-GPTQ"), "Qwen2 0.5B GPTQ");
    }
}
