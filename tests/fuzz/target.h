// What each fuzzed target is, and what all of them share.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <string>

struct llama_model;
struct llama_vocab;

namespace fuzz {

// A way of a stranger's bytes into the server. The program is called by the target's name.
struct target {
    const char * name;
    // Once, before the first input; may be null.
    void (*start)();
    // One input. Whatever it is, this returns; exceptions that the server catches are caught here.
    void (*run)(const std::string & input);
    // Changes `data` in place, of at most `max_size` bytes, and returns its new size; null for bytes at random.
    size_t (*mutate)(uint8_t * data, size_t size, size_t max_size, unsigned seed);
    // Inputs to begin with that are made, not kept: one a call, empty after the last; may be null.
    std::string (*seed)(size_t index);
};

// By their names; most have a file of that name.
extern const target gguf, grammar, lora, media, mmproj, model, output, request, schema, slot, state, jinja;

// The demo model: its vocabulary alone, or all of it.
llama_model * demo_model(bool vocab_only);
const llama_vocab * demo_vocab();
// Where it is.
const char * demo_path();

// The text before the first zero byte of `input`, and the text after it.
std::string before_zero(const std::string & input);
std::string after_zero(const std::string & input);

// A file in memory that holds `bytes`, then zeros up to `size`.
struct memory_file {
    FILE * file;
    std::string path;
    explicit memory_file(const std::string & bytes, size_t size = 0);
    ~memory_file();
    memory_file(const memory_file &) = delete;
};

// While one lives, an assertion that fails throws. What is loaded when the server starts may fail one: the server then
// ends with a sentence, as for every other file that cannot be loaded.
struct assertions_throw {
    assertions_throw();
    ~assertions_throw();
    assertions_throw(const assertions_throw &) = delete;
};

} // namespace fuzz
