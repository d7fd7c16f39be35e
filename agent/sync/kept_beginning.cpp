#include "agent/sync/kept_beginning.h"

#include "common/base/limits.h"

namespace tributary::agent {
namespace {

// One record, what follows it within one credit, and the head.
constexpr std::size_t kBytesMax = 4 * limits::MiB;
static_assert(limits::kRecordPayloadBytesMax + limits::kCreditBytesMax + limits::KiB < kBytesMax);

}  // namespace

Status KeptBeginning::keep(Store& store, const sync::Beginning& beginning) {
    TRIBUTARY_TRY(store.commit());
    if (!beginning.bytes.empty())
        return replace_file(files_, path_, sync::encode_beginning(beginning));
    (void)files_.remove(path_);  // else it is read once more, and is no beginning of anything
    return {};
}

std::optional<sync::Beginning> KeptBeginning::read() {
    const auto kept = read_file(files_, path_, kBytesMax);
    if (!kept) return std::nullopt;
    auto before = sync::parse_beginning(*kept);
    if (!before) return std::nullopt;
    return *std::move(before);
}

}  // namespace tributary::agent
