// What is worth one line as long as it lasts, however often it happens.
#pragma once

#include <cstddef>
#include <set>
#include <string>

namespace tributary {

class SaidOnce {
public:
    // Whether to say it: it is new since the last is_over(), and not one of very many.
    bool is_new(const std::string& what) {
        return said_.size() < kMost && said_.insert(what).second;
    }
    void is_over() { said_.clear(); }

private:
    static constexpr std::size_t kMost = 8;
    std::set<std::string> said_;
};

}  // namespace tributary
