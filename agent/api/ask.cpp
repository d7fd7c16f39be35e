#include "agent/api/ask.h"

#include "common/net/unix_socket.h"

namespace tributary::agent {
namespace {

// The daemon gives a sign of life more often.
constexpr std::uint32_t kSilenceMs = 60'000;

}  // namespace

std::optional<ExitCode> ask_daemon(const std::string& socket_path, const VerbRequest& request,
                                   Console& console) {
    const auto directory = working_directory();
    if (!directory) return report(directory.error(), request.style, console);
    std::optional<ExitCode> code;
    bool answered = false;  // something was printed
    const auto take = [&](std::uint8_t channel, ByteView bytes) -> Status {
        switch (channel) {
            case kChannelOut:
                answered = true;
                console.out(as_text(bytes));
                break;
            case kChannelErr: console.err(as_text(bytes)); break;
            case kChannelProgress:
                if (!bytes.empty()) console.progress(as_text(bytes));
                break;
            case kChannelExit:
                if (bytes.size() == 1) code = static_cast<ExitCode>(bytes[0]);
                break;
            default: break;  // of a newer daemon
        }
        return {};
    };
    const Status asked =
        ask_local(socket_path, encode_request(request, *directory), take, kSilenceMs);
    if (!asked && asked.error().code == Errc::not_found) return std::nullopt;
    if (asked && code) return code;
    // What only reads is asked of the store itself, when the daemon that ends has let go of it.
    const bool reads = std::holds_alternative<LogArgs>(request.verb) ||
                       std::holds_alternative<StatusArgs>(request.verb) ||
                       std::holds_alternative<IdentifyArgs>(request.verb);
    if (reads && !answered) return std::nullopt;

    const std::string why = asked ? "it gave no answer" : asked.error().what;
    static_cast<void>(report({Errc::unavailable, "the running agent broke off (" + why +
                                                     "); whether it was done is not known: look "
                                                     "with 'tributary-agent log'"},
                             request.style, console));
    return ExitCode::out_of_reach;
}

}  // namespace tributary::agent
