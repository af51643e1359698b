int llama_quantize(int argc, char ** argv);
int llama_estimate(int argc, char ** argv);

extern "C" int llama_quantize_main(int argc, char ** argv) noexcept { return llama_quantize(argc, argv); }
extern "C" int llama_estimate_main(int argc, char ** argv) noexcept { return llama_estimate(argc, argv); }
