// GGUF files as they lie on disk: taken apart, changed in one place, and put together again. Bytes at random seldom
// get past the first length.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace fuzz {

struct gguf_bytes {
    struct pair {
        std::string key;
        uint32_t type;
        std::string value; // as stored
    };
    struct tensor {
        std::string name;
        std::vector<uint64_t> shape;
        uint32_t type;
        uint64_t offset;
    };

    uint32_t version = 3;
    std::vector<pair> pairs;
    std::vector<tensor> tensors;
    std::string rest;

    // False for what is no GGUF file, or a broken one.
    bool parse(const std::string & bytes);
    std::string bytes() const;
    // How long the file is with the data of all tensors, or 0 if that is more than `limit`.
    size_t whole_size(size_t limit) const;
};

// A mutator of libFuzzer's.
size_t mutate_gguf(uint8_t * data, size_t size, size_t max_size, unsigned seed);

} // namespace fuzz
