//! Real tokenizers again in the files that checkpoints have: `tokenizer.json` and `tokenizer.model`.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use super::vocabulary::Vocabulary;
use super::write;

/// How Qwen2 splits text before it looks for pairs.
const QWEN2: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
/// The same with numbers of up to three digits, Llama 3's.
const LLAMA3: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
/// A template for the conversations of most of them.
const CHAT: &str = "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}";

/// Makes them of llama.cpp's source.
pub(super) struct Tokenizers {
    pub(super) source: PathBuf,
}

impl Tokenizers {
    pub(super) fn qwen2(&self, dir: &Path) {
        let mut vocabulary = self.vocabulary("qwen2");
        // What llama.cpp fills up with is not the tokenizer's.
        vocabulary.tokens.retain(|token| !token.starts_with("[PAD"));
        let split = json!({ "type": "Split", "pattern": { "Regex": QWEN2 }, "behavior": "Isolated", "invert": false });
        pairs(
            dir,
            &vocabulary,
            &json!({ "type": "NFC" }),
            &[split, byte_level(false)],
            &Value::Null,
        );
        let config = json!({
            "tokenizer_class": "Qwen2Tokenizer", "add_bos_token": false, "add_prefix_space": false, "bos_token": null,
            "eos_token": "<|im_end|>", "pad_token": "<|endoftext|>", "unk_token": null, "chat_template": CHAT,
        });
        write(dir, "tokenizer_config.json", &config);
    }

    pub(super) fn llama3(&self, dir: &Path, class: &str) {
        let split = json!({ "type": "Split", "pattern": { "Regex": LLAMA3 }, "behavior": "Isolated", "invert": false });
        let bos = "<|begin_of_text|>";
        let single = json!([
            { "SpecialToken": { "id": bos, "type_id": 0 } }, { "Sequence": { "id": "A", "type_id": 0 } },
        ]);
        let pair = json!([
            { "SpecialToken": { "id": bos, "type_id": 0 } }, { "Sequence": { "id": "A", "type_id": 0 } },
            { "SpecialToken": { "id": bos, "type_id": 1 } }, { "Sequence": { "id": "B", "type_id": 1 } },
        ]);
        let after = json!({
            "type": "TemplateProcessing", "single": single, "pair": pair,
            "special_tokens": { bos: { "id": bos, "ids": [128_000], "tokens": [bos] } },
        });
        pairs(
            dir,
            &self.vocabulary("llama-bpe"),
            &Value::Null,
            &[split, byte_level(false)],
            &after,
        );
        let config = json!({
            "tokenizer_class": class, "bos_token": bos, "eos_token": "<|eot_id|>", "unk_token": "<|end_of_text|>",
            "model_max_length": 131_072, "chat_template": CHAT, "clean_up_tokenization_spaces": true,
        });
        write(dir, "tokenizer_config.json", &config);
    }

    pub(super) fn gpt2(&self, dir: &Path) {
        pairs(dir, &self.vocabulary("gpt-2"), &Value::Null, &[byte_level(true)], &Value::Null);
        let end = "<|endoftext|>";
        let config = json!({
            "tokenizer_class": "CodeGenTokenizer", "bos_token": end, "eos_token": end, "unk_token": end,
            "add_prefix_space": false,
        });
        write(dir, "tokenizer_config.json", &config);
    }

    pub(super) fn llama2(&self, dir: &Path) {
        sentencepiece(dir, &self.vocabulary("llama-spm"), true);
        let config = json!({
            "tokenizer_class": "LlamaTokenizer", "bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>",
            "add_bos_token": true, "add_eos_token": false, "legacy": false,
            "chat_template": "{% for m in messages %}[INST] {{ m['content'] }} [/INST]{% endfor %}",
        });
        write(dir, "tokenizer_config.json", &config);
    }

    /// Llama's pieces, and tokens of its own behind them.
    pub(super) fn phi3(&self, dir: &Path) {
        sentencepiece(dir, &self.vocabulary("llama-spm"), true);
        let tokens = self.vocabulary("phi-3").tokens;
        let added = tokens.iter().enumerate().skip(32000).filter(|(_, it)| !it.starts_with("[PAD"));
        let (mut ids, mut decoder) = (Map::new(), Map::new());
        for (id, token) in added {
            ids.insert(token.clone(), json!(id));
            decoder.insert(id.to_string(), token_row(None, token, true));
        }
        write(dir, "added_tokens.json", &ids.into());
        let config = json!({
            "tokenizer_class": "LlamaTokenizer", "bos_token": "<s>", "eos_token": "<|endoftext|>",
            "pad_token": "<|endoftext|>", "unk_token": "<unk>", "add_bos_token": false, "add_eos_token": false,
            "added_tokens_decoder": decoder, "legacy": false,
            "chat_template": "{% for m in messages %}<|{{ m['role'] }}|>\n{{ m['content'] }}<|end|>\n{% endfor %}",
        });
        write(dir, "tokenizer_config.json", &config);
    }

    /// The first `count` pieces of Gemma's; a piece's score is its rank.
    pub(super) fn gemma(&self, dir: &Path, count: usize) {
        let mut vocabulary = self.vocabulary("gemma-4");
        vocabulary.tokens.truncate(count);
        vocabulary.scores = (0..count).map(|rank| -(rank as f32)).collect();
        for (id, kind) in vocabulary.kinds.iter_mut().enumerate() {
            *kind = match (id, *kind) {
                (0..=2, _) => 3,
                (3, _) => 2,
                (_, 3) => 4,
                (_, kind) => kind,
            };
        }
        sentencepiece(dir, &vocabulary, false);
        let decoder: Map<String, Value> = (0..5)
            .map(|id| (id.to_string(), token_row(None, &vocabulary.tokens[id], true)))
            .collect();
        let config = json!({
            "tokenizer_class": "GemmaTokenizer", "bos_token": "<bos>", "eos_token": "<eos>", "unk_token": "<unk>",
            "pad_token": "<pad>", "add_bos_token": true, "add_eos_token": false, "added_tokens_decoder": decoder,
            "chat_template": "{{ bos_token }}{% for m in messages %}{{ m['content'] }}{% endfor %}",
        });
        write(dir, "tokenizer_config.json", &config);
    }

    fn vocabulary(&self, name: &str) -> Vocabulary {
        Vocabulary::read(&self.source, name)
    }
}

/// A token as tokenizer files describe it.
fn token_row(id: Option<usize>, token: &str, special: bool) -> Value {
    let mut row = json!({
        "content": token, "single_word": false, "lstrip": false, "rstrip": false, "normalized": false,
        "special": special,
    });
    if let Some(id) = id {
        row["id"] = json!(id);
    }
    row
}

fn byte_level(splits: bool) -> Value {
    json!({ "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": splits })
}

/// `tokenizer.json` of byte pairs.
fn pairs(dir: &Path, vocabulary: &Vocabulary, normalizer: &Value, before: &[Value], after: &Value) {
    let (mut added, mut tokens) = (Vec::new(), Map::new());
    for (id, token) in vocabulary.tokens.iter().enumerate() {
        match vocabulary.kinds[id] {
            1 => drop(tokens.insert(token.clone(), json!(id))),
            kind => added.push(token_row(Some(id), token, kind == 3)),
        }
    }
    let before = match before {
        [one] => one.clone(),
        several => json!({ "type": "Sequence", "pretokenizers": several }),
    };
    let tokenizer = json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": added, "normalizer": normalizer,
        "pre_tokenizer": before, "post_processor": after, "decoder": byte_level(true),
        "model": {
            "type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null,
            "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false,
            "ignore_merges": !after.is_null(), "vocab": tokens, "merges": vocabulary.merges,
        },
    });
    write(dir, "tokenizer.json", &tokenizer);
}

/// `tokenizer.model`: a message of protobuf with pieces, the trainer's settings and the normalizer's.
fn sentencepiece(dir: &Path, vocabulary: &Vocabulary, prefix: bool) {
    let mut model = Vec::new();
    for (id, token) in vocabulary.tokens.iter().enumerate() {
        let mut piece = field(1, token.as_bytes());
        piece.push(2 << 3 | 5);
        piece.extend(vocabulary.scores[id].to_le_bytes());
        piece.extend(number(3, vocabulary.kinds[id] as u64));
        model.extend(field(1, &piece));
    }
    let trainer = [number(3, 2), number(4, vocabulary.tokens.len() as u64), number(35, 1)].concat();
    model.extend(field(2, &trainer));
    model.extend(field(3, &[number(3, u64::from(prefix)), number(4, 0)].concat()));
    fs::write(dir.join("tokenizer.model"), model).expect("the folder takes it");
}

/// A field of bytes.
fn field(tag: u64, bytes: &[u8]) -> Vec<u8> {
    [varint(tag << 3 | 2), varint(bytes.len() as u64), bytes.to_vec()].concat()
}

fn number(tag: u64, value: u64) -> Vec<u8> {
    [varint(tag << 3), varint(value)].concat()
}

fn varint(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 0x80 {
        bytes.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}
