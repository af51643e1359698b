// A chat template, and after a zero byte the body of a chat request that it renders.

#include "target.h"

#include "chat.h"
#include "json.h"

static const char * const BODY = R"({
    "messages": [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": [{"type": "text", "text": "Hello"}, {"type": "text", "text": "you"}]},
        {"role": "assistant", "content": "Hm", "tool_calls": [
            {"type": "function", "id": "1", "function": {"name": "look", "arguments": "{\"at\": [1, 2.5, null]}"}}]},
        {"role": "tool", "tool_call_id": "1", "content": "seen"},
        {"role": "user", "content": "Go on"}
    ],
    "tools": [{"type": "function", "function": {
        "name": "look", "description": "Looks", "parameters": {"type": "object", "properties": {"at": {"type": "array"}}}}}]
})";

static void run(const std::string & input) {
    const auto source = fuzz::before_zero(input);
    const auto body = fuzz::after_zero(input);
    if (source.empty()) {
        return; // the model's own, and there is none
    }
    try {
        const auto json = common_json::parse(body.empty() ? BODY : body);
        const auto templates = common_chat_templates_init(nullptr, source, "<s>", "</s>");
        common_chat_templates_inputs inputs;
        inputs.messages = common_chat_msgs_parse_oaicompat(json.at("messages"));
        if (json.contains("tools")) {
            inputs.tools = common_chat_tools_parse_oaicompat(json.at("tools"));
        }
        common_chat_templates_apply(templates.get(), inputs);
    } catch (const std::exception &) {
        // as the server does
    }
}

const fuzz::target fuzz::jinja = { "jinja", nullptr, run, nullptr, nullptr };
