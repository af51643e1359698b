// The head of a multimodal projector for the demo model; the data of its tensors is zeros.

#include "gguf_bytes.h"
#include "target.h"

#include "mtmd.h"

#include <stdexcept>

static const size_t MAX_SIZE = 16 << 20;

static void run(const std::string & input) {
    fuzz::gguf_bytes bytes;
    const size_t size = bytes.parse(input) ? bytes.whole_size(MAX_SIZE) : 0;
    const fuzz::memory_file file(input, size);
    auto params = mtmd_context_params_default();
    params.use_gpu   = false;
    params.n_threads = 1;
    params.warmup    = false;
    try {
        const fuzz::assertions_throw refused;
        mtmd_context * context = mtmd_init_from_file(file.path.c_str(), fuzz::demo_model(false), params);
        if (context) {
            mtmd_free(context);
        }
    } catch (const std::exception &) {
        // as the server does
    }
}

static void start() {
    fuzz::demo_model(false);
}

const fuzz::target fuzz::mmproj = { "mmproj", start, run, fuzz::mutate_gguf, nullptr };
