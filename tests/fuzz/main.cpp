// libFuzzer's entry points: one program for all targets, which looks at the name that it was called by.

#include "target.h"

#include "ggml-backend.h"
#include "llama.h"
#include "log.h"
#include "mtmd-helper.h"

#include <clocale>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <stdexcept>
#include <string>

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

namespace fuzz {

static const target * const TARGETS[] = {
    &gguf, &grammar, &jinja, &lora, &media, &mmproj, &model, &output, &request, &schema, &slot, &state,
};

static const target * chosen = nullptr;

const char * demo_path() {
    return FUZZ_ROOT "/tests/models/llama-demo.gguf";
}

llama_model * demo_model(bool vocab_only) {
    static llama_model * models[2] = {};
    auto & model = models[vocab_only];
    if (!model) {
        auto params = llama_model_default_params();
        params.vocab_only = vocab_only;
        model = llama_model_load_from_file(demo_path(), params);
        if (!model) {
            throw std::runtime_error(std::string("cannot load ") + demo_path());
        }
    }
    return model;
}

const llama_vocab * demo_vocab() {
    return llama_model_get_vocab(demo_model(true));
}

std::string before_zero(const std::string & input) {
    return input.substr(0, input.find('\0'));
}

std::string after_zero(const std::string & input) {
    const auto zero = input.find('\0');
    return zero == std::string::npos ? "" : input.substr(zero + 1);
}

memory_file::memory_file(const std::string & bytes, size_t size) {
    const int fd = memfd_create("fuzz", 0);
    if (fd < 0 || write(fd, bytes.data(), bytes.size()) != (ssize_t) bytes.size() ||
        (size > bytes.size() && ftruncate(fd, size) != 0)) {
        throw std::runtime_error("no file in memory");
    }
    path = "/proc/self/fd/" + std::to_string(fd);
    lseek(fd, 0, SEEK_SET);
    file = fdopen(fd, "rb");
}

memory_file::~memory_file() {
    fclose(file);
}

assertions_throw::assertions_throw() {
    ggml_set_abort_callback([](const char * message) { throw std::runtime_error(message); });
}

assertions_throw::~assertions_throw() {
    ggml_set_abort_callback(nullptr);
}

// What `<target> --seeds DIR` writes.
static void write_seeds(const target & target, const std::string & dir) {
    for (size_t i = 0; target.seed; i++) {
        const std::string seed = target.seed(i);
        if (seed.empty()) {
            break;
        }
        FILE * file = fopen((dir + "/made-" + std::to_string(i)).c_str(), "wb");
        if (!file || fwrite(seed.data(), 1, seed.size(), file) != seed.size() || fclose(file) != 0) {
            throw std::runtime_error("cannot write " + dir);
        }
    }
}

static bool is_verbose() {
    return getenv("LLAMA_FUZZ_VERBOSE") != nullptr;
}

static void be_quiet() {
    const auto silent = [](ggml_log_level, const char *, void *) {};
    llama_log_set(silent, nullptr);
    mtmd_helper_log_set(silent, nullptr);
    common_log_pause(common_log_main());
}

} // namespace fuzz

extern "C" int LLVMFuzzerInitialize(int * argc, char *** argv) {
    using namespace fuzz;
    std::setlocale(LC_NUMERIC, "C");
    signal(SIGPIPE, SIG_IGN);
    const char * slash = strrchr((*argv)[0], '/');
    const std::string name = slash ? slash + 1 : (*argv)[0];
    for (const auto * target : TARGETS) {
        if (name == target->name) {
            chosen = target;
        }
    }
    if (!chosen) {
        fprintf(stderr, "%s is none of the targets:", name.c_str());
        for (const auto * target : TARGETS) {
            fprintf(stderr, " %s", target->name);
        }
        fprintf(stderr, "\n");
        exit(1);
    }
    if (!is_verbose()) {
        be_quiet();
    }
    llama_backend_init();
    if (*argc == 3 && strcmp((*argv)[1], "--seeds") == 0) {
        write_seeds(*chosen, (*argv)[2]);
        exit(0);
    }
    if (chosen->start) {
        chosen->start();
    }
    return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t * data, size_t size) {
    fuzz::chosen->run(std::string((const char *) data, size));
    return 0;
}

extern "C" size_t LLVMFuzzerMutate(uint8_t * data, size_t size, size_t max_size);

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t * data, size_t size, size_t max_size, unsigned seed) {
    return fuzz::chosen->mutate ? fuzz::chosen->mutate(data, size, max_size, seed)
                                : LLVMFuzzerMutate(data, size, max_size);
}
