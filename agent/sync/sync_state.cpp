#include "agent/sync/sync_state.h"

#include "agent/sync/checked_json.h"
#include "common/text/log.h"

namespace tributary::agent {
namespace {

constexpr std::uint64_t kBytesMax = 1024 * 1024;

Result<SyncState> parse(const Json& json) {
    SyncState state;
    TRIBUTARY_ASSIGN(state.sent_bytes, json.u64_at("sent_bytes"));
    TRIBUTARY_ASSIGN(const Json::Array* refused, json.array_at("refused"));
    TRIBUTARY_ASSIGN(state.hub_epoch, json.u64_at("hub_epoch"));
    TRIBUTARY_ASSIGN(const std::string journal, json.text_at("hub_journal"));
    TRIBUTARY_ASSIGN(state.hub_journal, Incarnation::parse(journal));
    for (const Json& item : *refused) {
        const std::string* text = item.as_text();
        if (!text) return fail(Errc::invalid, "'refused' holds something that is not an id");
        TRIBUTARY_ASSIGN(const Digest id, Digest::parse(*text));
        state.refused.push_back(VersionId{id});
    }
    return state;
}

}  // namespace

bool still_counts(const Receipt& receipt, const SyncState& state) {
    const bool met = state.hub_epoch != 0;
    return !met || (receipt.epoch == state.hub_epoch && receipt.hub == state.hub_journal);
}

SyncState load_sync_state(Files& files, const std::string& path) {
    const auto json = load_checked(files, path, "sync", kBytesMax);
    if (!json && json.error().code == Errc::corrupt)
        log_failure(LogLevel::warn, "what sync remembered is lost", json.error());
    return json ? parse(*json).value_or(SyncState{}) : SyncState{};
}

Status save_sync_state(Files& files, const std::string& path, const SyncState& state) {
    Json refused = Json::array();
    for (const VersionId& version : state.refused) refused.push(version.text());
    const Json json = Json::object({{"sent_bytes", state.sent_bytes},
                                    {"refused", std::move(refused)},
                                    {"hub_epoch", state.hub_epoch},
                                    {"hub_journal", to_hex(state.hub_journal.bytes)}});
    return save_checked(files, path, "sync", json);
}

}  // namespace tributary::agent
