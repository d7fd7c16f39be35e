// The stream of a broadcast: the records that a device which runs one version lacks of another, as
// generations that each stand alone.
//
// Cut as it is coded, since only then it shows how long records are; the second time a generation
// is made its bytes must be the same, because what was sent of it stays good, and because a key and
// a nonce serve one text only.
#pragma once

#include <optional>
#include <unordered_set>
#include <vector>

#include "common/base/ids.h"
#include "hub/intake/coded_closure.h"

namespace tributary::hub {

class CastSource {
public:
    // To be used once it was looked through.
    CastSource(Ledger& ledger, const VersionId& running, const VersionId& wanted);
    // As CodedClosure::look_through().
    Result<bool> look_through(std::size_t records);

    // Of all records as the hub holds them: what is sent may be less, and seldom is more.
    std::uint64_t stored_bytes() const { return stored_bytes_; }

    // Begins with a generation that was made before, or the next one.
    void begin(std::uint32_t generation);
    // Codes one record; true when the generation is whole. conflict when it was made before and is
    // another one now.
    Result<bool> work();
    // Then. `last`: none follows.
    struct Generation {
        Bytes bytes;
        bool last = false;
    };
    Generation take();

private:
    struct Cut {
        std::size_t first = 0;  // of the objects
        std::size_t end = 0;
        Digest hash;
    };

    Result<Bytes> frame(std::size_t object);

    CodedClosure closure_;
    bool is_closed_ = false;              // it was looked through
    std::optional<ClosureWalk> running_;  // until its names are known
    std::uint64_t stored_bytes_ = 0;
    // Of what runs there, but for pieces: the only bases of such records that every device has.
    std::unordered_set<Digest> own_bases_;
    std::vector<Cut> cuts_;
    std::optional<Bytes> carried_;  // coded, and too long for the generation before

    std::uint32_t generation_ = 0;  // the one at work
    std::size_t next_ = 0;
    Bytes bytes_;
};

}  // namespace tributary::hub
