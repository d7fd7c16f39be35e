// MQTT over TLS, with a real broker and with one of which the test says every byte.
#include <openssl/ssl.h>

#include <fstream>

#include "tests/integration/net/mqtt_peer.h"
#include "tests/support/certificates.h"
#include "tests/support/temp_dir.h"

namespace tributary {
namespace {

using test::at;
using test::kLetIn;
using test::Mosquitto;
using test::options_for;
using test::run_for;
using test::run_until;
using Peer = test::MqttPeer;

// A broker whose certificate is for `name`, and the files of who may connect to it.
struct SecureBroker {
    explicit SecureBroker(const std::string& name = "IP:127.0.0.1", const std::string& more = "")
        : broker(configuration(name, more)) {}

    std::string configuration(const std::string& name, const std::string& more) {
        test::CertificateOptions options;
        options.names = {name};
        const test::Certificate own = authority.issue(options);
        file("ca.pem", authority.pem());
        return "allow_anonymous true\ncafile " + keys / "ca.pem" + "\ncertfile " +
               file("server.pem", own.pem) + "\nkeyfile " + file("server.key", own.key) + "\n" +
               more;
    }
    std::string file(const std::string& name, const std::string& text) {
        std::ofstream(keys / name) << text;
        return keys / name;
    }
    static test::CertificateOptions of_a_board() {
        test::CertificateOptions options;
        options.subject = "board";
        options.names = {};
        options.usage = "clientAuth";
        return options;
    }
    MqttOptions options() const {
        MqttOptions made = options_for(broker, "board", "t");
        made.url = broker.url("mqtts");
        made.ca_file = keys / "ca.pem";
        return made;
    }
    // With key and certificate in one file.
    MqttOptions options(const test::Certificate& certificate) {
        MqttOptions made = options();
        made.certificate_file = file("key.pem", certificate.key + certificate.pem);
        return made;
    }

    test::TempDir keys;
    test::Authority authority;
    Mosquitto broker;
};

// The first that a client with these options is told: "" for connected.
Error first_word(MqttOptions options) {
    const auto loop = make_loop();
    const Peer board(*loop, std::move(options));
    run_until(*loop, [&] { return board.connects == 1 || !board.errors.empty(); });
    if (!board.errors.empty()) return board.errors[0];
    return {Errc::cancelled, board.connects == 1 ? "" : "nothing was told"};
}

TEST(MqttTls, ConnectsToABrokerThatOurCaSigned) {
    const SecureBroker secure;
    EXPECT_EQ(first_word(secure.options()).what, "");
}

TEST(MqttTls, SaysWhichCaDoesNotTrustTheBroker) {
    SecureBroker secure;
    MqttOptions options = secure.options();
    options.ca_file = secure.file("other.pem", test::Authority("other").pem());
    const Error error = first_word(options);
    EXPECT_EQ(error.code, Errc::unavailable);
    EXPECT_NE(error.what.find("trusted is an authority of " + options.ca_file), std::string::npos)
        << error.what;
}

TEST(MqttTls, RefusesACertificateOfAnotherHost) {
    const SecureBroker secure("DNS:elsewhere");
    const Error error = first_word(secure.options());
    EXPECT_EQ(error.code, Errc::unavailable);
    EXPECT_NE(error.what.find("not for '127.0.0.1' but for elsewhere"), std::string::npos)
        << error.what;
}

TEST(MqttTls, SaysThatAPlainPortDoesNotSpeakTls) {
    const Mosquitto broker;
    MqttOptions options = options_for(broker, "board");
    options.url = broker.url("mqtts");
    options.connect_timeout_s = 2;
    const Error error = first_word(options);
    EXPECT_NE(error.what.find("TLS port"), std::string::npos) << error.what;
}

TEST(MqttTls, GivesUpABrokerThatFallsSilentInTheHandshake) {
    const test::PeerServer server([](test::Peer& peer) { peer.hear_all(); });
    MqttOptions options = options_for(server);
    options.url = at(server, "mqtts");
    options.connect_timeout_s = 1;
    const Error error = first_word(options);
    EXPECT_NE(error.what.find("for 1 s"), std::string::npos) << error.what;
}

TEST(MqttTls, NoticesAtOnceThatTheHandshakeWasReset) {
    const test::PeerServer server([](test::Peer& peer) {
        peer.hear();
        peer.reset();
    });
    MqttOptions options = options_for(server);
    options.url = at(server, "mqtts");
    const Error error = first_word(options);
    EXPECT_NE(error.what.find("TLS port"), std::string::npos) << error.what;
}

// What a client is told by a broker that shows `certificate` and lets it in.
Error word_of(const SecureBroker& secure, const test::CertificateOptions& certificate,
              MqttOptions options, std::string* asked = nullptr) {
    const test::Certificate own = secure.authority.issue(certificate);
    const test::PeerServer server([&](test::Peer& peer) {
        if (!peer.tls_as_server(own)) return;
        const char* name = SSL_get_servername(peer.ssl(), TLSEXT_NAMETYPE_host_name);
        if (asked && name) *asked = name;
        peer.hear();
        peer.say(kLetIn);
        peer.hear_all();
    });
    options.url += std::to_string(server.port());
    options.subscriptions.clear();
    return first_word(options);
}

TEST(MqttTls, AsksForTheHostByItsName) {
    const SecureBroker secure;
    test::CertificateOptions certificate;
    certificate.names = {"DNS:localhost", "IP:127.0.0.1"};
    MqttOptions options = secure.options();
    std::string asked;
    options.url = "mqtts://localhost:";
    EXPECT_EQ(word_of(secure, certificate, options, &asked).what, "");
    EXPECT_EQ(asked, "localhost");

    asked.clear();
    options.url = "mqtts://127.0.0.1:";
    EXPECT_EQ(word_of(secure, certificate, options, &asked).what, "");
    EXPECT_EQ(asked, "");  // an address is no name
}

TEST(MqttTls, JudgesTheBrokersCertificateByTheTimeThatItIsTold) {
    const SecureBroker secure;
    test::CertificateOptions certificate;
    certificate.valid_until_s = 1'000'000'000;  // 2001
    MqttOptions options = secure.options();
    options.url = "mqtts://127.0.0.1:";
    EXPECT_NE(word_of(secure, certificate, options).what.find("expired on 2001-09-09"),
              std::string::npos);
    options.now_ms = [] { return 999'999'999'000; };
    EXPECT_EQ(word_of(secure, certificate, options).what, "");
}

TEST(MqttTls, BreaksOffWhatIsLargerThanAnyPacketMayBe) {
    constexpr std::string_view kEndless("\x30\xff\xff\xff\x7f\x00\x01t\x00", 9);  // 256 MiB
    const SecureBroker secure;
    const test::Certificate own = secure.authority.issue();
    std::size_t taken = 0;
    {
        const test::PeerServer server([&](test::Peer& peer) {
            if (!peer.tls_as_server(own)) return;
            peer.hear();
            peer.say(kLetIn);
            peer.say(kEndless);
            const std::string part(64 * 1024, 'x');
            while (taken < 200 * limits::MiB && peer.say(part)) taken += part.size();
        });
        const auto loop = make_loop();
        MqttOptions options = options_for(server);
        options.url = at(server, "mqtts");
        options.ca_file = secure.options().ca_file;
        const Peer board(*loop, options);
        ASSERT_TRUE(run_until(*loop, [&] { return !board.errors.empty(); }));
        EXPECT_NE(board.errors[0].what.find("a packet of more than 4 MiB"), std::string::npos)
            << board.errors[0].what;
    }
    EXPECT_LT(taken, 24 * limits::MiB);  // both kernels' buffers among it
}

TEST(MqttTls, SpeaksNothingOlderThanTls12) {
    const test::Authority authority;
    const test::Certificate certificate = authority.issue();
    bool agreed = true;
    {
        const test::PeerServer server(
            [&](test::Peer& peer) { agreed = peer.tls_as_server(certificate, TLS1_1_VERSION); });
        const test::TempDir keys;
        std::ofstream(keys / "ca.pem") << authority.pem();
        MqttOptions options;
        options.url = "mqtts://127.0.0.1:" + std::to_string(server.port());
        options.client_id = "board";
        options.ca_file = keys / "ca.pem";
        EXPECT_EQ(first_word(options).code, Errc::unavailable);
    }
    EXPECT_FALSE(agreed);
}

TEST(MqttTls, ShowsItsCertificateFromOneFileOrTwoAndWithAnEncryptedKey) {
    SecureBroker secure("IP:127.0.0.1", "require_certificate true\n");
    const test::Certificate own = secure.authority.issue(SecureBroker::of_a_board());
    EXPECT_EQ(first_word(secure.options(own)).what, "");

    MqttOptions apart = secure.options();
    apart.certificate_file = secure.file("cert.pem", own.pem);
    apart.key_file = secure.file("apart.key", own.key);
    EXPECT_EQ(first_word(apart).what, "");

    MqttOptions locked = secure.options({own.pem, test::encrypted_key(own.key, "open sesame")});
    locked.key_passphrase = "open sesame";
    EXPECT_EQ(first_word(locked).what, "");
    for (const char* passphrase : {"", "wrong"}) {
        locked.key_passphrase = passphrase;
        const auto loop = make_loop();
        const auto made = make_mqtt(*loop, system_entropy(), locked);
        ASSERT_FALSE(made);
        EXPECT_EQ(made.error().code, Errc::invalid);
        EXPECT_NE(made.error().what.find("passphrase"), std::string::npos) << made.error().what;
    }
}

// A broker that speaks TLS as `server`, wants a certificate, and finds `verdict` on what it is
// shown.
Error refusal(const SecureBroker& secure, const MqttOptions& options, int verdict) {
    const test::Certificate own = secure.authority.issue();
    const test::PeerServer server(
        [&](test::Peer& peer) { EXPECT_FALSE(peer.tls_as_server(own, TLS1_2_VERSION, verdict)); });
    MqttOptions asking = options;
    asking.url = "mqtts://127.0.0.1:" + std::to_string(server.port());
    return first_word(asking);
}

// In TLS 1.2 the broker's word comes within the handshake.
TEST(MqttTls, SaysWhyTheBrokerDoesNotTakeItsCertificate) {
    SecureBroker secure;
    const MqttOptions own = secure.options(secure.authority.issue(SecureBroker::of_a_board()));
    const auto says = [&](const MqttOptions& options, int verdict, const char* words) {
        const Error error = refusal(secure, options, verdict);
        EXPECT_EQ(error.code, Errc::denied) << error.what;
        EXPECT_NE(error.what.find(words), std::string::npos) << error.what;
    };
    says(secure.options(), X509_V_OK, "wants a certificate");
    says(own, X509_V_ERR_CERT_HAS_EXPIRED, "has expired");
    says(own, X509_V_ERR_CERT_REVOKED, "was revoked");
    says(own, X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, "does not know the authority");
    says(own, X509_V_ERR_INVALID_PURPOSE, "does not take the certificate");
}

// In TLS 1.3 it comes later, and the end of the connection may overtake it.
TEST(MqttTls, SuspectsItsCertificateWhenTheBrokerGoesBeforeItsWordIsHeard) {
    SecureBroker secure("IP:127.0.0.1", "require_certificate true\n");
    const auto of_somebody = test::Authority("somebody").issue(SecureBroker::of_a_board());
    const MqttOptions options = secure.options(of_somebody);
    const Error error = first_word(options);
    const bool heard = error.code == Errc::denied;
    EXPECT_NE(error.what.find(heard ? "does not know the authority" : "does it take the"),
              std::string::npos)
        << error.what;
    EXPECT_NE(error.what.find(options.certificate_file), std::string::npos) << error.what;
}

TEST(MqttTls, FindsOutThatItsCertificateFileBecameUnusableInsteadOfAskingATerminal) {
    SecureBroker secure("IP:127.0.0.1", "require_certificate true\n");
    const auto own = secure.authority.issue(SecureBroker::of_a_board());
    const auto loop = make_loop();
    const MqttOptions options = secure.options(own);
    Peer board(*loop, options);
    ASSERT_TRUE(run_until(*loop, [&] { return board.connects == 1; }));
    secure.file("key.pem", test::encrypted_key(own.key, "later") + own.pem);
    secure.broker.kill();
    secure.broker.start();
    ASSERT_TRUE(run_until(*loop, [&] {
        return !board.errors.empty() &&
               board.errors.back().what.find("passphrase") != std::string::npos;
    }));
    secure.file("key.pem", own.key + own.pem);
    EXPECT_TRUE(run_until(*loop, [&] { return board.connects == 2; }));
}

}  // namespace
}  // namespace tributary
