// What the planner answers, as JSON.

#include "planner.h"

#include <algorithm>
#include <cstdio>
#include <cstring>

using namespace planner;

namespace {

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

} // namespace

std::string planner::answer(const common_params & params, const fitted & found, const std::vector<plan> & plans) {
    const facts & known = plans.front().known;
    const bool mapped = params.load_mode == LLAMA_LOAD_MODE_AUTO || params.load_mode == LLAMA_LOAD_MODE_MMAP;
    std::string out = "{\"architecture\":" + quoted(known.architecture);
    out += ",\"context_size\":" + std::to_string(known.context) + ",\"context_trained\":" + std::to_string(known.trained);
    out += ",\"batch\":" + std::to_string(known.batch) + ",\"ubatch\":" + std::to_string(known.ubatch);
    out += ",\"parallel\":" + std::to_string(known.parallel) + ",\"layers\":" + std::to_string(known.layers);
    out += std::string(",\"flash_attention\":") + truth(known.flash_attention) + ",\"mmap\":" + truth(mapped);
    out += std::string(",\"checkpoints\":") + truth(known.checkpoints) + ",\"embedding\":" + truth(params.embedding);
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
