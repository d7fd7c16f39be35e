// A set of record names in about ten bits each: it never denies one that was added, and takes about
// one in a hundred others for one that was. (Bloom, "Space/time trade-offs in hash coding with
// allowable errors", CACM 13/7, 1970.) Names are hashes already, so their bytes serve as its
// hashes.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "common/base/bytes.h"
#include "common/record/record.h"

namespace tributary {

class KeyFilter {
public:
    // RAM: 10 bits for each of `expected`. More may be added; then it errs more often.
    explicit KeyFilter(std::uint64_t expected)
        : words_(static_cast<std::size_t>(std::max<std::uint64_t>(expected, 64) * 10 / 64 + 1)) {}

    void add(const RecordKey& key) {
        each_bit(key, [&](std::uint64_t& word, std::uint64_t bit) {
            word |= bit;
            return true;
        });
    }
    bool may_contain(const RecordKey& key) const {
        return const_cast<KeyFilter*>(this)->each_bit(
            key, [](const std::uint64_t& word, std::uint64_t bit) { return (word & bit) != 0; });
    }

private:
    static constexpr int kProbes = 7;

    template <class Visit>
    bool each_bit(const RecordKey& key, Visit visit) {
        const std::uint64_t bits = std::uint64_t{words_.size()} * 64;
        std::uint64_t at = load_le<std::uint64_t>(key.name.bytes.data()) +
                           static_cast<std::uint64_t>(key.kind) * 0x9E37'79B9'7F4A'7C15;
        const std::uint64_t step = load_le<std::uint64_t>(key.name.bytes.data() + 8) | 1;
        for (int i = 0; i < kProbes; ++i, at += step) {
            const std::uint64_t bit = at % bits;
            if (!visit(words_[static_cast<std::size_t>(bit / 64)], std::uint64_t{1} << bit % 64))
                return false;
        }
        return true;
    }

    std::vector<std::uint64_t> words_;
};

}  // namespace tributary
