#include "hub/root_verbs.h"

#include <algorithm>
#include <iostream>
#include <optional>

#include "common/base/limits.h"
#include "common/env/clock.h"
#include "common/env/files.h"
#include "common/hash/hash.h"
#include "common/text/json.h"
#include "common/text/toml.h"
#include "hub/deploy/deployment.h"
#include "hub/deploy/root_draft.h"
#include "hub/verb_report.h"

namespace tributary::hub {
namespace {

// A hub's folder, or its trust folder, or a copy of that.
std::string trust_dir_of(const std::string& directory) {
    const std::string inner = join_path(directory, "trust");
    return system_files().stat_target(inner) ? inner : directory;
}

Result<Bytes> read_public_key(const std::string& path) {
    TRIBUTARY_ASSIGN(const Bytes pem, read_file(system_files(), path, 64 * limits::KiB));
    auto key = trust::parse_public_key_pem(as_text(pem));
    if (!key) return with_context(path, key.error());
    return key;
}

Result<Bytes> document_at(const std::string& path) {
    const auto status = system_files().stat_target(path);
    if (status && status->kind == FileStatus::Kind::directory) {
        TRIBUTARY_ASSIGN(RootHistory roots, load_roots(system_files(), trust_dir_of(path)));
        return std::move(roots.documents.back());
    }
    return read_file(system_files(), path, limits::kRootBytesMax);
}

std::string id_of(ByteView key) { return trust::key_id(key).text(); }

std::string time_text(WallTime time) { return time.ms == 0 ? "never" : to_text(time); }

Json form_of(const RootOnPaper& paper) {
    const Root& root = paper.root;
    Json keys = Json::array(), approvers = Json::array(), hubs = Json::array(),
         authorities = Json::array(), signatures = Json::array();
    for (const Bytes& key : root.keys) keys.push(id_of(key));
    for (const Root::NamedKey& one : root.approvers)
        approvers.push(Json::object({{"name", one.name}, {"key", id_of(one.key)}}));
    for (const Bytes& key : root.hub_keys) hubs.push(id_of(key));
    for (const Bytes& authority : root.authorities) authorities.push(sha256(authority).text());
    for (const Digest& key : paper.signed_by) signatures.push(key.text());
    return Json::object({{"version", root.version},
                         {"issued", to_text(root.issued)},
                         {"expires", root.expires.ms == 0 ? Json() : Json(to_text(root.expires))},
                         {"root_keys", std::move(keys)},
                         {"root_threshold", root.threshold},
                         {"approvers", std::move(approvers)},
                         {"approver_threshold", root.approver_threshold},
                         {"hub_keys", std::move(hubs)},
                         {"authorities", std::move(authorities)},
                         {"signed_by", std::move(signatures)}});
}

std::string text_of(const RootOnPaper& paper) {
    const Root& root = paper.root;
    const auto signed_by = [&](const Bytes& key) {
        return std::ranges::count(paper.signed_by, trust::key_id(key)) > 0 ? "  signed" : "";
    };
    std::string text = "version     " + std::to_string(root.version) + "\nissued      " +
                       to_text(root.issued) + "\nexpires     " + time_text(root.expires) +
                       "\nroot keys   " + std::to_string(root.threshold) +
                       " of these must sign the next one\n";
    for (const Bytes& key : root.keys) text += "            " + id_of(key) + signed_by(key) + "\n";
    text += root.approvers.empty() ? "approvers   none: nothing can be approved\n" : "approvers\n";
    for (const Root::NamedKey& one : root.approvers)
        text += "            " + id_of(one.key) + "  " + one.name + "\n";
    text += "hub keys\n";
    for (const Bytes& key : root.hub_keys) text += "            " + id_of(key) + "\n";
    text += "authorities\n";
    for (const Bytes& der : root.authorities) text += "            " + sha256(der).text() + "\n";
    return text;
}

void print(const HubArguments& arguments, const RootOnPaper& paper, const std::string& text) {
    std::cout << (arguments.json ? form_of(paper).text() + "\n" : text);
}

Result<WallTime> expiry_of(const std::string& text, WallTime now) {
    if (text == "never") return WallTime{};
    const auto duration = parse_duration_ms(text);
    if (!duration || *duration == 0)
        return fail(Errc::invalid, "--expires '" + text + "' is not such as 365d, or never");
    return WallTime{now.ms + *duration};
}

Result<RootOnPaper> show(const HubArguments& arguments) {
    TRIBUTARY_ASSIGN(const Bytes document, document_at(arguments.directory));
    return read_root_document(document);
}

// Made where it is to stay.
Result<Bytes> make_hub_key(const std::string& directory) {
    const auto config = load_config(system_files(), join_path(directory, "hub.toml"));
    if (!config)
        return with_context("--new-hub-key needs the folder of the hub itself", config.error());
    TRIBUTARY_ASSIGN(const std::string owner, act_as_owner_of(config->state_dir));
    return next_hub_key(system_files(), system_entropy(), *config);
}

Result<RootOnPaper> draft_next(const HubArguments& arguments) {
    const RootArguments& given = arguments.root;
    TRIBUTARY_ASSIGN(const RootHistory roots,
                     load_roots(system_files(), trust_dir_of(arguments.directory)));
    const WallTime now = system_clock().wall();
    if (system_files().stat(given.draft_path))
        return fail(Errc::conflict, given.draft_path +
                                        " is there already; remove it, for it may "
                                        "hold signatures, or name another file");
    RootChange change;
    for (const std::string& text : given.add_approvers) {
        TRIBUTARY_ASSIGN(const auto approver, name_and_file(text));
        TRIBUTARY_ASSIGN(Bytes key, read_public_key(approver.second));
        change.add_approvers.push_back({approver.first, std::move(key)});
    }
    for (const std::string& path : given.add_keys) {
        TRIBUTARY_ASSIGN(Bytes key, read_public_key(path));
        change.add_root_keys.push_back(std::move(key));
    }
    change.drop_approvers = given.drop_approvers;
    change.drop_root_keys = given.drop_keys;
    change.root_threshold = given.threshold;
    if (!given.expires.empty()) {
        TRIBUTARY_ASSIGN(change.expires, expiry_of(given.expires, now));
    }
    if (given.new_hub_key) {
        TRIBUTARY_ASSIGN(change.hub_key, make_hub_key(arguments.directory));
    }
    TRIBUTARY_ASSIGN(Root next, next_root(roots.newest.root, change, now));
    TRIBUTARY_ASSIGN(const Bytes draft, draft_of(next));
    TRIBUTARY_TRY(replace_file(system_files(), given.draft_path, draft, Readers::everybody));
    return RootOnPaper{std::move(next), {}};
}

Result<RootOnPaper> sign(const HubArguments& arguments) {
    TRIBUTARY_ASSIGN(const Bytes draft,
                     read_file(system_files(), arguments.directory, limits::kRootBytesMax));
    std::optional<trust::Passphrase> passphrase;
    if (!arguments.root.passphrase_path.empty()) {
        TRIBUTARY_ASSIGN(passphrase,
                         trust::Passphrase::load(system_files(), arguments.root.passphrase_path));
    }
    auto key = trust::load_key(system_files(), arguments.root.key_path,
                               passphrase ? &*passphrase : nullptr);
    if (!key && key.error().code == Errc::denied && !passphrase)
        return fail(Errc::invalid,
                    arguments.root.key_path + " is encrypted: say --passphrase-file FILE as well");
    if (!key) return tl::make_unexpected(key.error());
    TRIBUTARY_ASSIGN(const Bytes more, trust::add_root_signature(**key, draft));
    TRIBUTARY_TRY(replace_file(system_files(), arguments.directory, more, Readers::everybody));
    return read_root_document(more);
}

// A hub that runs would end with a document that names other keys than it has.
Status check_keys_are_here(const std::string& trust_dir, const Root& next) {
    const std::string path = join_path(parent_path(trust_dir), "hub.toml");
    const auto config = load_config(system_files(), path);
    if (!config)
        return with_context(
            "this document names another key of the hub, or another authority, and is published "
            "in the folder of the hub itself",
            config.error());
    TRIBUTARY_ASSIGN(const trust::MasterKey master, load_master_key(system_files(), *config));
    return check_root_serves(system_files(), *config, master, next);
}

struct Published {
    RootOnPaper paper;
    bool other_key = false;  // of the hub
};

Result<Published> publish(const HubArguments& arguments) {
    const std::string trust_dir = trust_dir_of(arguments.directory);
    TRIBUTARY_ASSIGN(const Bytes draft,
                     read_file(system_files(), arguments.root.draft_path, limits::kRootBytesMax));
    TRIBUTARY_ASSIGN(const std::string owner, act_as_owner_of(trust_dir));
    bool other_key = false;
    TRIBUTARY_TRY(publish_root(system_files(), trust_dir, draft,
                               [&](const Root& present, const Root& next) -> Status {
                                   other_key = present.hub_keys != next.hub_keys;
                                   if (!other_key && present.authorities == next.authorities)
                                       return {};
                                   return check_keys_are_here(trust_dir, next);
                               }));
    TRIBUTARY_ASSIGN(RootOnPaper paper, read_root_document(draft));
    return Published{std::move(paper), other_key};
}

}  // namespace

int run_root_show(const HubArguments& arguments) {
    const auto paper = show(arguments);
    if (!paper) return report_error(arguments, paper.error());
    print(arguments, *paper, text_of(*paper));
    return 0;
}

int run_root_next(const HubArguments& arguments) {
    const auto paper = draft_next(arguments);
    if (!paper) return report_error(arguments, paper.error());
    print(
        arguments, *paper,
        text_of(*paper) +
            "\nLook it through. Then let those who hold root keys sign it, as many as the version "
            "before asks\nfor of its keys, and this one of its own:\n  tributary-hub root sign " +
            arguments.root.draft_path + " --key root-1.pem --passphrase-file FILE\n");
    return 0;
}

int run_root_sign(const HubArguments& arguments) {
    const auto paper = sign(arguments);
    if (!paper) return report_error(arguments, paper.error());
    print(arguments, *paper,
          text_of(*paper) + "\nSigned; it has " + std::to_string(paper->signed_by.size()) +
              " signatures. When there are enough:\n  tributary-hub root publish DIR " +
              arguments.directory + "\n");
    return 0;
}

int run_root_publish(const HubArguments& arguments) {
    const auto published = publish(arguments);
    if (!published) return report_error(arguments, published.error());
    std::string text = "root document of version " + std::to_string(published->paper.root.version) +
                       " is in force: a hub that runs takes it within seconds, and its boards when "
                       "they next connect\n";
    if (published->other_key)
        text +=
            "The hub goes on with its new key. Make a backup now: an older one has the key that "
            "boards refuse\n";
    print(arguments, published->paper, text);
    return 0;
}

}  // namespace tributary::hub
