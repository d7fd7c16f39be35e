// Any body that somebody writes to the boards' door is refused with a sentence, or is bounded and
// of its form; what is in it may still be anybody's.
//
// Input: 0 and a body for enrol, 2 and the changes of key that a fetch names, else a body for
// renew.
#include "hub/enrol/door_requests.h"

#include "common/record/message.h"
#include "common/trust/fetch.h"
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
    TRIBUTARY_CHECK(read->key_changes.size() <= sync::kHelloKeyChangesMax);
}

void try_fetch(ByteView changes) {
    HttpRequest request;
    request.headers = {{std::string(trust::kFetchKeyChangesHeader), std::string(as_text(changes))}};
    const auto read = hub::parse_fetch_proof(request);
    if (!read) return check_refused(read.error());
    TRIBUTARY_CHECK(read->key_changes.size() <= sync::kHelloKeyChangesMax);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const Bytes copy(data + 1, data + size);  // so that the sanitizer sees a byte too far
    if (data[0] == 0)
        try_enrol(copy);
    else if (data[0] == 2)
        try_fetch(copy);
    else
        try_renew(copy);
    return 0;
}
