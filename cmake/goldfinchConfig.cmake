# The installed package: only Eigen is required.
include(CMakeFindDependencyMacro)
find_dependency(Eigen3 3.4 NO_MODULE)
include(${CMAKE_CURRENT_LIST_DIR}/goldfinchTargets.cmake)
include(${CMAKE_CURRENT_LIST_DIR}/goldfinchPackages.cmake)
set_property(TARGET goldfinch::goldfinch APPEND PROPERTY INTERFACE_LINK_LIBRARIES ${goldfinch_packages})
set_property(TARGET goldfinch::goldfinch APPEND PROPERTY INTERFACE_COMPILE_DEFINITIONS ${goldfinch_definitions})
