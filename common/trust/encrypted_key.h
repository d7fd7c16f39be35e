// Key files as text, encrypted and not. Private to this folder.
#pragma once

#include <string>
#include <string_view>

#include "common/base/result.h"
#include "common/env/clock.h"
#include "common/env/files.h"
#include "common/trust/key_file.h"

namespace tributary::trust {

// A text that is wiped when it goes.
class SecretText {
public:
    explicit SecretText(std::string text) : text_(std::move(text)) {}
    SecretText(SecretText&& other) noexcept;
    SecretText& operator=(SecretText&& other) noexcept;
    ~SecretText();
    std::string_view text() const { return text_; }

private:
    void wipe();
    std::string text_;
};

// unsupported for a key that is not in a file.
Status check_key_path(const std::string& path);

// What stands in the key file, its key decrypted (to PKCS#8 without other blocks) if it was
// encrypted. Does not say that a plain one is sound.
Result<SecretText> load_plain_pem(Files& files, const std::string& path,
                                  const Passphrase* passphrase);
// A plain private key in PEM as "ENCRYPTED PRIVATE KEY".
Result<SecretText> encrypt_pem(std::string_view plain, const Passphrase& passphrase,
                               Entropy& entropy);

}  // namespace tributary::trust
