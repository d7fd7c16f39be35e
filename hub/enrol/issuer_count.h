// Whose certificates the boards hold, for whoever is to drop an authority (`tributary-hub root`,
// which finds the count in a file because the hub has its store open).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "common/env/files.h"
#include "common/env/loop.h"
#include "common/record/document.h"
#include "hub/store/ledger.h"

namespace tributary::hub {

struct HeldCertificates {
    struct Boards {
        std::uint64_t count = 0;
        std::vector<std::string> some;  // of them, by name, at most kSomeMax
        bool operator==(const Boards&) const = default;
    };
    struct Authority {
        Digest certificate;  // SHA-256 of its own
        Boards boards;
        bool operator==(const Authority&) const = default;
    };
    static constexpr std::size_t kSomeMax = 10;

    std::uint64_t root_version = 0;
    std::vector<Authority> named;  // as the root document orders them
    Boards others;                 // by none that it names, or nobody knows by which
    bool operator==(const HeldCertificates&) const = default;

    // Boards that hold a certificate of another one than the last that is named.
    std::uint64_t to_renew() const;
};

// Of boards that are counted on and believed, by the certificate of the key that is in force: one
// that was given a new certificate counts with it once its journal says that it has it.
HeldCertificates count_certificates(const Catalog& catalog, const Root& root);

// state_dir/certificates.json. not_found when no hub has written it.
Result<HeldCertificates> load_certificate_count(Files& files, const std::string& state_dir);

// Keeps the file in step while the hub runs: a board that was retired may be counted on again.
class IssuerCount {
public:
    static constexpr std::uint64_t kEveryMs = 10'000;

    IssuerCount(Loop& loop, Files& files, const Ledger& ledger, const Root& root,
                const std::string& state_dir);

private:
    void count();

    Loop& loop_;
    Files& files_;
    const Ledger& ledger_;
    const Root root_;
    const std::string path_;
    HeldCertificates written_;
    std::unique_ptr<Timer> timer_;
};

}  // namespace tributary::hub
