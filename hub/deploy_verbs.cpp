#include "hub/deploy_verbs.h"

#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <iostream>
#include <optional>

#include "common/env/clock.h"
#include "common/env/files.h"
#include "common/env/terminal.h"
#include "common/text/json.h"
#include "common/text/log.h"
#include "hub/deploy/deployment.h"
#include "hub/deploy/init.h"
#include "hub/deploy/papers.h"
#include "hub/verb_report.h"

namespace tributary::hub {
namespace {

std::string machine_name() {
    char name[256] = {};
    return ::gethostname(name, sizeof name - 1) == 0 && name[0] != 0 ? name : "localhost";
}

std::string user_name() {
    const passwd* const user = ::getpwuid(::geteuid());
    return user != nullptr ? user->pw_name : std::to_string(::geteuid());
}

Result<InitOptions> options_of(const HubArguments& arguments) {
    const InitArguments& given = arguments.init;
    InitOptions options;
    options.directory = arguments.directory;
    options.name = given.name;
    options.hosts = given.hosts;
    if (options.hosts.empty()) options.hosts = {machine_name()};
    // What runs on this machine reaches it so, whatever else it is called.
    for (const char* here : {"localhost", "127.0.0.1"})
        if (std::ranges::find(options.hosts, here) == options.hosts.end())
            options.hosts.emplace_back(here);
    options.bind = given.bind;
    options.api_port = given.api_port;
    options.devices_port = given.devices_port;
    options.broker_port = given.broker_port;
    options.root_keys = given.root_keys;
    options.root_threshold = given.root_threshold;
    for (const std::string& text : given.approvers) {
        TRIBUTARY_ASSIGN(auto approver, name_and_file(text));
        options.approvers.push_back(std::move(approver));
    }
    options.made_approvers = given.made_approvers;
    options.user = user_name();
    return options;
}

struct Made {
    Initialised what;
    std::string passphrase;  // made here, to be shown once; empty: it was given
};

Result<Made> make(const HubArguments& arguments) {
    // In somebody's folder everything is made as theirs.
    TRIBUTARY_ASSIGN(const std::string owner, act_as_owner_of(arguments.directory));
    TRIBUTARY_ASSIGN(const InitOptions options, options_of(arguments));
    TRIBUTARY_TRY(check_free(system_files(), options.directory));
    Made made;
    std::optional<trust::Passphrase> passphrase;
    if (arguments.init.passphrase_path.empty()) {
        made.passphrase = make_passphrase(system_entropy());
        TRIBUTARY_ASSIGN(passphrase, trust::Passphrase::of_person(made.passphrase));
    } else {
        TRIBUTARY_ASSIGN(passphrase,
                         trust::Passphrase::load(system_files(), arguments.init.passphrase_path));
    }
    TRIBUTARY_ASSIGN(made.what, make_deployment(system_files(), system_clock(), system_entropy(),
                                                options, *passphrase));
    return made;
}

std::string how_to_enrol(const std::string& api_url, const std::string& ca_path) {
    return "To enrol a board:\n"
           "  here          tributary --hub " +
           api_url + " --ca " + ca_path +
           " device token\n"
           "  on the board  tributary-agent enroll --token TOKEN\n";
}

void print(const Made& made) {
    const Initialised& hub = made.what;
    std::cout << "made a secured hub in " << hub.directory << "\n"
              << "  boards enrol at    " << hub.devices_url << "\n"
              << "  and then reach     " << hub.broker_url << "\n"
              << "  root document      " << hub.root.text() << "\n\n"
              << "Take " << hub.directory << "/take-away to another place and remove it here: its "
              << hub.take_away.size() << " keys,\nseveral of them together, say whom boards trust; "
              << "the hub never needs them. Best one\nplace for each.\n";
    if (!made.passphrase.empty())
        std::cout << "Their passphrase, shown this once:  " << made.passphrase << "\n";
    std::cout << "\nKeep a copy of master.key apart from the backups of the rest: with both one is "
                 "this hub,\nwithout it no backup can be restored.\n\n"
              << how_to_enrol(hub.api_url, hub.ca_path);
}

Json form_of(const Made& made) {
    const Initialised& hub = made.what;
    Json keys = Json::array();
    for (const std::string& path : hub.take_away) keys.push(path);
    return Json::object({{"directory", hub.directory},
                         {"config", hub.config_path},
                         {"api_url", hub.api_url},
                         {"devices_url", hub.devices_url},
                         {"broker_url", hub.broker_url},
                         {"ca", hub.ca_path},
                         {"root", hub.root.text()},
                         {"take_away", std::move(keys)},
                         {"passphrase", made.passphrase.empty() ? Json() : Json(made.passphrase)}});
}

Status make_server_keys(const HubArguments& arguments) {
    TRIBUTARY_ASSIGN(const HubConfig config,
                     load_config(system_files(), join_path(arguments.directory, "hub.toml")));
    TRIBUTARY_ASSIGN(const std::string owner, act_as_owner_of(config.trust_dir));
    TRIBUTARY_ASSIGN(const trust::MasterKey master, load_master_key(system_files(), config));
    return make_next_server_keys(system_files(), system_entropy(), config, master);
}

}  // namespace

int run_server_keys(const HubArguments& arguments) {
    if (const Status made = make_server_keys(arguments); !made)
        return report_error(arguments, made.error());
    if (arguments.json)
        std::cout << Json::object({{"made", true}}).text() << "\n";
    else
        std::cout
            << "made other keys for door, API, broker and the hub's own connection: a hub that "
               "runs takes them\nwithin seconds and ends its broker for it, another one when it "
               "starts. Copy trust/ and broker/ beside\nthe backup then. Whoever has a key of "
               "before can pass for that server until its authority is dropped:\n"
               "`tributary-hub root next --new-authority`\n";
    return 0;
}

int run_init(const HubArguments& arguments) {
    const auto made = make(arguments);
    if (!made) return report_error(arguments, made.error());
    if (arguments.json) {
        std::cout << form_of(*made).text() << "\n";
        return 0;
    }
    print(*made);
    std::cout << "To start it, with its broker:\n  tributary-hub up " << arguments.directory
              << "\n";
    return 0;
}

int run_up(const HubArguments& arguments, const std::function<int(const HubArguments&)>& run) {
    HubArguments with_config = arguments;
    with_config.config_path = join_path(arguments.directory, "hub.toml");
    if (!is_deployment(system_files(), arguments.directory)) {
        // What a service prints ends up in a log.
        if (arguments.init.passphrase_path.empty() && !stdout_is_terminal())
            return report_error(arguments,
                                {Errc::invalid,
                                 "the passphrase of the root keys would be printed to where no "
                                 "person looks; give --root-passphrase-file FILE, or make the hub "
                                 "with `tributary-hub init " +
                                     arguments.directory + "` first"});
        const auto made = make(arguments);
        if (!made) return report_error(arguments, made.error());
        print(*made);
        std::cout << std::flush;
    } else if (!arguments.init.given.empty()) {
        std::string options;
        for (const std::string& name : arguments.init.given)
            options += (options.empty() ? "" : ", ") + name;
        log_warn(
            "this hub is there already, and what is said of a new one is passed over: its "
            "hub.toml is to be changed instead, and approvers by `tributary-hub root next`",
            {{"options", options}});
    }
    return run(with_config);
}

}  // namespace tributary::hub
