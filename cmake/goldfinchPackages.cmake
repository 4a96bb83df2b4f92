# The optional packages of the library, looked for where it is built and again where it is used: those that are there belong to the
# target goldfinch::goldfinch, so that nobody has to name or link them. To do without one that is there: CMAKE_DISABLE_FIND_PACKAGE_<name>.
# Sets goldfinch_packages, what to link, and goldfinch_definitions, what headers have to know of it.
set(goldfinch_packages "")
set(goldfinch_definitions "")

find_package(Threads QUIET)
if(Threads_FOUND)
  list(APPEND goldfinch_packages Threads::Threads)
endif()
find_package(OpenMP QUIET COMPONENTS CXX)
if(OpenMP_CXX_FOUND)
  list(APPEND goldfinch_packages OpenMP::OpenMP_CXX)
else()
  message(STATUS "goldfinch: no OpenMP, so models run on one thread")
endif()
# goldfinch_package(PACKAGE TARGET DEFINITION LACK): LACK says what cannot be done without it.
macro(goldfinch_package package target definition lack)
  find_package(${package} QUIET)
  if(${package}_FOUND)
    list(APPEND goldfinch_packages ${target})
    list(APPEND goldfinch_definitions ${definition})
  else()
    message(STATUS "goldfinch: no ${package}, so ${lack}")
  endif()
endmacro()
goldfinch_package(nlohmann_json nlohmann_json::nlohmann_json ""
                  "there are no checkpoints: goldfinch/checkpoint/ needs it (Debian: nlohmann-json3-dev)")
list(PREPEND CMAKE_MODULE_PATH ${CMAKE_CURRENT_LIST_DIR})
goldfinch_package(sentencepiece sentencepiece::sentencepiece GOLDFINCH_HAVE_SENTENCEPIECE
                  "SentencePiece tokenizers cannot be opened (Debian: libsentencepiece-dev)")
list(POP_FRONT CMAKE_MODULE_PATH)
goldfinch_package(ZLIB ZLIB::ZLIB GOLDFINCH_HAVE_ZLIB "compressed .npz archives cannot be read (Debian: zlib1g-dev)")

if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES AND NOT CMAKE_CXX_FLAGS MATCHES "-O[123s]")
  message(WARNING "goldfinch: without optimisation models run some twenty times slower; configure with -DCMAKE_BUILD_TYPE=Release")
endif()
