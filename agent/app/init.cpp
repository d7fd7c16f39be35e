#include "agent/app/verbs.h"
#include "common/text/json.h"

namespace tributary::agent {
namespace {

// The config as it is, or a new one that explains itself.
Result<Config> load_or_write_config(const World& world, const std::string& path,
                                    const std::string& state_dir, bool& written) {
    written = false;
    if (world.files.stat_target(path)) {
        TRIBUTARY_ASSIGN(Config config, load_config(world.files, path));
        if (!state_dir.empty() && state_dir != config.state_dir) {
            return fail(Errc::invalid, path + " already says state_dir = \"" + config.state_dir +
                                           "\"; change it there, or leave --state-dir out");
        }
        return config;
    }
    const std::string text =
        commented_config(state_dir.empty() ? std::string(kDefaultStateDir) : state_dir);
    TRIBUTARY_TRY(world.files.make_directories(std::string(parent_path(path))));
    TRIBUTARY_TRY(replace_file(world.files, path, as_bytes(text)));
    written = true;
    return load_config(world.files, path);
}

}  // namespace

ExitCode run_init(const World& world, const std::string& config_path, const InitArgs& args,
                  OutputStyle style, Console& console) {
    bool written = false;
    Result<Config> config = load_or_write_config(world, config_path, args.state_dir, written);
    if (!config) return report(config.error(), style, console);
    // A configuration that leads nowhere would only stand in the way of the next try.
    const auto give_up = [&](Error error) {
        if (written) {
            static_cast<void>(world.files.remove(config_path));
            if (args.state_dir.empty())
                error.what += "; --state-dir DIR names another folder than " + config->state_dir;
        }
        return report(error, style, console);
    };
    if (const auto owner = act_as_owner_of(config->state_dir); !owner)
        return give_up(owner.error());
    const Result<Node> node =
        open_node(world, *config, StoreUse::record, "tributary-agent init", console,
                  StoreWait{kStoreWaitMs, {}, "tributary-agent run"});
    if (!node) return give_up(node.error());

    if (style.json) {
        const Json answer = Json::object({{"config", config_path},
                                          {"config_written", written},
                                          {"state_dir", node->config.state_dir},
                                          {"incarnation", node->store->head().incarnation.text()}});
        console.out(answer.text() + "\n");
    } else {
        console.out((written ? "wrote " : "kept  ") + config_path + "\nready " +
                    node->config.state_dir + "\n");
    }
    return ExitCode::ok;
}

}  // namespace tributary::agent
