# Read at the end of llama.cpp's own CMakeLists.txt when `cargo xtask fuzz` builds it: one program of our targets and
# all that `llama-server` is made of.
file(GLOB fuzz_sources CONFIGURE_DEPENDS "${CMAKE_CURRENT_LIST_DIR}/*.cpp")
get_filename_component(fuzz_root "${CMAKE_CURRENT_LIST_DIR}/../.." ABSOLUTE)
add_executable(llama-fuzz EXCLUDE_FROM_ALL ${fuzz_sources})
target_compile_definitions(llama-fuzz PRIVATE "FUZZ_ROOT=\"${fuzz_root}\"")
target_link_libraries(llama-fuzz PRIVATE llama-server-impl server-context llama-common mtmd llama)
target_link_options(llama-fuzz PRIVATE -fsanitize=fuzzer)

# Kernels parse nothing and compute most: they are optimised, and keep what sees a wrong address.
target_compile_options(ggml-cpu PRIVATE -O1 -fno-sanitize=undefined,fuzzer-no-link)

# The decoders of sound and images compute samples in integers that wrap around, on purpose or not: no address depends on
# them. What reads or writes outside of a buffer is still found.
set_property(SOURCE "${CMAKE_CURRENT_SOURCE_DIR}/tools/mtmd/mtmd-helper.cpp" TARGET_DIRECTORY mtmd
    APPEND PROPERTY COMPILE_OPTIONS -fno-sanitize=signed-integer-overflow,shift,float-cast-overflow)
