// What a device that runs one version lacks of another: the records, and each as a frame coded on
// what the device has.
#pragma once

#include <optional>
#include <unordered_map>
#include <vector>

#include "common/record/message.h"
#include "common/store/closure.h"
#include "hub/intake/outgoing_frame.h"
#include "hub/store/ledger.h"

namespace tributary::hub {

class CodedClosure {
public:
    // `running` may be none: then nothing is coded on anything. As a whole it also lists what both
    // need, for a device that lost some of it. To be used once it was looked through.
    CodedClosure(Ledger& ledger, const VersionId& running, const VersionId& wanted,
                 bool whole = false);
    CodedClosure(const CodedClosure&) = delete;
    CodedClosure& operator=(const CodedClosure&) = delete;
    // So many records more of what is wanted, as ClosureWalk::step() counts. True when that was
    // all.
    Result<bool> look_through(std::size_t records);

    // Whatever one needs stands before it. Bases are what its frame would be coded on.
    const std::vector<sync::OfferedObject>& objects() const { return objects_; }
    std::vector<sync::OfferedObject> take_objects() { return std::move(objects_); }
    // One of them, read: as stored when it is stored on that base, else to be coded anew.
    Result<OutgoingFrame> read(const RecordKey& key, bool may_use_base) const;
    // Likewise, and coded.
    Result<Bytes> frame(const RecordKey& key, bool may_use_base) const;

private:
    Result<OutgoingFrame> read_without_base(const RecordKey& key, const Error& why) const;
    Status add(const RecordKey& key);
    void line_up(const Recipe& own, const Recipe& beside);

    Ledger& ledger_;
    std::optional<ClosureWalk> walk_;   // until all was looked through
    std::optional<ClosureWalk> pairs_;  // as a whole: before it, which only lines up pieces
    std::vector<sync::OfferedObject> objects_;
    struct Piece {
        Digest base = {};  // at the same place in what the device runs; may be none
        OutgoingFrame::Shape shape = {};
        bool is_sent = false;
    };
    std::unordered_map<Digest, Piece> pieces_;  // that are sent
    mutable bool told_ = false;  // that a base cannot be read, which goes for many records
};

}  // namespace tributary::hub
