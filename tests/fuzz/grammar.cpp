// A grammar of a request, and after a zero byte the text that the model says under it.

#include "accept.h"
#include "target.h"

static void run(const std::string & input) {
    fuzz::accept(fuzz::before_zero(input), fuzz::after_zero(input));
}

const fuzz::target fuzz::grammar = { "grammar", nullptr, run, nullptr, nullptr };
