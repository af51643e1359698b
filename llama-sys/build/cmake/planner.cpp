// llama.cpp's own planner as a function: what models take of which memory, for options of llama-server, on devices that
// are here or made up. Compiled into upstream's library of llama-quantize (see inject.cmake).

#include "arg.h"
#include "common.h"
#include "fit.h"
#include "gguf.h"
#include "llama.h"
#include "log.h"
#include "mtmd.h"
#include "speculative.h"

#include "../ggml/src/ggml-backend-impl.h"
#include "../src/llama-context.h"
#include "../src/llama-ext.h"
#include "../src/llama-model.h"

#include <algorithm>
#include <clocale>
#include <cstdio>
#include <cstring>
#include <deque>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

// ---- devices that are made up ----

struct card {
    std::string name;
    size_t bytes = 0;
    bool unified = false;
    ggml_backend_device device = {};
    ggml_backend_buffer_type memory = {};
    ggml_backend_buffer_type pinned = {};
};

// Stays where it is: devices point into it.
std::deque<card> cards;

card & of(ggml_backend_dev_t device) { return *(card *) device->context; }
card & of(ggml_backend_buffer_type_t type) { return *(card *) type->context; }

// Nothing is ever written: the planner asks for sizes.
ggml_backend_buffer_t allocate(ggml_backend_buffer_type_t type, size_t size) {
    ggml_backend_buffer_i calls = {};
    calls.get_base = [](ggml_backend_buffer_t) { return (void *) 0x1000; };
    calls.clear    = [](ggml_backend_buffer_t, uint8_t) {};
    return ggml_backend_buffer_init(type, calls, nullptr, size);
}

// Rows of quantized weights end at a multiple of 512 elements, as ggml-cuda.cu pads them.
size_t padded_size(ggml_backend_buffer_type_t, const ggml_tensor * tensor) {
    const int64_t row = 512;
    size_t size = ggml_nbytes(tensor);
    const int64_t rest = tensor->ne[0] % row;
    if (ggml_is_quantized(tensor->type) && rest != 0) {
        size += ggml_row_size(tensor->type, row - rest);
    }
    return size;
}

// Weights in the processor's memory are copied to the card for batches of this many tokens, as ggml-cuda.cu does.
bool takes_over(ggml_backend_dev_t, const ggml_tensor * op) {
    const int64_t least = 32;
    switch (op->op) {
        case GGML_OP_GET_ROWS:   return false;
        case GGML_OP_MUL_MAT:    return op->ne[1] >= least;
        case GGML_OP_MUL_MAT_ID:
        case GGML_OP_ROPE:
        case GGML_OP_ROPE_BACK:  return op->ne[2] >= least;
        default:                 return ggml_nrows(op) >= least;
    }
}

ggml_backend_t begin(ggml_backend_dev_t device, const char *) {
    static ggml_guid guid = { 0x6c, 0x6c, 0x61, 0x6d, 0x61, 0x2d, 0x73, 0x79, 0x73, 0x2d, 0x70, 0x6c, 0x61, 0x6e, 0, 1 };
    ggml_backend_i calls = {};
    calls.get_name      = [](ggml_backend_t backend) { return of(backend->device).name.c_str(); };
    calls.free          = [](ggml_backend_t backend) { delete backend; };
    calls.synchronize   = [](ggml_backend_t) {};
    calls.graph_compute = [](ggml_backend_t, ggml_cgraph *) { return GGML_STATUS_FAILED; };
    return new ggml_backend { &guid, calls, device, nullptr };
}

ggml_backend_device_i device_calls() {
    ggml_backend_device_i calls = {};
    calls.get_name        = [](ggml_backend_dev_t device) { return of(device).name.c_str(); };
    calls.get_description = [](ggml_backend_dev_t) { return "made up"; };
    calls.get_memory      = [](ggml_backend_dev_t device, size_t * free, size_t * total) {
        *free = *total = of(device).bytes;
    };
    calls.get_type  = [](ggml_backend_dev_t device) {
        return of(device).unified ? GGML_BACKEND_DEVICE_TYPE_IGPU : GGML_BACKEND_DEVICE_TYPE_GPU;
    };
    calls.get_props = [](ggml_backend_dev_t device, ggml_backend_dev_props * props) {
        const card & card = of(device);
        *props = {};
        props->name         = card.name.c_str();
        props->description  = "made up";
        props->memory_free  = props->memory_total = card.bytes;
        props->type         = device->iface.get_type(device);
        props->caps         = { /* async */ true, /* host_buffer */ !card.unified, /* from_host_ptr */ false, /* events */ true };
    };
    calls.init_backend    = begin;
    calls.get_buffer_type = [](ggml_backend_dev_t device) { return &of(device).memory; };
    calls.get_host_buffer_type = [](ggml_backend_dev_t device) -> ggml_backend_buffer_type_t {
        return of(device).unified ? nullptr : &of(device).pinned;
    };
    calls.supports_op   = [](ggml_backend_dev_t, const ggml_tensor *) { return true; };
    calls.supports_buft = [](ggml_backend_dev_t device, ggml_backend_buffer_type_t type) { return type == &of(device).memory; };
    calls.offload_op    = takes_over;
    return calls;
}

void make_up(const std::string & name, size_t bytes, bool unified, ggml_backend_reg_t registry) {
    cards.emplace_back();
    card & made = cards.back();
    made.name    = name;
    made.bytes   = bytes;
    made.unified = unified;
    made.device.iface   = device_calls();
    made.device.reg     = registry;
    made.device.context = &made;
    made.memory.device  = &made.device;
    made.memory.context = &made;
    made.memory.iface.get_name       = [](ggml_backend_buffer_type_t type) { return of(type).name.c_str(); };
    made.memory.iface.alloc_buffer   = allocate;
    made.memory.iface.get_alignment  = [](ggml_backend_buffer_type_t) -> size_t { return 128; };
    made.memory.iface.get_alloc_size = padded_size;
    made.memory.iface.is_host        = [](ggml_backend_buffer_type_t) { return false; };
    // The processor's memory, which the card reads by itself.
    made.pinned         = *ggml_backend_cpu_buffer_type();
    made.pinned.device  = &made.device;
    made.pinned.iface.get_name = [](ggml_backend_buffer_type_t) { return "pinned"; };
}

ggml_backend_reg_t made_up() {
    static ggml_backend_reg registry = { GGML_BACKEND_API_VERSION, {
        [](ggml_backend_reg_t) { return "planner"; },
        [](ggml_backend_reg_t) { return cards.size(); },
        [](ggml_backend_reg_t, size_t index) { return &cards[index].device; },
        [](ggml_backend_reg_t, const char *) { return (void *) nullptr; },
    }, nullptr };
    return &registry;
}

// ---- what is asked ----

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
                text.substr(0, first) == "igpu", made_up());
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
void choose_devices(common_params & params) {
    std::vector<ggml_backend_dev_t> devices;
    for (card & card : cards) {
        devices.push_back(&card.device);
    }
    devices.push_back(nullptr);
    if (params.devices.empty()) {
        params.devices = devices;
    }
    if (cards.empty()) {
        params.mmproj_use_gpu = false;
    } else if (params.mmproj_device == nullptr) {
        params.mmproj_device = &cards.front().device;
    }
}

// ---- what is answered ----

struct memory {
    size_t weights = 0, context = 0, compute = 0;
    uint32_t layers = 0;
    bool input = false, output = false;
};

// By device; the processor is `nullptr`.
using layout = std::map<ggml_backend_dev_t, memory>;

struct part {
    const char * role;
    layout on;
};

struct facts {
    std::string architecture;
    uint32_t context = 0, trained = 0, batch = 0, ubatch = 0, parallel = 0, layers = 0, on_cards = 0;
    bool flash_attention = false;
};

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

struct plan {
    facts known;
    std::vector<part> parts;
};

plan measure(const common_params & params, llama_model_params mparams, llama_context_params cparams) {
    plan made;
    const models main = load(params.model.path, mparams, cparams);
    const llama_model * model = main.model.get();
    char architecture[64] = "";
    llama_model_meta_val_str(model, "general.architecture", architecture, sizeof(architecture));
    const llama_cparams & settled = main.context->get_cparams();
    made.known = {
        architecture, llama_n_ctx(main.context.get()), (uint32_t) llama_model_n_ctx_train(model), llama_n_batch(main.context.get()),
        llama_n_ubatch(main.context.get()), llama_n_seq_max(main.context.get()), (uint32_t) llama_model_n_layer(model) + 1, 0,
        settled.flash_attn,
    };
    made.parts.push_back({ "model", lay_out(main) });
    for (const auto & [device, memory] : made.parts.front().on) {
        if (device != nullptr) {
            made.known.on_cards += memory.layers + (memory.output ? 1 : 0);
        }
    }
    const auto & types = params.speculative.types;
    const bool mtp = std::find(types.begin(), types.end(), COMMON_SPECULATIVE_TYPE_DRAFT_MTP) != types.end();
    if (params.speculative.has_dft() || mtp) {
        common_params draft = common_base_params_to_speculative(params);
        llama_context_params drafts = common_context_params_to_llama(draft);
        drafts.n_ctx     = llama_n_ctx(main.context.get());
        drafts.n_rs_seq  = 0;
        drafts.ctx_other = main.context.get();
        drafts.ctx_type  = mtp ? LLAMA_CONTEXT_TYPE_MTP : drafts.ctx_type;
        if (params.speculative.has_dft()) {
            made.parts.push_back({ "draft", lay_out(load(draft.model.path, common_model_params_to_llama(draft), drafts)) });
        } else {
            llama_context_ptr context(llama_init_from_model(main.model.get(), drafts));
            if (!context) {
                throw std::runtime_error("failed to make a context for the model's own drafts");
            }
            layout on;
            for (const auto & [type, bytes] : llama_get_memory_breakdown(context.get())) {
                on[owner(type)].context += bytes.context;
                on[owner(type)].compute += bytes.compute;
            }
            made.parts.push_back({ "draft", on });
        }
    }
    layout adapters;
    for (const auto & adapter : params.lora_adapters) {
        add_adapter(adapters, adapter.path, *model);
    }
    for (const auto & vector : params.control_vectors) {
        add_adapter(adapters, vector.fname, *model);
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

struct fitted {
    bool asked = false;
    std::string status;
    std::vector<std::string> arguments;
};

// As common_init_result does for the server.
fitted fit(common_params & params, const std::map<ggml_backend_dev_t, size_t> & beside, llama_model_params & mparams, llama_context_params & cparams) {
    for (const auto & [device, size] : beside) {
        for (size_t at = 0; at < ggml_backend_dev_count() && at < params.fit_params_target.size(); at++) {
            if (ggml_backend_dev_get(at) == device) {
                params.fit_params_target[at] += size;
            }
        }
    }
    const auto & types = params.speculative.types;
    const bool mtp   = std::find(types.begin(), types.end(), COMMON_SPECULATIVE_TYPE_DRAFT_MTP) != types.end();
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
    if (cparams.n_ctx != 0) {
        found.arguments.insert(found.arguments.end(), { "--ctx-size", std::to_string(cparams.n_ctx) });
    }
    if (mparams.n_gpu_layers >= 0) {
        found.arguments.insert(found.arguments.end(), { "--gpu-layers", std::to_string(mparams.n_gpu_layers) });
    }
    size_t devices = llama_max_devices();
    while (devices > 1 && mparams.tensor_split[devices - 1] == 0.0f) {
        devices--;
    }
    if (devices > 1) {
        std::string split;
        for (size_t at = 0; at < devices; at++) {
            split += (at > 0 ? "," : "") + std::to_string((uint32_t) mparams.tensor_split[at]);
        }
        found.arguments.insert(found.arguments.end(), { "--tensor-split", split });
    }
    std::string overrides;
    const auto * rule = mparams.tensor_buft_overrides;
    for (; rule != nullptr && rule->pattern != nullptr; rule++) {
        overrides += (overrides.empty() ? "" : ",") + std::string(rule->pattern) + "=" + ggml_backend_buft_name(rule->buft);
    }
    if (!overrides.empty()) {
        found.arguments.insert(found.arguments.end(), { "--override-tensor", overrides });
    }
    return found;
}

// ---- JSON ----

std::string quoted(const std::string & text) {
    std::string out = "\"";
    for (const unsigned char byte : text) {
        if (byte == '"' || byte == '\\') {
            out += '\\';
            out += (char) byte;
        } else if (byte < 0x20) {
            char escaped[8];
            std::snprintf(escaped, sizeof(escaped), "\\u%04x", byte);
            out += escaped;
        } else {
            out += (char) byte;
        }
    }
    return out + "\"";
}

std::string name(ggml_backend_dev_t device) { return device == nullptr ? "Host" : ggml_backend_dev_name(device); }

const char * truth(bool value) { return value ? "true" : "false"; }

std::string text(const std::vector<part> & parts) {
    std::string out = "[";
    for (const part & part : parts) {
        out += (out.size() > 1 ? "," : "") + ("{\"role\":" + quoted(part.role)) + ",\"memory\":[";
        bool first = true;
        for (const auto & [device, memory] : part.on) {
            out += (first ? "" : ",") + ("{\"device\":" + quoted(name(device)));
            out += ",\"weights\":" + std::to_string(memory.weights) + ",\"context\":" + std::to_string(memory.context);
            out += ",\"compute\":" + std::to_string(memory.compute) + ",\"layers\":" + std::to_string(memory.layers);
            out += std::string(",\"input\":") + truth(memory.input) + ",\"output\":" + truth(memory.output) + "}";
            first = false;
        }
        out += "]}";
    }
    return out + "]";
}

std::string kind(ggml_backend_dev_t device) {
    ggml_backend_reg_t registry = ggml_backend_dev_backend_reg(device);
    if (registry != nullptr && std::strcmp(ggml_backend_reg_name(registry), "RPC") == 0) {
        return "rpc";
    }
    switch (ggml_backend_dev_type(device)) {
        case GGML_BACKEND_DEVICE_TYPE_CPU:  return "cpu";
        case GGML_BACKEND_DEVICE_TYPE_GPU:  return "gpu";
        case GGML_BACKEND_DEVICE_TYPE_IGPU: return "igpu";
        default:                            return "accel";
    }
}

std::string device_text(const std::string & name, const std::string & kind, ggml_backend_dev_t device) {
    size_t free = 0, total = 0;
    ggml_backend_dev_memory(device, &free, &total);
    return "{\"name\":" + quoted(name) + ",\"kind\":" + quoted(kind) + ",\"total\":" + std::to_string(total) +
        ",\"free\":" + std::to_string(free) + "}";
}

std::string devices_text(const common_params & params, const std::vector<plan> & plans) {
    std::string out = "[";
    std::vector<ggml_backend_dev_t> told;
    const auto tell = [&](ggml_backend_dev_t device) {
        if (device != nullptr && std::find(told.begin(), told.end(), device) == told.end()) {
            told.push_back(device);
            out += device_text(name(device), kind(device), device) + ",";
        }
    };
    std::for_each(params.devices.begin(), params.devices.end(), tell);
    for (const plan & plan : plans) {
        for (const part & part : plan.parts) {
            for (const auto & entry : part.on) {
                tell(entry.first);
            }
        }
    }
    return out + device_text("Host", "cpu", ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_CPU)) + "]";
}

std::string answer(const common_params & params, const fitted & found, const std::vector<plan> & plans) {
    const facts & known = plans.front().known;
    const bool mapped = params.load_mode == LLAMA_LOAD_MODE_AUTO || params.load_mode == LLAMA_LOAD_MODE_MMAP;
    std::string out = "{\"architecture\":" + quoted(known.architecture);
    out += ",\"context_size\":" + std::to_string(known.context) + ",\"context_trained\":" + std::to_string(known.trained);
    out += ",\"batch\":" + std::to_string(known.batch) + ",\"ubatch\":" + std::to_string(known.ubatch);
    out += ",\"parallel\":" + std::to_string(known.parallel) + ",\"layers\":" + std::to_string(known.layers);
    out += std::string(",\"flash_attention\":") + truth(known.flash_attention) + ",\"mmap\":" + truth(mapped);
    out += std::string(",\"embedding\":") + truth(params.embedding);
    out += std::string(",\"reranking\":") + truth(params.pooling_type == LLAMA_POOLING_TYPE_RANK);
    out += ",\"devices\":" + devices_text(params, plans) + ",\"runs\":[";
    for (size_t at = 0; at < plans.size(); at++) {
        out += (at > 0 ? "," : "") + ("{\"gpu_layers\":" + std::to_string(plans[at].known.on_cards)) + ",\"parts\":" + text(plans[at].parts) + "}";
    }
    out += "],\"fit\":";
    if (!found.asked) {
        return out + "null}";
    }
    out += "{\"status\":" + quoted(found.status) + ",\"arguments\":[";
    for (size_t at = 0; at < found.arguments.size(); at++) {
        out += (at > 0 ? "," : "") + quoted(found.arguments[at]);
    }
    return out + "]}}";
}

void run(int argc, char ** argv) {
    std::setlocale(LC_NUMERIC, "C");
    common_init();
    ggml_backend_load_all();
    question asked = read(argc, argv);
    if (!cards.empty()) {
        ggml_backend_register(made_up());
    }
    common_params params;
    if (!common_params_parse((int) asked.arguments.size(), asked.arguments.data(), params, LLAMA_EXAMPLE_SERVER)) {
        throw std::invalid_argument("error: llama-server does not take these options");
    }
    llama_backend_init();
    settle(params);
    if (!asked.real) {
        choose_devices(params);
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
        std::fprintf(stderr, "%s\n", error.what());
        return 1;
    }
}
