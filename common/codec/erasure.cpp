#include "common/codec/erasure.h"

#include <isa-l/erasure_code.h>

#include <algorithm>
#include <utility>

#include "common/base/result.h"

namespace tributary::codec {
namespace {

constexpr std::size_t kTableBytes = 32;  // of ISA-L, for each coefficient

std::uint8_t coefficient(std::size_t parity, std::size_t data) {
    return gf_inv(static_cast<std::uint8_t>(parity ^ data));
}

// out[r] = the sum over s of coefficients[r * sources + s] * source[s]. ISA-L only reads the
// sources, although it does not say so.
void multiply(std::size_t bytes, Bytes& coefficients, std::vector<std::uint8_t*>& sources,
              std::vector<std::uint8_t*>& out) {
    Bytes tables(kTableBytes * coefficients.size());
    ec_init_tables(static_cast<int>(sources.size()), static_cast<int>(out.size()),
                   coefficients.data(), tables.data());
    ec_encode_data(static_cast<int>(bytes), static_cast<int>(sources.size()),
                   static_cast<int>(out.size()), tables.data(), sources.data(), out.data());
}

}  // namespace

Bytes erasure_fragment(ByteView data, std::size_t data_fragments, std::size_t index) {
    TRIBUTARY_CHECK(data_fragments >= 1 && data_fragments <= kErasureDataMax);
    TRIBUTARY_CHECK(!data.empty() && data.size() % data_fragments == 0);
    TRIBUTARY_CHECK(index < kErasureFragments);
    const std::size_t bytes = data.size() / data_fragments;
    if (index < data_fragments) {
        const ByteView part = data.subspan(index * bytes, bytes);
        return {part.begin(), part.end()};
    }
    Bytes row(data_fragments);
    std::vector<std::uint8_t*> sources(data_fragments);
    for (std::size_t j = 0; j < data_fragments; ++j) {
        row[j] = coefficient(index, j);
        sources[j] = const_cast<std::uint8_t*>(data.data()) + j * bytes;
    }
    Bytes fragment(bytes);
    std::vector<std::uint8_t*> out{fragment.data()};
    multiply(bytes, row, sources, out);
    return fragment;
}

ErasureAssembly::ErasureAssembly(std::size_t data_fragments, std::size_t fragment_bytes)
    : data_fragments_(data_fragments), fragment_bytes_(fragment_bytes) {
    TRIBUTARY_CHECK(data_fragments >= 1 && data_fragments <= kErasureDataMax);
    TRIBUTARY_CHECK(fragment_bytes > 0);
    slots_.resize(data_fragments * fragment_bytes);
    slot_has_.assign(data_fragments, kFree);
}

bool ErasureAssembly::add(std::size_t index, ByteView fragment) {
    if (index >= kErasureFragments || fragment.size() != fragment_bytes_ || lacks() == 0 ||
        seen_[index])
        return false;
    std::size_t at = free_slot();
    if (index < data_fragments_) {
        // Parity that stands in its place moves.
        if (slot_has_[index] != kFree) {
            std::ranges::copy(slot(index), slot(at).begin());
            slot_has_[at] = slot_has_[index];
        }
        at = index;
    }
    std::ranges::copy(fragment, slot(at).begin());
    slot_has_[at] = index;
    seen_[index] = true;
    ++held_;
    return true;
}

std::size_t ErasureAssembly::free_slot() const {
    return static_cast<std::size_t>(std::ranges::find(slot_has_, kFree) - slot_has_.begin());
}

Bytes ErasureAssembly::take() && {
    TRIBUTARY_CHECK(lacks() == 0);
    std::vector<std::size_t> missing;  // data fragments; the parity stands in just their slots
    for (std::size_t i = 0; i < data_fragments_; ++i)
        if (slot_has_[i] != i) missing.push_back(i);
    if (!missing.empty()) rebuild(missing);
    return std::move(slots_);
}

// Each parity held is a sum over missing and present data. Solved for the missing ones, of which
// there are few as a rule: only that square part of the matrix is inverted.
void ErasureAssembly::rebuild(const std::vector<std::size_t>& missing) {
    const std::size_t count = missing.size();
    Bytes square(count * count);
    Bytes inverse(count * count);
    for (std::size_t row = 0; row < count; ++row)
        for (std::size_t column = 0; column < count; ++column)
            square[row * count + column] = coefficient(slot_has_[missing[row]], missing[column]);
    const int singular = gf_invert_matrix(square.data(), inverse.data(), static_cast<int>(count));
    TRIBUTARY_CHECK(singular == 0);

    Bytes coefficients(count * data_fragments_);
    std::vector<std::uint8_t*> sources(data_fragments_);
    for (std::size_t at = 0; at < data_fragments_; ++at) {
        sources[at] = slot(at).data();
        const auto parity = std::ranges::find(missing, at);
        for (std::size_t row = 0; row < count; ++row) {
            std::uint8_t& to = coefficients[row * data_fragments_ + at];
            if (parity != missing.end()) {
                to = inverse[row * count + static_cast<std::size_t>(parity - missing.begin())];
                continue;
            }
            for (std::size_t s = 0; s < count; ++s)
                to ^= gf_mul(inverse[row * count + s], coefficient(slot_has_[missing[s]], at));
        }
    }
    Bytes rebuilt(count * fragment_bytes_);
    std::vector<std::uint8_t*> out(count);
    for (std::size_t row = 0; row < count; ++row) out[row] = rebuilt.data() + row * fragment_bytes_;
    multiply(fragment_bytes_, coefficients, sources, out);
    for (std::size_t row = 0; row < count; ++row)
        std::ranges::copy(ByteView(out[row], fragment_bytes_), slot(missing[row]).begin());
}

}  // namespace tributary::codec
