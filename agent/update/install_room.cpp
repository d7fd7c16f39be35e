#include "agent/update/install_room.h"

#include "agent/update/slot.h"
#include "common/base/words.h"

namespace tributary::agent {
namespace {

Result<std::uint64_t> bytes_below(Files& files, const std::string& path) {
    const auto there = files.stat(path);
    if (!there && there.error().code == Errc::not_found) return 0;
    if (!there) return tl::unexpected(there.error());
    if (there->kind != FileStatus::Kind::directory) return there->size;
    std::uint64_t bytes = 0;
    TRIBUTARY_ASSIGN(const std::vector<std::string> names, files.list(path));
    for (const std::string& name : names) {
        TRIBUTARY_ASSIGN(const std::uint64_t below, bytes_below(files, join_path(path, name)));
        bytes += below;
    }
    return bytes;
}

Status no_room(const std::string& needed, std::uint64_t free, const std::string& dir) {
    return fail(Errc::exhausted,
                needed + "an install leaves " + human_bytes(kSpaceReserveBytes) +
                    " free, but only " + human_bytes(free) + " are free at " + dir +
                    "; make room ('tributary-agent gc --all' gives up all that may go), then "
                    "assign the version again");
}

Status has_free(Files& files, const std::string& dir, std::uint64_t bytes,
                const std::string& what) {
    TRIBUTARY_ASSIGN(const std::uint64_t free, files.free_bytes(dir));
    if (free >= kSpaceReserveBytes && free - kSpaceReserveBytes >= bytes) return {};
    return no_room("the version needs " + what + ", and ", free, dir);
}

}  // namespace

// The idle slot is emptied first.
Status has_any_room(Files& files, const std::string& model_dir) {
    TRIBUTARY_TRY(files.make_directories(model_dir, Readers::group));
    TRIBUTARY_ASSIGN(std::uint64_t bytes, files.free_bytes(model_dir));
    const auto running = running_slot(files, model_dir);
    for (const char* slot : kSlots) {
        if (!running || slot == *running) continue;
        TRIBUTARY_ASSIGN(const std::uint64_t idle, bytes_below(files, join_path(model_dir, slot)));
        bytes += idle;
    }
    if (bytes >= kSpaceReserveBytes) return {};
    return no_room("", bytes, model_dir);
}

Status has_room_for(Files& files, const PushSize& size, const std::string& model_dir,
                    const std::string& state_dir) {
    const std::string in_slot = human_bytes(size.plain_bytes) + " in its slot";
    const std::string in_store = human_bytes(size.stored_bytes) + " in the store";
    if (size.stored_bytes == 0) return has_free(files, model_dir, size.plain_bytes, in_slot);
    TRIBUTARY_ASSIGN(const FileStatus slots, files.stat_target(model_dir));
    TRIBUTARY_ASSIGN(const FileStatus store, files.stat_target(state_dir));
    if (slots.device == store.device)
        return has_free(files, model_dir, size.plain_bytes + size.stored_bytes,
                        in_slot + " and " + in_store);
    TRIBUTARY_TRY(has_free(files, model_dir, size.plain_bytes, in_slot));
    return has_free(files, state_dir, size.stored_bytes, in_store);
}

}  // namespace tributary::agent
