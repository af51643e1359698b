// Grammars at work: parsed, asked which tokens may come, told which came.

#include "accept.h"
#include "target.h"

#include "common.h"
#include "llama.h"

#include <cmath>
#include <stdexcept>
#include <vector>

static const size_t MAX_TOKENS = 6;

void fuzz::accept(const std::string & grammar, const std::string & text) {
    const llama_vocab * vocab = demo_vocab();
    llama_sampler * sampler = llama_sampler_init_grammar(vocab, grammar.c_str(), "root");
    if (!sampler) {
        return;
    }
    auto tokens = common_tokenize(vocab, text.empty() ? "{\"a\": [1, null]}" : text, false, true);
    tokens.resize(std::min(tokens.size(), MAX_TOKENS));
    try {
        for (const auto token : tokens) {
            std::vector<llama_token_data> candidates;
            for (llama_token id = 0; id < llama_vocab_n_tokens(vocab); id++) {
                candidates.push_back({ id, 0.0f, 0.0f });
            }
            llama_token_data_array array = { candidates.data(), candidates.size(), -1, false };
            llama_sampler_apply(sampler, &array);
            if (std::isinf(candidates[token].logit)) {
                break;
            }
            llama_sampler_accept(sampler, token);
        }
    } catch (const std::exception &) {
        // as the server does
    }
    llama_sampler_free(sampler);
}
