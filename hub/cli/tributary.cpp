#include "hub/cli/tributary.h"

#include <CLI/CLI.hpp>
#include <functional>
#include <iostream>
#include <string>
#include <vector>

#include "hub/cli/verbs.h"

namespace tributary::cli {
namespace {

int exit_code_of(Errc code) {
    switch (code) {
        case Errc::invalid: return 2;
        case Errc::conflict: return 3;
        case Errc::denied: return 4;
        case Errc::unavailable: return 5;
        case Errc::erased: return 6;
        default: return 1;
    }
}

constexpr std::string_view kReferences =
    "A REF is an id (sha256:... or its first digits), GROUP/NAME (its branch main, or its only "
    "one), or GROUP/NAME/REF with REF a branch, tags/NAME, @ALIAS or device/ID/BRANCH, followed by "
    "~N, ^N or @{TIME} if you like.";

// The verbs: each adds its options and, once parsed, leaves what to do in `action`.
class CommandLine {
public:
    CommandLine()
        : app_("Looks at the boards' histories on the hub, and decides what runs where.",
               "tributary") {
        app_.footer(std::string(kReferences));
        app_.set_version_flag("--version", "tributary " TRIBUTARY_VERSION, "Print the version");
        app_.add_option("--hub", hub_,
                        "Where the hub is; else TRIBUTARY_HUB, else the profile file")
            ->type_name("URL");
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
            return app_.exit(error) == 0 ? 0 : 2;
        }
        const Status done = carry_out();
        if (done) return 0;
        std::cerr << "tributary: " << done.error().what << "\n";
        return exit_code_of(done.error().code);
    }

private:
    using Action = std::function<Status(const Client&)>;

    Status carry_out() {
        if (without_hub_) return action_(Client(""));
        TRIBUTARY_ASSIGN(const std::string hub, find_hub(hub_));
        return action_(Client(hub));
    }

    CLI::App* verb(CLI::App& parent, const std::string& name, const std::string& help,
                   Action action) {
        CLI::App* verb = parent.add_subcommand(name, help);
        verb->callback([this, action = std::move(action)] { action_ = action; });
        return verb;
    }

    void add_looking() {
        CLI::App* device = app_.add_subcommand("device", "The boards")->require_subcommand(1);
        verb(*device, "list", "All boards and what they run",
             [this](const Client& hub) { return list_devices(hub, out_); });
        verb(*device, "show", "One board",
             [this](const Client& hub) { return show_device(hub, out_, name_); })
            ->add_option("DEVICE", name_, "Device id")
            ->type_name("")
            ->required();
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

        CLI::App* lineage =
            verb(app_, "lineage", "What a version was made from, and what came of it",
                 [this](const Client& hub) {
                     lineage_.reference = ref_;
                     return show_lineage(hub, out_, lineage_);
                 });
        add_ref(lineage);
        lineage->add_flag("--up{up},--down{down}", lineage_.direction,
                          "Only origins, or only what came of it");
        lineage->add_option("--depth", lineage_.depth, "Edges to follow at most")
            ->type_name("N")
            ->check(CLI::Range(1, 100000));
        lineage->add_flag("--dot", lineage_.dot, "Print the graph for Graphviz");

        CLI::App* fetch_verb =
            verb(app_, "fetch", "Download a version's files, checked",
                 [this](const Client& hub) { return fetch(hub, out_, ref_, name_); });
        add_ref(fetch_verb);
        fetch_verb->add_option("--to", name_, "Directory to make")->type_name("DIR")->required();
        verb(app_, "fsck", "Check the hub's store", [this](const Client& hub) {
            return check_store(hub, out_, flag_);
        })->add_flag("--data", flag_, "Read and check every stored byte, too");
        add_limit(verb(app_, "audit", "What the hub's own journal says, newest first",
                       [this](const Client& hub) { return show_audit(hub, out_, limit_); }));
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
            verb(app_, "tag", "Give a version a name that never moves", [this](const Client& hub) {
                return move_ref(hub, out_, repo_, "tags/" + name_, ref_);
            });
        add_naming(tag, "TAG");
        CLI::App* alias =
            verb(app_, "alias", "Give a version a name that may move, such as production",
                 [this](const Client& hub) {
                     const std::string name = name_.starts_with("@") ? name_ : "@" + name_;
                     return move_ref(hub, out_, repo_, name, ref_);
                 });
        add_naming(alias, "ALIAS");

        verb(app_, "key", "Make an approver's key pair",
             [this](const Client&) { return make_key(out_, name_); })
            ->add_option("FILE", name_,
                         "Where the private key goes; the public half goes to FILE.pub")
            ->type_name("")
            ->required();
        CLI::App* key = app_.get_subcommand("key");
        key->parse_complete_callback([this] { without_hub_ = true; });

        CLI::App* approve_verb =
            verb(app_, "approve", "Say, with your key, that a version may run",
                 [this](const Client& hub) { return approve(hub, out_, ref_, name_); });
        add_ref(approve_verb);
        approve_verb->add_option("--key", name_, "Your private key file")
            ->type_name("FILE")
            ->required();

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
        verb(*rollout, "show", "How it goes, board by board",
             [this](const Client& hub) { return show_rollout(hub, out_); });
    }

    void add_ref(CLI::App* verb) {
        verb->add_option("REF", ref_, "Which version")->type_name("")->required();
    }
    void add_limit(CLI::App* verb) {
        verb->add_option("-n,--limit", limit_, "Lines at most")
            ->type_name("N")
            ->check(CLI::Range(1, 1000))
            ->capture_default_str();
    }
    void add_naming(CLI::App* verb, const std::string& what) {
        verb->add_option("REPO", repo_, "GROUP/NAME")->type_name("")->required();
        verb->add_option(what, name_, "The name")->type_name("")->required();
        add_ref(verb);
    }

    CLI::App app_;
    Action action_;
    bool without_hub_ = false;

    Output out_;
    std::string hub_, ref_, repo_, name_;
    std::vector<std::string> choices_;
    std::uint64_t limit_ = 20;
    bool flag_ = false;
    LineageQuery lineage_;
    RolloutOrder order_;
};

}  // namespace

int run(int argc, char** argv) { return CommandLine().run(argc, argv); }

}  // namespace tributary::cli
