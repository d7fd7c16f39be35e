// What records stand on, and the order in which that is decoded.
#include "common/store/chain.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "common/hash/hash.h"
#include "tests/support/random.h"

namespace tributary {
namespace {

// Records that are numbers, and the numbers of their bases.
class Records {
public:
    std::map<int, std::vector<int>> bases;

    static RecordKey key(int number) {
        return {RecordKind::piece, sha256(as_bytes(std::to_string(number)))};
    }
    Result<std::vector<int>> order(std::vector<int> tops) {
        std::vector<RecordKey> keys;
        for (const int top : tops) keys.push_back(key(top));
        const auto links = links_to(keys, [this](const RecordKey& each) { return find(each); });
        if (!links) return tl::unexpected(links.error());
        std::vector<int> numbers;
        for (const Link& link : *links) numbers.push_back(number_of(link.key));
        return numbers;
    }
    Errc refusal(int top) {
        const auto found = order({top});
        return found ? Errc::invalid : found.error().code;
    }

private:
    int number_of(const RecordKey& wanted) const {
        for (const auto& [number, below] : bases)
            if (key(number) == wanted) return number;
        return -1;
    }
    Result<Link> find(const RecordKey& wanted) const {
        const int number = number_of(wanted);
        if (number < 0) return fail(Errc::not_found, "none");
        Link link{wanted, {}, {}};
        for (const int base : bases.at(number))
            link.header.base[link.header.base_count++] = key(base).name;
        if (link.header.base_count > 1)
            link.header.encoding = static_cast<std::uint8_t>(codec::Encoding::trend);
        return link;
    }
};

using Order = std::vector<int>;

TEST(Chain, OfTwoBasesIsOneWhereOneStandsOnTheOther) {
    Records records{{{0, {}}, {1, {0}}, {2, {1, 0}}, {3, {2, 1}}}};
    EXPECT_EQ(records.order({3}).value(), (Order{0, 1, 2, 3}));
    EXPECT_EQ(records.order({2, 1}).value(), (Order{0, 1, 2}));
}

TEST(Chain, ReachesTheSecondBaseByItselfWhereTheFirstWasCodedAnew) {
    // 3 stands on nothing any more; what is decoded last before 4, so that it need not be held.
    Records records{{{0, {}}, {1, {0}}, {2, {1, 0}}, {3, {}}, {4, {3, 2}}, {5, {4, 3}}}};
    EXPECT_EQ(records.order({5}).value(), (Order{0, 1, 2, 3, 4, 5}));
}

TEST(Chain, LacksWhatIsNotThere) {
    Records records{{{1, {0}}, {2, {1, 0}}, {3, {}}, {4, {3, 7}}}};
    EXPECT_EQ(records.refusal(2), Errc::not_found);
    EXPECT_EQ(records.refusal(4), Errc::not_found);
}

TEST(Chain, ThatIsARingIsRefused) {
    Records self{{{1, {1}}}}, pair{{{1, {2}}, {2, {1}}}}, knot{{{1, {2, 3}}, {2, {3, 1}}, {3, {}}}};
    EXPECT_EQ(self.refusal(1), Errc::corrupt);
    EXPECT_EQ(pair.refusal(1), Errc::corrupt);
    EXPECT_EQ(knot.refusal(1), Errc::corrupt);
}

TEST(Chain, OfMoreRecordsThanAnybodyWritesIsRefused) {
    Records records{{{0, {}}}};
    for (int i = 1; i <= 65; ++i) records.bases[i] = {i - 1};
    EXPECT_EQ(records.order({64}).value().size(), 65u);
    EXPECT_EQ(records.refusal(65), Errc::corrupt);
    // A tree that doubles is visited no further either.
    Records tree{{}};
    for (int i = 0; i < 1000; ++i)
        tree.bases[i] = i < 450 ? std::vector{2 * i + 1, 2 * i + 2} : std::vector<int>{};
    EXPECT_EQ(tree.refusal(0), Errc::corrupt);
}

// Each stands on the two before it, until compaction codes some anew: alone, or, what is the first
// of nobody's two bases, on one of those below it.
Records coded_anew_at_random(std::uint64_t seed) {
    constexpr int kRecords = 12;
    Records records;
    records.bases[0] = {};
    for (int i = 1; i < kRecords; ++i) records.bases[i] = i == 1 ? Order{0} : Order{i - 1, i - 2};
    test::Random random(seed);
    for (int times = 0; times < 12; ++times) {
        const auto one = static_cast<int>(random.below(kRecords - 1u)) + 1;
        const bool first = std::ranges::any_of(records.bases, [&](const auto& each) {
            return each.second.size() == 2 && each.second[0] == one;
        });
        Order below = records.order({one}).value();
        below.pop_back();
        const bool alone = first || below.empty() || random.one_in(4);
        records.bases[one] = alone ? Order{} : Order{below[random.below(below.size())]};
    }
    return records;
}

TEST(Chain, NeedsNoMoreThanTwoPlainsOfAnyThatCompactionLeaves) {
    for (std::uint64_t seed = 0; seed < 1000; ++seed) {
        Records records = coded_anew_at_random(seed);
        const Order order = records.order({11}).value();
        for (std::size_t at = 0; at < order.size(); ++at) {
            std::set<int> held;
            const auto done = std::span(order).first(at + 1);
            for (const int later : std::span(order).subspan(at + 1))
                for (const int base : records.bases[later])
                    if (std::ranges::find(done, base) != done.end()) held.insert(base);
            EXPECT_LE(held.size(), 2u) << seed;
        }
    }
}

}  // namespace
}  // namespace tributary
