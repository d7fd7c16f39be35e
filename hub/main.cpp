// tributary-hub: unites the histories of all boards, and answers people and boards over HTTP.
#include <iostream>
#include <optional>

#include "common/env/clock.h"
#include "common/env/files.h"
#include "common/env/service.h"
#include "common/net/loop.h"
#include "common/text/log.h"
#include "hub/api/api.h"
#include "hub/api/door.h"
#include "hub/app/hub.h"
#include "hub/app/secured_parts.h"
#include "hub/backup_verbs.h"
#include "hub/cli/hub_arguments.h"
#include "hub/deploy/papers.h"
#include "hub/deploy/root_watch.h"
#include "hub/deploy_verbs.h"
#include "hub/root_verbs.h"

namespace tributary::hub {
namespace {

int report(const Error& error) {
    std::cerr << "tributary-hub: " << error.what << "\n";
    return error.code == Errc::invalid ? 2 : 1;
}

// The exit code; nullopt: its papers have changed, start anew with them.
std::optional<int> run_once(const HubConfig& config, Service& service) {
    // 1. The loop that owns everything, and the world it may touch.
    const std::unique_ptr<NetLoop> loop = make_loop();
    const World world{*loop, system_files(), system_clock(), system_entropy(), [&] {
                          service.starting();
                          service.alive();
                      }};
    Hub* running = nullptr;
    bool stopped = false;
    loop->on_signal([&](int signal) {
        stopped = true;
        log_info("stopping", {{"signal", signal}});
        service.stopping();
        if (!running) return loop->stop();
        running->leave([&] { loop->stop(); });
    });
    // 2. Store, intake, folding; the broker is tried until it answers. A secured hub has its papers
    // and perhaps a broker of its own, which outlive it.
    std::unique_ptr<SecuredParts> parts;
    std::optional<Secured> secured;
    if (is_secured(config)) {
        auto opened = SecuredParts::open(world, config);
        if (!opened) return report(opened.error());
        parts = *std::move(opened);
        auto papers = parts->secured();
        if (!papers) return report(papers.error());
        secured.emplace(*std::move(papers));
    }
    const auto hub = Hub::start(world, config, std::move(secured));
    if (!hub) return report(hub.error());
    running = hub->get();
    if (parts) {
        if (const auto started = parts->start_broker(); !started) return report(started.error());
    }
    // 3. The door for people and for a board's first contact, and the one of a secured hub for
    // boards.
    const auto server = serve_api(**hub, *loop);
    if (!server) return report(server.error());
    const auto door = Door::open(**hub, *loop);
    if (!door) return report(door.error());
    log_info("hub runs", {{"api_port", (*server)->port()},
                          {"api_tls", is_secured(config) || !config.api_certificate.empty()},
                          {"boards_port", *door ? (*door)->port() : 0},
                          {"version", TRIBUTARY_VERSION}});
    // 4. Until told to stop. What was acknowledged is durable already.
    const Heartbeat heartbeat(*loop, service);
    // 5. Or until another root document is published, or other keys for the servers are made: whom
    // everything here believes may have changed, and the hub's own key with it.
    bool anew = false;
    std::optional<RootWatch> watch;
    if (parts)
        watch.emplace(
            *loop, world.files, config.trust_dir, parts->root_version(),
            [&](const Root& root) { return parts->serves(root); },
            [&] { return next_server_keys_wait(world.files, config); },
            [&] {
                log_info("starting anew with it");
                anew = true;
                (*hub)->leave([&] { loop->stop(); });
            });
    loop->run();
    if (anew && !stopped && !(*hub)->failed()) return std::nullopt;
    return (*hub)->failed() ? 1 : 0;
}

int run(const HubConfig& config) {
    Service service(take_service_address(), system_clock());
    for (;;)
        if (const auto ended = run_once(config, service)) return *ended;
}

// People who are told of its folder need not know where the hub was started.
Result<HubConfig> in_place(HubConfig config) {
    if (config.state_dir.starts_with('/')) return config;
    TRIBUTARY_ASSIGN(const std::string folder, working_directory());
    config.state_dir = join_path(folder, config.state_dir);
    return config;
}

// The verbs that have a configuration, in arguments.config_path.
int run_with(const HubArguments& arguments) {
    const auto config = load_config(system_files(), arguments.config_path);
    if (!config) return report(config.error());
    if (arguments.print_config) {
        std::cout << print_config(*config);
        return 0;
    }
    if (const auto owner = act_as_owner_of(config->state_dir); !owner) return report(owner.error());
    switch (arguments.verb) {
        case HubVerb::backup: return run_backup(arguments, *config);
        case HubVerb::restore: return run_restore(arguments, *config);
        default: break;
    }
    const auto placed = in_place(*config);
    return placed ? run(*placed) : report(placed.error());
}

}  // namespace

int main(int argc, char** argv) {
    const HubArguments arguments = parse_hub_arguments(argc, argv);
    if (arguments.exit_code) return *arguments.exit_code;
    configure_log(arguments.log_level, arguments.log_json);
    switch (arguments.verb) {
        case HubVerb::init: return run_init(arguments);
        case HubVerb::up: return run_up(arguments, run_with);
        case HubVerb::server_keys: return run_server_keys(arguments);
        case HubVerb::root_show: return run_root_show(arguments);
        case HubVerb::root_next: return run_root_next(arguments);
        case HubVerb::root_sign: return run_root_sign(arguments);
        case HubVerb::root_publish: return run_root_publish(arguments);
        default: return run_with(arguments);
    }
}

}  // namespace tributary::hub

int main(int argc, char** argv) { return tributary::hub::main(argc, argv); }
