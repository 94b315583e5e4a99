# How every target of ours is built: language, warnings, sanitizers, where it lands.

set(CMAKE_C_STANDARD 11)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS ON) # _GNU_SOURCE interfaces of Linux: memfd, pidfd, accept4
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
set(CMAKE_LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/lib)
set(CMAKE_ARCHIVE_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/lib)

find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
foreach(pair IN ITEMS "NGHTTP2 libnghttp2" "UV libuv" "ZMQ libzmq" "OPENSSL openssl" "MHD libmicrohttpd"
                      "YAML yaml-0.1" "PROTOBUF_C libprotobuf-c" "JANSSON jansson" "CMOCKA cmocka"
                      "ZLIB zlib" "SQLITE sqlite3" "CURL libcurl" "LUA lua5.4")
    separate_arguments(pair)
    list(GET pair 0 var)
    list(GET pair 1 module)
    pkg_check_modules(${var} REQUIRED IMPORTED_TARGET ${module})
endforeach()

add_library(sluice_flags INTERFACE)
target_compile_definitions(sluice_flags INTERFACE _GNU_SOURCE SLUICE_VERSION="${PROJECT_VERSION}")
target_compile_options(sluice_flags INTERFACE -fno-omit-frame-pointer)
if(SLUICE_SANITIZE)
    target_compile_options(sluice_flags INTERFACE -fsanitize=${SLUICE_SANITIZE} -fno-sanitize-recover=all)
    target_link_options(sluice_flags INTERFACE -fsanitize=${SLUICE_SANITIZE})
endif()
if(SLUICE_COVERAGE)
    target_compile_options(sluice_flags INTERFACE --coverage)
    target_link_options(sluice_flags INTERFACE --coverage)
endif()
if(SLUICE_FUZZ)
    target_compile_options(sluice_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()

add_library(sluice_warnings INTERFACE)
target_compile_options(sluice_warnings INTERFACE
    -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Werror
    $<$<C_COMPILER_ID:GNU>:-Wno-format-truncation>) # texts are cut at their maximum on purpose

# sluice_library(NAME SOURCES a.c b.c DEPS lib ... [PRIVATE_DEPS lib ...])
# A static library of one folder; its headers are seen by those who link it.
function(sluice_library name)
    cmake_parse_arguments(ARG "" "" "SOURCES;DEPS;PRIVATE_DEPS" ${ARGN})
    add_library(${name} STATIC ${ARG_SOURCES})
    target_include_directories(${name} PUBLIC ${CMAKE_CURRENT_SOURCE_DIR})
    target_link_libraries(${name} PUBLIC sluice_flags ${ARG_DEPS} PRIVATE sluice_warnings ${ARG_PRIVATE_DEPS})
endfunction()

# sluice_program(NAME SOURCES ... DEPS ...)
function(sluice_program name)
    cmake_parse_arguments(ARG "" "" "SOURCES;DEPS" ${ARGN})
    add_executable(${name} ${ARG_SOURCES})
    target_include_directories(${name} PRIVATE ${CMAKE_CURRENT_SOURCE_DIR})
    target_link_libraries(${name} PRIVATE sluice_flags sluice_warnings ${ARG_DEPS})
endfunction()

# sluice_unit_test(test_x DEPS lib ... [SOURCES helper.c ...]): one cmocka program from test_x.c
function(sluice_unit_test name)
    cmake_parse_arguments(ARG "" "" "SOURCES;DEPS" ${ARGN})
    add_executable(${name} ${name}.c ${ARG_SOURCES})
    set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
    target_link_libraries(${name} PRIVATE sluice_flags sluice_warnings ${ARG_DEPS} PkgConfig::CMOCKA)
    add_test(NAME ${name} COMMAND ${name})
    set_tests_properties(${name} PROPERTIES TIMEOUT 120 LABELS unit)
endfunction()

# sluice_fuzz_target(fuzz_x DEPS lib ...): one libFuzzer program from fuzz_x.c; without SLUICE_FUZZ the
# same source is built with a main that replays a corpus, so that every build runs it.
function(sluice_fuzz_target name)
    cmake_parse_arguments(ARG "" "" "SOURCES;DEPS" ${ARGN})
    add_executable(${name} ${name}.c ${ARG_SOURCES})
    set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/fuzz)
    if(NOT TARGET fuzzers) # all of them and nothing else
        add_custom_target(fuzzers)
    endif()
    add_dependencies(fuzzers ${name})
    target_link_libraries(${name} PRIVATE sluice_flags sluice_warnings ${ARG_DEPS})
    if(SLUICE_FUZZ)
        target_link_options(${name} PRIVATE -fsanitize=fuzzer)
    else()
        target_sources(${name} PRIVATE ${CMAKE_SOURCE_DIR}/tests/fuzz/replay_main.c)
        add_test(NAME ${name} COMMAND ${name} ${CMAKE_SOURCE_DIR}/tests/fuzz/corpus/${name})
        set_tests_properties(${name} PROPERTIES TIMEOUT 120 LABELS fuzz)
    endif()
endfunction()
