// A saved slot: the file, or, as the first byte says, what is in it, given back to a context of the demo model.

#include "target.h"

#include "llama.h"

#include <vector>

static const size_t CONTEXT = 64;

static llama_context * context() {
    auto params = llama_context_default_params();
    params.n_ctx     = CONTEXT;
    params.n_seq_max = 2;
    params.n_threads = params.n_threads_batch = 1;
    static llama_context * context = llama_init_from_model(fuzz::demo_model(false), params);
    return context;
}

static void say_one() {
    llama_token token = 1;
    llama_decode(context(), llama_batch_get_one(&token, 1));
}

static void run(const std::string & input) {
    if (input.empty()) {
        return;
    }
    const std::string data = input.substr(1);
    std::vector<llama_token> tokens(CONTEXT);
    size_t n_tokens = 0;
    fuzz::memory_file file(data);
    llama_memory_clear(llama_get_memory(context()), true);
    try {
        switch (input[0] % 4) {
            case 0: llama_state_seq_load_file(context(), file.path.c_str(), 0, tokens.data(), tokens.size(), &n_tokens); break;
            case 1: llama_state_load_file(context(), file.path.c_str(), tokens.data(), tokens.size(), &n_tokens); break;
            case 2: llama_state_seq_set_data(context(), (const uint8_t *) data.data(), data.size(), 0); break;
            case 3: llama_state_set_data(context(), (const uint8_t *) data.data(), data.size()); break;
        }
        say_one();
    } catch (const std::exception &) {
        // as the server does
    }
}

static std::string seed(size_t index) {
    if (index > 3) {
        return "";
    }
    say_one();
    std::vector<llama_token> tokens(1, 1);
    std::string bytes;
    const fuzz::memory_file file("");
    switch (index) {
        case 0: llama_state_seq_save_file(context(), file.path.c_str(), 0, tokens.data(), tokens.size()); break;
        case 1: llama_state_save_file(context(), file.path.c_str(), tokens.data(), tokens.size()); break;
        case 2:
            bytes.resize(llama_state_seq_get_size(context(), 0));
            llama_state_seq_get_data(context(), (uint8_t *) &bytes[0], bytes.size(), 0);
            break;
        case 3:
            bytes.resize(llama_state_get_size(context()));
            llama_state_get_data(context(), (uint8_t *) &bytes[0], bytes.size());
            break;
    }
    for (int c; index < 2 && (c = fgetc(file.file)) != EOF;) {
        bytes.push_back(c);
    }
    return (char) index + bytes;
}

static void start() {
    context();
}

const fuzz::target fuzz::state = { "state", start, run, nullptr, seed };
