// Any bytes are refused as a certificate or a request for one, or are what they seem: the key in a
// request is one that a certificate can be issued for, and nobody but the authority issues any.
//
// Input: 0 and a request, 1 and a certificate, 2 and a text in PEM.
#include "common/trust/certificate.h"
#include "common/trust/p256.h"
#include "tests/fuzz/fuzz.h"

using namespace tributary;
using namespace tributary::trust;

namespace {

void check_refused(const Error& error) {
    TRIBUTARY_CHECK(error.code == Errc::invalid || error.code == Errc::denied);
}

void try_request(ByteView in) {
    const auto key = parse_csr(in);
    if (!key) return check_refused(key.error());
    TRIBUTARY_CHECK(in.size() <= limits::kCsrBytesMax && p256::point_of(*key));
}

void try_certificate(ByteView in) {
    // Its key is gone with the process: nothing in a corpus is by it.
    static const Authority authority =
        *Authority::create(*generate_key(system_entropy()), system_entropy(), "plant-7");
    const std::vector<Bytes> authorities = {authority.certificate()};
    const auto verified = verify_certificate(in, authorities, CertificateUse::client);
    TRIBUTARY_CHECK(!verified);
    check_refused(verified.error());
    const auto read = parse_certificate(in);
    if (!read) return check_refused(read.error());
    TRIBUTARY_CHECK(in.size() <= limits::kCertificateBytesMax && p256::point_of(read->public_key) &&
                    !read->subject.empty() && !read->serial.empty());
}

void try_pem(std::string_view text) {
    for (const auto label : {kCertificateLabel, kCsrLabel})
        if (const auto der = from_pem(label, text); !der) check_refused(der.error());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const Bytes copy(data + 1, data + size);  // so that the sanitizer sees a byte too far
    switch (data[0]) {
        case 0: try_request(copy); break;
        case 1: try_certificate(copy); break;
        default: try_pem(as_text(copy)); break;
    }
    return 0;
}
