// The next root document: what is to be changed, as a draft that those who keep the root keys sign,
// each on a machine of their own.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/base/time.h"
#include "common/record/document.h"
#include "common/trust/trust.h"

namespace tributary::hub {

struct RootChange {
    std::vector<Root::NamedKey> add_approvers;
    std::vector<std::string> drop_approvers;  // names
    std::vector<Bytes> add_root_keys;
    std::vector<std::string> drop_root_keys;  // ids, or their first digits
    std::optional<std::uint32_t> root_threshold;
    std::optional<WallTime> expires;  // 0: never
    std::optional<Bytes> hub_key;     // the only one from then on
    // Certificate (DER) of the authority that takes over from the one that is named.
    std::optional<Bytes> authority;
    bool drop_authority = false;  // the one before the newest
};

// Whether an authority can be named or dropped now; invalid or conflict, with what to do first.
Status check_authorities_change(const Root& current, bool adds, bool drops);
// invalid, naming what, when something to be dropped is not there or the outcome could not serve;
// conflict when a name or key is there already.
Result<Root> next_root(const Root& current, const RootChange& change, WallTime now);
// Without any signature.
Result<Bytes> draft_of(const Root& root);

// A document or draft as read from a file, which nobody vouched for.
struct RootOnPaper {
    Root root;
    std::vector<Digest> signed_by;  // key ids, whether or not the signatures are right
};
Result<RootOnPaper> read_root_document(ByteView document);

}  // namespace tributary::hub
