#include <cstdio>
#include <cstdlib>

int llama_server(int argc, char ** argv);

static const char * last_words;

// `help` follows what the server prints: upstream ends the process itself behind its own help.
extern "C" int llama_server_main(int argc, char ** argv, const char * help) noexcept {
    if (help) {
        last_words = help;
        std::atexit([] { std::fputs(last_words, stdout); });
    }
    return llama_server(argc, argv);
}
