# What every target of the project is built with. Nothing here reaches a project that embeds deprov,
# except through DEPROV_SANITIZE, which is for the whole tree or for nothing.

if(DEPROV_TOP_LEVEL)
  if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
    set(CMAKE_BUILD_TYPE Release CACHE STRING "Build type" FORCE)
  endif()
  set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
  # Worktrees of one repository share their objects: paths below the root are hashed as relative ones.
  find_program(DEPROV_CCACHE ccache)
  mark_as_advanced(DEPROV_CCACHE)
  if(DEPROV_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
    set(CMAKE_CXX_COMPILER_LAUNCHER "${CMAKE_COMMAND};-E;env;CCACHE_BASEDIR=${PROJECT_SOURCE_DIR};CCACHE_NOHASHDIR=true;${DEPROV_CCACHE}")
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

function(deprov_compile_options target)
  set_target_properties(${target} PROPERTIES CXX_STANDARD 20 CXX_STANDARD_REQUIRED ON CXX_EXTENSIONS OFF)
  target_compile_options(${target} PRIVATE -Wall -Wextra -Wpedantic -Wconversion -Wshadow)
  if(DEPROV_WERROR)
    target_compile_options(${target} PRIVATE -Werror)
  endif()
endfunction()
