# StintInstall.cmake - what `cmake --install` puts where, and how other projects find it.

include(CMakePackageConfigHelpers)

set(config_dir ${CMAKE_INSTALL_LIBDIR}/cmake/Stint)
set(proto_dir ${CMAKE_INSTALL_DATADIR}/stint/proto)

install(TARGETS stint stint_protos protoc-gen-stint stint-check EXPORT StintTargets)
install(DIRECTORY include/stint DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(DIRECTORY ${CMAKE_CURRENT_BINARY_DIR}/protos/
        DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/stint/protos
        FILES_MATCHING PATTERN "*.pb-c.h" PATTERN CMakeFiles EXCLUDE)
install(FILES ${PROJECT_SOURCE_DIR}/proto/stint/options.proto DESTINATION ${proto_dir}/stint)
install(FILES ${PROJECT_SOURCE_DIR}/proto/stint/rpc/v1/envelope.proto
        DESTINATION ${proto_dir}/stint/rpc/v1)

# find_package(Stint)
install(EXPORT StintTargets NAMESPACE Stint:: DESTINATION ${config_dir})
configure_package_config_file(cmake/StintConfig.cmake.in StintConfig.cmake
                              INSTALL_DESTINATION ${config_dir} PATH_VARS proto_dir)
# Before 1.0 a minor step may break the API.
write_basic_package_version_file(StintConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/StintConfig.cmake
              ${CMAKE_CURRENT_BINARY_DIR}/StintConfigVersion.cmake cmake/StintGenerate.cmake
        DESTINATION ${config_dir})

# pkg-config; paths are relative to the .pc file, so that the installed tree can be moved.
set(pc_dir ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
cmake_path(RELATIVE_PATH CMAKE_INSTALL_PREFIX BASE_DIRECTORY ${CMAKE_INSTALL_PREFIX}/${pc_dir}
           OUTPUT_VARIABLE prefix_of_pc)
configure_file(cmake/stint.pc.in stint.pc @ONLY)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/stint.pc DESTINATION ${pc_dir})
