// What a test cannot go on without.
#pragma once

#include <gtest/gtest.h>

#include <utility>

#include "common/base/result.h"

namespace tributary::test {

// The value. An error fails the test, told what it is, and ends the program.
template <class T>
T must(Result<T> result) {
    if (!result) ADD_FAILURE() << result.error().what;
    TRIBUTARY_CHECK(result.has_value());
    return *std::move(result);
}

// An error fails the test, which goes on.
inline void must(const Status& status) {
    if (!status) ADD_FAILURE() << status.error().what;
}

}  // namespace tributary::test
