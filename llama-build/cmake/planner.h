// What the files of the planner share.

#pragma once

#include "common.h"
#include "ggml-backend.h"

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace planner {

// Adds a card of so much memory, which the processor shares where it is `unified`.
void make_up(const std::string & name, size_t bytes, bool unified);

// The cards that are made up, known to llama.cpp from now on.
std::vector<ggml_backend_dev_t> register_cards();

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
    // Whether the server keeps snapshots of the context, because the model cannot step back in it.
    bool checkpoints = false;
};

struct plan {
    facts known;
    std::vector<part> parts;
};

struct fitted {
    bool asked = false;
    std::string status;
    std::vector<std::string> arguments;
};

// The answer as JSON.
std::string answer(const common_params & params, const fitted & found, const std::vector<plan> & plans);

} // namespace planner
