// The head of a model: all of its file but the data of its tensors, which is zeros. It is loaded, splits a text and says
// a token.

#include "gguf_bytes.h"
#include "target.h"

#include "common.h"
#include "gguf.h"
#include "llama.h"

#include <vector>

static const size_t MAX_SIZE = 16 << 20;

static void generate(llama_model * model) {
    auto params = llama_context_default_params();
    params.n_ctx     = 64;
    params.n_batch   = 64;
    params.n_threads = params.n_threads_batch = 1;
    llama_context * context = llama_init_from_model(model, params);
    if (!context) {
        return;
    }
    auto tokens = common_tokenize(context, "Hello, wörld! 12 <s>\n\t?", true, true);
    if (!tokens.empty() && tokens.size() <= 64) {
        if (llama_model_has_encoder(model)) {
            llama_encode(context, llama_batch_get_one(tokens.data(), tokens.size()));
        } else if (llama_decode(context, llama_batch_get_one(tokens.data(), tokens.size())) == 0) {
            llama_get_logits_ith(context, -1);
        }
        common_detokenize(context, tokens, true);
    }
    llama_free(context);
}

static void run(const std::string & input) {
    fuzz::gguf_bytes bytes;
    const size_t size = bytes.parse(input) ? bytes.whole_size(MAX_SIZE) : 0;
    fuzz::memory_file file(input, size);
    auto params = llama_model_default_params();
    params.load_mode     = LLAMA_LOAD_MODE_NONE;
    params.check_tensors = true;
    llama_model * model = nullptr;
    try {
        const fuzz::assertions_throw refused;
        model = llama_model_load_from_file_ptr(file.file, params);
        if (model) {
            generate(model);
        }
    } catch (const std::exception &) {
        // as the server does
    }
    llama_model_free(model);
}

// The demo model's own head.
static std::string seed(size_t index) {
    gguf_context * gguf = index > 0 ? nullptr : gguf_init_from_file(fuzz::demo_path(), { true, nullptr });
    if (!gguf) {
        return "";
    }
    std::vector<char> head(gguf_get_meta_size(gguf));
    gguf_get_meta_data(gguf, head.data());
    gguf_free(gguf);
    return std::string(head.begin(), head.end());
}

const fuzz::target fuzz::model = { "model", nullptr, run, fuzz::mutate_gguf, seed };
