#include "common/base/result.h"

#include <cstdio>
#include <cstdlib>

namespace tributary {

std::string_view name_of(Errc code) {
    switch (code) {
        case Errc::invalid: return "invalid";
        case Errc::not_found: return "not_found";
        case Errc::conflict: return "conflict";
        case Errc::corrupt: return "corrupt";
        case Errc::denied: return "denied";
        case Errc::unavailable: return "unavailable";
        case Errc::exhausted: return "exhausted";
        case Errc::unsupported: return "unsupported";
        case Errc::cancelled: return "cancelled";
        case Errc::erased: return "erased";
    }
    return "unknown";
}

tl::unexpected<Error> with_context(std::string_view context, Error error) {
    error.what = std::string(context) + ": " + error.what;
    return tl::unexpected<Error>(std::move(error));
}

void check_failed(const char* condition, const char* file, int line) {
    std::fprintf(stderr, "%s:%d: internal error: %s does not hold. Please report this.\n", file,
                 line, condition);
    std::abort();
}

}  // namespace tributary
