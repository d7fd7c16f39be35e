// tributary-agent: one process, one verb.
#include <csignal>

#include "agent/api/ask.h"
#include "agent/app/daemon/daemon.h"
#include "agent/app/verbs.h"
#include "agent/cli/cli.h"
#include "common/env/disk.h"
#include "common/env/heap.h"
#include "common/env/terminal.h"
#include "common/text/log.h"

using namespace tributary;
using namespace tributary::agent;

namespace {

ExitCode use_store(const World& world, const CommandLine& line, Config config, Console& console) {
    // It has one owner at a time. A daemon that has it does the verb itself.
    const StoreVerb verb = std::visit(
        [](const auto& args) -> StoreVerb {
            if constexpr (std::is_constructible_v<StoreVerb, decltype(args)>) return args;
            TRIBUTARY_CHECK(false);  // handled above
        },
        *line.verb);
    std::optional<ExitCode> answer;
    StoreWait wait;
    wait.holder_did_it = [&, socket = config.socket_path()] {
        answer = ask_daemon(socket, {verb, line.style}, console);
        return answer.has_value();
    };
    Result<Node> node =
        open_node(world, std::move(config), store_use(verb), holder_name(verb), console, wait);
    if (answer) return *answer;
    if (!node) return report(node.error(), line.style, console);

    return run_verb(*node, verb, line.style, console);
}

constexpr std::uint64_t kWatchMs = 1'000;

// Gathers an answer, so that it replaces the one before at once.
class Frame final : public Console {
public:
    explicit Frame(Console& console) : console_(console) {}
    void out(std::string_view text) override { text_ += text; }
    void err(std::string_view text) override { console_.err(text); }
    void progress(std::string_view) override {}

    void show(std::string_view head) { console_.out(std::string(head) + text_); }

private:
    Console& console_;
    std::string text_;
};

// Until a person has seen enough, or nobody takes the answer.
ExitCode watch(const World& world, const CommandLine& line, const Config& config,
               ProcessConsole& console) {
    const bool redraw = stdout_is_terminal();
    while (true) {
        Frame frame(console);
        const ExitCode code = use_store(world, line, config, frame);
        const std::string now = to_text(WallTime{world.clock.wall().ms / 1000 * 1000});
        frame.show(line.style.json ? "" : redraw ? "\033[H\033[J" : "--- " + now + "\n");
        if (code != ExitCode::ok || !console.flush()) return code;
        world.sleep_ms(kWatchMs);
    }
}

std::optional<ExitCode> ask(const std::string& socket, const StoreVerb& verb, OutputStyle style,
                            Console& console) {
    return ask_daemon(socket, {verb, style}, console);
}

ExitCode run(const World& world, const CommandLine& line, ProcessConsole& console) {
    // 1. Verbs that must work without a config, or with a broken one.
    if (line.verb && std::holds_alternative<InitArgs>(*line.verb) && !line.print_config) {
        return run_init(world, line.config_path, std::get<InitArgs>(*line.verb), line.style,
                        console);
    }
    if (line.verb && std::holds_alternative<DoctorArgs>(*line.verb) && !line.print_config) {
        return run_doctor(world, line.config_path, line.style, console, ask);
    }

    // 2. The config.
    Result<Config> config = load_config(world.files, line.config_path);
    if (!config) return report(config.error(), line.style, console);
    if (line.print_config) {
        console.out(print_config(*config));
        return ExitCode::ok;
    }
    const Result<std::string> actor = act_as_owner_of(config->state_dir);
    if (!actor) return report(actor.error(), line.style, console);

    // 3. The daemon, which serves the verbs below to others.
    if (std::holds_alternative<RunArgs>(*line.verb)) {
        const auto installer = [](const InstallerHost& host) {
            return make_installer(host, trust::system_verifier(), system_commands());
        };
        return run_daemon(world, *std::move(config), line.style, console, installer);
    }

    // 4. Enrolment, which asks the hub before it touches the store.
    if (const auto* enroll = std::get_if<EnrollArgs>(&*line.verb)) {
        return run_enroll(world, *config, *enroll, line.style, console, ask);
    }

    // 5. A verb on the store.
    const std::string state_dir = config->state_dir;
    if (line.watch) return watch(world, line, *config, console);
    const ExitCode code = use_store(world, line, *std::move(config), console);
    const bool other_files = std::holds_alternative<CommitArgs>(*line.verb) ||
                             std::holds_alternative<RestoreArgs>(*line.verb);
    if (code == ExitCode::error && other_files && !actor->empty() && !line.style.json)
        console.err("tributary-agent: this was done as user '" + *actor + "', to whom " +
                    state_dir + " belongs, and who must be able to read and write there\n");
    return code;
}

}  // namespace

int main(int argc, char** argv) {
    keep_heap_small();
    // A limit on file sizes is an error to report, not a reason to die.
    (void)std::signal(SIGXFSZ, SIG_IGN);

    // What was asked.
    const auto parsed = parse_command_line(argc, argv);
    ProcessConsole console(system_clock());
    if (const Told* told = std::get_if<Told>(&parsed)) {
        if (told->is_error) return static_cast<int>(report_usage(told->text, told->style, console));
        console.out(told->text);
        return console.flush() ? 0 : 1;
    }
    const CommandLine& line = std::get<CommandLine>(parsed);
    configure_log(LogLevel::info, line.log_json);

    // Doing it.
    const World world{system_files(),
                      system_clock(),
                      system_entropy(),
                      system_sleep,
                      {},
                      disk_bytes,
                      sync_disk,
                      [] { return read_hardware(system_files()); }};
    const ExitCode code = run(world, line, console);

    // An answer that nobody got is no success.
    if (!console.flush() && code == ExitCode::ok) {
        console.err("tributary-agent: the answer could not be written to standard output\n");
        return static_cast<int>(ExitCode::error);
    }
    return static_cast<int>(code);
}
