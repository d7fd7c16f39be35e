// What an authority signs, and what it must not be talked into.
#include "common/trust/certificate.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "common/base/limits.h"
#include "tests/support/random.h"

namespace tributary::trust {
namespace {

// Made with the openssl program: a subject "CN=admin", and extensions that ask for an authority of
// any length and the name hub.example.
constexpr char kGreedyCsr[] = R"(-----BEGIN CERTIFICATE REQUEST-----
MIIBQDCB6AIBADAkMQ4wDAYDVQQDDAVhZG1pbjESMBAGA1UECgwJdHJpYnV0YXJ5
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE7JQP98ehPBYNW0eWPfa896VAcBZw
JYB6kfWDF5KK5SCFq7D4jD1rF/UVse+7WVaJF/CXv4ZSqQWsfOfqvER/RaBiMGAG
CSqGSIb3DQEJDjFTMFEwDwYDVR0TAQH/BAUwAwEB/zALBgNVHQ8EBAMCAgQwEwYD
VR0lBAwwCgYIKwYBBQUHAwEwHAYDVR0RBBUwE4ILaHViLmV4YW1wbGWHBMAAAgEw
CgYIKoZIzj0EAwIDRwAwRAIgcwvTt1tZwrRug7vnSuMZIruVjOQdhySO/9VOVdQS
FT8CIEXjO1IZUHqmml26mYLtU7WdTmZTPmHfDEVhZM8sA/KF
-----END CERTIFICATE REQUEST-----
)";
constexpr char kRsaCsr[] = R"(-----BEGIN CERTIFICATE REQUEST-----
MIICUTCCATkCAQAwDDEKMAgGA1UEAwwBcjCCASIwDQYJKoZIhvcNAQEBBQADggEP
ADCCAQoCggEBAM6JY162mXUpC0MhKNb6TJIvF5JRx6prVmfsjNVL7CSWkCJomPbv
00vuBcdJw8ee8BoSTbMzGnvmdCvNJXCYgRyXs+CQUFlvSU9vN6JXOtknOja0Jhcv
NRl0SIm1j1A+IJWCNx+3e6oT68Wisw74hOf+phMF//HIhIMXMZggTI2z7fQlKuU7
RmtJr6MR9I3OjpeeHFeetJ8RmQsEcCsr3pLjTHH+RZuPt7d2beZQy31rgPoL9mfK
ePNszQMzelWB4VLUsxOTHl9NKbDvfp+16OoBh/J6IIoh9lFKy26pgtg4PsAJ2FDC
xozsxOTAhaCZEcVBc3LNORDJdl3BXIdoPiUCAwEAAaAAMA0GCSqGSIb3DQEBCwUA
A4IBAQAdkfsW8AvN+ideflUW1VuoczIEDs8NyNta9II0yClyDdv8shCX3bTSriLc
bFT+tGAON552nrEEcM5XJMcm77IVbMqqlx7K4uLKIRwnn1dMp4vz5RNR3FfH7FGH
IhGyKTTe54Unto+KOQkUN6wI9pgSnB6rK199QKiy/0YyRAHLh1IURUVDGgUb7ddQ
df+DUu1KsH1gSMl0Pgc6WsucGzitYBBD8gOgYBD1gp6FKknA84SJ2wfXkVJcllc/
ALoCbQuVA+lKTv7/Km1g+kVEiSXrErbZADh8bAdv/dXg3oZfIY1EqkYfkv8g1qs+
HrcrQOl5eQFn1yJTMWdC5GYttAYQ
-----END CERTIFICATE REQUEST-----
)";
constexpr char kP384Csr[] = R"(-----BEGIN CERTIFICATE REQUEST-----
MIIBAzCBiwIBADAMMQowCAYDVQQDDAFwMHYwEAYHKoZIzj0CAQYFK4EEACIDYgAE
B1zlDt0f7i2/M0ey0eOKOtGjpZh4dIVskke0btidZ5YKsGG4PjFGUetHPZcVKUU9
UBEYnXgJlYy8Cl0SkAg4uFgM1sdWk+tRTbYraFSmD8tETQbuSUSJBuTO8y8okp1U
oAAwCgYIKoZIzj0EAwIDZwAwZAIwRrt+RExNffPBABhKez/SPLTA+IzwaFA4om5L
gE7L/xugGOfSBMx+GU0oQVLwYdcxAjB9ri3Qqu+vCil5iilVyEIK5DcwHeHFOvOG
SU4szUjR3PTcGrx8HP8owrjIdtMLG3s=
-----END CERTIFICATE REQUEST-----
)";
// Of P-256, signed over SHA-384.
constexpr char kSha384Csr[] = R"(-----BEGIN CERTIFICATE REQUEST-----
MIHGMG4CAQAwDDEKMAgGA1UEAwwBeDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IA
BOyUD/fHoTwWDVtHlj32vPelQHAWcCWAepH1gxeSiuUghauw+Iw9axf1FbHvu1lW
iRfwl7+GUqkFrHzn6rxEf0WgADAKBggqhkjOPQQDAwNIADBFAiAGzNo8bKWGSPD+
wFhh3Wew3y/h2WD/KsYmWxq86WgSTAIhAJFHjDaxCLCPXSnZGVXLRy6CMiz4CajO
vomTT0MLJwFy
-----END CERTIFICATE REQUEST-----
)";
// Of P-256, its point compressed.
constexpr char kCompressedCsr[] = R"(-----BEGIN CERTIFICATE REQUEST-----
MIGmME4CAQAwDDEKMAgGA1UEAwwBYzA5MBMGByqGSM49AgEGCCqGSM49AwEHAyIA
A+yUD/fHoTwWDVtHlj32vPelQHAWcCWAepH1gxeSiuUgoAAwCgYIKoZIzj0EAwID
SAAwRQIgCymBDSAu+F3pBLyqKX6mbY7JTeXiDeFj0DvonKonGVYCIQDIdh5vMFQB
meI/8hJdnf7LEPHUL8W2Pl/GNyD2U8TGrg==
-----END CERTIFICATE REQUEST-----
)";

std::unique_ptr<Signer> new_key() { return *generate_key(system_entropy()); }
constexpr Validity kTwoYears{{0}, {1'800'000'000'000}};

class TrustCertificates : public testing::Test {
protected:
    Bytes device_certificate(std::string_view name = "board-1") {
        return *authority_.issue_device(entropy_, name, key_->public_key(), kTwoYears);
    }
    Result<Certificate> verify(ByteView certificate, CertificateUse use = CertificateUse::client) {
        const std::vector<Bytes> authorities = {authority_.certificate()};
        return verify_certificate(certificate, authorities, use);
    }
    void expect_denied(const Result<Certificate>& answer, std::string_view reason) {
        ASSERT_FALSE(answer);
        EXPECT_EQ(answer.error().code, Errc::denied);
        EXPECT_NE(answer.error().what.find(reason), std::string::npos) << answer.error().what;
    }

    Entropy& entropy_ = system_entropy();
    Authority authority_ = *Authority::create(new_key(), system_entropy(), "plant-7");
    std::unique_ptr<Signer> key_ = new_key();
};

TEST_F(TrustCertificates, OfADeviceSayWhoWhatForAndUntilWhen) {
    const auto read = verify(device_certificate());
    ASSERT_TRUE(read) << read.error().what;
    EXPECT_EQ(read->subject, "board-1");
    EXPECT_EQ(read->issuer, "plant-7");
    EXPECT_EQ(read->public_key, key_->public_key());
    EXPECT_EQ(read->validity, kTwoYears);
    EXPECT_TRUE(read->client);
    EXPECT_FALSE(read->server || read->authority);
    EXPECT_GE(read->serial.size(), 12u);
    EXPECT_LE(read->serial.size(), 16u);
}

TEST_F(TrustCertificates, OfOneDeviceHaveDifferentSerialNumbers) {
    EXPECT_NE(parse_certificate(device_certificate())->serial,
              parse_certificate(device_certificate())->serial);
}

TEST_F(TrustCertificates, OfTheAuthorityAreItsOwnFrom1970To2106) {
    const auto read = parse_certificate(authority_.certificate());
    ASSERT_TRUE(read) << read.error().what;
    EXPECT_TRUE(read->authority);
    EXPECT_EQ(read->subject, read->issuer);
    EXPECT_EQ(read->validity, kAlways);
    EXPECT_EQ(to_text(read->validity.not_after), "2106-02-07T06:28:15Z");
}

TEST_F(TrustCertificates, OfAServerNameItsNamesAndAddresses) {
    const std::vector<std::string> names = {"hub.example", "localhost"};
    const std::vector<std::string> addresses = {"192.0.2.7", "2001:db8::1"};
    const auto der = authority_.issue_server(entropy_, key_->public_key(), names, addresses);
    ASSERT_TRUE(der) << der.error().what;
    const auto read = verify(*der, CertificateUse::server);
    ASSERT_TRUE(read) << read.error().what;
    EXPECT_EQ(read->names, names);
    EXPECT_EQ(read->addresses, (std::vector<std::string>{"192.0.2.7", "2001:db8:0:0:0:0:0:1"}));
    EXPECT_TRUE(read->server);
    EXPECT_FALSE(read->client);
}

TEST_F(TrustCertificates, OfTheDoorAloneNameItsRole) {
    const std::vector<std::string> names = {"hub.example"};
    const Bytes door = authority_.issue_door(entropy_, key_->public_key(), names, {}).value();
    const Bytes other = authority_.issue_server(entropy_, key_->public_key(), names, {}).value();
    const auto read = verify(door, CertificateUse::server);
    ASSERT_TRUE(read) << read.error().what;
    EXPECT_TRUE(read->door);
    EXPECT_EQ(read->names, names);
    EXPECT_FALSE(parse_certificate(other)->door);
}

TEST_F(TrustCertificates, AreIssuedForNoNameThatSmugglesSomethingIn) {
    const auto is_invalid = [&](std::vector<std::string> names,
                                std::vector<std::string> addresses) {
        const auto answer = authority_.issue_server(entropy_, key_->public_key(), names, addresses);
        return !answer && answer.error().code == Errc::invalid;
    };
    for (const char* name : {"", "a b", "*.example", "a,DNS:b", "-x", ".x", "x.", "\xc3\xa4"})
        EXPECT_TRUE(is_invalid({name}, {})) << name;
    EXPECT_TRUE(is_invalid({std::string("a\0b", 3)}, {}));
    EXPECT_TRUE(is_invalid({std::string(254, 'a')}, {}));
    EXPECT_TRUE(is_invalid({}, {"192.0.2"}));
    EXPECT_TRUE(is_invalid({}, {"hub.example"}));
    EXPECT_TRUE(is_invalid({}, {}));
    EXPECT_TRUE(is_invalid(std::vector<std::string>(17, "a"), {}));
    for (const char* device : {"", "Board", "a/b", "#", "+", "a b", "hub"})
        EXPECT_FALSE(
            authority_.issue_device(entropy_, device, key_->public_key(), kTwoYears).has_value())
            << device;
}

TEST_F(TrustCertificates, AreIssuedForSoundKeysAndTimesOnly) {
    Bytes off_curve = key_->public_key();
    off_curve.back() ^= 1;
    EXPECT_FALSE(authority_.issue_device(entropy_, "a", off_curve, kTwoYears));
    EXPECT_FALSE(authority_.issue_device(entropy_, "a", Bytes(91, 4), kTwoYears));
    EXPECT_FALSE(authority_.issue_device(entropy_, "a", key_->public_key(), {{5'000}, {5'000}}));
    EXPECT_FALSE(authority_.issue_device(entropy_, "a", key_->public_key(),
                                         {{0}, {kAlways.not_after.ms + 1}}));
}

TEST_F(TrustCertificates, AreInTheirTimeFromTheFirstSecondThroughTheLast) {
    const Bytes der = *authority_.issue_device(entropy_, "a", key_->public_key(),
                                               {{60'000}, {3'155'760'000'000}});  // until 2070
    const Certificate read = *parse_certificate(der);
    EXPECT_FALSE(read.is_valid_at({59'999}));
    EXPECT_TRUE(read.is_valid_at({60'000}));
    EXPECT_TRUE(read.is_valid_at({3'155'760'000'999}));
    EXPECT_FALSE(read.is_valid_at({3'155'760'001'000}));
}

TEST_F(TrustCertificates, ThatExpiredStillShowWhoIssuedThem) {
    // In 1970: whatever this machine's clock says, it is over.
    const Bytes der = *authority_.issue_device(entropy_, "a", key_->public_key(), {{0}, {1'000}});
    EXPECT_TRUE(verify(der));
}

TEST_F(TrustCertificates, ByAnotherAuthorityAreDenied) {
    auto other = *Authority::create(new_key(), entropy_, "plant-8");
    const Bytes der = *other.issue_device(entropy_, "board-1", key_->public_key(), kTwoYears);
    expect_denied(verify(der), "issuer");
}

TEST_F(TrustCertificates, ByAnotherAuthorityOfTheSameNameAreDenied) {
    auto other = *Authority::create(new_key(), entropy_, "plant-7");
    const Bytes der = *other.issue_device(entropy_, "board-1", key_->public_key(), kTwoYears);
    expect_denied(verify(der), "");
    // With both known, each holds for its own.
    const std::vector<Bytes> both = {authority_.certificate(), other.certificate()};
    EXPECT_TRUE(verify_certificate(der, both, CertificateUse::client));
    EXPECT_TRUE(verify_certificate(device_certificate(), both, CertificateUse::client));
}

TEST_F(TrustCertificates, WithoutAnyAuthorityAreDenied) {
    expect_denied(verify_certificate(device_certificate(), {}, CertificateUse::client),
                  "no authority");
}

TEST_F(TrustCertificates, ForAnotherUseAreDenied) {
    expect_denied(verify(device_certificate(), CertificateUse::server), "purpose");
    const std::vector<std::string> names = {"localhost"};
    const Bytes server = *authority_.issue_server(entropy_, key_->public_key(), names, {});
    expect_denied(verify(server, CertificateUse::client), "purpose");
}

TEST_F(TrustCertificates, OfAnAuthorityDoNotConnect) {
    expect_denied(verify(authority_.certificate()), "authority's");
}

TEST_F(TrustCertificates, OfADeviceIssueNoOthers) {
    // A device that plays authority with its own certificate.
    auto key = new_key();
    const Bytes own = *authority_.issue_device(entropy_, "board-1", key->public_key(), kTwoYears);
    const auto loaded = Authority::load(std::move(key), own);
    ASSERT_FALSE(loaded);
    EXPECT_EQ(loaded.error().code, Errc::invalid);
    // And one that is believed to be an authority all the same.
    const std::vector<Bytes> believed = {own};
    expect_denied(verify_certificate(own, believed, CertificateUse::client), "");
}

TEST_F(TrustCertificates, WithOneBitChangedAreDeniedOrUnreadable) {
    const Bytes sound = device_certificate();
    for (std::size_t at = 0; at < sound.size(); at += 3) {
        Bytes changed = sound;
        changed[at] ^= 1;
        EXPECT_FALSE(verify(changed)) << at;
    }
}

TEST_F(TrustCertificates, CutShortOrWithMoreBehindThemAreRefused) {
    Bytes sound = device_certificate();
    for (std::size_t length = 0; length < sound.size(); length += 5)
        EXPECT_FALSE(parse_certificate(ByteView(sound).first(length))) << length;
    sound.push_back(0);
    EXPECT_FALSE(parse_certificate(sound));
    sound.resize(limits::kCertificateBytesMax + 1);
    const auto answer = parse_certificate(sound);
    ASSERT_FALSE(answer);
    EXPECT_NE(answer.error().what.find("at most"), std::string::npos);
}

TEST_F(TrustCertificates, AreReadFromPemAmongOtherBlocks) {
    const Bytes der = device_certificate();
    const std::string text = public_key_pem(key_->public_key()) + "words\n" +
                             to_pem(kCertificateLabel, der) +
                             to_pem(kCertificateLabel, authority_.certificate());
    EXPECT_EQ(from_pem(kCertificateLabel, text), der);
    EXPECT_FALSE(from_pem(kCsrLabel, text));
    EXPECT_FALSE(from_pem(kCertificateLabel, text.substr(0, text.size() / 3)));
}

TEST_F(TrustCertificates, OfAnAuthorityServeItsOwnKeyOnly) {
    auto key = new_key();
    auto other = *Authority::create(new_key(), entropy_, "plant-8");
    const auto loaded = Authority::load(std::move(key), other.certificate());
    ASSERT_FALSE(loaded);
    EXPECT_NE(loaded.error().what.find("another key"), std::string::npos);
}

// ---- requests ----

TEST(TrustCertificateRequest, ProvesItsKeyAndSaysNothingElse) {
    const auto key = new_key();
    const auto csr = make_csr(*key);
    ASSERT_TRUE(csr) << csr.error().what;
    EXPECT_EQ(parse_csr(*csr), key->public_key());
    EXPECT_LT(csr->size(), 300u);
}

TEST(TrustCertificateRequest, WithAStrangersKeyIsDenied) {
    // The thief signs, the board's key stands in it.
    class Impostor final : public Signer {
    public:
        explicit Impostor(Bytes shown) : shown_(std::move(shown)) {}
        const Bytes& public_key() const override { return shown_; }
        Result<Bytes> sign(std::string_view purpose, const Digest& digest) override {
            return own_->sign(purpose, digest);
        }
        Result<Bytes> sign_der(ByteView sequence) override { return own_->sign_der(sequence); }

    private:
        Bytes shown_;
        std::unique_ptr<Signer> own_ = new_key();
    } impostor(new_key()->public_key());
    const auto answer = parse_csr(*make_csr(impostor));
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().code, Errc::denied);
}

TEST_F(TrustCertificates, TakeNothingFromTheSubjectAndExtensionsOfARequest) {
    const auto public_key = parse_csr(*from_pem(kCsrLabel, kGreedyCsr));
    ASSERT_TRUE(public_key) << public_key.error().what;
    const Bytes der = *authority_.issue_device(entropy_, "board-1", *public_key, kTwoYears);
    const auto read = verify(der);
    ASSERT_TRUE(read) << read.error().what;
    EXPECT_EQ(read->subject, "board-1");
    EXPECT_FALSE(read->authority || read->server);
    EXPECT_TRUE(read->names.empty() && read->addresses.empty());
}

TEST(TrustCertificateRequest, OfAnotherKindOfKeyIsRefused) {
    for (const char* text : {kRsaCsr, kP384Csr, kCompressedCsr}) {
        const auto der = from_pem(kCsrLabel, text);
        ASSERT_TRUE(der) << text;
        const auto answer = parse_csr(*der);
        ASSERT_FALSE(answer);
        EXPECT_EQ(answer.error().code, Errc::invalid);
        EXPECT_NE(answer.error().what.find("P-256"), std::string::npos) << answer.error().what;
    }
}

TEST(TrustCertificateRequest, SignedWithAnotherHashIsRefused) {
    const auto answer = parse_csr(*from_pem(kCsrLabel, kSha384Csr));
    ASSERT_FALSE(answer);
    EXPECT_NE(answer.error().what.find("SHA-256"), std::string::npos) << answer.error().what;
}

TEST(TrustCertificateRequest, LongerThanTheLimitIsNotReadAtAll) {
    for (const std::size_t size : {limits::kCsrBytesMax + 1, 64 * limits::KiB}) {
        Bytes csr = *make_csr(*new_key());
        csr.resize(size);
        const auto answer = parse_csr(csr);
        ASSERT_FALSE(answer);
        EXPECT_NE(answer.error().what.find("at most 8192"), std::string::npos);
    }
}

TEST(TrustCertificateRequest, OfGarbageIsRefused) {
    test::Random random(1);
    for (int round = 0; round < 200; ++round) EXPECT_FALSE(parse_csr(random.bytes(300)));
    const Bytes sound = *make_csr(*new_key());
    for (std::size_t length = 0; length < sound.size(); ++length)
        EXPECT_FALSE(parse_csr(ByteView(sound).first(length))) << length;
    for (std::size_t at = 0; at < sound.size(); ++at) {
        Bytes changed = sound;
        changed[at] ^= 1;
        EXPECT_FALSE(parse_csr(changed)) << at;
    }
    Bytes longer = sound;
    longer.push_back(0);
    EXPECT_FALSE(parse_csr(longer));
}

}  // namespace
}  // namespace tributary::trust
