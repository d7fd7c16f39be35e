#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <thread>

#include "common/net/http_client.h"
#include "common/net/http_server.h"
#include "tests/integration/net/loop_runner.h"
#include "tests/support/process.h"

namespace tributary {
namespace {

using test::run_for;
using test::run_until;

// A connection of which the test says every byte.
class RawClient {
public:
    explicit RawClient(std::uint16_t port) : fd_(::socket(AF_INET, SOCK_STREAM, 0)) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(port);
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        if (::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0)
            ADD_FAILURE() << "connect";
    }
    ~RawClient() { ::close(fd_); }
    void say(std::string_view text) {
        static_cast<void>(::send(fd_, text.data(), text.size(), MSG_NOSIGNAL));
    }
    // What has come by now.
    const std::string& heard() {
        char buffer[4096];
        for (;;) {
            const ssize_t got = ::recv(fd_, buffer, sizeof(buffer), MSG_DONTWAIT);
            if (got > 0) {
                heard_.append(buffer, static_cast<std::size_t>(got));
                continue;
            }
            closed_ = closed_ || got == 0 || (errno != EAGAIN && errno != EWOULDBLOCK);
            return heard_;
        }
    }
    bool closed() {
        heard();
        return closed_;
    }

private:
    int fd_;
    std::string heard_;
    bool closed_ = false;
};

HttpResponse text(std::string body) {
    HttpResponse response;
    response.content_type = "text/plain";
    response.body = std::move(body);
    return response;
}

class HttpTest : public ::testing::Test {
protected:
    void serve(HttpServerOptions options = {}) {
        routes_.add("GET", "/hello/{name}", [](const HttpRequest& request) {
            return text("hello " + request.params.at("name") +
                        request.argument("mark").value_or("."));
        });
        routes_.add("POST", "/echo", [](const HttpRequest& request) {
            return text(std::string(as_text(request.body)));
        });
        auto made = make_http_server(*loop_, std::move(options), std::move(routes_));
        ASSERT_TRUE(made) << made.error().what;
        server_ = std::move(*made);
    }
    std::string url(const std::string& target) const {
        return "http://127.0.0.1:" + std::to_string(server_->port()) + target;
    }
    Result<HttpClientResponse> ask(HttpClientRequest request) {
        Result<HttpClientResponse> answer = fail(Errc::unavailable, "no answer in time");
        bool done = false;
        const auto call =
            http_call(*loop_, std::move(request), [&](Result<HttpClientResponse> result) {
                answer = std::move(result);
                done = true;
            });
        run_until(*loop_, [&] { return done; });
        return answer;
    }
    Result<HttpClientResponse> get(const std::string& target) {
        HttpClientRequest request;
        request.url = url(target);
        return ask(std::move(request));
    }

    std::unique_ptr<NetLoop> loop_ = make_loop();
    HttpRoutes routes_;
    std::unique_ptr<HttpServer> server_;
};

TEST_F(HttpTest, AnswersAPlainFunctionWithDecodedParts) {
    serve();
    const auto answer = get("/hello/a%2Fb%20c?mark=%21");
    ASSERT_TRUE(answer) << answer.error().what;
    EXPECT_EQ(answer->status, 200u);
    EXPECT_EQ(answer->body, "hello a/b c!");
    EXPECT_EQ(answer->header("content-type"), "text/plain");
}

TEST_F(HttpTest, SaysNotFoundAndWhichMethodsAreAllowed) {
    serve();
    EXPECT_EQ(get("/nowhere")->status, 404u);
    const auto answer = get("/echo");
    EXPECT_EQ(answer->status, 405u);
    EXPECT_EQ(answer->header("Allow"), "POST");
}

TEST_F(HttpTest, KeepsTheConnectionForPipelinedRequestsAndHeads) {
    serve();
    RawClient client(server_->port());
    client.say(
        "GET /hello/1 HTTP/1.1\r\nHost: x\r\n\r\nHEAD /hello/2 HTTP/1.1\r\nHost: x\r\n\r\n"
        "GET /hello/3 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    ASSERT_TRUE(run_until(*loop_, [&] { return client.closed(); }));
    const std::string heard = client.heard();
    EXPECT_NE(heard.find("hello 1."), std::string::npos);
    EXPECT_EQ(heard.find("hello 2."), std::string::npos);
    EXPECT_NE(heard.find("hello 3."), std::string::npos);
}

TEST_F(HttpTest, RefusesAHeaderOverTheLimit) {
    serve();
    RawClient client(server_->port());
    client.say("GET / HTTP/1.1\r\nHost: x\r\nA: " + std::string(20'000, 'a') + "\r\n\r\n");
    ASSERT_TRUE(run_until(*loop_, [&] { return client.heard().size() > 12; }));
    EXPECT_EQ(client.heard().substr(0, 12), "HTTP/1.1 431");
}

TEST_F(HttpTest, RefusesABodyOverTheLimitWhetherAnnouncedOrNot) {
    HttpServerOptions options;
    options.body_bytes_max = 100'000;
    serve(options);
    HttpClientRequest request;
    request.method = "POST";
    request.url = url("/echo");
    request.body = std::string(100'001, 'x');
    EXPECT_EQ(ask(request)->status, 413u);
    request.body.pop_back();
    EXPECT_EQ(ask(request)->body.size(), 100'000u);

    RawClient client(server_->port());
    client.say("POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n30000\r\n" +
               std::string(0x30000, 'x') + "\r\n");
    ASSERT_TRUE(run_until(*loop_, [&] { return client.heard().size() > 12; }));
    EXPECT_EQ(client.heard().substr(0, 12), "HTTP/1.1 413");
}

TEST_F(HttpTest, RefusesWhatIsNotHttp) {
    serve();
    RawClient client(server_->port());
    client.say("\x16\x03\x01 what is this?\r\n\r\n");
    ASSERT_TRUE(run_until(*loop_, [&] { return client.closed(); }));
    EXPECT_EQ(client.heard().substr(0, 12), "HTTP/1.1 400");
}

TEST_F(HttpTest, AsksForTheBodyOfACarefulClient) {
    serve();
    RawClient client(server_->port());
    client.say(
        "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n");
    ASSERT_TRUE(run_until(*loop_, [&] { return !client.heard().empty(); }));
    EXPECT_EQ(client.heard(), "HTTP/1.1 100 Continue\r\n\r\n");
    client.say("ok");
    EXPECT_TRUE(
        run_until(*loop_, [&] { return client.heard().find("\r\n\r\nok") != std::string::npos; }));
}

TEST_F(HttpTest, CutsOffAClientThatIsTooSlow) {
    HttpServerOptions options;
    options.io_timeout_ms = 200;
    serve(options);
    RawClient client(server_->port());
    client.say("GET /hello/1 HTTP/1.1\r\n");
    EXPECT_TRUE(run_until(
        *loop_, [&] { return client.closed(); }, 2'000));
}

TEST_F(HttpTest, CutsOffAClientThatIsIdle) {
    HttpServerOptions options;
    options.idle_timeout_ms = 200;
    serve(options);
    RawClient client(server_->port());
    EXPECT_TRUE(run_until(
        *loop_, [&] { return client.closed(); }, 2'000));
}

TEST_F(HttpTest, CutsOffAClientThatDoesNotReadItsDownload) {
    HttpServerOptions options;
    options.io_timeout_ms = 200;
    auto pulled = std::make_shared<std::uint64_t>(0);
    std::weak_ptr<std::uint64_t> held = pulled;
    routes_.add("GET", "/endless", [pulled](const HttpRequest&) {
        HttpResponse response;
        response.stream = [pulled](ByteSpan out) -> Result<std::size_t> {
            *pulled += out.size();
            return out.size();
        };
        return response;
    });
    serve(options);
    RawClient client(server_->port());
    client.say("GET /endless HTTP/1.1\r\nHost: x\r\n\r\n");
    std::uint64_t before = 0;
    run_until(*loop_, [&] { return *pulled > 0; });
    do {
        before = *pulled;
        run_for(*loop_, 300);
    } while (*pulled != before);
    EXPECT_TRUE(run_until(*loop_, [&] { return client.closed(); }));
    EXPECT_LT(*pulled, 64u * 1024 * 1024);  // what the kernel's buffers took
}

TEST_F(HttpTest, ServesNoMoreConnectionsThanAllowed) {
    HttpServerOptions options;
    options.connections_max = 1;
    serve(options);
    auto first = std::make_unique<RawClient>(server_->port());
    run_for(*loop_, 20);
    RawClient second(server_->port());
    second.say("GET /hello/2 HTTP/1.1\r\nHost: x\r\n\r\n");
    run_for(*loop_, 100);
    EXPECT_EQ(second.heard(), "");
    first.reset();
    EXPECT_TRUE(run_until(*loop_, [&] { return !second.heard().empty(); }));
}

TEST_F(HttpTest, LetsANewcomerInForTheConnectionThatWaitsLongestForItsRequest) {
    HttpServerOptions options;
    options.connections_max = 2;
    options.idle_give_way = true;
    serve(options);
    RawClient first(server_->port());
    run_for(*loop_, 20);
    RawClient second(server_->port());
    run_for(*loop_, 20);
    RawClient third(server_->port());
    third.say("GET /hello/3 HTTP/1.1\r\nHost: x\r\n\r\n");
    EXPECT_TRUE(run_until(*loop_, [&] { return !third.heard().empty(); }));
    EXPECT_TRUE(run_until(*loop_, [&] { return first.closed(); }));
    second.say("GET /hello/2 HTTP/1.1\r\nHost: x\r\n\r\n");
    EXPECT_TRUE(run_until(*loop_, [&] { return !second.heard().empty(); }));
}

// A site of a thousand boards, and one who holds all connections that he can.
TEST_F(HttpTest, LetsAFleetThroughWhileAStrangerHoldsConnections) {
    HttpServerOptions options;
    options.connections_max = 16;
    options.idle_give_way = true;
    serve(options);
    std::vector<std::unique_ptr<RawClient>> held;
    for (int board = 0; board < 100; ++board) {
        for (int i = 0; i < 3; ++i) held.push_back(std::make_unique<RawClient>(server_->port()));
        RawClient client(server_->port());
        client.say("GET /hello/1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        ASSERT_TRUE(run_until(*loop_, [&] { return !client.heard().empty(); })) << board;
    }
}

TEST_F(HttpTest, ANewcomerTakesNoConnectionWhoseRequestIsBeingAnswered) {
    std::vector<HttpReply> replies;
    HttpServerOptions options;
    options.connections_max = 2;
    options.idle_give_way = true;
    routes_.add_async("GET", "/later",
                      [&](const HttpRequest&, HttpReply reply) { replies.push_back(reply); });
    serve(options);
    RawClient first(server_->port()), second(server_->port());
    first.say("GET /later HTTP/1.1\r\nHost: x\r\n\r\n");
    second.say("GET /later HTTP/1.1\r\nHost: x\r\n\r\n");
    ASSERT_TRUE(run_until(*loop_, [&] { return replies.size() == 2; }));
    RawClient third(server_->port());
    EXPECT_TRUE(run_until(*loop_, [&] { return third.closed(); }));
    replies[0]({});
    EXPECT_TRUE(run_until(*loop_, [&] { return !first.heard().empty(); }));
}

constexpr std::uint64_t kLarge = 20'000'000;

std::uint8_t byte_at(std::uint64_t i) { return static_cast<std::uint8_t>(i * 2654435761u >> 13); }

// Makes or checks the same 20 MB, in steps.
struct Large {
    std::uint64_t at = 0;
    std::size_t step_max = 0;
    bool same = true;
    Result<std::size_t> pull(ByteSpan out) {
        const auto count =
            static_cast<std::size_t>(std::min<std::uint64_t>(out.size(), kLarge - at));
        step_max = std::max(step_max, out.size());
        for (std::size_t i = 0; i < count; ++i) out[i] = byte_at(at++);
        return count;
    }
    Status take(ByteView bytes) {
        step_max = std::max(step_max, bytes.size());
        for (const std::uint8_t byte : bytes) same = same && byte == byte_at(at++);
        return {};
    }
};

TEST_F(HttpTest, StreamsALargeAnswerWithAndWithoutKnownLength) {
    for (const bool known : {true, false}) {
        routes_ = {};
        const auto source = std::make_shared<Large>();
        routes_.add("GET", "/large", [&, source](const HttpRequest&) {
            HttpResponse response;
            response.stream = [source](ByteSpan out) { return source->pull(out); };
            if (known) response.stream_bytes = kLarge;
            return response;
        });
        serve();
        Large got;
        HttpClientRequest request;
        request.url = url("/large");
        request.sink = [&](ByteView bytes) { return got.take(bytes); };

        const auto answer = ask(std::move(request));

        ASSERT_TRUE(answer) << answer.error().what;
        EXPECT_EQ(got.at, kLarge);
        EXPECT_TRUE(got.same);
        EXPECT_LE(source->step_max, 64u * 1024);
        EXPECT_EQ(answer->header("content-length").empty(), !known);
    }
}

TEST_F(HttpTest, StreamsALargeRequestIntoAnUpload) {
    Large got;
    routes_.add_upload("PUT", "/large", [&](const HttpRequest&) -> Result<HttpUpload> {
        return HttpUpload{[&](ByteView bytes) { return got.take(bytes); },
                          [&] { return text(std::to_string(got.at)); }};
    });
    serve();
    Large source;
    HttpClientRequest request;
    request.method = "PUT";
    request.url = url("/large");
    request.stream = [&](ByteSpan out) { return source.pull(out); };
    request.stream_bytes = kLarge;

    const auto answer = ask(std::move(request));

    ASSERT_TRUE(answer) << answer.error().what;
    EXPECT_EQ(answer->body, std::to_string(kLarge));
    EXPECT_TRUE(got.same);
    EXPECT_LE(got.step_max, 64u * 1024);
}

TEST_F(HttpTest, TellsTheReasonWhenAnUploadIsRefusedMidway) {
    routes_.add_upload("PUT", "/large", [](const HttpRequest&) -> Result<HttpUpload> {
        return HttpUpload{[](ByteView) -> Status { return fail(Errc::exhausted, "disk is full"); },
                          [] { return text(""); }};
    });
    serve();
    Large source;
    HttpClientRequest request;
    request.method = "PUT";
    request.url = url("/large");
    request.stream = [&](ByteSpan out) { return source.pull(out); };
    request.stream_bytes = kLarge;
    const auto answer = ask(std::move(request));
    ASSERT_TRUE(answer) << answer.error().what;
    EXPECT_EQ(answer->status, 507u);
    EXPECT_EQ(answer->body, "disk is full\n");
}

TEST_F(HttpTest, BreaksOffWhenAStreamFailsSoThatAPartIsNotTakenForTheWhole) {
    routes_.add("GET", "/broken", [](const HttpRequest&) {
        HttpResponse response;
        response.stream = [steps = 0](ByteSpan out) mutable -> Result<std::size_t> {
            if (++steps > 2) return fail(Errc::corrupt, "damaged");
            return out.size();
        };
        return response;
    });
    serve();
    const auto answer = get("/broken");
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().code, Errc::unavailable);
}

TEST_F(HttpTest, AnswersLaterAndEvenWhenTheAnswerIsForgotten) {
    HttpReply kept;
    routes_.add_async("GET", "/later",
                      [&](const HttpRequest&, HttpReply reply) { kept = std::move(reply); });
    routes_.add_async("GET", "/never", [](const HttpRequest&, const HttpReply&) {});
    serve();
    std::unique_ptr<Timer> timer;
    const std::function<void()> answer_it = [&] { kept(text("at last")); };
    timer = loop_->at(loop_->now() + 50, answer_it);
    EXPECT_EQ(get("/later")->body, "at last");
    EXPECT_EQ(get("/never")->status, 500u);
}

TEST_F(HttpTest, MayBeDestroyedByItsHandler) {
    routes_.add("GET", "/end", [&](const HttpRequest&) {
        server_.reset();
        return text("bye");
    });
    serve();
    const std::string target = url("/end");
    HttpClientRequest request;
    request.url = target;
    EXPECT_FALSE(ask(std::move(request)));
}

TEST_F(HttpTest, ServesABlockingClientOfAnotherThread) {
    serve();
    Result<HttpClientResponse> answer = fail(Errc::unavailable, "");
    std::thread client([&, target = url("/hello/cli")] {
        HttpClientRequest request;
        request.url = target;
        answer = http_request(std::move(request));
        loop_->stop();
    });
    loop_->run();
    client.join();
    ASSERT_TRUE(answer) << answer.error().what;
    EXPECT_EQ(answer->body, "hello cli.");
}

TEST_F(HttpTest, SaysThatThePortIsTaken) {
    serve();
    HttpServerOptions options;
    options.listen = "127.0.0.1:" + std::to_string(server_->port());
    const auto second = make_http_server(*loop_, options, {});
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().code, Errc::conflict);
}

TEST(HttpClient, SaysWhatToCheckWhenNobodyListens) {
    HttpClientRequest request;
    request.url = "http://127.0.0.1:" + std::to_string(test::free_port()) + "/x";
    const auto answer = http_request(request);
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().code, Errc::unavailable);
    EXPECT_NE(answer.error().what.find(request.url), std::string::npos);
}

TEST(HttpClient, RefusesNonsense) {
    HttpClientRequest request;
    for (const std::string bad : {"", "localhost", "ftp://x/", "http://", "http://u:p@x/"}) {
        request.url = bad;
        EXPECT_EQ(http_request(request).error().code, Errc::invalid) << bad;
    }
}

TEST(HttpClient, GivesUpOnASilentServer) {
    const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    ASSERT_EQ(::bind(fd, reinterpret_cast<const sockaddr*>(&address), size), 0);
    ASSERT_EQ(::listen(fd, 4), 0);
    ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
    HttpClientRequest request;
    request.url = "http://127.0.0.1:" + std::to_string(ntohs(address.sin_port));
    request.timeout_ms = 200;
    const auto answer = http_request(request);
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().code, Errc::unavailable);
    ::close(fd);
}

TEST(HttpClient, StopsWhenTheAnswerIsLargerThanAllowed) {
    const auto loop = make_loop();
    HttpRoutes routes;
    routes.add("GET", "/", [](const HttpRequest&) { return text(std::string(1'000, 'x')); });
    const auto server = *make_http_server(*loop, {}, std::move(routes));
    HttpClientRequest request;
    request.url = "http://127.0.0.1:" + std::to_string(server->port());
    request.body_bytes_max = 999;
    Result<HttpClientResponse> answer;
    bool done = false;
    const auto call = http_call(*loop, request, [&](auto result) {
        answer = std::move(result);
        done = true;
    });
    ASSERT_TRUE(run_until(*loop, [&] { return done; }));
    EXPECT_EQ(answer.error().code, Errc::exhausted);
}

TEST(HttpClient, DoesNotCallBackOnceDestroyed) {
    const auto loop = make_loop();
    HttpRoutes routes;
    routes.add("GET", "/", [](const HttpRequest&) { return text("x"); });
    const auto server = *make_http_server(*loop, {}, std::move(routes));
    HttpClientRequest request;
    request.url = "http://127.0.0.1:" + std::to_string(server->port());
    bool called = false;
    auto call = http_call(*loop, request, [&](const auto&) { called = true; });
    call.reset();
    run_for(*loop, 50);
    EXPECT_FALSE(called);
}

TEST(HttpNames, ParseAndRefuse) {
    EXPECT_EQ(parse_host_port("[::1]:80")->host, "::1");
    EXPECT_EQ(parse_host_port("127.0.0.1:0")->port, 0);
    for (const std::string bad : {"", "x", ":80", "x:", "x:99999", "x:80/y", "u@x:80"})
        EXPECT_FALSE(parse_host_port(bad)) << bad;
    EXPECT_EQ(parse_url("MQTT://Host")->port, 1883);
    EXPECT_EQ(parse_url("http://h/a%2Fb?q=1#f")->target, "/a%2Fb?q=1");
    EXPECT_EQ(url_escape("a/b c"), "a%2Fb%20c");
}

}  // namespace
}  // namespace tributary
