# Adds a program that links what Rust programs link. It is never built: CMake's File API tells its
# link line, in order and with every system library, which static libraries alone do not have.
cmake_language(DEFER CALL llama_sys_add_link_probe)

function(llama_sys_add_link_probe)
    file(WRITE "${CMAKE_BINARY_DIR}/llama-sys-link.cpp" "int main() {}\n")
    add_executable(llama-sys-link EXCLUDE_FROM_ALL "${CMAKE_BINARY_DIR}/llama-sys-link.cpp")
    target_link_libraries(llama-sys-link PRIVATE llama)
    if (TARGET mtmd)
        target_link_libraries(llama-sys-link PRIVATE mtmd)
    endif()
endfunction()
