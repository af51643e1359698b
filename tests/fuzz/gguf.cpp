// A GGUF file as such: its metadata and tensors, read from memory and asked for.

#include "gguf_bytes.h"
#include "target.h"

#include "ggml.h"
#include "gguf.h"

static void read_value(const gguf_context * gguf, int64_t i) {
    gguf_get_key(gguf, i);
    switch (gguf_get_kv_type(gguf, i)) {
        case GGUF_TYPE_STRING:
            gguf_get_val_str(gguf, i);
            break;
        case GGUF_TYPE_ARRAY:
            for (size_t n = 0; n < gguf_get_arr_n(gguf, i); n++) {
                if (gguf_get_arr_type(gguf, i) == GGUF_TYPE_STRING) {
                    gguf_get_arr_str(gguf, i, n);
                }
            }
            break;
        default:
            gguf_get_val_data(gguf, i);
    }
}

static void read(const std::string & input, bool no_alloc) {
    ggml_context * tensors = nullptr;
    gguf_context * gguf = gguf_init_from_buffer(input.data(), input.size(), { no_alloc, &tensors });
    if (!gguf) {
        return;
    }
    for (int64_t i = 0; i < gguf_get_n_kv(gguf); i++) {
        read_value(gguf, i);
    }
    for (int64_t i = 0; i < gguf_get_n_tensors(gguf); i++) {
        gguf_get_tensor_size(gguf, i);
        ggml_get_tensor(tensors, gguf_get_tensor_name(gguf, i));
    }
    ggml_free(tensors);
    gguf_free(gguf);
}

static void run(const std::string & input) {
    read(input, true);
    read(input, false);
}

const fuzz::target fuzz::gguf = { "gguf", nullptr, run, fuzz::mutate_gguf, nullptr };
