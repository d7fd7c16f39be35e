#include "common/trust/key_file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "common/hash/hash.h"
#include "common/trust/bulk.h"
#include "common/trust/certificate.h"
#include "tests/support/temp_dir.h"

namespace tributary::trust {
namespace {

// RFC 6979's key, encrypted by `openssl pkcs8 -topk8 -v2 aes-256-cbc -iter 1000` with "hunter2".
constexpr char kByOpenssl[] = R"(-----BEGIN ENCRYPTED PRIVATE KEY-----
MIGrMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAiqh5WYuGFYRwICA+gw
DAYIKoZIhvcNAgkFADAdBglghkgBZQMEASoEEELR9Zg5wcec6EpWHe8jYzoEUBFN
IBIoAPelNs4kG57AwOYHBDV7OaLoWp8mFkNzHpIBtdoXs8o44jPycEL8cyLbM/3Q
xOaTcYAnL06cM1+HSfu5Hn/AZZ7ArSclXF9P2WSR
-----END ENCRYPTED PRIVATE KEY-----
)";
constexpr char kRfcPublicKey[] =
    "-----BEGIN PUBLIC KEY-----\n"
    "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEYP7UuiVanTHJYet0xjVtaMBJuJI7\n"
    "Yfps5mliLmDyn7Z5A/4QCLi8maQa6elWKLxk8vGyDC1+n1F3o8KU1EYimQ==\n"
    "-----END PUBLIC KEY-----\n";

Bytes bytes_of(std::string_view hex) {
    Bytes bytes(hex.size() / 2);
    TRIBUTARY_CHECK(from_hex(hex, bytes));
    return bytes;
}

class TrustKeyFiles : public testing::Test {
protected:
    void put(const std::string& path, std::string_view text) {
        ASSERT_TRUE(replace_file(files_, path, as_bytes(text)));
    }
    std::string text_of(const std::string& path) {
        return std::string(as_text(read_file(files_, path, 100'000).value()));
    }
    template <class Value>
    void expect_refused(const Result<Value>& answer, Errc code, std::string_view reason) {
        ASSERT_FALSE(answer);
        EXPECT_EQ(name_of(answer.error().code), name_of(code)) << answer.error().what;
        EXPECT_NE(answer.error().what.find(reason), std::string::npos) << answer.error().what;
    }

    Files& files_ = system_files();
    Entropy& entropy_ = system_entropy();
    test::TempDir dir_;
    MasterKey master_ = *MasterKey::create(files_, entropy_, dir_ / "master.key");
    Passphrase passphrase_ = master_.passphrase("ca");
    std::string path_ = dir_ / "ca.pem";
};

TEST_F(TrustKeyFiles, EncryptedOpenWithTheirPassphraseForBothSigners) {
    const auto made = create_key(files_, entropy_, path_, &passphrase_);
    ASSERT_TRUE(made) << made.error().what;
    EXPECT_TRUE(text_of(path_).starts_with("-----BEGIN ENCRYPTED PRIVATE KEY-----\n"));
    const auto loaded = load_key(files_, path_, &passphrase_);
    ASSERT_TRUE(loaded) << loaded.error().what;
    EXPECT_EQ((*loaded)->public_key(), (*made)->public_key());
    const auto bulk = load_bulk_key(files_, path_, &passphrase_);
    ASSERT_TRUE(bulk) << bulk.error().what;
    const Digest digest = sha256(as_bytes("x"));
    EXPECT_TRUE(system_verifier().verify((*made)->public_key(), kReceiptPurpose, digest,
                                         *(*bulk)->sign(kReceiptPurpose, digest)));
}

TEST_F(TrustKeyFiles, ByOpensslAreReadWithWhatIterationsTheyHave) {
    put(path_, kByOpenssl);
    const Passphrase passphrase = *Passphrase::of_person("hunter2");
    const auto loaded = load_key(files_, path_, &passphrase);
    ASSERT_TRUE(loaded) << loaded.error().what;
    EXPECT_EQ(public_key_pem((*loaded)->public_key()), kRfcPublicKey);
}

TEST_F(TrustKeyFiles, EncryptedStayShutWithoutTheirPassphrase) {
    put(path_, kByOpenssl);
    const Passphrase wrong = *Passphrase::of_person("hunter3");
    expect_refused(load_key(files_, path_, &wrong), Errc::denied, "does not open it");
    expect_refused(load_bulk_key(files_, path_, &wrong), Errc::denied, "does not open it");
    expect_refused(load_key(files_, path_), Errc::denied, "give its passphrase");
    expect_refused(load_bulk_key(files_, path_), Errc::denied, "give its passphrase");
    // Nor is another one made in its place.
    expect_refused(load_or_create_key(files_, entropy_, path_, &wrong), Errc::denied, "");
    expect_refused(load_or_create_bulk_key(files_, entropy_, path_, &wrong), Errc::denied, "");
    EXPECT_EQ(text_of(path_), kByOpenssl);
}

TEST_F(TrustKeyFiles, ThatAreDamagedSaySoAndNotThatThePassphraseIsWrong) {
    const Passphrase passphrase = *Passphrase::of_person("hunter2");
    const std::string sound = kByOpenssl;
    std::string cut = sound;
    cut.erase(100, 30);
    std::string letter = sound;
    letter[42] = '*';
    for (const std::string& text :
         {cut, letter, sound.substr(0, sound.size() / 2), sound.substr(0, 45)}) {
        put(path_, text);
        expect_refused(load_key(files_, path_, &passphrase), Errc::invalid, "damaged");
    }
}

TEST_F(TrustKeyFiles, ThatArePlainDoNotMindAPassphrase) {
    const auto made = create_key(files_, entropy_, path_);
    const auto loaded = load_key(files_, path_, &passphrase_);
    ASSERT_TRUE(loaded) << loaded.error().what;
    EXPECT_EQ((*loaded)->public_key(), (*made)->public_key());
}

TEST_F(TrustKeyFiles, EncryptedAreForTheirOwnerAloneAndNeverReplaced) {
    ASSERT_TRUE(create_key(files_, entropy_, path_, &passphrase_));
    struct stat status {};
    for (const std::string& path : {path_, dir_ / "master.key"}) {
        ASSERT_EQ(::stat(path.c_str(), &status), 0);
        EXPECT_EQ(status.st_mode & 0777, 0600u);
    }
    expect_refused(create_key(files_, entropy_, path_, &passphrase_), Errc::conflict, "already");
    expect_refused(MasterKey::create(files_, entropy_, dir_ / "master.key"), Errc::conflict,
                   "already");
}

TEST_F(TrustKeyFiles, EncryptedTwiceHaveNothingInCommon) {
    ASSERT_TRUE(create_key(files_, entropy_, dir_ / "a", &passphrase_));
    ASSERT_TRUE(create_key(files_, entropy_, dir_ / "b", &passphrase_));
    // The label, and the lines that say how: salts differ from the second line on.
    EXPECT_NE(text_of(dir_ / "a").substr(0, 140), text_of(dir_ / "b").substr(0, 140));
}

TEST_F(TrustKeyFiles, InTokensAreRefusedWithWhatWorksInstead) {
    const std::string token = "pkcs11:token=board;pin-value=1234";
    const auto expect_unsupported = [&](const Result<std::unique_ptr<Signer>>& answer) {
        expect_refused(answer, Errc::unsupported, "key file");
        EXPECT_EQ(answer.error().what.find("1234"), std::string::npos);
    };
    expect_unsupported(load_key(files_, token));
    expect_unsupported(create_key(files_, entropy_, token));
    expect_unsupported(load_bulk_key(files_, token));
}

TEST_F(TrustKeyFiles, HoldTheirCertificateBehindThem) {
    auto authority = *Authority::create(*generate_key(entropy_), entropy_, "plant");
    const auto key = *create_key(files_, entropy_, path_, &passphrase_);
    const std::string alone = text_of(path_);
    expect_refused(load_certificate(files_, path_), Errc::not_found, "no certificate");
    for (const char* device : {"board-1", "board-2"}) {  // the second takes the first one's place
        const Bytes der = *authority.issue_device(entropy_, device, key->public_key(),
                                                  {{0}, {1'800'000'000'000}});
        ASSERT_TRUE(put_certificate(files_, path_, der));
        EXPECT_EQ(load_certificate(files_, path_), der);
        EXPECT_EQ(text_of(path_), alone + to_pem(kCertificateLabel, der));
        EXPECT_EQ((*load_key(files_, path_, &passphrase_))->public_key(), key->public_key());
    }
    put(dir_ / "no-key", to_pem(kCertificateLabel, authority.certificate()));
    expect_refused(put_certificate(files_, dir_ / "no-key", authority.certificate()), Errc::invalid,
                   "no private key");
}

TEST_F(TrustKeyFiles, PlainHoldTheirCertificateToo) {
    auto authority = *Authority::create(*generate_key(entropy_), entropy_, "plant");
    const auto key = *create_key(files_, entropy_, path_);
    ASSERT_TRUE(put_certificate(files_, path_, authority.certificate()));
    EXPECT_EQ((*load_key(files_, path_))->public_key(), key->public_key());
    EXPECT_EQ((*load_bulk_key(files_, path_))->public_key(), key->public_key());
    EXPECT_EQ(load_certificate(files_, path_), authority.certificate());
}

TEST_F(TrustKeyFiles, OfAMasterKeyGiveEachRoleAPassphraseOfItsOwn) {
    const auto again = MasterKey::load(files_, dir_ / "master.key");
    ASSERT_TRUE(again) << again.error().what;
    EXPECT_EQ(again->passphrase("ca").text(), passphrase_.text());
    EXPECT_NE(again->passphrase("api").text(), passphrase_.text());
    EXPECT_EQ(passphrase_.text().size(), 64u);
    const auto other = MasterKey::create(files_, entropy_, dir_ / "other.key");
    EXPECT_NE(other->passphrase("ca").text(), passphrase_.text());
}

TEST_F(TrustKeyFiles, OfAMasterKeyAreOneLineOfDigits) {
    const std::string digits(64, 'a');
    for (const std::string& text : {digits, digits + "\n", digits + "\r\n"}) {
        put(dir_ / "m", text);
        EXPECT_TRUE(MasterKey::load(files_, dir_ / "m")) << text;
    }
    for (const std::string& text :
         {std::string(), digits.substr(1), digits + "a", std::string(64, 'g'), digits + "\n\n"}) {
        put(dir_ / "m", text);
        expect_refused(MasterKey::load(files_, dir_ / "m"), Errc::invalid, "");
    }
    expect_refused(MasterKey::load(files_, dir_ / "none"), Errc::not_found, "");
}

TEST_F(TrustKeyFiles, OfAPassphraseAreTheirFirstLine) {
    put(dir_ / "p", "correct horse\r\nsecond line\n");
    EXPECT_EQ(Passphrase::load(files_, dir_ / "p")->text(), "correct horse");
    put(dir_ / "p", "\nsecond line\n");
    expect_refused(Passphrase::load(files_, dir_ / "p"), Errc::invalid, "1 to 1024");
    EXPECT_FALSE(Passphrase::of_person(std::string(Passphrase::kBytesMax + 1, 'a')));
}

TEST(Hkdf, DerivesAsTheVectorsOfRfc5869Say) {
    EXPECT_EQ(
        to_hex(hkdf_sha256(Bytes(22, 0x0b), bytes_of("000102030405060708090a0b0c"),
                           bytes_of("f0f1f2f3f4f5f6f7f8f9"), 42)),
        "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865");
    EXPECT_EQ(
        to_hex(hkdf_sha256(Bytes(22, 0x0b), {}, {}, 42)),
        "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8");
}

}  // namespace
}  // namespace tributary::trust
