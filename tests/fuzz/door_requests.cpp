// Any body that somebody writes to the boards' door is refused with a sentence, or is bounded and
// of its form; what is in it may still be anybody's.
//
// Input: 0 and a body for enrol, else one for renew.
#include "hub/enrol/door_requests.h"
#include "tests/fuzz/fuzz.h"

using namespace tributary;

namespace {

void check_refused(const Error& error) {
    TRIBUTARY_CHECK(error.code == Errc::invalid && !error.what.empty());
    TRIBUTARY_CHECK(error.what.size() < 64 * limits::KiB);
}

void check_proof(ByteView csr, ByteView signature) {
    TRIBUTARY_CHECK(csr.size() <= limits::kCsrBytesMax);
    TRIBUTARY_CHECK(signature.size() <= hub::kDoorSignatureBytesMax);
}

void try_enrol(ByteView body) {
    const auto read = hub::parse_enrol_request(body);
    if (!read) return check_refused(read.error());
    check_proof(read->csr, read->signature);
    TRIBUTARY_CHECK(read->name.size() <= limits::kTextBytesMax &&
                    read->group.size() <= limits::kTextBytesMax);
    TRIBUTARY_CHECK(!read->secret || read->secret->size() <= trust::kTokenSecretBytes);
}

void try_renew(ByteView body) {
    const auto read = hub::parse_renew_request(body);
    if (!read) return check_refused(read.error());
    check_proof(read->csr, read->signature);
    TRIBUTARY_CHECK(read->device.size() <= limits::kTextBytesMax);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const Bytes copy(data + 1, data + size);  // so that the sanitizer sees a byte too far
    if (data[0] == 0)
        try_enrol(copy);
    else
        try_renew(copy);
    return 0;
}
