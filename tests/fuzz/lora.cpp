// The head of a LoRA adapter for the demo model; the data of its tensors is zeros. It is loaded and used.

#include "gguf_bytes.h"
#include "target.h"

#include "ggml.h"
#include "gguf.h"
#include "llama.h"

#include <vector>

static const size_t MAX_SIZE = 16 << 20;

static void use(llama_model * model, llama_adapter_lora * adapter) {
    auto params = llama_context_default_params();
    params.n_ctx     = 64;
    params.n_threads = params.n_threads_batch = 1;
    llama_context * context = llama_init_from_model(model, params);
    float scale = 1.0f;
    if (llama_set_adapters_lora(context, &adapter, 1, &scale) == 0) {
        llama_token token = 0;
        llama_decode(context, llama_batch_get_one(&token, 1));
    }
    llama_free(context);
}

static void run(const std::string & input) {
    llama_model * model = fuzz::demo_model(false);
    fuzz::gguf_bytes bytes;
    const size_t size = bytes.parse(input) ? bytes.whole_size(MAX_SIZE) : 0;
    fuzz::memory_file file(input, size);
    try {
        const fuzz::assertions_throw refused;
        llama_adapter_lora * adapter = llama_adapter_lora_init_from_file_ptr(model, file.file);
        if (adapter) {
            use(model, adapter);
            llama_adapter_lora_free(adapter);
        }
    } catch (const std::exception &) {
        // as the server does
    }
}

static std::string seed(size_t index) {
    if (index > 0) {
        return "";
    }
    ggml_context * tensors = ggml_init({ 16 * ggml_tensor_overhead(), nullptr, true });
    gguf_context * gguf = gguf_init_empty();
    gguf_set_val_str(gguf, "general.architecture", "llama");
    gguf_set_val_str(gguf, "general.type", "adapter");
    gguf_set_val_str(gguf, "adapter.type", "lora");
    gguf_set_val_f32(gguf, "adapter.lora.alpha", 2.0f);
    const int n_embd = llama_model_n_embd(fuzz::demo_model(false));
    for (const char * name : { "blk.0.attn_q.weight", "blk.0.attn_output.weight" }) {
        for (const char * part : { ".lora_a", ".lora_b" }) {
            const bool a = part[6] == 'a';
            ggml_tensor * tensor = ggml_new_tensor_2d(tensors, GGML_TYPE_F32, a ? n_embd : 2, a ? 2 : n_embd);
            ggml_set_name(tensor, (std::string(name) + part).c_str());
            gguf_add_tensor(gguf, tensor);
        }
    }
    std::vector<char> head(gguf_get_meta_size(gguf));
    gguf_get_meta_data(gguf, head.data());
    gguf_free(gguf);
    ggml_free(tensors);
    return std::string(head.begin(), head.end());
}

static void start() {
    fuzz::demo_model(false);
}

const fuzz::target fuzz::lora = { "lora", start, run, fuzz::mutate_gguf, seed };
