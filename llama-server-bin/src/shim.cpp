#include <cstdio>
#include <cstdlib>
#include <exception>
#include <system_error>

int llama_server(int argc, char ** argv);

static const char * last_words;

// `help` follows what the server prints: upstream ends the process itself behind its own help.
extern "C" int llama_server_main(int argc, char ** argv, const char * help) noexcept {
    if (help) {
        last_words = help;
        std::atexit([] { std::fputs(last_words, stdout); });
    }
    try {
        return llama_server(argc, argv);
    } catch (const std::system_error & error) {
        if (error.code() != std::errc::resource_unavailable_try_again) {
            std::terminate(); // ends as upstream ends
        }
        std::fprintf(stderr,
                     "error: cannot start a thread: %s\n"
                     "  hint: raise the limit of processes: docker run --pids-limit, ulimit -u\n",
                     error.what());
        std::_Exit(1);
    }
}
