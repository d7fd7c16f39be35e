// The plain bytes of pieces that a peer sent last: the recipe that needs them all follows at once,
// and is checked without reading them back.
#pragma once

#include <deque>
#include <unordered_map>
#include <utility>

#include "common/base/bytes.h"
#include "common/base/ids.h"

namespace tributary {

class FreshPieces {
public:
    // `bytes_max` 0: none are kept.
    explicit FreshPieces(std::size_t bytes_max) : bytes_max_(bytes_max) {}

    // `plain` is what `name` names. The oldest ones go for it.
    void add(const Digest& name, Bytes plain) {
        if (plain.size() > bytes_max_ || plain_.contains(name)) return;
        bytes_ += plain.size();
        order_.push_back(name);
        plain_.emplace(name, std::move(plain));
        while (bytes_ > bytes_max_) {
            const auto oldest = plain_.find(order_.front());
            bytes_ -= oldest->second.size();
            plain_.erase(oldest);
            order_.pop_front();
        }
    }
    // nullptr: not among them any more.
    const Bytes* find(const Digest& name) const {
        const auto found = plain_.find(name);
        return found == plain_.end() ? nullptr : &found->second;
    }

private:
    std::size_t bytes_max_;
    std::size_t bytes_ = 0;
    std::deque<Digest> order_;
    std::unordered_map<Digest, Bytes> plain_;
};

}  // namespace tributary
