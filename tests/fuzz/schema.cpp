// A JSON schema of a request, which becomes a grammar, which is used.

#include "accept.h"
#include "target.h"

#include "json-schema-to-grammar.h"
#include "json.h"

static void run(const std::string & input) {
    std::string grammar;
    try {
        grammar = json_schema_to_grammar(common_json::parse(fuzz::before_zero(input)));
    } catch (const std::exception &) {
        return;
    }
    fuzz::accept(grammar, fuzz::after_zero(input));
}

const fuzz::target fuzz::schema = { "schema", nullptr, run, nullptr, nullptr };
