#include "common/store/branch_history.h"

namespace tributary {

Result<std::optional<VersionId>> branch_head_at(Store& store, const Incarnation& journal,
                                                const std::string& repo, std::string_view branch,
                                                WallTime at) {
    std::optional<VersionId> head;
    Status read;
    TRIBUTARY_TRY(store.read_entries(journal, 1, [&](ByteView plain) {
        const auto entry = parse_entry(plain);
        if (!entry) {
            read = tl::make_unexpected(entry.error());
            return false;
        }
        if (entry->header.time.wall_ms > at.ms) return false;
        if (entry->header.kind != EntryKind::commit) return true;
        const auto body = parse_body(entry->header.kind, entry->body);
        if (!body) {
            read = tl::make_unexpected(body.error());
            return false;
        }
        if (const auto* commit = std::get_if<CommitBody>(&*body))
            if (commit->repo == repo && commit->branch == branch) head = commit->version;
        return true;
    }));
    TRIBUTARY_TRY(read);
    return head;
}

}  // namespace tributary
