# One helper for each kind of target, so that every part looks the same.

# How many times longer than plain a test may take: every timeout of CTest and of tests/support/process.h is multiplied by it.
set(TRIBUTARY_PATIENCE 1)
if(TRIBUTARY_SANITIZE OR CMAKE_CROSSCOMPILING_EMULATOR)
    set(TRIBUTARY_PATIENCE 5)
endif()

# tributary_part(<name> [SPEED] [USES part...] [LINKS library...])
# A static library of all *.cpp in this folder. USES are parts its headers may need; LINKS are third-party libraries that only
# its own .cpp files see. SPEED: -O3 also in Release.
function(tributary_part name)
    cmake_parse_arguments(arg "SPEED" "" "USES;LINKS" ${ARGN})
    file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cpp)
    if(NOT sources)
        return()
    endif()
    add_library(${name} STATIC ${sources})
    target_link_libraries(${name} PUBLIC tributary_flags ${arg_USES} PRIVATE ${arg_LINKS})
    # third-party headers are not held to our warnings
    foreach(library ${arg_LINKS})
        if(TARGET ${library})
            target_include_directories(${name} SYSTEM PRIVATE $<TARGET_PROPERTY:${library},INTERFACE_INCLUDE_DIRECTORIES>)
        endif()
    endforeach()
    if(arg_SPEED AND CMAKE_BUILD_TYPE STREQUAL "Release")
        target_compile_options(${name} PRIVATE -O3)
    elseif(arg_SPEED)
        target_compile_options(${name} PRIVATE -O2)
    endif()
endfunction()

# tributary_test(<name> LABEL label [TIMEOUT seconds] COMMAND word...)
# A program as a CTest test. Seconds are those of a plain build.
function(tributary_test name)
    cmake_parse_arguments(arg "" "LABEL;TIMEOUT" "COMMAND" ${ARGN})
    if(NOT arg_TIMEOUT)
        set(arg_TIMEOUT 60)
    endif()
    math(EXPR timeout "${arg_TIMEOUT} * ${TRIBUTARY_PATIENCE}")
    add_test(NAME ${name} COMMAND ${arg_COMMAND})
    set_tests_properties(${name} PROPERTIES LABELS "${arg_LABEL}" TIMEOUT ${timeout})
endfunction()

# tributary_program(<name> SOURCES file... USES part... [LINKS library...])
function(tributary_program name)
    cmake_parse_arguments(arg "" "" "SOURCES;USES;LINKS" ${ARGN})
    add_executable(${name} ${arg_SOURCES})
    target_link_libraries(${name} PRIVATE tributary_flags ${arg_USES} ${arg_LINKS})
    if(CMAKE_BUILD_TYPE STREQUAL "Release") # which part takes how much: tests/footprint
        target_link_options(${name} PRIVATE -Wl,-Map=$<TARGET_FILE:${name}>.map)
    endif()
endfunction()

# tributary_tests(<name> LABEL label [TIMEOUT seconds] USES part...)
# One GoogleTest program of all *.cpp in this folder and one level below; each case is a CTest test named "<label>/Suite.Case".
# A suite whose name begins with "Trust" is about attacks: its cases have the label "trust" as well.
function(tributary_tests name)
    cmake_parse_arguments(arg "" "LABEL;TIMEOUT" "USES" ${ARGN})
    file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cpp ${CMAKE_CURRENT_SOURCE_DIR}/*/*.cpp)
    if(NOT sources)
        return()
    endif()
    if(NOT arg_TIMEOUT)
        set(arg_TIMEOUT 60)
    endif()
    math(EXPR timeout "${arg_TIMEOUT} * ${TRIBUTARY_PATIENCE}")
    add_executable(${name} ${sources})
    target_link_libraries(${name} PRIVATE tributary_flags ${arg_USES} test_support GTest::gmock GTest::gtest_main)
    target_precompile_headers(${name} PRIVATE <gmock/gmock.h> <gtest/gtest.h>)
    gtest_discover_tests(${name} TEST_PREFIX "${arg_LABEL}/" DISCOVERY_TIMEOUT 60
        PROPERTIES LABELS "${arg_LABEL}" TIMEOUT ${timeout})
    # Read by CTest after the list of cases.
    set(trust_labels ${CMAKE_CURRENT_BINARY_DIR}/${name}_trust_labels.cmake)
    file(WRITE ${trust_labels} "foreach(case \${${name}_TESTS})
    if(case MATCHES \"^${arg_LABEL}/Trust\")
        set_tests_properties(\${case} PROPERTIES LABELS \"${arg_LABEL};trust\")
    endif()
endforeach()
")
    set_property(DIRECTORY APPEND PROPERTY TEST_INCLUDE_FILES ${trust_labels})
endfunction()
