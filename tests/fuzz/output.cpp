// What a model says, taken apart as its template wants it: reasoning, text, calls of tools. The first byte names the
// template, the second how much comes at once.

#include "target.h"

#include "chat.h"
#include "json.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <sstream>
#include <vector>

static const char * const TOOLS = R"([
    {"type": "function", "function": {"name": "look", "parameters": {"type": "object", "required": ["at"], "properties": {
        "at": {"type": "string"}, "n": {"type": "integer"}, "all": {"type": "array", "items": {"type": "number"}},
        "how": {"enum": ["far", "near"]}, "more": {"type": "object"}}}}},
    {"type": "function", "function": {"name": "stop", "parameters": {"type": "object", "properties": {}}}}
])";

static std::vector<std::string> templates;

static void start() {
    for (const auto & entry : std::filesystem::directory_iterator(FUZZ_ROOT "/vendor/llama.cpp/models/templates")) {
        if (entry.path().extension() == ".jinja") {
            templates.push_back(entry.path());
        }
    }
    std::sort(templates.begin(), templates.end());
}

static std::string read(const std::string & path) {
    std::ostringstream text;
    text << std::ifstream(path).rdbuf();
    return text.str();
}

// A conversation in which the model is about to speak; null where the template does not bear it.
static const common_chat_session * conversation(size_t index) {
    static std::map<size_t, std::unique_ptr<common_chat_session>> made;
    static std::map<size_t, common_chat_templates_ptr> parsed;
    const auto known = made.find(index);
    if (known != made.end()) {
        return known->second.get();
    }
    auto & session = made[index];
    try {
        auto & tmpls = parsed[index] = common_chat_templates_init(nullptr, read(templates[index]), "<s>", "</s>");
        common_chat_templates_inputs inputs;
        inputs.messages.push_back({ "user", "Look", {}, {}, "", "", "" });
        inputs.tools = common_chat_tools_parse_oaicompat(common_json::parse(TOOLS));
        inputs.parallel_tool_calls = true;
        inputs.reasoning_format = COMMON_REASONING_FORMAT_DEEPSEEK;
        session = std::make_unique<common_chat_session>(tmpls.get(), fuzz::demo_vocab(), inputs);
    } catch (const std::exception &) {
        // stays null
    }
    return session.get();
}

static void run(const std::string & input) {
    if (input.size() < 2) {
        return;
    }
    const auto * start = conversation((uint8_t) input[0] % templates.size());
    if (!start) {
        return;
    }
    const size_t step = 1 + (uint8_t) input[1] % 64;
    auto session = *start;
    try {
        for (size_t at = 2; at < input.size(); at += step) {
            session.feed(common_chat_input(input.substr(at, step)));
        }
        session.finish();
    } catch (const std::exception &) {
        // as the server does
    }
}

const fuzz::target fuzz::output = { "output", start, run, nullptr, nullptr };
