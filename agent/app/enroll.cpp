// `tributary-agent enroll`: makes this board a device of a hub. May be stopped and repeated at any
// time: the same key is used again, and the hub answers the same device.
#include <unistd.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "agent/app/verbs.h"
#include "agent/trust/enrolment.h"
#include "agent/trust/identity.h"
#include "common/net/http_client.h"
#include "common/text/json.h"

namespace tributary::agent {
namespace {

constexpr std::uint64_t kTokenFileBytesMax = 64 * 1024;
constexpr std::uint64_t kAnswerBytesMax = 512 * 1024;
constexpr std::uint64_t kLookMs = 250;  // while an operator decides
constexpr std::uint64_t kRetrySecondsMax = 60;
constexpr std::string_view kHolder = "tributary-agent enroll";

std::string host_name() {
    char name[256] = {};
    return ::gethostname(name, sizeof name - 1) == 0 ? name : "board";
}

std::optional<WallTime> time_if_known(Clock& clock) {
    if (clock.quality() != ClockQuality::synced) return std::nullopt;
    return clock.wall();
}

Result<EnrolmentTarget> target_of(const World& world, const Config& config,
                                  const EnrollArgs& args) {
    if (!args.token.empty() && !args.token_file.empty())
        return fail(Errc::invalid, "--token and --token-file both say a token: give one of them");
    const bool by_token = !args.token.empty() || !args.token_file.empty();
    const std::string hub = args.hub.empty() && !by_token ? config.hub.url : args.hub;
    const std::string ca = args.ca.empty() && !by_token ? config.hub.ca : args.ca;
    if (by_token + (!hub.empty() && !ca.empty()) != 1)
        return fail(
            Errc::invalid,
            "say by what the hub is known: --token TEXT or --token-file FILE, as 'tributary "
            "device token' printed it; or --hub https://HOST:PORT with --ca FILE, its "
            "authority's certificate");
    if (!by_token) return target_of_file(world.files, hub, ca);
    if (!args.token.empty()) return target_of_token(args.token, time_if_known(world.clock));
    auto text = read_file(world.files, args.token_file, kTokenFileBytesMax);
    if (!text) return with_context("--token-file", std::move(text).error());
    return target_of_token(as_text(*text), time_if_known(world.clock));
}

// One enrolment of one board.
class Enrolling {
public:
    Enrolling(const World& world, const Config& config, const EnrollArgs& args, OutputStyle style,
              Console& console, const AskDaemon& ask_daemon)
        : world_(world),
          config_(config),
          args_(args),
          style_(style),
          console_(console),
          ask_daemon_(ask_daemon) {}

    Status run();
    void tell();

private:
    Result<bool> is_enrolled();
    Status begin_anew();
    Result<Incarnation> journal();
    Result<std::optional<Incarnation>> ask_daemon();
    Result<Enrolled> ask_until_decided(const EnrolmentTarget& target);
    Status wait_for_decision(const Waiting& waiting);
    Status keep(const Enrolled& enrolled);

    const World& world_;
    const Config& config_;
    const EnrollArgs& args_;
    OutputStyle style_;
    Console& console_;
    const AskDaemon& ask_daemon_;
    std::optional<IdentityPassphrase> passphrase_;
    Pins pins_;
    Digest root_;
    std::uint64_t root_version_ = 0;
    WallTime renew_after_;
    bool by_token_ = false;
    bool was_enrolled_ = false;
    bool daemon_runs_ = false;
};

Status Enrolling::run() {
    TRIBUTARY_TRY(world_.files.make_directories(config_.state_dir));
    const std::string lock_path = join_path(config_.state_dir, "enrol.lock");
    TRIBUTARY_ASSIGN(const auto lock, world_.files.lock(lock_path, std::string(kHolder)));
    TRIBUTARY_ASSIGN(passphrase_, IdentityPassphrase::load(world_.files, config_));
    if (!args_.anew) {
        TRIBUTARY_ASSIGN(was_enrolled_, is_enrolled());
        if (was_enrolled_) return {};
    }
    TRIBUTARY_ASSIGN(const EnrolmentTarget target, target_of(world_, config_, args_));
    by_token_ = target.token.has_value();
    if (args_.anew) TRIBUTARY_TRY(begin_anew());
    TRIBUTARY_ASSIGN(const Enrolled enrolled, ask_until_decided(target));
    return keep(enrolled);
}

// All that a board needs is there; its daemon may be asked to use it.
Result<bool> Enrolling::is_enrolled() {
    const auto there = world_.files.stat_target(config_.key_path());
    if (!there) return false;
    TRIBUTARY_ASSIGN(const Identity identity,
                     load_identity(world_.files, config_.key_path(), passphrase_->get()));
    TRIBUTARY_ASSIGN(const auto pins, load_pins(world_.files, config_.pins_path()));
    TRIBUTARY_ASSIGN(const auto trust,
                     TrustKeeper::open(world_.files, world_.clock, trust::system_verifier(),
                                       config_.trust_path()));
    if (!identity.says || !pins || !trust->enrolled()) return false;
    pins_ = *pins;
    root_ = trust->root()->digest;
    root_version_ = trust->root()->root.version;
    renew_after_ = trust->state().renew_after;
    static_cast<void>(ask_daemon());
    return true;
}

Status Enrolling::begin_anew() {
    TRIBUTARY_ASSIGN(const auto daemon, ask_daemon());
    if (daemon)
        return fail(Errc::conflict,
                    "a new key begins a new journal, which the running agent cannot do: stop it, "
                    "enrol, and start it again");
    return put_identity_aside(world_.files, config_);
}

// Of the daemon, when it has the store. It then looks whether the board was enrolled.
Result<std::optional<Incarnation>> Enrolling::ask_daemon() {
    Capture said;
    const auto code = ask_daemon_(config_.socket_path(), IdentifyArgs{}, {true}, said);
    if (!code) return std::nullopt;
    const auto answer = parse_json(said.text());
    const auto text = answer ? answer->text_at("incarnation")
                             : Result<std::string>(tl::make_unexpected(answer.error()));
    if (*code != ExitCode::ok || !text)
        return fail(Errc::unavailable,
                    "the running agent does not answer; if it is an older one, restart it");
    TRIBUTARY_ASSIGN(const Incarnation journal, Incarnation::parse(*text));
    daemon_runs_ = true;
    return std::optional(journal);
}

// Makes store, key and journal when there are none.
Result<Incarnation> Enrolling::journal() {
    Result<std::optional<Incarnation>> daemons;
    StoreWait wait;
    wait.holder_did_it = [&] {
        daemons = ask_daemon();
        return !daemons || daemons->has_value();
    };
    const auto node =
        open_node(world_, config_, StoreUse::record, std::string(kHolder), console_, wait);
    if (!daemons) return tl::make_unexpected(daemons.error());
    if (*daemons) return **daemons;
    if (!node) return tl::make_unexpected(node.error());
    return node->store->head().incarnation;
}

Result<Enrolled> Enrolling::ask_until_decided(const EnrolmentTarget& target) {
    TRIBUTARY_ASSIGN(const Incarnation incarnation, journal());
    TRIBUTARY_ASSIGN(const Identity identity,
                     load_identity(world_.files, config_.key_path(), passphrase_->get()));
    std::string name = args_.name.empty() ? config_.hub.name : args_.name;
    if (name.empty()) name = host_name();
    TRIBUTARY_ASSIGN(const Json body,
                     enrolment_request(target, incarnation, *identity.key, name, args_.group));
    bool told = false;
    for (bool waited = false;; waited = true) {
        console_.progress("asking " + target.url);
        HttpClientRequest request;
        request.method = "POST";
        request.url = target.url + "/api/v1/enrol";
        request.trust = target.trust;
        request.headers = {{"Content-Type", "application/json"}};
        request.body = body.text();
        request.body_bytes_max = kAnswerBytesMax;
        const auto response = http_request(std::move(request));
        Waiting waiting;
        if (response && response->status == 429) {
            waiting.retry_seconds = retry_seconds_of(response->header("Retry-After"));
            if (!waited) console_.err("the hub has too many new boards here to look at; waiting\n");
        } else if (response) {
            TRIBUTARY_ASSIGN(auto answer, read_enrolment_answer(target, trust::system_verifier(),
                                                                identity.key->public_key(),
                                                                response->status, response->body));
            if (auto* enrolled = std::get_if<Enrolled>(&answer)) return std::move(*enrolled);
            waiting = std::get<Waiting>(answer);
            if (!std::exchange(told, true))
                console_.err("an operator must let this board in: tributary device accept " +
                             waiting.fingerprint + "\n");
        } else if (!waited || response.error().code != Errc::unavailable) {
            // What TLS found is an answer of who was asked, not a failure of this machine.
            return fail(response.error().code, response.error().what);
        }
        TRIBUTARY_TRY(wait_for_decision(waiting));
    }
}

Status Enrolling::wait_for_decision(const Waiting& waiting) {
    const std::uint64_t ms = std::min(waiting.retry_seconds, kRetrySecondsMax) * 1000;
    for (const MonoTime until = world_.clock.mono() + ms; world_.clock.mono() < until;) {
        if (!console_.wanted()) return fail(Errc::cancelled, "stopped; run it again to go on");
        console_.progress("waiting for an operator; Ctrl-C is safe, run it again to go on");
        world_.sleep_ms(kLookMs);
    }
    return {};
}

Status Enrolling::keep(const Enrolled& enrolled) {
    pins_ = enrolled.pins;
    root_ = enrolled.root_digest;
    renew_after_ = enrolled.renew_after;
    // The store's lock is what makes us the only one who writes the state beside it; a daemon that
    // has it writes none of it before it is told of the enrolment.
    TRIBUTARY_TRY(journal());
    TRIBUTARY_ASSIGN(const auto trust,
                     TrustKeeper::open(world_.files, world_.clock, trust::system_verifier(),
                                       config_.trust_path()));
    TRIBUTARY_TRY(keep_enrolment(world_.files, config_, *trust, enrolled));
    root_version_ = trust->root()->root.version;
    if (daemon_runs_) TRIBUTARY_TRY(ask_daemon());
    return {};
}

void Enrolling::tell() {
    if (style_.json) {
        console_.out(Json::object({{"device", pins_.device},
                                   {"hub", pins_.hub_name},
                                   {"hub_url", pins_.hub_url},
                                   {"broker_url", pins_.broker_url},
                                   {"root", root_.text()},
                                   {"root_version", root_version_},
                                   {"root_pinned_by", was_enrolled_ ? Json()
                                                      : by_token_   ? Json("token")
                                                                    : Json("first use")},
                                   {"renew_after", to_text(renew_after_)},
                                   {"was_enrolled", was_enrolled_},
                                   {"daemon_told", daemon_runs_}})
                         .text() +
                     "\n");
        return;
    }
    console_.out((was_enrolled_ ? "this board is enrolled already, as " : "enrolled as ") +
                 pins_.device + " at " + pins_.hub_name + " (" + pins_.hub_url + ")\n");
    if (was_enrolled_) {
        console_.out("nothing was done; --anew enrols it with a new key\n");
        return;
    }
    if (!by_token_)
        console_.out(
            "its root document was believed because it came first; compare it with the "
            "operator's: " +
            root_.text() + "\n");
    console_.out(daemon_runs_ ? "the running agent syncs from now on\n"
                              : "'tributary-agent run' syncs\n");
}

}  // namespace

ExitCode run_enroll(const World& world, const Config& config, const EnrollArgs& args,
                    OutputStyle style, Console& console, const AskDaemon& ask_daemon) {
    Enrolling enrolling(world, config, args, style, console, ask_daemon);
    const Status enrolled = enrolling.run();
    if (!enrolled && enrolled.error().code == Errc::unavailable) {
        static_cast<void>(report(enrolled.error(), style, console));
        return ExitCode::out_of_reach;
    }
    if (!enrolled) return report(enrolled.error(), style, console);
    enrolling.tell();
    return ExitCode::ok;
}

ExitCode run_identify(Node& node, const IdentifyArgs&, OutputStyle, Console& console) {
    console.out(Json::object({{"incarnation", node.store->head().incarnation.text()}}).text() +
                "\n");
    return ExitCode::ok;
}

}  // namespace tributary::agent
