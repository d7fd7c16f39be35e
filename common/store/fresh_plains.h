// Plain bytes that came or were read last, kept in RAM: of pieces, because the recipe that needs
// them all follows at once and is checked without reading them back; of small objects, because a
// version and its trees are asked for several times while it is taken in, and again by its
// children.
#pragma once

#include <deque>
#include <memory>
#include <unordered_map>
#include <utility>

#include "common/base/bytes.h"
#include "common/record/record.h"

namespace tributary {

class FreshPlains {
public:
    // `bytes_max` 0: none are kept.
    explicit FreshPlains(std::size_t bytes_max) : bytes_max_(bytes_max) {}

    // `plain` is what `key` names. The oldest ones go for it.
    void add(const RecordKey& key, Bytes plain) {
        if (plain.size() > bytes_max_ / 2 || plain_.contains(key)) return;
        bytes_ += cost_of(plain);
        order_.push_back(key);
        plain_.emplace(key, std::make_shared<const Bytes>(std::move(plain)));
        while (bytes_ > bytes_max_) {
            const auto oldest = plain_.find(order_.front());
            bytes_ -= cost_of(*oldest->second);
            plain_.erase(oldest);
            order_.pop_front();
        }
    }
    // nullptr: not among them any more.
    std::shared_ptr<const Bytes> find(const RecordKey& key) const {
        const auto found = plain_.find(key);
        return found == plain_.end() ? nullptr : found->second;
    }
    void clear() { *this = FreshPlains(bytes_max_); }

private:
    // With what a small one costs besides, about.
    static std::size_t cost_of(const Bytes& plain) { return plain.size() + 256; }

    struct KeyHash {
        std::size_t operator()(const RecordKey& key) const {
            return std::hash<Digest>()(key.name) + static_cast<std::size_t>(key.kind);
        }
    };

    std::size_t bytes_max_;
    std::size_t bytes_ = 0;
    std::deque<RecordKey> order_;
    std::unordered_map<RecordKey, std::shared_ptr<const Bytes>, KeyHash> plain_;
};

}  // namespace tributary
