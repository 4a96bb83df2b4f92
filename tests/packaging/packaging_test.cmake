# Builds tests/packaging/consumer against the source tree and against an installation, and runs both.
#   cmake -DSOURCE=… -DWORK=… -DCXX=… -P packaging_test.cmake
function(run)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE output)
  if(NOT result EQUAL 0)
    string(REPLACE ";" " " command "${ARGN}")
    message(FATAL_ERROR "${command}\n${output}")
  endif()
  set(output "${output}" PARENT_SCOPE)
endfunction()

function(build_consumer name)
  run(${CMAKE_COMMAND} -S ${SOURCE}/tests/packaging/consumer -B ${WORK}/${name} -G Ninja -DCMAKE_CXX_COMPILER=${CXX} ${ARGN})
  run(${CMAKE_COMMAND} --build ${WORK}/${name})
  run(${WORK}/${name}/consumer)
  if(NOT output MATCHES "GoldFinch, [0-9]+ parameters, 256")
    message(FATAL_ERROR "${name}: printed ${output}")
  endif()
endfunction()

file(REMOVE_RECURSE ${WORK})
build_consumer(subdirectory -DGOLDFINCH_SOURCE=${SOURCE})
run(${CMAKE_COMMAND} -S ${SOURCE} -B ${WORK}/to_install -G Ninja -DCMAKE_CXX_COMPILER=${CXX} -DCMAKE_INSTALL_PREFIX=${WORK}/installed
    -DGOLDFINCH_BUILD_TOOL=OFF -DGOLDFINCH_BUILD_TESTS=OFF -DGOLDFINCH_BUILD_EXAMPLES=OFF)
run(${CMAKE_COMMAND} --install ${WORK}/to_install)
build_consumer(installed -DCMAKE_PREFIX_PATH=${WORK}/installed)
file(REMOVE_RECURSE ${WORK})
