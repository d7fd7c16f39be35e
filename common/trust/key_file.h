// Keys and what opens them: passphrases, the master key they come from on a hub, and certificates
// beside a key in its file.
//
// An encrypted key is PKCS#8 "ENCRYPTED PRIVATE KEY" (RFC 5958): PBES2 with PBKDF2-HMAC-SHA-256 and
// AES-256-CBC (RFC 8018), which `openssl pkey` reads and writes. It is read with whatever count of
// iterations it says, and written with its passphrase's. The functions of trust.h and bulk.h that
// take a passphrase read and write it.
//
// A key that cannot leave its token (PKCS#11, a secure element) would be a Signer of its own: all
// that is signed here goes through that port, certificates and requests too (Signer::sign_der);
// only TLS reads key files itself. No such Signer is built in: a path that begins with "pkcs11:" is
// refused as unsupported.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/bytes.h"
#include "common/base/result.h"
#include "common/env/clock.h"
#include "common/env/files.h"

namespace tributary::trust {

// Wiped when it goes; moved, never copied.
class Passphrase {
public:
    // What a person thought of is guessed: made dear.
    static constexpr std::uint32_t kIterationsOfAPerson = 600'000;
    // What was derived from 32 random bytes is not: a hub opens several at each start.
    static constexpr std::uint32_t kIterationsOfAMasterKey = 2'048;
    static constexpr std::size_t kBytesMax = 1024;

    // invalid when it is empty or longer than kBytesMax.
    static Result<Passphrase> of_person(std::string_view text);
    // The file's first line, without its end (LF or CR LF).
    static Result<Passphrase> load(Files& files, const std::string& path);

    Passphrase(Passphrase&& other) noexcept;
    Passphrase& operator=(Passphrase&& other) noexcept;
    ~Passphrase();

    // Printable when derived; for a library that must have it (TLS). Do not keep a copy.
    std::string_view text() const;
    std::uint32_t iterations() const { return iterations_; }

private:
    friend class MasterKey;
    Passphrase(Bytes text, std::uint32_t iterations);

    Bytes text_;
    std::uint32_t iterations_;
};

// 32 random bytes from which a hub's passphrases come. Its file is 64 hexadecimal digits and a
// newline, mode 0600; or the same as a systemd credential.
class MasterKey {
public:
    static constexpr std::size_t kBytes = 32;

    // load: not_found, or invalid with what to do. create: conflict when the file is there.
    static Result<MasterKey> load(Files& files, const std::string& path);
    static Result<MasterKey> create(Files& files, Entropy& entropy, const std::string& path);

    MasterKey(MasterKey&& other) noexcept;
    MasterKey& operator=(MasterKey&& other) noexcept;
    ~MasterKey();

    // HKDF-SHA-256 (RFC 5869) without salt, `role` as info, 32 bytes as 64 hexadecimal digits. A
    // role names one file's use, "ca" or "api", and is never used for another.
    Passphrase passphrase(std::string_view role) const;

private:
    explicit MasterKey(Bytes key);
    Bytes key_;
};

// HKDF-SHA-256, extract and expand; `length` at most 255 * 32.
Bytes hkdf_sha256(ByteView key, ByteView salt, ByteView info, std::size_t length);

// A key file may hold the key's certificate behind it, so that both are swapped by one rename.
//
// Puts this certificate (DER) in place of those in the file; the key's own lines stay as they are.
// invalid when the file holds no private key.
Status put_certificate(Files& files, const std::string& path, ByteView certificate);
// The file's first certificate in DER; not_found when the file, or a certificate in it, is missing.
Result<Bytes> load_certificate(Files& files, const std::string& path);

}  // namespace tributary::trust
