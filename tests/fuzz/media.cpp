// An image or sound of a request: decoded and, an image, cut into what a model sees.

#include "gguf_bytes.h"
#include "target.h"

#include "mtmd-helper.h"
#include "mtmd.h"

#include <fstream>
#include <sstream>
#include <stdexcept>

// One that hears and sees.
static mtmd_context * context() {
    static mtmd_context * context = nullptr;
    if (!context) {
        std::ostringstream head;
        head << std::ifstream(FUZZ_ROOT "/tests/fuzz/corpus/mmproj/both", std::ios::binary).rdbuf();
        fuzz::gguf_bytes bytes;
        bytes.parse(head.str());
        const fuzz::memory_file file(head.str(), bytes.whole_size(16 << 20));
        auto params = mtmd_context_params_default();
        params.use_gpu   = false;
        params.n_threads = 1;
        params.warmup    = false;
        context = mtmd_init_from_file(file.path.c_str(), fuzz::demo_model(false), params);
        if (!context) {
            throw std::runtime_error("the projector cannot be loaded");
        }
    }
    return context;
}

static void see(const mtmd_bitmap * image) {
    const std::string marker = mtmd_default_marker();
    const mtmd_input_text text = { marker.data(), marker.size(), false, false };
    mtmd_input_chunks * chunks = mtmd_input_chunks_init();
    mtmd_tokenize(context(), chunks, &text, &image, 1);
    mtmd_input_chunks_free(chunks);
}

static void run(const std::string & input) {
    try {
        const auto decoded = mtmd_helper_bitmap_init_from_buf(
            context(), (const unsigned char *) input.data(), input.size(), false, mtmd_helper_init_opt_default());
        if (decoded.bitmap) {
            if (!mtmd_bitmap_is_audio(decoded.bitmap)) {
                see(decoded.bitmap);
            }
            mtmd_bitmap_free(decoded.bitmap);
        }
    } catch (const std::exception &) {
        // as the server does
    }
}

static void start() {
    context();
}

const fuzz::target fuzz::media = { "media", start, run, nullptr, nullptr };
