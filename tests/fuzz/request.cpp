// The server itself, asked through a socket. `request` is a whole HTTP request: parser, routes, JSON, multipart, tasks,
// generation; `Content-Length` is put right unless the input names it. `slot` is the file of a saved slot.

#include "target.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <thread>
#include <vector>

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int llama_server(int argc, char ** argv);

// Who is not answered in this time hangs up, as clients do.
static const auto PATIENCE = std::chrono::milliseconds(2000);

static std::string directory;

static int connect_to_server() {
    sockaddr_un address = {};
    address.sun_family = AF_UNIX;
    const std::string path = directory + "/server.sock";
    memcpy(address.sun_path, path.c_str(), path.size() + 1);
    const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    if (fd >= 0 && connect(fd, (const sockaddr *) &address, sizeof(address)) == 0) {
        return fd;
    }
    close(fd);
    return -1;
}

// What comes back until the server closes the connection or time is up.
static std::string ask(const std::string & request) {
    const int fd = connect_to_server();
    if (fd < 0) {
        return "";
    }
    std::string answer;
    if (send(fd, request.data(), request.size(), MSG_NOSIGNAL) == (ssize_t) request.size()) {
        const auto end = std::chrono::steady_clock::now() + PATIENCE;
        for (char buffer[65536];;) {
            const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end - std::chrono::steady_clock::now());
            pollfd waiting = { fd, POLLIN, 0 };
            if (left.count() <= 0 || poll(&waiting, 1, left.count()) <= 0) {
                break;
            }
            const ssize_t n = recv(fd, buffer, sizeof(buffer), 0);
            if (n <= 0) {
                break;
            }
            answer.append(buffer, n);
        }
    }
    close(fd);
    return answer;
}

static bool answers(const char * path) {
    const std::string request = std::string("GET ") + path + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    return ask(request).rfind("HTTP/1.1 200", 0) == 0;
}

static void serve() {
    static std::vector<std::string> words = {
        "llama-server", "-m", fuzz::demo_path(), "--host", directory + "/server.sock", "--slot-save-path", directory + "/slots/",
        "-c", "512", "-np", "2", "-t", "1", "--threads-http", "2", "-n", "8", "--no-warmup", "--metrics", "--props", "--no-ui",
        "--cache-ram", "1", "--offline",
    };
    if (getenv("LLAMA_FUZZ_VERBOSE") == nullptr) {
        words.push_back("--log-disable");
    }
    std::vector<char *> argv;
    for (auto & word : words) {
        argv.push_back(&word[0]);
    }
    std::thread([argv]() mutable {
        llama_server(argv.size(), argv.data());
        abort(); // nobody told it to end
    }).detach();
}

static void start() {
    directory = std::filesystem::temp_directory_path() / "llama-fuzz-XXXXXX";
    if (!mkdtemp(&directory[0])) {
        throw std::runtime_error("no temporary folder");
    }
    std::filesystem::create_directory(directory + "/slots");
    // The server's threads never end; what they use must not be torn down beneath them.
    atexit([] {
        std::filesystem::remove_all(directory);
        _exit(0);
    });
    serve();
    while (!answers("/health")) {
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
}

// Ends the head of `input` as HTTP wants it; a line feed alone ends a line too, so that inputs are easy to write.
static std::string request_of(const std::string & input) {
    size_t end = input.find("\n\n");
    const std::string head = input.substr(0, end);
    const std::string body = end == std::string::npos ? "" : input.substr(end + 2);
    std::string request;
    for (const char c : head) {
        request += c == '\n' ? "\r\n" : std::string(1, c);
    }
    request += "\r\nConnection: close\r\n";
    if (head.find("Content-Length") == std::string::npos && head.find("Transfer-Encoding") == std::string::npos) {
        request += "Content-Length: " + std::to_string(body.size()) + "\r\n";
    }
    return request + "\r\n" + body;
}

static void run(const std::string & input) {
    ask(request_of(input));
    // Whatever that was, the server goes on: libFuzzer's own time-out is the end of patience.
    while (!answers("/slots")) {
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
}

static std::string post(const std::string & path, const std::string & body) {
    return ask(request_of("POST " + path + " HTTP/1.1\nHost: x\n\n" + body));
}

static void run_slot(const std::string & input) {
    std::ofstream(directory + "/slots/input", std::ios::binary) << input;
    post("/slots/0?action=restore", R"({"filename": "input"})");
    run("POST /completion HTTP/1.1\nHost: x\n\n" R"({"prompt": "Hello you", "n_predict": 1, "id_slot": 0})");
}

static std::string seed_slot(size_t index) {
    if (index > 0) {
        return "";
    }
    start();
    post("/completion", R"({"prompt": "Hello", "n_predict": 1, "id_slot": 0})");
    post("/slots/0?action=save", R"({"filename": "seed"})");
    std::ostringstream bytes;
    bytes << std::ifstream(directory + "/slots/seed", std::ios::binary).rdbuf();
    return bytes.str();
}

const fuzz::target fuzz::slot = { "slot", start, run_slot, nullptr, seed_slot };
const fuzz::target fuzz::request = { "request", start, run, nullptr, nullptr };
