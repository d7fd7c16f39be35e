// tributary-hub: unites the histories of all boards, and answers people and boards over HTTP.
#include <iostream>

#include "common/env/clock.h"
#include "common/env/files.h"
#include "common/env/service.h"
#include "common/net/loop.h"
#include "common/text/log.h"
#include "hub/api/api.h"
#include "hub/api/door.h"
#include "hub/app/hub.h"
#include "hub/backup_verbs.h"
#include "hub/cli/hub_arguments.h"

namespace tributary::hub {
namespace {

int report(const Error& error) {
    std::cerr << "tributary-hub: " << error.what << "\n";
    return error.code == Errc::invalid ? 2 : 1;
}

int run(const HubConfig& config) {
    // 1. The loop that owns everything, and the world it may touch.
    const std::unique_ptr<NetLoop> loop = make_loop();
    Service service(take_service_address(), system_clock());
    const World world{*loop, system_files(), system_clock(), system_entropy(), [&] {
                          service.starting();
                          service.alive();
                      }};
    Hub* running = nullptr;
    loop->on_signal([&](int signal) {
        log_info("stopping", {{"signal", signal}});
        service.stopping();
        if (!running) return loop->stop();
        running->leave([&] { loop->stop(); });
    });
    // 2. Store, intake, folding; the broker is tried until it answers.
    const auto hub = Hub::start(world, config);
    if (!hub) return report(hub.error());
    running = hub->get();
    // 3. The door for people and for a board's first contact, and the one of a secured hub for
    // boards.
    const auto server = serve_api(**hub, *loop);
    if (!server) return report(server.error());
    const auto door = Door::open(**hub, *loop);
    if (!door) return report(door.error());
    log_info("hub runs", {{"api_port", (*server)->port()},
                          {"api_tls", !config.api_certificate.empty()},
                          {"boards_port", *door ? (*door)->port() : 0},
                          {"version", TRIBUTARY_VERSION}});
    // 4. Until told to stop. What was acknowledged is durable already.
    const Heartbeat heartbeat(*loop, service);
    loop->run();
    return (*hub)->failed() ? 1 : 0;
}

}  // namespace

int main(int argc, char** argv) {
    const HubArguments arguments = parse_hub_arguments(argc, argv);
    if (arguments.exit_code) return *arguments.exit_code;
    configure_log(arguments.log_level, arguments.log_json);
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
        default: return run(*config);
    }
}

}  // namespace tributary::hub

int main(int argc, char** argv) { return tributary::hub::main(argc, argv); }
