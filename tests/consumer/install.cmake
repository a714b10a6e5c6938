# Installs what developers need into a fresh PREFIX, and checks that the files they count on are there.
file(REMOVE_RECURSE "${PREFIX}")
execute_process(COMMAND ${CMAKE_COMMAND} --install ${BUILD} --prefix ${PREFIX} --component devel
                RESULT_VARIABLE result OUTPUT_QUIET ERROR_VARIABLE text)
if(NOT result EQUAL 0)
  message(FATAL_ERROR "cmake --install failed:\n${text}")
endif()
foreach(pattern include/deprov/error.hpp include/deprov/impl/error.ipp "lib*/libdeprov.*|lib/*/libdeprov.*"
                "lib*/cmake/deprov/deprovConfig.cmake|lib/*/cmake/deprov/deprovConfig.cmake"
                "lib*/pkgconfig/deprov.pc|lib/*/pkgconfig/deprov.pc" ${MORE})
  string(REPLACE "|" ";${PREFIX}/" globs "${PREFIX}/${pattern}")
  file(GLOB found ${globs})
  if(NOT found)
    message(FATAL_ERROR "nothing was installed at ${pattern}")
  endif()
endforeach()
