# cmake -D PROGRAM=… -D EXPECTED=… -P check_output.cmake: fails unless the program succeeds and prints exactly that file.
execute_process(COMMAND ${PROGRAM} OUTPUT_VARIABLE printed RESULT_VARIABLE result)
if(NOT result EQUAL 0)
  message(FATAL_ERROR "${PROGRAM} ended with ${result}")
endif()
file(READ ${EXPECTED} expected)
if(NOT printed STREQUAL expected)
  message(FATAL_ERROR "${PROGRAM} printed\n${printed}\nexpected, from ${EXPECTED},\n${expected}")
endif()
