// GGUF files as they lie on disk, see gguf_bytes.h.

#include "gguf_bytes.h"

#include "ggml.h"
#include "gguf.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <random>

extern "C" size_t LLVMFuzzerMutate(uint8_t * data, size_t size, size_t max_size);

namespace fuzz {

static const size_t ALIGNMENT = 32;

// Of numbers; 0 for what is none.
static size_t number_size(uint32_t type) {
    static const size_t SIZES[] = { 1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8 };
    return type < sizeof(SIZES) / sizeof(*SIZES) ? SIZES[type] : 0;
}

struct reader {
    const std::string & bytes;
    size_t at = 0;
    bool ok = true;

    std::string take(uint64_t size) {
        ok = ok && size <= bytes.size() - at;
        if (!ok) {
            return "";
        }
        at += size;
        return bytes.substr(at - size, size);
    }
    template <typename T> T number() {
        T value = 0;
        const std::string raw = take(sizeof(T));
        memcpy(&value, raw.data(), raw.size());
        return value;
    }
    std::string text() {
        return take(number<uint64_t>());
    }
    void skip_value(uint32_t type, int depth = 0) {
        if (type == GGUF_TYPE_STRING) {
            text();
        } else if (type == GGUF_TYPE_ARRAY && depth < 2) {
            const auto inner = number<uint32_t>();
            const auto n = number<uint64_t>();
            for (uint64_t i = 0; i < n && ok; i++) {
                skip_value(inner, depth + 1);
            }
        } else {
            const size_t size = number_size(type);
            ok = ok && size > 0;
            take(size);
        }
    }
};

template <typename T> static std::string raw(T value) {
    return std::string((const char *) &value, sizeof(value));
}

static std::string raw_text(const std::string & text) {
    return raw<uint64_t>(text.size()) + text;
}

bool gguf_bytes::parse(const std::string & bytes) {
    reader in{ bytes };
    if (in.take(4) != "GGUF") {
        return false;
    }
    version = in.number<uint32_t>();
    const auto n_tensors = in.number<uint64_t>();
    const auto n_pairs   = in.number<uint64_t>();
    for (uint64_t i = 0; i < n_pairs && in.ok; i++) {
        pair pair{ in.text(), in.number<uint32_t>(), "" };
        const size_t start = in.at;
        in.skip_value(pair.type);
        pair.value = bytes.substr(start, in.at - start);
        pairs.push_back(std::move(pair));
    }
    for (uint64_t i = 0; i < n_tensors && in.ok; i++) {
        tensor tensor{ in.text(), {}, 0, 0 };
        const auto n_dims = in.number<uint32_t>();
        for (uint32_t dim = 0; dim < n_dims && in.ok; dim++) {
            tensor.shape.push_back(in.number<uint64_t>());
        }
        tensor.type   = in.number<uint32_t>();
        tensor.offset = in.number<uint64_t>();
        tensors.push_back(std::move(tensor));
    }
    rest = bytes.substr(in.at);
    return in.ok;
}

std::string gguf_bytes::bytes() const {
    std::string out = "GGUF" + raw(version) + raw<uint64_t>(tensors.size()) + raw<uint64_t>(pairs.size());
    for (const auto & pair : pairs) {
        out += raw_text(pair.key) + raw(pair.type) + pair.value;
    }
    for (const auto & tensor : tensors) {
        out += raw_text(tensor.name) + raw<uint32_t>(tensor.shape.size());
        for (const auto dim : tensor.shape) {
            out += raw(dim);
        }
        out += raw(tensor.type) + raw(tensor.offset);
    }
    return out + rest;
}

size_t gguf_bytes::whole_size(size_t limit) const {
    size_t end = 0;
    for (const auto & tensor : tensors) {
        if (tensor.type >= GGML_TYPE_COUNT || tensor.offset > limit) {
            continue;
        }
        size_t size = ggml_type_size((ggml_type) tensor.type);
        for (const auto dim : tensor.shape) {
            if (dim > limit || size * dim > limit) {
                return 0;
            }
            size *= dim;
        }
        const auto block = std::max<int64_t>(ggml_blck_size((ggml_type) tensor.type), 1);
        end = std::max(end, tensor.offset + size / block);
    }
    const size_t head = (bytes().size() + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    return head + end > limit ? 0 : head + end + ALIGNMENT;
}

// One random change after another.
struct mutation {
    gguf_bytes & file;
    std::mt19937 random;

    size_t below(size_t n) {
        return n ? random() % n : 0;
    }
    template <typename T> T & one(std::vector<T> & all) {
        return all[below(all.size())];
    }
    uint64_t number() {
        static const uint64_t ODD[] = {
            0, 1, 2, 3, 4, 7, 8, 15, 16, 31, 32, 33, 63, 64, 65, 127, 128, 255, 256, 257, 512, 513, 1023, 1024, 4096, 65535,
            65536, 1u << 20, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff, 1ull << 32, 1ull << 40, 1ull << 62,
            0x7fffffffffffffff, 0x8000000000000000, 0xfffffffffffffff0, 0xffffffffffffffff,
        };
        return ODD[below(sizeof(ODD) / sizeof(*ODD))];
    }
    std::string scalar(uint32_t type) {
        static const float FLOATS[] = { 0.0f, -1.0f, 1e-30f, 1e30f, 3.4e38f, INFINITY, -INFINITY, NAN };
        if (type == GGUF_TYPE_FLOAT32) {
            return raw(FLOATS[below(8)]);
        }
        if (type == GGUF_TYPE_FLOAT64) {
            return raw<double>(FLOATS[below(8)]);
        }
        return raw(number()).substr(0, number_size(type));
    }
    std::string text(const std::string & old) {
        static const char * const WORDS[] = {
            "", "llama", "qwen2", "qwen3", "qwen3moe", "gemma2", "gemma3", "gpt2", "phi3", "mamba", "mamba2", "rwkv6", "rwkv7",
            "bert", "t5", "clip", "deepseek2", "falcon-h1", "jamba", "granite", "minicpm", "whisper", "adapter", "lora",
            "bpe", "spm", "none", "default", "llama-bpe", "qwen2", "deepseek-llm", "tekken", "linear", "yarn", "longrope",
        };
        if (below(2)) {
            return WORDS[below(sizeof(WORDS) / sizeof(*WORDS))];
        }
        std::string changed = old;
        changed.resize(old.size() + 16);
        changed.resize(LLVMFuzzerMutate((uint8_t *) &changed[0], old.size(), changed.size()));
        return changed;
    }
    std::string value(uint32_t type, const std::string & old) {
        if (type == GGUF_TYPE_STRING) {
            return raw_text(text(old.size() >= 8 ? old.substr(8) : ""));
        }
        if (type == GGUF_TYPE_ARRAY) {
            return array(old);
        }
        return scalar(type);
    }
    // An array's type and length are its first 12 bytes.
    std::string array(const std::string & old) {
        uint32_t type = GGUF_TYPE_INT32;
        uint64_t n = 0;
        if (old.size() >= 12) {
            memcpy(&type, old.data(), 4);
            memcpy(&n, old.data() + 4, 8);
        }
        const size_t size = number_size(type);
        std::vector<std::string> elements;
        for (size_t at = 12; at < old.size();) {
            size_t length = size;
            if (type == GGUF_TYPE_STRING && at + 8 <= old.size()) {
                uint64_t text;
                memcpy(&text, old.data() + at, 8);
                length = 8 + text;
            }
            if (length == 0 || length > old.size() - at) {
                break;
            }
            elements.push_back(old.substr(at, length));
            at += length;
        }
        switch (elements.empty() ? 0 : below(5)) {
            case 0: elements.insert(elements.begin() + below(elements.size()), below(8) + 1, value(type, "")); break;
            case 1: one(elements) = one(elements); break;
            case 2: one(elements) = value(type, one(elements)); break;
            case 3: elements.resize(below(elements.size())); break;
            case 4: elements.erase(elements.begin() + below(elements.size())); break;
        }
        n = below(16) ? elements.size() : number();
        std::string out = raw(type) + raw(n);
        for (const auto & element : elements) {
            out += element;
        }
        return out;
    }
    // The same key for another architecture, or another key of the same: the reader asks for it by name.
    std::string key(const std::string & old) {
        static const char * const KEYS[] = {
            "context_length", "embedding_length", "embedding_length_out", "block_count", "feed_forward_length", "vocab_size",
            "attention.head_count", "attention.head_count_kv", "attention.key_length", "attention.value_length",
            "attention.sliding_window", "attention.sliding_window_pattern", "attention.layer_norm_rms_epsilon",
            "attention.layer_norm_epsilon", "attention.group_norm_groups", "attention.causal", "attention.max_alibi_bias",
            "attention.clamp_kqv", "attention.relative_buckets_count", "attention.q_lora_rank", "attention.kv_lora_rank",
            "attention.indexer.top_k", "rope.dimension_count", "rope.dimension_sections", "rope.freq_base",
            "rope.scaling.type", "rope.scaling.factor", "rope.scaling.original_context_length", "expert_count",
            "expert_used_count", "expert_shared_count", "expert_group_count", "expert_group_used_count",
            "expert_feed_forward_length", "expert_gating_func", "leading_dense_block_count", "ssm.conv_kernel",
            "ssm.inner_size", "ssm.state_size", "ssm.time_step_rank", "ssm.group_count", "wkv.head_size", "pooling_type",
            "nextn_predict_layers", "use_parallel_residual", "logit_scale", "decoder_start_token_id", "decoder_block_count",
            "classifier.output_labels", "token_shift_count", "full_attention_interval", "shortconv.l_cache",
        };
        static const char * const OTHERS[] = {
            "general.alignment", "general.architecture", "general.type", "adapter.type", "adapter.lora.alpha",
            "adapter.alora.invocation_tokens", "split.count", "split.no", "split.tensors.count",
            "tokenizer.ggml.bos_token_id", "tokenizer.ggml.eos_token_id", "tokenizer.ggml.unknown_token_id",
            "tokenizer.ggml.padding_token_id", "tokenizer.ggml.mask_token_id", "tokenizer.ggml.eot_token_id",
            "tokenizer.ggml.fim_pre_token_id", "tokenizer.ggml.add_bos_token", "tokenizer.ggml.token_type_count",
            "tokenizer.ggml.model", "tokenizer.ggml.pre", "tokenizer.ggml.scores", "tokenizer.ggml.merges",
            "tokenizer.ggml.precompiled_charsmap", "tokenizer.ggml.suppress_tokens", "tokenizer.chat_template",
        };
        if (below(3) == 0) {
            return OTHERS[below(sizeof(OTHERS) / sizeof(*OTHERS))];
        }
        const auto dot = old.find('.');
        const std::string arch = dot == std::string::npos ? "llama" : old.substr(0, dot);
        return arch + "." + KEYS[below(sizeof(KEYS) / sizeof(*KEYS))];
    }
    void change_pair() {
        if (file.pairs.empty()) {
            return;
        }
        auto & pair = one(file.pairs);
        switch (below(8)) {
            case 0:
                pair.type = below(GGUF_TYPE_COUNT);
                pair.value = value(pair.type, "");
                break;
            case 1: file.pairs.erase(file.pairs.begin() + below(file.pairs.size())); break;
            case 2: file.pairs.push_back(gguf_bytes::pair(pair)); break;
            case 3: pair.key = key(pair.key); break;
            case 4: {
                const uint32_t type = below(2) ? GGUF_TYPE_UINT32 : below(GGUF_TYPE_COUNT);
                file.pairs.push_back({ key(pair.key), type, value(type, "") });
                break;
            }
            default: pair.value = value(pair.type, pair.value);
        }
    }
    void change_tensor() {
        if (file.tensors.empty()) {
            return;
        }
        auto & tensor = one(file.tensors);
        switch (below(8)) {
            case 0: tensor.type = below(GGML_TYPE_COUNT + 2); break;
            case 1: tensor.offset = below(2) ? number() : one(file.tensors).offset; break;
            case 2: tensor.name = below(2) ? one(file.tensors).name : text(tensor.name); break;
            case 3: file.tensors.erase(file.tensors.begin() + below(file.tensors.size())); break;
            case 4: file.tensors.push_back(gguf_bytes::tensor(tensor)); break;
            case 5: tensor.shape.resize(below(6), 1); break;
            default:
                if (!tensor.shape.empty()) {
                    one(tensor.shape) = number();
                }
        }
    }
    // The architecture of all keys and of the file.
    void change_architecture() {
        std::string old;
        for (auto & pair : file.pairs) {
            if (pair.key == "general.architecture" && pair.value.size() > 8) {
                old = pair.value.substr(8);
            }
        }
        const std::string arch = text(old);
        for (auto & pair : file.pairs) {
            if (pair.key == "general.architecture") {
                pair.value = raw_text(arch);
            } else if (!old.empty() && pair.key.rfind(old + ".", 0) == 0) {
                pair.key = arch + pair.key.substr(old.size());
            }
        }
    }
};

size_t mutate_gguf(uint8_t * data, size_t size, size_t max_size, unsigned seed) {
    gguf_bytes file;
    mutation mutation{ file, std::mt19937(seed) };
    if (!file.parse(std::string((const char *) data, size)) || mutation.below(16) == 0) {
        return LLVMFuzzerMutate(data, size, max_size);
    }
    for (size_t changes = 1 + mutation.below(3); changes > 0; changes--) {
        switch (mutation.below(12)) {
            case 0: mutation.change_architecture(); break;
            case 1: file.version = mutation.number(); break;
            case 2: case 3: case 4: case 5: mutation.change_tensor(); break;
            default: mutation.change_pair();
        }
    }
    const std::string changed = file.bytes();
    if (changed.size() > max_size) {
        return LLVMFuzzerMutate(data, size, max_size);
    }
    memcpy(data, changed.data(), changed.size());
    return changed.size();
}

} // namespace fuzz
