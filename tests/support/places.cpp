#include "tests/support/places.h"

namespace tributary::test {

std::string in_source(std::string_view path) {
    return TRIBUTARY_SOURCE_DIR "/" + std::string(path);
}

std::string in_build(std::string_view path) { return TRIBUTARY_BINARY_DIR "/" + std::string(path); }

}  // namespace tributary::test
