#include "tests/support/temp_dir.h"

#include <cstdlib>
#include <filesystem>
#include <system_error>

#include "common/base/result.h"

namespace tributary::test {

TempDir::TempDir() {
    const char* base = std::getenv("TMPDIR");
    path_ = std::string(base != nullptr && *base != '\0' ? base : "/tmp") + "/tributary-XXXXXX";
    TRIBUTARY_CHECK(::mkdtemp(path_.data()) != nullptr);
}

TempDir::~TempDir() {
    std::error_code ignored;  // a folder that stays behind fails no test
    std::filesystem::remove_all(path_, ignored);
}

}  // namespace tributary::test
