# What `cmake --install` puts where: headers, library, package config, deprov.pc, and the program.

include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(deprov_config_dir "${CMAKE_INSTALL_LIBDIR}/cmake/deprov")

install(TARGETS deprov_core deprov EXPORT deprovTargets
        ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}" COMPONENT devel
        LIBRARY DESTINATION "${CMAKE_INSTALL_LIBDIR}" COMPONENT devel
        INCLUDES DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}")
install(DIRECTORY "${PROJECT_SOURCE_DIR}/include/deprov" DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}" COMPONENT devel
        FILES_MATCHING PATTERN "*.hpp" PATTERN "*.ipp")
install(FILES "${PROJECT_SOURCE_DIR}/schemas/policy.schema.json"
              "${PROJECT_SOURCE_DIR}/schemas/connector-manifest.schema.json"
              "${PROJECT_SOURCE_DIR}/schemas/connector-recording.schema.json"
              "${PROJECT_SOURCE_DIR}/schemas/connector-report.schema.json"
              "${PROJECT_SOURCE_DIR}/schemas/feed-graph.schema.json"
              "${PROJECT_SOURCE_DIR}/schemas/feed-keycloak.schema.json"
              "${PROJECT_SOURCE_DIR}/schemas/feed-okta.schema.json"
        DESTINATION "${CMAKE_INSTALL_DATADIR}/deprov" COMPONENT devel)
# For vendors of connectors, who need none of the rest: an export of its own, found without any dependency.
install(TARGETS deprov_connector_sdk EXPORT deprovConnectorTargets INCLUDES DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}")
install(FILES "${PROJECT_SOURCE_DIR}/capi/include/deprov_connector.h"
              "${PROJECT_SOURCE_DIR}/capi/include/deprov_connector.hpp"
        DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}" COMPONENT devel)
install(EXPORT deprovConnectorTargets NAMESPACE deprov:: DESTINATION "${deprov_config_dir}" COMPONENT devel)
install(EXPORT deprovTargets NAMESPACE deprov:: DESTINATION "${deprov_config_dir}" COMPONENT devel)
if(TARGET deprov_connector_worker)
  install(TARGETS deprov_connector_worker RUNTIME DESTINATION "${CMAKE_INSTALL_LIBEXECDIR}/deprov" COMPONENT program)
endif()
if(TARGET deprov_cli)
  install(TARGETS deprov_cli RUNTIME DESTINATION "${CMAKE_INSTALL_BINDIR}" COMPONENT program)
endif()

# A static library hands its own dependencies on to whoever links it; a shared one does not.
get_target_property(deprov_type deprov TYPE)
if(deprov_type STREQUAL "SHARED_LIBRARY")
  set(DEPROV_IS_STATIC OFF)
else()
  set(DEPROV_IS_STATIC ON)
endif()
configure_package_config_file("${PROJECT_SOURCE_DIR}/cmake/deprovConfig.cmake.in"
                              "${PROJECT_BINARY_DIR}/package/deprovConfig.cmake"
                              INSTALL_DESTINATION "${deprov_config_dir}")
# While the major is 0 every minor may break.
write_basic_package_version_file("${PROJECT_BINARY_DIR}/package/deprovConfigVersion.cmake"
                                 VERSION ${PROJECT_VERSION} COMPATIBILITY SameMinorVersion)
install(FILES "${PROJECT_BINARY_DIR}/package/deprovConfig.cmake"
              "${PROJECT_BINARY_DIR}/package/deprovConfigVersion.cmake"
        DESTINATION "${deprov_config_dir}" COMPONENT devel)

# pkg-config: Boost has no .pc of its own, so its libraries are named here.
file(RELATIVE_PATH deprov_pc_prefix "/root/${CMAKE_INSTALL_LIBDIR}/pkgconfig" "/root")
string(REGEX REPLACE "/$" "" deprov_pc_prefix "${deprov_pc_prefix}")
configure_file("${PROJECT_SOURCE_DIR}/capi/deprov_connector.pc.in" "${PROJECT_BINARY_DIR}/package/deprov_connector.pc"
               @ONLY)
install(FILES "${PROJECT_BINARY_DIR}/package/deprov_connector.pc" DESTINATION "${CMAKE_INSTALL_LIBDIR}/pkgconfig"
        COMPONENT devel)
set(deprov_pc_boost "")
foreach(config NONE RELEASE RELWITHDEBINFO DEBUG)
  get_target_property(location Boost::json IMPORTED_LOCATION_${config})
  if(location)
    get_filename_component(directory "${location}" DIRECTORY)
    if(NOT directory IN_LIST CMAKE_CXX_IMPLICIT_LINK_DIRECTORIES)
      set(deprov_pc_boost "-L${directory} ")
    endif()
    break()
  endif()
endforeach()
set(deprov_pc_boost_private "${deprov_pc_boost}-lboost_url")
set(deprov_pc_boost "${deprov_pc_boost}-lboost_json")
set(deprov_pc_cflags "")
foreach(directory IN LISTS Boost_INCLUDE_DIRS)
  if(NOT directory IN_LIST CMAKE_CXX_IMPLICIT_INCLUDE_DIRECTORIES)
    string(APPEND deprov_pc_cflags " -I${directory}")
  endif()
endforeach()
set(deprov_pc_requires "libcurl openssl sqlite3")
if(DEPROV_IS_STATIC)
  set(deprov_pc_dependencies
      "Requires: ${deprov_pc_requires}\nLibs: -L\${libdir} -ldeprov ${deprov_pc_boost_private} ${deprov_pc_boost} -pthread -lm")
else()
  set(deprov_pc_dependencies
      "Requires.private: ${deprov_pc_requires}\nLibs: -L\${libdir} -ldeprov ${deprov_pc_boost}\nLibs.private: ${deprov_pc_boost_private} -pthread")
endif()
configure_file("${PROJECT_SOURCE_DIR}/cmake/deprov.pc.in" "${PROJECT_BINARY_DIR}/package/deprov.pc" @ONLY)
install(FILES "${PROJECT_BINARY_DIR}/package/deprov.pc" DESTINATION "${CMAKE_INSTALL_LIBDIR}/pkgconfig" COMPONENT devel)
