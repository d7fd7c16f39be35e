#include "common/store/incoming.h"

#include <utility>

#include "common/hash/hash.h"
#include "common/store/decoding.h"

namespace tributary {

void IncomingRecord::check() {
    if (held_) return;
    if (checked_) return compare_blob();
    static thread_local codec::Coder coder;  // costly to make
    check(coder);
}

void IncomingRecord::check(codec::Coder& coder) {
    checked_ = true;
    sound_ = [&]() -> Status {
        TRIBUTARY_TRY(parse_record(frame_).map([](const RecordView&) {}));
        TRIBUTARY_ASSIGN(plain_, decode_frame(header_.key(), frame_, views_of(bases_), coder));
        if (!is_named(header_.key(), plain_)) return named_otherwise(header_.key());
        return {};
    }();
    if (header_.kind != RecordKind::recipe) bases_.clear();
}

void IncomingRecord::compare_blob() {
    if (in_ram_.empty()) return;
    Sha256 hash;
    for (const auto& piece : in_ram_) hash.update(*piece);
    makes_up_blob_ = hash.finish() == header_.name;
    in_ram_.clear();
}

}  // namespace tributary
