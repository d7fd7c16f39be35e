// What `tributary` can do; each verb asks the hub and prints its answer on stdout.
#pragma once

#include <string>
#include <vector>

#include "hub/cli/client.h"

namespace tributary::cli {

// Who decides, as the hub's journal will say.
std::string user_name();

struct Output {
    bool json = false;
    enum class Repeat : std::uint8_t { no, in_place, below };
    Repeat repeat = Repeat::no;  // for people: in place of what the screen shows, or with the time
    void print(const Json& whole, const std::string& for_people) const;
};

// ---- looking ----
Status list_devices(const Client& hub, const Output& out, bool retired_too);
Status show_device(const Client& hub, const Output& out, const std::string& device);
Status list_repos(const Client& hub, const Output& out);
Status show_log(const Client& hub, const Output& out, const std::string& reference,
                std::uint64_t limit);
Status show_version(const Client& hub, const Output& out, const std::string& reference);
Status show_diff(const Client& hub, const Output& out, const std::string& from,
                 const std::string& to);
struct LineageQuery {
    std::string reference;
    bool up = false;  // neither or both: both ways
    bool down = false;
    std::uint64_t depth = 64;
    bool dot = false;
};
Status show_lineage(const Client& hub, const Output& out, const LineageQuery& query);
// `before`: 0, or the number of the entry that follows.
Status show_audit(const Client& hub, const Output& out, std::uint64_t limit, std::uint64_t before);
// Offline: a store is verified by root documents alone; corrupt when something does not hold.
Status verify_history(const Output& out, const std::string& directory,
                      const std::vector<std::string>& root_files);
Status check_store(const Client& hub, const Output& out,
                   bool data);  // corrupt when it is not sound
// With `force` also into a directory that is not empty; files that are there already stay.
Status fetch(const Client& hub, const Output& out, const std::string& reference,
             const std::string& directory, bool force);

// ---- deciding ----
Status merge(const Client& hub, const Output& out, const std::string& repo);
// Each of `choices` is PATH=REF, or a REF for all paths that are not named.
Status settle(const Client& hub, const Output& out, const std::string& repo,
              const std::vector<std::string>& choices);
Status move_ref(const Client& hub, const Output& out, const std::string& repo,
                const std::string& name, const std::string& to);
Status remove_ref(const Client& hub, const Output& out, const std::string& repo,
                  const std::string& name);
Status release_device(const Client& hub, const Output& out, const std::string& device);
Status retire_device(const Client& hub, const Output& out, const std::string& device, bool retired);
// ---- enrolment ----
struct TokenRequest {
    std::string group;
    std::string replaces;  // a device; empty: for a new one
    std::string expires = "24h";
};
Status issue_token(const Client& hub, const Output& out, const TokenRequest& wanted);
Status list_tokens(const Client& hub, const Output& out);
Status revoke_token(const Client& hub, const Output& out, const std::string& token);
Status list_waiting(const Client& hub, const Output& out);
struct BoardDecision {
    std::string fingerprint;
    bool accepted = false;
    std::string name;      // empty: by its own word
    std::string replaces;  // a device; empty: it becomes a new one
    std::string group;
};
Status decide_board(const Client& hub, const Output& out, const BoardDecision& decision);
// `retire`: it is not counted on any more, either.
Status revoke_device(const Client& hub, const Output& out, const std::string& device,
                     const std::string& reason, bool retire);

Status make_key(const Output& out, const std::string& path, const std::string& passphrase_path);
Status approve(const Client& hub, const Output& out, const std::string& reference,
               const std::string& key_path, const std::string& passphrase_path);
struct RolloutOrder {
    std::string reference;
    std::string model;
    std::vector<std::string> devices;  // none: all that are not retired
    bool force = false;
};
Status start_rollout(const Client& hub, const Output& out, const RolloutOrder& order);
Status show_rollout(const Client& hub, const Output& out);

}  // namespace tributary::cli
