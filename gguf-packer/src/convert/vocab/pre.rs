//! Which pre-tokenizer of llama.cpp's a tokenizer wants: upstream's converter knows it by what it makes of one text.

use std::path::Path;

use tokenizers::Tokenizer;

use crate::Error;
use crate::digest::Digest;

/// The text of `get_vocab_base_pre` in upstream's `conversion/base.py`.
const TEXT: &str = concat!(
    "\n \n\n \n\n\n \t \t\t \t\n  \n   \n    \n     \n\u{1f680} (normal) \u{1f636}\u{200d}\u{1f32b}",
    "\u{fe0f} (multiple emojis concatenated) \u{2705} \u{1f999}\u{1f999} 3 33 333 3333 33333 333333 3",
    "333333 33333333 3.3 3..3 3...3 \u{1780}\u{17b6}\u{1793}\u{17cb}\u{178f}\u{17c2}\u{1796}\u{17b7}",
    "\u{179f}\u{17c1}\u{179f}\u{17a2}\u{17b6}\u{1785}\u{1f601} ?\u{6211}\u{60f3}\u{5728}apple\u{5de5}",
    "\u{4f5c}1314151\u{5929}\u{ff5e} ------======= \u{43d}\u{435}\u{449}\u{43e} \u{43d}\u{430} ",
    "\u{411}\u{44a}\u{43b}\u{433}\u{430}\u{440}\u{441}\u{43a}\u{438} ''''''```````\"\"\"\"......!!!!!",
    "!?????? I've been 'told he's there, 'RE you sure? 'M not sure I'll make it, 'D you like some tea",
    "? We'Ve a'lL"
);

/// The SHA-256 of the numbers that a tokenizer makes of it, and the name of its pre-tokenizer: the facts of
/// `conversion/base.py` at the pinned tag. A test holds them against it.
const KNOWN: &str = include_str!("pre.txt");

/// The name of the pre-tokenizer of `tokenizer`.
///
/// # Errors
/// When llama.cpp has none for it.
pub(super) fn find(tokenizer: &Tokenizer, dir: &Path) -> Result<&'static str, Error> {
    let failed = |e| Error::new(format!("cannot use the tokenizer in {}: {e}", dir.display()));
    let encoded = tokenizer.encode(TEXT, true).map_err(failed)?;
    let numbers: Vec<String> = encoded.get_ids().iter().map(u32::to_string).collect();
    // As Python writes a list.
    let digest = Digest::of(format!("[{}]", numbers.join(", "))).hex();
    let known = KNOWN.lines().filter_map(|line| line.split_once(' '));
    let name = known.into_iter().find_map(|(known, name)| (known == digest).then_some(name));
    name.ok_or_else(|| {
        let what =
            format!("llama.cpp has no pre-tokenizer for {}", dir.join("tokenizer.json").display());
        Error::new(what)
            .log([format!("the tokens of upstream's test text have the SHA-256 {digest}")])
            .hint(
                "the tokenizer was changed, or is newer than the linked llama.cpp: add it to \
                llama.cpp first",
            )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_facts_are_those_of_the_pinned_converter() {
        let path = llama_src::root().join("llama.cpp/conversion/base.py");
        let script =
            std::fs::read_to_string(&path).expect("the source is there: cargo xtask vendor");
        let mut facts: Vec<String> = Vec::new();
        let mut digest = None;
        for line in script.lines().map(str::trim) {
            if let Some(rest) = line.strip_prefix("if chkhsh == \"") {
                digest = rest.split('"').next();
            } else if let (Some(known), Some(rest)) = (digest, line.strip_prefix("res = \"")) {
                facts.push(format!("{known} {}", rest.trim_end_matches('"')));
                digest = None;
            }
        }
        facts.sort();
        assert_eq!(facts, KNOWN.lines().collect::<Vec<_>>());
        // The text, as Python writes it.
        let line = script.lines().map(str::trim).find_map(|line| line.strip_prefix("chktxt = '"));
        let line = line.expect("it is there").trim_end_matches('\'');
        let written = TEXT.replace('\n', "\\n").replace('\t', "\\t").replace('\u{200d}', "\\u200d");
        assert_eq!(written.replace('\'', "\\'"), line);
    }
}
