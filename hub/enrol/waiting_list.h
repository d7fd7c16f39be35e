// Boards that asked to enrol without a token, until an operator decides. In RAM: they ask again.
// Who asks without being asked to can fill it, so it is bounded; the one that asked longest ago
// goes first.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "common/base/ids.h"
#include "common/base/result.h"
#include "common/base/time.h"

namespace tributary::hub {

struct WaitingBoard {
    Digest key;
    Incarnation journal;
    std::string name;    // what it calls itself
    std::string group;   // what it wants
    std::string device;  // the one that it is known as already; empty: none
    std::string peer;    // address that it asked from
    WallTime since;
    WallTime last;
    std::uint64_t asked = 0;  // times
};

class WaitingList {
public:
    static constexpr std::size_t kMost = 1000;

    // Asked again it keeps its `since`.
    void ask(WaitingBoard board);
    void remove(const Digest& key) { boards_.erase(key); }
    bool contains(const Digest& key) const { return boards_.contains(key); }

    // Who came first stands first.
    std::vector<WaitingBoard> boards() const;
    std::size_t size() const { return boards_.size(); }
    std::uint64_t dropped() const { return dropped_; }  // since the start, for want of room

    // The key that a person means by "sha256:...", all its digits, or so many that only one has
    // them of the boards that wait and of `others`. A whole one may be any. invalid, not_found, or
    // conflict.
    Result<Digest> find(std::string_view fingerprint, const std::set<Digest>& others = {}) const;

private:
    std::map<Digest, WaitingBoard> boards_;
    std::uint64_t dropped_ = 0;
};

}  // namespace tributary::hub
