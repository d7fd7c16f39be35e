// Any bytes are refused as a root document, a document of a batch or a seal, or say no more than
// their signers did.
//
// Input: which, then its bytes. The keys are fakes, whose signatures a fuzzer could find out and
// does not; what matters here is what happens before and after a signature holds.
#include "common/base/limits.h"
#include "common/trust/root.h"
#include "common/trust/seal.h"
#include "tests/fuzz/fuzz.h"
#include "tests/support/fake_trust.h"

using namespace tributary;
using namespace tributary::trust;

namespace {

Bytes key(std::string_view name) { return FakeSigner(name).public_key(); }

// The version before those in the corpus: two of a, b, c.
Root current_root() {
    Root root;
    root.keys = {key("a"), key("b"), key("c")};
    root.threshold = 2;
    root.approvers = {{"quality", key("quality")}};
    root.hub_keys = {key("hub")};
    root.authorities = {Bytes(300, 1)};
    return root;
}

void check_refused(const Error& error) {
    TRIBUTARY_CHECK(error.code == Errc::corrupt || error.code == Errc::denied ||
                    error.code == Errc::invalid || error.code == Errc::conflict ||
                    error.code == Errc::unsupported);
}

void try_next_root(ByteView in) {
    FakeVerifier verifier;
    const auto next = verify_next_root(verifier, current_root(), in);
    if (!next) return check_refused(next.error());
    TRIBUTARY_CHECK(next->root.version == 2 && check_root(next->root) &&
                    in.size() <= limits::kRootBytesMax);
}

void try_first_root(ByteView in) {
    FakeVerifier verifier;
    const auto outer = parse_multi_signed_document(in);
    const Digest promised = outer ? root_digest(outer->payload) : Digest{};
    const auto first = verify_first_root(verifier, promised, in);
    if (!first) return check_refused(first.error());
    TRIBUTARY_CHECK(first->digest == promised && check_root(first->root));
}

void try_signature(ByteView in) {
    FakeSigner d("d");
    const auto signed_by_d = add_root_signature(d, in);
    if (!signed_by_d) {
        if (signed_by_d.error().code != Errc::exhausted) check_refused(signed_by_d.error());
        return;
    }
    TRIBUTARY_CHECK(parse_multi_signed_document(*signed_by_d)->payload ==
                    parse_multi_signed_document(in)->payload);
}

void try_document(ByteView in) {
    FakeVerifier verifier;
    const std::vector<Bytes> trusted = {key("hub")};
    const auto read = verify_document(verifier, trusted, kReceiptPurpose, in);
    if (!read) return check_refused(read.error());
    TRIBUTARY_CHECK(read->purpose == kReceiptPurpose && read->leaf_index < read->leaf_count);
}

void try_seal(ByteView in) {
    FakeVerifier verifier;
    const auto seal = parse_seal(in);
    if (!seal) return check_refused(seal.error());
    if (const Status held = verify_seal(verifier, key("board"), *seal); !held)
        check_refused(held.error());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const Bytes copy(data + 1, data + size);  // so that the sanitizer sees a byte too far
    switch (data[0]) {
        case 0: try_next_root(copy); break;
        case 1: try_first_root(copy); break;
        case 2: try_signature(copy); break;
        case 3: try_document(copy); break;
        default: try_seal(copy); break;
    }
    return 0;
}
