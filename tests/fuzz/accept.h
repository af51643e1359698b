// Grammars at work.
#pragma once

#include <string>

namespace fuzz {

// Parses `grammar` and takes `text` by it, token by token, as long as it allows that.
void accept(const std::string & grammar, const std::string & text);

} // namespace fuzz
