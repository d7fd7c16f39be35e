#include <gtest/gtest.h>
#include <openssl/ssl.h>

#include <atomic>
#include <fstream>
#include <thread>

#include "common/net/http_client.h"
#include "common/net/http_server.h"
#include "tests/integration/net/loop_runner.h"
#include "tests/support/certificates.h"
#include "tests/support/peer.h"
#include "tests/support/process.h"

namespace tributary {
namespace {

using test::Authority;
using test::Certificate;
using test::CertificateOptions;
using test::Peer;
using test::PeerServer;
using test::run_for;
using test::run_until;

constexpr std::uint64_t kYearMs = 365ull * 86'400'000;
constexpr std::uint64_t kLarge = 20'000'000;

// What `count` bytes from `at` are in every large body here.
void fill(std::uint64_t at, ByteSpan out) {
    for (std::uint8_t& byte : out) byte = static_cast<std::uint8_t>(at++ * 2654435761u >> 13);
}

class HttpsTest : public ::testing::Test {
protected:
    static HttpServerOptions with(const Certificate& certificate) {
        HttpServerOptions options;
        options.tls = TlsIdentity{certificate.pem, certificate.key, {}};
        return options;
    }
    void serve(HttpServerOptions options) {
        routes_.add("GET", "/hello", [this](const HttpRequest&) {
            ++asked_;
            HttpResponse response;
            response.body = "hello";
            return response;
        });
        routes_.add("POST", "/echo", [](const HttpRequest& request) {
            HttpResponse response;
            response.body = as_text(request.body);
            return response;
        });
        secure_ = options.tls.has_value();
        auto made = make_http_server(*loop_, std::move(options), std::move(routes_));
        ASSERT_TRUE(made) << made.error().what;
        server_ = std::move(*made);
    }
    void serve() { serve(with(authority_.issue())); }

    std::string url(const std::string& target = "/hello", const std::string& host = "127.0.0.1") {
        return (secure_ ? "https://" : "http://") + host + ":" + std::to_string(server_->port()) +
               target;
    }
    HttpClientRequest request(const std::string& target = "/hello") {
        HttpClientRequest made;
        made.url = url(target);
        made.trust.ca = authority_.pem();
        return made;
    }
    Result<HttpClientResponse> ask(HttpClientRequest request) {
        Result<HttpClientResponse> answer = fail(Errc::cancelled, "no answer in time");
        bool done = false;
        const auto call =
            http_call(*loop_, std::move(request), [&](Result<HttpClientResponse> result) {
                answer = std::move(result);
                done = true;
            });
        run_until(*loop_, [&] { return done; });
        return answer;
    }
    // A server that proves itself with `certificate`, asked by a client that trusts `trust`.
    Error refusal(const Certificate& certificate, const TlsTrust& trust) {
        routes_ = {};
        serve(with(certificate));
        HttpClientRequest asking = request();
        asking.trust = trust;
        const auto answer = ask(std::move(asking));
        EXPECT_EQ(asked_, 0);  // nothing was told to a server that is not believed
        return answer ? Error{Errc::invalid, "it was believed"} : answer.error();
    }
    TlsTrust trust() const {
        TlsTrust made;
        made.ca = authority_.pem();
        return made;
    }
    // Runs our loop while `script` has a conversation of its own.
    void talk(const std::function<void(Peer&)>& script) {
        std::atomic<bool> done = false;
        std::thread thread([&] {
            Peer peer = Peer::connect(server_->port());
            script(peer);
            done = true;
        });
        EXPECT_TRUE(run_until(
            *loop_, [&] { return done.load(); }, 15'000));
        thread.join();
    }

    const Authority authority_;
    std::unique_ptr<NetLoop> loop_ = make_loop();
    HttpRoutes routes_;
    std::unique_ptr<HttpServer> server_;
    bool secure_ = false;
    int asked_ = 0;
};

bool has(const Error& error, std::string_view text) {
    return error.what.find(text) != std::string::npos;
}

// Who is believed

TEST_F(HttpsTest, BelievesAServerOfItsAuthorityHoweverThatIsNamed) {
    const Certificate own = authority_.issue();
    serve(with({own.pem + authority_.pem(), own.key}));
    const test::TempDir directory;
    std::ofstream(directory / "ca.pem") << authority_.pem();
    TlsTrust by_file, by_text, by_pin;
    by_file.ca_file = directory / "ca.pem";
    by_text.ca = authority_.pem();
    by_pin.ca_pin = authority_.fingerprint();
    for (const TlsTrust& trust : {by_file, by_text, by_pin}) {
        HttpClientRequest asking = request();
        asking.trust = trust;
        const auto answer = ask(std::move(asking));
        ASSERT_TRUE(answer) << answer.error().what;
        EXPECT_EQ(answer->body, "hello");
    }
}

TEST_F(HttpsTest, RefusesAnUnknownAuthority) {
    const Error error = refusal(Authority("somebody").issue(), trust());
    EXPECT_EQ(error.code, Errc::denied);
    EXPECT_TRUE(has(error, "unknown authority '/CN=somebody'")) << error.what;
    // With nothing named those of this system count, and ours is none of them.
    EXPECT_TRUE(has(refusal(authority_.issue(), {}), "no ca is named"));
}

TEST_F(HttpsTest, RefusesACertificateOfAnotherHostAndNamesThoseItIsFor) {
    CertificateOptions elsewhere;
    elsewhere.names = {"DNS:hub.example", "IP:10.0.0.1"};
    const Error error = refusal(authority_.issue(elsewhere), trust());
    EXPECT_EQ(error.code, Errc::denied);
    EXPECT_TRUE(has(error, "not for '127.0.0.1' but for hub.example, 10.0.0.1")) << error.what;
    CertificateOptions nameless;
    nameless.subject = "127.0.0.1";  // a subject is no name of a host
    nameless.names = {};
    EXPECT_TRUE(has(refusal(authority_.issue(nameless), trust()), "no host at all"));
}

TEST_F(HttpsTest, RefusesACertificateOfAnotherRole) {
    TlsTrust door = trust();
    door.role = "urn:tributary:door";
    const Error error = refusal(authority_.issue(), door);
    EXPECT_EQ(error.code, Errc::denied);
    EXPECT_TRUE(has(error, "does not name the role 'urn:tributary:door'")) << error.what;
    CertificateOptions of_role;
    of_role.names.push_back("URI:urn:tributary:door");
    serve(with(authority_.issue(of_role)));
    HttpClientRequest asking = request();
    asking.trust = door;
    const auto answer = ask(std::move(asking));
    EXPECT_TRUE(answer) << answer.error().what;
}

TEST_F(HttpsTest, BelievesAnyoneWhereWhatHeSaysProvesItself) {
    serve(with(authority_.issue()));
    HttpClientRequest asking = request();
    asking.trust = {};
    EXPECT_FALSE(ask(asking));
    asking.trust.anyone = true;
    const auto answer = ask(std::move(asking));
    EXPECT_TRUE(answer) << answer.error().what;
}

TEST_F(HttpsTest, ChecksNamesAsWellAsAddresses) {
    CertificateOptions named;
    named.names = {"DNS:localhost"};
    serve(with(authority_.issue(named)));
    HttpClientRequest asking = request();
    EXPECT_FALSE(ask(asking));
    asking.url = url("/hello", "localhost");
    const auto answer = ask(asking);
    EXPECT_TRUE(answer) << answer.error().what;
}

TEST_F(HttpsTest, RefusesWhateverDoesNotLeadToThePinnedAuthority) {
    const Certificate own = authority_.issue();
    TlsTrust pinned;
    pinned.ca_pin = authority_.fingerprint();

    Error error = refusal(own, pinned);  // the authority itself was not sent
    EXPECT_EQ(error.code, Errc::denied);
    EXPECT_TRUE(has(error, "pinned " + pinned.ca_pin->text())) << error.what;

    const Authority other("somebody");
    const Certificate forged = other.issue();
    error = refusal({forged.pem + other.pem(), forged.key}, pinned);
    EXPECT_TRUE(has(error, "pinned")) << error.what;

    // The pinned one is shown, but did not sign.
    error = refusal({forged.pem + authority_.pem(), forged.key}, pinned);
    EXPECT_EQ(error.code, Errc::denied);
    EXPECT_TRUE(has(error, "did not sign")) << error.what;

    // A pin of the server's own certificate is not one of an authority.
    CertificateOptions options;
    TlsTrust leaf;
    leaf.ca_pin = other.fingerprint();
    error = refusal({own.pem + authority_.pem(), own.key}, leaf);
    EXPECT_TRUE(has(error, "pinned")) << error.what;
}

TEST_F(HttpsTest, RefusesWhatHasExpiredAndWhatIsNotYetValid) {
    CertificateOptions past;
    past.valid_until_s = 86'400;
    Error error = refusal(authority_.issue(past), trust());
    EXPECT_EQ(error.code, Errc::denied);
    EXPECT_TRUE(has(error, "expired on 1970-01-02")) << error.what;
    CertificateOptions future;
    future.valid_from_s = 4'000'000'000;
    error = refusal(authority_.issue(future), trust());
    EXPECT_EQ(error.code, Errc::denied);
    EXPECT_TRUE(has(error, "valid from 2096-10-02")) << error.what;
}

TEST_F(HttpsTest, BelievesAtAnyTimeThatABoardMayThinkItIs) {
    serve();
    for (const std::uint64_t year : {0u, 67u, 129u}) {  // 1970, 2037, 2099
        HttpClientRequest asking = request();
        asking.trust.now_ms = year * kYearMs + 1'000;
        const auto answer = ask(std::move(asking));
        EXPECT_TRUE(answer) << year << ": " << answer.error().what;
    }
}

TEST_F(HttpsTest, TakesTheTimeItIsToldForTheTime) {
    CertificateOptions short_lived;
    short_lived.valid_until_s = 86'400;
    serve(with(authority_.issue(short_lived)));
    HttpClientRequest asking = request();
    asking.trust.now_ms = 1'000;
    EXPECT_TRUE(ask(asking));
    asking.trust.now_ms = 2 * 86'400'000;
    EXPECT_FALSE(ask(asking));
}

TEST_F(HttpsTest, RefusesADeviceThatPosesAsAServer) {
    CertificateOptions device;
    device.usage = "clientAuth";
    const Error error = refusal(authority_.issue(device), trust());
    EXPECT_EQ(error.code, Errc::denied);
    EXPECT_TRUE(has(error, "not one for servers")) << error.what;
}

TEST_F(HttpsTest, NamesTheCaThatCannotBeRead) {
    const test::TempDir directory;
    std::ofstream(directory / "empty.pem") << "no certificate";
    serve();
    for (const char* name : {"missing.pem", "empty.pem"}) {
        HttpClientRequest asking = request();
        asking.trust = {};
        asking.trust.ca_file = directory / name;
        const auto answer = ask(std::move(asking));
        ASSERT_FALSE(answer);
        EXPECT_EQ(answer.error().code, Errc::invalid);
        EXPECT_TRUE(has(answer.error(), name)) << answer.error().what;
    }
    HttpClientRequest asking = request();
    asking.trust.ca_file = directory / "empty.pem";  // beside the text: which is meant?
    EXPECT_EQ(ask(std::move(asking)).error().code, Errc::invalid);
}

TEST_F(HttpsTest, RefusesToServeWithWhatIsNoIdentity) {
    const Certificate one = authority_.issue();
    const Certificate two = authority_.issue();
    const std::string locked = test::encrypted_key(one.key, "open sesame");
    const auto error_of = [&](TlsIdentity identity) {
        HttpServerOptions options;
        options.tls = std::move(identity);
        const auto made = make_http_server(*loop_, std::move(options), {});
        return made ? Error{Errc::cancelled, "it serves"} : made.error();
    };
    EXPECT_TRUE(has(error_of({"nonsense", one.key, {}}), "BEGIN CERTIFICATE"));
    EXPECT_TRUE(has(error_of({one.pem, "nonsense", {}}), "cannot be read"));
    EXPECT_TRUE(has(error_of({one.pem, two.key, {}}), "does not belong"));
    EXPECT_TRUE(has(error_of({one.pem, locked, {}}), "passphrase"));
    EXPECT_TRUE(has(error_of({one.pem, locked, "wrong"}), "passphrase"));
    EXPECT_EQ(error_of({one.pem, locked, "wrong"}).code, Errc::invalid);
    EXPECT_TRUE(has(error_of({one.pem, locked, "open sesame"}), "it serves"));
}

// What is spoken

TEST_F(HttpsTest, SaysThatAPlainPortDoesNotSpeakTls) {
    serve(HttpServerOptions{});
    HttpClientRequest asking = request();
    asking.url.replace(0, 4, "https");
    const auto answer = ask(std::move(asking));
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().code, Errc::unavailable);
    EXPECT_TRUE(has(answer.error(), "does not speak TLS")) << answer.error().what;
    EXPECT_TRUE(has(answer.error(), "http://")) << answer.error().what;
}

TEST_F(HttpsTest, TellsAPlainClientWhatToWriteAndMentionsItOnce) {
    HttpServerOptions options = with(authority_.issue());
    std::vector<Error> mentioned;
    options.on_strangers = [&](const Error& error, std::uint64_t) { mentioned.push_back(error); };
    serve(std::move(options));
    for (int i = 0; i < 3; ++i) {
        HttpClientRequest asking = request();
        asking.url.erase(4, 1);
        const auto answer = ask(std::move(asking));
        ASSERT_TRUE(answer) << answer.error().what;
        EXPECT_EQ(answer->status, 400u);
        EXPECT_NE(answer->body.find("https://"), std::string::npos);
    }
    ASSERT_EQ(mentioned.size(), 1u);
    EXPECT_TRUE(has(mentioned[0], "127.0.0.1 speaks plain HTTP")) << mentioned[0].what;
    EXPECT_EQ(asked_, 0);
}

TEST_F(HttpsTest, EndsAConnectionOfNonsense) {
    serve();
    talk([](Peer& peer) {
        peer.say(std::string(1'000, 'x'));
        peer.hear_all();
    });
    EXPECT_TRUE(ask(request()));
}

TEST_F(HttpsTest, SpeaksNothingOlderThanTls12) {
    serve();
    for (const auto& [version, works] :
         {std::pair(TLS1_1_VERSION, false), {TLS1_2_VERSION, true}, {TLS1_3_VERSION, true}})
        talk([version = version, works = works](Peer& peer) {
            EXPECT_EQ(peer.tls_as_client(version), works) << version;
        });
}

TEST_F(HttpsTest, DoesNotRenegotiate) {
    serve();
    talk([](Peer& peer) {
        ASSERT_TRUE(peer.tls_as_client(TLS1_2_VERSION));
        SSL_renegotiate(peer.ssl());
        EXPECT_NE(SSL_do_handshake(peer.ssl()), 1);
    });
}

TEST_F(HttpsTest, KeepsTheConnectionAndEndsItInGoodOrder) {
    serve();
    talk([](Peer& peer) {
        ASSERT_TRUE(peer.tls_as_client());
        peer.say("GET /hello HTTP/1.1\r\nHost: x\r\n\r\n");
        EXPECT_NE(peer.hear().find(" 200 "), std::string::npos);
        peer.say("GET /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        EXPECT_NE(peer.hear_all().find("hello"), std::string::npos);
        EXPECT_EQ(SSL_get_shutdown(peer.ssl()) & SSL_RECEIVED_SHUTDOWN, SSL_RECEIVED_SHUTDOWN);
    });
}

// Who takes his time

TEST_F(HttpsTest, ServesOthersWhileAHandshakeIsHeldOpenAndThenEndsIt) {
    HttpServerOptions options = with(authority_.issue());
    options.handshake_timeout_ms = 400;
    serve(std::move(options));
    const auto began = loop_->now();
    talk([&](Peer& peer) {
        peer.say(std::string("\x16\x03\x01\x02", 4));  // a ClientHello begins so
        EXPECT_EQ(peer.hear(), "");
    });
    EXPECT_GE(loop_->now().ms - began.ms, 350u);
    Peer holder = Peer::connect(server_->port());
    holder.say(std::string("\x16\x03\x01\x02", 4));
    EXPECT_TRUE(ask(request()));
}

TEST_F(HttpsTest, CountsHandshakesAmongTheConnections) {
    HttpServerOptions options = with(authority_.issue());
    options.connections_max = 1;
    options.handshake_timeout_ms = 300;
    serve(std::move(options));
    const Peer holder = Peer::connect(server_->port());
    run_for(*loop_, 20);
    const auto began = loop_->now();
    EXPECT_TRUE(ask(request()));
    EXPECT_GE(loop_->now().ms - began.ms, 200u);
}

TEST_F(HttpsTest, CutsOffAHandshakeByteByByte) {
    HttpServerOptions options = with(authority_.issue());
    options.handshake_timeout_ms = 300;
    serve(std::move(options));
    talk([](Peer& peer) {
        const std::string hello = std::string("\x16\x03\x01\x02\x00", 5) + std::string(512, 1);
        EXPECT_LT(peer.trickle(hello, 20), 50u);
    });
}

TEST_F(HttpsTest, CutsOffAClientThatTricklesItsHeadOrItsBody) {
    for (const bool secure : {true, false}) {
        for (const bool upload : {true, false}) {
            routes_ = {};
            std::size_t took = 0;
            routes_.add_upload("PUT", "/up", [&](const HttpRequest&) -> Result<HttpUpload> {
                return HttpUpload{[&](ByteView bytes) {
                                      took += bytes.size();
                                      return Status();
                                  },
                                  [] { return HttpResponse(); }};
            });
            HttpServerOptions options = secure ? with(authority_.issue()) : HttpServerOptions{};
            options.io_timeout_ms = 300;
            serve(std::move(options));
            talk([&](Peer& peer) {
                if (secure) {
                    ASSERT_TRUE(peer.tls_as_client());
                }
                const std::string body = "Host: x\r\nContent-Length: 1000\r\n\r\n";
                if (upload) peer.say("PUT /up HTTP/1.1\r\n" + body);
                if (!upload) peer.say("GET /hello HTTP/1.1\r\n");
                EXPECT_LT(peer.trickle(std::string(200, 'x'), 20), 50u) << secure << upload;
            });
        }
    }
}

// A server of which the test says every byte.
class AgainstPeer : public ::testing::Test {
protected:
    struct Outcome {
        Result<HttpClientResponse> answer = fail(Errc::cancelled, "");
        std::uint64_t took_ms = 0;
    };
    Outcome ask(bool secure, const std::function<void(Peer&)>& script,
                const std::function<void(HttpClientRequest&)>& change = {}) {
        const Certificate certificate = authority_.issue();
        PeerServer server([&](Peer& peer) {
            if (secure && !peer.tls_as_server(certificate)) return;
            peer.hear();
            script(peer);
        });
        HttpClientRequest request;
        request.url = (secure ? "https://127.0.0.1:" : "http://127.0.0.1:") +
                      std::to_string(server.port()) + "/";
        request.trust.ca = authority_.pem();
        request.timeout_ms = 300;
        if (change) change(request);
        const auto began = std::chrono::steady_clock::now();
        Outcome outcome;
        outcome.answer = http_request(std::move(request));
        outcome.took_ms =
            static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(
                                           std::chrono::steady_clock::now() - began)
                                           .count());
        return outcome;
    }
    const Authority authority_;
};

TEST_F(AgainstPeer, TheClientGivesUpOnATrickledHeadOrBody) {
    for (const bool secure : {true, false}) {
        for (const std::string head : {"", "HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n"}) {
            const Outcome outcome = ask(secure, [&](Peer& peer) {
                peer.say(head);
                if (head.empty()) peer.say("HTTP/1.1 200 OK\r\nA: ");
                peer.trickle(std::string(200, 'x'), 20);
            });
            ASSERT_FALSE(outcome.answer);
            EXPECT_EQ(outcome.answer.error().code, Errc::unavailable);
            EXPECT_LT(outcome.took_ms, 1'500u * test::kPatience) << secure << head;
        }
    }
}

TEST_F(AgainstPeer, TheClientGivesUpOnAServerThatSaysToWaitForever) {
    const Outcome outcome = ask(false, [](Peer& peer) {
        while (peer.say("HTTP/1.1 100 Continue\r\n\r\n"))
            std::this_thread::sleep_for(std::chrono::milliseconds(5));
    });
    ASSERT_FALSE(outcome.answer);
    EXPECT_TRUE(has(outcome.answer.error(), "again and again")) << outcome.answer.error().what;
}

TEST_F(AgainstPeer, TheClientGivesUpOnASilentHandshake) {
    PeerServer server([](Peer& peer) { peer.hear_all(); });
    HttpClientRequest request;
    request.url = "https://127.0.0.1:" + std::to_string(server.port()) + "/";
    request.timeout_ms = 200;
    const auto answer = http_request(std::move(request));
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().code, Errc::unavailable);
    EXPECT_TRUE(has(answer.error(), "agreeing on TLS")) << answer.error().what;
}

TEST_F(AgainstPeer, TheClientRefusesAnEndlessBody) {
    std::uint64_t said = 0;  // what the client takes, and what lies between
    const Outcome outcome = ask(
        true,
        [&](Peer& peer) {
            peer.say("HTTP/1.1 200 OK\r\n\r\n");
            while (peer.say(std::string(16'000, 'x'))) said += 16'000;
        },
        [](HttpClientRequest& request) { request.body_bytes_max = 1'000'000; });
    ASSERT_FALSE(outcome.answer);
    EXPECT_EQ(outcome.answer.error().code, Errc::exhausted);
    EXPECT_LT(said, 20'000'000u);
}

TEST_F(AgainstPeer, ACutConnectionIsNotTheEndOfABody) {
    // Somebody on the way can end TCP, but only the server can say that this was all.
    for (const bool said : {false, true}) {
        const Outcome outcome = ask(true, [&](Peer& peer) {
            peer.say("HTTP/1.1 200 OK\r\n\r\npart");
            if (said) SSL_shutdown(peer.ssl());
        });
        EXPECT_EQ(outcome.answer.has_value(), said);
    }
    const Outcome outcome = ask(true, [&](Peer& peer) {
        peer.say("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\npart");
        std::this_thread::sleep_for(std::chrono::milliseconds(50));
        peer.reset();
    });
    ASSERT_FALSE(outcome.answer);
    EXPECT_EQ(outcome.answer.error().code, Errc::unavailable);
}

// Large bodies

TEST_F(HttpsTest, StreamsALargeAnswer) {
    routes_.add("GET", "/large", [&](const HttpRequest&) {
        HttpResponse response;
        response.stream = [at = std::uint64_t{0}](ByteSpan out) mutable -> Result<std::size_t> {
            const auto count = std::min<std::uint64_t>(out.size(), kLarge - at);
            fill(at, out.first(static_cast<std::size_t>(count)));
            at += count;
            return static_cast<std::size_t>(count);
        };
        response.stream_bytes = kLarge;
        return response;
    });
    serve();
    std::uint64_t at = 0;
    bool same = true;
    HttpClientRequest asking = request("/large");
    asking.sink = [&](ByteView bytes) {
        Bytes expected(bytes.size());
        fill(at, expected);
        same = same && std::equal(bytes.begin(), bytes.end(), expected.begin());
        at += bytes.size();
        return Status();
    };
    const auto answer = ask(std::move(asking));
    ASSERT_TRUE(answer) << answer.error().what;
    EXPECT_EQ(at, kLarge);
    EXPECT_TRUE(same);
}

TEST_F(HttpsTest, TakesALargeUploadAndTellsWhenItIsRefusedMidway) {
    std::uint64_t took = 0;
    std::uint64_t room = kLarge;
    bool same = true;
    routes_.add_upload("PUT", "/large", [&](const HttpRequest&) -> Result<HttpUpload> {
        took = 0;
        return HttpUpload{[&](ByteView bytes) -> Status {
                              Bytes expected(bytes.size());
                              fill(took, expected);
                              same =
                                  same && std::equal(bytes.begin(), bytes.end(), expected.begin());
                              took += bytes.size();
                              if (took > room) return fail(Errc::exhausted, "disk is full");
                              return {};
                          },
                          [] { return HttpResponse(); }};
    });
    serve();
    for (const bool fits : {true, false}) {
        room = fits ? kLarge : 300'000;
        HttpClientRequest asking = request("/large");
        asking.method = "PUT";
        asking.stream_bytes = kLarge;
        asking.stream = [at = std::uint64_t{0}](ByteSpan out) mutable -> Result<std::size_t> {
            fill(at, out);
            at += out.size();
            return out.size();
        };
        const auto answer = ask(std::move(asking));
        ASSERT_TRUE(answer) << answer.error().what;
        EXPECT_EQ(answer->status, fits ? 200u : 507u);
        EXPECT_TRUE(took == kLarge || !fits);
        EXPECT_TRUE(same);
    }
}

TEST_F(HttpsTest, EchoesABodyOfManySteps) {
    serve();
    HttpClientRequest asking = request("/echo");
    asking.method = "POST";
    asking.body.resize(1'000'000);
    for (std::size_t i = 0; i < asking.body.size(); ++i)
        asking.body[i] = static_cast<char>('a' + i % 23);
    const std::string sent = asking.body;
    const auto answer = ask(std::move(asking));
    ASSERT_TRUE(answer) << answer.error().what;
    EXPECT_TRUE(answer->body == sent);
}

TEST_F(HttpsTest, RefusesAnEndlessRequest) {
    HttpServerOptions options = with(authority_.issue());
    options.body_bytes_max = 100'000;
    serve(std::move(options));
    talk([](Peer& peer) {
        ASSERT_TRUE(peer.tls_as_client());
        peer.say("POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
        std::size_t sent = 0;
        while (sent < 40'000'000 && peer.say("2000\r\n" + std::string(0x2000, 'x') + "\r\n"))
            sent += 0x2000;
        EXPECT_LT(sent, 40'000'000u);
    });
    EXPECT_TRUE(ask(request()));
}

TEST_F(HttpsTest, GoesOnWhenAClientIsCutOffInItsBody) {
    serve();
    talk([](Peer& peer) {
        ASSERT_TRUE(peer.tls_as_client());
        peer.say("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nx");
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
        peer.reset();
    });
    EXPECT_TRUE(ask(request()));
}

TEST_F(HttpsTest, MayBeDestroyedByItsHandler) {
    routes_.add("GET", "/end", [&](const HttpRequest&) {
        server_.reset();
        return HttpResponse();
    });
    serve();
    HttpClientRequest asking = request("/end");
    EXPECT_FALSE(ask(std::move(asking)));
}

}  // namespace
}  // namespace tributary
