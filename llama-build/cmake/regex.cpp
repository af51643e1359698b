// The templates that `std/regex` declares.
#define LLAMA_SYS_REGEX template
#include <regex>
