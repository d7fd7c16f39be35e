#include "common/store/chain.h"

#include <algorithm>

#include "common/store/decoding.h"

namespace tributary {
namespace {

// What we or a hub wrote needs three at most: the one that is decoded and its two bases.
constexpr std::size_t kPlainsMax = 8;

class Descent {
public:
    explicit Descent(const FindLink& find) : find_(find) {}

    Status visit(const RecordKey& key) {
        if (std::ranges::find(links, key, &Link::key) != links.end()) return {};
        TRIBUTARY_ASSIGN(const Link link, find_(key));
        return visit(link);
    }

    // In an order in which few plains are held at a time: of two bases one that stands on nothing
    // is decoded last, right before what stands on it.
    Status visit_all(std::span<const RecordKey> keys) {
        if (keys.size() == 2) {
            TRIBUTARY_ASSIGN(const Link first, find_(keys[0]));
            if (first.header.base_count == 0) {
                TRIBUTARY_TRY(visit(keys[1]));
                return visit(keys[0]);
            }
        }
        for (const RecordKey& key : keys) TRIBUTARY_TRY(visit(key));
        return {};
    }

    std::vector<Link> links;

private:
    Status visit(const Link& link) {
        if (links.size() + open_ > kChainReadMax)
            return fail(Errc::corrupt,
                        text_of(link.key) + " stands on a chain of bases without end");
        TRIBUTARY_TRY(check_bases(link.header));
        std::vector<RecordKey> bases;
        for (const Digest& name : link.header.bases()) bases.push_back({link.key.kind, name});
        ++open_;
        TRIBUTARY_TRY(visit_all(bases));
        --open_;
        links.push_back(link);
        return {};
    }

    const FindLink& find_;
    std::size_t open_ = 0;  // whose bases are being visited
};

}  // namespace

Result<std::vector<Link>> links_to(std::span<const RecordKey> tops, const FindLink& find) {
    Descent descent(find);
    TRIBUTARY_TRY(descent.visit_all(tops));
    return std::move(descent.links);
}

bool Climb::is_needed(const Digest& name) const {
    const auto stands_on_it = [&](const Link& link) {
        return std::ranges::find(link.header.bases(), name) != link.header.bases().end();
    };
    return std::ranges::find(wanted_, name, &RecordKey::name) != wanted_.end() ||
           std::any_of(links_.begin() + static_cast<std::ptrdiff_t>(at_), links_.end(),
                       stands_on_it);
}

Status Climb::step(ByteView frame, codec::Coder& coder) {
    const RecordKey key = links_[at_].key;
    ++at_;
    TRIBUTARY_ASSIGN(const RecordHeader header, parse_record_header(frame));
    BasePlains bases;
    for (std::size_t i = 0; i < std::min<std::size_t>(header.base_count, bases.size()); ++i) {
        const auto held =
            std::ranges::find(plains_, header.base[i], &std::pair<Digest, Bytes>::first);
        if (held == plains_.end())
            return fail(Errc::corrupt, text_of(key) + " stands on other bases than it did");
        bases[i] = held->second;
    }
    TRIBUTARY_ASSIGN(Bytes plain, decode_frame(key, frame, bases, coder));
    plains_.emplace_back(key.name, std::move(plain));
    std::erase_if(plains_, [&](const auto& held) { return !is_needed(held.first); });
    if (plains_.size() > kPlainsMax)
        return fail(Errc::corrupt, text_of(key) + " needs too many bases at a time");
    return {};
}

Bytes Climb::take(const RecordKey& key) {
    const auto held = std::ranges::find(plains_, key.name, &std::pair<Digest, Bytes>::first);
    TRIBUTARY_CHECK(held != plains_.end());
    Bytes plain = std::move(held->second);
    plains_.erase(held);
    return plain;
}

}  // namespace tributary
