// llama.cpp's own planner as a function: what models take of which memory, for options of llama-server, on devices that
// are here or made up. Compiled into upstream's library of llama-quantize (see inject.cmake).

#include "planner.h"

#include "arg.h"
#include "common.h"
#include "fit.h"
#include "gguf.h"
#include "llama.h"
#include "log.h"
#include "mtmd.h"
#include "speculative.h"

#include "../src/llama-context.h"
#include "../src/llama-ext.h"
#include "../src/llama-model.h"

#include <algorithm>
#include <clocale>
#include <cstdio>
#include <cstring>
#include <stdexcept>
#include <string>
#include <vector>

using namespace planner;

namespace {

struct question {
    bool real = false;
    bool fit  = false;
    std::vector<int32_t> layers;
    std::vector<char *> arguments;
};

question read(int argc, char ** argv) {
    static char program[] = "llama-server";
    question asked;
    asked.arguments.push_back(program);
    int at = 1;
    for (; at < argc && std::strcmp(argv[at], "--") != 0; at++) {
        const std::string word = argv[at];
        if (word == "--real") {
            asked.real = true;
        } else if (word == "--fit") {
            asked.fit = true;
        } else if (at + 1 < argc && word == "--layers") {
            asked.layers.push_back(std::stoi(argv[++at]));
        } else if (at + 1 < argc && word == "--virtual") {
            const std::string text = argv[++at];
            const size_t first = text.find(':'), second = text.find(':', first + 1);
            make_up(text.substr(second + 1), std::stoull(text.substr(first + 1, second - first - 1)),
                text.substr(0, first) == "igpu");
        } else {
            throw std::invalid_argument("the planner does not know " + word);
        }
    }
    for (at++; at < argc; at++) {
        asked.arguments.push_back(argv[at]);
    }
    return asked;
}

// What llama_server() settles after it has read its options (tools/server/server.cpp, server-context.cpp).
void settle(common_params & params) {
    if (params.embedding && params.n_batch > params.n_ubatch) {
        params.n_batch = params.n_ubatch;
    }
    if (params.n_parallel < 0) {
        params.n_parallel = 4;
        params.kv_unified = true;
    }
    if (params.kv_unified_per_slot > 0 && params.n_ctx == 0 && (uint32_t) params.fit_params_min_ctx != UINT32_MAX) {
        params.n_ctx = params.n_parallel * params.kv_unified_per_slot;
    }
    const bool pooled = params.pooling_type != LLAMA_POOLING_TYPE_UNSPECIFIED && params.pooling_type != LLAMA_POOLING_TYPE_NONE;
    if (params.embedding || pooled) {
        params.n_outputs_max         = params.n_batch;
        params.n_outputs_max_per_seq = 1;
    } else {
        const auto limits = common_speculative_get_output_limits(
            params.n_batch, params.n_parallel, common_speculative_n_max(&params.speculative));
        params.n_outputs_max         = std::max(1, limits.total);
        params.n_outputs_max_per_seq = std::max(1, limits.per_seq);
    }
}

// Unless options name devices: those that are made up, and no others.
void choose_devices(common_params & params, std::vector<ggml_backend_dev_t> cards) {
    if (cards.empty()) {
        params.mmproj_use_gpu = false;
    } else if (params.mmproj_device == nullptr) {
        params.mmproj_device = cards.front();
    }
    if (params.devices.empty()) {
        cards.push_back(nullptr);
        params.devices = cards;
    }
}

ggml_backend_dev_t owner(ggml_backend_buffer_type_t type) {
    ggml_backend_dev_t device = ggml_backend_buft_is_host(type) ? nullptr : ggml_backend_buft_get_device(type);
    return device != nullptr && ggml_backend_dev_type(device) == GGML_BACKEND_DEVICE_TYPE_CPU ? nullptr : device;
}

ggml_backend_dev_t owner(ggml_backend_dev_t device) {
    return device == nullptr || ggml_backend_dev_type(device) == GGML_BACKEND_DEVICE_TYPE_CPU ? nullptr : device;
}

// Bytes of an adapter's tensors, each where the layer is that it is for.
void add_adapter(layout & on, const std::string & path, const llama_model & model) {
    ggml_context * tensors = nullptr;
    gguf_context_ptr file(gguf_init_from_file(path.c_str(), { /* no_alloc */ true, &tensors }));
    if (!file) {
        throw std::runtime_error("failed to read the adapter " + path);
    }
    ggml_context_ptr held(tensors);
    for (ggml_tensor * tensor = ggml_get_first_tensor(tensors); tensor; tensor = ggml_get_next_tensor(tensors, tensor)) {
        int layer = -1;
        const bool repeats = std::sscanf(tensor->name, "blk.%d.", &layer) == 1 || std::sscanf(tensor->name, "direction.%d", &layer) == 1;
        const bool known = repeats && layer >= 0 && layer < (int) llama_model_n_layer(&model);
        on[known ? owner(model.dev_layer(layer)) : owner(model.dev_output())].weights += ggml_nbytes(tensor);
    }
}

struct models {
    llama_model_ptr model;
    llama_context_ptr context;
};

// A model and its context without their memory.
models load(const std::string & path, llama_model_params mparams, llama_context_params cparams) {
    mparams.no_alloc  = true;
    mparams.load_mode = LLAMA_LOAD_MODE_NONE;
    models loaded;
    loaded.model.reset(llama_model_load_from_file(path.c_str(), mparams));
    if (!loaded.model) {
        throw std::runtime_error("failed to load the model " + path);
    }
    loaded.context.reset(llama_init_from_model(loaded.model.get(), cparams));
    if (!loaded.context) {
        throw std::runtime_error("failed to make a context for " + path);
    }
    return loaded;
}

layout lay_out(const models & loaded) {
    layout on;
    for (const auto & [type, bytes] : llama_get_memory_breakdown(loaded.context.get())) {
        memory & memory = on[owner(type)];
        memory.weights += bytes.model;
        memory.context += bytes.context;
        memory.compute += bytes.compute;
    }
    const llama_model & model = *loaded.model;
    for (int32_t layer = 0; layer < llama_model_n_layer(&model); layer++) {
        on[owner(model.dev_layer(layer))].layers++;
    }
    on[owner(model.dev_output())].output = true;
    on[nullptr].input = true;
    return on;
}

bool drafts_by_itself(const common_params & params) {
    const auto & types = params.speculative.types;
    return std::find(types.begin(), types.end(), COMMON_SPECULATIVE_TYPE_DRAFT_MTP) != types.end();
}

// What writes drafts: a model of its own, or heads of the main one.
part draft(const common_params & params, const models & main) {
    common_params own = common_base_params_to_speculative(params);
    llama_context_params cparams = common_context_params_to_llama(own);
    cparams.n_ctx     = llama_n_ctx(main.context.get());
    cparams.n_rs_seq  = 0;
    cparams.ctx_other = main.context.get();
    cparams.ctx_type  = drafts_by_itself(params) ? LLAMA_CONTEXT_TYPE_MTP : cparams.ctx_type;
    if (params.speculative.has_dft()) {
        return { "draft", lay_out(load(own.model.path, common_model_params_to_llama(own), cparams)) };
    }
    llama_context_ptr context(llama_init_from_model(main.model.get(), cparams));
    if (!context) {
        throw std::runtime_error("failed to make a context for the model's own drafts");
    }
    // Its weights are the main model's.
    layout on;
    for (const auto & [type, bytes] : llama_get_memory_breakdown(context.get())) {
        on[owner(type)].context += bytes.context;
        on[owner(type)].compute += bytes.compute;
    }
    return { "draft", on };
}

// As `server_context` decides it: the context is a window or a state, of which no end can be cut off.
bool keeps_checkpoints(const common_params & params, const llama_model * model) {
    const bool window = !params.swa_full && llama_model_n_swa(model) > 0;
    return params.n_ctx_checkpoints > 0 && (window || llama_model_is_recurrent(model) || llama_model_is_hybrid(model));
}

facts know(const common_params & params, const models & main, const layout & on) {
    const llama_model * model = main.model.get();
    const llama_context * context = main.context.get();
    char architecture[64] = "";
    llama_model_meta_val_str(model, "general.architecture", architecture, sizeof(architecture));
    facts known;
    known.architecture    = architecture;
    known.context         = llama_n_ctx(context);
    known.trained         = (uint32_t) llama_model_n_ctx_train(model);
    known.batch           = llama_n_batch(context);
    known.ubatch          = llama_n_ubatch(context);
    known.parallel        = llama_n_seq_max(context);
    known.layers          = (uint32_t) llama_model_n_layer(model) + 1;
    known.flash_attention = context->get_cparams().flash_attn;
    known.checkpoints     = keeps_checkpoints(params, model);
    for (const auto & [device, memory] : on) {
        if (device != nullptr) {
            known.on_cards += memory.layers + (memory.output ? 1 : 0);
        }
    }
    return known;
}

plan measure(const common_params & params, llama_model_params mparams, llama_context_params cparams) {
    const models main = load(params.model.path, mparams, cparams);
    plan made;
    made.parts.push_back({ "model", lay_out(main) });
    made.known = know(params, main, made.parts.front().on);
    if (params.speculative.has_dft() || drafts_by_itself(params)) {
        made.parts.push_back(draft(params, main));
    }
    layout adapters;
    for (const auto & adapter : params.lora_adapters) {
        add_adapter(adapters, adapter.path, *main.model);
    }
    for (const auto & vector : params.control_vectors) {
        add_adapter(adapters, vector.fname, *main.model);
    }
    if (!adapters.empty()) {
        made.parts.push_back({ "adapter", adapters });
    }
    return made;
}

std::map<ggml_backend_dev_t, size_t> projector(const common_params & params) {
    if (params.mmproj.path.empty()) {
        return {};
    }
    mtmd_context_params wanted = mtmd_context_params_default();
    wanted.use_gpu          = params.mmproj_use_gpu;
    wanted.device           = params.mmproj_device;
    wanted.print_timings    = false;
    wanted.n_threads        = params.cpuparams.n_threads;
    wanted.flash_attn_type  = params.flash_attn_type;
    wanted.warmup           = params.warmup;
    wanted.image_min_tokens = params.image_min_tokens;
    wanted.image_max_tokens = params.image_max_tokens;
    wanted.batch_max_tokens = params.mtmd_batch_max_tokens;
    auto usage = mtmd_get_memory_usage(params.mmproj.path.c_str(), wanted).backend_mem_usage;
    if (usage.empty()) {
        throw std::runtime_error("failed to load the projector " + params.mmproj.path);
    }
    return usage;
}

// Options of llama-server that say the same.
std::vector<std::string> spell(const llama_model_params & mparams, const llama_context_params & cparams) {
    std::vector<std::string> arguments;
    if (cparams.n_ctx != 0) {
        arguments.insert(arguments.end(), { "--ctx-size", std::to_string(cparams.n_ctx) });
    }
    if (mparams.n_gpu_layers >= 0) {
        arguments.insert(arguments.end(), { "--gpu-layers", std::to_string(mparams.n_gpu_layers) });
    }
    size_t devices = llama_max_devices();
    while (devices > 1 && mparams.tensor_split[devices - 1] == 0.0f) {
        devices--;
    }
    if (devices > 1) {
        std::string split;
        for (size_t at = 0; at < devices; at++) {
            char share[32];
            std::snprintf(share, sizeof(share), "%s%g", at > 0 ? "," : "", mparams.tensor_split[at]);
            split += share;
        }
        arguments.insert(arguments.end(), { "--tensor-split", split });
    }
    std::string overrides;
    const auto * rule = mparams.tensor_buft_overrides;
    for (; rule != nullptr && rule->pattern != nullptr; rule++) {
        overrides += (overrides.empty() ? "" : ",") + std::string(rule->pattern) + "=" + ggml_backend_buft_name(rule->buft);
    }
    if (!overrides.empty()) {
        arguments.insert(arguments.end(), { "--override-tensor", overrides });
    }
    return arguments;
}

// As common_init_result does for the server.
fitted fit(common_params & params, const std::map<ggml_backend_dev_t, size_t> & beside, llama_model_params & mparams, llama_context_params & cparams) {
    // Targets count the devices that are used; without options that name them, the processor is the registry's last.
    std::vector<ggml_backend_dev_t> devices = params.devices;
    for (size_t at = 0; params.devices.empty() && at < ggml_backend_dev_count(); at++) {
        devices.push_back(ggml_backend_dev_get(at));
    }
    for (size_t at = 0; at < devices.size() && at < params.fit_params_target.size(); at++) {
        const auto found = beside.find(devices[at]);
        params.fit_params_target[at] += found == beside.end() ? 0 : found->second;
    }
    const bool mtp   = drafts_by_itself(params);
    const bool draft = params.speculative.has_dft();
    common_params second = common_base_params_to_speculative(params);
    llama_model_params second_model = common_model_params_to_llama(second);
    llama_context_params second_context = common_context_params_to_llama(second);
    second_context.ctx_type = mtp ? LLAMA_CONTEXT_TYPE_MTP : second_context.ctx_type;
    second_context.n_rs_seq = 0;
    const common_fit_extra_model extra = { second.model.path.c_str(), &second_model, &second_context, !draft };
    const auto status = common_fit_params(params.model.path.c_str(), &mparams, &cparams, params.tensor_split,
        params.tensor_buft_overrides.data(), params.fit_params_target.data(), params.fit_params_min_ctx,
        draft || mtp ? &extra : nullptr, GGML_LOG_LEVEL_WARN);
    fitted found;
    found.asked  = true;
    found.status = status == COMMON_PARAMS_FIT_STATUS_SUCCESS ? "fits" : status == COMMON_PARAMS_FIT_STATUS_FAILURE ? "cannot" : "error";
    found.arguments = spell(mparams, cparams);
    return found;
}

void run(int argc, char ** argv) {
    std::setlocale(LC_NUMERIC, "C");
    common_init();
    ggml_backend_load_all();
    question asked = read(argc, argv);
    const std::vector<ggml_backend_dev_t> cards = register_cards();
    common_params params;
    if (!common_params_parse((int) asked.arguments.size(), asked.arguments.data(), params, LLAMA_EXAMPLE_SERVER)) {
        throw std::invalid_argument("error: llama-server does not take these options");
    }
    llama_backend_init();
    settle(params);
    if (!asked.real) {
        choose_devices(params, cards);
    }
    const auto beside = projector(params);
    llama_model_params mparams = common_model_params_to_llama(params);
    llama_context_params cparams = common_context_params_to_llama(params);
    fitted found;
    if (asked.fit) {
        found = fit(params, beside, mparams, cparams);
    }
    std::vector<plan> plans = { measure(params, mparams, cparams) };
    for (const int32_t layers : asked.layers) {
        mparams.n_gpu_layers = layers;
        plans.push_back(measure(params, mparams, cparams));
    }
    for (plan & plan : plans) {
        layout on;
        for (const auto & [device, size] : beside) {
            on[owner(device)].weights += size;
        }
        if (!on.empty()) {
            plan.parts.push_back({ "projector", on });
        }
    }
    common_log_flush(common_log_main());
    std::printf("\n__answer %s\n", answer(params, found, plans).c_str());
    std::fflush(stdout);
}

} // namespace

int llama_estimate(int argc, char ** argv);

int llama_estimate(int argc, char ** argv) {
    try {
        run(argc, argv);
        return 0;
    } catch (const std::exception & error) {
        // What llama.cpp says of it stands before.
        common_log_flush(common_log_main());
        std::fprintf(stderr, "%s\n", error.what());
        return 1;
    }
}
