int llama_server(int argc, char ** argv);

extern "C" int llama_server_main(int argc, char ** argv) noexcept { return llama_server(argc, argv); }
