# The installed package: only Eigen is required. OpenMP is used where it is found; what needs sentencepiece or nlohmann-json
# (tokenizer/sentencepiece.hpp, checkpoint/) is there for those who link them.
include(CMakeFindDependencyMacro)
find_dependency(Eigen3 3.4 NO_MODULE)
include(${CMAKE_CURRENT_LIST_DIR}/goldfinchTargets.cmake)
find_package(OpenMP QUIET COMPONENTS CXX)
if(OpenMP_CXX_FOUND)
  set_property(TARGET goldfinch::goldfinch APPEND PROPERTY INTERFACE_LINK_LIBRARIES OpenMP::OpenMP_CXX)
endif()
