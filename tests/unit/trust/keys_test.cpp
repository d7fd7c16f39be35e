#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>

#include "common/hash/hash.h"
#include "common/trust/bulk.h"
#include "common/trust/p256.h"
#include "common/trust/trust.h"
#include "tests/support/fake_trust.h"

namespace tributary::trust {
namespace {

// The key of RFC 6979, appendix A.2.5, as SEC1 without its public half, and as PKCS#8.
constexpr char kRfcKeySec1[] =
    "-----BEGIN EC PRIVATE KEY-----\n"
    "MDECAQEEIMmvqdhFunUWa1whV2ex1pNOUMPbNuibEnuKYisSD2choAoGCCqGSM49AwEH\n"
    "-----END EC PRIVATE KEY-----\n";
constexpr char kRfcKeyPkcs8[] =
    "-----BEGIN PRIVATE KEY-----\n"
    "MEECAQAwEwYHKoZIzj0CAQYIKoZIzj0DAQcEJzAlAgEBBCDJr6nYRbp1FmtcIVdn\n"
    "sdaTTlDD2zbomxJ7imIrEg9nIQ==\n"
    "-----END PRIVATE KEY-----\n";
// What the openssl program prints for it.
constexpr char kRfcPublicKey[] =
    "-----BEGIN PUBLIC KEY-----\n"
    "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEYP7UuiVanTHJYet0xjVtaMBJuJI7\n"
    "Yfps5mliLmDyn7Z5A/4QCLi8maQa6elWKLxk8vGyDC1+n1F3o8KU1EYimQ==\n"
    "-----END PUBLIC KEY-----\n";
constexpr char kP384Key[] =
    "-----BEGIN EC PRIVATE KEY-----\n"
    "MIGkAgEBBDB3cAMaToJ95WpZXnJm8Qtx2fHB3sBre7ovQFrv9NV9f+H/1mSegPlB\n"
    "v5Rtf3cNv66gBwYFK4EEACKhZANiAASJDfKC50qs9l5ZeHK2Qhq8Z9pt12l9XOrE\n"
    "tXb/yINVCyWfTP33MDgoHfGFiALRHaLK17jhJ4PT6r7nISeKx8NXMdUbyg0tM1yQ\n"
    "TprDxEfm0/FooDtd755gwT+JSk3jVkQ=\n"
    "-----END EC PRIVATE KEY-----\n";
constexpr char kEncryptedKey[] =
    "-----BEGIN EC PRIVATE KEY-----\n"
    "Proc-Type: 4,ENCRYPTED\n"
    "DEK-Info: AES-128-CBC,647D60DFD2220C6EFB70CF91591BFC38\n"
    "\n"
    "XXdPtyZgrV289c+bsIDTeQw0ych5vQqMvWJcpqJKG3Xa7GiQYCXplo48mXJNoFyn\n"
    "rCcmaKHv2FYwMcphcOJLlPXJD79UGhWSWA8g2lkPSkC9EaHp0KDunYBtbYEdUxMK\n"
    "9s/e1W+aslU81xYwnVsmlifk7PvBAxDsZ9lMSpJu6dw=\n"
    "-----END EC PRIVATE KEY-----\n";

class KeyFiles : public testing::Test {
protected:
    KeyFiles() {
        std::string pattern = testing::TempDir() + "trust-XXXXXX";
        directory_ = mkdtemp(pattern.data());
    }
    ~KeyFiles() override { std::filesystem::remove_all(directory_); }
    std::string path(const char* name) const { return join_path(directory_, name); }
    void put(const char* name, std::string_view text) {
        ASSERT_TRUE(replace_file(files_, path(name), as_bytes(text)));
    }

    Files& files_ = system_files();
    std::string directory_;
};

std::unique_ptr<Signer> new_key() { return *generate_key(system_entropy()); }

TEST(P256, SignsAsTheVectorsOfRfc6979Say) {
    const auto key = p256::PrivateKey::parse_pem(kRfcKeySec1);
    ASSERT_TRUE(key) << key.error().what;
    EXPECT_EQ(to_hex(*key->sign(sha256(as_bytes("sample")))),
              "efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716"
              "f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8");
    EXPECT_EQ(to_hex(*key->sign(sha256(as_bytes("test")))),
              "f1abb023518351cd71d881567b1ea663ed3efcf6c5132b354f28d3b0b7d38367"
              "019f4113742a2b14bd25926b49c649155f267e60d3814b4c0cc84250e46f0083");
}

TEST(P256, ReadsBothFormsOfAPrivateKeyAndWritesTheOneItReads) {
    const auto sec1 = p256::PrivateKey::parse_pem(kRfcKeySec1);
    const auto pkcs8 = p256::PrivateKey::parse_pem(kRfcKeyPkcs8);
    ASSERT_TRUE(sec1 && pkcs8);
    EXPECT_EQ(sec1->public_key(), pkcs8->public_key());
    EXPECT_EQ(p256::public_key_pem(sec1->public_key()), kRfcPublicKey);
    const auto again = p256::PrivateKey::parse_pem(sec1->pem());
    ASSERT_TRUE(again) << again.error().what;
    EXPECT_EQ(again->public_key(), sec1->public_key());
}

TEST(PublicKeyPem, ReadsWhatOpensslWritesAndRefusesTheRest) {
    const auto key = parse_public_key_pem(kRfcPublicKey);
    ASSERT_TRUE(key) << key.error().what;
    EXPECT_EQ(key->size(), p256::kPublicKeyBytes);
    EXPECT_EQ(public_key_pem(*key), kRfcPublicKey);
    for (const std::string text : {"", "hello", kRfcKeySec1, "-----BEGIN PUBLIC KEY-----\n"}) {
        const auto refused = parse_public_key_pem(text);
        ASSERT_FALSE(refused);
        EXPECT_EQ(refused.error().code, Errc::invalid);
    }
}

TEST(Signature, BothVerifiersAcceptItsOwnKeyPurposeAndBytesOnly) {
    const auto signer = new_key();
    const auto stranger = new_key();
    const Digest digest = sha256(as_bytes("a model"));
    const Bytes good = *signer->sign(kApprovalPurpose, digest);

    struct Case {
        const char* what;
        Bytes key;
        std::string_view purpose;
        Digest digest;
        Bytes signature;
        std::optional<Errc> expected;
    };
    const auto changed = [&](std::size_t at) {
        Bytes bytes = good;
        bytes[at] ^= 1;
        return bytes;
    };
    Bytes off_curve = signer->public_key();
    off_curve.back() ^= 1;
    Bytes infinity = signer->public_key();
    std::fill(infinity.begin() + 27, infinity.end(), std::uint8_t{0});
    Bytes longer_key = signer->public_key();
    longer_key.push_back(0);
    Bytes longer = good;
    longer.push_back(0);
    const std::vector<Case> cases = {
        {"as signed", signer->public_key(), kApprovalPurpose, digest, good, {}},
        {"another key", stranger->public_key(), kApprovalPurpose, digest, good, Errc::denied},
        {"another purpose", signer->public_key(), kSealPurpose, digest, good, Errc::denied},
        {"other bytes", signer->public_key(), kApprovalPurpose, {}, good, Errc::denied},
        {"r changed", signer->public_key(), kApprovalPurpose, digest, changed(3), Errc::denied},
        {"s changed", signer->public_key(), kApprovalPurpose, digest, changed(63), Errc::denied},
        {"zeros", signer->public_key(), kApprovalPurpose, digest, Bytes(64), Errc::denied},
        {"ones", signer->public_key(), kApprovalPurpose, digest, Bytes(64, 0xff), Errc::denied},
        {"nothing", signer->public_key(), kApprovalPurpose, digest, {}, Errc::denied},
        {"a byte more", signer->public_key(), kApprovalPurpose, digest, longer, Errc::denied},
        {"no key", {}, kApprovalPurpose, digest, good, Errc::invalid},
        {"a longer key", longer_key, kApprovalPurpose, digest, good, Errc::invalid},
        {"off the curve", off_curve, kApprovalPurpose, digest, good, Errc::invalid},
        {"point (0, 0)", infinity, kApprovalPurpose, digest, good, Errc::invalid},
    };
    for (Verifier* verifier : {&system_verifier(), &bulk_verifier()}) {
        for (const Case& c : cases) {
            const Status answer = verifier->verify(c.key, c.purpose, c.digest, c.signature);
            const std::optional<Errc> code =
                answer ? std::nullopt : std::optional(answer.error().code);
            EXPECT_EQ(code, c.expected) << c.what << (verifier == &bulk_verifier() ? ", bulk" : "");
        }
    }
}

TEST(Signature, BothVerifiersAgreeOverManyKeysAndDamages) {
    for (std::uint8_t round = 0; round < 16; ++round) {
        const auto signer = new_key();
        const Digest digest = sha256(ByteView(&round, 1));
        Bytes signature = *signer->sign(kSealPurpose, digest);
        if (round % 4 == 3) signature[round * 4u] ^= static_cast<std::uint8_t>(1u << (round % 8));
        const bool expected = round % 4 != 3;
        const auto& key = signer->public_key();
        EXPECT_EQ(system_verifier().verify(key, kSealPurpose, digest, signature).has_value(),
                  expected);
        EXPECT_EQ(bulk_verifier().verify(key, kSealPurpose, digest, signature).has_value(),
                  expected);
    }
}

TEST_F(KeyFiles, ServeTheBulkSignerAsTheOther) {
    // Without its public half, which is made up for.
    put("sec1.pem", kRfcKeySec1);
    for (const char* name : {"sec1.pem", "new.pem"}) {
        const auto bulk = load_or_create_bulk_key(files_, system_entropy(), path(name));
        ASSERT_TRUE(bulk) << bulk.error().what;
        const Bytes& key = (*bulk)->public_key();
        EXPECT_EQ((*load_key(files_, path(name)))->public_key(), key);
        for (std::uint8_t round = 0; round < 16; ++round) {
            const Digest digest = sha256(ByteView(&round, 1));
            const Bytes signature = *(*bulk)->sign(kReceiptPurpose, digest);
            EXPECT_TRUE(system_verifier().verify(key, kReceiptPurpose, digest, signature));
            EXPECT_FALSE(system_verifier().verify(key, kSealPurpose, digest, signature));
        }
    }
}

TEST_F(KeyFiles, ThatNoSignerCanUseAreRefusedByTheBulkSignerAlike) {
    put("p384.pem", kP384Key);
    put("encrypted.pem", kEncryptedKey);
    for (const char* name : {"p384.pem", "encrypted.pem"}) {
        const auto bulk = load_or_create_bulk_key(files_, system_entropy(), path(name));
        ASSERT_FALSE(bulk);
        EXPECT_EQ(bulk.error().code, Errc::invalid);
    }
}

TEST(FakeSignature, RefusesWhatTheRealOneRefuses) {
    FakeSigner signer("a");
    FakeVerifier verifier;
    const Digest digest = sha256(as_bytes("x"));
    const Bytes signature = *signer.sign(kSealPurpose, digest);
    EXPECT_TRUE(verifier.verify(signer.public_key(), kSealPurpose, digest, signature));
    EXPECT_FALSE(verifier.verify(signer.public_key(), kReceiptPurpose, digest, signature));
    EXPECT_FALSE(verifier.verify(signer.public_key(), kSealPurpose, Digest{}, signature));
    EXPECT_FALSE(verifier.verify(FakeSigner("b").public_key(), kSealPurpose, digest, signature));
    EXPECT_FALSE(verifier.verify({}, kSealPurpose, digest, signature));
}

TEST_F(KeyFiles, KeepTheKeyForTheNextStart) {
    const auto made = load_or_create_key(files_, system_entropy(), path("key.pem"));
    ASSERT_TRUE(made) << made.error().what;
    const auto loaded = load_or_create_key(files_, system_entropy(), path("key.pem"));
    ASSERT_TRUE(loaded) << loaded.error().what;
    EXPECT_EQ((*made)->public_key(), (*loaded)->public_key());
    const Digest digest = sha256(as_bytes("x"));
    EXPECT_EQ(*(*made)->sign(kSealPurpose, digest), *(*loaded)->sign(kSealPurpose, digest));
}

TEST_F(KeyFiles, AreForTheirOwnerAlone) {
    ASSERT_TRUE(create_key(files_, system_entropy(), path("key.pem")));
    struct stat status {};
    ASSERT_EQ(::stat(path("key.pem").c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777, 0600u);
}

TEST_F(KeyFiles, AreNeverReplaced) {
    put("key.pem", "whatever");
    const auto created = create_key(files_, system_entropy(), path("key.pem"));
    ASSERT_FALSE(created);
    EXPECT_EQ(created.error().code, Errc::conflict);
    const auto loaded = load_or_create_key(files_, system_entropy(), path("key.pem"));
    ASSERT_FALSE(loaded);
    EXPECT_EQ(loaded.error().code, Errc::invalid);
    EXPECT_EQ(as_text(*read_file(files_, path("key.pem"), 100)), "whatever");
}

TEST_F(KeyFiles, ThatCannotServeAreRefusedWithAReason) {
    put("p384", kP384Key);
    put("encrypted", kEncryptedKey);
    put("public", kRfcPublicKey);
    put("half", std::string_view(kRfcKeySec1).substr(0, 60));
    const std::pair<const char*, const char*> expectations[] = {
        {"p384", "P-256"}, {"encrypted", "encrypted"}, {"public", "private key"}, {"half", "PEM"}};
    for (const auto& [name, reason] : expectations) {
        const auto loaded = load_key(files_, path(name));
        ASSERT_FALSE(loaded) << name;
        EXPECT_EQ(loaded.error().code, Errc::invalid) << name;
        EXPECT_NE(loaded.error().what.find(reason), std::string::npos) << loaded.error().what;
    }
    EXPECT_EQ(load_key(files_, path("none")).error().code, Errc::not_found);
}

}  // namespace
}  // namespace tributary::trust
