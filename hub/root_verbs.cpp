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
#include "hub/enrol/issuer_count.h"
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

Result<HubConfig> config_in(const std::string& directory, const std::string& what) {
    auto config = load_config(system_files(), join_path(directory, "hub.toml"));
    if (!config) return with_context(what + " needs the folder of the hub itself", config.error());
    return config;
}

// Both are made where they are to stay.
Result<Bytes> make_hub_key(const std::string& directory) {
    TRIBUTARY_ASSIGN(const HubConfig config, config_in(directory, "--new-hub-key"));
    TRIBUTARY_ASSIGN(const std::string owner, act_as_owner_of(config.state_dir));
    return next_hub_key(system_files(), system_entropy(), config);
}
Result<Bytes> make_authority(const std::string& directory, const Root& current) {
    TRIBUTARY_ASSIGN(const HubConfig config, config_in(directory, "--new-authority"));
    TRIBUTARY_ASSIGN(const std::string owner, act_as_owner_of(config.trust_dir));
    return next_authority(system_files(), system_entropy(), config, current.version + 1);
}

// ---- whose certificates boards hold ----

std::string some_of(const HeldCertificates::Boards& boards) {
    std::string text;
    for (const std::string& device : boards.some) text += (text.empty() ? "" : ", ") + device;
    return boards.count > boards.some.size() ? text + ", ..." : text;
}

// As the hub of this folder counted under this root document; nullopt: it did not, or not yet.
std::optional<HeldCertificates> held_under(const std::string& directory, const Root& root) {
    const auto config = load_config(system_files(), join_path(directory, "hub.toml"));
    if (!config) return std::nullopt;
    auto held = load_certificate_count(system_files(), config->state_dir);
    if (!held || held->root_version != root.version) return std::nullopt;
    return *std::move(held);
}

Json form_of(const HeldCertificates& held) {
    Json named = Json::array();
    for (const HeldCertificates::Authority& one : held.named)
        named.push(
            Json::object({{"authority", one.certificate.text()}, {"boards", one.boards.count}}));
    return Json::object({{"by_authority", std::move(named)},
                         {"others", held.others.count},
                         {"to_renew", held.to_renew()}});
}

std::string text_of(const HeldCertificates& held) {
    std::string text = "boards by whose certificate they hold\n";
    const auto row = [&](const HeldCertificates::Boards& boards, const std::string& whose) {
        const std::string some = boards.count == 0 ? "" : " (" + some_of(boards) + ")";
        text += "            " + std::to_string(boards.count) + "  " + whose + some + "\n";
    };
    for (const HeldCertificates::Authority& one : held.named)
        row(one.boards, one.certificate.text());
    if (held.others.count != 0)
        row(held.others, "of none that is named: they renew at the boards' door");
    return text;
}

// A board whose certificate is by an authority that goes would be refused at the broker.
Status check_nobody_cut_off(const std::string& directory, const Root& present, const Root& next) {
    const auto goes = [&](const Digest& certificate) {
        return std::ranges::none_of(next.authorities,
                                    [&](const Bytes& der) { return sha256(der) == certificate; });
    };
    const bool drops = std::ranges::any_of(present.authorities,
                                           [&](const Bytes& der) { return goes(sha256(der)); });
    if (!drops) return {};
    const auto held = held_under(directory, present);
    if (!held)
        return fail(Errc::unavailable,
                    "how many boards hold certificates of the authority that is to be dropped is "
                    "not known: the hub has not run with root document " +
                        std::to_string(present.version) +
                        " yet; start it and wait, or say --force");
    const auto cut_off = [&](const HeldCertificates::Boards& boards, const std::string& whose) {
        return fail(Errc::denied,
                    std::to_string(boards.count) + " boards still hold a certificate of " + whose +
                        " (" + some_of(boards) +
                        "), and the broker would refuse them until they have renewed at the "
                        "boards' door. They renew within a day of following root document " +
                        std::to_string(present.version) +
                        ": wait until `tributary-hub root show` of this folder says that none is "
                        "left; retire or revoke boards that will not come back; or say --force");
    };
    for (const HeldCertificates::Authority& one : held->named)
        if (goes(one.certificate) && one.boards.count != 0)
            return cut_off(one.boards, "the authority that is to be dropped");
    if (held->others.count != 0)
        return cut_off(held->others,
                       "an authority that is not named, or of which nothing is known");
    return {};
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
    const Root& current = roots.newest.root;
    TRIBUTARY_TRY(check_authorities_change(current, given.new_authority, given.drop_authority));
    if (given.new_authority) {
        TRIBUTARY_ASSIGN(change.authority, make_authority(arguments.directory, current));
    }
    change.drop_authority = given.drop_authority;
    if (given.new_hub_key) {
        TRIBUTARY_ASSIGN(change.hub_key, make_hub_key(arguments.directory));
    }
    TRIBUTARY_ASSIGN(Root next, next_root(current, change, now));
    const bool of_hub = system_files().stat(join_path(arguments.directory, "hub.toml")).has_value();
    if (of_hub && !given.force)  // elsewhere only publishing finds out
        TRIBUTARY_TRY(check_nobody_cut_off(arguments.directory, current, next));
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
    bool other_authority = false;
    bool takes_over = false;  // one authority from another
};

Result<Published> publish(const HubArguments& arguments) {
    const std::string trust_dir = trust_dir_of(arguments.directory);
    TRIBUTARY_ASSIGN(const Bytes draft,
                     read_file(system_files(), arguments.root.draft_path, limits::kRootBytesMax));
    TRIBUTARY_ASSIGN(const std::string owner, act_as_owner_of(trust_dir));
    Published published;
    const auto check = [&](const Root& present, const Root& next) -> Status {
        published.other_key = present.hub_keys != next.hub_keys;
        published.other_authority = present.authorities != next.authorities;
        published.takes_over = published.other_authority && next.authorities.size() > 1;
        if (!published.other_key && !published.other_authority) return {};
        TRIBUTARY_TRY(check_keys_are_here(trust_dir, next));
        if (arguments.root.force) return {};
        return check_nobody_cut_off(std::string(parent_path(trust_dir)), present, next);
    };
    TRIBUTARY_TRY(publish_root(system_files(), trust_dir, draft, check));
    TRIBUTARY_ASSIGN(published.paper, read_root_document(draft));
    return published;
}

}  // namespace

int run_root_show(const HubArguments& arguments) {
    const auto paper = show(arguments);
    if (!paper) return report_error(arguments, paper.error());
    const auto held = held_under(arguments.directory, paper->root);
    if (arguments.json)
        std::cout << (held ? form_of(*paper).set("boards", form_of(*held)) : form_of(*paper)).text()
                  << "\n";
    else
        std::cout << text_of(*paper) << (held ? text_of(*held) : "");
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
              (paper->signed_by.size() == 1 ? " signature" : " signatures") +
              ". When there are enough:\n  tributary-hub root publish DIR " + arguments.directory +
              "\n");
    return 0;
}

int run_root_publish(const HubArguments& arguments) {
    const auto published = publish(arguments);
    if (!published) return report_error(arguments, published.error());
    std::string text = "root document of version " + std::to_string(published->paper.root.version) +
                       " is in force: a hub that runs takes it within seconds, and its boards when "
                       "they next connect\n";
    if (published->takes_over)
        text +=
            "Boards are given certificates of the new authority, each within a day of following "
            "this document;\nthose of the other one still count. `tributary-hub root show` of this "
            "folder says how many are left;\nwhen none is: `tributary-hub root next "
            "--drop-authority`\n";
    if (published->other_key)
        text +=
            "The hub goes on with its new key. Make a backup now: an older one has the key that "
            "boards refuse\n";
    if (published->other_authority)
        text +=
            "Copy trust/ and broker/ beside the backup now, and trust/ca.pem to wherever people "
            "have it for --ca,\nand to a broker that you run yourself, as its cafile\n";
    print(arguments, published->paper, text);
    return 0;
}

}  // namespace tributary::hub
