// Cards that are made up: as CUDA's, as far as a plan of memory can tell.

#include "planner.h"

#include "../ggml/src/ggml-backend-impl.h"

#include <deque>

namespace {

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
        props->caps.async       = true;
        props->caps.host_buffer = !card.unified;
        props->caps.events      = true;
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

ggml_backend_reg_t made_up() {
    static ggml_backend_reg registry = { GGML_BACKEND_API_VERSION, {
        [](ggml_backend_reg_t) { return "planner"; },
        [](ggml_backend_reg_t) { return cards.size(); },
        [](ggml_backend_reg_t, size_t index) { return &cards[index].device; },
        [](ggml_backend_reg_t, const char *) { return (void *) nullptr; },
    }, nullptr };
    return &registry;
}

} // namespace

void planner::make_up(const std::string & name, size_t bytes, bool unified) {
    cards.emplace_back();
    card & made = cards.back();
    made.name    = name;
    made.bytes   = bytes;
    made.unified = unified;
    made.device.iface   = device_calls();
    made.device.reg     = made_up();
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

std::vector<ggml_backend_dev_t> planner::register_cards() {
    std::vector<ggml_backend_dev_t> devices;
    for (card & card : cards) {
        devices.push_back(&card.device);
    }
    if (!devices.empty()) {
        ggml_backend_register(made_up());
    }
    return devices;
}
