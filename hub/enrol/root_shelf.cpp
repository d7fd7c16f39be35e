#include "hub/enrol/root_shelf.h"

#include <algorithm>

#include "common/base/limits.h"

namespace tributary::hub {

Result<RootShelf> RootShelf::of(std::vector<Bytes> documents, const Bytes& hub_key) {
    if (documents.empty()) return fail(Errc::invalid, "there is no root document");
    trust::Verifier& verifier = trust::bulk_verifier();
    TRIBUTARY_ASSIGN(const MultiSignedDocument first,
                     parse_multi_signed_document(documents.front()));
    TRIBUTARY_ASSIGN(
        trust::VerifiedRoot root,
        trust::verify_first_root(verifier, trust::root_digest(first.payload), documents.front()));
    if (root.root.version != 1)
        return fail(Errc::invalid, "the first root document is version " +
                                       std::to_string(root.root.version) + " instead of 1");
    for (const Bytes& document : std::span(documents).subspan(1)) {
        auto next = trust::verify_next_root(verifier, root.root, document);
        if (!next) return fail(Errc::invalid, next.error().what);
        root = *std::move(next);
    }
    if (std::ranges::count(root.root.hub_keys, hub_key) == 0)
        return fail(Errc::invalid,
                    "root document " + std::to_string(root.root.version) +
                        " does not name this hub's key (key.pem in its state_dir); sign one that "
                        "does, or put the right key in its place");
    return RootShelf(std::move(documents), std::move(root));
}

std::span<const Bytes> RootShelf::after(std::uint64_t version, std::size_t bytes_max) const {
    const std::size_t held =
        static_cast<std::size_t>(std::min<std::uint64_t>(version, documents_.size()));
    const std::span<const Bytes> rest = std::span(documents_).subspan(held);
    std::size_t count = 0;
    for (std::size_t bytes = 0; count < std::min(rest.size(), limits::kRootStepsMax); ++count) {
        bytes += rest[count].size();
        if (bytes > bytes_max && count > 0) break;
    }
    return rest.first(count);
}

}  // namespace tributary::hub
