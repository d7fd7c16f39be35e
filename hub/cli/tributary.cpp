#include "hub/cli/tributary.h"

#include <CLI/CLI.hpp>
#include <functional>
#include <iostream>
#include <string>
#include <vector>

#include "common/cli/usage.h"
#include "common/env/clock.h"
#include "common/env/terminal.h"
#include "hub/cli/verbs.h"

namespace tributary::cli {
namespace {

// What the operating system said is a failure of this machine, not an answer of hub or policy.
int exit_code_of(const Error& error) {
    switch (error.code) {
        case Errc::invalid: return 2;
        case Errc::conflict: return error.native == 0 ? 3 : 1;
        case Errc::denied: return error.native == 0 ? 4 : 1;
        case Errc::unavailable: return 5;
        case Errc::erased: return 6;
        default: return 1;
    }
}

constexpr const char* kExitCodes =
    "Exit codes: 0 ok, 1 error, 2 usage, 3 conflict, 4 refused by a gate or policy,\n"
    "5 hub out of reach, 6 erased.";
constexpr const char* kReferences =
    "A REF is an id (sha256:... or its first digits), GROUP/NAME (its branch main, or\n"
    "its only one), or GROUP/NAME/REF with REF a branch, tags/NAME, @ALIAS or\n"
    "device/ID/BRANCH, followed by ~N, ^N or @{TIME} if you like.";

constexpr std::uint64_t kWatchMs = 1'000;

// The verbs: each adds its options and, once parsed, leaves what to do in `action`.
class CommandLine {
public:
    CommandLine()
        : app_("Looks at the boards' histories on the hub, and decides what runs where.",
               "tributary") {
        app_.footer(kExitCodes);
        app_.set_version_flag("--version", "tributary " TRIBUTARY_VERSION, "Print the version");
        app_.add_option("--hub", hub_,
                        "Where the hub is; else TRIBUTARY_HUB, else the profile file")
            ->type_name("URL");
        app_.add_option("--ca", ca_,
                        "PEM file of the authority that signed the certificate of an https:// "
                        "hub; else TRIBUTARY_CA, else the profile file, else this system's")
            ->type_name("FILE");
        app_.add_flag("--json", out_.json, "Print one JSON document for machines");
        app_.require_subcommand(1);
        app_.fallthrough();
        add_looking();
        add_deciding();
    }

    int run(int argc, char** argv) {
        // A library that throws: fenced here.
        try {
            app_.parse(argc, argv);
        } catch (const CLI::ParseError& error) {
            if (error.get_exit_code() == 0) return app_.exit(error);  // help, or the version
            for (int i = 1; i < argc; ++i) out_.json |= std::string_view(argv[i]) == "--json";
            tell("usage", usage_error(app_, argc, argv, error.what()) + "; see 'tributary --help'");
            return 2;
        }
        const Status done = watch_ ? watch() : carry_out();
        if (done) return 0;
        tell(name_of(done.error().code), done.error().what);
        return exit_code_of(done.error());
    }

private:
    using Action = std::function<Status(const Client&)>;

    void tell(std::string_view code, const std::string& what) const {
        if (!out_.json)
            std::cerr << "tributary: " << what << "\n";
        else
            std::cerr
                << Json::object({{"error", Json::object({{"code", code}, {"what", what}})}}).text()
                << "\n";
    }

    Status carry_out() {
        if (without_hub_) return action_(Client({}));
        TRIBUTARY_ASSIGN(HubAddress hub, find_hub(hub_, ca_));
        return action_(Client(std::move(hub)));
    }

    // Until a person has seen enough, or the hub is out of reach.
    Status watch() {
        out_.repeat = stdout_is_terminal() ? Output::Repeat::in_place : Output::Repeat::below;
        while (true) {
            TRIBUTARY_TRY(carry_out());
            system_sleep(kWatchMs);
        }
    }

    CLI::App* verb(CLI::App& parent, const std::string& name, const std::string& help,
                   Action action) {
        CLI::App* verb = parent.add_subcommand(name, help);
        // Of a verb below a verb the inner one is told first, and decides.
        verb->callback([this, action = std::move(action)] {
            if (!action_) action_ = action;
        });
        return verb;
    }

    void add_looking() {
        CLI::App* device = app_.add_subcommand("device", "The boards")->require_subcommand(1);
        CLI::App* list = verb(*device, "list", "The boards and what they run",
                              [this](const Client& hub) { return list_devices(hub, out_, flag_); });
        list->add_flag("--all", flag_, "Retired ones, too");
        add_watch(list);
        CLI::App* show = verb(*device, "show", "One board",
                              [this](const Client& hub) { return show_device(hub, out_, name_); });
        show->add_option("DEVICE", name_, "Device id")->type_name("")->required();
        add_watch(show);
        CLI::App* retire =
            verb(*device, "retire", "Count on a board no more: it is given nothing to run",
                 [this](const Client& hub) { return retire_device(hub, out_, name_, !flag_); });
        retire->add_option("DEVICE", name_, "Device id")->type_name("")->required();
        retire->add_flag("--undo", flag_, "Count on it again");
        verb(*device, "release", "Hear a board again that was quarantined",
             [this](const Client& hub) { return release_device(hub, out_, name_); })
            ->add_option("DEVICE", name_, "Device id")
            ->type_name("")
            ->required();
        add_enrolment(*device);
        CLI::App* repo = app_.add_subcommand("repo", "The repositories")->require_subcommand(1);
        verb(*repo, "list", "All repositories and their refs",
             [this](const Client& hub) { return list_repos(hub, out_); });

        CLI::App* log =
            verb(app_, "log", "A version and its ancestors, youngest first",
                 [this](const Client& hub) { return show_log(hub, out_, ref_, limit_); });
        add_ref(log);
        add_limit(log);
        add_ref(verb(app_, "show", "A version: its files, parents, inputs and names",
                     [this](const Client& hub) { return show_version(hub, out_, ref_); }));
        CLI::App* diff =
            verb(app_, "diff", "Files that differ between two versions",
                 [this](const Client& hub) { return show_diff(hub, out_, ref_, name_); });
        diff->add_option("FROM", ref_, "REF before")->type_name("")->required();
        diff->add_option("TO", name_, "REF after")->type_name("")->required();
        explain_references(diff);

        CLI::App* lineage =
            verb(app_, "lineage", "What a version was made from, and what came of it",
                 [this](const Client& hub) {
                     lineage_.reference = ref_;
                     return show_lineage(hub, out_, lineage_);
                 });
        add_ref(lineage);
        lineage->add_flag("--up", lineage_.up, "Only what it was made from");
        lineage->add_flag("--down", lineage_.down, "Only what came of it");
        lineage->add_option("--depth", lineage_.depth, "Edges to follow at most")
            ->type_name("N")
            ->check(CLI::Range(1, 100000));
        lineage->add_flag("--dot", lineage_.dot, "Print the graph for Graphviz");

        CLI::App* fetch_verb =
            verb(app_, "fetch", "Download a version's files, checked",
                 [this](const Client& hub) { return fetch(hub, out_, ref_, name_, flag_); });
        add_ref(fetch_verb);
        fetch_verb->add_flag("--force", flag_,
                             "Also into a directory that is not empty: files that are there "
                             "already stay, others of the same name are replaced");
        fetch_verb->add_option("--to", name_, "Directory to make")->type_name("DIR")->required();
        verb(app_, "fsck", "Check the hub's store", [this](const Client& hub) {
            return check_store(hub, out_, flag_);
        })->add_flag("--data", flag_, "Read and check every stored byte, too");
        CLI::App* audit =
            verb(app_, "audit", "What the hub's own journal says, newest first",
                 [this](const Client& hub) { return show_audit(hub, out_, limit_, before_); });
        add_limit(audit);
        audit->add_option("--before", before_, "Only entries with numbers below this one")
            ->type_name("N")
            ->check(CLI::PositiveNumber);
        CLI::App* verify = verb(
            *audit, "verify",
            "Verify a hub's whole history offline: every entry by its writer's seal, approvals "
            "and certificates by whom the root document of that point names. Of a board's store, "
            "what its hub's receipts vouch for",
            [this](const Client&) { return verify_history(out_, name_, choices_); });
        verify->add_option("--store", name_, "state_dir of a hub, or a board, that does not run")
            ->type_name("DIR")
            ->required();
        verify
            ->add_option(
                "--root", choices_,
                "Root document that you kept, and then each that followed it, up to the newest")
            ->type_name("FILE")
            ->required();
        verify->parse_complete_callback([this] { without_hub_ = true; });
    }

    void add_enrolment(CLI::App& device) {
        CLI::App* token =
            verb(device, "token", "Make a token that lets one board in, once",
                 [this](const Client& hub) { return issue_token(hub, out_, token_); });
        token->add_option("--group", token_.group, "Group that the board will be in")
            ->type_name("NAME");
        token
            ->add_option("--replaces", token_.replaces,
                         "Device that the board takes the place of; the keys of that one are "
                         "revoked")
            ->type_name("ID");
        token->add_option("--expires", token_.expires, "How long it is good, such as 90m or 7d")
            ->type_name("TIME")
            ->capture_default_str();
        verb(device, "tokens", "The tokens, and what became of them",
             [this](const Client& hub) { return list_tokens(hub, out_); });
        verb(device, "token-revoke", "Let nobody in by a token any more",
             [this](const Client& hub) { return revoke_token(hub, out_, name_); })
            ->add_option("TOKEN", name_, "Its id, or the first digits")
            ->type_name("")
            ->required();
        add_watch(verb(device, "waiting", "Boards without a token that want to be let in",
                       [this](const Client& hub) { return list_waiting(hub, out_); }));
        CLI::App* accept = verb(device, "accept", "Let a board in that waits, or that will come",
                                [this](const Client& hub) {
                                    decision_.accepted = true;
                                    return decide_board(hub, out_, decision_);
                                });
        add_fingerprint(accept);
        accept->add_option("--group", decision_.group, "Group that the board will be in")
            ->type_name("NAME");
        CLI::Option* as =
            accept->add_option("--as", decision_.name, "Its device id")->type_name("ID");
        accept
            ->add_option("--replaces", decision_.replaces,
                         "Device that the board takes the place of; the keys of that one are "
                         "revoked")
            ->type_name("ID")
            ->excludes(as);
        add_fingerprint(verb(device, "reject", "Turn a board away", [this](const Client& hub) {
            return decide_board(hub, out_, decision_);
        }));
        CLI::App* revoke = verb(
            device, "revoke", "Believe a board no more, and cut it off at once",
            [this](const Client& hub) { return revoke_device(hub, out_, name_, reason_, false); });
        CLI::App* decommission = verb(
            device, "decommission", "Revoke a board for good, and count on it no more",
            [this](const Client& hub) { return revoke_device(hub, out_, name_, reason_, true); });
        for (CLI::App* verb : {revoke, decommission}) {
            verb->add_option("DEVICE", name_, "Device id")->type_name("")->required();
            verb->add_option("--reason", reason_, "Why, for the audit log")->type_name("TEXT");
        }
    }
    void add_fingerprint(CLI::App* verb) {
        verb->add_option("FINGERPRINT", decision_.fingerprint,
                         "Of the board's key: the first digits if it waits, all 64 if it does not")
            ->type_name("")
            ->required();
    }

    void add_deciding() {
        verb(app_, "merge", "Fold the boards' heads of a repository now",
             [this](const Client& hub) { return merge(hub, out_, name_); })
            ->add_option("REPO", name_, "GROUP/NAME")
            ->type_name("")
            ->required();
        CLI::App* settle_verb =
            verb(app_, "settle", "Say what the shared branch shows where boards are in conflict",
                 [this](const Client& hub) { return settle(hub, out_, repo_, choices_); });
        settle_verb->add_option("REPO", repo_, "GROUP/NAME")->type_name("")->required();
        settle_verb
            ->add_option("CHOICE", choices_,
                         "PATH=REF: this path is as REF shows it, a version or a board's name; REF "
                         "alone: all others")
            ->type_name("")
            ->required();
        CLI::App* tag =
            verb(app_, "tag", "Give a version a name that never moves",
                 [this](const Client& hub) { return name_version(hub, "tags/" + name_); });
        add_naming(tag, "TAG");
        CLI::App* alias =
            verb(app_, "alias", "Give a version a name that may move, such as production",
                 [this](const Client& hub) {
                     return name_version(hub, name_.starts_with("@") ? name_ : "@" + name_);
                 });
        add_naming(alias, "ALIAS");

        verb(app_, "key", "Make an approver's key pair",
             [this](const Client&) { return make_key(out_, name_, passphrase_); })
            ->add_option("FILE", name_,
                         "Where the private key goes; the public half goes to FILE.pub")
            ->type_name("")
            ->required();
        CLI::App* key = app_.get_subcommand("key");
        key->add_option("--passphrase-file", passphrase_,
                        "Its first line is the passphrase under which the private key is encrypted")
            ->type_name("FILE");
        key->parse_complete_callback([this] { without_hub_ = true; });

        CLI::App* approve_verb = verb(
            app_, "approve", "Say, with your key, that a version may run",
            [this](const Client& hub) { return approve(hub, out_, ref_, name_, passphrase_); });
        add_ref(approve_verb);
        approve_verb->add_option("--key", name_, "Your private key file")
            ->type_name("FILE")
            ->required();
        approve_verb
            ->add_option("--passphrase-file", passphrase_, "Its first line opens an encrypted key")
            ->type_name("FILE");

        CLI::App* rollout =
            app_.add_subcommand("rollout", "What the boards shall run")->require_subcommand(1);
        CLI::App* start = verb(*rollout, "start", "Tell boards to run an approved version",
                               [this](const Client& hub) {
                                   order_.reference = ref_;
                                   return start_rollout(hub, out_, order_);
                               });
        add_ref(start);
        start->add_option("--model", order_.model, "Name of the model on the boards")
            ->type_name("NAME")
            ->required();
        start
            ->add_option("--device", order_.devices,
                         "Board to tell; may be repeated (default: all)")
            ->type_name("ID");
        start->add_flag("--force", order_.force,
                        "Also as a model that no board is known to have yet");
        add_watch(verb(*rollout, "show", "How it goes, board by board",
                       [this](const Client& hub) { return show_rollout(hub, out_); }));
    }

    void add_ref(CLI::App* verb) {
        verb->add_option("REF", ref_, "Which version")->type_name("")->required();
        explain_references(verb);
    }
    static void explain_references(CLI::App* verb) {
        verb->footer(std::string(kReferences) + "\n\n" + kExitCodes);
    }
    void add_limit(CLI::App* verb) {
        verb->add_option("-n,--limit", limit_, "Lines at most")
            ->type_name("N")
            ->check(CLI::Range(1, 1000))
            ->capture_default_str();
    }
    void add_watch(CLI::App* verb) {
        verb->add_flag("--watch", watch_, "Show it anew each second, until you press Ctrl-C");
    }
    void add_naming(CLI::App* verb, const std::string& what) {
        verb->add_option("REPO", repo_, "GROUP/NAME")->type_name("")->required();
        verb->add_option(what, name_, "The name")->type_name("")->required();
        CLI::Option* ref = verb->add_option("REF", ref_, "Which version")->type_name("");
        verb->add_flag("--remove", flag_, "Take the name away; what it named stays")->excludes(ref);
        explain_references(verb);
    }
    Status name_version(const Client& hub, const std::string& name) {
        if (flag_) return remove_ref(hub, out_, repo_, name);
        if (ref_.empty())
            return fail(Errc::invalid, "say which version, or --remove; see 'tributary --help'");
        return move_ref(hub, out_, repo_, name, ref_);
    }

    CLI::App app_;
    Action action_;
    bool without_hub_ = false;
    bool watch_ = false;

    Output out_;
    std::string hub_, ca_, ref_, repo_, name_, passphrase_;
    std::vector<std::string> choices_;
    std::uint64_t limit_ = 20;
    std::uint64_t before_ = 0;  // 0: from the newest on
    bool flag_ = false;
    LineageQuery lineage_;
    RolloutOrder order_;
    TokenRequest token_;
    BoardDecision decision_;
    std::string reason_;
};

}  // namespace

int run(int argc, char** argv) { return CommandLine().run(argc, argv); }

}  // namespace tributary::cli
