# Read by CMake right after llama.cpp's own `project()`.

# One name a library: what is built can be copied file by file, and links nothing through symlinks.
set(CMAKE_PLATFORM_NO_VERSIONED_SONAME TRUE)

# ggml asks git for its commit, and gets that of whatever repository the folder of the build lies in.
set(GIT_EXE OFF CACHE FILEPATH "" FORCE)
set(GGML_BUILD_COMMIT "${LLAMA_BUILD_COMMIT}")

# The folder of the build stays out of what is built: `__FILE__` is as seen from CMake's folder, which
# is also what a compiler cache that rewrites paths makes of it.
if (CMAKE_CXX_COMPILER_ID MATCHES "GNU|Clang" AND NOT MSVC)
    get_filename_component(llama_sys_root "${CMAKE_SOURCE_DIR}" DIRECTORY)
    file(RELATIVE_PATH llama_sys_from_build "${CMAKE_BINARY_DIR}" "${llama_sys_root}")
    set(llama_sys_map "-ffile-prefix-map=${llama_sys_root}/=${llama_sys_from_build}")
    add_compile_options(
        "$<$<COMPILE_LANGUAGE:C,CXX,HIP,OBJC,OBJCXX,ASM>:${llama_sys_map}>"
        "$<$<COMPILE_LANGUAGE:CUDA>:-Xcompiler=${llama_sys_map}>")
endif()

# Where these only say `visibility("default")`, which is the default, a static build says it too: a compiler
# cache then has most of a shared build when there was a static one, and the other way round.
if (NOT WIN32 AND NOT BUILD_SHARED_LIBS)
    add_compile_definitions(GGML_SHARED "$<$<NOT:$<BOOL:$<TARGET_PROPERTY:LLAMA_SYS_KERNELS>>>:LLAMA_SHARED>")
endif()

# The targets whose name says so hold compute kernels.
cmake_language(DEFER CALL llama_sys_mark_kernels)

# A program that parses strangers' files and requests guards its stack, its buffers and where it jumps to: all but
# the compute kernels, where guards cost time. What the user's own flags name is the user's.
function(llama_sys_guard)
    include(CheckCXXCompilerFlag)
    include(CheckCXXSourceCompiles)
    set(named "${CMAKE_C_FLAGS} ${CMAKE_CXX_FLAGS}")
    set(guards)
    foreach (guard -fstack-protector-strong -fcf-protection -mbranch-protection=standard)
        string(REGEX REPLACE "^-.([a-z]+-protect(or|ion)).*" "\\1" name "${guard}")
        string(MAKE_C_IDENTIFIER "llama_sys_has_${name}" has)
        check_cxx_compiler_flag(${guard} ${has})
        if (${has} AND NOT named MATCHES "${name}")
            list(APPEND guards ${guard})
        endif()
    endforeach()
    # Sanitizers watch the plain functions instead. Level 3 came with glibc 2.34.
    if (NOT named MATCHES "_FORTIFY_SOURCE|-fsanitize"
            AND NOT LLAMA_SANITIZE_ADDRESS AND NOT LLAMA_SANITIZE_THREAD AND NOT LLAMA_SANITIZE_UNDEFINED)
        set(CMAKE_REQUIRED_FLAGS "-O2 -Werror -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3")
        check_cxx_source_compiles("#include <stdio.h>\nint main() {}" llama_sys_has_fortify_3)
        set(level 2)
        if (llama_sys_has_fortify_3)
            set(level 3)
        endif()
        list(APPEND guards $<$<NOT:$<CONFIG:Debug>>:-U_FORTIFY_SOURCE>)
        list(APPEND guards $<$<NOT:$<CONFIG:Debug>>:-D_FORTIFY_SOURCE=${level}>)
    endif()
    set(no_kernels "$<NOT:$<BOOL:$<TARGET_PROPERTY:LLAMA_SYS_KERNELS>>>")
    foreach (guard IN LISTS guards)
        add_compile_options("$<$<AND:$<COMPILE_LANGUAGE:C,CXX>,${no_kernels}>:${guard}>")
    endforeach()
    add_link_options(-Wl,-z,relro,-z,now,-z,noexecstack)
endfunction()

if (CMAKE_SYSTEM_NAME STREQUAL "Linux" AND CMAKE_CXX_COMPILER_ID MATCHES "GNU|Clang")
    llama_sys_guard()
endif()

# What is compiled for this very processor says so in its command: neither Ninja nor a compiler cache, in a home that
# several machines share, takes what another processor's was compiled to.
if (GGML_NATIVE AND CMAKE_CXX_COMPILER_ID MATCHES "GNU|Clang" AND NOT MSVC)
    set(llama_sys_empty "${CMAKE_BINARY_DIR}/llama-sys-empty.cpp")
    file(WRITE "${llama_sys_empty}" "")
    set(llama_sys_tune -march=native)
    if (CMAKE_SYSTEM_PROCESSOR MATCHES "^(aarch64|arm64)")
        set(llama_sys_tune -mcpu=native)
    endif()
    execute_process(COMMAND "${CMAKE_CXX_COMPILER}" ${llama_sys_tune} -dM -E "${llama_sys_empty}"
        OUTPUT_VARIABLE llama_sys_cpu ERROR_QUIET)
    string(MD5 llama_sys_cpu "${llama_sys_cpu}")
    add_compile_options("$<$<BOOL:$<TARGET_PROPERTY:LLAMA_SYS_KERNELS>>:-frandom-seed=${llama_sys_cpu}>")
endif()

# A program that links what Rust programs link. It is never built: CMake's File API tells its link
# line, in order and with every system library, which static libraries alone do not have.
cmake_language(DEFER CALL llama_sys_add_link_probe)

# Upstream compiles libllama's sources several at a time; its other large libraries take half as long that way.
# Not with `CMAKE_UNITY_BUILD=OFF`, which a tree in `LLAMA_SYS_SOURCE_DIR` gets: other sources may not bear it.
if (CMAKE_SYSTEM_NAME STREQUAL "Linux" AND NOT DEFINED CMAKE_UNITY_BUILD)
    cmake_language(DEFER CALL llama_sys_unite llama-common 8 json.cpp)
    cmake_language(DEFER CALL llama_sys_unite mtmd 8 mtmd-helper.cpp mtmd-helper-gen.cpp)
    cmake_language(DEFER CALL llama_sys_unite server-context 4)
    cmake_language(DEFER CALL llama_sys_unite llama-server-impl 4)
endif()

# GCC makes the same code of a source for several CPU variants: one of them compiles it.
if (CMAKE_SYSTEM_NAME STREQUAL "Linux" AND "${CMAKE_C_COMPILER_ID} ${CMAKE_CXX_COMPILER_ID}" STREQUAL "GNU GNU"
        AND NOT DEFINED CMAKE_UNITY_BUILD)
    cmake_language(DEFER CALL llama_sys_share_cpu_objects)
endif()

# Nobody links the library of a CPU variant, which is loaded: what its two entry points do not reach can go,
# a tenth of each. One executable with all variants makes an object of each instead, by the same compiler commands.
if (CMAKE_SYSTEM_NAME STREQUAL "Linux")
    cmake_language(DEFER CALL llama_sys_shrink_cpu_variants)
    # A deferred call sees the folder of who defers it no more.
    set(llama_sys_cpu_variants "${CMAKE_CURRENT_LIST_DIR}/cpu-variants.cpp.in")
    cmake_language(DEFER CALL llama_sys_embed_cpu_variants "${llama_sys_cpu_variants}")
endif()

# Whoever links the library of `llama-quantize` has llama.cpp's planner with it.
set(llama_sys_folder "${CMAKE_CURRENT_LIST_DIR}")
cmake_language(DEFER CALL llama_sys_add_planner "${llama_sys_folder}")

# A dozen sources use regular expressions. One object has libstdc++'s code for them.
if (CMAKE_SYSTEM_NAME STREQUAL "Linux" AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    cmake_language(DEFER CALL llama_sys_share_regex "${llama_sys_folder}")
endif()

# Targets of the workspace's own that need llama.cpp's (`cargo xtask fuzz`).
if (LLAMA_SYS_ALSO)
    cmake_language(DEFER CALL include "${LLAMA_SYS_ALSO}")
endif()

function(llama_sys_add_link_probe)
    file(WRITE "${CMAKE_BINARY_DIR}/llama-sys-link.cpp" "int main() {}\n")
    add_executable(llama-sys-link EXCLUDE_FROM_ALL "${CMAKE_BINARY_DIR}/llama-sys-link.cpp")
    target_link_libraries(llama-sys-link PRIVATE llama)
    # Upstream has it with every tool; it is built where it was asked for or the server needs it.
    if (TARGET mtmd AND (LLAMA_BUILD_MTMD OR LLAMA_BUILD_SERVER))
        target_link_libraries(llama-sys-link PRIVATE mtmd)
    endif()
endfunction()

function(llama_sys_add_planner folder)
    if (TARGET llama-quantize-impl AND TARGET mtmd)
        foreach (file IN ITEMS planner.cpp planner-answer.cpp planner-devices.cpp)
            target_sources(llama-quantize-impl PRIVATE "${folder}/${file}")
        endforeach()
        target_include_directories(llama-quantize-impl PRIVATE "${CMAKE_SOURCE_DIR}/src" "${CMAKE_SOURCE_DIR}/common")
        target_link_libraries(llama-quantize-impl PRIVATE llama-common mtmd)
    endif()
endfunction()

# Nothing happens where a libstdc++ of tomorrow names its templates otherwise.
function(llama_sys_share_regex folder)
    include(CheckCXXSourceCompiles)
    set(CMAKE_REQUIRED_FLAGS -std=c++17)
    set(CMAKE_REQUIRED_INCLUDES "${folder}/std")
    check_cxx_source_compiles("#include \"${folder}/regex.cpp\"\nint main() {}" llama_sys_has_regex)
    if (llama_sys_has_regex)
        add_library(llama-sys-regex OBJECT EXCLUDE_FROM_ALL "${folder}/regex.cpp")
        target_include_directories(llama-sys-regex BEFORE PRIVATE "${folder}/std")
        target_compile_features(llama-sys-regex PRIVATE cxx_std_17)
        set_target_properties(llama-sys-regex PROPERTIES POSITION_INDEPENDENT_CODE ON)
        foreach (target IN ITEMS llama llama-common cpp-httplib server-context llama-server-impl ggml-rpc-server)
            if (TARGET ${target})
                target_include_directories(${target} BEFORE PRIVATE "${folder}/std")
                target_sources(${target} PRIVATE $<TARGET_OBJECTS:llama-sys-regex>)
            endif()
        endforeach()
    endif()
endfunction()

function(llama_sys_cpu_targets result)
    set(targets)
    if (NOT LLAMA_USE_SYSTEM_GGML)
        get_property(targets DIRECTORY "${CMAKE_SOURCE_DIR}/ggml/src" PROPERTY BUILDSYSTEM_TARGETS)
        list(FILTER targets INCLUDE REGEX "^ggml-cpu")
    endif()
    set(${result} "${targets}" PARENT_SCOPE)
endfunction()

function(llama_sys_mark_kernels)
    llama_sys_cpu_targets(targets)
    set_property(TARGET ${targets} PROPERTY LLAMA_SYS_KERNELS ON)
endfunction()

# Sources use the newest instructions of x86 by intrinsics, under a macro of the compiler: a source without the macro is
# the same code with and without the option. The first variant compiles it; those that differ in such options alone take
# its object. A test compiles all of them and compares the code.
function(llama_sys_share_cpu_objects)
    set(newest "^-m(avx512(bf16|vbmi|vnni)|avxvnni|amx-[a-z0-9]+)$")
    # GCC itself finds a use for them in its loops over integers.
    set(alone ggml-cpu/quants.c)
    llama_sys_cpu_targets(targets)
    list(FILTER targets EXCLUDE REGEX "-feats$")
    foreach (target IN LISTS targets)
        get_target_property(sources ${target} SOURCES)
        get_target_property(options ${target} COMPILE_OPTIONS)
        foreach (source IN LISTS sources)
            if (source MATCHES "\\.(c|cpp)$" AND NOT source IN_LIST alone)
                if (NOT DEFINED "text_${source}")
                    file(READ "${CMAKE_SOURCE_DIR}/ggml/src/${source}" "text_${source}")
                    string(REPLACE "_" "" "text_${source}" "${text_${source}}")
                endif()
                set(key "${source}")
                foreach (option IN LISTS options)
                    string(REGEX REPLACE "^-m|-" "" macro "${option}")
                    string(TOUPPER "${macro}" macro)
                    if (NOT option MATCHES "${newest}" OR "${text_${source}}" MATCHES "${macro}")
                        string(APPEND key " ${option}")
                    endif()
                endforeach()
                if (DEFINED "owner_${key}")
                    llama_sys_take_object(${target} "${source}" "${owner_${key}}")
                else()
                    set("owner_${key}" ${target})
                endif()
            endif()
        endforeach()
    endforeach()
endfunction()

# Puts the object that `owner` makes of `source` into `target`, in place of the source.
function(llama_sys_take_object target source owner)
    set(object "$<FILTER:$<TARGET_OBJECTS:${owner}>,INCLUDE,/${source}.o$>")
    get_target_property(sources ${target} SOURCES)
    list(REMOVE_ITEM sources "${source}")
    set_property(TARGET ${target} PROPERTY SOURCES "${sources}")
    get_target_property(type ${target} TYPE)
    if (type STREQUAL "OBJECT_LIBRARY")
        set_property(TARGET ${target} APPEND PROPERTY LLAMA_SYS_OBJECTS "${object}")
    else()
        target_sources(${target} PRIVATE "${object}")
    endif()
endfunction()

function(llama_sys_shrink_cpu_variants)
    llama_sys_cpu_targets(targets)
    foreach (target IN LISTS targets)
        get_target_property(type ${target} TYPE)
        if (type MATCHES "(MODULE|OBJECT)_LIBRARY" AND NOT target MATCHES "-feats$")
            set_target_properties(${target} PROPERTIES DEFINE_SYMBOL ""
                C_VISIBILITY_PRESET hidden CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON)
            target_compile_options(${target} PRIVATE -ffunction-sections -fdata-sections
                $<$<COMPILE_LANG_AND_ID:CXX,GNU>:-fno-gnu-unique>)
        endif()
        if (type STREQUAL "MODULE_LIBRARY")
            target_link_options(${target} PRIVATE -Wl,--gc-sections)
        endif()
    endforeach()
endfunction()

# One object of each variant, in which only two symbols are global: variants share none, and nothing that is compiled
# for one processor is used by the rest of the program. Its code keeps a section of its own in the executable, by which
# anybody can tell what is for which processor; the test of the processor is in the section of everybody's code.
function(llama_sys_embed_cpu_variants template)
    set(objects)
    set(variants)
    llama_sys_cpu_targets(targets)
    llama_sys_find_linker(linker)
    find_program(LLAMA_SYS_OBJCOPY NAMES "${CMAKE_OBJCOPY}" objcopy llvm-objcopy)
    foreach (target IN LISTS targets)
        get_target_property(type ${target} TYPE)
        if (type STREQUAL "OBJECT_LIBRARY" AND TARGET ${target}-feats)
            llama_sys_embed_cpu_variant(${target} object id)
            list(APPEND objects "${object}")
            string(APPEND variants "X(${id}) ")
        endif()
    endforeach()
    if (variants)
        if (NOT linker OR NOT LLAMA_SYS_OBJCOPY)
            message(FATAL_ERROR "one file with all CPU variants needs objcopy and a linker that knows "
                "--force-group-allocation, GNU's or LLVM's from 19 on: install binutils, or build with backend-dl")
        endif()
        configure_file("${template}" cpu-variants.cpp @ONLY)
        set_source_files_properties(${objects} PROPERTIES EXTERNAL_OBJECT ON)
        add_library(ggml-cpu STATIC ${objects} "${CMAKE_BINARY_DIR}/cpu-variants.cpp")
        target_include_directories(ggml-cpu PRIVATE "${CMAKE_SOURCE_DIR}/ggml/src")
        target_compile_features(ggml-cpu PRIVATE cxx_std_17)
        target_link_libraries(ggml-cpu PUBLIC ggml-base)
        target_link_libraries(ggml PUBLIC ggml-cpu)
    endif()
endfunction()

# One that can dissolve groups of sections: what is left in a group could be another object's in the end.
function(llama_sys_find_linker result)
    set(${result} "" PARENT_SCOPE)
    foreach (linker "${CMAKE_LINKER}" ld ld.lld)
        execute_process(COMMAND "${linker}" --help OUTPUT_VARIABLE help ERROR_QUIET)
        if (help MATCHES "--force-group-allocation")
            set(${result} "${linker}" PARENT_SCOPE)
            return()
        endif()
    endforeach()
endfunction()

function(llama_sys_embed_cpu_variant target object id)
    string(REGEX REPLACE "^ggml-cpu-" "" name ${target})
    string(MAKE_C_IDENTIFIER "${name}" name)
    set(out "${CMAKE_BINARY_DIR}/ggml-cpu-${name}.o")
    set(init ggml_backend_cpu_${name}_init)
    set(score ggml_backend_cpu_${name}_score)
    # Of an inline function the first definition is kept: the test of the processor comes first.
    get_property(shared TARGET ${target} PROPERTY LLAMA_SYS_OBJECTS)
    set(inputs $<TARGET_OBJECTS:${target}-feats> $<TARGET_OBJECTS:${target}> ${shared})
    set(all_but_test "EXCLUDE_FILE(*cpu-feats.cpp.o)")
    file(CONFIGURE OUTPUT "${out}.ld" @ONLY
        CONTENT "SECTIONS { .cpu.@name@ : { *(@all_but_test@ .text @all_but_test@ .text.*) } }\n")
    # GNU's objcopy keeps symbols by their new names, LLVM's by their old ones.
    set(entries ggml_backend_init ggml_backend_score ${init} ${score})
    list(TRANSFORM entries PREPEND --keep-global-symbol=)
    add_custom_command(OUTPUT "${out}"
        COMMAND "${linker}" -r --force-group-allocation --gc-sections -u ggml_backend_init -u ggml_backend_score
            -T "${out}.ld" -o "${out}.in" ${inputs}
        COMMAND "${LLAMA_SYS_OBJCOPY}" --redefine-sym=ggml_backend_init=${init}
            --redefine-sym=ggml_backend_score=${score} ${entries} "${out}.in" "${out}"
        DEPENDS ${inputs} "${out}.ld" COMMAND_EXPAND_LISTS VERBATIM)
    set(${object} "${out}" PARENT_SCOPE)
    set(${id} ${name} PARENT_SCOPE)
endfunction()

# The sources that are named last are compiled alone: they do not bear the others' declarations.
function(llama_sys_unite target batch)
    if (TARGET ${target})
        set_target_properties(${target} PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE ${batch})
        get_target_property(folder ${target} SOURCE_DIR)
        list(TRANSFORM ARGN PREPEND "${folder}/")
        set_property(SOURCE ${ARGN} TARGET_DIRECTORY ${target} PROPERTY SKIP_UNITY_BUILD_INCLUSION ON)
    endif()
endfunction()
