// What the openssl program, and so anything built on it, makes of our files and certificates.
#include <gtest/gtest.h>

#include "common/env/files.h"
#include "common/trust/certificate.h"
#include "common/trust/key_file.h"
#include "tests/support/process.h"

namespace tributary::trust {
namespace {

class TrustOpenssl : public testing::Test {
protected:
    std::string put(const char* name, std::string_view text) {
        const std::string path = dir_ / name;
        TRIBUTARY_CHECK(replace_file(system_files(), path, as_bytes(text)));
        return path;
    }
    static test::Finished openssl(std::vector<std::string> args) {
        args.insert(args.begin(), "openssl");
        test::Finished finished = test::run(args);
        TRIBUTARY_CHECK(finished.ending.exit_code != 127);  // tools/deps.sh installs it
        return finished;
    }
    // Its exit code says nothing in some versions; its last words do.
    static bool verifies(std::vector<std::string> args) {
        args.insert(args.begin(), {"verify", "-x509_strict", "-check_ss_sig"});
        return openssl(std::move(args)).out.find(": OK") != std::string::npos;
    }

    test::TempDir dir_;
    Entropy& entropy_ = system_entropy();
    Authority authority_ =
        *Authority::create(*generate_key(system_entropy()), system_entropy(), "plant-7");
    std::string authority_file_ =
        put("ca.pem", to_pem(kCertificateLabel, authority_.certificate()));
    std::unique_ptr<Signer> key_ = *generate_key(system_entropy());
};

TEST_F(TrustOpenssl, BelievesWhatTheAuthorityIssued) {
    const Bytes device = *authority_.issue_device(entropy_, "board-1", key_->public_key(),
                                                  {{0}, {3'155'760'000'000}});
    const std::string file = put("device.pem", to_pem(kCertificateLabel, device));
    EXPECT_TRUE(verifies({"-CAfile", authority_file_, "-purpose", "sslclient", file}));
    EXPECT_FALSE(verifies({"-CAfile", authority_file_, "-purpose", "sslserver", file}));
    EXPECT_TRUE(verifies({"-CAfile", authority_file_, authority_file_}));

    const std::vector<std::string> names = {"hub.example"}, addresses = {"192.0.2.7"};
    const Bytes server = *authority_.issue_server(entropy_, key_->public_key(), names, addresses);
    const std::string server_file = put("server.pem", to_pem(kCertificateLabel, server));
    const std::vector<std::string> base = {"-CAfile", authority_file_, "-purpose", "sslserver"};
    const auto with = [&](std::vector<std::string> more) {
        more.insert(more.begin(), base.begin(), base.end());
        more.push_back(server_file);
        return verifies(more);
    };
    EXPECT_TRUE(with({"-verify_hostname", "hub.example"}));
    EXPECT_TRUE(with({"-verify_ip", "192.0.2.7"}));
    EXPECT_FALSE(with({"-verify_hostname", "other.example"}));
}

TEST_F(TrustOpenssl, CannotUseADeviceAsAnAuthority) {
    auto other = *Authority::create(*generate_key(entropy_), entropy_, "plant-8");
    const Bytes device =
        *other.issue_device(entropy_, "board-1", key_->public_key(), {{0}, {3'155'760'000'000}});
    const std::string file = put("device.pem", to_pem(kCertificateLabel, device));
    EXPECT_FALSE(verifies({"-CAfile", authority_file_, file}));
}

TEST_F(TrustOpenssl, ReadsOurRequests) {
    const std::string file = put("device.csr", to_pem(kCsrLabel, *make_csr(*key_)));
    const auto read = openssl({"req", "-in", file, "-noout", "-verify", "-text"});
    EXPECT_EQ(read.ending.exit_code, 0) << read.err;
    EXPECT_NE(read.out.find("prime256v1"), std::string::npos) << read.out;
}

TEST_F(TrustOpenssl, OpensOurEncryptedKeysWithTheirPassphraseAlone) {
    const MasterKey master = *MasterKey::create(system_files(), entropy_, dir_ / "master.key");
    const Passphrase passphrase = master.passphrase("api");
    const std::string path = dir_ / "key.pem";
    const auto made = *create_key(system_files(), entropy_, path, &passphrase);
    const auto open = [&](const std::string& word) {
        return openssl({"pkey", "-in", path, "-passin", "pass:" + word, "-pubout"});
    };
    EXPECT_EQ(open(std::string(passphrase.text())).out, public_key_pem(made->public_key()));
    EXPECT_NE(open("wrong").ending.exit_code, 0);
    const auto form = openssl({"asn1parse", "-in", path});
    for (const char* part : {"PBES2", "PBKDF2", "hmacWithSHA256", "aes-256-cbc", ":0800"})
        EXPECT_NE(form.out.find(part), std::string::npos) << part << form.out;
}

TEST_F(TrustOpenssl, WritesKeysThatWeOpen) {
    const std::string path = dir_ / "theirs.pem";
    const auto made = openssl({"genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256",
                               "-aes-256-cbc", "-pass", "pass:hunter2", "-out", path});
    ASSERT_EQ(made.ending.exit_code, 0) << made.err;
    const Passphrase passphrase = *Passphrase::of_person("hunter2");
    const auto key = load_key(system_files(), path, &passphrase);
    ASSERT_TRUE(key) << key.error().what;
    EXPECT_EQ(openssl({"pkey", "-in", path, "-passin", "pass:hunter2", "-pubout"}).out,
              public_key_pem((*key)->public_key()));
}

}  // namespace
}  // namespace tributary::trust
