# What every target of the project is built with. Nothing here reaches a project that embeds deprov,
# except through DEPROV_SANITIZE, which is for the whole tree or for nothing.

if(DEPROV_TOP_LEVEL)
  if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
    set(CMAKE_BUILD_TYPE Release CACHE STRING "Build type" FORCE)
  endif()
  set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
  # Worktrees of one repository share their objects: paths below the root are hashed as relative ones. Where everything
  # is built below one root it is left out, since relative paths are not the same in build trees of other depths: the
  # consumer tests and pip find what was compiled before. Nor does the language of messages change an object, and
  # ctest sets it for what it builds.
  find_program(DEPROV_CCACHE ccache)
  mark_as_advanced(DEPROV_CCACHE)
  if(DEPROV_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
    set(CMAKE_CXX_COMPILER_LAUNCHER
      "${CMAKE_COMMAND};-E;env;CCACHE_NOHASHDIR=true;CCACHE_SLOPPINESS=locale;${DEPROV_CCACHE}")
    if(NOT DEFINED ENV{CI})
      list(INSERT CMAKE_CXX_COMPILER_LAUNCHER 3 "CCACHE_BASEDIR=${PROJECT_SOURCE_DIR}")
    endif()
  endif()
endif()

# Some fifty programs of tests are linked with debug information: lld takes a fifth of the time of the usual linker. What
# is shipped is linked by the usual one.
if(DEPROV_TOP_LEVEL AND CMAKE_BUILD_TYPE STREQUAL "Debug")
  include(CheckLinkerFlag)
  check_linker_flag(CXX -fuse-ld=lld DEPROV_HAS_LLD)
  if(DEPROV_HAS_LLD)
    add_link_options(-fuse-ld=lld)
  endif()
endif()

if(DEPROV_SANITIZE)
  set(deprov_sanitize_flags -fsanitize=${DEPROV_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  add_compile_options(${deprov_sanitize_flags})
  add_link_options(${deprov_sanitize_flags})
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # Instrumented code makes GCC see uninitialised values where there are none (a documented limitation);
    # and it warns of fences inside Boost, which TSan does not model.
    add_compile_options(-Wno-maybe-uninitialized)
    if(DEPROV_SANITIZE MATCHES "thread")
      add_compile_options(-Wno-tsan)
    endif()
  endif()
endif()

# DEPROV_PCH: OFF, TESTS (of the tests alone: what is shipped shows where it includes too little), or ON (everything).
# One header for all targets of a kind, which all have the same kind of position-independent code for its sake.
set(deprov_pch_headers
  <algorithm> <array> <atomic> <chrono> <condition_variable> <cstdint> <deque> <filesystem> <fstream> <functional>
  <future> <iostream> <map> <memory> <mutex> <optional> <random> <set> <span> <sstream> <string> <string_view>
  <thread> <tuple> <unordered_map> <utility> <variant> <vector>
  <boost/json.hpp> <boost/system/result.hpp> <boost/url.hpp> <gsl/gsl>)
if(DEPROV_PCH STREQUAL "ON")
  add_compile_options(-fPIC)
endif()

# What is tested is optimised, and the tests are not, which compile in a third of the time so.
set(deprov_test_options)
if(DEPROV_SANITIZE OR CMAKE_BUILD_TYPE STREQUAL "Debug")
  set(deprov_test_options -O0)
endif()

# What one file names may be hidden in the next one, as long as it is not within one function.
set(deprov_unity_options)
if(DEPROV_UNITY AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  set(deprov_unity_options -Wno-shadow -Wshadow=local -Wno-subobject-linkage) # an included source is no header
elseif(DEPROV_UNITY)
  set(deprov_unity_options -Wno-shadow)
endif()

function(deprov_pch_library name)
  file(WRITE "${PROJECT_BINARY_DIR}/pch.cpp.in" "")
  configure_file("${PROJECT_BINARY_DIR}/pch.cpp.in" "${PROJECT_BINARY_DIR}/${name}.cpp" COPYONLY)
  add_library(${name} OBJECT "${PROJECT_BINARY_DIR}/${name}.cpp")
  set_target_properties(${name} PROPERTIES CXX_STANDARD 20 CXX_STANDARD_REQUIRED ON CXX_EXTENSIONS OFF)
  # GCC takes a header only for sources that are compiled with the same warnings: -Wpedantic changes its macros.
  target_compile_options(${name} PRIVATE -fPIC -Wall -Wextra -Wpedantic -Wconversion -Wshadow ${deprov_unity_options})
endfunction()

function(deprov_precompile target)
  if(NOT DEPROV_PCH STREQUAL "ON")
    return()
  endif()
  if(NOT TARGET deprov_pch)
    deprov_pch_library(deprov_pch)
    target_link_libraries(deprov_pch PRIVATE Boost::headers Boost::json Boost::url Microsoft.GSL::GSL)
    target_precompile_headers(deprov_pch PRIVATE ${deprov_pch_headers})
  endif()
  target_precompile_headers(${target} REUSE_FROM deprov_pch)
endfunction()

# For programs of tests that see the compiled library: Catch2 and what nearly every test includes besides.
function(deprov_precompile_test target)
  if(NOT DEPROV_PCH STREQUAL "ON" AND NOT DEPROV_PCH STREQUAL "TESTS")
    return()
  endif()
  if(NOT TARGET deprov_test_pch)
    deprov_pch_library(deprov_test_pch)
    target_include_directories(deprov_test_pch PRIVATE "${PROJECT_SOURCE_DIR}/tests")
    target_compile_options(deprov_test_pch PRIVATE ${deprov_test_options})
    target_compile_definitions(deprov_test_pch PRIVATE CATCH_CONFIG_ENABLE_ALL_STRINGMAKERS)
    target_link_libraries(deprov_test_pch PRIVATE deprov::deprov Boost::headers Boost::json Boost::url Catch2::Catch2)
    target_precompile_headers(deprov_test_pch PRIVATE ${deprov_pch_headers} "${PROJECT_SOURCE_DIR}/tests/catch.hpp"
      <deprov/engine/engine.hpp> <deprov/port/store.hpp> <deprov/policy/policy.hpp> <deprov/scim/resource.hpp>)
  endif()
  target_compile_options(${target} PRIVATE -fPIC)
  target_precompile_headers(${target} REUSE_FROM deprov_test_pch)
endfunction()

# The .cpp files of the named rooms below `base`; a room may be empty or absent.
function(deprov_glob out base)
  set(found)
  foreach(room IN LISTS ARGN)
    file(GLOB_RECURSE files CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/${base}/${room}/*.cpp")
    list(APPEND found ${files})
  endforeach()
  list(SORT found)
  set(${out} ${found} PARENT_SCOPE)
endfunction()

# Replaces the sources of `target` in the list `var` by files that include those of one folder, some at a time, where
# DEPROV_UNITY is on: most of what a compiler does for one of them it does for all. Names in them are for the folder
# then, not for the file. A second build tree finds the objects in the cache if it is given the same DEPROV_UNITY_DIR.
function(deprov_unite target var)
  if(NOT DEPROV_UNITY)
    return()
  endif()
  set(folders)
  foreach(source IN LISTS ${var})
    get_filename_component(folder "${source}" DIRECTORY)
    string(MD5 key "${folder}")
    list(APPEND in_${key} "${source}")
    list(APPEND folders ${key})
  endforeach()
  list(REMOVE_DUPLICATES folders)
  set(united)
  foreach(key IN LISTS folders)
    list(LENGTH in_${key} count)
    list(GET in_${key} 0 source)
    if(count EQUAL 1)
      list(APPEND united "${source}")
      continue()
    endif()
    get_filename_component(folder "${source}" DIRECTORY)
    get_filename_component(folder "${folder}" NAME)
    math(EXPR files "(${count} + ${DEPROV_UNITY_SIZE} - 1) / ${DEPROV_UNITY_SIZE}")
    foreach(file RANGE 1 ${files})
      math(EXPR from "${count} * (${file} - 1) / ${files}")
      math(EXPR length "${count} * ${file} / ${files} - ${from}")
      list(SUBLIST in_${key} ${from} ${length} sources)
      list(TRANSFORM sources REPLACE "(.+)" "#include \"\\1\"" OUTPUT_VARIABLE content)
      string(REPLACE ";" "\n" content "${content}")
      set(name "${DEPROV_UNITY_DIR}/${target}/${folder}_${file}.cpp")
      file(CONFIGURE OUTPUT "${name}" CONTENT "${content}\n" @ONLY)
      list(APPEND united "${name}")
    endforeach()
  endforeach()
  set(${var} ${united} PARENT_SCOPE)
endfunction()

# With TEST after the name: a program of tests.
function(deprov_compile_options target)
  set_target_properties(${target} PROPERTIES CXX_STANDARD 20 CXX_STANDARD_REQUIRED ON CXX_EXTENSIONS OFF)
  target_compile_options(${target} PRIVATE -Wall -Wextra -Wpedantic -Wconversion -Wshadow ${deprov_unity_options})
  if(DEPROV_WERROR)
    target_compile_options(${target} PRIVATE -Werror)
  endif()
  if("TEST" IN_LIST ARGN)
    target_compile_options(${target} PRIVATE ${deprov_test_options})
    deprov_precompile_test(${target})
  else()
    deprov_precompile(${target})
  endif()
endfunction()
