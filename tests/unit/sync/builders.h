// Short ways to make records, offers and to look into actions.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "common/hash/hash.h"
#include "common/record/record.h"
#include "common/sync/events.h"

namespace tributary::sync {

// A piece of `size` bytes that differs by `salt`, as its frame and as an Offer names it.
struct TestRecord {
    Bytes frame;
    OfferedObject offered;
};

inline TestRecord make_record(std::uint8_t salt, std::size_t size,
                              std::optional<Digest> base = {}) {
    Bytes plain(size, salt);
    RecordHeader header;
    header.kind = RecordKind::piece;
    header.encoding = 1;
    header.stored_length = header.plain_length = static_cast<std::uint32_t>(size);
    header.name = sha256(plain);
    if (base) {
        header.base_count = 1;
        header.base[0] = *base;
    }
    TestRecord record;
    append_record(record.frame, header, plain);
    record.offered = {header.key(), header.plain_length, header.stored_length, {}};
    if (base) record.offered.bases.push_back(*base);
    return record;
}

inline Offer make_offer(std::uint64_t plan, const std::vector<TestRecord>& records,
                        bool last = true) {
    Offer offer;
    offer.plan = plan;
    offer.attempt = 1;
    offer.last = last;
    for (const TestRecord& record : records) offer.objects.push_back(record.offered);
    return offer;
}

// All actions of one kind, and all sent messages of one kind.
template <class T>
std::vector<T> all_of(const Actions& actions) {
    std::vector<T> found;
    for (const Action& action : actions)
        if (const auto* a = std::get_if<T>(&action)) found.push_back(*a);
    return found;
}
template <class T>
std::vector<T> sent(const Actions& actions) {
    std::vector<T> found;
    for (const Send& send : all_of<Send>(actions))
        if (const auto* body = std::get_if<T>(&send.body)) found.push_back(*body);
    return found;
}
// The only one; fails the test when there is none or more than one.
template <class T>
T the(const std::vector<T>& found) {
    EXPECT_EQ(found.size(), 1u);
    return found.empty() ? T{} : found.front();
}

}  // namespace tributary::sync
