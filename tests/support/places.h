// Where the tree and its build lie: told by one file alone, so that all others compile to the same
// bytes in every clone and a compiler cache serves them.
#pragma once

#include <string>
#include <string_view>

namespace tributary::test {

std::string in_source(std::string_view path);
std::string in_build(std::string_view path);

}  // namespace tributary::test
